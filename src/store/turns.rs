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
