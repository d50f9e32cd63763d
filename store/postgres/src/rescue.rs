//! What is taken from a worker that is dead. A caller may keep a row of one of its jobs, or the unique key of one, in a
//! transaction that it leaves open: the others must not wait with that one. So what goes back to its queue is taken
//! first, past rows that are locked; what ends, in a second transaction, one by one when a lock is in its way; and what
//! is left has a worker that has ended, by which the next look finds it.

use jobkit::JobId;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::change::{cancel_requested, end_live};
use super::insert::audit;
use super::lease::LOCK_LIMIT;
use super::rows::uuids;
use super::{PostgresStore, contention, failed};
use store::state::JobState;
use store::{Actor, Rescued, Result, WorkerId};

const DOING: &str = "rescuing the jobs of a lost worker";

pub async fn rescue(store: &PostgresStore, worker: WorkerId, beat: i64) -> Result<Vec<Rescued>> {
    let Some(mut rescued) = declare(store, worker, beat).await? else { return Ok(Vec::new()) };
    match end_those(store, worker, None).await {
        Ok(ended) => rescued.extend(ended),
        Err(problem) if problem.blames_a_lock() => {
            for id in ending(store, worker).await? {
                match end_those(store, worker, Some(id)).await {
                    Ok(ended) => rescued.extend(ended),
                    Err(problem) if problem.blames_a_lock() => {}
                    Err(problem) => return Err(problem),
                }
            }
        }
        Err(problem) => return Err(problem),
    }
    rescued.sort_by_key(|job| job.id);
    Ok(rescued)
}

/// Workers that have ended and still hold jobs.
pub async fn unrescued(store: &PostgresStore) -> Result<Vec<WorkerId>> {
    let ended: Vec<i32> = sqlx::query_scalar(
        "SELECT w.id FROM compline.worker w WHERE w.ended_at IS NOT NULL
         AND EXISTS (SELECT FROM compline.job j WHERE j.worker + 0 = w.id AND j.worker + 0 IS NOT NULL) ORDER BY w.id",
    )
    .fetch_all(&store.cold)
    .await
    .map_err(failed("looking for jobs of workers that have ended"))?;
    Ok(ended.into_iter().map(WorkerId).collect())
}

/// None when the worker lives. Its row waits for a claim of it that is under way; later ones see that it has ended.
async fn declare(store: &PostgresStore, worker: WorkerId, beat: i64) -> Result<Option<Vec<Rescued>>> {
    let mut session = store.cold.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin().await.map_err(failed(DOING))?;
    sqlx::query(LOCK_LIMIT).execute(&mut *tx).await.map_err(failed(DOING))?;
    sqlx::query(
        "UPDATE compline.worker SET ended_at = coalesce($1::timestamptz, now())
         WHERE id = $2 AND beat = $3 AND ended_at IS NULL",
    )
    .bind(store.time())
    .bind(worker.0)
    .bind(beat)
    .execute(&mut *tx)
    .await
    .map_err(failed(DOING))?;
    let ended: Option<bool> =
        sqlx::query_scalar("SELECT ended_at IS NOT NULL FROM compline.worker WHERE id = $1")
            .bind(worker.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed(DOING))?;
    let rescued = match ended {
        Some(true) => Some(take(store, &mut tx, worker, false, None).await?),
        _ => None,
    };
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(rescued)
}

async fn end_those(store: &PostgresStore, worker: WorkerId, one: Option<Uuid>) -> Result<Vec<Rescued>> {
    let mut session = store.cold.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let rescued = take(store, &mut tx, worker, true, one).await?;
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(rescued)
}

async fn ending(store: &PostgresStore, worker: WorkerId) -> Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT j.id FROM compline.job j WHERE j.worker + 0 = $1 AND j.worker + 0 IS NOT NULL AND j.state = 'running'
         ORDER BY j.id",
    )
    .bind(worker.0)
    .fetch_all(&store.cold)
    .await
    .map_err(failed(DOING))
}

async fn take(
    store: &PostgresStore,
    tx: &mut PgConnection,
    worker: WorkerId,
    ends: bool,
    one: Option<Uuid>,
) -> Result<Vec<Rescued>> {
    let lost = sqlx::query(include_str!("rescue.sql"))
        .bind(store.time())
        .bind(worker.0)
        .bind(ends)
        .bind(one.map(|id| vec![id]))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = lost.iter().map(|row| JobId(row.get(0))).collect();
    // What was asked of an attempt that is lost still holds, also when it was the last one.
    let cancelled = cancel_requested(tx, store.time(), &ids).await?;
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
    end_live(tx, store.time(), &spent, &from, JobState::Discarded, "lease expired").await?;
    let details = serde_json::json!({ "worker": worker.0, "discarded": spent, "cancelled": cancelled.ids });
    let ids = uuids(&ids);
    audit(tx, store.time(), &Actor::system(), "job.rescue", "worker", "ok", &ids, Some(details)).await?;
    Ok(rescued)
}
