use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;
use crate::redact::ExposeSecret;
use crate::{Audit, AuditEntry, Mail, Mailer, Personal, SecretStore};

#[derive(Serialize, Deserialize)]
struct Nothing {}

#[derive(Default)]
struct World {
    keyed: Mutex<Vec<String>>,
    careless: AtomicU32,
}

use std::sync::Mutex;

struct TwoSteps {
    world: Arc<World>,
    careless: bool,
}

impl Job for TwoSteps {
    type Args = Nothing;
    const KIND: &'static str = "test.two_steps";

    async fn run(&self, _: Nothing, ctx: &Ctx) -> Result<Outcome, Failure> {
        for name in ["first", "second"] {
            ctx.step(name, |key| async move {
                let mut seen = self.world.keyed.lock().unwrap();
                if !seen.contains(&key.to_string()) {
                    seen.push(key.to_string());
                }
                self.world.careless.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Failure>(())
            })
            .await?;
        }
        if self.careless {
            self.world.careless.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Outcome::done())
    }
}

#[tokio::test]
async fn a_second_run_repeats_no_step() {
    let world = Arc::new(World::default());

    let (first, second) = run_twice(&TwoSteps { world: world.clone(), careless: false }, &Nothing {}).await;

    assert_eq!((first.unwrap(), second.unwrap()), (Outcome::done(), Outcome::done()));
    assert_eq!(world.careless.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_crash_harness_visits_both_sides_of_every_step_and_an_idempotent_effect_survives_it() {
    let fresh = || {
        let world = Arc::new(World::default());
        (TwoSteps { world: world.clone(), careless: false }, world)
    };

    let tried = crash_at_every_step(&Nothing {}, fresh, |_, world: &Arc<World>| {
        assert_eq!(world.keyed.lock().unwrap().len(), 2);
    })
    .await
    .unwrap();

    assert_eq!(tried, 4);
}

#[tokio::test]
async fn the_crash_harness_shows_an_effect_outside_a_step() {
    let mut doubled = false;
    let fresh = || {
        let world = Arc::new(World::default());
        (TwoSteps { world: world.clone(), careless: true }, world)
    };

    crash_at_every_step(&Nothing {}, fresh, |_, world: &Arc<World>| {
        doubled |= world.careless.load(Ordering::Relaxed) > 3;
    })
    .await
    .unwrap();

    assert!(doubled, "a crash between an effect and its record must let the effect happen twice");
}

#[tokio::test]
async fn an_intent_without_a_result_looks_before_it_acts() {
    let bench = Bench::default();
    bench.host.crash_at(Crash::BeforeStored(1));
    let acts = AtomicU32::new(0);
    let act = |_| async {
        acts.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Failure>(7)
    };

    let ctx = bench.ctx("test.intent", 1);
    tokio::select! {
        () = bench.host.crashed() => {}
        _ = ctx.step_looking_first("send", |_| async { Ok(None) }, act) => panic!("it should have died"),
    }
    let again = bench.ctx("test.intent", 2);
    let found = again.step_looking_first("send", |_| async { Ok(Some(7)) }, act).await.unwrap();

    assert_eq!((found, acts.load(Ordering::Relaxed)), (7, 1));
}

/// Mails a secret it was given by reference, and says so: all the shared ports at once.
struct Tell {
    secrets: FakeSecrets,
    mailer: Arc<FakeMailer>,
    audit: Arc<dyn Audit>,
}

#[derive(Serialize, Deserialize)]
struct TellArgs {
    code: String,
}

impl Job for Tell {
    type Args = TellArgs;
    const KIND: &'static str = "test.tell";

    async fn run(&self, args: TellArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let code = self.secrets.get(&args.code).await.map_err(Failure::permanent)?;
        let to = vec![Personal::new("ada@example.org".to_string())];
        let mail = Mail { to, subject: "your code".into(), text: code.expose_secret().into() };
        ctx.step("mail", async |key| {
            self.mailer.send(key.as_str(), &mail).await.map_err(Failure::transient)?;
            self.audit.append(entry("code.mail")).await.map_err(Failure::transient)
        })
        .await?;
        ctx.audit(entry("code.told")).await?;
        Ok(Outcome::done())
    }
}

fn entry(action: &str) -> AuditEntry {
    let words = [action, "code", "ok"].map(String::from);
    let [action, object, outcome] = words;
    AuditEntry {
        at: None,
        actor: "test".into(),
        action,
        object,
        outcome,
        tenant: None,
        origin: crate::Origin::default(),
        details: Value::Null,
    }
}

#[tokio::test]
async fn mails_secrets_and_audit_entries_meet_their_fakes() {
    let bench = Bench::default();
    let mailer = Arc::new(FakeMailer::default());
    let tell = Tell {
        secrets: FakeSecrets::default().with("env:CODE", "4711"),
        mailer: mailer.clone(),
        audit: bench.host.clone(),
    };
    let args = |code: &str| TellArgs { code: code.into() };

    bench.host.crash_at(Crash::BeforeStored(0));
    let ctx = bench.ctx(Tell::KIND, 1);
    tokio::select! {
        () = bench.host.crashed() => {}
        _ = tell.run(args("env:CODE"), &ctx) => panic!("it should have died"),
    }
    bench.run(&tell, &args("env:CODE"), 2).await.unwrap();
    let unknown = bench.run(&tell, &args("env:OTHER"), 3).await.unwrap_err();

    let texts: Vec<_> = mailer.sent().into_values().map(|mail| mail.text).collect();
    assert_eq!(texts, ["4711"], "one key is one mail, though the step ran twice");
    let actions: Vec<_> = bench.host.audit().into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["code.mail", "code.mail", "code.told"]);
    assert_eq!(unknown.to_string(), "getting the secret env:OTHER");
}

#[tokio::test]
async fn sleepers_wake_when_the_manual_clock_reaches_them() {
    use crate::Clock;
    let clock = ManualClock::default();
    let early = clock.sleep(std::time::Duration::from_secs(5));
    let late = clock.sleep(std::time::Duration::from_secs(50));

    clock.sleep(std::time::Duration::ZERO).await;
    clock.advance(std::time::Duration::from_secs(10));

    early.await;
    assert!(futures::FutureExt::now_or_never(late).is_none());
}

#[tokio::test]
async fn a_breaker_is_told_how_a_call_ended_and_an_open_one_is_not_called_through() {
    use crate::{CallEnd, Failure};
    let bench = Bench::default();
    let ctx = bench.ctx("test.call", 1);

    let answered = ctx.breaker("acct").call(async { Ok(7) }).await;
    let no = ctx.breaker("acct").call(async { Err::<(), _>(Failure::permanent("no")) }).await;
    let down = ctx.breaker("acct").call(async { Err::<(), _>(Failure::transient("down")) }).await;
    bench.host.open_breaker("acct", std::time::Duration::from_secs(9));
    let open = ctx.breaker("acct").call::<()>(async { panic!("nobody calls") }).await.unwrap_err();

    assert_eq!(answered.unwrap(), 7);
    assert!(no.is_err() && down.is_err());
    let told: Vec<_> = bench.host.calls().into_iter().map(|(_, end)| end).collect();
    assert_eq!(told, [CallEnd::Answered, CallEnd::Answered, CallEnd::Failed]);
    assert!(matches!(open, Failure::NotNow { after, .. } if after.as_secs() == 9), "{open:?}");
}

#[tokio::test]
async fn a_call_waits_a_moment_for_its_turn_and_comes_again_for_a_longer_one() {
    use crate::Failure;
    let bench = Bench::default();
    let ctx = bench.ctx("test.call", 1);
    let seconds = std::time::Duration::from_secs;

    bench.host.use_up("api", seconds(0));
    ctx.take("api", "acct-7", 2).await.unwrap();
    bench.host.use_up("api", seconds(9));
    let later = ctx.take("api", "acct-7", 1).await.unwrap_err();

    assert_eq!(bench.host.taken(), [("api".to_owned(), "acct-7".to_owned(), 2)]);
    assert!(matches!(later, Failure::NotNow { after, .. } if after == seconds(9)), "{later:?}");
}

#[tokio::test]
async fn who_holds_off_comes_again_when_the_time_is_over() {
    use crate::{HoldOff, Outcome};
    let bench = Bench::default();
    let ctx = bench.ctx("test.call", 1);
    let minute = std::time::Duration::from_secs(60);

    let outcome = ctx.hold_off(HoldOff::Limit("accounts"), minute, "429").await.unwrap();

    assert_eq!(outcome, Outcome::Snooze(minute));
    let told = bench.host.held_off();
    assert_eq!(
        (told[0].limit.as_deref(), told[0].wait, told[0].reason.as_str()),
        (Some("accounts"), minute, "429")
    );
}
