//! The settings, typed. Their defaults are here and nowhere else; `config/compline.toml` repeats them for
//! people, and a test holds the two together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use engine::adapters::buckets::Bucket;
use engine::adapters::containers::Container;
use engine::adapters::databases::Database;
use engine::approvals::rules::{Rule as Approval, Rules as Approvals};
use engine::identity::networks::Network;
use engine::identity::platform::settings::Platform;
use engine::limits::callers::rules::{Bound, CallerRules};
use engine::reference::{SecretRef, UrlRef};
use engine::scheduler::calendar::CalendarRules;
use engine::scheduler::definition::Definition;
use engine::seal::Encryption;
use engine::triggers::settings::Triggers;
use engine::units::{Keep, duration, optional_duration};
use jobkit::Policy;
use serde::{Deserialize, Serialize};
use store::breaker::BreakerRules;
use store::rule::{By, Pace, Rate, Rule, Rules, Unit};
use store::state::JobState;
use store::{DEFAULT_LEASE, PruneRules};

use super::identity::Identity;
use super::listen::Listen;
use super::outgoing::{Alerts, Mail, Route, Webhooks};
use super::uploads::Uploads;

/// The schedule that asks DocuSign for whatever no message told; one of this name in `[schedules]` takes its place.
pub const DOCUSIGN_SWEEP: &str = "docusign.reconcile";
/// The schedule that finds secrets that are as old as they may get; the same holds for it.
pub const SECRETS_SWEEP: &str = "secret_rotation.sweep";

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub store: Store,
    pub redis: Redis,
    pub worker: Worker,
    pub queues: BTreeMap<String, Queue>,
    pub kinds: BTreeMap<String, Kind>,
    pub schedules: BTreeMap<String, Definition>,
    pub calendars: BTreeMap<String, CalendarRules>,
    pub limits: BTreeMap<String, Limit>,
    pub calls: BTreeMap<String, Calls>,
    pub breakers: Breakers,
    pub approvals: Approvals,
    pub retention: Retention,
    pub encryption: Encryption,
    pub audit: Audit,
    pub artifacts: Artifacts,
    pub uploads: Uploads,
    pub buckets: BTreeMap<String, Bucket>,
    pub containers: BTreeMap<String, Container>,
    pub databases: BTreeMap<String, Database>,
    pub http: Http,
    pub identity: Identity,
    pub log: Log,
    pub triggers: Triggers,
    pub mail: Mail,
    pub webhooks: Webhooks,
    pub alerts: Alerts,
    /// Each family has its section, and what is in it is the family's own affair.
    pub docusign: docusign::Config,
    pub journal: journal::Config,
    pub secret_rotation: secret_rotation::Config,
    pub system: engine::system::Config,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub url: UrlRef,
    pub migrate_at_start: bool,
    pub connections: u32,
    #[serde(with = "duration")]
    pub acquire_timeout: Duration,
    pub row_security: RowSecurity,
}

/// Whether PostgreSQL itself keeps tenants apart, beside our statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowSecurity {
    Auto,
    Required,
    Off,
}

