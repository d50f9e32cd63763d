//! An entry in numbers: how it stands to what is usual in its ledger, and what the control tests that have a say in the score find.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::dims::{Dim, Dims};
use super::facets::Facets;
use super::limits::Limits;
use super::reference::{Reference, Usual};
use crate::amount::Amount;
use crate::line::Side;
use crate::names::{Names, Sort};
use crate::part::Posting;
use crate::usual::spread::{Known, Spreads};

mod carried;
mod plain;
mod stored;

pub use super::limits::Bunch;
pub use plain::{Lag, Share, TextUse, Typical, Whose, imbalances, moved};

/// Fiscal year and period.
type PeriodOf = (Option<i16>, Option<u8>);
/// Source, by hand or not, document type.
type MakerOf = (u32, Option<bool>, u32);

/// Everything that is counted over all entries before any of them is measured. Adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    reference: Reference,
    /// ln(1 + amount) of lines by account and side, and by account.
    by_side: Spreads<(u32, u8)>,
    by_account: Spreads<u32>,
    /// The month of the effective date, given the fiscal year and period.
    months: Conditional<PeriodOf, i32>,
    /// How long after the document's date, given the document type.
    lags: Conditional<u32, i32>,
    /// How the text begins, given the document type.
    texts: Conditional<u32, (bool, u32)>,
    /// The day of the week, given who makes such entries: source, by hand or not, document type.
    weekdays: Conditional<MakerOf, u32>,
    limits: Limits,
}

impl Counted {
    /// One of so many side by side, which share the memory.
    pub fn new(dims: &Dims, of: usize) -> Self {
        Self {
            reference: Reference::new(dims, of),
            by_side: Spreads::default(),
            by_account: Spreads::default(),
            months: Conditional::default(),
            lags: Conditional::default(),
            texts: Conditional::default(),
            weekdays: Conditional::default(),
            limits: Limits::default(),
        }
    }

    pub fn add(&mut self, dims: &Dims, facets: &mut Facets, postings: &[Posting], empty: Empty) {
        let Some(first) = postings.first() else { return };
        self.reference.add(dims, facets, postings);
        for posting in postings {
            let log = log_amount(posting.signed);
            self.by_side.add((posting.account.0, posting.side as u8), log);
            self.by_account.add(posting.account.0, log);
        }
        if let Some((given, value)) = month(first) {
            self.months.add(given, value);
        }
        if let Some((given, value)) = lag(first) {
            self.lags.add(given, value);
        }
        let (given, value) = text(first, empty);
        self.texts.add(given, value);
        if let Some((given, value, _)) = weekday(first) {
            self.weekdays.add(given, value);
        }
        self.limits.add(total(postings));
    }

    pub fn merge(&mut self, other: &Self) {
        self.reference.merge(&other.reference);
        self.by_side.merge(&other.by_side);
        self.by_account.merge(&other.by_account);
        self.months.merge(&other.months);
        self.lags.merge(&other.lags);
        self.texts.merge(&other.texts);
        self.weekdays.merge(&other.weekdays);
        self.limits.merge(&other.limits);
    }

    pub fn finish(self) -> Yardstick {
        Yardstick {
            usual: Usual::of(self.reference),
            by_side: self.by_side.finish(),
            by_account: self.by_account.finish(),
            months: self.months,
            lags: self.lags,
            texts: self.texts,
            weekdays: self.weekdays,
            limits: self.limits,
        }
    }
}

/// The symbol of the empty header text, where it occurs: what an entry is for is then said by its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty(pub Option<u32>);

impl Empty {
    pub fn of(names: &Names) -> Self {
        Self(names.find(Sort::HeaderHead, "").map(|symbol| symbol.0))
    }
}

/// What entries are measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct Yardstick {
    pub usual: Usual,
    by_side: Known<(u32, u8)>,
    by_account: Known<u32>,
    months: Conditional<PeriodOf, i32>,
    lags: Conditional<u32, i32>,
    texts: Conditional<u32, (bool, u32)>,
    weekdays: Conditional<MakerOf, u32>,
    limits: Limits,
}

/// What control tests with a say in the score found, by [`Signal`]; 0 for nothing.
pub type Signals = [f64; Signal::ALL.len()];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Unbalanced,
    OutOfPeriod,
    Lag,
    RareText,
    BelowLimit,
    SeldomAccount,
    Weekend,
    AfterHours,
}

impl Signal {
    pub const ALL: [Self; 8] = [
        Self::Unbalanced,
        Self::OutOfPeriod,
        Self::Lag,
        Self::RareText,
        Self::BelowLimit,
        Self::SeldomAccount,
        Self::Weekend,
        Self::AfterHours,
    ];

