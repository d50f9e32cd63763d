//! Facts from the records of one key.

use std::collections::BTreeMap;

use super::keys::both_ways;
use super::{Fact, Record, What};
use crate::amount::Amount;
use crate::controls::how_much::Split;

/// Records by their entries.
pub fn same(records: &[Record], all: u64) -> Vec<Fact> {
    if records.len() < 2 {
        return Vec::new();
    }
    let entries = records.chunk_by(|one, other| one.entry == other.entry).count() as u64;
    let first = &records[0];
    let last_entry = records.partition_point(|record| record.entry != records[records.len() - 1].entry);
    let last = &records[last_entry];
    records
        .iter()
        .map(|record| {
            let other = if record.entry == first.entry { last } else { first };
            let what = What::Same { lines: all, entries };
            record.fact(what, (entries > 1).then_some(other))
        })
        .collect()
}

pub fn near(mut records: Vec<Record>, within_days: i32) -> Vec<Fact> {
    records.sort_unstable_by_key(|record| (record.day, record.entry, record.line));
    let before = last_of_another_entry(records.iter());
    let mut behind = last_of_another_entry(records.iter().rev());
    behind.reverse();
    let nearest = |record: &Record, [before, behind]: [Option<&Record>; 2]| {
        let days = |other: &Record| (other.day - record.day).abs();
        // The earlier of two that are equally near.
        let nearest = [before, behind].into_iter().flatten().min_by_key(|other| days(other))?;
        (days(nearest) <= within_days).then(|| record.fact(What::Near { days: days(nearest) }, Some(nearest)))
    };
    let neighbours = before.into_iter().zip(behind);
    records
        .iter()
        .zip(neighbours)
        .filter_map(|(record, (before, behind))| nearest(record, [before, behind]))
        .collect()
}

/// For each record the one that came last before it and belongs to another entry.
fn last_of_another_entry<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<Option<&'a Record>> {
    let (mut last, mut other): (Option<&Record>, Option<&Record>) = (None, None);
    records
        .map(|record| {
            if last.is_some_and(|last| last.entry != record.entry) {
                other = last;
            }
            last = Some(record);
            other
        })
        .collect()
}

pub fn transposed(mut records: Vec<Record>) -> Vec<Fact> {
    records.sort_unstable_by_key(|record| (record.value, record.entry, record.line));
    let of_amount = |value: i128| {
        let from = records.partition_point(|record| record.value < value);
        let to = records.partition_point(|record| record.value <= value);
        &records[from..to]
    };
    let transposed = |record: &Record| {
        let others = exchanged(record.value).into_iter().find_map(|value| {
            let of_amount = of_amount(value);
            // The first of another entry: of two ends of a row in order, at most one is this entry's unless all are.
            [of_amount.first()?, of_amount.last()?].into_iter().find(|other| other.entry != record.entry)
        })?;
        Some(record.fact(What::Transposed { amount: others.amount() }, Some(others)))
    };
    records.iter().filter_map(transposed).collect()
}

/// The amounts with two neighbouring digits of this one exchanged, the smallest first.
fn exchanged(units: i128) -> Vec<i128> {
    let mut others = Vec::new();
    let mut place: i128 = 100;
    while units.abs() / place >= 10 {
        let (low, high) = (units.abs() / place % 10, units.abs() / place / 10 % 10);
        if low != high {
            let change = (low - high) * place * 9;
            others.push((units.abs() + change) * units.signum());
        }
        place *= 10;
    }
    others.sort_unstable();
    others
}

pub fn turned(mut records: Vec<Record>, within_days: i32) -> Vec<Fact> {
    records.sort_unstable_by_key(|record| (record.day, record.entry));
    // The last entry that said this, not yet taken back.
    let mut open: BTreeMap<u64, Record> = BTreeMap::new();
    let mut facts = Vec::new();
    for record in records {
        let (plain, opposite) = both_ways(&record);
        match open.get(&opposite) {
            Some(first) if record.day - first.day <= within_days => {
                let days = record.day - first.day;
                let next_period = record.extra - first.extra == 1;
                facts.push(first.fact(What::Reversed { days, next_period }, Some(&record)));
                facts.push(record.fact(What::Reverses { days, next_period }, Some(first)));
                open.remove(&opposite);
            }
            _ => {
                open.insert(plain, record);
            }
        }
    }
    facts
}

/// The highest limit that lines below it, but not far below it, reach together.
pub fn together(records: &[Record], limits: &[Amount], split: &Split) -> Vec<Fact> {
    let mut limits = limits.to_vec();
    limits.sort_unstable_by(|one, other| other.cmp(one));
    limits
        .into_iter()
        .map(|limit| below(records, limit, split))
        .find(|facts| !facts.is_empty())
        .unwrap_or_default()
}

fn below(records: &[Record], limit: Amount, split: &Split) -> Vec<Fact> {
    let counts = |record: &&Record| {
        let amount = record.amount();
        amount < limit && amount.units() * 100 >= limit.units() * i128::from(split.least_percent)
    };
    let lines: Vec<&Record> = records.iter().filter(counts).collect();
    let sum: Amount = lines.iter().map(|record| record.amount()).sum();
    let entries = lines.chunk_by(|one, other| one.entry == other.entry).count();
    if entries < 2 || lines.len() > split.most_lines as usize || sum < limit {
        return Vec::new();
    }
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let what = What::Split { lines: lines.len() as u64, sum, limit };
    lines
        .iter()
        .map(|record| record.fact(what, Some(if record.entry == first.entry { last } else { first })))
        .collect()
}

/// One line in each of several months, nearly all of the same amount.
pub fn recurring(mut records: Vec<Record>, least_months: u32) -> Vec<Fact> {
    records.sort_unstable_by_key(|record| (record.extra, record.entry, record.line));
    let twice_in_a_month = records.windows(2).any(|pair| pair[0].extra == pair[1].extra);
    if twice_in_a_month {
        return Vec::new();
    }
    let mut amounts: BTreeMap<i128, u64> = BTreeMap::new();
    for record in &records {
        *amounts.entry(record.value).or_insert(0) += 1;
    }
    let Some((&usual, &months)) = amounts.iter().max_by_key(|(_, count)| **count) else { return Vec::new() };
    let of = records.len() as u64;
    // Two thirds: of amounts that change every other month none is the usual one.
    if months < u64::from(least_months) || months * 3 < of * 2 {
        return Vec::new();
    }
    let what = What::Changed { usual: Amount::from_units(usual), months, of };
    records.iter().filter(|record| record.value != usual).map(|record| record.fact(what, None)).collect()
}
