//! Where limited jobs can be had, as the fetcher knows: queues to ask now, at a time, or when a job has ended; whose turn
//! it is; and what is put off because asking for it fails. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::service::delay;
use store::LimitedClaim;
use store::rule::Lane;

mod line;

use line::Line;

#[derive(Debug, Default)]
pub struct Lanes {
    hot: BTreeSet<String>,
    later: BTreeMap<String, Duration>,
    for_places: BTreeSet<String>,
    /// Queues that asked for limited jobs first when they were last asked.
    limited_first: BTreeSet<String>,
    /// The queue that got jobs in its turn last.
    served: Option<String>,
    /// When queues got limited jobs last, as a number that grows with each turn.
    limited: BTreeMap<String, u64>,
    turns: u64,
    line: Line,
    /// Queues that had something and gave nothing.
    silent: BTreeSet<String>,
    /// What failed when it was last asked for.
    failing: BTreeMap<Ask, Failing>,
}

#[derive(Debug, Default)]
struct Failing {
    times: u32,
    /// Until then nobody asks.
    until: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    Limited,
    Others,
}

/// What a queue is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    pub sort: Sort,
    pub queue: String,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = match self.sort {
            Sort::Limited => "limited jobs",
            Sort::Others => "jobs that nothing limits",
        };
        write!(f, "{sort} of queue `{}`", self.queue)
    }
}

/// The turn of a queue, for as long as there is room.
#[derive(Debug)]
pub struct Turn {
    queue: String,
    /// What it still asks for, the next at the end.
    sorts: Vec<Sort>,
    /// Queues that were asked in it because they have waited longer for a place.
    before: BTreeSet<String>,
}

/// When a queue is asked again whose jobs are all locked by somebody.
const LOCKED: Duration = Duration::from_millis(100);

