//! Lets the tree grow by what was written into the log, a moment after it was written. Every process does; of those
//! that try at the same time one succeeds, and the others stand aside for a while.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tokio::sync::watch;

use super::trunk::{Standing, TreeError};
use crate::lookout::Lookout;
use crate::service::Patience;
use store::Store;

/// So many entries in one step, and so heavy; one of a large batch of jobs has half a megabyte.
const MOST_ENTRIES: usize = 4_096;
const MOST_BYTES: u64 = 8 << 20;
/// Whoever was overtaken lets the other go on for so long.
const ASIDE: Duration = Duration::from_secs(2);
/// One commit for all that was written meanwhile.
const PACE: Duration = Duration::from_millis(200);

pub struct Grower {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub hints: watch::Receiver<()>,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    By(usize),
    /// Another process was quicker.
    Overtaken,
}

impl Grower {
    pub async fn run(self) {
        let mut patience = Patience::new("letting the tree of the audit log grow", self.clock.clone());
        let mut lookout = Lookout::new(self.hints, self.clock.clone());
        let mut known = None;
        loop {
            lookout.begin();
            match step(&self.store, &mut known).await {
                Ok(grown) => {
                    patience.succeeded();
                    match grown {
                        Grown::By(0) => lookout.next(pending()).await,
                        // There may be more already.
                        Grown::By(MOST_ENTRIES) => {}
                        Grown::By(_) => {
                            lookout.hurry();
                            self.clock.sleep(PACE).await;
                        }
                        Grown::Overtaken => self.clock.sleep(ASIDE).await,
                    }
                }
                Err(problem) => {
                    known = None;
                    patience.failed(&problem).await;
                }
            }
        }
    }
}

/// Takes in what was written since; `known` is the tree as this process left it.
pub async fn step(store: &Arc<dyn Store>, known: &mut Option<Standing>) -> Result<Grown, TreeError> {
    let standing = match known.take() {
        Some(standing) => standing,
        None => Standing::load(store.as_ref()).await?,
    };
    let entries = store.leaves_after(standing.last, MOST_ENTRIES, MOST_BYTES).await?;
    if entries.is_empty() {
        // What another process took in is behind us too: who looks again from an old place finds it.
        *known = Some(standing);
        return Ok(Grown::By(0));
    }
    let (from, count) = (standing.edge.size(), entries.len());
    let hashing = tokio::task::spawn_blocking(move || {
        let mut standing = standing;
        let full = standing.take(&entries);
        (standing, full)
    });
    // A panic in there is one here.
    let (standing, full) =
        hashing.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    if store.grow(from, &standing.trunk(), &full).await? {
        *known = Some(standing);
        return Ok(Grown::By(count));
    }
    Ok(Grown::Overtaken)
}

/// Until everything that is in the log is in the tree.
pub async fn catch_up(store: &Arc<dyn Store>) -> Result<Standing, TreeError> {
    let mut known = None;
    loop {
        if step(store, &mut known).await? == Grown::By(0)
            && let Some(standing) = known
        {
            return Ok(standing);
        }
    }
}
