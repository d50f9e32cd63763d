use super::*;
use crate::tile::full_tiles;

/// As the RFC says it, without a thought for cost.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

pub(crate) fn grown(leaves: &[Hash]) -> (Edge, Vec<Full>) {
    let (mut edge, mut full) = (Edge::default(), Vec::new());
    for leaf in leaves {
        edge.push(*leaf, &mut |tile| full.push(tile));
    }
    (edge, full)
}

#[test]
fn the_answers_of_the_rfc_are_known() {
    // The leaves and roots of the reference implementation of Certificate Transparency.
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut edge = Edge::default();
    assert_eq!(edge.root().hex(), roots[0]);
    for (leaf, root) in leaves.iter().zip(&roots[1..]) {
        edge.push(leaf_hash(leaf), &mut |_| unreachable!());
        assert_eq!(edge.root().hex(), *root);
    }
}

#[test]
fn a_tree_of_any_size_has_the_root_of_the_rfc_and_comes_back_from_its_bytes() {
    let all = leaves(600);
    let mut edge = Edge::default();
    for size in 0..=all.len() {
        assert_eq!(edge.root(), naive_root(&all[..size]), "{size}");
        assert_eq!(Edge::from_bytes(&edge.to_bytes()).unwrap(), edge, "{size}");
        if size < all.len() {
            edge.push(all[size], &mut |_| ());
        }
    }
}

#[test]
fn tiles_come_when_they_are_full() {
    let all = leaves(70_000);
    let (edge, full) = grown(&all);

    let mut names: Vec<_> = full.iter().map(|tile| (tile.level, tile.number)).collect();
    names.sort_unstable();
    let wanted: Vec<_> = full_tiles(0, 70_000).map(|tile| (tile.level, tile.number)).collect();
    assert_eq!(names, wanted);
    assert_eq!(edge.root(), naive_root(&all));
    let of = |level, number| &full.iter().find(|t| (t.level, t.number) == (level, number)).unwrap().hashes;
    assert_eq!(of(0, 3), &all[768..1024]);
    assert_eq!(of(1, 0)[3], naive_root(&all[768..1024]));
    assert_eq!(edge.partial(2), [naive_root(&all[..65_536])]);
}

#[test]
fn an_edge_that_is_damaged_is_refused() {
    let (edge, _) = grown(&leaves(300));
    let bytes = edge.to_bytes();
    for bad in [&bytes[..0], &bytes[..8], &bytes[..bytes.len() - 1], &[&bytes[..], b"x"].concat()] {
        assert_eq!(Edge::from_bytes(bad), Err(DamagedEdge));
    }
    let other_version = [&[2], &bytes[1..]].concat();
    assert_eq!(Edge::from_bytes(&other_version), Err(DamagedEdge));
    assert_eq!(format!("{:?}", Hash([0xab; 32])), "ab".repeat(32));
}
