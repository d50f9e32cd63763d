//! From ready to running: claims in the order of rank, and by turns between tenants.

use std::time::Duration;

use jobkit::JobId;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::rows::{self, Micros, tags, text};
use super::{PostgresStore, failed};
use store::{Claimed, End, Fence, Held, Report, Result, StoreError, WorkerId, turns};

/// Where the last full claim of a queue ended. Claims begin there, because the index entries before it
/// are dead, and while some session holds an old snapshot they cannot be cleared away: each claim would
/// walk over all of them. A job may still appear before the cursor (a higher priority, a transaction that
/// committed late), so the cursor is forgotten as soon as a claim is not full, after a few claims, and at each beat of
/// the worker, which bounds how long a job may be passed over where jobs are slow.
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

/// How many full claims may follow one cursor: at batches of a thousand and ten thousand jobs a second, a second or two.
pub const CURSOR_USES: u32 = 16;

/// Small claims come from queues where order matters more than speed.
pub const WORTH_A_CURSOR: usize = 100;

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

/// So many for one claim: where thousands of jobs cannot be read, the next look goes on, and other queues are asked in between.
const MOST_STATEMENTS: usize = 16;

pub async fn claim(
    store: &PostgresStore,
    worker: WorkerId,
    queue: &str,
    limit: usize,
) -> Result<Vec<Claimed>> {
    let before = store.with_cursor(queue, |cursor| *cursor);
    if !before.fair {
        let cursor = match limit {
            ..WORTH_A_CURSOR => Cursor::default(),
            _ => before,
        };
        let Batch { mut claimed, next, full } = claim_from(store, worker, queue, limit, cursor).await?;
        store.with_cursor(queue, |cursor| *cursor = next);
        // An answer that is not full must mean that there are no more. One statement may leave some that are ready: from
        // behind a cursor, and where some of what it gave cannot be read.
        let mut more = full || cursor.uses_left > 0;
        for _ in 0..MOST_STATEMENTS {
            if !more || claimed.len() >= limit {
                break;
            }
            let left = limit - claimed.len();
            let batch = claim_from(store, worker, queue, left, Cursor::default()).await?;
            claimed.extend(batch.claimed);
            more = batch.full;
        }
        if !claimed.is_empty() || !tenants_wait(store, queue).await? {
            return Ok(claimed);
        }
    }
    let claimed = claim_by_turns(store, worker, queue, limit).await?;
    let fair = claimed.iter().any(|job| job.tenant.is_some());
    store.with_cursor(queue, |cursor| *cursor = Cursor { fair, ..Cursor::default() });
    Ok(claimed)
}

/// How many more jobs than are wanted are looked at by turns: others may just be claiming the first of them.
const LOOK_AHEAD: usize = 16;

/// With so many looked at, somebody else is busy with all of them.
const FARTHEST: usize = 100_000;

async fn claim_by_turns(
    store: &PostgresStore,
    worker: WorkerId,
    queue: &str,
    limit: usize,
) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    let mut ahead = LOOK_AHEAD;
    // One statement may leave some, and an answer that is not full must mean that there are no more.
    while claimed.len() < limit {
        let left = limit - claimed.len();
        let turn = store.turns.last(queue);
        let rows = sqlx::query(include_str!("claim_fair.sql"))
            .bind(store.time())
            .bind(worker.0)
            .bind(queue)
            .bind(rows::count(left))
            .bind(&turn)
            .bind(rows::count(left + ahead))
            .fetch_all(&store.claims)
            .await
            .map_err(failed("claiming jobs"))?;
        let more: Vec<_> = read(store, worker, queue, &rows).await?.into_iter().map(|(_, job)| job).collect();
        if rows.is_empty() {
            if ahead > FARTHEST || !tenants_wait(store, queue).await? {
                break;
            }
            ahead *= 16;
        }
        store.turns.given(queue, &turn, more.iter().map(|job| job.tenant.as_deref()));
        claimed.extend(turns::in_turn(&turn, more, |job| job.tenant.as_deref()));
    }
    Ok(claimed)
}

/// Asked only when nothing was claimed, so most claims are one short statement.
async fn tenants_wait(store: &PostgresStore, queue: &str) -> Result<bool> {
    sqlx::query_scalar(include_str!("claim_look.sql"))
        .bind(queue)
        .fetch_one(&store.claims)
        .await
        .map_err(failed("looking for jobs of tenants"))
}

/// What one statement gave.
struct Batch {
    claimed: Vec<Claimed>,
    /// Where the next may begin.
    next: Cursor,
    /// As many as were asked for, those included that cannot be read.
    full: bool,
}

async fn claim_from(
    store: &PostgresStore,
    worker: WorkerId,
    queue: &str,
    limit: usize,
    cursor: Cursor,
) -> Result<Batch> {
    let (rank, id) = cursor.start();
    let rows = sqlx::query(include_str!("claim.sql"))
        .bind(store.time())
        .bind(worker.0)
        .bind(queue)
        .bind(rows::count(limit))
        .bind(rank)
        .bind(id)
        .fetch_all(&store.claims)
        .await
        .map_err(failed("claiming jobs"))?;
    let claimed = read(store, worker, queue, &rows).await?;
    let last = claimed.last().map(|(rank, job)| (*rank, job.id.0));
    let full = rows.len() >= limit;
    let next = cursor.after(last, full);
    Ok(Batch { claimed: claimed.into_iter().map(|(_, job)| job).collect(), next, full })
}

/// In the order of their ranks. What SQL could write and nobody can read ends here: it must not keep the jobs
/// that were claimed with it, nor come again with the next claim.
pub async fn read(
    store: &PostgresStore,
    worker: WorkerId,
    queue: &str,
    rows: &[PgRow],
) -> Result<Vec<(Micros, Claimed)>> {
    let (mut claimed, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
    let reading = failed_each("reading a claimed job");
    for row in rows {
        match read_claim(row, worker, queue) {
            Ok(job) => claimed.push((row.try_get(4).map_err(reading)?, job)),
            Err(problem) => unreadable.push(discarded(row, worker, &problem).map_err(reading)?),
        }
    }
    if !unreadable.is_empty() {
        super::finish::finish(store, worker, &unreadable).await?;
    }
    // The rows come in the order they lie in the table.
    claimed.sort_by_key(|(rank, job): &(Micros, Claimed)| (rank.0, job.id));
    Ok(claimed)
}

fn failed_each(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |cause| failed(doing)(cause)
}

fn discarded(row: &PgRow, worker: WorkerId, problem: &sqlx::Error) -> sqlx::Result<Report> {
    let id = JobId(row.try_get(0)?);
    let error = format!("the job was enqueued with what cannot be read: {problem}");
    tracing::error!(job.id = %id, "job {id}: {error}");
    Ok(Report {
        held: Held { job: id, worker, fence: Fence(row.try_get(1)?) },
        attempt: row.try_get::<i16, _>(2).map(|attempt| u16::try_from(attempt).unwrap_or(0))?,
        end: End::Discarded { error },
        ran: Duration::ZERO,
        log: Vec::new(),
    })
}

fn read_claim(row: &PgRow, worker: WorkerId, queue: &str) -> sqlx::Result<Claimed> {
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
        tags: tags(row, "tags")?,
        limited: None,
        metadata: text(row, "metadata")?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
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
