//! Limits in the store: the rules, the jobs that they limit, and the buckets those fall into.
//!
//! Who may start is decided by [`Ledger`], one text for both databases; they hold the buckets still meanwhile.
//! How many jobs run in a bucket is counted in the jobs themselves whenever the limit may be near, so a worker that dies
//! takes no place with it for longer than its lease.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{Clock, JobId};
use serde::Serialize;

use super::{Actor, Claimed, Held, Result, WorkerId};
use crate::ledger::{Answer, Ledger};
use crate::rule::{Lane, Rate, Rules};

#[async_trait]
pub trait Limits {
    /// Makes these the rules for everybody, with an audit entry if they are others than before.
    async fn put_limits(&self, rules: &Rules) -> Result<()>;

    async fn limits(&self) -> Result<LimitSet>;

    /// As `Store::claim`, for jobs that are limited: lanes take turns, and tenants with them. What is claimed may
    /// have a time to wait for, on the steady clock of whoever claims.
    async fn claim_limited(
        &self,
        worker: WorkerId,
        queue: &str,
        most: usize,
        rules: &Arc<Rules>,
        clock: &Arc<dyn Clock>,
    ) -> Result<LimitedClaim>;

    /// Jobs that may run or run again, by id after this one, with the lanes that they have.
    /// Without `args` they are `null`: they may be large.
    async fn laned_jobs(&self, after: Option<JobId>, most: usize, args: bool) -> Result<Vec<LanedJob>>;

    /// Gives jobs other lanes.
    async fn put_lanes(&self, lanes: &[(JobId, Option<Lane>)]) -> Result<()>;

    /// All lanes say what the rules say at this version.
    async fn lanes_are_put(&self, version: i64) -> Result<()>;

    /// Buckets that have jobs, or are paused, or whose rate is not at rest, by name.
    async fn buckets(&self) -> Result<Vec<BucketRow>>;

    /// From here on nothing starts in the bucket until then, on any machine; what runs goes on.
    async fn pause_bucket(&self, bucket: &str, until: Timestamp, by: &Actor, reason: &str) -> Result<()>;

    async fn resume_bucket(&self, bucket: &str, by: &Actor) -> Result<()>;

    /// What a running job found out: its queue, or a bucket, must rest for so long. A pause that ends later stays.
    /// Refused with `LeaseLost` when it does not hold the job any more.
    async fn hold_off(
        &self,
        held: Held,
        what: &HoldOff,
        wait: Duration,
        by: &Actor,
        reason: &str,
    ) -> Result<()>;

