//! S: how it is built, and which entries belong to it.

use serde::{Deserialize, Serialize};

use super::facts::What;
use super::{
    Control, Fact, Hit, Id, Norms, Said, Value, View, Wrong, account, amount, at_least_one, count, currency,
    named, worst,
};
use crate::amount::Amount;
use crate::names::{Sort, Symbol};
use crate::part::Posting;

/// S1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Complex {
    pub least_lines: u64,
    pub least_accounts: u64,
}

impl Default for Complex {
    fn default() -> Self {
        Self { least_lines: 100, least_accounts: 20 }
    }
}

impl Control for Complex {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let lines = view.postings.len() as u64;
        let mut accounts: Vec<Symbol> = view.postings.iter().map(|posting| posting.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let accounts = accounts.len() as u64;
        if lines < self.least_lines && accounts < self.least_accounts {
            return None;
        }
        let values = [count("lines", lines), count("accounts", accounts)];
        Some(Hit::new(Id::Complex, Vec::new(), Said::new("{lines} lines on {accounts} accounts", values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("least_lines", self.least_lines)?;
        at_least_one("least_accounts", self.least_accounts)
    }
}

/// S2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manual {
    /// Sources of entries by hand, for ledgers that do not mark their lines.
    pub sources: Vec<String>,
    /// Sources of entries made on top of the ledger, in consolidation or reporting.
    pub top_side_sources: Vec<String>,
}

impl Control for Manual {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let is_one_of = |sources: &[String], posting: &Posting| {
            sources.iter().any(|source| source == view.name(Sort::Source, posting))
        };
        let hit = worst(view.postings, |posting| {
            let top_side = is_one_of(&self.top_side_sources, posting);
            let by_hand = posting.manual == Some(true) || is_one_of(&self.sources, posting);
            (top_side || by_hand).then_some(top_side)
        })?;
        let sentence = match hit.key {
            true => "top-side entry of source {source} by {user}",
            false => "entered by hand by {user} in source {source}",
        };
        let values = [named("source", Sort::Source, hit.posting.source), super::user(hit.posting)];
        Some(Hit::new(Id::Manual, hit.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }
}

/// S3. Its facts are made in [`super::facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reversal {
    /// An entry with the same lines on the other sides so many days later takes it back.
    pub within_days: i32,
}

impl Default for Reversal {
    fn default() -> Self {
        Self { within_days: 40 }
    }
}

impl Control for Reversal {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let hit = |sentence, values: Vec<(&'static str, Value)>, other| {
            Hit::new(Id::Reversal, Vec::new(), Said::new(sentence, values)).with(other)
        };
        let found = view.facts.iter().find_map(|fact| {
            let (days, sentence) = match fact.what {
                What::Reversed { days: 0, .. } | What::Reverses { days: 0, .. } => {
                    return Some(hit("taken back by another entry of the same day", Vec::new(), fact.other));
                }
                What::Reversed { days, next_period: true } => {
                    (days, "reversed {days} later, in the next period")
                }
                What::Reversed { days, next_period: false } => (days, "reversed {days} later"),
                What::Reverses { days, next_period: true } => {
                    (days, "reverses an entry of {days} before, in the last period")
                }
                What::Reverses { days, next_period: false } => (days, "reverses an entry of {days} before"),
                _ => return None,
            };
            Some(hit(sentence, vec![("days", Value::Days(days))], fact.other))
        });
        found.or_else(|| {
            let named = worst(view.postings, |posting| {
                let reversed = view.part.text(posting.reversal_of).trim();
                (!reversed.is_empty()).then_some(())
            })?;
            let reversed = view.part.text(named.posting.reversal_of).trim();
            let said = Said::new(
                "marked as the reversal of {reversed}",
                [("reversed", Value::Text(reversed.into()))],
            );
            Some(Hit::new(Id::Reversal, named.lines, said))
        })
    }

    fn check(&self) -> Result<(), Wrong> {
        check_days("within_days", self.within_days)
    }
}

fn check_days(field: &'static str, days: i32) -> Result<(), Wrong> {
    match days {
        0..=366 => Ok(()),
        days => {
            let problem = format!("{days} days are before the beginning or over a year");
            Err(Wrong { field, problem, remedy: "write 0 to 366" })
        }
    }
}

/// S4. Its facts are made in [`super::facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Duplicate {
    /// Smaller amounts repeat for no reason. 0 looks at lines of zero too.
    pub least_amount: Amount,
    /// Lines of one partner and amount that are so many days apart or fewer are duplicates, whatever their accounts and periods.
    pub within_days: i32,
}

impl Default for Duplicate {
    fn default() -> Self {
        Self { least_amount: Amount::from_cents(100), within_days: 30 }
    }
}

