//! The rank of a score among all scores, from counts in fine steps: nobody has to sort all scores of a ledger, or hold them.

use std::collections::HashMap;

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
        let mut below = 0;
        let steps = steps
            .into_iter()
            .map(|(step, count)| {
                let middle = below as f64 + count as f64 / 2.0;
                below += count;
                (step, middle)
            })
            .collect();
        Ranks { steps, total: self.total }
    }
}

/// The ranks, ready to be asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranks {
    /// Each step in order, and how many scores lie below the middle of those of the step.
    steps: Vec<(u32, f64)>,
    total: u64,
}

impl Ranks {
    /// The share of scores that lie below, ties by halves; between 0 and 1, and never either. A score that was not counted has the rank of the next
    /// lower one.
    pub fn rank(&self, score: f64) -> f64 {
        let step = step(score);
        let place = self.steps.partition_point(|(known, _)| *known <= step);
        let below = place.checked_sub(1).map_or(0.5, |place| self.steps[place].1);
        let least = 0.5 / (self.total.max(1)) as f64;
        (below / self.total.max(1) as f64).clamp(least, 1.0 - least)
    }

    /// How much a rank says: 0 for the lowest score, 0.69 for the middle one, 6.9 for the first of a thousand.
    pub fn leverage(&self, score: f64) -> f64 {
        -libm::log1p(-self.rank(score))
    }
}

/// Greater scores have greater steps.
fn step(score: f64) -> u32 {
    let bits = (score as f32 + 0.0).to_bits();
    let ordered = bits ^ (((bits.cast_signed() >> 31).cast_unsigned()) | 1 << 31);
    ordered >> DROPPED
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
    fn a_rank_is_the_share_of_scores_below_and_half_of_those_alike() {
        let mut counts = RankCounts::default();
        [-1.0, 0.0, 0.0, 0.5].iter().for_each(|score| counts.add(*score));
        let ranks = counts.finish();

        assert_eq!([-1.0, 0.0, 0.5].map(|score| ranks.rank(score)), [0.125, 0.5, 0.875]);
        assert_eq!([-7.0, 0.25, 9.0].map(|score| ranks.rank(score)), [0.125, 0.5, 0.875]);
        assert!((ranks.leverage(0.5) - libm::log(8.0)).abs() < 1e-12);
    }

    #[test]
    fn close_scores_are_told_apart() {
        assert!(step(0.700_1) > step(0.700_0) && step(-0.7) < step(-0.699_9) && step(-0.0) == step(0.0));
    }

    #[test]
    fn no_score_at_all_has_ranks_too() {
        let rank = RankCounts::default().finish().rank(0.3);

        assert!(rank > 0.0 && rank < 1.0);
    }
}
