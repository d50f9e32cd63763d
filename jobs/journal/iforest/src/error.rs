//! Everything that can be wrong with a forest's parameters or with the table it is given.

use crate::params::MAX_SAMPLE_SIZE;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("a forest needs at least 1 tree")]
    NoTrees,
    #[error("sample size {0} is out of range: a tree needs 2 to {MAX_SAMPLE_SIZE} rows")]
    SampleSize(usize),
    #[error("contamination {0} is out of range: it is a share of the rows above 0 and at most 0.5")]
    Contamination(f64),
    #[error("threshold {0} is out of range: scores lie between 0 and 1")]
    Threshold(f64),
    #[error("extension {extension} is out of range: a table of {columns} columns can be split along {columns} at once, which is extension {}", .columns - 1)]
    Extension { extension: usize, columns: usize },
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
    #[error("{weights} weights were given for {rows} rows")]
    Weights { weights: usize, rows: usize },
    #[error("the weight {weight} of row {row} (counted from 0) is not a finite number of at least 0")]
    Weight { row: usize, weight: f32 },
    #[error("all weights are 0: no row can be drawn")]
    NoWeight,
    #[error(
        "the forest was grown from samples of {grown}, and these trees would be from samples of {asked}: their depths do not compare"
    )]
    OtherSample { grown: usize, asked: usize },
    #[error("the forest splits with extension {grown}, and these trees would with {asked}")]
    OtherExtension { grown: usize, asked: usize },
    #[error("tree {tree} cannot be taken over: {problem}")]
    Tree { tree: usize, problem: &'static str },
    #[error("these bytes are no forest of this version: {0}")]
    Bytes(&'static str),
    // linfa's traits demand the conversion.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
