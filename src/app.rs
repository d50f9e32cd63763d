//! Wiring, and nothing else: knows everybody, known by nobody.

pub mod artifacts;
pub mod audit;
mod http;
mod isolation;
pub mod outgoing;
pub mod signals;
pub mod uploads;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::adapters::audit::StoreAudit;
use engine::adapters::buckets::Buckets;
use engine::adapters::clock::SystemClock;
use engine::adapters::databases::DatabasesByName;
use engine::adapters::host::host_name;
use engine::adapters::object_client::OpenError;
use engine::adapters::redis::{NoRedis, Redis};
use engine::alerts::courier::Courier;
use engine::alerts::{self, Alerting};
use engine::approvals::{self, Approvals};
use engine::artifacts::ArtifactStore;
use engine::http::TokenError;
use engine::identity;
use engine::limits::book::Book;
use engine::limits::keeper::Keeper;
use engine::limits::limiter::{Calls, Limiter, StoreLimiter};
use engine::limits::redis::RedisLimiter;
use engine::limits::usage::Usage;
use engine::maintenance::pruner::Pruner;
use engine::maintenance::rescuer::Rescuer;
use engine::maintenance::stager::Stager;
use engine::queue::Queue;
use engine::scheduler::declared::Declared;
use engine::scheduler::tick::Ticker;
use engine::scheduler::{ScheduleError, Scheduler};
use engine::seal::{KeyError, Keyring};
use engine::service::{Alarm, Panicked, Service};
use engine::triggers::{Around, TriggerError, Triggers};
use engine::uploads::{Place, Uploads};
use engine::wake::Wake;
use engine::worker::attempt::Attempts;
use engine::worker::fetcher::FetchOptions;
use engine::worker::late::Lateness;
use engine::worker::sealing::Differing;
use engine::worker::{Summary, Until, Worker, WorkerOptions};
use jobkit::redact::ExposeSecret;
use jobkit::{ArgsError, Audit, Clock, Databases, IdGenerator, Registry};
use store::rule::{Rate, Rules};
use store::{KindRow, PruneRules, Store, StoreError};
use store_postgres::{PgOptions, PostgresStore};
use store_sqlite::SqliteStore;
use tokio::sync::watch;

use self::audit::AuditKeyError;
use self::outgoing::OutgoingError;
use self::signals::Signals;
use crate::config::ReferenceError;
use crate::config::settings::{self, Settings};
use crate::registry::{Families, registry};

/// All that a process of ours is made of, before anything runs.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub registry: Arc<Registry>,
    pub keyring: Arc<Keyring>,
    pub artifacts: Arc<dyn ArtifactStore>,
    pub uploads: Place,
    /// What goes through it also goes without it, only slower.
    pub redis: Option<Arc<Redis>>,
    /// The schedules that the configuration owns.
    pub declared: Declared,
    /// Limits on calls, by name.
    pub calls: BTreeMap<String, Rate>,
    /// What people must approve.
    pub approvals: Arc<approvals::rules::Rules>,
}

pub struct App {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub registry: Arc<Registry>,
    pub queue: Arc<Queue>,
    pub scheduler: Arc<Scheduler>,
    /// For what a program around the engine does and must be able to answer for.
    pub audit: Arc<dyn Audit>,
    pub uploads: Arc<Uploads>,
    pub redis: Option<Arc<Redis>>,
    /// How much of the limits is used, pause and resume.
    pub limits: Usage,
    /// What people must approve, and what they did.
    pub approvals: Approvals,
    keyring: Arc<Keyring>,
    artifacts: Arc<dyn ArtifactStore>,
    wake: Wake,
    senders: Vec<Service>,
    alarm: Alarm,
}

/// What runs beside the worker.
pub struct Upkeep {
    pub limits: Rules,
    pub prune: PruneRules,
    pub prune_every: Duration,
    /// So long files of jobs stay whose rows are gone; none is for ever.
    pub keep_artifacts: Option<Duration>,
    pub alerting: Alerting,
    pub triggers: Triggers,
    /// Nothing is signed without it.
    pub audit: Option<audit::Signing>,
}

/// A job that was told to stop may take this long before it is dropped.
const STOPPING: Duration = Duration::from_secs(5);

/// Other processes are told of new jobs for this long when the process ends.
const GOODBYE: Duration = Duration::from_secs(2);

