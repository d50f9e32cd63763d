use jobkit::testing::Bench;
use serde_json::Value;

use super::*;
use crate::config::AccountConfig;
use crate::send_envelope::SendEnvelope;
use crate::tests::{FakeProvider, Play, account, args, completed, kept};

struct Sent {
    bench: Bench,
    job: ApplyEvent,
    provider: FakeProvider,
    envelope: String,
}

async fn sent() -> Sent {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    let value = completed(&bench, &send, &args("a")).await;
    bench.host.kept().let_go(bench.id);
    let envelope = value["envelope"].as_str().unwrap().to_owned();
    Sent { bench, job: ApplyEvent { accounts }, provider, envelope }
}

fn event(envelope: &str, event: &str) -> ApplyEventArgs {
    ApplyEventArgs {
        account: "default".into(),
        envelope: Some(envelope.to_uppercase()),
        event: Some(event.into()),
        recipient: None,
        generated_at: None,
        retry_count: 0,
        body_sha256: "00".into(),
    }
}

impl Sent {
    async fn apply(&self, args: &ApplyEventArgs) -> Value {
        let bench = self.bench.beside();
        let value = completed(&bench, &self.job, args).await;
        self.bench.host.kept().let_go(bench.id);
        value
    }

    async fn told(&self, name: &str) -> Value {
        self.apply(&event(&self.envelope, name)).await["outcome"].clone()
    }
}

#[tokio::test]
async fn messages_in_any_order_never_lead_back() {
    let world = sent().await;
    world.provider.set(&world.envelope, Status::Completed);

    let told = [
        world.told("envelope-delivered").await,
        world.told("envelope-sent").await,
        world.told("envelope-completed").await,
        world.told("envelope-delivered").await,
        world.told("envelope-completed").await,
    ];

    assert_eq!(told, ["changed", "known_already", "changed", "known_already", "known_already"]);
    let kept = kept(&world.bench, "a");
    assert_eq!(kept.phase, Phase::Completed);
    assert_eq!(kept.envelope.recipients["1"], "completed");
    // The end was asked for once, and each time an archive was asked for under the same key.
    assert_eq!(world.provider.count("stand"), 1);
    let archives = world.bench.host.spawned();
    assert!(
        archives
            .iter()
            .all(|(_, job)| job.kind == "docusign.archive" && job.unique_key == archives[0].1.unique_key)
    );
}

#[tokio::test]
async fn an_end_that_is_not_so_is_not_believed() {
    let world = sent().await;

    let told = world.told("envelope-completed").await;

    assert_eq!(told, "known_already");
    assert_eq!(kept(&world.bench, "a").phase, Phase::Sent);
}

#[tokio::test]
async fn an_envelope_is_not_asked_for_twice_in_a_quarter_of_an_hour() {
    let world = sent().await;
    world.provider.set(&world.envelope, Status::Delivered);
    world.told("envelope-completed").await;
    world.provider.set(&world.envelope, Status::Completed);

    let bench = world.bench.beside();
    let soon = bench.run(&world.job, &event(&world.envelope, "envelope-completed"), 1).await;
    let Err(Failure::NotNow { after, .. }) = soon else { panic!("{soon:?}") };
    bench.clock.advance(after);
    let later = completed(&bench, &world.job, &event(&world.envelope, "envelope-completed")).await;

    assert_eq!(world.provider.count("stand"), 2);
    assert_eq!(later["state"], "completed");
}

#[tokio::test]
async fn of_strangers_and_of_what_nobody_uses_nothing_follows() {
    let world = sent().await;

    assert_eq!(
        world.apply(&event("11111111-2222-4333-8444-555555555555", "envelope-sent")).await["outcome"],
        "unknown_envelope"
    );
    assert_eq!(world.told("envelope-purge").await, "not_used");
    let unread = ApplyEventArgs { envelope: None, event: None, ..event(&world.envelope, "x") };
    assert_eq!(world.apply(&unread).await["outcome"], "not_used");
    assert_eq!(kept(&world.bench, "a").record.version, 3);
}

#[tokio::test]
async fn recipients_go_forward_too() {
    let world = sent().await;
    let of = |name: &str| ApplyEventArgs { recipient: Some("1".into()), ..event(&world.envelope, name) };

    let told = [
        world.apply(&of("recipient-delivered")).await["outcome"].clone(),
        world.apply(&of("recipient-sent")).await["outcome"].clone(),
        world.apply(&of("recipient-completed")).await["outcome"].clone(),
    ];

    assert_eq!(told, ["changed", "known_already", "changed"]);
    assert_eq!(kept(&world.bench, "a").envelope.recipients["1"], "completed");
}

#[tokio::test]
async fn another_job_at_the_envelope_is_waited_for() {
    let world = sent().await;
    let other = world.bench.beside();
    let id = envelope::id(None, "a");
    world.bench.host.kept().hold_by(&id, other.id);
    world.bench.clock.run_freely();

    let busy =
        world.bench.beside().run(&world.job, &event(&world.envelope, "envelope-delivered"), 1).await.unwrap();

    assert_eq!(busy, Outcome::Snooze(BUSY));
}

