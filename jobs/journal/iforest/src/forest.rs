//! The fitted forest: fitting, scoring and explaining whole tables, in parallel and always with the same bits.
//!
//! The public functions are generic over the table's storage and float type; they copy blocks of rows into plain
//! `f32` buffers and call code that is not generic.

use std::collections::BTreeSet;

use linfa::traits::{Fit, PredictInplace};
use linfa::{DatasetBase, Float};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2, s};
use rayon::prelude::*;

use crate::path_length::{UNITS_PER_EDGE, average_path_length, height_limit};
use crate::rng::TreeRng;
use crate::tree::{Sample, Tree};
use crate::{Error, IsolationForestParams, IsolationForestValidParams};

/// Rows scored together: at a dozen columns they fit the first-level cache while every tree passes over them.
const BLOCK: usize = 512;
/// Rows that walk down a tree side by side.
const LANES: usize = 16;

/// A fitted isolation forest.
pub struct IsolationForest {
    trees: Vec<Tree>,
    columns: usize,
    /// Rows each tree was really grown from.
    sample_size: usize,
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
        self.trees.len()
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows each tree was grown from: the parameter, or all rows of a smaller table.
    pub fn sample_size(&self) -> usize {
        self.sample_size
    }

    /// How unusual each row is, in (0, 1]: `2^(-depth / c(sample))`. scikit-learn's `score_samples` is its negative.
    pub fn score_samples<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<f64>, Error> {
        Ok(self.mean_depths(table)?.mapv(|depth| self.score_of_depth(depth)))
    }

    /// Mean depth of each row over the trees, in edges, unbuilt subtrees included.
    pub fn mean_depths<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<f64>, Error> {
        self.check_columns(table.ncols())?;
        let table = table.view();
        let mut depths = vec![0.0; table.nrows()];
        depths
            .par_chunks_mut(BLOCK)
            .enumerate()
            .try_for_each(|(block, depths)| {
                let rows = block_rows(&table, block * BLOCK, depths.len())?;
                self.add_block(&rows, depths);
                Ok(())
            })
            // Several blocks may be wrong at once: always name the first value.
            .map_err(|error: Error| first_infinite(&table).map_or(error, Error::from))?;
        Ok(depths.into())
    }

    /// Attributes each row's depth to the columns: for every node on its paths, the change of the expected depth is
    /// credited to the node's column. Costs about as much as scoring; meant for the rows someone will look at.
    pub fn explain<F: Float, D: Data<Elem = F>>(
        &self,
        table: &ArrayBase<D, Ix2>,
    ) -> Result<Explanation, Error> {
        self.check_columns(table.ncols())?;
        let rows = block_rows(&table.view(), 0, table.nrows())?;
        let mut contributions = vec![0_i64; table.nrows() * self.columns];
        let mut depths = vec![0.0; table.nrows()];
        contributions.par_chunks_mut(self.columns).zip(&mut depths).enumerate().for_each(
            |(index, (contributions, depth))| {
                let row = &rows[index * self.columns..][..self.columns];
                let mut sum = 0;
                for tree in &self.trees {
                    tree.add_contributions(row, contributions);
                    sum += u64::from(tree.depth(row));
                }
                *depth = self.mean_of_units(sum);
            },
        );
        let per_tree = f64::from(UNITS_PER_EDGE) * self.trees.len() as f64;
        let contributions = contributions.into_iter().map(|units| units as f64 / per_tree).collect();
        Ok(Explanation {
            depths: depths.into(),
            expected_depth: self
                .mean_of_units(self.trees.iter().map(|tree| u64::from(tree.expected_depth())).sum()),
            contributions: Array2::from_shape_vec((table.nrows(), self.columns), contributions)
                .map_err(linfa::Error::from)?,
        })
    }

    /// The score of a mean depth.
    pub fn score_of_depth(&self, depth: f64) -> f64 {
        let usual = average_path_length(self.sample_size);
        // A sample of one row has no depth; scikit-learn scores everything 0.5 then.
        if usual > 0.0 { libm::exp2(-depth / usual) } else { 0.5 }
    }

