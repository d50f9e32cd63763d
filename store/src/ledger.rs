//! Who may start now, who in a moment, and who must wait: the arithmetic of limits. Pure.
//!
//! A rate is kept by its *next start*, the time at which one more may begin if they come evenly (GCRA: with a
//! burst of n, n - 1 may come before it). A claim may reserve starts a short way ahead; whoever claimed them
//! holds each job until its time. How many run at once is handed in: a bound that claims raise and nobody lowers, and
//! where the limit may be near, what was counted in the jobs themselves.
//!
//! Times are nanoseconds since whatever the store counts from.

use std::collections::{BTreeMap, BTreeSet};

use crate::rule::{Lane, Rate, Rules, limit_of};

/// How far ahead starts are reserved: long enough that claiming takes no time from the rate.
pub const AHEAD: i64 = 200_000_000;

/// Whoever found that all is taken comes again when so much of it may be reserved: sooner, and it would claim jobs
/// one by one; later, and the reserve might run out before the answer is there.
const COME_AGAIN: i64 = AHEAD / 2;

/// How late a reserved start may be. Late by less than the time between two starts, it adds one to those of any
/// second and no more.
const LATE: i64 = 20_000_000;
/// Rates above a thousand in a second are kept to within a tenth of it.
const LATE_WHEN_QUICK: i64 = 100_000_000;
const QUICK: i64 = 1_000_000;

/// What the store knows of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BucketState {
    pub next_start: Option<i64>,
    pub paused_until: Option<i64>,
    /// No more jobs than these run in it. None when nobody knows, and then nothing starts where that is limited.
    pub most_running: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// At this time; with a rate, no later than so long after it.
    Start { at: i64, late: Option<i64> },
    /// Ask again at this time.
    Later(i64),
    /// Ask again when a job has ended.
    WhenFreed,
}

#[derive(Debug, Clone)]
struct Bucket {
    name: String,
    /// Without a rule it limits nothing; those who know of one rely on what is written down here all the same.
    ruled: bool,
    interval: Option<i64>,
    /// How much earlier than the next start one may begin.
    lead: i64,
    concurrency: Option<u32>,
    state: BucketState,
    touched: bool,
}

/// The lanes in question and the buckets they share, at one moment.
#[derive(Debug, Clone)]
pub struct Ledger {
    now: i64,
    buckets: Vec<Bucket>,
    lanes: Vec<Vec<usize>>,
}

impl Ledger {
    /// A bucket whose rule is gone limits nothing.
    pub fn new(now: i64, rules: &Rules, lanes: &[Lane], states: &BTreeMap<String, BucketState>) -> Self {
        let mut ledger = Self { now, buckets: Vec::new(), lanes: Vec::with_capacity(lanes.len()) };
        let mut places = BTreeMap::new();
        for lane in lanes {
            let mut its = Vec::new();
            for name in lane.buckets() {
                let place = *places.entry(name).or_insert_with(|| {
                    let rule = rules.get(limit_of(name));
                    let rate = rule.and_then(|rule| rule.rate);
                    ledger.buckets.push(Bucket {
                        name: name.to_owned(),
                        ruled: rule.is_some(),
                        interval: rate.map(|rate| rate.pace.interval()),
                        lead: rate.map_or(0, Rate::lead),
                        concurrency: rule.and_then(|rule| rule.concurrency),
                        state: states.get(name).copied().unwrap_or_default(),
                        touched: false,
                    });
                    ledger.buckets.len() - 1
                });
                its.push(place);
            }
            ledger.lanes.push(its);
        }
        ledger
    }

    /// Whether one more job of the lane may start, without taking anything.
    pub fn ask(&self, lane: usize) -> Answer {
        let (mut at, mut late) = (self.now, None::<i64>);
        for bucket in self.of(lane).filter(|bucket| bucket.ruled) {
            if let Some(until) = bucket.state.paused_until.filter(|until| *until > self.now) {
                return Answer::Later(until);
            }
            if bucket.is_full() {
                return Answer::WhenFreed;
            }
            if let Some(interval) = bucket.interval {
                let earliest = bucket.state.next_start.map_or(self.now, |next| next - bucket.lead);
                at = at.max(earliest);
                let allowed = if interval < QUICK { LATE_WHEN_QUICK } else { interval.max(LATE) };
                late = Some(late.map_or(allowed, |late| late.min(allowed)));
            }
        }
        match at > self.now + AHEAD {
            true => Answer::Later(at - COME_AGAIN),
            false => Answer::Start { at, late },
        }
    }

