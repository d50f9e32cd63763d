//! The client against the emulator, over HTTP: what is signed in for, sent, found and fetched, and what is made of what goes wrong on the way.

mod modes;
mod moved;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use docusign_emulator::{ACCOUNT_ID, Act, Emulator, INTEGRATION_KEY, Options, Rule, USER_ID};
use jobkit::testing::{Bench, ManualClock};
use jobkit::{Clock, Outcome};
use serde_json::Value;

use super::*;
use crate::account::{Account, Accounts};
use crate::apply_event::archive_if_complete;
use crate::archive::ArchiveArgs;
use crate::config::AccountConfig;
use crate::phase::{Phase, Status};
use crate::provider::{By, CallError, Fault, Reference, SignatureProvider};
use crate::reconcile::ReconcileArgs;
use crate::tests::{PKCS8, PUBLIC, args, completed, kept};
use crate::{Archive, Reconcile, SendEnvelope};

struct World {
    emulator: Emulator,
    provider: Arc<DocuSign>,
    accounts: Accounts,
    /// The one that tokens go by.
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

async fn world(options: Options) -> World {
    world_with(options, |_| {}).await
}

async fn world_with(options: Options, change: impl FnOnce(&mut AccountConfig)) -> World {
    let emulator = Emulator::start(Options { public_key: Some(PUBLIC.into()), ..options }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, PKCS8).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut config = AccountConfig {
        integration_key: INTEGRATION_KEY.into(),
        account_id: ACCOUNT_ID.into(),
        user_id: USER_ID.into(),
        base_url: emulator.url(),
        private_key_path: key,
        oauth_host: "account-d.docusign.com".into(),
        oauth_url: emulator.url(),
        ..AccountConfig::default()
    };
    change(&mut config);
    let clock = Arc::new(ManualClock::at(emulator.now()));
    // Whoever comes second finds the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let provider = Arc::new(DocuSign::new(config.clone(), http, clock.clone()));
    let account = Account {
        name: "default".into(),
        installation: Some("test".into()),
        config,
        provider: provider.clone(),
    };
    World { emulator, provider, accounts: Accounts::new([account]), clock, _folder: folder }
}

fn bench(world: &World) -> Bench {
    let bench = Bench::default();
    bench.clock.set(world.emulator.now());
    bench.clock.run_freely();
    bench
}

fn reference(transaction: &str, bench: &Bench) -> Reference {
    Reference {
        installation: "test".into(),
        key: transaction.into(),
        transaction: transaction.into(),
        is_old: false,
        since: bench.clock.now(),
    }
}

impl World {
    fn ids(&self, state: &str) -> Vec<String> {
        let by = self.emulator.by_field(KEY_FIELD);
        let of_all = by
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(_, ids)| ids[state].as_array().cloned().unwrap_or_default());
        of_all.filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }

    fn token_calls(&self) -> usize {
        self.emulator.recorded().iter().filter(|call| call.path.starts_with("/oauth/token")).count()
    }
}

