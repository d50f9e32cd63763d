//! One ledger, one result: whatever the threads, the parts, the order of the lines and the format, in one process or in several; and what completeness says of a
//! ledger that somebody touched.

#![cfg(feature = "parquet")]
#![expect(clippy::unwrap_used, reason = "the helpers of these tests are tests too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::amount::Amount;
use journal::output::RunTag;
use journal::result::Results;
use journal::run::{Accept, By, Chosen, Given, Pass, Request, Run, RunError, Stint, Summary, Watch};
use journal::sample::{self, SampleParams};
use journal::settings::Settings;
use journal::workplace::{Workplace, remove_all};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;

/// The sample ledger: its header, and its records.
fn records(entries: u32) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let mut text = Vec::new();
    sample::write(&mut text, &SampleParams { entries, seed: 5 }).unwrap();
    let mut reader = csv::Reader::from_reader(&*text);
    (reader.headers().unwrap().clone(), reader.records().map(Result::unwrap).collect())
}

/// The same, and every 20th line's entry once more under another id, then with its sides changed: entries of different parts that have to do with each other.
fn tied_records(entries: u32) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let (header, mut lines) = records(entries);
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (id, side) = (column("Journal_ID"), column("Amount_Credit_Debit_Indicator"));
    let chosen: BTreeSet<String> = lines.iter().step_by(20).map(|line| line[id].to_string()).collect();
    let again = |line: &csv::StringRecord, suffix: &str, turned: bool| -> csv::StringRecord {
        let cell = |(place, cell): (usize, &str)| match (place, cell) {
            (place, cell) if place == id => format!("{cell}{suffix}"),
            (place, "S") if place == side && turned => "H".into(),
            (place, "H") if place == side && turned => "S".into(),
            (_, cell) => cell.to_string(),
        };
        line.iter().enumerate().map(cell).collect()
    };
    let of_chosen = lines.iter().filter(|line| chosen.contains(&line[id]));
    let more: Vec<_> =
        of_chosen.flat_map(|line| [again(line, "-twice", false), again(line, "-back", true)]).collect();
    lines.extend(more);
    (header, lines)
}

/// That entries of different parts met in these results.
fn assert_tied(results: &Results) {
    for id in ["duplicate", "reversal"] {
        let test = results.tests.iter().find(|test| test.id == id).unwrap();
        assert!(test.hits.total() > 20, "{id}: {}", test.hits.total());
    }
}

fn write_csv(path: &Path, header: &csv::StringRecord, records: &[csv::StringRecord]) {
    let mut csv = csv::Writer::from_path(path).unwrap();
    csv.write_record(header).unwrap();
    records.iter().for_each(|record| csv.write_record(record).unwrap());
    csv.flush().unwrap();
}

fn write_json(path: &Path, header: &csv::StringRecord, records: &[csv::StringRecord]) {
    let line = |record: &csv::StringRecord| {
        let fields = header.iter().zip(record).map(|(name, value)| (name.to_string(), json!(value)));
        serde_json::Value::Object(fields.collect()).to_string() + "\n"
    };
    fs::write(path, records.iter().map(line).collect::<String>()).unwrap();
}

