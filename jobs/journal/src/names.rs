//! Names that occur many times, kept once and known by a number.
//!
//! Several threads read a ledger at once, each with an [`Interner`] of its own that numbers names as they come. [`Names`] are all of them in order: the final
//! number of a name is its rank, whatever thread met it first and wherever it stood in the file.

use crate::stored::{Broken, Reader, Stored};

mod groups;
mod interner;
mod known;

pub use groups::{GROUPS, TooMany};
pub use interner::Interner;
use interner::Numbered;
use known::Known;

/// The rank of a name among the names of its sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(pub(crate) u32);

impl Symbol {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What names stand for. The names of two sorts have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    Account,
    Currency,
    Entity,
    Ledger,
    BusinessUnit,
    Source,
    DocumentType,
    User,
    Approver,
    Partner,
    /// The first words of a text, see [`crate::heads`].
    HeaderHead,
    LineHead,
    /// A reference with its digits left out.
    ReferencePattern,
    /// A column of the source that is no field of a line, by its place among those.
    Extra(u8),
}

/// How many sorts there are beside the extra ones.
pub const FIXED: usize = Sort::ALL.len();
/// An extra sort is known by its place, which is a byte.
const MOST_EXTRA: usize = 256;

impl Sort {
    pub const ALL: [Self; 13] = [
        Self::Account,
        Self::Currency,
        Self::Entity,
        Self::Ledger,
        Self::BusinessUnit,
        Self::Source,
        Self::DocumentType,
        Self::User,
        Self::Approver,
        Self::Partner,
        Self::HeaderHead,
        Self::LineHead,
        Self::ReferencePattern,
    ];

    pub fn index(self) -> usize {
        match self {
            Self::Account => 0,
            Self::Currency => 1,
            Self::Entity => 2,
            Self::Ledger => 3,
            Self::BusinessUnit => 4,
            Self::Source => 5,
            Self::DocumentType => 6,
            Self::User => 7,
            Self::Approver => 8,
            Self::Partner => 9,
            Self::HeaderHead => 10,
            Self::LineHead => 11,
            Self::ReferencePattern => 12,
            Self::Extra(place) => FIXED + usize::from(place),
        }
    }

    /// The fixed ones, and so many extra ones.
    pub fn all(extra: usize) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain((0..extra).map(|place| Self::Extra(place as u8)))
    }

    /// How it is called in messages and results.
    pub fn id(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Currency => "currency",
            Self::Entity => "entity",
            Self::Ledger => "ledger",
            Self::BusinessUnit => "business_unit",
            Self::Source => "source",
            Self::DocumentType => "document_type",
            Self::User => "user",
            Self::Approver => "approver",
            Self::Partner => "partner",
            Self::HeaderHead => "header_text",
            Self::LineHead => "line_text",
            Self::ReferencePattern => "reference",
            Self::Extra(_) => "extra",
        }
    }

    /// The same, extra ones told apart.
    pub fn title(self) -> String {
        match self {
            Self::Extra(place) => format!("{} {}", self.id(), usize::from(place) + 1),
            _ => self.id().into(),
        }
    }
}

/// All names of all sorts, each sort in order. The empty name, where it occurs, is a name like the others: an entry without a user among thousands with one
/// is as rare as a rare user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// By [`Sort::index`].
    sorts: Vec<Known>,
}

impl Names {
    pub fn name(&self, sort: Sort, symbol: Symbol) -> &str {
        &self.sorts[sort.index()].names[symbol.index()]
    }

    pub fn count(&self, sort: Sort) -> usize {
        self.all(sort).len()
    }

    /// How many extra sorts there are.
    pub fn extra(&self) -> usize {
        self.sorts.len().saturating_sub(FIXED)
    }

    /// All of a sort, in order.
    pub fn all(&self, sort: Sort) -> &[Box<str>] {
        self.sorts.get(sort.index()).map_or(&[], |known| &known.names)
    }

    /// Whether a symbol of this sort is a group of names.
    pub fn are_grouped(&self, sort: Sort) -> bool {
        self.sorts.get(sort.index()).is_some_and(|known| known.grouped)
    }

    /// These, as if their names were groups.
    #[cfg(test)]
    pub(crate) fn in_groups(mut self, sort: Sort) -> Self {
        self.sorts[sort.index()].grouped = true;
        self
    }

