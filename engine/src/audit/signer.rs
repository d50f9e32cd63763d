//! Signs the root of the tree, now and then, and takes what was signed to where whoever owns the database cannot
//! reach it.
//!
//! Nothing is signed that does not go on from what was signed before: neither from the last checkpoint that the
//! database has, nor from the last of an anchor. A database that was set back to an earlier state, or whose log was written
//! anew, gets no signature, and people hear of it.

use std::sync::Arc;
use std::time::Duration;

use audit::checkpoint::{Checkpoint, CheckpointError};
use audit::note::SigningKey;
use audit::tile::tiles_since;
use jobkit::{Clock, PortError};
use tracing::{error, info, warn};

use super::shelf::{Shelf, checkpoint_path};
use super::trunk::{Standing, TreeError};
use crate::service::Patience;
use store::{SignedRow, Store, StoreError, chain};

/// How long to go on without a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    pub every: Duration,
    /// With so many entries that no checkpoint has, no longer than `LOOK`.
    pub entries: u64,
}

/// Between two looks whether something is to be signed, and so the least time between two checkpoints.
const LOOK: Duration = Duration::from_secs(5);

pub struct Signer {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    /// Processes that have it sign; all must have the same.
    pub secret: Arc<SigningKey>,
    pub rhythm: Rhythm,
    pub shelves: Vec<Arc<dyn Shelf>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("the checkpoint cannot be signed")]
    Signing(#[from] CheckpointError),
    #[error("what {place} has last of the audit log cannot be read")]
    Checkpoint {
        place: String,
        #[source]
        cause: CheckpointError,
    },
    #[error(
        "{place} has signed that the audit log has {signed} entries, and the database has {has}: it was set back; see the runbook on the audit log"
    )]
    SetBack { place: String, signed: u64, has: u64 },
    #[error(
        "the first {signed} entries of the audit log are not those of which {place} has the root: they were changed; see the runbook on the audit log"
    )]
    Rewritten { place: String, signed: u64 },
    #[error("{place} has the log `{other}`, and the key is of `{own}`; an anchor has one log")]
    OtherLog { place: String, other: String, own: String },
}

impl SignError {
    /// Waiting will not mend it.
    fn is_an_accusation(&self) -> bool {
        matches!(self, Self::SetBack { .. } | Self::Rewritten { .. } | Self::OtherLog { .. })
    }
}

impl Signer {
    pub async fn run(self) {
        let mut patience = Patience::new("signing the audit log", self.clock.clone());
        let mut accused = false;
        loop {
            match self.look().await {
                Ok(_) => {
                    patience.succeeded();
                    accused = false;
                }
                Err(problem) if problem.is_an_accusation() => {
                    // Once and not every five seconds; `doctor` and `audit verify` say it as often as they are asked.
                    if !accused {
                        error!("nothing is signed any more: {}", chain(&problem));
                    }
                    accused = true;
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Signs if it is time, and brings every shelf up to date. The checkpoint, if one was made.
    pub async fn look(&self) -> Result<Option<SignedRow>, SignError> {
        let standing = Standing::load(self.store.as_ref()).await?;
        let last = self.store.last_checkpoint().await?;
        let (size, now) = (standing.edge.size(), self.clock.now());
        let due = match &last {
            None => size > 0,
            Some(last) => {
                // Also when the database has fewer than were signed: somebody must hear of it.
                let waiting = size.abs_diff(last.size);
                let since = Duration::try_from(now.duration_since(last.at)).unwrap_or_default();
                waiting >= self.rhythm.entries || (waiting > 0 && since >= self.rhythm.every)
            }
        };
        let signed = match due {
            true => Some(self.sign(&standing, last).await?),
            false => None,
        };
        if let Some(signed) = &signed {
            self.take_out(&standing, signed).await;
        }
        Ok(signed)
    }

    /// Signs the tree as it stands.
    pub async fn sign(&self, standing: &Standing, last: Option<SignedRow>) -> Result<SignedRow, SignError> {
        if let Some(last) = last {
            self.goes_on_from(standing, "the database", &last.note).await?;
        }
        for shelf in &self.shelves {
            match shelf.newest().await {
                Ok(Some(note)) => {
                    self.goes_on_from(standing, &format!("the anchor `{}`", shelf.name()), &note).await?;
                }
                Ok(None) => {}
                // It is asked again before anything is put there.
                Err(away) => warn!("the anchor `{}` cannot be asked: {}", shelf.name(), chain(&away)),
            }
        }
        let checkpoint =
            Checkpoint::new(self.secret.vkey().name(), standing.edge.size(), standing.edge.root());
        let note = checkpoint.sign(&[&self.secret])?;
        let signed = SignedRow { size: checkpoint.size, at: self.clock.now(), note };
        self.store.put_checkpoint(&signed).await?;
        info!(audit.size = signed.size, "the audit log is signed up to entry {}", signed.size);
        Ok(signed)
    }

    async fn goes_on_from(&self, standing: &Standing, place: &str, note: &str) -> Result<(), SignError> {
        let place = place.to_owned();
        let earlier = match Checkpoint::unverified(note) {
            Ok(earlier) => earlier,
            Err(cause) => return Err(SignError::Checkpoint { place, cause }),
        };
        let (own, signed) = (self.secret.vkey().name().to_owned(), earlier.size);
        if earlier.origin != own {
            return Err(SignError::OtherLog { place, other: earlier.origin, own });
        }
        // Another process may have signed more since this one looked.
        let now = match signed > standing.edge.size() {
            true => Some(Standing::load(self.store.as_ref()).await?),
            false => None,
        };
        let standing = now.as_ref().unwrap_or(standing);
        let has = standing.edge.size();
        if signed > has {
            return Err(SignError::SetBack { place, signed, has });
        }
        match standing.root_at(self.store.as_ref(), signed).await? == earlier.root {
            true => Ok(()),
            false => Err(SignError::Rewritten { place, signed }),
        }
    }

    /// Each shelf for itself: one that is away holds no other up.
    async fn take_out(&self, standing: &Standing, signed: &SignedRow) {
        for shelf in &self.shelves {
            if let Err(problem) = self.put(shelf.as_ref(), standing, signed).await {
                warn!(
                    "the audit log cannot be taken to the anchor `{}`, and will be again with the next checkpoint: {}",
                    shelf.name(),
                    chain(&problem)
                );
            }
        }
    }

    async fn put(&self, shelf: &dyn Shelf, standing: &Standing, signed: &SignedRow) -> Result<(), SignError> {
        let newest = shelf.newest().await?;
        let from = match newest {
            Some(note) => {
                let place = format!("the anchor `{}`", shelf.name());
                self.goes_on_from(standing, &place, &note).await?;
                Checkpoint::unverified(&note).map_or(0, |checkpoint| checkpoint.size)
            }
            None => 0,
        };
        let key = format!("{}\n", self.secret.vkey());
        shelf.put(&format!("keys/{}", key_file(&key)), key.into_bytes()).await?;
        // The tiles first: a checkpoint promises that they are there.
        for tile in tiles_since(from, signed.size) {
            let bytes = standing.tile(self.store.as_ref(), tile).await?;
            shelf.put_tile(tile, bytes).await?;
        }
        let path = checkpoint_path(signed.size, signed.at);
        shelf.put(&path, signed.note.clone().into_bytes()).await?;
        self.store.anchored(shelf.name(), signed.size, self.clock.now()).await?;
        Ok(())
    }
}

/// A key's own name in a file system: the hash in its middle.
fn key_file(key: &str) -> &str {
    key.split('+').nth(1).unwrap_or("key")
}
