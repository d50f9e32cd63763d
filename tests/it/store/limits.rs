//! Limits of rate and concurrency: claims from lanes, buckets, pauses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jobkit::testing::ManualClock;
use jobkit::{Clock, JobId, OnConflict};
use serde_json::Value;
use store::rule::{By, Lane, Rate, Rule, Rules, Subject};
use store::state::JobState;
use store::{BucketRow, Change, End, LimitedClaim, NewRow, Reserved, StartWindow, Taken, Woken, WorkerId};

use crate::support::store::{QUEUE, TestStore, ada, completed, ids, promises, retry, seconds, set, unique};

promises![
    rules_are_the_same_for_everybody_and_a_change_is_audited,
    a_claim_of_what_nothing_limits_gives_no_limited_jobs,
    no_more_run_at_once_than_the_bucket_allows,
    a_place_is_free_again_however_its_job_left_it,
    a_dead_worker_takes_no_place_with_it,
    starts_are_reserved_evenly_a_short_way_ahead,
    a_burst_starts_at_once_and_what_follows_waits,
    two_processes_share_one_bucket,
    a_job_in_several_buckets_needs_room_in_each,
    a_blocked_lane_does_not_keep_the_others,
    lanes_take_turns_and_tenants_with_them,
    a_lane_of_another_limit_changes_nothing_between_lanes_that_share_a_place,
    every_lane_is_found_however_many_are_blocked,
    a_dead_worker_claims_no_limited_jobs,
    lanes_are_given_anew_to_jobs_that_may_run,
    a_retried_job_is_limited_as_before,
    a_job_that_replaces_another_brings_its_bucket,
    buckets_tell_who_runs_and_who_waits,
    what_is_no_job_takes_from_the_same_bucket,
    what_is_set_aside_is_nobody_elses,
    buckets_at_rest_are_forgotten,
    listeners_hear_that_a_place_is_free,
    ready_queues_tell_of_limited_jobs_too,
    every_way_in_keeps_the_lane,
    a_limited_job_that_could_start_and_that_nobody_takes_waits,
];

fn rule(name: &str) -> Rule {
    Rule {
        name: name.into(),
        kinds: Vec::new(),
        queues: Vec::new(),
        by: By::Args(vec!["id".into()]),
        rate: None,
        concurrency: None,
    }
}

pub fn at_once(name: &str, most: u32) -> Rule {
    Rule { concurrency: Some(most), ..rule(name) }
}

pub fn rated(name: &str, pace: &str, burst: u32) -> Rule {
    Rule { rate: Some(Rate { pace: pace.parse().unwrap(), burst }), ..rule(name) }
}

pub fn rules(rules: impl IntoIterator<Item = Rule>) -> Arc<Rules> {
    Arc::new(Rules::new(rules))
}

fn lane(text: &str) -> Option<Lane> {
    Some(Lane::stored(text.into()))
}

impl TestStore {
    pub async fn add_in(&self, lane: &str, count: usize) -> Vec<JobId> {
        let rows: Vec<_> =
            (0..count).map(|_| NewRow { lane: Some(Lane::stored(lane.into())), ..self.row() }).collect();
        self.insert(&rows).await.into_iter().map(|row| row.id).collect()
    }

    pub async fn limited(&self, worker: WorkerId, most: usize, rules: &Arc<Rules>) -> LimitedClaim {
        let clock: Arc<dyn Clock> = self.clock.clone();
        self.store.claim_limited(worker, QUEUE, most, rules, &clock).await.unwrap()
    }

    pub async fn bucket(&self, name: &str) -> BucketRow {
        let rows = self.store.buckets().await.unwrap();
        rows.into_iter().find(|row| row.bucket == name).expect("a bucket that is in use")
    }
}

/// Milliseconds from now to the start of each, and how late it may be.
fn starts(claim: &LimitedClaim, clock: &ManualClock) -> Vec<(u64, u64)> {
    let window = |start: StartWindow| {
        let from = start.from.checked_sub(clock.steady()).expect("a start that is not past");
        (ms(from), ms(start.until - start.from))
    };
    claim.jobs.iter().map(|job| window(job.limited.as_ref().unwrap().start.unwrap())).collect()
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap()
}

