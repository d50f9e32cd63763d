//! Journal lines with anomalies injected by the protocol of Schreyer and others (2017): global ones have values that nobody has seen and an unusual amount, local
//! ones a combination of common values that nobody has seen.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use journal::amount::Amount;
use journal::line::Line;
use journal::names::Names;
use journal::part::{self, Part};

/// A line that is an entry of its own.
#[derive(Clone)]
pub struct Row {
    /// Source, user, account, unit, side, hour, period.
    pub values: [String; 7],
    pub cents: i64,
    pub label: String,
    /// The column that was surely given a value that nobody has seen, and all whose values are not what they were; the amount is the last.
    pub sure: Option<usize>,
    pub changed: [bool; 8],
}

pub fn injected(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        let cents = (record[7].parse::<f64>().unwrap() * 100.0).round() as i64;
        Row {
            values: std::array::from_fn(|at| record[at].to_string()),
            cents,
            label: record[8].to_string(),
            sure: None,
            changed: [false; 8],
        }
    });
    records.collect()
}

/// Each line as an entry of its own, in the order of the lines. Hour and period are extra columns: values that nobody has seen fit nowhere else.
pub fn loaded(rows: &[Row]) -> (Part, Names) {
    let ids: Vec<String> = (0..rows.len()).map(|row| format!("{row:08}")).collect();
    let extras: Vec<[&str; 2]> = rows.iter().map(|row| [&*row.values[5], &*row.values[6]]).collect();
    let lines = rows.iter().zip(&ids).zip(&extras).map(|((row, id), extra)| {
        let [source, user, account, business_unit, side, ..] = &row.values;
        Line {
            entry: id,
            source,
            user,
            account,
            business_unit,
            amount: Amount::from_cents(row.cents.abs()),
            // Sides that nobody has seen are among what was injected, and a line knows two: a category has to do.
            document_type: side,
            extra,
            ..Line::default()
        }
    });
    part::from_lines(lines)
}

/// Puts so many global and so many local anomalies among regular lines.
pub fn inject(regular: &[Row], count: usize, random: &mut Random) -> Vec<Row> {
    let mut amounts: Vec<i64> = regular.iter().map(|row| row.cents.abs()).collect();
    amounts.sort_unstable();
    let quantile = |share: f64| amounts[((amounts.len() - 1) as f64 * share) as usize] as f64;
    let (low, high, extreme) = (quantile(0.2).max(100.0), quantile(0.85), quantile(0.999));
    let mut counts: [BTreeMap<&str, usize>; 7] = Default::default();
    let mut seen: HashSet<(usize, usize, &str, &str)> = HashSet::new();
    for row in regular {
        for (at, counts) in counts.iter_mut().enumerate() {
            *counts.entry(&row.values[at]).or_default() += 1;
            seen.extend((0..at).map(|before| (before, at, &*row.values[before], &*row.values[at])));
        }
    }
    let ordered: Vec<Vec<(&str, usize)>> = counts
        .iter()
        .map(|counts| {
            let mut ordered: Vec<(&str, usize)> =
                counts.iter().map(|(name, count)| (*name, *count)).collect();
            ordered.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
            ordered
        })
        .collect();
    let mut rows = regular.to_vec();
    for _ in 0..count {
        let before = &regular[random.below(regular.len())];
        let mut row = before.clone();
        let sure = random.below(7);
        for at in 0..7 {
            let rare = &ordered[at][ordered[at].len().saturating_sub(3)..];
            row.values[at] = match at == sure || random.unit() < 0.6 {
                true => format!("NEW{:06}", random.below(1_000_000)),
                false => rare[random.below(rare.len())].0.to_string(),
            };
        }
        row.cents = (extreme * (1.2 + 18.8 * random.unit())) as i64;
        row.label = "global".into();
        row.sure = Some(sure);
        row.changed = std::array::from_fn(|at| at == 7 || row.values[at] != before.values[at]);
        rows.push(row);
    }
    let common: Vec<Vec<&str>> = ordered
        .iter()
        .map(|ordered| {
            ordered.iter().filter(|(_, count)| *count >= 20).take(10).map(|(name, _)| *name).collect()
        })
        .collect();
    let mut made = 0;
    while made < count {
        let values: Vec<&str> = common.iter().map(|common| common[random.below(common.len())]).collect();
        let fits = |at: usize| (0..at).all(|before| seen.contains(&(before, at, values[before], values[at])));
        if (0..7).all(fits) {
            continue;
        }
        let mut row = regular[random.below(regular.len())].clone();
        row.values = std::array::from_fn(|at| values[at].to_string());
        row.cents = (low.ln() + random.unit() * (high.ln() - low.ln())).exp() as i64;
        row.label = "local".into();
        rows.push(row);
        made += 1;
    }
    rows
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
