//! Between the rows of users, sessions and doors, and what they are.

use jiff::Timestamp;
use jobkit::SecretString;
use jobkit::redact::Personal;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::row::RowExt;
use crate::writer::{Abort, Done};
use store::identities::{DoorState, SessionId, SessionRow, TotpRow, UserId, UserRow};

fn bad(problem: String) -> Abort {
    Abort::Sql(sqlx::Error::Decode(problem.into()))
}

pub fn user_row(row: &SqliteRow) -> Done<UserRow> {
    let since = row.time_if_any("totp_since")?;
    let step = row.try_get::<Option<i64>, _>("totp_step")?.map(i64::unsigned_abs);
    Ok(UserRow {
        id: UserId(row.try_get("id")?),
        email: row.text("email")?.parse().map_err(bad)?,
        name: Personal::new(row.text("name")?),
        role: row.text("role")?.parse().map_err(bad)?,
        tenant: row.text_if_any("tenant")?,
        password: SecretString::from(row.text("password")?),
        password_changed_at: row.time("password_changed_at")?,
        created_at: row.time("created_at")?,
        disabled_at: row.time_if_any("disabled_at")?,
        totp: row.text_if_any("totp")?.map(|sealed| TotpRow { sealed, since, step }),
        recovery: row.small("recovery")?,
    })
}

pub fn session_row(row: &SqliteRow) -> Done<SessionRow> {
    let seed: Vec<u8> = row.try_get("seed")?;
    let ended = row.text_if_any("ended_why")?;
    Ok(SessionRow {
        id: SessionId(row.try_get("id")?),
        user: UserId(row.try_get("user_id")?),
        seed: seed.try_into().map_err(|_| bad("a seed has 32 bytes".into()))?,
        generation: row.small("generation")?,
        rotated_at: row.time_if_any("rotated_at")?,
        rotated_before: row.time_if_any("rotated_before")?,
        created_at: row.time("created_at")?,
        used_at: row.time("used_at")?,
        expires_at: row.time("expires_at")?,
        user_agent: row.text("user_agent")?,
        source: row.text("source")?,
        ended: ended.map(|why| why.parse()).transpose().map_err(bad)?,
    })
}

pub fn door_state(row: &SqliteRow) -> Done<DoorState> {
    Ok(DoorState {
        failures: row.small("failures")?,
        last_at: row.time("last_at")?,
        locked_until: row.time_if_any("locked_until")?,
        entered_at: row.time_if_any("entered_at")?,
    })
}

pub fn moment(at: i64) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or_default()
}
