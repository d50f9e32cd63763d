//! How often values, and pairs of values, occur: in how many entries of the ledger.
//!
//! Pairs that could be few are counted in tables; of all others the counts are in one map with a bound. Beyond it, pairs are dropped by their hash: which ones
//! are kept does not depend on the order in which they came, and the counts of those that are kept are whole.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::dims::Dims;
use super::facets::{Facets, Pair};
use crate::part::Posting;

/// Counts that a table of one pair of categories may have.
const LARGEST_TABLE: u64 = 1 << 17;
/// Pairs of values that the map may hold.
const MOST_PAIRS: usize = 1 << 21;

/// Of one ledger or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    entries: u64,
    values: Vec<Vec<u32>>,
    tables: Vec<Table>,
    map: PairMap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Table {
    Dense {
        width: u32,
        counts: Vec<u32>,
    },
    /// In the map.
    Sparse,
}

impl Reference {
    pub fn new(dims: &Dims) -> Self {
        let values = (0..dims.len()).map(|dim| vec![0; dims.kinds(dim) as usize]).collect();
        let table = |(first, second): Pair| {
            let (rows, width) = (u64::from(dims.kinds(first)), dims.kinds(second));
            match rows * u64::from(width) {
                size @ 0..=LARGEST_TABLE => Table::Dense { width, counts: vec![0; size as usize] },
                _ => Table::Sparse,
            }
        };
        let tables =
            (1..dims.len()).flat_map(|second| (0..second).map(move |first| (first, second))).map(table);
        Self { entries: 0, values, tables: tables.collect(), map: PairMap::default() }
    }

    pub fn add(&mut self, dims: &Dims, facets: &mut Facets, postings: &[Posting]) {
        facets.look(dims, postings);
        self.entries += 1;
        facets.each_value(|dim, value| self.values[dim][value as usize] += 1);
        facets.each_pair(|pair, a, b| {
            let place = place(pair);
            match &mut self.tables[place] {
                Table::Dense { width, counts } => counts[(a * *width + b) as usize] += 1,
                Table::Sparse => self.map.add(key(place, a, b), 1),
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
            if let (Table::Dense { counts, .. }, Table::Dense { counts: more, .. }) = (table, more) {
                counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
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
            Table::Sparse => self.map.get(key(place, a, b)),
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

/// Where a pair of categories stands among all.
fn place((first, second): Pair) -> usize {
    second * (second - 1) / 2 + first
}

/// Categories are fewer than 2^14 pairs, values fewer than 2^25; what is beyond shares a key with another.
fn key(place: usize, a: u32, b: u32) -> u64 {
    const VALUE: u64 = (1 << 25) - 1;
    (place as u64) << 50 | (u64::from(a) & VALUE) << 25 | (u64::from(b) & VALUE)
}

/// Counts by key, those with the smallest hashes where there are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PairMap {
    counts: HashMap<u64, u32, BuildHasherDefault<Mixed>>,
    /// Keys whose hash has a one among so many leading bits are no longer kept.
    dropped_bits: u32,
    most: usize,
}

impl Default for PairMap {
    fn default() -> Self {
        Self { counts: HashMap::default(), dropped_bits: 0, most: MOST_PAIRS }
    }
}

impl PairMap {
    fn add(&mut self, key: u64, count: u32) {
        if !self.keeps(key) {
            return;
        }
        *self.counts.entry(key).or_insert(0) += count;
        while self.counts.len() > self.most {
            self.drop_half();
        }
    }

    fn drop_half(&mut self) {
        self.dropped_bits += 1;
        let bits = self.dropped_bits;
        self.counts.retain(|&key, _| mix(key).leading_zeros() >= bits);
        self.counts.shrink_to_fit();
    }

    fn keeps(&self, key: u64) -> bool {
        mix(key).leading_zeros() >= self.dropped_bits
    }

    fn merge(&mut self, other: &Self) {
        while self.dropped_bits < other.dropped_bits {
            self.drop_half();
        }
        for (&key, &count) in &other.counts {
            self.add(key, count);
        }
    }

    fn get(&self, key: u64) -> Option<u64> {
        self.keeps(key).then(|| self.counts.get(&key).copied().unwrap_or(0).into())
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash for keys that are numbers already.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(most: usize, keys: &[u64]) -> PairMap {
        let mut map = PairMap { most, ..PairMap::default() };
        keys.iter().for_each(|&key| map.add(key, 1));
        map
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_dropped_does_not_depend_on_the_order_or_the_parts(keys in prop::collection::vec(0..200_u64, 0..600), cut in 0..600_usize) {
            let whole = map(20, &keys);
            let reversed: Vec<u64> = keys.iter().rev().copied().collect();
            let cut = cut.min(keys.len());
            let mut merged = map(20, &keys[..cut]);
            merged.merge(&map(20, &keys[cut..]));

            prop_assert_eq!(&map(20, &reversed), &whole);
            prop_assert_eq!(&merged, &whole);
            prop_assert!(whole.counts.len() <= 20);
            for key in 0..200 {
                let count = keys.iter().filter(|&&found| found == key).count() as u64;
                prop_assert!(whole.get(key).is_none_or(|found| found == count));
            }
        }
    }
}
