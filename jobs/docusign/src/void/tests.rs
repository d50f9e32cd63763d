use std::sync::Arc;

use jobkit::testing::Bench;
use serde_json::json;

use super::*;
use crate::account::Account;
use crate::config::AccountConfig;
use crate::provider::SignatureProvider;
use crate::send_envelope::SendEnvelope;
use crate::tests::{FakeProvider, Play, account, args, completed, kept};

async fn sent() -> (Bench, Void, FakeProvider, String) {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    let sent = completed(&bench, &send, &args("a")).await;
    bench.host.kept().let_go(bench.id);
    (bench.beside(), Void { accounts }, provider, sent["envelope"].as_str().unwrap().to_owned())
}

fn wanted() -> VoidArgs {
    VoidArgs {
        key: "a".into(),
        not_begun: false,
        account: None,
        reason: Personal::new("It is wrong.".into()),
    }
}

fn not_begun() -> VoidArgs {
    VoidArgs { not_begun: true, ..wanted() }
}

#[tokio::test]
async fn an_envelope_is_voided_once_with_its_reason() {
    let (bench, job, provider, id) = sent().await;

    let first = completed(&bench, &job, &wanted()).await;
    let again = completed(&bench, &job, &wanted()).await;

    assert_eq!((first["state"].clone(), first.get("too_late")), (json!("voided"), None));
    assert_eq!(again, first);
    assert_eq!((provider.count("void"), provider.world().envelopes[&id].status), (1, Status::Voided));
    assert!(kept(&bench, "a").envelope.void_asked.is_some());
    assert!(!json!(bench.host.kept().all()).to_string().contains("wrong"));
}

#[tokio::test]
async fn too_late_is_a_result_and_no_error() {
    let (bench, job, provider, id) = sent().await;
    provider.set(&id, Status::Completed);

    let late = completed(&bench, &job, &wanted()).await;

    assert_eq!((late["state"].clone(), late["too_late"].clone()), (json!("completed"), json!(true)));
    assert_eq!(bench.host.spawned()[0].1.kind, "docusign.archive");
}

/// Nothing of one whose documents were purged can be voided, and it is no error that it cannot.
#[tokio::test]
async fn one_whose_documents_were_purged_is_too_late_to_void() {
    let (bench, job, provider, id) = sent().await;
    provider.set(&id, Status::Completed);
    provider.play("void", [Play::Refuse(Fault::Gone, "ENVELOPE_HAS_BEEN_PURGED")]);

    let late = completed(&bench, &job, &wanted()).await;

    assert_eq!((late["state"].clone(), late["too_late"].clone()), (json!("completed"), json!(true)));
}

#[tokio::test]
async fn a_voiding_whose_answer_was_lost_was_ours() {
    let (bench, job, provider, _) = sent().await;
    provider.play("void", [Play::LostAfter]);
    bench.clock.run_freely();

    bench.run(&job, &wanted(), 1).await.unwrap_err();
    let voided = completed(&bench, &job, &wanted()).await;

    assert_eq!((voided["state"].clone(), voided.get("too_late")), (json!("voided"), None));
}

#[tokio::test]
async fn a_draft_is_deleted_and_what_is_not_there_yet_is_never_sent() {
    for (phase, expected, calls) in [
        (
            Phase::Drafted,
            "deleted",
            vec!["find_by_key", "create", "send", "send", "send", "stands", "delete_drafts"],
        ),
        (Phase::Drafting, "voided", {
            let look = ["find_by_key", "find"];
            let tries = [["find_by_key", "create"].as_slice(), &look, &["create"], &look, &["create"], &look];
            tries.concat()
        }),
    ] {
        let (accounts, provider) = account(AccountConfig::default());
        let bench = Bench::default();
        bench.clock.run_freely();
        let method = if phase == Phase::Drafted { "send" } else { "create" };
        provider.play(method, [Play::LostBefore, Play::LostBefore, Play::LostBefore]);
        let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
        bench.run(&send, &args("a"), 1).await.unwrap_err();
        bench.host.kept().let_go(bench.id);
        let voiding = bench.beside();

        let voided = completed(&voiding, &Void { accounts }, &wanted()).await;
        bench.host.kept().let_go(voiding.id);
        let after = completed(&bench, &send, &args("a")).await;

        assert_eq!(
            (voided["state"].as_str().unwrap(), after["state"].as_str().unwrap()),
            (expected, expected)
        );
        assert_eq!(provider.world().calls, calls);
        assert!(provider.sent("a").is_empty());
    }
}

