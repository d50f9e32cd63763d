use jobkit::When;
use store::Staged;
use store::state::JobState;

use crate::support::store::{TestStore, ids, promises, retry, seconds};

promises![
    what_is_due_becomes_available_and_the_rest_is_told_of,
    nothing_due_says_when_something_will_be,
    no_more_than_the_limit_is_staged,
    a_retry_that_is_due_runs_again,
    an_old_low_priority_job_keeps_its_age_through_staging,
];

async fn what_is_due_becomes_available_and_the_rest_is_told_of(t: TestStore) {
    let worker = t.worker().await;
    let due = t.add(|row| row.when = When::After(seconds(10))).await;
    let elsewhere = t.add(|row| (row.queue, row.when) = ("other".into(), When::After(seconds(10)))).await;
    let later = t.add(|row| row.when = When::After(seconds(25))).await;
    t.clock.advance(seconds(10));

    let mut staged = t.store.stage(10).await.unwrap();

    staged.queues.sort();
    let queues = vec!["default".into(), "other".into()];
    assert_eq!(staged, Staged { count: 2, queues, next: Some(seconds(15)) });
    use JobState::{Available, Scheduled};
    assert_eq!(t.states(&[due, elsewhere, later]).await, [Available, Available, Scheduled]);
    assert_eq!(ids(&t.claim(worker, 5).await), [due]);
}

async fn nothing_due_says_when_something_will_be(t: TestStore) {
    assert_eq!(t.store.stage(10).await.unwrap(), Staged::default());
    t.add(|row| row.when = When::After(seconds(7))).await;

    let staged = t.store.stage(10).await.unwrap();

    assert_eq!(staged, Staged { next: Some(seconds(7)), ..Staged::default() });
}

async fn no_more_than_the_limit_is_staged(t: TestStore) {
    for after in [3, 1, 2] {
        t.add(|row| row.when = When::After(seconds(after))).await;
    }
    t.clock.advance(seconds(5));

    let staged = t.store.stage(2).await.unwrap();

    assert_eq!((staged.count, staged.next), (2, Some(seconds(0))));
    assert_eq!(t.store.stage(2).await.unwrap().count, 1);
}

async fn a_retry_that_is_due_runs_again(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.run(worker, retry(5)).await;
    t.clock.advance(seconds(5));

    t.store.stage(10).await.unwrap();

    let job = t.claim_one(worker).await;
    assert_eq!((job.id, job.attempt), (id, 2));
}

async fn an_old_low_priority_job_keeps_its_age_through_staging(t: TestStore) {
    let worker = t.worker().await;
    let low = t.add(|row| (row.priority, row.when) = (6, When::After(seconds(1)))).await;
    t.clock.advance(seconds(62));
    let urgent = t.add(|_| {}).await;
    t.store.stage(10).await.unwrap();

    assert_eq!(ids(&t.claim(worker, 2).await), [low, urgent]);
}
