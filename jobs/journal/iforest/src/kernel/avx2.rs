//! The walk with AVX2: the three upper levels of a tree are decided for eight rows at once, by comparing them with all seven splits; the lower ones row by
//! row. Gathers, which would fetch each row's own split, are slower than either on most processors that have AVX2 and not AVX-512.

#![expect(unsafe_code, reason = "instructions of one family of processors, behind a look at the processor")]

use std::arch::x86_64::*;

use super::scalar;
use crate::axis::{AxisTrees, TreeView};
use crate::lanes::{LANES, Lanes};

const ROWS: usize = 8;
/// Levels that are decided at once.
const UPPER: u32 = 3;

pub(super) fn add_depths(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    if trees.height() < UPPER {
        return scalar::add_depths(trees, rows, sums);
    }
    let mut nodes = vec![0; sums.len()];
    for tree in trees.iter() {
        // SAFETY: `Instructions::available` has looked.
        unsafe { upper(tree, rows, &mut nodes) };
        // In a function without AVX2, or the compiler would make gathers of it.
        scalar::add_from(tree, UPPER, &nodes, rows, sums);
    }
}

#[target_feature(enable = "avx2")]
fn upper(tree: TreeView<'_>, rows: &Lanes, nodes: &mut [u32]) {
    for (group, nodes) in rows.groups().zip(nodes.chunks_exact_mut(LANES)) {
        for (first, nodes) in (0..LANES).step_by(ROWS).zip(nodes.chunks_exact_mut(ROWS)) {
            let found = upper_of(tree, group, first);
            // SAFETY: there is room for eight numbers; the store asks for no alignment.
            unsafe { _mm256_storeu_si256(nodes.as_mut_ptr().cast(), found) };
        }
    }
}

/// The node of the fourth level at which each row arrives.
#[target_feature(enable = "avx2")]
#[inline]
fn upper_of(tree: TreeView<'_>, group: &[u32], first: usize) -> __m256i {
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
    down(down(down(one, l1), second), third)
}