    /// The buckets for whose sake no job of the lane may start now.
    pub fn in_the_way(&self, lane: usize) -> impl Iterator<Item = &str> {
        self.of(lane).filter(|bucket| bucket.is_in_the_way(self.now)).map(|bucket| bucket.name.as_str())
    }

    /// As `ask`, and takes the start if there is one.
    pub fn take(&mut self, lane: usize) -> Answer {
        let answer = self.ask(lane);
        if let Answer::Start { at, .. } = answer {
            for place in &self.lanes[lane] {
                let bucket = &mut self.buckets[*place];
                if let Some(running) = &mut bucket.state.most_running {
                    *running = running.saturating_add(1);
                    bucket.touched = true;
                }
                if let Some(interval) = bucket.interval {
                    let next = bucket.state.next_start.map_or(at, |next| next.max(at));
                    bucket.state.next_start = Some(next + interval);
                    bucket.touched = true;
                }
            }
        }
        answer
    }

    /// How many jobs of each lane may be claimed, `most` in all, the lanes by turns; and how things stand if so many are.
    pub fn shares(&self, most: usize) -> (Vec<usize>, Self) {
        let mut trial = self.clone();
        let mut shares = vec![0; self.lanes.len()];
        let mut open: Vec<usize> = (0..self.lanes.len()).collect();
        let mut left = most;
        while left > 0 && !open.is_empty() {
            open.retain(|lane| {
                if left == 0 {
                    return true;
                }
                let starts = matches!(trial.take(*lane), Answer::Start { .. });
                if starts {
                    shares[*lane] += 1;
                    left -= 1;
                }
                starts
            });
        }
        (shares, trial)
    }

    pub fn is_counted(&self, lane: usize) -> bool {
        self.of(lane).any(|bucket| bucket.concurrency.is_some())
    }

    /// The buckets of which something was taken, to be stored.
    pub fn moved(&self) -> impl Iterator<Item = (&str, &BucketState)> {
        let touched = self.buckets.iter().filter(|bucket| bucket.touched);
        touched.map(|bucket| (bucket.name.as_str(), &bucket.state))
    }

    /// The buckets that stand elsewhere here than in another ledger over the same lanes, as they stand here.
    pub fn unlike<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a str, &'a BucketState)> {
        let both = self.buckets.iter().zip(&other.buckets).filter(|(here, there)| here.state != there.state);
        both.map(|(here, _)| (here.name.as_str(), &here.state))
    }

    fn of(&self, lane: usize) -> impl Iterator<Item = &Bucket> {
        self.lanes[lane].iter().map(|place| &self.buckets[*place])
    }
}

impl Bucket {
    fn is_in_the_way(&self, now: i64) -> bool {
        let paused = self.state.paused_until.is_some_and(|until| until > now);
        let early = |next| self.interval.is_some() && next - self.lead > now + AHEAD;
        self.ruled && (paused || self.is_full() || self.state.next_start.is_some_and(early))
    }

    fn is_full(&self) -> bool {
        let full = |most| self.state.most_running.is_none_or(|running| running >= most);
        self.concurrency.is_some_and(full)
    }
}

/// The buckets of these lanes, in the order in which they are to be locked.
pub fn buckets_of(lanes: &[Lane]) -> Vec<String> {
    let names: BTreeSet<&str> = lanes.iter().flat_map(Lane::buckets).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Those whose jobs must be counted before `most` more are claimed: in the others even so many have room.
pub fn uncounted<'a>(rules: &Rules, states: &'a BTreeMap<String, BucketState>, most: usize) -> Vec<&'a str> {
    let near = |(name, state): &(&'a String, &BucketState)| {
        let concurrency = rules.get(limit_of(name)).and_then(|rule| rule.concurrency);
        let more = u32::try_from(most).unwrap_or(u32::MAX);
        concurrency.is_some_and(|limit| {
            state.most_running.is_none_or(|running| running.saturating_add(more) > limit)
        })
    };
    states.iter().filter(near).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests;
