//! The worker: claims jobs, runs each in a task of its own, records how it ended.
//!
//! ```text
//! fetcher → buffer → apalis worker → attempt (one task each) → completer
//!            lease keeper beats beside them; the bell tells the fetcher where to look
//! ```
//! They share nothing but what [`held`] says is in hand.

pub mod apalis_backend;
pub mod attempt;
pub mod buffer;
pub mod completer;
pub mod fetcher;
pub mod held;
pub mod host;
mod idle;
pub mod lanes;
pub mod late;
pub mod lease;
pub mod pace;
pub mod sealing;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use jobkit::Clock;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::limits::book::Book;
use crate::service::{Alarm, Service};
use crate::wake::Wake;
use attempt::Attempts;
use buffer::Buffer;
use completer::{Completer, Tally};
use fetcher::{FetchOptions, Fetcher};
use held::{HeldJobs, StopReason};
use idle::{Idle, stop_or_idle};
use lease::LeaseKeeper;
use pace::Pace;
use store::breaker::BreakerRules;
use store::{Report, Store, WorkerInfo};

#[derive(Debug, Clone)]
pub struct WorkerOptions {
    pub name: String,
    pub lease: Duration,
    pub shutdown_grace: Duration,
    pub breakers: BreakerRules,
    pub fetch: FetchOptions,
}

/// How many jobs a run of the worker ended, by ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Summary {
    pub completed: u64,
    /// Attempts that failed and are tried again.
    pub failed: u64,
    pub discarded: u64,
    pub cancelled: u64,
}

pub struct Worker {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub wake: Wake,
    pub attempts: Arc<Attempts>,
    pub limits: Arc<Book>,
    pub alarm: Alarm,
    pub options: WorkerOptions,
}

/// How a run of the worker ends.
pub struct Until {
    /// Stop claiming, let running jobs end.
    pub stop: CancellationToken,
    /// Do not wait for them.
    pub hard: CancellationToken,
    /// Stop when there is nothing to claim and nothing in hand.
    pub idle: bool,
}

impl Worker {
    pub async fn run(self, until: Until) -> Summary {
        let held = Arc::new(HeldJobs::default());
        let buffer = Arc::new(Buffer::default());
        let capacity = Arc::new(Notify::new());
        let pace = Arc::new(Pace::default());
        let tally = Arc::new(Tally::default());
        let slots = Arc::new(Semaphore::new(self.options.fetch.concurrency));
        let (lease, leased) = watch::channel(None);
        let (idle_looks, looks) = watch::channel(0);
        let (reports, reported) = mpsc::unbounded_channel();

        let keeper = LeaseKeeper {
            store: self.store.clone(),
            clock: self.clock.clone(),
            held: held.clone(),
            bell: self.wake.bell(),
            info: self.info(),
            patience: self.attempts.patience,
            hard: until.hard.clone(),
            lease,
        };
        let keeper = Service::start("lease keeper", &self.alarm, |stop| keeper.run(stop));
        let completer = Completer {
            store: self.store.clone(),
            clock: self.clock.clone(),
            held: held.clone(),
            wake: self.wake.clone(),
            capacity: capacity.clone(),
            tally: tally.clone(),
        };
        // By the time it is stopped everything is recorded, or the store is away for good.
        let completer = Service::start("completer", &self.alarm, |stop| async move {
            stop.run_until_cancelled(completer.run(reported)).await.unwrap_or_default();
        });
        let idle = until.idle.then(|| Idle {
            store: self.store.clone(),
            held: held.clone(),
            looks,
            lease: leased.clone(),
            queues: self.options.fetch.queues.clone(),
        });
        let fetcher = Fetcher {
            store: self.store.clone(),
            clock: self.clock.clone(),
            bell: self.wake.bell(),
            held: held.clone(),
            slots: slots.clone(),
            pace: pace.clone(),
            buffer: buffer.clone(),
            capacity: capacity.clone(),
            lease: leased,
            limits: self.limits.clone(),
            options: self.options.fetch.clone(),
            reports: reports.clone(),
            idle: idle_looks,
        };
        let timekeeper = Service::start("timekeeper", &self.alarm, {
            let (buffer, clock) = (buffer.clone(), self.clock.clone());
            |stop| async move {
                stop.run_until_cancelled(buffer.keep_time(&*clock)).await.unwrap_or_default();
            }
        });
        let fetcher = Service::start("fetcher", &self.alarm, |stop| fetcher.run(stop));

        let handle = {
            let (attempts, pace, capacity) = (self.attempts.clone(), pace.clone(), capacity.clone());
            let reports = reports.clone();
            move |slotted: apalis_backend::Slotted| {
                let (attempts, pace, capacity) = (attempts.clone(), pace.clone(), capacity.clone());
                let reports = reports.clone();
                tokio::spawn(async move {
                    let report = attempts.attempt_or_panic(slotted.ready).await;
                    pace.ran(report.ran);
                    drop(slotted.slot);
                    capacity.notify_one();
                    // The completer outlives every attempt.
                    let _ = reports.send(report);
                });
            }
        };
        let closing = Closing {
            fetcher: Mutex::new(Some(fetcher)),
            buffer: buffer.clone(),
            held: held.clone(),
            reports: Mutex::new(Some(reports)),
            grace: self.options.shutdown_grace,
            patience: self.attempts.patience,
            hard: until.hard.clone(),
            clock: self.clock.clone(),
        };
        let closing = Arc::new(closing);
        let stop = stop_or_idle(until.stop.clone(), idle);
        let close = move || closing.clone().close().boxed();
        // In a task, so that a job goes to its slot without leaving the threads of the runtime.
        let name = self.options.name.clone();
        let work = apalis_backend::run(name, buffer, slots, capacity, handle, stop, close);
        if let Err(problem) = tokio::spawn(work).await {
            error!("the worker ended badly: {problem}");
        }

        timekeeper.stop().await;
        completer.stop().await;
        keeper.stop().await;
        Summary {
            completed: tally.completed.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
            discarded: tally.discarded.load(Ordering::Relaxed),
            cancelled: tally.cancelled.load(Ordering::Relaxed),
        }
    }

