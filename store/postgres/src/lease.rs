//! Workers, their beats, and what they give back.

use std::time::Duration;

use jobkit::{AuditEntry, JobId, Progress, StepRecord};
use sqlx::{Connection, PgConnection, Row};

use super::change::cancel_requested;
use super::insert::audit;
use super::rows::{self, Micros};
use super::{PostgresStore, failed, wake};
use store::{Actor, Beat, Held, Result, StoreError, WorkerId, WorkerInfo, WorkerRow};

/// Shorter than the limit of the call: a session that nobody waits for must not go on waiting for a lock.
pub const LOCK_LIMIT: &str = "SET LOCAL lock_timeout = '20s'";

pub async fn register(store: &PostgresStore, worker: &WorkerInfo) -> Result<WorkerId> {
    sqlx::query_scalar(
        "INSERT INTO compline.worker (name, version, started_at, beat_at, lease_ms, queues)
         SELECT $2, $3, now, now, $4, $5 FROM (SELECT coalesce($1::timestamptz, now()) AS now) c RETURNING id",
    )
    .bind(store.time())
    .bind(&worker.name)
    .bind(&worker.version)
    .bind(i64::try_from(worker.lease.as_millis()).unwrap_or(i64::MAX))
    .bind(&worker.queues)
    .fetch_one(&store.hot)
    .await
    .map(WorkerId)
    .map_err(failed("registering the worker"))
}

pub async fn beat(store: &PostgresStore, worker: WorkerId) -> Result<Beat> {
    let doing = "renewing the lease";
    let alive = sqlx::query(
        "UPDATE compline.worker SET beat = beat + 1, beat_at = coalesce($1::timestamptz, now())
         WHERE id = $2 AND ended_at IS NULL",
    )
    .bind(store.time())
    .bind(worker.0)
    .execute(&store.beats)
    .await
    .map_err(failed(doing))?;
    if alive.rows_affected() == 0 {
        return Ok(Beat::Lost);
    }
    let cancel = sqlx::query(
        "SELECT c.job_id, c.reason FROM compline.cancel_request c
         JOIN compline.job j ON j.id = c.job_id WHERE j.worker = $1 AND j.state = 'running'",
    )
    .bind(worker.0)
    .fetch_all(&store.beats)
    .await
    .map_err(failed(doing))?;
    Ok(Beat::Holds { cancel: cancel.iter().map(|row| (JobId(row.get(0)), row.get(1))).collect() })
}

pub async fn retire(store: &PostgresStore, worker: WorkerId) -> Result<()> {
    let doing = "retiring the worker";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    lock_worker(&mut tx, worker, doing).await?;
    let retired = sqlx::query(
        "UPDATE compline.worker w SET ended_at = coalesce($1::timestamptz, now()) WHERE id = $2
         AND NOT EXISTS (SELECT FROM compline.job j WHERE j.worker + 0 = w.id AND j.worker + 0 IS NOT NULL)",
    )
    .bind(store.time())
    .bind(worker.0)
    .execute(&mut *tx)
    .await
    .map_err(failed(doing))?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    match retired.rows_affected() {
        0 => Err(StoreError::Refused(
            "the worker still holds jobs; they are rescued when its lease ends".into(),
        )),
        _ => Ok(()),
    }
}

pub async fn forget_workers(store: &PostgresStore, ended_for: Duration) -> Result<Vec<WorkerId>> {
    let forgotten: Vec<i32> = sqlx::query_scalar(include_str!("forget_workers.sql"))
        .bind(store.time())
        .bind(rows::micros(ended_for))
        .fetch_all(&store.cold)
        .await
        .map_err(failed("forgetting ended workers"))?;
    Ok(forgotten.into_iter().map(WorkerId).collect())
}

pub async fn workers(store: &PostgresStore) -> Result<Vec<WorkerRow>> {
    let rows = sqlx::query(
        "SELECT id, name, version, started_at, beat, beat_at, lease_ms, queues FROM compline.worker
         WHERE ended_at IS NULL ORDER BY id",
    )
    .fetch_all(&store.cold)
    .await
    .map_err(failed("listing workers"))?;
    Ok(rows
        .iter()
        .map(|row| WorkerRow {
            id: WorkerId(row.get(0)),
            name: row.get(1),
            version: row.get(2),
            started_at: row.get::<Micros, _>(3).into(),
            beat: row.get(4),
            beat_at: row.get::<Micros, _>(5).into(),
            lease: Duration::from_millis(row.get::<i64, _>(6).unsigned_abs()),
            queues: row.get(7),
        })
        .collect())
}

