use jobkit::{Clock, LogLevel, LogLine, OnParentFailure, When};
use store::state::JobState;
use store::{AttemptRow, Change, End, Finished, Held};

use crate::support::store::{TestStore, ada, completed, discarded, ids, promises, report, retry, seconds};

promises![
    a_completed_job_is_in_the_history_with_its_result,
    a_first_success_without_log_lines_needs_no_attempt_row,
    a_success_that_logged_keeps_its_lines,
    a_failed_attempt_waits_for_its_time_and_keeps_its_error,
    a_second_success_tells_of_both_attempts,
    a_snoozed_job_comes_later_and_has_used_no_attempt,
    a_job_given_back_stands_where_it_stood_and_leaves_no_attempt_row,
    a_cancelled_job_says_why,
    a_discarded_job_keeps_its_error,
    a_report_with_an_old_fence_is_refused_and_changes_nothing,
    a_report_on_a_job_that_is_not_running_is_refused,
    a_report_of_another_worker_is_refused,
    a_report_that_was_recorded_already_counts_as_accepted,
    one_refused_report_does_not_stop_the_others,
    a_batch_may_end_in_every_way_at_once,
    completing_wins_over_a_request_to_cancel,
    whatever_else_is_reported_a_requested_cancellation_ends_the_job,
    a_job_that_is_given_back_wakes_its_queue,
    whoever_waits_for_a_job_that_is_cancelled_by_its_report_is_woken_for,
    what_comes_again_at_once_needs_no_staging,
];

