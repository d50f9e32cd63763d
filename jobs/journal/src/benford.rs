//! Benford's law: how often digits occur in amounts that grew naturally, against how often they occur here.
//!
//! Counts are taken per part of a ledger and added up; digits come from the exact decimal amount, never from a float, which sees 1,299 digits as 1,298 now
//! and then. Amounts below ten are left out unless told otherwise, as Nigrini advises: they have no two digits before the cents.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;

mod chi_square;
mod sample;

use sample::Sample;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    First,
    FirstTwo,
    /// The first two digits of the differences between the amounts in order.
    SecondOrder,
    /// The last two digits, which are cents where there are cents; all are equally likely.
    LastTwo,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::First, Self::FirstTwo, Self::SecondOrder, Self::LastTwo];

    /// The digits it counts, in order.
    fn digits(self) -> std::ops::Range<u8> {
        match self {
            Self::First => 1..10,
            Self::FirstTwo | Self::SecondOrder => 10..100,
            Self::LastTwo => 0..100,
        }
    }

    pub fn expected(self, digits: u8) -> f64 {
        match self {
            Self::LastTwo => 0.01,
            _ => libm::log10(1.0 + 1.0 / f64::from(digits)),
        }
    }

    /// Nigrini's bounds of the mean absolute deviation; there are none for last digits.
    fn bounds(self) -> Option<[f64; 3]> {
        match self {
            Self::First => Some([0.006, 0.012, 0.015]),
            Self::FirstTwo | Self::SecondOrder => Some([0.0012, 0.0018, 0.0022]),
            Self::LastTwo => None,
        }
    }
}

/// Nigrini, Benford's Law (2012), table 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conformity {
    Close,
    Acceptable,
    Marginal,
    None,
}

impl Conformity {
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Close => "close conformity",
            Self::Acceptable => "acceptable conformity",
            Self::Marginal => "marginally acceptable conformity",
            Self::None => "nonconformity",
        }
    }
}

/// Amounts below it are left out, unless told otherwise.
pub const LEAST: Amount = Amount::TEN;

/// The counts of amounts; those of two parts of a ledger add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    least: Amount,
    first_two: Vec<u64>,
    last_two: Vec<u64>,
    sample: Sample,
}

impl Default for Counts {
    fn default() -> Self {
        Self::from(LEAST)
    }
}

impl Counts {
    /// Of amounts of at least so much; zero has no first digits and never counts.
    pub fn from(least: Amount) -> Self {
        Self { least, first_two: vec![0; 90], last_two: vec![0; 100], sample: Sample::default() }
    }

    /// The place is the same whatever order the ledger has, and different for every line: it decides which amounts are sampled for the second order.
    pub fn add(&mut self, amount: Amount, place: u64) {
        let Some(digits) = leading(amount).filter(|_| amount.abs() >= self.least) else { return };
        self.first_two[usize::from(digits - 10)] += 1;
        self.last_two[usize::from(last_two(amount))] += 1;
        self.sample.add(place, amount);
    }

    pub fn merge(&mut self, other: Self) {
        add_up(&mut self.first_two, &other.first_two);
        add_up(&mut self.last_two, &other.last_two);
        self.sample.merge(other.sample);
    }

    pub fn amounts(&self) -> u64 {
        self.first_two.iter().sum()
    }

    pub fn analysis(&self, kind: Kind) -> Analysis {
        match kind {
            Kind::First => {
                let first = |digit: usize| self.first_two[(digit - 1) * 10..digit * 10].iter().sum();
                Analysis::of(kind, &(1..10).map(first).collect::<Vec<_>>())
            }
            Kind::FirstTwo => Analysis::of(kind, &self.first_two),
            Kind::SecondOrder => Analysis::of(kind, &self.sample.second_order()),
            Kind::LastTwo => Analysis::of(kind, &self.last_two),
        }
    }
}

fn add_up(one: &mut [u64], other: &[u64]) {
    for (one, other) in one.iter_mut().zip(other) {
        *one += other;
    }
}

/// 10 to 99; `None` for what is left out.
pub fn first_two(amount: Amount) -> Option<u8> {
    if amount.abs() < LEAST { None } else { leading(amount) }
}

