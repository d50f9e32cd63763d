use std::collections::BTreeMap;

use jobkit::{Clock, JobId, When};
use serde_json::json;
use store::state::JobState;
use store::{AGEING, Fence, NewRow, Scope};

use crate::support::store::{TestStore, ada, completed, ids, promises, retry, seconds};

promises![
    a_claim_hands_over_everything_the_worker_needs,
    first_come_is_first_served,
    a_more_urgent_job_goes_first_and_an_old_one_ages_past_it,
    no_more_than_the_limit_is_claimed_and_nothing_twice,
    a_claim_by_turns_comes_in_the_order_of_turns,
    only_the_queue_that_was_asked_for_is_claimed_from,
    a_paused_queue_gives_none_until_it_is_resumed,
    what_is_not_due_is_not_claimed,
    every_claim_raises_the_fence,
    tenants_take_turns_however_many_jobs_one_of_them_has,
    jobs_without_a_tenant_count_as_one_tenant,
    a_tenant_with_few_jobs_leaves_its_turns_to_the_others,
    small_claims_go_round_the_tenants_too,
    every_tenant_has_its_turn_however_many_there_are,
    whatever_there_is_is_claimed_before_a_claim_is_not_full,
    after_a_beat_a_large_claim_takes_what_is_more_urgent,
    a_worker_that_was_declared_dead_claims_nothing,
    ready_queues_are_those_with_a_job_to_claim,
];

/// Where jobs are slow, a large claim may come hours after the last one.
async fn after_a_beat_a_large_claim_takes_what_is_more_urgent(t: TestStore) {
    let worker = t.worker().await;
    t.add_many(600).await;
    assert_eq!(t.claim(worker, 150).await.len(), 150);
    let urgent = t.add(|row| row.priority = 1).await;

    t.store.beat(worker).await.unwrap();

    assert!(ids(&t.claim(worker, 150).await).contains(&urgent));
}

async fn a_claim_hands_over_everything_the_worker_needs(t: TestStore) {
    let worker = t.worker().await;
    let id = t
        .add(|row| {
            row.args = r#"{"a": 1}"#.into();
            row.tenant = Some("acme".into());
            row.tags = vec!["x".into()];
            row.metadata = Some(json!({ "m": 1 }));
        })
        .await;
    t.clock.advance(seconds(3));

    let claimed = t.claim_one(worker).await;

    assert_eq!((claimed.id, claimed.kind.as_str(), claimed.queue.as_str()), (id, "test.kind", "default"));
    assert_eq!((claimed.args.as_str(), claimed.attempt, claimed.max_attempts), (r#"{"a": 1}"#, 1, 3));
    assert_eq!((claimed.tenant.as_deref(), claimed.tags), (Some("acme"), vec!["x".to_string()]));
    assert_eq!(claimed.metadata, Some(json!({ "m": 1 })));
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.worker, job.attempt), (JobState::Running, Some(worker), 1));
    assert_eq!(job.claimed_at, Some(t.clock.now()));
}

async fn first_come_is_first_served(t: TestStore) {
    let worker = t.worker().await;
    let mut wanted = Vec::new();
    for _ in 0..5 {
        wanted.push(t.add(|_| {}).await);
        t.clock.advance(seconds(1));
    }

    assert_eq!(ids(&t.claim(worker, 5).await), wanted);
}

async fn a_more_urgent_job_goes_first_and_an_old_one_ages_past_it(t: TestStore) {
    let worker = t.worker().await;
    let old = t.add(|row| row.priority = 6).await;
    t.clock.advance(AGEING / 2);
    let urgent = t.add(|row| row.priority = 5).await;
    t.clock.advance(AGEING);
    let too_late = t.add(|row| row.priority = 5).await;

    assert_eq!(ids(&t.claim(worker, 3).await), [urgent, old, too_late]);
}

async fn no_more_than_the_limit_is_claimed_and_nothing_twice(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(5).await;

    assert_eq!(ids(&t.claim(worker, 3).await), added[..3]);
    assert_eq!(ids(&t.claim(worker, 3).await), added[3..]);
    assert_eq!(t.claim(worker, 3).await, []);
}

async fn only_the_queue_that_was_asked_for_is_claimed_from(t: TestStore) {
    let worker = t.worker().await;
    let other = t.add(|row| row.queue = "other".into()).await;

    assert_eq!(t.claim(worker, 5).await, []);
    assert_eq!(ids(&t.store.claim(worker, "other", 5).await.unwrap()), [other]);
}

async fn a_paused_queue_gives_none_until_it_is_resumed(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    t.store.pause("default", None, &ada(), "month end").await.unwrap();
    assert_eq!(t.claim(worker, 5).await, []);
    let queues = t.store.queues(&Scope::Installation).await.unwrap();
    assert_eq!(queues[0].paused_by.as_deref(), Some("user:ada"));
    assert_eq!(queues[0].reason.as_deref(), Some("month end"));
    assert_eq!(queues[0].paused_at, Some(t.clock.now()));

    t.store.resume("default", &ada()).await.unwrap();
    assert_eq!(ids(&t.claim(worker, 5).await), [id]);
    assert_eq!(t.store.queues(&Scope::Installation).await.unwrap()[0].paused_at, None);
}

async fn what_is_not_due_is_not_claimed(t: TestStore) {
    let worker = t.worker().await;
    t.add(|row| row.when = When::After(seconds(1))).await;

    assert_eq!(t.claim(worker, 5).await, []);
}

