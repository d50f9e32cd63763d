//! The four detectors of a population: two forests, and two sums that need none.

use iforest::IsolationForest;
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::Array2;

use super::combine::{Detected, SignalRanks};
use super::measures::Measures;
use crate::stored::{Broken, Reader, Stored, put_bytes};

/// How forests are grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    pub trees: usize,
    /// Entries that each tree is grown from.
    pub sample: usize,
    pub seed: u64,
}

/// What says how unusual an entry of a population is.
#[derive(Debug, Clone, PartialEq)]
pub struct Detectors {
    pub values: IsolationForest,
    pub pairs: IsolationForest,
    pub signals: SignalRanks,
    pub has_amounts: bool,
}

impl Detectors {
    /// Forests are grown from the measures of some entries, which have to be in the order of their ids.
    pub fn grow(
        fitted: &[&Measures],
        signals: SignalRanks,
        growth: Growth,
        has_amounts: bool,
    ) -> Result<Self, iforest::Error> {
        let grow = |table: Array2<f64>, seed| {
            let params = IsolationForest::params().trees(growth.trees).sample_size(growth.sample).seed(seed);
            params.fit(&DatasetBase::from(table))
        };
        let values = grow(value_table(fitted, has_amounts), growth.seed)?;
        let pairs = grow(pair_table(fitted), growth.seed.wrapping_add(1))?;
        Ok(Self { values, pairs, signals, has_amounts })
    }

    /// In the order of the rows.
    pub fn detect(&self, rows: &[&Measures]) -> Result<Vec<Detected>, iforest::Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.values.score_samples(&value_table(rows, self.has_amounts))?;
        let pairs = self.pairs.score_samples(&pair_table(rows))?;
        let detected =
            rows.iter().zip(values.iter().zip(&pairs)).map(|(measures, (&value_forest, &pair_forest))| {
                let (values, pairs) = self.signals.sums(measures, self.has_amounts);
                Detected { values, pairs, value_forest, pair_forest }
            });
        Ok(detected.collect())
    }
}

/// What the forest of values looks at.
pub fn value_table(rows: &[&Measures], has_amounts: bool) -> Array2<f64> {
    let columns = rows.first().map_or(0, |measures| measures.value_row(has_amounts).count());
    let cells: Vec<f64> = rows.iter().flat_map(|measures| measures.value_row(has_amounts)).collect();
    // As many cells as rows of one width make.
    Array2::from_shape_vec((rows.len(), columns), cells).unwrap_or_default()
}

/// What the forest of combinations looks at.
pub fn pair_table(rows: &[&Measures]) -> Array2<f64> {
    let cells: Vec<f64> = rows.iter().flat_map(|measures| measures.pair_row()).collect();
    Array2::from_shape_vec((rows.len(), PAIR_COLUMNS), cells).unwrap_or_default()
}

/// Of [`Measures::pair_row`].
const PAIR_COLUMNS: usize = 5;

impl Detectors {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let Self { values, pairs, signals, has_amounts } = self;
        has_amounts.put(out);
        signals.put(out);
        put_bytes(&values.to_bytes(), out);
        put_bytes(&pairs.to_bytes(), out);
    }

    /// Of a population that is compared in so many categories.
    pub(super) fn take(from: &mut Reader<'_>, dims: usize) -> Result<Self, Broken> {
        let has_amounts = bool::take(from)?;
        let signals = SignalRanks::take(from)?;
        let forest = |from: &mut Reader<'_>, columns: usize| {
            let forest = IsolationForest::from_bytes(from.bytes()?);
            let forest = forest.map_err(|_| Broken("a forest is none of this version"))?;
            if forest.columns() == columns { Ok(forest) } else { Err(Broken("a forest is of another table")) }
        };
        let values = forest(from, dims + if has_amounts { 2 } else { 0 })?;
        let pairs = forest(from, PAIR_COLUMNS)?;
        Ok(Self { values, pairs, signals, has_amounts })
    }
}
