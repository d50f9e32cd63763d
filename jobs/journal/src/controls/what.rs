//! A: which accounts it moves, and with which.

use serde::{Deserialize, Serialize};

use super::lists::Accounts;
use super::summary::flows;
use super::{
    Control, Hit, Id, Norms, Said, Value, View, Wrong, account, amount, at_least_one, count, currency, named,
    rarest, times, worst,
};
use crate::calendar::period_number;
use crate::line::Side;
use crate::names::{Sort, Symbol};
use crate::part::Posting;

/// Fifty years, in periods.
const LONGEST_SLEEP: i32 = 600;
const NO_ACCOUNTS: &str = "no accounts are listed in `accounts`";

/// A1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RareAccount {
    /// An account of so many lines or fewer is seldom used.
    pub most_lines: u64,
}

impl Default for RareAccount {
    fn default() -> Self {
        Self { most_lines: 3 }
    }
}

impl Control for RareAccount {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let (lines, posting, used) = rarest(view.postings, |posting| {
            Some(norms.count(Sort::Account, posting.account)).filter(|&lines| lines <= self.most_lines)
        })?;
        let values = [account(posting), count("count", used), count("of", norms.lines())];
        let said = Said::new("account {account} is in {count} of {of} lines", values);
        Some(Hit::new(Id::RareAccount, lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_lines", self.most_lines)
    }
}

/// A2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RareFlow {
    /// A pair of accounts in so many entries or fewer is rare.
    pub most_entries: u64,
    /// A pair with an account of fewer lines is not rare for itself: the account is.
    pub least_account_lines: u64,
}

impl Default for RareFlow {
    fn default() -> Self {
        Self { most_entries: 2, least_account_lines: 50 }
    }
}

impl Control for RareFlow {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let known = |account: Symbol| norms.count(Sort::Account, account) >= self.least_account_lines;
        let rare = |&(debit, credit): &(Symbol, Symbol)| {
            let entries = norms.flow(debit, credit)?;
            (entries <= self.most_entries && known(debit) && known(credit))
                .then_some((entries, debit, credit))
        };
        let (entries, debit, credit) = flows(view.postings).iter().filter_map(rare).min()?;
        let of_flow = |(_, posting): &(usize, &Posting)| {
            (posting.account == debit && posting.side == Side::Debit)
                || (posting.account == credit && posting.side == Side::Credit)
        };
        let lines = view.postings.iter().enumerate().filter(of_flow).map(|(index, _)| index as u32).collect();
        let values = [
            named("debit", Sort::Account, debit),
            named("credit", Sort::Account, credit),
            count("count", entries),
            count("of", norms.entries()),
        ];
        let said = Said::new("account {debit} debited against {credit} in {count} of {of} entries", values);
        Some(Hit::new(Id::RareFlow, lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_entries", self.most_entries)
    }
}

/// A3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSource {
    /// An account so many times or fewer in a source, or in a type of document, is unusual there.
    pub most_lines: u64,
    /// In a source or type of fewer lines, nothing is usual.
    pub least_source_lines: u64,
    /// An account of fewer lines is rare everywhere.
    pub least_account_lines: u64,
}

impl Default for AccountSource {
    fn default() -> Self {
        Self { most_lines: 2, least_source_lines: 100, least_account_lines: 20 }
    }
}

impl Control for AccountSource {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let unusual = |posting: &Posting| {
            let knows_the_account = norms.count(Sort::Account, posting.account) >= self.least_account_lines;
            let in_sort = |sort: Sort, used: Option<u64>| {
                let of = norms.count(sort, posting.symbol(sort));
                let used = used.filter(|&used| used <= self.most_lines && of >= self.least_source_lines)?;
                Some((used, sort, of))
            };
            let source = in_sort(Sort::Source, norms.source_account(posting.source, posting.account));
            let document = norms.document_account(posting.document_type, posting.account);
            let document = in_sort(Sort::DocumentType, document);
            [source, document].into_iter().flatten().min().filter(|_| knows_the_account)
        };
        let hit = worst(view.postings, |posting| unusual(posting).map(std::cmp::Reverse))?;
        let (used, sort, of) = hit.key.0;
        let values = [
            account(hit.posting),
            named("source", sort, hit.posting.symbol(sort)),
            times("times", used),
            count("of", of),
        ];
        let sentence = match sort {
            Sort::DocumentType => "account {account} in document type {source} {times} of {of} lines",
            _ => "account {account} in source {source} {times} of {of} lines",
        };
        Some(Hit::new(Id::AccountSource, hit.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_lines", self.most_lines)
    }
}

/// A4.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Suspense {
    pub accounts: Accounts,
}

impl Control for Suspense {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let hit = worst(view.postings, |posting| {
            self.accounts.contains(view.name(Sort::Account, posting)).then_some(posting.signed.abs())
        })?;
        let values = [account(hit.posting), amount(hit.posting), currency(hit.posting)];
        let said = Said::new("{amount} {currency} on suspense or clearing account {account}", values);
        Some(Hit::new(Id::Suspense, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        self.accounts.check("accounts")
    }

    fn idle(&self, _norms: &Norms) -> Option<&'static str> {
        self.accounts.is_empty().then_some(NO_ACCOUNTS)
    }
}

