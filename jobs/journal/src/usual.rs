//! What is usual in a ledger, in summaries that add up: those of its parts, made apart and in any order, are together that of the whole.

pub mod counts;
pub mod ranks;
pub mod spread;

pub use counts::{Counts, PairCounts};
pub use ranks::{RankCounts, Ranks};
pub use spread::{Spread, Spreads};
