//! The list of job families: a new family is one line here.

use std::sync::Arc;

use engine::adapters::buckets::Buckets;
use engine::adapters::databases::DatabasesByName;
use engine::webhooks::Webhooks;
use jobkit::{Objects, Registry};

/// What the families need to know of the configuration.
#[derive(Clone, Default)]
pub struct Families {
    pub docusign: docusign::Config,
    pub journal: journal::Config,
    /// The secrets that are looked after, each with its store and whoever takes it.
    pub secrets: secret_rotation::Secrets,
    /// The accounts with their ways to DocuSign.
    pub accounts: docusign::Accounts,
    pub system: engine::system::Config,
    /// For callbacks; without them none is taken.
    pub webhooks: Option<Arc<Webhooks>>,
    /// The buckets; without them there is none.
    pub objects: Option<Arc<dyn Objects>>,
    pub databases: DatabasesByName,
}

pub fn registry(families: Families) -> Registry {
    let mut registry = Registry::default();
    engine::system::register(&mut registry, families.system);
    engine::callback::register(&mut registry, families.webhooks);
    let objects = families.objects.unwrap_or_else(|| Arc::new(Buckets::default()));
    let sources = journal::Sources { objects, databases: Arc::new(families.databases) };
    docusign::register(&mut registry, &families.docusign, families.accounts);
    journal::register(&mut registry, families.journal, sources);
    secret_rotation::register(&mut registry, &families.secrets);
    registry
}
