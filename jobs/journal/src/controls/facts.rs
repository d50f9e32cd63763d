//! What ties entries to each other: duplicates, reversals, splits, recurring entries.
//!
//! Entries that belong together may lie in different parts, so they meet by a shuffle: every entry gives [`records`] with a key, records of all parts are
//! brought together by their keys, and a [`Group`] makes facts of those of one key. A fact says to which entry of which part it belongs. Records
//! are of one size, whatever the ledger's texts are. What comes out depends on neither the parts nor the order: records are put in order by the hash of
//! their entry's id, never by where the entry lies.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::hit::Place;
use super::registry::Config;
use crate::amount::Amount;
use crate::names::{Names, Sort, Symbol};

mod groups;
mod keys;

pub use keys::records;

/// A group of more records is no mistake that repeats itself but a habit. The first of them by their hashes are looked at, and memory stays bounded.
pub const LARGEST_GROUP: usize = 100_000;

/// What a key was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Lines of one account, amount and period.
    Same = 1,
    /// Lines of one partner and amount.
    Near = 2,
    /// Lines of one account and partner whose amounts have the same digits.
    Digits = 3,
    /// Entries whose lines have the same accounts and amounts, on whichever side.
    Turned = 4,
    /// Lines of one account, user and day.
    Together = 5,
    /// Lines of one account, partner and text.
    Recurring = 6,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Same, Self::Near, Self::Digits, Self::Turned, Self::Together, Self::Recurring]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub key: u64,
    pub kind: Kind,
    /// The hash of its entry's id.
    pub entry: u64,
    pub line: u32,
    /// Of the accounting date, from 1970.
    day: i32,
    /// A period or a currency, as the kind needs it.
    extra: i32,
    /// An amount, or two hashes of what the lines say.
    value: i128,
    pub part: u32,
    pub number: u32,
}

impl Record {
    pub const BYTES: usize = 53;

    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let mut rest = &mut bytes[..];
        let mut put = |field: &[u8]| {
            let (here, behind) = std::mem::take(&mut rest).split_at_mut(field.len());
            here.copy_from_slice(field);
            rest = behind;
        };
        put(&self.key.to_le_bytes());
        put(&[self.kind as u8]);
        put(&self.entry.to_le_bytes());
        put(&self.line.to_le_bytes());
        put(&self.day.to_le_bytes());
        put(&self.extra.to_le_bytes());
        put(&self.value.to_le_bytes());
        put(&self.part.to_le_bytes());
        put(&self.number.to_le_bytes());
        bytes
    }

    /// `None` for bytes that no record was written as.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut rest = &bytes[..];
        Some(Self {
            key: u64::from_le_bytes(take(&mut rest)?),
            kind: Kind::of(take::<1>(&mut rest)?[0])?,
            entry: u64::from_le_bytes(take(&mut rest)?),
            line: u32::from_le_bytes(take(&mut rest)?),
            day: i32::from_le_bytes(take(&mut rest)?),
            extra: i32::from_le_bytes(take(&mut rest)?),
            value: i128::from_le_bytes(take(&mut rest)?),
            part: u32::from_le_bytes(take(&mut rest)?),
            number: u32::from_le_bytes(take(&mut rest)?),
        })
    }

    fn place(&self) -> Place {
        Place { hash: self.entry, part: self.part, number: self.number }
    }

    fn amount(&self) -> Amount {
        Amount::from_units(self.value)
    }

    fn fact(&self, what: What, other: Option<&Self>) -> Fact {
        let other = other.map(Self::place);
        Fact { part: self.part, number: self.number, line: self.line, what, other }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (field, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*field)
}

/// Something an entry has with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub part: u32,
    pub number: u32,
    /// Among the postings of the entry; 0 where the entry as a whole is meant.
    pub line: u32,
    pub what: What,
    pub other: Option<Place>,
}

impl Fact {
    /// In which a [`View`](super::View) wants the facts of its entry: by what the ledger says, and not by where other entries lie.
    pub fn order(&self) -> (u32, What, Option<u64>) {
        (self.line, self.what, self.other.map(|other| other.hash))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// All lines and entries with its account, amount and period, itself included.
    Same { lines: u64, entries: u64 },
    /// How many days the nearest entry with its partner and amount is away.
    Near { days: i32 },
    /// Another amount that has two neighbouring digits exchanged.
    Transposed { amount: Amount },
    /// Another entry takes this one back, so many days later.
    Reversed { days: i32, next_period: bool },
    /// This one takes another back.
    Reverses { days: i32, next_period: bool },
    /// Lines of one day, account and user, each below the limit and together not.
    Split { lines: u64, sum: Amount, limit: Amount },
    /// The same amount in so many of the months, and here another.
    Changed { usual: Amount, months: u64, of: u64 },
}

/// The records of one key, in any order.
#[derive(Debug, Default)]
pub struct Group {
    /// The greatest on top, to be the first to go.
    kept: BinaryHeap<ByEntry>,
    records: u64,
}

impl Group {
    pub fn push(&mut self, record: Record) {
        self.records += 1;
        if self.kept.len() < LARGEST_GROUP {
            self.kept.push(ByEntry(record));
        } else if let Some(mut greatest) = self.kept.peek_mut()
            && ByEntry(record) < *greatest
        {
            *greatest = ByEntry(record);
        }
    }

    /// The facts of the records that were looked at; see [`Fact::order`] for theirs.
    pub fn finish(self, config: &Config, names: &Names) -> Vec<Fact> {
        let records: Vec<Record> =
            self.kept.into_sorted_vec().into_iter().map(|ByEntry(record)| record).collect();
        let Some(first) = records.first() else { return Vec::new() };
        match first.kind {
            Kind::Same => groups::same(&records, self.records),
            Kind::Near => groups::near(records, config.duplicate.within_days),
            Kind::Digits => groups::transposed(records),
            Kind::Turned => groups::turned(records, config.reversal.within_days),
            Kind::Together => {
                let currency = names.name(Sort::Currency, Symbol(first.extra as u32));
                let limits = config.approval_limits.get(currency).map_or(&[][..], Vec::as_slice);
                groups::together(&records, limits, &config.split)
            }
            Kind::Recurring => groups::recurring(records, config.changed_recurring.least_months),
        }
    }
}

/// By what the ledger says, before where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ByEntry(Record);

impl Ord for ByEntry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |Self(record): &Self| (record.entry, record.line, record.part, record.number);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for ByEntry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
