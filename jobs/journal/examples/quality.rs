//! How well the score finds what is known to be unusual: `quality FOLDER` with the data sets of the project's measurements (journal/, outliers/categorical/).
//!
//! Nothing here is tuned to a set: every figure is of the scores as every ledger gets them. Injections are made anew by a seeded generator, by the protocol of
//! Schreyer and others (2017): global anomalies have values that nobody has seen and an unusual amount, local ones a combination of common values that nobody
//! has seen.

#![expect(clippy::unwrap_used, reason = "an example that is called wrongly may say so in any way")]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::GzDecoder;
use journal::amount::Amount;
use journal::ingest::{self, Input, Mapping};
use journal::line::Line;
use journal::part::{self, Part};
use journal::passes::read;
use journal::scoring::whole::{ScoredEntry, score};

fn main() {
    let folder =
        std::env::args().nth(1).expect("usage: quality FOLDER [injected|fresh|synthetic|categorical]");
    let only = std::env::args().nth(2);
    let folder = Path::new(&folder);
    let asked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if asked("injected") {
        let rows = injected(&folder.join("journal/injected_ledger.csv"));
        println!("| injected_ledger | any | global | local |\n|---|---|---|---|");
        for seed in 0..5 {
            println!("| seed {seed} | {} |", precisions(&rows, seed).map(|p| format!("{p:.3}")).join(" | "));
        }
    }
    if asked("fresh") {
        fresh(&injected(&folder.join("journal/injected_ledger.csv")));
    }
    if asked("synthetic") {
        synthetic(&folder.join("journal"));
    }
    if asked("categorical") {
        categorical(&folder.join("outliers/categorical"));
    }
}

/// A line that is an entry of its own.
#[derive(Clone)]
struct Row {
    /// Source, user, account, unit, side, hour, period.
    values: [String; 7],
    cents: i64,
    label: String,
}

fn injected(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        let cents = (record[7].parse::<f64>().unwrap() * 100.0).round() as i64;
        Row { values: std::array::from_fn(|at| record[at].to_string()), cents, label: record[8].to_string() }
    });
    records.collect()
}

fn scored(rows: &[Row], seed: u64) -> Vec<f64> {
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
    let (part, names) = part::from_lines(lines);
    score(&[part], &names, seed)
        .unwrap()
        .into_iter()
        .map(|entry| entry.scored.score + 1e-9 * entry.scored.together)
        .collect()
}

/// Average precision of any, global and local anomalies, each against the regular lines.
fn precisions(rows: &[Row], seed: u64) -> [f64; 3] {
    let scores = scored(rows, seed);
    let of = |kinds: &[&str]| {
        let kept = rows
            .iter()
            .zip(&scores)
            .filter(|(row, _)| row.label == "regular" || kinds.contains(&&*row.label));
        average_precision(kept.map(|(row, &score)| (score, row.label != "regular")).collect())
    };
    [of(&["global", "local"]), of(&["global"]), of(&["local"])]
}

fn fresh(rows: &[Row]) {
    let regular: Vec<Row> = rows.iter().filter(|row| row.label == "regular").cloned().collect();
    println!(
        "\n| fresh injections, global + local | any: mean (least) | global | local |\n|---|---|---|---|"
    );
    for (count, times) in [(60, 12), (20, 8), (200, 6)] {
        let found: Vec<[f64; 3]> = (0..times)
            .map(|time| precisions(&inject(&regular, count, &mut Random(time * 1_000 + count as u64)), time))
            .collect();
        let cell = |at: usize| {
            let values = found.iter().map(|found| found[at]);
            let mean = values.clone().sum::<f64>() / times as f64;
            format!("{mean:.3} ({:.3})", values.fold(1.0, f64::min))
        };
        println!("| {count} + {count}, {times} seeds | {} | {} | {} |", cell(0), cell(1), cell(2));
    }
}

