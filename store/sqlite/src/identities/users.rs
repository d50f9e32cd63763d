//! Users: made, found and changed.

use jobkit::redact::ExposeSecret;
use serde_json::json;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::end;
use super::read::{moment, user_row};
use crate::audit;
use crate::writer::{Done, Tx};
use store::identities::change::Decided;
use store::identities::{
    Factor, NewUser, Recovery, UserChange, UserChanged, UserId, UserRow, Whom, user_changed, user_created,
};
use store::{Actor, StoreError};

const FIND: &str = include_str!("../user_find.sql");
const LIST: &str = include_str!("../users.sql");

pub async fn create(tx: &mut Tx, now: i64, new: &NewUser, by: &Actor) -> Done<UserRow> {
    let inserted = sqlx::query(include_str!("../user_insert.sql"))
        .bind(now)
        .bind(new.id.0)
        .bind(new.email.expose().to_owned())
        .bind(new.email.key())
        .bind(new.name.expose().clone())
        .bind(new.role.name())
        .bind(new.tenant.clone())
        .bind(new.password.expose_secret().to_owned())
        .execute(&mut *tx)
        .await?;
    let created = match inserted.rows_affected() {
        0 => None,
        _ => find(tx, now, &Whom::Id(new.id)).await?,
    };
    let Some(user) = created else {
        return Err(StoreError::Refused("there is a user with this e-mail address already".into()).into());
    };
    audit::entry(tx, now, &user_created(by, &user)).await?;
    Ok(user)
}

pub async fn find(connection: &mut SqliteConnection, now: i64, whom: &Whom) -> Done<Option<UserRow>> {
    let (id, email) = match whom {
        Whom::Id(id) => (Some(id.0), None),
        Whom::Email(email) => (None, Some(email.key())),
    };
    let row = sqlx::query(FIND).bind(now).bind(id).bind(email).fetch_optional(connection).await?;
    row.as_ref().map(user_row).transpose()
}

pub async fn list(
    connection: &mut SqliteConnection,
    after: Option<UserId>,
    limit: i64,
) -> Done<Vec<UserRow>> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = sqlx::query(LIST).bind(after).bind(limit).fetch_all(connection).await?;
    rows.iter().map(user_row).collect()
}

pub async fn change(tx: &mut Tx, now: i64, id: UserId, change: &UserChange, by: &Actor) -> Done<UserChanged> {
    let Some(user) = find(tx, now, &Whom::Id(id)).await? else { return Ok(UserChanged::Unknown) };
    let owners: Option<Vec<UserId>> = match change.may_take_an_owner() {
        true => {
            let ids = sqlx::query_scalar(include_str!("../owners.sql")).fetch_all(&mut *tx).await?;
            Some(ids.into_iter().map(UserId).collect())
        }
        false => None,
    };
    let applied = match change.apply_among(owners.as_deref(), &user, moment(now)) {
        Decided::Same => return Ok(UserChanged::Same(Box::new(user))),
        Decided::Refused(why) => return Ok(UserChanged::Refused(why)),
        Decided::Apply(applied) => applied,
    };
    update(tx, &applied.user).await?;
    if let Recovery::Put(codes) = &applied.recovery {
        sqlx::query(include_str!("../recovery_clear.sql")).bind(id.0).execute(&mut *tx).await?;
        let codes: Vec<_> = codes.iter().map(|code| hex(code)).collect();
        sqlx::query(include_str!("../recovery_put.sql"))
            .bind(id.0)
            .bind(json!(codes).to_string())
            .execute(&mut *tx)
            .await?;
    }
    let ended = match applied.sessions {
        Some((why, save)) => end(tx, now, id, (save, None), why).await?,
        None => 0,
    };
    audit::entry(tx, now, &user_changed(by, &applied, ended)).await?;
    Ok(UserChanged::Done(Box::new(applied.user)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn update(tx: &mut Tx, user: &UserRow) -> Done<()> {
    let totp = user.totp.as_ref();
    sqlx::query(include_str!("../user_update.sql"))
        .bind(user.id.0)
        .bind(user.role.name())
        .bind(user.password.expose_secret().to_owned())
        .bind(user.password_changed_at.as_microsecond())
        .bind(user.disabled_at.map(|at| at.as_microsecond()))
        .bind(totp.map(|totp| totp.sealed.clone()))
        .bind(totp.and_then(|totp| totp.since).map(|at| at.as_microsecond()))
        .bind(totp.and_then(|totp| totp.step).map(|step| i64::try_from(step).unwrap_or(i64::MAX)))
        .execute(tx)
        .await?;
    Ok(())
}

/// A factor that works once; false when it did already.
pub async fn use_up(tx: &mut Tx, user: &UserRow, factor: &Factor) -> Done<bool> {
    match factor {
        Factor::Password => Ok(true),
        Factor::Totp { step } => {
            let mut user = user.clone();
            user.totp.iter_mut().for_each(|totp| totp.step = Some(*step));
            update(tx, &user).await.map(|()| true)
        }
        Factor::Recovery(code) => {
            let used = sqlx::query(include_str!("../recovery_use.sql"))
                .bind(user.id.0)
                .bind(code.to_vec())
                .execute(tx)
                .await?;
            Ok(used.rows_affected() == 1)
        }
    }
}
