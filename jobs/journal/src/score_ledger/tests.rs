use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use jobkit::testing::{self, Bench, FakeDatabases, FakeObjects};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::attempt::tests::sources;
use crate::queries::NamedQuery;
use crate::run::{RunError, Watch};
use crate::sample::{self, SampleParams};

mod by_model;

/// A folder for a small ledger, and the job that reads it and writes its results below it.
pub(super) fn world() -> (ScoreLedger, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (job(folder.path(), folder.path()), folder)
}

pub(super) fn job(results: &Path, ledgers: &Path) -> ScoreLedger {
    let config = Config { out_dir: results.join("out"), roots: vec![ledgers.into()], ..Config::default() };
    ScoreLedger::new(config, sources(FakeObjects::default()))
}

pub(super) fn ledger(folder: &Path) -> ScoreLedgerArgs {
    let path = folder.join("ledger.csv");
    let params = SampleParams { entries: 400, seed: 3 };
    sample::write(&mut fs::File::create(&path).unwrap(), &params).unwrap();
    args(json!({ "path": path, "top": 5 }))
}

pub(super) fn args(json: Value) -> ScoreLedgerArgs {
    serde_json::from_value(json).unwrap()
}

pub(super) fn summary(outcome: &Outcome) -> Summary {
    let Outcome::Completed(Some(result)) = outcome else { panic!("{outcome:?}") };
    serde_json::from_value(result.clone()).unwrap()
}

/// Names of all files below the folder of results.
pub(super) fn written(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.join("out"))
        .unwrap()
        .flat_map(|job| fs::read_dir(job.unwrap().path()).unwrap())
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(super) const ALL_FILES: [&str; 9] = [
    "all_scores.csv",
    "all_scores.parquet",
    "completeness.json",
    "rejected.csv",
    "report.html",
    "report.pdf",
    "results.json",
    "summary.txt",
    "workpaper.xlsx",
];

#[tokio::test]
async fn a_second_run_writes_nothing_again_and_has_the_same_result() {
    let (job, folder) = world();
    let args = ledger(folder.path());
    let bench = Bench::default();

    let first = bench.run(&job, &args, 1).await.unwrap();
    let files = written(folder.path());
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    let second = bench.run(&job, &args, 2).await.unwrap();

    assert_eq!(files, ALL_FILES);
    assert_eq!(first, second);
    assert!(!folder.path().join("out").exists());
}

#[tokio::test]
async fn two_jobs_on_one_file_find_the_same_scores() {
    let (job, folder) = world();
    let args = ledger(folder.path());

    let (first, second) = testing::run_twice(&job, &args).await;
    let fresh = testing::run(&job, &args).await.unwrap();

    assert_eq!(first.as_ref().unwrap(), second.as_ref().unwrap());
    assert_eq!(summary(&first.unwrap()).scores_sha256, summary(&fresh).scores_sha256);
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_whole_files_and_the_same_scores() {
    let ledgers = tempfile::tempdir().unwrap();
    let args = ledger(ledgers.path());
    let world = || {
        let folder = tempfile::tempdir().unwrap();
        (job(folder.path(), ledgers.path()), folder)
    };
    let expected = summary(&testing::run(&world().0, &args).await.unwrap());

    let tried = testing::crash_at_every_step(&args, world, |outcome, folder| {
        let found = summary(outcome);
        assert_eq!((&found.scores_sha256, &found.top), (&expected.scores_sha256, &expected.top));
        assert_eq!(written(folder.path()), ALL_FILES);
    })
    .await
    .unwrap();

    assert_eq!(tried, 2 * 4);
}

#[tokio::test]
async fn a_file_changed_between_attempts_is_refused() {
    let (job, folder) = world();
    let args = ledger(folder.path());
    let bench = Bench::default();
    bench.host.crash_at(testing::Crash::AfterStored(1));
    let ctx = bench.ctx(ScoreLedger::KIND, 1);
    tokio::select! {
        () = bench.host.crashed() => {}
        _ = job.run(args.clone(), &ctx) => panic!("it should have died"),
    }

    let changed = fs::read_to_string(&args.path).unwrap().replacen("EUR", "USD", 1);
    fs::write(&args.path, changed).unwrap();
    let failure = bench.run(&job, &args, 2).await.unwrap_err();

    assert!(matches!(failure, Failure::Permanent(_)));
    assert_eq!(
        failure.to_string(),
        "the lines differ from those of an earlier attempt: the ledger or the program changed; enqueue a new job"
    );
}

#[tokio::test]
async fn progress_only_grows_and_ends_at_a_hundred() {
    let (job, folder) = world();
    let bench = Bench::default();

    bench.run(&job, &ledger(folder.path()), 1).await.unwrap();

    let told: Vec<_> = bench.host.progress().into_iter().map(|progress| progress.done).collect();
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&100));
}

