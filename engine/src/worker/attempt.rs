//! One attempt, told as steps: look the kind up, open the arguments, run it guarded, decide what follows.
//!
//! Whatever a job does, an attempt ends in a [`Report`]: a panic, a time-out, arguments nobody can read and
//! a kind nobody knows are failed attempts, never a dead worker.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jobkit::{Clock, Ctx, Failure, JobInfo, LogLevel, LogLine, Outcome, Policy, Registry};
use tracing::{Instrument, Span, debug, info_span};

use super::buffer::Ready;
use super::held::{StopReason, Switch};
use super::host::AttemptHost;
use super::late::Lateness;
use super::sealing::{Differing, Sealing};
use crate::limits::limiter::Calls;
use crate::panics;
use crate::seal::{Keyring, Part, SealError, is_sealed};
use crate::service::panic_text;
use crate::trace;
use store::breaker::BreakerRules;
use store::{Claimed, End, Report, StartWindow, Store};

/// What every attempt of this process needs.
pub struct Attempts {
    pub store: Arc<dyn Store>,
    pub registry: Arc<Registry>,
    pub clock: Arc<dyn Clock>,
    pub keyring: Arc<Keyring>,
    pub queue: Arc<crate::queue::Queue>,
    pub artifacts: Arc<dyn jobkit::Artifacts>,
    pub uploads: Arc<crate::uploads::Uploads>,
    /// The kinds about which this process and whoever enqueued disagree.
    pub differing: Differing,
    pub lateness: Lateness,
    pub breakers: BreakerRules,
    pub calls: Calls,
    /// How long a job that was told to stop may take to do so before it is dropped.
    pub patience: Duration,
}

impl Attempts {
    /// A panic of ours, or of a job's value as it is dropped, ends this attempt and not the worker's hold on it.
    pub async fn attempt_or_panic(self: &Arc<Self>, ready: Ready) -> Report {
        let (held, attempt, max_attempts) = (ready.job.held(), ready.job.attempt, ready.job.max_attempts);
        // Another worker may know a kind that we do not.
        let policy = self.registry.get(&ready.job.kind).map(|kind| kind.policy.clone()).unwrap_or_default();
        let encrypted = self.is_encrypted(&ready.job, &policy);
        let started = self.clock.steady();
        // Whatever is logged while it runs belongs to the trace of the request that made it.
        let traced = trace::of_metadata(ready.job.metadata.as_ref());
        let span = traced.map_or_else(Span::none, |id| info_span!("job", job.id = %held.job, trace.id = id));
        let attempting = AssertUnwindSafe(self.attempt(ready, &policy, encrypted)).catch_unwind();
        match panics::running(held.job, attempting).instrument(span).await {
            Ok(report) => report,
            Err(panic) => {
                let ended = Ended::from(Err(panic));
                let end = decide(ended, None, attempt, max_attempts, &policy, draw(&held));
                let end = self.sealing(held.job, encrypted).end(end);
                let ran = self.clock.steady().saturating_sub(started);
                Report { held, attempt, end, ran, log: Vec::new() }
            }
        }
    }

    /// Whether what this attempt writes is sealed. Decided once for the claim: our own configuration may be newer
    /// or older than that of whoever enqueued, and what one of them calls secret is secret.
    fn is_encrypted(&self, job: &Claimed, policy: &Policy) -> bool {
        let sealed = is_sealed(&job.args);
        if sealed != policy.encrypted {
            self.differing.say_once(&job.kind, sealed);
        }
        sealed || policy.encrypted
    }

    async fn attempt(self: &Arc<Self>, ready: Ready, policy: &Policy, encrypted: bool) -> Report {
        let Ready { job, switch, .. } = ready;
        let started = self.clock.steady();
        let held = job.held();
        let (attempt, max_attempts) = (job.attempt, job.max_attempts);
        let (ended, mut log) = self.run(job, &switch, encrypted).await;
        let ran = self.clock.steady().saturating_sub(started);
        if let Ended::Failed(failure @ Failure::StoreAway(_)) = &ended {
            // Kept with the attempt. That the store is away is said once, and not for every job that meets it.
            let text = format!("could not go on, and will be run again: {}", failure.chain());
            debug!(job.id = %held.job, "job {} {text}", held.job);
            log.push(LogLine { at: self.clock.now(), level: LogLevel::Warn, text });
        }
        let end = decide(ended, switch.reason(), attempt, max_attempts, policy, draw(&held));
        let sealing = self.sealing(held.job, encrypted);
        Report { held, attempt, end: sealing.end(end), ran, log: sealing.log(log) }
    }