/// Of any amount but zero, however small.
fn leading(amount: Amount) -> Option<u8> {
    let mut units = amount.units().unsigned_abs();
    if units == 0 {
        return None;
    }
    while units >= 100 {
        units /= 10;
    }
    let digits = if units < 10 { units * 10 } else { units };
    u8::try_from(digits).ok()
}

/// The cents of an amount, cut off behind them.
pub fn last_two(amount: Amount) -> u8 {
    (amount.units().unsigned_abs() / 100 % 100) as u8
}

/// What the digits of a population say. Shares and not counts are compared, except by chi-square.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    pub kind: Kind,
    /// Of the second order, the number of differences.
    pub amounts: u64,
    pub digits: Vec<Digit>,
    /// The mean absolute deviation of the shares.
    pub mad: f64,
    pub conformity: Option<Conformity>,
    pub chi_square: f64,
    pub degrees: u32,
    /// How likely digits that follow the law deviate as much.
    pub p_value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Digit {
    pub digits: u8,
    /// A share of 1.
    pub expected: f64,
    pub observed: u64,
    /// How many standard deviations the share is from the expected one.
    pub z: f64,
}

impl Digit {
    /// How many more there are than expected among so many amounts; below zero for fewer.
    pub fn excess(&self, amounts: u64) -> f64 {
        self.observed as f64 - self.expected * amounts as f64
    }
}

impl Analysis {
    fn of(kind: Kind, counts: &[u64]) -> Self {
        let amounts: u64 = counts.iter().sum();
        let digits: Vec<Digit> = kind
            .digits()
            .zip(counts)
            .map(|(digits, &observed)| {
                let expected = kind.expected(digits);
                Digit { digits, expected, observed, z: z(observed, amounts, expected) }
            })
            .collect();
        let degrees = digits.len() as u32 - 1;
        if amounts == 0 {
            let (mad, chi_square, p_value) = (0.0, 0.0, 1.0);
            return Self { kind, amounts, digits, mad, conformity: None, chi_square, degrees, p_value };
        }
        let share = |digit: &Digit| digit.observed as f64 / amounts as f64;
        let mad = digits.iter().map(|digit| (share(digit) - digit.expected).abs()).sum::<f64>()
            / digits.len() as f64;
        let chi_square = digits
            .iter()
            .map(|digit| {
                let excess = digit.excess(amounts);
                excess * excess / (digit.expected * amounts as f64)
            })
            .sum();
        let conformity = kind.bounds().map(|bounds| conformity(mad, bounds));
        let p_value = chi_square::upper_tail(chi_square, degrees);
        Self { kind, amounts, digits, mad, conformity, chi_square, degrees, p_value }
    }
}

fn conformity(mad: f64, [close, acceptable, marginal]: [f64; 3]) -> Conformity {
    match mad {
        mad if mad <= close => Conformity::Close,
        mad if mad <= acceptable => Conformity::Acceptable,
        mad if mad <= marginal => Conformity::Marginal,
        _ => Conformity::None,
    }
}

/// With the correction for continuity where the deviation exceeds it.
fn z(observed: u64, amounts: u64, expected: f64) -> f64 {
    if amounts == 0 {
        return 0.0;
    }
    let amounts = amounts as f64;
    let deviation = observed as f64 / amounts - expected;
    let correction = 0.5 / amounts;
    let size = if deviation.abs() > correction { deviation.abs() - correction } else { deviation.abs() };
    libm::copysign(size / libm::sqrt(expected * (1.0 - expected) / amounts), deviation)
}

/// The first two digits of the amounts of one account or user: enough to say which of them are too many.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    counts: Box<[u64; 90]>,
    pub amounts: u64,
    pub mad: f64,
}

impl Slice {
    pub fn of(counts: [u64; 90]) -> Self {
        let analysis = Analysis::of(Kind::FirstTwo, &counts);
        Self { counts: Box::new(counts), amounts: analysis.amounts, mad: analysis.mad }
    }

    pub fn population(counts: &Counts) -> Self {
        let mut first_two = [0; 90];
        first_two.copy_from_slice(&counts.first_two);
        Self::of(first_two)
    }

    pub fn digit(&self, digits: u8) -> Digit {
        let observed = self.counts[usize::from(digits - 10)];
        let expected = Kind::FirstTwo.expected(digits);
        Digit { digits, expected, observed, z: z(observed, self.amounts, expected) }
    }
}

#[cfg(test)]
mod tests;
