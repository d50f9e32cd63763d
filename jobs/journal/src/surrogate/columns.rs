//! What rules are made of: the measures of an entry, each with the words for being above or below a threshold.

use super::{Bound, round};
use crate::names::Sort;
use crate::scoring::dims::{Dim, Dims};
use crate::scoring::measures::{Measures, Signal};

/// Of the signals, the seldom-used account is no column of its own: it is the surprisal of the account from a height on.
const SIGNALS: [Signal; 7] = [
    Signal::Unbalanced,
    Signal::OutOfPeriod,
    Signal::Lag,
    Signal::RareText,
    Signal::BelowLimit,
    Signal::Weekend,
    Signal::AfterHours,
];

/// Shares from a tenth on are written in percent.
const TENTH: f64 = std::f64::consts::LN_10;

/// One measure of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column(Meaning);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// The surprisal of the entry's value in a category, or of the rarest of its lines' values; how it is called where it is rare, and where it is not.
    Value {
        rare: String,
        common: String,
    },
    Amount,
    Deviation,
    /// The residual of the pair of values at this place, the highest first.
    Pair(usize),
    Signal(Signal),
}

/// The numbers of an entry that rules look at, as [`columns()`] names them.
pub fn row(measures: &Measures, has_amounts: bool) -> Vec<f64> {
    let amounts = [measures.amount, measures.deviation];
    let mut row = Vec::with_capacity(measures.surprisals.len() + 2 + 3 + SIGNALS.len());
    row.extend(&measures.surprisals);
    row.extend(amounts.into_iter().filter(|_| has_amounts));
    row.extend(measures.top_pairs);
    row.extend(SIGNALS.map(|signal| measures.signals[signal as usize]));
    row
}

/// The columns of a ledger with these categories; extra columns of the source go by their titles.
pub fn columns(dims: &Dims, has_amounts: bool, extra_titles: &[String]) -> Vec<Column> {
    let values = (0..dims.len()).map(|dim| {
        let (rare, common) = called(dims.get(dim), extra_titles);
        Meaning::Value { rare, common }
    });
    values
        .chain([Meaning::Amount, Meaning::Deviation].into_iter().filter(|_| has_amounts))
        .chain((0..3).map(Meaning::Pair))
        .chain(SIGNALS.map(Meaning::Signal))
        .map(Column)
        .collect()
}

/// A value that is rare, and one that is not. Of the values of lines the rarest counts.
fn called(dim: Dim, extra_titles: &[String]) -> (String, String) {
    let of_entry = match dim {
        Dim::Name(Sort::Extra(place)) => {
            let title = extra_titles.get(usize::from(place));
            &title.map_or_else(|| format!("extra column {}", place + 1), |title| format!("`{title}`"))
        }
        Dim::Name(Sort::Account) => return ("an account".into(), "every account".into()),
        Dim::Name(Sort::BusinessUnit) => return ("a business unit".into(), "every business unit".into()),
        Dim::Name(Sort::Partner) => return ("a partner".into(), "every partner".into()),
        Dim::Name(Sort::LineHead) => {
            return ("first words of a line".into(), "first words of every line".into());
        }
        Dim::Side => return ("a side (debit, credit or neither)".into(), "every side".into()),
        Dim::Name(Sort::Currency) => "currency",
        Dim::Name(Sort::Entity) => "entity",
        Dim::Name(Sort::Ledger) => "ledger",
        Dim::Name(Sort::Source) => "source",
        Dim::Name(Sort::DocumentType) => "document type",
        Dim::Name(Sort::User) => "user",
        Dim::Name(Sort::Approver) => "approver",
        Dim::Name(Sort::HeaderHead) => "first words of the header text",
        Dim::Name(Sort::ReferencePattern) => "form of the reference",
        Dim::Manual => "way of entry (by hand or not)",
        Dim::Weekday => "day of the week",
        Dim::Hour => "hour of entry",
        Dim::Period => "period",
    };
    (of_entry.into(), of_entry.into())
}

/// How thresholds of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A share of entries in percent, of a surprisal.
    Percent,
    /// One of so many entries, or so many times, of a logarithm.
    Times,
    /// Of ln(1 + amount).
    Amount,
    Plain,
}

impl Unit {
    fn written(self, measure: f64) -> f64 {
        match self {
            Self::Percent => 100.0 * libm::exp(-measure),
            Self::Times => libm::exp(measure),
            Self::Amount => libm::expm1(measure),
            Self::Plain => measure,
        }
    }

