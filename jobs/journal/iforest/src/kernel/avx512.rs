//! The walk with AVX-512: the upper levels of a tree are decided for sixteen rows at once, by comparing them with all splits of these levels; the lower ones
//! row by row. Gathers, which would fetch each row's own split, take twice the time of this where they are quick, and four times where they are not.

#![expect(unsafe_code, reason = "instructions of one family of processors, behind a look at the processor")]

use std::arch::x86_64::*;

use super::scalar;
use crate::axis::{AxisTrees, TreeView};
use crate::lanes::{LANES, Lanes};

/// Levels that are decided at once.
const UPPER: u32 = 4;

pub(super) fn add_depths(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    if trees.height() < UPPER {
        return scalar::add_depths(trees, rows, sums);
    }
    let mut nodes = vec![0; sums.len()];
    for tree in trees.iter() {
        // SAFETY: `Instructions::available` has looked.
        unsafe { upper(tree, rows, &mut nodes) };
        // In a function without AVX-512, or the compiler would make gathers of it.
        scalar::add_from(tree, UPPER, &nodes, rows, sums);
    }
}

#[target_feature(enable = "avx512f")]
fn upper(tree: TreeView<'_>, rows: &Lanes, nodes: &mut [u32]) {
    for (group, nodes) in rows.groups().zip(nodes.chunks_exact_mut(LANES)) {
        let found = upper_of(tree, group);
        // SAFETY: there is room for sixteen numbers; the store asks for no alignment.
        unsafe { _mm512_storeu_si512(nodes.as_mut_ptr().cast(), found) };
    }
}

/// The node of the first level that is left at which each row arrives.
#[target_feature(enable = "avx512f")]
#[inline]
fn upper_of(tree: TreeView<'_>, group: &[u32]) -> __m512i {
    // A bit for each row that goes right at the node.
    let right = |node: usize| -> u16 {
        let values: &[u32; LANES] = group[tree.places[node] as usize..].first_chunk().unwrap_or(&[0; LANES]);
        // SAFETY: the reference is to sixteen numbers; the load asks for no alignment.
        let values = unsafe { _mm512_loadu_si512(std::ptr::from_ref(values).cast()) };
        _mm512_cmpgt_epu32_mask(values, _mm512_set1_epi32(tree.keys[node].cast_signed()))
    };
    let choose = |taken: u16, if_right: u16, if_left: u16| (taken & if_right) | (!taken & if_left);
    // Whichever of two neighbours a row is at, by what it took at the level above.
    let pair = |taken: u16, left: usize| choose(taken, right(left + 1), right(left));
    let first = right(1);
    let second = pair(first, 2);
    let third = choose(first, pair(second, 6), pair(second, 4));
    let of_left = choose(second, pair(third, 10), pair(third, 8));
    let fourth = choose(first, choose(second, pair(third, 14), pair(third, 12)), of_left);
    let one = _mm512_set1_epi32(1);
    [first, second, third, fourth].into_iter().fold(one, |nodes, right| {
        let doubled = _mm512_add_epi32(nodes, nodes);
        _mm512_mask_add_epi32(doubled, right, doubled, one)
    })
}
