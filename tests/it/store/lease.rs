use std::collections::BTreeSet;

use jobkit::{Clock, OnParentFailure, Progress};
use store::state::JobState;
use store::{Actor, Beat, Change, Rescued, Scope, StoreError, Woken};

use crate::support::store::{
    Connection, TestStore, ada, completed, ids, named, promises, refusal, retry, seconds, set, step,
};

promises![
    a_worker_is_listed_until_it_retires,
    a_worker_is_forgotten_a_while_after_it_ended_and_what_it_did_keeps_its_number,
    a_worker_that_holds_a_job_is_not_forgotten,
    every_beat_moves_the_counter,
    a_beat_tells_which_jobs_somebody_wants_cancelled,
    a_worker_whose_counter_moved_is_not_rescued_from,
    the_jobs_of_a_dead_worker_are_available_at_once,
    the_last_attempt_lost_is_the_last,
    a_lost_attempt_is_told_of,
    a_dead_worker_hears_that_it_is_dead,
    the_report_of_a_dead_worker_is_refused_even_when_its_job_was_discarded,
    rescuing_twice_finds_nothing_the_second_time,
    a_job_that_was_to_be_cancelled_is_not_run_again_after_a_rescue,
    a_last_attempt_that_was_to_be_cancelled_ends_cancelled_after_a_rescue,
    what_is_not_in_hand_is_given_back_and_not_counted,
    what_was_to_be_cancelled_is_not_given_back,
    whoever_waits_for_a_job_that_is_cancelled_instead_of_given_back_is_woken_for,
    a_worker_that_still_holds_jobs_cannot_retire,
    an_old_fence_writes_no_step_and_no_progress,
    a_fence_that_was_given_twice_lets_only_its_holder_write,
];

/// Their rows were never deleted: one for each start of a process, for ever.
async fn a_worker_is_forgotten_a_while_after_it_ended_and_what_it_did_keeps_its_number(t: TestStore) {
    let (long_gone, gone, alive) = (t.worker().await, t.worker().await, t.worker().await);
    t.add(|_| {}).await;
    let done = t.run(long_gone, completed()).await;
    t.store.retire(long_gone).await.unwrap();
    t.clock.advance(seconds(50));
    t.store.retire(gone).await.unwrap();
    t.clock.advance(seconds(50));

    assert_eq!(t.store.forget_workers(seconds(70)).await.unwrap(), [long_gone]);

    assert_eq!(t.store.forget_workers(seconds(70)).await.unwrap(), []);
    assert_eq!(t.job(done).await.job.worker, Some(long_gone));
    assert_eq!(t.store.beat(long_gone).await.unwrap(), Beat::Lost);
    assert_eq!(t.store.beat(alive).await.unwrap(), Beat::Holds { cancel: vec![] });
    let next = t.worker().await;
    assert!(next > alive && next != long_gone, "no number is given twice");
}

async fn a_worker_that_holds_a_job_is_not_forgotten(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    t.claim_one(worker).await;
    // No transition ends a worker that holds a job; a person at the database can.
    let mut mine = t.connection().await;
    let end = match &mine {
        Connection::Sqlite(_) => "UPDATE worker SET ended_at = 0",
        Connection::Postgres(_) => "UPDATE compline.worker SET ended_at = '2020-01-01'",
    };
    mine.run(end).await;

    assert_eq!(t.store.forget_workers(seconds(1)).await.unwrap(), []);
}

async fn a_worker_is_listed_until_it_retires(t: TestStore) {
    let (stays, goes) = (t.worker().await, t.worker().await);

    t.store.retire(goes).await.unwrap();

    let workers = t.store.workers().await.unwrap();
    assert_eq!(workers.iter().map(|worker| worker.id).collect::<Vec<_>>(), [stays]);
    let worker = &workers[0];
    assert_eq!((worker.name.as_str(), worker.version.as_str(), worker.beat), ("here", "1", 0));
    assert_eq!((worker.started_at, worker.beat_at), (t.clock.now(), t.clock.now()));
    assert_eq!((worker.lease, worker.queues.as_slice()), (seconds(30), ["default".to_string()].as_slice()));
}

async fn every_beat_moves_the_counter(t: TestStore) {
    let worker = t.worker().await;
    t.clock.advance(seconds(10));

    assert_eq!(t.store.beat(worker).await.unwrap(), Beat::Holds { cancel: vec![] });
    t.store.beat(worker).await.unwrap();

    let worker = &t.store.workers().await.unwrap()[0];
    assert_eq!((worker.beat, worker.beat_at), (2, t.clock.now()));
}