    /// The control test's id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Unbalanced => "S6",
            Self::OutOfPeriod => "C6",
            Self::Lag => "T3",
            Self::RareText => "D3",
            Self::BelowLimit => "M5",
            Self::SeldomAccount => "A1",
            Self::Weekend => "T1",
            Self::AfterHours => "T2",
        }
    }
}

/// An entry in numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measures {
    /// The highest surprisal in each category.
    pub surprisals: Vec<f64>,
    /// The three highest residuals of pairs.
    pub top_pairs: [f64; 3],
    /// Residuals above 0, and those below, summed.
    pub pairs_above: f64,
    pub pairs_below: f64,
    /// The furthest amount from the median of its account and side, in robust deviations.
    pub deviation: f64,
    /// ln(1 + the larger of its debits and its credits).
    pub amount: f64,
    pub signals: Signals,
}

impl Measures {
    pub fn surprisal_sum(&self) -> f64 {
        self.surprisals.iter().sum()
    }

    /// For the forest of values.
    pub fn value_row(&self, has_amounts: bool) -> impl Iterator<Item = f64> {
        let amounts = [self.amount, self.deviation];
        self.surprisals.iter().copied().chain(amounts.into_iter().take(if has_amounts { 2 } else { 0 }))
    }

    /// For the forest of combinations.
    pub fn pair_row(&self) -> [f64; 5] {
        let [a, b, c] = self.top_pairs;
        [a, b, c, self.pairs_above - self.pairs_below, self.pairs_above]
    }
}

impl Yardstick {
    pub fn measure(&self, dims: &Dims, facets: &mut Facets, postings: &[Posting], empty: Empty) -> Measures {
        facets.look(dims, postings);
        let mut surprisals = vec![0.0; dims.len()];
        facets.each_value(|dim, value| {
            let surprisal = self.usual.surprisal(dim, value);
            if surprisal > surprisals[dim] {
                surprisals[dim] = surprisal;
            }
        });
        let mut pairs = Pairs::default();
        facets.each_pair(|pair, a, b| pairs.add(pair, self.usual.reference.residual(pair, a, b)));
        let Pairs { top, above, below, .. } = pairs.finish();
        let deviation = postings.iter().map(|posting| self.deviation(posting).abs()).fold(0.0, f64::max);
        Measures {
            surprisals,
            top_pairs: top,
            pairs_above: above,
            pairs_below: below,
            deviation,
            amount: log_amount(total(postings)),
            signals: self.signals(dims, postings, empty),
        }
    }

    fn deviation(&self, posting: &Posting) -> f64 {
        self.typical(posting).spread.deviations(log_amount(posting.signed))
    }

    fn signals(&self, dims: &Dims, postings: &[Posting], empty: Empty) -> Signals {
        let Some(first) = postings.first() else { return Signals::default() };
        // One in two hundred is rare enough to be told.
        let rare = |surprisal: Option<f64>| {
            surprisal.filter(|&surprisal| surprisal >= libm::log(200.0)).unwrap_or(0.0)
        };
        Signal::ALL.map(|signal| match signal {
            Signal::Unbalanced => f64::from(u8::from(is_unbalanced(postings))),
            Signal::OutOfPeriod => {
                rare(month(first).map(|(given, value)| self.months.surprisal(given, value)))
            }
            Signal::Lag => rare(lag(first).map(|(given, value)| self.lags.surprisal(given, value))),
            Signal::RareText => {
                let (given, value) = text(first, empty);
                rare(Some(self.texts.surprisal(given, value)))
            }
            Signal::BelowLimit => self.limits.bunched(total(postings), self.usual.reference.entries()),
            Signal::SeldomAccount => {
                let account = dims.place(Dim::Name(Sort::Account));
                let seldom = |dim: usize| {
                    let of = |posting: &Posting| self.usual.surprisal(dim, posting.account.0);
                    postings.iter().map(of).fold(0.0, f64::max)
                };
                rarer(2_000.0, account.map(seldom))
            }
            Signal::Weekend => match weekday(first) {
                Some((given, value, true)) => self.weekdays.surprisal(given, value),
                _ => 0.0,
            },
            Signal::AfterHours => {
                let after = |seconds: u32| !(6 * 3_600..20 * 3_600).contains(&seconds);
                f64::from(u8::from(first.entered_time.is_some_and(after)))
            }
        })
    }
}