#[tokio::test]
async fn a_job_asked_to_stop_is_interrupted() {
    let (job, folder) = world();
    let args = ledger(folder.path());
    let ctx = Bench::default().ctx(ScoreLedger::KIND, 1);
    ctx.cancelled().cancel();

    let failure = job.run(args, &ctx).await.unwrap_err();

    assert!(matches!(failure, Failure::Interrupted(_)));
    assert!(!folder.path().join("out").exists());
}

#[tokio::test]
async fn a_file_that_will_never_do_is_a_permanent_failure() {
    let (job, folder) = world();
    let no_lines = folder.path().join("no_lines.csv");
    fs::write(&no_lines, "Journal_ID,GL_Account_Number,Amount\n,1,2\n").unwrap();
    for path in [folder.path().join("missing.csv"), folder.path().into(), no_lines] {
        let failure = testing::run(&job, &args(json!({ "path": path }))).await.unwrap_err();

        assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
        assert!(failure.to_string().contains(&*path.to_string_lossy()), "{failure}");
    }
}

#[tokio::test]
async fn a_file_outside_the_roots_is_neither_read_nor_written_and_the_field_is_named() {
    let (job, folder) = world();
    let (_, elsewhere) = world();
    let foreign = ledger(elsewhere.path());
    let into_foreign =
        ScoreLedgerArgs { out_dir: Some(elsewhere.path().join("new")), ..ledger(folder.path()) };

    for (args, field) in [(foreign, "path: "), (into_foreign, "out_dir: ")] {
        let failure = testing::run(&job, &args).await.unwrap_err();

        assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
        assert!(failure.to_string().starts_with(field), "{failure}");
        assert!(failure.to_string().contains("journal.roots"), "{failure}");
    }
    assert!(!elsewhere.path().join("new").exists());
}

/// An attempt that was given back and the next one had the same number. They wrote into one file, and what was
/// published had a hole where the first had been.
const IN_A_BUCKET: &str = "s3://books/2026/GL.csv";

/// The job, the bucket that it may read, and a folder for its results.
fn with_bucket(ledger: &Path) -> (ScoreLedger, Arc<FakeObjects>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(FakeObjects::default().with(IN_A_BUCKET, fs::read(ledger).unwrap()));
    let roots = vec!["s3://books/2026".into()];
    let config = Config { out_dir: folder.path().join("out"), roots, ..Config::default() };
    let sources = Sources { objects: objects.clone(), databases: Arc::new(FakeDatabases::default()) };
    (ScoreLedger::new(config, sources), objects, folder)
}

#[tokio::test]
async fn a_ledger_in_a_bucket_is_scored_as_one_in_a_folder_is_also_after_a_crash() {
    let (here, folder) = world();
    let in_a_folder = ledger(folder.path());
    let expected = summary(&testing::run(&here, &in_a_folder).await.unwrap());
    let world = || {
        let (job, _, folder) = with_bucket(&in_a_folder.path);
        (job, folder)
    };

    let args = args(json!({ "path": IN_A_BUCKET, "top": 5 }));
    let tried = testing::crash_at_every_step(&args, world, |outcome, folder| {
        let found = summary(outcome);
        assert_eq!((&found.scores_sha256, &found.top), (&expected.scores_sha256, &expected.top));
        assert_eq!(found.path, Path::new(IN_A_BUCKET));
        // Nothing is left of what was fetched.
        assert_eq!(written(folder.path()), ALL_FILES);
    })
    .await
    .unwrap();

    assert_eq!(tried, 2 * 4);
}

