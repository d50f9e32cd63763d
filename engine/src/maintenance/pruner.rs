//! Deletes finished jobs that nobody has to keep any longer, in small bites, uploads that are over, files whose job is gone, and
//! workers long gone; and ends approvals that nobody gave in time.

use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tracing::{info, warn};

use crate::artifacts::keeper::{EVERY, Keeper};
use crate::service::Patience;
use crate::uploads::Uploads;
use store::{PruneRules, Result, Store, chain};

const BITE: usize = 2_000;

const EXPIRED_AT_ONCE: usize = 100;

const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

/// Long enough to ask after an incident which machine a worker was.
const KEEP_WORKERS: Duration = Duration::from_secs(7 * 86_400);

/// A client that has had no answer for that long asks what became of its job before it sends it again.
const KEEP_REQUESTS: Duration = Duration::from_secs(86_400);

/// So long somebody who came in from a network is known there, and a session can be asked about.
const KEEP_SESSIONS: Duration = Duration::from_secs(31 * 86_400);

pub struct Pruner {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub rules: PruneRules,
    pub uploads: Arc<Uploads>,
    pub artifacts: Keeper,
    pub every: Duration,
}

impl Pruner {
    pub async fn run(self) {
        let mut patience = Patience::new("pruning finished jobs", self.clock.clone());
        let mut pruned = 0;
        let mut next_look = Duration::ZERO;
        let mut next_sweep = Duration::ZERO;
        loop {
            let mut wait = self.every;
            match self.bite().await {
                Ok(bite) => {
                    patience.succeeded();
                    pruned += bite;
                    if bite == BITE as u64 {
                        // Others get their turn between two bites.
                        wait = Duration::from_millis(20);
                    } else if pruned > 0 {
                        info!(jobs.pruned = pruned, "pruned {pruned} finished jobs");
                        pruned = 0;
                    }
                    if bite < BITE as u64 && self.clock.steady() >= next_sweep {
                        next_sweep = self.clock.steady() + LOOK_AGAIN;
                        if let Err(problem) = self.uploads.sweep_quarantine().await {
                            warn!("files that nobody completed cannot be looked for: {}", chain(&problem));
                        }
                    }
                    if bite < BITE as u64 && self.clock.steady() >= next_look {
                        next_look = self.clock.steady() + self.look().await;
                    }
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(wait).await;
        }
    }

    /// A bucket that is away holds up nothing else. After how long to look again.
    async fn look(&self) -> Duration {
        match self.artifacts.look().await {
            Ok(_) => EVERY,
            Err(problem) => {
                warn!("the files of jobs that are gone cannot be looked through: {}", chain(&problem));
                LOOK_AGAIN
            }
        }
    }

    async fn bite(&self) -> Result<u64> {
        // Whether an approval may still be used, its own time says; this ends the job that waits for it.
        while self.store.expire_approvals(EXPIRED_AT_ONCE).await?.ids.len() == EXPIRED_AT_ONCE {}
        let bite = self.store.prune(&self.rules, BITE).await?;
        if bite < BITE as u64 {
            self.store.forget_workers(KEEP_WORKERS).await?;
            while self.store.forget_requests(KEEP_REQUESTS, BITE).await? == BITE as u64 {}
            self.store.forget_sessions(KEEP_SESSIONS, BITE).await?;
            while self.store.forget_rates(BITE).await? == BITE as u64 {}
            self.uploads.expire().await?;
        }
        Ok(bite)
    }
}
