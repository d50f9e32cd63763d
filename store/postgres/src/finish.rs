//! How attempts ended: one statement for plain successes, one for other endings, one for those that go
//! back to the queue, and what follows for jobs that wait for them. One transaction for all.

use jobkit::{JobId, OnParentFailure};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::rows::{micros, uuids};
use super::{PostgresStore, change, failed, insert};
use store::state::JobState;
use store::{Actor, End, Finished, Report, Result, WorkerId};

const DOING: &str = "recording how attempts ended";

/// Whoever enqueues children of a running job, or asks for its unique key, in a transaction that is kept open has
/// its row for that long. The others of the batch must not wait with it: the caller finds it by halves.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '250ms'";

pub async fn finish(store: &PostgresStore, worker: WorkerId, reports: &[Report]) -> Result<Finished> {
    let mut batch = Batch::default();
    for report in reports {
        match &report.end {
            End::Completed { .. } if report.attempt == 1 && report.log.is_empty() => batch.plain.push(report),
            End::Completed { .. } | End::Cancelled { .. } | End::Discarded { .. } => batch.ended.push(report),
            End::Retry { .. } | End::Snooze { .. } | End::GiveBack => batch.released.push(report),
            End::WaitFor(_) => batch.waiting.push(report),
        }
    }
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(BEGIN).await.map_err(failed(DOING))?;
    let answer = batch.record(store, &mut tx, worker).await?;
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(answer)
}

#[derive(Default)]
struct Batch<'a> {
    plain: Vec<&'a Report>,
    ended: Vec<&'a Report>,
    released: Vec<&'a Report>,
    waiting: Vec<&'a Report>,
}

impl Batch<'_> {
    async fn record(
        &self,
        store: &PostgresStore,
        tx: &mut PgConnection,
        worker: WorkerId,
    ) -> Result<Finished> {
        let mut answer = Finished::default();
        let mut parents: Vec<(Uuid, JobState)> = Vec::new();
        if !self.plain.is_empty() {
            let (ended, more) = plain(store, tx, worker, &self.plain).await?;
            parents.extend(more.into_iter().map(|id| (id, JobState::Completed)));
            if ended < self.plain.len() {
                answer.refused.extend(refused(tx, worker, &self.plain).await?);
            }
        }
        if !self.ended.is_empty() {
            let ended = end(store, tx, worker, &self.ended).await?;
            parents.extend(ended.parents);
            if ended.count < self.ended.len() {
                answer.refused.extend(refused(tx, worker, &self.ended).await?);
            }
        }
        if !self.released.is_empty() {
            let released = release(store, tx, worker, &self.released).await?;
            answer.refused.extend(unlisted(&self.released, &released.ids));
            let cancelled = cancel(store, tx, worker, &released.ids).await?;
            answer.woken.extend(released.woken.into_iter().chain(cancelled));
        }
        for report in &self.waiting {
            wait(store, tx, worker, report, &mut answer).await?;
        }
        change::settle(tx, store.time(), parents, &mut answer.woken).await?;
        answer.woken.sort_unstable();
        answer.woken.dedup();
        Ok(answer)
    }
}

fn ids(reports: &[&Report]) -> Vec<Uuid> {
    reports.iter().map(|report| report.held.job.0).collect()
}

fn fences(reports: &[&Report]) -> Vec<i32> {
    reports.iter().map(|report| report.held.fence.0).collect()
}

fn ran(reports: &[&Report]) -> Vec<i64> {
    reports.iter().map(|report| micros(report.ran)).collect()
}

fn errors<'a>(reports: &[&'a Report]) -> Vec<Option<&'a str>> {
    reports.iter().map(|report| report.end.error()).collect()
}

fn logs(reports: &[&Report]) -> Vec<Option<String>> {
    let json = |report: &&Report| match report.log.as_slice() {
        [] => None,
        log => serde_json::to_string(log).ok(),
    };
    reports.iter().map(json).collect()
}

fn results<'a>(reports: &[&'a Report]) -> Vec<Option<&'a str>> {
    let result = |report: &&'a Report| match &report.end {
        End::Completed { result } => result.as_deref(),
        _ => None,
    };
    reports.iter().map(result).collect()
}

async fn plain(
    store: &PostgresStore,
    tx: &mut PgConnection,
    worker: WorkerId,
    reports: &[&Report],
) -> Result<(usize, Vec<Uuid>)> {
    let row = sqlx::query(include_str!("finish.sql"))
        .bind(store.time())
        .bind(worker.0)
        .bind(ids(reports))
        .bind(fences(reports))
        .bind(ran(reports))
        .bind(results(reports))
        .fetch_one(tx)
        .await
        .map_err(failed(DOING))?;
    let ended = usize::try_from(row.get::<i64, _>(0)).unwrap_or(0);
    Ok((ended, row.get::<Option<Vec<Uuid>>, _>(1).unwrap_or_default()))
}

struct Ended {
    count: usize,
    parents: Vec<(Uuid, JobState)>,
}