fn write_parquet(path: &Path, header: &csv::StringRecord, records: &[csv::StringRecord]) {
    let columns: String = header.iter().map(|name| format!("required binary {name} (STRING);\n")).collect();
    let schema = Arc::new(parse_message_type(&format!("message ledger {{ {columns} }}")).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = 0;
    while let Some(mut open) = group.next_column().unwrap() {
        let values: Vec<ByteArray> = records.iter().map(|record| record[column].into()).collect();
        open.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        open.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn request(ledger: &Path, out: PathBuf) -> Request {
    Request {
        path: ledger.into(),
        file: ledger.into(),
        query: None,
        out_dir: out,
        tag: RunTag { run: "test".into(), claim: 1 },
        settings: Settings::default().with(&json!({ "populations": { "least_entries": 200 } })).unwrap(),
        given: Given::default(),
        accept: None,
        by: By::default(),
        model_name: String::new(),
        created: jiff::Timestamp::UNIX_EPOCH,
        threads: 2,
        parts: Some(3),
    }
}

fn run(request: Request) -> Result<(Summary, Results), RunError> {
    let out = request.out_dir.clone();
    let summary = Run::new(request).write(&|_, _, _| ControlFlow::Continue(()))?;
    let results = Results::parse(&fs::read(out.join("results.json")).unwrap()).unwrap();
    Ok((summary, results))
}

/// As jobs do it: one reads the ledger, others do their shares of the passes, knowing nothing but the folder, and it goes on with what they found.
fn run_in_partitions(request: &Request, partitions: usize) -> (Summary, Results) {
    let go_on: Watch<'_> = &|_, _, _| ControlFlow::Continue(());
    let folder = || Workplace::kept(&request.out_dir, &request.tag);
    let beginning = Run::new(request.clone()).in_partitions(partitions).begin(go_on).unwrap();
    let has_model = request.by.model.is_some();
    for pass in Pass::ALL.into_iter().filter(|pass| *pass != Pass::Count || !has_model) {
        // The last first: whose share is done when is no matter.
        for index in (0..partitions).rev() {
            let tag = RunTag { run: format!("{}-{index}", pass.name()), claim: 1 };
            let stint = Stint { pass, index, of: partitions };
            let threads = 1 + index % 2;
            Run::of_stint(folder(), stint, tag, threads).unwrap().work(go_on).unwrap();
        }
    }
    let tag = RunTag { claim: 2, ..request.tag.clone() };
    let mut last = Run::new(Request { tag, ..request.clone() });
    last.go_on(&beginning);
    let summary = last.write(go_on).unwrap();
    drop(last);
    remove_all(&request.out_dir, &request.tag.run).unwrap();
    let results = Results::parse(&fs::read(request.out_dir.join("results.json")).unwrap()).unwrap();
    (summary, results)
}

/// Every file of a folder by its name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = |file: fs::DirEntry| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| file(entry.unwrap())).collect()
}

/// Without what says where the lines came from, and in which order they were.
fn told(results: Results) -> Results {
    Results { inputs: Vec::new(), command: String::new(), ..results }
}

#[test]
fn threads_parts_order_and_format_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (header, mut lines) = tied_records(900);
    let path = |name: &str| folder.path().join(name);
    write_csv(&path("ledger.csv"), &header, &lines);
    write_json(&path("ledger.jsonl"), &header, &lines);
    write_parquet(&path("ledger.parquet"), &header, &lines);
    // Every 37th, then the ones behind it.
    lines =
        (0..37).flat_map(|from| lines.iter().skip(from).step_by(37).cloned().collect::<Vec<_>>()).collect();
    write_csv(&path("shuffled.csv"), &header, &lines);
    let (summary, expected) = run(request(&path("ledger.csv"), path("expected"))).unwrap();
    assert_tied(&expected);
    let expected = told(expected);

    let cases = [
        ("ledger.csv", 1, 1),
        ("ledger.csv", 7, 1),
        ("ledger.csv", 1, 8),
        ("ledger.csv", 7, 5),
        ("shuffled.csv", 2, 3),
        ("ledger.jsonl", 2, 2),
        ("ledger.parquet", 7, 4),
    ];
    for (number, (name, threads, parts)) in cases.into_iter().enumerate() {
        let out = path(&format!("out{number}"));
        let (found, results) =
            run(Request { threads, parts: Some(parts), ..request(&path(name), out.clone()) }).unwrap();

        assert_eq!(found.scores_sha256, summary.scores_sha256, "{name}, {threads} threads, {parts} parts");
        assert_eq!(told(results), expected, "{name}, {threads} threads, {parts} parts");
        let scores = |folder: &Path| fs::read(folder.join("all_scores.csv")).unwrap();
        assert!(scores(&out) == scores(&path("expected")), "{name}, {threads} threads, {parts} parts");
    }
}

#[test]
fn partitions_change_no_byte_of_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let (header, lines) = tied_records(900);
    let path = |name: &str| folder.path().join(name);
    let shuffled: Vec<csv::StringRecord> =
        (0..41).flat_map(|from| lines.iter().skip(from).step_by(41).cloned().collect::<Vec<_>>()).collect();
    write_csv(&path("ledger.csv"), &header, &lines);
    write_csv(&path("shuffled.csv"), &header, &shuffled);
    // The log says something else of one entry.
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let entry = &lines[7][column("Journal_ID")];
    fs::write(path("log.csv"), format!("Journal_ID,total\n{entry},1.00\n")).unwrap();
    let mut hashes = Vec::new();

    for name in ["ledger.csv", "shuffled.csv"] {
        let asked = |out: &str| {
            let mut request = request(&path(name), path(&format!("{name}-{out}")));
            request.settings.outputs.entries = [entry.to_string()].into();
            request.given.entry_log = Some(path("log.csv"));
            request
        };
        let (summary, results) = run(asked("one")).unwrap();
        assert_tied(&results);
        let expected = files(&path(&format!("{name}-one")));
        assert_eq!(expected.len(), 9, "{:?}", expected.keys());
        for partitions in [2, 3, 7] {
            let out = format!("{partitions}");
            let (found, _) = run_in_partitions(&asked(&out), partitions);

            assert_eq!(found.scores_sha256, summary.scores_sha256, "{name}, {partitions} partitions");
            let found = files(&path(&format!("{name}-{out}")));
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (file, bytes) in &expected {
                assert!(found[file] == *bytes, "{file} of {name}, {partitions} partitions");
            }
        }
        hashes.push(summary.scores_sha256);
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn partitions_change_no_byte_of_what_models_score() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (header, lines) = tied_records(900);
    write_csv(&path("ledger.csv"), &header, &lines);
    // Names that the ledger does not have.
    let (header, other) = records(700);
    let user = header.iter().position(|column| column == "Entered_By").unwrap();
    let renamed = |line: &csv::StringRecord| -> csv::StringRecord {
        line.iter()
            .enumerate()
            .map(|(place, cell)| if place == user { format!("a{cell}") } else { cell.into() })
            .collect()
    };
    write_csv(&path("other.csv"), &header, &other.iter().map(renamed).collect::<Vec<_>>());
    let train = |name: &str, number: usize| {
        let request = request(&path(name), path(&format!("models{number}")));
        Run::new(request).write_model(&|_, _, _| ControlFlow::Continue(())).unwrap().file
    };
    let (own, other) = (train("ledger.csv", 1), train("other.csv", 2));
    let alone = run(request(&path("ledger.csv"), path("alone"))).unwrap().0;

    for (number, (model, challenger)) in [(&own, &other), (&other, &own)].into_iter().enumerate() {
        let asked = |out: &str| {
            let by = By { model: Some(Chosen::file(model)), challenger: Some(Chosen::file(challenger)) };
            Request { by, ..request(&path("ledger.csv"), path(&format!("{out}-{number}"))) }
        };
        let (summary, results) = run(asked("one")).unwrap();
        assert!(results.challenge.is_some() && !results.drift.is_empty());
        assert_eq!(summary.scores_sha256 == alone.scores_sha256, number == 0);
        let expected = files(&path(&format!("one-{number}")));
        for partitions in [2, 5] {
            run_in_partitions(&asked(&partitions.to_string()), partitions);

            let found = files(&path(&format!("{partitions}-{number}")));
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (file, bytes) in &expected {
                assert!(found[file] == *bytes, "{file} by model {number}, {partitions} partitions");
            }
        }
    }
}

#[test]
fn a_window_has_the_scores_and_the_model_of_a_ledger_of_its_days() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (header, lines) = tied_records(600);
    let effective = header.iter().position(|column| column == "Effective_Date").unwrap();
    let (from, to) = ("2025-03-10", "2025-10-20");
    let days = [from, to].map(|day| day.replace('-', ""));
    let is_within =
        |line: &&csv::StringRecord| (&*days[0]..=&*days[1]).contains(&&line[effective].replace('-', "")[..]);
    let within: Vec<csv::StringRecord> = lines.iter().filter(is_within).cloned().collect();
    assert!(within.len() > 500 && within.len() < lines.len() - 200, "{} of {}", within.len(), lines.len());
    write_csv(&path("ledger.csv"), &header, &lines);
    write_csv(&path("within.csv"), &header, &within);
    let windowed = |name: &str, from: &str, to: &str| {
        let mut request = request(&path("ledger.csv"), path(name));
        request.settings = request.settings.with(&json!({ "window": { "from": from, "to": to } })).unwrap();
        request
    };
    let train = |request| Run::new(request).write_model(&|_, _, _| ControlFlow::Continue(())).unwrap();

    let (expected, _) = run(request(&path("within.csv"), path("expected"))).unwrap();
    let (found, results) = run(windowed("found", from, to)).unwrap();
    let (shared, _) = run_in_partitions(&windowed("shared", from, to), 2);
    let model = train(windowed("model", from, to));

    assert_eq!(found.scores_sha256, expected.scores_sha256);
    assert_eq!((&shared.scores_sha256, &shared.in_part), (&found.scores_sha256, &found.in_part));
    let outside = lines.len() - within.len();
    assert_eq!(
        results.in_part,
        [format!("the days of {from} to {to}: {outside} lines of other days were left out")]
    );
    assert_eq!((model.entries, model.lines), (expected.entries, expected.lines));
    let window = model.window.unwrap();
    assert!(window.from.to_string().as_str() >= from && window.to.to_string().as_str() <= to);

    // Numbers of other days are no gaps, and their entries not missing ones.
    let completeness = fs::read_to_string(path("found").join("completeness.json")).unwrap();
    assert!(completeness.contains("only some days are looked at, and the others have numbers too"));
    fs::write(path("log.csv"), "Journal_ID,total\n").unwrap();
    let given = Given { entry_log: Some(path("log.csv")), ..Given::default() };
    let refused = run(Request { given, ..windowed("log", from, to) }).unwrap_err();
    assert!(matches!(refused, RunError::LogInWindow), "{refused}");

    let none = run(windowed("none", "1999-01-01", "1999-12-31")).unwrap_err().to_string();
    assert!(
        none.ends_with(&format!(
            "is of 1999-01-01 to 1999-12-31, and {} are of other days; correct `window`",
            lines.len()
        )),
        "{none}"
    );
}

