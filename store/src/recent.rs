//! Which lanes of a queue had a job last: those that have waited longest come first.
//!
//! One pointer into a ring would not do. Jobs of a lane that waits for nobody would move it behind that lane at each of their starts, and of two lanes that share
//! a place the first behind it would have each. A process remembers for itself, and forgets when it ends.
//!
//! Where a queue has more lanes than one look takes in, the looks go round the ring whoever had jobs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::rule::Lane;

/// Of more lanes than these those that had a job longest ago are forgotten, and are new when they come again.
const MOST: usize = 4_096;
const MOST_QUEUES: usize = 1_024;

#[derive(Default)]
pub struct Recent {
    queues: Mutex<HashMap<String, Queue>>,
}

#[derive(Default)]
struct Queue {
    /// Grows with each job.
    turn: u64,
    last: HashMap<Lane, u64>,
    /// The last lane of the last look, where there were more behind it.
    looked: String,
}

impl Recent {
    /// From where the lanes of a queue are looked at.
    pub fn looked(&self, queue: &str) -> String {
        self.lock().get(queue).map(|queue| queue.looked.clone()).unwrap_or_default()
    }

    /// A look ended at this lane, and there are more behind it; or it took in all lanes.
    pub fn look_on_behind(&self, queue: &str, lane: Option<&str>) {
        let mut queues = self.lock();
        match (queues.get_mut(queue), lane) {
            (Some(queue), lane) => queue.looked = lane.unwrap_or_default().to_owned(),
            (None, Some(lane)) => queues.entry(queue.to_owned()).or_default().looked = lane.to_owned(),
            (None, None) => {}
        }
    }

    /// The places of these lanes, those first that have waited longest; the others stay in their order. A lane that is new has waited from now on: others that never
    /// end must not come before one that has had its turn.
    pub fn order(&self, queue: &str, lanes: &[Lane]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..lanes.len()).collect();
        // Most of the time there is one.
        if lanes.len() > 1 {
            self.of(queue, |queue| {
                let last: Vec<u64> = lanes.iter().map(|lane| queue.last_of(lane)).collect();
                order.sort_by_key(|place| last[*place]);
            });
        }
        order
    }

    /// These lanes had a job each, in this order.
    pub fn had<'a>(&self, queue: &str, lanes: impl Iterator<Item = &'a Lane>) {
        let mut lanes = lanes.peekable();
        if lanes.peek().is_none() {
            return;
        }
        self.of(queue, |queue| {
            for lane in lanes {
                queue.turn += 1;
                match queue.last.get_mut(lane) {
                    Some(last) => *last = queue.turn,
                    None => drop(queue.last.insert(lane.clone(), queue.turn)),
                }
            }
        });
    }

    fn of(&self, queue: &str, change: impl FnOnce(&mut Queue)) {
        let mut queues = self.lock();
        let queue = match queues.get_mut(queue) {
            Some(queue) => queue,
            None => {
                // Names of queues come and go.
                if queues.len() >= MOST_QUEUES {
                    queues.clear();
                }
                queues.entry(queue.to_owned()).or_default()
            }
        };
        change(queue);
        if queue.last.len() > MOST {
            queue.forget();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn last_of(&mut self, lane: &Lane) -> u64 {
        match self.last.get(lane) {
            Some(last) => *last,
            None => {
                self.last.insert(lane.clone(), self.turn);
                self.turn
            }
        }
    }

    fn forget(&mut self) {
        let mut turns: Vec<u64> = self.last.values().copied().collect();
        turns.sort_unstable();
        let oldest = turns[turns.len() - MOST / 2];
        self.last.retain(|_, last| *last >= oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(names: &str) -> Vec<Lane> {
        names.split_whitespace().map(|name| Lane::stored(name.into())).collect()
    }

    fn order(recent: &Recent, names: &str) -> String {
        let lanes = lanes(names);
        recent.order("q", &lanes).into_iter().map(|place| lanes[place].as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lanes_that_have_waited_longest_come_first() {
        let recent = Recent::default();
        assert_eq!(order(&recent, "b c a"), "b c a");
        for (had, expected) in
            [("b", "c a b"), ("c c a", "b c a"), ("b c", "a b c"), ("", "a b c"), ("a", "b c a")]
        {
            recent.had("q", lanes(had).iter());
            assert_eq!(order(&recent, "b c a"), expected, "after {had}");
        }
    }

    /// `x` and `y` share a place that becomes free after each second job of `own`; with one pointer `x` had each.
    #[test]
    fn a_lane_that_waits_for_nobody_changes_nothing_between_those_that_share() {
        let recent = Recent::default();
        let mut had = String::new();
        for _ in 0..4 {
            recent.had("q", lanes("own own").iter());
            let next = order(&recent, "own x y").split(' ').find(|lane| *lane != "own").unwrap().to_owned();
            recent.had("q", lanes(&next).iter());
            had.push_str(&next);
        }
        assert_eq!(had, "xyxy");
    }

    #[test]
    fn looks_go_on_where_the_last_one_ended() {
        let recent = Recent::default();
        assert_eq!(recent.looked("q"), "");
        recent.look_on_behind("q", Some("m"));
        assert_eq!((recent.looked("q"), recent.looked("other")), ("m".into(), String::new()));
        recent.look_on_behind("q", None);
        assert_eq!(recent.looked("q"), "");
    }

    /// A lane with a backlog had no turn while new ones kept coming, one job each.
    #[test]
    fn lanes_that_keep_coming_do_not_pass_one_that_waits() {
        let recent = Recent::default();
        let mut had = Vec::new();
        for n in 0..6 {
            let ring = format!("n{n} n{} z", n + 1);
            let first = order(&recent, &ring)
                .split(' ')
                .find(|lane| !had.contains(&(*lane).to_owned()) || *lane == "z")
                .unwrap()
                .to_owned();
            recent.had("q", lanes(&first).iter());
            had.push(first);
        }
        assert_eq!(had, ["n0", "n1", "z", "n3", "n4", "z"].map(String::from));
    }

    #[test]
    fn lanes_and_queues_without_number_are_forgotten_and_the_newest_are_not() {
        let recent = Recent::default();
        let all: Vec<Lane> = (0..=MOST).map(|n| Lane::stored(n.to_string())).collect();
        recent.had("q", all.iter());

        let known = recent.lock().get("q").map(|queue| queue.last.len());
        assert_eq!(known, Some(MOST / 2));
        for n in 0..10 * MOST_QUEUES {
            recent.had(&n.to_string(), all[..1].iter());
            recent.had("nothing", [].iter());
        }
        assert!(recent.lock().len() <= MOST_QUEUES && !recent.lock().contains_key("nothing"));
    }
}
