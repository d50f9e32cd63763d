//! Ledgers that are scored by models of the list.

use super::*;
use crate::attempt::tests::{config, crash_at_every_step, ledger, list, train};
use crate::drift::Level;
use crate::run::{ByModel, Trained};

/// A ledger, a model of it and one of another.
fn by_model() -> (ScoreLedger, [Trained; 2], PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = ledger(folder.path(), "ledger.csv", 3);
    let other = ledger(folder.path(), "other.csv", 4);
    let models = [train("acme", &path, folder.path()), train("rival", &other, folder.path())];
    (ScoreLedger::new(config(folder.path()), sources(FakeObjects::default())), models, path, folder)
}

async fn run(job: &ScoreLedger, models: &[Trained; 2], given: Value) -> Result<Outcome, Failure> {
    let bench = Bench::default();
    let [model, other] = models;
    list(&bench, &[model, other]).await;
    bench.run(job, &args(given), 1).await
}

#[tokio::test]
async fn a_ledger_is_scored_by_the_champion_a_version_or_an_id() {
    let (job, models, path, _folder) = by_model();
    let id = models[0].id.clone();
    let mut hashes = Vec::new();
    for asked in ["acme", "acme@1", &id, &models[0].sha256] {
        let found = summary(&run(&job, &models, json!({ "path": path, "model": asked })).await.unwrap());

        assert_eq!(found.model_id, id);
        let ByModel { model, drift, challenge, .. } = found.model.unwrap();
        assert_eq!((&*model, drift, challenge), ("acme, version 1", Level::Calm, None));
        hashes.push(found.scores_sha256);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
}

#[tokio::test]
async fn a_challenger_is_told_beside_the_champion() {
    let (job, models, path, _folder) = by_model();
    let asked = json!({ "path": path, "model": "acme", "challenger": "rival@1" });

    let alone = summary(&run(&job, &models, json!({ "path": path, "model": "acme" })).await.unwrap());
    let found = summary(&run(&job, &models, asked).await.unwrap());

    assert_eq!((&found.scores_sha256, &found.top), (&alone.scores_sha256, &alone.top));
    let challenge = found.model.unwrap().challenge.unwrap();
    assert_eq!((challenge.model.called(), challenge.entries), ("rival, version 1".to_string(), 400));
}

#[tokio::test]
async fn a_crash_at_any_step_scores_by_the_model_that_was_found_first() {
    let (job, models, path, _folder) = by_model();
    let asked = args(json!({ "path": path, "model": "acme", "challenger": "rival@1" }));
    let expected = summary(
        &run(&job, &models, json!({ "path": path, "model": "acme", "challenger": "rival@1" })).await.unwrap(),
    );

    let tried = crash_at_every_step(&asked, &job, &[&models[0], &models[1]], |outcome| {
        let found = summary(outcome);
        assert_eq!((&found.scores_sha256, &found.model), (&expected.scores_sha256, &expected.model));
    })
    .await
    .unwrap();

    // Model, challenger, read, survey, score, write.
    assert_eq!(tried, 2 * 6);
}

#[tokio::test]
async fn a_promotion_between_two_attempts_changes_no_scores() {
    let (job, [model, _], path, folder) = by_model();
    let newer = train("acme", &ledger(folder.path(), "newer.csv", 9), folder.path());
    let args = args(json!({ "path": path, "model": "acme" }));
    let bench = Bench::default();
    list(&bench, &[&model, &newer]).await;
    bench.host.crash_at(testing::Crash::AfterStored(0));
    let ctx = bench.ctx(ScoreLedger::KIND, 1);
    tokio::select! {
        () = bench.host.crashed() => {}
        _ = job.run(args.clone(), &ctx) => panic!("it should have died"),
    }

    ctx.models().promote(&ctx, &newer.id).await.unwrap();
    let found = summary(&bench.run(&job, &args, 2).await.unwrap());

    assert_eq!(found.model_id, model.id);
}

#[tokio::test]
async fn a_file_that_is_not_the_one_of_the_list_is_refused() {
    let (job, models, path, _folder) = by_model();
    let ask = json!({ "path": path, "model": "acme" });
    let whole = fs::read(&models[0].file).unwrap();
    let mut flipped = whole.clone();
    flipped[9_999] ^= 4;
    for (bytes, says) in [
        (flipped, "its bytes are not those that were written"),
        (fs::read(&models[1].file).unwrap(), "it is a model, but not the one that the list of models has"),
        (whole[..5_000].to_vec(), "it is cut off: it has 5000 bytes"),
    ] {
        fs::write(&models[0].file, bytes).unwrap();
        let failure = run(&job, &models, ask.clone()).await.unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
        assert!(failure.to_string().contains(says), "{failure}");
    }
    fs::remove_file(&models[0].file).unwrap();
    let failure = run(&job, &models, ask).await.unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
}

/// The list has its path: moving it does not help.
#[tokio::test]
async fn a_model_outside_the_roots_is_refused_and_the_remedy_is_to_add_its_folder() {
    let (_, models, path, folder) = by_model();
    let files = models.each_ref().map(|model| model.file.clone());
    let with = |roots| {
        let config = Config { roots, out_dir: folder.path().join("elsewhere"), ..config(folder.path()) };
        ScoreLedger::new(config, sources(FakeObjects::default()))
    };
    let asked = json!({ "path": path, "model": "acme", "challenger": "rival@1" });

    for (job, field, file) in [
        (with(vec![path.clone()]), "model", &files[0]),
        (with(vec![path.clone(), files[0].clone()]), "challenger", &files[1]),
    ] {
        let failure = run(&job, &models, asked.clone()).await.unwrap_err();

        assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
        let file = file.display();
        let says = format!("{field}: {file} is in no folder of journal.roots; add its folder there, since");
        assert!(failure.to_string().starts_with(&says), "{failure}");
    }
}

#[test]
fn a_model_without_a_name_and_a_challenger_without_a_model_are_refused_at_the_door() {
    let (job, _folder) = world();
    for (given, refused) in [
        (json!({ "path": "x", "model": "" }), "model: is empty; write a name, NAME@VERSION or an id"),
        (
            json!({ "path": "x", "model": "a", "challenger": " " }),
            "challenger: is empty; write a name, NAME@VERSION or an id",
        ),
        (
            json!({ "path": "x", "challenger": "a" }),
            "challenger: is compared with a model; name that too, in `model`",
        ),
    ] {
        assert_eq!(job.check(&args(given)), Err(refused.into()));
    }
}
