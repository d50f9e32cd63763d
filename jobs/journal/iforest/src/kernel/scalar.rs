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
    for tree in trees.iter() {
        for (group, sums) in rows.groups().zip(sums.chunks_exact_mut(LANES)) {
            for first in (0..LANES).step_by(WALKS) {
                let nodes = walk(tree, group, first);
                for (sum, node) in sums[first..].iter_mut().zip(nodes) {
                    *sum += u64::from(tree.leaves[node - tree.leaves.len()]);
                }
            }
        }
    }
}

/// From the root to the bottom, from lane `first` on.
#[inline(always)]
fn walk(tree: TreeView<'_>, group: &[u32], first: usize) -> [usize; WALKS] {
    let mut nodes = [1_usize; WALKS];
    for _ in 0..tree.height {
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
