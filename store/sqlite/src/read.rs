//! What people and programs ask about jobs and queues.

use std::collections::BTreeMap;

use jobkit::{JobId, Progress};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::row::{RowExt, attempt_row, bound, hex_list, job_row};
use super::step;
use super::writer::Done;
use store::state::JobState;
use store::{DEFAULT_PAGE, JobDetail, JobFilter, JobRow, QueueRow, Scope};

pub(super) const JOB: &str = include_str!("job.sql");
const ATTEMPTS: &str = include_str!("attempts.sql");
const PROGRESS: &str = include_str!("progress.sql");
const WAITS_FOR: &str = include_str!("waits_for.sql");
const JOBS_LIVE: &str = include_str!("jobs_live.sql");
const JOBS_ENDED: &str = include_str!("jobs_ended.sql");
const QUEUES: &str = include_str!("queues.sql");
const QUEUES_KNOWN: &str = include_str!("queues_known.sql");

pub(super) async fn job(
    connection: &mut SqliteConnection,
    scope: &Scope,
    id: JobId,
) -> Done<Option<JobDetail>> {
    let rows = sqlx::query(JOB).bind(id.0).bind(bound(scope)).fetch_all(&mut *connection).await?;
    let Some(job) = rows.first() else { return Ok(None) };
    let attempts = sqlx::query(ATTEMPTS).bind(id.0).fetch_all(&mut *connection).await?;
    let progress = sqlx::query(PROGRESS).bind(id.0).fetch_all(&mut *connection).await?;
    let waits_for = sqlx::query(WAITS_FOR).bind(id.0).bind(bound(scope)).fetch_all(&mut *connection).await?;
    Ok(Some(JobDetail {
        job: job_row(job)?,
        attempts: attempts.iter().map(attempt_row).collect::<Done<_>>()?,
        steps: step::steps(connection, id).await?,
        progress: progress
            .first()
            .map(|row| {
                Ok::<_, super::writer::Abort>(Progress {
                    done: row.small("done")?,
                    total: row.small("total")?,
                    message: row.text("message")?,
                })
            })
            .transpose()?,
        waits_for: waits_for.iter().map(|row| row.id("parent")).collect::<Done<_>>()?,
    }))
}

/// Newest first, from both tables.
pub(super) async fn jobs(
    connection: &mut SqliteConnection,
    scope: &Scope,
    filter: &JobFilter,
) -> Done<Vec<JobRow>> {
    let limit = filter.limit.unwrap_or(DEFAULT_PAGE);
    let mut jobs = Vec::new();
    for (sql, table) in [(JOBS_LIVE, Table::Live), (JOBS_ENDED, Table::Ended)] {
        let Some(mut query) = filtered(sql, scope, filter, table, limit)? else { continue };
        let rows = query.build().fetch_all(&mut *connection).await?;
        jobs.extend(rows.iter().map(job_row).collect::<Done<Vec<_>>>()?);
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    jobs.truncate(limit);
    Ok(jobs)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Live,
    Ended,
}

/// The start of a statement with its conditions, newest first; none where no state that is asked for is in the table.
/// Only the conditions that were asked for are in the statement, so each can use the index it has.
pub(super) fn filtered(
    start: &'static str,
    scope: &Scope,
    filter: &JobFilter,
    table: Table,
    limit: usize,
) -> Done<Option<QueryBuilder<Sqlite>>> {
    let here = |state: &JobState| state.is_final() == (table == Table::Ended);
    if !filter.states.is_empty() && !filter.states.iter().any(here) {
        return Ok(None);
    }
    let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(start);
    if let Some(tenant) = bound(scope) {
        sql.push(" AND tenant = ").push_bind(tenant);
    }
    if !filter.ids.is_empty() {
        sql.push(" AND id IN (SELECT unhex(value) FROM json_each(");
        sql.push_bind(hex_list(filter.ids.iter().copied())).push("))");
    }
    let states: Vec<_> = filter.states.iter().map(|state| state.name()).collect();
    for (column, wanted) in [
        ("state", serde_json::to_string(&states)?),
        ("kind", serde_json::to_string(&filter.kinds)?),
        ("queue", serde_json::to_string(&filter.queues)?),
        ("tenant", serde_json::to_string(&filter.tenants)?),
    ] {
        if wanted != "[]" {
            sql.push(" AND ").push(column).push(" IN (SELECT value FROM json_each(");
            sql.push_bind(wanted).push("))");
        }
    }
    if table == Table::Ended && !states.is_empty() && !filter.states.contains(&JobState::Completed) {
        // Follows from the states, but SQLite takes the partial index only when told so in its own words.
        sql.push(" AND state <> 'completed'");
    }
    for tag in &filter.tags {
        sql.push(" AND EXISTS (SELECT 1 FROM json_each(job.tags) WHERE value = ");
        sql.push_bind(tag.clone()).push(")");
    }
    if let Some(from) = filter.created_from {
        sql.push(" AND created_at >= ").push_bind(from.as_microsecond());
    }
    if let Some(until) = filter.created_until {
        sql.push(" AND created_at < ").push_bind(until.as_microsecond());
    }
    if let Some(part) = &filter.error {
        sql.push(" AND instr(lower(error), lower(").push_bind(part.clone()).push(")) > 0");
    }
    if let Some(before) = filter.before {
        sql.push(" AND id < ").push_bind(before.0);
    }
    sql.push(" ORDER BY id DESC LIMIT ");
    sql.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(Some(sql))
}

pub(super) async fn queues(
    connection: &mut SqliteConnection,
    scope: &Scope,
    now: i64,
) -> Done<Vec<QueueRow>> {
    let mut queues: BTreeMap<String, QueueRow> = BTreeMap::new();
    for row in &sqlx::query(QUEUES_KNOWN).bind(now).bind(bound(scope)).fetch_all(&mut *connection).await? {
        let queue = known(&mut queues, row.text("name")?);
        queue.paused_at = row.time_if_any("paused_at")?;
        queue.paused_by = row.text_if_any("paused_by")?;
        queue.reason = row.text_if_any("reason")?;
        queue.resume_at = row.time_if_any("resume_at")?;
    }
    for row in &sqlx::query(QUEUES).bind(bound(scope)).fetch_all(connection).await? {
        let queue = known(&mut queues, row.text("name")?);
        let jobs: i64 = row.try_get("jobs")?;
        queue.counts.insert(row.state("state")?, u64::try_from(jobs).unwrap_or(0));
        queue.oldest = queue.oldest.or(row.time_if_any("oldest")?);
    }
    Ok(queues.into_values().collect())
}

fn known(queues: &mut BTreeMap<String, QueueRow>, name: String) -> &mut QueueRow {
    queues.entry(name.clone()).or_insert_with(|| QueueRow {
        name,
        paused_at: None,
        paused_by: None,
        reason: None,
        resume_at: None,
        counts: BTreeMap::new(),
        oldest: None,
    })
}