impl App {
    pub fn new(parts: Parts) -> Self {
        let Parts { store, clock, registry, keyring, artifacts, uploads, redis, declared, calls, approvals } =
            parts;
        let uploads = Arc::new(Uploads::new(store.clone(), clock.clone(), uploads));
        let alarm = Alarm::default();
        let (wake, senders) = Wake::start(store.clone(), redis.clone(), &alarm);
        let book = Arc::new(Book::new(store.clone(), clock.clone()));
        let calls = Calls { rates: Arc::new(calls), limiter: limiter(&store, &clock, redis.as_ref()) };
        let limits = Usage { store: store.clone(), book: book.clone(), calls, wake: wake.clone() };
        let queue =
            Queue::new(store.clone(), registry.clone(), keyring.clone(), clock.clone(), wake.clone(), book);
        let queue = Arc::new(queue.approved_by(approvals.clone()));
        let approvals =
            Approvals::new(store.clone(), clock.clone(), keyring.clone(), wake.clone(), approvals);
        let scheduler = Arc::new(Scheduler::new(store.clone(), queue.clone(), declared, wake.clone()));
        let audit = Arc::new(StoreAudit::new(store.clone()));
        Self {
            store,
            clock,
            registry,
            queue,
            scheduler,
            audit,
            uploads,
            redis,
            limits,
            approvals,
            keyring,
            artifacts,
            wake,
            senders,
            alarm,
        }
    }

    /// Runs jobs until told to stop, or until there are none, with everything that happens by itself. A part
    /// that panics stops all others.
    pub async fn run(
        &self,
        worker: WorkerOptions,
        upkeep: Upkeep,
        until: Until,
    ) -> Result<Summary, Panicked> {
        let alarm = &self.alarm;
        let watchman = Service::start("watchman", alarm, {
            let (alarm, stop, hard) = (alarm.clone(), until.stop.clone(), until.hard.clone());
            |ended| async move {
                if ended.run_until_cancelled(alarm.raised()).await.is_some() {
                    // Without its lease or its completer a worker has nothing to wait for.
                    stop.cancel();
                    hard.cancel();
                }
            }
        });
        let (store, clock, wake) = (self.store.clone(), self.clock.clone(), self.wake.clone());
        // People and the SQL function see the kinds as soon as the database does; nothing waits for it.
        let kinds = kind_rows(&self.registry, self.approvals.rules());
        let publisher =
            Service::passing("publisher of kinds", alarm, publish(store.clone(), clock.clone(), kinds));
        // What comes in by itself falls under the limits from the beginning; a store that is away is waited for below.
        if let Some(Err(problem)) = until.stop.run_until_cancelled(self.limits.book.freshen()).await {
            tracing::debug!("the limits cannot be read yet: {problem}");
        }
        let keeper = Keeper {
            store: store.clone(),
            clock: clock.clone(),
            book: self.limits.book.clone(),
            wake: wake.clone(),
            keyring: self.keyring.clone(),
            registry: self.registry.clone(),
            configured: upkeep.limits,
        };
        let keeper = Service::passing("keeper of limits", alarm, keeper.run());
        let listeners = wake.listen(store.clone(), clock.clone(), alarm);
        let stager = Stager { store: store.clone(), clock: clock.clone(), wake: wake.clone() };
        let stager = Service::passing("stager", alarm, stager.run());
        let rescuer =
            Rescuer { store: store.clone(), clock: clock.clone(), wake: wake.clone(), lease: worker.lease };
        let rescuer = Service::passing("rescuer", alarm, rescuer.run());
        let pruner = Pruner {
            store: store.clone(),
            clock: clock.clone(),
            rules: upkeep.prune,
            uploads: self.uploads.clone(),
            artifacts: artifacts::keeper(self, upkeep.keep_artifacts),
            every: upkeep.prune_every,
        };
        let pruner = Service::passing("pruner", alarm, pruner.run());

        let auditing = audit::start(upkeep.audit, &store, &clock, self.hints(), alarm);
        let alerts = alerts::services::start(upkeep.alerting, &store, &clock, alarm);
        let triggers = upkeep.triggers.start(alarm);

        let ticker = Ticker {
            scheduler: self.scheduler.clone(),
            store: store.clone(),
            clock: clock.clone(),
            wake: wake.clone(),
            place: place(&clock),
        };
        let ticker = Service::passing("ticker of schedules", alarm, ticker.run());

        let attempts = Attempts {
            store: store.clone(),
            registry: self.registry.clone(),
            clock: clock.clone(),
            keyring: self.keyring.clone(),
            queue: self.queue.clone(),
            artifacts: self.artifacts.clone(),
            uploads: self.uploads.clone(),
            differing: Differing::default(),
            lateness: Lateness::default(),
            breakers: worker.breakers,
            calls: self.limits.calls.clone(),
            patience: STOPPING.min(worker.lease / 4),
        };
        let attempts = Arc::new(attempts);
        let alarm = alarm.clone();
        let summary = {
            let limits = self.limits.book.clone();
            Worker { store, clock, wake, attempts, limits, alarm, options: worker }.run(until).await
        };
        let upkeep = [publisher, keeper, ticker, stager, rescuer, pruner].into_iter().chain(listeners);
        for service in triggers.into_iter().chain(upkeep).chain(auditing).chain(alerts).chain([watchman]) {
            service.stop().await;
        }
        self.alarm.check().map(|()| summary)
    }

