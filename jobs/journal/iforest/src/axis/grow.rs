//! Growing one tree from its sample: a random column that varies, a random value between its least and its greatest, and on with either side.

use super::{Split, TreeMut};
use crate::key::key;
use crate::lanes::Missing;
use crate::rng::TreeRng;
use crate::sample::Sample;

pub(crate) fn grow(tree: TreeMut<'_>, sample: &Sample, rng: TreeRng) {
    let varying: Vec<u32> = (0..sample.columns() as u32).collect();
    let mut rows: Vec<u32> = (0..sample.rows as u32).collect();
    let live = varying.len();
    Grower { tree, sample, rng, varying }.grow(1, 0, &mut rows, live);
}

struct Grower<'a, 'b> {
    tree: TreeMut<'b>,
    sample: &'a Sample,
    rng: TreeRng,
    /// A permutation of the columns; those known to be constant in a node are moved behind its `live` first ones, so that its descendants need not look at
    /// them again.
    varying: Vec<u32>,
}

/// A split while growing, with the threshold as a number.
struct Drawn {
    column: u32,
    threshold: f32,
    missing: Missing,
}

impl Grower<'_, '_> {
    /// Grows the subtree of `node`.
    fn grow(&mut self, node: usize, level: u32, rows: &mut [u32], mut live: usize) {
        let drawn =
            if level < self.tree.height && rows.len() > 1 { self.draw_split(rows, &mut live) } else { None };
        let Some(Drawn { column, threshold, missing }) = drawn else {
            return self.tree.set_leaf(node, level, rows.len());
        };
        let values = self.sample.column(column);
        let left_count = partition(rows, |row| {
            let value = values[row as usize];
            if value.is_nan() { missing == Missing::Left } else { value <= threshold }
        });
        self.tree.set_split(node, Split { column, key: key(threshold), missing });

        let (left, right) = rows.split_at_mut(left_count);
        self.grow(2 * node, level + 1, left, live);
        self.grow(2 * node + 1, level + 1, right, live);
    }

    /// Draws columns until one varies, then a threshold between its least and greatest value.
    fn draw_split(&mut self, rows: &[u32], live: &mut usize) -> Option<Drawn> {
        while *live > 0 {
            let drawn = self.rng.below(*live);
            let column = self.varying[drawn];
            let range = Range::of(self.sample.column(column), rows);
            let missing = rows.len() - range.present;
            if range.present > 0 && (range.least < range.greatest || missing > 0) {
                return Some(self.split_between(column, &range, missing, rows));
            }
            *live -= 1;
            self.varying.swap(drawn, *live);
        }
        None
    }

    fn split_between(&mut self, column: u32, range: &Range, missing: usize, rows: &[u32]) -> Drawn {
        if range.least == range.greatest {
            // Only missing against present is left to tell apart.
            return Drawn { column, threshold: range.greatest, missing: Missing::Right };
        }
        let threshold = range.draw(&mut self.rng);
        let left = if missing > 0 {
            self.rng.coin()
        } else {
            let values = self.sample.column(column);
            2 * rows.iter().filter(|&&row| values[row as usize] <= threshold).count() >= rows.len()
        };
        Drawn { column, threshold, missing: if left { Missing::Left } else { Missing::Right } }
    }
}

/// What a node sees of one column.
pub(crate) struct Range {
    pub(crate) least: f32,
    pub(crate) greatest: f32,
    pub(crate) present: usize,
}

impl Range {
    pub(crate) fn of(column: &[f32], rows: &[u32]) -> Self {
        let mut range = Self { least: f32::INFINITY, greatest: f32::NEG_INFINITY, present: 0 };
        for &row in rows {
            let value = column[row as usize];
            if !value.is_nan() {
                range.least = range.least.min(value);
                range.greatest = range.greatest.max(value);
                range.present += 1;
            }
        }
        range
    }

    /// A number from the least up to, and without, the greatest.
    pub(crate) fn draw(&self, rng: &mut TreeRng) -> f32 {
        let (least, greatest) = (f64::from(self.least), f64::from(self.greatest));
        let drawn = (least + rng.unit() * (greatest - least)) as f32;
        // Rounding may reach the upper end, which would leave the right side empty.
        if drawn >= self.greatest { self.least } else { drawn }
    }
}

/// Moves the rows that go left to the front and returns how many they are.
pub(crate) fn partition(rows: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let mut left = 0;
    for index in 0..rows.len() {
        if goes_left(rows[index]) {
            rows.swap(left, index);
            left += 1;
        }
    }
    left
}
