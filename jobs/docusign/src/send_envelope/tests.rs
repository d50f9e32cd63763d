mod documents;
mod restored;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use jobkit::testing::{Bench, crash_at_every_step, run_twice};
use serde_json::{Value, json};

use super::*;
use crate::account::Account;
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
    assert_eq!(provider.world().calls, ["find_by_key", "create", "send"]);
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
            provider.play("find_by_key", [vec![Play::AsEver], find.clone()].concat());
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
    let documents = crate::documents::hashes(&[b"%PDF-1.7\n%%EOF\n".to_vec()]);
    let account = job.accounts.named("default").unwrap();
    let asked = Asked {
        account,
        installation: "test".into(),
        id: &id,
        job: other.id,
        request_sha256: args("a").sha256(),
        documents,
    };
    let made = Envelope::new(asked, bench.clock.now());
    let change = Change::to(Phase::Drafting, "docusign.envelope.begin");
    envelope::begin(&other.ctx("docusign.send_envelope", 1), &id, made, change).await.unwrap();

    let busy = bench.run(&job, &args("a"), 1).await.unwrap();
    bench.host.kept().let_go(other.id);
    completed(&bench, &job, &args("a")).await;

    assert_eq!(busy, Outcome::Snooze(BUSY));
    // The other may have made a draft, so it was looked for.
    assert_eq!(provider.world().calls, ["find_by_key", "find", "create", "send"]);
    // All of them together: who looks and then has to wait looks in vain, and would again.
    let taken: Vec<u32> = bench.host.taken().into_iter().map(|(_, _, count)| count).collect();
    assert_eq!(taken, [4]);
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

/// It may have gone out, and nobody finds it: the sweep looks in other ways, and tells a person.
#[tokio::test]
async fn a_draft_that_is_not_found_is_not_replaced_by_another() {
    let (job, provider) = fresh();
    provider.play("send", [Play::LostAfter, Play::Refuse(Fault::Missing, "ENVELOPE_DOES_NOT_EXIST")]);
    let bench = Bench::default();
    bench.clock.run_freely();

    let first = bench.run(&job, &args("a"), 1).await;
    completed_again(&bench, &job).await;

    assert!(matches!(first, Err(Failure::Transient(_))), "{first:?}");
    assert_eq!((provider.sent("a").len(), provider.count("create")), (1, 1));
}

async fn completed_again(bench: &Bench, job: &SendEnvelope) {
    assert!(matches!(bench.run(job, &args("a"), 2).await, Ok(Outcome::Completed(_))));
}

