//! Trees that split along single columns, all in a few flat arrays.
//!
//! A tree is a perfect heap without pointers: its root is node 1, node `i` has the children `2i` and `2i + 1`, and every walk takes exactly `height` steps.
//! Where the sample ran out early, the nodes below are padding that sends every row left, so that no step needs to ask whether it has arrived.

use rayon::prelude::*;

use crate::Error;
use crate::key::NEVER;
use crate::lanes::{Missing, place, unplace};
use crate::path_length::leaf_depth;

pub(crate) mod grow;
pub(crate) mod shapley;

/// Trees of one height over one set of columns. Tree `t` has the entries `t << height ..` of each array; the first of them is no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AxisTrees {
    height: u32,
    columns: usize,
    /// The threshold of each inner node as a [key](crate::key): greater keys go right.
    keys: Vec<u32>,
    /// Where in a group of [`Lanes`](crate::lanes::Lanes) the value stands that is compared: the column, and which side missing values go.
    places: Vec<u32>,
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
            .zip(trees.leaves.par_chunks_exact_mut(size))
            .enumerate()
            .try_for_each(|(tree, ((keys, places), leaves))| {
                make(tree, TreeMut { height, keys, places, leaves })
            })?;
        Ok(trees)
    }

    /// Puts the trees of `more` behind these; they must be of the same height and columns.
    pub(crate) fn append(&mut self, more: Self) {
        debug_assert_eq!((self.height, self.columns), (more.height, more.columns));
        self.keys.extend(more.keys);
        self.places.extend(more.places);
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

    /// The arrays in the order in which they are written to bytes.
    pub(crate) fn arrays(&self) -> [&[u32]; 3] {
        [&self.keys, &self.places, &self.leaves]
    }

    /// From arrays that come from outside: nothing that a walk relies on is taken on trust.
    pub(crate) fn from_arrays(height: u32, columns: usize, arrays: [Vec<u32>; 3]) -> Result<Self, Error> {
        let [keys, places, leaves] = arrays;
        let even = |array: &Vec<u32>| array.len() == leaves.len();
        if leaves.is_empty()
            || !leaves.len().is_multiple_of(1 << height)
            || ![&keys, &places].into_iter().all(even)
        {
            return Err(Error::Bytes("its arrays are not of one length"));
        }
        if places.iter().any(|&at| !is_place(at, columns)) {
            return Err(Error::Bytes("a split names a column that is not there"));
        }
        Ok(Self { height, columns, keys, places, leaves })
    }
}

fn is_place(at: u32, columns: usize) -> bool {
    let (column, missing) = unplace(at);
    (column as usize) < columns && place(column, missing) == at
}

impl TreeView<'_> {
    #[cfg(test)]
    pub(crate) fn split(&self, node: usize) -> Option<Split> {
        let (column, missing) = unplace(self.places[node]);
        (self.keys[node] != NEVER).then_some(Split { column, key: self.keys[node], missing })
    }

    #[cfg(test)]
    pub(crate) fn depth(&self, rows: &crate::lanes::Lanes, row: usize) -> u32 {
        let goes_right = |node: usize| usize::from(rows.at(row, self.places[node]) > self.keys[node]);
        let leaf = (0..self.height).fold(1, |node, _| 2 * node + goes_right(node));
        self.leaves[leaf - self.leaves.len()]
    }
}

impl TreeMut<'_> {
    pub(crate) fn set_split(&mut self, node: usize, split: Split) {
        self.keys[node] = split.key;
        self.places[node] = place(split.column, split.missing);
    }

    /// Writes a leaf's depth at the left end of the padding below `node`, where every row ends.
    pub(crate) fn set_leaf(&mut self, node: usize, level: u32, rows: usize) {
        let bottom = (node << (self.height - level)) - self.leaves.len();
        self.leaves[bottom] = leaf_depth(level, rows);
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
