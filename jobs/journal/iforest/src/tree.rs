//! One isolation tree: how it is grown from a sample and how a row walks down it.
//!
//! A tree is a perfect heap without pointers: node `i` has the children `2i+1` and `2i+2`, and every walk takes
//! exactly `height` steps. Where the sample ran out early, the nodes below are padding that sends every row left, so
//! that no step needs to ask whether it has arrived.

use crate::path_length::leaf_depth;
use crate::rng::TreeRng;

/// Top bit of a split: rows without a value go left. The other bits are the column.
const MISSING_LEFT: u32 = 1 << 31;

pub(crate) struct Tree {
    height: u32,
    /// Column and missing side of each inner node.
    splits: Box<[u32]>,
    /// A value above the threshold goes right. Padding has +∞, which nothing exceeds.
    thresholds: Box<[f32]>,
    /// Expected depth of a training row at each node, in units; at the bottom level, the depth of the leaf itself.
    depths: Box<[u32]>,
}

/// The rows a tree is grown from, column by column because growing scans columns.
pub(crate) struct Sample {
    pub(crate) values: Vec<f32>,
    pub(crate) rows: usize,
}

impl Sample {
    fn column(&self, column: u32) -> &[f32] {
        &self.values[column as usize * self.rows..][..self.rows]
    }

    fn columns(&self) -> usize {
        self.values.len() / self.rows
    }
}

impl Tree {
    pub(crate) fn grow(sample: &Sample, height: u32, rng: TreeRng) -> Self {
        let inner = (1_usize << height) - 1;
        let tree = Self {
            height,
            splits: vec![MISSING_LEFT; inner].into(),
            thresholds: vec![f32::INFINITY; inner].into(),
            depths: vec![0; 2 * inner + 1].into(),
        };
        let columns: Vec<u32> = (0..sample.columns() as u32).collect();
        let mut rows: Vec<u32> = (0..sample.rows as u32).collect();
        let mut grower = Grower { tree, sample, rng, varying: columns };
        let live = grower.varying.len();
        grower.grow(0, 0, &mut rows, live);
        grower.tree
    }

    /// Depth of a row in units.
    pub(crate) fn depth(&self, row: &[f32]) -> u32 {
        self.depths[self.leaf(row)]
    }

    /// Adds the depths of `LANES` rows to `sums`. Rows walk side by side, so that the processor can overlap their
    /// memory accesses; the sum is of integers, so that this changes nothing.
    pub(crate) fn add_depths<const LANES: usize>(
        &self,
        rows: &[f32],
        columns: usize,
        sums: &mut [u64; LANES],
    ) {
        let mut nodes = [0_usize; LANES];
        for _ in 0..self.height {
            for (lane, node) in nodes.iter_mut().enumerate() {
                *node = self.child(*node, &rows[lane * columns..][..columns]);
            }
        }
        for (sum, node) in sums.iter_mut().zip(nodes) {
            *sum += u64::from(self.depths[node]);
        }
    }

    /// Adds to each column what its splits changed in the row's expected depth, in units. The changes telescope: they
    /// add up to the row's depth minus the root's expected depth, exactly.
    pub(crate) fn add_contributions(&self, row: &[f32], contributions: &mut [i64]) {
        let mut node = 0;
        for _ in 0..self.height {
            let child = self.child(node, row);
            let change = i64::from(self.depths[child]) - i64::from(self.depths[node]);
            contributions[(self.splits[node] & !MISSING_LEFT) as usize] += change;
            node = child;
        }
    }

    /// Expected depth of a training row, in units.
    pub(crate) fn expected_depth(&self) -> u32 {
        self.depths[0]
    }

    fn leaf(&self, row: &[f32]) -> usize {
        (0..self.height).fold(0, |node, _| self.child(node, row))
    }

    #[inline]
    fn child(&self, node: usize, row: &[f32]) -> usize {
        let split = self.splits[node];
        let value = row[(split & !MISSING_LEFT) as usize];
        let right = (value > self.thresholds[node]) | (value.is_nan() & (split & MISSING_LEFT == 0));
        2 * node + 1 + usize::from(right)
    }
}

