//! People who sign in, their sessions, and failures at the door. One hand writes, so whoever decides sees what was
//! decided before.

mod read;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::Origin;
use jobkit::redact::ExposeSecret;
use sqlx::SqliteConnection;

use self::read::{door_state, moment, session_row};
use self::users::find;
use super::row::micros;
use super::writer::{Done, Tx};
use super::{SqliteStore, alerts, audit};
use store::identities::lockout::{Door, admit};
use store::identities::{
    Admission, DoorState, Doors, Ending, Factor, FailedSignIn, Identities, NewSession, NewUser, Opened,
    Rotated, SessionId, SessionRow, UserChange, UserChanged, UserId, UserRow, Verdict, Whom, account_locked,
    acting_user, rotation, session_ended, sessions_ended, sign_in_failed, signed_in, token_reused,
};
use store::{Actor, Result};

const SIGNING_IN: &str = "signing in";
const ENDING: &str = "ending sessions";
const READING: &str = "reading sessions";
const READING_USERS: &str = "reading users";
pub(super) const SESSIONS: &str = include_str!("sessions.sql");
pub(super) const FORGET: [&str; 2] =
    [include_str!("sessions_forget.sql"), include_str!("failures_forget.sql")];

#[async_trait]
impl Identities for SqliteStore {
    async fn create_user(&self, user: &NewUser, by: &Actor) -> Result<UserRow> {
        let (user, by) = (user.clone(), by.clone());
        self.write("creating a user", move |tx, now| {
            async move { users::create(tx, now, &user, &by).await }.boxed()
        })
        .await
    }

    async fn user(&self, whom: &Whom) -> Result<Option<UserRow>> {
        let now = self.now_us();
        self.read(READING_USERS, async |connection| find(connection, now, whom).await).await
    }

