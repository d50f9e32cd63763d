//! How well the score finds what is known to be unusual: `quality FOLDER` with the data sets of the project's measurements (journal/, outliers/categorical/).
//!
//! Nothing here is tuned to a set: every figure is of the scores as every ledger gets them. Injections are made anew by a seeded generator.

#![expect(clippy::unwrap_used, reason = "an example that is called wrongly may say so in any way")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use flate2::read::GzDecoder;
use journal::ingest::{self, Input, Mapping};
use journal::line::Line;
use journal::part::{self, Part};
use journal::passes::read;
use journal::scoring::whole::{ScoredEntry, score};

mod injections;

use injections::{Random, Row, inject, injected, loaded};

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

fn scored(rows: &[Row], seed: u64) -> Vec<f64> {
    let (part, names) = loaded(rows);
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
    let reading = read::read(source, journal::settings::Window::default(), &parts, 5, 2, &|_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
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
