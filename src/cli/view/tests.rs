use engine::http::view::{Job, JobInFull, Worker};
use engine::state::JobState;
use engine::store::WorkerId;
use jiff::Timestamp;
use jobkit::{JobId, LogLevel, LogLine, Progress, StepKey, StepRecord};
use serde_json::json;
use uuid::Uuid;

use super::*;

fn row() -> JobRow {
    let at = Timestamp::from_second(1_767_225_600).unwrap();
    JobRow {
        id: JobId(Uuid::nil()),
        kind: "a.b".into(),
        queue: "mail".into(),
        state: JobState::Discarded,
        priority: 3,
        attempt: 2,
        max_attempts: 5,
        run_at: at,
        created_at: at,
        claimed_at: Some(at),
        finished_at: None,
        worker: Some(WorkerId(7)),
        tenant: Some("acme".into()),
        tags: vec!["x".into()],
        metadata: Some(json!({ "a": 1 })),
        args: "{\"n\":1}".into(),
        result: Some("sealed".into()),
        error: Some("no".into()),
        ran: Some(Duration::from_micros(1_500)),
    }
}

#[test]
fn a_job_looks_here_as_it_does_over_http() {
    let attempt = AttemptRow {
        attempt: 1,
        end: "failed".into(),
        worker: None,
        claimed_at: None,
        finished_at: row().run_at,
        ran: Duration::from_secs(1),
        error: None,
        log: vec![LogLine { at: row().run_at, level: LogLevel::Warn, text: "hm".into() }],
    };
    let step = StepRecord {
        name: "send".into(),
        key: StepKey::derive(row().id, "send"),
        result: Some(json!(3)),
        attempt: 1,
        at: row().run_at,
    };
    let detail = JobDetail {
        job: row(),
        attempts: vec![attempt],
        steps: vec![step],
        progress: Some(Progress { done: 1, total: 2, message: "half".into() }),
        waits_for: vec![row().id],
    };
    assert_eq!(serde_json::to_value(Job::from(row())).unwrap(), job(&row()));
    assert_eq!(serde_json::to_value(JobInFull::from(detail.clone())).unwrap(), super::detail(&detail));
}

#[test]
fn a_worker_looks_here_as_it_does_over_http() {
    let row = WorkerRow {
        id: WorkerId(7),
        name: "here".into(),
        version: "1".into(),
        started_at: row().run_at,
        beat: 4,
        beat_at: row().run_at,
        lease: Duration::from_secs(30),
        queues: vec!["mail".into()],
    };
    assert_eq!(serde_json::to_value(Worker::from(row.clone())).unwrap(), worker(&row));
}
