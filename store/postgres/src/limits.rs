//! Limits on PostgreSQL: how the verbs are reached.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryFutureExt;
use jiff::Timestamp;
use jobkit::{Clock, JobId};

use super::lanes::Claiming;
use super::rows::{self, Micros};
use super::{LONG, PostgresStore, buckets, failed, rules, wake, within};
use store::limits::in_nanos;
use store::rule::{Lane, Rate, Rules};
use store::{
    Actor, BucketRow, Held, HoldOff, LanedJob, LimitSet, LimitedClaim, Limits, Reserved, Result, Taken,
    WorkerId,
};

#[async_trait]
impl Limits for PostgresStore {
    async fn put_limits(&self, limits: &Rules) -> Result<()> {
        self.answered("storing the limits", rules::put_limits(self, limits)).await
    }

    async fn limits(&self) -> Result<LimitSet> {
        self.answered("reading the limits", rules::limits(self)).await
    }

    async fn claim_limited(
        &self,
        worker: WorkerId,
        queue: &str,
        most: usize,
        rules: &Arc<Rules>,
        clock: &Arc<dyn Clock>,
    ) -> Result<LimitedClaim> {
        let claiming = Claiming { store: self, worker, queue, rules, clock: &**clock };
        self.answered("claiming limited jobs", claiming.claim(most)).await
    }

    async fn laned_jobs(&self, after: Option<JobId>, most: usize, args: bool) -> Result<Vec<LanedJob>> {
        within(LONG, "reading the lanes of jobs", rules::laned_jobs(self, after, most, args)).await
    }

    async fn put_lanes(&self, lanes: &[(JobId, Option<Lane>)]) -> Result<()> {
        within(LONG, "giving jobs their lanes", rules::put_lanes(self, lanes)).await
    }

    async fn lanes_are_put(&self, version: i64) -> Result<()> {
        let doing = "noting that jobs have their lanes";
        let noted = sqlx::query("UPDATE compline.limit_set SET laned = greatest(laned, least($1, version))")
            .bind(version)
            .execute(&self.cold)
            .map_err(failed(doing));
        self.answered(doing, noted).await.map(drop)
    }

    async fn buckets(&self) -> Result<Vec<BucketRow>> {
        within(LONG, "listing buckets", buckets::buckets(self)).await
    }

    async fn pause_bucket(&self, bucket: &str, until: Timestamp, by: &Actor, reason: &str) -> Result<()> {
        within(LONG, "pausing a limit", buckets::pause_bucket(self, bucket, until, by, reason)).await
    }

    async fn resume_bucket(&self, bucket: &str, by: &Actor) -> Result<()> {
        within(LONG, "resuming a limit", buckets::resume_bucket(self, bucket, by)).await
    }

    async fn hold_off(
        &self,
        held: Held,
        what: &HoldOff,
        wait: Duration,
        by: &Actor,
        reason: &str,
    ) -> Result<()> {
        self.answered("holding off", buckets::hold_off(self, held, what, wait, by, reason)).await
    }

    async fn take_starts(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken> {
        self.answered("taking from a limit", buckets::take(self, bucket, rate, count)).await
    }

    async fn reserve_starts(&self, bucket: &str, rate: Rate, count: u32) -> Result<Reserved> {
        self.answered("taking from a limit", buckets::reserve(self, bucket, rate, count)).await
    }

    async fn forget_buckets(&self, most: usize) -> Result<u64> {
        let doing = "forgetting buckets at rest";
        let now = self.time_now(doing).await?;
        let forgotten = sqlx::query(include_str!("forget_buckets.sql"))
            .bind(in_nanos(Timestamp::from(now).as_microsecond()))
            .bind(rows::count(most))
            .execute(&self.cold)
            .map_err(failed(doing));
        within(LONG, doing, forgotten).await.map(|done| done.rows_affected())
    }

    async fn wake_for_places(&self) -> Result<()> {
        self.tell(&[wake::PLACES.to_owned()]).await
    }
}

impl PostgresStore {
    async fn time_now(&self, doing: &'static str) -> Result<Micros> {
        sqlx::query_scalar("SELECT coalesce($1::timestamptz, clock_timestamp())")
            .bind(self.time())
            .fetch_one(&self.cold)
            .await
            .map_err(failed(doing))
    }
}
