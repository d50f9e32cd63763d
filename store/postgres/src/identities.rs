//! People who sign in, their sessions, and failures at the door. Whatever depends on what a user or a session is
//! happens under a lock on its row, so that two instances decide one after the other.

mod read;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::Origin;
use jobkit::redact::ExposeSecret;
use sqlx::{Connection, PgConnection};

use self::read::{door_state, session_row};
use self::users::{find, lock};
use super::rows::{self, Micros};
use super::sessions::within;
use super::{LONG, PostgresStore, alerts, audit_log, contention, failed};
use store::identities::lockout::{Door, admit};
use store::identities::{
    Admission, DoorState, Doors, Ending, Factor, FailedSignIn, Identities, NewSession, NewUser, Opened,
    Rotated, SessionId, SessionRow, UserChange, UserChanged, UserId, UserRow, Verdict, Whom, account_locked,
    acting_user, rotation, session_ended, sessions_ended, sign_in_failed, signed_in, token_reused,
};
use store::{Actor, Result};

const SIGNING_IN: &str = "signing in";
const OPENING: &str = "opening a session";
const ROTATING: &str = "using a refresh token";
const ENDING: &str = "ending sessions";
const READING: &str = "reading sessions";

/// Runs one transaction of these, again when a lock was in its way.
macro_rules! transaction {
    ($store:expr, $doing:expr, |$tx:ident| $work:expr) => {{
        let done = contention::patiently($doing, || {
            async {
                let mut session = $store.cold.acquire().await.map_err(failed($doing))?;
                let mut $tx = session.begin_with(contention::BEGIN).await.map_err(failed($doing))?;
                let done = $work.await?;
                $tx.commit().await.map_err(failed($doing))?;
                session.keep();
                Ok(done)
            }
            .boxed()
        });
        $store.answered($doing, done).await
    }};
}
pub(super) use transaction;

#[async_trait]
impl Identities for PostgresStore {
    async fn create_user(&self, user: &NewUser, by: &Actor) -> Result<UserRow> {
        transaction!(self, users::CREATING, |tx| users::create(&mut tx, self.time(), user, by))
    }

    async fn user(&self, whom: &Whom) -> Result<Option<UserRow>> {
        self.answered(users::READING, users::one(self, whom)).await
    }

    async fn users(&self, after: Option<UserId>, limit: usize) -> Result<Vec<UserRow>> {
        within(LONG, users::READING, users::list(self, after, limit)).await
    }

    async fn change_user(&self, id: UserId, change: &UserChange, by: &Actor) -> Result<UserChanged> {
        transaction!(self, users::CHANGING, |tx| users::change(&mut tx, self.time(), id, change, by))
    }

    async fn begin_sign_in(&self, doors: &Doors) -> Result<Admission> {
        transaction!(self, SIGNING_IN, |tx| begin(&mut tx, self.time(), doors))
    }

    async fn sign_in_due(&self, doors: &Doors) -> Result<()> {
        transaction!(self, SIGNING_IN, |tx| give_back(&mut tx, self.time(), doors))
    }

    async fn sign_in_failed(&self, doors: &Doors, failure: &FailedSignIn) -> Result<()> {
        transaction!(self, SIGNING_IN, |tx| fail(&mut tx, self.time(), doors, failure))
    }

    async fn open_session(&self, session: &NewSession, factor: &Factor, doors: &Doors) -> Result<Opened> {
        transaction!(self, OPENING, |tx| open(&mut tx, self.time(), session, factor, doors))
    }

    async fn session(&self, id: SessionId, idle: Duration) -> Result<Option<(SessionRow, UserRow)>> {
        let read = async {
            let mut connection = self.cold.acquire().await.map_err(failed(READING))?;
            let found = living(&mut connection, self.time(), id, idle).await?;
            connection.keep();
            Ok(found)
        };
        self.answered(READING, read).await
    }

    async fn sessions(&self, of: UserId, idle: Duration) -> Result<Vec<SessionRow>> {
        let read = async {
            let found = sqlx::query(include_str!("sessions.sql"))
                .bind(self.time())
                .bind(of.0)
                .fetch_all(&self.cold)
                .await
                .map_err(failed(READING))?;
            let rows =
                found.iter().map(session_row).collect::<sqlx::Result<Vec<_>>>().map_err(failed(READING))?;
            let lives = |(session, now): &(SessionRow, _)| session.lives(idle, *now);
            Ok(rows.into_iter().filter(lives).map(|(session, _)| session).collect())
        };
        self.answered(READING, read).await
    }

    async fn rotate(
        &self,
        id: SessionId,
        generation: u64,
        idle: Duration,
        origin: &Origin,
    ) -> Result<Rotated> {
        transaction!(self, ROTATING, |tx| rotate(&mut tx, self.time(), id, generation, idle, origin))
    }

    async fn end_if_over(&self, id: SessionId, idle: Duration, origin: &Origin) -> Result<bool> {
        transaction!(self, ENDING, |tx| end_if_over(&mut tx, self.time(), id, idle, origin))
    }

