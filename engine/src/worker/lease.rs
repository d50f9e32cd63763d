//! Keeps this process's lease: beats often enough, and when it cannot, stops all attempts before anybody
//! else may take their jobs.
//!
//! The deadline is on the steady clock, counted from before the last beat that the store confirmed, or the
//! registration, was sent. Whoever watches the beat counts from when it saw it, which is later; so the holder
//! always stops first. That clock goes on while the machine is suspended.

use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::held::{HeldJobs, StopReason};
use crate::service::Patience;
use crate::wake::Bell;
use store::{Beat, Store, StoreError, WorkerId, WorkerInfo};

/// Whoever cannot sign off in this time is taken for dead by the others, like one that was killed.
const SIGNING_OFF: Duration = Duration::from_secs(10);

/// So long where a report could not be recorded before: the store is away, and a sign-off with a job in hand is refused.
const IN_VAIN: Duration = Duration::from_secs(2);

pub struct LeaseKeeper {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub held: Arc<HeldJobs>,
    pub bell: Arc<Bell>,
    pub info: WorkerInfo,
    /// How long attempts may take to stop: the lease counts as lost that much before its end.
    pub patience: Duration,
    /// Do not wait long for the store when this is told to stop.
    pub hard: CancellationToken,
    pub lease: watch::Sender<Option<WorkerId>>,
}

impl LeaseKeeper {
    pub async fn run(self, stop: CancellationToken) {
        let mut patience = Patience::new("lease", self.clock.clone());
        loop {
            let before = self.clock.steady();
            let registered = tokio::select! {
                registered = self.store.register(&self.info) => registered,
                () = stop.cancelled() => return,
            };
            match registered {
                // Whoever watches may have declared it dead before we heard its number.
                Ok(worker) if self.left(before).is_zero() => {
                    warn!(worker.id = worker.0, "registering took the whole lease of worker {}", worker.0);
                }
                Ok(worker) => {
                    patience.succeeded();
                    self.lease.send_replace(Some(worker));
                    if self.keep(worker, before, &stop).await == Kept::UntilStopped {
                        return;
                    }
                }
                Err(problem) => {
                    tokio::select! {
                        () = patience.failed(&problem) => {}
                        () = stop.cancelled() => return,
                    }
                }
            }
        }
    }

    async fn keep(&self, worker: WorkerId, mut renewed: Duration, stop: &CancellationToken) -> Kept {
        tokio::select! {
            () = self.beat_until_lost(worker, &mut renewed) => {
                self.lease.send_replace(None);
                self.held.stop_all(Some(worker), &StopReason::LeaseLost);
                Kept::NoLonger
            }
            // Also in the middle of a beat, which a store that is away may keep for the rest of the lease.
            () = stop.cancelled() => {
                self.lease.send_replace(None);
                tokio::select! {
                    () = self.sign_off(worker) => {}
                    () = self.clock.sleep(if self.held.is_empty() { SIGNING_OFF } else { IN_VAIN }) => {}
                    () = async { self.hard.cancelled().await; self.clock.sleep(self.patience).await } => {}
                }
                Kept::UntilStopped
            }
        }
    }

    async fn beat_until_lost(&self, worker: WorkerId, renewed: &mut Duration) {
        let interval = self.info.lease / 4;
        loop {
            tokio::select! {
                // An answer may have come late: then there is less of the lease left than an interval.
                () = self.clock.sleep(interval.min(self.left(*renewed))) => {}
                () = self.bell.cancel.notified() => {}
            }
            if !self.beat(worker, renewed).await {
                return;
            }
        }
    }

    /// A row left behind would be rescued for nothing.
    async fn sign_off(&self, worker: WorkerId) {
        let mut signed_off = self.store.retire(worker).await;
        if let Err(StoreError::Refused(_)) = signed_off {
            // A claim that was given up may have happened.
            let held = self.held.ids_of(worker);
            signed_off = match self.store.give_back_unheld(worker, &held).await {
                Ok(_) => self.store.retire(worker).await,
                Err(problem) => Err(problem),
            };
        }
        if let Err(problem) = signed_off {
            info!("this worker could not sign off, and will be taken for dead: {problem}");
        }
    }

    /// Beats, trying until it works, or the lease is over: then it says false.
    async fn beat(&self, worker: WorkerId, renewed: &mut Duration) -> bool {
        let retry = self.info.lease / 20;
        loop {
            let now = self.clock.steady();
            let left = self.left(*renewed);
            if left.is_zero() {
                warn!(
                    worker.id = worker.0,
                    "worker {} lost its lease: the store did not answer in time", worker.0
                );
                return false;
            }
            let answer = tokio::select! {
                answer = self.store.beat(worker) => answer,
                // One connection may be dead and the next one not, so there is time for another try; and a store
                // that is slow has most of the time for the first.
                () = self.clock.sleep((left / 2).max(retry).min(left)) => continue,
            };
            match answer {
                Ok(Beat::Holds { cancel }) => {
                    *renewed = now;
                    for (job, reason) in cancel {
                        self.held.stop(worker, job, &StopReason::Cancelled(reason));
                    }
                    return true;
                }
                Ok(Beat::Lost) => {
                    warn!(worker.id = worker.0, "worker {} was declared dead by another process", worker.0);
                    return false;
                }
                Err(problem) => {
                    warn!(worker.id = worker.0, "beat of worker {} failed: {problem}", worker.0);
                    self.clock.sleep(retry.min(left)).await;
                }
            }
        }
    }

    /// Until attempts must be told to stop, of a lease that was asked for at `renewed`.
    fn left(&self, renewed: Duration) -> Duration {
        (renewed + self.info.lease).saturating_sub(self.clock.steady() + self.patience)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    NoLonger,
    UntilStopped,
}
