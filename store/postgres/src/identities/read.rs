//! Between the rows of users, sessions and doors, and what they are.

use jiff::Timestamp;
use jobkit::SecretString;
use jobkit::redact::Personal;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::rows;
use store::identities::{DoorState, SessionId, SessionRow, TotpRow, UserId, UserRow};

fn bad(problem: String) -> sqlx::Error {
    sqlx::Error::Decode(problem.into())
}

fn time(row: &PgRow, column: &str) -> sqlx::Result<Timestamp> {
    Ok(rows::time(row, column)?.unwrap_or_default())
}

pub fn now(row: &PgRow) -> sqlx::Result<Timestamp> {
    time(row, "now")
}

pub fn user_row(row: &PgRow) -> sqlx::Result<UserRow> {
    let sealed: Option<String> = row.try_get("totp")?;
    let since = rows::time(row, "totp_since")?;
    let step = row.try_get::<Option<i64>, _>("totp_step")?.map(i64::unsigned_abs);
    Ok(UserRow {
        id: UserId(row.try_get("id")?),
        email: row.try_get::<&str, _>("email")?.parse().map_err(bad)?,
        name: Personal::new(row.try_get("name")?),
        role: row.try_get::<&str, _>("role")?.parse().map_err(bad)?,
        tenant: row.try_get("tenant")?,
        password: SecretString::from(row.try_get::<String, _>("password")?),
        password_changed_at: time(row, "password_changed_at")?,
        created_at: time(row, "created_at")?,
        disabled_at: rows::time(row, "disabled_at")?,
        totp: sealed.map(|sealed| TotpRow { sealed, since, step }),
        recovery: row.try_get::<i64, _>("recovery")?.unsigned_abs(),
    })
}

/// With the time at which it was read.
pub fn session_row(row: &PgRow) -> sqlx::Result<(SessionRow, Timestamp)> {
    let seed: Vec<u8> = row.try_get("seed")?;
    let ended: Option<&str> = row.try_get("ended_why")?;
    let session = SessionRow {
        id: SessionId(row.try_get("id")?),
        user: UserId(row.try_get("user_id")?),
        seed: seed.try_into().map_err(|_| bad("a seed has 32 bytes".into()))?,
        generation: row.try_get::<i64, _>("generation")?.unsigned_abs(),
        rotated_at: rows::time(row, "rotated_at")?,
        rotated_before: rows::time(row, "rotated_before")?,
        created_at: time(row, "created_at")?,
        used_at: time(row, "used_at")?,
        expires_at: time(row, "expires_at")?,
        user_agent: row.try_get("user_agent")?,
        source: row.try_get("source")?,
        ended: ended.map(str::parse).transpose().map_err(bad)?,
    };
    Ok((session, now(row)?))
}

pub fn door_state(row: &PgRow) -> sqlx::Result<(DoorState, Timestamp)> {
    let state = DoorState {
        failures: row.try_get::<i32, _>("failures")?.unsigned_abs(),
        last_at: time(row, "last_at")?,
        locked_until: rows::time(row, "locked_until")?,
        entered_at: rows::time(row, "entered_at")?,
    };
    Ok((state, now(row)?))
}
