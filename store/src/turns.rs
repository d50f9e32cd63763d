//! Whose turn it is among the tenants of a queue.
//!
//! Tenants stand in a ring, in the order of their names' bytes; the jobs that have no tenant count as one, whose
//! name is empty. A claim gives turns from behind the tenant that had the last one and need not look at more of
//! them than it has turns to give. A process remembers the last turn for itself, and forgets it when it ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct Turns {
    last: Mutex<HashMap<String, String>>,
}

impl Turns {
    /// The tenant of the queue that had the last turn; empty at the beginning.
    pub fn last(&self, queue: &str) -> String {
        self.lock().get(queue).cloned().unwrap_or_default()
    }

    /// A claim that began behind `before` gave these tenants a turn for each of their jobs.
    pub fn given<'a>(&self, queue: &str, before: &'a str, jobs: impl Iterator<Item = Option<&'a str>>) {
        let last = last_turn(before, jobs);
        // Most queues have no tenants, and this is asked at every claim.
        if last != before {
            self.lock().insert(queue.into(), last.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts jobs, each tenant's in the order in which they are to run, into the order of turns.
pub fn in_turn<T>(before: &str, jobs: Vec<T>, tenant: impl Fn(&T) -> Option<&str>) -> Vec<T> {
    let mut turns = HashMap::<String, usize>::new();
    let mut placed = Vec::with_capacity(jobs.len());
    for job in jobs {
        let name = tenant(&job).unwrap_or_default().to_owned();
        let turn = turns.entry(name.clone()).or_default();
        *turn += 1;
        placed.push(((*turn, name.as_str() <= before, name), job));
    }
    placed.sort_by(|(a, _), (b, _)| a.cmp(b));
    placed.into_iter().map(|(_, job)| job).collect()
}

/// Of those who had most turns the last in the ring: the round that was begun last ended with it.
fn last_turn<'a>(before: &'a str, jobs: impl Iterator<Item = Option<&'a str>>) -> &'a str {
    let mut turns = BTreeMap::<&str, usize>::new();
    for job in jobs {
        *turns.entry(job.unwrap_or_default()).or_default() += 1;
    }
    let round_the_ring = |tenant: &'a str| (tenant <= before, tenant);
    let last = turns.into_iter().max_by_key(|(tenant, turns)| (*turns, round_the_ring(tenant)));
    last.map_or(before, |(tenant, _)| tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Job(&'static str);

    impl Job {
        fn tenant(&self) -> Option<&str> {
            self.0.get(..1).filter(|name| *name != "-")
        }
    }

    #[test]
    fn jobs_run_in_the_order_of_turns() {
        for (before, claimed, order) in [
            ("", "a1 a2 b1", "a1 b1 a2"),
            ("a", "a1 a2 b1 c1 c2", "b1 c1 a1 c2 a2"),
            // Those without a tenant stand at the end of the ring.
            ("a", "a1 b1 -1 -2", "b1 -1 a1 -2"),
        ] {
            let jobs = claimed.split_whitespace().map(Job).collect();
            let placed: Vec<_> = in_turn(before, jobs, Job::tenant).iter().map(|job| job.0).collect();
            assert_eq!(placed.join(" "), order, "behind {before:?}");
        }
    }

    #[test]
    fn the_next_turn_is_behind_the_tenant_that_had_the_last_one() {
        for (before, claimed, last) in [
            ("", "", ""),
            ("b", "", "b"),
            ("", "a", "a"),
            ("", "a b c", "c"),
            // Round the end of the ring, where those without a tenant stand.
            ("b", "c - a", "a"),
            ("c", "-", ""),
            // A second round that came as far as a.
            ("", "a b c a", "a"),
            ("b", "c - a b c", "c"),
            // The others had no more.
            ("", "a b b b", "b"),
        ] {
            let jobs = claimed.split_whitespace().map(|tenant| (tenant != "-").then_some(tenant));
            assert_eq!(last_turn(before, jobs), last, "behind {before:?}: {claimed}");
        }
    }
}
