//! Which entries an auditor tests: all high, monetary unit, stratified, random. Pure, and streaming.
//!
//! An entry's place in the order of a selection is its *key*: the first sixteen bytes of the SHA-256 of
//! `seed:selection:entry`. So a selection is the same whatever the order of the stream and however it was cut into
//! partitions, and whoever doubts it can compute the keys in any language. What several processes selected is merged
//! with `merge`; keys that are equal are told apart by the entry's id.
//!
//! Memory is bounded by what is selected. Monetary unit sampling needs sums over the order of the keys, and so goes
//! over the stream twice: see [`monetary_unit`].

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::amount::Amount;
use crate::result::{
    Band, Chosen, Listed, MOST_POINTS, MOST_SELECTED, Method, ScatterPoint, Selection, Stratum,
};

pub mod least;
pub mod monetary_unit;
mod stored;

use least::{Least, riskiest_first};

/// An entry as it passes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item<'a> {
    pub entry: &'a str,
    /// What it moves: its debits in the currency of the report. Sums over currencies would mean nothing.
    pub amount: Amount,
    pub band: Band,
    pub risk: f64,
    pub date: Option<Date>,
    pub user: &'a str,
    pub text: &'a str,
}

impl Item<'_> {
    fn chosen(&self, why: String) -> Chosen {
        Chosen {
            entry: self.entry.into(),
            date: self.date,
            user: self.user.into(),
            text: self.text.into(),
            amount: self.amount,
            band: self.band,
            risk: self.risk,
            why,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error("{field}: {asked} are more than the {MOST_SELECTED} entries that can be listed; ask for fewer")]
    TooMany { field: &'static str, asked: u64 },
    #[error("strata: the bound {0} does not lie above the one before it; list the bounds in rising order")]
    Unordered(Amount),
    #[error("strata: none are given; name at least one lower bound with its size")]
    NoStrata,
    #[error("size: is 0; ask for at least one entry")]
    NoSize,
    #[error("risk_percent: {0} is not in the table of reliability factors; take one of {1}")]
    NoFactor(u8, String),
    #[error(
        "materiality: the expected misstatement times its expansion factor leaves nothing of it; test every entry, \
         or expect less"
    )]
    NothingLeft,
    #[error("no entry has an amount above zero, so no monetary unit can be drawn")]
    NoUnits,
    #[error("the stream of the second pass is not that of the first; draw from one and the same ledger")]
    OtherStream,
}

/// The order of an entry in a selection.
pub fn key(seed: u64, selection: &str, entry: &str) -> u128 {
    let hash = Sha256::new().chain_update(format!("{seed}:{selection}:")).chain_update(entry).finalize();
    hash.iter().take(16).fold(0, |key, &byte| key << 8 | u128::from(byte))
}

/// Entries and amounts that passed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    entries: u64,
    amount: Amount,
}

impl Tally {
    fn add(&mut self, entries: u64, amount: Amount) {
        self.entries += entries;
        self.amount = self.amount + amount;
    }
}

/// Every entry in the high band, the riskiest first. Beyond what can be listed, they are counted.
#[derive(Debug, PartialEq)]
pub struct AllHigh {
    population: Tally,
    high: u64,
    least: Least<Chosen>,
}

impl Default for AllHigh {
    fn default() -> Self {
        Self { population: Tally::default(), high: 0, least: Least::new(MOST_SELECTED) }
    }
}

impl AllHigh {
    pub fn offer(&mut self, item: &Item<'_>) {
        self.population.add(1, item.amount);
        if item.band == Band::High {
            self.high += 1;
            self.least.offer(riskiest_first(item.risk), item.entry, || {
                item.chosen("its risk is in the high band".into())
            });
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.population.add(other.population.entries, other.population.amount);
        self.high += other.high;
        self.least.merge(other.least);
    }

    pub fn finish(self) -> Selection {
        let left_out = match self.high {
            0 => "no entry is in the high band".into(),
            _ => String::new(),
        };
        Selection {
            method: Method::AllHigh,
            population_entries: self.population.entries,
            population_amount: self.population.amount,
            left_out,
            chosen: Listed::of(self.least.into_values(), self.high),
        }
    }
}

/// A given number of entries, each equally likely.
#[derive(Debug, PartialEq)]
pub struct Random {
    seed: u64,
    size: u64,
    population: Tally,
    least: Least<Chosen>,
}

impl Random {
    pub fn new(seed: u64, size: u64) -> Result<Self, SelectionError> {
        Ok(Self { seed, size, population: Tally::default(), least: Least::new(listable("size", size)?) })
    }

    pub fn offer(&mut self, item: &Item<'_>) {
        self.population.add(1, item.amount);
        let key = key(self.seed, "random", item.entry);
        self.least.offer(key, item.entry, || item.chosen("drawn at random".into()));
    }

