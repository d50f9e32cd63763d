//! Proofs: that a leaf is in a tree, and that a tree is the beginning of a larger one (RFC 6962, section 2.1).
//!
//! A proof is a list of roots of stretches of leaves. Which stretches follows from numbers alone, and so does which
//! tiles are needed; whoever has those makes the proof without reading anything else.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::tile::{FULL, HEIGHT, TileId};
use crate::tree::{Edge, Hash, complete_root, empty_root, node_hash};

/// Tiles of a tree of one size.
#[derive(Debug, Default)]
pub struct Tiles {
    size: u64,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("leaf {index} is not in a tree of {size} leaves")]
    NoLeaf { index: u64, size: u64 },
    #[error("a tree of {from} leaves is not the beginning of one of {to}")]
    NoBeginning { from: u64, to: u64 },
    #[error("the tile {0} is missing, or has too few hashes")]
    NoTile(TileId),
    #[error("the proof has not as many hashes as it must have")]
    Length,
    #[error("the proof leads to another root")]
    Root,
}

impl Tiles {
    /// Of a tree whose tiles at the right edge are there already.
    pub fn of(edge: &Edge) -> Self {
        let levels = 0..8_u8;
        let partial = levels.map(|level| {
            let number = edge.size().checked_shr(HEIGHT * (u32::from(level) + 1)).unwrap_or(0);
            ((level, number), edge.partial(level).to_vec())
        });
        Self { size: edge.size(), tiles: partial.filter(|(_, hashes)| !hashes.is_empty()).collect() }
    }

    pub fn sized(size: u64) -> Self {
        Self { size, tiles: HashMap::new() }
    }

    pub fn add(&mut self, level: u8, number: u64, hashes: Vec<Hash>) {
        self.tiles.insert((level, number), hashes);
    }

    /// Of those that are needed, the ones that are not there yet.
    pub fn missing(&self, needed: &BTreeSet<TileId>) -> Vec<TileId> {
        let lacks = |tile: &&TileId| {
            let hashes = self.tiles.get(&(tile.level, tile.number));
            hashes.is_none_or(|hashes| hashes.len() < usize::from(tile.width))
        };
        needed.iter().filter(lacks).copied().collect()
    }

    /// Leaves from `index << height`, as many as two to the power of the height.
    fn subtree(&self, height: u32, index: u64) -> Result<Hash, ProofError> {
        let tile = tile_of(self.size, height, index);
        let first = ((index << (height % HEIGHT)) % FULL as u64) as usize;
        let hashes = self.tiles.get(&(tile.level, tile.number));
        let hashes = hashes.and_then(|hashes| hashes.get(first..first + (1 << (height % HEIGHT))));
        hashes.map(complete_root).ok_or(ProofError::NoTile(tile))
    }

    fn range(&self, range: &Range<u64>) -> Result<Hash, ProofError> {
        let roots = subtrees(range).map(|(height, index)| self.subtree(height, index));
        let roots = roots.collect::<Result<Vec<_>, _>>()?;
        Ok(roots.into_iter().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root))
    }

    /// Of the tree as it was with so many leaves.
    pub fn root_at(&self, size: u64) -> Result<Hash, ProofError> {
        check_beginning(size, self.size)?;
        self.range(&(0..size))
    }

    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        check_beginning(size, self.size)?;
        path(index, size)?.iter().map(|range| self.range(range)).collect()
    }

    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, ProofError> {
        check_beginning(to, self.size)?;
        subproof(from, to)?.iter().map(|range| self.range(range)).collect()
    }
}

fn tile_of(size: u64, height: u32, index: u64) -> TileId {
    let level = (height / HEIGHT) as u8;
    TileId::holding(size, level, (index << (height % HEIGHT)) | ((1 << (height % HEIGHT)) - 1))
}

/// The largest whole subtrees of a stretch that begins where one of its size may begin, from left to right.
fn subtrees(range: &Range<u64>) -> impl Iterator<Item = (u32, u64)> {
    let (mut at, end) = (range.start, range.end);
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let height = (end - at).ilog2();
            let index = at >> height;
            at += 1 << height;
            (height, index)
        })
    })
}

fn check_beginning(from: u64, to: u64) -> Result<(), ProofError> {
    if from <= to { Ok(()) } else { Err(ProofError::NoBeginning { from, to }) }
}