#[tokio::test]
async fn a_reason_and_a_key_are_asked_for() {
    let (bench, job, ..) = sent().await;

    assert!(
        job.check(&VoidArgs { reason: Personal::new(" ".into()), ..wanted() })
            .unwrap_err()
            .starts_with("reason: ")
    );
    assert!(job.check(&VoidArgs { key: String::new(), ..wanted() }).unwrap_err().starts_with("key: "));
    let account = Some("other".to_owned());
    assert!(job.check(&VoidArgs { account, ..wanted() }).unwrap_err().starts_with("account: "));
    // A key that was mistyped is not taken for one that is still to come.
    let unknown = bench.run(&job, &VoidArgs { key: "b".into(), ..wanted() }, 1).await;
    let told = "key: there is no envelope `b`";
    assert!(matches!(&unknown, Err(Failure::Transient(cause)) if cause.to_string().starts_with(told)));
    assert!(bench.host.kept().one(envelope::COLLECTION, "b").is_none());
}

#[test]
fn of_several_accounts_one_is_said_for_what_was_not_begun() {
    let accounts = ["default", "legal"].map(|name| Account {
        name: name.into(),
        installation: None,
        config: AccountConfig::default(),
        provider: Arc::new(FakeProvider::default()),
    });
    let job = Void { accounts: Accounts::new(accounts) };

    assert!(job.check(&not_begun()).unwrap_err().starts_with("account: there are several"));
    assert_eq!(job.check(&VoidArgs { account: Some("legal".into()), ..not_begun() }), Ok(()));
    assert_eq!(job.check(&wanted()), Ok(()));
}

/// It waits for its time, an approval or a parent.
#[tokio::test]
async fn one_that_was_not_begun_yet_never_goes_out() {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let void = Void { accounts: accounts.clone() };
    let send = SendEnvelope { accounts, roots: Vec::new() };

    let voided = completed(&bench, &void, &not_begun()).await;
    bench.host.kept().let_go(bench.id);
    let next = bench.beside();
    let refused = next.run(&send, &args("a"), 1).await;
    bench.host.kept().let_go(next.id);
    let again = completed(&bench.beside(), &void, &wanted()).await;

    assert_eq!(voided, json!({ "key": "a", "state": "voided", "never_begun": true }));
    // Whoever asked for it hears of it.
    let told = format!("key: `a` was voided before it was begun, by the job {}", bench.id);
    assert!(
        matches!(&refused, Err(Failure::Permanent(cause)) if cause.to_string().starts_with(&told)),
        "{refused:?}"
    );
    assert_eq!((again, provider.world().envelopes.len()), (voided, 0));
    let told: Vec<String> = bench.host.kept().actions().into_iter().map(|(action, _)| action).collect();
    assert_eq!(told, ["docusign.envelope.forbid"]);
}

/// Whatever the provider does, it is voided from the moment in which somebody said so.
#[tokio::test]
async fn one_that_was_not_begun_is_kept_from_going_out_before_the_provider_is_asked() {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    provider.play("find_by_key", [Play::Refuse(Fault::Consent, "consent_required")]);
    let void = Void { accounts: accounts.clone() };
    let parked = bench.run(&void, &not_begun(), 1).await;
    assert!(matches!(parked, Err(Failure::NotNow { .. })), "{parked:?}");
    bench.host.kept().let_go(bench.id);
    bench.clock.advance(crate::account::TRY_AGAIN);
    let next = bench.beside();
    let send = SendEnvelope { accounts, roots: Vec::new() };

    let refused = next.run(&send, &args("a"), 1).await;
    bench.host.kept().let_go(next.id);

    assert!(matches!(refused, Err(Failure::Permanent(_))), "{refused:?}");
    assert_eq!(completed(&bench, &void, &not_begun()).await["never_begun"], json!(true));
    assert!(provider.world().envelopes.is_empty());
}

