//! Why a file is refused as a model, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::FORMAT;
use crate::scoring::schema::FEATURES;
use crate::stored::Broken;

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("reading the model {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the model {} is refused: {problem}", .path.display())]
    Refused { path: PathBuf, problem: Problem },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("it is none; name a file that the training of a model wrote")]
    NoModel,
    #[error(
        "it has format {found}, and this program reads format {FORMAT}; score with the version of the program that made it, or train the model again"
    )]
    OtherFormat { found: u32 },
    #[error(
        "it measures entries in way {found}, and this program in way {FEATURES}; score with the version of the program that made it, or train the model again"
    )]
    OtherFeatures { found: u32 },
    #[error("it is cut off: it has {has} bytes and should have {needs}; copy it again")]
    CutOff { has: u64, needs: u64 },
    #[error("something stands behind its end: it has {has} bytes and should have {needs}; copy it again")]
    GoesOn { has: u64, needs: u64 },
    #[error(
        "its bytes are not those that were written: the hash at its end is another; copy it again, and do not use this one"
    )]
    Altered,
    #[error(
        "it is a model, but not the one that the list of models has: another file is in its place; put the right one back, and find out who replaced it"
    )]
    Another,
    #[error(
        "it was not written by this program, though its hash is right: {0}; do not use it, and find out where it comes from"
    )]
    Broken(#[from] Broken),
}
