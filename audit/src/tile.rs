//! Tiles: the tree's hashes in pieces of 256 that never change once they are full, as C2SP's tlog-tiles has them.

use std::fmt;
use std::str::FromStr;

/// Levels of the tree in one tile.
pub const HEIGHT: u32 = 8;
/// Hashes in a full tile.
pub const FULL: usize = 1 << HEIGHT;

/// A tile, full or of fewer hashes at the right edge of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    pub level: u8,
    pub number: u64,
    /// 1 to 256.
    pub width: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the path of a tile; one is tile/0/x001/234 or tile/0/x001/234.p/5")]
pub struct NoTile(String);

/// How many whole subtrees of 256 to the power of the level a tree has.
fn hashes_at(size: u64, level: u8) -> u64 {
    size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0)
}

/// The tiles of a tree that stand in no larger one: for each level the one at the right edge, if it is not full.
pub fn partial_tiles(size: u64) -> Vec<TileId> {
    let at = |level| {
        let hashes = hashes_at(size, level);
        let width = (hashes % FULL as u64) as u16;
        (width > 0).then_some(TileId { level, number: hashes >> HEIGHT, width })
    };
    (0..8).filter_map(at).collect()
}

/// The tiles that are full in a tree of one size and were not in a smaller one.
pub fn full_tiles(from: u64, to: u64) -> impl Iterator<Item = TileId> {
    (0..8_u8).flat_map(move |level| {
        let full = |size| hashes_at(size, level) >> HEIGHT;
        (full(from)..full(to)).map(move |number| TileId { level, number, width: FULL as u16 })
    })
}

impl TileId {
    /// The tile of a level in which this hash stands, as wide as it is in a tree of that size.
    pub fn holding(size: u64, level: u8, index: u64) -> Self {
        let number = index >> HEIGHT;
        let width = (hashes_at(size, level) - (number << HEIGHT)).min(FULL as u64) as u16;
        Self { level, number, width }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, numbered(self.number))?;
        if usize::from(self.width) < FULL { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// In groups of three digits, all but the last marked: 1234067 is x001/x234/067.
fn numbered(number: u64) -> String {
    let mut path = format!("{:03}", number % 1_000);
    let mut left = number / 1_000;
    while left > 0 {
        path = format!("x{:03}/{path}", left % 1_000);
        left /= 1_000;
    }
    path
}

impl FromStr for TileId {
    type Err = NoTile;

    fn from_str(path: &str) -> Result<Self, NoTile> {
        let parse = || {
            let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let (number, width) = match rest.split_once(".p/") {
                Some((number, width)) => (number, width.parse().ok()?),
                None => (rest, FULL as u16),
            };
            let digits: String = number.split('/').map(|part| part.trim_start_matches('x')).collect();
            let tile = Self { level: level.parse().ok()?, number: digits.parse().ok()?, width };
            // One path for one tile: whatever else is written in another way is refused.
            (tile.width > 0 && tile.to_string() == path).then_some(tile)
        };
        parse().ok_or_else(|| NoTile(path.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_path() {
        for (level, number, width, path) in [
            (0, 0, 256, "tile/0/000"),
            (0, 5, 1, "tile/0/005.p/1"),
            (1, 999, 256, "tile/1/999"),
            (0, 1_000, 255, "tile/0/x001/000.p/255"),
            (2, 1_234_067, 256, "tile/2/x001/x234/067"),
        ] {
            let tile = TileId { level, number, width };
            assert_eq!((tile.to_string().as_str(), path.parse()), (path, Ok(tile)));
        }
        for bad in [
            "tile/0/0",
            "tile/0/1000",
            "tile/0/x001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/x/000",
            "0/000",
        ] {
            assert_eq!(bad.parse::<TileId>(), Err(NoTile(bad.into())), "{bad}");
        }
    }

    #[test]
    fn a_tree_has_its_tiles() {
        let names = |tiles: Vec<TileId>| tiles.iter().map(TileId::to_string).collect::<Vec<_>>();
        assert_eq!(names(partial_tiles(0)), [""; 0]);
        assert_eq!(names(partial_tiles(255)), ["tile/0/000.p/255"]);
        assert_eq!(names(partial_tiles(256)), ["tile/1/000.p/1"]);
        assert_eq!(names(partial_tiles(70_000)), ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(names(full_tiles(0, 255).collect()), [""; 0]);
        assert_eq!(names(full_tiles(255, 600).collect()), ["tile/0/000", "tile/0/001"]);
        assert_eq!(full_tiles(0, 65_536).count(), 257);
        assert_eq!(TileId::holding(600, 0, 599).to_string(), "tile/0/002.p/88");
        assert_eq!(TileId::holding(600, 0, 511).to_string(), "tile/0/001");
    }
}
