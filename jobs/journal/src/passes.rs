//! The way of a ledger through the program: passes over its parts, each of which leaves summaries that add up.
//!
//! No pass holds more than a part for each thread, so that a ledger of any size passes; and since parts are worked on apart and their summaries added up, it
//! makes no difference how many there are, who works on which, and in what order.
//!
//! 1. [`read`]: lines go to parts by their entries.
//! 2. [`survey`]: whether the ledger is all there, what the control tests must know of it, what ties entries to each other ([`shuffle`]).
//! 3. [`count`]: how often values and pairs of values occur, in each of the [`populations`].
//! 4. [`measure`]: every entry in numbers.
//! 5. [`detect`]: what the detectors say of each.
//! 6. [`judge`]: one score, the control tests, the risk.
//! 7. [`tell`]: why those at the top are there.
//! 8. [`rank`]: all entries in one order.
//! 9. [`rules`]: what flags nearly the same entries as the scores.
//!
//! Where a model takes part, [`look`] says how the entries stand to those that it was made from, and [`contest`] in what two of them differ.
//!
//! What one pass leaves for the next is on disk ([`spill`]).

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::ingest::ReadError;

pub mod contest;
pub mod count;
pub mod detect;
pub mod judge;
pub mod log;
pub mod look;
pub mod measure;
pub mod parts;
pub mod populations;
pub mod rank;
pub mod read;
pub mod rules;
pub mod shuffle;
pub mod spill;
pub mod sums;
pub mod survey;
pub mod tell;

/// Looks at how far a pass has come, and may end it.
pub type Watch<'a> = &'a (dyn Fn(u64, Option<u64>) -> ControlFlow<()> + Sync);

#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("putting lines aside in {folder}")]
    PutAside {
        folder: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("growing the forests")]
    Forest(#[from] iforest::Error),
    #[error("growing the rules")]
    Rules(#[from] linfa::Error),
    #[error("stopped before the end")]
    Stopped,
}

impl PassError {
    pub(crate) fn put_aside(folder: &Path) -> impl Fn(io::Error) -> Self + Copy + '_ {
        move |cause| Self::PutAside { folder: folder.into(), cause }
    }
}
