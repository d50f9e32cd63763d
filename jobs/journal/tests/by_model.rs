//! A ledger scored by what another one taught: the same scores for the one that taught it, and refusals where the two do not fit.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are tests too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use journal::drift::Level;
use journal::output::RunTag;
use journal::result::Results;
use journal::run::{By, Chosen, Given, InList, Request, Run, RunError, Trained};
use journal::sample::{self, SampleParams};
use journal::settings::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

const GO_ON: journal::run::Watch<'static> = &|_, _, _| ControlFlow::Continue(());

fn ledger(folder: &Path, name: &str, entries: u32, seed: u64) -> PathBuf {
    let path = folder.join(name);
    sample::write(&mut fs::File::create(&path).unwrap(), &SampleParams { entries, seed }).unwrap();
    path
}

/// Populations from 200 entries on stand apart.
fn request(ledger: &Path, out: PathBuf) -> Request {
    Request {
        path: ledger.into(),
        file: ledger.into(),
        query: None,
        out_dir: out,
        tag: RunTag { run: "test".into(), claim: 1 },
        settings: Settings::default()
            .with(&json!({
                "seed": 7,
                "mapping": { "columns": { "entity": "Business_Unit_Code" } },
                "populations": { "least_entries": 200 },
                "outputs": { "workpaper": false, "report": false },
            }))
            .unwrap(),
        given: Given::default(),
        accept: None,
        by: By::default(),
        model_name: "acme".into(),
        created: jiff::Timestamp::UNIX_EPOCH,
        threads: 2,
        parts: Some(3),
    }
}

fn train(request: Request) -> Trained {
    Run::new(request).write_model(GO_ON).unwrap()
}

fn by(model: &Path) -> By {
    By { model: Some(Chosen::file(model)), challenger: None }
}

fn results(request: Request) -> Result<Results, RunError> {
    Run::new(request).results(GO_ON)
}

fn refused(request: Request) -> String {
    results(request).unwrap_err().to_string()
}

/// The scores of all entries, as they were written.
fn scores(request: Request) -> BTreeMap<String, csv::StringRecord> {
    let out = request.out_dir.clone();
    Run::new(request).write(GO_ON).unwrap();
    let mut csv = csv::Reader::from_path(out.join("all_scores.csv")).unwrap();
    csv.records().map(|row| row.map(|row| (row[0].to_string(), row)).unwrap()).collect()
}

/// A model of a ledger of 900 entries, with that ledger.
fn world() -> (TempDir, PathBuf, Trained) {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger(folder.path(), "ledger.csv", 900, 5);
    let trained = train(request(&path, folder.path().join("model")));
    (folder, path, trained)
}

#[test]
fn a_ledger_is_scored_by_its_own_model_as_by_itself_bit_for_bit() {
    let (folder, path, _) = world();
    // Of 450, 300 and 150 entries: with the last one left over, and with each apart.
    for (least, populations) in [(200, 2), (100, 4)] {
        let with = |more: Value, out: &str| {
            let request = request(&path, folder.path().join(format!("{least}-{out}")));
            let settings =
                request.settings.with(&json!({ "populations": { "least_entries": least } })).unwrap();
            Request { settings: settings.with(&more).unwrap(), ..request }
        };
        let trained = train(with(json!({}), "model"));
        assert_eq!(trained.populations.len(), populations, "{:?}", trained.populations);
        let alone = scores(with(json!({}), "alone"));
        let in_one = scores(with(json!({ "populations": { "apart": false } }), "in-one"));

        let found = scores(Request { by: by(&trained.file), ..with(json!({}), "by-model") });

        assert_eq!(found.len(), 900);
        let mut left_over = 0;
        for (entry, row) in &found {
            // Who is in no population of the model's own is scored by the whole.
            let is_left_over = &row[1] == "others";
            left_over += usize::from(is_left_over);
            let same = if is_left_over { &in_one[entry] } else { &alone[entry] };
            // But for the population's title, the rank among all, and the model.
            let told = |row: &csv::StringRecord| -> Vec<String> {
                let cells = row.iter().enumerate().filter(|(at, _)| ![1, 2, row.len() - 1].contains(at));
                cells.map(|(_, cell)| cell.to_string()).collect()
            };
            assert_eq!(told(row), told(same), "{entry}");
        }
        assert_eq!(left_over > 0, least == 200);
        if left_over == 0 {
            let ranks = |scores: &BTreeMap<String, csv::StringRecord>| -> Vec<String> {
                scores.values().map(|row| row[2].to_string()).collect()
            };
            assert_eq!(ranks(&found), ranks(&alone));
        }
    }
}

