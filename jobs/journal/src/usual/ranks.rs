//! How high a score is among all scores, from counts in fine steps: nobody has to sort all scores of a ledger, or hold them.

use std::collections::HashMap;

use crate::stored::{Broken, Reader, Stored, put_sorted, take_sorted};

/// Bits of a 32-bit float that make a step: sign, exponent and fourteen of the fraction, so that scores of one step differ by less than a ten-thousandth.
const DROPPED: u32 = 9;

/// How often scores of each step occur.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RankCounts {
    counts: HashMap<u32, u64>,
    total: u64,
}

impl RankCounts {
    pub fn add(&mut self, score: f64) {
        *self.counts.entry(step(score)).or_insert(0) += 1;
        self.total += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (step, more) in &other.counts {
            *self.counts.entry(*step).or_insert(0) += more;
        }
        self.total += other.total;
    }

    pub fn finish(self) -> Ranks {
        let mut steps: Vec<(u32, u64)> = self.counts.into_iter().collect();
        steps.sort_unstable();
        let mut left = self.total;
        for (_, count) in &mut steps {
            let at_least = left;
            left -= std::mem::replace(count, at_least);
        }
        Ranks { steps, total: self.total }
    }
}

impl Stored for RankCounts {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        put_sorted(self.counts.iter().map(|(&step, &count)| (step, count)), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let counts: Vec<(u32, u64)> = take_sorted(from)?;
        let total = counts.iter().try_fold(0_u64, |total, (_, count)| total.checked_add(*count));
        let total = total.ok_or(Broken("it has more scores than there can be"))?;
        Ok(Self { counts: counts.into_iter().collect(), total })
    }
}

/// The ranks, ready to be asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranks {
    /// Each step in order, and how many scores lie there or above.
    steps: Vec<(u32, u64)>,
    total: u64,
}

impl Ranks {
    /// How many scores are as high or higher, and at least one: a score that nobody had counts as the first of all.
    pub fn at_least(&self, score: f64) -> u64 {
        let step = step(score);
        let place = self.steps.partition_point(|(known, _)| *known < step);
        self.steps.get(place).map_or(1, |(_, count)| *count)
    }

    /// How much a score says: -ln of the share of scores as high or higher. 0 for the lowest, 6.9 for the first of a thousand; scores that are alike share
    /// what the whole of them says.
    pub fn leverage(&self, score: f64) -> f64 {
        -libm::log(self.at_least(score) as f64 / self.total.max(1) as f64)
    }

    /// The share of scores that are lower.
    pub fn below(&self, score: f64) -> f64 {
        1.0 - self.at_least(score) as f64 / self.total.max(1) as f64
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many scores are higher, by a step at least.
    pub fn above(&self, score: f64) -> u64 {
        self.from(step(score) + 1)
    }

    /// How many scores are of this step or a higher one.
    fn from(&self, step: u32) -> u64 {
        let place = self.steps.partition_point(|(known, _)| *known < step);
        self.steps.get(place).map_or(0, |(_, count)| *count)
    }

    /// The least score such that it and those below it are `part` of so many parts of all.
    pub fn up_to(&self, part: u64, of: u64) -> f64 {
        let wanted = u128::from(self.total) * u128::from(part);
        let below = |at_least: u64| u128::from(self.total - at_least) * u128::from(of);
        let place = self.steps.partition_point(|(_, at_least)| below(*at_least) < wanted);
        place.checked_sub(1).map_or(0.0, |place| score(self.steps[place].0))
    }

    /// How far apart the two are: the largest difference of the shares that lie below any score, the statistic of Kolmogorov and Smirnov.
    pub fn distance(&self, other: &Self) -> f64 {
        if self.total == 0 || other.total == 0 {
            return 0.0;
        }
        let share = |ranks: &Self, step: u32| ranks.from(step) as f64 / ranks.total as f64;
        let steps = self.steps.iter().chain(&other.steps);
        steps.map(|(step, _)| (share(self, *step) - share(other, *step)).abs()).fold(0.0, f64::max)
    }

    /// The score below which this share of them lies.
    pub fn quantile(&self, share: f64) -> f64 {
        let above = (self.total as f64 * (1.0 - share)).max(1.0);
        let place = self.steps.partition_point(|(_, at_least)| *at_least as f64 >= above);
        place.checked_sub(1).map_or(0.0, |place| score(self.steps[place].0))
    }
}

impl Stored for Ranks {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.steps.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let steps: Vec<(u32, u64)> = Vec::take(from)?;
        let falls = steps.is_sorted_by(|one, next| one.0 < next.0 && one.1 > next.1);
        let ends = steps.last().is_none_or(|&(step, count)| step < 1 << (32 - DROPPED) && count > 0);
        if !(falls && ends) {
            return Err(Broken("its ranks are out of order"));
        }
        let total = steps.first().map_or(0, |(_, all)| *all);
        Ok(Self { steps, total })
    }
}

