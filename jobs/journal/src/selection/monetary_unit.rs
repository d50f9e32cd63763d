//! Monetary unit sampling: every unit of money has the same chance, so an entry's chance grows with its amount.
//!
//! The entries are laid end to end in the order of their keys, each as long as its amount; from a start drawn by the
//! seed, every interval picks the entry it ends in (AICPA Audit Guide, Audit Sampling: systematic selection with
//! probability proportional to size). An entry at least as large as the interval cannot be missed.
//!
//! Nothing is sorted and no stream is kept. The first pass adds up amounts in 2^18 cells by the leading bits of the
//! key (4 MiB, whatever the ledger's size); then it is known in which cells an interval ends. The second pass keeps
//! only the entries of those cells, a few for every entry chosen.

use std::collections::BTreeMap;

use super::least::Kept;
use super::{Item, SelectionError, Tally, key, listable};
use crate::amount::Amount;
use crate::result::{Chosen, Listed, MOST_SELECTED, Method, Selection};

const CELL_BITS: u32 = 18;

/// Reliability factor for no misstatement and expansion factor, both in hundredths, by the risk of incorrect
/// acceptance in per cent (AICPA Audit Guide, Audit Sampling).
const FACTORS: [(u8, i128, i128); 9] = [
    (1, 461, 190),
    (5, 300, 160),
    (10, 231, 150),
    (15, 190, 140),
    (20, 161, 130),
    (25, 139, 125),
    (30, 121, 120),
    (37, 100, 115),
    (50, 70, 100),
];

/// Where the interval comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The misstatement that can be tolerated, the one that is expected, and the risk of accepting a ledger that is
    /// misstated by more.
    Materiality { materiality: Amount, expected: Amount, risk_percent: u8 },
    /// A number of monetary units to draw.
    Size(u64),
}

impl Basis {
    /// Refuses what no population could be drawn by.
    pub fn check(self) -> Result<(), SelectionError> {
        self.interval(Amount::from_cents(100)).map(|_| ())
    }

    fn interval(self, population: Amount) -> Result<Amount, SelectionError> {
        let units = match self {
            Self::Size(size) => {
                listable("size", size)?;
                // Rounded down, so that never fewer are drawn than asked for.
                (population.ten_thousandths() / i128::from(size)).max(1)
            }
            Self::Materiality { materiality, expected, risk_percent } => {
                let (_, reliability, expansion) =
                    FACTORS.into_iter().find(|&(risk, ..)| risk == risk_percent).ok_or_else(|| {
                        let risks = FACTORS.map(|(risk, ..)| risk.to_string()).join(", ");
                        SelectionError::NoFactor(risk_percent, risks)
                    })?;
                let left = materiality.ten_thousandths() * 100 - expected.ten_thousandths() * expansion;
                left / reliability
            }
        };
        if units <= 0 {
            return Err(SelectionError::NothingLeft);
        }
        Ok(Amount::from_ten_thousandths(units))
    }

    fn in_words(self) -> String {
        match self {
            Self::Size(size) => format!("the population divided by a sample size of {size}"),
            Self::Materiality { materiality, expected, risk_percent } => format!(
                "from a tolerable misstatement of {}, an expected one of {} and a risk of incorrect acceptance of \
                 {risk_percent} %",
                materiality.grouped(),
                expected.grouped()
            ),
        }
    }
}

/// The first pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Cells {
    pub(super) seed: u64,
    pub(super) sums: Vec<i128>,
    pub(super) population: Tally,
    pub(super) chanceless: u64,
}

impl Cells {
    pub fn new(seed: u64) -> Self {
        Self { seed, sums: vec![0; 1 << CELL_BITS], population: Tally::default(), chanceless: 0 }
    }

    pub fn offer(&mut self, item: &Item<'_>) {
        if item.amount <= Amount::ZERO {
            self.chanceless += 1;
            return;
        }
        self.population.add(1, item.amount);
        let cell = cell(key(self.seed, "monetary unit", item.entry));
        self.sums[cell] += item.amount.ten_thousandths();
    }

    /// Of the same seed.
    pub fn merge(&mut self, other: &Self) {
        self.population.add(other.population.entries, other.population.amount);
        self.chanceless += other.chanceless;
        for (sum, of_other) in self.sums.iter_mut().zip(&other.sums) {
            *sum += of_other;
        }
    }

    /// Whether there is anything to draw from.
    pub fn has_units(&self) -> bool {
        self.population.amount > Amount::ZERO
    }