async fn rules_are_the_same_for_everybody_and_a_change_is_audited(t: TestStore) {
    let first = Rules::new([
        Rule { kinds: vec!["a.*".into()], queues: vec!["q".into()], ..at_once("x", 7) },
        Rule { by: By::All, concurrency: Some(2), ..rated("y", "3000/h", 5) },
    ]);
    let before = t.store.limits().await.unwrap();
    assert_eq!((before.version, before.laned, before.rules), (0, 0, Rules::default()));

    t.store.put_limits(&first).await.unwrap();
    t.store.put_limits(&first).await.unwrap();

    let set = t.another().await.limits().await.unwrap();
    assert_eq!((set.version, set.laned, &set.rules), (1, 0, &first));
    t.store.lanes_are_put(1).await.unwrap();
    t.store.put_limits(&Rules::default()).await.unwrap();
    let set = t.store.limits().await.unwrap();
    assert_eq!((set.version, set.laned, set.rules), (2, 1, Rules::default()));
    let told = t.audit().await;
    assert_eq!(told.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["limits.change"; 2]);
}

/// One that its limit keeps is where it should be, however long.
async fn a_limited_job_that_could_start_and_that_nobody_takes_waits(t: TestStore) {
    let worker = t.worker().await;
    let waiting = async || {
        let found = t.store.waiting_queues(seconds(900)).await.unwrap();
        found.into_iter().map(|one| (one.queue, one.first)).collect::<Vec<_>>()
    };
    let first = t.add_in("x/1\ny/1\n\tacme", 2).await[0];
    assert_eq!(waiting().await, []);
    t.clock.advance(seconds(901));
    assert_eq!(waiting().await, [(QUEUE.to_owned(), first)]);

    t.store.pause_bucket("y/1", t.clock.now() + seconds(60), &ada(), "").await.unwrap();
    assert_eq!(waiting().await, [], "a provider has said so");
    t.clock.advance(seconds(61));
    assert_eq!(waiting().await, [(QUEUE.to_owned(), first)]);

    let running = t.limited(worker, 1, &rules([at_once("x", 1)])).await.jobs;
    assert_eq!(ids(&running), [first]);
    t.clock.advance(seconds(901));
    assert_eq!(waiting().await, [], "the one that runs has the place");
}

async fn a_claim_of_what_nothing_limits_gives_no_limited_jobs(t: TestStore) {
    let worker = t.worker().await;
    let limited = t.add_in("x/1", 1).await;
    let free = t.add_many(1).await;
    let tenants = t.add(|row| row.tenant = Some("acme".into())).await;

    assert_eq!(set(ids(&t.claim(worker, 10).await)), set([free[0], tenants]));
    assert_eq!(ids(&t.limited(worker, 10, &rules([at_once("x", 1)])).await.jobs), limited);
}

async fn no_more_run_at_once_than_the_bucket_allows(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 2)]);
    let jobs = t.add_in("x/1", 4).await;

    let first = t.limited(worker, 10, &rules).await;
    assert_eq!(ids(&first.jobs), jobs[..2]);
    assert_eq!((first.more, first.again, first.when_freed), (false, None, true));
    assert!(first.jobs.iter().all(|job| job.limited.as_ref().unwrap().counted));
    assert_eq!(t.limited(worker, 10, &rules).await.jobs, []);

    t.finish(worker, &first.jobs[0], completed()).await;

    assert_eq!(ids(&t.limited(worker, 10, &rules).await.jobs), [jobs[2]]);
}

async fn a_place_is_free_again_however_its_job_left_it(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1)]);
    t.add_in("x/1", 5).await;
    let cancelled = End::Cancelled { reason: "no".into() };
    for end in [completed(), retry(60), End::Snooze { after: seconds(60) }, cancelled, End::GiveBack] {
        let claim = t.limited(worker, 10, &rules).await;
        assert_eq!(claim.jobs.len(), 1, "{end:?}");
        t.finish(worker, &claim.jobs[0], end).await;
    }
    assert_eq!(t.limited(worker, 10, &rules).await.jobs.len(), 1);
}

async fn a_dead_worker_takes_no_place_with_it(t: TestStore) {
    let (dead, worker) = (t.worker().await, t.worker().await);
    let rules = rules([at_once("x", 2)]);
    let jobs = t.add_in("x/1", 2).await;
    t.limited(dead, 10, &rules).await;
    assert_eq!(t.limited(worker, 10, &rules).await.jobs, []);

    t.store.rescue(dead, 0).await.unwrap();

    assert_eq!(ids(&t.limited(worker, 10, &rules).await.jobs), jobs);
}

