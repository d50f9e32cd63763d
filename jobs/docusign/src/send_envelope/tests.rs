use std::path::PathBuf;
use std::time::Duration;

use jobkit::Clock;
use jobkit::testing::{Bench, crash_at_every_step, run_twice};
use serde_json::{Value, json};

use super::*;
use crate::config::AccountConfig;
use crate::phase::Status;
use crate::provider::Budget;
use crate::tests::{FakeProvider, Play, account, args, completed, kept};

fn job(config: AccountConfig) -> (SendEnvelope, FakeProvider) {
    let (accounts, provider) = account(config);
    (SendEnvelope { accounts, roots: Vec::new() }, provider)
}

fn fresh() -> (SendEnvelope, FakeProvider) {
    job(AccountConfig::default())
}

#[tokio::test]
async fn an_envelope_is_drafted_its_id_stored_and_then_sent() {
    let (job, provider) = fresh();
    let bench = Bench::default();

    let sent = completed(&bench, &job, &args("a")).await;

    assert_eq!(provider.sent("a"), [sent["envelope"].as_str().unwrap()]);
    assert_eq!(provider.world().calls, ["create", "send"]);
    let actions: Vec<String> = bench.host.kept().actions().into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["docusign.envelope.begin", "docusign.envelope.draft", "docusign.envelope.send"]);
    assert_eq!(kept(&bench, "a").phase, Phase::Sent);
}

#[tokio::test]
async fn a_second_run_finds_it_sent() {
    let (job, provider) = fresh();

    let (first, second) = run_twice(&job, &args("a")).await;

    let value = |outcome: Result<Outcome, Failure>| match outcome {
        Ok(Outcome::Completed(Some(value))) => value,
        other => panic!("{other:?}"),
    };
    let (first, second) = (value(first), value(second));
    assert_eq!(
        (first["envelope"].clone(), second["was_there"].clone()),
        (second["envelope"].clone(), json!(true))
    );
    assert_eq!(provider.sent("a").len(), 1);
}

#[tokio::test]
async fn a_crash_at_any_point_sends_it_once() {
    let args = args("a");
    let tried = crash_at_every_step(&args, fresh, |_, provider: &FakeProvider| {
        assert_eq!(provider.sent("a").len(), 1);
        let world = provider.world();
        assert!(world.envelopes.values().all(|played| played.sent <= 1));
    });

    assert_eq!(tried.await.unwrap(), 6);
}

/// Whatever is lost, one goes out; drafts too many are harmless.
#[tokio::test]
async fn whatever_is_lost_on_the_way_one_goes_out() {
    use Play::{Late, LostAfter, LostBefore};
    for (create, send, find) in [
        (vec![LostAfter], vec![], vec![]),
        (vec![LostBefore], vec![], vec![]),
        (vec![Late(2)], vec![], vec![]),
        (vec![Late(1), LostAfter], vec![LostAfter], vec![LostBefore]),
        (vec![LostAfter], vec![LostBefore, LostAfter], vec![LostBefore, LostBefore]),
        (vec![], vec![LostAfter], vec![]),
        (vec![], vec![LostBefore, LostBefore, LostBefore, LostBefore], vec![]),
        (vec![Late(3), LostBefore, LostBefore, LostBefore], vec![], vec![LostBefore, LostBefore, LostBefore]),
    ] {
        for hides_drafts in [false, true] {
            let (job, provider) = fresh();
            provider.world().hides_drafts = hides_drafts;
            provider.play("create", create.clone());
            provider.play("send", send.clone());
            provider.play("find", find.clone());
            let bench = Bench::default();
            bench.clock.run_freely();

            let mut tried = 1;
            while let Err(failure) = bench.run(&job, &args("a"), tried).await {
                assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
                tried += 1;
            }

            assert_eq!(provider.sent("a").len(), 1, "{create:?} {send:?} {find:?}");
        }
    }
}

