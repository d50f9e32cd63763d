use jobkit::{Clock, JobId, OnConflict, When};
use serde_json::json;
use store::state::JobState;
use store::{Change, Inserted, PruneRules, Release, Scope};

use OnConflict::{Replace, ReturnExisting};
use Release::{AtEnd, UnlessCompleted};

use crate::support::store::{TestStore, completed, discarded, ids, promises, retry, seconds, unique};

promises![
    a_second_job_with_the_key_is_the_first_one,
    another_key_is_another_job,
    two_rows_of_one_batch_may_not_share_a_key,
    a_key_is_free_again_when_its_job_ends,
    a_key_is_not_free_while_its_job_is_to_be_retried,
    a_completed_job_keeps_a_key_that_only_failure_frees,
    failure_frees_a_key_that_completing_keeps,
    a_key_for_a_time_is_taken_over_when_the_time_has_passed,
    a_key_for_a_time_is_held_even_by_a_job_that_ended,
    the_end_of_an_old_holder_does_not_free_a_key_that_was_taken_over,
    replacing_gives_the_waiting_job_the_newer_wish,
    replacing_may_put_a_job_off_or_bring_it_forward,
    what_waits_for_its_next_attempt_stays_retryable_when_it_is_put_off,
    a_running_job_is_not_replaced,
    a_later_row_of_the_batch_replaces_an_earlier_one,
    a_job_cancelled_by_a_person_frees_its_key,
    an_ended_job_that_is_retried_takes_its_key_again,
    an_ended_job_is_not_retried_while_another_has_its_key,
    a_retried_job_gives_its_key_the_same_meaning_as_before,
    pruning_a_completed_job_frees_its_key,
];

async fn add(t: &TestStore, key: u8, release: Release, on_conflict: OnConflict) -> Inserted {
    let mut row = t.row();
    row.unique = unique(key, release, on_conflict);
    t.insert(&[row]).await[0]
}

async fn first(t: &TestStore, release: Release) -> JobId {
    let inserted = add(t, 1, release, ReturnExisting).await;
    assert!(!inserted.duplicate);
    inserted.id
}

/// Asks for the key and says who has it.
async fn holder(t: &TestStore, release: Release) -> Option<JobId> {
    let inserted = add(t, 1, release, ReturnExisting).await;
    inserted.duplicate.then_some(inserted.id)
}

async fn a_second_job_with_the_key_is_the_first_one(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;

    assert_eq!(holder(&t, AtEnd).await, Some(id));

    assert_eq!(ids(&t.claim(worker, 5).await), [id]);
    assert_eq!(holder(&t, AtEnd).await, Some(id), "also while it runs");
}

async fn another_key_is_another_job(t: TestStore) {
    first(&t, AtEnd).await;

    assert!(!add(&t, 2, AtEnd, ReturnExisting).await.duplicate);
}

async fn two_rows_of_one_batch_may_not_share_a_key(t: TestStore) {
    let worker = t.worker().await;
    let mut rows = [t.row(), t.row(), t.row()];
    rows[0].unique = unique(1, AtEnd, ReturnExisting);
    rows[2].unique = unique(1, AtEnd, ReturnExisting);

    let answers = t.insert(&rows).await;

    let wanted = [(rows[0].id, false), (rows[1].id, false), (rows[0].id, true)];
    assert_eq!(answers.iter().map(|row| (row.id, row.duplicate)).collect::<Vec<_>>(), wanted);
    assert_eq!(ids(&t.claim(worker, 5).await), [rows[0].id, rows[1].id]);
}

async fn a_key_is_free_again_when_its_job_ends(t: TestStore) {
    let worker = t.worker().await;
    for end in [completed(), discarded()] {
        first(&t, AtEnd).await;
        t.run(worker, end).await;
    }
    first(&t, AtEnd).await;
}

async fn a_key_is_not_free_while_its_job_is_to_be_retried(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;
    t.run(worker, retry(60)).await;

    assert_eq!(holder(&t, AtEnd).await, Some(id));
}

async fn a_completed_job_keeps_a_key_that_only_failure_frees(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, UnlessCompleted).await;
    t.run(worker, completed()).await;

    assert_eq!(holder(&t, UnlessCompleted).await, Some(id));
}

async fn failure_frees_a_key_that_completing_keeps(t: TestStore) {
    let worker = t.worker().await;
    first(&t, UnlessCompleted).await;
    t.run(worker, discarded()).await;

    assert_eq!(holder(&t, UnlessCompleted).await, None);
}

async fn a_key_for_a_time_is_taken_over_when_the_time_has_passed(t: TestStore) {
    let until = t.clock.now() + seconds(60);
    let old = first(&t, Release::At(until)).await;
    t.clock.advance(seconds(59));
    assert_eq!(holder(&t, Release::At(until)).await, Some(old));

    t.clock.advance(seconds(1));

    let new = first(&t, Release::At(t.clock.now() + seconds(60))).await;
    assert_eq!(holder(&t, AtEnd).await, Some(new));
    assert_eq!(t.states(&[old, new]).await, [JobState::Available, JobState::Available]);
}

async fn a_key_for_a_time_is_held_even_by_a_job_that_ended(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, Release::At(t.clock.now() + seconds(60))).await;
    t.run(worker, discarded()).await;

    assert_eq!(holder(&t, AtEnd).await, Some(id));
}

