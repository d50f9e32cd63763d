//! Stopping, dying and losing the lease.

use std::sync::Arc;
use std::time::Duration;

use compline::app::{App, Parts, Upkeep};
use engine::adapters::artifacts::DirArtifacts;
use engine::alerts::Alerting;
use engine::scheduler::declared::Declared;
use engine::triggers::Triggers;
use engine::uploads::Place;
use engine::worker::Until;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::Clock;
use jobkit::testing::ManualClock;
use store::rule::Rules;
use store::state::JobState;
use store::{Change, PruneRules};
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::family::{Act, act};
use crate::support::store::{TestStore, promises};

promises![
    a_worker_that_stops_lets_running_jobs_end,
    a_worker_that_may_not_wait_gives_running_jobs_back_without_counting_the_attempt,
    the_jobs_of_a_dead_worker_run_elsewhere_within_twice_the_lease,
    a_worker_declared_dead_stops_its_attempts_and_its_report_is_refused,
    a_job_that_returns_to_its_worker_stays_in_hand_when_the_lost_attempt_ends,
    an_attempt_that_lost_its_job_writes_nothing_into_the_audit_log,
    a_machine_suspended_for_longer_than_the_lease_stops_its_attempts_when_it_wakes,
    a_part_that_panics_ends_the_worker_with_its_name,
    a_claim_that_arrives_after_it_was_given_up_is_given_back,
    a_wall_clock_set_forward_takes_no_job_from_a_living_worker,
];

async fn a_worker_that_stops_lets_running_jobs_end(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;

    engine.stop.cancel();
    engine.scene.gate.add_permits(1);
    let summary = engine.end(worker).await;

    assert_eq!(summary.completed, 1);
    assert_eq!(engine.t.state(id).await, JobState::Completed);
    assert!(engine.t.store.workers().await.unwrap().is_empty(), "it signed off");
}

async fn a_worker_that_may_not_wait_gives_running_jobs_back_without_counting_the_attempt(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;

    engine.hard.cancel();
    engine.end(worker).await;

    let detail = engine.t.job(id).await;
    assert_eq!((detail.job.state, detail.job.attempt), (JobState::Available, 0));
    assert!(detail.attempts.is_empty());
}

async fn the_jobs_of_a_dead_worker_run_elsewhere_within_twice_the_lease(t: TestStore) {
    // A worker that was killed: it claimed, and then nothing more was heard of it.
    let dead = t.worker().await;
    let id = t.add(|row| (row.kind, row.args) = ("test.act".into(), r#"{"act":"succeed"}"#.into())).await;
    t.claim_one(dead).await;
    let killed = Clock::now(&*t.clock);
    let engine = Engine::over(t);
    let worker = engine.start();

    let detail = engine.until_state(id, JobState::Completed).await;

    let after = detail.job.claimed_at.unwrap().duration_since(killed);
    assert!(after.as_secs() >= 30 && after.as_secs() <= 60, "{after:?}");
    let ends: Vec<_> = detail.attempts.iter().map(|a| (a.attempt, a.end.as_str())).collect();
    assert_eq!(ends, [(1, "lost"), (2, "completed")]);
    engine.end(worker).await;
}

async fn a_worker_declared_dead_stops_its_attempts_and_its_report_is_refused(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;

    declare_dead(&engine).await;

    // It notices at its next beat, comes back under a new number and takes the job again.
    engine.until("the job began again", || async { engine.scene.begun(id) == 2 }).await;
    engine.scene.gate.add_permits(2);
    let detail = engine.until_state(id, JobState::Completed).await;
    assert_eq!(detail.attempts.iter().map(|a| a.end.as_str()).collect::<Vec<_>>(), ["lost", "completed"]);
    engine.end(worker).await;
}

/// The process that lost a job claims it again under its new number while the lost attempt, which does not
/// listen, still ends. Its end once let go of the job by its id alone: the attempt that ran was then in nobody's
/// hand, no cancellation reached it, and a shutdown did not wait for it.
async fn a_job_that_returns_to_its_worker_stays_in_hand_when_the_lost_attempt_ends(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::Deaf)).await;
    engine.until_state(id, JobState::Running).await;
    declare_dead(&engine).await;
    engine.until("the job began again", || async { engine.scene.begun(id) == 2 }).await;
    let then = Clock::steady(&*engine.t.clock);
    let dropped = then + Duration::from_secs(10);
    engine
        .until("the lost attempt was dropped", || async { Clock::steady(&*engine.t.clock) > dropped })
        .await;

    engine.t.change(id, Change::Cancel).await;

    let detail = engine.until_state(id, JobState::Cancelled).await;
    assert_eq!(detail.attempts.iter().map(|a| a.end.as_str()).collect::<Vec<_>>(), ["lost", "cancelled"]);
    engine.end(worker).await;
}

