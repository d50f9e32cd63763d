//! Says where something panicked, and never what it said: a job's last words may hold what it was given, and
//! standard error is read by others than the store. They go, sealed if need be, into the attempt's error;
//! those of our own parts are told by whoever catches them.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use jobkit::JobId;
use tracing::error;

use crate::service::panic_text;

tokio::task_local! {
    /// The job that a task runs.
    static RUNNING: JobId;
}

/// So that a panic in it can be told with its job.
pub async fn running<T>(job: JobId, attempt: impl Future<Output = T>) -> T {
    RUNNING.scope(job, attempt).await
}

/// The job that the current task runs, if it runs one.
pub fn running_job() -> Option<JobId> {
    RUNNING.try_with(|job| *job).ok()
}

/// For the life of the process, once its log lines go somewhere.
pub fn report_without_words() {
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        let job = running_job();
        let line = line(panic, std::thread::current().name().unwrap_or("without a name"), job);
        error!(job.id = job.map(tracing::field::display), backtrace, "{line}");
    }));
}

fn line(panic: &PanicHookInfo<'_>, thread: &str, job: Option<JobId>) -> String {
    let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
    let place = place.unwrap_or_else(|| "an unknown place".into());
    told(&place, thread, job, || panic_text(panic.payload()))
}

/// No job runs on the main thread, and what panics there nobody catches.
fn told(place: &str, thread: &str, job: Option<JobId>, words: impl FnOnce() -> String) -> String {
    match (job, thread) {
        (Some(job), _) => format!("job {job} panicked at {place}"),
        (None, "main") => format!("panicked at {place}: {}", words()),
        (None, thread) => format!("the thread {thread} panicked at {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place_and_with_words_only_where_no_job_can_have_said_them() {
        let job = JobId(uuid::Uuid::nil());
        for (thread, job, expected) in [
            ("worker", Some(job), format!("job {job} panicked at src/a.rs:7")),
            ("main", Some(job), format!("job {job} panicked at src/a.rs:7")),
            ("worker", None, "the thread worker panicked at src/a.rs:7".into()),
            ("main", None, "panicked at src/a.rs:7: out of luck".into()),
        ] {
            assert_eq!(told("src/a.rs:7", thread, job, || "out of luck".into()), expected);
        }
    }
}
