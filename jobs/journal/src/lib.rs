//! The journal family: scores the entries of a general ledger by how unusual they are, and says why.
//!
//! Auditors must test journal entries for signs of fraud (AU-C 240, ISA 240, AS 2401). A forest of random trees finds
//! the entries that differ from the rest in many small ways; each comes with its reasons in plain values, and with
//! hashes from which anybody can check that the same file gives the same scores again.
//!
//! The way of a ledger through the files of this crate: [`ads`] reads lines, [`ledger`] groups them into entries,
//! [`features`] turns entries into numbers and numbers back into words, [`score`] ranks, [`output`] writes. [`stages`]
//! runs them in a row. [`sample`] makes a ledger to try them on.

pub mod ads;
pub mod amount;
pub mod features;
pub mod ledger;
pub mod output;
pub mod sample;
pub mod score;
pub mod stages;
