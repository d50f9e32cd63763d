//! How amounts are spread: medians and median deviations from counts in fine steps, which add up where the amounts themselves would have to be sorted.

use std::collections::{BTreeMap, HashMap};

use crate::stored::{Broken, Reader, Stored, put_sorted, take_sorted};

/// Steps to the e-fold: amounts of one step differ by 3 %.
const STEPS: f64 = 32.0;
/// Fewer amounts than this say nothing about the spread in an account.
const FEWEST: u64 = 20;
/// Least median deviation of ln(amount), about 10 %: in an account of equal rents a rise of a tenth is not extreme.
const LEAST_DEVIATION: f64 = 0.1;
/// Makes the median deviation of normal data its standard deviation.
const NORMAL: f64 = 1.4826;

/// How often amounts of each step occur.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Histogram {
    counts: BTreeMap<i16, u64>,
    total: u64,
}

/// The spread of one group of amounts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub deviation: f64,
    /// How many amounts it is of.
    pub amounts: u64,
}

/// Amounts of all groups, such as of each account and side; `K` says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spreads<K: Eq + std::hash::Hash> {
    groups: HashMap<K, Histogram>,
    all: Histogram,
}

impl<K: Eq + std::hash::Hash> Default for Spreads<K> {
    fn default() -> Self {
        Self { groups: HashMap::new(), all: Histogram::default() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Spreads<K> {
    pub fn add(&mut self, group: K, log: f64) {
        self.groups.entry(group).or_default().add(log);
        self.all.add(log);
    }

    pub fn merge(&mut self, other: &Self) {
        for (group, more) in &other.groups {
            self.groups.entry(*group).or_default().merge(more);
        }
        self.all.merge(&other.all);
    }

    /// The spread of each group with amounts enough; of all amounts for the others.
    pub fn finish(&self) -> Known<K> {
        let enough = self.groups.iter().filter(|(_, histogram)| histogram.total >= FEWEST);
        Known {
            groups: enough.map(|(group, histogram)| (*group, histogram.spread())).collect(),
            all: self.all.spread(),
        }
    }
}

/// The spreads, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<K: Eq + std::hash::Hash> {
    groups: HashMap<K, Spread>,
    all: Spread,
}

impl<K: Copy + Eq + std::hash::Hash> Known<K> {
    /// That of the group, and whether it is the group's own.
    pub fn of(&self, group: K) -> (Spread, bool) {
        self.groups.get(&group).map_or((self.all, false), |&spread| (spread, true))
    }

    /// That of the amounts of all groups.
    pub fn all(&self) -> Spread {
        self.all
    }
}

impl<K: Copy + Eq + std::hash::Hash> Known<K> {
    /// The same, the groups known by other keys.
    pub(crate) fn by(&self, key: impl Fn(K) -> Option<K>) -> Self {
        let groups = self.groups.iter().filter_map(|(&group, &spread)| Some((key(group)?, spread)));
        Self { groups: groups.collect(), all: self.all }
    }
}

impl<K: Stored + Copy + Ord + std::hash::Hash> Stored for Known<K> {
    const LEAST: usize = Spread::LEAST + 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.all.put(out);
        put_sorted(self.groups.iter().map(|(&group, &spread)| (group, spread)), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self { all: Stored::take(from)?, groups: take_sorted(from)?.into_iter().collect() })
    }
}

impl<K: Stored + Copy + Ord + std::hash::Hash> Stored for Spreads<K> {
    const LEAST: usize = Histogram::LEAST + 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.all.put(out);
        put_sorted(self.groups.iter().map(|(&group, histogram)| (group, histogram.clone())), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self { all: Stored::take(from)?, groups: take_sorted(from)?.into_iter().collect() })
    }
}

impl Stored for Histogram {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        put_sorted(self.counts.iter().map(|(&step, &count)| (step, count)), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let counts: BTreeMap<i16, u64> = take_sorted(from)?.into_iter().collect();
        let total = counts.values().try_fold(0_u64, |total, count| total.checked_add(*count));
        Ok(Self { counts, total: total.ok_or(Broken("it has more amounts than there can be"))? })
    }
}

impl Stored for Spread {
    const LEAST: usize = 24;

