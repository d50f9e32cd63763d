//! The values of the least keys, whatever the order in which they come: the riskiest entries, or a sample of all.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::stored::{Broken, Reader, Stored, put_bytes};

/// At most so many values. Equal keys stand in the order of their entries' ids.
#[derive(Debug)]
pub struct Least<V> {
    most: usize,
    kept: BinaryHeap<Kept<V>>,
}

impl<V> Least<V> {
    pub fn new(most: usize) -> Self {
        Self { most, kept: BinaryHeap::new() }
    }

    /// Makes nothing of an entry that does not stay.
    pub fn offer(&mut self, key: u128, entry: &str, make: impl FnOnce() -> V) {
        let has_room = self.kept.len() < self.most;
        if has_room || self.kept.peek().is_some_and(|last| (key, entry) < last.order()) {
            self.keep(Kept { key, entry: entry.into(), value: make() });
        }
    }

    fn keep(&mut self, kept: Kept<V>) {
        self.kept.push(kept);
        if self.kept.len() > self.most {
            self.kept.pop();
        }
    }

    /// With what another process kept.
    pub fn merge(&mut self, other: Self) {
        for kept in other.kept {
            self.keep(kept);
        }
    }

    fn sorted(&self) -> Vec<(u128, &str, &V)> {
        let mut kept: Vec<&Kept<V>> = self.kept.iter().collect();
        kept.sort_unstable();
        kept.into_iter().map(|kept| (kept.key, &*kept.entry, &kept.value)).collect()
    }

    /// In order, so that the same values are the same bytes.
    pub(crate) fn put(&self, out: &mut Vec<u8>, put: impl Fn(&V, &mut Vec<u8>)) {
        let kept = self.sorted();
        (kept.len() as u64).put(out);
        for (key, entry, value) in kept {
            key.put(out);
            put_bytes(entry.as_bytes(), out);
            put(value, out);
        }
    }

    /// What [`put`](Self::put) wrote, at most so many.
    pub(crate) fn take(
        from: &mut Reader<'_>,
        most: usize,
        mut take: impl FnMut(&mut Reader<'_>) -> Result<V, Broken>,
    ) -> Result<Self, Broken> {
        let mut least = Self::new(most);
        let count = u64::take(from)?;
        if count > most as u64 {
            return Err(Broken("it kept more than it may"));
        }
        for _ in 0..count {
            let (key, entry) = (Stored::take(from)?, Stored::take(from)?);
            least.keep(Kept { key, entry, value: take(from)? });
        }
        Ok(least)
    }

    /// That of the least key first.
    pub fn into_values(self) -> Vec<V> {
        self.kept.into_sorted_vec().into_iter().map(|kept| kept.value).collect()
    }
}

/// A lesser key for a larger risk. The bits of floats that are not negative rise with their value.
pub fn riskiest_first(risk: f64) -> u128 {
    u128::from(u64::MAX - risk.max(0.0).to_bits())
}

impl<V: PartialEq> PartialEq for Least<V> {
    /// What is kept counts, not how the heap lies.
    fn eq(&self, other: &Self) -> bool {
        self.most == other.most && self.sorted().eq(&other.sorted())
    }
}

#[derive(Debug)]
pub(super) struct Kept<V> {
    pub(super) key: u128,
    pub(super) entry: String,
    pub(super) value: V,
}

impl<V> Kept<V> {
    fn order(&self) -> (u128, &str) {
        (self.key, &self.entry)
    }
}

impl<V> PartialEq for Kept<V> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<V> Eq for Kept<V> {}

impl<V> PartialOrd for Kept<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<V> Ord for Kept<V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_riskiest_come_first_and_of_equals_the_lesser_id() {
        let mut least = Least::new(3);
        for (entry, risk) in [("c", 0.5), ("a", 0.1), ("d", 0.9), ("b", 0.5), ("e", 0.0)] {
            least.offer(riskiest_first(risk), entry, || entry);
        }

        assert_eq!(least.into_values(), ["d", "b", "c"]);
    }

    #[test]
    fn what_was_kept_comes_back_from_bytes_and_no_more_than_may_be() {
        let mut least = Least::new(3);
        for (entry, risk) in [("c", 0.5), ("a", 0.1), ("d", 0.9), ("b", 0.5)] {
            least.offer(riskiest_first(risk), entry, || risk);
        }
        let mut bytes = Vec::new();
        least.put(&mut bytes, f64::put);
        let taken = |most, bytes: &[u8]| Least::take(&mut Reader::new(bytes), most, f64::take);

        assert_eq!(taken(3, &bytes), Ok(least));
        assert!(taken(2, &bytes).is_err() && taken(3, &bytes[..bytes.len() - 1]).is_err());
    }
}
