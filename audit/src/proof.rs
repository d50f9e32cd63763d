//! Proofs that a leaf is in a tree, and that a tree is the beginning of another, computed from tiles and verified
//! (RFC 6962, verification after RFC 9162).
//!
//! What is asked for comes first, as a list of tiles, because whoever fetches them may wait for a database or a bucket;
//! the computing does not. A tile that is wrong gives a proof that does not verify, so tiles need not be trusted.

use crate::tile::{TileId, Tiles, WIDTH};
use crate::tree::{Hash, MAX_SIZE, node_hash, root_over, split};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("`index` {index} is not in a tree of {size} leaves; ask for a smaller one or a larger tree")]
    NoSuchLeaf { index: u64, size: u64 },
    #[error("`size` {from} is not the beginning of a tree of {size} leaves; ask for a smaller one first")]
    NoBeginning { from: u64, size: u64 },
    #[error("`size` {0} is more than a log can have; ask for a smaller one")]
    TooLarge(u64),
    #[error("`tile` {0} is missing or too narrow; fetch what needed_for_… lists")]
    MissingTile(TileId),
    #[error("`proof` has {has} hashes instead of {expected}; it is for another leaf or another tree")]
    Length { has: usize, expected: usize },
    #[error("`proof` does not lead to the root; the leaf, the proof or the checkpoint was changed")]
    NotProven,
}

/// A complete subtree: the `index`-th over 2^`height` leaves.
#[derive(Debug, Clone, Copy)]
struct Subtree {
    height: u32,
    index: u64,
}

/// Complete subtrees from left to right, the largest first, that make up one hash of a proof.
type Span = Vec<Subtree>;

pub fn needed_for_root(size: u64) -> Result<Vec<TileId>, ProofError> {
    fits(size)?;
    Ok(tiles(&[span(0, size)], size))
}

/// The root that a tree had when it had this size, from tiles of this or of a larger one.
pub fn root_at(size: u64, tiles: &Tiles) -> Result<Hash, ProofError> {
    fits(size)?;
    hash_of(&span(0, size), size, tiles)
}

pub fn needed_for_inclusion(size: u64, index: u64) -> Result<Vec<TileId>, ProofError> {
    Ok(tiles(&inclusion_spans(size, index)?, size))
}

/// From the sibling of the leaf up to the child of the root.
pub fn inclusion(size: u64, index: u64, tiles: &Tiles) -> Result<Vec<Hash>, ProofError> {
    inclusion_spans(size, index)?.iter().map(|span| hash_of(span, size, tiles)).collect()
}

pub fn needed_for_consistency(from: u64, size: u64) -> Result<Vec<TileId>, ProofError> {
    Ok(tiles(&consistency_spans(from, size)?, size))
}

/// That a tree of `from` leaves is the beginning of one of `size`. Of nothing and of itself there is nothing to prove,
/// and the proof is empty.
pub fn consistency(from: u64, size: u64, tiles: &Tiles) -> Result<Vec<Hash>, ProofError> {
    consistency_spans(from, size)?.iter().map(|span| hash_of(span, size, tiles)).collect()
}

pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let expected = inclusion_spans(size, index)?.len();
    if proof.len() != expected {
        return Err(ProofError::Length { has: proof.len(), expected });
    }
    // RFC 9162, 2.1.3.2.
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if node & 1 == 1 || node == last {
            hash = node_hash(*sibling, hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && hash == root { Ok(()) } else { Err(ProofError::NotProven) }
}

pub fn verify_consistency(
    (from, from_root): (u64, Hash),
    (size, root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    let expected = consistency_spans(from, size)?.len();
    if proof.len() != expected {
        return Err(ProofError::Length { has: proof.len(), expected });
    }
    let proven = match from {
        _ if from == size => from_root == root,
        0 => from_root == Hash::of_empty_tree(),
        _ => consistency_roots(from, from_root, size, proof) == Some((from_root, root)),
    };
    if proven { Ok(()) } else { Err(ProofError::NotProven) }
}

/// The two roots that a proof leads to: RFC 9162, 2.1.4.2. Only for 0 < `from` < `size`.
fn consistency_roots(from: u64, from_root: Hash, size: u64, proof: &[Hash]) -> Option<(Hash, Hash)> {
    // Where the smaller tree is complete, its root is the first hash, and a proof leaves it out.
    let (first, rest) = match from.is_power_of_two() {
        true => (from_root, proof),
        false => proof.split_first().map(|(first, rest)| (*first, rest))?,
    };
    let (mut node, mut last) = (from - 1, size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut small, mut large) = (first, first);
    for sibling in rest {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            small = node_hash(*sibling, small);
            large = node_hash(*sibling, large);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            large = node_hash(large, *sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some((small, large))
}

fn fits(size: u64) -> Result<(), ProofError> {
    if size > MAX_SIZE { Err(ProofError::TooLarge(size)) } else { Ok(()) }
}

/// The spans of RFC 6962's PATH, walked from the root down and turned round.
fn inclusion_spans(size: u64, index: u64) -> Result<Vec<Span>, ProofError> {
    fits(size)?;
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let (mut from, mut to) = (0, size);
    let mut spans = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            spans.push(span(middle, to));
            to = middle;
        } else {
            spans.push(span(from, middle));
            from = middle;
        }
    }
    spans.reverse();
    Ok(spans)
}

/// The spans of RFC 6962's PROOF, walked from the root down and turned round.
fn consistency_spans(before: u64, size: u64) -> Result<Vec<Span>, ProofError> {
    fits(size)?;
    if before > size {
        return Err(ProofError::NoBeginning { from: before, size });
    }
    let mut spans = Vec::new();
    if before == 0 {
        return Ok(spans);
    }
    let (mut from, mut to) = (0, size);
    while before < to {
        let middle = from + split(to - from);
        if before <= middle {
            spans.push(span(middle, to));
            to = middle;
        } else {
            spans.push(span(from, middle));
            from = middle;
        }
    }
    // Whoever verifies has the smaller tree's root, and so this hash where it is the whole smaller tree.
    if from > 0 {
        spans.push(span(from, to));
    }
    spans.reverse();
    Ok(spans)
}

/// The complete subtrees over the leaves from `from` to before `to`, where `from` is where RFC 6962 would split.
fn span(mut from: u64, to: u64) -> Span {
    let mut subtrees = Vec::new();
    while from < to {
        let height = (to - from).ilog2();
        subtrees.push(Subtree { height, index: from >> height });
        from += 1 << height;
    }
    subtrees
}

impl Subtree {
    /// The tile that has the hashes below it, and where they are in it.
    fn place(self, size: u64) -> (Option<TileId>, std::ops::Range<usize>) {
        let level = self.height / 8;
        let count = 1_u64 << (self.height % 8);
        let first = self.index * count;
        let start = (first % WIDTH as u64) as usize;
        let tile = TileId::in_tree(level as u8, first / WIDTH as u64, size);
        (tile, start..start + count as usize)
    }
}

fn tiles(spans: &[Span], size: u64) -> Vec<TileId> {
    let mut ids: Vec<_> = spans.iter().flatten().filter_map(|subtree| subtree.place(size).0).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn hash_of(span: &Span, size: u64, tiles: &Tiles) -> Result<Hash, ProofError> {
    let mut right = None;
    for subtree in span.iter().rev() {
        let hash = subtree_hash(*subtree, size, tiles)?;
        right = Some(right.map_or(hash, |right| node_hash(hash, right)));
    }
    Ok(right.unwrap_or_else(Hash::of_empty_tree))
}

fn subtree_hash(subtree: Subtree, size: u64, tiles: &Tiles) -> Result<Hash, ProofError> {
    let (tile, hashes) = subtree.place(size);
    // Every subtree of a span is complete in this tree, and so in one of its tiles.
    let tile = tile.ok_or(ProofError::TooLarge(size))?;
    let hashes = tiles.get(tile).and_then(|all| all.get(hashes)).ok_or(ProofError::MissingTile(tile))?;
    Ok(root_over(hashes))
}

#[cfg(test)]
mod tests;
