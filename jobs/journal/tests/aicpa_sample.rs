//! The AICPA's published sample ledger: read completely, to the cent, and scored.
//!
//! It lies outside the repository, in `shared/data/journal` beside the project; without it the tests say so.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use journal::amount::Amount;
use journal::ingest::control::{ControlTotal, TotalMapping, control_totals};
use journal::ingest::{self, Input, Mapping, Preset, Rejection, Row};
use journal::line::Side;
use journal::output::RunTag;
use journal::run::{By, Given, Request, run};
use journal::settings::Settings;

const LINES: u64 = 28_160;
const ENTRIES: u64 = 13_295;

fn data(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/journal").join(name);
    if !path.exists() {
        println!("skipped: no data file `{name}`");
        return None;
    }
    Some(path)
}

#[test]
fn totals_of_every_entry_and_side_agree_with_the_log_file() {
    let (Some(ledger), Some(log)) = (data("GL_Detail.csv"), data("Log_File.csv")) else { return };
    let mut source = ingest::open(&Input::File(ledger), &Mapping::of(Preset::Ads)).unwrap();
    let mut totals: BTreeMap<(String, Side), Amount> = BTreeMap::new();
    let mut lines = 0;
    while let Some(block) = source.next_block().unwrap() {
        let take = &mut |row: Row<'_>| {
            let Row::Line(line) = row else { panic!("rejected: {row:?}") };
            let total = totals.entry((line.entry.to_string(), line.side)).or_default();
            *total = *total + line.amount;
            lines += 1;
        };
        block.parse(take).unwrap();
    }

    let mut logged = BTreeMap::new();
    let take = &mut |total: Result<ControlTotal<'_>, Rejection>| {
        let ControlTotal { entry, side, total } = total.unwrap();
        logged.insert((entry.to_string(), side.unwrap()), total);
    };
    control_totals(&Input::File(log), &TotalMapping::default(), take).unwrap();

    assert_eq!(lines, LINES);
    assert!(totals.keys().eq(logged.keys()));
    // The log was printed with ten significant digits, which one entry exceeds: 339,732,014.88 stands there as .90.
    let differing: Vec<_> = totals
        .iter()
        .filter(|(key, total)| logged[*key] != **total)
        .map(|(key, total)| (key.0.as_str(), total.to_string(), logged[key].to_string()))
        .collect();
    let rounded = ("1500000002", "339732014.88".to_string(), "339732014.90".to_string());
    assert_eq!(differing, [rounded.clone(), rounded]);
}

#[test]
fn the_guess_finds_the_standard_and_has_no_question() {
    let Some(ledger) = data("GL_Detail.csv") else { return };

    let guess = ingest::guess(&Input::File(ledger), &Mapping::default()).unwrap();

    println!("{guess}");
    assert_eq!((guess.mapping.preset, guess.questions), (Some(Preset::Ads), Vec::new()));
    assert!(guess.unused.is_empty());
}

#[test]
fn scores_every_entry_the_same_way_twice() {
    let Some(path) = data("GL_Detail.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let scored = || {
        let request = Request {
            path: path.clone(),
            file: path.clone(),
            query: None,
            out_dir: folder.path().join("out"),
            tag: RunTag { run: "test".into(), claim: 1 },
            settings: Settings::default(),
            given: Given::default(),
            accept: None,
            by: By::default(),
            model_name: String::new(),
            created: jiff::Timestamp::UNIX_EPOCH,
            threads: 2,
            parts: None,
        };
        run(request, &|_, _, _| ControlFlow::Continue(())).unwrap()
    };

    let (first, second) = (scored(), scored());

    assert_eq!((first.lines, first.entries, first.rejected), (LINES, ENTRIES, 0));
    assert_eq!(first.top.len(), 20);
    assert!(first.top.iter().all(|entry| !entry.hits.is_empty()));
    assert_eq!(first, second);
}
