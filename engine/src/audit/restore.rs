//! The database was restored to an earlier state, on purpose and for good: the log goes on as another epoch, and a signed statement
//! says from where, and how much of what was signed is lost ([0126](../../../docs/decisions/0126-a-restored-log-goes-on-as-another-epoch.md)).

use audit::checkpoint::Checkpoint;
use audit::epoch::{Statement, log_of, name_in};
use audit::proof::{ProofError, root_at};
use audit::succession::Handover;
use audit::tile::{Tile, TileId, Tiles, WIDTH, tiles_of};
use audit::tree::Hash;
use jobkit::PortError;
use serde_json::json;
use store::{Actor, EpochRow, chain};

use super::epochs::{self, folder, statement_path};
use super::grower::catch_up;
use super::shelf::{Shelf, checkpoints_above};
use super::signer::{Hand, SignError, Signer};
use super::trunk::{Standing, hashes};

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(
        "nothing that was signed is missing in the database, so there is nothing to declare; see `compline audit verify`"
    )]
    NothingLost,
    #[error("there is no anchor, so nobody can say what was signed; set up [audit.anchors.NAME]")]
    NoAnchor,
    #[error("the anchor `{anchor}` has to be asked how much was signed, and does not answer; bring it back")]
    Away {
        anchor: String,
        #[source]
        cause: PortError,
    },
    #[error(
        "what the anchor `{anchor}` has is not whole, or not signed by this key: {problem}; see the runbook on the audit log"
    )]
    Anchor { anchor: String, problem: String },
    #[error("somebody else has declared an epoch just now; see `compline audit verify`")]
    Overtaken,
}

/// What was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub number: u64,
    pub common: u64,
    pub signed: u64,
}

impl Signer {
    /// Declares a new epoch, and signs in it. Why is for people, and stands in the log.
    pub async fn declare_restored(&self, reason: &str, by: &Actor) -> Result<Declared, RestoreError> {
        let hand = self.hand().await?;
        hand.in_office().await?;
        let number = hand.epochs.number() + 1;
        for shelf in &self.shelves {
            let later = epochs::later(shelf.as_ref(), number - 1).await;
            if let Some(number) = later.map_err(|cause| away(shelf.as_ref(), cause))? {
                return Err(SignError::LaterEpoch { anchor: shelf.name().into(), number }.into());
            }
        }
        let standing = catch_up(&self.store).await.map_err(SignError::from)?;
        let (signed, signed_root, shelf) = hand.most_signed().await?;
        let common = common(&hand, &standing, shelf, signed, signed_root).await?;
        if common == signed {
            return Err(RestoreError::NothingLost);
        }
        // A database that does not go on from its own checkpoints was not restored: it was changed.
        if let Some(last) = self.store.last_checkpoint().await.map_err(SignError::from)? {
            hand.goes_on_from(&standing, "the database", &last.note).await?;
            if last.size > common {
                let (place, signed) = (format!("the anchor `{}`", shelf.name()), last.size);
                return Err(SignError::Rewritten { place, signed }.into());
            }
        }
        hand.never_handed_over(common).await?;
        let common_root = standing.root_at(self.store.as_ref(), common).await.map_err(SignError::from)?;
        let name = name_in(log_of(hand.secret.vkey().name()), number);
        let new = hand.secret.named(&name).map_err(SignError::from)?;
        let key = new.vkey().clone();
        let statement = Statement { number, common, common_root, signed, signed_root, key };
        let note = statement.sign(&hand.secret, &new).map_err(SignError::from)?;
        let details = json!({
            "epoch": number, "common": common, "signed": signed, "root": signed_root.to_string(), "lost": signed - common,
            "reason": reason,
        });
        // That somebody does it is in the log before it is done.
        let entry = by.entry("audit.epoch", "audit", "begun", details);
        self.store.append_audit(&entry).await.map_err(SignError::from)?;
        let row = EpochRow { number, common, at: self.clock.now(), note };
        if !self.store.put_epoch(&row).await.map_err(SignError::from)? {
            return Err(RestoreError::Overtaken);
        }
        for shelf in &self.shelves {
            let within = shelf.within(&folder(number).unwrap_or_default());
            let put = within.put(&statement_path(number), row.note.clone().into_bytes()).await;
            // It is brought with the next checkpoint.
            if let Err(away) = put {
                tracing::warn!(
                    "the anchor `{}` has no statement of the new epoch yet: {}",
                    shelf.name(),
                    chain(&away)
                );
            }
        }
        // At once and not when it is due: from here on the anchors can say how far the new epoch is.
        let standing = catch_up(&self.store).await.map_err(SignError::from)?;
        let hand = self.hand().await?;
        let last = self.store.last_checkpoint().await.map_err(SignError::from)?;
        if let Some(signed) = hand.sign(&standing, last).await? {
            hand.take_out(&standing, &signed).await;
        }
        Ok(Declared { number, common, signed })
    }
}

