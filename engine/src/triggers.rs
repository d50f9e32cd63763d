//! How work comes in by itself, one file each: a Redis stream, deliveries of webhooks and to doors of families, files in a folder or a bucket,
//! the end of other jobs. Each makes each thing's jobs once, however often the thing is brought; doors are a family's, the others are switched on
//! by the configuration.

pub mod chain;
pub mod door;
pub mod folder;
pub mod gather;
mod refusals;
pub mod settings;
pub mod stream;
pub mod template;
pub mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;

use jobkit::{Clock, IdGenerator, Registry};
use tokio::sync::watch;

use self::chain::Chain;
use self::door::Doors;
use self::folder::FolderTrigger;
use self::stream::StreamTrigger;
use self::stream::group::Group;
use self::template::TemplateError;
use self::webhook::{Forgetter, Hook, HookError, Webhooks};
use crate::adapters::buckets::Buckets;
use crate::adapters::redis::Redis;
use crate::alerts::TRIGGER_REFUSED;
use crate::queue::{Queue, QueueError};
use crate::service::{Alarm, Service};
use crate::triggers::settings::Triggers as Settings;
use store::{News, Severity, Store};

/// What triggers need of the process that they are in.
#[derive(Clone)]
pub struct Around {
    pub store: Arc<dyn Store>,
    pub queue: Arc<Queue>,
    pub clock: Arc<dyn Clock>,
    pub registry: Arc<Registry>,
    pub redis: Option<Arc<Redis>>,
    /// Changes when something may stand in the audit log that did not before.
    pub hints: watch::Receiver<()>,
}

#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error("triggers.{what}.{name}: args")]
    Template {
        what: &'static str,
        name: String,
        #[source]
        cause: TemplateError,
    },
}

/// Everything that is configured, before anything runs.
#[derive(Default)]
pub struct Triggers {
    stream: Option<StreamTrigger>,
    folders: Vec<FolderTrigger>,
    chains: Vec<Chain>,
    webhooks: Option<Forgetter>,
}

impl Triggers {
    pub fn new(settings: &Settings, buckets: &Buckets, around: &Around) -> Result<Self, TriggerError> {
        let Around { store, queue, clock, redis, .. } = around;
        let stream = redis.clone().filter(|_| settings.stream.enabled).map(|redis| StreamTrigger {
            group: Group::new(redis, consumer(clock), stream::WAIT),
            queue: queue.clone(),
            store: store.clone(),
            clock: clock.clone(),
            claim_after: settings.stream.claim_after,
        });
        let folder = |(name, folder): (&String, _)| {
            let made = FolderTrigger::new(name, folder, buckets, queue.clone(), store.clone(), clock.clone());
            made.map_err(|cause| TriggerError::Template { what: "folders", name: name.clone(), cause })
        };
        let folders = settings.folders.iter().map(folder).collect::<Result<_, _>>()?;
        let chain = |(name, chain): (&String, _)| {
            let made = Chain::new(name, chain, around);
            made.map_err(|cause| TriggerError::Template { what: "chains", name: name.clone(), cause })
        };
        let chains = settings.chains.iter().map(chain).collect::<Result<_, _>>()?;
        let doors = around.registry.doors().map(|door| Doors::source(door.name()));
        let sources: Vec<_> =
            settings.webhooks.keys().map(|name| Webhooks::source(name)).chain(doors).collect();
        let webhooks =
            (!sources.is_empty()).then(|| Forgetter { sources, store: store.clone(), clock: clock.clone() });
        Ok(Self { stream, folders, chains, webhooks })
    }

    pub fn start(self, alarm: &Alarm) -> Vec<Service> {
        let stream =
            self.stream.map(|stream| Service::start("stream trigger", alarm, |stop| stream.run(stop)));
        let folders = self.folders.into_iter();
        let folders = folders.map(|folder| Service::start("folder trigger", alarm, |stop| folder.run(stop)));
        let chains = self.chains.into_iter();
        let chains = chains.map(|chain| Service::start("chain trigger", alarm, |stop| chain.run(stop)));
        let webhooks =
            self.webhooks.map(|old| Service::start("forgetting deliveries", alarm, |stop| old.run(stop)));
        stream.into_iter().chain(folders).chain(chains).chain(webhooks).collect()
    }
}

/// The doors for deliveries, for whoever speaks HTTP.
pub fn webhooks(settings: &Settings, around: &Around) -> Result<Webhooks, TriggerError> {
    let hook = |(name, hook): (&String, _)| Ok((name.clone(), Hook::load(name, hook)?));
    let hooks = settings.webhooks.iter().map(hook).collect::<Result<BTreeMap<_, _>, TriggerError>>()?;
    Ok(Webhooks::new(hooks, around.queue.clone(), around.clock.clone()))
}

/// What becomes of things that the store did not take.
enum Verdict {
    /// They, or one of them, can never be taken.
    Never,
    /// Somebody's transaction holds what one of them needs.
    Locked,
    /// The store is away.
    Later,
}

impl Verdict {
    fn of(problem: &QueueError) -> Self {
        match problem {
            QueueError::Store(problem) if problem.blames_the_data() || problem.is_refusal() => Self::Never,
            QueueError::Store(problem) if problem.blames_a_lock() => Self::Locked,
            QueueError::Store(_) => Self::Later,
            _ => Self::Never,
        }
    }
}

/// For those who are told. What is wrong may repeat what came in, so it is not said here.
fn refused(source: &str) -> News {
    let text = format!("{source} brought something that no job can be made of, and goes on without it");
    News::happened(TRIGGER_REFUSED, source, Severity::Warning, text)
}

/// A name that no other process has, so that nobody else's entries are taken for this one's.
fn consumer(clock: &Arc<dyn Clock>) -> String {
    let id = IdGenerator::new(clock.clone()).next();
    format!("{}-{id}", crate::adapters::host::host_name())
}
