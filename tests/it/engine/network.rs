//! A network that swallows packets between the engine and PostgreSQL, and tells nobody.

use std::sync::Arc;
use std::time::Duration;

use engine::service::Alarm;
use engine::wake::Wake;
use jobkit::{Clock, JobId};
use store::state::JobState;
use store::{Beat, Store, Woken};
use store_postgres::{PgOptions, PostgresStore};

use super::Engine;
use crate::support::proxy::Proxy;
use crate::support::store::{TestStore, set};

/// Through the network, giving calls up soon.
fn through(proxy: &Proxy, t: &TestStore) -> Arc<dyn Store> {
    let soon = Duration::from_millis(500);
    let options = PgOptions {
        acquire_timeout: soon,
        answer_within: soon,
        manual_clock: Some(t.clock.clone()),
        ..PgOptions::default()
    };
    PostgresStore::connect(&proxy.url(t.url()), &options).unwrap()
}

/// Through the network, with more patience than a test has.
fn never_giving_up(proxy: &Proxy, t: &TestStore) -> Arc<dyn Store> {
    let never = Duration::from_secs(600);
    let options =
        PgOptions { answer_within: never, manual_clock: Some(t.clock.clone()), ..PgOptions::default() };
    PostgresStore::connect(&proxy.url(t.url()), &options).unwrap()
}

/// Past the engine's network, as other programs do.
async fn add(engine: &Engine, count: usize, args: &str) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(engine.t.add(|row| (row.kind, row.args) = ("test.act".into(), args.into())).await);
    }
    ids
}

