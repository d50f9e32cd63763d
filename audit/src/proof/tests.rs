use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::tile::Tile;
use crate::tree::Edge;
use crate::tree::tests::{leaves, naive_root};

struct Log {
    leaves: Vec<Hash>,
    tiles: Tiles,
    /// Of the whole trees that a test asks for again and again, counted by the standard.
    roots: RefCell<BTreeMap<u64, Hash>>,
}

impl Log {
    fn of(size: u64) -> Self {
        let leaves = leaves(size);
        let (mut edge, mut tiles) = (Edge::new(), Tiles::default());
        for leaf in &leaves {
            edge.push(*leaf, &mut |tile| tiles.add(tile));
        }
        edge.partial_tiles().for_each(|tile| tiles.add(tile));
        Self { leaves, tiles, roots: RefCell::default() }
    }

    fn root(&self, size: u64) -> Hash {
        *self.roots.borrow_mut().entry(size).or_insert_with(|| naive_root(&self.leaves[..size as usize]))
    }

    /// Only what was asked for, and as wide as it was asked for.
    fn only(&self, needed: &[TileId]) -> Tiles {
        let tile = |id: &TileId| {
            let hashes = self.tiles.get(*id).unwrap().to_vec();
            Tile { level: id.level, index: id.index, hashes }
        };
        needed.iter().map(tile).collect()
    }

    fn inclusion(&self, size: u64, index: u64) -> Vec<Hash> {
        inclusion(size, index, &self.only(&needed_for_inclusion(size, index).unwrap())).unwrap()
    }

    fn consistency(&self, from: u64, size: u64) -> Vec<Hash> {
        consistency(from, size, &self.only(&needed_for_consistency(from, size).unwrap())).unwrap()
    }

    fn checks(&self, size: u64, index: u64) {
        let leaf = self.leaves[index as usize];
        let proof = self.inclusion(size, index);
        if size <= 600 {
            assert_eq!(proof, naive_path(index as usize, &self.leaves[..size as usize]), "{size} {index}");
        }
        assert_eq!(verify_inclusion(leaf, index, size, self.root(size), &proof), Ok(()), "{size} {index}");
    }

    fn checks_growth(&self, from: u64, size: u64) {
        let proof = self.consistency(from, size);
        let trees = ((from, self.root(from)), (size, self.root(size)));
        if from > 0 && size <= 600 {
            let naive = naive_proof(from as usize, &self.leaves[..size as usize], true);
            assert_eq!(proof, naive, "{from} {size}");
        }
        assert_eq!(verify_consistency(trees.0, trees.1, &proof), Ok(()), "{from} {size}");
    }
}

/// RFC 6962, 2.1.1, word for word.
fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = match m < k {
        true => (naive_path(m, left), naive_root(right)),
        false => (naive_path(m - k, right), naive_root(left)),
    };
    path.push(other);
    path
}

/// RFC 6962, 2.1.2, word for word.
fn naive_proof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = match m <= k {
        true => (naive_proof(m, left, whole), naive_root(right)),
        false => (naive_proof(m - k, right, false), naive_root(left)),
    };
    proof.push(other);
    proof
}

#[test]
fn every_proof_of_small_trees_is_the_one_of_the_standard() {
    let log = Log::of(70);
    for size in 0..70 {
        for other in 0..size {
            log.checks(size, other);
            log.checks_growth(other, size);
        }
        log.checks_growth(size, size);
    }
}

#[test]
fn proofs_hold_around_the_ends_of_tiles() {
    let log = Log::of(65_540);
    let sizes = [1, 255, 256, 257, 511, 512, 513, 65_279, 65_280, 65_281, 65_535, 65_536, 65_537];
    for size in sizes {
        for other in sizes.into_iter().filter(|other| *other <= size) {
            log.checks(size, other - 1);
            log.checks_growth(other, size);
        }
        assert_eq!(root_at(size, &log.only(&needed_for_root(size).unwrap())), Ok(log.root(size)), "{size}");
    }
}

#[test]
fn random_proofs_of_large_trees_hold() {
    let log = Log::of(100_000);
    // The same every time: steps that hit all residues.
    for step in 1..=30_u64 {
        let size = 1 + (step * 27_644_437) % 100_000;
        let other = (step * 15_485_863) % size;
        log.checks(size, other);
        log.checks_growth(other, size);
    }
}

#[test]
fn a_root_of_every_earlier_size_comes_from_the_tiles() {
    let log = Log::of(600);
    for size in 0..=600 {
        let needed = needed_for_root(size).unwrap();
        assert_eq!(root_at(size, &log.only(&needed)), Ok(log.root(size)), "{size}");
    }
}

