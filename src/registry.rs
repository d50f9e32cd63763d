//! The list of job families: a new family is one line here.

use jobkit::Registry;

/// What the families need to know of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Families {
    pub journal: journal::Config,
    pub system: crate::system::Config,
}

pub fn registry(families: Families) -> Registry {
    let mut registry = Registry::default();
    crate::system::register(&mut registry, families.system);
    journal::register(&mut registry, families.journal);
    registry
}