#[tokio::test]
async fn one_that_went_out_before_the_database_was_restored_is_voided() {
    let (before, void, provider, id) = sent().await;
    drop(before);
    let restored = Bench::default();

    let voided = completed(&restored, &void, &not_begun()).await;

    assert_eq!(voided, json!({ "key": "a", "state": "voided" }));
    assert_eq!(provider.world().envelopes[&id].status, Status::Voided);
    assert_eq!(kept(&restored, "a").envelope.envelope, Some(id));
}

#[tokio::test]
async fn a_crash_at_any_point_voids_it_once() {
    let wanted = not_begun();
    for is_out in [false, true] {
        let fresh = || {
            let (accounts, provider) = account(AccountConfig::default());
            if is_out {
                let reference = crate::provider::Reference {
                    installation: uuid::Uuid::nil().to_string(),
                    key: the_reference(&accounts),
                    transaction: "of before".into(),
                    is_old: false,
                    since: jiff::Timestamp::UNIX_EPOCH,
                };
                let (args, documents) = (args("a"), [Vec::new()]);
                let draft =
                    crate::provider::Draft { reference: &reference, args: &args, documents: &documents };
                drop(provider.create(draft, true));
            }
            (Void { accounts }, provider)
        };
        let tried =
            jobkit::testing::crash_at_every_step(&wanted, fresh, |outcome, provider: &FakeProvider| {
                let Outcome::Completed(Some(value)) = outcome else { panic!("{outcome:?}") };
                assert_eq!(value["state"], json!("voided"));
                let statuses: Vec<_> =
                    provider.world().envelopes.values().map(|played| played.status).collect();
                assert_eq!(statuses, vec![Status::Voided; usize::from(is_out)]);
            });

        assert_eq!(tried.await.unwrap(), if is_out { 8 } else { 4 });
    }
}

fn the_reference(accounts: &Accounts) -> String {
    let asked = Asked {
        account: accounts.named("default").unwrap(),
        installation: "test".into(),
        id: &envelope::id(None, "a"),
        job: Bench::default().id,
        request_sha256: String::new(),
        documents: Vec::new(),
    };
    Envelope::new(asked, jiff::Timestamp::UNIX_EPOCH).reference
}

/// Who voided it, or let it expire, was not us.
#[tokio::test]
async fn what_others_voided_is_not_called_ours() {
    let (bench, job, provider, id) = sent().await;
    provider.set(&id, Status::Voided);

    let late = completed(&bench, &job, &wanted()).await;

    assert_eq!((late["state"].clone(), late["too_late"].clone()), (json!("voided"), json!(true)));
}

#[tokio::test]
async fn one_that_went_out_unnoticed_is_voided_and_not_only_called_so() {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    bench.clock.run_freely();
    provider.play("send", [Play::LostAfter, Play::LostBefore, Play::LostBefore]);
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    bench.run(&send, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);

    let voided = completed(&bench.beside(), &Void { accounts }, &wanted()).await;

    let id = kept(&bench, "a").envelope.envelope.unwrap();
    assert_eq!(
        (voided["state"].clone(), provider.world().envelopes[&id].status),
        (json!("voided"), Status::Voided)
    );
}

/// Its answer was lost, and so were those to the looks that followed.
#[tokio::test]
async fn one_that_a_direct_send_left_unknown_is_looked_for_and_voided() {
    let direct = AccountConfig { send_mode: crate::config::SendMode::Direct, ..AccountConfig::default() };
    let (accounts, provider) = account(direct);
    let bench = Bench::default();
    bench.clock.run_freely();
    provider.play("create", [Play::LostAfter]);
    provider.play("find_by_key", [Play::AsEver, Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    bench.run(&send, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    assert_eq!(kept(&bench, "a").phase, Phase::Drafting);

    completed(&bench.beside(), &Void { accounts }, &wanted()).await;

    let statuses: Vec<_> = provider.world().envelopes.values().map(|played| played.status).collect();
    assert_eq!((kept(&bench, "a").phase, statuses), (Phase::Voided, vec![Status::Voided]));
}