/// Greater scores have greater steps.
fn step(score: f64) -> u32 {
    let bits = (score as f32 + 0.0).to_bits();
    let ordered = bits ^ (((bits.cast_signed() >> 31).cast_unsigned()) | 1 << 31);
    ordered >> DROPPED
}

/// The least score of a step.
fn score(step: u32) -> f64 {
    let ordered = step << DROPPED;
    f32::from_bits(if ordered >> 31 == 0 { !ordered } else { ordered ^ 1 << 31 }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_parts_are_those_of_the_whole() {
        let scores: Vec<f64> = (0..500).map(|index| f64::from(index * 37 % 101) / 17.0 - 2.0).collect();
        let of = |scores: &[f64]| {
            let mut counts = RankCounts::default();
            scores.iter().for_each(|score| counts.add(*score));
            counts
        };

        let mut merged = of(&scores[..123]);
        merged.merge(&of(&scores[123..]));

        assert_eq!(merged, of(&scores));
        assert_eq!(merged.finish(), of(&scores).finish());
    }

    #[test]
    fn a_score_says_how_few_are_as_high() {
        let mut counts = RankCounts::default();
        [-1.0, 0.0, 0.0, 0.5].iter().for_each(|score| counts.add(*score));
        let ranks = counts.finish();

        assert_eq!(
            [-7.0, -1.0, -0.5, 0.0, 0.25, 0.5, 9.0].map(|score| ranks.at_least(score)),
            [4, 4, 3, 3, 1, 1, 1]
        );
        assert!((ranks.leverage(0.5) - libm::log(4.0)).abs() < 1e-12 && ranks.leverage(-1.0) == 0.0);
    }

    #[test]
    fn a_quantile_has_its_share_below_it() {
        let mut counts = RankCounts::default();
        (0..1_000).for_each(|score| counts.add(f64::from(score) - 500.0));
        let ranks = counts.finish();

        for (share, expected) in [(0.0, -500.0), (0.5, 0.0), (0.95, 450.0), (0.99, 490.0), (1.0, 499.0)] {
            let found = ranks.quantile(share);
            assert!((found - expected).abs() <= 1.0, "{share}: {found}");
        }
    }

    #[test]
    fn up_to_a_score_lies_its_part() {
        let of = |scores: &[f64]| {
            let mut counts = RankCounts::default();
            scores.iter().for_each(|score| counts.add(*score));
            counts.finish()
        };
        let ten = of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        let mostly_zero = of(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]);

        assert_eq!([1, 3, 5, 9, 10].map(|part| ten.up_to(part, 10)), [1.0, 3.0, 5.0, 9.0, 10.0]);
        assert_eq!([1, 5, 9, 10].map(|part| mostly_zero.up_to(part, 10)), [0.0, 0.0, 0.0, 3.0]);
        assert_eq!([0.0, 1.0, 5.5, 10.0].map(|score| ten.above(score)), [10, 9, 5, 0]);
        assert_eq!([mostly_zero.above(0.0), of(&[]).above(0.0)], [1, 0]);
        assert_eq!(of(&[]).up_to(1, 2), 0.0);
    }

    /// scipy.stats.ks_2samp says the same, to the digit.
    #[test]
    fn the_distance_is_that_of_kolmogorov_and_smirnov() {
        let of = |scores: &[f64]| {
            let mut counts = RankCounts::default();
            scores.iter().for_each(|score| counts.add(*score));
            counts.finish()
        };
        for (one, other, expected) in [
            (&[0.0, 1.0, 2.0, 3.0][..], &[2.0, 3.0, 4.0, 5.0][..], 0.5),
            (&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0], 0.5),
            (&[0.0, 1.0], &[5.0, 6.0], 1.0),
            (&[3.0, 1.0, 2.0], &[1.0, 2.0, 3.0, 1.0, 2.0, 3.0], 0.0),
            (&[1.0], &[], 0.0),
        ] {
            assert_eq!(of(one).distance(&of(other)), expected, "{one:?} {other:?}");
            assert_eq!(of(other).distance(&of(one)), expected);
        }

        let one: Vec<f64> = (0..200).map(|at| f64::from(at * 37 % 101) / 8.0).collect();
        let shifted = |at: i32| f64::from(at * 29 % 97) / 8.0 + if at % 4 == 0 { 3.0 } else { 0.0 };
        let other: Vec<f64> = (0..150).map(shifted).collect();
        assert!((of(&one).distance(&of(&other)) - 0.066_666_666_666_666_67).abs() < 1e-15);

        let squares: Vec<f64> = (0..211).map(|at| f64::from(at * at % 211) / 16.0).collect();
        let cubes: Vec<f64> = (0..199).map(|at| f64::from(at * at * at % 199) / 16.0).collect();
        assert!((of(&squares).distance(&of(&cubes)) - 0.103_455_666_960_394_39).abs() < 1e-15);
    }

    #[test]
    fn ranks_come_back_from_bytes_and_only_in_order() {
        let mut counts = RankCounts::default();
        [-1.0, 0.0, 0.0, 0.5].iter().for_each(|score| counts.add(*score));
        let ranks = counts.finish();
        let taken = |ranks: &Ranks| {
            let mut bytes = Vec::new();
            ranks.put(&mut bytes);
            Ranks::take(&mut Reader::new(&bytes))
        };

        assert_eq!(taken(&ranks), Ok(ranks.clone()));
        for steps in [vec![(2, 3), (1, 1)], vec![(1, 3), (2, 3)], vec![(1, 3), (2, 0)], vec![(1 << 23, 1)]] {
            assert!(taken(&Ranks { steps, total: 3 }).is_err());
        }
    }

    #[test]
    fn counts_come_back_from_bytes() {
        let mut counts = RankCounts::default();
        [-1.0, 0.0, 0.0, 0.5, 1e9].iter().for_each(|score| counts.add(*score));
        let mut bytes = Vec::new();
        counts.put(&mut bytes);

        assert_eq!(RankCounts::take(&mut Reader::new(&bytes)), Ok(counts));
        assert!(RankCounts::take(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
        let too_many = [(1_u32, u64::MAX), (2, 1)].to_vec();
        bytes.clear();
        too_many.put(&mut bytes);
        assert!(RankCounts::take(&mut Reader::new(&bytes)).is_err());
    }

    #[test]
    fn close_scores_are_told_apart() {
        assert!(step(0.700_1) > step(0.700_0) && step(-0.7) < step(-0.699_9) && step(-0.0) == step(0.0));
    }

    #[test]
    fn no_score_at_all_says_nothing_odd() {
        let ranks = RankCounts::default().finish();

        assert_eq!((ranks.leverage(0.3), ranks.quantile(0.99)), (0.0, 0.0));
    }
}
