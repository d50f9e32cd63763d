//! How often values, and pairs of values, occur: in how many entries of the ledger.
//!
//! Pairs that could be few are counted in tables; of all others the counts are in one map with a bound. Beyond it, pairs are dropped by a hash of their names:
//! which ones are kept does not depend on the order in which they came, nor on the names of others, and the counts of those that are kept are whole.

use std::sync::Arc;

use super::dims::Dims;
use super::facets::{Facets, Pair};
use crate::part::Posting;

mod carried;
mod cells;
mod pair_map;
mod stored;

use cells::Cells;
use pair_map::PairMap;

/// Counts that a table of one pair of categories may have.
const LARGEST_TABLE: u64 = 1 << 17;
/// And may have however many references share the memory.
const SMALLEST_BOUND: u64 = 1 << 10;

/// Of one ledger or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    entries: u64,
    values: Vec<Vec<u32>>,
    tables: Vec<Table>,
    map: PairMap,
    /// [`Dims::hashes`].
    hashes: Vec<Arc<[u64]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Table {
    Dense {
        width: u32,
        counts: Vec<u32>,
    },
    /// In the map.
    Sparse,
    /// As dense, of a model, where the room would be for pairs that hardly any entry has.
    Few(Cells),
}

impl Reference {
    /// One of so many side by side, which share the memory.
    pub fn new(dims: &Dims, of: usize) -> Self {
        let largest = (LARGEST_TABLE / of.max(1) as u64).max(SMALLEST_BOUND);
        let values = (0..dims.len()).map(|dim| vec![0; dims.kinds(dim) as usize]).collect();
        let table = |(first, second): Pair| {
            let (rows, width) = (u64::from(dims.kinds(first)), dims.kinds(second));
            match rows * u64::from(width) {
                size if size <= largest => Table::Dense { width, counts: vec![0; size as usize] },
                _ => Table::Sparse,
            }
        };
        let tables = pairs(dims.len()).map(table);
        let hashes = dims.hashes().to_vec();
        Self { entries: 0, values, tables: tables.collect(), map: PairMap::one_of(of), hashes }
    }

    pub fn add(&mut self, dims: &Dims, facets: &mut Facets, postings: &[Posting]) {
        facets.look(dims, postings);
        self.entries += 1;
        facets.each_value(|dim, value| self.values[dim][value as usize] += 1);
        facets.each_pair(|pair, a, b| {
            let place = place(pair);
            match &mut self.tables[place] {
                Table::Dense { width, counts } => counts[(a * *width + b) as usize] += 1,
                Table::Sparse => self.map.add(key(&self.hashes, pair, a, b), 1),
                Table::Few(cells) => cells.add(a, b, 1),
            }
        });
    }

    /// Adds the counts of another part of the same ledger.
    pub fn merge(&mut self, other: &Self) {
        self.entries += other.entries;
        for (counts, more) in self.values.iter_mut().zip(&other.values) {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
        for (table, more) in self.tables.iter_mut().zip(&other.tables) {
            match (table, more) {
                (Table::Dense { counts, .. }, Table::Dense { counts: more, .. }) => {
                    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
                }
                (Table::Few(cells), Table::Few(more)) => cells.merge(more),
                // Both in the map; the tables of two parts of one ledger are of one sort.
                _ => {}
            }
        }
        self.map.merge(&other.map);
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Entries that hold the value.
    pub fn count(&self, dim: usize, value: u32) -> u64 {
        self.values[dim].get(value as usize).copied().unwrap_or(0).into()
    }

    /// Entries that hold both together; `None` where that is no longer known.
    pub fn count_pair(&self, pair: Pair, a: u32, b: u32) -> Option<u64> {
        let place = place(pair);
        match &self.tables[place] {
            Table::Dense { width, counts } => Some(counts[(a * width + b) as usize].into()),
            Table::Sparse => self.map.get(key(&self.hashes, pair, a, b)),
            Table::Few(cells) => Some(cells.get(a, b).into()),
        }
    }

    /// Entries that would hold both, were one value nothing to the other.
    pub fn expected(&self, pair: Pair, a: u32, b: u32) -> f64 {
        self.count(pair.0, a) as f64 * self.count(pair.1, b) as f64 / self.entries as f64
    }

    /// ln of how many entries should hold both, were one value nothing to the other, over how many do. 0 for rare values that meet by chance; large for
    /// frequent ones that hardly ever meet.
    pub fn residual(&self, pair: Pair, a: u32, b: u32) -> f64 {
        let Some(observed) = self.count_pair(pair, a, b) else { return 0.0 };
        let expected = self.expected(pair, a, b);
        // The entry itself is half left out.
        libm::log((expected + 0.5) / (observed.max(1) as f64 - 0.5))
    }
}

/// The counts of a whole ledger, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Usual {
    pub reference: Reference,
    /// Of each value of each category.
    surprisals: Vec<Vec<f64>>,
}

impl Usual {
    pub fn of(reference: Reference) -> Self {
        let surprisals =
            reference.values.iter().map(|counts| surprisals(counts, reference.entries)).collect();
        Self { reference, surprisals }
    }

    pub fn surprisal(&self, dim: usize, value: u32) -> f64 {
        self.surprisals[dim][value as usize]
    }

    /// How rare the values of a category are on the average, each as often as entries hold it.
    pub fn mean_surprisal(&self, dim: usize) -> f64 {
        let held = self.reference.values[dim].iter().map(|&count| f64::from(count));
        let sum: f64 =
            held.clone().zip(&self.surprisals[dim]).map(|(count, surprisal)| count * surprisal).sum();
        sum / held.sum::<f64>().max(1.0)
    }
}

/// -ln of the share of entries that hold a value, half an entry more for each value there is and for one that nobody has seen.
fn surprisals(counts: &[u32], entries: u64) -> Vec<f64> {
    let kinds = counts.iter().filter(|&&count| count > 0).count();
    let total = entries as f64 + 0.5 * (kinds as f64 + 1.0);
    counts.iter().map(|&count| -libm::log((f64::from(count) + 0.5) / total)).collect()
}

/// Of so many categories, each with each.
fn pairs(dims: usize) -> impl Iterator<Item = Pair> {
    (1..dims).flat_map(|second| (0..second).map(move |first| (first, second)))
}

/// Where a pair of categories stands among all.
fn place((first, second): Pair) -> usize {
    second * (second - 1) / 2 + first
}

/// The hashes of two values that differ in their category differ: the order of the two is no matter.
fn key(hashes: &[Arc<[u64]>], pair: Pair, a: u32, b: u32) -> u64 {
    let product = u128::from(hashes[pair.0][a as usize]) * u128::from(hashes[pair.1][b as usize]);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