    fn put(&self, out: &mut Vec<u8>) {
        (self.median, self.deviation, self.amounts).put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let (median, deviation, amounts) = Stored::take(from)?;
        // Amounts are of 128 bits: their logarithms are below 100.
        let fits = (-1.0..=100.0).contains(&median) && (LEAST_DEVIATION..=100.0).contains(&deviation);
        if fits {
            Ok(Self { median, deviation, amounts })
        } else {
            Err(Broken("it has amounts that nobody has"))
        }
    }
}

impl Histogram {
    fn add(&mut self, log: f64) {
        *self.counts.entry(libm::floor(log * STEPS) as i16).or_insert(0) += 1;
        self.total += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (step, more) in &other.counts {
            *self.counts.entry(*step).or_insert(0) += more;
        }
        self.total += other.total;
    }

    fn spread(&self) -> Spread {
        let median =
            middle(self.counts.iter().map(|(&step, &count)| (f64::from(step) + 0.5, count)), self.total);
        let mut deviations: Vec<(f64, u64)> = self
            .counts
            .iter()
            .map(|(&step, &count)| ((f64::from(step) + 0.5 - median).abs(), count))
            .collect();
        deviations.sort_by(|a, b| a.0.total_cmp(&b.0));
        let deviation = middle(deviations.into_iter(), self.total);
        Spread {
            median: median / STEPS,
            deviation: (deviation / STEPS).max(LEAST_DEVIATION),
            amounts: self.total,
        }
    }
}

/// The value in the middle of values in order, each with its count.
fn middle(values: impl Iterator<Item = (f64, u64)>, total: u64) -> f64 {
    let mut seen = 0;
    let mut found = 0.0;
    for (value, count) in values {
        found = value;
        seen += count;
        if 2 * seen >= total {
            break;
        }
    }
    found
}

impl Spread {
    /// How many robust standard deviations a log amount is above the median, or below, then negative.
    pub fn deviations(&self, log: f64) -> f64 {
        (log - self.median) / (NORMAL * self.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_of_parts_are_those_of_the_whole() {
        let amounts: Vec<(u8, f64)> =
            (0..200).map(|index| (index as u8 % 3, f64::from(index) * 0.037)).collect();
        let of = |amounts: &[(u8, f64)]| {
            let mut spreads = Spreads::default();
            amounts.iter().for_each(|(group, log)| spreads.add(*group, *log));
            spreads
        };

        let mut merged = of(&amounts[..70]);
        merged.merge(&of(&amounts[70..]));

        assert_eq!(merged, of(&amounts));
    }

    #[test]
    fn spreads_come_back_from_bytes_and_only_in_order() {
        let mut spreads = Spreads::default();
        (0..200_u32).for_each(|index| spreads.add(index % 3, f64::from(index) * 0.037 - 1.0));
        let mut bytes = Vec::new();
        spreads.put(&mut bytes);
        let mut from = Reader::new(&bytes);

        assert_eq!(Spreads::take(&mut from), Ok(spreads));
        assert!(from.is_at_end());
        assert!(Spreads::<u32>::take(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }

    #[test]
    fn the_median_and_its_deviation_are_those_of_the_amounts_to_a_step() {
        let mut spreads = Spreads::default();
        (0..=100).for_each(|index| spreads.add((), f64::from(index) * 0.1));

        let (spread, own) = spreads.finish().of(());

        assert!(own && (spread.median - 5.0).abs() < 0.05, "{spread:?}");
        assert!((spread.deviation - 2.5).abs() < 0.1, "{spread:?}");
        assert!((spread.deviations(5.0 + NORMAL * 2.5) - 1.0).abs() < 0.05);
    }

    #[test]
    fn a_group_of_few_amounts_is_measured_by_all() {
        let mut spreads = Spreads::default();
        (0..19).for_each(|_| spreads.add("few", 1.0));
        (0..20).for_each(|_| spreads.add("enough", 9.0));

        let known = spreads.finish();

        assert_eq!(known.of("few"), (known.all, false));
        assert_eq!((known.of("enough").1, known.of("enough").0.amounts), (true, 20));
    }

    #[test]
    fn equal_amounts_do_not_make_the_next_one_infinitely_far() {
        let mut spreads = Spreads::default();
        (0..30).for_each(|_| spreads.add((), 5.0));

        assert!(spreads.finish().of(()).0.deviations(5.2) < 2.0);
    }
}
