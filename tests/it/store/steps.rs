use jobkit::{Progress, StepRecord};
use serde_json::{Value, json};
use store::state::JobState;
use store::{Actor, End, Held, Scope, StoreError};

use crate::support::store::{TestStore, ada, completed, promises, refusal, retry, seconds, step};

promises![
    a_step_is_remembered_by_the_next_attempt,
    an_attempt_that_lost_its_job_is_not_told_its_steps,
    an_intent_is_not_a_result,
    the_result_of_nothing_is_a_result,
    a_step_that_is_saved_again_keeps_the_newer_record,
    steps_and_progress_outlive_the_job,
    only_the_newest_progress_is_kept,
    children_and_their_step_come_together_or_not_at_all,
    spawning_again_after_a_lost_answer_makes_no_second_children,
];

async fn a_step_is_remembered_by_the_next_attempt(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    let first = step(id, "first", Some(json!({ "envelope": "e-1" })), &t.clock);
    t.store.save_step(job.held(), &first).await.unwrap();
    t.clock.advance(seconds(1));
    let second = StepRecord { attempt: 1, ..step(id, "a second", Some(json!([1, 2])), &t.clock) };
    t.store.save_step(job.held(), &second).await.unwrap();
    t.finish(worker, &job, retry(1)).await;
    t.clock.advance(seconds(1));
    t.store.stage(1).await.unwrap();
    let next = t.claim_one(worker).await;

    assert_eq!(t.store.steps(next.held()).await.unwrap(), [first, second]);
}

/// It would go on from what another attempt did meanwhile, as if it had done so itself.
async fn an_attempt_that_lost_its_job_is_not_told_its_steps(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    assert_eq!(t.store.steps(job.held()).await.unwrap(), []);
    t.finish(worker, &job, End::GiveBack).await;

    let given_back = t.store.steps(job.held()).await;

    assert!(matches!(given_back, Err(StoreError::LeaseLost)), "{given_back:?}");
    let next = t.claim_one(worker).await;
    let older = t.store.steps(job.held()).await;
    assert!(matches!(older, Err(StoreError::LeaseLost)), "{older:?}");
    let stranger = Held { worker: t.worker().await, ..next.held() };
    let strange = t.store.steps(stranger).await;
    assert!(matches!(strange, Err(StoreError::LeaseLost)), "{strange:?}");
    assert_eq!(t.store.steps(next.held()).await.unwrap(), []);
}

async fn an_intent_is_not_a_result(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;

    t.store.save_step(job.held(), &step(id, "send", None, &t.clock)).await.unwrap();

    assert_eq!(t.store.steps(job.held()).await.unwrap()[0].result, None);
}

async fn the_result_of_nothing_is_a_result(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;

    t.store.save_step(job.held(), &step(id, "send", Some(Value::Null), &t.clock)).await.unwrap();

    assert_eq!(t.store.steps(job.held()).await.unwrap()[0].result, Some(Value::Null));
}

async fn a_step_that_is_saved_again_keeps_the_newer_record(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.store.save_step(job.held(), &step(id, "send", None, &t.clock)).await.unwrap();
    t.clock.advance(seconds(1));
    let done = StepRecord { attempt: 2, ..step(id, "send", Some(json!("sent")), &t.clock) };

    t.store.save_step(job.held(), &done).await.unwrap();

    assert_eq!(t.store.steps(job.held()).await.unwrap(), [done]);
}

async fn steps_and_progress_outlive_the_job(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    let step = step(id, "send", Some(1.into()), &t.clock);
    let progress = Progress { done: 3, total: 9, message: "a third".into() };
    t.store.save_step(job.held(), &step).await.unwrap();
    t.store.save_progress(job.held(), &progress).await.unwrap();

    t.finish(worker, &job, completed()).await;

    let detail = t.job(id).await;
    assert_eq!((detail.steps, detail.progress), (vec![step], Some(progress)));
}

async fn only_the_newest_progress_is_kept(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    for done in 1..=3 {
        let progress = Progress { done, total: 3, message: format!("{done} of 3") };
        t.store.save_progress(job.held(), &progress).await.unwrap();
    }

    let wanted = Progress { done: 3, total: 3, message: "3 of 3".into() };
    assert_eq!(t.job(id).await.progress, Some(wanted));
}

async fn children_and_their_step_come_together_or_not_at_all(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    let children = [t.row(), t.row()];
    let mut orphan = t.row();
    orphan.after = vec![t.ids.next()];
    let by = Actor::worker(worker);
    let made = step(id, "children", Some(json!([children[0].id, children[1].id])), &t.clock);

    let with_orphan = [children[0].clone(), orphan];
    refusal(t.store.spawn(job.held(), &made, &with_orphan, &by).await);
    assert_eq!(t.store.steps(job.held()).await.unwrap(), []);
    assert_eq!(t.store.job(&Scope::Installation, children[0].id).await.unwrap(), None);

    t.store.spawn(job.held(), &made, &children, &by).await.unwrap();
    assert_eq!(t.store.steps(job.held()).await.unwrap(), [made]);
    assert_eq!(t.states(&[children[0].id, children[1].id]).await, [JobState::Available; 2]);
}

async fn spawning_again_after_a_lost_answer_makes_no_second_children(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    let children = [t.row()];
    let made = step(id, "children", Some(json!([children[0].id])), &t.clock);
    t.store.spawn(job.held(), &made, &children, &ada()).await.unwrap();

    t.store.spawn(job.held(), &made, &children, &ada()).await.unwrap();

    assert_eq!(t.store.steps(job.held()).await.unwrap(), [made]);
    assert_eq!(t.claim_one(worker).await.id, children[0].id);
    assert_eq!(t.claim(worker, 5).await, []);
}
