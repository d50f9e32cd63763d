//! Everything that can be wrong with a forest's parameters or with the table it is given.

use crate::params::MAX_SAMPLE_SIZE;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("a forest needs at least 1 tree")]
    NoTrees,
    #[error("sample size {0} is out of range: a tree needs 2 to {MAX_SAMPLE_SIZE} rows")]
    SampleSize(usize),
    #[error("the table has no rows")]
    NoRows,
    #[error("the table has no columns")]
    NoColumns,
    #[error("the table has {given} columns, but the forest was fitted on {fitted}")]
    Columns { given: usize, fitted: usize },
    #[error(
        "the value at row {row}, column {column} (counted from 0) is infinite or beyond the range of f32"
    )]
    Infinite { row: usize, column: usize },
    // linfa's traits demand the conversion.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
