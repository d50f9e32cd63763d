use std::time::Duration;

use jobkit::Clock;
use jobkit::testing::Bench;
use serde_json::Value;

use super::*;
use crate::config::AccountConfig;
use crate::phase::Status;
use crate::send_envelope::SendEnvelope;
use crate::tests::{FakeProvider, Play, account, args, completed, kept};

struct World {
    bench: Bench,
    job: Reconcile,
    send: SendEnvelope,
    provider: FakeProvider,
}

fn world() -> World {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    provider.world().now = Some(bench.clock.now());
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    World { bench, job: Reconcile { accounts }, send, provider }
}

impl World {
    async fn send(&self, key: &str) -> String {
        let bench = self.bench.beside();
        let value = completed(&bench, &self.send, &args(key)).await;
        self.bench.host.kept().let_go(bench.id);
        value["envelope"].as_str().unwrap().to_owned()
    }

    async fn sweep(&self) -> Value {
        let bench = self.bench.beside();
        let value = completed(&bench, &self.job, &ReconcileArgs::default()).await;
        self.bench.host.kept().let_go(bench.id);
        value
    }

    fn later(&self, minutes: u64) {
        self.bench.clock.advance(Duration::from_secs(minutes * 60));
    }
}

#[tokio::test]
async fn what_no_message_told_is_found_by_one_sweep_in_one_call() {
    let world = world();
    let mut sent = Vec::new();
    for (key, status) in [
        ("a", Status::Completed),
        ("b", Status::Declined),
        ("c", Status::Voided),
        ("d", Status::Delivered),
        ("e", Status::Sent),
    ] {
        sent.push((world.send(key).await, key, status));
    }
    for (id, _, status) in &sent {
        world.provider.set(id, *status);
    }
    world.later(21);

    let swept = world.sweep().await;

    for (_, key, status) in &sent {
        assert_eq!(kept(&world.bench, key).phase, status.phase(), "{key}");
    }
    assert_eq!((world.provider.count("stands"), world.provider.count("stand")), (1, 0));
    assert_eq!((swept["asked"].clone(), swept["changed"].clone()), (5.into(), 4.into()));
    let archived: Vec<_> =
        world.bench.host.spawned().into_iter().map(|(_, job)| job.args.get().to_owned()).collect();
    assert_eq!(archived, [r#"{"key":"a"}"#]);
}

#[tokio::test]
async fn nothing_is_asked_for_before_its_time_and_looking_is_no_entry() {
    let world = world();
    world.send("a").await;
    let entries = world.bench.host.kept().actions().len();

    world.later(17);
    world.sweep().await;
    let early = world.provider.count("stands");
    world.later(4);
    world.sweep().await;
    world.sweep().await;

    assert_eq!((early, world.provider.count("stands")), (0, 1));
    assert_eq!(world.bench.host.kept().actions().len(), entries);
}

#[tokio::test]
async fn more_than_a_page_is_swept_page_by_page() {
    let world = world();
    for number in 0..PAGE + 3 {
        world.send(&format!("k{number}")).await;
    }
    world.later(21);

    let swept = world.sweep().await;

    assert_eq!((swept["asked"].clone(), world.provider.count("stands")), ((PAGE + 3).into(), 2));
}

/// An archive would else wait for the end of a sweep that has ten thousand to deal with.
#[tokio::test]
async fn what_the_sweep_is_done_with_is_free() {
    let world = world();
    let mut ids = Vec::new();
    for (key, status) in [("a", Status::Completed), ("b", Status::Sent), ("c", Status::Declined)] {
        let id = world.send(key).await;
        world.provider.set(&id, status);
        ids.push(kept(&world.bench, key).record.id);
    }
    world.later(21);

    // It still runs, as far as the records know.
    completed(&world.bench.beside(), &world.job, &ReconcileArgs::default()).await;

    let other = world.bench.beside();
    let ctx = other.ctx("docusign.archive", 1);
    for id in &ids {
        assert!(ctx.records().hold(&ctx, id).await.unwrap().is_some(), "{}", id.key);
    }
}

#[tokio::test]
async fn one_that_another_job_deals_with_is_left_to_it() {
    let world = world();
    world.send("a").await;
    world.later(21);
    world.bench.host.kept().hold_by(&kept(&world.bench, "a").record.id, world.bench.beside().id);

    let swept = world.sweep().await;

    assert_eq!(swept["busy"], 1);
}

#[tokio::test]
async fn one_that_is_gone_is_looked_for_and_then_a_person_is_told() {
    let world = world();
    world.send("a").await;
    world.provider.world().envelopes.clear();

    world.later(21);
    world.sweep().await;
    let once = kept(&world.bench, "a");
    world.later(61);
    let swept = world.sweep().await;

    assert_eq!((once.phase, once.envelope.missed), (Phase::Sent, 1));
    assert_eq!((kept(&world.bench, "a").phase, swept["unresolved"].clone()), (Phase::Failed, 1.into()));
    let news: Vec<_> = world.bench.host.kept().news().into_iter().map(|news| news.rule).collect();
    assert_eq!(news, [UNRESOLVED]);
    assert_eq!(world.provider.count("find"), 1);
}

#[tokio::test]
async fn one_that_comes_back_is_taken_as_it_is() {
    let world = world();
    let id = world.send("a").await;
    let played = world.provider.world().envelopes.remove(&id).unwrap();
    world.later(21);
    world.sweep().await;
    world.provider.world().envelopes.insert(id, played);
    world.later(61);

    world.sweep().await;

    let kept = kept(&world.bench, "a");
    assert_eq!((kept.phase, kept.envelope.missed), (Phase::Sent, 0));
}

#[tokio::test]
async fn one_whose_job_ended_before_it_was_sent_is_ended_and_told() {
    let world = world();
    let sending = world.bench.beside();
    world.provider.play("send", [Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    world.bench.clock.run_freely();
    sending.run(&world.send, &args("a"), 1).await.unwrap_err();
    world.bench.host.kept().let_go(sending.id);

    world.later(61);
    world.sweep().await;
    let alive = kept(&world.bench, "a").phase;
    let ended = jobkit::ChildResult {
        id: sending.id,
        state: "discarded".into(),
        result: None,
        error: None,
        attempts: 12,
    };
    world.bench.host.child_ended(ended);
    world.later(61);
    world.sweep().await;

    assert_eq!((alive, kept(&world.bench, "a").phase), (Phase::Drafted, Phase::Failed));
    assert_eq!(world.bench.host.kept().news().len(), 1);
}

#[tokio::test]
async fn stray_drafts_are_deleted_after_a_day_and_nobody_elses() {
    let world = world();
    world.provider.play("create", [Play::LostAfter]);
    world.provider.world().hides_drafts = true;
    world.bench.clock.run_freely();
    let sent = world.send("a").await;
    let drafts = |world: &World| {
        let world = world.provider.world();
        let of = |status| {
            world
                .envelopes
                .iter()
                .filter(move |(_, played)| played.status == status)
                .map(|(id, _)| id.clone())
        };
        (of(Status::Created).collect::<Vec<_>>(), of(Status::Deleted).collect::<Vec<_>>())
    };
    let stray = drafts(&world).0;
    assert_eq!(stray.len(), 1);

    world.later(23 * 60);
    world.sweep().await;
    let young = drafts(&world).1;
    world.later(2 * 60);
    let swept = world.sweep().await;

    assert!(young.is_empty());
    assert_eq!((drafts(&world).1, swept["drafts_deleted"].clone()), (stray, 1.into()));
    assert_eq!(world.provider.sent("a"), [sent]);
}

#[tokio::test]
async fn what_is_complete_and_not_archived_is_archived_by_the_next_sweep() {
    let world = world();
    let id = world.send("a").await;
    world.provider.set(&id, Status::Completed);
    world.later(21);
    world.sweep().await;
    world.later(61);

    let swept = world.sweep().await;

    assert_eq!(swept["archiving"], 1);
    let keys: BTreeSet<_> = world.bench.host.spawned().into_iter().map(|(_, job)| job.unique_key).collect();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn an_account_that_is_parked_does_not_end_in_a_success() {
    let world = world();
    world.send("a").await;
    world.later(21);
    world.provider.play("stands", [Play::Refuse(Fault::Consent, "consent_required")]);

    let parked = world.bench.beside().run(&world.job, &ReconcileArgs::default(), 1).await;

    assert!(matches!(parked, Err(Failure::NotNow { .. })), "{parked:?}");
}

/// A record that this version cannot read, say after an older one was started again.
#[tokio::test]
async fn one_that_cannot_be_read_does_not_keep_the_others() {
    let world = world();
    let id = world.send("a").await;
    world.send("b").await;
    let odd = world.bench.beside();
    let record = kept(&world.bench, "b").record;
    let change = record.to("of-tomorrow", "docusign.envelope.look");
    odd.ctx("docusign.reconcile", 1).records().put(&odd.ctx("docusign.reconcile", 1), change).await.unwrap();
    world.bench.host.kept().let_go(odd.id);
    world.provider.set(&id, Status::Delivered);
    world.later(21);

    world.sweep().await;

    assert_eq!(kept(&world.bench, "a").phase, Phase::Delivered);
}

#[tokio::test]
async fn a_tenant_sweeps_nothing() {
    let world = world();
    let bench = world.bench.beside();

    let refused = world.job.run(ReconcileArgs::default(), &bench.ctx_of(Reconcile::KIND, 1, Some("a"))).await;

    assert!(matches!(refused, Err(Failure::Permanent(_))), "{refused:?}");
    assert!(world.provider.world().calls.is_empty());
}

#[tokio::test]
async fn the_draft_of_one_that_failed_is_deleted_and_the_next_job_makes_another() {
    let world = world();
    world.provider.play("send", [Play::Refuse(Fault::Refused, "ENVELOPE_IS_INCOMPLETE")]);
    let sending = world.bench.beside();
    sending.run(&world.send, &args("a"), 1).await.unwrap_err();
    world.bench.host.kept().let_go(sending.id);
    let draft = kept(&world.bench, "a").envelope.envelope.unwrap();

    world.later(25 * 60);
    let swept = world.sweep().await;
    world.send("a").await;

    assert_eq!(
        (swept["drafts_deleted"].clone(), world.provider.world().envelopes[&draft].status),
        (1.into(), Status::Deleted)
    );
    assert_eq!(world.provider.sent("a").len(), 1);
}

#[tokio::test]
async fn one_that_went_out_in_one_call_whose_answers_were_lost_is_found() {
    let direct = AccountConfig { send_mode: crate::config::SendMode::Direct, ..AccountConfig::default() };
    let (accounts, provider) = account(direct);
    let bench = Bench::default();
    bench.clock.run_freely();
    provider.play("create", [Play::LostAfter]);
    provider.play("find_by_key", [Play::AsEver, Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    let sending = bench.beside();
    sending.run(&send, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(sending.id);
    let ended = jobkit::ChildResult {
        id: sending.id,
        state: "unknown".into(),
        result: None,
        error: None,
        attempts: 12,
    };
    bench.host.child_ended(ended);
    bench.clock.advance(Duration::from_secs(3_700));

    completed(&bench.beside(), &Reconcile { accounts }, &ReconcileArgs::default()).await;

    assert_eq!(kept(&bench, "a").phase, Phase::Sent);
}

/// A sweep of a whole account takes a while, and whoever wants to void an envelope is not to wait for it.
#[tokio::test]
async fn what_was_swept_is_let_go_before_the_sweep_ends() {
    let world = world();
    for key in ["sent", "gone", "done", "draft"] {
        world.send(key).await;
    }
    let id = |key: &str| kept(&world.bench, key).envelope.envelope.unwrap();
    world.provider.set(&id("done"), Status::Completed);
    let gone = id("gone");
    world.provider.world().envelopes.remove(&gone);
    world.provider.play("send", [Play::Refuse(Fault::Refused, "ENVELOPE_IS_INCOMPLETE")]);
    let failing = world.bench.beside();
    failing.run(&world.send, &args("failed"), 1).await.unwrap_err();
    world.bench.host.kept().let_go(failing.id);
    world.later(25 * 60);
    let sweeping = world.bench.beside();

    let swept = completed(&sweeping, &world.job, &ReconcileArgs::default()).await;

    assert_eq!(world.bench.host.kept().held_by(sweeping.id), []);
    let done = (swept["asked"].clone(), swept["missed"].clone(), swept["drafts_deleted"].clone());
    assert_eq!(done, (4.into(), 1.into(), 1.into()));
}

/// Many that are gone must not hide the one that was never sent.
#[tokio::test]
async fn each_reason_to_look_at_envelopes_is_an_alert_of_its_own() {
    let world = world();
    world.send("a").await;
    world.provider.world().envelopes.clear();
    let sending = world.bench.beside();
    world.provider.play("send", [Play::LostBefore, Play::LostBefore, Play::LostBefore]);
    world.bench.clock.run_freely();
    sending.run(&world.send, &args("b"), 1).await.unwrap_err();
    world.bench.host.kept().let_go(sending.id);
    let ended = jobkit::ChildResult {
        id: sending.id,
        state: "discarded".into(),
        result: None,
        error: None,
        attempts: 12,
    };
    world.bench.host.child_ended(ended);

    for _ in 0..3 {
        world.later(61);
        world.sweep().await;
    }

    let about: BTreeSet<_> = world.bench.host.kept().news().into_iter().map(|news| news.about).collect();
    assert_eq!(about, ["default/missing", "default/not_sent"].map(str::to_owned).into());
}
