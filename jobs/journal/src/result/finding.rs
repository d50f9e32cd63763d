//! What was found: tests and their hits, bands, the entries at the top with their reasons, and rules that sum them up.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Listed;
use crate::amount::Amount;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    Low,
    Medium,
    High,
}

impl Band {
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A detector, of which the most alarmed one decides an entry's rank and names its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    ValueForest,
    CombinationForest,
    ValueSum,
    CombinationSum,
    /// Not a detector of its own: an amount far from what its account sees.
    Amount,
    /// A control test with a say in the score.
    ControlTest,
}

impl Detector {
    /// Those that rank every entry.
    pub const ALL: [Self; 4] =
        [Self::ValueForest, Self::CombinationForest, Self::ValueSum, Self::CombinationSum];

    pub fn id(self) -> &'static str {
        match self {
            Self::ValueForest => "value_forest",
            Self::CombinationForest => "combination_forest",
            Self::ValueSum => "value_sum",
            Self::CombinationSum => "combination_sum",
            Self::Amount => "amount",
            Self::ControlTest => "control_test",
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            Self::ValueForest => "isolated by its values",
            Self::CombinationForest => "isolated by its combinations",
            Self::ValueSum => "rare values in sum",
            Self::CombinationSum => "rare combinations in sum",
            Self::Amount => "an amount far from the usual",
            Self::ControlTest => "a control test",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlTest {
    pub id: String,
    pub title: String,
    /// What a hit concerns, in the words of the catalogue: line, entry, population.
    pub level: String,
    pub weight: f64,
    /// The standard or publication that asks for it.
    pub source: String,
    /// As "key = value", defaults included.
    pub parameters: Vec<String>,
    pub lines_hit: u64,
    /// Of the entries hit, in the currency of the report.
    pub amount: Amount,
    /// The riskiest first.
    pub hits: Listed<TestedEntry>,
}

/// An entry in the list of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestedEntry {
    pub entry: String,
    pub date: Option<Date>,
    pub user: String,
    pub amount: Amount,
    pub currency: String,
    pub risk: f64,
    pub band: Band,
    /// Why it was hit, with plain values.
    pub words: String,
}

/// Entries with a risk of at least `from` and less than `to`; the last band includes its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BandCount {
    pub band: Band,
    pub from: f64,
    pub to: f64,
    pub entries: u64,
}

/// An entry someone should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopEntry {
    pub rank: u64,
    pub entry: String,
    pub population: String,
    pub score: f64,
    /// Of 1: the score joined with the control tests.
    pub risk: f64,
    pub band: Band,
    pub detector: Detector,
    pub date: Option<Date>,
    pub user: String,
    pub amount: Amount,
    pub currency: String,
    pub text: String,
    pub lines: Listed<EntryLine>,
    pub hits: Vec<TestHit>,
    /// The weightiest first.
    pub reasons: Vec<Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryLine {
    pub account: String,
    pub account_name: String,
    pub debit: Option<Amount>,
    pub credit: Option<Amount>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestHit {
    pub test: String,
    pub words: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    pub feature: String,
    /// How many splits earlier than expected this feature set the entry apart, on average over the trees.
    pub contribution: f64,
    pub words: String,
}

/// A few rules that flag nearly what the scores flag: easier to discuss, never the score itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Surrogate {
    /// The share of flagged entries that the rules flag too.
    pub fidelity: f64,
    /// Those that cover the most flagged entries first.
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub text: String,
    /// Entries the rule applies to; others may apply to them too.
    pub support: u64,
    /// The share of them that is flagged.
    pub precision: f64,
}