async fn a_beat_tells_which_jobs_somebody_wants_cancelled(t: TestStore) {
    let (worker, other) = (t.worker().await, t.worker().await);
    let added = t.add_many(2).await;
    t.claim(worker, 2).await;

    let changed = t.change(added[1], Change::Cancel).await;

    assert_eq!((changed.ids, changed.asked), (vec![], vec![added[1]]));
    let wanted = Beat::Holds { cancel: vec![(added[1], "cancelled by user:ada".into())] };
    assert_eq!(t.store.beat(worker).await.unwrap(), wanted);
    assert_eq!(t.store.beat(other).await.unwrap(), Beat::Holds { cancel: vec![] });
}

async fn a_worker_whose_counter_moved_is_not_rescued_from(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.claim(worker, 1).await;
    t.store.beat(worker).await.unwrap();

    assert_eq!(t.store.rescue(worker, 0).await.unwrap(), []);

    assert_eq!(t.state(id).await, JobState::Running);
    assert_eq!(t.store.beat(worker).await.unwrap(), Beat::Holds { cancel: vec![] });
}

async fn the_jobs_of_a_dead_worker_are_available_at_once(t: TestStore) {
    let (dead, alive) = (t.worker().await, t.worker().await);
    let added = t.add_many(3).await;
    t.claim(dead, 2).await;
    t.claim(alive, 1).await;

    let mut rescued = t.store.rescue(dead, 0).await.unwrap();

    rescued.sort_by_key(|job| job.id);
    let wanted = added[..2].iter().map(|id| Rescued { id: *id, state: JobState::Available });
    assert_eq!(rescued, wanted.collect::<Vec<_>>());
    assert_eq!(t.state(added[2]).await, JobState::Running);
    let again = t.claim(alive, 5).await;
    assert_eq!(ids(&again), added[..2]);
    assert!(again.iter().all(|job| job.attempt == 2), "the lost attempt counts: {again:?}");
}

async fn the_last_attempt_lost_is_the_last(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|row| row.max_attempts = 1).await;
    t.claim(worker, 1).await;

    let rescued = t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(rescued, [Rescued { id, state: JobState::Discarded }]);
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Discarded, Some("lease expired")));
}

async fn a_lost_attempt_is_told_of(t: TestStore) {
    let worker = t.worker().await;
    let first = t.add(|_| {}).await;
    let last = t.add(|row| row.max_attempts = 1).await;
    let claimed_at = t.clock.now();
    t.claim(worker, 2).await;
    t.clock.advance(seconds(60));

    t.store.rescue(worker, 0).await.unwrap();

    for id in [first, last] {
        let attempts = t.job(id).await.attempts;
        let [attempt] = attempts.as_slice() else { panic!("one attempt: {attempts:?}") };
        assert_eq!((attempt.attempt, attempt.end.as_str(), attempt.worker), (1, "lost", Some(worker)));
        assert_eq!((attempt.error.as_deref(), attempt.ran), (Some("lease expired"), seconds(60)));
        assert_eq!((attempt.claimed_at, attempt.finished_at), (Some(claimed_at), t.clock.now()));
    }
    let audit = t.audit().await;
    for entry in &audit {
        assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("job.rescue", "system"));
        assert_eq!(entry.details["worker"], worker.0);
    }
    // What goes on and what ends may be two transactions.
    assert_eq!(audit.iter().flat_map(named).collect::<BTreeSet<_>>(), set([first, last]));
}

async fn a_dead_worker_hears_that_it_is_dead(t: TestStore) {
    let worker = t.worker().await;

    t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(t.store.beat(worker).await.unwrap(), Beat::Lost);
    assert_eq!(t.store.workers().await.unwrap(), []);
}

async fn the_report_of_a_dead_worker_is_refused_even_when_its_job_was_discarded(t: TestStore) {
    let worker = t.worker().await;
    let again = t.add(|_| {}).await;
    let last = t.add(|row| row.max_attempts = 1).await;
    let jobs = t.claim(worker, 2).await;
    t.store.rescue(worker, 0).await.unwrap();

    for job in &jobs {
        assert_eq!(t.finish(worker, job, completed()).await.refused, [job.id]);
    }

    assert_eq!(t.states(&[again, last]).await, [JobState::Available, JobState::Discarded]);
}

async fn rescuing_twice_finds_nothing_the_second_time(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    t.claim(worker, 1).await;

    assert_eq!(t.store.rescue(worker, 0).await.unwrap().len(), 1);
    assert_eq!(t.store.rescue(worker, 0).await.unwrap(), []);
}

async fn a_job_that_was_to_be_cancelled_is_not_run_again_after_a_rescue(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.claim(worker, 1).await;
    t.change(id, Change::Cancel).await;

    let rescued = t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(rescued, [Rescued { id, state: JobState::Cancelled }]);
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.error), (JobState::Cancelled, Some(format!("cancelled by {}", ada().name))));
}

