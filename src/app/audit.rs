//! What makes the audit log one that nobody can quietly change, as the settings have it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit::SigningKey;
use audit::note::KeyError;
use engine::adapters::buckets::Buckets;
use engine::audit::Shelf;
use engine::audit::bucket::Bucket;
use engine::audit::directory::Directory;
use engine::audit::grower::Grower;
use engine::audit::keeper::Keeper;
use engine::audit::signer::{Rhythm, Signer};
use engine::reference::{ReferenceError, SecretRef};
use engine::service::{Alarm, Service};
use jobkit::Clock;
use jobkit::redact::ExposeSecret;
use store::Store;
use tokio::sync::watch;

use crate::config::settings;

#[derive(Debug, thiserror::Error)]
pub enum AuditKeyError {
    #[error("audit.key cannot be had")]
    Reference(#[from] ReferenceError),
    #[error("audit.key: `{reference}` holds no key; `compline audit key create` makes one")]
    Key {
        reference: SecretRef,
        #[source]
        cause: KeyError,
    },
}

/// All that a process needs that signs.
pub struct Signing {
    secret: Arc<SigningKey>,
    rhythm: Rhythm,
    shelves: Vec<Arc<dyn Shelf>>,
    keep: Option<Duration>,
}

/// The key, where there is one.
pub fn secret(settings: &settings::Audit) -> Result<Option<SigningKey>, AuditKeyError> {
    let Some(reference) = &settings.key else { return Ok(None) };
    let text = reference.resolve()?;
    let secret = text.expose_secret().trim().parse::<SigningKey>();
    secret.map(Some).map_err(|cause| AuditKeyError::Key { reference: reference.clone(), cause })
}

pub fn signing(settings: &settings::Audit, buckets: &Arc<Buckets>) -> Result<Option<Signing>, AuditKeyError> {
    let Some(secret) = secret(settings)? else { return Ok(None) };
    let rhythm = Rhythm { every: settings.checkpoint_every, entries: settings.checkpoint_entries };
    let shelves = settings.anchors.iter().map(|(name, anchor)| anchor_shelf(name, anchor, buckets).into());
    Ok(Some(Signing {
        secret: Arc::new(secret),
        rhythm,
        shelves: shelves.collect(),
        keep: settings.keep.period(),
    }))
}

/// An anchor of the configuration.
pub fn anchor_shelf(name: &str, anchor: &settings::Anchor, buckets: &Arc<Buckets>) -> Box<dyn Shelf> {
    match anchor.bucket.as_str() {
        "" => shelf(name, &anchor.directory),
        address => Box::new(Bucket::new(name, buckets.clone(), address)),
    }
}

pub fn shelf(name: &str, directory: &Path) -> Box<dyn Shelf> {
    Box::new(Directory::new(name, directory))
}

/// The tree grows in every process that runs jobs; those with the key sign, and let segments go.
pub fn start(
    signing: Option<Signing>,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    hints: watch::Receiver<()>,
    alarm: &Alarm,
) -> Vec<Service> {
    let grower = Grower { store: store.clone(), clock: clock.clone(), hints };
    let grower = Service::passing("grower of the audit log's tree", alarm, grower.run());
    let mut services = vec![grower];
    if let Some(Signing { secret, rhythm, shelves, keep }) = signing {
        let anchors = shelves.iter().map(|shelf| shelf.name().to_owned()).collect();
        let keeper = Keeper { store: store.clone(), clock: clock.clone(), keep, anchors };
        let signer = Signer { store: store.clone(), clock: clock.clone(), secret, rhythm, shelves };
        services.push(Service::passing("signer of the audit log", alarm, signer.run()));
        services.push(Service::passing("keeper of the audit log's segments", alarm, keeper.run()));
    }
    services
}
