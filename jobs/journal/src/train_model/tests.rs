use std::fs;
use std::path::Path;

use jobkit::testing::{self, Bench, FakeObjects};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::attempt::tests::{config, ledger, sources, written};
use crate::model::Model;

fn world() -> (TrainModel, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (TrainModel::new(config(folder.path()), sources(FakeObjects::default())), folder)
}

fn args(json: Value) -> TrainModelArgs {
    serde_json::from_value(json).unwrap()
}

fn trained(outcome: &Outcome) -> TrainedModel {
    let Outcome::Completed(Some(result)) = outcome else { panic!("{outcome:?}") };
    serde_json::from_value(result.clone()).unwrap()
}

fn files(model: &TrainedModel) -> [String; 3] {
    ["completeness.json".into(), format!("model-{}.jemodel", model.model.id), "rejected.csv".into()]
}

#[tokio::test]
async fn a_model_is_in_its_file_and_in_the_list_as_a_challenger() {
    let (job, folder) = world();
    let path = ledger(folder.path(), "ledger.csv", 3);
    let bench = Bench::default();

    let outcome =
        bench.run(&job, &args(json!({ "path": path, "name": "acme", "seed": 5 })), 1).await.unwrap();

    let found = trained(&outcome);
    assert_eq!((found.version, found.standing, found.model.seed), (1, Standing::Challenger, 5));
    assert_eq!(written(folder.path()), files(&found));
    let opened = Model::read(&found.model.file).unwrap();
    assert_eq!((&opened.sha256, &*opened.model.about.name), (&found.model.sha256, "acme"));
    assert_eq!(opened.model.about.job, bench.id.to_string());
    assert_eq!(opened.model.populations.len(), found.model.populations.len());
    assert_eq!(opened.model.schema.sha256(), found.model.schema_sha256);
    let ctx = bench.ctx(TrainModel::KIND, 2);
    let record = ctx.models().get(&found.model.id).await.unwrap().unwrap();
    assert_eq!((&*record.model.name, &record.model.sha256), ("acme", &found.model.sha256));
    assert_eq!(Path::new(&record.model.path), found.model.file);
    assert_eq!(record.model.entries, 400);
    assert_eq!(record.model.window, found.model.window.map(|window| (window.from, window.to)));
}

#[tokio::test]
async fn a_model_is_promoted_where_the_job_is_told_to() {
    let (job, folder) = world();
    let path = ledger(folder.path(), "ledger.csv", 3);
    let bench = Bench::default();

    let outcome =
        bench.run(&job, &args(json!({ "path": path, "name": "acme", "promote": true })), 1).await.unwrap();

    assert_eq!(trained(&outcome).standing, Standing::Champion);
    let ctx = bench.ctx(TrainModel::KIND, 2);
    let named = ctx.models().named("acme").await.unwrap();
    assert_eq!(named.iter().map(|record| record.standing).collect::<Vec<_>>(), [Standing::Champion]);
}

#[tokio::test]
async fn a_second_run_trains_nothing_again_and_has_the_same_result() {
    let (job, folder) = world();
    let path = ledger(folder.path(), "ledger.csv", 3);

    let (first, second) =
        testing::run_twice(&job, &args(json!({ "path": path, "name": "acme", "promote": true }))).await;

    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    assert_eq!(written(folder.path()), files(&trained(&first)));
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_one_model_in_one_whole_file() {
    let ledgers = tempfile::tempdir().unwrap();
    let path = ledger(ledgers.path(), "ledger.csv", 3);
    let world = || {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { roots: vec![ledgers.path().into()], ..config(folder.path()) };
        (TrainModel::new(config, sources(FakeObjects::default())), folder)
    };

    let tried = testing::crash_at_every_step(
        &args(json!({ "path": path, "name": "acme", "promote": true })),
        world,
        |outcome, folder| {
            let found = trained(outcome);
            assert_eq!((found.version, found.standing), (1, Standing::Champion));
            assert_eq!(written(folder.path()), files(&found));
            assert_eq!(Model::read(&found.model.file).unwrap().sha256, found.model.sha256);
        },
    )
    .await
    .unwrap();

    // Read, survey, train, write, register, promote.
    assert_eq!(tried, 2 * 6);
}

#[tokio::test]
async fn a_file_changed_between_attempts_is_refused() {
    let (job, folder) = world();
    let path = ledger(folder.path(), "ledger.csv", 3);
    let args = args(json!({ "path": path, "name": "acme" }));
    let bench = Bench::default();
    bench.host.crash_at(testing::Crash::AfterStored(2));
    let ctx = bench.ctx(TrainModel::KIND, 1);
    tokio::select! {
        () = bench.host.crashed() => {}
        _ = job.run(args.clone(), &ctx) => panic!("it should have died"),
    }

    let changed = fs::read_to_string(&path).unwrap().replacen("EUR", "USD", 1);
    fs::write(&path, changed).unwrap();
    let failure = bench.run(&job, &args, 2).await.unwrap_err();

    assert!(matches!(failure, Failure::Permanent(_)));
    assert!(
        failure.to_string().starts_with("the lines differ from those of an earlier attempt"),
        "{failure}"
    );
    assert!(ctx.models().named("acme").await.unwrap().is_empty());
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_door_by_name() {
    let (job, _folder) = world();
    for (given, refused) in [
        (json!({ "path": "", "name": "a" }), "path: is empty; name the file".to_string()),
        (json!({ "path": "x", "name": " " }), "name: is empty; say what the model is called".into()),
        (
            json!({ "path": "x", "name": "acme " }),
            "name: begins or ends with blanks, or has characters that nobody sees; leave them out".into(),
        ),
        (
            json!({ "path": "x", "name": "acme@3" }),
            "name: `acme@3` reads as a version or an id; choose another".into(),
        ),
        (
            json!({ "path": "x", "name": "00112233445566aa" }),
            "name: `00112233445566aa` reads as a version or an id; choose another".into(),
        ),
        (
            json!({ "path": "x", "name": "x".repeat(201) }),
            "name: is longer than 200 characters; shorten it".into(),
        ),
        (
            json!({ "path": "x", "name": "a", "trees": 0 }),
            "settings.forest.trees: 0; write 1 to 10000".into(),
        ),
        (
            json!({ "path": "x", "name": "a", "accept": { "by": "", "why": "late" } }),
            "accept: say who takes the ledger as it is, and why".into(),
        ),
    ] {
        assert_eq!(job.check(&args(given)), Err(refused));
    }
    assert_eq!(job.check(&args(json!({ "path": "x", "name": "acme 2025 @ head" }))), Ok(()));
    for unreadable in [json!({ "path": "x" }), json!({ "path": "x", "name": "a", "nmae": 1 })] {
        assert!(serde_json::from_value::<TrainModelArgs>(unreadable).is_err());
    }
}