#[tokio::test]
async fn a_draft_that_was_deleted_is_made_anew() {
    let (job, provider) = fresh();
    provider.play("send", [Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let bench = Bench::default();
    bench.clock.run_freely();
    bench.run(&job, &args("a"), 1).await.unwrap_err();
    let draft = kept(&bench, "a").envelope.envelope.unwrap();
    provider.set(&draft, Status::Deleted);

    let second = bench.run(&job, &args("a"), 2).await;
    bench.run(&job, &args("a"), 3).await.unwrap();

    assert!(matches!(second, Err(Failure::Transient(_))), "{second:?}");
    assert_eq!((provider.sent("a").len(), provider.count("create")), (1, 2));
    assert_ne!(provider.sent("a"), [draft]);
}

/// An operator changed the mode between two attempts.
#[tokio::test]
async fn a_draft_that_a_direct_send_finds_is_sent() {
    let (job, provider) = fresh();
    provider.play("create", [Play::LostAfter]);
    provider.play("find_by_key", [Play::AsEver, Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let bench = Bench::default();
    bench.clock.run_freely();
    bench.run(&job, &args("a"), 1).await.unwrap_err();

    let direct = AccountConfig { send_mode: SendMode::Direct, ..AccountConfig::default() };
    let account = Account {
        name: "default".into(),
        installation: Some("test".into()),
        config: direct,
        provider: Arc::new(provider.clone()),
    };
    let job = SendEnvelope { accounts: Accounts::new([account]), roots: Vec::new() };
    bench.run(&job, &args("a"), 2).await.unwrap();

    assert_eq!((provider.sent("a").len(), provider.world().envelopes.len()), (1, 1));
}

#[tokio::test]
async fn what_failed_before_it_was_a_draft_may_be_asked_for_otherwise() {
    let (job, provider) = fresh();
    provider.play("create", [Play::Refuse(Fault::Refused, "ANCHOR_TAG_PROCESSING_FAILURE")]);
    let bench = Bench::default();
    bench.run(&job, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    let mut mended = args("a");
    mended.subject = "The report, mended".into();

    completed(&bench.beside(), &job, &mended).await;

    assert_eq!(provider.sent("a").len(), 1);
}

/// Some refuse a second one under the same reference, and nobody has written down by which code.
#[tokio::test]
async fn a_draft_that_came_to_be_after_the_look_is_found_when_another_is_refused() {
    let (job, provider) = fresh();
    let bench = Bench::default();
    bench.clock.run_freely();
    provider.play("create", [Play::Late(3), Play::Refuse(Fault::Refused, "INVALID_REQUEST_PARAMETER")]);

    completed(&bench, &job, &args("a")).await;

    assert_eq!((provider.sent("a").len(), provider.world().envelopes.len()), (1, 1));
}

/// A draft whose answer was lost had the old words and the old signer, and went out under the new ones' name.
#[tokio::test]
async fn a_draft_of_what_was_asked_for_before_is_not_sent_for_what_is_asked_for_now() {
    let (job, provider) = fresh();
    provider.world().hides_drafts = true;
    provider.play("create", [Play::LostAfter, Play::Refuse(Fault::Refused, "ANCHOR_TAG_PROCESSING_FAILURE")]);
    let bench = Bench::default();
    bench.clock.run_freely();
    bench.run(&job, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    let old: Vec<String> = provider.world().envelopes.keys().cloned().collect();
    provider.world().hides_drafts = false;
    let mut mended = args("a");
    mended.subject = "The report, mended".into();

    let sent = completed(&bench.beside(), &job, &mended).await;

    assert_eq!(old.len(), 1);
    assert!(!old.contains(&sent["envelope"].as_str().unwrap().to_owned()), "{sent}");
    assert!(provider.world().envelopes[&old[0]].sent == 0);
}

/// The sweep deleted one in the moment in which it went out, and with that voided it.
#[tokio::test]
async fn a_draft_that_the_sweep_may_delete_is_not_taken() {
    for (hours, is_taken) in [(21, true), (23, false)] {
        let (job, provider) = fresh();
        let bench = Bench::default();
        bench.clock.run_freely();
        provider.world().hides_drafts = true;
        provider.world().now = Some(bench.clock.now());
        provider.play("create", [Play::LostAfter, Play::LostAfter, Play::LostAfter]);
        bench.run(&job, &args("a"), 1).await.unwrap_err();
        bench.host.kept().let_go(bench.id);
        let old: Vec<String> = provider.world().envelopes.keys().cloned().collect();
        provider.world().hides_drafts = false;
        bench.clock.advance(Duration::from_secs(hours * 3_600));
        provider.world().now = Some(bench.clock.now());

        let sent = completed(&bench.beside(), &job, &args("a")).await;

        assert_eq!(old.contains(&sent["envelope"].as_str().unwrap().to_owned()), is_taken, "{hours} {sent}");
    }
}

/// What a tenant's job finds out it writes where it may, and no other tenant suffers from it.
#[tokio::test]
async fn a_tenants_job_parks_the_account_for_its_tenant() {
    let (job, provider) = fresh();
    provider.play("create", [Play::Refuse(Fault::Consent, "consent_required")]);
    let bench = Bench::default();
    let run = async |tenant: &str, key: &str| {
        let bench = bench.beside();
        let ctx = bench.ctx_of(SendEnvelope::KIND, 1, Some(tenant));
        let ended = job.run(args(key), &ctx).await;
        bench.host.kept().let_go(bench.id);
        ended
    };

    let [first, second, other] = [run("a", "k1").await, run("a", "k2").await, run("b", "k3").await];

    for parked in [&first, &second] {
        assert!(matches!(parked, Err(Failure::NotNow { why, .. }) if why.contains("parked")), "{parked:?}");
    }
    assert!(matches!(other, Ok(Outcome::Completed(_))), "{other:?}");
    assert_eq!((provider.count("create"), bench.host.kept().news().len()), (2, 1));
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
    // One time for looking, making the draft and sending it.
    assert_eq!(bench.host.taken(), [("docusign.default".into(), "default".into(), 3)]);
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
    let direct =
        AccountConfig { send_mode: SendMode::Direct, look_back: Duration::ZERO, ..AccountConfig::default() };
    let (job, provider) = job(direct);
    provider.play("create", [Play::LostAfter]);
    let bench = Bench::default();
    bench.clock.run_freely();

    completed(&bench, &job, &args("a")).await;

    assert_eq!(provider.sent("a").len(), 1);
    assert_eq!(provider.world().calls, ["create", "find_by_key"]);
}

#[tokio::test]
async fn an_envelope_that_went_out_and_on_before_we_knew_is_taken_as_it_is() {
    for (fault, code) in
        [(Fault::State, "ENVELOPE_INVALID_STATUS"), (Fault::Gone, "ENVELOPE_HAS_BEEN_PURGED")]
    {
        let (job, provider) = fresh();
        provider.play("send", [Play::LostAfter, Play::Refuse(fault, code)]);
        let bench = Bench::default();
        bench.clock.run_freely();

        completed(&bench, &job, &args("a")).await;

        let kept = kept(&bench, "a");
        assert_eq!(kept.phase, Phase::Sent);
        assert_eq!((provider.count("stand"), provider.count("stands")), (0, 1));
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

/// One worker's clock was a day ahead when the account was parked.
#[tokio::test]
async fn an_account_is_never_parked_for_longer_than_it_takes_to_try() {
    let (job, provider) = fresh();
    provider.play("create", [Play::Refuse(Fault::Consent, "consent_required")]);
    let bench = Bench::default();
    let now = bench.clock.now();
    bench.clock.set(now + SignedDuration::from_hours(24));
    bench.run(&job, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    bench.clock.set(now);

    let parked = bench.beside().run(&job, &args("b"), 1).await;

    assert!(
        matches!(parked, Err(Failure::NotNow { after, .. }) if after == crate::account::TRY_AGAIN),
        "{parked:?}"
    );
}

#[tokio::test]
async fn one_that_somebody_edits_is_sent_when_he_has_done() {
    let (job, provider) = fresh();
    provider.play("send", [Play::Refuse(Fault::Locked, "EDIT_LOCK_NOT_LOCK_OWNER")]);
    let bench = Bench::default();

    let locked = bench.run(&job, &args("a"), 1).await;
    completed(&bench, &job, &args("a")).await;

    assert!(
        matches!(locked, Err(Failure::NotNow { after, .. }) if after == Duration::from_secs(120)),
        "{locked:?}"
    );
    assert_eq!((provider.sent("a").len(), provider.count("create")), (1, 1));
}

/// The provider has forgotten its transaction by then.
#[tokio::test]
async fn after_a_week_a_draft_is_looked_for_by_its_field_alone() {
    let (job, provider) = fresh();
    provider.play("create", [Play::LostAfter]);
    provider.play("find_by_key", [Play::AsEver, Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let bench = Bench::default();
    bench.clock.run_freely();
    bench.run(&job, &args("a"), 1).await.unwrap_err();
    bench.clock.advance(Duration::from_secs(7 * 86_400));
    provider.world().calls.clear();

    bench.run(&job, &args("a"), 2).await.unwrap();

    assert_eq!(provider.world().calls, ["find_by_key", "send"]);
    assert_eq!((provider.sent("a").len(), provider.world().envelopes.len()), (1, 1));
}

/// Whoever mends the consent is to hear of the key.
#[tokio::test]
async fn each_reason_for_which_an_account_is_parked_is_an_alert_of_its_own() {
    use jobkit::NewsChange::{Began, Ended};
    let (job, provider) = fresh();
    let bench = Bench::default();
    for (fault, code) in
        [(Fault::Consent, "consent_required"), (Fault::SignIn, "no_valid_keys_or_signatures")]
    {
        provider.play("create", [Play::Refuse(fault, code)]);
        bench.run(&job, &args("a"), 1).await.unwrap_err();
        bench.host.kept().let_go(bench.id);
        bench.clock.advance(crate::account::TRY_AGAIN);
    }
    completed(&bench, &job, &args("a")).await;

    let news = bench.host.kept().news();
    let told: Vec<_> = news.iter().map(|news| (news.change, news.about.as_str())).collect();
    let (consent, key) = ("default/consent_required", "default/no_valid_keys_or_signatures");
    assert_eq!(told, [(Began, consent), (Ended, consent), (Began, key), (Ended, key)]);
}
