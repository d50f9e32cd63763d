//! What people and programs ask.

use std::time::Duration;

use jiff::Timestamp;
use jobkit::{JobId, Progress, StepKey, StepRecord};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, Row};

use super::rows::{self, Micros, job_row, text, uuids};
use super::tenants::Reader;
use super::{PostgresStore, failed};
use store::state::JobState;
use store::{
    AttemptRow, DEFAULT_PAGE, Held, JobDetail, JobFilter, JobRow, QueueRow, Result, Scope, StoreError,
    WorkerId,
};

fn given<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

pub fn unreadable(
    doing: &'static str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Database { doing, cause: cause.into() }
}

/// A statement about jobs, with the conditions bound.
pub fn filtered(
    sql: &'static str,
    scope: &Scope,
    filter: &JobFilter,
) -> Query<'static, Postgres, PgArguments> {
    // Enum arrays have no type in the driver; PostgreSQL reads the literal.
    let states: Vec<_> = filter.states.iter().map(|state| state.name()).collect();
    let states = (!states.is_empty()).then(|| format!("{{{}}}", states.join(",")));
    sqlx::query(sql)
        .bind(given(&filter.ids).map(|ids| uuids(&ids)))
        .bind(states)
        .bind(given(&filter.kinds))
        .bind(given(&filter.queues))
        .bind(given(&filter.tenants))
        .bind(given(&filter.tags))
        .bind(filter.created_from.map(Micros::from))
        .bind(filter.created_until.map(Micros::from))
        .bind(filter.error.clone())
        .bind(filter.before.map(|id| id.0))
        .bind(rows::count(filter.limit.unwrap_or(DEFAULT_PAGE)))
        .bind(scope.bound().map(str::to_owned))
}

