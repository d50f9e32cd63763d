//! The tree: split where linfa-trees would, a node at a time.
//!
//! linfa-trees 0.8 grows whole trees too, and not these. Within a node it still walks over the rows of all others, and tries a threshold only if the last row
//! of the value before it is in the node: of a measure with two values, such as a control test, hardly ever one below the root. And it cuts off leaves by a class
//! that ties are given in the order of a hash map. Asked for one split of the rows of one node it does neither, and it never sees a row that is not in the node.

use std::cmp::Ordering;

use linfa::traits::Fit;
use linfa::{Dataset, Error};
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2};

/// More conditions than this nobody keeps in mind.
const DEEPEST: usize = 4;
/// A split explains at least so much of what there is to explain: of the impurity of the whole sample, not of its node, or every node would have one.
const LEAST_EXPLAINED: f64 = 0.01;
/// Less is noise of the 32 bits that the impurity is computed in.
const LEAST_DECREASE: f64 = 1e-6;
/// Flagged entries weigh at least this share, since those 32 bits do not see fewer.
const LEAST_FLAGGED: f64 = 1e-3;
/// All weights are whole numbers with a sum of at most this, so that 32 bits hold every sum of them exactly.
const ALL_WEIGHTS: f64 = 16_777_216.0;

/// On the way to a leaf: whether a column is at least the threshold, or less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    pub(super) column: usize,
    /// The values of the column on both sides of the gap.
    pub(super) gap: (f64, f64),
    pub(super) above: bool,
}

/// The turns to a leaf.
pub(super) type Path = Vec<Turn>;

/// The leaves that mostly flag, from left to right: of the entries for which their rows stand, more than half. `stands_for` says how many those are, for a
/// flagged row and for another; `least` flagged rows are in a leaf.
pub(super) fn grow(
    flagged: &[&[f64]],
    others: &[&[f64]],
    stands_for: (f64, f64),
    least: usize,
) -> Result<Vec<Path>, Error> {
    if flagged.is_empty() || others.is_empty() {
        return Ok(Vec::new());
    }
    let table = Table::of(flagged, others, stands_for, least);
    let all: Vec<usize> = (0..table.is_flagged.len()).collect();
    Ok(table.grow(&all, &mut Vec::new())?.into_leaves())
}

struct Table {
    /// The distinct values of each column, rising.
    distinct: Vec<Vec<f64>>,
    /// For each row the places of its values among those. They are what is split: equal means equal then, and the next is further than the 1e-5 within which
    /// linfa-trees takes values for equal.
    places: Array2<f64>,
    is_flagged: Vec<bool>,
    /// Of a flagged row and of another.
    weights: (f32, f32),
    stands_for: (f64, f64),
    least: usize,
    /// The impurity of the sample, times its weight.
    impurity: f64,
}

/// What became of a node.
enum Grown {
    /// Nothing to tell apart; the leaf if it mostly flags.
    Leaf(Option<Path>),
    Leaves(Vec<Path>),
}

impl Table {
    fn of(flagged: &[&[f64]], others: &[&[f64]], stands_for: (f64, f64), least: usize) -> Self {
        let mut rows: Vec<(&[f64], bool)> = flagged.iter().map(|row| (*row, true)).collect();
        rows.extend(others.iter().map(|row| (*row, false)));
        // Whatever linfa-trees makes of the order of rows, it is always this one.
        rows.sort_by(|(a, one), (b, other)| compare(a, b).then(one.cmp(other)));
        let width = rows.iter().map(|(row, _)| row.len()).min().unwrap_or(0);
        let distinct: Vec<Vec<f64>> = (0..width)
            .map(|column| {
                let mut values: Vec<f64> = rows.iter().map(|(row, _)| row[column]).collect();
                values.sort_by(f64::total_cmp);
                values.dedup();
                values
            })
            .collect();
        let place = |(row, column): (usize, usize)| {
            let value = rows[row].0[column];
            distinct[column].partition_point(|known| *known < value) as f64
        };
        let places = Array2::from_shape_fn((rows.len(), width), place);
        let (flagged, others) = (flagged.len() as f64, others.len() as f64);
        let all = (flagged * stands_for.0, others * stands_for.1);
        let share = (all.0 / (all.0 + all.1)).clamp(LEAST_FLAGGED, 1.0 - LEAST_FLAGGED);
        let weight = |share: f64, rows: f64| libm::floor(share * ALL_WEIGHTS / rows).max(1.0) as f32;
        let weights = (weight(share, flagged), weight(1.0 - share, others));
        let sums = (f64::from(weights.0) * flagged, f64::from(weights.1) * others);
        Self {
            distinct,
            places,
            is_flagged: rows.iter().map(|(_, is_flagged)| *is_flagged).collect(),
            weights,
            stands_for,
            least,
            impurity: 2.0 * sums.0 * sums.1 / (sums.0 + sums.1),
        }
    }

