//! The real HTTP server on a free port over a real store, and a client that holds its token.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use compline::app::{App, Parts, Upkeep};
use compline::config::SecretRef;
use engine::adapters::artifacts::DirArtifacts;
use engine::adapters::clock::SystemClock;
use engine::adapters::redis::Redis;
use engine::adapters::tls;
use engine::alerts::courier::Courier;
use engine::alerts::{Alerting, To};
use engine::approvals::rules::Rules as Approvals;
use engine::artifacts::ArtifactStore;
use engine::http::server::Door;
use engine::http::{self, Http, Limits, Token};
use engine::identity::keys::Keys;
use engine::identity::networks::Network;
use engine::identity::password::Passwords;
use engine::identity::platform::settings::Platform;
use engine::identity::platform::{self, Source};
use engine::identity::{self, Identity, Lives};
use engine::limits::callers::Callers;
use engine::limits::callers::rules::CallerRules;
use engine::scheduler::calendar::CalendarRules;
use engine::scheduler::declared::Declared;
use engine::scheduler::definition::Definition;
use engine::seal::Keyring;
use engine::service::{Alarm, Service};
use engine::triggers::Triggers;
use engine::triggers::door::Doors;
use engine::triggers::settings::{SchemeName, Triggers as Settings, Webhook};
use engine::triggers::webhook::Webhooks;
use engine::triggers::{self, Around};
use engine::uploads::quarantine::Quarantine;
use engine::uploads::scanner::Scanner;
use engine::uploads::{self, Place};
use engine::webhooks::target::Target;
use engine::worker::{Summary, Until};
use jobkit::{Clock, Registry, SecretString};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use store::PruneRules;
use store::rule::{Rate, Rules};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::store::TestStore;
use crate::engine::Engine;
use crate::http::family;
use crate::outgoing::{route, webhooks_to};

pub const TOKEN: &str = "a token for tests, long enough";

pub struct Server {
    pub t: TestStore,
    pub app: Arc<App>,
    pub artifacts: Arc<dyn ArtifactStore>,
    pub client: Client,
    pub url: String,
    pub stop: CancellationToken,
    pub hard: CancellationToken,
    /// The check of `test.as_written` refuses everything.
    pub strict: Arc<AtomicBool>,
    service: Option<Service>,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub const HOOK_SECRET: &str = "a secret of the sender";

/// Two hooks that make a job of what is signed with the secret: `pay`, and `note`, whose deliveries name themselves.
fn hooks(around: &Around) -> Webhooks {
    // Read when the hook is made, and not later.
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, HOOK_SECRET).unwrap();
    let hook = Webhook {
        scheme: SchemeName::Plain,
        header: "x-signature".into(),
        secrets: vec![SecretRef::File(secret)],
        unique_key: "{/headers/x-delivery}".into(),
        kind: "system.sleep".into(),
        args: r#"{"ms": "{/body/wait}"}"#.into(),
        ..Webhook::default()
    };
    let note = Webhook {
        unique_key: "{/body/id}".into(),
        kind: "test.as_written".into(),
        args: r#"{"id": "{/body/id}"}"#.into(),
        ..hook.clone()
    };
    let webhooks = [("pay".to_owned(), hook), ("note".to_owned(), note)].into();
    let settings = Settings { webhooks, ..Settings::default() };
    triggers::webhooks(&settings, around).unwrap()
}

pub fn limits() -> Limits {
    Limits {
        body_bytes: 10 << 20,
        memory_bytes: 256 << 20,
        batch: 10_000,
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(30),
        connections: 256,
        stop_delay: Duration::ZERO,
    }
}

