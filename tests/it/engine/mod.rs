//! The whole engine over a real store, with a clock that the test moves: what a job can live through.

mod ending;
mod family;
mod hours;
mod limits;
mod losing;
mod models;
mod network;
mod records;
mod redis;
mod schedules;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use compline::app::{App, Parts, Upkeep};
use engine::adapters::artifacts::DirArtifacts;
use engine::adapters::redis::Redis;
use engine::alerts::Alerting;
use engine::scheduler::declared::Declared;
use engine::seal::Keyring;
use engine::triggers::Triggers;
use engine::uploads::Place;
use engine::worker::fetcher::FetchOptions;
use engine::worker::{Summary, Until, WorkerOptions};
use jobkit::testing::ManualClock;
use jobkit::{JobId, NewJob, Registry};
use store::breaker::BreakerRules;
use store::rule::{Rate, Rules};
use store::state::JobState;
use store::{Actor, JobDetail, PruneRules, Scope, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::store::TestStore;
use family::Scene;

pub struct Engine {
    pub t: TestStore,
    pub scene: Arc<Scene>,
    pub app: Arc<App>,
    pub stop: CancellationToken,
    pub hard: CancellationToken,
    pub limits: Rules,
    _artifacts: tempfile::TempDir,
}

impl Engine {
    pub fn over(t: TestStore) -> Self {
        let store = t.store.clone();
        Self::through(t, store)
    }

    /// The engine's own way to the jobs is another than the test's.
    pub fn through(t: TestStore, store: Arc<dyn Store>) -> Self {
        let scene = Arc::new(Scene::default());
        let mut registry = Registry::default();
        engine::system::register(&mut registry, engine::system::Config::default());
        family::register(&mut registry, &scene);
        Self::new(t, store, scene, registry, Keyring::default(), None, BTreeMap::new())
    }

    /// As another process with the same Redis would be.
    pub fn on_redis(t: TestStore, store: Arc<dyn Store>, redis: Arc<Redis>) -> Self {
        let scene = Arc::new(Scene::default());
        let mut registry = Registry::default();
        family::register(&mut registry, &scene);
        Self::new(t, store, scene, registry, Keyring::default(), Some(redis), BTreeMap::new())
    }

    pub fn with(t: TestStore, scene: Arc<Scene>, registry: Registry, keyring: Keyring) -> Self {
        let store = t.store.clone();
        Self::new(t, store, scene, registry, keyring, None, BTreeMap::new())
    }

    /// With limits on calls.
    pub fn calling(t: TestStore, registry: Registry, calls: BTreeMap<String, Rate>) -> Self {
        let store = t.store.clone();
        Self::new(t, store, Arc::default(), registry, Keyring::default(), None, calls)
    }

    fn new(
        t: TestStore,
        store: Arc<dyn Store>,
        scene: Arc<Scene>,
        registry: Registry,
        keyring: Keyring,
        redis: Option<Arc<Redis>>,
        calls: BTreeMap<String, Rate>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = App::new(Parts {
            store,
            clock: t.clock.clone(),
            registry: Arc::new(registry),
            keyring: Arc::new(keyring),
            artifacts: Arc::new(DirArtifacts::new(folder.path().to_path_buf())),
            uploads: Place::at(folder.path().join("uploads")),
            redis,
            declared: Declared::default(),
            calls,
            approvals: Arc::default(),
        });
        let (stop, hard) = (CancellationToken::new(), CancellationToken::new());
        Self { t, scene, app: Arc::new(app), stop, hard, limits: Rules::default(), _artifacts: folder }
    }

    pub fn options() -> WorkerOptions {
        WorkerOptions {
            name: "test".into(),
            lease: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(20),
            breakers: BreakerRules::default(),
            fetch: FetchOptions {
                concurrency: 4,
                prefetch: 100,
                poll: Duration::from_secs(1),
                queues: BTreeSet::new(),
                queue_concurrency: BTreeMap::new(),
            },
        }
    }

    pub fn start(&self) -> JoinHandle<Summary> {
        self.start_with(Self::options())
    }

    pub fn start_with(&self, options: WorkerOptions) -> JoinHandle<Summary> {
        let (app, stop, hard) = (self.app.clone(), self.stop.clone(), self.hard.clone());
        let upkeep = Upkeep {
            limits: self.limits.clone(),
            prune: PruneRules::default(),
            prune_every: Duration::from_secs(60),
            keep_artifacts: None,
            triggers: Triggers::default(),
            alerting: Alerting::default(),
            audit: None,
        };
        tokio::spawn(
            async move { app.run(options, upkeep, Until { stop, hard, idle: false }).await.unwrap() },
        )
    }

    pub async fn enqueue(&self, job: NewJob) -> JobId {
        self.app.queue.enqueue(&Scope::Installation, vec![job], &Actor::new("user:ada")).await.unwrap()[0].id
    }

    /// Lets time pass until the condition holds.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, condition: impl Fn() -> F) {
        until(&self.t.clock, what, condition).await;
    }

    pub async fn until_state(&self, id: JobId, state: JobState) -> JobDetail {
        let store: &dyn Store = &*self.t.store;
        self.until(&format!("job {id} is {state}"), || async move {
            store.job(&Scope::Installation, id).await.unwrap().is_some_and(|detail| detail.job.state == state)
        })
        .await;
        self.t.job(id).await
    }

    /// Waits while the clock stands still, so that nothing that time brings about can be the reason.
    pub async fn at_this_moment<F: Future<Output = bool>>(&self, what: &str, condition: impl Fn() -> F) {
        for _ in 0..5_000 {
            if condition().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never came true: {what}");
    }

    /// Ends the worker in an orderly way.
    pub async fn end(&self, worker: JoinHandle<Summary>) -> Summary {
        self.stop.cancel();
        let clock = self.t.clock.clone();
        let done = Arc::new(std::sync::Mutex::new(None));
        let seen = done.clone();
        tokio::spawn(async move { *seen.lock().unwrap() = Some(worker.await.unwrap()) });
        until(&clock, "the worker ended", || async { done.lock().unwrap().is_some() }).await;
        done.lock().unwrap().take().unwrap()
    }
}

/// Lets time pass until the condition holds. A real moment goes by with each virtual one, so that what
/// runs on other threads gets its turn.
pub async fn until<F: Future<Output = bool>>(clock: &ManualClock, what: &str, condition: impl Fn() -> F) {
    for _ in 0..20_000 {
        if condition().await {
            return;
        }
        clock.advance(Duration::from_millis(25));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came true: {what}");
}