#[tokio::test]
async fn one_key_means_one_envelope() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    completed(&bench, &job, &args("a")).await;
    bench.host.kept().let_go(bench.id);

    let mut other = args("a");
    let next = bench.beside();
    let again = completed(&next, &job, &other).await;
    bench.host.kept().let_go(next.id);
    other.subject = "Another report".into();
    let refused = bench.beside().run(&job, &other, 1).await;

    assert_eq!(again["was_there"], json!(true));
    assert!(
        matches!(&refused, Err(Failure::Permanent(cause)) if cause.to_string().starts_with("key: `a` was used"))
    );
    assert_eq!(provider.sent("a").len(), 1);
}

#[tokio::test]
async fn two_jobs_at_one_envelope_do_not_overlap() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    let other = bench.beside();
    let id = envelope::id(None, "a");
    let made = Envelope::new("default", &id, other.id, args("a").sha256(), bench.clock.now());
    envelope::begin(&other.ctx("docusign.send_envelope", 1), &id, made, bench.clock.now()).await.unwrap();

    let busy = bench.run(&job, &args("a"), 1).await.unwrap();
    bench.host.kept().let_go(other.id);
    completed(&bench, &job, &args("a")).await;

    assert_eq!(busy, Outcome::Snooze(BUSY));
    // The other may have made a draft, so it was looked for.
    assert_eq!(provider.world().calls, ["find", "create", "send"]);
}

#[tokio::test]
async fn what_can_never_be_sent_ends_with_its_code_and_trace_and_may_be_asked_for_again() {
    let (job, provider) = fresh();
    provider.play("send", [Play::Refuse(Fault::Refused, "ENVELOPE_IS_INCOMPLETE")]);
    let bench = Bench::default();

    let refused = bench.run(&job, &args("a"), 1).await;

    let told = refused.unwrap_err();
    assert!(
        matches!(told, Failure::Permanent(_))
            && told.to_string().contains("ENVELOPE_IS_INCOMPLETE (trace token trace-1)"),
        "{told}"
    );
    let failed = kept(&bench, "a");
    assert_eq!(failed.phase, Phase::Failed);
    assert_eq!(failed.envelope.problem.unwrap().code.as_deref(), Some("ENVELOPE_IS_INCOMPLETE"));
    bench.host.kept().let_go(bench.id);
    completed(&bench.beside(), &job, &args("a")).await;
    assert_eq!(provider.sent("a").len(), 1);
}

#[tokio::test]
async fn a_draft_that_is_gone_is_made_anew() {
    let (job, provider) = fresh();
    provider.play("send", [Play::Refuse(Fault::Missing, "ENVELOPE_DOES_NOT_EXIST")]);
    let bench = Bench::default();

    let first = bench.run(&job, &args("a"), 1).await;
    provider.world().envelopes.clear();
    bench.run(&job, &args("a"), 2).await.unwrap();

    assert!(matches!(first, Err(Failure::Transient(_))));
    assert_eq!(provider.sent("a").len(), 1);
}

#[tokio::test]
async fn limits_of_the_provider_use_no_attempt_and_pause_the_account() {
    for (fault, least) in [(Fault::HourlyLimit, 1), (Fault::BurstLimit, 30)] {
        let (job, provider) = fresh();
        provider.play("create", [Play::Refuse(fault, "LIMIT")]);
        let bench = Bench::default();

        let stopped = bench.run(&job, &args("a"), 1).await;

        assert!(
            matches!(stopped, Err(Failure::NotNow { after, .. }) if after >= Duration::from_secs(least)),
            "{stopped:?}"
        );
        assert_eq!(bench.host.held_off()[0].limit.as_deref(), Some("docusign.default/default"));
    }
}

#[tokio::test]
async fn the_last_calls_of_the_hour_are_left_to_others() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    let resets_at = bench.clock.now().checked_add(SignedDuration::from_mins(7)).ok();
    provider.world().budget = Budget { remaining: Some(3), resets_at };

    completed(&bench, &job, &args("a")).await;

    assert_eq!(bench.host.held_off()[0].wait, Duration::from_secs(421));
    assert_eq!(bench.host.taken()[0], ("docusign.default".into(), "default".into(), 1));
}