async fn a_last_attempt_that_was_to_be_cancelled_ends_cancelled_after_a_rescue(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|row| row.max_attempts = 1).await;
    t.claim(worker, 1).await;
    t.change(id, Change::Cancel).await;

    let rescued = t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(rescued, [Rescued { id, state: JobState::Cancelled }]);
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.error), (JobState::Cancelled, Some(format!("cancelled by {}", ada().name))));
}

async fn what_is_not_in_hand_is_given_back_and_not_counted(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(3).await;
    t.claim(worker, 3).await;

    assert_eq!(t.store.give_back_unheld(worker, &added[1..2]).await.unwrap(), 2);

    use JobState::{Available, Running};
    assert_eq!(t.states(&added).await, [Available, Running, Available]);
    let again = t.claim(worker, 5).await;
    let told: Vec<_> = again.iter().map(|job| (job.id, job.attempt, job.fence.0)).collect();
    assert_eq!(told, [(added[0], 1, 2), (added[2], 1, 2)]);
}

async fn what_was_to_be_cancelled_is_not_given_back(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.claim(worker, 1).await;
    t.change(id, Change::Cancel).await;

    t.store.give_back_unheld(worker, &[]).await.unwrap();

    assert_eq!(t.state(id).await, JobState::Cancelled);
}

async fn whoever_waits_for_a_job_that_is_cancelled_instead_of_given_back_is_woken_for(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    t.claim(worker, 1).await;
    let child = t
        .add(|row| {
            row.queue = "children".into();
            row.after = vec![parent];
            row.on_parent_failure = OnParentFailure::Run;
        })
        .await;
    t.change(parent, Change::Cancel).await;
    let mut news = t.store.listen().await.unwrap();

    t.store.give_back_unheld(worker, &[]).await.unwrap();

    assert_eq!(news.recv().await, Some(Woken::Queue("children".into())));
    assert_eq!(t.states(&[parent, child]).await, [JobState::Cancelled, JobState::Available]);
}

async fn a_worker_that_still_holds_jobs_cannot_retire(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;

    refusal(t.store.retire(worker).await);
    assert_eq!(t.store.beat(worker).await.unwrap(), Beat::Holds { cancel: vec![] });

    t.finish(worker, &job, completed()).await;
    t.store.retire(worker).await.unwrap();
    assert_eq!(t.store.beat(worker).await.unwrap(), Beat::Lost);
}

async fn an_old_fence_writes_no_step_and_no_progress(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.finish(worker, &job, retry(1)).await;

    let old = job.held();
    let progress = Progress { done: 1, total: 2, message: "half".into() };
    let step = step(id, "send", Some(1.into()), &t.clock);
    assert!(matches!(t.store.save_step(old, &step).await, Err(StoreError::LeaseLost)));
    assert!(matches!(t.store.save_progress(old, &progress).await, Err(StoreError::LeaseLost)));
    let children = [t.row()];
    let spawned = t.store.spawn(old, &step, &children, &Actor::worker(worker)).await;
    assert!(matches!(spawned, Err(StoreError::LeaseLost)));

    let detail = t.job(id).await;
    assert_eq!((detail.steps, detail.progress), (vec![], None));
    assert_eq!(t.store.job(&Scope::Installation, children[0].id).await.unwrap(), None);
}

async fn a_fence_that_was_given_twice_lets_only_its_holder_write(t: TestStore) {
    let (first, second) = (t.worker().await, t.worker().await);
    let id = t.add(|_| {}).await;
    let lost = t.claim_one(first).await;
    t.connection().await.undo_claims().await;
    let job = t.claim_one(second).await;
    assert_eq!((job.id, job.fence), (lost.id, lost.fence));

    let progress = Progress { done: 1, total: 2, message: "half".into() };
    let step = step(id, "send", Some(1.into()), &t.clock);
    assert!(matches!(t.store.save_step(lost.held(), &step).await, Err(StoreError::LeaseLost)));
    assert!(matches!(t.store.save_progress(lost.held(), &progress).await, Err(StoreError::LeaseLost)));
    let spawned = t.store.spawn(lost.held(), &step, &[t.row()], &Actor::worker(first)).await;
    assert!(matches!(spawned, Err(StoreError::LeaseLost)));
    assert_eq!(t.finish(first, &lost, completed()).await.refused, [id]);
    assert_eq!(t.job(id).await.steps, []);

    t.store.save_step(job.held(), &step).await.unwrap();
    assert_eq!(t.finish(second, &job, completed()).await.refused, []);
}
