//! The evidence pack: what happened in a period, in sentences that each name the entries they stand on, with all that it
//! takes to check those without us.
//!
//! `themes.rs` has what is said and of which entries, beside what families add; `facts.rs` counts them, `report.rs` writes the page; all pure.
//! `files.rs` has the files that entries name, and takes them along. `pack.rs` reads the log and makes the ZIP.

pub mod facts;
pub mod files;
pub mod pack;
mod report;
pub mod themes;

pub use jobkit::evidence::Framework;
pub use pack::{PackError, Packed, Wish, pack};
