//! What is usual in a ledger: its summary, once all parts are in it, with what can be asked of it.

use std::collections::HashMap;

use super::pairs::Pairs;
use super::summary::{AMOUNTS_PER_E, COUNTED, Summary};
use crate::benford::Slice;
use crate::line::Side;
use crate::names::{Names, Sort, Symbol};
use crate::part::Posting;

/// Least median deviation of ln(amount), about 10 %: in an account of equal rents a rise of a tenth is not extreme.
const LEAST_DEVIATION: f64 = 0.1;
/// Makes the median deviation of normal data its standard deviation.
const NORMAL: f64 = 1.4826;

#[derive(Debug)]
pub struct Norms {
    summary: Summary,
    /// Days with entries, and their entries, of each user.
    busy: Vec<(u64, u64)>,
    /// Different patterns of text of each account.
    patterns: Vec<u64>,
    /// By account with side. Only looked up, as are the slices.
    spreads: HashMap<u32, Spread>,
    population: Slice,
    accounts: HashMap<u32, Slice>,
    users: HashMap<u32, Slice>,
}

/// The logarithms of the amounts of an account and side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    deviation: f64,
    pub lines: u64,
}

impl Spread {
    /// How many robust standard deviations an amount is above the median, in hundredths.
    pub fn deviations(&self, log_amount: f64) -> i64 {
        (100.0 * (log_amount - self.median) / (NORMAL * self.deviation)) as i64
    }
}

/// Whose digits are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    All,
    Account(Symbol),
    User(Symbol),
}

impl Norms {
    pub fn new(summary: Summary, names: &Names) -> Self {
        let mut busy = vec![(0, 0); names.count(Sort::User)];
        for ((user, _), entries) in summary.user_days.sorted() {
            let (days, sum) = &mut busy[user as usize];
            (*days, *sum) = (*days + 1, *sum + entries);
        }
        let mut patterns = vec![0; names.count(Sort::Account)];
        for ((account, _), _) in summary.texts.sorted() {
            patterns[account as usize] += 1;
        }
        Self {
            busy,
            patterns,
            spreads: spreads(&summary.amounts),
            population: Slice::population(&summary.digits),
            accounts: slices(&summary.account_digits),
            users: slices(&summary.user_digits),
            summary,
        }
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    pub fn lines(&self) -> u64 {
        self.summary.lines
    }

    pub fn entries(&self) -> u64 {
        self.summary.entries
    }

    /// Lines with this name; 0 of a sort whose names are not counted.
    pub fn count(&self, sort: Sort, symbol: Symbol) -> u64 {
        let place = COUNTED.iter().position(|counted| *counted == sort);
        place.map_or(0, |place| self.summary.counts[place][symbol.index()])
    }

    pub fn has_times(&self) -> bool {
        self.summary.timed > 0
    }

    pub fn has_dates(&self) -> bool {
        self.summary.dated > 0
    }

    pub fn has_periods(&self) -> bool {
        self.summary.first_periods.iter().any(Option::is_some)
    }

    pub fn has_texts(&self) -> bool {
        self.summary.described > 0
    }

    pub fn user_account(&self, user: Symbol, account: Symbol) -> Option<u64> {
        self.summary.user_accounts.get(user.0, account.0)
    }

    pub fn user_source(&self, user: Symbol, source: Symbol) -> Option<u64> {
        self.summary.user_sources.get(user.0, source.0)
    }

    pub fn source_account(&self, source: Symbol, account: Symbol) -> Option<u64> {
        self.summary.source_accounts.get(source.0, account.0)
    }

    pub fn document_account(&self, document_type: Symbol, account: Symbol) -> Option<u64> {
        self.summary.document_accounts.get(document_type.0, account.0)
    }

    /// Entries that debit the one and credit the other.
    pub fn flow(&self, debit: Symbol, credit: Symbol) -> Option<u64> {
        self.summary.flows.get(debit.0, credit.0)
    }

    /// Entries of the user on the day, and of all other days on which there were any: how many days, how many entries.
    pub fn user_day(&self, user: Symbol, day: i32) -> Option<(u64, (u64, u64))> {
        let entries = self.summary.user_days.get(user.0, day as u32)?;
        let (days, sum) = self.busy[user.index()];
        Some((entries, (days.saturating_sub(1), sum.saturating_sub(entries))))
    }

    /// Lines of the account in the period of this number.
    pub fn account_period(&self, account: Symbol, period: i32) -> Option<u64> {
        self.summary.account_periods.get(account.0, period as u32)
    }

    pub fn first_period(&self, account: Symbol) -> Option<i32> {
        self.summary.first_periods[account.index()]
    }

    pub fn text(&self, account: Symbol, pattern: u32) -> Option<u64> {
        self.summary.texts.get(account.0, pattern)
    }

    /// Different patterns of text of the account. Where some were given up, of those that are left, and so at least as many.
    pub fn patterns(&self, account: Symbol) -> u64 {
        self.patterns[account.index()] * self.summary.texts.kept()
    }

    /// `None` where the account has no amounts on the side, or too many kinds of amounts for all to be counted.
    pub fn spread(&self, posting: &Posting) -> Option<Spread> {
        self.spreads.get(&super::summary::side_of_account(posting)).copied()
    }

    pub fn slice(&self, whose: Whose) -> Option<&Slice> {
        match whose {
            Whose::All => Some(&self.population),
            Whose::Account(account) => self.accounts.get(&account.0),
            Whose::User(user) => self.users.get(&user.0),
        }
    }
}

/// Only if every amount was counted: half of them would have another median.
fn spreads(amounts: &Pairs) -> HashMap<u32, Spread> {
    if amounts.kept() > 1 {
        return HashMap::new();
    }
    let sorted = amounts.sorted();
    let per_account = sorted.chunk_by(|((one, _), _), ((other, _), _)| one == other);
    per_account.map(|bins| (bins[0].0.0, spread(bins))).collect()
}

fn spread(bins: &[((u32, u32), u64)]) -> Spread {
    let middle = |bin: u32| (f64::from(bin) + 0.5) / AMOUNTS_PER_E;
    let logs: Vec<(f64, u64)> = bins.iter().map(|&((_, bin), count)| (middle(bin), count)).collect();
    let median = median(&logs);
    let mut deviations: Vec<(f64, u64)> =
        logs.iter().map(|&(log, count)| ((log - median).abs(), count)).collect();
    deviations.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
    let deviation = self::median(&deviations).max(LEAST_DEVIATION);
    Spread { median, deviation, lines: bins.iter().map(|(_, count)| count).sum() }
}

/// Of sorted values, each as often as its count says; the lower of two in the middle.
fn median(values: &[(f64, u64)]) -> f64 {
    let total: u64 = values.iter().map(|(_, count)| count).sum();
    let mut below = 0;
    for &(value, count) in values {
        below += count;
        if below * 2 >= total {
            return value;
        }
    }
    0.0
}

/// Only if all digits were counted.
fn slices(digits: &Pairs) -> HashMap<u32, Slice> {
    if digits.kept() > 1 {
        return HashMap::new();
    }
    let sorted = digits.sorted();
    let per_name = sorted.chunk_by(|((one, _), _), ((other, _), _)| one == other);
    per_name
        .map(|rows| {
            let mut counts = [0; 90];
            for &((_, digits), count) in rows {
                counts[digits as usize - 10] = count;
            }
            (rows[0].0.0, Slice::of(counts))
        })
        .collect()
}

/// The word for a side.
pub(super) fn side(side: Side) -> &'static str {
    match side {
        Side::Debit => "debit",
        Side::Credit => "credit",
    }
}
