//! Names that occur many times, kept once and known by a number.
//!
//! Several threads read a ledger at once, each with an [`Interner`] of its own that numbers names as they come. [`Names`] are all of them in order: the final
//! number of a name is its rank, whatever thread met it first and wherever it stood in the file.

use std::collections::{BTreeSet, HashMap};

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
        let sorts = interners.iter().map(|interner| interner.order.len()).max().unwrap_or(FIXED);
        let all = |sort: usize| -> Vec<Box<str>> {
            let known = interners.iter().filter_map(|interner| interner.order.get(sort));
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
        // Every name of an interner is among the names that were made of it.
        let rank = |sort: usize, name: &str| {
            self.names[sort].binary_search_by(|known| (**known).cmp(name)).unwrap_or(0)
        };
        let of_sort = |(sort, order): (usize, &Vec<Box<str>>)| {
            order.iter().map(|name| Symbol(rank(sort, name) as u32)).collect()
        };
        Ranks(interner.order.iter().enumerate().map(of_sort).collect())
    }
}

/// From an interner's numbers to symbols.
#[derive(Debug, Default)]
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
}

/// Numbers names as they come.
#[derive(Debug)]
pub struct Interner {
    numbers: Vec<HashMap<Box<str>, u32>>,
    order: Vec<Vec<Box<str>>>,
    /// The last name of each sort: neighbouring lines mostly say the same.
    last: Vec<u32>,
}

impl Interner {
    /// For the fixed sorts and so many extra ones.
    pub fn new(extra: usize) -> Self {
        let sorts = FIXED + extra;
        Self { numbers: vec![HashMap::new(); sorts], order: vec![Vec::new(); sorts], last: vec![0; sorts] }
    }

    pub fn extra(&self) -> usize {
        self.order.len() - FIXED
    }

    pub fn number(&mut self, sort: Sort, name: &str) -> u32 {
        let sort = sort.index();
        let last = self.last[sort];
        if self.order[sort].get(last as usize).is_some_and(|known| &**known == name) {
            return last;
        }
        let number = match self.numbers[sort].get(name) {
            Some(&number) => number,
            None => {
                let number = self.order[sort].len() as u32;
                self.numbers[sort].insert(name.into(), number);
                self.order[sort].push(name.into());
                number
            }
        };
        self.last[sort] = number;
        number
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
}
