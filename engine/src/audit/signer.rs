//! Signs the root of the tree, now and then, and takes what was signed to where whoever owns the database cannot
//! reach it.
//!
//! Nothing is signed that does not go on from what was signed before: neither from the last checkpoint that the
//! database has, nor from the last of an anchor. A database that was set back to an earlier state, or whose log was written
//! anew, gets no signature, and people hear of it.

use std::sync::Arc;
use std::time::Duration;

use audit::checkpoint::{Checkpoint, CheckpointError};
use audit::epoch::{Statement, log_of, name_in};
use audit::note::{KeyError, SigningKey};
use audit::succession::{Chain, Handover, Link};
use audit::tile::tiles_since;
use jobkit::{Clock, PortError};
use tracing::{debug, error, info, warn};

use super::epochs::{self, Epochs, folder, statement_path};
use super::shelf::{Shelf, checkpoint_path};
use super::told::{self, Signing};
use super::trunk::{Standing, TreeError};
use crate::alerts::{AUDIT_ANCHOR_BEHIND, AUDIT_REFUSED};
use crate::service::Patience;
use store::{AlertFilter, SignedRow, Store, StoreError, chain};

/// How long to go on without a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    pub every: Duration,
    /// With so many entries that no checkpoint has, no longer than `LOOK`.
    pub entries: u64,
}

/// Between two looks whether something is to be signed, and so the least time between two checkpoints.
const LOOK: Duration = Duration::from_secs(5);

/// Looks between two at which anchors are seen to: a minute.
const TURNS_BETWEEN: u32 = 12;

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
    #[error(
        "the key that signs the audit log has handed over to {to} with {size} entries; set audit.key to that one and start again, or see the runbook on the audit log"
    )]
    HandedOver { size: u64, to: String },
    #[error("epoch {number} of the audit log is not believed: {problem}; see the runbook on the audit log")]
    Epoch { number: u64, problem: String },
    #[error(
        "the anchor `{anchor}` has an epoch {number} that the database knows nothing of: it was restored to before that; see the runbook on the audit log"
    )]
    LaterEpoch { anchor: String, number: u64 },
    #[error("the key cannot sign under the name of this epoch")]
    Key(#[from] KeyError),
    #[error("{place} has the log `{other}`, and the key is of `{own}`; an anchor has one log")]
    OtherLog { place: String, other: String, own: String },
}

impl SignError {
    /// Waiting will not mend it.
    fn is_an_accusation(&self) -> bool {
        matches!(
            self,
            Self::SetBack { .. }
                | Self::Rewritten { .. }
                | Self::OtherLog { .. }
                | Self::HandedOver { .. }
                | Self::LaterEpoch { .. }
                | Self::Epoch { .. }
        )
    }
}