    /// Takes `count` of a rate at once, for what is no job: nothing is waited for, and nothing is taken when they
    /// cannot all be had.
    async fn take_starts(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken>;

    /// Sets `count` of a rate aside for whoever gives them out: a stretch of the bucket's time line, which nobody else
    /// gets. It may begin a little ahead.
    async fn reserve_starts(&self, bucket: &str, rate: Rate, count: u32) -> Result<Reserved>;

    /// Forgets buckets that are as if they had never been used, up to so many.
    async fn forget_buckets(&self, most: usize) -> Result<u64>;

    /// Tells workers elsewhere that a place in some bucket is free. Losing this costs one poll.
    async fn wake_for_places(&self) -> Result<()>;
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimitSet {
    pub version: i64,
    /// The version that the lanes of all jobs say.
    pub laned: i64,
    pub rules: Rules,
}

/// Where a job stands among the limited, and when it may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    pub lane: Lane,
    /// By the steady clock of whoever claimed.
    pub start: Option<StartWindow>,
    /// Whether its end frees a place that somebody may wait for.
    pub counted: bool,
}

/// Not before and not after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartWindow {
    pub from: Duration,
    pub until: Duration,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimitedClaim {
    pub jobs: Vec<Claimed>,
    /// There may be more to have at once.
    pub more: bool,
    /// There is more to have after so long.
    pub again: Option<Duration>,
    /// There is more to have when a job ends.
    pub when_freed: bool,
    /// The buckets for whose sake jobs of the queue wait.
    pub waits_for: BTreeSet<String>,
}

impl LimitedClaim {
    pub fn add(&mut self, other: LimitedClaim) {
        self.jobs.extend(other.jobs);
        self.more |= other.more;
        self.when_freed |= other.when_freed;
        self.waits_for.extend(other.waits_for);
        self.again = self.again.into_iter().chain(other.again).min();
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct LanedJob {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub tenant: Option<String>,
    /// As stored: sealed for an encrypted kind.
    pub args: String,
    pub lane: Option<Lane>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BucketRow {
    pub bucket: String,
    /// When the next may start if they come evenly; none when nothing started yet.
    pub next_start: Option<Timestamp>,
    pub paused_until: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    pub running: u64,
    /// Jobs that are due and have not begun.
    pub waiting: u64,
}

impl BucketRow {
    /// What is known of buckets, and the jobs that run and wait in them; by name.
    pub fn merged(
        known: impl Iterator<Item = BucketRow>,
        running: &BTreeMap<String, u64>,
        waiting: &BTreeMap<String, u64>,
    ) -> Vec<Self> {
        let mut rows: BTreeMap<String, Self> = known.map(|row| (row.bucket.clone(), row)).collect();
        for bucket in running.keys().chain(waiting.keys()) {
            rows.entry(bucket.clone()).or_insert_with(|| Self {
                bucket: bucket.clone(),
                next_start: None,
                paused_until: None,
                paused_by: None,
                reason: None,
                running: 0,
                waiting: 0,
            });
        }
        let count =
            |counts: &BTreeMap<String, u64>, bucket: &String| counts.get(bucket).copied().unwrap_or(0);
        rows.into_values()
            .map(|row| Self {
                running: count(running, &row.bucket),
                waiting: count(waiting, &row.bucket),
                ..row
            })
            .collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldOff {
    Queue(String),
    Bucket(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Granted,
    /// Nothing was taken; ask again after so long.
    Wait(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    SetAside(SetAside),
    /// So much is set aside already that it is too early for more; ask again after so long.
    Behind(Duration),
    Paused(Duration),
}

/// Of the time line of a bucket: from where to where, seen from the store's present, and what the store calls its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAside {
    pub from: Duration,
    pub upto: Duration,
    pub begins: i64,
    pub ends: i64,
}

/// As many lanes are looked at in one go.
pub const PAGE: usize = 512;

/// Behind every lane.
pub const END: &str = "\u{10ffff}";

/// Which part of the ring of lanes is looked at next: from behind `after` as far as `upto`, then from the beginning as
/// far as `around`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub after: String,
    pub upto: String,
    pub around: String,
    start: String,
}

impl Stretch {
    pub fn whole(start: &str) -> Self {
        Self { after: start.into(), upto: END.into(), around: start.into(), start: start.into() }
    }

    /// What is left behind the last lane of a full page.
    pub fn behind(self, last: &str) -> Self {
        match last > self.start.as_str() {
            true => Self { after: last.into(), ..self },
            // The page came round the ring.
            false => Self { after: last.into(), upto: self.around.clone(), around: String::new(), ..self },
        }
    }
}

/// A claimed job, as far as its place among the others goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picked {
    pub id: JobId,
    /// By its place among the lanes that were asked.
    pub lane: usize,
    pub rank: i64,
}

/// Finds lanes among those that were asked.
pub struct Places<'a> {
    of: HashMap<&'a str, usize>,
    /// Jobs of one lane mostly come together.
    last: Option<(&'a str, usize)>,
}

impl<'a> Places<'a> {
    pub fn new(lanes: &'a [Lane]) -> Self {
        let of = lanes.iter().enumerate().map(|(place, lane)| (lane.as_str(), place)).collect();
        Self { of, last: None }
    }

    pub fn find(&mut self, lane: &str) -> Option<usize> {
        if self.last.is_none_or(|(last, _)| last != lane) {
            self.last = Some(self.of.get_key_value(lane).map(|(lane, place)| (*lane, *place))?);
        }
        self.last.map(|(_, place)| place)
    }
}

/// The claimed jobs of a page in the order of turns, each with its start; and what is left to have.
pub struct Settled {
    /// In the order of their ids, each with its place in the order of turns.
    limited: Vec<(JobId, usize, Limited)>,
    rest: LimitedClaim,
}

/// Writes down what was claimed of the shares. `now` is the ledger's, and was `steady` on the claimer's clock.
pub fn settle(
    ledger: &mut Ledger,
    lanes: &[Lane],
    shares: &[usize],
    mut picked: Vec<Picked>,
    now: i64,
    steady: Duration,
) -> Settled {
    picked.sort_by_key(|job| (job.rank, job.id));
    let mut turns = vec![0; lanes.len()];
    let mut order: Vec<(usize, usize, JobId)> = Vec::with_capacity(picked.len());
    for job in &picked {
        turns[job.lane] += 1;
        order.push((turns[job.lane], job.lane, job.id));
    }
    order.sort_unstable();
    let mut limited = Vec::with_capacity(order.len());
    for (place, (_, lane, id)) in order.into_iter().enumerate() {
        let start = match ledger.take(lane) {
            Answer::Start { at, late: Some(late) } => {
                let from = steady + nanos(at - now);
                Some(StartWindow { from, until: from + nanos(late) })
            }
            _ => None,
        };
        let counted = ledger.is_counted(lane);
        limited.push((id, place, Limited { lane: lanes[lane].clone(), start, counted }));
    }
    limited.sort_unstable_by_key(|(id, ..)| *id);
    let mut rest = LimitedClaim::default();
    for lane in (0..lanes.len()).filter(|lane| turns[*lane] == shares[*lane]) {
        match ledger.ask(lane) {
            Answer::Start { .. } => rest.more = true,
            Answer::Later(at) => {
                rest.again = rest.again.into_iter().chain([nanos(at - now)]).min();
            }
            Answer::WhenFreed => rest.when_freed = true,
        }
        for bucket in ledger.in_the_way(lane) {
            if !rest.waits_for.contains(bucket) {
                rest.waits_for.insert(bucket.to_owned());
            }
        }
    }
    Settled { limited, rest }
}

impl Settled {
    /// The jobs with their starts, in the order of turns.
    pub fn apply(self, jobs: Vec<Claimed>) -> LimitedClaim {
        let of = |job: JobId| {
            let found = self.limited.binary_search_by_key(&job, |(id, ..)| *id).ok()?;
            self.limited.get(found)
        };
        let mut placed: Vec<(usize, Claimed)> = jobs
            .into_iter()
            .map(|mut job| {
                let found = of(job.id);
                job.limited = found.map(|(.., limited)| limited.clone());
                (found.map_or(usize::MAX, |(_, place, _)| *place), job)
            })
            .collect();
        placed.sort_by_key(|(place, _)| *place);
        LimitedClaim { jobs: placed.into_iter().map(|(_, job)| job).collect(), ..self.rest }
    }
}

fn nanos(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// Nanoseconds since 1970, as buckets are stored; far enough for three hundred years.
pub fn in_nanos(micros: i64) -> i64 {
    micros.saturating_mul(1_000)
}

/// When `count` of a rate may be had at once, from the bucket's next start: the answer, and the next start after it.
pub fn take_of(rate: Rate, next_start: Option<i64>, count: u32, now: i64) -> (Taken, Option<i64>) {
    let interval = rate.pace.interval();
    let lead = rate.lead();
    let next = next_start.map_or(now, |next| next.max(now));
    let after = next.saturating_add(interval.saturating_mul(i64::from(count)));
    // The last of them comes one interval before what follows.
    let earliest = after - interval - lead;
    match earliest <= now {
        true => (Taken::Granted, Some(after)),
        false => (Taken::Wait(nanos(earliest - now)), None),
    }
}

/// How far ahead of its time a stretch may be set aside: long enough to bring it to where it is given out.
const SET_ASIDE_AHEAD: i64 = 250_000_000;

/// As [`take_of`], for a stretch.
pub fn reserve_of(rate: Rate, next_start: Option<i64>, count: u32, now: i64) -> (Reserved, Option<i64>) {
    let begins = next_start.map_or(now, |next| next.max(now));
    let soonest = now.saturating_add(rate.lead()).saturating_add(SET_ASIDE_AHEAD);
    if begins > soonest {
        return (Reserved::Behind(nanos(begins - soonest)), None);
    }
    let ends = begins.saturating_add(rate.pace.interval().saturating_mul(i64::from(count)));
    let stretch = SetAside { from: nanos(begins - now), upto: nanos(ends - now), begins, ends };
    (Reserved::SetAside(stretch), Some(ends))
}

/// How many are in each bucket, from how many are in each lane.
pub fn by_bucket(lanes: impl Iterator<Item = (Lane, u64)>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (lane, count) in lanes {
        for bucket in lane.buckets() {
            *counts.entry(bucket.to_owned()).or_default() += count;
        }
    }
    counts
}
