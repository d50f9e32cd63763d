//! The plain values behind an entry's measures: what a reader can count again in the ledger itself.

use super::{Bunch, Empty, Yardstick, lag, log_amount, month, text, total, weekday};
use crate::amount::Amount;
use crate::names::Symbol;
use crate::part::Posting;
use crate::usual::spread::Spread;

/// So many entries of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub count: u64,
    pub of: u64,
}

/// What amounts are usual where a line is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Typical {
    pub spread: Spread,
    pub whose: Whose,
}

/// Whose amounts they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of the line's account and side.
    Side,
    /// Of both sides of its account.
    Account,
    /// Of all accounts: its own has too few.
    All,
}

/// How long after its document an entry came, and how many of its document type came as late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Below 0 where it came before.
    pub days: i64,
    /// Days that count as alike, without the sign.
    pub alike: (u64, u64),
    pub share: Share,
}

/// How the text begins that says what an entry is for, and how many of its document type begin so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextUse {
    /// Whether it is a line's, the whole entry having none.
    pub of_line: bool,
    pub head: Symbol,
    pub share: Share,
}

impl Yardstick {
    pub fn typical(&self, posting: &Posting) -> Typical {
        let (spread, own) = self.by_side.of((posting.account.0, posting.side as u8));
        if own {
            return Typical { spread, whose: Whose::Side };
        }
        let (spread, own) = self.by_account.of(posting.account.0);
        Typical { spread, whose: if own { Whose::Account } else { Whose::All } }
    }

    /// The amounts of all lines.
    pub fn all_amounts(&self) -> Spread {
        self.by_account.all()
    }

    /// The line whose amount is furthest from what is usual there, the first of equals, and by how many robust deviations; below 0 where it is less.
    pub fn furthest<'p>(&self, postings: &'p [Posting]) -> Option<(&'p Posting, f64)> {
        let deviations = postings.iter().map(|posting| (posting, self.deviation(posting)));
        deviations.rev().max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()))
    }

    /// Robust deviations of the amount that the entry moves from the median of all lines.
    pub fn deviation_of_total(&self, postings: &[Posting]) -> f64 {
        self.all_amounts().deviations(log_amount(total(postings)))
    }

    /// Of the entries of its fiscal year and period, those effective in its month.
    pub fn same_month(&self, first: &Posting) -> Option<Share> {
        let (given, value) = month(first)?;
        Some(self.months.share(given, value))
    }

    pub fn same_lag(&self, first: &Posting) -> Option<Lag> {
        let (given, step) = lag(first)?;
        let longer = 1_u64 << step.unsigned_abs();
        Some(Lag {
            days: days_since_document(first)?,
            alike: (longer - 1, 2 * longer - 2),
            share: self.lags.share(given, step),
        })
    }

    pub fn same_text(&self, first: &Posting, empty: Empty) -> TextUse {
        let (given, value) = text(first, empty);
        TextUse { of_line: value.0, head: Symbol(value.1), share: self.texts.share(given, value) }
    }

    /// Of the entries of its source, document type and way of being made, those of its day of the week.
    pub fn same_weekday(&self, first: &Posting) -> Option<Share> {
        let (given, value, _) = weekday(first)?;
        Some(self.weekdays.share(given, value))
    }

    /// The bunch just below a limit that the entry's amount is in.
    pub fn bunch(&self, postings: &[Posting]) -> Option<Bunch> {
        self.limits.smallest(total(postings))
    }
}

/// What the entry moves: the larger of its debits and its credits.
pub fn moved(postings: &[Posting]) -> Amount {
    total(postings)
}

/// From the date of its document until it was entered or, where that is not known, took effect.
pub(super) fn days_since_document(posting: &Posting) -> Option<i64> {
    Some(posting.document?.duration_until(posting.entered.or(posting.effective)?).as_hours() / 24)
}

/// Debits less credits of each currency and ledger, in the order in which they are met.
pub fn imbalances(postings: &[Posting]) -> Vec<((Symbol, Symbol), Amount)> {
    let mut sums: Vec<((Symbol, Symbol), Amount)> = Vec::with_capacity(1);
    for posting in postings {
        let group = (posting.currency, posting.ledger);
        match sums.iter_mut().find(|(known, _)| *known == group) {
            Some((_, sum)) => *sum = *sum + posting.signed,
            None => sums.push((group, posting.signed)),
        }
    }
    sums
}
