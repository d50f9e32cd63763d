//! What the tests must know of the whole ledger, counted part by part.
//!
//! Two summaries add up to the summary of both parts, whichever comes first. Names are counted one by one, because they are in memory anyway; pairs of
//! names in [`Pairs`], which are bounded.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::pairs::Pairs;
use super::text::pattern;
use crate::benford;
use crate::calendar::{accounting_date, day_number, period_number};
use crate::line::Side;
use crate::names::{Names, Sort, Symbol};
use crate::part::{Part, Posting};

/// 260,000 pairs are 8 MB at most.
const PAIRS: usize = 1 << 18;
/// Amounts and digits per account come in more different pairs than accounts per user.
const FINE_PAIRS: usize = 1 << 20;
/// An entry that debits and credits more accounts than make so many pairs says nothing about flows.
pub(super) const MOST_FLOWS: usize = 64;
/// Sorts whose names are counted one by one.
pub(super) const COUNTED: [Sort; 4] = [Sort::Account, Sort::Source, Sort::DocumentType, Sort::User];
/// Amounts per e-fold that are told apart.
pub(super) const AMOUNTS_PER_E: f64 = 16.0;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub(super) lines: u64,
    pub(super) entries: u64,
    /// Lines of each name of the sorts that tests ask for.
    pub(super) counts: [Vec<u64>; COUNTED.len()],
    /// The first period of each account.
    pub(super) first_periods: Vec<Option<i32>>,
    /// Lines that have a time of entry, an approver, and so on: without any, some tests are not possible.
    pub(super) timed: u64,
    pub(super) dated: u64,
    pub(super) described: u64,
    pub(super) user_accounts: Pairs,
    pub(super) user_sources: Pairs,
    pub(super) source_accounts: Pairs,
    pub(super) document_accounts: Pairs,
    /// Entries per debited and credited account.
    pub(super) flows: Pairs,
    /// Entries per user and day.
    pub(super) user_days: Pairs,
    /// Lines per account and period.
    pub(super) account_periods: Pairs,
    /// Lines per account and pattern of text.
    pub(super) texts: Pairs,
    /// Lines per account with side, and logarithm of the amount.
    pub(super) amounts: Pairs,
    pub(super) digits: benford::Counts,
    pub(super) account_digits: Pairs,
    pub(super) user_digits: Pairs,
}

impl Summary {
    pub fn new(names: &Names) -> Self {
        let pairs = || Pairs::new(PAIRS);
        let fine = || Pairs::new(FINE_PAIRS);
        Self {
            lines: 0,
            entries: 0,
            counts: COUNTED.map(|sort| vec![0; names.count(sort)]),
            first_periods: vec![None; names.count(Sort::Account)],
            timed: 0,
            dated: 0,
            described: 0,
            user_accounts: pairs(),
            user_sources: pairs(),
            source_accounts: pairs(),
            document_accounts: pairs(),
            flows: pairs(),
            user_days: pairs(),
            account_periods: pairs(),
            texts: pairs(),
            amounts: fine(),
            digits: benford::Counts::default(),
            account_digits: fine(),
            user_digits: fine(),
        }
    }

    pub fn add(&mut self, part: &Part) {
        let mut buffer = String::new();
        for entry in part.entries() {
            let postings = part.postings_of(entry);
            self.entries += 1;
            for (debit, credit) in flows(postings) {
                self.flows.add(debit.0, credit.0, 1);
            }
            for (user, day) in user_days(postings) {
                self.user_days.add(user.0, day as u32, 1);
            }
            let id = xxh3_64(part.id(entry).as_bytes());
            for (index, posting) in postings.iter().enumerate() {
                self.add_posting(posting, xxh3_64_with_seed(&(index as u64).to_le_bytes(), id));
                if let Some(text) = pattern(part, posting, &mut buffer) {
                    self.described += 1;
                    self.texts.add(posting.account.0, text, 1);
                }
            }
        }
    }

