//! Publishes the rules of the configuration, keeps this process's copy fresh, and gives the jobs that wait new lanes
//! when the rules have changed.
//!
//! Another process may enqueue by the old rules for as long as its copy is fresh. So the jobs are gone through
//! twice: at once, and again when everybody knows.

use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, JobId, Registry};
use serde_json::Value;
use tracing::info;

use super::book::{Book, FRESH};
use crate::seal::{Keyring, Part, is_sealed};
use crate::service::Patience;
use crate::wake::Wake;
use store::rule::{By, Lane, Rules, Subject};
use store::{LanedJob, Result, Store};

/// Jobs that are given lanes in one go, and where their arguments say which: each may have a mebibyte of them.
const BATCH: usize = 1_000;
const BATCH_WITH_ARGS: usize = 50;

/// When every process has read the rules anew, with something on top for one that was slow.
const EVERYBODY_KNOWS: Duration = FRESH.saturating_mul(3);

/// Buckets at rest are forgotten so often, and so many at once.
const TIDY: Duration = Duration::from_secs(60);
const MOST_FORGOTTEN: usize = 10_000;

pub struct Keeper {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub book: Arc<Book>,
    pub wake: Wake,
    pub keyring: Arc<Keyring>,
    pub registry: Arc<Registry>,
    pub configured: Rules,
}

impl Keeper {
    pub async fn run(self) {
        let mut patience = Patience::new("publishing the limits", self.clock.clone());
        while let Err(problem) = self.store.put_limits(&self.configured).await {
            patience.failed(&problem).await;
        }
        patience.succeeded();
        let mut patience = Patience::new("keeping the limits", self.clock.clone());
        let mut tidied = self.clock.steady();
        loop {
            let kept = async {
                self.keep().await?;
                if self.clock.steady().saturating_sub(tidied) >= TIDY {
                    while self.store.forget_buckets(MOST_FORGOTTEN).await? >= MOST_FORGOTTEN as u64 {}
                    tidied = self.clock.steady();
                }
                Ok::<_, store::StoreError>(())
            };
            match kept.await {
                Ok(()) => {
                    patience.succeeded();
                    self.clock.sleep(FRESH).await;
                }
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }

    async fn keep(&self) -> Result<()> {
        let set = self.book.read().await?;
        if set.laned >= set.version {
            return Ok(());
        }
        let first = self.give_lanes(&set.rules).await?;
        self.clock.sleep(EVERYBODY_KNOWS).await;
        if self.book.read().await?.version != set.version {
            // Changed again: that is for the next round.
            return Ok(());
        }
        let second = self.give_lanes(&set.rules).await?;
        self.store.lanes_are_put(set.version).await?;
        info!(
            version = set.version,
            "the limits have changed: {} jobs were given other lanes",
            first + second
        );
        Ok(())
    }

    /// How many jobs have another lane than before.
    async fn give_lanes(&self, rules: &Rules) -> Result<usize> {
        let (mut after, mut changed) = (None::<JobId>, 0);
        let with_args = rules.iter().any(|rule| matches!(rule.by, By::Args(_)));
        let batch = if with_args { BATCH_WITH_ARGS } else { BATCH };
        loop {
            let jobs = self.store.laned_jobs(after, batch, with_args).await?;
            let Some(last) = jobs.last() else { break };
            after = Some(last.id);
            let lanes: Vec<_> = jobs
                .iter()
                .map(|job| (job, self.lane_of(rules, job)))
                .filter(|(job, lane)| job.lane != *lane)
                .map(|(job, lane)| (job.id, lane))
                .collect();
            if !lanes.is_empty() {
                self.store.put_lanes(&lanes).await?;
                changed += lanes.len();
            }
        }
        if changed > 0 {
            self.wake.everywhere();
        }
        Ok(changed)
    }

    /// Arguments that nobody here can open leave a job in the lane it has.
    fn lane_of(&self, rules: &Rules, job: &LanedJob) -> Option<Lane> {
        let encrypted =
            is_sealed(&job.args) || self.registry.get(&job.kind).is_some_and(|kind| kind.policy.encrypted);
        let Ok(args) = self.keyring.reveal(job.id, Part::Args, job.args.clone()) else {
            return job.lane.clone();
        };
        let args = serde_json::from_str(&args).unwrap_or(Value::Null);
        let subject = Subject {
            kind: &job.kind,
            queue: &job.queue,
            tenant: job.tenant.as_deref(),
            args: &args,
            encrypted,
        };
        rules.lane_of(subject)
    }
}
