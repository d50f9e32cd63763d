//! What can be told from an entry alone: C1, C3, the doubled numbers of C5, and C6.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Config;
use super::findings::Firsts;
use crate::amount::Amount;
use crate::controls::structure::imbalances;
use crate::names::{Names, Sort};
use crate::part::{Part, Posting};

/// The order of fields is the order of the lists: by entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incomplete {
    pub entry: String,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    SingleLine,
    MissingNumbers { first: u64, count: u64 },
    NoAccount { line: u64 },
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, problem } = self;
        match problem {
            Problem::SingleLine => write!(f, "entry {entry} has one line"),
            Problem::MissingNumbers { first, count: 1 } => write!(f, "entry {entry} has no line {first}"),
            Problem::MissingNumbers { first, count } => {
                write!(f, "entry {entry} lacks {count} lines, the first of them {first}")
            }
            Problem::NoAccount { line } => write!(f, "line {line} of entry {entry} has no account"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnbalancedEntry {
    pub entry: String,
    pub currency: String,
    pub ledger: String,
    pub entity: String,
    /// Debits less credits.
    pub difference: Amount,
}

impl fmt::Display for UnbalancedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} is out of balance by {} {}", self.entry, self.difference.grouped(), self.currency)
    }
}

/// An entry that is there more than once under its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Doubled {
    pub entry: String,
    /// The first line that is there more than once; 0 where lines have no numbers.
    pub line: u64,
    /// Lines that are there more than once.
    pub lines: u64,
}

