//! What the charts show. Counts, so that the distributions of two partitions add up.

use serde::{Deserialize, Serialize};

use super::Band;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distributions {
    pub scores: Histogram,
    pub week: WeekHours,
    pub benford: Vec<Benford>,
    /// A seeded sample of the population.
    pub points: Vec<ScatterPoint>,
}

/// Entries per range of equal width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    pub from: f64,
    pub to: f64,
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Where the range of this number begins; of the number behind the last, where the last ends.
    pub fn edge(&self, index: usize) -> f64 {
        let share = index as f64 / self.counts.len().max(1) as f64;
        self.from + (self.to - self.from) * share
    }
}

/// Entries by weekday (Monday first) and hour of entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeekHours {
    pub hours: [[HourCell; 24]; 7],
    /// With a date of entry and no time.
    pub untimed: [HourCell; 7],
    pub undated: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HourCell {
    pub entries: u64,
    /// 0 where there are no entries.
    pub mean_score: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BenfordKind {
    First,
    FirstTwo,
    SecondOrder,
    LastTwo,
}

impl BenfordKind {
    pub fn title(self) -> &'static str {
        match self {
            Self::First => "First digit",
            Self::FirstTwo => "First two digits",
            Self::SecondOrder => "Second order, first two digits",
            Self::LastTwo => "Last two digits",
        }
    }

    /// Short enough for the name of a sheet.
    pub fn short(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::FirstTwo => "first two",
            Self::SecondOrder => "second order",
            Self::LastTwo => "last two",
        }
    }

    /// "7", or "07" where zeros lead.
    pub fn digits(self, digits: u16) -> String {
        match self {
            Self::LastTwo => format!("{digits:02}"),
            _ => digits.to_string(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benford {
    pub kind: BenfordKind,
    /// What was looked at: "all amounts of 10 and more", "user MEIER".
    pub population: String,
    pub amounts: u64,
    pub digits: Vec<DigitCount>,
    /// Mean absolute deviation of the shares.
    pub mad: f64,
    pub chi_square: f64,
    pub degrees: u32,
    /// In words, with the bounds it is drawn from.
    pub conclusion: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DigitCount {
    pub digits: u16,
    /// A share of 1.
    pub expected: f64,
    pub observed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScatterPoint {
    /// A float here, because it only becomes a place on paper.
    pub amount: f64,
    pub score: f64,
    pub band: Band,
}
