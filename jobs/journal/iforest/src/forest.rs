//! The fitted forest: fitting, scoring and explaining whole tables, in parallel and always with the same bits.
//!
//! The public functions are generic over the table's storage and float type; they copy blocks of rows into plain
//! buffers and call code that is not generic.

use linfa::Float;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};
use rayon::prelude::*;

use crate::axis::AxisTrees;
use crate::axis::shapley::Shapley;
use crate::kernel::{self, Instructions};
use crate::lanes::{LANES, Lanes};
use crate::path_length::{UNITS_PER_EDGE, average_path_length};
use crate::planes::PlaneTrees;
use crate::sample::narrow;
use crate::{Error, IsolationForestParams, Threshold};

mod fit;

/// A fitted isolation forest.
#[derive(Clone, PartialEq)]
pub struct IsolationForest {
    pub(crate) trees: Trees,
    /// Rows each tree was really grown from.
    pub(crate) sample_size: usize,
    pub(crate) threshold: f64,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Trees {
    Axis(AxisTrees),
    Planes(PlaneTrees),
}

/// How a table is scored. Neither setting changes a bit of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoring {
    /// Rows over which every tree passes before the next rows are looked at, at least 1.
    pub block_rows: usize,
    pub instructions: Instructions,
}

impl Default for Scoring {
    /// What is quickest on this processor: blocks that fit its first-level cache, and its widest instructions.
    fn default() -> Self {
        Self { block_rows: 128, instructions: Instructions::detect() }
    }
}

/// Why rows are as deep as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Mean depth over the trees, one per row.
    pub depths: Array1<f64>,
    /// Mean depth the training rows are expected to have.
    pub expected_depth: f64,
    /// One row per row, one column per column: the edges this column's splits added (above 0, ordinary) or spared
    /// (below 0, unusual). Each row adds up to its depth minus the expected depth.
    pub contributions: Array2<f64>,
}

impl IsolationForest {
    pub fn params() -> IsolationForestParams {
        IsolationForestParams::new()
    }

    pub fn trees(&self) -> usize {
        match &self.trees {
            Trees::Axis(trees) => trees.count(),
            Trees::Planes(trees) => trees.count(),
        }
    }

    pub fn columns(&self) -> usize {
        match &self.trees {
            Trees::Axis(trees) => trees.columns(),
            Trees::Planes(trees) => trees.columns(),
        }
    }

    /// Columns that a split looks at beyond the first.
    pub fn extension(&self) -> usize {
        match &self.trees {
            Trees::Axis(_) => 0,
            Trees::Planes(trees) => trees.width() - 1,
        }
    }

    /// Rows each tree was grown from: the parameter, or all rows of a smaller table.
    pub fn sample_size(&self) -> usize {
        self.sample_size
    }

    /// The score above which a row is called an outlier.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// How unusual each row is, in (0, 1]: `2^(-depth / c(sample))`. scikit-learn's `score_samples` is its negative.
    pub fn score_samples<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<f64>, Error> {
        self.score_samples_with(table, Scoring::default())
    }