async fn starts_are_reserved_evenly_a_short_way_ahead(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([rated("x", "20/s", 1)]);
    let jobs = t.add_in("x/1", 20).await;

    let claim = t.limited(worker, 10, &rules).await;

    assert_eq!(ids(&claim.jobs), jobs[..5]);
    assert_eq!(starts(&claim, &t.clock), [(0, 50), (50, 50), (100, 50), (150, 50), (200, 50)]);
    assert_eq!((claim.more, claim.again.map(ms), claim.when_freed), (false, Some(150), false));
    t.clock.advance(claim.again.unwrap());
    let next = t.limited(worker, 10, &rules).await;
    assert_eq!(starts(&next, &t.clock), [(100, 50), (150, 50), (200, 50)]);
}

async fn a_burst_starts_at_once_and_what_follows_waits(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([rated("x", "1/s", 3)]);
    t.add_in("x/1", 20).await;

    let claim = t.limited(worker, 10, &rules).await;

    assert_eq!(starts(&claim, &t.clock), [(0, 1_000), (0, 1_000), (0, 1_000)]);
    assert_eq!(claim.again.map(ms), Some(900));
}

async fn two_processes_share_one_bucket(t: TestStore) {
    let other = t.another().await;
    let (worker, second) = (t.worker().await, t.worker().await);
    let rules = rules([Rule { concurrency: Some(3), ..rated("x", "100/s", 1) }]);
    t.add_in("x/1", 10).await;
    let clock: Arc<dyn Clock> = t.clock.clone();

    let (one, two) =
        tokio::join!(t.limited(worker, 2, &rules), other.claim_limited(second, QUEUE, 2, &rules, &clock));

    let (one, two) = (one, two.unwrap());
    assert_eq!(one.jobs.len() + two.jobs.len(), 3);
    let mut all = [starts(&one, &t.clock), starts(&two, &t.clock)].concat();
    all.sort_unstable();
    assert_eq!(all, [(0, 20), (10, 20), (20, 20)]);
}

async fn a_job_in_several_buckets_needs_room_in_each(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1), at_once("y", 2)]);
    let both = t.add_in("x/1\ny/1", 2).await;
    let one = t.add_in("y/1", 2).await;

    let claim = t.limited(worker, 10, &rules).await;

    assert_eq!(set(ids(&claim.jobs)), set([both[0], one[0]]));
}

async fn a_blocked_lane_does_not_keep_the_others(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1)]);
    let blocked = t.add_in("x/1", 50).await;
    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), blocked[..1]);
    let others = t.add_in("x/2", 1).await;

    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), others);
}

async fn lanes_take_turns_and_tenants_with_them(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 100)]);
    let big = t.add_in("x/1\n\tbig", 9).await;
    let small = t.add_in("x/1\n\tsmall", 2).await;
    let other = t.add_in("x/2", 1).await;

    let claim = t.limited(worker, 4, &rules).await;
    assert_eq!(ids(&claim.jobs), [big[0], small[0], other[0], big[1]]);
    assert!(claim.more);
    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), [small[1]]);
}

/// With one pointer for all lanes `x` had each place, since `own` had moved it before it.
async fn a_lane_of_another_limit_changes_nothing_between_lanes_that_share_a_place(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("k", 1), at_once("own", 99)]);
    for lane in ["k/1\n\tx", "k/1\n\ty", "j/1"] {
        t.add_in(lane, 9).await;
    }
    let mut had = String::new();
    while had.len() < 4 {
        t.add_in("own/1", 1).await;
        for job in t.limited(worker, 1, &rules).await.jobs {
            let lane = job.limited.as_ref().unwrap().lane.clone();
            if let Some((_, tenant)) = lane.as_str().split_once('\t') {
                had.push_str(tenant);
                t.finish(worker, &job, completed()).await;
            }
        }
    }
    assert!(["xyxy", "yxyx"].contains(&had.as_str()), "{had}");
}

