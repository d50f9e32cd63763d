//! How often pairs of things occur, in bounded memory.
//!
//! Beyond the cap, half of the pairs are given up, chosen by their hash; then half of the rest, and so on. Those that are left are counted exactly, and
//! which they are follows from all pairs of the ledger alone: neither from the order of its lines nor from how it was parted. Of a pair given up nothing
//! is known, and a test that asks for it must say nothing; [`Pairs::kept`] tells the reader of the results how many of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Pairs {
    /// Only looked up, or sorted first: the order of a hash map must not reach a result.
    counts: Counts,
    cap: usize,
    halvings: u32,
}

/// A dozen of pairs per line are counted, and the hash that decides which are kept is good enough to find them.
type Counts = HashMap<u64, u64, BuildHasherDefault<Mixing>>;

#[derive(Default)]
struct Mixing(u64);

impl Hasher for Mixing {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = mix(self.0 ^ key);
    }
}

/// As it travels between processes.
#[derive(Serialize, Deserialize)]
struct Stored {
    counts: Vec<(u64, u64)>,
    cap: usize,
    halvings: u32,
}

impl From<Pairs> for Stored {
    fn from(pairs: Pairs) -> Self {
        let mut counts: Vec<_> = pairs.counts.into_iter().collect();
        counts.sort_unstable();
        Self { counts, cap: pairs.cap, halvings: pairs.halvings }
    }
}

impl From<Stored> for Pairs {
    fn from(stored: Stored) -> Self {
        Self { counts: stored.counts.into_iter().collect(), cap: stored.cap, halvings: stored.halvings }
    }
}

impl Pairs {
    pub fn new(cap: usize) -> Self {
        Self { counts: Counts::default(), cap, halvings: 0 }
    }

    pub fn add(&mut self, one: u32, other: u32, count: u64) {
        self.add_key(key(one, other), count);
    }

    /// `None` for a pair that was given up.
    pub fn get(&self, one: u32, other: u32) -> Option<u64> {
        let key = key(one, other);
        self.keeps(key).then(|| self.counts.get(&key).copied().unwrap_or(0))
    }

    pub fn merge(&mut self, other: Self) {
        self.halvings = self.halvings.max(other.halvings);
        let halvings = self.halvings;
        self.counts.retain(|&key, _| kept(key, halvings));
        for (key, count) in other.counts {
            self.add_key(key, count);
        }
    }

    /// One pair of how many is still counted: 1, or 2, 4, 8, …
    pub fn kept(&self) -> u64 {
        1_u64.checked_shl(self.halvings).unwrap_or(u64::MAX)
    }

    /// In order.
    pub fn sorted(&self) -> Vec<((u32, u32), u64)> {
        let mut all: Vec<_> =
            self.counts.iter().map(|(&key, &count)| ((high(key), key as u32), count)).collect();
        all.sort_unstable();
        all
    }

    fn add_key(&mut self, key: u64, count: u64) {
        if !self.keeps(key) {
            return;
        }
        *self.counts.entry(key).or_insert(0) += count;
        while self.counts.len() > self.cap {
            self.halvings += 1;
            let halvings = self.halvings;
            self.counts.retain(|&key, _| kept(key, halvings));
        }
    }

    fn keeps(&self, key: u64) -> bool {
        kept(key, self.halvings)
    }
}

fn key(one: u32, other: u32) -> u64 {
    u64::from(one) << 32 | u64::from(other)
}

fn high(key: u64) -> u32 {
    (key >> 32) as u32
}

fn kept(key: u64, halvings: u32) -> bool {
    halvings == 0 || mix(key).leading_zeros() >= halvings
}

/// The end of SplitMix64: every bit of the key moves every bit of the hash.
fn mix(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_exactly_up_to_the_cap() {
        let mut pairs = Pairs::new(3);
        for (one, other) in [(1, 1), (1, 2), (1, 1), (2, 1)] {
            pairs.add(one, other, 1);
        }

        assert_eq!(pairs.kept(), 1);
        assert_eq!(pairs.sorted(), [((1, 1), 2), ((1, 2), 1), ((2, 1), 1)]);
        assert_eq!(pairs.get(7, 7), Some(0));
    }

    #[test]
    fn says_which_share_it_gave_up_beyond_the_cap() {
        let mut pairs = Pairs::new(100);
        for number in 0..150 {
            pairs.add(number, 0, 2);
        }

        let known: Vec<_> = (0..150).filter_map(|number| pairs.get(number, 0)).collect();

        assert_eq!(pairs.kept(), 2);
        assert!((50..100).contains(&known.len()), "{}", known.len());
        assert!(known.iter().all(|&count| count == 2));
    }

    proptest! {
        #[test]
        fn what_is_kept_depends_on_the_pairs_alone(
            all in proptest::collection::vec((0_u32..40, 0_u32..5), 0..300),
            cut in 0_usize..300,
            cap in 1_usize..60,
        ) {
            let counted = |pairs: &[(u32, u32)]| {
                let mut counted = Pairs::new(cap);
                for &(one, other) in pairs {
                    counted.add(one, other, 1);
                }
                counted
            };
            let (first, second) = all.split_at(cut.min(all.len()));
            let mut backward = all.clone();
            backward.reverse();

            let mut merged = counted(second);
            merged.merge(counted(first));
            let stored: Pairs = serde_json::from_str(&serde_json::to_string(&merged).unwrap()).unwrap();

            prop_assert_eq!(&counted(&all), &merged);
            prop_assert_eq!(&counted(&backward), &merged);
            prop_assert_eq!(stored, merged);
        }
    }
}