    async fn users(&self, after: Option<UserId>, limit: usize) -> Result<Vec<UserRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(READING_USERS, async |connection| users::list(connection, after, limit).await).await
    }

    async fn change_user(&self, id: UserId, change: &UserChange, by: &Actor) -> Result<UserChanged> {
        let (change, by) = (change.clone(), by.clone());
        self.write("changing a user", move |tx, now| {
            async move { users::change(tx, now, id, &change, &by).await }.boxed()
        })
        .await
    }

    async fn begin_sign_in(&self, doors: &Doors) -> Result<Admission> {
        let doors = *doors;
        self.write(SIGNING_IN, move |tx, now| {
            async move {
                let states = take(tx, now, &doors).await?;
                match admit(&states, moment(now)) {
                    Err(until) => Ok(Admission::Locked { until }),
                    Ok(counted) => put(tx, &doors, &counted).await.map(|()| Admission::Open),
                }
            }
            .boxed()
        })
        .await
    }

    async fn sign_in_due(&self, doors: &Doors) -> Result<()> {
        let doors = *doors;
        self.write(SIGNING_IN, move |tx, now| {
            async move {
                let states = take(tx, now, &doors).await?;
                let given_back: Vec<_> =
                    states.into_iter().map(|(door, state)| (door, state.given_back(door))).collect();
                put(tx, &doors, &given_back).await
            }
            .boxed()
        })
        .await
    }

    async fn sign_in_failed(&self, doors: &Doors, failed: &FailedSignIn) -> Result<()> {
        let (doors, failed) = (*doors, failed.clone());
        self.write(SIGNING_IN, move |tx, now| {
            async move {
                let states = take(tx, now, &doors).await?;
                let locked = states.iter().filter_map(|(_, state)| state.locked(moment(now))).max();
                audit::entry(tx, now, &sign_in_failed(&failed, locked)).await?;
                match (failed.user, locked) {
                    (Some(user), Some(until)) => alerts::raise(tx, now, &[account_locked(user, until)]).await,
                    _ => Ok(()),
                }
            }
            .boxed()
        })
        .await
    }

    async fn open_session(&self, session: &NewSession, factor: &Factor, doors: &Doors) -> Result<Opened> {
        let (session, factor, doors) = (session.clone(), factor.clone(), *doors);
        self.write("opening a session", move |tx, now| {
            async move { open(tx, now, &session, &factor, &doors).await }.boxed()
        })
        .await
    }

    async fn session(&self, id: SessionId, idle: Duration) -> Result<Option<(SessionRow, UserRow)>> {
        let now = self.now_us();
        self.read(READING, async |connection| {
            let found = with_user(connection, now, id).await?;
            let may = |(session, user): &(SessionRow, UserRow)| {
                user.disabled_at.is_none() && session.lives(idle, moment(now))
            };
            Ok(found.filter(may))
        })
        .await
    }

    async fn sessions(&self, of: UserId, idle: Duration) -> Result<Vec<SessionRow>> {
        let now = self.now_us();
        self.read(READING, async |connection| {
            let rows = sqlx::query(SESSIONS).bind(now).bind(of.0).fetch_all(connection).await?;
            let mut sessions = rows.iter().map(session_row).collect::<Done<Vec<_>>>()?;
            sessions.retain(|session| session.lives(idle, moment(now)));
            Ok(sessions)
        })
        .await
    }

    async fn rotate(
        &self,
        id: SessionId,
        generation: u64,
        idle: Duration,
        origin: &Origin,
    ) -> Result<Rotated> {
        let origin = origin.clone();
        self.write("using a refresh token", move |tx, now| {
            async move { rotate(tx, now, id, generation, idle, &origin).await }.boxed()
        })
        .await
    }

    async fn end_if_over(&self, id: SessionId, idle: Duration, origin: &Origin) -> Result<bool> {
        let now = self.now_us();
        let over = |session: &SessionRow| session.ended.is_none().then(|| session.over(idle, moment(now)))?;
        // Looked at first: whoever shows what is no session is not to wait for the hand that writes, nor hold it up.
        let found = self.read(READING, async |connection| with_user(connection, now, id).await).await?;
        let Some((session, user)) = found else { return Ok(false) };
        match over(&session) {
            Some(why) => self.end_session(id, user.id, why, &acting_user(user.id, origin)).await,
            None => Ok(false),
        }
    }

    async fn end_session(&self, id: SessionId, of: UserId, why: Ending, by: &Actor) -> Result<bool> {
        let by = by.clone();
        self.write(ENDING, move |tx, now| {
            async move {
                let Some((session, user)) = with_user(tx, now, id).await? else { return Ok(false) };
                if end(tx, now, of, (None, Some(id)), why).await? == 0 {
                    return Ok(false);
                }
                audit::entry(tx, now, &session_ended(&by, &user, &session, why)).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        save: Option<SessionId>,
        why: Ending,
        by: &Actor,
    ) -> Result<u64> {
        let by = by.clone();
        self.write(ENDING, move |tx, now| {
            async move {
                let Some(user) = find(tx, now, &Whom::Id(user)).await? else { return Ok(0) };
                let ended = end(tx, now, user.id, (save, None), why).await?;
                if ended > 0 {
                    audit::entry(tx, now, &sessions_ended(&by, &user, why, ended)).await?;
                }
                Ok(ended)
            }
            .boxed()
        })
        .await
    }

    async fn forget_sessions(&self, over_for: Duration, limit: usize) -> Result<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write("forgetting sessions that are over", move |tx, now| {
            async move {
                let mut gone = 0;
                for sql in FORGET {
                    let query = sqlx::query(sql).bind(now).bind(micros(over_for)).bind(limit);
                    gone += query.execute(&mut *tx).await?.rows_affected();
                }
                Ok(gone)
            }
            .boxed()
        })
        .await
    }
}

async fn take(tx: &mut Tx, now: i64, doors: &Doors) -> Done<Vec<(Door, DoorState)>> {
    let mut states = Vec::new();
    for door in doors.in_order() {
        let row = sqlx::query(include_str!("failure_take.sql"))
            .bind(now)
            .bind(doors.key(door).to_vec())
            .fetch_one(&mut *tx)
            .await?;
        states.push((door, door_state(&row)?));
    }
    Ok(states)
}

async fn put(tx: &mut Tx, doors: &Doors, states: &[(Door, DoorState)]) -> Done<()> {
    for (door, state) in states {
        sqlx::query(include_str!("failure_put.sql"))
            .bind(doors.key(*door).to_vec())
            .bind(i64::from(state.failures))
            .bind(state.last_at.as_microsecond())
            .bind(state.locked_until.map(|at| at.as_microsecond()))
            .bind(state.entered_at.map(|at| at.as_microsecond()))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn open(tx: &mut Tx, now: i64, new: &NewSession, factor: &Factor, doors: &Doors) -> Done<Opened> {
    let Some(user) = find(tx, now, &Whom::Id(new.user)).await? else { return Ok(Opened::Refused) };
    let same_password = user.password.expose_secret() == new.password.expose_secret();
    if user.disabled_at.is_some() || !same_password || !factor.suffices(&user) {
        return Ok(Opened::Refused);
    }
    if !users::use_up(tx, &user, factor).await? {
        return Ok(Opened::Refused);
    }
    sqlx::query(include_str!("session_insert.sql"))
        .bind(now)
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(new.seed.to_vec())
        .bind(micros(new.life))
        .bind(new.user_agent.clone())
        .bind(new.source.clone())
        .execute(&mut *tx)
        .await?;
    let entered: Vec<_> = take(tx, now, doors)
        .await?
        .into_iter()
        .map(|(door, state)| (door, state.entered(door, moment(now))))
        .collect();
    put(tx, doors, &entered).await?;
    let Some((session, user)) = with_user(tx, now, new.id).await? else { return Ok(Opened::Refused) };
    audit::entry(tx, now, &signed_in(&user, &session, factor, &new.origin)).await?;
    Ok(Opened::Session(Box::new((session, user))))
}

async fn with_user(
    connection: &mut SqliteConnection,
    now: i64,
    id: SessionId,
) -> Done<Option<(SessionRow, UserRow)>> {
    let row = sqlx::query(include_str!("session_find.sql"))
        .bind(now)
        .bind(id.0)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(session) = row.as_ref().map(session_row).transpose()? else { return Ok(None) };
    let user = find(connection, now, &Whom::Id(session.user)).await?;
    Ok(user.map(|user| (session, user)))
}

async fn rotate(
    tx: &mut Tx,
    now: i64,
    id: SessionId,
    generation: u64,
    idle: Duration,
    origin: &Origin,
) -> Done<Rotated> {
    let Some((session, user)) = with_user(tx, now, id).await? else { return Ok(Rotated::Unknown) };
    let verdict = rotation::decide(&session, &user, generation, idle, moment(now));
    let session = session.after(verdict, moment(now));
    if matches!(verdict, Verdict::Next(_) | Verdict::End(_)) {
        update_session(tx, now, &session).await?;
    }
    Ok(match verdict {
        Verdict::Next(next) | Verdict::Same(next) => Rotated::To(Box::new((session, user)), next),
        Verdict::End(why) => {
            audit::entry(tx, now, &session_ended(&acting_user(user.id, origin), &user, &session, why))
                .await?;
            if why == Ending::Reused {
                alerts::raise(tx, now, &[token_reused(&session)]).await?;
            }
            Rotated::Ended(why)
        }
        Verdict::Over => session.ended.map_or(Rotated::Unknown, Rotated::Ended),
    })
}

async fn update_session(tx: &mut Tx, now: i64, session: &SessionRow) -> Done<()> {
    sqlx::query(include_str!("session_update.sql"))
        .bind(now)
        .bind(session.id.0)
        .bind(i64::try_from(session.generation).unwrap_or(i64::MAX))
        .bind(session.rotated_at.map(|at| at.as_microsecond()))
        .bind(session.rotated_before.map(|at| at.as_microsecond()))
        .bind(session.used_at.as_microsecond())
        .bind(session.ended.map(Ending::name))
        .execute(tx)
        .await?;
    Ok(())
}

async fn end(
    tx: &mut Tx,
    now: i64,
    user: UserId,
    which: (Option<SessionId>, Option<SessionId>),
    why: Ending,
) -> Done<u64> {
    let (save, only) = which;
    let ended = sqlx::query(include_str!("sessions_end.sql"))
        .bind(now)
        .bind(user.0)
        .bind(save.map(|id| id.0))
        .bind(only.map(|id| id.0))
        .bind(why.name())
        .execute(tx)
        .await?;
    Ok(ended.rows_affected())
}
