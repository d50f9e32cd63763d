//! Columns that no field is for: they take part in the score, have their names in reasons and rules, and a model knows them by these.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are tests too")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use journal::output::RunTag;
use journal::result::Results;
use journal::run::{By, Chosen, Given, Request, Run, RunError, Watch};
use journal::sample::{self, SampleParams};
use journal::settings::Settings;
use serde_json::json;

const GO_ON: Watch<'static> = &|_, _, _| ControlFlow::Continue(());

/// The sample with three columns more, one of them without anything in it, and one entry in a region that no other has.
fn ledger(folder: &Path) -> (PathBuf, String) {
    let mut text = Vec::new();
    sample::write(&mut text, &SampleParams { entries: 600, seed: 5 }).unwrap();
    let mut reader = csv::Reader::from_reader(&*text);
    let header = reader.headers().unwrap().clone();
    let path = folder.join("ledger.csv");
    let mut csv = csv::Writer::from_path(&path).unwrap();
    csv.write_record(header.iter().chain(["Region", "Object", "Blank"])).unwrap();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let strange = records[700][0].to_string();
    for record in &records {
        let id: u32 = record[0].parse().unwrap();
        let region = if record[0] == *strange { "atlantis" } else { ["north", "south"][id as usize % 2] };
        let object = ["a", "b", "c"][id as usize % 3];
        csv.write_record(record.iter().chain([region, object, ""])).unwrap();
    }
    csv.flush().unwrap();
    (path, strange)
}

fn request(ledger: &Path, extra: &[&str]) -> Request {
    let settings =
        json!({ "mapping": { "extra": extra }, "outputs": { "workpaper": false, "report": false } });
    Request {
        path: ledger.into(),
        file: ledger.into(),
        query: None,
        out_dir: ledger.with_extension("out"),
        tag: RunTag { run: "test".into(), claim: 1 },
        settings: Settings::default().with(&settings).unwrap(),
        given: Given::default(),
        accept: None,
        by: By::default(),
        model_name: "extra".into(),
        created: jiff::Timestamp::UNIX_EPOCH,
        threads: 2,
        parts: Some(2),
    }
}

fn results(request: Request) -> Result<Results, RunError> {
    Run::new(request).results(GO_ON)
}

#[test]
fn a_value_that_is_rare_in_an_extra_column_makes_its_entry_unusual_by_the_columns_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, strange) = ledger(folder.path());

    let (without, with) =
        (results(request(&path, &[])).unwrap(), results(request(&path, &["Region"])).unwrap());

    let of =
        |results: &Results| results.top.listed().iter().find(|top| top.entry == strange).cloned().unwrap();
    assert!(
        of(&with).rank < of(&without).rank && of(&with).rank <= 20,
        "{} {}",
        of(&with).rank,
        of(&without).rank
    );
    let words = |results: &Results| -> String {
        of(results).reasons.iter().map(|reason| format!("{}\n", reason.words)).collect()
    };
    assert!(words(&with).contains("Region") && words(&with).contains("atlantis"), "{}", words(&with));
    assert!(!words(&without).contains("atlantis"));
    assert_eq!(with.model.features, without.model.features + 1);
}

#[test]
fn the_order_in_which_they_are_named_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = ledger(folder.path());

    let (one, other) = (
        results(request(&path, &["Region", "Object"])).unwrap(),
        results(request(&path, &["Object", "Region"])).unwrap(),
    );

    assert_eq!(one.scores_sha256, other.scores_sha256);
    assert_eq!(one.top, other.top);
}

#[test]
fn a_model_fits_only_a_ledger_of_the_same_extra_columns() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = ledger(folder.path());
    let trained = Run::new(request(&path, &["Region"])).write_model(GO_ON).unwrap();
    let by = By { model: Some(Chosen::file(&trained.file)), challenger: None };
    let scored = |extra: &[&str]| results(Request { by: by.clone(), ..request(&path, extra) });

    let own = scored(&["Region"]).unwrap();
    let other = scored(&["Object"]).unwrap_err().to_string();

    assert_eq!(own.scores_sha256, results(request(&path, &["Region"])).unwrap().scores_sha256);
    assert!(other.contains("the model knows `extra Region`, and the ledger has none"), "{other}");
    assert!(other.contains("the ledger has `extra Object`, which the model does not know"), "{other}");
}

/// It would move those behind it, which are known by their places.
#[test]
fn a_blank_extra_column_on_one_side_only_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = ledger(folder.path());
    let scored = |model: &[&str], extra: &[&str]| {
        let trained = Run::new(request(&path, model)).write_model(GO_ON).unwrap();
        let by = By { model: Some(Chosen::file(&trained.file)), challenger: None };
        results(Request { by, ..request(&path, extra) })
    };

    for (more, less) in [
        (&["Region", "Blank"][..], &["Region"][..]),
        (&["Region", "Blank"], &["Region", "Object"]),
        (&["Blank"], &[]),
    ] {
        let known = scored(more, less).unwrap_err().to_string();
        let unknown = scored(less, more).unwrap_err().to_string();
        assert!(known.contains("the model knows `extra Blank`, and the ledger has none"), "{known}");
        let says = "the ledger has `extra Blank`";
        assert!(unknown.contains(says) && unknown.contains("which the model does not know"), "{unknown}");
    }
    let both = scored(&["Region", "Blank"], &["Blank", "Region"]).unwrap();
    assert_eq!(both.scores_sha256, results(request(&path, &["Region", "Blank"])).unwrap().scores_sha256);
}

#[test]
fn columns_that_cannot_be_meant_or_are_not_there_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = ledger(folder.path());

    let error = results(request(&path, &["Regoin"])).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();

    assert!(cause.contains("extra") && cause.contains("Regoin") && cause.contains("Region"), "{cause}");
    let many: Vec<String> = (0..9).map(|column| column.to_string()).collect();
    for (extra, refused) in [
        (json!(["a", "a"]), "mapping.extra: names `a` twice; keep one of them"),
        (json!([""]), "mapping.extra: names no column; name one or leave it out"),
        (json!(many), "mapping.extra: 9 are too many; name at most 8"),
    ] {
        let error = Settings::default().with(&json!({ "mapping": { "extra": extra } })).unwrap_err();
        assert_eq!(error.to_string(), refused);
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() <= 2);
}
