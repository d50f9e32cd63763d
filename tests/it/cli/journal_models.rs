//! `compline journal` with models, as a script meets it: on files, without a store.

use std::fs;

use serde_json::Value;

use crate::support::binary::Place;

/// A place with two small ledgers in it, and a model of the first; says where that is.
fn place() -> (Place, String) {
    let place = Place::new();
    for (name, seed) in [("ledger.csv", 3), ("other.csv", 4)] {
        let params = journal::sample::SampleParams { entries: 400, seed };
        let mut file = fs::File::create(place.path().join(name)).unwrap();
        journal::sample::write(&mut file, &params).unwrap();
    }
    let told = place.run(&["journal", "train", "ledger.csv", "--out", "models", "--name", "acme", "--json"]);
    let told = told.expect(0).json();
    let file = told["file"].as_str().unwrap().to_string();
    assert_eq!(file, format!("models/model-{}.jemodel", told["id"].as_str().unwrap()));
    assert_eq!((&told["name"], &told["entries"]), (&"acme".into(), &400.into()));
    (place, file)
}

fn results(place: &Place, folder: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path().join(folder).join("results.json")).unwrap()).unwrap()
}

#[test]
fn a_ledger_is_scored_by_the_model_that_was_made_of_it_as_by_itself() {
    let (place, model) = place();

    place.run(&["journal", "score", "ledger.csv", "--out", "alone"]).expect(0);
    place
        .run(&["journal", "score", "ledger.csv", "--out", "by-model", "--model", &model])
        .expect(0)
        .says(&["Scored by the model acme; drift: calm"]);

    let (alone, by_model) = (results(&place, "alone"), results(&place, "by-model"));
    assert_eq!(alone["scores_sha256"], by_model["scores_sha256"]);
    assert_eq!(by_model["model"]["name"], "acme");
    assert!(by_model["command"].as_str().unwrap().contains(&format!("--model {model}")));
    let entry = by_model["top"]["listed"][0]["entry"].as_str().unwrap().to_string();
    let explain = ["journal", "explain", "other.csv", "--entry", &entry, "--model", &model];
    place.run(&explain).expect(0).says(&["score", "risk"]);
}

#[test]
fn a_challenger_and_drift_are_told_and_drift_is_an_exit_code_only_if_that_is_wanted() {
    let (place, model) = place();
    let rival = place.run(&["journal", "train", "other.csv", "--json"]).expect(0).json();
    assert_eq!(rival["name"], "other");
    let rival = rival["file"].as_str().unwrap();
    let moved = fs::read_to_string(place.path().join("other.csv")).unwrap().replace("EUR", "JPY");
    fs::write(place.path().join("moved.csv"), moved).unwrap();

    let score = ["journal", "score", "ledger.csv", "--model", &model, "--challenger", rival];
    place.run(&score).expect(0).says(&["Challenged by other", "of the 4 most unusual entries of each"]);
    let drift = |ledger: &str, more: &[&str]| {
        place.run(&[&["journal", "drift", ledger, "--model", &model], more].concat())
    };
    drift("ledger.csv", &["--fail-at", "watch"]).expect(0).says(&["held against the model acme", "calm"]);
    drift("moved.csv", &[]).expect(0).says(&["alarm", "`currency`: 100.0 % of the entries"]);
    drift("moved.csv", &["--fail-at", "alarm"]).expect(1).says(&["alarm"]);
    let json = drift("moved.csv", &["--json"]).expect(0).json();
    assert_eq!((&json["level"], &json["populations"][0]["entries"]), (&"alarm".into(), &400.into()));
}

#[test]
fn what_does_not_fit_or_cannot_be_meant_is_refused_by_its_name() {
    let (place, model) = place();
    let mut bytes = fs::read(place.path().join(&model)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(place.path().join("flipped.jemodel"), bytes).unwrap();
    let timeless = fs::read_to_string(place.path().join("ledger.csv")).unwrap();
    fs::write(place.path().join("timeless.csv"), timeless.replacen("Entered_Time", "Other", 1)).unwrap();

    for (args, exit, says) in [
        (&["score", "ledger.csv", "--model", "none.jemodel"][..], 3, "none.jemodel"),
        (
            &["score", "ledger.csv", "--model", "flipped.jemodel"],
            1,
            "its bytes are not those that were written",
        ),
        (
            &["score", "ledger.csv", "--model", "ledger.csv"],
            1,
            "name a file that the training of a model wrote",
        ),
        (&["score", "ledger.csv", "--challenger", &model], 2, "--model"),
        (&["score", "timeless.csv", "--model", &model], 1, "the model knows `entered_time`"),
        (&["drift", "timeless.csv", "--model", &model], 1, "the model knows `entered_time`"),
        (&["drift", "ledger.csv"], 2, "--model"),
        (&["drift", "ledger.csv", "--model", &model, "--fail-at", "calm"], 2, "watch"),
        (&["train", "ledger.csv", "--name", "acme@2"], 2, "reads as a version or an id"),
        (&["train", "nowhere.csv"], 3, "nowhere.csv"),
    ] {
        place.run(&[&["journal"], args].concat()).expect(exit).says(&[says]);
    }
    assert!(!place.path().join("results").join("results.json").exists());
}