#[tokio::test]
async fn a_ledger_that_was_uploaded_is_scored_as_one_in_a_folder_is_and_nothing_is_left_of_it() {
    let (here, folder) = world();
    let in_a_folder = ledger(folder.path());
    let expected = summary(&testing::run(&here, &in_a_folder).await.unwrap());
    let (job, _, results) = with_bucket(&in_a_folder.path);
    let bench = Bench::default();
    let id: UploadId = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab".parse().unwrap();
    bench.host.upload(id, fs::read(&in_a_folder.path).unwrap());
    let asked = args(json!({ "path": id.address(), "top": 5 }));

    let found = summary(&bench.run(&job, &asked, 1).await.unwrap());

    assert_eq!((&found.scores_sha256, &found.top), (&expected.scores_sha256, &expected.top));
    assert_eq!(found.path, Path::new(&id.address()));
    assert_eq!(written(results.path()), ALL_FILES);
    let trial_balance: UploadId = "019c0a2e-5a5c-7cc1-b6c0-0123456789ac".parse().unwrap();
    let both = args(json!({ "path": id.address(), "trial_balance": trial_balance.address() }));
    assert_eq!(job.uploads(&both), [id, trial_balance]);
    let Err(Failure::Permanent(error)) = bench.run(&job, &both, 2).await else { panic!("it is not there") };
    assert!(error.to_string().starts_with("trial_balance: fetching"), "{error}");
    let odd = args(json!({ "path": "upload:../x" }));
    assert!(job.check(&odd).unwrap_err().starts_with("path: is no id of an upload"));
}

/// A report can be handed in, for somebody to sign; it was once read as a CSV without the right columns.
#[tokio::test]
async fn an_upload_that_is_a_report_is_refused_by_its_field_with_what_to_hand_in() {
    let (_, folder) = world();
    let ledger = ledger(folder.path()).path;
    let (job, _, results) = with_bucket(&ledger);
    let bench = Bench::default();
    let ids = ["019c0a2e-5a5c-7cc1-b6c0-0123456789ab", "019c0a2e-5a5c-7cc1-b6c0-0123456789ac"];
    let [good, report]: [UploadId; 2] = ids.map(|id| id.parse().unwrap());
    bench.host.upload(good, fs::read(&ledger).unwrap());
    for (bytes, what) in [(b"%PDF-1.7\n%%EOF\n".to_vec(), "a PDF"), (docx(), "DOCX")] {
        bench.host.upload(report, bytes);
        for (given, field) in [
            (json!({ "path": report.address() }), "path: "),
            (json!({ "path": good.address(), "trial_balance": report.address() }), "trial_balance: "),
            (json!({ "path": good.address(), "entry_log": report.address() }), "entry_log: "),
        ] {
            let failure = bench.run(&job, &args(given), 1).await.unwrap_err();
            let told = failure.chain();
            assert!(matches!(failure, Failure::Permanent(_)), "{told}");
            assert!(told.starts_with(field) && told.contains(what) && told.contains("hand in"), "{told}");
            assert!(written(results.path()).is_empty());
        }
    }
}

