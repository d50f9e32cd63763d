//! Work that comes in from outside, over a real store, a real Redis and real files.

mod binary;
mod bucket;
mod chain;
mod folder;
mod gather;
mod stream;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compline::app::{App, Parts};
use engine::adapters::artifacts::DirArtifacts;
use engine::adapters::buckets::Buckets;
use engine::adapters::redis::Redis;
use engine::seal::Keyring;
use engine::service::{Alarm, Service};
use engine::triggers::Triggers;
use engine::triggers::settings::Triggers as Settings;
use jobkit::Registry;
use serde_json::Value;
use store::{AlertFilter, JobFilter, JobRow, Scope};

use crate::http::family;
use crate::support::store::TestStore;

/// A process with triggers, whose jobs nobody runs.
struct Door {
    t: TestStore,
    app: App,
    _artifacts: tempfile::TempDir,
}

impl Door {
    fn new(t: &TestStore, redis: Option<Arc<Redis>>) -> Self {
        let mut registry = Registry::default();
        engine::system::register(&mut registry, engine::system::Config::default());
        family::register(&mut registry, &Arc::default());
        let folder = tempfile::tempdir().unwrap();
        let app = App::new(Parts {
            store: t.store.clone(),
            clock: t.clock.clone(),
            registry: Arc::new(registry),
            keyring: Arc::new(Keyring::default()),
            artifacts: Arc::new(DirArtifacts::new(folder.path().to_path_buf())),
            uploads: engine::uploads::Place::at(folder.path().join("uploads")),
            redis,
            declared: engine::scheduler::declared::Declared::default(),
            calls: BTreeMap::new(),
            approvals: Arc::default(),
        });
        Self { t: t.clone(), app, _artifacts: folder }
    }

    fn start(&self, settings: &Settings) -> Vec<Service> {
        self.start_with(settings, &Buckets::default())
    }

    fn start_with(&self, settings: &Settings, buckets: &Buckets) -> Vec<Service> {
        Triggers::new(settings, buckets, &self.app.around()).unwrap().start(&Alarm::default())
    }

    /// Oldest first.
    async fn jobs(&self) -> Vec<JobRow> {
        let filter = JobFilter { limit: Some(10_000), ..JobFilter::default() };
        let mut jobs = self.t.store.jobs(&Scope::Installation, &filter).await.unwrap();
        jobs.reverse();
        jobs
    }

    /// What people are told, by key, and whether it still holds.
    async fn alerts(&self) -> BTreeMap<String, bool> {
        while self.t.store.fold(1_000, &self.t.ids).await.unwrap() > 0 {}
        let alerts = self.t.store.alerts(&AlertFilter::default()).await.unwrap();
        // The newest first, and the newest of a key counts.
        alerts.into_iter().rev().map(|alert| (alert.key, alert.closed_at.is_none())).collect()
    }

    async fn args(&self) -> Vec<Value> {
        self.jobs().await.iter().map(|job| serde_json::from_str(&job.args).unwrap()).collect()
    }

    /// Lets time pass until the condition holds.
    async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        for _ in 0..4_000 {
            if condition().await {
                return;
            }
            self.t.clock.advance(Duration::from_millis(50));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never came true: {what}; jobs: {:?}", self.args().await);
    }

    /// Lets so much time pass, in small steps.
    async fn pass(&self, time: Duration) {
        for _ in 0..time.as_millis() / 100 {
            self.t.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn stop(services: Vec<Service>) {
    for service in services {
        service.stop().await;
    }
}