async fn every_lane_is_found_however_many_are_blocked(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1)]);
    let rows: Vec<_> = (0..1_200).map(|n| NewRow { lane: lane(&format!("x/{n:04}")), ..t.row() }).collect();
    t.insert(&rows).await;
    let mut first = Vec::new();
    while first.len() < 1_200 {
        let claim = t.limited(worker, 1_200, &rules).await;
        assert!(!claim.jobs.is_empty(), "{} of them", first.len());
        first.extend(claim.jobs);
    }
    t.insert(&rows.iter().map(|row| NewRow { id: t.ids.next(), ..row.clone() }).collect::<Vec<_>>()).await;
    let blocked = t.limited(worker, 10, &rules).await;
    assert_eq!((blocked.jobs.len(), blocked.more, blocked.when_freed), (0, false, true));

    t.finish(worker, &first[700], completed()).await;

    let found = t.limited(worker, 10, &rules).await.jobs;
    let lane_of = |job: &store::Claimed| job.limited.as_ref().unwrap().lane.clone();
    assert_eq!(found.iter().map(lane_of).collect::<Vec<_>>(), [lane_of(&first[700])]);
}

async fn a_dead_worker_claims_no_limited_jobs(t: TestStore) {
    let worker = t.worker().await;
    t.add_in("x/1", 1).await;
    t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(t.limited(worker, 5, &rules([at_once("x", 5)])).await.jobs, []);
}

async fn lanes_are_given_anew_to_jobs_that_may_run(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1), at_once("y", 1)]);
    let free = t.add_many(3).await;
    let limited = t.add_in("x/1", 2).await;
    let running = t.claim(worker, 1).await;
    let dead = t.claim(worker, 1).await;
    t.finish(worker, &dead[0], End::Discarded { error: "no".into() }).await;
    let done = t.claim(worker, 1).await;
    t.finish(worker, &done[0], completed()).await;

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let jobs = t.store.laned_jobs(after, 2, true).await.unwrap();
        let Some(last) = jobs.last() else { break };
        after = Some(last.id);
        seen.extend(jobs);
    }
    let known: BTreeMap<_, _> = seen.iter().map(|job| (job.id, job.lane.clone())).collect();
    let wanted: BTreeMap<_, _> =
        [(free[0], None), (free[1], None), (limited[0], lane("x/1")), (limited[1], lane("x/1"))].into();
    assert_eq!(known, wanted, "those that completed have ended");

    let given = [(running[0].id, lane("y/7")), (dead[0].id, lane("y/7")), (limited[0], None)];
    t.store.put_lanes(&given).await.unwrap();

    assert_eq!(ids(&t.claim(worker, 5).await), limited[..1]);
    t.change(dead[0].id, Change::Retry).await;
    let claim = t.limited(worker, 5, &rules).await;
    assert_eq!(ids(&claim.jobs), limited[1..], "the one that runs has the place that the retried one needs");
    assert!(claim.when_freed);
}

async fn a_retried_job_is_limited_as_before(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1)]);
    let jobs = t.add_in("x/1", 1).await;
    for end in [End::Discarded { error: "no".into() }, End::Cancelled { reason: "no".into() }] {
        let claim = t.limited(worker, 1, &rules).await;
        t.finish(worker, &claim.jobs[0], end).await;
        t.change(jobs[0], Change::Retry).await;
        assert_eq!(t.claim(worker, 1).await, []);
    }
    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), jobs);
}

async fn a_job_that_replaces_another_brings_its_bucket(t: TestStore) {
    let worker = t.worker().await;
    let key = || unique(1, store::Release::AtEnd, OnConflict::Replace);
    let first = NewRow { unique: key(), lane: lane("x/1"), ..t.row() };
    let second = NewRow { unique: key(), lane: lane("x/2"), ..t.row() };
    t.insert(std::slice::from_ref(&first)).await;

    t.insert(&[second]).await;

    let claim = t.limited(worker, 5, &rules([at_once("x", 1)])).await;
    assert_eq!(ids(&claim.jobs), [first.id]);
    assert_eq!(claim.jobs[0].limited.as_ref().unwrap().lane.as_str(), "x/2");
}

async fn buckets_tell_who_runs_and_who_waits(t: TestStore) {
    let worker = t.worker().await;
    t.add_in("x/1\ny/1\n\tacme", 3).await;
    t.add_in("y/1", 2).await;
    let rules = rules([at_once("x", 1), rated("y", "1/s", 1)]);
    t.limited(worker, 1, &rules).await;

    let (x, y) = (t.bucket("x/1").await, t.bucket("y/1").await);

    assert_eq!((x.running, x.waiting, x.next_start), (1, 2, None));
    assert_eq!((y.running, y.waiting, y.next_start), (1, 4, Some(t.clock.now() + seconds(1))));
}