#[test]
fn another_seed_is_another_forest_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (header, lines) = records(300);
    let ledger = folder.path().join("ledger.csv");
    write_csv(&ledger, &header, &lines);
    let with_seed = |seed: u64| {
        let mut request = request(&ledger, folder.path().join(seed.to_string()));
        request.settings.seed = seed;
        run(request).unwrap().0
    };

    let (one, other) = (with_seed(1), with_seed(2));

    assert_ne!(one.model_id, other.model_id);
    assert_ne!(one.settings_sha256, other.settings_sha256);
}

/// The trial balance of the lines: every account begins at zero.
fn trial_balance(path: &Path, header: &csv::StringRecord, lines: &[csv::StringRecord]) {
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (account, amount, side) =
        (column("GL_Account_Number"), column("Amount"), column("Amount_Credit_Debit_Indicator"));
    let mut sums: BTreeMap<&str, Amount> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(&line[account]).or_default();
        let amount: Amount = line[amount].parse().unwrap();
        *sum = if &line[side] == "D" || &line[side] == "S" { *sum + amount } else { *sum - amount };
    }
    let rows = sums.iter().map(|(account, sum)| format!("{account},0.00,{sum}\n"));
    fs::write(path, format!("account,opening,closing\n{}", rows.collect::<String>())).unwrap();
}

