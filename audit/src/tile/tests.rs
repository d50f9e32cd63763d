use super::*;
use crate::tree::Edge;
use crate::tree::tests::leaves;

fn id(level: u8, index: u64, width: u16) -> TileId {
    TileId::new(level, index, width).unwrap()
}

#[test]
fn a_path_reads_back() {
    for (id, path) in [
        (id(0, 0, 256), "tile/0/000"),
        (id(0, 0, 1), "tile/0/000.p/1"),
        (id(2, 999, 255), "tile/2/999.p/255"),
        (id(0, 1_000, 256), "tile/0/x001/000"),
        (id(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (id(63, 1_234_067, 5), "tile/63/x001/x234/067.p/5"),
        (id(7, u64::MAX, 5), "tile/7/x018/x446/x744/x073/x709/x551/615.p/5"),
    ] {
        assert_eq!(id.to_string(), path);
        assert_eq!(path.parse(), Ok(id));
    }
}

#[test]
fn nothing_else_is_a_path() {
    for wrong in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/x001//000",
        "tile/0/+01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/05",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000 ",
        "tile/entries/000",
        "tile/7/x018/x446/x744/x073/x709/x551/616",
        "tile/7/x999/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(wrong.parse::<TileId>(), Err(TileError::Path(wrong.into())), "{wrong}");
    }
}

#[test]
fn the_example_of_the_specification_has_its_tiles() {
    let tiles: Vec<_> = tiles_of(70_000).collect();
    assert_eq!(tiles.len(), 273 + 1 + 1 + 1 + 1);
    assert!(tiles[..273].iter().enumerate().all(|(at, tile)| *tile == id(0, at as u64, 256)));
    assert_eq!(tiles[273..], [id(0, 273, 112), id(1, 0, 256), id(1, 1, 17), id(2, 0, 1)]);
    assert_eq!(tiles_of(256).collect::<Vec<_>>(), [id(0, 0, 256), id(1, 0, 1)]);
    assert_eq!(tiles_of(0).count(), 0);
}

#[test]
fn a_tree_has_the_tiles_that_its_edge_handed_out_and_those_that_are_left() {
    let (mut edge, mut full) = (Edge::new(), Vec::new());
    for leaf in leaves(1_100) {
        edge.push(leaf, &mut |tile| full.push(tile));
        let mut handed: Vec<_> = full.iter().cloned().chain(edge.partial_tiles()).collect();
        handed.sort_by_key(|tile| (tile.level, tile.index));
        let handed: Vec<_> = handed.iter().filter_map(Tile::id).collect();
        assert_eq!(handed, tiles_of(edge.size()).collect::<Vec<_>>(), "{}", edge.size());
    }
}

#[test]
fn what_a_tree_grew_by_makes_the_tiles_of_the_larger_one() {
    for (before, size) in
        [(0, 5), (5, 5), (6, 5), (5, 9), (250, 256), (256, 257), (200, 600), (65_530, 65_540)]
    {
        let known: Vec<_> = tiles_of(before).collect();
        let new: Vec<_> = tiles_since(before, size).collect();
        assert!(new.iter().all(|tile| !known.contains(tile)), "{before} {size}");
        if before <= size {
            let mut all: Vec<_> = tiles_of(size).filter(|tile| known.contains(tile)).chain(new).collect();
            all.sort();
            assert_eq!(all, tiles_of(size).collect::<Vec<_>>(), "{before} {size}");
        }
    }
    assert_eq!(tiles_since(250, 260).collect::<Vec<_>>(), [id(0, 0, 256), id(0, 1, 4), id(1, 0, 1)]);
}

#[test]
fn the_bytes_of_a_tile_are_its_hashes() {
    let tile = Tile { level: 1, index: 2, hashes: leaves(3) };
    let bytes = tile.to_bytes();
    assert_eq!(bytes.len(), 96);
    assert_eq!(Tile::from_bytes(1, 2, &bytes), Ok(tile));
    for length in [0, 1, 31, 33, 257 * 32] {
        assert_eq!(Tile::from_bytes(0, 0, &vec![0; length]), Err(TileError::Length(length)));
    }
}

#[test]
fn a_tile_without_hashes_or_with_too_many_is_none() {
    assert_eq!(TileId::new(0, 0, 0), None);
    assert_eq!(TileId::new(0, 0, 257), None);
    assert_eq!(TileId::new(64, 0, 1), None);
    assert_eq!(TileId::in_tree(0, 1, 256), None);
    assert_eq!(TileId::in_tree(9, 0, u64::MAX), None);
    assert_eq!(TileId::in_tree(0, u64::MAX, u64::MAX), None);
    assert_eq!(Tile { level: 0, index: 0, hashes: Vec::new() }.id(), None);
    assert_eq!(id(3, 1, 7).width(), 7);
}

#[test]
fn the_wider_of_two_tiles_stays() {
    let hashes = leaves(9);
    let tile = |width: usize| Tile { level: 0, index: 0, hashes: hashes[..width].to_vec() };
    for order in [[5, 9], [9, 5]] {
        let tiles: Tiles = order.map(tile).into_iter().collect();
        assert_eq!(tiles.get(id(0, 0, 9)), Some(&hashes[..]));
        assert_eq!(tiles.get(id(0, 0, 4)), Some(&hashes[..4]));
        assert_eq!(tiles.get(id(0, 0, 10)), None);
        assert_eq!(tiles.get(id(0, 1, 1)), None);
    }
}
