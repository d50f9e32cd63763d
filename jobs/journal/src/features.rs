//! What the forest looks at: a row of numbers per entry, computed from its lines and from how usual their values are
//! in the whole ledger. Pure.
//!
//! A forest splits along single columns, so everything that can be unusual must be a column of its own. Names become
//! *surprisals* (-ln of how often they occur), combinations conditional surprisals: one-hot columns would make a value
//! never seen before look ordinary, because no split ever asks for it. Of an entry's lines the most surprising counts.
//! A number that cannot be known is NaN, never 0; a name that is missing is a name like any other.

use jiff::civil::{Date, Weekday};
use ndarray::Array2;

use crate::amount::Amount;
use crate::ledger::{Entry, Ledger, Line, Symbol};

mod reason;
mod reference;

pub use reference::Reference;

/// The columns, in their order in the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    Account,
    User,
    Source,
    BusinessUnit,
    AccountOfUser,
    AccountOfSource,
    SideOfAccount,
    Amount,
    AmountInAccount,
    RoundAmount,
    Weekend,
    Night,
    Lag,
    PeriodEnd,
    Lines,
    Accounts,
    Imbalance,
    MissingText,
}

impl Feature {
    pub const ALL: [Self; 18] = [
        Self::Account,
        Self::User,
        Self::Source,
        Self::BusinessUnit,
        Self::AccountOfUser,
        Self::AccountOfSource,
        Self::SideOfAccount,
        Self::Amount,
        Self::AmountInAccount,
        Self::RoundAmount,
        Self::Weekend,
        Self::Night,
        Self::Lag,
        Self::PeriodEnd,
        Self::Lines,
        Self::Accounts,
        Self::Imbalance,
        Self::MissingText,
    ];

    /// Stable: it is in result files.
    pub fn id(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::User => "user",
            Self::Source => "source",
            Self::BusinessUnit => "business_unit",
            Self::AccountOfUser => "account_of_user",
            Self::AccountOfSource => "account_of_source",
            Self::SideOfAccount => "side_of_account",
            Self::Amount => "amount",
            Self::AmountInAccount => "amount_in_account",
            Self::RoundAmount => "round_amount",
            Self::Weekend => "weekend",
            Self::Night => "night",
            Self::Lag => "lag",
            Self::PeriodEnd => "period_end",
            Self::Lines => "lines",
            Self::Accounts => "accounts",
            Self::Imbalance => "imbalance",
            Self::MissingText => "missing_text",
        }
    }

    fn of_entry(self, lines: &[Line], reference: &Reference) -> f64 {
        match self {
            Self::RoundAmount => most(lines, |line| Some(f64::from(line.signed.trailing_zeros()))),
            Self::Weekend => most(lines, |line| Some(flag(is_weekend(line.entered?)))),
            Self::Night => most(lines, |line| Some(flag(is_night(line.entered_time?)))),
            Self::Lag => longest_lag(lines).map_or(f64::NAN, |(_, days)| signed_log(days)),
            Self::PeriodEnd => {
                -most(lines, |line| Some(-f64::from(days_to_month_end(accounting_date(line)?))))
            }
            Self::Lines => libm::log(lines.len() as f64),
            Self::Accounts => libm::log(distinct_accounts(lines) as f64),
            Self::Imbalance => {
                let greatest =
                    imbalances(lines).into_iter().map(|(_, sum)| sum.abs()).max().unwrap_or_default();
                libm::log1p(greatest.to_f64())
            }
            Self::MissingText => {
                lines.iter().filter(|line| !line.described).count() as f64 / lines.len() as f64
            }
            _ => most(lines, |line| self.of_line(line, reference)),
        }
    }

    /// The features that are the most surprising line's.
    fn of_line(self, line: &Line, reference: &Reference) -> Option<f64> {
        match self {
            Self::Account => Some(reference.accounts.surprisal(line.account)),
            Self::User => Some(reference.users.surprisal(line.user)),
            Self::Source => Some(reference.sources.surprisal(line.source)),
            Self::BusinessUnit => Some(reference.business_units.surprisal(line.business_unit)),
            Self::AccountOfUser => Some(reference.accounts_of_users.surprisal(line.user, line.account)),
            Self::AccountOfSource => Some(reference.accounts_of_sources.surprisal(line.source, line.account)),
            Self::SideOfAccount => Some(reference.sides_of_accounts.surprisal(line.account, line.side)),
            Self::Amount => Some(log_amount(line)),
            Self::AmountInAccount => Some(reference.amounts.of_line(line).deviations(log_amount(line))),
            _ => None,
        }
    }
}

