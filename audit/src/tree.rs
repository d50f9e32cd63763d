//! The hash tree of RFC 6962, grown leaf by leaf, and the tiles that become full while it grows.

use ring::digest;

use crate::tile::{FULL, HEIGHT};

/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Of a leaf with these bytes.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    hash(&[&[0], leaf])
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], &left.0, &right.0])
}

/// Of the tree without leaves.
pub fn empty_root() -> Hash {
    hash(&[])
}

pub(crate) fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}

/// The root of a whole subtree, whose leaves are a power of two.
pub(crate) fn complete_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| node_hash(&pair[0], &pair[pair.len() - 1])).collect();
    }
    level.first().copied().unwrap_or_else(empty_root)
}

/// A tile that became full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    pub level: u8,
    pub number: u64,
    pub hashes: Vec<Hash>,
}

/// What is needed of a tree to let it grow: for each level of tiles the hashes of the one that is not full yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    /// Fewer than 256 each; the number on level `l` is `size >> 8 * l` modulo 256.
    levels: Vec<Vec<Hash>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the right edge of the tree is damaged: it has not the hashes that its size asks for")]
pub struct DamagedEdge;

const VERSION: u8 = 1;

impl Edge {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes one more leaf in, and hands out the tiles that are full by that.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Full)) {
        let mut next = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(FULL));
            }
            self.levels[level].push(next);
            if self.levels[level].len() < FULL {
                break;
            }
            let hashes = std::mem::replace(&mut self.levels[level], Vec::with_capacity(FULL));
            next = complete_root(&hashes);
            let number = self.size >> (HEIGHT * (level as u32 + 1));
            full(Full { level: level as u8, number, hashes });
        }
        self.size += 1;
    }

    /// The hashes of the tile of this level that is not full.
    pub fn partial(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    pub fn root(&self) -> Hash {
        // From the right: each level's subtrees are whole, and all of them stand left of what is below.
        let mut root: Option<Hash> = None;
        for hashes in &self.levels {
            for subtree in whole_subtrees(hashes).into_iter().rev() {
                root = Some(root.map_or(subtree, |right| node_hash(&subtree, &right)));
            }
        }
        root.unwrap_or_else(empty_root)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let hashes = self.levels.iter().flatten().flat_map(|hash| hash.0);
        [VERSION].into_iter().chain(self.size.to_be_bytes()).chain(hashes).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedEdge> {
        let (head, mut rest) = bytes.split_at_checked(9).ok_or(DamagedEdge)?;
        let (version, size) = head.split_first().ok_or(DamagedEdge)?;
        let size = u64::from_be_bytes(size.try_into().map_err(|_| DamagedEdge)?);
        if *version != VERSION {
            return Err(DamagedEdge);
        }
        let mut levels = Vec::new();
        let mut left = size;
        while left > 0 {
            let count = (left % FULL as u64) as usize;
            let (own, more) = rest.split_at_checked(count * 32).ok_or(DamagedEdge)?;
            levels.push(own.chunks_exact(32).filter_map(Hash::from_slice).collect());
            rest = more;
            left >>= HEIGHT;
        }
        if rest.is_empty() { Ok(Self { size, levels }) } else { Err(DamagedEdge) }
    }
}

/// The roots of the largest whole subtrees, from left to right.
fn whole_subtrees(hashes: &[Hash]) -> Vec<Hash> {
    let mut roots = Vec::new();
    let mut left = hashes;
    while !left.is_empty() {
        let (whole, rest) = left.split_at(1 << left.len().ilog2());
        roots.push(complete_root(whole));
        left = rest;
    }
    roots
}

#[cfg(test)]
pub(crate) mod tests;
