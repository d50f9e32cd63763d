use super::*;
use crate::tree::tests::{grown, leaves, naive_root};

fn tiles(all: &[Hash]) -> Tiles {
    let (edge, full) = grown(all);
    let mut tiles = Tiles::of(&edge);
    for tile in full {
        tiles.add(tile.level, tile.number, tile.hashes);
    }
    tiles
}

/// Those that are needed and no other.
fn only(tiles: &Tiles, needed: &BTreeSet<TileId>) -> Tiles {
    let mut few = Tiles::sized(tiles.size);
    assert_eq!(few.missing(needed).len(), needed.len());
    for tile in needed {
        let hashes = tiles.tiles[&(tile.level, tile.number)].clone();
        assert_eq!(hashes.len(), usize::from(tile.width), "{tile}");
        few.add(tile.level, tile.number, hashes);
    }
    assert_eq!(few.missing(needed), []);
    few
}

fn spoilt(proof: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
    let flipped = (0..proof.len()).map(|at| {
        let mut bad = proof.to_vec();
        bad[at].0[at % 32] ^= 1 << (at % 8);
        bad
    });
    let shorter = (!proof.is_empty()).then(|| proof[1..].to_vec());
    flipped.chain(shorter).chain([[proof, &[empty_root()]].concat()])
}

fn check(tiles: &Tiles, all: &[Hash], (a, root_a): (u64, Hash), (b, root_b): (u64, Hash)) {
    let root = |size: u64| if size == a { root_a } else { root_b };
    let whole = all.len() as u64;
    let few = only(tiles, &needed_for_consistency(a, b, whole).unwrap());
    let proof = few.consistency(a, b).unwrap();
    verify_consistency(&proof, (a, root(a)), (b, root(b))).unwrap_or_else(|bad| panic!("{a} {b}: {bad}"));
    for bad in spoilt(&proof) {
        assert!(verify_consistency(&bad, (a, root(a)), (b, root(b))).is_err(), "{a} {b}");
    }
    assert_eq!(only(tiles, &needed_for_root(a, whole).unwrap()).root_at(a).unwrap(), root(a));
    if a < b {
        let leaf = all[a as usize];
        let few = only(tiles, &needed_for_inclusion(a, b, whole).unwrap());
        let proof = few.inclusion(a, b).unwrap();
        verify_inclusion(&proof, (a, leaf), (b, root(b))).unwrap();
        for bad in spoilt(&proof) {
            assert!(verify_inclusion(&bad, (a, leaf), (b, root(b))).is_err(), "{a} {b}");
        }
        assert_eq!(verify_inclusion(&proof, (a, empty_root()), (b, root(b))), Err(ProofError::Root));
        if b > 1 {
            assert!(verify_inclusion(&proof, (a ^ 1, leaf), (b, root(b))).is_err());
            assert!(verify_consistency(&few.consistency(a, a).unwrap(), (a, root(a)), (a, root(b))).is_err());
        }
    }
}

#[test]
fn all_proofs_of_small_trees_hold_and_no_spoilt_one_does() {
    let all = leaves(70);
    let tiles = tiles(&all);
    let roots: Vec<_> = (0..=70).map(|size| (size, naive_root(&all[..size as usize]))).collect();
    for b in 0..=70 {
        for a in 0..=b {
            check(&tiles, &all, roots[a], roots[b]);
        }
    }
}

#[test]
fn proofs_hold_where_tiles_end() {
    let all = leaves(66_100);
    let tiles = tiles(&all);
    let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 513, 4_095, 65_535, 65_536, 65_537, 66_099, 66_100];
    let roots = sizes.map(|size| (size, naive_root(&all[..size as usize])));
    for (number, a) in roots.iter().enumerate() {
        for b in &roots[number..] {
            check(&tiles, &all, *a, *b);
        }
    }
}

#[test]
fn what_cannot_be_proven_is_refused() {
    let tiles = tiles(&leaves(300));
    assert_eq!(tiles.inclusion(300, 300), Err(ProofError::NoLeaf { index: 300, size: 300 }));
    assert_eq!(tiles.inclusion(0, 301), Err(ProofError::NoBeginning { from: 301, to: 300 }));
    assert_eq!(tiles.consistency(5, 4), Err(ProofError::NoBeginning { from: 5, to: 4 }));
    assert_eq!(needed_for_root(9, 8), Err(ProofError::NoBeginning { from: 9, to: 8 }));
    let nothing = Tiles::sized(300);
    assert!(matches!(nothing.root_at(300), Err(ProofError::NoTile(_))));
    assert_eq!(
        verify_inclusion(&[], (0, empty_root()), (0, empty_root())),
        Err(ProofError::NoLeaf { index: 0, size: 0 })
    );
}
