//! Workers, their beats, what they claim and what is taken from them.

use std::time::Duration;

use jobkit::{AuditEntry, JobId, Progress, StepRecord};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::change::{cancel_requested, end_live};
use super::rows::{self, Micros, text};
use super::{PostgresStore, failed, wake};
use crate::state::JobState;
use crate::store::{
    Actor, Beat, Claimed, Fence, Held, Rescued, Result, StoreError, WorkerId, WorkerInfo, WorkerRow,
};

/// Where the last full claim of a queue ended. Claims begin there, because the index entries before it
/// are dead, and while some session holds an old snapshot they cannot be cleared away: each claim would
/// walk over all of them. A job may still appear before the cursor (a higher priority, a transaction that
/// committed late), so the cursor is forgotten as soon as a claim is not full, and after a few claims.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    rank: Micros,
    id: Uuid,
    uses_left: u32,
    /// The last claim was by turns between tenants, so the next one probably is too.
    fair: bool,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { rank: Micros::NEVER, id: Uuid::nil(), uses_left: 0, fair: false }
    }
}

/// How many full claims may follow one cursor: at batches of hundreds, a few tens of milliseconds.
const CURSOR_USES: u32 = 16;

/// Small claims come from queues where order matters more than speed.
const WORTH_A_CURSOR: usize = 100;

impl Cursor {
    fn start(&self) -> (Micros, Uuid) {
        match self.uses_left {
            0 => (Micros::NEVER, Uuid::nil()),
            _ => (self.rank, self.id),
        }
    }

    fn after(&self, last: Option<(Micros, Uuid)>, full: bool) -> Cursor {
        match last {
            Some((rank, id)) if full => Cursor {
                rank,
                id,
                uses_left: match self.uses_left {
                    0 => CURSOR_USES,
                    left => left - 1,
                },
                fair: false,
            },
            _ => Cursor::default(),
        }
    }
}

/// Shorter than the limit of the call: a session that nobody waits for must not go on waiting for a lock.
const LOCK_LIMIT: &str = "SET LOCAL lock_timeout = '20s'";

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
    let retired = sqlx::query(
        "UPDATE compline.worker w SET ended_at = coalesce($1::timestamptz, now()) WHERE id = $2
         AND NOT EXISTS (SELECT FROM compline.job j WHERE j.worker = w.id AND j.state = 'running')",
    )
    .bind(store.time())
    .bind(worker.0)
    .execute(&store.cold)
    .await
    .map_err(failed("retiring the worker"))?;
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

pub async fn rescue(store: &PostgresStore, worker: WorkerId, beat: i64) -> Result<Vec<Rescued>> {
    let doing = "rescuing the jobs of a lost worker";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query(LOCK_LIMIT).execute(&mut *tx).await.map_err(failed(doing))?;
    let declared = sqlx::query(
        "UPDATE compline.worker SET ended_at = coalesce($1::timestamptz, now())
         WHERE id = $2 AND beat = $3 AND ended_at IS NULL",
    )
    .bind(store.time())
    .bind(worker.0)
    .bind(beat)
    .execute(&mut *tx)
    .await
    .map_err(failed(doing))?;
    if declared.rows_affected() == 0 {
        return Ok(Vec::new());
    }
    let lost = sqlx::query(include_str!("rescue.sql"))
        .bind(store.time())
        .bind(worker.0)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(doing))?;
    let ids: Vec<_> = lost.iter().map(|row| JobId(row.get(0))).collect();
    // What was asked of an attempt that is lost still holds, also when it was the last one.
    let cancelled = cancel_requested(&mut tx, store.time(), &ids).await?;
    let rescued: Vec<_> = lost
        .iter()
        .map(|row| {
            let id = JobId(row.get(0));
            let state = match (cancelled.ids.contains(&id), row.get(1)) {
                (true, _) => JobState::Cancelled,
                (false, true) => JobState::Discarded,
                (false, false) => JobState::Available,
            };
            Rescued { id, state }
        })
        .collect();
    let spent: Vec<_> =
        rescued.iter().filter(|job| job.state == JobState::Discarded).map(|job| job.id).collect();
    let from = [JobState::Running];
    // Whom to wake after a rescue is asked anew by whoever rescued: it may be every queue there is.
    end_live(&mut tx, store.time(), &spent, &from, JobState::Discarded, "lease expired").await?;
    let details = Some(serde_json::json!({ "worker": worker.0, "discarded": spent }));
    let ids = rows::uuids(&ids);
    let by = Actor::system();
    super::insert::audit(&mut tx, store.time(), &by, "job.rescue", "worker", "ok", &ids, details).await?;
    tx.commit().await.map_err(failed(doing))?;
    Ok(rescued)
}

