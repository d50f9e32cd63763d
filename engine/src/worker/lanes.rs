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
    /// Queues that left the next place to others, and do so once.
    left: BTreeSet<String>,
    /// Queues that had something and gave nothing.
    silent: BTreeSet<String>,
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
        if !self.for_places.is_empty() {
            self.left.clear();
        }
        self.hot.append(&mut self.for_places);
    }

    pub fn pass(&mut self, now: Duration) {
        let (hot, left) = (&mut self.hot, &mut self.left);
        self.later.retain(|queue, at| {
            let waits = *at > now;
            if !waits {
                hot.insert(queue.clone());
                left.clear();
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

    /// To which of those `behind` it in the round this queue leaves the next place of a limit that they may share. Places
    /// become free now and then, and go round as slots do, but behind the queue that had the last one.
    ///
    /// Once, until somebody had one or may have one: the other may have no limited jobs, and be heard of all the time.
    pub fn leaves_to<'a>(
        &mut self,
        queue: &str,
        behind: impl Iterator<Item = &'a String>,
    ) -> Option<&'a String> {
        let last = self.limited.as_deref()?;
        let turn = |queue: &str| (queue <= last, queue.to_owned());
        let next = behind.filter(|other| self.hot.contains(*other)).min_by_key(|other| turn(other))?;
        (turn(next) < turn(queue) && self.left.insert(queue.into())).then_some(next)
    }

    pub fn answered(&mut self, queue: &str, claim: &LimitedClaim, now: Duration) {
        if !claim.jobs.is_empty() {
            self.limited = Some(queue.into());
            self.left.clear();
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
    fn places_of_limits_go_round_whatever_slots_do() {
        let queues = ["a", "b", "c", "d"].map(String::from);
        let got = LimitedClaim { jobs: vec![claimed()], more: true, ..LimitedClaim::default() };
        let mut lanes = Lanes::default();
        // The second has jobs of the other sort and gets a slot before each place: so each round is the same.
        lanes.heard_of([&queues[0], &queues[2], &queues[3]]);
        lanes.served("b");
        let mut had = Vec::new();
        for _ in 0..6 {
            let round = lanes.round(&BTreeSet::from([queues[1].clone()]));
            assert_eq!(round, ["c", "d", "a", "b"]);
            let asks = |(place, queue): (usize, &String)| {
                let asked = lanes.hot().contains(queue);
                let leaves = lanes.leaves_to(queue, round[place + 1..].iter()).is_some();
                (asked && !leaves).then(|| queue.clone())
            };
            let first = round.iter().enumerate().find_map(asks).unwrap();
            lanes.answered(&first, &got, Duration::ZERO);
            had.push(first);
        }
        assert_eq!(had, ["c", "d", "a", "c", "d", "a"]);
    }

    /// It has none, and each enqueue has it asked again.
    #[test]
    fn a_place_is_left_once_to_a_queue_that_is_only_heard_of() {
        let [a, b] = ["a", "b"].map(String::from);
        let got =
            LimitedClaim { jobs: vec![claimed()], more: true, when_freed: true, ..LimitedClaim::default() };
        let mut lanes = Lanes::default();
        lanes.heard_of([&a]);
        lanes.answered("a", &got, Duration::ZERO);
        for leaves in [true, false, false] {
            lanes.heard_of([&b]);
            assert_eq!(lanes.leaves_to("a", [&b].into_iter()).is_some(), leaves);
            lanes.answered("b", &LimitedClaim::default(), Duration::ZERO);
        }
        lanes.freed();
        lanes.heard_of([&b]);
        assert_eq!(lanes.leaves_to("a", [&b].into_iter()), Some(&b), "there may be another place");
    }

    #[test]
    fn a_queue_that_has_something_and_gives_nothing_is_asked_again_later() {
        let queue = "mail".to_owned();
        let silent = LimitedClaim { more: true, ..LimitedClaim::default() };
        let mut lanes = Lanes::default();
        lanes.heard_of([&queue]);

        lanes.answered("mail", &silent, Duration::ZERO);
        assert!(lanes.hot().contains("mail"), "it may have looked behind its last place");
        lanes.answered("mail", &silent, Duration::ZERO);
        assert!(lanes.hot().is_empty());
        assert_eq!(lanes.next(), Some(LOCKED));

        lanes.pass(LOCKED);
        assert!(lanes.hot().contains("mail"));
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