/// Where a stretch of more than one leaf parts.
fn split(range: &Range<u64>) -> u64 {
    let len = range.end - range.start;
    range.start + (1 << (len - 1).ilog2())
}

/// The stretches beside a leaf, from below.
fn path(index: u64, size: u64) -> Result<Vec<Range<u64>>, ProofError> {
    if index >= size {
        return Err(ProofError::NoLeaf { index, size });
    }
    let (mut range, mut beside) = (0..size, Vec::new());
    while range.end - range.start > 1 {
        let middle = split(&range);
        let (left, right) = (range.start..middle, middle..range.end);
        let (own, other) = if index < middle { (left, right) } else { (right, left) };
        beside.push(other);
        range = own;
    }
    beside.reverse();
    Ok(beside)
}

/// The stretches of which both roots can be made, from below.
fn subproof(from: u64, to: u64) -> Result<Vec<Range<u64>>, ProofError> {
    check_beginning(from, to)?;
    if from == 0 || from == to {
        return Ok(Vec::new());
    }
    let (mut range, mut beside) = (0..to, Vec::new());
    while range.end != from {
        let middle = split(&range);
        let (left, right) = (range.start..middle, middle..range.end);
        let (own, other) = if from <= middle { (left, right) } else { (right, left) };
        beside.push(other);
        range = own;
    }
    // The old root is known to whoever asks.
    if range.start > 0 {
        beside.push(range);
    }
    beside.reverse();
    Ok(beside)
}

fn tiles_of(ranges: &[Range<u64>], size: u64) -> BTreeSet<TileId> {
    ranges.iter().flat_map(subtrees).map(|(height, index)| tile_of(size, height, index)).collect()
}

/// The tiles of a tree of `whole` leaves of which the proof is made.
pub fn needed_for_inclusion(index: u64, size: u64, whole: u64) -> Result<BTreeSet<TileId>, ProofError> {
    check_beginning(size, whole)?;
    Ok(tiles_of(&path(index, size)?, whole))
}

pub fn needed_for_consistency(from: u64, to: u64, whole: u64) -> Result<BTreeSet<TileId>, ProofError> {
    check_beginning(to, whole)?;
    Ok(tiles_of(&subproof(from, to)?, whole))
}

pub fn needed_for_root(size: u64, whole: u64) -> Result<BTreeSet<TileId>, ProofError> {
    check_beginning(size, whole)?;
    let all = 0..size;
    Ok(tiles_of(std::slice::from_ref(&all), whole))
}

/// Whether a leaf of this hash stands at this place of the tree with this root.
pub fn verify_inclusion(
    proof: &[Hash],
    (index, leaf): (u64, Hash),
    (size, root): (u64, Hash),
) -> Result<(), ProofError> {
    let beside = path(index, size)?;
    if proof.len() != beside.len() {
        return Err(ProofError::Length);
    }
    let step = |own: Hash, (range, other): (&Range<u64>, &Hash)| match range.end <= index {
        true => node_hash(other, &own),
        false => node_hash(&own, other),
    };
    let reached = beside.iter().zip(proof).fold(leaf, step);
    if reached == root { Ok(()) } else { Err(ProofError::Root) }
}

/// Whether the smaller tree is the beginning of the larger.
pub fn verify_consistency(
    proof: &[Hash],
    (from, old): (u64, Hash),
    (to, new): (u64, Hash),
) -> Result<(), ProofError> {
    let beside = subproof(from, to)?;
    if proof.len() != beside.len() {
        return Err(ProofError::Length);
    }
    let (old_root, new_root) = match from {
        0 if to == 0 => (empty_root(), empty_root()),
        0 => (empty_root(), new),
        _ if from == to => (new, new),
        _ => {
            let mut proof = beside.iter().zip(proof).peekable();
            // What the old tree ends with: its whole root, or the first stretch of the proof.
            let seed = proof.next_if(|(range, _)| range.end == from).map_or(old, |(_, hash)| *hash);
            proof.fold((seed, seed), |(old, new), (range, other)| match range.end <= from {
                true => (node_hash(other, &old), node_hash(other, &new)),
                false => (old, node_hash(&new, other)),
            })
        }
    };
    if (old_root, new_root) == (old, new) { Ok(()) } else { Err(ProofError::Root) }
}

#[cfg(test)]
mod tests;
