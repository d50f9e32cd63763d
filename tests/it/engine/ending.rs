//! How a job can end.

use std::time::Duration;

use jobkit::{Clock, NewJob, When};
use serde_json::json;
use store::state::JobState;
use store::{Actor, Change, JobFilter, Scope};

use super::Engine;
use super::family::{Act, act};
use crate::support::store::{TestStore, promises};

promises![
    a_job_runs_once_and_keeps_its_result,
    a_failing_job_is_retried_later_and_later_until_it_works,
    a_job_out_of_attempts_is_discarded_with_every_error_and_a_person_can_retry_it,
    a_permanent_failure_is_not_tried_again,
    a_panic_is_a_failed_attempt_and_the_worker_goes_on,
    unknown_kinds_and_unreadable_arguments_are_failed_attempts,
    a_snooze_uses_no_attempt,
    a_job_may_end_itself_as_cancelled,
    a_job_that_takes_too_long_is_interrupted_and_counts_as_failed,
    a_scheduled_job_does_not_run_early,
    a_waiting_job_that_is_cancelled_never_runs,
    a_running_job_that_is_cancelled_is_told_and_stops,
    a_job_that_does_not_listen_is_dropped_in_the_end,
    a_job_that_was_cancelled_while_it_ran_can_be_retried,
    an_attempt_that_could_not_store_its_step_is_not_counted,
    an_attempt_whose_step_the_store_will_never_take_is_counted,
    a_job_whose_end_can_in_no_way_be_recorded_does_not_run_again,
    an_error_that_no_database_can_hold_keeps_nobody_from_being_recorded,
    a_job_locked_by_somebody_else_keeps_nobody_from_being_recorded,
];