    fn sealing(&self, job: jobkit::JobId, encrypted: bool) -> Sealing<'_> {
        Sealing { keyring: &self.keyring, job, encrypted }
    }

    async fn run(
        self: &Arc<Self>,
        mut job: Claimed,
        switch: &Switch,
        encrypted: bool,
    ) -> (Ended, Vec<LogLine>) {
        let unbegun = |failure| (Ended::Failed(failure), Vec::new());
        if switch.reason().is_some() {
            // Stopped while it waited for a slot: it does not begin.
            return unbegun(Failure::Interrupted("stopped before it began".into()));
        }
        if let Some(start) = job.limited.as_ref().and_then(|limited| limited.start)
            && !self.wait_for(start, switch).await
        {
            debug!(job.id = %job.id, "job {} did not begin in the time that was reserved for it", job.id);
            return unbegun(Failure::Interrupted("its reserved start has passed".into()));
        }
        let Some(kind) = self.registry.get(&job.kind) else {
            // Another worker may know it; until then this is a failure like any other.
            return unbegun(Failure::transient(format!("kind `{}` is not known to this worker", job.kind)));
        };
        let policy = &kind.policy;
        if encrypted && !self.keyring.can_seal() {
            // Better before the effects than after them.
            return unbegun(Failure::transient(SealError::NoCurrentKey));
        }
        let args = match self.keyring.reveal(job.id, Part::Args, std::mem::take(&mut job.args)) {
            Ok(args) => args,
            Err(problem) => return unbegun(Failure::transient(problem)),
        };
        let lane = job.limited.take().map(|limited| limited.lane);
        let host = AttemptHost::new(self.clone(), job.held(), job.kind.clone(), encrypted, lane);
        let info = JobInfo {
            id: job.id,
            kind: job.kind,
            queue: job.queue,
            attempt: job.attempt,
            // After a crash of the database two workers may have been given the same fence.
            claim: (u64::from(job.fence.0.unsigned_abs()) << 32) | u64::from(job.worker.0.unsigned_abs()),
            max_attempts: job.max_attempts,
            tenant: job.tenant,
            tags: job.tags,
            metadata: job.metadata,
        };
        let ctx = Ctx::new(info, Arc::new(host), self.clock.clone(), switch.token.clone());
        let ended = self.run_guarded(kind.job.run(&args, &ctx), switch, policy.timeout).await;
        (ended, ctx.take_log())
    }

    /// Whether it may begin: its time has come and is not over, and nobody told it to stop.
    async fn wait_for(&self, start: StartWindow, switch: &Switch) -> bool {
        let early = start.from.saturating_sub(self.clock.steady());
        if !early.is_zero() {
            tokio::select! {
                () = self.clock.sleep(early) => {}
                () = switch.token.cancelled() => return false,
            }
        }
        self.lateness.allows(start, self.clock.steady())
    }

    /// Runs until the job ends by itself, or a while after it was told to stop.
    async fn run_guarded(
        &self,
        job: impl Future<Output = Result<Outcome, Failure>>,
        switch: &Switch,
        timeout: Option<Duration>,
    ) -> Ended {
        let job = AssertUnwindSafe(job).catch_unwind();
        tokio::pin!(job);
        // Most jobs are quick; they need no timer.
        if let Some(ended) = job.as_mut().now_or_never() {
            return Ended::from(ended);
        }
        let limit = async {
            match timeout {
                Some(timeout) => self.clock.sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = &mut job => return Ended::from(ended),
            () = switch.token.cancelled() => {}
            () = limit => switch.stop(StopReason::TimedOut),
        }
        tokio::select! {
            biased;
            ended = &mut job => Ended::from(ended),
            () = self.clock.sleep(self.patience) => Ended::Dropped,
        }
    }
}

