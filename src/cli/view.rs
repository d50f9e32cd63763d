//! Rows as JSON for machines. The shapes are promises: a key may be added, never renamed or dropped.

use std::time::Duration;

use engine::store::{AttemptRow, JobDetail, JobRow, WorkerRow};
use serde_json::{Value, json};

pub fn job(job: &JobRow) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "state": job.state,
        "priority": job.priority,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "run_at": job.run_at,
        "created_at": job.created_at,
        "claimed_at": job.claimed_at,
        "finished_at": job.finished_at,
        "worker": job.worker,
        "tenant": job.tenant,
        "tags": job.tags,
        "metadata": job.metadata,
        "args": value(&job.args),
        "result": job.result.as_deref().map(value),
        "error": job.error,
        "ran_ms": job.ran.map(millis),
    })
}

pub fn detail(detail: &JobDetail) -> Value {
    let mut view = job(&detail.job);
    view["attempts"] = detail.attempts.iter().map(attempt).collect();
    view["steps"] = json!(detail.steps);
    view["progress"] = json!(detail.progress);
    view["waits_for"] = json!(detail.waits_for);
    view
}

pub fn worker(worker: &WorkerRow) -> Value {
    json!({
        "id": worker.id,
        "name": worker.name,
        "version": worker.version,
        "started_at": worker.started_at,
        "beat_at": worker.beat_at,
        "lease_ms": millis(worker.lease),
        "queues": worker.queues,
    })
}

fn attempt(attempt: &AttemptRow) -> Value {
    json!({
        "attempt": attempt.attempt,
        "end": attempt.end,
        "worker": attempt.worker,
        "claimed_at": attempt.claimed_at,
        "finished_at": attempt.finished_at,
        "ran_ms": millis(attempt.ran),
        "error": attempt.error,
        "log": attempt.log,
    })
}

/// JSON text as JSON; what is none, as the text it is.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests;
