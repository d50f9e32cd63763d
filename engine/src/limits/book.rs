//! The rules as this process knows them: a copy of what stands in the store, a moment old at most.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobkit::Clock;

use store::rule::Rules;
use store::{LimitSet, Result, Store};

/// How long a change of the rules may stay unknown. Whoever gives jobs new lanes waits longer than that and looks again.
pub const FRESH: Duration = Duration::from_secs(2);

pub struct Book {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    page: Mutex<Page>,
}

#[derive(Default)]
struct Page {
    rules: Arc<Rules>,
    version: i64,
    /// By the steady clock; none when it was never read.
    read_at: Option<Duration>,
}

impl Book {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, page: Mutex::default() }
    }

    pub fn rules(&self) -> Arc<Rules> {
        self.lock().rules.clone()
    }

    pub fn version(&self) -> i64 {
        self.lock().version
    }

    /// Reads the rules if the copy is old. One that cannot be read again does for longer, unless the store is away.
    pub async fn freshen(&self) -> Result<()> {
        let (read_at, now) = (self.lock().read_at, self.clock.steady());
        match read_at {
            Some(at) if now.saturating_sub(at) < FRESH => Ok(()),
            Some(_) => {
                match self.read().await {
                    // What is asked next would wait as long, and for nothing.
                    Err(problem) if problem.blames_the_store() => return Err(problem),
                    Err(problem) => tracing::debug!("the limits could not be read again: {problem}"),
                    Ok(_) => {}
                }
                Ok(())
            }
            None => self.read().await.map(drop),
        }
    }

    pub async fn read(&self) -> Result<LimitSet> {
        let read_at = self.clock.steady();
        let set = self.store.limits().await?;
        let mut page = self.lock();
        if page.version != set.version || page.read_at.is_none() {
            page.rules = Arc::new(set.rules.clone());
        }
        page.version = set.version;
        page.read_at = Some(read_at);
        Ok(set)
    }

    fn lock(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
