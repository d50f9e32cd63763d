//! The list of job families: a new family is one line here.

use std::sync::Arc;

use engine::webhooks::Webhooks;
use jobkit::Registry;

/// What the families need to know of the configuration.
#[derive(Clone, Default)]
pub struct Families {
    pub journal: journal::Config,
    pub system: engine::system::Config,
    /// For callbacks; without them none is taken.
    pub webhooks: Option<Arc<Webhooks>>,
}

pub fn registry(families: Families) -> Registry {
    let mut registry = Registry::default();
    engine::system::register(&mut registry, families.system);
    engine::callback::register(&mut registry, families.webhooks);
    journal::register(&mut registry, families.journal);
    registry
}