/// A5.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RevenueSide {
    /// The accounts of revenue. A debit to one is unexpected.
    pub accounts: Accounts,
    /// The accounts that revenue is credited against, such as receivables and cash. All are, where the list is empty.
    pub expected_against: Accounts,
}

impl Control for RevenueSide {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let name = |posting: &Posting| view.name(Sort::Account, posting);
        let moves = |posting: &Posting, side| posting.side == side && posting.signed.units() != 0;
        let debited = worst(view.postings, |posting| {
            (moves(posting, Side::Debit) && self.accounts.contains(name(posting)))
                .then_some(posting.signed.abs())
        });
        if let Some(hit) = debited {
            let values = [account(hit.posting), amount(hit.posting), currency(hit.posting)];
            let said = Said::new("revenue account {account} debited with {amount} {currency}", values);
            return Some(Hit::new(Id::RevenueSide, hit.lines, said));
        }
        let expects = |posting: &Posting| {
            self.expected_against.is_empty()
                || self.expected_against.contains(name(posting))
                || self.accounts.contains(name(posting))
        };
        let against = worst(view.postings, |posting| {
            (moves(posting, Side::Debit) && !expects(posting)).then_some(posting.signed.abs())
        })?;
        let credited = worst(view.postings, |posting| {
            (moves(posting, Side::Credit) && self.accounts.contains(name(posting)))
                .then_some(posting.signed.abs())
        })?;
        let values = [
            account(credited.posting),
            amount(credited.posting),
            currency(credited.posting),
            named("against", Sort::Account, against.posting.account),
        ];
        let sentence =
            "revenue account {account} credited with {amount} {currency} against account {against}";
        let mut lines = [credited.lines, against.lines].concat();
        lines.sort_unstable();
        Some(Hit::new(Id::RevenueSide, lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        self.accounts.check("accounts")?;
        self.expected_against.check("expected_against")
    }

    fn idle(&self, _norms: &Norms) -> Option<&'static str> {
        self.accounts.is_empty().then_some(NO_ACCOUNTS)
    }
}

/// A6. Without accounts too, an entry of two entities is one between companies, and so is one whose partner is an entity of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Intercompany {
    pub accounts: Accounts,
}

impl Control for Intercompany {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let listed = worst(view.postings, |posting| {
            self.accounts.contains(view.name(Sort::Account, posting)).then_some(posting.signed.abs())
        });
        if let Some(hit) = listed {
            let values = [account(hit.posting), amount(hit.posting), currency(hit.posting)];
            let said = Said::new("{amount} {currency} on intercompany account {account}", values);
            return Some(Hit::new(Id::Intercompany, hit.lines, said));
        }
        let partner = worst(view.postings, |posting| {
            // A group of partners has no name, and an entity's name would be in one.
            if view.scene.names.are_grouped(Sort::Partner) {
                return None;
            }
            let partner = view.name(Sort::Partner, posting);
            let entity = view.scene.names.find(Sort::Entity, partner).filter(|_| !partner.is_empty())?;
            (entity != posting.entity).then_some(posting.signed.abs())
        });
        if let Some(hit) = partner {
            let values = [
                named("entity", Sort::Entity, hit.posting.entity),
                named("partner", Sort::Partner, hit.posting.partner),
                amount(hit.posting),
                currency(hit.posting),
            ];
            let said = Said::new("{amount} {currency} of entity {entity} with entity {partner}", values);
            return Some(Hit::new(Id::Intercompany, hit.lines, said));
        }
        let first = view.postings.first()?;
        let other = view.postings.iter().find(|posting| posting.entity != first.entity)?;
        let values = [named("one", Sort::Entity, first.entity), named("other", Sort::Entity, other.entity)];
        Some(Hit::new(Id::Intercompany, Vec::new(), Said::new("between entities {one} and {other}", values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        self.accounts.check("accounts")
    }
}

/// A7.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DormantAccount {
    /// So many periods without a line make an account dormant.
    pub quiet_periods: u32,
}

impl Default for DormantAccount {
    fn default() -> Self {
        Self { quiet_periods: 6 }
    }
}

impl Control for DormantAccount {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let woken = worst(view.postings, |posting| {
            let period = period_number(posting)?;
            // The periods before, back to the last one with a line. What was used once in the days of Charlemagne was a typing error.
            let first = norms.first_period(posting.account)?.max(period - LONGEST_SLEEP);
            let mut last = period - 1;
            while last >= first && norms.account_period(posting.account, last)? == 0 {
                last -= 1;
            }
            let quiet = period - 1 - last;
            (last >= first && quiet >= self.quiet_periods as i32).then_some((quiet, last))
        })?;
        let (quiet, last) = woken.key;
        let values = [
            account(woken.posting),
            count("periods", quiet as u64),
            ("last", Value::Text(format!("{:04}-{:02}", last / 12, last % 12 + 1).into())),
        ];
        let said = Said::new(
            "account {account} used after {periods} periods without a line, last in {last}",
            values,
        );
        Some(Hit::new(Id::DormantAccount, woken.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        match self.quiet_periods {
            1..=600 => Ok(()),
            periods => Err(Wrong {
                field: "quiet_periods",
                problem: format!("{periods} periods are not in any ledger"),
                remedy: "write 1 to 600",
            }),
        }
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_periods()).then_some("the ledger has neither dates nor periods")
    }
}

#[cfg(test)]
mod tests;
