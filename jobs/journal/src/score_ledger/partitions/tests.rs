use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jobkit::testing::{Bench, Crash, FakeDatabases, FakeObjects};
use jobkit::{Job, RawJson};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::super::tests::{ALL_FILES, args, job, ledger, summary, world, written};
use super::super::*;
use super::*;
use crate::attempt::{self, tests::sources};
use crate::run::Summary;
use crate::score_part::ScorePart;

/// A job in partitions, and whoever does what it asks for.
struct World {
    bench: Bench,
    ledger: ScoreLedger,
    part: ScorePart,
    clear: ClearParts,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledgers = folder.path().to_path_buf();
        Self::at(&ledgers, folder)
    }

    fn at(ledgers: &Path, folder: tempfile::TempDir) -> Self {
        let config =
            Config { out_dir: folder.path().join("out"), roots: vec![ledgers.into()], ..Config::default() };
        Self {
            bench: Bench::default(),
            ledger: job(folder.path(), ledgers),
            part: ScorePart::new(config.clone()),
            clear: ClearParts::new(config),
            folder,
        }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out").join(self.bench.id.to_string())
    }

    fn bench_of(&self, id: JobId) -> Bench {
        let mut bench = Bench::default();
        (bench.id, bench.host) = (id, self.bench.host.clone());
        bench
    }

    fn spawned(&self, kind: &str) -> Vec<(JobId, NewJob)> {
        self.bench.host.spawned().into_iter().filter(|(_, job)| job.kind == kind).collect()
    }

    fn tell(&self, id: JobId, state: &str, error: Option<&str>) {
        self.bench.host.child_ended(ChildResult {
            id,
            state: state.into(),
            result: None,
            error: error.map(Into::into),
            attempts: 1,
        });
    }

    /// Does the jobs with these ids, in the order in which they were made, as each of them waits for those before it.
    async fn work_off(&self, waited_for: &[JobId]) {
        for (id, new) in self.spawned(ScorePart::KIND) {
            let ctx = self.bench.ctx(ScoreLedger::KIND, 1);
            let ended = ctx.children(&[id]).await.unwrap()[0].state == "completed";
            if waited_for.contains(&id) && !ended {
                let outcome = self.bench_of(id).run(&self.part, &parsed(&new.args), 1).await.unwrap();
                assert_eq!(outcome, Outcome::done());
                self.tell(id, "completed", None);
            }
        }
    }

    /// The job to its end, with all that it asks for.
    async fn settle(&self, args: &ScoreLedgerArgs) -> Result<Outcome, Failure> {
        loop {
            match self.bench.run(&self.ledger, args, 1).await? {
                Outcome::WaitFor(jobs) => self.work_off(&jobs).await,
                ended => return Ok(ended),
            }
        }
    }

    /// What comes behind the job.
    async fn clear(&self, state: &str) {
        self.tell(self.bench.id, state, None);
        for (id, new) in self.spawned(ClearParts::KIND) {
            assert_eq!((&*new.after, new.on_parent_failure), (&[self.bench.id][..], OnParentFailure::Run));
            let outcome = self.bench_of(id).run(&self.clear, &parsed(&new.args), 1).await.unwrap();
            assert_eq!(outcome, Outcome::done());
        }
    }
}

fn parsed<T: DeserializeOwned>(args: &RawJson) -> T {
    serde_json::from_str(args.get()).unwrap()
}

fn in_partitions(folder: &Path, partitions: usize) -> ScoreLedgerArgs {
    ScoreLedgerArgs { partitions: Some(partitions), ..ledger(folder) }
}

/// What a run leaves that is not of its own folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |file: fs::DirEntry| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap());
    fs::read_dir(folder).unwrap().map(|file| read(file.unwrap())).collect()
}

#[tokio::test]
async fn partitions_have_the_results_of_one_job_and_leave_nothing_behind() {
    let (alone, folder) = world();
    let expected = Bench::default().run(&alone, &ledger(folder.path()), 1).await.unwrap();
    for partitions in [2, 5] {
        let world = World::new();
        let found = world.settle(&in_partitions(world.folder.path(), partitions)).await.unwrap();

        let (found, expected) = (summary(&found), summary(&expected));
        assert_eq!((&found.scores_sha256, &found.top), (&expected.scores_sha256, &expected.top));
        assert_eq!(world.spawned(ScorePart::KIND).len(), partitions * Pass::ALL.len());
        world.clear("completed").await;
        assert_eq!(written(world.folder.path()), ALL_FILES);
    }
}

