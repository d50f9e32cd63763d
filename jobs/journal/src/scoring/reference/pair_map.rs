//! Counts of pairs with a bound on their number.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Pairs of values that a map may hold.
const MOST_PAIRS: usize = 1 << 21;
/// And may hold however many maps share the memory.
const FEWEST_PAIRS: usize = 1 << 16;

/// Counts by key, which is a hash itself; those with the smallest where there are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairMap {
    counts: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    /// Keys with a one among so many leading bits of their [`order`] are no longer kept.
    dropped_bits: u32,
    most: usize,
}

impl Default for PairMap {
    fn default() -> Self {
        Self { counts: HashMap::default(), dropped_bits: 0, most: MOST_PAIRS }
    }
}

impl PairMap {
    pub(super) fn with_most(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// One of so many side by side, which share the memory.
    pub(super) fn one_of(maps: usize) -> Self {
        Self::with_most((MOST_PAIRS / maps.max(1)).max(FEWEST_PAIRS))
    }

    pub(super) fn add(&mut self, key: u64, count: u32) {
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
        self.counts.retain(|&key, _| order(key).leading_zeros() >= bits);
        self.counts.shrink_to_fit();
    }

    fn keeps(&self, key: u64) -> bool {
        order(key).leading_zeros() >= self.dropped_bits
    }

    pub(super) fn merge(&mut self, other: &Self) {
        while self.dropped_bits < other.dropped_bits {
            self.drop_half();
        }
        for (&key, &count) in &other.counts {
            self.add(key, count);
        }
    }

    /// Each key that is kept, and how many leading bits are dropped.
    pub(super) fn parts(&self) -> (impl Iterator<Item = (u64, u32)>, u32) {
        (self.counts.iter().map(|(&key, &count)| (key, count)), self.dropped_bits)
    }

    /// From what [`parts`](Self::parts) gave; `None` if a map cannot hold that.
    pub(super) fn of(counts: Vec<(u64, u32)>, dropped_bits: u32) -> Option<Self> {
        Self::default().holding(counts, dropped_bits)
    }

    /// The same, of a map that may hold what this one may.
    pub(super) fn holding(self, counts: Vec<(u64, u32)>, dropped_bits: u32) -> Option<Self> {
        let map = Self { dropped_bits, ..self };
        let fits = counts.len() <= map.most && counts.iter().all(|&(key, count)| map.keeps(key) && count > 0);
        fits.then(|| Self { counts: counts.into_iter().collect(), ..map })
    }

    /// `None` where that is no longer known.
    pub(super) fn get(&self, key: u64) -> Option<u64> {
        self.keeps(key).then(|| self.counts.get(&key).copied().unwrap_or(0).into())
    }
}

/// The bits by which keys are dropped are none of those by which the map finds them, the highest seven and the lowest.
fn order(key: u64) -> u64 {
    key << 8
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A hasher for keys that are numbers already.
#[derive(Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, mut z: u64) {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes())
    }

    fn map(most: usize, numbers: &[u64]) -> PairMap {
        let mut map = PairMap::with_most(most);
        numbers.iter().for_each(|&number| map.add(key(number), 1));
        map
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_dropped_does_not_depend_on_the_order_or_the_parts(numbers in prop::collection::vec(0..200_u64, 0..600), cut in 0..600_usize) {
            let whole = map(20, &numbers);
            let reversed: Vec<u64> = numbers.iter().rev().copied().collect();
            let cut = cut.min(numbers.len());
            let mut merged = map(20, &numbers[..cut]);
            merged.merge(&map(20, &numbers[cut..]));

            prop_assert_eq!(&map(20, &reversed), &whole);
            prop_assert_eq!(&merged, &whole);
            prop_assert!(whole.counts.len() <= 20);
            for number in 0..200 {
                let count = numbers.iter().filter(|&&found| found == number).count() as u64;
                prop_assert!(whole.get(key(number)).is_none_or(|found| found == count));
            }
        }
    }
}
