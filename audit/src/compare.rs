//! Whether the entries that are there are the leaves of the tree: walks along both and names what was altered, is
//! missing, was put in, or stands in another place.
//!
//! The hashes of leaves are known from tiles, so an entry that does not fit is found for itself, and the walk goes on
//! behind it. Where entries are missing or were put in, it looks for the nearest place from which both agree again.

use std::collections::{HashMap, VecDeque};

use crate::tree::Hash;

/// What does not fit, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// The entry in the place of this leaf is not what it was.
    Altered { leaf: u64, seq: i64 },
    /// There is no entry for this leaf; the one before it has this number.
    Missing { leaf: u64, after: i64 },
    /// This entry never was a leaf.
    Extra { seq: i64 },
    /// This entry is the leaf `belongs`, and stands elsewhere.
    Moved { seq: i64, belongs: u64 },
}

/// So far both sides are looked along for a place where they agree again; longer gaps are paired one by one.
const FARTHEST: usize = 1 << 16;

#[derive(Debug)]
pub struct Comparison {
    /// The number of the first leaf that waits.
    next: u64,
    /// Of the last entry that was looked at.
    last: i64,
    leaves: VecDeque<Hash>,
    entries: VecDeque<(i64, Hash)>,
    /// How much both sides must have before the next search for a place to go on from.
    patience: usize,
    /// Leaves that have not their entry, by their hash.
    without: HashMap<Hash, u64>,
    /// What does not fit, with the hash of the entry that is there.
    found: Vec<(Misfit, Option<Hash>)>,
}

const FIRST_LOOK: usize = 64;

impl Comparison {
    /// From this leaf on.
    pub fn from(first: u64) -> Self {
        Self {
            next: first,
            last: 0,
            leaves: VecDeque::new(),
            entries: VecDeque::new(),
            patience: FIRST_LOOK,
            without: HashMap::new(),
            found: Vec::new(),
        }
    }

    pub fn leaf(&mut self, hash: Hash) {
        self.leaves.push_back(hash);
    }

    pub fn entry(&mut self, seq: i64, hash: Hash) {
        self.entries.push_back((seq, hash));
    }

    /// How many of both wait for the others; whoever reads them need not run ahead.
    pub fn waiting(&self) -> (usize, usize) {
        (self.leaves.len(), self.entries.len())
    }

    /// Compares what can be compared so far.
    pub fn settle(&mut self) {
        self.walk(false);
    }

    /// All have come. What does not fit, in the order of the log.
    pub fn finish(mut self) -> Vec<Misfit> {
        self.walk(true);
        let (missing, extra) = (self.leaves.len(), self.entries.len());
        self.part(missing, extra);
        self.told()
    }

    fn walk(&mut self, end: bool) {
        loop {
            while let (Some(leaf), Some((seq, entry))) = (self.leaves.front(), self.entries.front())
                && leaf == entry
            {
                (self.last, self.next) = (*seq, self.next + 1);
                self.leaves.pop_front();
                self.entries.pop_front();
            }
            let most = self.leaves.len().min(self.entries.len());
            if most == 0 || (most < self.patience && !end) {
                return;
            }
            match self.meeting() {
                Some((leaves, entries)) => {
                    self.part(leaves, entries);
                    self.patience = FIRST_LOOK;
                }
                None if end => return,
                None if self.patience >= FARTHEST => {
                    self.part(most, most);
                    self.patience = FIRST_LOOK;
                }
                None => self.patience *= 2,
            }
        }
    }

    /// How many leaves and entries to pass over to the nearest place where both agree.
    fn meeting(&self) -> Option<(usize, usize)> {
        let places: HashMap<&Hash, usize> =
            self.leaves.iter().take(FARTHEST).enumerate().map(|(at, hash)| (hash, at)).collect();
        let mut best: Option<(usize, usize)> = None;
        for (at, (_, hash)) in self.entries.iter().take(FARTHEST).enumerate() {
            if best.is_some_and(|(leaves, entries)| at >= leaves + entries) {
                break;
            }
            if let Some(leaf) = places.get(hash)
                && best.is_none_or(|(leaves, entries)| leaf + at < leaves + entries)
            {
                best = Some((*leaf, at));
            }
        }
        best
    }

    /// Passes over so many, which do not fit each other.
    fn part(&mut self, leaves: usize, entries: usize) {
        let leaves: Vec<_> = self.leaves.drain(..leaves).collect();
        let entries: Vec<_> = self.entries.drain(..entries).collect();
        let both = leaves.len().min(entries.len());
        for (number, hash) in (self.next..).zip(&leaves) {
            self.without.insert(*hash, number);
        }
        for (leaf, (seq, hash)) in (self.next..).zip(&entries[..both]) {
            self.found.push((Misfit::Altered { leaf, seq: *seq }, Some(*hash)));
        }
        self.last = entries.last().map_or(self.last, |(seq, _)| *seq);
        for leaf in (self.next..self.next + leaves.len() as u64).skip(both) {
            self.found.push((Misfit::Missing { leaf, after: self.last }, None));
        }
        for (seq, hash) in &entries[both..] {
            self.found.push((Misfit::Extra { seq: *seq }, Some(*hash)));
        }
        self.next += leaves.len() as u64;
    }