/// How high a word is was learned with the words: a ledger of few entries has no ranks of its own.
#[test]
fn an_entry_has_the_score_by_a_model_that_it_has_among_all_whoever_else_is_there() {
    let (folder, path, trained) = world();
    let text = fs::read_to_string(&path).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    // Its first entries, of every entity.
    let few: Vec<&str> = lines.lines().filter(|line| line < &"100000120").collect();
    let part = folder.path().join("part.csv");
    fs::write(&part, format!("{header}\n{}\n", few.join("\n"))).unwrap();
    let by_model = |ledger: &Path, out: &str| {
        scores(Request { by: by(&trained.file), ..request(ledger, folder.path().join(out)) })
    };

    let (all, found) = (by_model(&path, "all"), by_model(&part, "part"));

    assert_eq!(found.len(), 120);
    for (entry, row) in &found {
        // Population, score, who said it, and how high by each.
        for at in [1, 3, 6, 7, 8, 9, 10] {
            assert_eq!(row[at], all[entry][at], "{entry}, column {at}");
        }
    }
}

#[test]
fn reasons_rules_tests_and_selections_are_those_of_the_ledger_alone() {
    let (folder, path, _) = world();
    // One population, so that nobody is scored by another one than without a model.
    let one = |out: &str| {
        let request = request(&path, folder.path().join(out));
        let settings = request.settings.with(&json!({ "populations": { "apart": false } })).unwrap();
        Request { settings, ..request }
    };
    let trained = train(one("one"));

    let alone = results(one("alone")).unwrap();
    let by_model = results(Request { by: by(&trained.file), ..one("by-model") }).unwrap();

    assert_eq!(by_model.model.id, trained.id);
    assert_eq!((by_model.model.called(), by_model.model.version), ("acme".to_string(), None));
    assert_eq!(by_model.model.window, trained.window);
    assert_eq!((by_model.model.trees, by_model.model.sample), (alone.model.trees, alone.model.sample));
    assert!(!by_model.drift.is_empty() && by_model.drift.iter().all(|drift| drift.level == Level::Calm));
    assert!(by_model.command.contains("--model"), "{}", by_model.command);
    let told = |results: Results| Results {
        model: alone.model.clone(),
        drift: Vec::new(),
        command: String::new(),
        ..results
    };
    assert_eq!(told(by_model), told(alone.clone()));
}

#[test]
fn names_of_the_model_change_nothing_that_is_said_of_the_ledger_itself() {
    let (folder, path, _) = world();
    let other = ledger(folder.path(), "other.csv", 300, 9);
    // Other names in every column, and another currency.
    let text = fs::read_to_string(&other).unwrap().replace("EUR", "CHF").replace(",U", ",AU");
    fs::write(&other, text).unwrap();
    let trained = train(request(&other, folder.path().join("other")));

    let alone = results(request(&path, folder.path().join("alone"))).unwrap();
    let by_model =
        results(Request { by: by(&trained.file), ..request(&path, folder.path().join("out")) }).unwrap();

    assert_eq!(by_model.completeness, alone.completeness);
    assert_eq!(by_model.population, alone.population);
    let hits = |results: &Results| -> Vec<(String, u64, u64)> {
        results.tests.iter().map(|test| (test.id.clone(), test.hits.total(), test.lines_hit)).collect()
    };
    assert_eq!(hits(&by_model), hits(&alone));
    assert!(by_model.drift.iter().any(|drift| drift.level == Level::Alarm), "{:?}", by_model.drift);
}