/// How the job's future ended.
#[derive(Debug)]
pub enum Ended {
    Done(Outcome),
    Failed(Failure),
    Panicked(String),
    /// It was told to stop and did not.
    Dropped,
}

impl From<std::thread::Result<Result<Outcome, Failure>>> for Ended {
    fn from(ended: std::thread::Result<Result<Outcome, Failure>>) -> Self {
        match ended {
            Ok(Ok(outcome)) => Ended::Done(outcome),
            Ok(Err(failure)) => Ended::Failed(failure),
            Err(panic) => Ended::Panicked(panic_text(&*panic)),
        }
    }
}

/// What an attempt's end means for the job. Pure: the whole retry policy on one screen.
pub fn decide(
    ended: Ended,
    stopped: Option<&StopReason>,
    attempt: u16,
    max_attempts: u16,
    policy: &Policy,
    draw: f64,
) -> End {
    let failed = |error: String, after: Option<Duration>| match attempt >= max_attempts {
        true => End::Discarded { error: storable(error) },
        false => End::Retry {
            after: after.unwrap_or_else(|| policy.backoff.delay(attempt, draw)).min(LONGEST_WAIT),
            error: storable(error),
        },
    };
    match (ended, stopped) {
        // What was done is done, whoever asked it to stop meanwhile.
        (Ended::Done(Outcome::Completed(result)), _) => {
            End::Completed { result: result.map(|value| value.to_string()) }
        }
        (Ended::Done(Outcome::Cancelled(reason)), _) => End::Cancelled { reason: storable(reason) },
        (Ended::Failed(Failure::Permanent(_)), Some(StopReason::Cancelled(reason))) => {
            End::Cancelled { reason: reason.clone() }
        }
        (Ended::Failed(failure @ Failure::Permanent(_)), _) => {
            End::Discarded { error: storable(failure.chain()) }
        }
        (_, Some(StopReason::Cancelled(reason))) => End::Cancelled { reason: reason.clone() },
        (Ended::Done(Outcome::Snooze(after)), _) => End::Snooze { after: after.min(LONGEST_WAIT) },
        (Ended::Done(Outcome::WaitFor(jobs)), _) => End::WaitFor(jobs),
        (_, Some(StopReason::Shutdown | StopReason::LeaseLost)) => End::GiveBack,
        (Ended::Failed(Failure::NotNow { after, .. }), _) => End::Snooze { after: after.min(LONGEST_WAIT) },
        // Also when its time was over: it may have waited for the store all the while.
        (Ended::Failed(Failure::StoreAway(_)), _) => End::Snooze { after: STORE_AWAY },
        (Ended::Failed(Failure::Interrupted(_)) | Ended::Dropped, Some(StopReason::TimedOut)) => {
            failed("timed out".into(), None)
        }
        // The host told it that the lease is gone before the switch did.
        (Ended::Failed(Failure::Interrupted(_)) | Ended::Dropped, None) => End::GiveBack,
        (Ended::Failed(Failure::RetryAfter { after, cause }), _) => {
            failed(Failure::Transient(cause).chain(), Some(after))
        }
        (Ended::Failed(failure @ Failure::Transient(_)), _) => failed(failure.chain(), None),
        (Ended::Panicked(text), _) => failed(format!("panicked: {text}"), None),
    }
}

/// Long enough not to spin while the database is away, short enough to go on soon after.
const STORE_AWAY: Duration = Duration::from_secs(5);

/// A provider may say anything; beyond this no database can add it to a date.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 366 * 86_400);

/// The first of an error's words, in letters that every database can hold.
fn storable(text: String) -> String {
    const MOST: usize = 16 << 10;
    let text = if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    match text.char_indices().map(|(at, _)| at).find(|at| *at >= MOST) {
        Some(end) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number in 0..1 for the jitter: from the job's own random bits, so that it needs no generator and a
/// test can repeat it.
fn draw(held: &store::Held) -> f64 {
    let bytes = held.job.0.as_bytes();
    let bits =
        u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]).rotate_left(held.fence.0 as u32);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