    /// An entry whose hash is that of a leaf without its entry was moved, and that leaf is not missing.
    fn told(self) -> Vec<Misfit> {
        let moved = |hash: &Option<Hash>| hash.and_then(|hash| self.without.get(&hash));
        let elsewhere: Vec<u64> = self.found.iter().filter_map(|(_, hash)| moved(hash).copied()).collect();
        let mut told = Vec::with_capacity(self.found.len());
        for (misfit, hash) in &self.found {
            match (misfit, moved(hash)) {
                (Misfit::Altered { seq, leaf }, Some(belongs)) => {
                    told.push(Misfit::Moved { seq: *seq, belongs: *belongs });
                    // Nothing that was moved stands for the leaf whose place this one took.
                    if !elsewhere.contains(leaf) {
                        told.push(Misfit::Missing { leaf: *leaf, after: *seq });
                    }
                }
                (Misfit::Extra { seq }, Some(belongs)) => {
                    told.push(Misfit::Moved { seq: *seq, belongs: *belongs });
                }
                (Misfit::Missing { leaf, .. }, _) if elsewhere.contains(leaf) => {}
                // Its own entry stands elsewhere, so this one was put in.
                (Misfit::Altered { leaf, seq }, None) if elsewhere.contains(leaf) => {
                    told.push(Misfit::Extra { seq: *seq });
                }
                (misfit, _) => told.push(*misfit),
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;
    use Misfit::*;

    fn hash(text: &str) -> Hash {
        leaf_hash(text.as_bytes())
    }

    /// Leaves 0, 1, 2, … are the texts "0", "1", …; entries are (number, text).
    fn compared(leaves: u64, entries: &[(i64, String)]) -> Vec<Misfit> {
        let mut all = Comparison::from(0);
        let mut given = (0..leaves).map(|leaf| hash(&leaf.to_string())).peekable();
        for chunk in entries.chunks(100) {
            for (seq, text) in chunk {
                all.entry(*seq, hash(text));
                given.by_ref().take(1).for_each(|leaf| all.leaf(leaf));
            }
            all.settle();
        }
        given.for_each(|leaf| all.leaf(leaf));
        all.finish()
    }

    fn intact(leaves: u64) -> Vec<(i64, String)> {
        (0..leaves).map(|leaf| (leaf.cast_signed() + 1, leaf.to_string())).collect()
    }

    #[test]
    fn what_is_intact_fits() {
        for leaves in [0, 1, 63, 64, 65, 1_000] {
            assert_eq!(compared(leaves, &intact(leaves)), []);
        }
    }

    #[test]
    fn each_thing_that_does_not_fit_is_named() {
        type Change = fn(&mut Vec<(i64, String)>);
        let cases: [(Change, &[Misfit]); 9] = [
            (|e| e[3].1 = "x".into(), &[Altered { leaf: 3, seq: 4 }]),
            (|e| e[999].1 = "x".into(), &[Altered { leaf: 999, seq: 1_000 }]),
            (|e| drop(e.remove(3)), &[Missing { leaf: 3, after: 3 }]),
            (|e| drop(e.remove(0)), &[Missing { leaf: 0, after: 0 }]),
            (|e| e.truncate(998), &[Missing { leaf: 998, after: 998 }, Missing { leaf: 999, after: 998 }]),
            (|e| e.insert(3, (77, "x".into())), &[Extra { seq: 77 }]),
            (|e| e.push((77, "x".into())), &[Extra { seq: 77 }]),
            (|e| e.swap(3, 700), &[Moved { seq: 701, belongs: 700 }, Moved { seq: 4, belongs: 3 }]),
            (
                |e| {
                    e[3].1 = "x".into();
                    e.remove(500);
                    e[900].1 = "y".into();
                },
                &[
                    Altered { leaf: 3, seq: 4 },
                    Missing { leaf: 500, after: 500 },
                    Altered { leaf: 901, seq: 902 },
                ],
            ),
        ];
        for (number, (change, wanted)) in cases.iter().enumerate() {
            let mut entries = intact(1_000);
            change(&mut entries);
            assert_eq!(compared(1_000, &entries), *wanted, "case {number}");
        }
    }

    #[test]
    fn an_entry_that_was_moved_is_told_once() {
        let mut entries = intact(1_000);
        let one = entries.remove(3);
        entries.insert(600, one);
        assert_eq!(compared(1_000, &entries), [Moved { seq: 4, belongs: 3 }]);
    }

    #[test]
    fn a_gap_longer_than_the_first_look_is_found() {
        let mut entries = intact(9_000);
        entries.drain(1_000..5_000);
        let found = compared(9_000, &entries);
        assert_eq!(found.len(), 4_000);
        assert_eq!(
            found[..2],
            [Missing { leaf: 1_000, after: 1_000 }, Missing { leaf: 1_001, after: 1_000 }]
        );
    }

    #[test]
    fn a_log_in_which_nothing_fits_has_every_entry_altered() {
        let entries: Vec<_> = (0..200_000).map(|at| (at + 1, format!("x{at}"))).collect();
        let found = compared(200_000, &entries);
        assert_eq!(found.len(), 200_000);
        assert!(found.iter().all(|misfit| matches!(misfit, Altered { .. })));
    }
}
