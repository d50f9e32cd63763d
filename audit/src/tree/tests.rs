use proptest::prelude::*;

use super::*;
use crate::tile::TileId;

/// RFC 6962, 2.1, word for word.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_empty_tree(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while 2 * k < leaves.len() {
                k *= 2;
            }
            node_hash(naive_root(&leaves[..k]), naive_root(&leaves[k..]))
        }
    }
}

pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|leaf| leaf_hash(format!("leaf {leaf}").as_bytes())).collect()
}

fn hex(text: &str) -> Hash {
    Hash::from_hex(text).unwrap()
}

fn grown(leaves: &[Hash]) -> (Edge, Vec<Tile>) {
    let (mut edge, mut tiles) = (Edge::new(), Vec::new());
    for leaf in leaves {
        edge.push(*leaf, &mut |tile| tiles.push(tile));
    }
    (edge, tiles)
}

/// The inputs and roots that Certificate Transparency's own tests have for RFC 6962.
#[test]
fn the_published_leaves_have_the_published_roots() {
    let inputs: [&[u8]; 8] = [
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
    let mut edge = Edge::new();
    assert_eq!(edge.root(), hex(roots[0]));
    for (input, root) in inputs.iter().zip(&roots[1..]) {
        edge.push(leaf_hash(input), &mut |_| ());
        assert_eq!(edge.root(), hex(root), "{}", edge.size());
    }
}

#[test]
fn the_root_of_every_small_tree_is_the_one_of_the_standard() {
    let leaves = leaves(600);
    let mut edge = Edge::new();
    for size in 0..=600 {
        assert_eq!(edge.size(), size as u64);
        assert_eq!(edge.root(), naive_root(&leaves[..size]), "{size}");
        assert_eq!(root_over(&leaves[..size]), edge.root(), "{size}");
        assert_eq!(Edge::from_bytes(&edge.to_bytes()), Ok(edge.clone()), "{size}");
        if let Some(next) = leaves.get(size) {
            edge.push(*next, &mut |_| ());
        }
    }
}

#[test]
fn the_root_is_right_around_the_third_level_of_tiles() {
    let leaves = leaves(65_800);
    let mut edge = Edge::new();
    for (at, leaf) in leaves.iter().enumerate() {
        if [65_279, 65_280, 65_281, 65_535, 65_536, 65_537, 65_791, 65_793].contains(&at) {
            assert_eq!(edge.root(), naive_root(&leaves[..at]), "{at}");
            assert_eq!(Edge::from_bytes(&edge.to_bytes()), Ok(edge.clone()), "{at}");
        }
        edge.push(*leaf, &mut |_| ());
    }
}

#[test]
fn each_tile_is_handed_out_once_when_it_is_full_and_the_rest_is_partial() {
    let leaves = leaves(65_536 + 300);
    let (edge, tiles) = grown(&leaves);

    let names: Vec<_> = tiles.iter().map(|tile| (tile.level, tile.index)).collect();
    let mut expected: Vec<_> = (0..256).map(|index| (0, index)).collect();
    expected.extend([(1, 0), (0, 256)]);
    assert_eq!(names, expected);
    assert_eq!(tiles[3].hashes, leaves[768..1024]);
    assert_eq!(tiles[256].hashes[9], naive_root(&leaves[9 * 256..10 * 256]));
    let partial: Vec<_> = edge.partial_tiles().filter_map(|tile| tile.id()).collect();
    let expected = [(0, 257, 44), (1, 1, 1), (2, 0, 1)];
    assert_eq!(partial, expected.map(|(level, index, width)| TileId::new(level, index, width).unwrap()));
}

#[test]
fn an_edge_that_was_cut_or_is_of_another_version_is_refused() {
    let bytes = grown(&leaves(300)).0.to_bytes();
    let of_size = |size: u64| [&[EDGE_VERSION], &size.to_be_bytes()[..], &bytes[9..]].concat();
    for (bytes, why) in [
        (Vec::new(), EdgeError::Length),
        (vec![EDGE_VERSION], EdgeError::Length),
        (bytes[..8].to_vec(), EdgeError::Length),
        (bytes[..bytes.len() - 1].to_vec(), EdgeError::Length),
        (bytes[..bytes.len() - 32].to_vec(), EdgeError::Length),
        ([&bytes[..], &[0; 32]].concat(), EdgeError::Length),
        (of_size(299), EdgeError::Length),
        (of_size(1 << 63), EdgeError::Size(1 << 63)),
        ([&[2], &bytes[1..]].concat(), EdgeError::Version(2)),
    ] {
        assert_eq!(Edge::from_bytes(&bytes), Err(why), "{}", bytes.len());
    }
}

#[test]
fn an_edge_of_the_largest_size_reads_back() {
    let width = |level: u32| ((MAX_SIZE >> (8 * level)) % 256) as usize;
    let hashes: usize = (0..8).map(width).sum();
    let bytes = [&[EDGE_VERSION], &MAX_SIZE.to_be_bytes()[..], &vec![7; 32 * hashes]].concat();
    let edge = Edge::from_bytes(&bytes).unwrap();
    assert_eq!(edge.to_bytes(), bytes);
    assert_eq!(edge.partial_tiles().last().and_then(|tile| tile.id()), TileId::new(7, 0, 127));
    edge.root();
}

#[test]
fn a_hash_reads_back_in_its_only_form() {
    let hash = leaf_hash(b"");
    assert_eq!(hash.to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
    assert_eq!(format!("{hash:?}"), "Hash(bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=)");
    assert_eq!(Hash::from_base64(&hash.to_string()), Some(hash));
    assert_eq!(Hash::from_hex(&hash.to_hex()), Some(hash));
    for wrong in [
        "",
        "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0",
        "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB1=",
        "bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB0=",
        " bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
        "bjQL",
    ] {
        assert_eq!(Hash::from_base64(wrong), None, "{wrong}");
    }
    let digits = hash.to_hex();
    for wrong in ["", &digits[1..], &digits[2..], &digits.to_uppercase(), &digits.replace('6', "g")] {
        assert_eq!(Hash::from_hex(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_an_edge_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 0_u64..100_000) {
        let _ = Edge::from_bytes(&bytes);
        let bytes = [&[EDGE_VERSION], &size.to_be_bytes()[..], &bytes].concat();
        if let Ok(edge) = Edge::from_bytes(&bytes) {
            prop_assert_eq!(edge.to_bytes(), bytes);
            edge.root();
        }
    }
}
