//! The tree as it stands in the store, taken up: its edge, and the tiles that a root or a proof needs.

use audit::Entry;
use audit::proof::{self, ProofError};
use audit::tile::{Tile, TileError, TileId, Tiles, WIDTH};
use audit::tree::{Edge, EdgeError, Hash, leaf_hash};
use store::{FullTile, Position, Store, StoreError, Trunk};

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the tree of the audit log cannot be read")]
    Edge(#[from] EdgeError),
    #[error("the tree of the audit log has {0} hashes at its edge that its size does not ask for")]
    Size(u64),
    #[error("the tree of the audit log is not whole")]
    Proof(#[from] ProofError),
    #[error("a tile of the audit log's tree is not one")]
    Tile(#[from] TileError),
}

/// A tree that can grow.
#[derive(Debug, Clone)]
pub struct Standing {
    pub edge: Edge,
    pub last: Position,
    /// Of the first leaf in the tile that is not full.
    pub first: Position,
}

impl Standing {
    pub async fn load(store: &dyn Store) -> Result<Self, TreeError> {
        let Some(Trunk { size, last, first, edge }) = store.tree().await? else {
            return Ok(Self { edge: Edge::new(), last: Position::START, first: Position::START });
        };
        let edge = Edge::from_bytes(&edge)?;
        if edge.size() == size { Ok(Self { edge, last, first }) } else { Err(TreeError::Size(edge.size())) }
    }

    pub fn trunk(&self) -> Trunk {
        Trunk { size: self.edge.size(), last: self.last, first: self.first, edge: self.edge.to_bytes() }
    }

    /// Takes entries in, in the order of the log, and gives the tiles that are full by that.
    pub fn take(&mut self, entries: &[(Position, Entry)]) -> Vec<FullTile> {
        let (mut full, mut line) = (Vec::new(), Vec::new());
        for (position, entry) in entries {
            if self.edge.size().is_multiple_of(WIDTH as u64) {
                self.first = *position;
            }
            line.clear();
            entry.write_line(&mut line);
            let first = self.first;
            self.edge.push(leaf_hash(&line), &mut |tile| {
                full.push(FullTile {
                    level: tile.level,
                    number: tile.index,
                    hashes: tile.to_bytes(),
                    first: (tile.level == 0).then_some(first),
                });
            });
            self.last = *position;
        }
        if self.edge.size().is_multiple_of(WIDTH as u64) {
            self.first = Position { seq: self.last.seq.saturating_add(1), ..self.last };
        }
        full
    }

    /// The tiles at the edge, and of the others those that are needed.
    pub async fn tiles(&self, store: &dyn Store, needed: &[TileId]) -> Result<Tiles, TreeError> {
        let mut tiles: Tiles = self.edge.partial_tiles().collect();
        let missing = needed.iter().filter(|tile| tiles.get(**tile).is_none());
        let wanted: Vec<_> = missing.map(|tile| (tile.level, tile.index)).collect();
        for tile in store.tiles(&wanted).await? {
            tiles.add(Tile::from_bytes(tile.level, tile.number, &tile.hashes)?);
        }
        Ok(tiles)
    }

    pub async fn root_at(&self, store: &dyn Store, size: u64) -> Result<Hash, TreeError> {
        let tiles = self.tiles(store, &proof::needed_for_root(size)?).await?;
        Ok(proof::root_at(size, &tiles)?)
    }

    /// The bytes of a tile as it is now.
    pub async fn tile(&self, store: &dyn Store, tile: TileId) -> Result<Vec<u8>, TreeError> {
        let tiles = self.tiles(store, &[tile]).await?;
        let hashes = tiles.get(tile).ok_or(ProofError::MissingTile(tile))?;
        Ok(hashes.iter().flat_map(|hash| hash.0).collect())
    }
}

/// Hashes end to end.
pub fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect()
}