#[tokio::test]
async fn an_envelope_goes_out_is_signed_and_archived_byte_for_byte() {
    let world = world(Options::default()).await;
    let bench = bench(&world);
    let send = SendEnvelope { accounts: world.accounts.clone(), roots: Vec::new() };

    let sent = completed(&bench, &send, &args("a")).await;
    let id = sent["envelope"].as_str().unwrap().to_owned();
    assert_eq!(world.ids("sent"), std::slice::from_ref(&id));
    world.emulator.act(&id, "1", &Act::Sign).unwrap();
    bench.host.kept().let_go(bench.id);
    bench.clock.advance(std::time::Duration::from_secs(21 * 60));
    let sweep = bench.beside();
    completed(&sweep, &Reconcile { accounts: world.accounts.clone() }, &ReconcileArgs::default()).await;
    bench.host.kept().let_go(sweep.id);
    let job = Archive { accounts: world.accounts.clone() };
    let archived = completed(&bench.beside(), &job, &ArchiveArgs { key: "a".into() }).await;

    let stored = bench.host.stored_artifacts();
    let names: Vec<&str> =
        archived["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["001-report.pdf", "certificate.pdf", "audit_events.json"]);
    assert_eq!(Some(&stored["001-report.pdf"]), world.emulator.document(&id, "1").as_ref());
    assert_eq!(Some(&stored["certificate.pdf"]), world.emulator.document(&id, "certificate").as_ref());
    assert_eq!(world.emulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn many_at_once_ask_for_one_token() {
    let world = world(Options::default()).await;

    let asked = (0..64).map(|_| {
        let provider = world.provider.clone();
        async move { provider.audit_events("00000000-0000-4000-8000-000000000000").await.unwrap_err().fault }
    });
    let faults = futures::future::join_all(asked).await;

    assert!(faults.iter().all(|fault| *fault == Fault::Missing), "{faults:?}");
    assert_eq!(world.token_calls(), 1);
}

#[tokio::test]
async fn of_many_at_once_that_cannot_sign_in_one_finds_out_for_all() {
    let world = world(Options { no_consent_users: vec![USER_ID.into()], ..Options::default() }).await;

    let asked = (0..16).map(|_| world.provider.audit_events("00000000-0000-4000-8000-000000000000"));
    let told = futures::future::join_all(asked).await;

    let faults: Vec<Fault> = told.into_iter().map(|told| told.unwrap_err().fault).collect();
    assert_eq!((faults, world.token_calls()), (vec![Fault::Consent; 16], 1));
    // Whoever comes later finds out whether it is still so.
    world.emulator.set_consent(USER_ID, true);
    world.provider.probe().await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_renewed_once_for_all() {
    let world = world(Options::default()).await;
    let ask = || async {
        world.provider.audit_events("00000000-0000-4000-8000-000000000000").await.unwrap_err().fault
    };
    ask().await;
    world.emulator.revoke_tokens();

    let faults = futures::future::join_all((0..16).map(|_| ask())).await;

    assert!(faults.iter().all(|fault| *fault == Fault::Missing), "{faults:?}");
    assert_eq!(world.token_calls(), 2);
}

#[tokio::test]
async fn what_does_not_fit_in_the_sign_in_is_told_by_its_name() {
    let other = "11111111-2222-4333-8444-555555555555";
    for (change, fault, code) in [
        (
            Box::new(|config: &mut AccountConfig| config.integration_key = other.into())
                as Box<dyn FnOnce(&mut AccountConfig)>,
            Fault::SignIn,
            "issuer_not_found",
        ),
        (
            Box::new(|config: &mut AccountConfig| config.oauth_host = "account.docusign.com".into()),
            Fault::SignIn,
            "issuer_not_found",
        ),
        (
            Box::new(|config: &mut AccountConfig| config.user_id = other.into()),
            Fault::SignIn,
            "user_not_found",
        ),
        (
            Box::new(|config: &mut AccountConfig| config.account_id = other.into()),
            Fault::Permission,
            "account_not_of_this_user",
        ),
        (
            Box::new(|config: &mut AccountConfig| config.private_key_path = "/nowhere".into()),
            Fault::SignIn,
            "private_key_cannot_be_read",
        ),
    ] {
        let world = world_with(Options::default(), change).await;
        let CallError { fault: told, code: said, .. } = world.provider.probe().await.unwrap_err();
        assert_eq!((told, said.as_deref()), (fault, Some(code)));
    }
    let options = Options { no_consent_users: vec![USER_ID.into()], ..Options::default() };
    let told = world(options).await.provider.probe().await.unwrap_err();
    assert_eq!((told.fault, told.code.as_deref()), (Fault::Consent, Some("consent_required")));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away_and_did_nothing() {
    let world = world(Options::default()).await;
    world.provider.probe().await.unwrap();
    world.emulator.stop().await;

    let told = world.provider.send("00000000-0000-4000-8000-000000000000").await.unwrap_err();

    assert!(matches!(told.fault, Fault::Away | Fault::Unknown), "{told:?}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_away_and_did_nothing() {
    let world = world_with(Options::default(), |config| {
        config.base_url = config.base_url.replace("http://", "https://");
        config.discover_base_uri = false;
    })
    .await;

    let told = world.provider.send("00000000-0000-4000-8000-000000000000").await.unwrap_err();

    assert_eq!(told.fault, Fault::Away, "{told:?}");
}

#[tokio::test]
async fn a_new_token_that_is_not_taken_either_is_the_accounts_fault() {
    let rule = "token-revoked@get=1.0".parse::<Rule>().ok().unwrap();
    let options = Options { faults: vec![rule], ..Options::default() };
    let world = world_with(options, |config| config.discover_base_uri = false).await;

    let told = world.provider.audit_events("00000000-0000-4000-8000-000000000000").await.unwrap_err();

    assert_eq!((told.fault, world.token_calls()), (Fault::Token, 2));
    assert!(told.fault.parks());
}

/// Each way in which a look can fail: it is made again before the job is.
#[tokio::test]
async fn a_look_that_fails_is_made_again_a_little_later() {
    for rule in [
        "lost-answer@get=2x",
        "lost-before@get=2x",
        "error-before@get=2x:500",
        "error-before@get=2x:503",
        "error-after@get=2x:504",
        "html@get=2x",
        "truncated@download=2x",
    ] {
        let world = world(Options::default()).await;
        let bench = bench(&world);
        let send = SendEnvelope { accounts: world.accounts.clone(), roots: Vec::new() };
        let sent = completed(&bench, &send, &args("a")).await;
        world.emulator.complete(sent["envelope"].as_str().unwrap()).unwrap();
        bench.host.kept().let_go(bench.id);
        bench.clock.advance(std::time::Duration::from_secs(21 * 60));
        let sweep = bench.beside();
        completed(&sweep, &Reconcile { accounts: world.accounts.clone() }, &ReconcileArgs::default()).await;
        world.emulator.set_faults(7, vec![rule.parse::<Rule>().ok().unwrap()]).unwrap();

        let job = Archive { accounts: world.accounts.clone() };
        let archived = completed(&bench.beside(), &job, &ArchiveArgs { key: "a".into() }).await;

        assert_eq!(archived["files"].as_array().unwrap().len(), 3, "{rule}");
    }
}

#[tokio::test]
async fn lost_answers_late_commits_and_failing_servers_send_it_once() {
    for (seed, fault) in [
        "lost-answer@create=0.5",
        "error-after@create=0.5",
        "lost-before@create=0.5",
        "late-commit@create=0.5:20",
        "lost-answer@put=0.5",
        "html@any=0.3",
    ]
    .into_iter()
    .enumerate()
    {
        let Ok(rule) = fault.parse::<Rule>() else {
            panic!("{fault}: {:?}", fault.parse::<Rule>().unwrap_err())
        };
        let world =
            world(Options { faults: vec![rule], fault_seed: seed as u64, ..Options::default() }).await;
        let send = SendEnvelope { accounts: world.accounts.clone(), roots: Vec::new() };
        for number in 0..8 {
            let bench = bench(&world);
            let mut tried = 1;
            loop {
                match bench.run(&send, &args(&format!("k{number}")), tried).await {
                    Ok(Outcome::Completed(_)) => break,
                    other => assert!(tried < 12, "{fault}: {other:?}"),
                }
                tried += 1;
            }
        }
        assert_eq!(world.ids("sent").len(), 8, "{fault}");
        let by = world.emulator.by_field(KEY_FIELD);
        let each = by
            .as_object()
            .unwrap()
            .values()
            .all(|ids| ids["sent"].as_array().is_some_and(|sent| sent.len() == 1));
        assert!(each, "{fault}: {by}");
    }
}

#[tokio::test]
async fn an_envelope_is_found_by_its_reference_and_by_its_field_when_that_is_old() {
    let world = world(Options::default()).await;
    let bench = bench(&world);
    let send = SendEnvelope { accounts: world.accounts.clone(), roots: Vec::new() };
    let sent = completed(&bench, &send, &args("a")).await;
    let kept = kept(&bench, "a");
    let young = kept.envelope.reference(bench.clock.now());

    for by in [By::Transaction, By::Key] {
        let found = world.provider.find(&young, by).await.unwrap().value;
        assert_eq!(
            found.iter().map(|found| (found.id.as_str(), found.status)).collect::<Vec<_>>(),
            [(sent["envelope"].as_str().unwrap(), Status::Sent)]
        );
    }
    let unknown =
        Reference { key: "another".into(), ..reference("11111111-2222-5333-8444-555555555555", &bench) };
    for by in [By::Transaction, By::Key] {
        assert!(world.provider.find(&unknown, by).await.unwrap().value.is_empty());
    }
    // Nothing is archived that is not complete.
    archive_if_complete(&kept, &bench.ctx("docusign.apply_event", 1)).await.unwrap();
    assert!(bench.host.spawned().is_empty());
    assert_eq!(kept.phase, Phase::Sent);
}

#[tokio::test]
async fn drafts_that_stray_are_found_and_deleted() {
    let world = world(Options::default()).await;
    let bench = bench(&world);
    let send = SendEnvelope { accounts: world.accounts.clone(), roots: Vec::new() };
    completed(&bench, &send, &args("a")).await;
    let reference = reference("22222222-2222-5333-8444-555555555555", &bench);
    let args = args("b");
    let draft = crate::provider::Draft {
        reference: &reference,
        args: &args,
        documents: &[b"%PDF-1.7\n%%EOF\n".to_vec()],
    };
    let stray = world.provider.create(draft, false).await.unwrap().value;
    let (from, to) = (
        bench.clock.now() - jiff::SignedDuration::from_hours(1),
        bench.clock.now() + jiff::SignedDuration::from_hours(1),
    );

    assert!(world.provider.drafts("another", from, to).await.unwrap().value.is_empty());
    let found: Vec<String> = world
        .provider
        .drafts("test", from, to)
        .await
        .unwrap()
        .value
        .into_iter()
        .map(|found| found.id)
        .collect();
    world.provider.delete_drafts(&found).await.unwrap();

    assert_eq!(found, [stray]);
    assert!(world.provider.drafts("test", from, to).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn a_refusal_has_its_code_and_trace_and_repeats_nobody() {
    let world = world(Options::default()).await;
    let bench = bench(&world);
    let reference = reference("33333333-2222-5333-8444-555555555555", &bench);
    let mut args = args("b");
    args.signers[0].tabs[0] = serde_json::from_value(serde_json::json!({ "anchor": "/nowhere/" })).unwrap();
    let draft = crate::provider::Draft {
        reference: &reference,
        args: &args,
        documents: &[b"%PDF-1.7\n%%EOF\n".to_vec()],
    };

    let told = world.provider.create(draft, true).await.unwrap_err();

    assert_eq!((told.fault, told.code.as_deref()), (Fault::Refused, Some("ANCHOR_TAG_PROCESSING_FAILURE")));
    assert!(told.trace.is_some());
    let budget: Value = serde_json::json!(told.budget.remaining);
    assert!(budget.is_null() || budget.is_number());
}
