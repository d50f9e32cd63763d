use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use super::*;
use crate::sample::{self, SampleParams, Strange};

const GO_ON: Watch<'static> = &|_, _| ControlFlow::Continue(());

fn request(path: &Path, out_dir: &Path) -> Request {
    Request {
        path: path.into(),
        file: path.into(),
        out_dir: out_dir.into(),
        params: Params { top: 40, ..Params::default() },
        tag: RunTag { run: "t".into(), claim: 1 },
    }
}

fn write_sample(folder: &Path, entries: u32) -> (PathBuf, Vec<Strange>) {
    let path = folder.join("ledger.csv");
    let strange =
        sample::write(&mut File::create(&path).unwrap(), &SampleParams { entries, seed: 1 }).unwrap();
    (path, strange)
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect()
}

#[test]
fn the_strange_entries_of_the_sample_are_in_the_top_forty_of_twenty_thousand() {
    let folder = tempfile::tempdir().unwrap();
    let (path, strange) = write_sample(folder.path(), 20_000);

    let summary = score_file(request(&path, &folder.path().join("out")), GO_ON).unwrap();

    println!("{}", output::in_words(&summary));
    assert_eq!((summary.input.entries, summary.input.rejected), (20_000, 0));
    for Strange { journal_id, what } in strange {
        let found = summary.top.iter().find(|entry| entry.journal_id == journal_id);
        assert!(found.is_some_and(|entry| !entry.reasons.is_empty()), "{journal_id}: {what}");
    }
}

#[test]
fn the_same_file_gives_the_same_bytes_again_and_another_seed_another_hash() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write_sample(folder.path(), 1_500);
    let out = folder.path().join("out");

    let first = score_file(request(&path, &out), GO_ON).unwrap();
    let first_files = files(&out);
    let second = score_file(request(&path, &out), GO_ON).unwrap();

    assert_eq!(first, second);
    assert_eq!(first_files, files(&out));
    assert_eq!(
        first_files.keys().collect::<Vec<_>>(),
        ["rejected.csv", "scores.csv", "summary.json", "summary.txt"]
    );

    let mut reseeded = request(&path, &out);
    reseeded.params.seed = 99;
    assert_ne!(score_file(reseeded, GO_ON).unwrap().scores_sha256, first.scores_sha256);
}

#[test]
fn shuffled_lines_and_any_number_of_threads_give_the_same_scores() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write_sample(folder.path(), 1_500);
    let text = fs::read_to_string(&path).unwrap();
    let (header, body) = text.split_once('\n').unwrap();
    let mut lines: Vec<&str> = body.lines().collect();
    lines.sort_by_key(|line| line.chars().rev().collect::<String>());
    let shuffled = folder.path().join("shuffled.csv");
    fs::write(&shuffled, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    let (out, other) = (folder.path().join("out"), folder.path().join("other"));

    let one = score_file(request(&path, &out), GO_ON).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(7).build().unwrap();
    let same = pool.install(|| score_file(request(&shuffled, &other), GO_ON)).unwrap();

    assert_ne!(one.input.sha256, same.input.sha256);
    assert_eq!((one.scores_sha256, one.top), (same.scores_sha256, same.top));
    assert_eq!(files(&out)["scores.csv"], files(&other)["scores.csv"]);
}

#[test]
fn scores_read_back_from_the_file_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write_sample(folder.path(), 300);
    let out = folder.path().join("out");

    let summary = score_file(request(&path, &out), GO_ON).unwrap();

    let read: Summary = serde_json::from_slice(&files(&out)["summary.json"]).unwrap();
    assert_eq!(read, summary);
    let mut csv = csv::Reader::from_path(out.join("scores.csv")).unwrap();
    let first = csv.records().next().unwrap().unwrap();
    assert_eq!(first[2].parse::<f64>().unwrap().to_bits(), summary.top[0].score.to_bits());
}

