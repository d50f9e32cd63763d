//! The walk with AVX2: the three upper levels of a tree are decided for eight rows at once, by comparing them with all seven splits; the lower ones row by
//! row. Gathers, which would fetch each row's own split, are slower than either on most processors that have AVX2 and not AVX-512.

#![expect(unsafe_code, reason = "instructions of one family of processors, behind a look at the processor")]

use std::arch::x86_64::*;

use crate::axis::{AxisTrees, TreeView};
use crate::lanes::{LANES, Lanes};

const ROWS: usize = 8;
/// Levels that are decided at once.
const UPPER: u32 = 3;

pub(super) fn add_depths(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    if trees.height() < UPPER {
        return super::scalar::add_depths(trees, rows, sums);
    }
    // SAFETY: `Instructions::available` has looked.
    unsafe { add_depths_avx2(trees, rows, sums) }
}

#[target_feature(enable = "avx2")]
fn add_depths_avx2(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    for tree in trees.iter() {
        for (group, sums) in rows.groups().zip(sums.chunks_exact_mut(LANES)) {
            for first in (0..LANES).step_by(ROWS) {
                let nodes = lower(tree, group, first, upper(tree, group, first));
                for (sum, node) in sums[first..].iter_mut().zip(nodes) {
                    *sum += u64::from(tree.leaves[node as usize - tree.leaves.len()]);
                }
            }
        }
    }
}

/// The node of the fourth level at which each row arrives.
#[target_feature(enable = "avx2")]
#[inline]
fn upper(tree: TreeView<'_>, group: &[u32], first: usize) -> [u32; ROWS] {
    // All ones where the row goes left at the node.
    let left = |node: usize| {
        let at = tree.places[node] as usize + first;
        let values: &[u32; ROWS] = group[at..].first_chunk().unwrap_or(&[0; ROWS]);
        // SAFETY: the reference is to eight numbers; the load asks for no alignment.
        let values = unsafe { _mm256_loadu_si256(std::ptr::from_ref(values).cast()) };
        let key = _mm256_set1_epi32(tree.keys[node].cast_signed());
        _mm256_cmpeq_epi32(_mm256_max_epu32(values, key), key)
    };
    let one = _mm256_set1_epi32(1);
    // From a node to its child: twice the node, one more to the right.
    let down = |node, left| _mm256_add_epi32(_mm256_add_epi32(node, node), _mm256_add_epi32(one, left));
    let choose = |left_mask, if_left, if_right| _mm256_blendv_epi8(if_right, if_left, left_mask);

    let (l1, l2, l3) = (left(1), left(2), left(3));
    let second = choose(l1, l2, l3);
    let third = choose(l1, choose(l2, left(4), left(5)), choose(l3, left(6), left(7)));
    let nodes = down(down(down(one, l1), second), third);
    let mut found = [0_u32; ROWS];
    // SAFETY: room for eight numbers; the store asks for no alignment.
    unsafe { _mm256_storeu_si256(found.as_mut_ptr().cast(), nodes) };
    found
}

#[target_feature(enable = "avx2")]
#[inline]
fn lower(tree: TreeView<'_>, group: &[u32], first: usize, mut nodes: [u32; ROWS]) -> [u32; ROWS] {
    for _ in UPPER..tree.height {
        for (lane, node) in nodes.iter_mut().enumerate() {
            let at = *node as usize;
            // SAFETY: as in the scalar walk.
            let (key, value) = unsafe {
                let place = *tree.places.get_unchecked(at) as usize;
                (*tree.keys.get_unchecked(at), *group.get_unchecked(place + first + lane))
            };
            *node = *node + *node + u32::from(value > key);
        }
    }
    nodes
}