impl From<RowSecurity> for store_postgres::RowSecurity {
    fn from(given: RowSecurity) -> Self {
        match given {
            RowSecurity::Auto => Self::Auto,
            RowSecurity::Required => Self::Required,
            RowSecurity::Off => Self::Off,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: UrlRef::from("sqlite://compline.db"),
            migrate_at_start: true,
            connections: 5,
            acquire_timeout: Duration::from_secs(10),
            row_security: RowSecurity::Auto,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// What signs the audit log; the same in every process, and nowhere in the database.
    pub key: Option<SecretRef>,
    #[serde(with = "duration")]
    pub checkpoint_every: Duration,
    pub checkpoint_entries: u64,
    /// How long entries are kept.
    pub keep: Keep,
    pub anchors: BTreeMap<String, Anchor>,
}

/// In days, leap days included.
const SEVEN_YEARS: u64 = 7 * 365 + 2;

impl Default for Audit {
    fn default() -> Self {
        Self {
            key: None,
            checkpoint_every: Duration::from_secs(60),
            checkpoint_entries: 1_000,
            keep: Keep::days(SEVEN_YEARS),
            anchors: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Anchor {
    /// One of the two: a directory,
    pub directory: PathBuf,
    /// or a place in a bucket, `s3://BUCKET/PREFIX`.
    pub bucket: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Empty means that there is none.
    pub url: UrlRef,
    pub prefix: String,
    /// Empty means Mozilla's list.
    pub ca_file: PathBuf,
}

impl Default for Redis {
    fn default() -> Self {
        Self { url: UrlRef::from(""), prefix: "compline".into(), ca_file: PathBuf::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Empty means the name of the host.
    pub name: String,
    pub concurrency: usize,
    #[serde(with = "duration")]
    pub lease: Duration,
    #[serde(with = "duration")]
    pub poll: Duration,
    #[serde(with = "duration")]
    pub shutdown_grace: Duration,
    pub prefetch: usize,
    /// Empty means all.
    pub queues: Vec<String>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            name: String::new(),
            concurrency: 64,
            lease: DEFAULT_LEASE,
            poll: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(20),
            prefetch: 2_000,
            queues: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Most jobs of the queue running in this process; `None` is the worker's own limit.
    pub concurrency: Option<usize>,
}

/// What an operator says about a kind goes before what its family says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kind {
    pub queue: Option<String>,
    pub priority: Option<u8>,
    pub max_attempts: Option<u16>,
    #[serde(with = "optional_duration")]
    pub timeout: Option<Duration>,
    pub encrypted: Option<bool>,
}

impl Kind {
    pub fn apply(&self, policy: &mut Policy) {
        if let Some(queue) = &self.queue {
            policy.queue.clone_from(queue);
        }
        policy.priority = self.priority.unwrap_or(policy.priority);
        policy.max_attempts = self.max_attempts.unwrap_or(policy.max_attempts);
        policy.timeout = self.timeout.or(policy.timeout);
        policy.encrypted = self.encrypted.unwrap_or(policy.encrypted);
    }
}

/// How many jobs start, or run, at once across all processes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// Empty means every kind.
    pub kinds: Vec<String>,
    /// Empty means every queue.
    pub queues: Vec<String>,
    pub by: By,
    pub rate: Option<Pace>,
    pub burst: Option<u32>,
    pub concurrency: Option<u32>,
}

/// How often jobs on all machines together call something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    pub rate: Option<Pace>,
    pub burst: Option<u32>,
}

/// When a provider that fails is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breakers {
    pub failures: u32,
    #[serde(with = "duration")]
    pub cool_down: Duration,
}

impl Default for Breakers {
    fn default() -> Self {
        let BreakerRules { failures, cool_down } = BreakerRules::default();
        Self { failures, cool_down }
    }
}

impl Breakers {
    pub fn rules(&self) -> BreakerRules {
        BreakerRules { failures: self.failures, cool_down: self.cool_down }
    }
}

impl Settings {
    /// The limits on calls, by name.
    pub fn call_rates(&self) -> BTreeMap<String, Rate> {
        let mut rates: BTreeMap<String, Rate> = self.docusign_rates().collect();
        // What the configuration says by name goes before what the account says of itself.
        for (name, calls) in &self.calls {
            let Some(pace) = calls.rate else { continue };
            let own = rates.get(name).map(|rate| rate.burst);
            let burst = calls.burst.or(own).unwrap_or(1);
            rates.insert(name.clone(), Rate { pace, burst });
        }
        rates
    }

    /// Those that are written, and those that families need.
    pub fn all_schedules(&self) -> BTreeMap<String, Definition> {
        let sweep = |kind: &str, cron: &str| Definition {
            kind: kind.into(),
            cron: Some(cron.into()),
            ..Definition::default()
        };
        let mut schedules = self.schedules.clone();
        if !self.docusign.accounts.is_empty() {
            let kind = <docusign::Reconcile as jobkit::Job>::KIND;
            schedules.entry(DOCUSIGN_SWEEP.into()).or_insert_with(|| sweep(kind, "*/20 * * * *"));
        }
        if !self.secret_rotation.secrets.is_empty() {
            let kind = <secret_rotation::Sweep as jobkit::Job>::KIND;
            schedules.entry(SECRETS_SWEEP.into()).or_insert_with(|| sweep(kind, "5 * * * *"));
        }
        schedules
    }

    /// Each account has a limit of its own.
    fn docusign_rates(&self) -> impl Iterator<Item = (String, Rate)> {
        self.docusign.accounts.iter().map(|(name, account)| {
            let pace = Pace { count: account.max_calls_per_hour, per: Unit::Hour };
            (docusign::calls::limit(name), Rate { pace, burst: account.max_burst_30s })
        })
    }

    /// What is limited, for the store.
    pub fn rules(&self) -> Rules {
        Rules::new(self.limits.iter().map(|(name, limit)| Rule {
            name: name.clone(),
            kinds: limit.kinds.clone(),
            queues: limit.queues.clone(),
            by: limit.by.clone(),
            rate: limit.rate.map(|pace| Rate { pace, burst: limit.burst.unwrap_or(1) }),
            concurrency: limit.concurrency,
        }))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    pub completed: Keep,
    pub cancelled: Keep,
    pub discarded: Keep,
    #[serde(with = "duration")]
    pub every: Duration,
    pub kinds: BTreeMap<String, KindRetention>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            completed: Keep::days(30),
            cancelled: Keep::days(90),
            discarded: Keep::days(365),
            every: Duration::from_secs(60),
            kinds: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindRetention {
    pub completed: Option<Keep>,
    pub cancelled: Option<Keep>,
    pub discarded: Option<Keep>,
}

impl Retention {
    pub fn prune_rules(&self) -> PruneRules {
        let mut by_kind = BTreeMap::new();
        for (kind, own) in &self.kinds {
            for (state, keep) in [
                (JobState::Completed, own.completed),
                (JobState::Cancelled, own.cancelled),
                (JobState::Discarded, own.discarded),
            ] {
                if let Some(keep) = keep {
                    by_kind.insert((kind.clone(), state), keep.period());
                }
            }
        }
        PruneRules {
            completed: self.completed.period(),
            cancelled: self.cancelled.period(),
            discarded: self.discarded.period(),
            by_kind,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Artifacts {
    pub directory: PathBuf,
    /// `s3://BUCKET/PREFIX` or `azure://CONTAINER/PREFIX`; empty means the directory.
    pub url: String,
    /// How long files stay whose job is gone.
    pub keep: Keep,
}

impl Default for Artifacts {
    fn default() -> Self {
        Self { directory: "artifacts".into(), url: String::new(), keep: Keep::Forever }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub listen: Listen,
    /// Without one only health and signed deliveries are served.
    pub token: Option<SecretRef>,
    pub body_bytes: usize,
    pub memory_bytes: usize,
    pub batch: usize,
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    #[serde(with = "duration")]
    pub answer_timeout: Duration,
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    pub connections: usize,
    #[serde(with = "duration")]
    pub stop_delay: Duration,
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    pub admin_networks: Vec<Network>,
    pub rate_limits: CallerRules,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Listen::Auto,
            token: None,
            body_bytes: 10 << 20,
            memory_bytes: 256 << 20,
            batch: 10_000,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            connections: 1_024,
            stop_delay: Duration::from_secs(3),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            admin_networks: Vec::new(),
            rate_limits: CallerRules::default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Settings {
    /// Every key has a value and every map one entry, named `*` where its names are free: what there is to set. The list of known
    /// keys is read off it, so a section added above (a family's own, say) is known without further ado;
    /// a section whose optional keys default to absent gives them values here.
    pub(super) fn with_every_key() -> Self {
        let any = || "*".to_string();
        let own = KindRetention {
            completed: Some(Keep::Forever),
            cancelled: Some(Keep::Forever),
            discarded: Some(Keep::Forever),
        };
        let kind = Kind {
            queue: Some(any()),
            priority: Some(1),
            max_attempts: Some(1),
            timeout: Some(Duration::ZERO),
            encrypted: Some(true),
        };
        let limit = Limit {
            rate: Some(Pace { count: 1, per: Unit::Second }),
            burst: Some(1),
            concurrency: Some(1),
            ..Limit::default()
        };
        let calls = Calls { rate: limit.rate, burst: limit.burst };
        Self {
            http: Http {
                token: Some(SecretRef::Env("KEY".into())),
                rate_limits: CallerRules { routes: [(any(), Bound::Off)].into(), ..CallerRules::default() },
                ..Http::default()
            },
            identity: Identity {
                key: Some(SecretRef::Env("KEY".into())),
                platform: Platform::with_every_key(),
                ..Identity::default()
            },
            queues: [(any(), Queue { concurrency: Some(1) })].into(),
            kinds: [(any(), kind)].into(),
            schedules: [(any(), Definition::with_every_key())].into(),
            calendars: [(any(), CalendarRules::default())].into(),
            limits: [(any(), limit)].into(),
            calls: [(any(), calls)].into(),
            approvals: Approvals([(any(), Approval::default())].into()),
            retention: Retention { kinds: [(any(), own)].into(), ..Retention::default() },
            encryption: Encryption {
                keys: [(any(), SecretRef::Env("KEY".into()))].into(),
                ..Encryption::default()
            },
            audit: Audit {
                key: Some(SecretRef::Env("KEY".into())),
                anchors: [(any(), Anchor::default())].into(),
                ..Audit::default()
            },
            buckets: [(
                any(),
                Bucket {
                    access_key_id: Some(SecretRef::Env("KEY".into())),
                    secret_access_key: Some(SecretRef::Env("KEY".into())),
                    ..Bucket::default()
                },
            )]
            .into(),
            containers: [(
                any(),
                Container {
                    access_key: Some(SecretRef::Env("KEY".into())),
                    sas: Some(SecretRef::Env("KEY".into())),
                    ..Container::default()
                },
            )]
            .into(),
            databases: [(any(), Database { url: UrlRef::from("env:URL") })].into(),
            triggers: Triggers::with_every_key(),
            mail: Mail { password: Some(SecretRef::Env("KEY".into())), ..Mail::default() },
            alerts: Alerts {
                routes: [(
                    any(),
                    Route {
                        webhook: Some(any().as_str().into()),
                        after: Some(Duration::ZERO),
                        ..Route::default()
                    },
                )]
                .into(),
                ..Alerts::default()
            },
            docusign: docusign::Config::with_every_key(),
            journal: journal::Config::with_every_key(),
            secret_rotation: secret_rotation::Config::with_every_key(),
            ..Self::default()
        }
    }
}
