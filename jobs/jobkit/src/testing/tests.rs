use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::*;

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
