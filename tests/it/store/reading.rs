use std::collections::BTreeMap;
use std::time::Duration;

use jobkit::{Clock, JobId, When};
use serde_json::json;
use store::state::JobState;
use store::{End, JobFilter, KindRow, Scope};

use crate::support::store::{TestStore, ada, completed, promises, retry, seconds};

promises![
    a_job_that_is_not_there_is_none,
    jobs_are_listed_newest_first_alive_and_ended_together,
    a_page_is_a_hundred_unless_somebody_says_and_zero_is_none,
    a_cursor_goes_on_where_the_page_ended,
    every_condition_narrows_the_list,
    a_brief_says_what_a_job_is_and_how_heavy,
    queues_are_listed_with_what_is_in_them,
    kinds_can_be_written_down_again_and_again,
    migrating_again_changes_nothing,
    after_migrating_the_schema_is_the_one_that_is_needed,
];

async fn listed(t: &TestStore, filter: JobFilter) -> Vec<JobId> {
    let listed: Vec<_> =
        t.store.jobs(&Scope::Installation, &filter).await.unwrap().into_iter().map(|job| job.id).collect();
    // The same question in brief is answered with the same jobs.
    let brief: Vec<_> =
        t.store.briefs(&Scope::Installation, &filter).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(listed, brief);
    listed
}

