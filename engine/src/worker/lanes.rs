//! Where limited jobs can be had, as the fetcher knows: queues to ask now, at a time, or when a job has ended; and whose
//! turn it is.

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
    /// The queue that got jobs last.
    served: Option<String>,
    /// The queue that got limited jobs last.
    limited: Option<String>,
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

    /// The queues to ask, in turn: where slots become free one by one, the first that is asked gets each.
    pub fn round(&self, hot: &BTreeSet<String>) -> Vec<String> {
        let mut round: Vec<_> = hot.union(&self.hot).cloned().collect();
        if let Some(last) = &self.served {
            let behind = round.partition_point(|queue| queue <= last);
            round.rotate_left(behind);
        }
        round
    }

    /// It got jobs, of whatever sort.
    pub fn served(&mut self, queue: &str) {
        self.served = Some(queue.into());
    }

    /// Whether limited jobs are asked for before the others this time: a queue that always has one sort must not keep
    /// its other from being claimed.
    pub fn go_first(&mut self, queue: &str) -> bool {
        let before = self.limited_first.remove(queue);
        !before && self.limited_first.insert(queue.into())
    }

    /// Whether limited jobs of this queue wait for those `behind` it in the round. A limit that two queues share has a
    /// place now and then, and the one that had the last place leaves the next to the other.
    pub fn leaves_to<'a>(&self, queue: &str, mut behind: impl Iterator<Item = &'a String>) -> bool {
        self.limited.as_deref() == Some(queue) && behind.any(|other| self.hot.contains(other))
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
    }
}

#[cfg(test)]
mod tests {
    use jobkit::JobId;

    use super::*;
    use store::{Claimed, Fence, WorkerId};

    fn claimed() -> Claimed {
        Claimed {
            id: JobId(uuid::Uuid::nil()),
            worker: WorkerId(1),
            fence: Fence(1),
            kind: "a.b".into(),
            queue: "a".into(),
            args: "{}".into(),
            attempt: 1,
            max_attempts: 1,
            tenant: None,
            tags: Vec::new(),
            metadata: None,
            limited: None,
        }
    }

    #[test]
    fn who_got_jobs_last_is_asked_last() {
        let hot = ["a", "m"].map(String::from).into();
        let mut lanes = Lanes::default();
        lanes.heard_of([&"z".to_owned()]);
        assert_eq!(lanes.round(&hot), ["a", "m", "z"]);
        // The last had none left, and may be gone from the round.
        for (queue, round) in [("a", ["m", "z", "a"]), ("z", ["a", "m", "z"]), ("k", ["m", "z", "a"])] {
            lanes.served(queue);
            assert_eq!(lanes.round(&hot), round, "after {queue}");
        }
    }

    /// Of two queues with a limit in common, each with a backlog, the later in the alphabet once got nothing at all.
    #[test]
    fn who_got_limited_jobs_last_leaves_the_next_place_to_others() {
        let [a, m, z] = ["a", "m", "z"].map(String::from);
        let got = LimitedClaim { jobs: vec![claimed()], more: true, ..LimitedClaim::default() };
        let mut lanes = Lanes::default();
        lanes.heard_of([&a, &z]);
        assert!(!lanes.leaves_to("a", [&m, &z].into_iter()), "it has got none");

        lanes.answered("a", &got, Duration::ZERO);

        assert!(lanes.leaves_to("a", [&m, &z].into_iter()));
        assert!(!lanes.leaves_to("a", [&m].into_iter()), "that one has nothing to ask for");
        assert!(!lanes.leaves_to("z", [&a].into_iter()));
        lanes.answered("z", &LimitedClaim::default(), Duration::ZERO);
        assert!(!lanes.leaves_to("a", [&m, &z].into_iter()), "it was asked and had none");
    }

    #[test]
    fn each_queue_asks_for_one_sort_and_then_for_the_other_first() {
        let mut lanes = Lanes::default();
        for (queue, first) in [("a", true), ("m", true), ("a", false), ("m", false), ("a", true)] {
            assert_eq!(lanes.go_first(queue), first, "{queue}");
        }
    }

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