/// The matrix, a row per entry in the ledger's order.
pub fn matrix(ledger: &Ledger, reference: &Reference) -> Array2<f64> {
    let mut matrix = Array2::zeros((ledger.entries().len(), Feature::ALL.len()));
    for (mut row, entry) in matrix.rows_mut().into_iter().zip(ledger.entries()) {
        let lines = ledger.lines_of(entry);
        for (value, feature) in row.iter_mut().zip(Feature::ALL) {
            *value = feature.of_entry(lines, reference);
        }
    }
    matrix
}

/// Says in plain words and plain values what is unusual about the feature of this entry; `None` where there is
/// nothing to say, such as for an entry that was not made on a weekend.
pub fn reason(feature: Feature, ledger: &Ledger, reference: &Reference, entry: &Entry) -> Option<String> {
    reason::of(feature, ledger, reference, ledger.lines_of(entry))
}

/// NaN if no line knows.
fn most(lines: &[Line], value: impl Fn(&Line) -> Option<f64>) -> f64 {
    lines.iter().filter_map(value).fold(f64::NAN, f64::max)
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn log_amount(line: &Line) -> f64 {
    libm::log1p(line.signed.abs().to_f64())
}

fn signed_log(days: i32) -> f64 {
    libm::copysign(libm::log1p(f64::from(days).abs()), f64::from(days))
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// From 20:00 to 06:00, as the published AICPA procedures have it.
fn is_night(seconds: u32) -> bool {
    !(6 * 3_600..20 * 3_600).contains(&seconds)
}

/// The date that decides the period: the effective one, or where the file has none, the day of entry.
fn accounting_date(line: &Line) -> Option<Date> {
    line.effective.or(line.entered)
}

/// To the nearest month end, before or after.
fn days_to_month_end(date: Date) -> i8 {
    date.day().min(date.days_in_month() - date.day())
}

/// The line whose day of entry is furthest from its effective date, and by how many days it came after.
fn longest_lag(lines: &[Line]) -> Option<(&Line, i32)> {
    let lag = |line: &Line| Some(days_between(line.effective?, line.entered?));
    lines.iter().filter_map(|line| Some((line, lag(line)?))).max_by_key(|(_, days)| days.abs())
}

fn days_between(from: Date, to: Date) -> i32 {
    // Dates of four-digit years are never further apart than an i32 counts.
    from.duration_until(to).as_hours().try_into().map_or(i32::MAX, |hours: i32| hours / 24)
}

fn distinct_accounts(lines: &[Line]) -> usize {
    let mut accounts: Vec<_> = lines.iter().map(|line| line.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts.len()
}

/// Debits minus credits per currency: amounts of different currencies do not balance each other.
fn imbalances(lines: &[Line]) -> Vec<(Symbol, Amount)> {
    let mut sums: Vec<(Symbol, Amount)> = Vec::with_capacity(1);
    for line in lines {
        match sums.iter_mut().find(|(currency, _)| *currency == line.currency) {
            Some((_, sum)) => *sum = *sum + line.signed,
            None => sums.push((line.currency, line.signed)),
        }
    }
    sums
}

#[cfg(test)]
mod tests;