#[tokio::test]
async fn an_account_at_fault_is_parked_told_once_and_tried_by_one() {
    for fault in [Fault::Consent, Fault::SignIn, Fault::Token, Fault::Permission] {
        let (job, provider) = fresh();
        provider.play("create", [Play::Refuse(fault, "consent_required")]);
        let bench = Bench::default();
        let other = bench.beside();

        let first = bench.run(&job, &args("a"), 1).await;
        let second = other.run(&job, &args("b"), 1).await;
        bench.host.kept().let_go(bench.id);

        for stopped in [&first, &second] {
            assert!(
                matches!(stopped, Err(Failure::NotNow { why, .. }) if why.contains("parked")),
                "{stopped:?}"
            );
        }
        assert_eq!(provider.count("create"), 1);
        assert_eq!(bench.host.kept().news().len(), 1);
        // After a while one of them tries, and the account is open again.
        bench.clock.advance(crate::account::TRY_AGAIN);
        completed(&other, &job, &args("b")).await;
        bench.run(&job, &args("a"), 1).await.unwrap();
        let news: Vec<_> = bench.host.kept().news().into_iter().map(|news| news.change).collect();
        assert_eq!(news, [jobkit::NewsChange::Began, jobkit::NewsChange::Ended]);
    }
}

#[tokio::test]
async fn a_direct_send_is_one_call_and_looks_when_the_answer_is_lost() {
    let (job, provider) = job(AccountConfig { send_mode: SendMode::Direct, ..AccountConfig::default() });
    provider.play("create", [Play::LostAfter]);
    let bench = Bench::default();
    bench.clock.run_freely();

    completed(&bench, &job, &args("a")).await;

    assert_eq!(provider.sent("a").len(), 1);
    assert_eq!(provider.world().calls, ["create", "find"]);
}

#[tokio::test]
async fn an_envelope_that_went_out_and_on_before_we_knew_is_taken_as_it_is() {
    let (job, provider) = fresh();
    provider.play("send", [Play::LostAfter, Play::Refuse(Fault::State, "ENVELOPE_INVALID_STATUS")]);
    let bench = Bench::default();
    bench.clock.run_freely();

    completed(&bench, &job, &args("a")).await;

    let kept = kept(&bench, "a");
    assert_eq!(kept.phase, Phase::Sent);
    assert_eq!(provider.count("stand"), 1);
    assert!(kept.envelope.asked_at.is_some());
}

#[test]
fn one_that_went_out_is_adopted_before_a_draft_and_else_the_oldest() {
    let found = |id: &str, status| Found { id: id.into(), status, made_at: None };
    for (found, expected) in [
        (vec![], None),
        (vec![found("a", Status::Deleted)], None),
        (vec![found("a", Status::Created), found("b", Status::Created)], Some(("a", false))),
        (vec![found("a", Status::Created), found("b", Status::Delivered)], Some(("b", true))),
        (vec![found("a", Status::Deleted), found("b", Status::Created)], Some(("b", false))),
    ] {
        let expected = expected.map(|(id, is_out): (&str, bool)| (id.to_owned(), is_out));
        assert_eq!(adopted(&found), expected, "{found:?}");
    }
}

#[test]
fn the_door_knows_accounts_and_roots() {
    let (mut job, _) = fresh();
    let mut wanted = args("a");
    assert_eq!(job.check(&wanted), Ok(()));
    wanted.account = Some("other".into());
    assert!(job.check(&wanted).unwrap_err().starts_with("account: there is no account `other`"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.pdf");
    std::fs::write(&file, crate::tests::PDF).unwrap();
    let mut wanted = args("a");
    wanted.documents[0].base64 = None;
    wanted.documents[0].path = file.to_str().map(str::to_owned);
    assert!(job.check(&wanted).unwrap_err().starts_with("documents[0].path: "));
    job.roots = vec![PathBuf::from(folder.path())];
    assert_eq!(job.check(&wanted), Ok(()));
}

#[tokio::test]
async fn nothing_of_a_person_is_kept_told_or_logged() {
    let (job, provider) = fresh();
    provider.play("send", [Play::LostBefore]);
    let bench = Bench::default();
    bench.clock.run_freely();
    completed(&bench, &job, &args("a")).await;

    let kept: Value = json!(bench.host.kept().all());
    assert!(!kept.to_string().contains("ada") && !kept.to_string().contains("Ada"), "{kept}");
    assert!(!format!("{:?}", args("a")).contains("Ada"));
}