async fn a_brief_says_what_a_job_is_and_how_heavy(t: TestStore) {
    let worker = t.worker().await;
    let done = t.add(|row| row.args = r#"{"a":"é"}"#.into()).await;
    t.run(worker, End::Completed { result: Some("[1,2]".into()) }).await;
    let failed = t
        .add(|row| {
            (row.kind, row.queue) = ("a.kind".into(), "other".into());
            (row.args, row.metadata) = ("null".into(), Some(json!({ "m": 1 })));
        })
        .await;

    let briefs = t.store.briefs(&Scope::Installation, &JobFilter::default()).await.unwrap();

    let told: Vec<_> = briefs
        .iter()
        .map(|job| (job.id, job.kind.as_str(), job.queue.as_str(), job.state, job.bytes))
        .collect();
    assert_eq!(
        told,
        [
            (failed, "a.kind", "other", JobState::Available, 4 + 7),
            (done, "test.kind", "default", JobState::Completed, 10 + 5)
        ]
    );
}

async fn a_job_that_is_not_there_is_none(t: TestStore) {
    assert_eq!(t.store.job(&Scope::Installation, t.ids.next()).await.unwrap(), None);
}

async fn jobs_are_listed_newest_first_alive_and_ended_together(t: TestStore) {
    let worker = t.worker().await;
    let mut added = t.add_many(4).await;
    t.run(worker, completed()).await;
    t.run(worker, retry(9)).await;

    added.reverse();

    assert_eq!(listed(&t, JobFilter::default()).await, added);
}

async fn a_page_is_a_hundred_unless_somebody_says_and_zero_is_none(t: TestStore) {
    t.add_many(101).await;

    for (limit, wanted) in [(None, 100), (Some(101), 101), (Some(0), 0)] {
        let found = listed(&t, JobFilter { limit, ..JobFilter::default() }).await;
        assert_eq!(found.len(), wanted, "{limit:?}");
    }
}

async fn a_cursor_goes_on_where_the_page_ended(t: TestStore) {
    let worker = t.worker().await;
    let mut added = t.add_many(5).await;
    for _ in 0..3 {
        t.run(worker, completed()).await;
    }
    added.reverse();

    let first = listed(&t, JobFilter { limit: Some(2), ..JobFilter::default() }).await;
    let rest = listed(&t, JobFilter { before: Some(first[1]), ..JobFilter::default() }).await;

    assert_eq!((first.as_slice(), rest.as_slice()), (&added[..2], &added[2..]));
}

async fn every_condition_narrows_the_list(t: TestStore) {
    let worker = t.worker().await;
    let failed = t.add(|_| {}).await;
    t.run(worker, retry(9)).await;
    let done = t.add(|row| row.kind = "a.kind".into()).await;
    t.run(worker, completed()).await;
    let noon = t.clock.now();
    t.clock.advance(seconds(60));
    let tenants = t.add(|row| row.tenant = Some("acme".into())).await;
    let tagged = t.add(|row| row.tags = vec!["x".into(), "y".into()]).await;
    let queued = t.add(|row| row.queue = "other".into()).await;
    let all = [queued, tagged, tenants, done, failed];

    let f = JobFilter::default;
    for (filter, wanted) in [
        (f(), all.as_slice()),
        (JobFilter { ids: vec![done, tagged], ..f() }, &[tagged, done]),
        (JobFilter { states: vec![JobState::Completed], ..f() }, &[done]),
        (JobFilter { states: vec![JobState::Completed, JobState::Retryable], ..f() }, &[done, failed]),
        (JobFilter { states: vec![JobState::Discarded], ..f() }, &[]),
        (JobFilter { kinds: vec!["a.kind".into()], ..f() }, &[done]),
        (JobFilter { queues: vec!["other".into()], ..f() }, &[queued]),
        (JobFilter { tenants: vec!["acme".into()], ..f() }, &[tenants]),
        (JobFilter { tags: vec!["y".into(), "x".into()], ..f() }, &[tagged]),
        (JobFilter { tags: vec!["x".into(), "z".into()], ..f() }, &[]),
        (JobFilter { created_from: Some(noon + Duration::from_secs(60)), ..f() }, &all[..3]),
        (JobFilter { created_until: Some(noon + Duration::from_secs(60)), ..f() }, &all[3..]),
        (JobFilter { error: Some("AGAIN".into()), ..f() }, &[failed]),
        (JobFilter { kinds: vec!["a.kind".into()], queues: vec!["other".into()], ..f() }, &[]),
    ] {
        assert_eq!(listed(&t, filter.clone()).await, wanted, "{filter:?}");
    }
}

async fn queues_are_listed_with_what_is_in_them(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    t.run(worker, retry(60)).await;
    let oldest = t.clock.now();
    t.add_many(2).await;
    t.clock.advance(seconds(5));
    t.add(|_| {}).await;
    t.add(|row| (row.queue, row.when) = ("later".into(), When::After(seconds(9)))).await;
    t.store.pause("paused", None, &ada(), "why").await.unwrap();

    let queues = t.store.queues(&Scope::Installation).await.unwrap();

    let told: Vec<_> =
        queues.iter().map(|queue| (queue.name.as_str(), &queue.counts, queue.oldest)).collect();
    let default = BTreeMap::from([(JobState::Available, 3), (JobState::Retryable, 1)]);
    let later = BTreeMap::from([(JobState::Scheduled, 1)]);
    let paused = BTreeMap::new();
    assert_eq!(
        told,
        [("default", &default, Some(oldest)), ("later", &later, None), ("paused", &paused, None)]
    );
    assert_eq!(queues[2].paused_at, Some(t.clock.now()));
}

async fn kinds_can_be_written_down_again_and_again(t: TestStore) {
    let mut kind = KindRow {
        kind: "a.kind".into(),
        queue: "default".into(),
        priority: 5,
        max_attempts: 3,
        encrypted: false,
        unique: true,
        internal: false,
        approval: None,
    };
    t.store.put_kinds(std::slice::from_ref(&kind)).await.unwrap();
    kind.priority = 2;
    t.store.put_kinds(&[kind]).await.unwrap();
    t.store.put_kinds(&[]).await.unwrap();
}

async fn migrating_again_changes_nothing(t: TestStore) {
    let id = t.add(|_| {}).await;

    let migrated = t.store.migrate().await.unwrap();

    assert_eq!(migrated.from, migrated.to);
    assert_eq!(t.state(id).await, JobState::Available);
}

async fn after_migrating_the_schema_is_the_one_that_is_needed(t: TestStore) {
    let migrated = t.store.migrate().await.unwrap();

    let schema = t.store.schema().await.unwrap();

    assert_eq!((schema.found, schema.needed), (migrated.to, migrated.to));
    assert!(schema.suffices());
}
