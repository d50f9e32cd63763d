//! The risk of an entry: how unusual it is, joined with the control tests that it hits.
//!
//! Each of them raises it by a share of what is left: a test of the greatest weight by half, so that an entry out of balance is of high risk whatever else is
//! true of it, and the fifth small reason changes little. A test that hits half of a ledger tells nobody apart, and counts less for each entry; what breaks
//! the books themselves counts in full.

use serde::{Deserialize, Serialize};

use crate::controls::{self, Id, Level};
use crate::result::Band;

/// The weight whose test makes an entry one of high risk by itself.
const HALF: f64 = 20.0;
/// The score of the first of a thousand, at which the score does the same.
const FIRST_OF_A_THOUSAND: f64 = 6.907_755_278_982_137;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the score of the first of a thousand entries weighs, as tests have weights; 0 leaves the risk to the tests.
    pub score_weight: u32,
    /// From these risks on an entry is of medium and of high risk.
    pub medium: f64,
    pub high: f64,
    /// Whether a test that hits many entries counts less for each of them.
    pub by_rarity: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { score_weight: 10, medium: 0.3, high: 0.5, by_rarity: true }
    }
}

/// What a hit of each test raises the risk by.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    config: Config,
    /// By [`Id::ALL`].
    tests: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}; {remedy}")]
pub struct ConfigError {
    pub field: &'static str,
    pub problem: String,
    pub remedy: &'static str,
}

impl Config {
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.score_weight > 20 {
            let problem = format!("{} is too much", self.score_weight);
            return Err(ConfigError { field: "score_weight", problem, remedy: "write 20 or less" });
        }
        if !(self.medium > 0.0 && self.medium < self.high && self.high <= 1.0) {
            let problem = format!("{} and {} are no bounds of bands", self.medium, self.high);
            let remedy = "write two numbers between 0 and 1, the lower one for medium";
            return Err(ConfigError { field: "medium, high", problem, remedy });
        }
        Ok(())
    }

    /// `hit` is the share of entries that a test hits.
    pub fn shares(&self, controls: &controls::Config, hit: impl Fn(Id) -> f64) -> Shares {
        let of = |&test: &Id| {
            let rarity = match test.about().level {
                Level::Rule | Level::Statistical if self.by_rarity => rarity(hit(test)),
                _ => 1.0,
            };
            share(f64::from(controls.weight(test)) * rarity)
        };
        Shares { config: *self, tests: Id::ALL.iter().map(of).collect() }
    }

    pub fn band(&self, risk: f64) -> Band {
        match risk {
            risk if risk >= self.high => Band::High,
            risk if risk >= self.medium => Band::Medium,
            _ => Band::Low,
        }
    }

    /// Where each band begins.
    pub fn from(&self, band: Band) -> f64 {
        match band {
            Band::Low => 0.0,
            Band::Medium => self.medium,
            Band::High => self.high,
        }
    }
}

impl Shares {
    /// Between 0 and 1. The tests that are hit are bits in the order of the catalogue.
    pub fn risk(&self, score: f64, tests: u64) -> f64 {
        let unusual = (score / FIRST_OF_A_THOUSAND).clamp(0.0, 1.3);
        // Squared: that an entry is the first of ten says next to nothing.
        let left = 1.0 - share(f64::from(self.config.score_weight) * unusual * unusual);
        let hit = self.tests.iter().enumerate().filter(|(test, _)| tests >> test & 1 == 1);
        1.0 - hit.fold(left, |left, (_, share)| left * (1.0 - share))
    }
}

/// 1 for a test that hits one entry of a hundred or fewer, a half for one of ten, 0 for one that hits all.
fn rarity(hit: f64) -> f64 {
    const ONE_OF_A_HUNDRED: f64 = 0.01;
    if hit <= ONE_OF_A_HUNDRED { 1.0 } else { libm::log(hit.min(1.0)) / libm::log(ONE_OF_A_HUNDRED) }
}

fn share(weight: f64) -> f64 {
    (weight / HALF).min(0.95)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risk(score: f64, tests: &[Id], hit: f64) -> f64 {
        let shares = Config::default().shares(&controls::Config::default(), |_| hit);
        shares.risk(score, tests.iter().fold(0, |tests, id| tests | 1 << *id as u32))
    }

    #[test]
    fn score_and_tests_raise_the_risk_each_by_a_share_of_what_is_left() {
        for (score, tests, hit, expected) in [
            (0.0, &[][..], 0.0, 0.0),
            (FIRST_OF_A_THOUSAND, &[], 0.0, 0.5),
            (FIRST_OF_A_THOUSAND / 2.0, &[], 0.0, 0.125),
            (100.0, &[], 0.0, 0.845),
            (0.0, &[Id::Unbalanced], 0.0, 0.5),
            (0.0, &[Id::Manual, Id::PeriodEnd], 0.01, 1.0 - 0.9 * 0.95),
            (FIRST_OF_A_THOUSAND, &[Id::Unbalanced, Id::Manual], 0.0, 1.0 - 0.5 * 0.5 * 0.9),
            // A test that hits one of ten counts half, one that hits all nothing; what breaks the books counts in full.
            (0.0, &[Id::Manual], 0.1, 0.05),
            (0.0, &[Id::Manual], 1.0, 0.0),
            (0.0, &[Id::Unbalanced], 1.0, 0.5),
        ] {
            let found = risk(score, tests, hit);
            assert!((found - expected).abs() < 1e-12, "{score} {tests:?} {hit}: {found}");
        }
    }

    #[test]
    fn without_rarity_a_test_counts_in_full_however_many_it_hits() {
        let config = Config { by_rarity: false, ..Config::default() };
        let shares = config.shares(&controls::Config::default(), |_| 1.0);

        assert!((shares.risk(0.0, 1 << Id::Manual as u32) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_bound_belongs_to_the_band_above_it() {
        let config = Config::default();
        let bands = [0.0, 0.299, 0.3, 0.499, 0.5, 1.0].map(|risk| config.band(risk));

        assert_eq!(bands, [Band::Low, Band::Low, Band::Medium, Band::Medium, Band::High, Band::High]);
    }

    #[test]
    fn bounds_that_cannot_be_meant_are_refused() {
        for (medium, high) in [(0.5, 0.5), (0.6, 0.5), (0.0, 0.5), (0.3, 1.1), (f64::NAN, 0.5)] {
            let config = Config { medium, high, ..Config::default() };
            assert_eq!(config.check().unwrap_err().field, "medium, high", "{medium} {high}");
        }
        assert_eq!(
            Config { score_weight: 21, ..Config::default() }.check().unwrap_err().field,
            "score_weight"
        );
        assert_eq!(Config::default().check(), Ok(()));
    }
}
