//! Proofs out of the store: that an entry is in what was signed, and that what was signed first is the beginning of what
//! was signed later.

use audit::Receipt;
use audit::proof::{self, ProofError};
use audit::tile::WIDTH;
use audit::tree::{Hash, leaf_hash};
use store::{Position, Store, StoreError};

use super::trunk::{Standing, TreeError};

#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("the proof cannot be made")]
    Proof(#[from] ProofError),
    #[error("there is no entry {0}")]
    Unknown(i64),
    #[error("entry {0} is not in the tree yet; try again in a moment")]
    NotYet(i64),
    #[error(
        "entry {0} is not signed yet; try again after the next checkpoint, or see `compline audit status`"
    )]
    NotSigned(i64),
    #[error("entry {0} is not what it was when it became a leaf; `compline audit verify` says more")]
    Altered(i64),
}

/// An entry with all that it takes to show that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// What was hashed, without an end of line.
    pub line: Vec<u8>,
    pub receipt: Receipt,
}

pub async fn receipt(store: &dyn Store, seq: i64) -> Result<Proven, ProveError> {
    let position = store.position_of(seq).await?.ok_or(ProveError::Unknown(seq))?;
    let standing = Standing::load(store).await?;
    if standing.edge.size() == 0 || position > standing.last {
        return Err(ProveError::NotYet(seq));
    }
    let (first_leaf, from) = tile_of(store, &standing, position).await?;
    let leaves = store.leaves_after(behind(from), WIDTH, u64::MAX).await?;
    let place = leaves.iter().position(|(at, _)| *at == position).ok_or(ProveError::Altered(seq))?;
    let index = first_leaf + place as u64;
    let mut line = Vec::new();
    leaves[place].1.write_line(&mut line);
    let signed = store.checkpoints(index, 1).await?.pop().ok_or(ProveError::NotSigned(seq))?;
    // Another process may have signed more since.
    let standing = Standing::load(store).await?;
    let tiles = standing.tiles(store, &proof::needed_for_inclusion(signed.size, index)?).await?;
    let path = proof::inclusion(signed.size, index, &tiles)?;
    let root = standing.root_at(store, signed.size).await?;
    // A proof that does not hold is worse than none.
    proof::verify_inclusion(leaf_hash(&line), index, signed.size, root, &path)
        .map_err(|_| ProveError::Altered(seq))?;
    let receipt = Receipt { extra: None, index, path, checkpoint: signed.note };
    Ok(Proven { line, receipt })
}

/// The number of the first leaf in the tile of this one whose entry is there, and where it stands in the log.
async fn tile_of(
    store: &dyn Store,
    standing: &Standing,
    position: Position,
) -> Result<(u64, Position), StoreError> {
    let tile = match position >= standing.first {
        true => {
            let size = standing.edge.size();
            (size - size % WIDTH as u64, standing.first)
        }
        false => match store.tile_at(position).await? {
            Some(tile) => (tile.number * WIDTH as u64, tile.first.unwrap_or_default()),
            None => (0, Position::START),
        },
    };
    kept(store, tile).await
}

/// As `tile_of`, of the tree as it stands.
pub async fn tile_of_entry(store: &dyn Store, position: Position) -> Result<(u64, Position), ProveError> {
    let standing = Standing::load(store).await?;
    Ok(tile_of(store, &standing, position).await?)
}

/// Entries at the beginning of a tile may be gone with their segment: then the first that is there is the one behind.
pub async fn kept(store: &dyn Store, tile: (u64, Position)) -> Result<(u64, Position), StoreError> {
    let gone = store.segments().await?.into_iter().rfind(|row| row.dropped_at.is_some());
    Ok(match gone {
        Some(row) if row.segment.until > tile.0 => {
            let last = row.segment.last;
            (row.segment.until, Position { seq: last.seq.saturating_add(1), ..last })
        }
        _ => tile,
    })
}

/// From here on the entry itself is the first that is read.
pub fn behind(position: Position) -> Position {
    Position { seq: position.seq.saturating_sub(1), ..position }
}

/// That the tree of so many leaves is the beginning of a larger one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistent {
    pub from: (u64, Hash),
    pub to: (u64, Hash),
    pub proof: Vec<Hash>,
}

pub async fn consistency(store: &dyn Store, from: u64, to: u64) -> Result<Consistent, ProveError> {
    let standing = Standing::load(store).await?;
    let size = standing.edge.size();
    if to > size {
        return Err(ProofError::NoBeginning { from: to, size }.into());
    }
    let tiles = standing.tiles(store, &proof::needed_for_consistency(from, to)?).await?;
    let proof = proof::consistency(from, to, &tiles)?;
    let (first, last) = (standing.root_at(store, from).await?, standing.root_at(store, to).await?);
    Ok(Consistent { from: (from, first), to: (to, last), proof })
}
