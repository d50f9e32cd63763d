use jobkit::{Backoff, JobId};
use serde_json::json;

use super::*;

fn policy() -> Policy {
    let backoff = Backoff { first: Duration::from_secs(10), jitter: 0.0, ..Backoff::default() };
    Policy { backoff, ..Policy::default() }
}

fn ends(ended: Ended, stopped: impl Into<Option<StopReason>>, attempt: u16) -> End {
    decide(ended, stopped.into().as_ref(), attempt, 3, &policy(), 0.5)
}

fn transient() -> Ended {
    Ended::Failed(Failure::transient("no answer"))
}

fn interrupted() -> Ended {
    Ended::Failed(Failure::Interrupted("asked to stop".into()))
}

#[test]
fn outcomes_are_taken_as_they_are() {
    let done = || Ended::Done(Outcome::Completed(Some(json!({ "n": 1 }))));
    let completed = End::Completed { result: Some("{\"n\":1}".into()) };
    assert_eq!(ends(done(), None, 1), completed);
    assert_eq!(ends(done(), Some(StopReason::Cancelled("late".into())), 1), completed);
    assert_eq!(ends(done(), Some(StopReason::Shutdown), 1), completed);
    let day = Duration::from_secs(86_400);
    assert_eq!(ends(Ended::Done(Outcome::Snooze(day)), None, 3), End::Snooze { after: day });
    let parent = JobId(uuid::Uuid::nil());
    assert_eq!(ends(Ended::Done(Outcome::WaitFor(vec![parent])), None, 1), End::WaitFor(vec![parent]));
    let reason = String::from("nothing to do");
    assert_eq!(ends(Ended::Done(Outcome::Cancelled(reason.clone())), None, 1), End::Cancelled { reason });
}

#[test]
fn failures_are_retried_until_the_attempts_are_used_up_and_permanent_ones_never() {
    let retry =
        |seconds, error: &str| End::Retry { after: Duration::from_secs(seconds), error: error.into() };
    let discarded = |error: &str| End::Discarded { error: error.into() };
    let asked = |seconds| Ended::Failed(Failure::retry_after(Duration::from_secs(seconds), "busy"));
    assert_eq!(ends(transient(), None, 1), retry(10, "no answer"));
    assert_eq!(ends(transient(), None, 2), retry(30, "no answer"));
    assert_eq!(ends(transient(), None, 3), discarded("no answer"));
    assert_eq!(ends(asked(77), None, 2), retry(77, "busy"));
    assert_eq!(ends(asked(77), None, 3), discarded("busy"));
    assert_eq!(ends(Ended::Failed(Failure::permanent("bad")), None, 1), discarded("bad"));
    assert_eq!(ends(Ended::Panicked("oh".into()), None, 1), retry(10, "panicked: oh"));
    assert_eq!(ends(Ended::Panicked("oh".into()), None, 3), discarded("panicked: oh"));
    assert_eq!(ends(interrupted(), Some(StopReason::TimedOut), 1), retry(10, "timed out"));
    assert_eq!(ends(Ended::Dropped, Some(StopReason::TimedOut), 3), discarded("timed out"));
}

#[test]
fn what_no_database_could_record_is_made_recordable() {
    let error = |end| match end {
        End::Discarded { error } => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error(ends(Ended::Failed(Failure::permanent("a\0b")), None, 1)), "a\u{fffd}b");
    assert!(error(ends(Ended::Failed(Failure::permanent("é".repeat(20_000))), None, 1)).len() < 17_000);
    let asked = Failure::retry_after(Duration::MAX, "busy");
    let End::Retry { after, .. } = ends(Ended::Failed(asked), None, 1) else { panic!("a retry") };
    assert_eq!(after, LONGEST_WAIT);
    let End::Snooze { after } = ends(Ended::Done(Outcome::Snooze(Duration::MAX)), None, 1) else {
        panic!("a snooze")
    };
    assert_eq!(after, LONGEST_WAIT);
}

#[test]
fn whoever_stopped_an_attempt_decides_what_follows() {
    let cancelled = || StopReason::Cancelled("by ada".into());
    let end = End::Cancelled { reason: "by ada".into() };
    for ended in [interrupted(), Ended::Dropped, transient(), Ended::Failed(Failure::permanent("x"))] {
        assert_eq!(ends(ended, Some(cancelled()), 1), end);
    }
    for reason in [StopReason::Shutdown, StopReason::LeaseLost] {
        for ended in [interrupted(), Ended::Dropped, transient()] {
            assert_eq!(ends(ended, Some(reason.clone()), 3), End::GiveBack);
        }
    }
    assert_eq!(ends(interrupted(), None, 3), End::GiveBack);
}

#[test]
fn a_store_that_was_away_costs_no_attempt() {
    let away = || Ended::Failed(Failure::StoreAway("no answer".into()));
    let again = End::Snooze { after: STORE_AWAY };
    assert_eq!(ends(away(), None, 1), again);
    assert_eq!(ends(away(), None, 3), again);
    assert_eq!(ends(away(), Some(StopReason::TimedOut), 3), again);
    assert_eq!(ends(away(), Some(StopReason::Shutdown), 3), End::GiveBack);
    let cancelled = StopReason::Cancelled("by ada".into());
    assert_eq!(ends(away(), Some(cancelled), 3), End::Cancelled { reason: "by ada".into() });
}