#[test]
fn a_file_that_is_no_ledger_does_not_fill_the_disk_with_its_problems() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.csv");
    let bad = output::MOST_LISTED + 2;
    let lines = "x\n".repeat(usize::try_from(bad).unwrap());
    fs::write(&path, format!("Journal_ID,GL_Account_Number,Amount\na,4711,5\n{lines}")).unwrap();
    let out = folder.path().join("out");

    let summary = score_file(request(&path, &out), GO_ON).unwrap();

    assert_eq!((summary.input.lines, summary.input.rejected), (1, bad));
    let mut csv = csv::Reader::from_path(out.join("rejected.csv")).unwrap();
    let listed: Vec<_> = csv.records().map(|record| record.unwrap()).collect();
    let last = listed.last().unwrap();
    assert_eq!((listed.len() as u64, &last[0]), (output::MOST_LISTED + 1, "10003"));
    assert!(last[3].contains("are not listed"), "{last:?}");
}

#[test]
fn bad_lines_are_listed_and_the_rest_is_scored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.csv");
    fs::write(
        &path,
        b"Journal_ID,GL_Account_Number,Amount\n=1+1,4711,5\n,4711,5\nb,4711,\"=cmd|5\"\nb,4711,\0\nb,4711,7\n",
    )
    .unwrap();
    let out = folder.path().join("out");

    let summary = score_file(request(&path, &out), GO_ON).unwrap();

    let Input { lines, entries, rejected, .. } = summary.input;
    assert_eq!((lines, entries, rejected), (2, 2, 3));
    let files = files(&out);
    assert_eq!(
        String::from_utf8_lossy(&files["rejected.csv"]),
        "first_line,last_line,field,problem,remedy\n\
         3,3,Journal_ID,is empty,every line needs one; export it again\n\
         4,4,Amount,`=cmd|5` cannot be read,\"write digits with a decimal point, no thousands separators, at most 4 \
         decimals\"\n\
         5,5,(all),contains a NUL byte,export the file again as UTF-8 text\n"
    );
    assert!(String::from_utf8_lossy(&files["scores.csv"]).contains(",'=1+1,"));
}

#[test]
fn a_file_that_cannot_be_used_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.csv");
    let out = folder.path().join("out");
    let refused = |content: Option<&[u8]>| {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let error = score_file(request(&path, &out), GO_ON).unwrap_err();
        assert!(!out.exists() || files(&out).is_empty());
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
            .replace(&format!("{} ", path.display()), "")
            .replace(&*path.to_string_lossy(), "")
    };

    assert_eq!(
        refused(Some(b"Journal_ID,GL_Account_Number,Amount\n,1,2\n")),
        "the ledger has no line that can be used; 1 were rejected, the first: line 2: Journal_ID: is empty; every \
         line needs one; export it again"
    );
    assert_eq!(
        refused(Some(b"Journal_ID,GL_Account_Number,Amount\n")),
        "the ledger has no line that can be used; 0 were rejected"
    );
    assert_eq!(
        refused(Some(b"")),
        "reading the ledger : the file is empty; it should begin with a line of column names"
    );
    assert!(refused(None).starts_with("opening the ledger "));
    fs::create_dir(&path).unwrap();
    let error = score_file(request(&path, &out), GO_ON).unwrap_err();
    assert!(matches!(error, ScoreError::NotAFile(_)));
}

#[test]
fn a_run_asked_to_stop_stops_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write_sample(folder.path(), 3_000);
    let out = folder.path().join("out");
    let stop_midway = |done: u64, total: u64| {
        if done * 2 > total { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };

    let error = score_file(request(&path, &out), &stop_midway).unwrap_err();

    assert!(matches!(error, ScoreError::Stopped));
    assert!(files(&out).is_empty());
}

#[test]
fn a_later_attempt_does_the_work_again_and_notices_a_changed_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write_sample(folder.path(), 300);
    let request = request(&path, &folder.path().join("out"));
    let mut first = Stages::new(request.clone());
    let input = first.read(GO_ON).unwrap();
    let scores = first.score(GO_ON).unwrap();
    drop(first);

    let mut second = Stages::new(request.clone());
    second.expect_input(input.clone());
    second.expect_scores(scores.clone());
    assert_eq!(second.write(GO_ON).unwrap().scores_sha256, scores.sha256);

    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("Wages", "wages", 1).replacen("Rent", "rent", 1)).unwrap();
    let mut third = Stages::new(request);
    third.expect_input(input);
    let error = third.write(GO_ON).unwrap_err();
    assert!(matches!(error, ScoreError::Changed("lines")), "{error}");
}
