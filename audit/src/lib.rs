//! The tamper-evident log, without a database: what an entry is as a leaf, the tree over the leaves, proofs, and
//! checkpoints that are signed. Everything here is a function of its arguments.
//!
//! The tree is that of RFC 6962, in tiles as C2SP describes them (tlog-tiles), and checkpoints are C2SP's signed notes,
//! so that the tools of others verify what we write. Decision 0120 says why the code is ours.

pub mod checkpoint;
pub mod commitment;
pub mod compare;
pub mod entry;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tree;

pub use entry::Entry;
pub use tree::{Edge, Hash};