    async fn end_session(&self, id: SessionId, of: UserId, why: Ending, by: &Actor) -> Result<bool> {
        transaction!(self, ENDING, |tx| end_one(&mut tx, self.time(), id, of, why, by))
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        save: Option<SessionId>,
        why: Ending,
        by: &Actor,
    ) -> Result<u64> {
        transaction!(self, ENDING, |tx| end_all(&mut tx, self.time(), user, save, why, by))
    }

    async fn forget_sessions(&self, over_for: Duration, limit: usize) -> Result<u64> {
        let doing = "forgetting sessions that are over";
        let forget = async {
            let mut gone = 0;
            for sql in [include_str!("sessions_forget.sql"), include_str!("failures_forget.sql")] {
                let forgotten = sqlx::query(sql)
                    .bind(self.time())
                    .bind(rows::micros(over_for))
                    .bind(rows::count(limit))
                    .execute(&self.cold)
                    .await;
                gone += forgotten.map_err(failed(doing))?.rows_affected();
            }
            Ok(gone)
        };
        within(LONG, doing, forget).await
    }
}

/// The doors under a lock, and the time.
async fn take(
    tx: &mut PgConnection,
    time: Option<Micros>,
    doors: &Doors,
) -> Result<(Vec<(Door, DoorState)>, jiff::Timestamp)> {
    let (mut states, mut at) = (Vec::new(), jiff::Timestamp::UNIX_EPOCH);
    for door in doors.in_order() {
        let row = sqlx::query(include_str!("failure_take.sql"))
            .bind(time)
            .bind(doors.key(door))
            .fetch_one(&mut *tx)
            .await
            .map_err(failed(SIGNING_IN))?;
        let (state, now) = door_state(&row).map_err(failed(SIGNING_IN))?;
        states.push((door, state));
        at = now;
    }
    Ok((states, at))
}

async fn put(tx: &mut PgConnection, doors: &Doors, states: &[(Door, DoorState)]) -> Result<()> {
    for (door, state) in states {
        sqlx::query(include_str!("failure_put.sql"))
            .bind(doors.key(*door))
            .bind(i32::try_from(state.failures).unwrap_or(i32::MAX))
            .bind(Micros::from(state.last_at))
            .bind(state.locked_until.map(Micros::from))
            .bind(state.entered_at.map(Micros::from))
            .execute(&mut *tx)
            .await
            .map_err(failed(SIGNING_IN))?;
    }
    Ok(())
}

async fn begin(tx: &mut PgConnection, time: Option<Micros>, doors: &Doors) -> Result<Admission> {
    let (states, now) = take(tx, time, doors).await?;
    match admit(&states, now) {
        Err(until) => Ok(Admission::Locked { until }),
        Ok(counted) => put(tx, doors, &counted).await.map(|()| Admission::Open),
    }
}

async fn give_back(tx: &mut PgConnection, time: Option<Micros>, doors: &Doors) -> Result<()> {
    let (states, _) = take(tx, time, doors).await?;
    let given_back: Vec<_> = states.into_iter().map(|(door, state)| (door, state.given_back(door))).collect();
    put(tx, doors, &given_back).await
}

async fn fail(
    tx: &mut PgConnection,
    time: Option<Micros>,
    doors: &Doors,
    failure: &FailedSignIn,
) -> Result<()> {
    let (states, now) = take(tx, time, doors).await?;
    let locked = states.iter().filter_map(|(_, state)| state.locked(now)).max();
    audit_log::append_on(tx, time, &sign_in_failed(failure, locked)).await?;
    match (failure.user, locked) {
        (Some(user), Some(until)) => alerts::raise(tx, time, &[account_locked(user, until)]).await,
        _ => Ok(()),
    }
}

async fn open(
    tx: &mut PgConnection,
    time: Option<Micros>,
    new: &NewSession,
    factor: &Factor,
    doors: &Doors,
) -> Result<Opened> {
    lock(tx, new.user).await?;
    let Some((user, now)) = find(tx, time, &Whom::Id(new.user)).await? else { return Ok(Opened::Refused) };
    let same_password = user.password.expose_secret() == new.password.expose_secret();
    if user.disabled_at.is_some() || !same_password || !factor.suffices(&user) {
        return Ok(Opened::Refused);
    }
    if !users::use_up(tx, &user, factor).await? {
        return Ok(Opened::Refused);
    }
    sqlx::query(include_str!("session_insert.sql"))
        .bind(time)
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(new.seed)
        .bind(rows::micros(new.life))
        .bind(&new.user_agent)
        .bind(&new.source)
        .execute(&mut *tx)
        .await
        .map_err(failed(OPENING))?;
    let (states, _) = take(tx, time, doors).await?;
    let entered: Vec<_> = states.into_iter().map(|(door, state)| (door, state.entered(door, now))).collect();
    put(tx, doors, &entered).await?;
    let opened = find_session(tx, time, new.id).await?;
    let user = find(tx, time, &Whom::Id(new.user)).await?;
    let (Some((session, _)), Some((user, _))) = (opened, user) else { return Ok(Opened::Refused) };
    audit_log::append_on(tx, time, &signed_in(&user, &session, factor, &new.origin)).await?;
    Ok(Opened::Session(Box::new((session, user))))
}