async fn the_end_of_an_old_holder_does_not_free_a_key_that_was_taken_over(t: TestStore) {
    let worker = t.worker().await;
    let old = first(&t, Release::At(t.clock.now() + seconds(60))).await;
    t.clock.advance(seconds(60));
    let new = first(&t, AtEnd).await;

    assert_eq!(t.run(worker, completed()).await, old);

    assert_eq!(holder(&t, AtEnd).await, Some(new));
}

async fn replacing_gives_the_waiting_job_the_newer_wish(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;
    let mut row = t.row();
    row.unique = unique(1, AtEnd, Replace);
    row.args = r#"{"n":2}"#.into();
    row.priority = 1;
    row.tags = vec!["new".into()];
    row.metadata = Some(json!({ "m": 2 }));

    let answers = t.insert(&[row]).await;

    assert_eq!((answers[0].id, answers[0].duplicate), (id, true));
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.args.as_str(), job.priority), (JobState::Available, r#"{"n":2}"#, 1));
    assert_eq!(
        (job.tags.as_slice(), job.metadata),
        (["new".to_string()].as_slice(), Some(json!({ "m": 2 })))
    );
    assert_eq!(ids(&t.claim(worker, 5).await), [id]);
}

async fn replacing_may_put_a_job_off_or_bring_it_forward(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;
    let mut later = t.row();
    later.unique = unique(1, AtEnd, Replace);
    later.when = When::After(seconds(60));
    t.insert(&[later]).await;

    assert_eq!((t.state(id).await, t.claim(worker, 1).await), (JobState::Scheduled, vec![]));
    assert_eq!(t.job(id).await.job.run_at, t.clock.now() + seconds(60));

    add(&t, 1, AtEnd, Replace).await;

    assert_eq!(t.claim_one(worker).await.id, id);
}

async fn what_waits_for_its_next_attempt_stays_retryable_when_it_is_put_off(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;
    t.run(worker, retry(5)).await;
    let mut later = t.row();
    later.unique = unique(1, AtEnd, Replace);
    later.when = When::After(seconds(60));

    t.insert(&[later]).await;

    let job = t.job(id).await.job;
    assert_eq!((job.state, job.run_at), (JobState::Retryable, t.clock.now() + seconds(60)));
}

async fn a_running_job_is_not_replaced(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;
    t.claim_one(worker).await;
    let mut row = t.row();
    row.unique = unique(1, AtEnd, Replace);
    row.args = r#"{"n":2}"#.into();

    let answers = t.insert(&[row]).await;

    assert_eq!((answers[0].id, answers[0].duplicate), (id, true));
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.args.as_str()), (JobState::Running, r#"{"n":1}"#));
    assert!(t.audit().await.iter().all(|entry| entry.action != "job.replace"));
}

async fn a_later_row_of_the_batch_replaces_an_earlier_one(t: TestStore) {
    let mut rows = [t.row(), t.row()];
    for (n, row) in rows.iter_mut().enumerate() {
        row.unique = unique(1, AtEnd, Replace);
        row.args = n.to_string();
    }

    let answers = t.insert(&rows).await;

    assert_eq!((answers[1].id, answers[1].duplicate), (rows[0].id, true));
    assert_eq!(t.job(rows[0].id).await.job.args, "1");
    assert_eq!(t.store.job(&Scope::Installation, rows[1].id).await.unwrap(), None);
}

async fn a_job_cancelled_by_a_person_frees_its_key(t: TestStore) {
    for release in [AtEnd, UnlessCompleted] {
        let id = first(&t, release).await;
        t.change(id, Change::Cancel).await;
    }
    first(&t, AtEnd).await;
}

async fn an_ended_job_that_is_retried_takes_its_key_again(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, AtEnd).await;
    t.run(worker, discarded()).await;

    assert_eq!(t.change(id, Change::Retry).await.ids, [id]);

    assert_eq!(holder(&t, AtEnd).await, Some(id));
    t.run(worker, completed()).await;
    assert_eq!(holder(&t, AtEnd).await, None);
}

async fn an_ended_job_is_not_retried_while_another_has_its_key(t: TestStore) {
    let worker = t.worker().await;
    let old = first(&t, AtEnd).await;
    t.run(worker, discarded()).await;
    let new = first(&t, AtEnd).await;

    let changed = t.change(old, Change::Retry).await;

    assert_eq!(changed.ids, []);
    let [(id, reason)] = changed.refused.as_slice() else { panic!("one refusal: {changed:?}") };
    assert_eq!(*id, old);
    assert!(reason.contains(&new.to_string()), "{reason}");
    assert_eq!(t.states(&[old, new]).await, [JobState::Discarded, JobState::Available]);
}

async fn a_retried_job_gives_its_key_the_same_meaning_as_before(t: TestStore) {
    let worker = t.worker().await;
    let id = first(&t, UnlessCompleted).await;
    t.run(worker, discarded()).await;
    t.change(id, Change::Retry).await;

    t.run(worker, completed()).await;

    assert_eq!(holder(&t, UnlessCompleted).await, Some(id), "completed, so it holds the key on");
}

async fn pruning_a_completed_job_frees_its_key(t: TestStore) {
    let worker = t.worker().await;
    first(&t, UnlessCompleted).await;
    t.run(worker, completed()).await;
    t.clock.advance(seconds(11));

    let rules = PruneRules { completed: Some(seconds(10)), ..PruneRules::default() };
    assert_eq!(t.store.prune(&rules, 10).await.unwrap(), 1);

    assert_eq!(holder(&t, UnlessCompleted).await, None);
}