#[tokio::test]
async fn a_crash_at_any_step_leads_to_the_same_files() {
    let ledgers = tempfile::tempdir().unwrap();
    let args = in_partitions(ledgers.path(), 2);
    let undisturbed = World::at(ledgers.path(), tempfile::tempdir().unwrap());
    let expected = summary(&undisturbed.settle(&args).await.unwrap());
    let mut tried = 0;
    'points: for point in 0.. {
        for crash in [Crash::BeforeStored(point), Crash::AfterStored(point)] {
            let world = World::at(ledgers.path(), tempfile::tempdir().unwrap());
            world.bench.host.crash_at(crash);
            tokio::select! {
                biased;
                () = world.bench.host.crashed() => tried += 1,
                _ = world.settle(&args) => break 'points,
            }
            let found = summary(&world.settle(&args).await.unwrap());

            assert_eq!(
                (&found.scores_sha256, &found.top),
                (&expected.scores_sha256, &expected.top),
                "{crash:?}"
            );
            world.clear("completed").await;
            assert_eq!(written(world.folder.path()), ALL_FILES, "{crash:?}");
        }
    }
    // Four stages, the jobs of six passes, and the one that clears up.
    assert_eq!(tried, 2 * (4 + 6 + 1));
}

#[tokio::test]
async fn what_models_score_in_partitions_is_what_they_score_in_one_job_though_it_crashes_at_any_step() {
    let ledgers = tempfile::tempdir().unwrap();
    let path = attempt::tests::ledger(ledgers.path(), "ledger.csv", 3);
    let other = attempt::tests::ledger(ledgers.path(), "other.csv", 4);
    let models = [("acme", &path), ("rival", &other)];
    let models = models.map(|(name, path)| attempt::tests::train(name, path, ledgers.path()));
    let asked = |partitions| {
        args(json!({ "path": path, "model": "acme", "challenger": "rival@1", "partitions": partitions }))
    };
    let start = async || {
        let world = World::at(ledgers.path(), tempfile::tempdir().unwrap());
        attempt::tests::list(&world.bench, &[&models[0], &models[1]]).await;
        world
    };
    let told = |summary: Summary| (summary.scores_sha256, summary.top, summary.model);
    let expected = told(summary(&start().await.settle(&asked(1)).await.unwrap()));
    assert!(expected.2.as_ref().is_some_and(|model| model.challenge.is_some()));

    let in_two = asked(2);
    let mut tried = 0;
    'points: for point in 0.. {
        for crash in [Crash::BeforeStored(point), Crash::AfterStored(point)] {
            let world = start().await;
            world.bench.host.crash_at(crash);
            tokio::select! {
                biased;
                () = world.bench.host.crashed() => tried += 1,
                _ = world.settle(&in_two) => break 'points,
            }
            let found = told(summary(&world.settle(&in_two).await.unwrap()));

            assert_eq!(found, expected, "{crash:?}");
            // A model has counted already what a ledger teaches itself.
            assert_eq!(world.spawned(ScorePart::KIND).len(), 2 * (Pass::ALL.len() - 1), "{crash:?}");
            world.clear("completed").await;
            assert_eq!(written(world.folder.path()), ALL_FILES, "{crash:?}");
        }
    }
    // Two models found, four stages, the jobs of five passes, and the one that clears up.
    assert_eq!(tried, 2 * (2 + 4 + 5 + 1));
}

