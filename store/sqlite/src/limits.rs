//! Limits on SQLite: how the verbs are reached.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{Clock, JobId};
use sqlx::Connection;

use super::lanes::{self, Claiming};
use super::row::micros;
use super::{SqliteStore, buckets, rules};
use store::limits::Stretch;
use store::rule::{Lane, Rate, Rules};
use store::{
    Actor, BucketRow, Held, HoldOff, LanedJob, LimitSet, LimitedClaim, Limits, Reserved, Result, Taken,
    Woken, WorkerId,
};

#[async_trait]
impl Limits for SqliteStore {
    async fn put_limits(&self, limits: &Rules) -> Result<()> {
        let limits = limits.clone();
        self.write("storing the limits", move |tx, now| {
            async move { rules::put_limits(tx, now, &limits).await }.boxed()
        })
        .await
    }

    async fn limits(&self) -> Result<LimitSet> {
        self.read("reading the limits", async |connection| {
            // One snapshot: the version must be that of the rules.
            let mut snapshot = connection.begin().await?;
            let set = rules::limits(&mut snapshot).await?;
            snapshot.commit().await?;
            Ok(set)
        })
        .await
    }

    async fn claim_limited(
        &self,
        worker: WorkerId,
        queue: &str,
        most: usize,
        rules: &Arc<Rules>,
        clock: &Arc<dyn Clock>,
    ) -> Result<LimitedClaim> {
        const DOING: &str = "claiming limited jobs";
        let mut stretch = Stretch::whole(&self.lane_turns.looked(queue));
        let mut claim = LimitedClaim::default();
        loop {
            // Most of the time nothing of this kind waits, and then there is no reason to ask for the write lock.
            let (now, part) = (self.now_us(), stretch.clone());
            let ring = self.read(DOING, async |c| lanes::ring(c, now, worker, queue, &part).await).await?;
            if ring.is_empty() {
                break;
            }
            let claiming = Claiming {
                worker,
                queue: queue.to_owned(),
                most,
                rules: rules.clone(),
                clock: clock.clone(),
                stretch: stretch.clone(),
                turns: Arc::clone(&self.lane_turns),
            };
            let (part, last) = self.write(DOING, move |tx, now| claiming.page(tx, now).boxed()).await?;
            self.lane_turns.look_on_behind(queue, last.as_deref());
            claim.add(part);
            let Some(last) = last else { break };
            if !claim.jobs.is_empty() {
                claim.more = true;
                break;
            }
            stretch = stretch.behind(&last);
        }
        let lanes = claim.jobs.iter().filter_map(|job| job.limited.as_ref().map(|limited| &limited.lane));
        self.lane_turns.had(queue, lanes);
        Ok(claim)
    }

    async fn laned_jobs(&self, after: Option<JobId>, most: usize, args: bool) -> Result<Vec<LanedJob>> {
        self.read("reading the lanes of jobs", async |connection| {
            rules::laned_jobs(connection, after, most, args).await
        })
        .await
    }

    async fn put_lanes(&self, lanes: &[(JobId, Option<Lane>)]) -> Result<()> {
        let lanes = lanes.to_vec();
        self.write("giving jobs their lanes", move |tx, _| {
            async move { rules::put_lanes(tx, &lanes).await }.boxed()
        })
        .await
    }

    async fn lanes_are_put(&self, version: i64) -> Result<()> {
        self.write("noting that jobs have their lanes", move |tx, _| {
            async move { rules::lanes_are_put(tx, version).await }.boxed()
        })
        .await
    }

    async fn buckets(&self) -> Result<Vec<BucketRow>> {
        self.read("listing buckets", buckets::buckets).await
    }

    async fn pause_bucket(&self, bucket: &str, until: Timestamp, by: &Actor, reason: &str) -> Result<()> {
        let (bucket, by, reason) = (bucket.to_owned(), by.clone(), reason.to_owned());
        self.write("pausing a limit", move |tx, now| {
            async move { buckets::pause(tx, now, &bucket, until, &by, &reason).await }.boxed()
        })
        .await
    }

    async fn resume_bucket(&self, bucket: &str, by: &Actor) -> Result<()> {
        let (bucket, by) = (bucket.to_owned(), by.clone());
        self.write("resuming a limit", move |tx, now| {
            async move { buckets::resume(tx, now, &bucket, &by).await }.boxed()
        })
        .await
    }

    async fn hold_off(
        &self,
        held: Held,
        what: &HoldOff,
        wait: Duration,
        by: &Actor,
        reason: &str,
    ) -> Result<()> {
        let (what, by, reason) = (what.clone(), by.clone(), reason.to_owned());
        self.write("holding off", move |tx, now| {
            async move {
                let until = now.saturating_add(micros(wait));
                buckets::hold_off(tx, now, held, &what, until, &by, &reason).await
            }
            .boxed()
        })
        .await
    }

    async fn take_starts(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken> {
        let bucket = bucket.to_owned();
        self.write("taking from a limit", move |tx, now| {
            async move { buckets::take(tx, now, &bucket, rate, count).await }.boxed()
        })
        .await
    }

    async fn reserve_starts(&self, bucket: &str, rate: Rate, count: u32) -> Result<Reserved> {
        let bucket = bucket.to_owned();
        self.write("taking from a limit", move |tx, now| {
            async move { buckets::reserve(tx, now, &bucket, rate, count).await }.boxed()
        })
        .await
    }

    async fn forget_buckets(&self, most: usize) -> Result<u64> {
        self.write("forgetting buckets at rest", move |tx, now| {
            async move { buckets::forget(tx, now, most).await }.boxed()
        })
        .await
    }

    async fn wake_for_places(&self) -> Result<()> {
        self.bell.ring(&Woken::Places);
        Ok(())
    }
}