async fn find_session(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
) -> Result<Option<(SessionRow, jiff::Timestamp)>> {
    let row = sqlx::query(include_str!("session_find.sql")).bind(time).bind(id.0).fetch_optional(tx).await;
    row.and_then(|row| row.as_ref().map(session_row).transpose()).map_err(failed(READING))
}

/// With its user; until the transaction ends nobody else changes it.
async fn hold(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
) -> Result<Option<(SessionRow, UserRow, jiff::Timestamp)>> {
    sqlx::query("SELECT FROM compline.identity_session WHERE id = $1 FOR UPDATE")
        .bind(id.0)
        .execute(&mut *tx)
        .await
        .map_err(failed(READING))?;
    with_user(tx, time, id).await
}

async fn with_user(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
) -> Result<Option<(SessionRow, UserRow, jiff::Timestamp)>> {
    let Some((session, now)) = find_session(tx, time, id).await? else { return Ok(None) };
    let user = find(tx, time, &Whom::Id(session.user)).await?;
    Ok(user.map(|(user, _)| (session, user, now)))
}

async fn living(
    connection: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
    idle: Duration,
) -> Result<Option<(SessionRow, UserRow)>> {
    let found = with_user(connection, time, id).await?;
    let may = |(session, user, now): &(SessionRow, UserRow, _)| {
        user.disabled_at.is_none() && session.lives(idle, *now)
    };
    Ok(found.filter(may).map(|(session, user, _)| (session, user)))
}

async fn rotate(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
    generation: u64,
    idle: Duration,
    origin: &Origin,
) -> Result<Rotated> {
    let Some((session, user, now)) = hold(tx, time, id).await? else { return Ok(Rotated::Unknown) };
    let verdict = rotation::decide(&session, &user, generation, idle, now);
    let session = session.after(verdict, now);
    if matches!(verdict, Verdict::Next(_) | Verdict::End(_)) {
        update_session(tx, time, &session).await?;
    }
    Ok(match verdict {
        Verdict::Next(next) | Verdict::Same(next) => Rotated::To(Box::new((session, user)), next),
        Verdict::End(why) => {
            let told = session_ended(&acting_user(user.id, origin), &user, &session, why);
            audit_log::append_on(tx, time, &told).await?;
            if why == Ending::Reused {
                alerts::raise(tx, time, &[token_reused(&session)]).await?;
            }
            Rotated::Ended(why)
        }
        Verdict::Over => session.ended.map_or(Rotated::Unknown, Rotated::Ended),
    })
}

async fn update_session(tx: &mut PgConnection, time: Option<Micros>, session: &SessionRow) -> Result<()> {
    sqlx::query(include_str!("session_update.sql"))
        .bind(time)
        .bind(session.id.0)
        .bind(i64::try_from(session.generation).unwrap_or(i64::MAX))
        .bind(session.rotated_at.map(Micros::from))
        .bind(session.rotated_before.map(Micros::from))
        .bind(Micros::from(session.used_at))
        .bind(session.ended.map(Ending::name))
        .execute(tx)
        .await
        .map_err(failed(ROTATING))?;
    Ok(())
}

async fn end(
    tx: &mut PgConnection,
    time: Option<Micros>,
    user: UserId,
    which: (Option<SessionId>, Option<SessionId>),
    why: Ending,
) -> Result<u64> {
    let (save, only) = which;
    let ended = sqlx::query(include_str!("sessions_end.sql"))
        .bind(time)
        .bind(user.0)
        .bind(save.map(|id| id.0))
        .bind(only.map(|id| id.0))
        .bind(why.name())
        .execute(tx)
        .await
        .map_err(failed(ENDING))?;
    Ok(ended.rows_affected())
}

async fn end_if_over(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
    idle: Duration,
    origin: &Origin,
) -> Result<bool> {
    let Some((session, user, now)) = hold(tx, time, id).await? else { return Ok(false) };
    let (None, Some(why)) = (session.ended, session.over(idle, now)) else { return Ok(false) };
    end_one(tx, time, id, user.id, why, &acting_user(user.id, origin)).await
}

async fn end_one(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: SessionId,
    of: UserId,
    why: Ending,
    by: &Actor,
) -> Result<bool> {
    let Some((session, user, _)) = hold(tx, time, id).await? else { return Ok(false) };
    if end(tx, time, of, (None, Some(id)), why).await? == 0 {
        return Ok(false);
    }
    audit_log::append_on(tx, time, &session_ended(by, &user, &session, why)).await?;
    Ok(true)
}

async fn end_all(
    tx: &mut PgConnection,
    time: Option<Micros>,
    user: UserId,
    save: Option<SessionId>,
    why: Ending,
    by: &Actor,
) -> Result<u64> {
    let Some((user, _)) = find(tx, time, &Whom::Id(user)).await? else { return Ok(0) };
    let ended = end(tx, time, user.id, (save, None), why).await?;
    if ended > 0 {
        audit_log::append_on(tx, time, &sessions_ended(by, &user, why, ended)).await?;
    }
    Ok(ended)
}