async fn what_is_no_job_takes_from_the_same_bucket(t: TestStore) {
    let rate = Rate { pace: "10/s".parse().unwrap(), burst: 3 };
    let other = t.another().await;

    assert_eq!(t.store.take_starts("calls/a", rate, 2).await.unwrap(), Taken::Granted);
    assert_eq!(other.take_starts("calls/a", rate, 1).await.unwrap(), Taken::Granted);
    let wait = Taken::Wait(Duration::from_millis(200));
    assert_eq!(t.store.take_starts("calls/a", rate, 2).await.unwrap(), wait, "and nothing is taken");
    assert_eq!(t.store.take_starts("calls/b", rate, 3).await.unwrap(), Taken::Granted);
    t.clock.advance(Duration::from_millis(200));
    assert_eq!(t.store.take_starts("calls/a", rate, 2).await.unwrap(), Taken::Granted);

    t.store.pause_bucket("calls/b", t.clock.now() + seconds(9), &ada(), "").await.unwrap();
    assert_eq!(t.store.take_starts("calls/b", rate, 1).await.unwrap(), Taken::Wait(seconds(9)));
}

async fn what_is_set_aside_is_nobody_elses(t: TestStore) {
    let rate = Rate { pace: "10/s".parse().unwrap(), burst: 1 };
    let aside = |reserved| match reserved {
        Reserved::SetAside(stretch) => (ms(stretch.from), ms(stretch.upto), stretch.begins, stretch.ends),
        other => panic!("{other:?}"),
    };

    let first = aside(t.store.reserve_starts("@a", rate, 5).await.unwrap());
    let other = t.another().await;
    assert_eq!((first.0, first.1), (0, 500));
    assert_eq!(other.take_starts("@a", rate, 1).await.unwrap(), Taken::Wait(Duration::from_millis(500)));
    let early = Reserved::Behind(Duration::from_millis(250));
    assert_eq!(other.reserve_starts("@a", rate, 5).await.unwrap(), early);
    t.clock.advance(Duration::from_millis(300));
    let second = aside(other.reserve_starts("@a", rate, 5).await.unwrap());

    assert_eq!((second.0, second.1), (200, 700));
    assert_eq!(second.2, first.3, "one goes on where the other ends");
    t.store.pause_bucket("@a", t.clock.now() + seconds(9), &ada(), "").await.unwrap();
    assert_eq!(t.store.reserve_starts("@a", rate, 5).await.unwrap(), Reserved::Paused(seconds(9)));
}

async fn buckets_at_rest_are_forgotten(t: TestStore) {
    let rate = Rate { pace: "1/s".parse().unwrap(), burst: 1 };
    t.store.take_starts("calls/a", rate, 1).await.unwrap();
    t.store.take_starts("calls/b", rate, 30).await.unwrap();
    for _ in 0..2 {
        t.clock.advance(seconds(1));
        t.store.take_starts("calls/c", rate, 1).await.unwrap();
    }
    t.store.pause_bucket("calls/d", t.clock.now() + seconds(60), &ada(), "").await.unwrap();

    t.store.forget_buckets(10).await.unwrap();

    let left: Vec<_> = t.store.buckets().await.unwrap().into_iter().map(|row| row.bucket).collect();
    assert_eq!(left, ["calls/c", "calls/d"]);
}

async fn listeners_hear_that_a_place_is_free(t: TestStore) {
    let mut listener = t.store.listen().await.unwrap();

    t.store.wake_for_places().await.unwrap();

    assert_eq!(listener.recv().await, Some(Woken::Places));
}

async fn ready_queues_tell_of_limited_jobs_too(t: TestStore) {
    for (queue, lane) in [("b", lane("x/1")), ("a", None), ("c", lane("x/1"))] {
        t.add(|row| (row.queue, row.lane) = (queue.into(), lane)).await;
    }

    assert_eq!(t.store.ready_queues().await.unwrap(), ["a", "b", "c"]);
}

/// One at a time, a hundred by COPY, with a key, and with children.
async fn every_way_in_keeps_the_lane(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 1_000)]);
    let mixed = |count: usize| -> Vec<NewRow> {
        (0..count)
            .map(|n| NewRow { lane: (n % 2 == 0).then(|| Lane::stored("x/1".into())), ..t.row() })
            .collect()
    };
    let mut limited = Vec::new();
    let mut free = Vec::new();
    for count in [2, 300] {
        let rows = mixed(count);
        t.insert(&rows).await;
        limited.extend(rows.iter().filter(|row| row.lane.is_some()).map(|row| row.id));
        free.extend(rows.iter().filter(|row| row.lane.is_none()).map(|row| row.id));
    }
    let mut keyed = mixed(2);
    keyed[1].unique = unique(3, store::Release::AtEnd, OnConflict::ReturnExisting);
    t.insert(&keyed).await;
    limited.push(keyed[0].id);
    free.push(keyed[1].id);

    assert_eq!(set(ids(&t.limited(worker, 1_000, &rules).await.jobs)), set(limited));
    assert_eq!(set(ids(&t.claim(worker, 1_000).await)), set(free.clone()));
    assert_eq!(t.state(free[0]).await, JobState::Running);
}