    /// Says what is still to be said to other processes, and lets go of the store.
    pub async fn close(self) {
        let told = futures::future::join_all(self.senders.into_iter().map(Service::stop));
        tokio::select! {
            _ = told => {}
            // The poll finds the jobs.
            () = self.clock.sleep(GOODBYE) => {}
        }
        self.store.close().await;
    }
}

/// Who keeps limits on calls: with Redis where there is one.
fn limiter(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, redis: Option<&Arc<Redis>>) -> Arc<dyn Limiter> {
    match redis {
        Some(redis) => Arc::new(RedisLimiter::new(redis.clone(), store.clone(), clock.clone())),
        None => Arc::new(StoreLimiter { store: store.clone() }),
    }
}

/// The random part of an id: another in every process.
fn place(clock: &Arc<dyn Clock>) -> usize {
    let id = IdGenerator::new(clock.clone()).next();
    usize::from(id.0.as_bytes()[14]) << 8 | usize::from(id.0.as_bytes()[15])
}

fn kind_rows(registry: &Registry, approvals: &approvals::rules::Rules) -> Vec<KindRow> {
    let row = |info: &jobkit::KindInfo| KindRow {
        kind: info.kind.into(),
        queue: info.policy.queue.clone(),
        priority: info.policy.priority,
        max_attempts: info.policy.max_attempts,
        encrypted: info.policy.encrypted,
        unique: info.policy.unique.is_some(),
        internal: info.policy.internal,
        approval: approvals.of_kind(info.kind),
    };
    registry.kinds().map(row).collect()
}

async fn publish(store: Arc<dyn Store>, clock: Arc<dyn Clock>, kinds: Vec<KindRow>) {
    let mut patience = engine::service::Patience::new("publishing the kinds", clock);
    while let Err(problem) = store.put_kinds(&kinds).await {
        patience.failed(&problem).await;
    }
}

