//! The HTTP API: what other programs ask over the network. A door like the command line: it reads, calls a use case,
//! answers, and decides nothing else. Only this folder knows the web framework.
//!
//! Every route declares who may call it. Open are health, the static pages of the reference, which know nothing,
//! deliveries, which are signed, and the routes by which people sign in.

mod access;
pub mod api;
mod credential;
mod extract;
mod guard;
mod health;
mod impatient;
mod memory;
mod problem;
mod rates;
mod reference;
mod router;
pub mod server;
mod session;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use jobkit::{Artifacts, Clock, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::api::events::Events;
use self::api::wait::Waiting;
pub use self::guard::{Token, TokenError};
use self::health::Readiness;
use self::memory::Memory;
pub use self::memory::STRANGERS_SHARE;
pub use self::reference::document;
use crate::alerts::courier::Courier;
use crate::alerts::desk::Desk;
use crate::approvals::Approvals;
use crate::audit::seen::{Seen, Sight};
use crate::audit::sources::Sources;
use crate::identity::networks::Network;
use crate::identity::platform::Platform;
use crate::identity::{Identity, Tokens};
use crate::limits::callers::Callers;
use crate::limits::usage::Usage;
use crate::models::ModelList;
use crate::queue::Queue;
use crate::scheduler::Scheduler;
use crate::service::{Alarm, Service};
use crate::triggers::door::Doors;
use crate::triggers::webhook::Webhooks;
use crate::uploads::Uploads;
use crate::uploads::scanner::Lookout;
use store::{Actor, Scope, Store};

/// How much a caller may send, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub body_bytes: usize,
    /// Of bodies that are held at once, over all requests.
    pub memory_bytes: usize,
    pub batch: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub answer_timeout: Duration,
    /// For so long a caller may read nothing of what it is sent.
    pub write_timeout: Duration,
    pub connections: usize,
    /// For so long callers are still served when the process is to end and says that it is not ready.
    pub stop_delay: Duration,
}

/// What the API is made of.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub queue: Arc<Queue>,
    pub scheduler: Arc<Scheduler>,
    /// The use cases of limits on jobs.
    pub usage: Usage,
    pub approvals: Approvals,
    pub registry: Arc<Registry>,
    pub clock: Arc<dyn Clock>,
    pub artifacts: Arc<dyn Artifacts>,
    pub uploads: Arc<Uploads>,
    /// The doors for what others deliver.
    pub hooks: Webhooks,
    /// And those that families have for their providers.
    pub doors: Doors,
    /// Who carries alerts, when there are routes for them.
    pub courier: Option<Arc<Courier>>,
    pub token: Option<Token>,
    /// Who signs people in; none when nobody is.
    pub identity: Option<Arc<Identity>>,
    /// Who knows people of the platform; none when it has none.
    pub platform: Option<Arc<Platform>>,
    /// Where administrative permissions are used from; empty is anywhere.
    pub admin_networks: Vec<Network>,
    /// Proxies whose word on where a caller comes from is believed.
    pub proxies: Vec<Network>,
    pub limits: Limits,
    /// How often somebody may call.
    pub callers: Arc<Callers>,
    /// Origins of pages in browsers that may call.
    pub origins: Vec<String>,
    /// Changes whenever something may stand in the audit log that did not before.
    pub hints: watch::Receiver<()>,
    /// From here on it is not ready, and soon nobody new is served.
    pub stop: CancellationToken,
}

/// What every handler is given.
pub struct Api {
    store: Arc<dyn Store>,
    queue: Arc<Queue>,
    scheduler: Arc<Scheduler>,
    usage: Usage,
    approvals: Approvals,
    desk: Desk,
    models: ModelList,
    courier: Option<Arc<Courier>>,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    artifacts: Arc<dyn Artifacts>,
    uploads: Arc<Uploads>,
    hooks: Webhooks,
    doors: Doors,
    token: Option<Token>,
    identity: Option<Arc<Identity>>,
    platform: Option<Arc<Platform>>,
    tokens: Tokens,
    admin_networks: Vec<Network>,
    proxies: Vec<Network>,
    sources: Sources,
    seen: Seen,
    /// Pages of these may call in the name of whoever is signed in.
    origins: Vec<String>,
    limits: Limits,
    callers: Arc<Callers>,
    waiting: Waiting,
    events: Events,
    readiness: Readiness,
    memory: Memory,
    stop: CancellationToken,
    /// Those who wait are sent away.
    ending: CancellationToken,
}

type Shared = Arc<Api>;

/// The id of the request that the current task answers, if it answers one.
pub fn answering() -> Option<String> {
    guard::origin().request
}

impl Api {
    /// Who acts, for the audit log, and in which request.
    fn actor(&self) -> Actor {
        Actor::with_origin(guard::principal().name, guard::origin())
    }

    /// Writes down that the caller is shown this, which is to be done before it is. Only then is it asked from where.
    async fn shows(&self, sights: &[Sight]) -> problem::Result<()> {
        let mut by = self.actor();
        if let (None, Some(address)) = (&by.origin.source, guard::address_of_caller()) {
            by.origin.source = Some(self.sources.of(address, &by.name).await?);
        }
        Ok(self.seen.shows(&by, sights).await?)
    }

    /// Whose things the caller may see and touch. To be asked for in the task of the request: what a handler starts, and
    /// the body of its answer, are to be given it.
    fn scope(&self) -> Scope {
        guard::principal().scope
    }
}

/// The API with the services that it needs beside the server.
pub struct Http {
    api: Shared,
    origins: Vec<String>,
    services: Vec<Service>,
}

impl Http {
    pub fn new(parts: Parts, alarm: &Alarm) -> Self {
        let Parts {
            store,
            queue,
            scheduler,
            usage,
            approvals,
            registry,
            clock,
            artifacts,
            uploads,
            hooks,
            doors,
            courier,
            token,
            identity,
            platform,
            admin_networks,
            proxies,
            limits,
            callers,
            origins,
            ..
        } = parts;
        let (waiting, watcher) = Waiting::start(store.clone(), clock.clone(), parts.hints.clone(), alarm);
        let (events, reader) = Events::start(store.clone(), clock.clone(), parts.hints, alarm);
        let desk = Desk { store: store.clone(), clock: clock.clone() };
        let models = ModelList { store: store.clone() };
        let lookout = uploads.scanner.clone().map(|scanner| {
            let lookout = Lookout { scanner, store: store.clone(), clock: clock.clone() };
            Service::passing("lookout for the scanner", alarm, lookout.run())
        });
        let sources = Sources::new(store.clone(), clock.clone());
        let seen = Seen::new(store.clone(), clock.clone());
        let tokens = Tokens::new(store.clone(), clock.clone());
        let api = Api {
            store,
            queue,
            scheduler,
            usage,
            approvals,
            desk,
            models,
            courier,
            registry,
            clock,
            artifacts,
            uploads,
            hooks,
            doors,
            token,
            identity,
            platform,
            tokens,
            admin_networks,
            proxies,
            sources,
            seen,
            origins: origins.clone(),
            memory: Memory::new(limits.memory_bytes),
            limits,
            callers,
            waiting,
            events,
            readiness: Readiness::default(),
            stop: parts.stop,
            ending: CancellationToken::new(),
        };
        let services = [watcher, reader].into_iter().chain(lookout).collect();
        Self { api: Arc::new(api), origins, services }
    }
}