/// What is otherwise than usual.
pub struct Setup {
    pub limits: Limits,
    pub token: Option<&'static str>,
    pub origins: &'static [&'static str],
    /// Whom callbacks and alerts go to: below `/hooks` and at `/alerts`, by the route `ops`.
    pub receiver: Option<String>,
    /// Callers live in our own time, unless a test holds theirs.
    pub clock: Arc<dyn Clock>,
    /// Nobody signs in where it is not.
    pub identity: bool,
    /// What a kind or a second factor is sealed with, if there is anything.
    pub keyring: Keyring,
    pub proxies: Vec<Network>,
    pub admin_networks: Vec<Network>,
    /// Whose JWTs are taken, and by which key.
    pub platform: Option<(Platform, Source)>,
    /// Nobody is counted unless a test is about it.
    pub rates: CallerRules,
    pub redis: Option<Arc<Redis>>,
    pub uploads: uploads::Rules,
    pub scanner: Option<Arc<dyn Scanner>>,
    /// Nothing waits for people unless a test is about it.
    pub approvals: Approvals,
    /// Where callers put uploads themselves; none unless a test is about it.
    pub quarantine: Option<Arc<dyn Quarantine>>,
    /// A folder of the server's own unless a test is about another place.
    pub artifacts: Option<Arc<dyn ArtifactStore>>,
}

/// By which the servers of a test know what another of them signed.
pub const IDENTITY_KEY: &str = "a key for tests, of thirty-two bytes and more";

pub const LIVES: Lives = Lives {
    access: Duration::from_secs(900),
    idle: Duration::from_secs(24 * 3_600),
    session: Duration::from_secs(7 * 24 * 3_600),
};

/// A password costs as little as it can.
pub fn passwords() -> Arc<Passwords> {
    Arc::new(Passwords::cheap().unwrap())
}

impl Default for Setup {
    fn default() -> Self {
        let clock = Arc::new(SystemClock::new());
        Self {
            limits: limits(),
            token: Some(TOKEN),
            origins: &[],
            receiver: None,
            clock,
            identity: false,
            keyring: Keyring::default(),
            proxies: Vec::new(),
            admin_networks: Vec::new(),
            platform: None,
            rates: CallerRules::off(),
            redis: None,
            uploads: uploads::Rules::default(),
            scanner: None,
            approvals: Approvals::default(),
            artifacts: None,
            quarantine: None,
        }
    }
}

/// The schedule `declared`, which the configuration owns, and the calendar `house`.
fn declared() -> Declared {
    let definition = Definition {
        kind: "system.noop".into(),
        cron: Some("30 6 * * MON-FRI".into()),
        zone: "Europe/Berlin".into(),
        ..Definition::default()
    };
    let calendar = CalendarRules { holidays: vec!["2026-01-06".into()], ..CalendarRules::default() };
    Declared {
        schedules: [("declared".to_owned(), definition)].into(),
        calendars: [("house".to_owned(), calendar)].into(),
    }
}

impl Server {
    pub async fn over(t: TestStore) -> Self {
        Self::with(t, Setup::default()).await
    }

