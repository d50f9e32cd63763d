//! The tree over the audit log: entries as the leaves they are hashed to, where the tree stands, its tiles, what was
//! signed of it, and what opens the commitments in entries.
//!
//! Entries are leaves in the order of their positions. Below the place from which readers go on, nothing can come to
//! stand among them, so the number of a leaf follows from the log alone and no table says it a second time.

use async_trait::async_trait;
use audit::Entry;
use jiff::Timestamp;
use jobkit::Personal;

use super::{Position, Result};

#[async_trait]
pub trait Tree: Send + Sync + 'static {
    /// None before the first leaf.
    async fn tree(&self) -> Result<Option<Trunk>>;

    /// Entries behind the position, oldest first, as many as are not too heavy together, save that there is one if
    /// there are any. What somebody wrote past us and nobody can read comes as near to it as can be, and has another hash.
    async fn leaves_after(
        &self,
        position: Position,
        limit: usize,
        most_bytes: u64,
    ) -> Result<Vec<(Position, Entry)>>;

    /// Moves the tree on and keeps the tiles that became full. False, and nothing is done, when it has not as many
    /// leaves as `from`: another process was quicker.
    async fn grow(&self, from: u64, to: &Trunk, full: &[FullTile]) -> Result<bool>;

    /// Full tiles by level and number; those that are not there are left out.
    async fn tiles(&self, wanted: &[(u8, u64)]) -> Result<Vec<FullTile>>;

    /// The last full tile of leaves that begins at this place in the log or before it.
    async fn tile_at(&self, position: Position) -> Result<Option<FullTile>>;

    /// Where the entry of this number stands.
    async fn position_of(&self, seq: i64) -> Result<Option<Position>>;

    /// Keeps what was signed behind the checkpoint of so many leaves, 0 being none. False, and nothing is done, when that is not the
    /// last one: another process has signed meanwhile, or handed its key over.
    async fn put_checkpoint(&self, checkpoint: &SignedRow, behind: u64) -> Result<bool>;

    /// The epochs that were declared after the first, in their order.
    async fn epochs(&self) -> Result<Vec<EpochRow>>;

    /// Keeps one; false when there is one of this number.
    async fn put_epoch(&self, epoch: &EpochRow) -> Result<bool>;

    /// Those by which a key handed over to another, smallest first.
    async fn handovers(&self) -> Result<Vec<SignedRow>>;

    /// Those of more than so many leaves, smallest first.
    async fn checkpoints(&self, above: u64, limit: usize) -> Result<Vec<SignedRow>>;

    /// The one of the largest tree.
    async fn last_checkpoint(&self) -> Result<Option<SignedRow>>;

    /// How far each anchor has it, by its name.
    async fn anchors(&self) -> Result<Vec<AnchorRow>>;

    /// An anchor has it up to here; it never goes back.
    async fn anchored(&self, name: &str, size: u64, at: Timestamp) -> Result<()>;

    /// Keeps what opens a commitment, before anything names it.
    async fn put_opening(&self, opening: &OpeningRow) -> Result<()>;

    async fn openings(&self, commitments: &[String]) -> Result<Vec<OpeningRow>>;
}

/// Where the tree stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    pub size: u64,
    /// Of the last leaf.
    pub last: Position,
    /// Of the first leaf in the tile that is not full yet; the place behind `last` where there is none.
    pub first: Position,
    /// `audit::tree::Edge` in its bytes.
    pub edge: Vec<u8>,
}

/// 256 hashes of one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    pub level: u8,
    pub number: u64,
    pub hashes: Vec<u8>,
    /// Of the first leaf, on the level of leaves.
    pub first: Option<Position>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRow {
    pub size: u64,
    pub at: Timestamp,
    pub note: String,
}

/// From here on the log goes on as another epoch, because the database was restored to an earlier state on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRow {
    pub number: u64,
    /// So many entries are those of the epoch before.
    pub common: u64,
    pub at: Timestamp,
    /// The signed statement, an `audit::epoch::Statement`.
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorRow {
    pub name: String,
    pub size: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningRow {
    pub commitment: String,
    pub field: String,
    pub salt: [u8; 32],
    pub value: Personal<String>,
    /// Whose it is.
    pub subject: String,
    pub at: Timestamp,
}