#[test]
fn threads_parts_and_the_order_of_the_lines_make_the_same_model() {
    let (folder, path, trained) = world();
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    let backwards = folder.path().join("backwards.csv");
    fs::write(&backwards, lines.join("\n") + "\n").unwrap();
    // The hash of the ledger's bytes is in the model.
    let expected = train(request(&backwards, folder.path().join("expected")));

    for (path, same, threads, parts) in
        [(&path, &trained, 1, 1), (&path, &trained, 7, 5), (&backwards, &expected, 1, 8)]
    {
        let out = folder.path().join(format!("{threads}-{parts}"));
        let found = train(Request { threads, parts: Some(parts), ..request(path, out) });
        assert_eq!(found.sha256, same.sha256, "{threads} threads, {parts} parts");
    }
    let by_each = [&trained, &expected].map(|model| {
        results(Request { by: by(&model.file), ..request(&path, folder.path().join("out")) }).unwrap()
    });
    assert_eq!(by_each[0].scores_sha256, by_each[1].scores_sha256);
}

#[test]
fn a_challenger_is_compared_and_the_results_are_the_champions() {
    let (folder, path, trained) = world();
    let other = ledger(folder.path(), "other.csv", 700, 8);
    // Names before those of the ledger, so that the symbols of these move.
    let text = fs::read_to_string(&other).unwrap().replace("STEINER", "AAA").replace(",113100,", ",000001,");
    fs::write(&other, text).unwrap();
    let rival = train(Request { model_name: "rival".into(), ..request(&other, folder.path().join("rival")) });
    let challenged = |challenger: &Trained| By {
        model: Some(Chosen::file(&trained.file)),
        challenger: Some(Chosen::file(&challenger.file)),
    };
    let run = |by, out: &str| results(Request { by, ..request(&path, folder.path().join(out)) }).unwrap();

    let alone = run(by(&trained.file), "alone");
    let itself = run(challenged(&trained), "itself").challenge.unwrap();
    let with_rival = run(challenged(&rival), "rival-out");

    assert_eq!((itself.first, itself.both, itself.spearman), (9, 9, 1.0));
    assert_eq!((itself.champion_only.total(), itself.challenger_only.total()), (0, 0));
    let challenge = with_rival.challenge.clone().unwrap();
    assert_eq!((challenge.model.called(), &challenge.model.id), ("rival".to_string(), &rival.id));
    assert!(challenge.spearman > 0.2 && challenge.spearman < 0.999, "{}", challenge.spearman);
    assert_eq!(challenge.both + challenge.champion_only.total(), challenge.first);
    assert_eq!(challenge.both + challenge.challenger_only.total(), challenge.first);
    for parted in challenge.champion_only.listed() {
        assert!(parted.champion.rank <= challenge.first && parted.challenger.rank > 0, "{parted:?}");
    }
    let told = |results: Results| Results { challenge: None, command: String::new(), ..results };
    assert_eq!(told(with_rival), told(alone));
}