async fn a_job_runs_once_and_keeps_its_result(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let id = engine.enqueue(act(Act::Succeed)).await;
    let detail = engine.until_state(id, JobState::Completed).await;

    assert_eq!(detail.job.result.as_deref(), Some(r#"{"times":1}"#));
    assert_eq!(engine.end(worker).await.completed, 1);
    assert_eq!(engine.scene.begun(id), 1);
}

async fn a_failing_job_is_retried_later_and_later_until_it_works(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let id = engine.enqueue(NewJob::new("system.fail", json!({ "message": "no", "times": 2 }))).await;
    let detail = engine.until_state(id, JobState::Completed).await;

    let told: Vec<_> =
        detail.attempts.iter().map(|a| (a.attempt, a.end.as_str(), a.error.as_deref())).collect();
    assert_eq!(told, [(1, "failed", Some("no")), (2, "failed", Some("no")), (3, "completed", None)]);
    let waits: Vec<_> = detail
        .attempts
        .windows(2)
        .map(|pair| pair[1].claimed_at.unwrap().duration_since(pair[0].finished_at))
        .collect();
    // 1 s and 3 s, each give or take a fifth.
    assert!(waits[0].as_millis() >= 800 && waits[1].as_millis() >= 2_400, "{waits:?}");
    engine.end(worker).await;
}

async fn a_job_out_of_attempts_is_discarded_with_every_error_and_a_person_can_retry_it(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let job = NewJob::new("system.fail", json!({ "message": "no", "times": 2 }));

    let id = engine.enqueue(NewJob { max_attempts: Some(2), ..job }).await;
    let detail = engine.until_state(id, JobState::Discarded).await;
    assert_eq!(detail.job.error.as_deref(), Some("no"));
    assert_eq!(detail.attempts.iter().map(|a| a.attempt).collect::<Vec<_>>(), [1, 2]);

    let filter = JobFilter { states: vec![JobState::Discarded], ..JobFilter::default() };
    let ada = Actor::new("user:ada");
    let changed =
        engine.app.queue.change(&Scope::Installation, &filter, Change::Retry, &ada, 10).await.unwrap();
    assert_eq!(changed.ids, [id]);
    engine.until_state(id, JobState::Completed).await;
    engine.end(worker).await;
}

async fn a_permanent_failure_is_not_tried_again(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let id =
        engine.enqueue(NewJob::new("system.fail", json!({ "message": "never", "permanent": true }))).await;
    let detail = engine.until_state(id, JobState::Discarded).await;

    assert_eq!((detail.job.attempt, detail.job.error.as_deref()), (1, Some("never")));
    engine.end(worker).await;
}

async fn a_panic_is_a_failed_attempt_and_the_worker_goes_on(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let bad = engine.enqueue(act(Act::Panic)).await;
    let detail = engine.until_state(bad, JobState::Discarded).await;
    assert_eq!(detail.job.error.as_deref(), Some("panicked: at the disco"));
    assert_eq!(engine.scene.begun(bad), 3);

    let good = engine.enqueue(act(Act::Succeed)).await;
    engine.until_state(good, JobState::Completed).await;
    engine.end(worker).await;
}

async fn unknown_kinds_and_unreadable_arguments_are_failed_attempts(t: TestStore) {
    // Behind the door, as another version of the program would have written them.
    let unknown = t.add(|row| row.kind = "test.of_tomorrow".into()).await;
    let unreadable = t.add(|row| (row.kind, row.args) = ("test.act".into(), r#"{"act":7}"#.into())).await;
    let engine = Engine::over(t);
    let worker = engine.start();

    let detail = engine.until_state(unknown, JobState::Discarded).await;
    assert_eq!(detail.attempts.len(), 3);
    assert!(detail.job.error.unwrap().contains("test.of_tomorrow"));
    let detail = engine.until_state(unreadable, JobState::Discarded).await;
    assert_eq!(detail.attempts.len(), 3, "a newer version of the program may be the one that tries next");
    assert!(detail.job.error.unwrap().contains("cannot be read as test.act"));

    let good = engine.enqueue(act(Act::Succeed)).await;
    engine.until_state(good, JobState::Completed).await;
    engine.end(worker).await;
}

async fn a_snooze_uses_no_attempt(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let id = engine.enqueue(act(Act::Snooze)).await;
    let detail = engine.until_state(id, JobState::Completed).await;

    assert_eq!((detail.job.attempt, engine.scene.begun(id)), (1, 2));
    engine.end(worker).await;
}

async fn a_job_may_end_itself_as_cancelled(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let id = engine.enqueue(act(Act::GiveUp)).await;

    let detail = engine.until_state(id, JobState::Cancelled).await;
    assert_eq!(detail.job.error.as_deref(), Some("nothing to do"));
    engine.end(worker).await;
}

async fn a_job_that_takes_too_long_is_interrupted_and_counts_as_failed(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let patient = NewJob { kind: "test.quick".into(), max_attempts: Some(1), ..act(Act::WaitAtGate) };
    let deaf = NewJob { kind: "test.quick".into(), max_attempts: Some(1), ..act(Act::Deaf) };

    for job in [patient, deaf] {
        let id = engine.enqueue(job).await;
        let detail = engine.until_state(id, JobState::Discarded).await;
        assert_eq!(detail.job.error.as_deref(), Some("timed out"));
        assert!(detail.job.ran.unwrap() >= Duration::from_secs(10));
    }
    engine.end(worker).await;
}

async fn a_scheduled_job_does_not_run_early(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let due = Clock::now(&*engine.t.clock) + Duration::from_secs(40);

    let id = engine.enqueue(act(Act::Succeed).when(When::At(due))).await;
    assert_eq!(engine.t.state(id).await, JobState::Scheduled);
    let detail = engine.until_state(id, JobState::Completed).await;

    let late = detail.job.claimed_at.unwrap().duration_since(due);
    assert!(late.as_millis() >= 0 && late.as_secs() < 5, "{late:?} after it was due");
    engine.end(worker).await;
}

async fn a_waiting_job_that_is_cancelled_never_runs(t: TestStore) {
    let engine = Engine::over(t);
    let id = engine.enqueue(act(Act::Succeed)).await;
    let filter = JobFilter { ids: vec![id], ..JobFilter::default() };
    engine
        .app
        .queue
        .change(&Scope::Installation, &filter, Change::Cancel, &Actor::new("user:ada"), 10)
        .await
        .unwrap();

    let worker = engine.start();
    let next = engine.enqueue(act(Act::Succeed)).await;
    engine.until_state(next, JobState::Completed).await;

    let detail = engine.t.job(id).await;
    assert_eq!((detail.job.state, engine.scene.begun(id)), (JobState::Cancelled, 0));
    assert_eq!(detail.job.error.as_deref(), Some("cancelled by user:ada"));
    engine.end(worker).await;
}

async fn a_running_job_that_is_cancelled_is_told_and_stops(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;

    let filter = JobFilter { ids: vec![id], ..JobFilter::default() };
    // Through another process's door.
    let elsewhere = engine.t.another().await;
    let changed = elsewhere
        .change(&Scope::Installation, &filter, Change::Cancel, &Actor::new("user:ada"), 10)
        .await
        .unwrap();

    assert_eq!(changed.asked, [id]);
    let detail = engine.until_state(id, JobState::Cancelled).await;
    assert_eq!(detail.job.error.as_deref(), Some("cancelled by user:ada"));
    engine.end(worker).await;
}

async fn a_job_that_does_not_listen_is_dropped_in_the_end(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::Deaf)).await;
    engine.until_state(id, JobState::Running).await;

    let filter = JobFilter { ids: vec![id], ..JobFilter::default() };
    engine
        .app
        .queue
        .change(&Scope::Installation, &filter, Change::Cancel, &Actor::new("user:ada"), 10)
        .await
        .unwrap();

    engine.until_state(id, JobState::Cancelled).await;
    engine.end(worker).await;
}

async fn a_job_that_was_cancelled_while_it_ran_can_be_retried(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;
    let filter = JobFilter { ids: vec![id], ..JobFilter::default() };
    let ada = Actor::new("user:ada");
    engine.app.queue.change(&Scope::Installation, &filter, Change::Cancel, &ada, 10).await.unwrap();
    engine.until_state(id, JobState::Cancelled).await;

    engine.app.queue.change(&Scope::Installation, &filter, Change::Retry, &ada, 10).await.unwrap();
    engine.scene.gate.add_permits(1);

    engine.until_state(id, JobState::Completed).await;
    engine.end(worker).await;
}

/// It was once a failed attempt, and at its last attempt the job was discarded for what our own database did.
async fn an_attempt_that_could_not_store_its_step_is_not_counted(t: TestStore) {
    use crate::support::store::Connection;
    let mut mine = t.connection().await;
    if matches!(mine, Connection::Sqlite(_)) {
        // Nobody can fill its disk for it; `store/src/fault.rs` has its codes.
        return;
    }
    let engine = Engine::over(t);
    mine.run(
        "CREATE FUNCTION compline.full() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$",
    )
    .await;
    let away = "CREATE TRIGGER away BEFORE INSERT ON compline.job_step FOR EACH ROW
                EXECUTE FUNCTION compline.full()";
    mine.run(away).await;
    let worker = engine.start();
    let last = NewJob { max_attempts: Some(1), ..act(Act::StepThenGate) };
    let id = engine.enqueue(last).await;

    engine.until("it tried more often than it may fail", || async { engine.scene.begun(id) > 2 }).await;
    mine.run("DROP TRIGGER away ON compline.job_step").await;
    engine.scene.gate.add_permits(1);

    let detail = engine.until_state(id, JobState::Completed).await;
    let mut effects = engine.scene.effects.lock().unwrap().clone();
    effects.dedup();
    assert_eq!((detail.job.attempt, effects.len()), (1, 1));
    let told = &detail.attempts[0];
    assert_eq!((told.end.as_str(), told.log.len()), ("snoozed", 1));
    assert!(told.log[0].text.contains("could not go on"), "{:?}", told.log);
    engine.end(worker).await;
}

/// A missing table, or permission, was once a store that is away: the job ran every five seconds for ever.
async fn an_attempt_whose_step_the_store_will_never_take_is_counted(t: TestStore) {
    use crate::support::store::Connection;
    let mut mine = t.connection().await;
    let forbid = match &mine {
        Connection::Sqlite(_) => "ALTER TABLE job_step RENAME TO elsewhere",
        Connection::Postgres(_) => "ALTER TABLE compline.job_step RENAME TO elsewhere",
    };
    let engine = Engine::over(t);
    mine.run(forbid).await;
    let worker = engine.start();

    let id = engine.enqueue(NewJob { max_attempts: Some(2), ..act(Act::StepThenGate) }).await;

    let state =
        || async { engine.t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap()[0].state };
    engine.until("it was discarded", || async { state().await == JobState::Discarded }).await;
    assert_eq!(engine.scene.begun(id), 2);
    engine.end(worker).await;
}

async fn an_error_that_no_database_can_hold_keeps_nobody_from_being_recorded(t: TestStore) {
    let engine = Engine::over(t);
    let message = json!({ "message": "a\0b", "permanent": true });
    let bad = engine.enqueue(NewJob::new("system.fail", message)).await;
    let good = engine.enqueue(act(Act::Succeed)).await;
    let worker = engine.start();

    let detail = engine.until_state(bad, JobState::Discarded).await;
    assert_eq!(detail.job.error.as_deref(), Some("a\u{fffd}b"));
    engine.until_state(good, JobState::Completed).await;
    engine.end(worker).await;
}

async fn a_job_locked_by_somebody_else_keeps_nobody_from_being_recorded(t: TestStore) {
    use crate::support::store::Connection;
    let mut mine = t.connection().await;
    if matches!(mine, Connection::Sqlite(_)) {
        // One writer: whoever holds it holds everything, and SQLite's own waiting sees to that.
        return;
    }
    let engine = Engine::over(t);
    let worker = engine.start();
    let parent = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(parent, JobState::Running).await;
    // An application that enqueues a child of the running job and takes its time to commit.
    let mut child = engine.t.row();
    child.after = vec![parent];
    mine.run("BEGIN").await;
    engine
        .t
        .store
        .insert_in(mine.transaction(), &Scope::Installation, &[child], &Actor::new("user:ada"))
        .await
        .unwrap();
    engine.scene.gate.add_permits(1);
    let other = engine.enqueue(act(Act::Succeed)).await;

    engine.until_state(other, JobState::Completed).await;
    assert_eq!(engine.t.state(parent).await, JobState::Running);
    mine.run("COMMIT").await;
    engine.until_state(parent, JobState::Completed).await;
    engine.end(worker).await;
}

/// It was let go of, given back uncounted a minute later, and ran again and again.
async fn a_job_whose_end_can_in_no_way_be_recorded_does_not_run_again(t: TestStore) {
    use crate::support::store::Connection;
    let mut mine = t.connection().await;
    match &mine {
        Connection::Sqlite(_) => {
            mine.run(
                "CREATE TRIGGER refused BEFORE INSERT ON job_history
                 BEGIN SELECT RAISE(ABORT, 'no such end'); END",
            )
            .await;
        }
        Connection::Postgres(_) => {
            mine.run(
                "CREATE FUNCTION compline.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'no such end' USING ERRCODE = 'check_violation'; END $$",
            )
            .await;
            mine.run(
                "CREATE TRIGGER refused BEFORE INSERT ON compline.job_history FOR EACH ROW
                 EXECUTE FUNCTION compline.refuse()",
            )
            .await;
        }
    }
    let engine = Engine::over(t);
    let worker = engine.start();

    let id = engine.enqueue(act(Act::Succeed)).await;
    engine.until("it ran", || async { engine.scene.begun(id) > 0 }).await;
    let looked_over = Clock::steady(&*engine.t.clock) + Duration::from_secs(70);
    engine.until("it was looked for", || async { Clock::steady(&*engine.t.clock) > looked_over }).await;

    assert_eq!((engine.scene.begun(id), engine.t.state(id).await), (1, JobState::Running));
    // Nothing is left to wait for.
    let told = Clock::steady(&*engine.t.clock);
    engine.end(worker).await;
    let took = Clock::steady(&*engine.t.clock) - told;
    assert!(took < Duration::from_secs(10), "{took:?}");
}