    pub async fn with(t: TestStore, setup: Setup) -> Self {
        let Setup {
            limits,
            token,
            origins,
            receiver,
            clock,
            identity,
            keyring,
            proxies,
            admin_networks,
            platform,
            rates,
            redis,
            uploads: rules,
            scanner,
            approvals,
            artifacts,
            quarantine,
        } = setup;
        let keyring = Arc::new(keyring);
        let folder = tempfile::tempdir().unwrap();
        let artifacts = artifacts.unwrap_or_else(|| Arc::new(DirArtifacts::new(folder.path())));
        let mut registry = Registry::default();
        engine::system::register(&mut registry, engine::system::Config::default());
        engine::bulk::register(&mut registry, t.store.clone());
        let strict = Arc::default();
        family::register(&mut registry, &strict);
        let allow = receiver.as_ref().map(|url| format!("{url}/hooks"));
        let webhooks = webhooks_to(&allow.as_deref().into_iter().collect::<Vec<_>>(), &t.clock);
        engine::callback::register(&mut registry, Some(webhooks.clone()));
        let courier = receiver.map(|url| {
            let to = To::Webhook(Target::parse(&format!("{url}/alerts")).unwrap());
            let routes = [("ops".to_owned(), route(to))].into();
            Arc::new(Courier { routes, mailer: None, webhooks })
        });
        let app = App::new(Parts {
            store: t.store.clone(),
            clock: t.clock.clone(),
            registry: Arc::new(registry),
            keyring: keyring.clone(),
            artifacts: artifacts.clone(),
            uploads: Place { directory: folder.path().join("uploads"), rules, scanner, quarantine },
            redis: None,
            declared: declared(),
            calls: [("provider".to_owned(), Rate { pace: "5/s".parse().unwrap(), burst: 1 })].into(),
            approvals: Arc::new(approvals),
        });
        let (alarm, stop, hard) = (Alarm::default(), CancellationToken::new(), CancellationToken::new());
        let identity = identity.then(|| {
            let parts = identity::Parts {
                store: t.store.clone(),
                clock: clock.clone(),
                keyring,
                passwords: passwords(),
                keys: Keys::new(&SecretString::from(IDENTITY_KEY)).unwrap(),
                lives: LIVES,
            };
            Arc::new(Identity::new(parts))
        });
        let platform = platform.map(|(settings, source)| {
            let keys = Keys::new(&SecretString::from(IDENTITY_KEY)).unwrap();
            Arc::new(platform::Platform::new(&settings, source, &keys, clock.clone()))
        });
        let parts = http::Parts {
            store: app.store.clone(),
            queue: app.queue.clone(),
            scheduler: app.scheduler.clone(),
            usage: app.limits.clone(),
            approvals: app.approvals.clone(),
            registry: app.registry.clone(),
            clock: clock.clone(),
            artifacts: artifacts.clone(),
            uploads: app.uploads.clone(),
            hooks: hooks(&app.around()),
            doors: Doors::new(&app.around()),
            courier,
            token: token.map(|secret| Token::new(&SecretString::from(secret)).unwrap()),
            identity,
            platform,
            admin_networks,
            proxies,
            limits,
            callers: Arc::new(Callers::new(rates, app.store.clone(), redis, clock.clone())),
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            hints: app.hints(),
            stop: stop.child_token(),
        };
        let door = Door::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", door.address());
        let service = Http::new(parts, &alarm).serve(door, hard.clone(), &alarm);
        let client = Client::builder().no_proxy().tls_backend_preconfigured(tls::client(None).unwrap());
        let client = client.build().unwrap();
        Self {
            t,
            app: Arc::new(app),
            artifacts,
            client,
            url,
            stop,
            hard,
            strict,
            service: Some(service),
            _folder: folder,
        }
    }

    /// A worker beside the server, in the time of the store.
    pub fn work(&self) -> JoinHandle<Summary> {
        let (app, stop) = (self.app.clone(), self.stop.clone());
        let upkeep = Upkeep {
            limits: Rules::default(),
            prune: PruneRules::default(),
            prune_every: Duration::from_secs(60),
            keep_artifacts: None,
            triggers: Triggers::default(),
            alerting: Alerting::default(),
            audit: None,
        };
        let until = Until { stop, hard: CancellationToken::new(), idle: false };
        tokio::spawn(async move { app.run(Engine::options(), upkeep, until).await.unwrap() })
    }

    /// Of uploads, whole or not; the sign beside one that is kept is a part of it, and one alone is not.
    pub fn upload_files(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self._folder.path().join("uploads"));
        let files = files.map(|all| all.map(|file| file.unwrap().path()).collect()).unwrap_or_default();
        let files: Vec<std::path::PathBuf> = files;
        let is_sign = |file: &std::path::Path| {
            let id = file.file_name().and_then(|name| name.to_str()?.strip_prefix(".kept-"));
            id.is_some_and(|id| file.with_file_name(id).exists())
        };
        files.into_iter().filter(|file| !is_sign(file)).collect()
    }

    /// Without the token.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.bare(Method::GET, path).bearer_auth(TOKEN)).await
    }

    pub fn request(&self, path: &str, body: &Value) -> RequestBuilder {
        self.bare(Method::POST, path).bearer_auth(TOKEN).json(body)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(path, body)).await
    }

    pub async fn end(&mut self) {
        self.stop.cancel();
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
    }
}

pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}