pub async fn give_back_unheld(store: &PostgresStore, worker: WorkerId, held: &[JobId]) -> Result<u64> {
    let doing = "giving back jobs that are not in hand";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    lock_worker(&mut tx, worker, doing).await?;
    let given = sqlx::query(
        "UPDATE compline.job SET state = 'available', worker = NULL, claimed_at = NULL, attempt = attempt - 1
         WHERE worker + 0 = $1 AND state = 'running' AND id <> ALL ($2) RETURNING id, queue",
    )
    .bind(worker.0)
    .bind(rows::uuids(held))
    .fetch_all(&mut *tx)
    .await
    .map_err(failed(doing))?;
    let ids: Vec<_> = given.iter().map(|row| JobId(row.get(0))).collect();
    let cancelled = cancel_requested(&mut tx, store.time(), &ids).await?;
    let by = Actor::worker(worker);
    let back: Vec<_> = ids.iter().filter(|id| !cancelled.ids.contains(id)).copied().collect();
    for (outcome, jobs) in [("given_back", &back), ("cancelled", &cancelled.ids)] {
        if !jobs.is_empty() {
            let jobs = rows::uuids(jobs);
            audit(&mut tx, store.time(), &by, "job.finish", "job", outcome, &jobs, None).await?;
        }
    }
    let queues = given.iter().map(|row| row.get(1)).chain(cancelled.woken).collect();
    wake::at_commit(&mut tx, queues).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(ids.len() as u64)
}

/// Waits for a claim that is still under way behind a connection that broke: what is looked for afterwards, in
/// a statement of its own, is all that this worker has claimed.
async fn lock_worker(tx: &mut PgConnection, worker: WorkerId, doing: &'static str) -> Result<()> {
    sqlx::query(LOCK_LIMIT).execute(&mut *tx).await.map_err(failed(doing))?;
    sqlx::query("SELECT FROM compline.worker WHERE id = $1 FOR UPDATE")
        .bind(worker.0)
        .execute(tx)
        .await
        .map_err(failed(doing))?;
    Ok(())
}

pub async fn save_step(store: &PostgresStore, held: Held, step: &StepRecord) -> Result<()> {
    let mut session = store.hot.acquire().await.map_err(failed("storing a step"))?;
    save_step_on(&mut session, held, step).await?;
    session.keep();
    Ok(())
}

pub async fn save_step_on(connection: &mut PgConnection, held: Held, step: &StepRecord) -> Result<()> {
    let saved = sqlx::query(include_str!("save_step.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(&step.name)
        .bind(step.key.as_str())
        .bind(step.result.as_ref().map(ToString::to_string))
        .bind(rows::small(step.attempt))
        .bind(Micros::from(step.at))
        .bind(held.worker.0)
        .execute(connection)
        .await
        .map_err(failed("storing a step"))?;
    held_or_lost(saved.rows_affected())
}

pub async fn save_progress(store: &PostgresStore, held: Held, progress: &Progress) -> Result<()> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let saved = sqlx::query(include_str!("save_progress.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(number(progress.done))
        .bind(number(progress.total))
        .bind(&progress.message)
        .bind(store.time())
        .bind(held.worker.0)
        .execute(&store.hot)
        .await
        .map_err(failed("storing progress"))?;
    held_or_lost(saved.rows_affected())
}

pub async fn save_audit(store: &PostgresStore, held: Held, entry: &AuditEntry) -> Result<()> {
    let saved = sqlx::query(include_str!("save_audit.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .bind(entry.at.map(Micros::from))
        .bind(store.time())
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.object)
        .bind(&entry.outcome)
        .bind(&entry.tenant)
        .bind(sqlx::types::Json(&entry.details))
        .bind(&entry.origin.request)
        .bind(&entry.origin.source)
        .execute(&store.hot)
        .await
        .map_err(failed("writing the attempt's audit entry"))?;
    held_or_lost(saved.rows_affected())
}

fn held_or_lost(rows: u64) -> Result<()> {
    match rows {
        0 => Err(StoreError::LeaseLost),
        _ => Ok(()),
    }
}
