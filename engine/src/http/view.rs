//! Rows as callers see them, over HTTP and in the command line's `--json`. The shapes are promises: a field may be added,
//! never renamed or dropped.

pub mod approvals;
pub mod models;
pub mod records;
pub mod reviews;
pub mod tokens;
pub mod uploads;
pub mod users;

use std::time::Duration;

use jiff::Timestamp;
use jobkit::{JobId, LogLevel, LogLine, Progress, StepRecord};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use store::state::JobState;
use store::{ApprovalId, ApprovalRow, AttemptRow, JobDetail, JobRow, WorkerRow};

#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    #[schema(value_type = State)]
    pub state: JobState,
    /// From 1 (first) to 9 (last).
    pub priority: u8,
    /// How many attempts there were, one that runs included.
    pub attempt: u16,
    pub max_attempts: u16,
    pub run_at: Timestamp,
    pub created_at: Timestamp,
    pub claimed_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The worker that has it, or had it last.
    #[schema(value_type = Option<i32>)]
    pub worker: Option<i32>,
    pub tenant: Option<String>,
    pub tags: Vec<String>,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// As it was written.
    #[schema(value_type = Value)]
    pub args: Box<RawValue>,
    #[schema(value_type = Value)]
    pub result: Option<Box<RawValue>>,
    pub error: Option<String>,
    /// How long the last attempt ran.
    pub ran_ms: Option<f64>,
}

/// Where a job is in its life.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Scheduled,
    Available,
    Running,
    Retryable,
    Waiting,
    Completed,
    Cancelled,
    Discarded,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobInFull {
    #[serde(flatten)]
    pub job: Job,
    /// Every attempt that ended. The first success of a job without log lines is in the job alone.
    pub attempts: Vec<Attempt>,
    pub steps: Vec<Step>,
    pub progress: Option<HowFar>,
    /// Jobs that must end first.
    #[schema(value_type = Vec<Uuid>)]
    pub waits_for: Vec<JobId>,
    /// What people must approve before it runs, or did: `/v1/approvals/{id}`.
    #[schema(value_type = Option<Uuid>)]
    pub approval: Option<ApprovalId>,
}

impl JobInFull {
    pub fn approved_by(self, approval: Option<&ApprovalRow>) -> Self {
        Self { approval: approval.map(|approval| approval.id), ..self }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    pub attempt: u16,
    pub end: String,
    pub worker: Option<i32>,
    pub claimed_at: Option<Timestamp>,
    pub finished_at: Timestamp,
    pub ran_ms: f64,
    pub error: Option<String>,
    pub log: Vec<Line>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    pub at: Timestamp,
    #[schema(value_type = String)]
    pub level: LogLevel,
    pub text: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    pub name: String,
    /// The idempotency key that the other side was given.
    pub key: String,
    /// Absent while the step is begun and not done.
    #[schema(value_type = Value)]
    pub result: Option<Value>,
    pub attempt: u16,
    pub at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HowFar {
    pub done: u64,
    /// 0 when nobody knows.
    pub total: u64,
    pub message: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Worker {
    pub id: i32,
    pub name: String,
    pub version: String,
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub beat_at: Timestamp,
    pub lease_ms: f64,
    /// The queues it works; none means all.
    pub queues: Vec<String>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            queue: row.queue,
            state: row.state,
            priority: row.priority,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            run_at: row.run_at,
            created_at: row.created_at,
            claimed_at: row.claimed_at,
            finished_at: row.finished_at,
            worker: row.worker.map(|worker| worker.0),
            tenant: row.tenant,
            tags: row.tags,
            metadata: row.metadata,
            args: raw(&row.args),
            result: row.result.as_deref().map(raw),
            error: row.error,
            ran_ms: row.ran.map(millis),
        }
    }
}

impl From<JobDetail> for JobInFull {
    fn from(detail: JobDetail) -> Self {
        Self {
            job: detail.job.into(),
            attempts: detail.attempts.into_iter().map(Attempt::from).collect(),
            steps: detail.steps.into_iter().map(Step::from).collect(),
            progress: detail.progress.map(HowFar::from),
            waits_for: detail.waits_for,
            approval: None,
        }
    }
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        let line = |LogLine { at, level, text }| Line { at, level, text };
        Self {
            attempt: row.attempt,
            end: row.end,
            worker: row.worker.map(|worker| worker.0),
            claimed_at: row.claimed_at,
            finished_at: row.finished_at,
            ran_ms: millis(row.ran),
            error: row.error,
            log: row.log.into_iter().map(line).collect(),
        }
    }
}

