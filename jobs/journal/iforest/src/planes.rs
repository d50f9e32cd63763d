//! Trees of the extended forest, which split along planes across several columns.
//!
//! A row goes right where `Σ slope · (value - point)` is above 0, with normally distributed slopes and a point drawn within the node's range of each column.
//! A missing value lies at the point: it has no say. The trees are perfect heaps as those of [`crate::axis`]; padding has no slopes and sends every row left.

use rayon::prelude::*;

use crate::Error;
use crate::axis::grow::{Range, partition};
use crate::path_length::leaf_depth;
use crate::rng::TreeRng;
use crate::sample::Sample;

/// A plane may miss all rows of a node; after so many of them, the node is split along one column, which cannot.
const ATTEMPTS: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlaneTrees {
    height: u32,
    columns: usize,
    /// Columns that a split looks at.
    width: usize,
    /// `width` terms for each inner node of each tree.
    terms: Vec<Term>,
    /// Expected depth of a training row at each inner node, in units.
    expected: Vec<u32>,
    /// Depth of each leaf at the bottom, in units.
    leaves: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) column: u32,
    pub(crate) slope: f32,
    pub(crate) point: f32,
}

const NO_TERM: Term = Term { column: 0, slope: 0.0, point: 0.0 };

impl Term {
    /// In 64 bits, where neither the product nor the sum of finite numbers of 32 bits overflows.
    fn of(&self, value: f32) -> f64 {
        if value.is_nan() { 0.0 } else { f64::from(self.slope) * (f64::from(value) - f64::from(self.point)) }
    }
}

fn goes_right(terms: &[Term], value: impl Fn(u32) -> f32) -> bool {
    terms.iter().map(|term| term.of(value(term.column))).sum::<f64>() > 0.0
}

impl PlaneTrees {
    pub(crate) fn build(
        count: usize,
        height: u32,
        columns: usize,
        width: usize,
        sample: impl Fn(usize) -> (Sample, TreeRng) + Sync,
    ) -> Self {
        let nodes = count << height;
        let mut trees = Self {
            height,
            columns,
            width,
            terms: vec![NO_TERM; nodes * width],
            expected: vec![0; nodes],
            leaves: vec![0; nodes],
        };
        let size = 1 << height;
        trees
            .terms
            .par_chunks_exact_mut(size * width)
            .zip(trees.expected.par_chunks_exact_mut(size))
            .zip(trees.leaves.par_chunks_exact_mut(size))
            .enumerate()
            .for_each(|(tree, ((terms, expected), leaves))| {
                let (sample, rng) = sample(tree);
                let mut rows: Vec<u32> = (0..sample.rows as u32).collect();
                Grower { height, width, terms, expected, leaves, sample: &sample, rng }.grow(1, 0, &mut rows);
            });
        trees
    }

    pub(crate) fn append(&mut self, more: Self) {
        debug_assert_eq!((self.height, self.columns, self.width), (more.height, more.columns, more.width));
        self.terms.extend(more.terms);
        self.expected.extend(more.expected);
        self.leaves.extend(more.leaves);
    }

    pub(crate) fn count(&self) -> usize {
        self.leaves.len() >> self.height
    }

    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn expected_depth(&self) -> u64 {
        self.expected.iter().skip(1).step_by(1 << self.height).map(|&depth| u64::from(depth)).sum()
    }

    /// Depth of a row in all trees, in units.
    pub(crate) fn depth(&self, row: &[f32]) -> u64 {
        let size = 1 << self.height;
        let trees = self.terms.chunks_exact(size * self.width).zip(self.leaves.chunks_exact(size));
        trees
            .map(|(terms, leaves)| {
                let mut node = 1;
                for _ in 0..self.height {
                    let terms = &terms[node * self.width..][..self.width];
                    node = 2 * node + usize::from(goes_right(terms, |column| row[column as usize]));
                }
                u64::from(leaves[node - size])
            })
            .sum()
    }

    /// Adds to each column what its splits changed in the row's expected depth, in units. The changes telescope: they add up to the
    /// row's depth minus the roots' expected depth, exactly. What a split changed is shared among its columns in proportion to what each added to its sum.
    pub(crate) fn add_contributions(&self, row: &[f32], contributions: &mut [i64]) {
        let size = 1 << self.height;
        let trees = self.terms.chunks_exact(size * self.width);
        let depths = self.expected.chunks_exact(size).zip(self.leaves.chunks_exact(size));
        for (terms, (expected, leaves)) in trees.zip(depths) {
            let mut node = 1;
            for level in 1..=self.height {
                let terms = &terms[node * self.width..][..self.width];
                let child = 2 * node + usize::from(goes_right(terms, |column| row[column as usize]));
                let depth = if level < self.height { expected[child] } else { leaves[child - size] };
                share_out(i64::from(depth) - i64::from(expected[node]), terms, row, contributions);
                node = child;
            }
        }
    }