/// Its entry was taken whoever had the job, so the log told of what an attempt did that counted for nothing.
async fn an_attempt_that_lost_its_job_writes_nothing_into_the_audit_log(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::GateThenAudit)).await;
    engine.until_state(id, JobState::Running).await;
    declare_dead(&engine).await;

    // The first goes to the lost attempt, which does not know yet.
    engine.scene.gate.add_permits(2);

    engine.until_state(id, JobState::Completed).await;
    let written = engine.t.audit().await.into_iter().filter(|entry| entry.action == "test.act");
    let written: Vec<_> = written.map(|entry| (entry.actor, entry.details["attempt"].clone())).collect();
    assert_eq!(written, [(format!("job:{id} (test.act)"), 2.into())]);
    engine.end(worker).await;
}

/// The steady clock counts the time asleep, so the first look after it finds the lease over.
async fn a_machine_suspended_for_longer_than_the_lease_stops_its_attempts_when_it_wakes(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;
    let before = engine.t.store.workers().await.unwrap().remove(0).id;

    engine.t.clock.advance(Duration::from_secs(3_600));

    engine.until("the job began again", || async { engine.scene.begun(id) == 2 }).await;
    engine.scene.gate.add_permits(1);
    let detail = engine.until_state(id, JobState::Completed).await;
    assert!(detail.job.worker.is_some_and(|worker| worker != before), "under a new number");
    engine.end(worker).await;
}

/// A network that comes back may deliver what a worker sent long ago and gave up: its jobs would be held by a
/// worker that lives and does not know of them.
async fn a_claim_that_arrives_after_it_was_given_up_is_given_back(t: TestStore) {
    let engine = Engine::over(t);
    let mut options = Engine::options();
    options.fetch.queues = ["served".to_owned()].into();
    let worker = engine.start_with(options);
    let store = &engine.t.store;
    engine.until("the worker is there", || async { !store.workers().await.unwrap().is_empty() }).await;
    let id = engine.t.add(|row| row.queue = "another".into()).await;
    let holder = store.workers().await.unwrap()[0].id;

    assert_eq!(store.claim(holder, "another", 1).await.unwrap()[0].id, id);

    let detail = engine.until_state(id, JobState::Available).await;
    assert_eq!(detail.job.attempt, 0);
    engine.end(worker).await;
}

/// It was noticed when the process ended, and until then nobody pruned, rescued or beat.
async fn a_part_that_panics_ends_the_worker_with_its_name(t: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    let upkeep = Upkeep {
        limits: Rules::default(),
        prune: PruneRules::default(),
        prune_every: TRAP,
        keep_artifacts: None,
        alerting: Alerting::default(),
        triggers: Triggers::default(),
        audit: None,
    };
    let app = App::new(Parts {
        store: t.store.clone(),
        clock: Arc::new(TrappedClock(t.clock.clone())),
        registry: Arc::default(),
        keyring: Arc::default(),
        artifacts: Arc::new(DirArtifacts::new(folder.path().to_path_buf())),
        uploads: Place::at(folder.path().join("uploads")),
        redis: None,
        declared: Declared::default(),
        calls: std::collections::BTreeMap::new(),
        approvals: Arc::default(),
    });
    let until = Until { stop: CancellationToken::new(), hard: CancellationToken::new(), idle: false };

    let panicked = app.run(Engine::options(), upkeep, until).await.unwrap_err();

    assert_eq!(panicked.to_string(), "the pruner panicked: trapped");
}

const TRAP: Duration = Duration::from_secs(77);

/// Whoever sleeps for so long is lost.
struct TrappedClock(Arc<ManualClock>);

impl Clock for TrappedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn steady(&self) -> Duration {
        self.0.steady()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration == TRAP {
            panic!("trapped");
        }
        self.0.sleep(duration)
    }
}

/// As somebody else does after a long stall of this worker.
async fn declare_dead(engine: &Engine) {
    let row = engine.t.store.workers().await.unwrap().remove(0);
    let store = &engine.t.store;
    engine
        .until("the declaration met the beat it watched", || async {
            let beat = store.workers().await.unwrap().iter().find(|w| w.id == row.id).map(|w| w.beat);
            match beat {
                Some(beat) => !store.rescue(row.id, beat).await.unwrap().is_empty(),
                None => true,
            }
        })
        .await;
}

async fn a_wall_clock_set_forward_takes_no_job_from_a_living_worker(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::WaitAtGate)).await;
    engine.until_state(id, JobState::Running).await;

    for hours in [48_i64, -72, 1] {
        let now = Clock::now(&*engine.t.clock);
        engine.t.clock.set(now + jiff::SignedDuration::from_hours(hours));
        let steady = Clock::steady(&*engine.t.clock);
        engine
            .until("two leases passed", || async {
                Clock::steady(&*engine.t.clock) > steady + Duration::from_secs(60)
            })
            .await;
        assert_eq!((engine.t.state(id).await, engine.scene.begun(id)), (JobState::Running, 1));
    }
    engine.scene.gate.add_permits(1);
    engine.until_state(id, JobState::Completed).await;
    engine.end(worker).await;
}