async fn end(
    store: &PostgresStore,
    tx: &mut PgConnection,
    worker: WorkerId,
    reports: &[&Report],
) -> Result<Ended> {
    let rows = sqlx::query(include_str!("end.sql"))
        .bind(store.time())
        .bind(worker.0)
        .bind(ids(reports))
        .bind(fences(reports))
        .bind(reports.iter().map(|report| report.end.name()).collect::<Vec<_>>())
        .bind(ran(reports))
        .bind(results(reports))
        .bind(errors(reports))
        .bind(logs(reports))
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    let parent = |row: &sqlx::postgres::PgRow| {
        let state = row.get::<&str, _>(1).parse().unwrap_or(JobState::Discarded);
        row.get::<bool, _>(2).then(|| (row.get(0), state))
    };
    Ok(Ended { count: rows.len(), parents: rows.iter().filter_map(parent).collect() })
}

struct Released {
    ids: Vec<JobId>,
    woken: Vec<String>,
}

async fn release(
    store: &PostgresStore,
    tx: &mut PgConnection,
    worker: WorkerId,
    reports: &[&Report],
) -> Result<Released> {
    let after = |report: &&Report| match report.end {
        End::Retry { after, .. } | End::Snooze { after } => Some(micros(after)),
        _ => None,
    };
    let next = |report: &&Report| match (&report.end, after(report)) {
        // What can be claimed at once need not be staged first.
        (_, None | Some(0)) => "available",
        (End::Retry { .. }, _) => "retryable",
        _ => "scheduled",
    };
    let uncount = |report: &&Report| i16::from(!matches!(report.end, End::Retry { .. }));
    let rows = sqlx::query(include_str!("requeue.sql"))
        .bind(store.time())
        .bind(worker.0)
        .bind(ids(reports))
        .bind(fences(reports))
        .bind(reports.iter().map(next).collect::<Vec<_>>())
        .bind(reports.iter().map(after).collect::<Vec<_>>())
        .bind(reports.iter().map(uncount).collect::<Vec<_>>())
        .bind(reports.iter().map(|report| report.end.name()).collect::<Vec<_>>())
        .bind(ran(reports))
        .bind(errors(reports))
        .bind(logs(reports))
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    let available = rows.iter().filter(|row| row.get::<&str, _>(2) == "available");
    Ok(Released {
        woken: available.map(|row| row.get(1)).collect(),
        ids: rows.iter().map(|row| JobId(row.get(0))).collect(),
    })
}

/// Jobs that go back to the queue although somebody asked for their cancellation end instead. The queues that got
/// a job by that.
async fn cancel(
    store: &PostgresStore,
    tx: &mut PgConnection,
    worker: WorkerId,
    ids: &[JobId],
) -> Result<Vec<String>> {
    let cancelled = change::cancel_requested(tx, store.time(), ids).await?;
    if !cancelled.ids.is_empty() {
        let (by, jobs) = (Actor::worker(worker), uuids(&cancelled.ids));
        insert::audit(tx, store.time(), &by, "job.finish", "job", "cancelled", &jobs, None).await?;
    }
    Ok(cancelled.woken)
}

/// A job that waits for others is marked as their dependent before they can end.
async fn wait(
    store: &PostgresStore,
    tx: &mut PgConnection,
    worker: WorkerId,
    report: &Report,
    answer: &mut Finished,
) -> Result<()> {
    let End::WaitFor(on) = &report.end else { return Ok(()) };
    let mut wanted = uuids(on);
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|id| *id != report.held.job.0);
    let live = insert::mark_parents(tx, &wanted).await?;
    let released = release(store, tx, worker, &[report]).await?;
    answer.refused.extend(unlisted(&[report], &released.ids));
    if released.ids.is_empty() {
        return Ok(());
    }
    if live.is_empty() {
        answer.woken.extend(released.woken);
    } else {
        insert::depend(tx, report.held.job, &live, OnParentFailure::Run).await?;
        sqlx::query("UPDATE compline.job SET state = 'waiting', waits_for = $2 WHERE id = $1")
            .bind(report.held.job.0)
            .bind(i16::try_from(live.len()).unwrap_or(i16::MAX))
            .execute(&mut *tx)
            .await
            .map_err(failed(DOING))?;
    }
    answer.woken.extend(cancel(store, tx, worker, &released.ids).await?);
    Ok(())
}

fn unlisted(reports: &[&Report], listed: &[JobId]) -> Vec<JobId> {
    let wanted = reports.iter().map(|report| report.held.job);
    wanted.filter(|id| !listed.contains(id)).collect()
}

/// Which reports did not find their job. One that an earlier try of the same call recorded is in the
/// history under the same fence and as it said, and that is no refusal.
async fn refused(tx: &mut PgConnection, worker: WorkerId, reports: &[&Report]) -> Result<Vec<JobId>> {
    let recorded: Vec<Uuid> = sqlx::query_scalar(
        "SELECT h.id FROM unnest($1::uuid[], $2::integer[], $4::text[], $5::text[]) AS r (id, fence, next, error)
         JOIN compline.job_history h ON h.id = r.id AND h.fence = r.fence AND h.worker = $3
          AND h.state::text = r.next AND h.error IS NOT DISTINCT FROM r.error",
    )
    .bind(ids(reports))
    .bind(fences(reports))
    .bind(worker.0)
    .bind(reports.iter().map(|report| report.end.name()).collect::<Vec<_>>())
    .bind(errors(reports))
    .fetch_all(tx)
    .await
    .map_err(failed(DOING))?;
    let recorded: std::collections::HashSet<_> = recorded.into_iter().collect();
    let all = reports.iter().map(|report| report.held.job);
    Ok(all.filter(|job| !recorded.contains(&job.0)).collect())
}
