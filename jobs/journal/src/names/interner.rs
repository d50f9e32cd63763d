//! Names become numbers while they are read: a dozen of them for each line, so that it must be quick.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::groups::{GROUPS, Limits, TooMany, group, weight};
use super::{FIXED, Sort};

/// Names of a sort that are found by a hash of few bits.
const RECENT: usize = 1 << 9;

/// Numbers names as they come.
#[derive(Debug)]
pub struct Interner {
    sorts: Vec<Met>,
    limits: Limits,
}

/// The names of a sort.
#[derive(Debug)]
enum Met {
    Each(Known),
    Groups(Grouped),
}

/// What an interner met of a sort, by its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbered<'a> {
    Names(&'a [Box<str>]),
    /// Two numbers may be of one group.
    Groups(&'a [u32]),
}

impl<'a> Numbered<'a> {
    /// None if they are kept no longer.
    pub(super) fn names(self) -> Option<&'a [Box<str>]> {
        match self {
            Self::Names(names) => Some(names),
            Self::Groups(_) => None,
        }
    }

    pub(super) fn groups(self) -> Vec<u32> {
        match self {
            Self::Names(names) => names.iter().map(|name| group(name)).collect(),
            Self::Groups(groups) => groups.into(),
        }
    }
}

/// Names that are kept.
#[derive(Debug)]
struct Known {
    /// Its hashes are keyed: whoever writes a ledger must not be able to make all names fall upon each other.
    numbers: HashMap<Box<str>, u32>,
    order: Vec<Box<str>>,
    /// The last name: neighbouring lines mostly say the same.
    last: u32,
    /// Names that were met a moment ago, by hashes that are cheaper. One name may drive out another, which is then looked up.
    recent: Box<[u32; RECENT]>,
    /// What they take, and may take.
    weight: usize,
    limit: usize,
}

/// Names that were too many.
#[derive(Debug)]
struct Grouped {
    /// Of each number.
    groups: Vec<u32>,
    /// The number of each group; [`NONE`] of one that was not met.
    numbers: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Met {
    fn number(&mut self, name: &str) -> u32 {
        match self {
            Self::Each(known) => {
                let number = known.number(name);
                if known.weight > known.limit {
                    *self = Self::Groups(Grouped::of(&known.order));
                }
                number
            }
            Self::Groups(grouped) => grouped.number(name),
        }
    }
}

impl Grouped {
    /// What lines say that were put aside already stays true.
    fn of(names: &[Box<str>]) -> Self {
        let groups: Vec<u32> = names.iter().map(|name| group(name)).collect();
        let mut numbers = vec![NONE; GROUPS as usize + 1];
        for (number, &group) in groups.iter().enumerate() {
            numbers[group as usize] = number as u32;
        }
        Self { groups, numbers }
    }

    fn number(&mut self, name: &str) -> u32 {
        let group = group(name);
        let number = &mut self.numbers[group as usize];
        if *number == NONE {
            *number = self.groups.len() as u32;
            self.groups.push(group);
        }
        *number
    }
}

impl Known {
    fn new(limit: usize) -> Self {
        let recent = Box::new([0; RECENT]);
        Self { numbers: HashMap::new(), order: Vec::new(), last: 0, recent, weight: 0, limit }
    }

    fn is(&self, number: u32, name: &str) -> bool {
        self.order.get(number as usize).is_some_and(|known| alike(known.as_bytes(), name.as_bytes()))
    }

    fn number(&mut self, name: &str) -> u32 {
        if self.is(self.last, name) {
            return self.last;
        }
        let place = xxh3_64(name.as_bytes()) as usize % RECENT;
        if !self.is(self.recent[place], name) {
            self.recent[place] = self.look_up(name);
        }
        self.last = self.recent[place];
        self.last
    }

    fn look_up(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.order.len() as u32;
        self.numbers.insert(name.into(), number);
        self.order.push(name.into());
        self.weight += weight(name);
        number
    }
}

/// Whether two names are the same. A dozen of names per line are compared, and most are too short for a call that compares texts of any length.
fn alike(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        0 => true,
        // The first, the middle and the last byte are all there are.
        length @ 1..4 => [0, length / 2, length - 1].into_iter().all(|at| one[at] == other[at]),
        4..8 => one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk(),
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk()
        }
        _ => one == other,
    }
}

impl Interner {
    /// For the fixed sorts and so many extra ones.
    pub fn new(extra: usize) -> Self {
        Self::within(Limits::default(), extra)
    }

    pub(super) fn within(limits: Limits, extra: usize) -> Self {
        let sort = |sort| Met::Each(Known::new(limits.of(sort, extra)));
        Self { sorts: Sort::all(extra).map(sort).collect(), limits }
    }

    pub fn extra(&self) -> usize {
        self.sorts.len() - FIXED
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// What was met of each sort, in the order of its numbers.
    pub(super) fn sorts(&self) -> impl ExactSizeIterator<Item = Numbered<'_>> {
        self.sorts.iter().map(|met| match met {
            Met::Each(known) => Numbered::Names(&known.order),
            Met::Groups(grouped) => Numbered::Groups(&grouped.groups),
        })
    }

    /// Whether so many names were met already that the ledger is refused; to be asked now and then.
    pub fn check(&self) -> Result<(), TooMany> {
        let weight = |met: &Met| match met {
            Met::Each(known) => Some(known.weight),
            Met::Groups(_) => None,
        };
        self.limits.check(Sort::ALL.into_iter().zip(self.sorts.iter().map(weight)))
    }

    pub fn number(&mut self, sort: Sort, name: &str) -> u32 {
        self.sorts[sort.index()].number(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_drive_each_other_out_keep_their_numbers() {
        let mut interner = Interner::new(0);
        let names: Vec<String> = (0..3 * RECENT).map(|number| format!("name {number}")).collect();
        let mut numbers = || names.iter().map(|name| interner.number(Sort::Source, name)).collect::<Vec<_>>();

        let (first, second) = (numbers(), numbers());

        assert_eq!(first, (0..3 * RECENT as u32).collect::<Vec<_>>());
        assert_eq!(second, first);
    }

    #[test]
    fn names_are_alike_only_in_all_of_their_bytes() {
        for length in 0..40 {
            let name: Vec<u8> = (0..length).collect();

            assert!(alike(&name, &name.clone()), "{length}");
            assert!(!alike(&name, &[&name[..], b"x"].concat()), "{length}");
            for at in 0..name.len() {
                let mut other = name.clone();
                other[at] ^= 1;
                assert!(!alike(&name, &other), "{length}, {at}");
            }
        }
    }
}