pub async fn claim(
    store: &PostgresStore,
    worker: WorkerId,
    queue: &str,
    limit: usize,
) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    let before = store.with_cursor(queue, |cursor| *cursor);
    if !before.fair {
        let cursor = match limit {
            ..WORTH_A_CURSOR => Cursor::default(),
            _ => before,
        };
        let next;
        (claimed, next) = claim_from(store, PLAIN, worker, queue, limit, cursor).await?;
        store.with_cursor(queue, |cursor| *cursor = next);
        // From behind a cursor one statement may leave some that are ready; an answer that is not full must
        // mean that there are no more.
        if cursor.uses_left > 0 && claimed.len() < limit {
            let left = limit - claimed.len();
            let (more, _) = claim_from(store, PLAIN, worker, queue, left, Cursor::default()).await?;
            claimed.extend(more);
        }
        if !claimed.is_empty() || !tenants_wait(store, queue).await? {
            return Ok(claimed);
        }
    }
    // By turns too, one statement may leave some.
    let mut partial = true;
    while partial && claimed.len() < limit {
        let left = limit - claimed.len();
        let (more, _) = claim_from(store, FAIR, worker, queue, left, Cursor::default()).await?;
        partial = !more.is_empty();
        claimed.extend(more);
    }
    let fair = claimed.iter().any(|job| job.tenant.is_some());
    store.with_cursor(queue, |cursor| *cursor = Cursor { fair, ..Cursor::default() });
    Ok(claimed)
}

const PLAIN: &str = include_str!("claim.sql");
const FAIR: &str = include_str!("claim_fair.sql");

/// Asked only when nothing was claimed, so most claims are one short statement.
async fn tenants_wait(store: &PostgresStore, queue: &str) -> Result<bool> {
    sqlx::query_scalar(include_str!("claim_look.sql"))
        .bind(queue)
        .fetch_one(&store.claims)
        .await
        .map_err(failed("looking for jobs of tenants"))
}

async fn claim_from(
    store: &PostgresStore,
    statement: &'static str,
    worker: WorkerId,
    queue: &str,
    limit: usize,
    cursor: Cursor,
) -> Result<(Vec<Claimed>, Cursor)> {
    let (rank, id) = cursor.start();
    let turn = store.turns.last(queue);
    let claim = sqlx::query(statement).bind(store.time()).bind(worker.0).bind(queue).bind(rows::count(limit));
    let claim = if statement == PLAIN { claim.bind(rank).bind(id) } else { claim.bind(&turn) };
    let rows = claim.fetch_all(&store.claims).await.map_err(failed("claiming jobs"))?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let rank: Micros = row.try_get(4).map_err(failed("reading a claimed job"))?;
        claimed.push((rank, read_claim(row, worker, queue).map_err(failed("reading a claimed job"))?));
    }
    store.turns.given(queue, &turn, claimed.iter().map(|(_, job)| job.tenant.as_deref()));
    // The rows come in the order they lie in the table.
    claimed.sort_by_key(|(rank, job)| (rank.0, job.id));
    let last = claimed.last().map(|(rank, job)| (*rank, job.id.0));
    let next = cursor.after(last, rows.len() >= limit);
    Ok((claimed.into_iter().map(|(_, job)| job).collect(), next))
}

fn read_claim(row: &sqlx::postgres::PgRow, worker: WorkerId, queue: &str) -> sqlx::Result<Claimed> {
    let number = |index| row.try_get::<i16, _>(index).map(|n| u16::try_from(n).unwrap_or(0));
    Ok(Claimed {
        id: JobId(row.try_get(0)?),
        worker,
        fence: Fence(row.try_get(1)?),
        attempt: number(2)?,
        max_attempts: number(3)?,
        kind: row.try_get(5)?,
        queue: queue.into(),
        args: row.try_get_unchecked::<String, _>(6)?,
        tenant: row.try_get(7)?,
        tags: row.try_get::<Option<Vec<String>>, _>(8)?.unwrap_or_default(),
        metadata: text(row, "metadata")?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}

pub async fn give_back_unheld(store: &PostgresStore, worker: WorkerId, held: &[JobId]) -> Result<u64> {
    let doing = "giving back jobs that are not in hand";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query(LOCK_LIMIT).execute(&mut *tx).await.map_err(failed(doing))?;
    // Waits for a claim that is still under way behind a connection that broke.
    sqlx::query("SELECT FROM compline.worker WHERE id = $1 FOR UPDATE")
        .bind(worker.0)
        .execute(&mut *tx)
        .await
        .map_err(failed(doing))?;
    let given: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE compline.job SET state = 'available', worker = NULL, claimed_at = NULL, attempt = attempt - 1
         WHERE worker = $1 AND state = 'running' AND id <> ALL ($2) RETURNING id",
    )
    .bind(worker.0)
    .bind(rows::uuids(held))
    .fetch_all(&mut *tx)
    .await
    .map_err(failed(doing))?;
    let given: Vec<_> = given.into_iter().map(JobId).collect();
    let cancelled = cancel_requested(&mut tx, store.time(), &given).await?;
    wake::at_commit(&mut tx, cancelled.woken).await?;
    tx.commit().await.map_err(failed(doing))?;
    Ok(given.len() as u64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_used_a_few_times_and_forgotten_after_a_claim_that_was_not_full() {
        let last = Some((Micros(7), Uuid::max()));
        let mut cursor = Cursor::default().after(last, true);
        assert_eq!(cursor.start(), (Micros(7), Uuid::max()));
        for _ in 0..CURSOR_USES {
            cursor = cursor.after(last, true);
        }
        assert_eq!(cursor.start(), (Micros::NEVER, Uuid::nil()));

        let cursor = Cursor::default().after(last, true).after(last, false);
        assert_eq!(cursor.start(), (Micros::NEVER, Uuid::nil()));
    }
}