#[tokio::test]
async fn a_model_that_goes_away_meanwhile_is_beside_the_parts() {
    let world = World::new();
    let path = attempt::tests::ledger(world.folder.path(), "ledger.csv", 3);
    let model = attempt::tests::train("acme", &path, world.folder.path());
    let asked = args(json!({ "path": path, "model": "acme", "partitions": 2 }));
    for file in [model.file.clone(), "s3://models/acme.jemodel".into()] {
        let address = file.to_str().unwrap();
        let objects = Arc::new(FakeObjects::default().with(address, fs::read(&model.file).unwrap()));
        let sources = Sources { objects: objects.clone(), databases: Arc::new(FakeDatabases::default()) };
        let config = |roots| Config { out_dir: world.folder.path().join("out"), roots, ..Config::default() };
        let folder = world.folder.path().to_path_buf();
        let run = async |roots| {
            let ledger = ScoreLedger::new(config(roots), sources.clone());
            World { ledger, ..World::at(&folder, tempfile::tempdir().unwrap()) }
        };
        let world = run(vec![folder.clone(), "s3://models".into()]).await;
        let ctx = world.bench.ctx("journal.train_model", 1);
        let listed = jobkit::NewModel { path: address.into(), ..crate::registry::entry(&model) };
        ctx.models().add(&ctx, &listed).await.unwrap();
        ctx.models().promote(&ctx, &model.id).await.unwrap();
        let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &asked, 1).await.unwrap() else {
            panic!()
        };

        // Nobody may read it any more, nor would find it.
        let world =
            World { ledger: ScoreLedger::new(config(vec![folder.clone()]), sources.clone()), ..world };
        objects.put(address, "no model");
        fs::rename(&model.file, folder.join("moved")).unwrap();
        world.work_off(&first).await;
        let found = summary(&world.settle(&asked).await.unwrap());
        fs::rename(folder.join("moved"), &model.file).unwrap();

        assert_eq!(found.model_id, model.id);
        let results =
            fs::read(found.outputs.iter().find(|file| file.ends_with("results.json")).unwrap()).unwrap();
        assert!(String::from_utf8(results).unwrap().contains(&format!("--model {address}")));
    }
}

#[tokio::test]
async fn a_share_that_is_done_twice_leaves_the_same_files() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.work_off(&first).await;
    let Outcome::WaitFor(rest) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.work_off(&rest).await;
    let parts = fs::read_dir(world.out()).unwrap().next().unwrap().unwrap().path();
    let before = files(&parts);

    for (id, new) in world.spawned(ScorePart::KIND) {
        let bench = world.bench_of(id);
        assert_eq!(bench.run(&world.part, &parsed(&new.args), 2).await.unwrap(), Outcome::done());
        // As one would do it that crashed before it could say what its share came to. The records are gone by then.
        let ScorePartArgs { stint, .. } = parsed(&new.args);
        if stint.pass > Pass::Tie {
            fs::remove_file(parts.join(format!("sums-{}-{}", stint.pass.name(), stint.index))).unwrap();
            assert_eq!(bench.run(&world.part, &parsed(&new.args), 3).await.unwrap(), Outcome::done());
        }
    }

    assert!(files(&parts) == before);
}

#[tokio::test]
async fn what_was_read_is_what_is_scored_though_the_ledger_changes_meanwhile() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    let before = fs::read(&args.path).unwrap();
    fs::write(&args.path, String::from_utf8(before.clone()).unwrap().replacen("EUR", "USD", 1)).unwrap();

    world.work_off(&first).await;
    let found = summary(&world.settle(&args).await.unwrap());

    let undisturbed = World::new();
    fs::write(undisturbed.folder.path().join("ledger.csv"), before).unwrap();
    let path = undisturbed.folder.path().join("ledger.csv");
    let expected = undisturbed.settle(&ScoreLedgerArgs { path, ..args }).await.unwrap();
    let expected = summary(&expected);
    assert_eq!((found.sha256, found.scores_sha256), (expected.sha256, expected.scores_sha256));
}

#[tokio::test]
async fn a_run_goes_on_in_as_many_partitions_as_it_began_with() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 3);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.work_off(&first).await;

    // As if another number were configured by now.
    let other = ScoreLedgerArgs { partitions: Some(1), ..args };
    let Outcome::WaitFor(rest) = world.bench.run(&world.ledger, &other, 1).await.unwrap() else { panic!() };
    assert_eq!(rest.len(), 5 * 3);
    world.work_off(&rest).await;
    let ended = world.bench.run(&world.ledger, &other, 1).await.unwrap();

    assert!(matches!(ended, Outcome::Completed(_)));
}

#[tokio::test]
async fn the_failure_of_a_share_is_that_of_the_job_and_those_behind_it_do_not_hide_it() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.work_off(&first).await;
    let Outcome::WaitFor(rest) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    rest.iter().for_each(|id| world.tell(*id, "cancelled", Some("a parent was discarded")));
    world.tell(rest[3], "discarded", Some("the disk is full"));

    let failure = world.bench.run(&world.ledger, &args, 1).await.unwrap_err();

    assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
    let says = format!("job {}, which had a share of the work, was discarded: the disk is full", rest[3]);
    assert!(failure.to_string().starts_with(&says), "{failure}");
    world.clear("discarded").await;
    assert_eq!(written(world.folder.path()), [""; 0]);
}

