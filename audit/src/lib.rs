//! The audit log as evidence: what an entry's bytes are, the tree over them, its signed checkpoints, and proofs that
//! strangers can check.
//!
//! Everything here is a function of its inputs: no clock, no database, no files. The formats are published ones (RFC 6962,
//! and of C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-proof), so that tools of others verify what we write;
//! `scripts/campaigns/proofs` has two of them do so. Why the few hundred lines are our own stands in decision 0120.

pub mod checkpoint;
pub mod commitment;
pub mod compare;
pub mod entry;
pub mod epoch;
pub mod export;
pub mod note;
pub mod proof;
pub mod receipt;
pub mod succession;
pub mod tile;
pub mod tree;

pub use checkpoint::Checkpoint;
pub use commitment::{Commitment, Opening};
pub use entry::Entry;
pub use note::{SigningKey, Vkey};
pub use receipt::Receipt;
pub use tile::{Tile, TileId, Tiles};
pub use tree::{Edge, Hash, leaf_hash};