#[test]
fn an_entry_of_a_population_that_the_model_does_not_know_is_scored_by_the_whole() {
    let (folder, path, trained) = world();
    let moved = folder.path().join("moved.csv");
    let text = fs::read_to_string(&path).unwrap().replace(",1000,", ",4000,");
    fs::write(&moved, text).unwrap();
    assert_eq!(
        trained.populations.iter().map(|taken| &*taken.title).collect::<Vec<_>>(),
        ["all", "1000, all"]
    );

    let found =
        results(Request { by: by(&trained.file), ..request(&moved, folder.path().join("moved")) }).unwrap();

    let populations: BTreeSet<&str> = found.top.listed().iter().map(|top| &*top.population).collect();
    assert_eq!(populations, BTreeSet::from(["others"]));
    let drift: Vec<_> = found.drift.iter().map(|drift| (&*drift.population, drift.entries)).collect();
    assert_eq!(drift, [("others", 900)]);
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_anything_is_written() {
    let (folder, path, trained) = world();
    let out = folder.path().join("refused");
    let with = |model: PathBuf| Request { by: by(&model), ..request(&path, out.clone()) };
    let mut bytes = fs::read(&trained.file).unwrap();
    bytes[20_000] ^= 1;
    let flipped = folder.path().join("flipped.jemodel");
    fs::write(&flipped, &bytes).unwrap();
    bytes[20_000] ^= 1;
    bytes[8] = 9;
    let format = folder.path().join("format.jemodel");
    fs::write(&format, &bytes).unwrap();
    let timeless = folder.path().join("timeless.csv");
    let text = fs::read_to_string(&path).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    fs::write(&timeless, header.replace("Entered_Time", "Something_Else") + "\n" + lines).unwrap();

    for (request, says) in [
        (with(flipped.clone()), "its bytes are not those that were written"),
        (with(format), "it has format 9, and this program reads format 2"),
        (with(path.clone()), "it is none; name a file that the training of a model wrote"),
        (with(folder.path().into()), "is not a file"),
        (with(folder.path().join("none.jemodel")), "reading the model"),
        (
            Request { by: by(&trained.file), ..request(&timeless, out.clone()) },
            "does not fit the ledger: schema mismatch: the model knows `entered_time`, and the ledger has none",
        ),
    ] {
        let error = refused(request);
        assert!(error.contains(says), "{error}");
    }
    assert!(!out.join("results.json").exists() && !out.join("completeness.json").exists());

    // Somebody else's model, whole, in the place of the one that the list knows.
    let other = train(Request { model_name: "other".into(), ..request(&path, folder.path().join("other")) });
    let listed = InList { name: "acme".into(), version: 2, sha256: trained.sha256.clone() };
    let chosen = |file: &Path| Chosen { listed: Some(listed.clone()), ..Chosen::file(file) };
    let listed = |file: &Path| Request {
        by: By { model: Some(chosen(file)), challenger: None },
        ..request(&path, folder.path().join("listed"))
    };
    let error = refused(listed(&other.file));
    assert!(error.contains("not the one that the list of models has"), "{error}");
    assert!(refused(listed(&flipped)).contains("its bytes are not those that were written"));
    assert_eq!(results(listed(&trained.file)).unwrap().model.called(), "acme, version 2");
}

#[test]
fn a_model_is_told_by_the_seed_that_it_was_made_with_and_the_run_by_its_own() {
    let (folder, path, trained) = world();
    let by = By { challenger: Some(Chosen::file(&trained.file)), ..by(&trained.file) };
    let other = request(&path, folder.path().join("other-seed"));
    let settings = other.settings.with(&json!({ "seed": 8 })).unwrap();
    let mut run = Run::new(Request { by, settings, ..other });

    let found = run.results(GO_ON).unwrap();

    assert_eq!((found.model.seed, found.challenge.unwrap().model.seed), (7, 7));
    assert!(found.command.contains("--seed 8"), "{}", found.command);
    assert_eq!(run.write(GO_ON).unwrap().seed, 8);
}

#[test]
fn drift_of_the_ledger_that_made_the_model_is_calm_and_of_another_it_is_told() {
    let (folder, path, trained) = world();
    let drift = |ledger: &Path| {
        Run::new(Request { by: by(&trained.file), ..request(ledger, folder.path().join("drift")) })
            .drift(GO_ON)
            .unwrap()
    };
    let other = ledger(folder.path(), "other.csv", 900, 6);
    let text = fs::read_to_string(&other).unwrap().replace(",EUR", ",JPY");
    fs::write(&other, text).unwrap();

    let (own, moved) = (drift(&path), drift(&other));

    assert_eq!(own.level, Level::Calm, "{}", own.in_words());
    assert!(own.populations.iter().all(|drift| drift.unseen.is_empty() && drift.score_ks == 0.0));
    assert_eq!(own.populations.iter().map(|drift| drift.entries).sum::<u64>(), 900);
    assert_eq!(moved.level, Level::Alarm, "{}", moved.in_words());
    assert!(
        moved.in_words().contains("`currency`: 100.0 % of the entries have one that the model never saw"),
        "{}",
        moved.in_words()
    );
    let written = own.write(folder.path(), &RunTag { run: "test".into(), claim: 1 }).unwrap();
    let back = serde_json::from_slice::<journal::run::Drifted>(&fs::read(&written[0]).unwrap()).unwrap();
    assert_eq!(back, own);
}