    fn grow(&self, rows: &[usize], path: &mut Vec<Turn>) -> Result<Grown, Error> {
        let Some((column, place)) = self.split(rows, path.len())? else {
            return Ok(Grown::Leaf(self.leaf(rows, path)));
        };
        let (above, below): (Vec<usize>, Vec<usize>) =
            rows.iter().partition(|&&row| self.places[[row, column]] > place);
        let end = |rows: &[usize], pick: fn(f64, f64) -> f64| {
            let places = rows.iter().map(|&row| self.places[[row, column]]);
            places.reduce(pick).map_or(0.0, |place| self.distinct[column][place as usize])
        };
        let gap = (end(&below, f64::max), end(&above, f64::min));
        let mut side = |rows: &[usize], above| {
            path.push(Turn { column, gap, above });
            let grown = self.grow(rows, path);
            path.pop();
            grown
        };
        Ok(match (side(&below, false)?, side(&above, true)?) {
            // What both sides say need not be told apart.
            (Grown::Leaf(one), Grown::Leaf(other)) if one.is_some() == other.is_some() => {
                Grown::Leaf(one.and_then(|_| self.leaf(rows, path)))
            }
            (one, other) => Grown::Leaves([one, other].into_iter().flat_map(Grown::into_leaves).collect()),
        })
    }

    /// Where linfa-trees splits these rows: at or below this place of the column, or above it.
    fn split(&self, rows: &[usize], depth: usize) -> Result<Option<(usize, f64)>, Error> {
        let flagged = self.flagged(rows);
        if depth == DEEPEST || flagged < self.least || flagged == rows.len() {
            return Ok(None);
        }
        // linfa-trees takes as long for columns that say the same of all rows, which below the root are many.
        let varies = |column: &usize| {
            let places = self.places.column(*column);
            rows.iter().any(|&row| places[row] != places[rows[0]])
        };
        let columns: Vec<usize> = (0..self.distinct.len()).filter(varies).collect();
        let records = Array2::from_shape_fn((rows.len(), columns.len()), |(row, column)| {
            self.places[[rows[row], columns[column]]]
        });
        let targets: Array1<bool> = rows.iter().map(|&row| self.is_flagged[row]).collect();
        let weights = targets.map(|&is_flagged| if is_flagged { self.weights.0 } else { self.weights.1 });
        let weight: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        let tree = DecisionTree::params()
            .max_depth(Some(1))
            .min_weight_leaf(self.weights.0 * self.least as f32)
            .min_impurity_decrease((LEAST_EXPLAINED * self.impurity / weight).max(LEAST_DECREASE))
            .fit(&Dataset::new(records, targets).with_weights(weights))?;
        // It says where it has split even where it cut the split off again, because both sides predict the same.
        let (column, place, decrease) = tree.root_node().split();
        Ok((decrease > 0.0).then(|| (columns[column], place)))
    }

    /// `None` where most of the entries for which the rows stand are not flagged, and for the sample as a whole, of which there is nothing to say.
    fn leaf(&self, rows: &[usize], path: &[Turn]) -> Option<Path> {
        let flagged = self.flagged(rows);
        let others = rows.len() - flagged;
        let mostly = flagged as f64 * self.stands_for.0 > others as f64 * self.stands_for.1;
        (mostly && flagged >= self.least && !path.is_empty()).then(|| path.to_vec())
    }

    fn flagged(&self, rows: &[usize]) -> usize {
        rows.iter().filter(|&&row| self.is_flagged[row]).count()
    }
}

impl Grown {
    fn into_leaves(self) -> Vec<Path> {
        match self {
            Self::Leaf(leaf) => leaf.into_iter().collect(),
            Self::Leaves(leaves) => leaves,
        }
    }
}

fn compare(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests;