/// The function in SQL gives a job the lane that the door in Rust would give it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_and_rust_agree_on_the_lane_of_a_job() {
    use sqlx::Connection;
    let t = TestStore::postgres().await;
    let limits = Rules::new([
        Rule { kinds: vec!["mail.*".into(), "a.b".into()], ..at_once("by-id", 1) },
        Rule { by: By::Args(vec!["deep".into(), "id".into()]), ..at_once("deep", 1) },
        Rule { by: By::All, queues: vec!["mail".into()], ..at_once("all", 1) },
        Rule { by: By::Kind, ..at_once("kinds", 1) },
        Rule { by: By::Queue, queues: vec!["mail".into(), "other".into()], ..at_once("queues", 1) },
        Rule { by: By::Tenant, kinds: vec!["mail.send".into()], ..rated("tenants", "1/s", 1) },
    ]);
    t.store.put_limits(&limits).await.unwrap();
    let mut sql = sqlx::PgConnection::connect(t.url()).await.unwrap();
    let long = format!(r#"{{"id": "{}"}}"#, "ö".repeat(65));
    let args = [
        r#"{"id": "a-7", "deep": {"id": 12}}"#,
        r#"{"id": 7}"#,
        r#"{"id": -7}"#,
        r#"{"id": 999999999999999999}"#,
        r#"{"id": 1000000000000000000}"#,
        r#"{"id": 1.5, "deep": {"id": true}}"#,
        r#"{"id": null, "deep": [{"id": 1}]}"#,
        r#"{"id": {"id": 1}, "deep": {"id": [1]}}"#,
        r#"{"id": "a/b ö \t \n"}"#,
        r#"{"id": ""}"#,
        "{}",
        "[]",
        "7",
        "null",
        &long,
    ];
    for args in args {
        for (kind, queue, tenant) in [
            ("mail.send", "mail", Some("acme")),
            ("mail.read", "other", None),
            ("mailer.send", "default", Some("ö\n\tx")),
            ("a.b", "mail", None),
        ] {
            let value: Value = serde_json::from_str(args).unwrap();
            let subject = Subject { kind, queue, tenant, args: &value, encrypted: false };
            let wanted = limits.lane_of(subject).map(|lane| lane.as_str().to_owned());

            let told: Option<String> = sqlx::query_scalar("SELECT compline.lane_of($1, $2, $3, $4::jsonb)")
                .bind(kind)
                .bind(queue)
                .bind(tenant)
                .bind(sqlx::types::Json(&value))
                .fetch_one(&mut sql)
                .await
                .unwrap();

            assert_eq!(told, wanted, "{kind} in {queue} with {args}");
        }
    }
}

/// The door in SQL as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_enqueued_in_sql_is_limited() {
    use sqlx::Connection;
    let t = TestStore::postgres().await;
    let limits = rules([at_once("x", 1)]);
    t.store.put_limits(&limits).await.unwrap();
    let kind = store::KindRow {
        kind: "mail.send".into(),
        queue: QUEUE.into(),
        priority: 5,
        max_attempts: 3,
        encrypted: false,
        unique: false,
        internal: false,
        approval: None,
    };
    t.store.put_kinds(&[kind]).await.unwrap();
    let mut sql = sqlx::PgConnection::connect(t.url()).await.unwrap();
    let call = r#"SELECT compline.enqueue('mail.send', '{"id": 7}', '{"tenant": "acme"}')"#;
    let id: uuid::Uuid = sqlx::query_scalar(call).fetch_one(&mut sql).await.unwrap();
    let worker = t.worker().await;

    let claim = t.limited(worker, 5, &limits).await;

    assert_eq!(ids(&claim.jobs), [JobId(id)]);
    assert_eq!(claim.jobs[0].limited.as_ref().unwrap().lane.as_str(), "x/7\n\tacme");
}
