//! Trees that split along single columns, all in a few flat arrays.
//!
//! A tree is a perfect heap without pointers: its root is node 1, node `i` has the children `2i` and `2i + 1`, and every walk takes exactly `height` steps.
//! Where the sample ran out early, the nodes below are padding that sends every row left, so that no step needs to ask whether it has arrived.

use rayon::prelude::*;

use crate::Error;
use crate::key::NEVER;
use crate::lanes::{Lanes, Missing, place, unplace};
use crate::path_length::leaf_depth;

pub(crate) mod grow;

/// Trees of one height over one set of columns. Tree `t` has the entries `t << height ..` of each array; the first of them is no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AxisTrees {
    height: u32,
    columns: usize,
    /// The threshold of each inner node as a [key](crate::key): greater keys go right.
    keys: Vec<u32>,
    /// Where in a group of [`Lanes`] the value stands that is compared: the column, and which side missing values go.
    places: Vec<u32>,
    /// Expected depth of a training row at each inner node, in units.
    expected: Vec<u32>,
    /// Depth of each leaf at the bottom, in units.
    leaves: Vec<u32>,
}

/// What the walk of one tree needs.
#[derive(Clone, Copy)]
pub(crate) struct TreeView<'a> {
    pub(crate) height: u32,
    pub(crate) keys: &'a [u32],
    pub(crate) places: &'a [u32],
    pub(crate) leaves: &'a [u32],
}

/// One tree while it is made.
pub(crate) struct TreeMut<'a> {
    pub(crate) height: u32,
    keys: &'a mut [u32],
    places: &'a mut [u32],
    expected: &'a mut [u32],
    leaves: &'a mut [u32],
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    pub(crate) column: u32,
    /// As a key; what is greater goes right.
    pub(crate) key: u32,
    pub(crate) missing: Missing,
}

impl AxisTrees {
    /// Trees of nothing but padding.
    fn new(count: usize, height: u32, columns: usize) -> Self {
        let nodes = count << height;
        Self {
            height,
            columns,
            keys: vec![NEVER; nodes],
            places: vec![place(0, Missing::Left); nodes],
            expected: vec![0; nodes],
            leaves: vec![0; nodes],
        }
    }

    /// Makes each tree with `make`, which is told its number, on all threads.
    pub(crate) fn build(
        count: usize,
        height: u32,
        columns: usize,
        make: impl Fn(usize, TreeMut<'_>) -> Result<(), Error> + Sync,
    ) -> Result<Self, Error> {
        let mut trees = Self::new(count, height, columns);
        let size = 1 << height;
        trees
            .keys
            .par_chunks_exact_mut(size)
            .zip(trees.places.par_chunks_exact_mut(size))
            .zip(trees.expected.par_chunks_exact_mut(size))
            .zip(trees.leaves.par_chunks_exact_mut(size))
            .enumerate()
            .try_for_each(|(tree, (((keys, places), expected), leaves))| {
                make(tree, TreeMut { height, keys, places, expected, leaves })
            })?;
        Ok(trees)
    }

    /// Puts the trees of `more` behind these; they must be of the same height and columns.
    pub(crate) fn append(&mut self, more: Self) {
        debug_assert_eq!((self.height, self.columns), (more.height, more.columns));
        self.keys.extend(more.keys);
        self.places.extend(more.places);
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

    pub(crate) fn tree(&self, tree: usize) -> TreeView<'_> {
        let nodes = tree << self.height..(tree + 1) << self.height;
        TreeView {
            height: self.height,
            keys: &self.keys[nodes.clone()],
            places: &self.places[nodes.clone()],
            leaves: &self.leaves[nodes],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = TreeView<'_>> {
        (0..self.count()).map(|tree| self.tree(tree))
    }

    /// Expected depth of a training row, in units, summed over the trees.
    pub(crate) fn expected_depth(&self) -> u64 {
        self.expected.iter().skip(1).step_by(1 << self.height).map(|&depth| u64::from(depth)).sum()
    }

    /// Adds to each column what its splits changed in the row's expected depth, in units, and returns the row's depth. The changes telescope: they add up to
    /// the row's depth minus the roots' expected depth, exactly.
    pub(crate) fn add_contributions(&self, rows: &Lanes, row: usize, contributions: &mut [i64]) -> u64 {
        let mut sum = 0;
        for (tree, expected) in self.iter().zip(self.expected.chunks_exact(1 << self.height)) {
            let mut node = 1;
            for level in 1..=self.height {
                let child = tree.child(node, rows, row);
                let here = i64::from(expected[node]);
                let depth = if level < self.height {
                    expected[child]
                } else {
                    tree.leaves[child - tree.leaves.len()]
                };
                contributions[unplace(tree.places[node]).0 as usize] += i64::from(depth) - here;
                node = child;
            }
            sum += u64::from(tree.leaves[node - tree.leaves.len()]);
        }
        sum
    }

    /// The arrays in the order in which they are written to bytes.
    pub(crate) fn arrays(&self) -> [&[u32]; 4] {
        [&self.keys, &self.places, &self.expected, &self.leaves]
    }

    /// From arrays that come from outside: nothing that a walk relies on is taken on trust.
    pub(crate) fn from_arrays(height: u32, columns: usize, arrays: [Vec<u32>; 4]) -> Result<Self, Error> {
        let [keys, places, expected, leaves] = arrays;
        let even = |array: &Vec<u32>| array.len() == leaves.len();
        if leaves.is_empty()
            || !leaves.len().is_multiple_of(1 << height)
            || ![&keys, &places, &expected].into_iter().all(even)
        {
            return Err(Error::Bytes("its arrays are not of one length"));
        }
        if places.iter().any(|&at| !is_place(at, columns)) {
            return Err(Error::Bytes("a split names a column that is not there"));
        }
        Ok(Self { height, columns, keys, places, expected, leaves })
    }
}

fn is_place(at: u32, columns: usize) -> bool {
    let (column, missing) = unplace(at);
    (column as usize) < columns && place(column, missing) == at
}

impl TreeView<'_> {
    /// The child of an inner node to which a row goes.
    fn child(&self, node: usize, rows: &Lanes, row: usize) -> usize {
        2 * node + usize::from(rows.at(row, self.places[node]) > self.keys[node])
    }

    #[cfg(test)]
    pub(crate) fn split(&self, node: usize) -> Option<Split> {
        let (column, missing) = unplace(self.places[node]);
        (self.keys[node] != NEVER).then_some(Split { column, key: self.keys[node], missing })
    }

    #[cfg(test)]
    pub(crate) fn depth(&self, rows: &Lanes, row: usize) -> u32 {
        let leaf = (0..self.height).fold(1, |node, _| self.child(node, rows, row));
        self.leaves[leaf - self.leaves.len()]
    }
}

impl TreeMut<'_> {
    pub(crate) fn set_split(&mut self, node: usize, split: Split) {
        self.keys[node] = split.key;
        self.places[node] = place(split.column, split.missing);
    }

    pub(crate) fn set_expected(&mut self, node: usize, sum: u64, rows: u64) {
        self.expected[node] = ((sum + rows / 2) / rows) as u32;
    }

    /// Writes a leaf's depth at `node` and along the left edge of the padding below it, where every row ends. Returns the sum of its rows' depths.
    pub(crate) fn set_leaf(&mut self, node: usize, level: u32, rows: usize) -> u64 {
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

impl Split {
    #[cfg(test)]
    pub(crate) fn threshold(&self) -> f32 {
        crate::key::number(self.key)
    }
}

#[cfg(test)]
mod tests;
