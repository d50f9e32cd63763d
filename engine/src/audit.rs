//! What makes the audit log one that nobody can quietly change: entries become leaves of a tree, the tree's root is
//! signed, and what is signed is kept where whoever owns the database cannot reach it.
//!
//! The entries themselves are written by the store, in the transaction of what they tell of. Everything here comes
//! after, and nothing waits for it.

pub mod bucket;
pub mod directory;
pub mod epochs;
pub mod export;
pub mod grower;
pub mod keeper;
pub mod prove;
pub mod restore;
pub mod rotate;
pub mod seen;
pub mod shelf;
pub mod signer;
pub mod sources;
mod told;
pub mod trunk;
pub mod verify;

use audit::SigningKey;
use audit::note::GenerateError;
use ring::rand::SystemRandom;

pub use shelf::Shelf;

/// A new key for a log of this name, by the random numbers of this machine.
pub fn new_key(name: &str) -> Result<SigningKey, GenerateError> {
    SigningKey::generate(name, &SystemRandom::new())
}