impl Lanes {
    /// Something may be new in these queues.
    pub fn heard_of<'a>(&mut self, queues: impl IntoIterator<Item = &'a String>) {
        self.hot.extend(queues.into_iter().cloned());
    }

    /// A place in some bucket is free, nobody says which.
    pub fn freed(&mut self) {
        self.hot.append(&mut self.for_places);
    }

    pub fn pass(&mut self, now: Duration) {
        let hot = &mut self.hot;
        self.later.retain(|queue, at| {
            let waits = *at > now;
            if !waits {
                hot.insert(queue.clone());
            }
            waits
        });
        for failing in self.failing.values_mut() {
            failing.until = failing.until.filter(|until| *until > now);
        }
    }

    /// When there is something to ask for that has to be waited for.
    pub fn next(&self) -> Option<Duration> {
        let put_off = self.failing.values().filter_map(|failing| failing.until);
        self.later.values().copied().chain(put_off).min()
    }

    /// The queues to ask, in turn: where slots become free one by one, the first that is asked gets each.
    pub fn round(&self, hot: &BTreeSet<String>) -> Vec<String> {
        let limited = self.hot.iter().filter(|queue| !self.is_put_off(Sort::Limited, queue));
        let others = hot.iter().filter(|queue| !self.is_put_off(Sort::Others, queue));
        let round: BTreeSet<_> = limited.chain(others).collect();
        let mut round: Vec<_> = round.into_iter().cloned().collect();
        if let Some(last) = &self.served {
            let behind = round.partition_point(|queue| queue <= last);
            round.rotate_left(behind);
        }
        round
    }

    /// Its turn got jobs, of whatever sort.
    pub fn served(&mut self, queue: &str) {
        self.served = Some(queue.into());
    }

    /// Begins the turn of a queue, which may have jobs of the other sort. Limited ones are asked for first every other time: a
    /// queue that always has one sort must not keep its other from being claimed.
    pub fn turn(&mut self, queue: &str, others: bool) -> Turn {
        let limited_first = !self.limited_first.remove(queue) && self.limited_first.insert(queue.into());
        let mut sorts = match limited_first {
            true => vec![Sort::Others, Sort::Limited],
            false => vec![Sort::Limited, Sort::Others],
        };
        sorts.retain(|sort| others || *sort == Sort::Limited);
        Turn { queue: queue.into(), sorts, before: BTreeSet::new() }
    }

    /// What is asked for next in this turn.
    ///
    /// Before its own limited jobs come those of queues that have waited longer for a place in some bucket, once each, and then those of queues that got such
    /// jobs longer ago, unless it has waited longer than they for a place that they want as well: places become free
    /// now and then, and go round as slots do, but in rings of their own. They are asked within this turn, because nobody
    /// knows whether they have any: a place that were left to one that has none would be lost.
    ///
    /// Ends: who is asked gets jobs, and with them the last place among those, or is not hot any more, or put off.
    pub fn next_ask(&self, turn: &mut Turn, has_room: impl Fn(&str) -> bool) -> Option<Ask> {
        let Turn { queue, sorts, before } = turn;
        let queue = queue.as_str();
        loop {
            let sort = *sorts.last()?;
            let asked = match sort {
                _ if self.is_put_off(sort, queue) => None,
                Sort::Others => Some(queue),
                Sort::Limited if !self.hot.contains(queue) => None,
                Sort::Limited => {
                    let may_be_asked = |other: &&str| {
                        *other == queue || has_room(other) && !self.is_put_off(Sort::Limited, other)
                    };
                    let hot = self.hot.iter().map(String::as_str).filter(may_be_asked);
                    Some(self.first(queue, &hot.collect::<Vec<_>>(), before))
                }
            };
            if asked.is_none_or(|asked| asked == queue) {
                sorts.pop();
            }
            if let Some(asked) = asked {
                return Some(Ask { sort, queue: asked.into() });
            }
        }
    }

    /// Who is asked for limited jobs next in the turn of this queue, which is one of those that may be.
    fn first<'a>(&self, queue: &'a str, hot: &[&'a str], before: &mut BTreeSet<String>) -> &'a str {
        let waited_longer = |other: &&&str| !before.contains(**other) && self.line.is_before(other, queue);
        let waiting: Vec<&str> = hot.iter().filter(waited_longer).copied().collect();
        // Among them as well whoever has waited longest; in a circle, any.
        let nobody_is_before = |one: &&&str| waiting.iter().all(|other| !self.line.is_before(other, one));
        if let Some(other) = waiting.iter().find(nobody_is_before).or(waiting.first()) {
            before.insert((*other).to_owned());
            return other;
        }
        let had = |other: &str| self.limited.get(other).copied().unwrap_or(0);
        let gives_way = |other: &&&str| !self.line.is_before(queue, other);
        let first = hot.iter().filter(gives_way).min_by_key(|other| (had(other), **other));
        first.copied().unwrap_or(queue)
    }

    pub fn answered(&mut self, queue: &str, claim: &LimitedClaim, now: Duration) {
        let lanes = claim.jobs.iter().filter_map(|job| job.limited.as_ref()).map(|limited| &limited.lane);
        let had: BTreeSet<&str> =
            lanes.collect::<BTreeSet<_>>().into_iter().flat_map(Lane::buckets).collect();
        self.line.told(queue, &had, &claim.waits_for, !claim.more);
        if !claim.jobs.is_empty() {
            self.had_a_turn(queue);
        }
        if !claim.more {
            self.hot.remove(queue);
        }
        match claim.again {
            Some(after) => drop(self.later.insert(queue.into(), now + after)),
            None => drop(self.later.remove(queue)),
        }
        match claim.when_freed {
            true => drop(self.for_places.insert(queue.into())),
            false => drop(self.for_places.remove(queue)),
        }
        let silent = claim.jobs.is_empty() && claim.more;
        if !silent {
            self.silent.remove(queue);
        } else if !self.silent.insert(queue.into()) {
            self.hot.remove(queue);
            let again = self.later.entry(queue.into()).or_insert(now + LOCKED);
            *again = (*again).min(now + LOCKED);
        }
    }

    /// The store was away, or took too long. That counts as a turn, or a queue whose answer never comes would be asked
    /// before the others each time.
    pub fn unanswered(&mut self, ask: &Ask) {
        if ask.sort == Sort::Limited {
            self.line.leave(&ask.queue);
            self.had_a_turn(&ask.queue);
        }
    }

    fn had_a_turn(&mut self, queue: &str) {
        self.turns += 1;
        self.limited.insert(queue.into(), self.turns);
    }

    /// It failed after so long, and not because the store is away: the others go on, for as long at least as they had to
    /// wait for it and all others that fail just now. How often it has failed in a row.
    pub fn failed(&mut self, ask: &Ask, now: Duration, took: Duration) -> u32 {
        let others =
            self.failing.iter().filter(|(other, failing)| *other != ask && failing.until.is_some()).count();
        // Each of them has the others wait as long when its turn comes.
        let waited = took.saturating_mul(u32::try_from(2 * others + 1).unwrap_or(u32::MAX));
        let failing = self.failing.entry(ask.clone()).or_default();
        failing.until = Some(now + delay(failing.times).max(waited));
        failing.times = failing.times.saturating_add(1);
        failing.times
    }

    /// Whether it failed before.
    pub fn worked(&mut self, ask: &Ask) -> bool {
        self.failing.remove(ask).is_some()
    }

    /// Forgets queues that have nothing, neither here nor among these: names come and go.
    pub fn forget_all_but(&mut self, hot: &BTreeSet<String>) {
        let waits = |queue: &String| self.later.contains_key(queue) || self.for_places.contains(queue);
        let has_some = |queue: &String| hot.contains(queue) || self.hot.contains(queue) || waits(queue);
        self.limited_first.retain(has_some);
        self.silent.retain(has_some);
        self.limited.retain(|queue, _| has_some(queue));
        self.failing.retain(|ask, failing| failing.until.is_some() || has_some(&ask.queue));
    }

    fn is_put_off(&self, sort: Sort, queue: &str) -> bool {
        let mut failing = self.failing.iter();
        failing.any(|(ask, failing)| ask.sort == sort && ask.queue == queue && failing.until.is_some())
    }
}

#[cfg(test)]
mod tests;
