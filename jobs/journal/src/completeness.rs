//! Whether the ledger is all there, which an auditor asks before any score.
//!
//! Six checks, C1 to C6 of the catalogue: lines and heads complete, opening balances and all lines making the closing ones, entries in balance, totals as
//! the source has them, numbers without gaps or doubles, dates and periods as they should be. [`Counted`] is filled part by part, adds up, and becomes
//! a [`Completeness`] once all parts are in it. Nothing is dropped for failing a check: it is listed, the first of it in the order of its ids, with the true
//! count. Whether a run goes on after a failed roll-forward is not decided here; [`Completeness::stops`] says that it should not.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::names::Names;
use crate::part::Part;

mod entries;
mod findings;
mod roll_forward;
mod sequence;
mod totals;

pub use entries::{DateProblem, Doubled, Incomplete, Misdated, Problem, UnbalancedEntry};
pub use findings::{Findings, MOST_FINDINGS, Verdict};
pub use roll_forward::{AccountDifference, Balance, Known, Movement};
pub use sequence::Gap;
pub use totals::{ControlTotals, EntryDifference, Logged, LoggedDifference, TotalDifference};

use entries::Entries;
use roll_forward::Movements;
use sequence::Sequence;
use totals::{LogComparison, Totals};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The first and last day of the ledger. Without them no date is out of it.
    pub from: Option<Date>,
    pub to: Option<Date>,
    /// The month in which period 1 is, if periods are months.
    pub first_month: Option<u8>,
    /// More missing numbers in a row are no gap: another range of numbers begins.
    pub largest_gap: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { from: None, to: None, first_month: None, largest_gap: 1_000_000 }
    }
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
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            let problem = format!("{to} is before {from}");
            return Err(ConfigError { field: "to", problem, remedy: "write the last day of the ledger" });
        }
        if let Some(month) = self.first_month
            && !(1..=12).contains(&month)
        {
            let problem = format!("there is no month {month}");
            return Err(ConfigError { field: "first_month", problem, remedy: "write 1 to 12" });
        }
        if self.largest_gap == 0 {
            let (field, problem) = ("largest_gap", "0 makes every gap the beginning of another range".into());
            return Err(ConfigError { field, problem, remedy: "write 1 or more" });
        }
        Ok(())
    }
}

/// What came with the ledger, to compare it with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    pub trial_balance: Option<Vec<Balance>>,
    pub control_totals: Option<ControlTotals>,
    /// The ledger has lines that were not looked at, with numbers of their own.
    pub in_window: bool,
}

/// What the checks need of all parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    config: Config,
    entries: Entries,
    movements: Movements,
    totals: Totals,
    sequence: Sequence,
    log: Option<LogComparison>,
}

impl Counted {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            entries: Entries::default(),
            movements: Movements::default(),
            totals: Totals::default(),
            sequence: Sequence::default(),
            log: None,
        }
    }

    pub fn add(&mut self, part: &Part, names: &Names) {
        self.entries.add(part, names, &self.config);
        self.movements.add(part);
        self.totals.add(part, names);
        self.sequence.add(part);
    }

    /// Compares the entries of the part with the log's, if there is a log: with its rows of the entries that belong into the part, sorted by id.
    pub fn add_log(&mut self, part: &Part, logged: &[Logged]) {
        self.log.get_or_insert_default().add(part, logged);
    }

    pub fn merge(&mut self, other: Self) {
        self.entries.merge(other.entries);
        self.movements.merge(other.movements);
        self.totals.merge(other.totals);
        self.sequence.merge(other.sequence);
        if let Some(log) = other.log {
            self.log.get_or_insert_default().merge(log);
        }
    }

    pub fn finish(self, names: &Names, given: &Given) -> Completeness {
        let lines = self.totals.lines();
        let roll_forward = match &given.trial_balance {
            None => Verdict::NotPossible("there is no trial balance to compare with".into()),
            Some(balances) => self.movements.roll_forward(names, balances),
        };
        Completeness {
            movements: self.movements.all(names, given.trial_balance.as_deref().unwrap_or_default()),
            roll_forward,
            control_totals: match &given.control_totals {
                None => Verdict::NotPossible("no control totals came with the ledger".into()),
                Some(expected) => self.totals.compare(expected),
            },
            entry_totals: match self.log {
                None => Verdict::NotPossible("no log of entries came with the ledger".into()),
                Some(log) => log.finish(),
            },
            gaps: match given.in_window {
                true => Verdict::NotPossible(
                    "only some days are looked at, and the others have numbers too".into(),
                ),
                false => self.sequence.finish(names, self.config.largest_gap),
            },
            lines_complete: self.entries.incomplete.verdict(lines),
            balanced: self.entries.unbalanced.verdict(self.totals.entries()),
            doubled: self.entries.doubled.verdict(self.totals.entries()),
            dated: self.entries.misdated.verdict(lines),
        }
    }
}

/// What the checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// C1.
    pub lines_complete: Verdict<Incomplete>,
    /// C2.
    pub roll_forward: Verdict<AccountDifference>,
    /// Of all accounts, those that differ first.
    pub movements: Vec<Movement>,
    /// C3.
    pub balanced: Verdict<UnbalancedEntry>,
    /// C4.
    pub control_totals: Verdict<TotalDifference>,
    pub entry_totals: Verdict<EntryDifference>,
    /// C5.
    pub gaps: Verdict<Gap>,
    pub doubled: Verdict<Doubled>,
    /// C6.
    pub dated: Verdict<Misdated>,
}

impl Completeness {
    /// Whether scores would be those of another ledger than the one that was reported, so that a run needs a person's reason to go on.
    pub fn stops(&self) -> bool {
        matches!(self.roll_forward, Verdict::Failed(_))
    }
}

#[cfg(test)]
mod tests;
