//! Names become numbers while they are read: a dozen of them for each line, so that it must be quick.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{FIXED, Sort};

/// Names of a sort that are found by a hash of few bits.
const RECENT: usize = 1 << 9;

/// Numbers names as they come.
#[derive(Debug)]
pub struct Interner {
    sorts: Vec<Known>,
}

/// The names of a sort.
#[derive(Debug)]
struct Known {
    /// Its hashes are keyed: whoever writes a ledger must not be able to make all names fall upon each other.
    numbers: HashMap<Box<str>, u32>,
    order: Vec<Box<str>>,
    /// The last name: neighbouring lines mostly say the same.
    last: u32,
    /// Names that were met a moment ago, by hashes that are cheaper. One name may drive out another, which is then looked up.
    recent: Box<[u32; RECENT]>,
}

impl Known {
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
        let none =
            || Known { numbers: HashMap::new(), order: Vec::new(), last: 0, recent: Box::new([0; RECENT]) };
        Self { sorts: std::iter::repeat_with(none).take(FIXED + extra).collect() }
    }

    pub fn extra(&self) -> usize {
        self.sorts.len() - FIXED
    }

    /// The names of each sort, in the order of their numbers.
    pub(super) fn sorts(&self) -> impl ExactSizeIterator<Item = &[Box<str>]> {
        self.sorts.iter().map(|known| &*known.order)
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
