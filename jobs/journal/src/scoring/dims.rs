//! The categories in which entries are compared: of the whole entry, and of its lines.

use std::sync::Arc;

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::line::Side;
use crate::names::{Names, Sort};
use crate::part::Posting;

/// More do not take part where there are amounts too: pairs are as many as their square.
const MOST_BESIDE_AMOUNTS: usize = 16;
/// So many in any case.
const MOST: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    Name(Sort),
    Side,
    Manual,
    Weekday,
    Hour,
    Period,
}

/// Those of a ledger, in one order for all its parts: first those of whole entries, then those of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dims {
    pub header: Vec<Dim>,
    pub line: Vec<Dim>,
    /// How many values each can have, header and line.
    kinds: Vec<u32>,
    /// Of the values of each, by what they stand for: the same whatever other names there are.
    hashes: Vec<Arc<[u64]>>,
}

/// Of whole entries, the most telling first.
const HEADER: [Dim; 13] = [
    Dim::Name(Sort::DocumentType),
    Dim::Name(Sort::Source),
    Dim::Name(Sort::User),
    Dim::Manual,
    Dim::Name(Sort::HeaderHead),
    Dim::Name(Sort::ReferencePattern),
    Dim::Weekday,
    Dim::Hour,
    Dim::Period,
    Dim::Name(Sort::Currency),
    Dim::Name(Sort::Entity),
    Dim::Name(Sort::Ledger),
    Dim::Name(Sort::Approver),
];

const LINE: [Dim; 5] = [
    Dim::Name(Sort::Account),
    Dim::Side,
    Dim::Name(Sort::BusinessUnit),
    Dim::Name(Sort::LineHead),
    Dim::Name(Sort::Partner),
];

/// What a ledger has beside names, seen while it was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Has {
    pub amounts: bool,
    pub dates: bool,
    pub times: bool,
    pub periods: bool,
    pub manual: bool,
}

impl Has {
    pub fn add(&mut self, posting: &Posting) {
        self.amounts |= posting.signed != crate::amount::Amount::ZERO;
        self.dates |= posting.effective.or(posting.entered).is_some();
        self.times |= posting.entered_time.is_some();
        self.periods |= posting.period.is_some();
        self.manual |= posting.manual.is_some();
    }

    pub fn merge(&mut self, other: Self) {
        self.amounts |= other.amounts;
        self.dates |= other.dates;
        self.times |= other.times;
        self.periods |= other.periods;
        self.manual |= other.manual;
    }
}

mod stored;

impl Dims {
    pub fn of(names: &Names, has: Has) -> Self {
        let tells = |dim: &Dim| match dim {
            // A category with one value tells nobody apart.
            Dim::Name(sort) => names.count(*sort) > 1,
            Dim::Side => has.amounts,
            Dim::Manual => has.manual,
            Dim::Weekday => has.dates,
            Dim::Hour => has.times,
            Dim::Period => has.periods,
        };
        let extra = (0..names.extra()).map(|place| Dim::Name(Sort::Extra(place as u8)));
        let line: Vec<Dim> = LINE.into_iter().filter(tells).collect();
        let most = if has.amounts { MOST_BESIDE_AMOUNTS } else { MOST } - line.len();
        // What somebody asks for by its name goes before what there is anyway.
        let header: Vec<Dim> = extra.chain(HEADER).filter(tells).take(most).collect();
        Self::made(header, line, names)
    }

    fn made(header: Vec<Dim>, line: Vec<Dim>, names: &Names) -> Self {
        let all = || header.iter().chain(&line);
        let kinds = all().map(|dim| dim.kinds(names)).collect();
        let hashes = all().map(|dim| dim.hashes(names)).collect();
        Self { header, line, kinds, hashes }
    }

    /// The same of more names.
    pub fn carried(&self, names: &Names) -> Self {
        Self::made(self.header.clone(), self.line.clone(), names)
    }

    pub fn hashes(&self) -> &[Arc<[u64]>] {
        &self.hashes
    }

    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    pub fn kinds(&self, dim: usize) -> u32 {
        self.kinds[dim]
    }

    /// Where a category stands, if the ledger has it.
    pub fn place(&self, dim: Dim) -> Option<usize> {
        self.header.iter().chain(&self.line).position(|known| *known == dim)
    }

    pub fn get(&self, dim: usize) -> Dim {
        self.header.get(dim).copied().unwrap_or_else(|| self.line[dim - self.header.len()])
    }
}

impl Dim {
    fn kinds(self, names: &Names) -> u32 {
        match self {
            Self::Name(sort) => names.count(sort) as u32,
            Self::Side | Self::Manual => 3,
            Self::Weekday => 8,
            Self::Hour => 25,
            Self::Period => 257,
        }
    }

    /// Never to be another for a value that is the same: model files know pairs of values by them.
    fn hashes(self, names: &Names) -> Arc<[u64]> {
        let place = if let Self::Name(Sort::Extra(place)) = self { place.into() } else { 0 };
        let seed = xxh3_64(self.id().as_bytes()).wrapping_add(place);
        match self {
            Self::Name(sort) => {
                names.all(sort).iter().map(|name| xxh3_64_with_seed(name.as_bytes(), seed)).collect()
            }
            Self::Side | Self::Manual | Self::Weekday | Self::Hour | Self::Period => {
                let values = 0..self.kinds(names);
                values.map(|value| xxh3_64_with_seed(&value.to_le_bytes(), seed)).collect()
            }
        }
    }

    /// How it is called in messages and results; all extra columns alike.
    pub fn id(self) -> &'static str {
        match self {
            Self::Name(sort) => sort.id(),
            Self::Side => "side",
            Self::Manual => "manual",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::Period => "period",
        }
    }

    /// The same, extra columns told apart.
    pub fn title(self) -> String {
        match self {
            Self::Name(sort) => sort.title(),
            _ => self.id().into(),
        }
    }

    /// The value of a line, below [`Dims::kinds`].
    pub fn value(self, posting: &Posting) -> u32 {
        match self {
            Self::Name(sort) => posting.symbol(sort).0,
            Self::Side => match posting.side {
                _ if posting.signed == crate::amount::Amount::ZERO => 2,
                Side::Debit => 0,
                Side::Credit => 1,
            },
            Self::Manual => posting.manual.map_or(2, u32::from),
            Self::Weekday => {
                posting.effective.or(posting.entered).map_or(7, |date| monday_first(date.weekday()))
            }
            Self::Hour => posting.entered_time.map_or(24, |seconds| seconds / 3_600),
            Self::Period => posting.period.map_or(256, u32::from),
        }
    }
}

fn monday_first(day: Weekday) -> u32 {
    day.to_monday_zero_offset().cast_unsigned().into()
}
