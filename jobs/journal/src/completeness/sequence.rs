//! C5: numbers missing in the ids of entries, per entity and what stands before the number.
//!
//! Ids of parts come in no order, and the missing ones show only when all are together: so a set of numbers is kept, a bit for each in blocks of 256. Ten
//! million numbers in a row are 3 MB. Ids that are no sequence, such as random ones, need a block each, and are given up when there are too many.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::findings::{Firsts, Verdict};
use crate::names::{Names, Sort, Symbol};
use crate::part::Part;

/// About 25 MB of them.
const MOST_BLOCKS: usize = 1 << 18;
/// More digits than fit into a number are what stands before it.
const MOST_DIGITS: usize = 18;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    pub entity: String,
    /// The last id before the gap, and the first behind it.
    pub after: String,
    pub before: String,
    pub missing: u64,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers are missing between {} and {}", self.missing, self.after, self.before)
    }
}

/// Entity, what stands before the number, and the number without its last eight bits.
type Key = (u32, Box<str>, u64);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Block {
    bits: [u64; 4],
    /// Of the shortest number: numbers padded with zeros are all as long.
    digits: u8,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Sequence {
    blocks: BTreeMap<Key, Block>,
    too_many: bool,
}

/// As it travels between processes.
#[derive(Serialize, Deserialize)]
struct Stored {
    blocks: Vec<(Key, Block)>,
    too_many: bool,
}

impl From<Sequence> for Stored {
    fn from(sequence: Sequence) -> Self {
        Self { blocks: sequence.blocks.into_iter().collect(), too_many: sequence.too_many }
    }
}

impl From<Stored> for Sequence {
    fn from(stored: Stored) -> Self {
        Self { blocks: stored.blocks.into_iter().collect(), too_many: stored.too_many }
    }
}

impl Sequence {
    pub fn add(&mut self, part: &Part) {
        for entry in part.entries() {
            let entity = part.postings_of(entry).first().map_or(0, |posting| posting.entity.0);
            if let Some((before, number, digits)) = split(part.id(entry)) {
                let mut block = Block { bits: [0; 4], digits };
                block.bits[(number % 256 / 64) as usize] = 1 << (number % 64);
                self.add_block((entity, before.into(), number / 256), block);
            }
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.too_many |= other.too_many;
        for (key, block) in other.blocks {
            self.add_block(key, block);
        }
        if self.too_many {
            self.blocks.clear();
        }
    }

    fn add_block(&mut self, key: Key, added: Block) {
        if self.too_many {
            return;
        }
        let block = self.blocks.entry(key).or_insert(Block { bits: [0; 4], digits: added.digits });
        block.digits = block.digits.min(added.digits);
        for (bits, added) in block.bits.iter_mut().zip(added.bits) {
            *bits |= added;
        }
        if self.blocks.len() > MOST_BLOCKS {
            self.too_many = true;
            self.blocks.clear();
        }
    }

    pub fn finish(self, names: &Names, largest_gap: u64) -> Verdict<Gap> {
        if self.too_many {
            return Verdict::NotPossible("the ids of entries are no sequence".into());
        }
        if self.blocks.is_empty() {
            return Verdict::NotPossible("no id of an entry ends with a number".into());
        }
        let blocks: Vec<(Key, Block)> = self.blocks.into_iter().collect();
        let mut gaps = Firsts::default();
        let mut numbers = 0;
        let sequences = blocks.chunk_by(|((a, one, _), _), ((b, other, _), _)| (a, one) == (b, other));
        for sequence in sequences {
            let (entity, before, _) = &sequence[0].0;
            let digits = sequence.iter().map(|(_, block)| usize::from(block.digits)).min().unwrap_or(0);
            let named = |number: u64| format!("{before}{number:0digits$}");
            let mut last: Option<u64> = None;
            for number in sequence.iter().flat_map(numbers_of) {
                numbers += 1;
                let missing = last.map_or(0, |last| number - last - 1);
                if let Some(last) = last
                    && (1..=largest_gap).contains(&missing)
                {
                    let entity = names.name(Sort::Entity, Symbol(*entity)).to_string();
                    gaps.push(Gap { entity, after: named(last), before: named(number), missing });
                }
                last = Some(number);
            }
        }
        gaps.verdict(numbers)
    }
}

fn numbers_of(((_, _, high), block): &(Key, Block)) -> impl Iterator<Item = u64> {
    let (first, bits) = (high * 256, block.bits);
    (0..256_u64)
        .filter(move |low| bits[(low / 64) as usize] >> (low % 64) & 1 == 1)
        .map(move |low| first + low)
}

/// What stands before the number at the end of an id, the number, and how many digits it is written with.
fn split(id: &str) -> Option<(&str, u64, u8)> {
    let digits = id.bytes().rev().take(MOST_DIGITS).take_while(u8::is_ascii_digit).count();
    let (before, number) = id.split_at(id.len() - digits);
    Some((before, number.parse().ok()?, digits as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_at_the_end_of_an_id() {
        assert_eq!(split("4900000001"), Some(("", 4_900_000_001, 10)));
        assert_eq!(split("JE-2025/0007"), Some(("JE-2025/", 7, 4)));
        assert_eq!(split("Ä9"), Some(("Ä", 9, 1)));
        assert_eq!(split("JE"), None);
        assert_eq!(split(""), None);
        assert_eq!(split("9999999999999999999999"), Some(("9999", 999_999_999_999_999_999, 18)));
    }
}