impl Signer {
    pub async fn run(self) {
        let mut patience = Patience::new("signing the audit log", self.clock.clone());
        let mut refused = None;
        for turn in 0_u32.. {
            match self.look().await {
                Ok(_) => {
                    patience.succeeded();
                    refused = None;
                }
                Err(problem) if problem.is_an_accusation() => {
                    // Once and not every five seconds; `doctor` and `audit verify` say it as often as they are asked.
                    if refused.is_none() {
                        error!("nothing is signed any more: {}", chain(&problem));
                    }
                    refused = Some(chain(&problem));
                }
                Err(problem) => patience.failed(&problem).await,
            }
            if turn.is_multiple_of(TURNS_BETWEEN)
                && let Err(problem) = self.see_to(refused.as_deref()).await
            {
                debug!("the anchors of the audit log cannot be seen to: {}", chain(&problem));
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// As [`Hand::see_to`], in the epoch that goes on.
    pub async fn see_to(&self, refused: Option<&str>) -> Result<(), SignError> {
        self.hand().await?.see_to(refused).await
    }

    /// As [`Hand::look`], in the epoch that goes on.
    pub async fn look(&self) -> Result<Option<SignedRow>, SignError> {
        self.hand().await?.look().await
    }

    /// As [`Hand::sign`], in the epoch that goes on.
    pub async fn sign(
        &self,
        standing: &Standing,
        last: Option<SignedRow>,
    ) -> Result<Option<SignedRow>, SignError> {
        self.hand().await?.sign(standing, last).await
    }

    /// Whoever owns the database could write a statement down; our key, or one that it came after, has to have signed it.
    async fn believe(&self, epochs: &Epochs) -> Result<(), SignError> {
        if epochs.statements.is_empty() {
            return Ok(());
        }
        let own = self.secret.vkey();
        let own = own.named(&name_in(own.name(), epochs.number()));
        let handed = self.store.handovers().await?;
        let handed = handed.iter().filter_map(|row| Handover::of(&row.note)?.ok()).map(Link::from);
        let links: Vec<_> = handed.chain(epochs.statements.iter().map(Link::from)).collect();
        let (chain, _) = Chain::of(&[own], links);
        match epochs.statements.iter().find(|statement| !chain.keys().contains(&statement.key)) {
            None => Ok(()),
            Some(Statement { number, .. }) => Err(SignError::Epoch {
                number: *number,
                problem: "neither this key nor one that it came after has signed its statement".into(),
            }),
        }
    }

    /// The key under the name of the epoch that goes on, and its folders in the anchors.
    pub(super) async fn hand(&self) -> Result<Hand, SignError> {
        let epochs = Epochs::load(self.store.as_ref()).await?;
        if let Some((number, problem)) = epochs.problem {
            return Err(SignError::Epoch { number, problem });
        }
        let number = epochs.number();
        self.believe(&epochs).await?;
        let secret = match number {
            1 => self.secret.clone(),
            _ => Arc::new(self.secret.named(&name_in(self.secret.vkey().name(), number))?),
        };
        let within = |shelf: &Arc<dyn Shelf>| match folder(number) {
            Some(folder) => Arc::from(shelf.within(&folder)),
            None => shelf.clone(),
        };
        Ok(Hand {
            store: self.store.clone(),
            clock: self.clock.clone(),
            secret,
            rhythm: self.rhythm,
            shelves: self.shelves.iter().map(within).collect(),
            roots: self.shelves.clone(),
            epochs,
        })
    }
}

/// What signs in one epoch.
pub struct Hand {
    pub(super) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pub(super) secret: Arc<SigningKey>,
    rhythm: Rhythm,
    pub(super) shelves: Vec<Arc<dyn Shelf>>,
    /// The anchors themselves, with all epochs.
    roots: Vec<Arc<dyn Shelf>>,
    pub(super) epochs: Epochs,
}

impl Hand {
    /// Brings anchors that were away what they miss, and tells people what does not mend by itself.
    pub async fn see_to(&self, refused: Option<&str>) -> Result<(), SignError> {
        let last = self.store.last_checkpoint().await?;
        if let (Some(last), None) = (&last, refused) {
            let rows = self.store.anchors().await?;
            let has = |name: &str| rows.iter().any(|row| row.name == name && row.size >= last.size);
            let behind: Vec<_> = self.shelves.iter().filter(|shelf| !has(shelf.name())).collect();
            if !behind.is_empty() {
                let standing = Standing::load(self.store.as_ref()).await?;
                for shelf in behind {
                    self.bring(shelf.as_ref(), &standing, last).await;
                }
            }
        }
        let rules = vec![AUDIT_REFUSED.into(), AUDIT_ANCHOR_BEHIND.into()];
        let filter = AlertFilter { open: true, rules, limit: Some(usize::MAX), ..AlertFilter::default() };
        let open = self.store.alerts(&filter).await?;
        let anchors: Vec<_> = self.shelves.iter().map(|shelf| shelf.name()).collect();
        let signing = Signing { log: log_of(self.secret.vkey().name()), refused, anchors: &anchors };
        let rows = self.store.anchors().await?;
        let news = told::news(signing, last.as_ref(), &rows, &open, self.clock.now());
        if !news.is_empty() {
            self.store.raise(&news).await?;
        }
        Ok(())
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
            true => self.sign(&standing, last).await?,
            false => None,
        };
        if let Some(signed) = &signed {
            self.take_out(&standing, signed).await;
        }
        Ok(signed)
    }

    /// Signs the tree as it stands. None when another process has signed since `last` was the last.
    pub async fn sign(
        &self,
        standing: &Standing,
        last: Option<SignedRow>,
    ) -> Result<Option<SignedRow>, SignError> {
        let checkpoint = self.to_sign(standing, last.as_ref()).await?;
        let note = checkpoint.sign(&[&self.secret])?;
        self.keep(checkpoint.size, note, last).await
    }

    /// What is signed next, once it is known to go on from all that was signed.
    pub(super) async fn to_sign(
        &self,
        standing: &Standing,
        last: Option<&SignedRow>,
    ) -> Result<Checkpoint, SignError> {
        self.in_office().await?;
        let number = self.epochs.number();
        for root in &self.roots {
            // Whoever cannot be asked is told of below.
            if let Ok(Some(number)) = epochs::later(root.as_ref(), number).await {
                return Err(SignError::LaterEpoch { anchor: root.name().into(), number });
            }
        }
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
        Ok(Checkpoint::new(self.secret.vkey().name(), standing.edge.size(), standing.edge.root()))
    }

    pub(super) async fn keep(
        &self,
        size: u64,
        note: String,
        last: Option<SignedRow>,
    ) -> Result<Option<SignedRow>, SignError> {
        let signed = SignedRow { size, at: self.clock.now(), note };
        if !self.store.put_checkpoint(&signed, last.map_or(0, |last| last.size)).await? {
            return Ok(None);
        }
        info!(audit.size = signed.size, "the audit log is signed up to entry {}", signed.size);
        Ok(Some(signed))
    }

    /// A key that has handed over signs nothing more.
    pub(super) async fn in_office(&self) -> Result<(), SignError> {
        let own = self.secret.vkey();
        let rows = self.store.handovers().await?;
        let handed = rows.iter().filter_map(|row| Handover::of(&row.note)?.ok());
        match handed.into_iter().find(|handover| handover.from == *own) {
            None => Ok(()),
            Some(Handover { size, to, .. }) => Err(SignError::HandedOver { size, to: to.to_string() }),
        }
    }

    pub(super) async fn goes_on_from(
        &self,
        standing: &Standing,
        place: &str,
        note: &str,
    ) -> Result<(), SignError> {
        let place = place.to_owned();
        let earlier = match Checkpoint::unverified(note) {
            Ok(earlier) => earlier,
            Err(cause) => return Err(SignError::Checkpoint { place, cause }),
        };
        let (own, signed) = (self.secret.vkey().name().to_owned(), earlier.size);
        // What was signed in an earlier epoch, as far as this one has it.
        let inherited = signed <= self.epochs.begins() && log_of(&earlier.origin) == log_of(&own);
        if earlier.origin != own && !inherited {
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
    pub(super) async fn take_out(&self, standing: &Standing, signed: &SignedRow) {
        for shelf in &self.shelves {
            self.bring(shelf.as_ref(), standing, signed).await;
        }
    }

    async fn bring(&self, shelf: &dyn Shelf, standing: &Standing, signed: &SignedRow) {
        if let Err(problem) = self.put(shelf, standing, signed).await {
            warn!(
                "the audit log cannot be taken to the anchor `{}`, and will be tried again in a minute: {}",
                shelf.name(),
                chain(&problem)
            );
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
        for row in &self.epochs.rows {
            shelf.put(&statement_path(row.number), row.note.clone().into_bytes()).await?;
        }
        // Without those an auditor who has an anchor alone could not tell why another key signs. Those of an epoch before lie with it.
        let from = from.max(self.epochs.begins());
        for row in
            self.store.handovers().await?.iter().filter(|row| row.size > from && row.size < signed.size)
        {
            shelf.put(&checkpoint_path(row.size, row.at), row.note.clone().into_bytes()).await?;
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