    fn info(&self) -> WorkerInfo {
        WorkerInfo {
            name: self.options.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            lease: self.options.lease,
            queues: self.options.fetch.queues.iter().cloned().collect(),
        }
    }
}

/// The orderly end: stop claiming, give back what has not begun, wait for what has.
struct Closing {
    fetcher: Mutex<Option<Service>>,
    buffer: Arc<Buffer>,
    held: Arc<HeldJobs>,
    reports: Mutex<Option<mpsc::UnboundedSender<Report>>>,
    grace: Duration,
    patience: Duration,
    hard: CancellationToken,
    clock: Arc<dyn Clock>,
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Closing {
    async fn close(self: Arc<Self>) {
        if let Some(fetcher) = take(&self.fetcher) {
            // What it was about to claim is in nobody's hand then, and the lease keeper gives it back.
            let limit = async {
                tokio::select! {
                    () = self.clock.sleep(LAST_CLAIM) => {}
                    () = self.hard.cancelled() => {}
                }
            };
            fetcher.stop_within(limit).await;
        }
        let Some(reports) = take(&self.reports) else { return };
        for ready in self.buffer.drain() {
            // The completer is still there: this holds one of its senders.
            let _ = reports.send(ready.give_back());
        }
        drop(reports);
        let running = self.held.len();
        if running > 0 {
            info!(jobs.running = running, "waiting for {running} jobs to end");
        }
        tokio::select! {
            () = self.held.wait_until_empty() => return,
            () = self.clock.sleep(self.grace) => {}
            () = self.hard.cancelled() => {}
        }
        self.held.stop_all(None, &StopReason::Shutdown);
        tokio::select! {
            () = self.held.wait_until_empty() => {}
            () = self.last_wait() => {
                let left = self.held.len();
                warn!(jobs.left = left, "{left} jobs could not be recorded; they run again when the lease ends");
            }
        }
    }

    /// As long as a job may take to stop, and its report to be recorded. Whoever asked twice does not wait
    /// for a store that is away.
    async fn last_wait(&self) {
        self.clock.sleep(self.patience + SHORTLY).await;
        tokio::select! {
            () = self.clock.sleep(RECORDING) => {}
            () = self.hard.cancelled() => {}
        }
    }
}

/// For the answer to a claim that is under way at the end. A database that does not answer must not keep the jobs that run from hearing of it.
const LAST_CLAIM: Duration = Duration::from_secs(2);

/// For the report of a job that had to be dropped, when the store is well.
const SHORTLY: Duration = Duration::from_millis(250);

/// For reports on top of that: a job whose end is not recorded runs again.
const RECORDING: Duration = Duration::from_secs(10);
