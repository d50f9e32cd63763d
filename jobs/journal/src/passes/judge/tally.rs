//! What outputs need of all entries, kept while they are judged: sums, and the first of what is listed. It adds up over the parts.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::{Bench, Row};
use crate::amount::Amount;
use crate::controls::{Fact, Hit, Id, Place, View};
use crate::names::Sort;
use crate::part::{Entry, Part, Posting};
use crate::result::{Band, Histogram, HourCell, MOST_HITS, ScatterPoint, Selection, TestedEntry, WeekHours};
use crate::scoring::combine::Scored;
use crate::scoring::measures::Measures;
use crate::selection::least::{Least, riskiest_first};
use crate::selection::monetary_unit::Cells;
use crate::selection::{AllHigh, Points, Random, SelectionError, Stratified};

mod stored;

/// Scores are told apart in steps of half a nat, up to here.
const HIGHEST_SCORE: usize = 24;
const STEPS_PER_NAT: usize = 2;
/// Mean scores come from sums of whole numbers, which are the same in any order.
const UNITS_PER_NAT: f64 = 4_294_967_296.0;

/// What is to be listed and drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub top: usize,
    pub seed: u64,
    pub random: u64,
    /// Lower bounds with sizes; none for no stratified selection.
    pub strata: Vec<(Amount, u64)>,
    /// Entries that are told whatever their risk is.
    pub asked: BTreeSet<String>,
}

impl Wanted {
    /// Refuses what cannot be drawn.
    pub fn check(&self) -> Result<(), SelectionError> {
        if self.random > 0 {
            Random::new(self.seed, self.random)?;
        }
        if !self.strata.is_empty() {
            Stratified::new(self.seed, &self.strata)?;
        }
        Ok(())
    }
}

/// An entry with all that is known of it.
pub struct Judged<'p> {
    pub row: Row,
    pub part: &'p Part,
    pub entry: &'p Entry,
    pub facts: &'p [Fact],
    pub scored: Scored,
    pub measures: Measures,
    /// Found again only for what is listed.
    pub hits: OnceCell<Vec<Hit>>,
}

impl Judged<'_> {
    pub fn postings(&self) -> &[Posting] {
        self.part.postings_of(self.entry)
    }

    pub fn hits(&self, bench: Bench<'_>) -> &[Hit] {
        self.hits.get_or_init(|| View::new(bench.scene, self.part, self.entry, self.facts).hits())
    }
}

/// An entry that is told, see [`crate::passes::tell`].
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    pub row: Row,
    pub scored: Scored,
    pub measures: Measures,
}

#[derive(Debug, PartialEq)]
pub struct Tally {
    bands: [u64; Band::ALL.len()],
    scores: Vec<u64>,
    week: Week,
    points: Points,
    tests: Vec<OfTest>,
    top: Least<Picked>,
    asked: BTreeMap<String, Picked>,
    all_high: AllHigh,
    random: Option<Random>,
    stratified: Option<Stratified>,
    cells: Cells,
}

/// What all of it comes to.
pub struct Found {
    pub bands: [u64; Band::ALL.len()],
    pub scores: Histogram,
    pub week: WeekHours,
    pub points: Vec<ScatterPoint>,
    /// By [`Id::ALL`].
    pub tests: Vec<FoundTest>,
    /// The riskiest first.
    pub top: Vec<Picked>,
    /// In the order of their ids.
    pub asked: Vec<Picked>,
    /// All high, stratified and random, as far as they were wanted.
    pub selections: Vec<Selection>,
    /// For the monetary units, which need another pass.
    pub cells: Cells,
}

pub struct FoundTest {
    pub id: Id,
    pub amount: Amount,
    /// The riskiest first.
    pub listed: Vec<(TestedEntry, Option<Place>)>,
}

#[derive(Debug, PartialEq)]
struct OfTest {
    amount: Amount,
    listed: Least<(TestedEntry, Option<Place>)>,
}

impl Tally {
    pub fn new(wanted: &Wanted) -> Self {
        let of_test = || OfTest { amount: Amount::ZERO, listed: Least::new(MOST_HITS) };
        Self {
            bands: [0; Band::ALL.len()],
            scores: vec![0; HIGHEST_SCORE * STEPS_PER_NAT],
            week: Week::default(),
            points: Points::new(wanted.seed),
            tests: Id::ALL.iter().map(|_| of_test()).collect(),
            top: Least::new(wanted.top),
            asked: BTreeMap::new(),
            all_high: AllHigh::default(),
            // What was wanted was checked.
            random: (wanted.random > 0).then(|| Random::new(wanted.seed, wanted.random).ok()).flatten(),
            stratified: Stratified::new(wanted.seed, &wanted.strata).ok(),
            cells: Cells::new(wanted.seed),
        }
    }

