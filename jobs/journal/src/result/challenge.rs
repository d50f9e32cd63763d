//! A ledger that was scored by two models: how far they agree. The results are those of the champion.

use serde::{Deserialize, Serialize};

use super::{Listed, Model};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Challenge {
    /// The challenger.
    pub model: Model,
    pub entries: u64,
    /// The rank correlation of all scores by Spearman, from -1 to 1; equal scores share the mean of their ranks.
    pub spearman: f64,
    /// How many entries each of the two flags: the first hundredth, and a thousand at most.
    pub first: u64,
    /// How many of these are the same.
    pub both: u64,
    /// Among the first of the champion alone, in its order.
    pub champion_only: Listed<Parted>,
    /// Among the first of the challenger alone, in its order.
    pub challenger_only: Listed<Parted>,
}

/// An entry that only one of the two flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parted {
    pub entry: String,
    pub champion: Placed,
    pub challenger: Placed,
}

/// Where a model puts an entry. Scores that differ by less than a ten-thousandth share a rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    pub rank: u64,
    pub score: f64,
}

impl Challenge {
    /// With so many of each list.
    pub fn shortened(&self, most: usize) -> Self {
        let short = |list: &Listed<Parted>| {
            Listed::of(list.listed().iter().take(most).cloned().collect(), list.total())
        };
        let (champion_only, challenger_only) = (short(&self.champion_only), short(&self.challenger_only));
        Self { champion_only, challenger_only, ..self.clone() }
    }

    /// What the two agree on.
    pub fn in_words(&self) -> String {
        let number = |number: u64| crate::amount::group(&number.to_string());
        format!(
            "of the {} most unusual entries of each, {} are the same; the ranks of all {} entries correlate with {:.4} (Spearman)",
            number(self.first),
            number(self.both),
            number(self.entries),
            self.spearman
        )
    }
}