    fn measure(self, written: f64) -> f64 {
        match self {
            Self::Percent => -libm::log(written / 100.0),
            Self::Times => libm::log(written),
            Self::Amount => libm::log1p(written),
            Self::Plain => written,
        }
    }
}

impl Column {
    fn unit(&self, measure: f64) -> Unit {
        match &self.0 {
            Meaning::Value { .. } | Meaning::Signal(_) if measure < TENTH => Unit::Percent,
            Meaning::Value { .. } | Meaning::Signal(_) | Meaning::Pair(_) => Unit::Times,
            Meaning::Amount => Unit::Amount,
            Meaning::Deviation => Unit::Plain,
        }
    }

    /// A threshold above `below` and at most `above`: one that can be written with few digits, if there is one.
    pub(super) fn threshold(&self, below: f64, above: f64) -> f64 {
        // Whatever a test has found is more than nothing.
        if below <= 0.0 && matches!(self.0, Meaning::Signal(_)) {
            return f64::MIN_POSITIVE.min(above);
        }
        let unit = self.unit(above);
        let (one, other) = (unit.written(below), unit.written(above));
        let round = round::between(one.min(other), one.max(other)).map(|written| unit.measure(written));
        // The way there and back may end beyond a neighbour.
        round.filter(|threshold| below < *threshold && *threshold <= above).unwrap_or(above)
    }

    /// The threshold, written with so many digits.
    pub(super) fn rounded(&self, threshold: f64, digits: u32) -> f64 {
        if threshold == f64::MIN_POSITIVE {
            return threshold;
        }
        let unit = self.unit(threshold);
        unit.measure(round::to_digits(unit.written(threshold), digits))
    }

    pub(super) fn words(&self, bound: Bound) -> String {
        let (Bound::From(threshold) | Bound::Below(threshold)) = bound;
        let written = || round::written(self.unit(threshold).written(threshold));
        let is_above = matches!(bound, Bound::From(_));
        match &self.0 {
            Meaning::Value { rare, .. } if is_above => format!("{rare} in fewer than {}", share(threshold)),
            Meaning::Value { common, .. } => format!("{common} in {} or more", share(threshold)),
            Meaning::Amount if is_above => format!("amount of {} or more", written()),
            Meaning::Amount => format!("amount below {}", written()),
            Meaning::Deviation => {
                let no = if is_above { "" } else { "no " };
                format!("{no}amount further than {} robust deviations from its account's median", written())
            }
            Meaning::Pair(place) => {
                let pairs = if is_above {
                    ["a combination", "two combinations", "three combinations"]
                } else {
                    ["no combination", "at most one combination", "at most two combinations"]
                };
                format!("{} of values that should have met {} times as often", pairs[*place], written())
            }
            Meaning::Signal(signal) if is_above => found(*signal, threshold),
            Meaning::Signal(Signal::Unbalanced) => "debits and credits agree".into(),
            Meaning::Signal(signal) => format!("not {}", found(*signal, threshold)),
        }
    }
}

/// "1 of 200 entries", "40 % of entries".
fn share(surprisal: f64) -> String {
    if surprisal < TENTH {
        format!("{} % of entries", round::written(Unit::Percent.written(surprisal)))
    } else {
        format!("1 of {} entries", round::written(Unit::Times.written(surprisal)))
    }
}

/// What a control test found, from this height on.
fn found(signal: Signal, threshold: f64) -> String {
    // These tests begin at one in two hundred.
    let rare = |of: &str| format!("{} of {of}", share(threshold.max(libm::log(200.0))));
    let rarer = |plain: &str, of: &str| match threshold {
        f64::MIN_POSITIVE => plain.to_string(),
        _ => format!("{plain}, as fewer than {} of {of} are", share(threshold)),
    };
    match signal {
        Signal::Unbalanced => "debits and credits differ".into(),
        Signal::OutOfPeriod => format!("dated in a month that fewer than {} have", rare("its period")),
        Signal::Lag => {
            format!("dated as long after its document as fewer than {} are", rare("its document type"))
        }
        Signal::RareText => format!("described as fewer than {} are", rare("its document type")),
        Signal::BelowLimit => rarer("just below a limit below which amounts crowd", "the ledger"),
        Signal::SeldomAccount => rarer("on a seldom-used account", "the ledger"),
        Signal::Weekend => rarer("dated on a weekend", "its source and document type"),
        Signal::AfterHours => "entered after hours".into(),
    }
}

#[cfg(test)]
mod tests;