impl Control for Duplicate {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        // The surest kind that there is, and of its lines the one with the greatest amount.
        let kind = |fact: &&Fact| match fact.what {
            What::Same { entries: 2.., .. } => Some(0),
            What::Near { .. } => Some(1),
            What::Transposed { .. } => Some(2),
            _ => None,
        };
        let surest = view.facts.iter().filter_map(|fact| kind(&fact)).min()?;
        let facts: Vec<&Fact> = view.facts.iter().filter(|fact| kind(fact) == Some(surest)).collect();
        let posting = |fact: &Fact| view.postings.get(fact.line as usize);
        let greatest =
            facts.iter().rev().max_by_key(|fact| posting(fact).map(|posting| posting.signed.abs()))?;
        let worst = posting(greatest)?;
        let mut values = vec![account(worst), amount(worst), currency(worst)];
        let sentence = match greatest.what {
            What::Same { lines, entries } => {
                values.extend([count("lines", lines), count("entries", entries)]);
                "{amount} {currency} on account {account} in the same period: {lines} lines in {entries} entries"
            }
            What::Near { days } => {
                values.extend([named("partner", Sort::Partner, worst.partner), ("days", Value::Days(days))]);
                "{amount} {currency} with partner {partner} again within {days}"
            }
            What::Transposed { amount } => {
                values.extend([
                    named("partner", Sort::Partner, worst.partner),
                    ("other", Value::Amount(amount.abs())),
                ]);
                "{amount} {currency} with partner {partner}, and {other} with two digits exchanged"
            }
            _ => return None,
        };
        let mut lines: Vec<u32> = facts.iter().map(|fact| fact.line).collect();
        lines.sort_unstable();
        lines.dedup();
        Some(Hit::new(Id::Duplicate, lines, Said::new(sentence, values)).with(greatest.other))
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.least_amount < Amount::ZERO {
            let problem = format!("{} is below zero", self.least_amount);
            return Err(Wrong { field: "least_amount", problem, remedy: "write 0 or more" });
        }
        check_days("within_days", self.within_days)
    }
}

/// S5. Its facts are made in [`super::facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChangedRecurring {
    /// A line of one account, partner and text once in so many months with the same amount recurs.
    pub least_months: u32,
}

impl Default for ChangedRecurring {
    fn default() -> Self {
        Self { least_months: 4 }
    }
}

impl Control for ChangedRecurring {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let changed = |fact: &Fact| match fact.what {
            What::Changed { usual, months, of } => Some((fact.line, usual, months, of)),
            _ => None,
        };
        let all: Vec<_> = view.facts.iter().filter_map(changed).collect();
        let &(line, usual, months, of) = all.iter().min()?;
        let posting = view.postings.get(line as usize)?;
        let values = [
            account(posting),
            amount(posting),
            currency(posting),
            ("usual", Value::Amount(usual)),
            count("months", months),
            count("of", of),
        ];
        let sentence = "{amount} {currency} on account {account}, where {months} of {of} months have {usual}";
        let mut lines: Vec<u32> = all.iter().map(|&(line, ..)| line).collect();
        lines.sort_unstable();
        Some(Hit::new(Id::ChangedRecurring, lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        match self.least_months {
            3.. => Ok(()),
            months => Err(Wrong {
                field: "least_months",
                problem: format!("{months} months make no habit"),
                remedy: "write 3 or more",
            }),
        }
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        match (norms.has_texts(), norms.has_dates()) {
            (false, _) => Some("the ledger has no texts"),
            (true, false) => Some("the ledger has no dates"),
            (true, true) => None,
        }
    }
}

/// S6.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unbalanced {}

impl Control for Unbalanced {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        // The greatest difference; of equals, that of the first name.
        let sums = imbalances(view.postings);
        let greatest = sums.iter().rev().max_by_key(|imbalance| imbalance.sum.abs())?;
        let values = [
            ("sum", Value::Amount(greatest.sum.abs())),
            named("currency", Sort::Currency, greatest.currency),
            count("count", sums.len() as u64),
        ];
        let sentence = match (greatest.sum.is_negative(), sums.len()) {
            (false, 1) => "debits exceed credits by {sum} {currency}",
            (true, 1) => "credits exceed debits by {sum} {currency}",
            (false, _) => {
                "debits exceed credits by {sum} {currency}, the greatest of {count} differences by currency, ledger and entity"
            }
            (true, _) => {
                "credits exceed debits by {sum} {currency}, the greatest of {count} differences by currency, ledger and entity"
            }
        };
        Some(Hit::new(Id::Unbalanced, Vec::new(), Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }
}

/// What does not add up to zero within a currency, ledger and entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imbalance {
    pub currency: Symbol,
    pub ledger: Symbol,
    pub entity: Symbol,
    /// Debits less credits.
    pub sum: Amount,
}

/// In the order of currency, ledger and entity. Amounts of one do not balance those of another.
pub fn imbalances(postings: &[Posting]) -> Vec<Imbalance> {
    let of = |&Posting { currency, ledger, entity, signed, .. }: &Posting| Imbalance {
        currency,
        ledger,
        entity,
        sum: signed,
    };
    let place = |imbalance: &Imbalance| (imbalance.currency, imbalance.ledger, imbalance.entity);
    let mut sums: Vec<Imbalance> = postings.iter().map(of).collect();
    sums.sort_unstable_by_key(place);
    sums.dedup_by(|next, first| {
        let same = place(next) == place(first);
        if same {
            first.sum = first.sum + next.sum;
        }
        same
    });
    sums.retain(|imbalance| imbalance.sum != Amount::ZERO);
    sums
}

#[cfg(test)]
mod tests;