#[test]
fn a_ledger_that_somebody_touched_stops_the_run_with_the_account_named() {
    let folder = tempfile::tempdir().unwrap();
    let (header, lines) = records(300);
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (account, amount) = (column("GL_Account_Number"), column("Amount"));
    let balance = folder.path().join("balance.csv");
    trial_balance(&balance, &header, &lines);
    let given = || Given { trial_balance: Some(balance.clone()), ..Given::default() };
    let set = |line: &csv::StringRecord, at: usize, value: &str| {
        line.iter().enumerate().map(|(place, cell)| if place == at { value } else { cell }).collect()
    };
    let cent_more = {
        let amount: Amount = lines[10][amount].parse().unwrap();
        (amount + Amount::from_cents(1)).to_string()
    };
    let other_account =
        lines.iter().find(|line| line[account] != lines[10][account]).unwrap()[account].to_string();
    type Touch<'a> = Box<dyn Fn(&mut Vec<csv::StringRecord>) + 'a>;
    let touches: [(&str, Touch<'_>); 4] = [
        ("a cent more", Box::new(|lines| lines[10] = set(&lines[10], amount, &cent_more))),
        ("a line less", Box::new(|lines| drop(lines.remove(10)))),
        ("a line twice", Box::new(|lines| lines.push(lines[10].clone()))),
        ("another account", Box::new(|lines| lines[10] = set(&lines[10], account, &other_account))),
    ];

    let whole = folder.path().join("whole.csv");
    write_csv(&whole, &header, &lines);
    let agreed = run(Request { given: given(), ..request(&whole, folder.path().join("whole")) }).unwrap().0;
    assert!(agreed.roll_forward.contains("roll forward to the cent"), "{}", agreed.roll_forward);

    for (name, touch) in touches {
        let mut touched = lines.clone();
        touch(&mut touched);
        let ledger = folder.path().join("touched.csv");
        write_csv(&ledger, &header, &touched);
        let out = folder.path().join(name);

        let stopped = run(Request { given: given(), ..request(&ledger, out.clone()) });

        let Err(error @ RunError::NotRolledForward { .. }) = stopped else { panic!("{name}: {stopped:?}") };
        assert!(error.to_string().contains(&lines[10][account]), "{name}: {error}");
        assert!(out.join("completeness.json").exists(), "{name}");
        assert!(!out.join("all_scores.csv").exists() && !out.join("results.json").exists(), "{name}");

        let accept = Some(Accept { by: "KELLER".into(), why: "the closing is late".into() });
        let (summary, _) = run(Request { given: given(), accept, ..request(&ledger, out) }).unwrap();
        assert!(summary.roll_forward.contains("accepted by KELLER: the closing is late"), "{name}");
    }
}