fn away(shelf: &dyn Shelf, cause: PortError) -> RestoreError {
    RestoreError::Away { anchor: shelf.name().into(), cause }
}

impl Hand {
    /// A hand-over that was lost with the rest holds all the same: the anchors have it.
    async fn never_handed_over(&self, common: u64) -> Result<(), RestoreError> {
        let own = self.secret.vkey();
        for shelf in &self.shelves {
            let shelf = shelf.as_ref();
            let lost = checkpoints_above(shelf, common).await.map_err(|cause| away(shelf, cause))?;
            let handed = lost.iter().filter_map(|(_, note)| Handover::of(note)?.ok());
            if let Some(Handover { size, to, .. }) = handed.into_iter().find(|handover| handover.from == *own)
            {
                return Err(SignError::HandedOver { size, to: to.to_string() }.into());
            }
        }
        Ok(())
    }

    /// The largest tree that an anchor has. All are asked: one that is left out may have more.
    async fn most_signed(&self) -> Result<(u64, Hash, &dyn Shelf), RestoreError> {
        let mut most: Option<(u64, Hash, &dyn Shelf)> = None;
        for shelf in &self.shelves {
            let shelf = shelf.as_ref();
            let Some(note) = shelf.newest().await.map_err(|cause| away(shelf, cause))? else { continue };
            let own = self.secret.vkey();
            let opened = Checkpoint::open(&note, own.name(), std::slice::from_ref(own));
            let signed = opened.map_err(|problem| RestoreError::Anchor {
                anchor: shelf.name().into(),
                problem: problem.to_string(),
            })?;
            let Checkpoint { size, root, .. } = signed.checkpoint;
            if most.as_ref().is_none_or(|(most, ..)| *most < size) {
                most = Some((size, root, shelf));
            }
        }
        most.ok_or(RestoreError::NoAnchor)
    }
}

/// How many leaves the database and the anchor have alike, once the anchor's are those of which it has the root.
async fn common(
    hand: &Hand,
    standing: &Standing,
    shelf: &dyn Shelf,
    signed: u64,
    root: Hash,
) -> Result<u64, RestoreError> {
    let broken = |problem: String| RestoreError::Anchor { anchor: shelf.name().into(), problem };
    let mut theirs = Tiles::default();
    for id in tiles_of(signed) {
        let bytes = shelf.tile(id).await.map_err(|cause| away(shelf, cause))?.unwrap_or_default();
        let Some(bytes) = bytes.get(..usize::from(id.width()) * 32) else {
            return Err(broken(ProofError::MissingTile(id).to_string()));
        };
        theirs.add(Tile { level: id.level, index: id.index, hashes: hashes(bytes) });
    }
    match root_at(signed, &theirs) {
        Ok(found) if found == root => {}
        Ok(_) => return Err(broken("its tiles are not those of its checkpoint".into())),
        Err(problem) => return Err(broken(problem.to_string())),
    }
    let has = standing.edge.size();
    for number in 0..has.min(signed).div_ceil(WIDTH as u64) {
        let (Some(own), Some(other)) = (TileId::in_tree(0, number, has), TileId::in_tree(0, number, signed))
        else {
            break;
        };
        let own = hashes(&standing.tile(hand.store.as_ref(), own).await.map_err(SignError::from)?);
        let other = theirs.get(other).unwrap_or_default();
        let alike = own.iter().zip(other).take_while(|(one, other)| one == other).count();
        if alike < WIDTH {
            return Ok(number * WIDTH as u64 + alike as u64);
        }
    }
    Ok(has.min(signed))
}
