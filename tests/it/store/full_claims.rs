//! Full claims of limited jobs, one after the other: each may go on where the last one ended. Nothing that came in
//! meanwhile is missed, and nobody claims who could not.

use std::collections::BTreeSet;
use std::sync::Arc;

use jobkit::JobId;
use store::rule::{Lane, Rules};
use store::{Claimed, LimitedClaim, WorkerId};

use super::limits::{at_once, rules};
use crate::support::store::{QUEUE, TestStore, ada, completed, ids, promises, set};

promises![
    full_claims_miss_nothing_that_came_in_meanwhile,
    a_full_claim_after_another_gives_the_turns_that_are_due,
    a_full_claim_after_another_respects_a_pause,
    a_full_claim_after_another_gives_a_dead_worker_nothing,
    a_full_claim_after_another_keeps_the_limit,
    full_claims_of_two_processes_keep_the_limit,
    a_full_claim_that_fills_a_limit_does_not_hide_a_lane_that_has_come,
    a_beat_brings_what_is_more_urgent_to_the_front,
];

/// Large enough that it is worth to go on from its end.
const FULL: usize = 150;

impl TestStore {
    async fn full(&self, worker: WorkerId, rules: &Arc<Rules>) -> Vec<Claimed> {
        let claim = self.limited(worker, FULL, rules).await;
        assert_eq!(claim.jobs.len(), FULL);
        claim.jobs
    }

    async fn rest(&self, worker: WorkerId, rules: &Arc<Rules>) -> Vec<JobId> {
        let mut claimed = Vec::new();
        // A worker that is told that there is no more does not ask again.
        let mut more = true;
        while more {
            let claim = self.limited(worker, FULL, rules).await;
            claimed.extend(ids(&claim.jobs));
            more = claim.more;
        }
        assert_eq!(self.limited(worker, FULL, rules).await.jobs, [], "it said that there was no more");
        claimed
    }
}

async fn full_claims_miss_nothing_that_came_in_meanwhile(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 10_000)]);
    let mut all: BTreeSet<_> = set(t.add_in("x/1", 400).await);
    all.extend(t.add_in("x/2", 400).await);
    let mut claimed = ids(&t.full(worker, &rules).await);
    claimed.extend(ids(&t.full(worker, &rules).await));

    // Before where the last claim ended, in a lane that nobody knew, and one that comes back.
    let lane = |name: &str| Some(Lane::stored(name.into()));
    all.insert(t.add(|row| (row.lane, row.priority) = (lane("x/1"), 9)).await);
    all.insert(t.add(|row| (row.lane, row.priority) = (lane("x/1"), 1)).await);
    all.extend(t.add_in("x/0", 3).await);
    all.extend(t.add_in("x/3\n\tacme", 200).await);
    claimed.extend(&ids(&t.limited(worker, FULL, &rules).await.jobs)[1..]);
    assert_eq!(t.store.give_back_unheld(worker, &claimed).await.unwrap(), 1);

    claimed.extend(t.rest(worker, &rules).await);
    claimed.sort();
    assert_eq!(claimed, all.into_iter().collect::<Vec<_>>());
}

async fn a_full_claim_after_another_gives_the_turns_that_are_due(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 10_000)]);
    let lanes = ["x/1", "x/2", "x/3", "x/4"];
    for lane in lanes {
        t.add_in(lane, 200).await;
    }

    let turns = [t.full(worker, &rules).await, t.full(worker, &rules).await].concat();

    let lane_of = |job: &Claimed| job.limited.as_ref().unwrap().lane.as_str().to_owned();
    let expected: Vec<_> = lanes.iter().cycle().take(2 * FULL).copied().collect();
    assert_eq!(turns.iter().map(lane_of).collect::<Vec<_>>(), expected);
}

async fn a_full_claim_after_another_respects_a_pause(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 10_000)]);
    t.add_in("x/1", 3 * FULL).await;
    t.full(worker, &rules).await;

    t.store.pause(QUEUE, None, &ada(), "").await.unwrap();
    assert_eq!(t.limited(worker, FULL, &rules).await, LimitedClaim::default());

    t.store.resume(QUEUE, &ada()).await.unwrap();
    t.full(worker, &rules).await;
}

async fn a_full_claim_after_another_gives_a_dead_worker_nothing(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 10_000)]);
    t.add_in("x/1", 3 * FULL).await;
    t.full(worker, &rules).await;

    t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(t.limited(worker, FULL, &rules).await, LimitedClaim::default());
}

async fn a_full_claim_after_another_keeps_the_limit(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 200)]);
    t.add_in("x/1", 3 * FULL).await;
    let first = t.full(worker, &rules).await;

    let second = t.limited(worker, FULL, &rules).await;
    assert_eq!(second.jobs.len(), 200 - FULL);
    let full = t.limited(worker, FULL, &rules).await;
    assert_eq!((full.jobs.len(), full.more, full.when_freed), (0, false, true));

    t.finish(worker, &first[0], completed()).await;
    assert_eq!(t.limited(worker, FULL, &rules).await.jobs.len(), 1);
}

async fn full_claims_of_two_processes_keep_the_limit(t: TestStore) {
    let other = t.second().await;
    let (here, there) = (t.worker().await, other.worker().await);
    let rules = rules([at_once("x", 3 * FULL as u32 - 7)]);
    let all = set(t.add_in("x/1", 4 * FULL).await);

    let mut claimed = ids(&t.full(here, &rules).await);
    claimed.extend(ids(&other.full(there, &rules).await));
    let (ours, theirs) = tokio::join!(t.limited(here, FULL, &rules), other.limited(there, FULL, &rules));
    claimed.extend(ids(&ours.jobs).into_iter().chain(ids(&theirs.jobs)));

    assert_eq!((claimed.len(), set(claimed.iter().copied()).len()), (3 * FULL - 7, 3 * FULL - 7));
    assert!(set(claimed).is_subset(&all));
}

/// The worker was once told that there was no more, and had just been woken for the other lane.
async fn a_full_claim_that_fills_a_limit_does_not_hide_a_lane_that_has_come(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 2 * FULL as u32), at_once("y", 10)]);
    t.add_in("x/1", 3 * FULL).await;
    t.full(worker, &rules).await;
    let [come] = t.add_in("y/1", 1).await[..] else { panic!("one") };

    let second = t.limited(worker, FULL, &rules).await;
    let mut claimed = ids(&second.jobs);
    if second.more {
        claimed.extend(t.rest(worker, &rules).await);
    }
    assert!(claimed.contains(&come));
}

/// Where jobs are slow, many full claims are hours.
async fn a_beat_brings_what_is_more_urgent_to_the_front(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 10_000)]);
    t.add_in("x/1", 4 * FULL).await;
    t.full(worker, &rules).await;
    let urgent = t.add(|row| (row.lane, row.priority) = (Some(Lane::stored("x/1".into())), 1)).await;

    t.store.beat(worker).await.unwrap();

    assert!(ids(&t.full(worker, &rules).await).contains(&urgent));
}