    fn add_block(&self, rows: &[f32], depths: &mut [f64]) {
        for (group, depths) in depths.chunks_mut(LANES).enumerate() {
            let rows = &rows[group * LANES * self.columns..];
            let mut sums = [0; LANES];
            for tree in &self.trees {
                tree.add_depths(rows, self.columns, &mut sums);
            }
            for (depth, sum) in depths.iter_mut().zip(sums) {
                *depth = self.mean_of_units(sum);
            }
        }
    }

    fn mean_of_units(&self, sum: u64) -> f64 {
        sum as f64 / (f64::from(UNITS_PER_EDGE) * self.trees.len() as f64)
    }

    fn check_columns(&self, given: usize) -> Result<(), Error> {
        if given == self.columns { Ok(()) } else { Err(Error::Columns { given, fitted: self.columns }) }
    }
}

impl std::fmt::Debug for IsolationForest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IsolationForest")
            .field("trees", &self.trees.len())
            .field("columns", &self.columns)
            .field("sample_size", &self.sample_size)
            .finish()
    }
}

impl<F: Float, D: Data<Elem = F>, T> Fit<ArrayBase<D, Ix2>, T, Error> for IsolationForestValidParams {
    type Object = IsolationForest;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<IsolationForest, Error> {
        let table = dataset.records.view();
        if table.nrows() == 0 {
            return Err(Error::NoRows);
        }
        if table.ncols() == 0 {
            return Err(Error::NoColumns);
        }
        if let Some(place) = first_infinite(&table) {
            return Err(place.into());
        }
        let sample_size = self.sample_size().min(table.nrows());
        let height = height_limit(sample_size);
        let trees = (0..self.trees())
            .into_par_iter()
            .map(|tree| {
                let mut rng = TreeRng::new(self.seed(), tree);
                let sample = draw_sample(&table, sample_size, &mut rng);
                Tree::grow(&sample, height, rng)
            })
            .collect();
        Ok(IsolationForest { trees, columns: table.ncols(), sample_size })
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

/// Draws distinct rows, every set equally likely (Floyd), and copies them out column by column.
fn draw_sample<F: Float>(table: &ArrayView2<'_, F>, size: usize, rng: &mut TreeRng) -> Sample {
    let mut drawn = BTreeSet::new();
    for upper in table.nrows() - size..table.nrows() {
        let row = rng.below(upper + 1);
        if !drawn.insert(row) {
            drawn.insert(upper);
        }
    }
    let values = table
        .columns()
        .into_iter()
        .flat_map(|column| drawn.iter().map(move |&row| narrow(column[row])))
        .collect();
    Sample { values, rows: size }
}

/// Copies rows into a dense buffer, padded with zero rows to a whole number of lanes.
fn block_rows<F: Float>(table: &ArrayView2<'_, F>, first: usize, count: usize) -> Result<Vec<f32>, Error> {
    let padded = count.next_multiple_of(LANES) * table.ncols();
    let mut rows = Vec::with_capacity(padded);
    for (index, row) in table.slice(s![first..first + count, ..]).rows().into_iter().enumerate() {
        rows.extend(row.iter().map(|&value| narrow(value)));
        let start = index * table.ncols();
        if let Some(column) = rows[start..].iter().position(|value| value.is_infinite()) {
            return Err(Error::Infinite { row: first + index, column });
        }
    }
    rows.resize(padded, 0.0);
    Ok(rows)
}

/// Splits are compared in `f32`, as in scikit-learn: a value beyond its range becomes infinite, which is refused.
fn narrow<F: Float>(value: F) -> f32 {
    value.to_f32().unwrap_or(f32::INFINITY)
}

struct Place {
    row: usize,
    column: usize,
}

impl From<Place> for Error {
    fn from(Place { row, column }: Place) -> Self {
        Self::Infinite { row, column }
    }
}

fn first_infinite<F: Float>(table: &ArrayView2<'_, F>) -> Option<Place> {
    (0..table.nrows()).into_par_iter().with_min_len(BLOCK).find_map_first(|row| {
        let column = table.row(row).iter().position(|&value| narrow(value).is_infinite())?;
        Some(Place { row, column })
    })
}

#[cfg(test)]
mod tests;