/// What `serve` and `work` may say beside the configuration.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Instead of the configured queues; empty keeps those.
    pub queues: Vec<String>,
    /// Stop when there is nothing to claim and nothing in hand.
    pub until_idle: bool,
    /// Where the API listens when `http.listen` is `auto`.
    pub auto_listen: Option<SocketAddr>,
    pub signals: Signals,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{key} cannot be had")]
    Url {
        key: &'static str,
        #[source]
        cause: ReferenceError,
    },
    #[error(transparent)]
    Redis(#[from] NoRedis),
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    IdentityKey(#[from] identity::keys::KeyError),
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Audit(#[from] AuditKeyError),
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    #[error(transparent)]
    Kind(#[from] ArgsError),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Bucket(#[from] OpenError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
    #[error("{field}: {problem}")]
    Setting { field: &'static str, problem: String },
}

impl App {
    /// From the settings, with the schema brought up to date when that is allowed.
    pub async fn open(settings: &Settings) -> Result<Self, AppError> {
        let app = Self::connect(settings).await?;
        if settings.store.migrate_at_start {
            app.store.migrate().await?;
        }
        Ok(app)
    }

    /// As `open`, leaving the schema as it is.
    pub async fn connect(settings: &Settings) -> Result<Self, AppError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let webhooks = outgoing::webhooks(settings, clock.clone())?;
        let mut registry = registry(Families {
            docusign: settings.docusign.clone(),
            journal: settings.journal.clone(),
            secrets: secrets(settings),
            accounts: outgoing::docusign_accounts(settings, &clock)?,
            system: settings.system.clone(),
            webhooks: Some(webhooks),
            objects: Some(Arc::new(Buckets::open(&settings.buckets)?)),
            databases: DatabasesByName(settings.databases.clone()),
        });
        let store = store(settings, clock.clone()).await?;
        engine::bulk::register(&mut registry, store.clone());
        for (kind, own) in &settings.kinds {
            registry.override_policy(kind, |policy| own.apply(policy))?;
        }
        Ok(Self::new(Parts {
            store,
            clock,
            registry: Arc::new(registry),
            keyring: Arc::new(Keyring::load(&settings.encryption)?),
            artifacts: artifacts::store(settings)?,
            uploads: uploads::place(settings)?,
            redis: redis(settings)?.map(Arc::new),
            declared: Declared { schedules: settings.all_schedules(), calendars: settings.calendars.clone() },
            calls: settings.call_rates(),
            approvals: Arc::new(settings.approvals.clone()),
        }))
    }

    /// Changes whenever something may stand in the audit log that did not before; who reads along looks by itself too.
    pub fn hints(&self) -> watch::Receiver<()> {
        self.wake.bell().hints()
    }

    /// What triggers need.
    pub fn around(&self) -> Around {
        Around {
            store: self.store.clone(),
            queue: self.queue.clone(),
            clock: self.clock.clone(),
            registry: self.registry.clone(),
            redis: self.redis.clone(),
            hints: self.hints(),
        }
    }

    /// Who carries alerts by the configured routes; none when there are no routes.
    pub fn courier(&self, settings: &Settings) -> Result<Option<Arc<Courier>>, AppError> {
        let webhooks = outgoing::webhooks(settings, self.clock.clone())?;
        Ok(outgoing::courier(settings, webhooks, self.clock.clone())?)
    }

    /// Runs jobs until a signal, or until there is nothing left to do.
    pub async fn serve(&self, settings: &Settings, options: RunOptions) -> Result<Summary, AppError> {
        self.scheduler.check_declared()?;
        let worker = worker_options(settings, &options.queues);
        // Who only empties the queues does not wait for more.
        let triggers = match options.until_idle {
            true => Triggers::default(),
            false => Triggers::new(&settings.triggers, &Buckets::open(&settings.buckets)?, &self.around())?,
        };
        let courier = self.courier(settings)?;
        let upkeep = Upkeep {
            limits: settings.rules(),
            prune: settings.retention.prune_rules(),
            prune_every: settings.retention.every,
            keep_artifacts: settings.artifacts.keep.period(),
            alerting: outgoing::alerting(settings, courier.clone()),
            triggers,
            audit: audit::signing(&settings.audit, &Arc::new(Buckets::open(&settings.buckets)?))?,
        };
        let Signals { stop, hard, .. } = options.signals.clone();
        let until = Until { stop, hard, idle: options.until_idle };
        let http = self.http(settings, &options, &until, courier).await?;
        let summary = self.run(worker, upkeep, until).await;
        if let Some(http) = http {
            http.stop().await;
        }
        Ok(summary?)
    }
}

/// The secrets that are looked after. Nothing is opened before it is needed.
pub fn secrets(settings: &Settings) -> secret_rotation::Secrets {
    let databases: Arc<dyn Databases> = Arc::new(DatabasesByName(settings.databases.clone()));
    secret_rotation::secrets(&settings.secret_rotation, &databases)
}

async fn store(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, AppError> {
    let url = settings.store.url.resolve().map_err(|cause| AppError::Url { key: "store.url", cause })?;
    let url = url.expose_secret();
    match url.split_once(':') {
        Some(("sqlite", _)) => Ok(Arc::new(SqliteStore::open(url, clock).await?)),
        Some(("postgres" | "postgresql", _)) => {
            let options = PgOptions {
                connections: settings.store.connections,
                acquire_timeout: settings.store.acquire_timeout,
                row_security: settings.store.row_security.into(),
                ..PgOptions::default()
            };
            Ok(PostgresStore::connect(url, &options)?)
        }
        _ => Err(AppError::Setting {
            field: "store.url",
            problem: "must begin with sqlite:// or postgres://".into(),
        }),
    }
}

/// The SQLite file that is not there yet, and that connecting would make.
pub fn missing_file(settings: &Settings) -> Option<PathBuf> {
    let url = settings.store.url.resolve().ok()?;
    let url = url.expose_secret();
    url.starts_with("sqlite:").then(|| store_sqlite::missing_file(url)).flatten()
}

/// The way to Redis, if there is one; nothing connects before it is needed.
pub fn redis(settings: &Settings) -> Result<Option<Redis>, AppError> {
    let settings = &settings.redis;
    if settings.url.is_empty() {
        return Ok(None);
    }
    let url = settings.url.resolve().map_err(|cause| AppError::Url { key: "redis.url", cause })?;
    let redis = match settings.ca_file.as_os_str().is_empty() {
        true => Redis::new(&url, &settings.prefix)?,
        false => Redis::trusting(&settings.ca_file, &url, &settings.prefix)?,
    };
    Ok(Some(redis))
}

fn worker_options(settings: &Settings, queues: &[String]) -> WorkerOptions {
    let worker = &settings.worker;
    let queues = if queues.is_empty() { &worker.queues } else { queues };
    let limit = |(name, queue): (&String, &settings::Queue)| Some((name.clone(), queue.concurrency?));
    WorkerOptions {
        name: if worker.name.is_empty() { host_name() } else { worker.name.clone() },
        lease: worker.lease,
        shutdown_grace: worker.shutdown_grace,
        breakers: settings.breakers.rules(),
        fetch: FetchOptions {
            concurrency: worker.concurrency,
            prefetch: worker.prefetch,
            poll: worker.poll,
            queues: queues.iter().cloned().collect(),
            queue_concurrency: settings.queues.iter().filter_map(limit).collect(),
        },
    }
}
