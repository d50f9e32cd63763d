//! Where limited jobs can be had, as the fetcher knows: queues to ask now, at a time, or when a job has ended; and whose
//! turn it is. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use store::LimitedClaim;

#[derive(Debug, Default)]
pub struct Lanes {
    hot: BTreeSet<String>,
    later: BTreeMap<String, Duration>,
    for_places: BTreeSet<String>,
    /// Queues that asked for limited jobs first when they were last asked.
    limited_first: BTreeSet<String>,
    /// The queue that got jobs in its turn last.
    served: Option<String>,
    /// The queue that got limited jobs last.
    limited: Option<String>,
    /// Queues that had something and gave nothing.
    silent: BTreeSet<String>,
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

/// The turn of a queue, for as long as there is room.
#[derive(Debug)]
pub struct Turn {
    queue: String,
    /// What it still asks for, the next at the end.
    sorts: Vec<Sort>,
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
    }

    /// When there is something to ask for that has to be waited for.
    pub fn next(&self) -> Option<Duration> {
        self.later.values().min().copied()
    }

    /// The queues to ask, in turn: where slots become free one by one, the first that is asked gets each.
    pub fn round(&self, hot: &BTreeSet<String>) -> Vec<String> {
        let mut round: Vec<_> = hot.union(&self.hot).cloned().collect();
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
        Turn { queue: queue.into(), sorts }
    }

    /// What is asked for next in this turn.
    ///
    /// Limited jobs of the queues between the one that got such last and this one come before its own: places become free
    /// now and then, and go round as slots do, but in a ring of their own. They are asked within this turn, because nobody
    /// knows whether they have any: a place that were left to one that has none would be lost.
    ///
    /// Ends: who is asked gets jobs, and with them the last place in the ring, or is not hot any more.
    pub fn next_ask(&self, turn: &mut Turn, has_room: impl Fn(&str) -> bool) -> Option<Ask> {
        let last = self.limited.as_deref().unwrap_or_default();
        let queue = turn.queue.as_str();
        loop {
            let sort = *turn.sorts.last()?;
            let asked = match sort {
                Sort::Others => Some(queue),
                Sort::Limited if !self.hot.contains(queue) => None,
                Sort::Limited => {
                    let hot = self.hot.iter().map(String::as_str);
                    let may_be_asked = hot.filter(|other| *other == queue || has_room(other));
                    may_be_asked.min_by_key(|other| (*other <= last, *other))
                }
            };
            if asked.is_none_or(|asked| asked == queue) {
                turn.sorts.pop();
            }
            if let Some(asked) = asked {
                return Some(Ask { sort, queue: asked.into() });
            }
        }
    }

    pub fn answered(&mut self, queue: &str, claim: &LimitedClaim, now: Duration) {
        if !claim.jobs.is_empty() {
            self.limited = Some(queue.into());
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
}

#[cfg(test)]
mod tests;
