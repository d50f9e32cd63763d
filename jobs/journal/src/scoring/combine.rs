//! One score of what the detectors and the control tests say.

use super::measures::{Measures, Signal};
use crate::usual::ranks::{RankCounts, Ranks};

mod stored;

/// A forest's word counts half: its depths are random, and there are two of them.
const HALF: f64 = std::f64::consts::LN_2;
/// Who says less than "the first of a hundred" leaves the order to the sums.
const TOP: f64 = 4.605_170_185_988_092;
/// What a test of this kind says at most: "the first of a thousand".
const HIGH: f64 = 6.907_755_278_982_137;
/// Beyond the highest hundredth a sum speaks for itself: so many nats of it are worth one of the rank's.
const NATS: f64 = 2.0;

/// Who has the strongest word on an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    /// Values that are rare, summed.
    Values,
    /// Values that hardly ever meet, summed.
    Pairs,
    ValueForest,
    PairForest,
    /// An amount far from what its account sees.
    Amount,
    Test(Signal),
}

/// The detectors' scores of an entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detected {
    pub values: f64,
    pub pairs: f64,
    pub value_forest: f64,
    pub pair_forest: f64,
}

/// What is known of a sum's scores over all entries.
#[derive(Debug, Clone, PartialEq)]
struct Tail {
    ranks: Ranks,
    high: f64,
}

impl Tail {
    fn new(ranks: Ranks) -> Self {
        let high = ranks.quantile(0.99);
        Self { ranks, high }
    }

    /// How few are as high, up to the highest hundredth; beyond it how much higher it is. A rank alone cannot tell a tail's end from what lies far behind it.
    fn word(&self, sum: f64) -> f64 {
        if sum > self.high { TOP + (sum - self.high) / NATS } else { self.ranks.leverage(sum).min(TOP) }
    }
}

/// Before the detectors can be asked: amounts and tests over all entries. Adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignalCounts {
    deviations: RankCounts,
    signals: [RankCounts; Signal::ALL.len()],
}

impl SignalCounts {
    pub fn add(&mut self, measures: &Measures) {
        self.deviations.add(measures.deviation);
        for (counts, value) in self.signals.iter_mut().zip(measures.signals) {
            counts.add(value);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.deviations.merge(&other.deviations);
        for (counts, more) in self.signals.iter_mut().zip(&other.signals) {
            counts.merge(more);
        }
    }

    pub fn finish(self) -> SignalRanks {
        SignalRanks { deviations: self.deviations.finish(), signals: self.signals.map(RankCounts::finish) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct SignalRanks {
    deviations: Ranks,
    signals: [Ranks; Signal::ALL.len()],
}

impl SignalRanks {
    /// What the two plain sums are for an entry.
    pub fn sums(&self, measures: &Measures, has_amounts: bool) -> (f64, f64) {
        let amount = self.amount_in_sum(measures, has_amounts);
        let values = measures.surprisal_sum() + amount + measures.pairs_above / 4.0;
        (values, measures.pairs_above - measures.pairs_below / 2.0)
    }

    fn amount_in_sum(&self, measures: &Measures, has_amounts: bool) -> f64 {
        if has_amounts { self.deviations.leverage(measures.deviation) } else { 0.0 }
    }
}

/// The detectors' scores over all entries. Adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetectedCounts([RankCounts; 4]);

impl DetectedCounts {
    pub fn add(&mut self, detected: &Detected) {
        let Detected { values, pairs, value_forest, pair_forest } = *detected;
        for (counts, score) in self.0.iter_mut().zip([values, pairs, value_forest, pair_forest]) {
            counts.add(score);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (counts, more) in self.0.iter_mut().zip(&other.0) {
            counts.merge(more);
        }
    }
}

/// Makes one score of what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Combiner {
    tails: [Tail; 4],
    signals: SignalRanks,
    has_amounts: bool,
}

/// The score of an entry, and who has said it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub score: f64,
    pub winner: Winner,
    /// Decides between entries of one score.
    pub together: f64,
}

impl Combiner {
    pub fn new(detected: DetectedCounts, signals: SignalRanks, has_amounts: bool) -> Self {
        Self { tails: detected.0.map(|counts| Tail::new(counts.finish())), signals, has_amounts }
    }

    /// The share of entries that each detector finds less unusual: of values and of combinations by their forests, then by their sums.
    pub fn ranks(&self, detected: &Detected) -> [f64; 4] {
        let [values, pairs, value_forest, pair_forest] = &self.tails;
        [
            (value_forest, detected.value_forest),
            (pair_forest, detected.pair_forest),
            (values, detected.values),
            (pairs, detected.pairs),
        ]
        .map(|(tail, score)| tail.ranks.below(score))
    }

    /// How much the furthest amount adds to the sum of values.
    pub fn amount_in_sum(&self, measures: &Measures) -> f64 {
        self.signals.amount_in_sum(measures, self.has_amounts)
    }

    pub fn score(&self, detected: &Detected, measures: &Measures) -> Scored {
        let Detected { values, pairs, value_forest, pair_forest } = *detected;
        let [of_values, of_pairs, of_value_forest, of_pair_forest] = &self.tails;
        let (values, pairs) = (of_values.word(values), of_pairs.word(pairs));
        let value_forest = of_value_forest.ranks.leverage(value_forest) - HALF;
        let pair_forest = of_pair_forest.ranks.leverage(pair_forest) - HALF;
        let top = |word: f64| if word >= TOP { word } else { 0.0 };
        let amount = if self.has_amounts {
            self.signals.deviations.leverage(measures.deviation).min(TOP)
        } else {
            0.0
        };
        let words = [
            (values, Winner::Values),
            (top(pairs), Winner::Pairs),
            (top(value_forest), Winner::ValueForest),
            (top(pair_forest), Winner::PairForest),
            (amount, Winner::Amount),
        ];
        let tests = Signal::ALL.into_iter().zip(measures.signals).zip(&self.signals.signals);
        let tests = tests.filter(|((_, value), _)| *value > 0.0).map(|((signal, value), ranks)| {
            let most = match signal {
                Signal::Weekend | Signal::AfterHours => TOP,
                Signal::Unbalanced
                | Signal::OutOfPeriod
                | Signal::Lag
                | Signal::RareText
                | Signal::BelowLimit
                | Signal::SeldomAccount => HIGH,
            };
            (ranks.leverage(value).min(most), Winner::Test(signal))
        });
        let first = (f64::NEG_INFINITY, Winner::Values);
        let (score, winner) = words
            .into_iter()
            .chain(tests)
            .fold(first, |best, word| if word.0 > best.0 { word } else { best });
        Scored { score, winner, together: values + pairs + value_forest + pair_forest }
    }
}
