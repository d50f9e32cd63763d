//! Where limited jobs can be had, as the fetcher knows: queues to ask now, at a time, or when a job has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::store::LimitedClaim;

#[derive(Debug, Default)]
pub struct Lanes {
    hot: BTreeSet<String>,
    later: BTreeMap<String, Duration>,
    for_places: BTreeSet<String>,
    first: bool,
}

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

    pub fn hot(&self) -> &BTreeSet<String> {
        &self.hot
    }

    /// Whether limited jobs are asked for before the others in this round: a queue that always has one sort must
    /// not keep the other from being claimed.
    pub fn go_first(&mut self) -> bool {
        self.first = !self.first;
        self.first
    }

    pub fn answered(&mut self, queue: &str, claim: &LimitedClaim, now: Duration) {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_asked_again_when_there_may_be_something() {
        let second = Duration::from_secs(1);
        let queue = "mail".to_owned();
        let blocked = LimitedClaim { again: Some(second), when_freed: true, ..LimitedClaim::default() };
        let mut lanes = Lanes::default();
        lanes.heard_of([&queue]);
        assert!(lanes.hot().contains("mail"));

        lanes.answered("mail", &blocked, second);
        assert!(lanes.hot().is_empty());
        assert_eq!(lanes.next(), Some(2 * second));

        lanes.freed();
        assert!(lanes.hot().contains("mail"));
        lanes.answered("mail", &LimitedClaim { when_freed: false, ..blocked.clone() }, second);
        lanes.freed();
        assert!(lanes.hot().is_empty());

        lanes.pass(2 * second);
        assert!(lanes.hot().contains("mail"));
        lanes.answered("mail", &LimitedClaim { more: true, ..LimitedClaim::default() }, second);
        assert!(lanes.hot().contains("mail"));
        assert_eq!(lanes.next(), None);
    }
}
