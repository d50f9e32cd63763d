//! Tiles: the tree cut into runs of 256 hashes (C2SP tlog-tiles), the form in which it is stored, exported and anchored.
//!
//! A full tile never changes, so it can lie in a place where nothing may be changed. Proofs are computed from tiles;
//! nobody has to keep the whole tree.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::tree::Hash;

/// Hashes of a full tile.
pub const WIDTH: usize = 256;

/// The last level that C2SP tlog-tiles allows in a path.
const MAX_LEVEL: u8 = 63;

/// Which tile, and how many of its hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    pub level: u8,
    pub index: u64,
    width: u16,
}

/// A tile with its hashes, 1 to 256 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    pub level: u8,
    pub index: u64,
    pub hashes: Vec<Hash>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    #[error("`{0}` is no path of a tile; one looks like tile/0/x001/x234/067 or tile/0/000.p/5")]
    Path(String),
    #[error("`tile` has {0} bytes, which are not 1 to 256 hashes of 32; fetch it again from another copy")]
    Length(usize),
}

impl TileId {
    /// None where there is no such tile: one without hashes, or with more than 256.
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        let fits = level <= MAX_LEVEL && (1..=WIDTH as u16).contains(&width);
        fits.then_some(Self { level, index, width })
    }

    /// As wide as it is in a tree of that size; None where the tree has none of it.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let before = index.checked_mul(WIDTH as u64)?;
        Self::new(level, index, hashes.saturating_sub(before).min(WIDTH as u64) as u16)
    }

    pub fn width(self) -> u16 {
        self.width
    }

    pub fn is_full(self) -> bool {
        usize::from(self.width) == WIDTH
    }

    /// Such as `tile/0/x001/x234/067.p/5`.
    pub fn path(self) -> String {
        let mut index = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            index = format!("x{:03}/{index}", rest % 1000);
            rest /= 1000;
        }
        let part = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{}/{index}{part}", self.level)
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        // Each tile has one path, so whatever does not come out again as it went in is none.
        read(path).filter(|id| id.path() == path).ok_or_else(|| TileError::Path(path.into()))
    }
}

fn read(path: &str) -> Option<TileId> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| *width < WIDTH as u16)?),
        None => (rest, WIDTH as u16),
    };
    let index = index.split('/').try_fold(0_u64, |sum, part| {
        let number: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
        sum.checked_mul(1000)?.checked_add(number)
    })?;
    TileId::new(level.parse().ok()?, index, width)
}

impl Tile {
    pub fn id(&self) -> Option<TileId> {
        TileId::new(self.level, self.index, u16::try_from(self.hashes.len()).ok()?)
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }

    pub fn from_bytes(level: u8, index: u64, bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, odd) = bytes.as_chunks::<32>();
        if !odd.is_empty() || !(1..=WIDTH).contains(&hashes.len()) {
            return Err(TileError::Length(bytes.len()));
        }
        Ok(Self { level, index, hashes: hashes.iter().map(|hash| Hash(*hash)).collect() })
    }
}

/// Every tile of a tree of this size, the lowest level first.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TileId> {
    tiles_since(0, size)
}

/// The tiles that a tree has which grew from one size to another, and had not before, or not as wide.
pub fn tiles_since(before: u64, size: u64) -> impl Iterator<Item = TileId> {
    let levels = (0..8_u8).take_while(move |level| size >> (8 * level) > 0);
    levels.flat_map(move |level| {
        let (had, has) = (before >> (8 * level), size >> (8 * level));
        let changed = if had < has { had / WIDTH as u64..has.div_ceil(WIDTH as u64) } else { 0..0 };
        changed.filter_map(move |index| TileId::in_tree(level, index, size))
    })
}

/// Tiles that are at hand, from which proofs are computed.
#[derive(Debug, Clone, Default)]
pub struct Tiles(HashMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// The wider one stays, where two are the same tile: the narrower is its beginning.
    pub fn add(&mut self, tile: Tile) {
        let known = self.0.entry((tile.level, tile.index)).or_default();
        if known.len() < tile.hashes.len() {
            *known = tile.hashes;
        }
    }

    /// None unless it is there as wide as it is asked for.
    pub fn get(&self, id: TileId) -> Option<&[Hash]> {
        self.0.get(&(id.level, id.index))?.get(..usize::from(id.width))
    }
}

impl FromIterator<Tile> for Tiles {
    fn from_iter<I: IntoIterator<Item = Tile>>(tiles: I) -> Self {
        let mut all = Self::default();
        tiles.into_iter().for_each(|tile| all.add(tile));
        all
    }
}

#[cfg(test)]
mod tests;