    pub fn add(&mut self, bench: Bench<'_>, judged: &Judged<'_>) {
        let row = &judged.row;
        self.bands[row.band as usize] += 1;
        let step = (row.score.max(0.0) * STEPS_PER_NAT as f64) as usize;
        self.scores[step.min(HIGHEST_SCORE * STEPS_PER_NAT - 1)] += 1;
        self.week.add(bench, judged.postings(), row.score);
        let point = ScatterPoint { amount: row.amount.abs().to_f64(), score: row.score, band: row.band };
        self.points.offer(&row.entry, point);
        let item = row.item(bench.scene.names.name(Sort::User, row.user));
        self.all_high.offer(&item);
        if let Some(random) = &mut self.random {
            random.offer(&item);
        }
        if let Some(stratified) = &mut self.stratified {
            stratified.offer(&item);
        }
        self.cells.offer(&item);
        for (id, test) in Id::ALL.iter().zip(&mut self.tests) {
            if row.tests >> *id as u32 & 1 == 1 {
                test.add(bench, judged, *id);
            }
        }
        let pick = || Picked { row: row.clone(), scored: judged.scored, measures: judged.measures.clone() };
        if bench.wanted.asked.contains(&row.entry) {
            self.asked.insert(row.entry.clone(), pick());
        }
        self.top.offer(riskiest_first(row.risk), &row.entry, pick);
    }

    fn add_up(&mut self, other: Self) {
        self.bands.iter_mut().zip(other.bands).for_each(|(count, more)| *count += more);
        self.scores.iter_mut().zip(other.scores).for_each(|(count, more)| *count += more);
        self.week.merge(&other.week);
        self.points.merge(other.points);
        self.tests.iter_mut().zip(other.tests).for_each(|(test, more)| test.merge(more));
        self.top.merge(other.top);
        self.asked.extend(other.asked);
        self.all_high.merge(other.all_high);
        if let (Some(random), Some(more)) = (&mut self.random, other.random) {
            random.merge(more);
        }
        if let (Some(stratified), Some(more)) = (&mut self.stratified, other.stratified) {
            stratified.merge(more);
        }
        self.cells.merge(&other.cells);
    }

    pub fn finish(self) -> Found {
        let tests = Id::ALL.iter().zip(self.tests);
        let used = self.scores.iter().rposition(|count| *count > 0).map_or(1, |last| last + 1);
        Found {
            bands: self.bands,
            scores: Histogram {
                from: 0.0,
                to: used as f64 / STEPS_PER_NAT as f64,
                counts: self.scores[..used].to_vec(),
            },
            week: self.week.finish(),
            points: self.points.finish(),
            tests: tests
                .map(|(&id, OfTest { amount, listed })| FoundTest {
                    id,
                    amount,
                    listed: listed.into_values(),
                })
                .collect(),
            top: self.top.into_values(),
            asked: self.asked.into_values().collect(),
            selections: [
                Some(self.all_high.finish()),
                self.stratified.map(Stratified::finish),
                self.random.map(Random::finish),
            ]
            .into_iter()
            .flatten()
            .collect(),
            cells: self.cells,
        }
    }
}

impl OfTest {
    fn add(&mut self, bench: Bench<'_>, judged: &Judged<'_>, id: Id) {
        let row = &judged.row;
        if row.in_main_currency {
            self.amount = self.amount + row.amount;
        }
        let names = bench.scene.names;
        self.listed.offer(riskiest_first(row.risk), &row.entry, || {
            let hit = judged.hits(bench).iter().find(|hit| hit.id == id);
            let tested = TestedEntry {
                entry: row.entry.clone(),
                date: row.date,
                user: names.name(Sort::User, row.user).into(),
                amount: row.amount,
                currency: names.name(Sort::Currency, row.currency).into(),
                risk: row.risk,
                band: row.band,
                words: hit.map(|hit| hit.said.words(names)).unwrap_or_default(),
            };
            (tested, hit.and_then(|hit| hit.other))
        });
    }

    fn merge(&mut self, other: Self) {
        self.amount = self.amount + other.amount;
        self.listed.merge(other.listed);
    }
}

/// Entries by weekday and hour, each with the sum of their scores.
#[derive(Debug, Default, PartialEq, Eq)]
struct Week {
    cells: [[Cell; 25]; 7],
    undated: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cell {
    entries: u64,
    units: u128,
}

impl Week {
    fn add(&mut self, bench: Bench<'_>, postings: &[Posting], score: f64) {
        let entered = postings.first().and_then(|first| bench.scene.calendars.entered(first));
        let Some((date, time)) = entered else {
            self.undated += 1;
            return;
        };
        let day = date.weekday().to_monday_zero_offset().cast_unsigned();
        let hour = time.map_or(24, |seconds| (seconds / 3_600).min(23) as usize);
        let cell = &mut self.cells[usize::from(day)][hour];
        cell.entries += 1;
        cell.units += (score.max(0.0) * UNITS_PER_NAT) as u128;
    }

    fn merge(&mut self, other: &Self) {
        self.undated += other.undated;
        let cells = self.cells.as_flattened_mut().iter_mut();
        for (cell, more) in cells.zip(other.cells.as_flattened()) {
            cell.entries += more.entries;
            cell.units += more.units;
        }
    }

    fn finish(&self) -> WeekHours {
        let cell = |cell: &Cell| HourCell {
            entries: cell.entries,
            mean_score: cell.units as f64 / UNITS_PER_NAT / cell.entries.max(1) as f64,
        };
        WeekHours {
            hours: std::array::from_fn(|day| std::array::from_fn(|hour| cell(&self.cells[day][hour]))),
            untimed: std::array::from_fn(|day| cell(&self.cells[day][24])),
            undated: self.undated,
        }
    }
}
