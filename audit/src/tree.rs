//! The Merkle tree of RFC 6962, and the growing right edge of one.
//!
//! A log is too long to be kept in memory or hashed anew for each entry. What it takes to go on is the edge: per level of
//! tiles the hashes of the tile that is not full yet. Each tile is handed out once, when it becomes full, and never
//! changes again.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{Context, SHA256, digest};

use crate::tile::{Tile, WIDTH};

/// Databases and the tools of others keep sizes as signed numbers.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// Prefixes that keep a leaf from being passed off as an inner node, and the other way round.
const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The first byte of a stored edge; another layout gets another number.
const EDGE_VERSION: u8 = 1;

/// A SHA-256 hash. It shows itself as the standards write it, in base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The root of a tree without leaves: the hash of nothing.
    pub fn of_empty_tree() -> Self {
        taken(digest(&SHA256, b""))
    }

    /// None unless it is base64 of 32 bytes, in its only form.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// None unless it is 64 hexadecimal digits in lower case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |digit: &u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let (pairs, odd) = text.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
        let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
        Some(Self(bytes.try_into().ok()?)).filter(|_| odd.is_empty())
    }

    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

pub fn leaf_hash(line: &[u8]) -> Hash {
    hashed(&[&LEAF, line])
}

pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[0] = NODE[0];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    taken(digest(&SHA256, &bytes))
}

/// The root over hashes that are already those of leaves or of complete subtrees of one height.
pub fn root_over(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::of_empty_tree(),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(split(hashes.len() as u64) as usize);
            node_hash(root_over(left), root_over(right))
        }
    }
}

/// How many of at least two leaves are on the left: the largest power of two that is smaller.
pub(crate) fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

pub(crate) fn hashed(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    taken(context.finish())
}

fn taken(digest: ring::digest::Digest) -> Hash {
    let mut hash = Hash([0; 32]);
    hash.0.copy_from_slice(digest.as_ref());
    hash
}

/// What has to be known of a tree to let it grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    /// By level, the hashes of the tile that is not full: never more than 255, and as many as the size says.
    open: Vec<Vec<Hash>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    #[error("`edge` has version {0}, and this program knows version {EDGE_VERSION}; use a newer program")]
    Version(u8),
    #[error("`edge` is cut short or too long; build it anew from the entries")]
    Length,
    #[error(
        "`edge` says that the tree has {0} leaves, more than a log can have; build it anew from the entries"
    )]
    Size(u64),
}

impl Edge {
    /// Of a tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Tiles that become full by it are handed out, the lowest level first.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Tile)) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.open.len() == level {
                self.open.push(Vec::with_capacity(WIDTH));
            }
            let open = &mut self.open[level];
            open.push(hash);
            if open.len() < WIDTH {
                return;
            }
            let hashes = std::mem::replace(open, Vec::with_capacity(WIDTH));
            hash = root_over(&hashes);
            let index = (self.size >> (8 * (level + 1))) - 1;
            full(Tile { level: level as u8, index, hashes });
        }
    }

    pub fn root(&self) -> Hash {
        // From the right, where what is lower stands, to the left: a tile that is not full is a ragged subtree, and
        // whatever is to its right belongs below its last node.
        let mut right = None;
        for open in &self.open {
            right = fold(open, right);
        }
        right.unwrap_or_else(Hash::of_empty_tree)
    }

    /// The tile of each level that is not full and has at least one hash, as an export needs it.
    pub fn partial_tiles(&self) -> impl Iterator<Item = Tile> {
        let tiles = self.open.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty());
        tiles.map(|(level, hashes)| {
            let index = self.size.checked_shr(8 * (level as u32 + 1)).unwrap_or(0);
            Tile { level: level as u8, index, hashes: hashes.clone() }
        })
    }

    /// A version, the size as eight bytes with the highest first, then the hashes of each level, the lowest first.
    /// The size says how many there are. Whoever reads them back compares the root with a checkpoint.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![EDGE_VERSION];
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.open.iter().flatten().flat_map(|hash| hash.0));
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EdgeError> {
        let (version, rest) = bytes.split_first().ok_or(EdgeError::Length)?;
        if *version != EDGE_VERSION {
            return Err(EdgeError::Version(*version));
        }
        let (size, rest) = rest.split_first_chunk().ok_or(EdgeError::Length)?;
        let size = u64::from_be_bytes(*size);
        if size > MAX_SIZE {
            return Err(EdgeError::Size(size));
        }
        let (hashes, odd) = rest.as_chunks::<32>();
        let widths = || (0..8).map(|level| (size >> (8 * level)) as usize % WIDTH);
        if !odd.is_empty() || hashes.len() != widths().sum::<usize>() {
            return Err(EdgeError::Length);
        }
        let mut hashes = hashes.iter().map(|hash| Hash(*hash));
        let levels = (0..8).take_while(|level| size >> (8 * level) > 0).count();
        let open = widths().take(levels).map(|width| hashes.by_ref().take(width).collect()).collect();
        Ok(Self { size, open })
    }
}

/// The root over complete subtrees of one height with a smaller tree to their right.
fn fold(hashes: &[Hash], right: Option<Hash>) -> Option<Hash> {
    match (hashes, right) {
        ([], right) => right,
        (_, None) => Some(root_over(hashes)),
        (_, Some(right)) => {
            // The subtree to the right counts as one more, though it is not complete: RFC 6962 splits by the number
            // of leaves, and any smaller tree leaves the split where it is.
            let (left, rest) = hashes.split_at(split(hashes.len() as u64 + 1) as usize);
            let below = fold(rest, Some(right))?;
            Some(node_hash(root_over(left), below))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