    /// Of the same seed and size.
    pub fn merge(&mut self, other: Self) {
        self.population.add(other.population.entries, other.population.amount);
        self.least.merge(other.least);
    }

    pub fn finish(self) -> Selection {
        let chosen = self.least.into_values();
        Selection {
            method: Method::Random { seed: self.seed, size: self.size },
            population_entries: self.population.entries,
            population_amount: self.population.amount,
            left_out: String::new(),
            chosen: Listed::of(chosen, 0),
        }
    }
}

/// A sample of points for a chart, each entry equally likely.
#[derive(Debug, PartialEq)]
pub struct Points {
    seed: u64,
    least: Least<ScatterPoint>,
}

impl Points {
    pub fn new(seed: u64) -> Self {
        Self { seed, least: Least::new(MOST_POINTS) }
    }

    pub fn offer(&mut self, entry: &str, point: ScatterPoint) {
        self.least.offer(key(self.seed, "points", entry), entry, || point);
    }

    /// Of the same seed.
    pub fn merge(&mut self, other: Self) {
        self.least.merge(other.least);
    }

    pub fn finish(self) -> Vec<ScatterPoint> {
        self.least.into_values()
    }
}

/// From each stratum of amounts as many entries as it asks for, each of the stratum equally likely.
#[derive(Debug, PartialEq)]
pub struct Stratified {
    seed: u64,
    population: Tally,
    below: u64,
    strata: Vec<(Stratum, Least<Chosen>)>,
}

impl Stratified {
    /// Strata by their lower bounds, rising, each with the number of entries to draw.
    pub fn new(seed: u64, bounds: &[(Amount, u64)]) -> Result<Self, SelectionError> {
        if bounds.is_empty() {
            return Err(SelectionError::NoStrata);
        }
        if let Some(&[_, (bound, _)]) = bounds.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
            return Err(SelectionError::Unordered(bound));
        }
        listable("strata", bounds.iter().map(|(_, size)| size).sum())?;
        let strata = bounds
            .iter()
            .map(|&(from, size)| {
                let stratum = Stratum { from, size, population_entries: 0, population_amount: Amount::ZERO };
                Ok((stratum, Least::new(listable("strata", size)?)))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { seed, population: Tally::default(), below: 0, strata })
    }

    pub fn offer(&mut self, item: &Item<'_>) {
        self.population.add(1, item.amount);
        let place = self.strata.partition_point(|(stratum, _)| stratum.from <= item.amount);
        let Some((stratum, least)) = place.checked_sub(1).and_then(|place| self.strata.get_mut(place)) else {
            self.below += 1;
            return;
        };
        stratum.population_entries += 1;
        stratum.population_amount = stratum.population_amount + item.amount;
        let key = key(self.seed, "stratified", item.entry);
        least.offer(key, item.entry, || item.chosen(String::new()));
    }

    /// Of the same seed and strata.
    pub fn merge(&mut self, other: Self) {
        self.population.add(other.population.entries, other.population.amount);
        self.below += other.below;
        for ((stratum, least), (stratum_of_other, least_of_other)) in self.strata.iter_mut().zip(other.strata)
        {
            stratum.population_entries += stratum_of_other.population_entries;
            stratum.population_amount = stratum.population_amount + stratum_of_other.population_amount;
            least.merge(least_of_other);
        }
    }

    pub fn finish(self) -> Selection {
        let lowest = self.strata.first().map_or(Amount::ZERO, |(stratum, _)| stratum.from);
        let mut strata = Vec::with_capacity(self.strata.len());
        let mut chosen = Vec::new();
        for (number, (stratum, least)) in self.strata.into_iter().enumerate() {
            let why = format!("drawn from stratum {}, amounts from {}", number + 1, stratum.from.grouped());
            chosen.extend(least.into_values().into_iter().map(|one| Chosen { why: why.clone(), ..one }));
            strata.push(stratum);
        }
        let left_out = match self.below {
            0 => String::new(),
            below => {
                format!("{below} entries below the lowest stratum, which begins at {}", lowest.grouped())
            }
        };
        Selection {
            method: Method::Stratified { seed: self.seed, strata },
            population_entries: self.population.entries,
            population_amount: self.population.amount,
            left_out,
            chosen: Listed::of(chosen, 0),
        }
    }
}

fn listable(field: &'static str, asked: u64) -> Result<usize, SelectionError> {
    match usize::try_from(asked) {
        Ok(0) if field == "size" => Err(SelectionError::NoSize),
        Ok(asked) if asked <= MOST_SELECTED => Ok(asked),
        _ => Err(SelectionError::TooMany { field, asked }),
    }
}

#[cfg(test)]
mod tests;