fn inject(regular: &[Row], count: usize, random: &mut Random) -> Vec<Row> {
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
        let mut row = regular[random.below(regular.len())].clone();
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

/// What a posting's own facts can show; the other types of the generator change amounts among amounts of all sizes.
const VISIBLE: [&str; 12] = [
    "DormantAccountActivity",
    "AfterHoursPosting",
    "WeekendPosting",
    "ReversedAmount",
    "WrongPeriod",
    "BenfordViolation",
    "JustBelowThreshold",
    "LatePosting",
    "BackdatedEntry",
    "FutureDatedEntry",
    "VagueDescription",
    "RoundDollarManipulation",
];

fn synthetic(folder: &Path) {
    let place = tempfile::tempdir().unwrap();
    let plain = place.path().join("ledger.csv");
    let mut packed = GzDecoder::new(File::open(folder.join("synthetic_ledger_1m.csv.gz")).unwrap());
    std::io::copy(&mut packed, &mut File::create(&plain).unwrap()).unwrap();
    let mapping: Mapping = serde_json::from_str(r#"{"preset": "datasynth", "round_to": 2}"#).unwrap();
    let source = ingest::open(&Input::File(plain), &mapping).unwrap();
    let parts = place.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    let reading = read::read(source, &parts, 5, 2, &|_, _| ControlFlow::Continue(())).unwrap();
    let loaded: Vec<Part> = (0..5).map(|part| reading.spool.load(part).unwrap()).collect();
    let mut text = String::new();
    GzDecoder::new(File::open(folder.join("synthetic_ledger_1m_labels.csv.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in csv::Reader::from_reader(text.as_bytes()).records() {
        let record = record.unwrap();
        labels.entry(record[3].to_string()).or_default().insert(record[2].to_string());
    }
    let types: BTreeSet<&String> = labels.values().flatten().collect();
    println!("\nlabels: {types:?}");
    let mut entries = score(&loaded, reading.spool.names(), 7).unwrap();
    entries.sort_by(|a, b| {
        (b.scored.score, b.scored.together).partial_cmp(&(a.scored.score, a.scored.together)).unwrap()
    });
    let visible = |entry: &ScoredEntry| {
        labels.get(&entry.id).is_some_and(|types| types.iter().any(|kind| VISIBLE.contains(&&**kind)))
    };
    let ranked: Vec<(f64, bool)> = entries
        .iter()
        .map(|entry| (entry.scored.score + 1e-9 * entry.scored.together, visible(entry)))
        .collect();
    let all = ranked.iter().filter(|(_, visible)| *visible).count();
    let top = ranked[..entries.len() / 50].iter().filter(|(_, visible)| *visible).count();
    println!(
        "| synthetic_ledger_1m | entries | visible | AUC | recall in the top 2 % |\n|---|---|---|---|---|"
    );
    println!("| | {} | {all} | {:.4} | {:.3} |", entries.len(), area(ranked), top as f64 / all as f64);
    for kind in VISIBLE {
        let places: Vec<usize> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| labels.get(&entry.id).is_some_and(|types| types.contains(kind)))
            .map(|(place, _)| place)
            .collect();
        let found = places.iter().filter(|&&place| place < entries.len() / 50).count();
        let middle =
            places.get(places.len() / 2).map_or(f64::NAN, |&place| place as f64 / entries.len() as f64);
        println!("{kind}: {found} of {} in the top 2 %, the middle one at {middle:.4}", places.len());
    }
}

fn categorical(folder: &Path) {
    println!(
        "\n| categorical set | the score | sum of surprisals | forest of surprisals |\n|---|---|---|---|"
    );
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut sums = [0.0; 3];
    for path in &files {
        let records: Vec<csv::StringRecord> =
            csv::Reader::from_reader(GzDecoder::new(File::open(path).unwrap()))
                .records()
                .map(Result::unwrap)
                .collect();
        let ids: Vec<String> = (0..records.len()).map(|row| format!("{row:08}")).collect();
        let cells: Vec<Vec<&str>> =
            records.iter().map(|record| record.iter().take(record.len() - 1).collect()).collect();
        let outlier: Vec<bool> =
            records.iter().map(|record| record[record.len() - 1].parse::<f64>().unwrap() > 0.5).collect();
        let mut found = [0.0; 3];
        for seed in 0..5 {
            let lines =
                ids.iter().zip(&cells).map(|(id, cells)| Line { entry: id, extra: cells, ..Line::default() });
            let (part, names) = part::from_lines(lines);
            let scored = score(&[part], &names, seed).unwrap();
            let of = |value: &dyn Fn(&ScoredEntry) -> f64| {
                area(scored.iter().map(value).zip(outlier.iter().copied()).collect())
            };
            found[0] += of(&|entry| entry.scored.score + 1e-9 * entry.scored.together) / 5.0;
            found[1] += of(&|entry| entry.measures.surprisal_sum()) / 5.0;
            found[2] += of(&|entry| entry.detected.value_forest) / 5.0;
        }
        let name = path.file_name().unwrap().to_string_lossy().replace(".csv.gz", "");
        println!("| {name} | {} |", found.map(|area| format!("{area:.4}")).join(" | "));
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found / files.len() as f64);
    }
    println!("| **mean** | {} |", sums.map(|area| format!("{area:.4}")).join(" | "));
}

/// The mean of the precision at each found one.
fn average_precision(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut found, mut sum) = (0.0, 0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let here = tied.iter().filter(|(_, is)| *is).count() as f64;
        seen += tied.len() as f64;
        found += here;
        sum += here * found / seen;
    }
    sum / found
}

/// The share of (outlier, ordinary) pairs in the right order, ties counting half.
fn area(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let outliers = scored.iter().filter(|(_, is)| *is).count() as f64;
    let (mut below, mut right) = (0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let here = tied.iter().filter(|(_, is)| *is).count() as f64;
        let ordinary = tied.len() as f64 - here;
        right += here * (below + ordinary / 2.0);
        below += ordinary;
    }
    right / (outliers * (scored.len() as f64 - outliers))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
