//! What leaves the house, to a real mail server and a real receiver of webhooks: alerts and the ends of jobs.

mod alerts;
mod callback;
mod cli;
mod mail;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use compline::app::{App, Parts, Upkeep};
use engine::adapters::artifacts::DirArtifacts;
use engine::adapters::http_client::WebClient;
use engine::adapters::mailer::{Encryption, Server, SmtpMailer};
use engine::alerts::courier::Courier;
use engine::alerts::{Alerting, Pace, Route, To};
use engine::seal::Keyring;
use engine::triggers::Triggers;
use engine::webhooks::Webhooks;
use engine::webhooks::signature::Keys;
use engine::webhooks::target::{Prefix, Target};
use engine::worker::Until;
use jobkit::testing::ManualClock;
use jobkit::{Clock, JobId, Mailer, NewJob, Personal, Registry};
use serde_json::json;
use store::rule::Rules;
use store::{AlertDetail, AlertFilter, PruneRules, Scope, Severity, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, until};
use crate::support::receiver::{Receiver, SECRET};
use crate::support::store::{TestStore, ada};

pub fn webhooks_to(allow: &[&str], clock: &Arc<ManualClock>) -> Arc<Webhooks> {
    webhooks_within(allow, clock, Duration::from_secs(5))
}

pub fn webhooks_within(allow: &[&str], clock: &Arc<ManualClock>, timeout: Duration) -> Arc<Webhooks> {
    let mut keys = Keys::default();
    keys.add(SECRET).unwrap();
    Arc::new(Webhooks {
        client: Arc::new(WebClient::new(None).unwrap()),
        keys,
        allow: allow.iter().map(|text| Prefix::parse(text).unwrap()).collect(),
        timeout,
        clock: clock.clone(),
    })
}

pub fn mail_server(port: u16, encryption: Encryption) -> Server {
    let from = Personal::new("Compline <compline@example.org>".to_owned());
    Server { host: "localhost".into(), port, encryption, credentials: None, from, authority: None }
}

pub fn route(to: To) -> Route {
    let (rules, kinds, queues) = (Vec::new(), Vec::new(), Vec::new());
    Route { to, after: None, severity: Severity::Info, rules, kinds, queues }
}

/// Tells a receiver everything, by the route `hook`.
pub fn alerting_to(receiver: &Receiver, clock: &Arc<ManualClock>) -> Alerting {
    let to = To::Webhook(Target::parse(&receiver.url("/alerts")).unwrap());
    alerting(route(to), None, clock)
}

pub fn alerting(route: Route, mailer: Option<SmtpMailer>, clock: &Arc<ManualClock>) -> Alerting {
    let mailer = mailer.map(|mailer| Arc::new(mailer) as Arc<dyn Mailer>);
    let webhooks = webhooks_to(&[], clock);
    alerting_by(Courier { routes: [("hook".to_owned(), route)].into(), mailer, webhooks })
}

pub fn alerting_by(courier: Courier) -> Alerting {
    let pace = Pace { stuck_after: Duration::from_secs(60), ..Pace::default() };
    Alerting { pace, courier: Some(Arc::new(courier)) }
}

/// One process over a store.
pub struct House {
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub app: Arc<App>,
    stop: CancellationToken,
    _artifacts: tempfile::TempDir,
    _running: Option<JoinHandle<()>>,
}

impl House {
    pub fn over(t: &TestStore, store: Arc<dyn Store>, webhooks: Option<Arc<Webhooks>>) -> Self {
        Self::with(t, store, webhooks, Keyring::default(), |_| {})
    }

    pub fn with(
        t: &TestStore,
        store: Arc<dyn Store>,
        webhooks: Option<Arc<Webhooks>>,
        keyring: Keyring,
        change: impl FnOnce(&mut Registry),
    ) -> Self {
        let artifacts = tempfile::tempdir().unwrap();
        let mut registry = Registry::default();
        engine::system::register(&mut registry, engine::system::Config::default());
        engine::callback::register(&mut registry, webhooks);
        change(&mut registry);
        let app = App::new(Parts {
            store: store.clone(),
            clock: t.clock.clone(),
            registry: Arc::new(registry),
            keyring: Arc::new(keyring),
            artifacts: Arc::new(DirArtifacts::new(artifacts.path().to_path_buf())),
            uploads: engine::uploads::Place::at(artifacts.path().join("uploads")),
            redis: None,
            declared: engine::scheduler::declared::Declared::default(),
            calls: std::collections::BTreeMap::new(),
            approvals: Arc::default(),
        });
        let (clock, stop) = (t.clock.clone(), CancellationToken::new());
        Self { store, clock, app: Arc::new(app), stop, _artifacts: artifacts, _running: None }
    }

    /// Works the default queue and that of callbacks.
    pub fn start(mut self, alerting: Alerting) -> Self {
        let prune_every = Duration::from_secs(3_600);
        let upkeep = Upkeep {
            limits: Rules::default(),
            prune: PruneRules::default(),
            prune_every,
            keep_artifacts: None,
            alerting,
            triggers: Triggers::default(),
            audit: None,
        };
        let mut options = Engine::options();
        options.fetch.queues = ["default".to_owned(), "callbacks".to_owned()].into();
        let app = self.app.clone();
        let until = Until { stop: self.stop.clone(), hard: self.stop.clone(), idle: false };
        self._running = Some(tokio::spawn(async move {
            app.run(options, upkeep, until).await.unwrap();
        }));
        self
    }

    pub async fn enqueue(&self, job: NewJob) -> JobId {
        self.app.queue.enqueue(&Scope::Installation, vec![job], &ada()).await.unwrap()[0].id
    }

    pub async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        until(&self.clock, what, || async { condition() }).await;
    }

    pub async fn alerts(&self) -> Vec<AlertDetail> {
        let mut details = Vec::new();
        for alert in self.store.alerts(&AlertFilter::default()).await.unwrap() {
            details.push(self.store.alert(alert.id).await.unwrap().unwrap());
        }
        details
    }

    /// Until every message that there is has come to an end so.
    pub async fn until_messages(&self, count: usize, state: &str) {
        until(&self.clock, &format!("{count} messages are {state}"), || async {
            let details = self.alerts().await;
            let all = details.iter().flat_map(|detail| &detail.deliveries);
            all.filter(|delivery| delivery.state == state).count() == count
        })
        .await;
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn failing() -> NewJob {
    NewJob::new("system.fail", json!({ "message": "ada@example.org is not amused", "permanent": true }))
}

pub fn steady(clock: &Arc<ManualClock>) -> Arc<dyn Clock> {
    clock.clone()
}
