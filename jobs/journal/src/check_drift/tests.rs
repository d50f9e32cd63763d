use std::fs;
use std::path::Path;

use jobkit::testing::{Bench, FakeObjects};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::attempt::tests::{config, crash_at_every_step, ledger, list, sources, train, written};
use crate::run::Trained;

/// A ledger, and a model of it.
fn world() -> (CheckDrift, Trained, PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger(folder.path(), "ledger.csv", 3);
    let model = train("acme", &path, folder.path());
    (CheckDrift::new(config(folder.path()), sources(FakeObjects::default())), model, path, folder)
}

/// Of another year, in another currency.
fn moved(folder: &Path) -> PathBuf {
    let path = ledger(folder, "moved.csv", 4);
    let text = fs::read_to_string(&path).unwrap().replace("EUR", "JPY");
    fs::write(&path, text).unwrap();
    path
}

fn args(json: Value) -> CheckDriftArgs {
    serde_json::from_value(json).unwrap()
}

fn checked(outcome: &Outcome) -> CheckedDrift {
    let Outcome::Completed(Some(result)) = outcome else { panic!("{outcome:?}") };
    serde_json::from_value(result.clone()).unwrap()
}

#[tokio::test]
async fn drift_is_a_result_and_in_files_and_no_failure() {
    let (job, model, path, folder) = world();
    let other = moved(folder.path());
    for (path, level) in [(path, Level::Calm), (other, Level::Alarm)] {
        let bench = Bench::default();
        list(&bench, &[&model]).await;

        let outcome = bench.run(&job, &args(json!({ "path": path, "model": "acme" })), 1).await.unwrap();

        let CheckedDrift { drifted, outputs } = checked(&outcome);
        assert_eq!(drifted.level, level, "{}", drifted.in_words());
        assert_eq!((drifted.model.called(), &drifted.model.id), ("acme, version 1".to_string(), &model.id));
        let names: Vec<_> = outputs.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["drift.json", "drift.txt"]);
        let back: Drifted = serde_json::from_slice(&fs::read(&outputs[0]).unwrap()).unwrap();
        assert_eq!(back, drifted);
        assert_eq!(fs::read_to_string(&outputs[1]).unwrap(), drifted.in_words());
    }
}

#[tokio::test]
async fn who_wants_to_be_woken_gets_a_failure_that_names_model_and_level() {
    let (job, model, path, folder) = world();
    let other = moved(folder.path());
    let bench = Bench::default();
    list(&bench, &[&model]).await;

    let calm = json!({ "path": path, "model": "acme", "fail_at": "watch" });
    let alarm = json!({ "path": other, "model": "acme@1", "fail_at": "alarm" });
    let calm = bench.run(&job, &args(calm), 1).await.unwrap();
    let bench = Bench::default();
    list(&bench, &[&model]).await;
    let failure = bench.run(&job, &args(alarm), 1).await.unwrap_err();

    assert_eq!(checked(&calm).drifted.level, Level::Calm);
    assert!(matches!(failure, Failure::Permanent(_)));
    let says = "the ledger has moved from the model acme, version 1: alarm; ";
    assert!(failure.to_string().starts_with(says), "{failure}");
}

#[tokio::test]
async fn a_second_run_and_a_crash_at_any_step_have_the_same_result_and_whole_files() {
    let (job, model, path, folder) = world();
    let args = args(json!({ "path": path, "model": "acme" }));
    let bench = Bench::default();
    list(&bench, &[&model]).await;

    let first = bench.run(&job, &args, 1).await.unwrap();
    let second = bench.run(&job, &args, 2).await.unwrap();
    let drifted = checked(&first).drifted;
    let tried = crash_at_every_step(&args, &job, &[&model], |outcome| {
        assert_eq!(checked(outcome).drifted, drifted);
    })
    .await
    .unwrap();

    assert_eq!(first, second);
    // Model, read, survey, drift, write.
    assert_eq!(tried, 2 * 5);
    let files = written(folder.path());
    assert!(files.iter().all(|name| name == "drift.json" || name == "drift.txt"), "{files:?}");
}

#[tokio::test]
async fn a_model_that_there_is_not_is_a_permanent_failure_that_names_the_field() {
    let (job, model, path, _folder) = world();
    let bench = Bench::default();
    list(&bench, &[&model]).await;
    for (asked, says) in [
        ("none", "model: there is no model of the name `none`"),
        ("acme@7", "model: there is no version 7 of the model `acme`; the newest is 1"),
        ("00112233445566aa", "model: there is no model of the id 00112233445566aa"),
    ] {
        let failure = bench.run(&job, &args(json!({ "path": path, "model": asked })), 1).await.unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
        assert!(failure.to_string().starts_with(says), "{failure}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_door_by_name() {
    let (job, ..) = world();
    for (given, refused) in [
        (json!({ "path": "", "model": "a" }), "path: is empty; name the file"),
        (json!({ "path": "x", "model": " " }), "model: is empty; write a name, NAME@VERSION or an id"),
        (
            json!({ "path": "x", "model": "a", "fail_at": "calm" }),
            "fail_at: every ledger would fail; write watch or alarm",
        ),
        (
            json!({ "path": "x", "model": "a", "settings": { "drift": { "watch": 0.5 } } }),
            "settings.drift.watch: 0.5 is no bound beside an alarm of 0.25; write two numbers above 0, the lower one \
             for watch",
        ),
    ] {
        assert_eq!(job.check(&args(given)), Err(refused.into()));
    }
    assert!(serde_json::from_value::<CheckDriftArgs>(json!({ "path": "x" })).is_err());
}