    pub fn plan(&self, basis: Basis) -> Result<Draw, SelectionError> {
        if self.population.amount <= Amount::ZERO {
            return Err(SelectionError::NoUnits);
        }
        let interval = basis.interval(self.population.amount)?;
        let start = start(self.seed, interval);
        let lattice = Lattice { start: start.ten_thousandths(), interval: interval.ten_thousandths() };
        let picks = lattice.up_to(self.population.amount.ten_thousandths());
        if picks > MOST_SELECTED as i128 {
            let asked = picks.try_into().unwrap_or(u64::MAX);
            return Err(SelectionError::TooMany { field: "materiality", asked });
        }
        let mut before = 0;
        let mut wanted = BTreeMap::new();
        for (cell, sum) in self.sums.iter().enumerate() {
            if lattice.picks(before, before + sum) > 0 {
                wanted.insert(cell, Wanted { before, sum: *sum, kept: Vec::new() });
            }
            before += sum;
        }
        let method = Method::MonetaryUnit { seed: self.seed, interval, start, basis: basis.in_words() };
        let Self { seed, population, chanceless, .. } = *self;
        Ok(Draw { seed, method, population, chanceless, lattice, wanted })
    }
}

/// From 1 ten-thousandth to the interval, each equally likely.
fn start(seed: u64, interval: Amount) -> Amount {
    // The bias of the remainder is below 2^-40 for any interval of money.
    let random = (key(seed, "monetary unit start", "") >> 1) as i128;
    Amount::from_ten_thousandths(random % interval.ten_thousandths() + 1)
}

fn cell(key: u128) -> usize {
    (key >> (u128::BITS - CELL_BITS)) as usize
}

/// The points that pick: the start, and every interval from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lattice {
    pub(super) start: i128,
    pub(super) interval: i128,
}

impl Lattice {
    fn up_to(self, end: i128) -> i128 {
        if end < self.start { 0 } else { (end - self.start) / self.interval + 1 }
    }

    /// How many points lie behind the one end and not behind the other.
    pub(super) fn picks(self, before: i128, end: i128) -> i128 {
        self.up_to(end) - self.up_to(before)
    }

    /// The first point behind `before`.
    fn first_behind(self, before: i128) -> i128 {
        self.start + self.up_to(before) * self.interval
    }
}

#[derive(Debug)]
struct Wanted {
    /// Units before the cell's first entry, and in the cell.
    before: i128,
    sum: i128,
    kept: Vec<Kept<Chosen>>,
}

/// The second pass, over the same entries in any order.
#[derive(Debug)]
pub struct Draw {
    seed: u64,
    method: Method,
    population: Tally,
    chanceless: u64,
    lattice: Lattice,
    wanted: BTreeMap<usize, Wanted>,
}

impl Draw {
    pub fn offer(&mut self, item: &Item<'_>) {
        if item.amount <= Amount::ZERO {
            return;
        }
        let key = key(self.seed, "monetary unit", item.entry);
        if let Some(wanted) = self.wanted.get_mut(&cell(key)) {
            let value = item.chosen(String::new());
            wanted.kept.push(Kept { key, entry: item.entry.into(), value });
        }
    }

    /// Of the same plan.
    pub fn merge(&mut self, other: Self) {
        for (cell, of_other) in other.wanted {
            if let Some(wanted) = self.wanted.get_mut(&cell) {
                wanted.kept.extend(of_other.kept);
            }
        }
    }

    pub fn finish(self) -> Result<Selection, SelectionError> {
        let mut chosen = Vec::new();
        for mut wanted in self.wanted.into_values() {
            wanted.kept.sort_unstable();
            let mut before = wanted.before;
            for Kept { value: one, .. } in wanted.kept {
                let end = before + one.amount.ten_thousandths();
                let picks = self.lattice.picks(before, end);
                if picks > 0 {
                    let why = why(self.lattice, before, &one, picks);
                    chosen.push(Chosen { why, ..one });
                }
                before = end;
            }
            if before != wanted.before + wanted.sum {
                return Err(SelectionError::OtherStream);
            }
        }
        let left_out = match self.chanceless {
            0 => String::new(),
            entries => {
                format!("{entries} entries with an amount of zero or less, of which no unit can be drawn")
            }
        };
        Ok(Selection {
            method: self.method,
            population_entries: self.population.entries,
            population_amount: self.population.amount,
            left_out,
            chosen: Listed::of(chosen, 0),
        })
    }
}

fn why(lattice: Lattice, before: i128, chosen: &Chosen, picks: i128) -> String {
    let at = Amount::from_ten_thousandths(lattice.first_behind(before)).grouped();
    if chosen.amount.ten_thousandths() >= lattice.interval {
        return format!(
            "at least as large as the interval, so never missed; picked {picks} times from unit {at}"
        );
    }
    format!("unit {at} of the population lies in it")
}
