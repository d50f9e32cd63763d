//! Drawing the rows a tree is grown from: distinct ones, every set equally likely, or by weight.

use std::collections::BTreeSet;

use linfa::Float;
use ndarray::{ArrayView2, Axis};

use crate::Error;
use crate::rng::TreeRng;

/// After so many draws in vain per row, the rows that are left are told by a key each instead.
const PATIENCE: usize = 16;

/// The rows a tree is grown from, column by column because growing scans columns.
pub(crate) struct Sample {
    pub(crate) values: Vec<f32>,
    pub(crate) rows: usize,
}

impl Sample {
    pub(crate) fn draw<F: Float>(
        table: &ArrayView2<'_, F>,
        size: usize,
        weights: Option<&Weights>,
        rng: &mut TreeRng,
    ) -> Self {
        let rows = match weights {
            Some(weights) => weights.draw(size, rng),
            None => draw(table.nrows(), size, rng),
        };
        let mut values = Vec::with_capacity(size * table.ncols());
        for column in table.axis_iter(Axis(1)) {
            values.extend(rows.iter().map(|&row| narrow(column[row])));
        }
        Self { values, rows: size }
    }

    pub(crate) fn column(&self, column: u32) -> &[f32] {
        &self.values[column as usize * self.rows..][..self.rows]
    }

    pub(crate) fn columns(&self) -> usize {
        self.values.len() / self.rows
    }
}

/// Distinct rows, every set equally likely (Floyd).
fn draw(rows: usize, size: usize, rng: &mut TreeRng) -> BTreeSet<usize> {
    let mut drawn = BTreeSet::new();
    for upper in rows - size..rows {
        let row = rng.below(upper + 1);
        if !drawn.insert(row) {
            drawn.insert(upper);
        }
    }
    drawn
}

/// How likely each row is to be drawn, next to the others that are left.
pub(crate) struct Weights {
    weights: Vec<f64>,
    /// The weight of all rows up to and with each.
    sums: Vec<f64>,
    /// Rows that can be drawn at all.
    positive: usize,
}

impl Weights {
    pub(crate) fn new(weights: &[f32], rows: usize) -> Result<Self, Error> {
        if weights.len() != rows {
            return Err(Error::Weights { weights: weights.len(), rows });
        }
        if let Some(row) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(Error::Weight { row, weight: weights[row] });
        }
        let weights: Vec<f64> = weights.iter().map(|&weight| f64::from(weight)).collect();
        let positive = weights.iter().filter(|&&weight| weight > 0.0).count();
        if positive == 0 {
            return Err(Error::NoWeight);
        }
        let sums = weights
            .iter()
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Ok(Self { weights, sums, positive })
    }

    pub(crate) fn positive(&self) -> usize {
        self.positive
    }

    /// One after the other, each in proportion to its weight among those left. `size` must not exceed
    /// [`positive`](Self::positive).
    fn draw(&self, size: usize, rng: &mut TreeRng) -> BTreeSet<usize> {
        let mut drawn = BTreeSet::new();
        let total = self.sums.last().copied().unwrap_or(0.0);
        for _ in 0..PATIENCE * size {
            if drawn.len() == size {
                return drawn;
            }
            let at = rng.unit() * total;
            // The first row whose sum lies beyond; rows without weight end where the one before them does.
            let row = self.sums.partition_point(|&sum| sum <= at);
            if row < self.sums.len() {
                drawn.insert(row);
            }
        }
        self.fill(drawn, size, rng)
    }

    /// Where few rows have nearly all the weight, hitting another takes for ever: exponential keys (Efraimidis and
    /// Spirakis 2006) order the rest as drawing on would.
    fn fill(&self, mut drawn: BTreeSet<usize>, size: usize, rng: &mut TreeRng) -> BTreeSet<usize> {
        let mut keys: Vec<(f64, usize)> = (0..self.weights.len())
            .filter(|row| self.weights[*row] > 0.0 && !drawn.contains(row))
            .map(|row| (-libm::log(1.0 - rng.unit()) / self.weights[row], row))
            .collect();
        keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        drawn.extend(keys.into_iter().map(|(_, row)| row).take(size - drawn.len()));
        drawn
    }
}

/// Splits are compared in `f32`, as in scikit-learn: a value beyond its range becomes infinite, which is refused.
#[inline]
pub(crate) fn narrow<F: Float>(value: F) -> f32 {
    value.to_f32().unwrap_or(f32::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_drawn_at_most_once() {
        for seed in 0..50 {
            assert_eq!(draw(20, 15, &mut TreeRng::new(seed, 0)).len(), 15);
        }
    }

    #[test]
    fn rows_without_weight_are_never_drawn() {
        let weights = Weights::new(&[0.0, 1.0, 0.0, 2.0, 0.0], 5).unwrap();

        for seed in 0..50 {
            let drawn = weights.draw(2, &mut TreeRng::new(seed, 0));
            assert_eq!(drawn, BTreeSet::from([1, 3]), "seed {seed}");
        }
    }

    #[test]
    fn a_row_of_three_times_the_weight_is_drawn_three_times_as_often() {
        let weights = Weights::new(&[3.0, 1.0], 2).unwrap();
        let mut rng = TreeRng::new(7, 0);

        let first = (0..40_000).filter(|_| weights.draw(1, &mut rng).contains(&0)).count();

        assert!((29_500..30_500).contains(&first), "{first}");
    }

    #[test]
    fn one_heavy_row_does_not_keep_the_others_from_the_sample() {
        let mut given = vec![1e-30_f32; 300];
        given[17] = 1e30;
        let weights = Weights::new(&given, 300).unwrap();

        let drawn = weights.draw(256, &mut TreeRng::new(7, 0));

        assert_eq!(drawn.len(), 256);
        assert!(drawn.contains(&17));
    }

    #[test]
    fn impossible_weights_are_refused_with_their_place() {
        let refused = |weights: &[f32]| Weights::new(weights, 2).err().map(|error| error.to_string());

        assert_eq!(refused(&[1.0]).as_deref(), Some("1 weights were given for 2 rows"));
        assert_eq!(
            refused(&[1.0, -2.0]).as_deref(),
            Some("the weight -2 of row 1 (counted from 0) is not a finite number of at least 0")
        );
        assert_eq!(refused(&[0.0, 0.0]).as_deref(), Some("all weights are 0: no row can be drawn"));
    }
}
