//! Where limited jobs can be had, as the fetcher knows: queues to ask now, at a time, or when a job has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use store::LimitedClaim;

#[derive(Debug, Default)]
pub struct Lanes {
    hot: BTreeSet<String>,
    later: BTreeMap<String, Duration>,
    for_places: BTreeSet<String>,
    first: bool,
    /// The queue that got limited jobs last.
    last: Option<String>,
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

    /// The queues to ask, in turn. A limit that two of them share is not left to whoever comes first in the alphabet:
    /// where a place becomes free now and then, the first that is asked gets it.
    pub fn round(&self, hot: &BTreeSet<String>) -> Vec<String> {
        let mut round: Vec<_> = hot.union(&self.hot).cloned().collect();
        if let Some(last) = &self.last {
            let behind = round.partition_point(|queue| queue <= last);
            round.rotate_left(behind);
        }
        round
    }

    /// Whether limited jobs are asked for before the others in this round: a queue that always has one sort must
    /// not keep the other from being claimed.
    pub fn go_first(&mut self) -> bool {
        self.first = !self.first;
        self.first
    }

    pub fn answered(&mut self, queue: &str, claim: &LimitedClaim, now: Duration) {
        if !claim.jobs.is_empty() {
            self.last = Some(queue.into());
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

    /// Of two queues with a limit in common, each with a backlog, the later in the alphabet once got nothing at all.
    #[test]
    fn who_got_limited_jobs_last_is_asked_last() {
        let queues = ["a", "m", "z"].map(String::from);
        let hot = BTreeSet::from([queues[1].clone()]);
        let got = LimitedClaim { jobs: vec![claimed()], more: true, ..LimitedClaim::default() };
        let nothing = LimitedClaim { more: true, ..LimitedClaim::default() };
        let mut lanes = Lanes::default();
        lanes.heard_of([&queues[0], &queues[2]]);
        assert_eq!(lanes.round(&hot), ["a", "m", "z"]);

        for (queue, claim, round) in [
            ("a", &got, ["m", "z", "a"]),
            ("z", &nothing, ["m", "z", "a"]),
            ("z", &got, ["a", "m", "z"]),
            // It had none left, and may be gone from the round.
            ("k", &got, ["m", "z", "a"]),
        ] {
            lanes.answered(queue, claim, Duration::ZERO);
            assert_eq!(lanes.round(&hot), round, "after {queue}");
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
