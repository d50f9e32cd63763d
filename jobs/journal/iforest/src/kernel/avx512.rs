//! The walk with AVX-512: sixteen rows at once. The splits of the four upper levels stand in registers, those of the fifth in two; below, and for the rows'
//! values, they are gathered.

#![expect(unsafe_code, reason = "instructions of one family of processors, behind a look at the processor")]

use std::arch::x86_64::*;

use crate::axis::{AxisTrees, TreeView};
use crate::lanes::{LANES, Lanes};

/// Levels whose splits stand in registers.
const UPPER: u32 = 5;

pub(super) fn add_depths(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    if trees.height() < UPPER {
        return super::scalar::add_depths(trees, rows, sums);
    }
    // SAFETY: `Instructions::available` has looked.
    unsafe { add_depths_avx512(trees, rows, sums) }
}

#[target_feature(enable = "avx512f")]
fn add_depths_avx512(trees: &AxisTrees, rows: &Lanes, sums: &mut [u64]) {
    for tree in trees.iter() {
        let splits = Splits::load(tree);
        for (group, sums) in rows.groups().zip(sums.chunks_exact_mut(LANES)) {
            for (sum, depth) in sums.iter_mut().zip(depths(tree, &splits, group)) {
                *sum += u64::from(depth);
            }
        }
    }
}

/// The splits of the five upper levels: nodes 1 to 15 in the first registers, 16 to 31 in the second.
struct Splits {
    keys: [__m512i; 2],
    places: [__m512i; 2],
}

impl Splits {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(tree: TreeView<'_>) -> Self {
        let pair = |array: &[u32]| {
            let load = |from: usize| {
                let numbers: &[u32; LANES] = array[from..].first_chunk().unwrap_or(&[0; LANES]);
                // SAFETY: the reference is to sixteen numbers; the load asks for no alignment.
                unsafe { _mm512_loadu_si512(std::ptr::from_ref(numbers).cast()) }
            };
            [load(0), load(LANES)]
        };
        Self { keys: pair(tree.keys), places: pair(tree.places) }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn depths(tree: TreeView<'_>, splits: &Splits, group: &[u32]) -> [u32; LANES] {
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let one = _mm512_set1_epi32(1);
    let mut nodes = one;
    for level in 0..tree.height {
        let (keys, places) = if level < UPPER {
            // The lowest five bits of a node choose among both registers.
            (
                _mm512_permutex2var_epi32(splits.keys[0], nodes, splits.keys[1]),
                _mm512_permutex2var_epi32(splits.places[0], nodes, splits.places[1]),
            )
        } else {
            // SAFETY: before its last step a walk is at a node below `1 << height`, the length of both arrays.
            unsafe {
                (
                    _mm512_i32gather_epi32::<4>(nodes, tree.keys.as_ptr().cast()),
                    _mm512_i32gather_epi32::<4>(nodes, tree.places.as_ptr().cast()),
                )
            }
        };
        // SAFETY: every place is a column's of this group, and a lane is below LANES.
        let values =
            unsafe { _mm512_i32gather_epi32::<4>(_mm512_add_epi32(places, lanes), group.as_ptr().cast()) };
        let doubled = _mm512_add_epi32(nodes, nodes);
        nodes = _mm512_mask_add_epi32(doubled, _mm512_cmpgt_epu32_mask(values, keys), doubled, one);
    }
    let bottom = _mm512_sub_epi32(nodes, _mm512_set1_epi32(1_i32 << tree.height));
    let mut found = [0_u32; LANES];
    // SAFETY: after its last step a walk is at a node of the bottom, of which there are as many as leaves; there is room for sixteen numbers.
    unsafe {
        let leaves = _mm512_i32gather_epi32::<4>(bottom, tree.leaves.as_ptr().cast());
        _mm512_storeu_si512(found.as_mut_ptr().cast(), leaves);
    }
    found
}