#[tokio::test]
async fn shares_for_a_job_that_was_cancelled_are_cancelled_and_its_folder_goes() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(_) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.clear("cancelled").await;

    for (id, new) in world.spawned(ScorePart::KIND) {
        let ended = world.bench_of(id).run(&world.part, &parsed(&new.args), 1).await.unwrap();
        let why = format!("job {}, which it was for, is cancelled", world.bench.id);
        assert_eq!(ended, Outcome::Cancelled(why));
    }
    assert_eq!(written(world.folder.path()), [""; 0]);
}

#[tokio::test]
async fn nothing_is_cleared_while_the_job_is_alive() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(_) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    let before = written(world.folder.path());

    let (id, new) = world.spawned(ClearParts::KIND).remove(0);
    let outcome = world.bench_of(id).run(&world.clear, &parsed(&new.args), 1).await.unwrap();

    assert_eq!(outcome, Outcome::WaitFor(vec![world.bench.id]));
    assert_eq!(written(world.folder.path()), before);
}

#[tokio::test]
async fn parts_are_not_taken_for_cleared_by_a_worker_that_does_not_see_their_folder() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(_) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.tell(world.bench.id, "cancelled", None);
    let away = world.folder.path().join("away");
    fs::rename(world.out(), &away).unwrap();

    let (id, new) = world.spawned(ClearParts::KIND).remove(0);
    let failure = world.bench_of(id).run(&world.clear, &parsed(&new.args), 1).await.unwrap_err();

    // Another worker may see it.
    assert!(matches!(failure, Failure::Transient(_)), "{failure}");
    assert!(failure.to_string().contains(&*world.out().to_string_lossy()), "{failure}");
    fs::rename(&away, world.out()).unwrap();
    world.clear("cancelled").await;
    assert_eq!(written(world.folder.path()), [""; 0]);
}

#[test]
fn the_folder_that_several_jobs_see_has_one_name_in_every_working_directory() {
    let config = |partitions| Config { out_dir: "results/journal".into(), partitions, ..Config::default() };
    let bench = Bench::default();
    let ctx = bench.ctx(ScoreLedger::KIND, 1);
    let relative = Path::new("results/journal").join(bench.id.to_string());
    for (configured, given, is_shared) in [
        (1, json!({ "path": "x" }), false),
        (2, json!({ "path": "x" }), true),
        (1, json!({ "path": "x", "partitions": 3 }), true),
        (2, json!({ "path": "x", "partitions": 1 }), false),
        (2, json!({ "path": "x", "model": "acme" }), true),
    ] {
        let job = ScoreLedger::new(config(configured), sources(FakeObjects::default()));
        let given = args(given);

        let out_dir = job.ledgers.request(job.asked(&given), &ctx).unwrap().out_dir;

        let absolute = std::env::current_dir().unwrap().join(&relative);
        assert_eq!(out_dir, if is_shared { absolute } else { relative.clone() }, "{given:?}");
    }
}

/// Somebody mended the ledger of a job that was discarded, and retried it.
#[tokio::test]
async fn what_a_later_attempt_puts_aside_is_cleared_though_that_of_an_earlier_one_has_been() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let whole = fs::read(&args.path).unwrap();
    fs::write(&args.path, "no ledger").unwrap();
    world.bench.run(&world.ledger, &args, 1).await.unwrap_err();
    world.clear("discarded").await;
    let earlier: Vec<JobId> = world.spawned(ClearParts::KIND).iter().map(|(id, _)| *id).collect();
    fs::write(&args.path, whole).unwrap();
    world.tell(world.bench.id, "running", None);

    let Outcome::WaitFor(jobs) = world.bench.run(&world.ledger, &args, 2).await.unwrap() else { panic!() };
    let cleared_by: Vec<JobId> = world.spawned(ClearParts::KIND).iter().map(|(id, _)| *id).collect();
    assert_eq!((earlier.len(), cleared_by.len()), (1, 2));
    // One that goes on with what was read needs no other.
    world.work_off(&jobs).await;
    let Outcome::WaitFor(_) = world.bench.run(&world.ledger, &args, 3).await.unwrap() else { panic!() };
    assert_eq!(world.spawned(ClearParts::KIND).len(), 2);

    world.tell(world.bench.id, "cancelled", None);
    let (id, new) = world.spawned(ClearParts::KIND).remove(1);
    let outcome = world.bench_of(id).run(&world.clear, &parsed(&new.args), 1).await.unwrap();
    assert_eq!(outcome, Outcome::done());
    assert_eq!(written(world.folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_worker_that_does_not_see_the_parts_names_the_folder_and_the_remedy() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    fs::rename(world.out(), world.folder.path().join("away")).unwrap();

    let (_, new) = world.spawned(ScorePart::KIND).remove(0);
    let of_share = world.bench_of(first[0]).run(&world.part, &parsed(&new.args), 1).await.unwrap_err();
    first.iter().for_each(|id| world.tell(*id, "completed", None));
    let of_job = world.bench.run(&world.ledger, &args, 1).await.unwrap_err();

    for failure in [of_share, of_job] {
        // Another worker may see it.
        assert!(matches!(failure, Failure::Transient(_)), "{failure}");
        let says = failure.to_string();
        assert!(says.contains(&*world.out().to_string_lossy()) && says.contains("journal.out_dir"), "{says}");
    }
}

#[tokio::test]
async fn a_share_keeps_within_the_folders_of_the_configuration_and_the_settings_of_its_job() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    let given: ScorePartArgs = parsed(&world.spawned(ScorePart::KIND)[0].1.args);

    for (args, says) in [
        (
            ScorePartArgs { out_dir: "/etc".into(), ..given.clone() },
            "out_dir: /etc is in no folder of journal.roots",
        ),
        (ScorePartArgs { settings_sha256: "other".into(), ..given.clone() }, "the settings differ"),
    ] {
        let failure = world.bench_of(first[0]).run(&world.part, &args, 1).await.unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
        assert!(failure.to_string().starts_with(says), "{failure}");
    }
    assert!(ScorePart::new(Config::default()).policy().internal && world.clear.policy().internal);
}