    /// As [`score_samples`](Self::score_samples), in blocks and with instructions of the caller's choice.
    pub fn score_samples_with<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
        scoring: Scoring,
    ) -> Result<Array1<f64>, Error> {
        self.each_depth(&table.view(), scoring, |depth| self.score_of_depth(depth))
    }

    /// Which rows score above the [threshold](Self::threshold).
    pub fn outliers<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<bool>, Error> {
        Ok(self.score_samples(table)?.mapv(|score| score > self.threshold))
    }

    /// Mean depth of each row over the trees, in edges, unbuilt subtrees included.
    pub fn mean_depths<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<f64>, Error> {
        self.each_depth(&table.view(), Scoring::default(), |depth| depth)
    }

    /// Attributes each row's depth to the columns. Where trees split along single columns these are Shapley values, the same as of `shap.TreeExplainer`; along
    /// planes the change of the expected depth at each node is shared among the columns of its plane. Meant for the rows someone will look at.
    pub fn explain<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Explanation, Error> {
        let table = table.view();
        self.check_columns(table.ncols())?;
        if let Some(place) = first_infinite(&table) {
            return Err(place);
        }
        let depths = self.mean_depths(&table)?;
        let trees = self.trees() as f64;
        let (expected, contributions) = match &self.trees {
            Trees::Axis(axis) => {
                let shapley = Shapley::of(axis);
                let add = |row: usize, contributions: &mut [f64]| {
                    let mut lanes = Lanes::default();
                    lanes.fill(&table, row, 1)?;
                    shapley.add(&lanes, 0, contributions);
                    contributions.iter_mut().for_each(|edges| *edges /= trees);
                    Ok(())
                };
                (shapley.expected_depth() / trees, self.each_row(table.nrows(), add)?)
            }
            Trees::Planes(planes) => {
                let per_tree = f64::from(UNITS_PER_EDGE) * trees;
                let add = |row: usize, contributions: &mut [f64]| {
                    let mut units = vec![0; contributions.len()];
                    planes.add_contributions(&values(&table, row)?, &mut units);
                    contributions
                        .iter_mut()
                        .zip(units)
                        .for_each(|(edges, units)| *edges = units as f64 / per_tree);
                    Ok(())
                };
                (self.mean_of_units(planes.expected_depth()), self.each_row(table.nrows(), add)?)
            }
        };
        Ok(Explanation { depths, expected_depth: expected, contributions })
    }

    /// A table of so many rows and the forest's columns, made row by row on all threads.
    fn each_row(
        &self,
        rows: usize,
        make: impl Fn(usize, &mut [f64]) -> Result<(), Error> + Sync,
    ) -> Result<Array2<f64>, Error> {
        let columns = self.columns();
        let mut made = vec![0.0; rows * columns];
        made.par_chunks_mut(columns).enumerate().try_for_each(|(row, cells)| make(row, cells))?;
        Ok(Array2::from_shape_vec((rows, columns), made).map_err(linfa::Error::from)?)
    }

    /// The score of a mean depth.
    pub fn score_of_depth(&self, depth: f64) -> f64 {
        let usual = average_path_length(self.sample_size);
        // A sample of one row has no depth; scikit-learn scores everything 0.5 then.
        if usual > 0.0 { libm::exp2(-depth / usual) } else { 0.5 }
    }

    fn each_depth<F: Float>(
        &self,
        table: &ArrayView2<'_, F>,
        scoring: Scoring,
        value: impl Fn(f64) -> f64 + Sync,
    ) -> Result<Array1<f64>, Error> {
        self.check_columns(table.ncols())?;
        let mut found = vec![0.0; table.nrows()];
        let block_rows = scoring.block_rows.max(1);
        found
            .par_chunks_mut(block_rows)
            .enumerate()
            .try_for_each_init(Block::default, |block, (index, found)| {
                let first = index * block_rows;
                self.sum_block(table, first, found.len(), scoring.instructions, block)?;
                for (found, sum) in found.iter_mut().zip(&block.sums) {
                    *found = value(self.mean_of_units(*sum));
                }
                Ok(())
            })
            // Several blocks may be wrong at once: always name the first value.
            .map_err(|error: Error| first_infinite(table).unwrap_or(error))?;
        Ok(found.into())
    }

    /// Depths of some rows over all trees, in units.
    fn sum_block<F: Float>(
        &self,
        table: &ArrayView2<'_, F>,
        first: usize,
        rows: usize,
        instructions: Instructions,
        block: &mut Block,
    ) -> Result<(), Error> {
        block.sums.clear();
        match &self.trees {
            Trees::Axis(trees) => {
                block.lanes.fill(table, first, rows)?;
                block.sums.resize(rows.next_multiple_of(LANES), 0);
                kernel::add_depths(instructions, trees, &block.lanes, &mut block.sums);
            }
            Trees::Planes(trees) => {
                for row in first..first + rows {
                    block.sums.push(trees.depth(&values(table, row)?));
                }
            }
        }
        Ok(())
    }

    fn mean_of_units(&self, sum: u64) -> f64 {
        sum as f64 / (f64::from(UNITS_PER_EDGE) * self.trees() as f64)
    }

    fn check_columns(&self, given: usize) -> Result<(), Error> {
        let fitted = self.columns();
        if given == fitted { Ok(()) } else { Err(Error::Columns { given, fitted }) }
    }
}

/// What one thread needs to score a block, kept from block to block.
#[derive(Default)]
struct Block {
    lanes: Lanes,
    sums: Vec<u64>,
}

impl std::fmt::Debug for IsolationForest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IsolationForest")
            .field("trees", &self.trees())
            .field("columns", &self.columns())
            .field("sample_size", &self.sample_size)
            .field("extension", &self.extension())
            .field("threshold", &self.threshold)
            .finish()
    }
}

/// `predict` gives the scores. As everywhere in linfa it panics on a table of another width; it also panics on
/// infinite values. [`IsolationForest::score_samples`] returns these as errors.
impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for IsolationForest {
    fn predict_inplace(&self, table: &ArrayBase<D, Ix2>, scores: &mut Array1<f64>) {
        assert_eq!(
            table.nrows(),
            scores.len(),
            "The number of data points must match the number of output targets."
        );
        match self.score_samples(table) {
            Ok(found) => scores.assign(&found),
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, table: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(table.nrows())
    }
}

/// The score that a share of the rows exceeds, between two scores as far as the share is between their places (as NumPy's
/// percentile does).
pub(crate) fn threshold_of(
    threshold: Threshold,
    scores: impl FnOnce() -> Result<Array1<f64>, Error>,
) -> Result<f64, Error> {
    let share = match threshold {
        Threshold::Fixed(score) => return Ok(score),
        Threshold::Contamination(share) => share,
    };
    let mut scores = scores()?.to_vec();
    scores.sort_unstable_by(f64::total_cmp);
    let place = (scores.len() - 1) as f64 * (1.0 - share);
    let below = libm::floor(place) as usize;
    let above = (below + 1).min(scores.len() - 1);
    Ok(scores[below] + (scores[above] - scores[below]) * (place - below as f64))
}

fn values<F: Float>(table: &ArrayView2<'_, F>, row: usize) -> Result<Vec<f32>, Error> {
    let values: Vec<f32> = table.row(row).iter().map(|&value| narrow(value)).collect();
    match values.iter().position(|value| value.is_infinite()) {
        Some(column) => Err(Error::Infinite { row, column }),
        None => Ok(values),
    }
}

/// The first value of the table that cannot be compared.
fn first_infinite<F: Float>(table: &ArrayView2<'_, F>) -> Option<Error> {
    // Without an end in the middle, and so many values at once: the compiler can then look at several together.
    const AT_ONCE: usize = 1 << 14;
    let is_infinite = |value: &F| narrow(*value).is_infinite();
    if let Some(values) = table.as_slice() {
        let any = |values: &[F]| values.iter().fold(false, |found, value| found | is_infinite(value));
        if !values.par_chunks(AT_ONCE).any(any) {
            return None;
        }
    }
    (0..table.nrows()).into_par_iter().with_min_len(512).find_map_first(|row| {
        let column = table.row(row).iter().position(is_infinite)?;
        Some(Error::Infinite { row, column })
    })
}

#[cfg(test)]
mod tests;