/// The messages of one signature come together; coming again two seconds later, one after the other, an archive took seven.
#[tokio::test]
async fn one_that_is_free_in_a_moment_is_waited_for_within_the_attempt() {
    let world = sent().await;
    let other = world.bench.beside();
    world.bench.host.kept().hold_by(&envelope::id(None, "a"), other.id);
    let bench = world.bench.beside();
    let told = event(&world.envelope, "envelope-delivered");

    let (applied, ()) = tokio::join!(completed(&bench, &world.job, &told), async {
        while world.bench.clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        world.bench.host.kept().let_go(other.id);
        world.bench.clock.advance(std::time::Duration::from_millis(50));
    });

    assert_eq!(applied["outcome"], "changed");
}

/// Whoever archives it would else meet the hold of the message that said so.
#[tokio::test]
async fn one_that_is_over_is_free_before_the_attempt_has_ended() {
    let world = sent().await;
    world.provider.set(&world.envelope, Status::Completed);
    let told = event(&world.envelope, "envelope-completed");

    // It still runs, as far as the records know.
    completed(&world.bench.beside(), &world.job, &told).await;

    let other = world.bench.beside();
    let ctx = other.ctx("docusign.archive", 1);
    assert!(ctx.records().hold(&ctx, &envelope::id(None, "a")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_lost_when_the_end_is_asked_for_is_asked_for_later() {
    let world = sent().await;
    world.provider.set(&world.envelope, Status::Voided);
    world.provider.play("stand", [Play::LostAfter]);
    let bench = world.bench.beside();
    let event = event(&world.envelope, "envelope-voided");

    let lost = bench.run(&world.job, &event, 1).await;
    let soon = bench.run(&world.job, &event, 2).await;
    let Err(Failure::NotNow { after, .. }) = soon else { panic!("{soon:?}") };
    bench.clock.advance(after);
    completed(&bench, &world.job, &event).await;

    assert!(matches!(lost, Err(Failure::Transient(_))), "{lost:?}");
    assert_eq!((kept(&world.bench, "a").phase, world.provider.count("stand")), (Phase::Voided, 2));
    assert!(world.bench.host.spawned().is_empty());
}

#[tokio::test]
async fn the_key_of_one_account_has_no_say_about_anothers_envelope() {
    let world = sent().await;

    let told = world
        .apply(&ApplyEventArgs { account: "other".into(), ..event(&world.envelope, "envelope-delivered") })
        .await;

    assert_eq!(told["outcome"], "unknown_envelope");
    assert_eq!(kept(&world.bench, "a").phase, Phase::Sent);
}

#[tokio::test]
async fn another_end_than_ours_is_told_to_a_person() {
    let world = sent().await;
    world.provider.set(&world.envelope, Status::Voided);
    world.told("envelope-voided").await;
    world.provider.set(&world.envelope, Status::Completed);
    world.bench.clock.advance(std::time::Duration::from_secs(16 * 60));

    assert_eq!(world.told("envelope-completed").await, "changed");

    let news: Vec<_> = world.bench.host.kept().news().into_iter().map(|news| news.rule).collect();
    assert_eq!(
        (kept(&world.bench, "a").phase, news),
        (Phase::Voided, vec!["docusign.unresolved".to_owned()])
    );
}

/// Whoever sent it died before he could write that down; an auditor who counts what went out would miss it.
#[tokio::test]
async fn the_first_word_of_one_that_is_out_says_that_it_was_sent() {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    provider.play("send", [Play::LostAfter, Play::LostAfter, Play::LostAfter]);
    bench.clock.run_freely();
    bench.run(&send, &args("a"), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    let drafted = kept(&bench, "a");
    assert_eq!(drafted.phase, Phase::Drafted);
    let world =
        Sent { bench, job: ApplyEvent { accounts }, provider, envelope: drafted.envelope.envelope.unwrap() };
    let last =
        || (kept(&world.bench, "a").phase, world.bench.host.kept().details().pop().unwrap()[SENT].clone());

    world.told("envelope-delivered").await;
    assert_eq!(last(), (Phase::Delivered, Value::Bool(true)));
    world.provider.set(&world.envelope, Status::Completed);
    world.told("envelope-completed").await;
    assert_eq!(last(), (Phase::Completed, Value::Null));
}

/// It went out behind the back of a job that ended, so nobody had counted it.
#[tokio::test]
async fn one_that_was_given_up_and_is_out_is_counted_as_sent() {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    provider.play("send", [Play::LostAfter, Play::LostAfter, Play::LostAfter]);
    bench.clock.run_freely();
    bench.run(&send, &args("a"), 1).await.unwrap_err();
    // The record is held still; the sweep gives it up just so.
    let ctx = bench.ctx(SendEnvelope::KIND, 1);
    let failed = Change::to(Phase::Failed, "docusign.envelope.fail");
    kept(&bench, "a").write(&ctx, failed).await.unwrap();
    bench.host.kept().let_go(bench.id);
    let envelope = kept(&bench, "a").envelope.envelope.unwrap();
    let world = Sent { bench, job: ApplyEvent { accounts }, provider, envelope };

    world.provider.set(&world.envelope, Status::Completed);
    world.told("envelope-completed").await;

    let details = world.bench.host.kept().details().pop().unwrap();
    assert_eq!((kept(&world.bench, "a").phase, &details[SENT]), (Phase::Completed, &Value::Bool(true)));
}
