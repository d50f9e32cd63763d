//! Workers, their beats, and what becomes of the jobs of one that is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use jobkit::JobId;
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::audit;
use super::ending::{self, Ending, Links};
use super::finish::{ATTEMPT, Next, requeue};
use super::row::{RowExt, hex, micros, worker_row};
use super::writer::{Done, Tx};
use store::state::JobState;
use store::{Actor, Beat, KindRow, Rescued, StoreError, WorkerId, WorkerInfo, WorkerRow};

const REGISTER: &str = include_str!("register.sql");
pub(super) const BEAT: &str = include_str!("beat.sql");
const BEAT_CANCELS: &str = include_str!("beat_cancels.sql");
const FORGET: &str = include_str!("forget_workers.sql");
const RETIRE: &str = include_str!("retire.sql");
const WORKERS: &str = include_str!("workers.sql");
const RESCUE: &str = include_str!("rescue.sql");
pub(super) const HOLDINGS: &str = include_str!("holdings.sql");
const PUT_KINDS: &str = include_str!("put_kinds.sql");

pub(super) const LEASE_EXPIRED: &str = "lease expired";

pub(super) async fn put_kinds(tx: &mut Tx, kinds: &[KindRow]) -> Done<()> {
    let rows: Vec<_> = kinds
        .iter()
        .map(|KindRow { kind, queue, priority, max_attempts, encrypted, unique, internal, approval }| {
            let [encrypted, unique, internal] = [encrypted, unique, internal].map(|flag| u8::from(*flag));
            let demand = approval.as_ref();
            let approval = (
                demand.map(|demand| demand.people),
                demand.map(|demand| demand.permission.clone()),
                demand.map(|demand| micros(demand.expires)),
            );
            (
                kind,
                queue,
                priority,
                max_attempts,
                encrypted,
                unique,
                internal,
                approval.0,
                approval.1,
                approval.2,
            )
        })
        .collect();
    sqlx::query(PUT_KINDS).bind(serde_json::to_string(&rows)?).execute(tx).await?;
    Ok(())
}

pub(super) async fn register(tx: &mut Tx, now: i64, worker: WorkerInfo) -> Done<WorkerId> {
    let row = sqlx::query(REGISTER)
        .bind(worker.name)
        .bind(worker.version)
        .bind(now)
        .bind(i64::try_from(worker.lease.as_millis()).unwrap_or(i64::MAX))
        .bind(json!(worker.queues).to_string())
        // All rows, because a statement that is left before its end is not done.
        .fetch_all(tx)
        .await?;
    let row = row.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(WorkerId(row.small("id")?))
}

pub(super) async fn forget(tx: &mut Tx, now: i64, ended_for: Duration) -> Done<Vec<WorkerId>> {
    let before = now.saturating_sub(micros(ended_for));
    let forgotten = sqlx::query(FORGET).bind(before).fetch_all(tx).await?;
    forgotten.iter().map(|row| Ok(WorkerId(row.small("id")?))).collect()
}

pub(super) async fn beat(tx: &mut Tx, now: i64, worker: WorkerId) -> Done<Beat> {
    if sqlx::query(BEAT).bind(worker.0).bind(now).execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(Beat::Lost);
    }
    let rows = sqlx::query(BEAT_CANCELS).bind(worker.0).fetch_all(tx).await?;
    let cancel = rows.iter().map(|row| Ok((row.id("id")?, row.text("reason")?))).collect::<Done<Vec<_>>>()?;
    Ok(Beat::Holds { cancel })
}

pub(super) async fn retire(tx: &mut Tx, now: i64, worker: WorkerId) -> Done<()> {
    if sqlx::query(RETIRE).bind(worker.0).bind(now).execute(&mut *tx).await?.rows_affected() == 0 {
        let held = holdings(tx, now, worker).await?.len();
        if held > 0 {
            return Err(StoreError::Refused(format!(
                "worker {} still holds {held} jobs; report on them or give them back first",
                worker.0
            ))
            .into());
        }
    }
    Ok(())
}

pub(super) async fn workers(connection: &mut SqliteConnection) -> Done<Vec<WorkerRow>> {
    sqlx::query(WORKERS).fetch_all(connection).await?.iter().map(worker_row).collect()
}

struct Holding {
    id: JobId,
    attempt: u16,
    max_attempts: u16,
    ran: i64,
    links: Links,
    cancel: Option<String>,
}

