use std::time::Duration;

use jobkit::OnConflict::Replace;
use jobkit::{Clock, When};
use serde_json::json;
use store::state::JobState;
use store::{NewRow, Position, Release, Scope};

use crate::support::store::{KIND, QUEUE, TestStore, ada, ids, promises, seconds, unique};

promises![
    what_is_enqueued_can_be_read_back_whole,
    a_job_for_later_is_scheduled_and_one_for_the_past_is_due_now,
    a_time_in_the_past_is_no_way_to_the_front_of_the_queue,
    answers_stand_in_the_order_of_the_rows,
    a_batch_with_a_row_that_cannot_be_leaves_nothing_behind,
    thousands_of_rows_are_one_batch,
    megabytes_in_one_batch_arrive_whole,
    an_empty_batch_is_no_error,
];

async fn what_is_enqueued_can_be_read_back_whole(t: TestStore) {
    let id = t
        .add(|row| {
            row.priority = 7;
            row.max_attempts = 9;
            row.args = r#"{"text":"naïve \"quoted\" \\ \u0001","big":12345678901234567890,"n":1.50}"#.into();
            row.tenant = Some("acme".into());
            row.tags = vec!["month-end".into(), "it's".into()];
            row.metadata = Some(json!({ "who": ["ada", null] }));
        })
        .await;

    let job = t.job(id).await.job;

    assert_eq!((job.kind.as_str(), job.queue.as_str(), job.state), (KIND, QUEUE, JobState::Available));
    assert_eq!((job.priority, job.attempt, job.max_attempts), (7, 0, 9));
    assert_eq!(
        job.args, r#"{"text":"naïve \"quoted\" \\ \u0001","big":12345678901234567890,"n":1.50}"#,
        "not a byte of the args is changed"
    );
    assert_eq!(job.tenant.as_deref(), Some("acme"));
    assert_eq!(job.tags, ["month-end", "it's"]);
    assert_eq!(job.metadata, Some(json!({ "who": ["ada", null] })));
    assert_eq!((job.created_at, job.run_at), (t.clock.now(), t.clock.now()));
    assert_eq!((job.claimed_at, job.finished_at, job.worker), (None, None, None));
    assert_eq!((job.result, job.error, job.ran), (None, None, None));
    assert_eq!(t.job(id).await.waits_for, []);
}

async fn a_job_for_later_is_scheduled_and_one_for_the_past_is_due_now(t: TestStore) {
    let now = t.clock.now();
    let hour = Duration::from_secs(3_600);

    let later = t.add(|row| row.when = When::At(now + hour)).await;
    let delayed = t.add(|row| row.when = When::After(seconds(90))).await;
    let past = t.add(|row| row.when = When::At(now - hour)).await;

    use JobState::{Available, Scheduled};
    assert_eq!(t.states(&[later, delayed, past]).await, [Scheduled, Scheduled, Available]);
    assert_eq!(t.job(later).await.job.run_at, now + hour);
    assert_eq!(t.job(delayed).await.job.run_at, now + seconds(90));
    assert_eq!(t.job(past).await.job.run_at, now);
}

async fn a_time_in_the_past_is_no_way_to_the_front_of_the_queue(t: TestStore) {
    let worker = t.worker().await;
    let long_ago = When::At(t.clock.now() - Duration::from_secs(86_400));
    let mut fair = t.add_many(1).await;
    // One by one, with a key, in place of another, and as a large batch: each has a way of its own.
    for key in [None, unique(1, Release::AtEnd, Replace), unique(1, Release::AtEnd, Replace)] {
        t.clock.advance(seconds(1));
        let pushy = t.add(|row| (row.when, row.unique) = (long_ago, key)).await;
        fair.retain(|id| *id != pushy);
        fair.push(pushy);
    }
    t.clock.advance(seconds(1));
    let rows: Vec<_> = (0..150).map(|_| NewRow { when: long_ago, ..t.row() }).collect();
    fair.extend(t.insert(&rows).await.iter().map(|row| row.id));

    assert_eq!(ids(&t.claim(worker, 200).await), fair);
}

async fn answers_stand_in_the_order_of_the_rows(t: TestStore) {
    let mut rows: Vec<_> = (0..20).map(|_| t.row()).collect();
    rows.reverse();

    let answers = t.insert(&rows).await;

    let wanted: Vec<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!(answers.iter().map(|row| row.id).collect::<Vec<_>>(), wanted);
    assert!(answers.iter().all(|row| !row.duplicate));
}

async fn a_batch_with_a_row_that_cannot_be_leaves_nothing_behind(t: TestStore) {
    let good = t.row();
    let mut bad = t.row();
    bad.priority = 10;

    t.store.insert(&Scope::Installation, &[good.clone(), bad], &ada()).await.unwrap_err();

    assert_eq!(t.store.job(&Scope::Installation, good.id).await.unwrap(), None);
    assert_eq!(t.audited_behind(Position::START, 10).await, []);
}

async fn thousands_of_rows_are_one_batch(t: TestStore) {
    let added = t.add_many(5_000).await;
    let worker = t.worker().await;

    assert_eq!(ids(&t.claim(worker, 10_000).await), added);
    let actions: Vec<_> = t.everything_audited().await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["job.enqueue", "job.claim"]);
}

async fn megabytes_in_one_batch_arrive_whole(t: TestStore) {
    let args = |n: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(n * 300));
    let rows: Vec<_> = (0..150).map(|n| NewRow { args: args(n), ..t.row() }).collect();

    let added = t.insert(&rows).await;

    for n in [0, 42, 149] {
        assert_eq!(t.job(added[n].id).await.job.args, args(n));
    }
}

async fn an_empty_batch_is_no_error(t: TestStore) {
    assert_eq!(t.insert(&[]).await, []);
    assert_eq!(t.audited_behind(Position::START, 10).await, []);
}