#[tokio::test]
async fn a_ledger_in_a_bucket_is_fetched_once_and_may_change_behind_the_run() {
    let world = World::new();
    let local = ledger(world.folder.path());
    let alone = summary(&Bench::default().run(&world.ledger, &local, 1).await.unwrap());
    let objects = Arc::new(FakeObjects::default().with("s3://books/GL.csv", fs::read(&local.path).unwrap()));
    let config = Config {
        out_dir: world.folder.path().join("out"),
        roots: vec!["s3://books".into()],
        ..Config::default()
    };
    let sources = Sources { objects: objects.clone(), databases: Arc::new(FakeDatabases::default()) };
    let world = World { ledger: ScoreLedger::new(config, sources), ..world };
    let args = ScoreLedgerArgs { path: "s3://books/GL.csv".into(), partitions: Some(2), ..local };
    let Outcome::WaitFor(_) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    objects.put("s3://books/GL.csv", "no ledger");

    let found = summary(&world.settle(&args).await.unwrap());

    assert_eq!((found.sha256, found.scores_sha256), (alone.sha256, alone.scores_sha256));
    assert_eq!(found.path, args.path);
}

/// As a power cut may leave it: entries that are not there must not be missing without a word.
#[tokio::test]
async fn a_file_of_entries_that_lost_its_end_is_noticed() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    for _ in 0..2 {
        let Outcome::WaitFor(jobs) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else {
            panic!()
        };
        world.work_off(&jobs).await;
    }
    let parts = fs::read_dir(world.out()).unwrap().next().unwrap().unwrap().path();
    fs::write(parts.join("rows-1"), "").unwrap();

    let failure = world.bench.run(&world.ledger, &args, 1).await.unwrap_err();

    assert!(matches!(failure, Failure::Transient(_)), "{failure}");
    assert!(!world.out().join("results.json").exists());
}

#[tokio::test]
async fn other_settings_than_those_it_began_with_end_a_run() {
    let world = World::new();
    let args = in_partitions(world.folder.path(), 2);
    let Outcome::WaitFor(first) = world.bench.run(&world.ledger, &args, 1).await.unwrap() else { panic!() };
    world.work_off(&first).await;

    let other = ScoreLedgerArgs { trees: Some(7), ..args };
    let failure = world.bench.run(&world.ledger, &other, 1).await.unwrap_err();

    assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
    assert!(failure.to_string().starts_with("the settings differ"), "{failure}");
}

#[test]
fn more_partitions_than_there_may_be_are_refused_at_the_door() {
    let (job, _folder) = world();
    for (partitions, says) in [(0, "partitions: 0; write 1 to 64"), (65, "partitions: 65; write 1 to 64")] {
        assert_eq!(job.check(&args(json!({ "path": "x", "partitions": partitions }))), Err(says.into()));
    }
    assert_eq!(job.check(&args(json!({ "path": "x", "partitions": 64 }))), Ok(()));
}