/// Calls once waited for an answer as long as TCP did, a quarter of an hour, and a call that was given up left
/// its connection in the pool, waiting as long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_packets_loses_nothing_and_doubles_nothing() {
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let store = through(&proxy, &t);
    let engine = Engine::through(t, store.clone());
    let mut ids = add(&engine, 4, r#"{"act":"wait_at_gate"}"#).await;
    let worker = engine.start();
    for id in &ids {
        engine.until_state(*id, JobState::Running).await;
    }

    // A pool of connections that are all there, and will all be dead.
    futures::future::try_join_all((0..32).map(|_| store.ready_queues())).await.unwrap();

    proxy.swallow();
    ids.extend(add(&engine, 20, r#"{"act":"succeed"}"#).await);
    engine.scene.gate.add_permits(100);
    // More often than there are connections in any pool.
    for _ in 0..8 {
        assert!(store.ready_queues().await.is_err());
    }
    assert_eq!(engine.t.states(&ids[..4]).await, [JobState::Running; 4]);

    // What was sent over the old connections is still nowhere.
    proxy.mend();
    for id in &ids {
        engine.until_state(*id, JobState::Completed).await;
    }

    // And arrives when everything has long been done over new ones.
    proxy.deliver();
    let last = add(&engine, 1, r#"{"act":"succeed"}"#).await[0];
    engine.until_state(last, JobState::Completed).await;
    ids.push(last);
    assert_eq!(engine.t.states(&ids).await, vec![JobState::Completed; ids.len()]);
    for id in set(ids.iter().copied()) {
        let ends = engine.t.job(id).await.attempts;
        assert!(ends.iter().filter(|attempt| attempt.end == "completed").count() <= 1, "{ends:?}");
    }
    assert_eq!(engine.end(worker).await.completed, ids.len() as u64);
}

/// The second signal was not seen while the first one's orderly end waited for a call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_told_not_to_wait_does_not_wait_for_a_call_either() {
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let store = never_giving_up(&proxy, &t);
    let engine = Engine::through(t, store);
    let worker = engine.start();
    let id = add(&engine, 1, r#"{"act":"succeed"}"#).await[0];
    engine.until_state(id, JobState::Completed).await;
    proxy.swallow();
    let steady = Clock::steady(&*engine.t.clock);
    let polled = steady + Duration::from_secs(3);
    engine.until("the fetcher asked", || async { Clock::steady(&*engine.t.clock) > polled }).await;

    engine.stop.cancel();
    engine.hard.cancel();

    assert_eq!(engine.end(worker).await.completed, 1);
}

/// An orderly end waited for the answer to a claim before anything that ran was given its grace, and for good if that never came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_hear_of_the_end_though_a_call_has_no_answer() {
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let store = never_giving_up(&proxy, &t);
    let engine = Engine::through(t, store);
    let worker = engine.start();
    let id = add(&engine, 1, r#"{"act":"wait_at_gate"}"#).await[0];
    engine.until_state(id, JobState::Running).await;
    let seconds = |count| Clock::steady(&*engine.t.clock) + Duration::from_secs(count);
    proxy.swallow();
    let polled = seconds(3);
    engine.until("the fetcher asked", || async { Clock::steady(&*engine.t.clock) > polled }).await;

    engine.stop.cancel();
    // The last claim 2 s, the grace 20 s, stopping and recording 15.25 s, signing off 2 s; and a slow machine.
    let end = seconds(120);
    engine.end(worker).await;

    assert!(Clock::steady(&*engine.t.clock) < end);
}

/// Given back under the lease of the moment, they were taken for running until the lease that claimed them was over, and an
/// attempt was counted that had never begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_claimed_ahead_of_an_outage_has_lost_no_attempt() {
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let engine = Engine::through(t.clone(), through(&proxy, &t));
    add(&engine, 200, r#"{"act":"succeed"}"#).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        let args = r#"{"act":"wait_at_gate"}"#;
        let once = |row: &mut store::NewRow| {
            (row.kind, row.args, row.max_attempts) = ("test.act".into(), args.into(), 1);
        };
        slow.push(t.add(once).await);
    }
    let running =
        async || t.states(&slow).await.into_iter().filter(|state| *state == JobState::Running).count();
    let worker = engine.start();
    engine.at_this_moment("more are claimed than can run", async || running().await > 4).await;

    proxy.swallow();
    let over = Clock::steady(&*t.clock) + Duration::from_secs(60);
    engine.until("the lease is over", || async { Clock::steady(&*t.clock) > over }).await;
    proxy.mend();
    engine.scene.gate.add_permits(100);

    for id in slow {
        engine.until_state(id, JobState::Completed).await;
    }
    engine.end(worker).await;
}

/// A beat that had no answer was tried for the rest of the lease, whoever asked for the end meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_told_not_to_wait_does_not_wait_for_a_beat_either() {
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let store = never_giving_up(&proxy, &t);
    let engine = Engine::through(t, store);
    let worker = engine.start();
    let id = add(&engine, 1, r#"{"act":"wait_at_gate"}"#).await[0];
    engine.until_state(id, JobState::Running).await;
    let beat = || async { engine.t.store.workers().await.unwrap()[0].beat };
    let seconds = |count| Clock::steady(&*engine.t.clock) + Duration::from_secs(count);
    let before = beat().await;
    engine.until("it has just beaten", || async { beat().await > before }).await;
    let (beaten, due) = (beat().await, seconds(8));
    proxy.swallow();
    engine.until("a beat is due", || async { Clock::steady(&*engine.t.clock) > due }).await;
    assert_eq!(beat().await, beaten);

    engine.hard.cancel();
    // For its job to stop, and to sign off, each a moment more than the five seconds that it may take.
    let patience = seconds(12);
    engine.end(worker).await;

    assert!(Clock::steady(&*engine.t.clock) < patience);
}

/// It kept the only place for beats until its connection had had its last word, and for a short lease that is
/// all the time there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beat_that_had_no_answer_does_not_keep_the_next_one_from_being_sent() {
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let soon = Duration::from_secs(2);
    let options = PgOptions { acquire_timeout: soon, answer_within: soon, ..PgOptions::default() };
    let store = PostgresStore::connect(&proxy.url(t.url()), &options).unwrap();
    let worker = t.worker().await;
    let holds = Beat::Holds { cancel: Vec::new() };
    assert_eq!(store.beat(worker).await.unwrap(), holds);

    proxy.swallow();
    store.beat(worker).await.unwrap_err();
    proxy.mend();

    assert_eq!(store.beat(worker).await.unwrap(), holds);
}

/// What was told between two connections was found by the poll, and by a worker that was busy not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_the_wake_ups_for_a_while_has_all_queues_looked_at() {
    const LONG: Duration = Duration::from_secs(20);
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let alarm = Alarm::default();
    let (wake, _senders) = Wake::start(t.store.clone(), None, &alarm);
    let bell = wake.bell();
    let rung = async || {
        while !bell.take_everywhere() {
            bell.wait().await;
        }
    };
    let _listeners = wake.listen(through(&proxy, &t), t.clock.clone(), &alarm);
    tokio::time::timeout(LONG, rung()).await.unwrap();

    proxy.swallow();
    proxy.mend();

    tokio::time::timeout(LONG, rung()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_whose_connection_died_in_silence_ends_and_the_next_one_hears() {
    const LONG: Duration = Duration::from_secs(20);
    let t = TestStore::postgres().await;
    let proxy = Proxy::before(t.url()).await;
    let store = through(&proxy, &t);
    let mut woken = store.listen().await.unwrap();
    t.store.wake("mail").await.unwrap();
    assert_eq!(woken.recv().await, Some(Woken::Queue("mail".into())));

    proxy.swallow();
    proxy.mend();
    t.store.wake("unheard").await.unwrap();

    assert_eq!(tokio::time::timeout(LONG, woken.recv()).await, Ok(None));
    let mut woken = store.listen().await.unwrap();
    t.store.wake("mail").await.unwrap();
    assert_eq!(tokio::time::timeout(LONG, woken.recv()).await, Ok(Some(Woken::Queue("mail".into()))));
}