async fn holdings(tx: &mut Tx, now: i64, worker: WorkerId) -> Done<Vec<Holding>> {
    let rows = sqlx::query(HOLDINGS).bind(worker.0).bind(now).fetch_all(tx).await?;
    rows.iter()
        .map(|row| {
            let cancel = row.text_if_any("cancel")?;
            Ok(Holding {
                id: row.id("id")?,
                attempt: row.small("attempt")?,
                max_attempts: row.small("max_attempts")?,
                ran: row.try_get("ran_us")?,
                links: Links {
                    has_dependents: row.try_get("has_dependents")?,
                    has_key: row.try_get("has_key")?,
                    has_parents: false,
                    has_cancel_request: cancel.is_some(),
                },
                cancel,
            })
        })
        .collect()
}

/// The rescued, and the queues that got a job to claim.
pub(super) async fn rescue(
    tx: &mut Tx,
    now: i64,
    worker: WorkerId,
    beat: i64,
) -> Done<(Vec<Rescued>, BTreeSet<String>)> {
    let dead = sqlx::query(RESCUE).bind(worker.0).bind(beat).bind(now).execute(&mut *tx).await?;
    if dead.rows_affected() == 0 {
        return Ok((Vec::new(), BTreeSet::new()));
    }
    let held = holdings(tx, now, worker).await?;
    if held.is_empty() {
        return Ok((Vec::new(), BTreeSet::new()));
    }
    let lost: Vec<_> = held
        .iter()
        .map(|job| (hex(job.id), job.attempt, "lost", job.ran, LEASE_EXPIRED, None::<String>))
        .collect();
    sqlx::query(ATTEMPT).bind(serde_json::to_string(&lost)?).bind(now).execute(&mut *tx).await?;

    let mut rescued = Vec::with_capacity(held.len());
    let (mut endings, mut nexts) = (Vec::new(), Vec::new());
    for Holding { id, attempt, max_attempts, ran, links, cancel } in held {
        let (state, error) = match cancel {
            Some(reason) => (JobState::Cancelled, reason),
            None if attempt >= max_attempts => (JobState::Discarded, LEASE_EXPIRED.to_string()),
            None => {
                let state = JobState::Available;
                nexts.push(Next { id, state, uncounted: false, run_at: None, parents: 0 });
                rescued.push(Rescued { id, state });
                continue;
            }
        };
        endings.push(Ending { ran: Some(ran), ..Ending::new(id, state, Some(error), links) });
        rescued.push(Rescued { id, state });
    }
    let ids = |state: Option<JobState>| -> Vec<JobId> {
        let those = rescued.iter().filter(|job| state.is_none_or(|state| job.state == state));
        those.map(|job| job.id).collect()
    };
    let details = json!({
        "worker": worker.0,
        "discarded": ids(Some(JobState::Discarded)),
        "cancelled": ids(Some(JobState::Cancelled)),
    });
    audit::with_jobs(tx, now, &Actor::system(), "job.rescue", "worker", &ids(None), Some(details)).await?;
    // Without the worker: it is not its report that ends these jobs, and should it come back with one
    // after all, that must not look as if it had been recorded.
    let mut woken = ending::end(tx, now, None, endings).await?;
    woken.extend(requeue(tx, &nexts).await?);
    Ok((rescued, woken))
}

/// How many were given back, and the queues that got a job to claim.
pub(super) async fn give_back_unheld(
    tx: &mut Tx,
    now: i64,
    worker: WorkerId,
    held: &BTreeSet<JobId>,
) -> Done<(u64, BTreeSet<String>)> {
    let (mut endings, mut nexts) = (Vec::new(), Vec::new());
    for job in holdings(tx, now, worker).await?.into_iter().filter(|job| !held.contains(&job.id)) {
        match job.cancel {
            Some(_) => endings.push(Ending {
                uncounted: true,
                ..Ending::new(job.id, JobState::Cancelled, job.cancel, job.links)
            }),
            None => nexts.push(Next {
                id: job.id,
                state: JobState::Available,
                uncounted: true,
                run_at: None,
                parents: 0,
            }),
        }
    }
    let by = Actor::worker(worker);
    let given_back: Vec<JobId> = nexts.iter().map(|next| next.id).collect();
    let cancelled: Vec<JobId> = endings.iter().map(|ending| ending.id).collect();
    audit::transition(tx, now, &by, "job.finish", "job", "given_back", &given_back).await?;
    audit::transition(tx, now, &by, "job.finish", "job", "cancelled", &cancelled).await?;
    let mut woken = ending::end(tx, now, Some(worker), endings).await?;
    woken.extend(requeue(tx, &nexts).await?);
    Ok(((given_back.len() + cancelled.len()) as u64, woken))
}