    pub fn find(&self, sort: Sort, name: &str) -> Option<Symbol> {
        self.sorts.get(sort.index())?.find(name)
    }

    /// The names of all interners, and for each interner the ranks of its numbers.
    pub fn of(interners: Vec<Interner>) -> Result<(Self, Vec<Ranks>), TooMany> {
        let Some(first) = interners.first() else { return Ok(Default::default()) };
        let (limits, extra) = (first.limits(), first.extra());
        interners.iter().try_for_each(Interner::check)?;
        let all = |sort: Sort| {
            let met: Vec<Numbered<'_>> =
                interners.iter().filter_map(|interner| interner.sorts().nth(sort.index())).collect();
            Known::of(&met, limits.of(sort, extra))
        };
        let names = Self { sorts: Sort::all(extra).map(all).collect() };
        limits.check(Sort::ALL.into_iter().zip(names.sorts.iter().map(Known::weight)))?;
        let ranks = |interner: Interner| {
            Ranks(names.sorts.iter().zip(interner.sorts()).map(|(known, met)| known.ranks(met)).collect())
        };
        let ranks = interners.into_iter().map(ranks).collect();
        Ok((names, ranks))
    }

    /// The names of both, and the new symbols of each one's own. Names that one of them has in groups, both have in groups.
    pub fn join(&self, other: &Self) -> Joined {
        let sorts = self.sorts.len().max(other.sorts.len());
        let names = Self {
            sorts: (0..sorts)
                .map(|sort| Known::joined(self.sorts.get(sort), other.sorts.get(sort)))
                .collect(),
        };
        let ranks = |own: &Self| {
            let of_sort = |(known, own): (&Known, &Known)| known.ranks_of(own);
            Ranks(names.sorts.iter().zip(&own.sorts).map(of_sort).collect())
        };
        let (ours, theirs) = (ranks(self), ranks(other));
        Joined { names, ours, theirs }
    }
}

/// Of two ledgers, or of a ledger and a model.
#[derive(Debug)]
pub struct Joined {
    pub names: Names,
    /// From the symbols of the first to those of both.
    pub ours: Ranks,
    /// From the symbols of the second to those of both.
    pub theirs: Ranks,
}

impl Stored for Names {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.sorts.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let sorts: Vec<Known> = Vec::take(from)?;
        if !(FIXED..=FIXED + MOST_EXTRA).contains(&sorts.len()) {
            return Err(Broken("it has names of more or fewer sorts than there are"));
        }
        Ok(Self { sorts })
    }
}

/// From an interner's numbers to symbols, or from the symbols of some names to those of more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ranks(Vec<Vec<Symbol>>);

impl Ranks {
    /// `None` where the interner gave out no such number.
    pub fn symbol(&self, sort: Sort, number: u32) -> Option<Symbol> {
        self.0.get(sort.index())?.get(number as usize).copied()
    }

    /// How many extra sorts there are.
    pub fn extra(&self) -> usize {
        self.0.len().saturating_sub(FIXED)
    }

    /// The symbols of a sort, by number.
    pub fn all(&self, sort: Sort) -> &[Symbol] {
        self.0.get(sort.index()).map_or(&[], Vec::as_slice)
    }

    /// Straight to the symbols to which `later` leads from these.
    pub fn then(&self, later: &Self) -> Self {
        // `later` knows every symbol that these lead to.
        let of_sort = |(symbols, later): (&Vec<Symbol>, &Vec<Symbol>)| {
            symbols.iter().map(|symbol| later.get(symbol.index()).copied().unwrap_or(*symbol)).collect()
        };
        Self(self.0.iter().zip(&later.0).map(of_sort).collect())
    }
}

impl Stored for Ranks {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        let numbers = |symbols: &Vec<Symbol>| symbols.iter().map(|symbol| symbol.0).collect::<Vec<_>>();
        self.0.iter().map(numbers).collect::<Vec<_>>().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let numbers: Vec<Vec<u32>> = Stored::take(from)?;
        Ok(Self(numbers.into_iter().map(|numbers| numbers.into_iter().map(Symbol).collect()).collect()))
    }
}

#[cfg(test)]
mod tests;