    fn add_posting(&mut self, posting: &Posting, place: u64) {
        self.lines += 1;
        for (counts, sort) in self.counts.iter_mut().zip(COUNTED) {
            counts[posting.symbol(sort).index()] += 1;
        }
        self.timed += u64::from(posting.entered_time.is_some());
        self.user_accounts.add(posting.user.0, posting.account.0, 1);
        self.user_sources.add(posting.user.0, posting.source.0, 1);
        self.source_accounts.add(posting.source.0, posting.account.0, 1);
        self.document_accounts.add(posting.document_type.0, posting.account.0, 1);
        // Of an account with mostly empty lines, every amount would be unusual.
        if posting.signed.units() != 0 {
            self.amounts.add(side_of_account(posting), log_bin(posting), 1);
        }
        self.dated += u64::from(accounting_date(posting).is_some());
        if let Some(period) = period_number(posting) {
            self.account_periods.add(posting.account.0, period as u32, 1);
            let first = &mut self.first_periods[posting.account.index()];
            *first = Some(first.map_or(period, |first| first.min(period)));
        }
        if let Some(digits) = benford::first_two(posting.signed) {
            self.account_digits.add(posting.account.0, u32::from(digits), 1);
            self.user_digits.add(posting.user.0, u32::from(digits), 1);
        }
        self.digits.add(posting.signed, place);
    }

    /// Of parts of the same ledger, whose names are the same.
    pub fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.entries += other.entries;
        for (one, other) in self.counts.iter_mut().zip(&other.counts) {
            for (one, other) in one.iter_mut().zip(other) {
                *one += other;
            }
        }
        for (one, other) in self.first_periods.iter_mut().zip(other.first_periods) {
            *one = [*one, other].into_iter().flatten().min();
        }
        self.timed += other.timed;
        self.dated += other.dated;
        self.described += other.described;
        self.user_accounts.merge(other.user_accounts);
        self.user_sources.merge(other.user_sources);
        self.source_accounts.merge(other.source_accounts);
        self.document_accounts.merge(other.document_accounts);
        self.flows.merge(other.flows);
        self.user_days.merge(other.user_days);
        self.account_periods.merge(other.account_periods);
        self.texts.merge(other.texts);
        self.amounts.merge(other.amounts);
        self.digits.merge(other.digits);
        self.account_digits.merge(other.account_digits);
        self.user_digits.merge(other.user_digits);
    }

    /// Of which pairs some were given up, and one of how many is left: what the report must say of the tests that ask for them.
    pub fn given_up(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("accounts of users", &self.user_accounts),
            ("sources of users", &self.user_sources),
            ("accounts of sources", &self.source_accounts),
            ("accounts of document types", &self.document_accounts),
            ("debited and credited accounts", &self.flows),
            ("days of users", &self.user_days),
            ("periods of accounts", &self.account_periods),
            ("texts of accounts", &self.texts),
            ("amounts of accounts", &self.amounts),
            ("digits of accounts", &self.account_digits),
            ("digits of users", &self.user_digits),
        ];
        all.into_iter().map(|(what, pairs)| (what, pairs.kept())).filter(|(_, kept)| *kept > 1).collect()
    }

    /// The digits of the whole ledger, for the report.
    pub fn digits(&self) -> &benford::Counts {
        &self.digits
    }
}

/// Every pair of a debited and a credited account, in order; none where there are too many. Lines of zero move nothing.
pub(super) fn flows(postings: &[Posting]) -> Vec<(Symbol, Symbol)> {
    let of = |side: Side| {
        let moving = postings.iter().filter(|posting| posting.side == side && posting.signed.units() != 0);
        let mut accounts: Vec<Symbol> = moving.map(|posting| posting.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    };
    let (debits, credits) = (of(Side::Debit), of(Side::Credit));
    if debits.len() * credits.len() > MOST_FLOWS {
        return Vec::new();
    }
    debits.iter().flat_map(|&debit| credits.iter().map(move |&credit| (debit, credit))).collect()
}

/// The users of an entry with the days on which they entered it, in order; mostly one.
pub(super) fn user_days(postings: &[Posting]) -> Vec<(Symbol, i32)> {
    let day = |posting: &Posting| posting.entered.or(posting.effective).map(day_number);
    let mut days: Vec<_> =
        postings.iter().filter_map(|posting| Some((posting.user, day(posting)?))).collect();
    days.sort_unstable();
    days.dedup();
    days
}

pub(super) fn side_of_account(posting: &Posting) -> u32 {
    posting.account.0 << 1 | posting.side as u32
}

pub(super) fn log_amount(posting: &Posting) -> f64 {
    libm::log1p(posting.signed.abs().to_f64())
}

fn log_bin(posting: &Posting) -> u32 {
    (log_amount(posting) * AMOUNTS_PER_E) as u32
}