/// The surprisal, if it is at least that of one in so many.
fn rarer(than: f64, surprisal: Option<f64>) -> f64 {
    surprisal.filter(|&surprisal| surprisal >= libm::log(than)).unwrap_or(0.0)
}

/// The residuals of an entry: the highest of each pair of categories.
#[derive(Default)]
struct Pairs {
    at: Option<((usize, usize), f64)>,
    top: [f64; 3],
    above: f64,
    below: f64,
}

impl Pairs {
    /// Residuals of one pair of categories come one after the other.
    fn add(&mut self, pair: (usize, usize), residual: f64) {
        match &mut self.at {
            Some((at, highest)) if *at == pair => *highest = highest.max(residual),
            _ => {
                self.close();
                self.at = Some((pair, residual));
            }
        }
    }

    fn close(&mut self) {
        let Some((_, residual)) = self.at.take() else { return };
        self.above += residual.max(0.0);
        self.below += (-residual).max(0.0);
        let mut carried = residual;
        for top in &mut self.top {
            if carried > *top {
                std::mem::swap(top, &mut carried);
            }
        }
    }

    fn finish(mut self) -> Self {
        self.close();
        self
    }
}

/// How often a value comes with what is given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Conditional<G: Eq + Hash, V: Eq + Hash> {
    joint: HashMap<(G, V), u64>,
    given: HashMap<G, u64>,
    values: HashSet<V>,
}

impl<G: Eq + Hash, V: Eq + Hash> Default for Conditional<G, V> {
    fn default() -> Self {
        Self { joint: HashMap::new(), given: HashMap::new(), values: HashSet::new() }
    }
}

impl<G: Copy + Eq + Hash, V: Copy + Eq + Hash> Conditional<G, V> {
    fn add(&mut self, given: G, value: V) {
        *self.joint.entry((given, value)).or_insert(0) += 1;
        *self.given.entry(given).or_insert(0) += 1;
        self.values.insert(value);
    }

    fn merge(&mut self, other: &Self) {
        for (pair, more) in &other.joint {
            *self.joint.entry(*pair).or_insert(0) += more;
        }
        for (given, more) in &other.given {
            *self.given.entry(*given).or_insert(0) += more;
        }
        self.values.extend(&other.values);
    }

    fn share(&self, given: G, value: V) -> Share {
        Share {
            count: self.joint.get(&(given, value)).copied().unwrap_or(0),
            of: self.given.get(&given).copied().unwrap_or(0),
        }
    }

    fn surprisal(&self, given: G, value: V) -> f64 {
        let Share { count, of } = self.share(given, value);
        -libm::log((count as f64 + 0.5) / (of as f64 + 0.5 * (self.values.len() as f64 + 1.0)))
    }
}

fn month(posting: &Posting) -> Option<(PeriodOf, i32)> {
    let date = posting.effective?;
    let given = (posting.fiscal_year, posting.period);
    (given.1.is_some()).then(|| (given, i32::from(date.year()) * 12 + i32::from(date.month())))
}

/// In steps that double: a day more matters where there are few.
fn lag(posting: &Posting) -> Option<(u32, i32)> {
    let since = plain::days_since_document(posting)?;
    let step = (1 + since.unsigned_abs()).ilog2().cast_signed();
    Some((posting.document_type.0, if since < 0 { -step } else { step }))
}

fn text(posting: &Posting, empty: Empty) -> (u32, (bool, u32)) {
    let header = posting.header_head.0;
    let value = if Some(header) == empty.0 { (true, posting.line_head.0) } else { (false, header) };
    (posting.document_type.0, value)
}

/// With what is given, and whether it is a day of the weekend.
fn weekday(posting: &Posting) -> Option<(MakerOf, u32, bool)> {
    let date = posting.entered.or(posting.effective)?;
    let day = date.weekday().to_monday_zero_offset().cast_unsigned().into();
    let given = (posting.symbol(Sort::Source).0, posting.manual, posting.document_type.0);
    Some((given, day, day >= 5))
}

fn log_amount(amount: Amount) -> f64 {
    libm::log1p(amount.abs().to_f64())
}

/// The larger of debits and credits.
fn total(postings: &[Posting]) -> Amount {
    let of = |side| {
        postings
            .iter()
            .filter(|posting| posting.side == side)
            .map(|posting| posting.signed.abs())
            .sum::<Amount>()
    };
    of(Side::Debit).max(of(Side::Credit))
}

/// Debits and credits of a currency and ledger of an entry that has more than one line differ.
fn is_unbalanced(postings: &[Posting]) -> bool {
    postings.len() > 1 && imbalances(postings).iter().any(|(_, sum)| *sum != Amount::ZERO)
}