struct Grower<'a> {
    tree: Tree,
    sample: &'a Sample,
    rng: TreeRng,
    /// A permutation of the columns; those known to be constant in a node are moved behind its `live` first ones, so
    /// that its descendants need not look at them again.
    varying: Vec<u32>,
}

struct Split {
    column: u32,
    threshold: f32,
    missing_left: bool,
}

impl Grower<'_> {
    /// Grows the subtree of `node` and returns the sum of its rows' depths.
    fn grow(&mut self, node: usize, level: u32, rows: &mut [u32], mut live: usize) -> u64 {
        let split =
            if level < self.tree.height && rows.len() > 1 { self.draw_split(rows, &mut live) } else { None };
        let Some(split) = split else {
            return self.place_leaf(node, level, rows.len());
        };
        let column = self.sample.column(split.column);
        let left_count = partition(rows, |row| {
            let value = column[row as usize];
            if value.is_nan() { split.missing_left } else { value <= split.threshold }
        });
        self.tree.splits[node] = split.column | if split.missing_left { MISSING_LEFT } else { 0 };
        self.tree.thresholds[node] = split.threshold;

        let count = rows.len() as u64;
        let (left, right) = rows.split_at_mut(left_count);
        let sum =
            self.grow(2 * node + 1, level + 1, left, live) + self.grow(2 * node + 2, level + 1, right, live);
        self.tree.depths[node] = ((sum + count / 2) / count) as u32;
        sum
    }

    /// Draws columns until one varies, then a threshold between its least and greatest value.
    fn draw_split(&mut self, rows: &[u32], live: &mut usize) -> Option<Split> {
        while *live > 0 {
            let drawn = self.rng.below(*live);
            let column = self.varying[drawn];
            let values = Range::of(self.sample.column(column), rows);
            let missing = rows.len() - values.present;
            if values.present > 0 && (values.least < values.greatest || missing > 0) {
                return Some(self.split_between(column, &values, missing, rows));
            }
            *live -= 1;
            self.varying.swap(drawn, *live);
        }
        None
    }

    fn split_between(&mut self, column: u32, values: &Range, missing: usize, rows: &[u32]) -> Split {
        if values.least == values.greatest {
            // Only missing against present is left to tell apart.
            return Split { column, threshold: values.greatest, missing_left: false };
        }
        let (least, greatest) = (f64::from(values.least), f64::from(values.greatest));
        let mut threshold = (least + self.rng.unit() * (greatest - least)) as f32;
        if threshold >= values.greatest {
            // Rounding reached the upper end, which would leave the right side empty.
            threshold = values.least;
        }
        let missing_left = if missing > 0 {
            self.rng.coin()
        } else {
            let in_column = self.sample.column(column);
            let left = rows.iter().filter(|&&row| in_column[row as usize] <= threshold).count();
            2 * left >= rows.len()
        };
        Split { column, threshold, missing_left }
    }

    /// Writes the leaf's depth at `node` and along the left edge of the padding below it, where every row ends.
    fn place_leaf(&mut self, node: usize, level: u32, rows: usize) -> u64 {
        let depth = leaf_depth(level, rows);
        let mut node = node;
        while node < self.tree.depths.len() {
            self.tree.depths[node] = depth;
            node = 2 * node + 1;
        }
        u64::from(depth) * rows as u64
    }
}

/// What a node sees of one column.
struct Range {
    least: f32,
    greatest: f32,
    present: usize,
}

impl Range {
    fn of(column: &[f32], rows: &[u32]) -> Self {
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
}

/// Moves the rows that go left to the front and returns how many they are.
fn partition(rows: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let mut left = 0;
    for index in 0..rows.len() {
        if goes_left(rows[index]) {
            rows.swap(left, index);
            left += 1;
        }
    }
    left
}

#[cfg(test)]
mod tests;
