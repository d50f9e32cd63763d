//! Entries that were chosen for testing, with all that is needed to choose them again.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Band, Listed};
use crate::amount::Amount;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    pub method: Method,
    pub population_entries: u64,
    pub population_amount: Amount,
    /// Which entries had no chance, and why; empty if all had one.
    pub left_out: String,
    pub chosen: Listed<Chosen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    AllHigh,
    MonetaryUnit { seed: u64, interval: Amount, start: Amount, basis: String },
    Stratified { seed: u64, strata: Vec<Stratum> },
    Random { seed: u64, size: u64 },
}

impl Method {
    pub fn title(&self) -> &'static str {
        match self {
            Self::AllHigh => "All high",
            Self::MonetaryUnit { .. } => "Monetary unit",
            Self::Stratified { .. } => "Stratified",
            Self::Random { .. } => "Random",
        }
    }

    /// How it was drawn, for whoever draws it again.
    pub fn in_words(&self) -> String {
        match self {
            Self::AllHigh => "every entry in the high band".into(),
            Self::MonetaryUnit { seed, interval, start, basis } => format!(
                "fixed interval of {} with start at {}, entries in the order of their keyed hash, seed {seed}; {basis}",
                interval.grouped(),
                start.grouped()
            ),
            Self::Stratified { seed, strata } => {
                format!(
                    "{} strata by amount, in each those of the least keyed hash, seed {seed}",
                    strata.len()
                )
            }
            Self::Random { seed, size } => {
                format!("{size} entries of the least keyed hash, each equally likely, seed {seed}")
            }
        }
    }
}

/// Amounts of at least `from` and less than the next stratum's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stratum {
    pub from: Amount,
    pub size: u64,
    pub population_entries: u64,
    pub population_amount: Amount,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    pub entry: String,
    pub date: Option<Date>,
    pub user: String,
    pub text: String,
    pub amount: Amount,
    pub band: Band,
    pub risk: f64,
    pub why: String,
}