#[test]
fn every_changed_bit_is_refused() {
    let log = Log::of(21);
    for size in 1..=21 {
        let root = log.root(size);
        for other in 0..size {
            let (leaf, proof) = (log.leaves[other as usize], log.inclusion(size, other));
            let refused =
                |leaf, root, proof: &[Hash]| verify_inclusion(leaf, other, size, root, proof).unwrap_err();
            for changed in flips(&proof) {
                assert_eq!(refused(leaf, root, &changed), ProofError::NotProven);
            }
            for changed in flips(&[leaf, root]) {
                assert_eq!(refused(changed[0], changed[1], &proof), ProofError::NotProven);
            }
            let (small, proof) = (log.root(other), log.consistency(other, size));
            let refused = |small, root, proof: &[Hash]| {
                verify_consistency((other, small), (size, root), proof).unwrap_err()
            };
            for changed in flips(&proof) {
                assert_eq!(refused(small, root, &changed), ProofError::NotProven);
            }
            // Any tree begins with nothing, whatever its root.
            let roots = if other == 0 { vec![] } else { vec![small, root] };
            for changed in flips(&roots) {
                assert_eq!(refused(changed[0], changed[1], &proof), ProofError::NotProven);
            }
        }
    }
}

/// Every way to change one bit.
fn flips(hashes: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
    (0..hashes.len() * 256).map(|bit| {
        let mut changed = hashes.to_vec();
        changed[bit / 256].0[bit / 8 % 32] ^= 1 << (bit % 8);
        changed
    })
}

#[test]
fn a_proof_for_another_leaf_or_tree_is_refused() {
    let log = Log::of(40);
    let root = log.root(40);
    let proof = log.inclusion(40, 17);
    for index in (0..40).filter(|index| *index != 17) {
        assert!(verify_inclusion(log.leaves[17], index, 40, root, &proof).is_err(), "{index}");
    }
    for size in (18..60).filter(|size| *size != 40) {
        let result = verify_inclusion(log.leaves[17], 17, size, root, &proof);
        // The path of a leaf on the left does not depend on how many are at the far right; the root does.
        assert!(result.is_err() || size > 32, "{size}");
    }
    let proof = log.consistency(17, 40);
    for size in (0..60).filter(|size| *size != 17 && *size != 40) {
        assert!(verify_consistency((size, log.root(17)), (40, root), &proof).is_err(), "{size}");
    }
}

#[test]
fn what_cannot_be_is_said_before_anything_is_read() {
    let (none, hash) = (Tiles::default(), Hash([0; 32]));
    let huge = MAX_SIZE + 1;
    assert_eq!(inclusion(5, 5, &none), Err(ProofError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(inclusion(0, 0, &none), Err(ProofError::NoSuchLeaf { index: 0, size: 0 }));
    assert_eq!(needed_for_inclusion(huge, 5), Err(ProofError::TooLarge(huge)));
    assert_eq!(consistency(6, 5, &none), Err(ProofError::NoBeginning { from: 6, size: 5 }));
    assert_eq!(needed_for_consistency(6, huge), Err(ProofError::TooLarge(huge)));
    assert_eq!(needed_for_root(huge), Err(ProofError::TooLarge(huge)));
    assert_eq!(root_at(huge, &none), Err(ProofError::TooLarge(huge)));
    let missing = TileId::new(0, 0, 5).unwrap();
    assert_eq!(root_at(5, &none), Err(ProofError::MissingTile(missing)));
    assert_eq!(inclusion(5, 1, &none), Err(ProofError::MissingTile(missing)));
    assert_eq!(verify_inclusion(hash, 3, 3, hash, &[]), Err(ProofError::NoSuchLeaf { index: 3, size: 3 }));
    assert_eq!(verify_inclusion(hash, 0, 3, hash, &[hash]), Err(ProofError::Length { has: 1, expected: 2 }));
    assert_eq!(
        verify_consistency((4, hash), (3, hash), &[]),
        Err(ProofError::NoBeginning { from: 4, size: 3 })
    );
    for (from, proof) in [(0, 1), (3, 1), (2, 0), (2, 2), (1, 1)] {
        let told = verify_consistency((from, hash), (3, hash), &vec![hash; proof]);
        assert!(matches!(told, Err(ProofError::Length { .. })), "{from} {proof}");
    }
    assert_eq!(verify_consistency((0, hash), (3, hash), &[]), Err(ProofError::NotProven));
    assert_eq!(verify_consistency((3, hash), (3, Hash([1; 32])), &[]), Err(ProofError::NotProven));
}

#[test]
fn the_largest_tree_has_proofs_of_63_hashes() {
    assert_eq!(inclusion_spans(MAX_SIZE, 0).unwrap().len(), 63);
    assert_eq!(needed_for_inclusion(MAX_SIZE, MAX_SIZE - 1).unwrap().len(), 8);
    assert!(!needed_for_consistency(MAX_SIZE - 1, MAX_SIZE).unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_numbers_make_a_verifier_panic(index: u64, from: u64, size: u64, count in 0_usize..70) {
        let hash = Hash([3; 32]);
        let proof = vec![hash; count];
        prop_assert!(verify_inclusion(hash, index, size, hash, &proof).is_err());
        if from != size {
            prop_assert!(verify_consistency((from, hash), (size, hash), &proof).is_err());
        }
    }
}
