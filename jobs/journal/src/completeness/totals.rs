//! C4: totals as the source has them, of the whole ledger and of each entry.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::findings::{Firsts, Verdict};
use crate::amount::{Amount, group};
use crate::line::Side;
use crate::names::{Names, Sort};
use crate::part::Part;

/// What the source says it handed over. What it does not say is not compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlTotals {
    pub lines: Option<u64>,
    pub entries: Option<u64>,
    pub debits: Option<Amount>,
    pub credits: Option<Amount>,
    /// The sum of all account numbers, which means nothing and changes with every account.
    pub accounts_hash: Option<Amount>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TotalDifference {
    pub name: String,
    pub expected: String,
    pub found: String,
}

impl fmt::Display for TotalDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the source says {}, and the ledger has {}", self.name, self.expected, self.found)
    }
}

/// Amounts are added up as they work: a negative debit is a credit. They are of all currencies, as totals for control are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    lines: u64,
    entries: u64,
    debits: Amount,
    credits: Amount,
    accounts_hash: Amount,
}

impl Totals {
    pub fn add(&mut self, part: &Part, names: &Names) {
        self.entries += part.entries().len() as u64;
        for posting in part.postings() {
            self.lines += 1;
            match posting.side {
                Side::Debit => self.debits = self.debits + posting.signed.abs(),
                Side::Credit => self.credits = self.credits + posting.signed.abs(),
            }
            // Accounts that are no numbers have none to add up.
            let number = names.name(Sort::Account, posting.account).parse().unwrap_or(Amount::ZERO);
            self.accounts_hash = self.accounts_hash + number;
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.entries += other.entries;
        self.debits = self.debits + other.debits;
        self.credits = self.credits + other.credits;
        self.accounts_hash = self.accounts_hash + other.accounts_hash;
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    pub fn compare(&self, expected: &ControlTotals) -> Verdict<TotalDifference> {
        let counts = [("lines", expected.lines, self.lines), ("entries", expected.entries, self.entries)];
        let amounts = [
            ("debits", expected.debits, self.debits),
            ("credits", expected.credits, self.credits),
            ("hash total of accounts", expected.accounts_hash, self.accounts_hash),
        ];
        let counts = counts.into_iter().filter_map(|(name, expected, found)| {
            let words = |count: u64| group(&count.to_string());
            Some((name, words(expected?), words(found)))
        });
        let amounts = amounts
            .into_iter()
            .filter_map(|(name, expected, found)| Some((name, expected?.grouped(), found.grouped())));
        let compared: Vec<_> = counts.chain(amounts).collect();
        if compared.is_empty() {
            return Verdict::NotPossible("the control totals say nothing".into());
        }
        let checked = compared.len() as u64;
        let differing = compared.into_iter().filter(|(_, expected, found)| expected != found);
        let differences: Firsts<TotalDifference> = differing
            .map(|(name, expected, found)| TotalDifference { name: name.into(), expected, found })
            .collect();
        differences.verdict(checked)
    }
}

/// An entry as the log of its system has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Logged {
    pub entry: String,
    pub debits: Amount,
    pub credits: Amount,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryDifference {
    pub entry: String,
    pub difference: LoggedDifference,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoggedDifference {
    NotInLog,
    NotInLedger,
    Debits { logged: Amount, found: Amount },
    Credits { logged: Amount, found: Amount },
}

impl fmt::Display for EntryDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, difference } = self;
        match difference {
            LoggedDifference::NotInLog => write!(f, "entry {entry} is not in the log"),
            LoggedDifference::NotInLedger => write!(f, "entry {entry} is in the log and not in the ledger"),
            LoggedDifference::Debits { logged, found } => {
                write!(
                    f,
                    "entry {entry} has debits of {}, and {} in the log",
                    found.grouped(),
                    logged.grouped()
                )
            }
            LoggedDifference::Credits { logged, found } => {
                write!(
                    f,
                    "entry {entry} has credits of {}, and {} in the log",
                    found.grouped(),
                    logged.grouped()
                )
            }
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogComparison {
    differences: Firsts<EntryDifference>,
    entries: u64,
}

impl LogComparison {
    /// Both sorted by id.
    pub fn add(&mut self, part: &Part, logged: &[Logged]) {
        let mut logged = logged.iter().peekable();
        let mut differs = |entry: &str, difference| {
            self.differences.push(EntryDifference { entry: entry.into(), difference });
        };
        for entry in part.entries() {
            let id = part.id(entry);
            self.entries += 1;
            while let Some(missing) = logged.next_if(|logged| logged.entry.as_str() < id) {
                differs(&missing.entry, LoggedDifference::NotInLedger);
            }
            let Some(logged) = logged.next_if(|logged| logged.entry == id) else {
                differs(id, LoggedDifference::NotInLog);
                continue;
            };
            let of = |side| {
                let postings = part.postings_of(entry).iter().filter(|posting| posting.side == side);
                postings.map(|posting| posting.signed.abs()).sum::<Amount>()
            };
            let (debits, credits) = (of(Side::Debit), of(Side::Credit));
            if debits != logged.debits {
                differs(id, LoggedDifference::Debits { logged: logged.debits, found: debits });
            }
            if credits != logged.credits {
                differs(id, LoggedDifference::Credits { logged: logged.credits, found: credits });
            }
        }
        for missing in logged {
            differs(&missing.entry, LoggedDifference::NotInLedger);
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.differences.merge(other.differences);
        self.entries += other.entries;
    }

    pub fn finish(self) -> Verdict<EntryDifference> {
        self.differences.verdict(self.entries)
    }
}
