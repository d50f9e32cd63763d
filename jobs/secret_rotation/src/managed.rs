//! The secrets that are looked after: where each is kept, who takes it, and how long an old value stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::phase::Adoption;
use crate::secret::{OfTheSystem, Randomness};
use crate::store::SecretStore;
use crate::target::Target;

pub struct Managed {
    pub name: String,
    pub store: Arc<dyn SecretStore>,
    /// Its name in the store.
    pub path: String,
    pub target: Arc<dyn Target>,
    /// How old it may get.
    pub every: Duration,
    /// How long the old value is let in beside the new one, at least.
    pub grace: Duration,
    /// And at most, before a person is asked.
    pub max_grace: Duration,
    pub adoption: Adoption,
}

#[derive(Clone)]
pub struct Secrets {
    managed: Arc<BTreeMap<String, Managed>>,
    pub randomness: Arc<dyn Randomness>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::new([], Arc::new(OfTheSystem))
    }
}

impl Secrets {
    pub fn new(managed: impl IntoIterator<Item = Managed>, randomness: Arc<dyn Randomness>) -> Self {
        let managed = managed.into_iter().map(|managed| (managed.name.clone(), managed)).collect();
        Self { managed: Arc::new(managed), randomness }
    }

    pub fn named(&self, name: &str) -> Option<&Managed> {
        self.managed.get(name)
    }

    pub fn all(&self) -> impl Iterator<Item = &Managed> {
        self.managed.values()
    }
}