fn docx() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["[Content_Types].xml", "word/document.xml"] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn an_object_changed_between_attempts_is_refused() {
    let (_, folder) = world();
    let ledger = ledger(folder.path()).path;
    let (job, objects, _results) = with_bucket(&ledger);
    let args = args(json!({ "path": IN_A_BUCKET }));
    let bench = Bench::default();
    bench.host.crash_at(testing::Crash::AfterStored(1));
    let ctx = bench.ctx(ScoreLedger::KIND, 1);
    tokio::select! {
        () = bench.host.crashed() => {}
        _ = job.run(args.clone(), &ctx) => panic!("it should have died"),
    }

    objects.put(IN_A_BUCKET, fs::read_to_string(&ledger).unwrap().replacen("EUR", "USD", 1));
    let failure = bench.run(&job, &args, 2).await.unwrap_err();

    assert!(matches!(failure, Failure::Permanent(_)));
    assert!(
        failure.to_string().starts_with("the lines differ from those of an earlier attempt"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_address_outside_the_roots_is_not_fetched_and_one_without_object_is_final() {
    let (_, folder) = world();
    let (job, _, _results) = with_bucket(&ledger(folder.path()).path);
    for (path, says) in [
        ("s3://books/2025/GL.csv", "path: s3://books/2025/GL.csv is below no bucket of journal.roots"),
        ("s3://other/2026/GL.csv", "path: s3://other/2026/GL.csv is below no bucket of journal.roots"),
        ("s3://books/2026/none.csv", "there is no object `s3://books/2026/none.csv`"),
    ] {
        let Err(Failure::Permanent(error)) = testing::run(&job, &args(json!({ "path": path }))).await else {
            panic!("{path}")
        };
        let whole = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
        assert!(whole.map(ToString::to_string).any(|text| text.contains(says)), "{path}: {error}");
    }
}

#[tokio::test]
async fn two_claims_with_the_number_of_one_attempt_write_into_files_of_their_own() {
    let (job, folder) = world();
    let args = ledger(folder.path());
    let bench = Bench::default();
    let requests = [1, 1].map(|attempt| {
        job.ledgers.request(job.asked(&args), &bench.ctx(ScoreLedger::KIND, attempt)).unwrap()
    });
    let expected = summary(&testing::run(&job, &args).await.unwrap());
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    let [mut given_back, mut next] = requests.map(Run::new);
    let go_on: Watch<'_> = &|_, _, _| ControlFlow::Continue(());

    given_back.score(go_on).unwrap();
    next.score(go_on).unwrap();
    let late = given_back.write(go_on);
    let written_by_next = next.write(go_on).unwrap();
    // What is put aside goes with its run.
    drop((given_back, next));

    assert!(matches!(late, Err(RunError::Write { .. })), "what it had put aside is gone: {late:?}");
    assert_eq!(written_by_next.scores_sha256, expected.scores_sha256);
    assert_eq!(written(folder.path()), ALL_FILES);
}

/// Two jobs into one folder mixed their results, and a ledger that lay there under the name of one was replaced.
#[tokio::test]
async fn results_replace_neither_those_of_another_job_nor_a_ledger() {
    let (job, folder) = world();
    let out = folder.path().join("out");
    let mut args = ledger(folder.path());
    fs::create_dir(&out).unwrap();
    let path = out.join("all_scores.csv");
    fs::rename(&args.path, &path).unwrap();
    args.path = path;
    args.out_dir = Some(out.clone());
    let before = fs::read(&args.path).unwrap();
    let benches = [Bench::default(), Bench::default()];

    for bench in &benches {
        bench.run(&job, &args, 1).await.unwrap();
    }

    assert_eq!(fs::read(&args.path).unwrap(), before);
    for bench in benches {
        assert!(out.join(bench.id.to_string()).join("results.json").exists());
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again() {
    let (job, folder) = world();
    let mut args = ledger(folder.path());
    args.out_dir = Some(args.path.join("below_a_file"));

    let failure = testing::run(&job, &args).await.unwrap_err();

    assert!(matches!(failure, Failure::Transient(_)), "{failure}");
}

#[test]
fn impossible_arguments_are_refused_at_the_door_by_name() {
    let (job, _folder) = world();
    for (given, refused) in [
        (json!({ "path": "" }), "path: is empty; name the file"),
        (json!({ "path": "x", "trial_balance": "" }), "trial_balance: is empty; name the file"),
        (json!({ "path": "x", "trees": 0 }), "settings.forest.trees: 0; write 1 to 10000"),
        (json!({ "path": "x", "trees": 10_001 }), "settings.forest.trees: 10001; write 1 to 10000"),
        (json!({ "path": "x", "sample": 1 }), "settings.forest.sample: 1; write 2 to 65536"),
        (json!({ "path": "x", "top": 1_001 }), "settings.outputs.top: 1001 are too many; write at most 1000"),
        (
            json!({ "path": "x", "settings": { "risk": { "high": 0.1 } } }),
            "settings.risk.medium, high: 0.3 and 0.1 are no bounds of bands; write two numbers between 0 and 1, the \
             lower one for medium",
        ),
        (
            json!({ "path": "x", "accept": { "by": "", "why": "late" } }),
            "accept: say who takes the ledger as it is, and why",
        ),
    ] {
        assert_eq!(job.check(&args(given)), Err(refused.into()));
    }
    assert!(serde_json::from_value::<ScoreLedgerArgs>(json!({ "path": "x", "sed": 7 })).is_err());
}

#[tokio::test]
async fn a_ledger_that_is_taken_as_it_is_leaves_who_took_it_and_why_in_the_audit_log_once() {
    let (job, folder) = world();
    let balance = folder.path().join("balance.csv");
    fs::write(&balance, "account,opening,closing\nnowhere,0.00,1.00\n").unwrap();
    let accept = Accept { by: "KELLER".into(), why: "the closing is late".into() };
    let refused = ScoreLedgerArgs { trial_balance: Some(balance), ..ledger(folder.path()) };
    let accepted = ScoreLedgerArgs { accept: Some(accept), ..refused.clone() };
    let bench = Bench::default();

    let failure = testing::run(&job, &refused).await.unwrap_err();
    let first = bench.run(&job, &accepted, 1).await.unwrap();
    bench.run(&job, &accepted, 2).await.unwrap();

    assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
    assert!(failure.to_string().contains("does not roll forward"), "{failure}");
    assert!(summary(&first).roll_forward.ends_with("accepted by KELLER: the closing is late"));
    let audit = bench.host.audit();
    let [entry] = &*audit else { panic!("{audit:?}") };
    assert_eq!((&*entry.actor, &*entry.action), ("KELLER", "journal.accepted"));
    assert_eq!(entry.details["why"], "the closing is late");
    // The sample's accounts are in the ledger and not in the balance, and `nowhere` the other way round.
    assert!(entry.details["accounts_differing"].as_u64() > Some(1), "{entry:?}");
}

#[tokio::test]
async fn a_query_is_scored_like_a_file_and_its_parameters_are_its_own() {
    use sqlx::{Connection, Executor, SqliteConnection};
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("erp.db").display());
    let sql = "CREATE TABLE gl (entry, account, amount, day); INSERT INTO gl VALUES
               ('a', '1000', 5, '2025-01-02'), ('a', '2000', -5, '2025-01-02'), ('b', '1000', 7.5, '2025-02-03'), ('b', '2000', -7.5, '2025-02-03')";
    SqliteConnection::connect(&url).await.unwrap().execute(sql).await.unwrap();
    let query = |sql: &str| NamedQuery { database: "erp".into(), sql: sql.into() };
    let queries = [
        ("gl".to_owned(), query("SELECT * FROM gl WHERE day < $1 ORDER BY entry, account")),
        ("gone".to_owned(), query("SELECT * FROM gone ORDER BY 1")),
        ("elsewhere".to_owned(), NamedQuery { database: "crm".into(), ..query("SELECT 1 ORDER BY 1") }),
    ];
    let config = Config { out_dir: folder.path().join("out"), queries: queries.into(), ..Config::default() };
    let databases = Arc::new(FakeDatabases::default().with("erp", &url));
    let job = ScoreLedger::new(config, Sources { objects: Arc::new(FakeObjects::default()), databases });
    let args = |path: &str, parameters: &[&str]| {
        let mapping = json!({ "columns": { "entry": "entry", "account": "account", "amount": "amount", "effective": "day" } });
        args(json!({ "path": path, "parameters": parameters, "settings": { "mapping": mapping } }))
    };

    let told = testing::run(&job, &args("query:gl", &["2025-02-01"])).await.unwrap();
    let summary = summary(&told);
    assert_eq!((summary.entries, summary.lines, summary.rejected), (1, 2, 0));

    for (path, parameters, problem) in [
        ("query:gl", &[][..], "the query `gl` has 1, and 0 came"),
        ("query:gone", &[], "no such table: gone"),
        ("query:elsewhere", &[], "Unknown(\"crm\")"),
    ] {
        let failed = testing::run(&job, &args(path, parameters)).await.unwrap_err();
        assert!(
            matches!(failed, Failure::Permanent(_)) && format!("{failed:?}").contains(problem),
            "{failed:?}"
        );
    }
    for (path, parameters, problem) in [
        ("query:x", &[][..], "path: there is no query `x`; there are elsewhere, gl, gone"),
        ("gl.csv", &["1"], "parameters: are for a query"),
    ] {
        let refused = job.check(&args(path, parameters)).unwrap_err();
        assert!(refused.starts_with(problem), "{refused}");
    }
}