impl fmt::Display for Doubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "entry {} has all of its {} lines more than once", self.entry, self.lines),
            line => write!(
                f,
                "entry {} has {} of its lines more than once, the first of them {line}",
                self.entry, self.lines
            ),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Misdated {
    pub entry: String,
    pub line: u64,
    pub problem: DateProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateProblem {
    /// Neither a date nor a period.
    NoDate,
    OutOfLedger(Date),
    NoSuchPeriod(u8),
    OtherPeriod {
        date: Date,
        period: u8,
        expected: u8,
    },
}

impl fmt::Display for Misdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of entry {} ", self.line, self.entry)?;
        match self.problem {
            DateProblem::NoDate => write!(f, "has neither a date nor a period"),
            DateProblem::OutOfLedger(date) => write!(f, "is dated {date}, outside the ledger"),
            DateProblem::NoSuchPeriod(period) => write!(f, "is in period {period}, which there is not"),
            DateProblem::OtherPeriod { date, period, expected } => {
                write!(f, "is dated {date}, which is in period {expected}, and posted in period {period}")
            }
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entries {
    pub incomplete: Firsts<Incomplete>,
    pub unbalanced: Firsts<UnbalancedEntry>,
    pub doubled: Firsts<Doubled>,
    pub misdated: Firsts<Misdated>,
}

impl Entries {
    pub fn add(&mut self, part: &Part, names: &Names, config: &Config) {
        for entry in part.entries() {
            let (id, postings) = (part.id(entry), part.postings_of(entry));
            for problem in problems(postings, names) {
                self.incomplete.push(Incomplete { entry: id.into(), problem });
            }
            for imbalance in imbalances(postings) {
                self.unbalanced.push(UnbalancedEntry {
                    entry: id.into(),
                    currency: names.name(Sort::Currency, imbalance.currency).into(),
                    ledger: names.name(Sort::Ledger, imbalance.ledger).into(),
                    entity: names.name(Sort::Entity, imbalance.entity).into(),
                    difference: imbalance.sum,
                });
            }
            if let Some((line, lines)) = doubled(postings) {
                self.doubled.push(Doubled { entry: id.into(), line, lines });
            }
            for (index, posting) in postings.iter().enumerate() {
                if let Some(problem) = misdated(posting, config) {
                    self.misdated.push(Misdated {
                        entry: id.into(),
                        line: line_number(posting, index),
                        problem,
                    });
                }
            }
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.incomplete.merge(other.incomplete);
        self.unbalanced.merge(other.unbalanced);
        self.doubled.merge(other.doubled);
        self.misdated.merge(other.misdated);
    }
}

/// As the ledger numbers it or, where it does not, as it stands in the entry.
fn line_number(posting: &Posting, index: usize) -> u64 {
    if posting.number == 0 { index as u64 + 1 } else { posting.number }
}

fn problems(postings: &[Posting], names: &Names) -> Vec<Problem> {
    let mut problems = Vec::new();
    if postings.len() == 1 {
        problems.push(Problem::SingleLine);
    }
    problems.extend(missing_numbers(postings));
    let without_account = postings
        .iter()
        .enumerate()
        .filter(|(_, posting)| names.name(Sort::Account, posting.account).is_empty())
        .map(|(index, posting)| Problem::NoAccount { line: line_number(posting, index) });
    problems.extend(without_account);
    problems
}

/// Lines are numbered in steps of one, or of ten; the step is what all numbers have in common.
fn missing_numbers(postings: &[Posting]) -> Option<Problem> {
    let mut numbers: Vec<u64> = postings.iter().map(|posting| posting.number).collect();
    numbers.dedup();
    let &[first, .., last] = &*numbers else { return None };
    let step = numbers.iter().copied().fold(0, greatest_common_divisor);
    let missing_before = (first.saturating_sub(1)) / step;
    let missing_within = (last - first) / step + 1 - numbers.len() as u64;
    let first_missing = match missing_before {
        0 => numbers.windows(2).find(|pair| pair[1] - pair[0] > step).map(|pair| pair[0] + step)?,
        before => first - before * step,
    };
    Some(Problem::MissingNumbers { first: first_missing, count: missing_before + missing_within })
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if one == 0 { other } else { greatest_common_divisor(other % one, one) }
}

/// The first number that more than one line has, and how many lines have another's number.
fn doubled(postings: &[Posting]) -> Option<(u64, u64)> {
    let repeated = |one: &Posting, other: &Posting| one.number != 0 && one.number == other.number;
    let pairs = || postings.windows(2).filter(|pair| repeated(&pair[0], &pair[1]));
    if let Some(pair) = pairs().next() {
        return Some((pair[0].number, pairs().count() as u64));
    }
    // Without numbers an entry may well have two equal lines; that every line of it is there twice is no coincidence.
    let without_numbers = postings.iter().all(|posting| posting.number == 0);
    let mut runs = postings.chunk_by(|one, other| content(one) == content(other));
    let all_twice = without_numbers && postings.len() > 2 && runs.all(|run| run.len().is_multiple_of(2));
    all_twice.then_some((0, postings.len() as u64))
}

fn content(posting: &Posting) -> impl Eq + use<> {
    let names = Sort::ALL.map(|sort| posting.symbol(sort));
    let dates = (posting.effective, posting.document, posting.entered, posting.entered_time);
    (posting.side, posting.signed, names, dates, posting.period)
}

fn misdated(posting: &Posting, config: &Config) -> Option<DateProblem> {
    let date = posting.effective.or(posting.entered);
    let (date, period) = match (date, posting.period) {
        (None, None) => return Some(DateProblem::NoDate),
        (_, Some(period)) if !(1..=16).contains(&period) => return Some(DateProblem::NoSuchPeriod(period)),
        (None, Some(_)) => return None,
        (Some(date), period) => (date, period),
    };
    // A day of entry after the end is what closing entries have; only the effective date decides.
    let effective = posting.effective?;
    if config.from.is_some_and(|from| effective < from) || config.to.is_some_and(|to| effective > to) {
        return Some(DateProblem::OutOfLedger(effective));
    }
    let (period, first_month) = (period?, config.first_month?);
    let expected = (date.month() as u8 + 12 - first_month) % 12 + 1;
    // Periods behind the twelfth are parts of it.
    (period.min(12) != expected).then_some(DateProblem::OtherPeriod { date, period, expected })
}
