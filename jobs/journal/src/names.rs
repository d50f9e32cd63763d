//! Names that occur many times, kept once and known by a number.
//!
//! Several threads read a ledger at once, each with an [`Interner`] of its own that numbers names as they come. [`Names`] are all of them in order: the final
//! number of a name is its rank, whatever thread met it first and wherever it stood in the file.

use std::collections::BTreeSet;

use crate::stored::{Broken, Reader, Stored};

mod interner;

pub use interner::Interner;

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
    names: Vec<Vec<Box<str>>>,
}

impl Names {
    pub fn name(&self, sort: Sort, symbol: Symbol) -> &str {
        &self.names[sort.index()][symbol.index()]
    }

    pub fn count(&self, sort: Sort) -> usize {
        self.names.get(sort.index()).map_or(0, Vec::len)
    }

    /// How many extra sorts there are.
    pub fn extra(&self) -> usize {
        self.names.len().saturating_sub(FIXED)
    }

    /// All of a sort, in order.
    pub fn all(&self, sort: Sort) -> &[Box<str>] {
        self.names.get(sort.index()).map_or(&[], Vec::as_slice)
    }

    pub fn find(&self, sort: Sort, name: &str) -> Option<Symbol> {
        let found = self.names.get(sort.index())?.binary_search_by(|known| (**known).cmp(name));
        found.ok().map(|rank| Symbol(rank as u32))
    }

    /// The names of all interners, and for each interner the ranks of its numbers.
    pub fn of(interners: Vec<Interner>) -> (Self, Vec<Ranks>) {
        let sorts = interners.iter().map(|interner| interner.sorts().len()).max().unwrap_or(FIXED);
        let all = |sort: usize| -> Vec<Box<str>> {
            let known = interners.iter().filter_map(|interner| interner.sorts().nth(sort));
            known
                .flatten()
                .map(|name| &**name)
                .collect::<BTreeSet<&str>>()
                .into_iter()
                .map(Box::from)
                .collect()
        };
        let names = Self { names: (0..sorts).map(all).collect() };
        let ranks = interners.into_iter().map(|interner| names.ranks(&interner)).collect();
        (names, ranks)
    }

    fn ranks(&self, interner: &Interner) -> Ranks {
        self.ranks_of(interner.sorts())
    }

    /// The ranks of names that are all among these.
    fn ranks_of<'a>(&self, names: impl Iterator<Item = &'a [Box<str>]>) -> Ranks {
        let rank = |sort: usize, name: &str| {
            self.names[sort].binary_search_by(|known| (**known).cmp(name)).unwrap_or(0)
        };
        let of_sort = |(sort, names): (usize, &[Box<str>])| {
            names.iter().map(|name| Symbol(rank(sort, name) as u32)).collect()
        };
        Ranks(names.enumerate().map(of_sort).collect())
    }

    /// The names of both, and the new symbols of each one's own.
    pub fn join(&self, other: &Self) -> Joined {
        let sorts = self.names.len().max(other.names.len());
        let all = |sort: usize| -> Vec<Box<str>> {
            let mut all = self.names.get(sort).cloned().unwrap_or_default();
            all.extend_from_slice(other.names.get(sort).map_or(&[], Vec::as_slice));
            // Two runs that are in order already.
            all.sort();
            all.dedup();
            all
        };
        let names = Self { names: (0..sorts).map(all).collect() };
        let sorts = |of: &Self| names.ranks_of(of.names.iter().map(Vec::as_slice));
        let (ours, theirs) = (sorts(self), sorts(other));
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
        self.names.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let names: Vec<Vec<Box<str>>> = Vec::take(from)?;
        if !(FIXED..=FIXED + MOST_EXTRA).contains(&names.len()) {
            return Err(Broken("it has names of more or fewer sorts than there are"));
        }
        if !names.iter().all(|names| names.is_sorted_by(|one, other| one < other)) {
            return Err(Broken("its names are out of order"));
        }
        Ok(Self { names })
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
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_symbol_whoever_met_it_first() {
        let (mut one, mut other) = (Interner::new(0), Interner::new(0));
        let first = ["b", "a", "b", ""].map(|name| one.number(Sort::User, name));
        let second = ["c", "a"].map(|name| other.number(Sort::User, name));

        let (names, ranks) = Names::of(vec![one, other]);

        let name = |ranks: &Ranks, number| {
            names.name(Sort::User, ranks.symbol(Sort::User, number).unwrap()).to_string()
        };
        assert_eq!(first.map(|number| name(&ranks[0], number)), ["b", "a", "b", ""]);
        assert_eq!(second.map(|number| name(&ranks[1], number)), ["c", "a"]);
        assert_eq!(ranks[0].symbol(Sort::User, first[1]), ranks[1].symbol(Sort::User, second[1]));
        assert_eq!(names.count(Sort::User), 4);
        assert_eq!(names.find(Sort::User, "c"), Some(Symbol(3)));
        assert_eq!(names.find(Sort::Account, "c"), None);
    }

    fn named(users: &[&str], extra: &[&str]) -> Names {
        let mut interner = Interner::new(1);
        users.iter().for_each(|name| _ = interner.number(Sort::User, name));
        extra.iter().for_each(|name| _ = interner.number(Sort::Extra(0), name));
        Names::of(vec![interner]).0
    }

    #[test]
    fn names_that_are_joined_are_found_from_the_symbols_of_either() {
        let (one, other) = (named(&["b", "d"], &[]), named(&["a", "d", "e"], &["x"]));

        let joined = one.join(&other);

        assert_eq!(joined.names, named(&["a", "b", "d", "e"], &["x"]));
        for (names, ranks) in [(&one, &joined.ours), (&other, &joined.theirs)] {
            for sort in Sort::all(1) {
                let found: Vec<&str> =
                    ranks.all(sort).iter().map(|&symbol| joined.names.name(sort, symbol)).collect();
                assert_eq!(found, names.all(sort).iter().map(|name| &**name).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn ranks_lead_on_to_the_symbols_of_more_names() {
        let mut interner = Interner::new(0);
        let numbers = ["b", "a"].map(|name| interner.number(Sort::User, name));
        let (names, ranks) = Names::of(vec![interner]);
        let joined = names.join(&named(&["0", "aa"], &[]));

        let ranks = ranks[0].then(&joined.ours);

        let found = numbers.map(|number| ranks.symbol(Sort::User, number).unwrap());
        assert_eq!(found.map(|symbol| joined.names.name(Sort::User, symbol)), ["b", "a"]);
    }

    #[test]
    fn names_come_back_from_bytes_and_only_in_order() {
        let mut names = named(&["a", "b"], &["x"]);
        let bytes = |names: &Names| {
            let mut bytes = Vec::new();
            names.put(&mut bytes);
            bytes
        };

        assert_eq!(Names::take(&mut Reader::new(&bytes(&names))), Ok(names.clone()));

        names.names[Sort::User.index()].swap(0, 1);
        assert_eq!(Names::take(&mut Reader::new(&bytes(&names))), Err(Broken("its names are out of order")));
        names.names.truncate(3);
        assert!(Names::take(&mut Reader::new(&bytes(&names))).is_err());
    }
}
