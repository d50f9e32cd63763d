//! Users: made, found, and changed under a lock on their row.

use jiff::Timestamp;
use jobkit::redact::ExposeSecret;
use sqlx::PgConnection;
use uuid::Uuid;

use super::end;
use super::read::{now, user_row};
use crate::rows::{self, Micros};
use crate::{PostgresStore, audit_log, failed};
use store::identities::change::Decided;
use store::identities::{
    Factor, NewUser, Recovery, UserChange, UserChanged, UserId, UserRow, Whom, user_changed, user_created,
};
use store::{Actor, Result, StoreError};

pub const CREATING: &str = "creating a user";
pub const CHANGING: &str = "changing a user";
pub const READING: &str = "reading users";

pub async fn create(
    tx: &mut PgConnection,
    time: Option<Micros>,
    new: &NewUser,
    by: &Actor,
) -> Result<UserRow> {
    let inserted = sqlx::query(include_str!("../user_insert.sql"))
        .bind(time)
        .bind(new.id.0)
        .bind(new.email.expose())
        .bind(new.email.key())
        .bind(new.name.expose())
        .bind(new.role.name())
        .bind(&new.tenant)
        .bind(new.password.expose_secret())
        .execute(&mut *tx)
        .await
        .map_err(failed(CREATING))?;
    let created = match inserted.rows_affected() {
        0 => None,
        _ => find(tx, time, &Whom::Id(new.id)).await?,
    };
    let Some((user, _)) = created else {
        return Err(StoreError::Refused("there is a user with this e-mail address already".into()));
    };
    audit_log::append_on(tx, time, &user_created(by, &user)).await?;
    Ok(user)
}

/// With the time at which it was read.
pub async fn find(
    tx: &mut PgConnection,
    time: Option<Micros>,
    whom: &Whom,
) -> Result<Option<(UserRow, Timestamp)>> {
    let (id, email) = match whom {
        Whom::Id(id) => (Some(id.0), None),
        Whom::Email(email) => (None, Some(email.key())),
    };
    let row =
        sqlx::query(include_str!("../user_find.sql")).bind(time).bind(id).bind(email).fetch_optional(tx);
    let read = |row: &sqlx::postgres::PgRow| Ok((user_row(row)?, now(row)?));
    row.await.and_then(|row| row.as_ref().map(read).transpose()).map_err(failed(READING))
}

pub async fn one(store: &PostgresStore, whom: &Whom) -> Result<Option<UserRow>> {
    let mut session = store.cold.acquire().await.map_err(failed(READING))?;
    let found = find(&mut session, store.time(), whom).await?;
    session.keep();
    Ok(found.map(|(user, _)| user))
}

pub async fn list(store: &PostgresStore, after: Option<UserId>, limit: usize) -> Result<Vec<UserRow>> {
    let found = sqlx::query(include_str!("../users.sql"))
        .bind(after.map_or(Uuid::nil(), |id| id.0))
        .bind(rows::count(limit))
        .fetch_all(&store.cold)
        .await;
    found.and_then(|rows| rows.iter().map(user_row).collect()).map_err(failed(READING))
}

/// Until the transaction ends nobody else changes the user, or lets somebody in as this user.
pub async fn lock(tx: &mut PgConnection, id: UserId) -> Result<()> {
    sqlx::query("SELECT FROM compline.identity_user WHERE id = $1 FOR UPDATE")
        .bind(id.0)
        .execute(tx)
        .await
        .map_err(failed(CHANGING))?;
    Ok(())
}

pub async fn change(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: UserId,
    change: &UserChange,
    by: &Actor,
) -> Result<UserChanged> {
    // Before the row of the user, so that two who wait for each other's are not in each other's way.
    let owners = match change.may_take_an_owner() {
        true => Some(owners(tx).await?),
        false => None,
    };
    lock(tx, id).await?;
    let Some((user, now)) = find(tx, time, &Whom::Id(id)).await? else { return Ok(UserChanged::Unknown) };
    let applied = match change.apply_among(owners.as_deref(), &user, now) {
        Decided::Same => return Ok(UserChanged::Same(Box::new(user))),
        Decided::Refused(why) => return Ok(UserChanged::Refused(why)),
        Decided::Apply(applied) => applied,
    };
    update(tx, &applied.user).await?;
    if let Recovery::Put(codes) = &applied.recovery {
        sqlx::query(include_str!("../recovery_clear.sql"))
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(failed(CHANGING))?;
        sqlx::query(include_str!("../recovery_put.sql"))
            .bind(id.0)
            .bind(codes.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await
            .map_err(failed(CHANGING))?;
    }
    let ended = match applied.sessions {
        Some((why, save)) => end(tx, time, id, (save, None), why).await?,
        None => 0,
    };
    audit_log::append_on(tx, time, &user_changed(by, &applied, ended)).await?;
    Ok(UserChanged::Done(Box::new(applied.user)))
}

async fn owners(tx: &mut PgConnection) -> Result<Vec<UserId>> {
    let ids =
        sqlx::query_scalar(include_str!("../owners.sql")).fetch_all(tx).await.map_err(failed(CHANGING))?;
    Ok(ids.into_iter().map(UserId).collect())
}

async fn update(tx: &mut PgConnection, user: &UserRow) -> Result<()> {
    let totp = user.totp.as_ref();
    sqlx::query(include_str!("../user_update.sql"))
        .bind(user.id.0)
        .bind(user.role.name())
        .bind(user.password.expose_secret())
        .bind(Micros::from(user.password_changed_at))
        .bind(user.disabled_at.map(Micros::from))
        .bind(totp.map(|totp| &totp.sealed))
        .bind(totp.and_then(|totp| totp.since).map(Micros::from))
        .bind(totp.and_then(|totp| totp.step).map(|step| i64::try_from(step).unwrap_or(i64::MAX)))
        .execute(tx)
        .await
        .map_err(failed(CHANGING))?;
    Ok(())
}

/// A factor that works once; false when it did already.
pub async fn use_up(tx: &mut PgConnection, user: &UserRow, factor: &Factor) -> Result<bool> {
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
                .bind(code.as_slice())
                .execute(tx)
                .await
                .map_err(failed(CHANGING))?;
            Ok(used.rows_affected() == 1)
        }
    }
}