    pub(crate) fn parts(&self) -> (&[Term], &[u32], &[u32]) {
        (&self.terms, &self.expected, &self.leaves)
    }

    /// From parts that come from outside.
    pub(crate) fn from_parts(
        (height, columns, width): (u32, usize, usize),
        terms: Vec<Term>,
        expected: Vec<u32>,
        leaves: Vec<u32>,
    ) -> Result<Self, Error> {
        let even = expected.len() == leaves.len() && terms.len() == leaves.len() * width;
        if leaves.is_empty() || !leaves.len().is_multiple_of(1 << height) || !even {
            return Err(Error::Bytes("its arrays are not of one length"));
        }
        if terms.iter().any(|term| term.column as usize >= columns) {
            return Err(Error::Bytes("a split names a column that is not there"));
        }
        if terms.iter().any(|term| !(term.slope.is_finite() && term.point.is_finite())) {
            return Err(Error::Bytes("a split is not finite"));
        }
        Ok(Self { height, columns, width, terms, expected, leaves })
    }
}

/// The last column with a share takes what rounding leaves, so that all of it is given.
fn share_out(change: i64, terms: &[Term], row: &[f32], contributions: &mut [i64]) {
    let said = |term: &Term| term.of(row[term.column as usize]).abs();
    let total: f64 = terms.iter().map(said).sum();
    let mut left = change;
    if total > 0.0 && total.is_finite() {
        for term in &terms[..terms.len() - 1] {
            let share = libm::trunc(change as f64 * (said(term) / total)) as i64;
            contributions[term.column as usize] += share;
            left -= share;
        }
    }
    let last = terms.len() - 1;
    contributions[terms[last].column as usize] += left;
}

struct Grower<'a> {
    height: u32,
    width: usize,
    terms: &'a mut [Term],
    expected: &'a mut [u32],
    leaves: &'a mut [u32],
    sample: &'a Sample,
    rng: TreeRng,
}

impl Grower<'_> {
    fn grow(&mut self, node: usize, level: u32, rows: &mut [u32]) -> u64 {
        let split = if level < self.height && rows.len() > 1 { self.draw_split(node, rows) } else { None };
        let Some(left_count) = split else {
            return self.set_leaf(node, level, rows.len());
        };
        let count = rows.len() as u64;
        let (left, right) = rows.split_at_mut(left_count);
        let sum = self.grow(2 * node, level + 1, left) + self.grow(2 * node + 1, level + 1, right);
        self.expected[node] = ((sum + count / 2) / count) as u32;
        sum
    }

    /// Sets the node's terms, moves the rows that go left to the front and returns how many they are; `None` where all rows are alike.
    fn draw_split(&mut self, node: usize, rows: &mut [u32]) -> Option<usize> {
        let mut varying: Vec<(u32, Range)> = (0..self.sample.columns() as u32)
            .map(|column| (column, Range::of(self.sample.column(column), rows)))
            .filter(|(_, range)| range.least < range.greatest)
            .collect();
        if varying.is_empty() {
            return None;
        }
        for attempt in 0..=ATTEMPTS {
            let width = if attempt < ATTEMPTS { self.width.min(varying.len()) } else { 1 };
            let mut terms = vec![NO_TERM; self.width];
            for (index, term) in terms[..width].iter_mut().enumerate() {
                let drawn = index + self.rng.below(varying.len() - index);
                varying.swap(index, drawn);
                let (column, range) = &varying[index];
                *term = Term { column: *column, slope: self.rng.normal(), point: range.draw(&mut self.rng) };
            }
            if width == 1 {
                // The least value is then never above the point and the greatest always is: neither side is empty.
                terms[0].slope = 1.0;
            }
            let sample = self.sample;
            let value = |row: u32| move |column: u32| sample.column(column)[row as usize];
            let left = partition(rows, |row| !goes_right(&terms, value(row)));
            if left > 0 && left < rows.len() {
                self.terms[node * self.width..][..self.width].copy_from_slice(&terms);
                return Some(left);
            }
        }
        None
    }

    fn set_leaf(&mut self, node: usize, level: u32, rows: usize) -> u64 {
        let depth = leaf_depth(level, rows);
        let mut node = node;
        while node < self.leaves.len() {
            self.expected[node] = depth;
            node *= 2;
        }
        self.leaves[node - self.leaves.len()] = depth;
        u64::from(depth) * rows as u64
    }
}

#[cfg(test)]
mod tests;