async fn every_claim_raises_the_fence(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;

    let first = t.claim_one(worker).await;
    t.finish(worker, &first, store::End::GiveBack).await;
    let second = t.claim_one(worker).await;
    t.finish(worker, &second, retry(1)).await;
    t.clock.advance(seconds(1));
    t.store.stage(10).await.unwrap();
    let third = t.claim_one(worker).await;

    assert_eq!([first.fence, second.fence, third.fence], [Fence(1), Fence(2), Fence(3)]);
    assert_eq!([first.attempt, second.attempt, third.attempt], [1, 1, 2]);
}

async fn a_claim_by_turns_comes_in_the_order_of_turns(t: TestStore) {
    let worker = t.worker().await;
    let ada = add_for(&t, Some("ada"), 3).await;
    let bob = add_for(&t, Some("bob"), 1).await;
    let nobody = add_for(&t, None, 2).await;

    let wanted = [ada[0], bob[0], nobody[0], ada[1], nobody[1], ada[2]];
    assert_eq!(ids(&t.claim(worker, 6).await), wanted);
}

async fn add_for(t: &TestStore, tenant: Option<&str>, count: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(t.add(|row| row.tenant = tenant.map(str::to_owned)).await);
    }
    ids
}

async fn tenants_take_turns_however_many_jobs_one_of_them_has(t: TestStore) {
    let worker = t.worker().await;
    let big = add_for(&t, Some("big"), 50).await;
    let small = add_for(&t, Some("small"), 2).await;
    let tiny = add_for(&t, Some("tiny"), 1).await;

    let claimed = t.claim(worker, 6).await;

    let wanted = [big[0], small[0], tiny[0], big[1], small[1], big[2]];
    assert_eq!(crate::support::store::set(ids(&claimed)), crate::support::store::set(wanted));
}

async fn jobs_without_a_tenant_count_as_one_tenant(t: TestStore) {
    let worker = t.worker().await;
    let nobodys = add_for(&t, None, 10).await;
    let acme = add_for(&t, Some("acme"), 2).await;

    let claimed = t.claim(worker, 4).await;

    let wanted = [nobodys[0], acme[0], nobodys[1], acme[1]];
    assert_eq!(crate::support::store::set(ids(&claimed)), crate::support::store::set(wanted));
}

async fn a_tenant_with_few_jobs_leaves_its_turns_to_the_others(t: TestStore) {
    let worker = t.worker().await;
    let small = add_for(&t, Some("a"), 1).await;
    let big = add_for(&t, Some("b"), 40).await;

    let claimed = t.claim(worker, 30).await;

    let wanted: Vec<_> = small.iter().chain(&big[..29]).copied().collect();
    assert_eq!(crate::support::store::set(ids(&claimed)), crate::support::store::set(wanted));
}

async fn small_claims_go_round_the_tenants_too(t: TestStore) {
    let worker = t.worker().await;
    let big = add_for(&t, Some("big"), 9).await;
    let nobodys = add_for(&t, None, 2).await;
    let small = add_for(&t, Some("small"), 1).await;

    let mut claimed = Vec::new();
    for _ in 0..6 {
        claimed.push(t.claim_one(worker).await.id);
    }

    assert_eq!(claimed, [big[0], small[0], nobodys[0], big[1], nobodys[1], big[2]]);
}

async fn every_tenant_has_its_turn_however_many_there_are(t: TestStore) {
    let worker = t.worker().await;
    let rows: Vec<_> =
        (0..150).map(|n| NewRow { tenant: Some(format!("tenant-{}", n % 50)), ..t.row() }).collect();
    t.insert(&rows).await;

    // Seven claims of seven have served all but one of them.
    for round in 0..3 {
        let mut turns = BTreeMap::<String, usize>::new();
        for limit in [7, 7, 7, 7, 7, 7, 7, 1] {
            for job in t.claim(worker, limit).await {
                *turns.entry(job.tenant.unwrap()).or_default() += 1;
            }
        }
        assert_eq!((turns.len(), turns.values().max()), (50, Some(&1)), "round {round}: {turns:?}");
    }
}

async fn whatever_there_is_is_claimed_before_a_claim_is_not_full(t: TestStore) {
    let worker = t.worker().await;
    let mut added = Vec::new();
    for (tenant, count) in [(Some("a"), 40), (None, 3), (Some("b"), 1), (Some("c"), 7)] {
        added.extend(add_for(&t, tenant, count).await);
    }
    // Whoever had the last turn.
    t.claim(worker, 2).await;

    let claimed = t.claim(worker, 100).await;

    assert_eq!(claimed.len(), added.len() - 2);
    assert_eq!(t.claim(worker, 100).await, []);
}

async fn a_worker_that_was_declared_dead_claims_nothing(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(t.claim(worker, 5).await, [], "nobody would ever take the jobs away from it again");
    assert_eq!(t.state(id).await, JobState::Available);
}

async fn ready_queues_are_those_with_a_job_to_claim(t: TestStore) {
    let worker = t.worker().await;
    t.add(|row| row.queue = "paused".into()).await;
    t.add(|row| row.queue = "later".into()).await;
    t.add(|row| row.queue = "a".into()).await;
    t.add(|row| row.queue = "a".into()).await;
    t.add(|row| (row.queue, row.tenant) = ("b".into(), Some("acme".into()))).await;
    t.add(|row| (row.queue, row.when) = ("scheduled".into(), When::After(seconds(9)))).await;
    t.store.pause("paused", None, &ada(), "").await.unwrap();
    let later = t.store.claim(worker, "later", 1).await.unwrap();
    t.finish(worker, &later[0], completed()).await;

    let mut ready = t.store.ready_queues().await.unwrap();
    ready.sort();

    assert_eq!(ready, ["a", "b"]);
}