async fn a_completed_job_is_in_the_history_with_its_result(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.clock.advance(seconds(1));
    let claimed_at = t.clock.now();
    let job = t.claim_one(worker).await;
    t.clock.advance(seconds(2));

    let end = End::Completed { result: Some(r#"{"rows": 3}"#.into()) };
    assert_eq!(t.finish(worker, &job, end).await, Finished::default());

    let job = t.job(id).await.job;
    assert_eq!((job.state, job.worker, job.attempt), (JobState::Completed, Some(worker), 1));
    assert_eq!((job.claimed_at, job.finished_at), (Some(claimed_at), Some(t.clock.now())));
    assert_eq!(job.result.as_deref(), Some(r#"{"rows": 3}"#));
    assert_eq!((job.error, job.ran.unwrap().as_millis()), (None, 1_500));
    assert_eq!(job.args, r#"{"n":1}"#);
    assert_eq!(t.claim(worker, 1).await, []);
}

async fn a_first_success_without_log_lines_needs_no_attempt_row(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    t.run(worker, completed()).await;

    assert_eq!(t.job(id).await.attempts, []);
}

async fn a_success_that_logged_keeps_its_lines(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    let log = vec![LogLine { at: t.clock.now(), level: LogLevel::Warn, text: "it's \"odd\"".into() }];
    let mut told = report(&job, completed());
    told.log.clone_from(&log);

    t.store.finish(worker, &[told]).await.unwrap();

    let wanted = AttemptRow {
        attempt: 1,
        end: "completed".into(),
        worker: Some(worker),
        claimed_at: Some(t.clock.now()),
        finished_at: t.clock.now(),
        ran: std::time::Duration::from_millis(1_500),
        error: None,
        log,
    };
    assert_eq!(t.job(id).await.attempts, [wanted]);
}

async fn a_failed_attempt_waits_for_its_time_and_keeps_its_error(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    t.run(worker, retry(60)).await;

    let detail = t.job(id).await;
    assert_eq!((detail.job.state, detail.job.attempt), (JobState::Retryable, 1));
    assert_eq!(detail.job.run_at, t.clock.now() + seconds(60));
    assert_eq!((detail.job.worker, detail.job.error.as_deref()), (None, Some("try again")));
    let [attempt] = detail.attempts.as_slice() else { panic!("one attempt: {:?}", detail.attempts) };
    assert_eq!(
        (attempt.attempt, attempt.end.as_str(), attempt.error.as_deref()),
        (1, "failed", Some("try again"))
    );
    assert_eq!(t.claim(worker, 1).await, []);
}

async fn a_second_success_tells_of_both_attempts(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.run(worker, retry(1)).await;
    t.clock.advance(seconds(1));
    t.store.stage(10).await.unwrap();

    t.run(worker, completed()).await;

    let detail = t.job(id).await;
    let told: Vec<_> = detail.attempts.iter().map(|row| (row.attempt, row.end.as_str())).collect();
    assert_eq!(told, [(1, "failed"), (2, "completed")]);
    assert_eq!((detail.job.state, detail.job.attempt), (JobState::Completed, 2));
}

async fn a_snoozed_job_comes_later_and_has_used_no_attempt(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    t.run(worker, End::Snooze { after: seconds(30) }).await;

    let detail = t.job(id).await;
    assert_eq!((detail.job.state, detail.job.attempt), (JobState::Scheduled, 0));
    assert_eq!(detail.job.run_at, t.clock.now() + seconds(30));
    let told: Vec<_> = detail.attempts.iter().map(|row| (row.attempt, row.end.as_str())).collect();
    assert_eq!(told, [(1, "snoozed")]);
    t.clock.advance(seconds(30));
    t.store.stage(10).await.unwrap();
    assert_eq!(t.claim_one(worker).await.attempt, 1);
}

async fn a_job_given_back_stands_where_it_stood_and_leaves_no_attempt_row(t: TestStore) {
    let worker = t.worker().await;
    let first = t.add(|_| {}).await;
    t.clock.advance(seconds(1));
    let second = t.add(|_| {}).await;
    t.clock.advance(seconds(1));

    assert_eq!(t.run(worker, End::GiveBack).await, first);

    let detail = t.job(first).await;
    assert_eq!((detail.job.state, detail.job.attempt, detail.job.worker), (JobState::Available, 0, None));
    assert_eq!(detail.attempts, []);
    assert_eq!(ids(&t.claim(worker, 2).await), [first, second]);
}

async fn a_cancelled_job_says_why(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    t.run(worker, End::Cancelled { reason: "the client left".into() }).await;

    let detail = t.job(id).await;
    assert_eq!(
        (detail.job.state, detail.job.error.as_deref()),
        (JobState::Cancelled, Some("the client left"))
    );
    assert_eq!(detail.attempts[0].end, "cancelled");
}

async fn a_discarded_job_keeps_its_error(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    t.run(worker, discarded()).await;

    let detail = t.job(id).await;
    assert_eq!((detail.job.state, detail.job.error.as_deref()), (JobState::Discarded, Some("beyond help")));
    assert_eq!(detail.attempts[0].end, "discarded");
    assert_eq!(detail.attempts[0].error.as_deref(), Some("beyond help"));
}

async fn a_report_with_an_old_fence_is_refused_and_changes_nothing(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let old = t.claim_one(worker).await;
    t.finish(worker, &old, End::GiveBack).await;
    let new = t.claim_one(worker).await;

    let answer = t.finish(worker, &old, completed()).await;

    assert_eq!(answer.refused, [id]);
    let detail = t.job(id).await;
    assert_eq!((detail.job.state, detail.attempts), (JobState::Running, vec![]));
    assert_eq!(t.finish(worker, &new, completed()).await.refused, []);
}

async fn a_report_on_a_job_that_is_not_running_is_refused(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.finish(worker, &job, End::GiveBack).await;

    assert_eq!(t.finish(worker, &job, completed()).await.refused, [id]);
    assert_eq!(t.state(id).await, JobState::Available);
}

async fn a_report_of_another_worker_is_refused(t: TestStore) {
    let (worker, other) = (t.worker().await, t.worker().await);
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;

    assert_eq!(t.finish(other, &job, completed()).await.refused, [id]);
    assert_eq!(t.state(id).await, JobState::Running);
}

async fn a_report_that_was_recorded_already_counts_as_accepted(t: TestStore) {
    let worker = t.worker().await;
    t.add_many(3).await;
    for end in [completed(), discarded(), End::Cancelled { reason: "no need".into() }] {
        let job = t.claim_one(worker).await;
        t.finish(worker, &job, end.clone()).await;
        let before = t.job(job.id).await;
        t.clock.advance(seconds(5));

        // The answer of the first try was lost on the way.
        assert_eq!(t.finish(worker, &job, end).await.refused, []);
        assert_eq!(t.job(job.id).await, before);
    }
}

async fn one_refused_report_does_not_stop_the_others(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(3).await;
    let jobs = t.claim(worker, 3).await;
    let mut reports: Vec<_> = jobs.iter().map(|job| report(job, completed())).collect();
    reports[1].held = Held { fence: store::Fence(99), ..reports[1].held };

    let answer = t.store.finish(worker, &reports).await.unwrap();

    assert_eq!(answer.refused, [added[1]]);
    use JobState::{Completed, Running};
    assert_eq!(t.states(&added).await, [Completed, Running, Completed]);
}

async fn a_batch_may_end_in_every_way_at_once(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|row| row.queue = "other".into()).await;
    let added = t.add_many(7).await;
    let jobs = t.claim(worker, 7).await;
    let ends = [
        completed(),
        retry(9),
        End::Snooze { after: seconds(9) },
        End::GiveBack,
        End::Cancelled { reason: "no".into() },
        discarded(),
        End::WaitFor(vec![parent]),
    ];
    let reports: Vec<_> = jobs.iter().zip(ends).map(|(job, end)| report(job, end)).collect();

    let answer = t.store.finish(worker, &reports).await.unwrap();

    assert_eq!(answer, Finished { refused: vec![], woken: vec!["default".into()] });
    use JobState::*;
    let wanted = [Completed, Retryable, Scheduled, Available, Cancelled, Discarded, Waiting];
    assert_eq!(t.states(&added).await, wanted);
}

async fn completing_wins_over_a_request_to_cancel(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.change(id, Change::Cancel).await;

    t.finish(worker, &job, completed()).await;

    assert_eq!(t.state(id).await, JobState::Completed);
}

async fn whatever_else_is_reported_a_requested_cancellation_ends_the_job(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|row| row.when = When::After(seconds(99))).await;
    for end in [retry(9), End::Snooze { after: seconds(9) }, End::GiveBack, End::WaitFor(vec![parent])] {
        let id = t.add(|_| {}).await;
        let job = t.claim_one(worker).await;
        t.change(id, Change::Cancel).await;

        let answer = t.finish(worker, &job, end.clone()).await;

        assert_eq!(answer.refused, [], "{end:?}");
        let detail = t.job(id).await;
        assert_eq!(detail.job.state, JobState::Cancelled, "{end:?}");
        assert_eq!(detail.job.error, Some(format!("cancelled by {}", ada().name)), "{end:?}");
        assert_eq!(detail.waits_for, [], "{end:?}");
    }
}

async fn a_job_that_is_given_back_wakes_its_queue(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;

    assert_eq!(t.finish(worker, &job, End::GiveBack).await.woken, ["default"]);
}

async fn whoever_waits_for_a_job_that_is_cancelled_by_its_report_is_woken_for(t: TestStore) {
    let worker = t.worker().await;
    let other = t.add(|row| row.when = When::After(seconds(99))).await;
    for end in [retry(9), End::WaitFor(vec![other])] {
        let parent = t.add(|_| {}).await;
        let job = t.claim_one(worker).await;
        t.add(|row| {
            row.queue = "children".into();
            row.after = vec![parent];
            row.on_parent_failure = OnParentFailure::Run;
        })
        .await;
        t.change(parent, Change::Cancel).await;

        let woken = t.finish(worker, &job, end.clone()).await.woken;

        assert_eq!(woken, ["children"], "{end:?}");
    }
}

async fn what_comes_again_at_once_needs_no_staging(t: TestStore) {
    let worker = t.worker().await;
    let first = t.add(|_| {}).await;
    for end in [retry(0), End::Snooze { after: seconds(0) }] {
        let job = t.claim_one(worker).await;
        t.clock.advance(seconds(5));

        assert_eq!(t.finish(worker, &job, end.clone()).await.woken, ["default"], "{end:?}");

        let row = t.job(first).await.job;
        assert_eq!((row.state, row.run_at), (JobState::Available, t.clock.now()), "{end:?}");
    }
    let second = t.add(|_| {}).await;
    assert_eq!(ids(&t.claim(worker, 2).await), [first, second]);
}
