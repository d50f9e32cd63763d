//! The walk with what every processor has.

#![expect(
    unsafe_code,
    reason = "bounds that hold by construction would be checked twice in each of the eight steps of each walk"
)]

use crate::axis::{AxisTrees, TreeView};
use crate::lanes::{LANES, Lanes};

/// Walks that fit the processor's registers; more would wait for each other's memory.
const WALKS: usize = 8;

pub(super) fn add_depths(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    let roots = vec![1; sums.len()];
    for tree in trees.iter() {
        add_from(tree, 0, &roots, rows, sums);
    }
}

/// Adds the depths of rows that have come to a node of level `from` each.
pub(super) fn add_from(tree: TreeView<'_>, from: u32, nodes: &[u32], rows: &Lanes, sums: &mut [u64]) {
    let lanes = nodes.chunks_exact(LANES).zip(sums.chunks_exact_mut(LANES));
    for (group, (nodes, sums)) in rows.groups().zip(lanes) {
        for first in (0..LANES).step_by(WALKS) {
            let at = std::array::from_fn(|lane| nodes[first + lane] as usize);
            let found = walk(tree, from, group, first, at);
            for (sum, node) in sums[first..].iter_mut().zip(found) {
                *sum += u64::from(tree.leaves[node - tree.leaves.len()]);
            }
        }
    }
}

/// To the bottom, the lanes from `first` on.
#[inline(always)]
fn walk(
    tree: TreeView<'_>,
    from: u32,
    group: &[u32],
    first: usize,
    mut nodes: [usize; WALKS],
) -> [usize; WALKS] {
    for _ in from..tree.height {
        for (lane, node) in nodes.iter_mut().enumerate() {
            // SAFETY: before its last step a walk is at a node below `1 << height`, which is the length of `keys` and `places`; every place is a column's of
            // this group (`AxisTrees` are made with no other), and `first + lane` is below LANES.
            let (key, value) = unsafe {
                let place = *tree.places.get_unchecked(*node) as usize;
                (*tree.keys.get_unchecked(*node), *group.get_unchecked(place + first + lane))
            };
            *node = *node + *node + usize::from(value > key);
        }
    }
    nodes
}
