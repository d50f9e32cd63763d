//! Between the engine's types and the columns: ids are 16 bytes, times are microseconds, lists are JSON.

use std::time::Duration;

use jiff::Timestamp;
use jobkit::{JobId, StepRecord};
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::writer::{Abort, Done};
use store::state::JobState;
use store::{AGEING, AttemptRow, JobRow, Scope, WorkerId, WorkerRow};

/// As statements take a scope: none is no condition.
pub(super) fn bound(scope: &Scope) -> Option<String> {
    scope.bound().map(str::to_owned)
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The place in the queue.
pub(super) fn rank(run_at: i64, priority: u8) -> i64 {
    run_at.saturating_add((i64::from(priority) - 5) * micros(AGEING))
}

/// As `unhex` reads it back.
pub(super) fn hex(id: JobId) -> String {
    id.0.simple().to_string()
}

/// A JSON list of ids, for `json_each`.
pub(super) fn hex_list(ids: impl IntoIterator<Item = JobId>) -> String {
    let mut list = String::from("[");
    for id in ids {
        if list.len() > 1 {
            list.push(',');
        }
        list.push('"');
        list.push_str(&hex(id));
        list.push('"');
    }
    list.push(']');
    list
}

/// Ids end to end, as the audit log keeps them.
pub(super) fn packed(ids: &[JobId]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.0.as_bytes()).collect()
}

pub(super) fn unpacked(bytes: &[u8]) -> Vec<JobId> {
    bytes.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok()).map(JobId).collect()
}

fn unreadable(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Abort {
    Abort::Sql(sqlx::Error::Decode(problem.into()))
}

pub(super) trait RowExt {
    fn id(&self, column: &str) -> Done<JobId>;
    fn time(&self, column: &str) -> Done<Timestamp>;
    fn time_if_any(&self, column: &str) -> Done<Option<Timestamp>>;
    fn state(&self, column: &str) -> Done<JobState>;
    /// A small number; one that does not fit was not written by us.
    fn small<N: TryFrom<i64>>(&self, column: &str) -> Done<N>;
    fn text(&self, column: &str) -> Done<String>;
    fn text_if_any(&self, column: &str) -> Done<Option<String>>;
    fn json_if_any<T: serde::de::DeserializeOwned>(&self, column: &str) -> Done<Option<T>>;
    fn worker(&self, column: &str) -> Done<Option<WorkerId>>;
    fn duration(&self, column: &str) -> Done<Option<Duration>>;
}

impl RowExt for SqliteRow {
    fn id(&self, column: &str) -> Done<JobId> {
        Ok(JobId(self.try_get::<Uuid, _>(column)?))
    }

    fn time(&self, column: &str) -> Done<Timestamp> {
        Timestamp::from_microsecond(self.try_get(column)?).map_err(unreadable)
    }

    fn time_if_any(&self, column: &str) -> Done<Option<Timestamp>> {
        let at: Option<i64> = self.try_get(column)?;
        at.map(Timestamp::from_microsecond).transpose().map_err(unreadable)
    }

    fn state(&self, column: &str) -> Done<JobState> {
        self.try_get::<&str, _>(column)?.parse().map_err(|problem: String| unreadable(problem))
    }

    fn small<N: TryFrom<i64>>(&self, column: &str) -> Done<N> {
        let number: i64 = self.try_get(column)?;
        N::try_from(number).map_err(|_| unreadable(format!("{number} does not fit column `{column}`")))
    }

    fn text(&self, column: &str) -> Done<String> {
        Ok(self.try_get(column)?)
    }

    fn text_if_any(&self, column: &str) -> Done<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn json_if_any<T: serde::de::DeserializeOwned>(&self, column: &str) -> Done<Option<T>> {
        let text: Option<&str> = self.try_get(column)?;
        Ok(text.map(serde_json::from_str).transpose()?)
    }

    fn worker(&self, column: &str) -> Done<Option<WorkerId>> {
        Ok(self.try_get::<Option<i32>, _>(column)?.map(WorkerId))
    }

    fn duration(&self, column: &str) -> Done<Option<Duration>> {
        let micros: Option<i64> = self.try_get(column)?;
        Ok(micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
    }
}

pub(super) fn job_row(row: &SqliteRow) -> Done<JobRow> {
    Ok(JobRow {
        id: row.id("id")?,
        kind: row.text("kind")?,
        queue: row.text("queue")?,
        state: row.state("state")?,
        priority: row.small("priority")?,
        attempt: row.small("attempt")?,
        max_attempts: row.small("max_attempts")?,
        run_at: row.time("run_at")?,
        created_at: row.time("created_at")?,
        claimed_at: row.time_if_any("claimed_at")?,
        finished_at: row.time_if_any("finished_at")?,
        worker: row.worker("worker")?,
        tenant: row.text_if_any("tenant")?,
        tags: row.json_if_any("tags")?.unwrap_or_default(),
        metadata: row.json_if_any("metadata")?,
        args: row.text("args")?,
        result: row.text_if_any("result")?,
        error: row.text_if_any("error")?,
        ran: row.duration("ran_us")?,
    })
}

pub(super) fn attempt_row(row: &SqliteRow) -> Done<AttemptRow> {
    Ok(AttemptRow {
        attempt: row.small("attempt")?,
        end: row.text("ending")?,
        worker: row.worker("worker")?,
        claimed_at: row.time_if_any("claimed_at")?,
        finished_at: row.time("finished_at")?,
        ran: row.duration("ran_us")?.unwrap_or_default(),
        error: row.text_if_any("error")?,
        log: row.json_if_any("log")?.unwrap_or_default(),
    })
}

pub(super) fn step_record(row: &SqliteRow) -> Done<StepRecord> {
    // Not `json_if_any` for the result: a step may have returned nothing, which is written `null` and is
    // not the same as an intent, which has no result.
    let result = row.text_if_any("result")?.map(|text| serde_json::from_str::<Value>(&text)).transpose()?;
    Ok(StepRecord {
        name: row.text("name")?,
        key: serde_json::from_value(Value::String(row.text("key")?))?,
        result,
        attempt: row.small("attempt")?,
        at: row.time("at")?,
    })
}

pub(super) fn worker_row(row: &SqliteRow) -> Done<WorkerRow> {
    let lease_ms: u64 = row.small("lease_ms")?;
    Ok(WorkerRow {
        id: WorkerId(row.small("id")?),
        name: row.text("name")?,
        version: row.text("version")?,
        started_at: row.time("started_at")?,
        beat: row.try_get("beat")?,
        beat_at: row.time("beat_at")?,
        lease: Duration::from_millis(lease_ms),
        queues: row.json_if_any("queues")?.unwrap_or_default(),
    })
}