impl From<StepRecord> for Step {
    fn from(step: StepRecord) -> Self {
        let key = step.key.as_str().to_owned();
        Self { name: step.name, key, result: step.result, attempt: step.attempt, at: step.at }
    }
}

impl From<Progress> for HowFar {
    fn from(Progress { done, total, message }: Progress) -> Self {
        Self { done, total, message }
    }
}

impl From<WorkerRow> for Worker {
    fn from(row: WorkerRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            version: row.version,
            started_at: row.started_at,
            beat_at: row.beat_at,
            lease_ms: millis(row.lease),
            queues: row.queues,
        }
    }
}

/// JSON text as it stands; what is none, as the text it is.
fn raw(text: &str) -> Box<RawValue> {
    let quoted = || RawValue::from_string(Value::from(text).to_string()).unwrap_or_default();
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| quoted())
}

pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use jobkit::StepKey;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use store::WorkerId;

    fn at() -> Timestamp {
        Timestamp::from_second(1_767_225_600).unwrap()
    }

    fn row() -> JobRow {
        JobRow {
            id: JobId(Uuid::nil()),
            kind: "a.b".into(),
            queue: "mail".into(),
            state: JobState::Discarded,
            priority: 3,
            attempt: 2,
            max_attempts: 5,
            run_at: at(),
            created_at: at(),
            claimed_at: Some(at()),
            finished_at: None,
            worker: Some(WorkerId(7)),
            tenant: Some("acme".into()),
            tags: vec!["x".into()],
            metadata: Some(json!({ "a": 1 })),
            args: r#"{"n": 1.50}"#.into(),
            result: Some("sealed".into()),
            error: Some("no".into()),
            ran: Some(Duration::from_micros(1_500)),
        }
    }

    /// Programs read these, so what stands here stays.
    #[test]
    fn shapes_are_promises() {
        let attempt = AttemptRow {
            attempt: 1,
            end: "failed".into(),
            worker: None,
            claimed_at: None,
            finished_at: at(),
            ran: Duration::from_secs(1),
            error: None,
            log: vec![LogLine { at: at(), level: LogLevel::Warn, text: "hm".into() }],
        };
        let key = StepKey::derive(row().id, "send");
        let step = StepRecord {
            name: "send".into(),
            key: key.clone(),
            result: Some(json!(3)),
            attempt: 1,
            at: at(),
        };
        let detail = JobDetail {
            job: row(),
            attempts: vec![attempt],
            steps: vec![step],
            progress: Some(Progress { done: 1, total: 2, message: "half".into() }),
            waits_for: vec![row().id],
        };
        let (id, at) = ("00000000-0000-0000-0000-000000000000", "2026-01-01T00:00:00Z");
        let shown = serde_json::to_string(&JobInFull::from(detail)).unwrap();
        assert!(shown.contains(r#""args":{"n": 1.50},"result":"sealed""#), "{shown}");
        assert_eq!(
            serde_json::from_str::<Value>(&shown).unwrap(),
            json!({
                "approval": null,
                "id": id, "kind": "a.b", "queue": "mail", "state": "discarded", "priority": 3, "attempt": 2,
                "max_attempts": 5, "run_at": at, "created_at": at, "claimed_at": at, "finished_at": null,
                "worker": 7, "tenant": "acme", "tags": ["x"], "metadata": { "a": 1 }, "args": { "n": 1.5 },
                "result": "sealed", "error": "no", "ran_ms": 1.5,
                "attempts": [{
                    "attempt": 1, "end": "failed", "worker": null, "claimed_at": null, "finished_at": at,
                    "ran_ms": 1000.0, "error": null, "log": [{ "at": at, "level": "warn", "text": "hm" }],
                }],
                "steps": [{ "name": "send", "key": key.as_str(), "result": 3, "attempt": 1, "at": at }],
                "progress": { "done": 1, "total": 2, "message": "half" },
                "waits_for": [id],
            })
        );
        let worker = WorkerRow {
            id: WorkerId(7),
            name: "here".into(),
            version: "1".into(),
            started_at: row().run_at,
            beat: 4,
            beat_at: row().run_at,
            lease: Duration::from_secs(30),
            queues: vec!["mail".into()],
        };
        assert_eq!(
            serde_json::to_value(Worker::from(worker)).unwrap(),
            json!({
                "id": 7, "name": "here", "version": "1", "started_at": at, "beat_at": at, "lease_ms": 30_000.0,
                "queues": ["mail"],
            })
        );
    }
}
