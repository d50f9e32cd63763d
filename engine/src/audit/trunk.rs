//! The tree as it stands in the store, taken up: its edge, and the tiles that a root or a proof needs.

use std::collections::BTreeSet;

use audit::proof::{ProofError, Tiles};
use audit::tile::{FULL, TileId};
use audit::tree::{DamagedEdge, Edge, Hash, leaf_hash};
use audit::{Entry, proof};
use store::{FullTile, Position, Store, StoreError, Trunk};

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the tree of the audit log cannot be read")]
    Edge(#[from] DamagedEdge),
    #[error("the tree of the audit log is not whole")]
    Proof(#[from] ProofError),
}

/// A tree that can grow.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    pub edge: Edge,
    pub last: Position,
    /// Of the first leaf in the tile that is not full.
    pub first: Position,
}

impl Standing {
    pub async fn load(store: &dyn Store) -> Result<Self, TreeError> {
        let Some(Trunk { size, last, first, edge }) = store.tree().await? else { return Ok(Self::default()) };
        let edge = Edge::from_bytes(&edge)?;
        if edge.size() == size { Ok(Self { edge, last, first }) } else { Err(DamagedEdge.into()) }
    }

    pub fn trunk(&self) -> Trunk {
        Trunk { size: self.edge.size(), last: self.last, first: self.first, edge: self.edge.to_bytes() }
    }

    /// Takes entries in, in the order of the log, and gives the tiles that are full by that.
    pub fn take(&mut self, entries: &[(Position, Entry)]) -> Vec<FullTile> {
        let (mut full, mut line) = (Vec::new(), Vec::new());
        for (position, entry) in entries {
            if self.edge.size().is_multiple_of(FULL as u64) {
                self.first = *position;
            }
            line.clear();
            entry.write_line(&mut line);
            let first = self.first;
            self.edge.push(leaf_hash(&line), &mut |tile| {
                full.push(FullTile {
                    level: tile.level,
                    number: tile.number,
                    hashes: tile.hashes.iter().flat_map(|hash| hash.0).collect(),
                    first: (tile.level == 0).then_some(first),
                });
            });
            self.last = *position;
        }
        if self.edge.size().is_multiple_of(FULL as u64) {
            self.first = Position { seq: self.last.seq.saturating_add(1), ..self.last };
        }
        full
    }

    /// The tiles at the edge, and of the others those that are needed.
    pub async fn tiles(&self, store: &dyn Store, needed: &BTreeSet<TileId>) -> Result<Tiles, TreeError> {
        let mut tiles = Tiles::of(&self.edge);
        let wanted: Vec<_> = tiles.missing(needed).iter().map(|tile| (tile.level, tile.number)).collect();
        for tile in store.tiles(&wanted).await? {
            tiles.add(tile.level, tile.number, hashes(&tile.hashes));
        }
        Ok(tiles)
    }

    pub async fn root_at(&self, store: &dyn Store, size: u64) -> Result<Hash, TreeError> {
        let needed = proof::needed_for_root(size, self.edge.size())?;
        Ok(self.tiles(store, &needed).await?.root_at(size)?)
    }

    /// The bytes of a tile as it is now.
    pub async fn tile(&self, store: &dyn Store, tile: TileId) -> Result<Vec<u8>, TreeError> {
        let edge = self.edge.partial(tile.level);
        if usize::from(tile.width) < FULL && edge.len() >= usize::from(tile.width) {
            return Ok(edge[..usize::from(tile.width)].iter().flat_map(|hash| hash.0).collect());
        }
        let found = store.tiles(&[(tile.level, tile.number)]).await?.pop();
        let bytes =
            found.and_then(|found| found.hashes.get(..usize::from(tile.width) * 32).map(<[u8]>::to_vec));
        Ok(bytes.ok_or(ProofError::NoTile(tile))?)
    }
}

pub fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks_exact(32).filter_map(Hash::from_slice).collect()
}
