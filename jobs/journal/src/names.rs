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
}

impl Sort {
    pub const ALL: [Self; 10] = [
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
    ];

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
        }
    }
}

/// All names of all sorts, each sort in order. The empty name, where it occurs, is a name like the others: an entry without a user among thousands with one
/// is as rare as a rare user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    names: [Vec<Box<str>>; Sort::ALL.len()],
}

impl Names {
    pub fn name(&self, sort: Sort, symbol: Symbol) -> &str {
        &self.names[sort as usize][symbol.index()]
    }

    pub fn count(&self, sort: Sort) -> usize {
        self.names[sort as usize].len()
    }

    pub fn find(&self, sort: Sort, name: &str) -> Option<Symbol> {
        let found = self.names[sort as usize].binary_search_by(|known| (**known).cmp(name));
        found.ok().map(|rank| Symbol(rank as u32))
    }

    /// The names of all interners, and for each interner the ranks of its numbers.
    pub fn of(interners: Vec<Interner>) -> (Self, Vec<Ranks>) {
        let mut names = Self::default();
        for sort in Sort::ALL {
            let all: BTreeSet<&str> = interners
                .iter()
                .flat_map(|interner| interner.order[sort as usize].iter().map(|name| &**name))
                .collect();
            names.names[sort as usize] = all.into_iter().map(Box::from).collect();
        }
        let ranks = interners
            .into_iter()
            .map(|interner| Ranks(Sort::ALL.map(|sort| names.ranks(sort, &interner.order[sort as usize]))))
            .collect();
        (names, ranks)
    }

    fn ranks(&self, sort: Sort, order: &[Box<str>]) -> Vec<Symbol> {
        // Every name of an interner is among the names that were made of it.
        order.iter().map(|name| self.find(sort, name).unwrap_or(Symbol(0))).collect()
    }
}

/// From an interner's numbers to symbols.
#[derive(Debug, Default)]
pub struct Ranks([Vec<Symbol>; Sort::ALL.len()]);

impl Ranks {
    /// `None` where the interner gave out no such number.
    pub fn symbol(&self, sort: Sort, number: u32) -> Option<Symbol> {
        self.0[sort as usize].get(number as usize).copied()
    }
}

/// Numbers names as they come.
#[derive(Debug, Default)]
pub struct Interner {
    numbers: [HashMap<Box<str>, u32>; Sort::ALL.len()],
    order: [Vec<Box<str>>; Sort::ALL.len()],
    /// The last name of each sort: neighbouring lines mostly say the same.
    last: [u32; Sort::ALL.len()],
}

impl Interner {
    pub fn number(&mut self, sort: Sort, name: &str) -> u32 {
        let sort = sort as usize;
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
        let (mut one, mut other) = (Interner::default(), Interner::default());
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