pub async fn jobs(store: &PostgresStore, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRow>> {
    let mut reader = store.reader(scope).await?;
    let jobs = jobs_as(&mut reader, scope, filter).await?;
    reader.done().await.map_err(failed("listing jobs"))?;
    Ok(jobs)
}

async fn jobs_as(reader: &mut Reader<'_>, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRow>> {
    let doing = "listing jobs";
    let rows = reader.all(filtered(include_str!("jobs.sql"), scope, filter)).await.map_err(failed(doing))?;
    rows.iter().map(job_row).collect::<sqlx::Result<_>>().map_err(failed(doing))
}

pub async fn job(store: &PostgresStore, scope: &Scope, id: JobId) -> Result<Option<JobDetail>> {
    let mut reader = store.reader(scope).await?;
    let job = job_as(&mut reader, scope, id).await?;
    reader.done().await.map_err(failed("reading a job"))?;
    Ok(job)
}

/// What belongs to the job is read once the job was seen.
async fn job_as(reader: &mut Reader<'_>, scope: &Scope, id: JobId) -> Result<Option<JobDetail>> {
    let doing = "reading a job";
    let filter = JobFilter { ids: vec![id], limit: Some(1), ..JobFilter::default() };
    let Some(job) = jobs_as(reader, scope, &filter).await?.pop() else { return Ok(None) };
    let attempts = sqlx::query(
        "SELECT attempt, ending, worker, claimed_at, finished_at, ran_us, error, log
         FROM compline.job_attempt WHERE job_id = $1 ORDER BY fence",
    );
    let attempts = reader.all(attempts.bind(id.0)).await.map_err(failed(doing))?;
    let progress = sqlx::query("SELECT done, total, message FROM compline.job_progress WHERE job_id = $1");
    let progress = reader.first(progress.bind(id.0)).await.map_err(failed(doing))?;
    let waits_for = sqlx::query(include_str!("waits_for.sql")).bind(id.0).bind(scope.bound());
    let waits_for = reader.all(waits_for).await.map_err(failed(doing))?;
    Ok(Some(JobDetail {
        job,
        attempts: attempts.iter().map(attempt_row).collect::<Result<_>>()?,
        steps: steps(reader, id).await?,
        progress: progress.map(|row| Progress {
            done: row.get::<i64, _>(0).unsigned_abs(),
            total: row.get::<i64, _>(1).unsigned_abs(),
            message: row.get(2),
        }),
        waits_for: waits_for.iter().map(|row| JobId(row.get(0))).collect(),
    }))
}

fn attempt_row(row: &sqlx::postgres::PgRow) -> Result<AttemptRow> {
    let doing = "reading an attempt";
    let log = text(row, "log").map_err(failed(doing))?;
    Ok(AttemptRow {
        attempt: u16::try_from(row.get::<i16, _>(0)).unwrap_or(0),
        end: row.get(1),
        worker: row.get::<Option<i32>, _>(2).map(WorkerId),
        claimed_at: row.get::<Option<Micros>, _>(3).map(Timestamp::from),
        finished_at: row.get::<Micros, _>(4).into(),
        ran: Duration::from_micros(row.get::<i64, _>(5).unsigned_abs()),
        error: row.get(6),
        log: match log {
            Some(log) => serde_json::from_str(log).map_err(|error| unreadable(doing, error))?,
            None => Vec::new(),
        },
    })
}

const READING_STEPS: &str = "reading a job's steps";

async fn steps(reader: &mut Reader<'_>, job: JobId) -> Result<Vec<StepRecord>> {
    let steps = sqlx::query(
        "SELECT name, result, attempt, at FROM compline.job_step WHERE job_id = $1 ORDER BY at, name",
    );
    let rows = reader.all(steps.bind(job.0)).await.map_err(failed(READING_STEPS))?;
    rows.iter().map(|row| step_row(job, row)).collect()
}

pub async fn held_steps(store: &PostgresStore, held: Held) -> Result<Vec<StepRecord>> {
    let rows = sqlx::query(include_str!("held_steps.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .fetch_all(&store.hot)
        .await
        .map_err(failed(READING_STEPS))?;
    if rows.is_empty() {
        return Err(StoreError::LeaseLost);
    }
    let taken = rows.iter().filter(|row| row.get::<Option<&str>, _>(0).is_some());
    taken.map(|row| step_row(held.job, row)).collect()
}

fn step_row(job: JobId, row: &sqlx::postgres::PgRow) -> Result<StepRecord> {
    let name: String = row.get(0);
    let result = text(row, "result").map_err(failed(READING_STEPS))?;
    let parsed = result.map(serde_json::from_str).transpose();
    Ok(StepRecord {
        key: StepKey::derive(job, &name),
        name,
        result: parsed.map_err(|error| unreadable(READING_STEPS, error))?,
        attempt: u16::try_from(row.get::<i16, _>(2)).unwrap_or(0),
        at: row.get::<Micros, _>(3).into(),
    })
}

pub async fn queues(store: &PostgresStore, scope: &Scope) -> Result<Vec<QueueRow>> {
    let doing = "listing queues";
    let queues = match scope.bound() {
        None => sqlx::query(include_str!("queues.sql")).bind(store.time()),
        Some(tenant) => {
            sqlx::query(include_str!("queues_of_tenant.sql")).bind(store.time()).bind(tenant.to_owned())
        }
    };
    let mut reader = store.reader(scope).await?;
    let rows = reader.all(queues).await.map_err(failed(doing))?;
    reader.done().await.map_err(failed(doing))?;
    let mut queues: Vec<QueueRow> = Vec::new();
    for row in &rows {
        let name: String = row.get("name");
        if queues.last().is_none_or(|last| last.name != name) {
            queues.push(QueueRow {
                name,
                paused_at: row.get::<Option<Micros>, _>("paused_at").map(Timestamp::from),
                paused_by: row.get("paused_by"),
                reason: row.get("reason"),
                resume_at: row.get::<Option<Micros>, _>("resume_at").map(Timestamp::from),
                counts: std::collections::BTreeMap::new(),
                oldest: None,
            });
        }
        let Some(queue) = queues.last_mut() else { continue };
        if let Some(Ok(state)) = row.get::<Option<&str>, _>("state").map(str::parse::<JobState>) {
            queue.counts.insert(state, row.get::<i64, _>("count").unsigned_abs());
        }
        if let Some(oldest) = row.get::<Option<Micros>, _>("oldest") {
            queue.oldest = Some(oldest.into());
        }
    }
    Ok(queues)
}
