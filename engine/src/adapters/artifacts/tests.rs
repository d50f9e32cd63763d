use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use futures::TryStreamExt;
use jobkit::IdGenerator;
use jobkit::testing::ManualClock;

use super::*;

fn bench() -> (tempfile::TempDir, DirArtifacts, Owner) {
    let directory = tempfile::tempdir().unwrap();
    let artifacts = DirArtifacts::new(directory.path().join("artifacts"));
    let job = IdGenerator::new(Arc::new(ManualClock::default())).next();
    (directory, artifacts, Owner { job, claim: 7 })
}

fn folder_of(artifacts: &DirArtifacts, owner: Owner) -> PathBuf {
    artifacts.directory.join(owner.job.to_string()).join(owner.claim.to_string())
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn what_was_put_is_got_by_its_address_and_is_private() {
    let (_directory, artifacts, owner) = bench();

    let address = artifacts.put(owner, "scores.csv", b"a,b".to_vec()).await.unwrap();

    assert_eq!(address, format!("file:{}/7/scores.csv", owner.job));
    assert_eq!(artifacts.get(&address).await.unwrap(), b"a,b");
    let file = folder_of(&artifacts, owner).join("scores.csv");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_a_run_writes_again_replaces_what_it_wrote_and_leaves_nothing_else() {
    let (_directory, artifacts, owner) = bench();
    artifacts.put(owner, "scores.csv", b"first".to_vec()).await.unwrap();

    let address = artifacts.put(owner, "scores.csv", b"second".to_vec()).await.unwrap();

    assert_eq!(artifacts.get(&address).await.unwrap(), b"second");
    assert_eq!(names_in(&folder_of(&artifacts, owner)), ["scores.csv"]);
}

/// An attempt that was dropped may still be writing when its successor has written.
#[tokio::test]
async fn a_run_that_comes_late_does_not_touch_what_its_successor_wrote() {
    let (_directory, artifacts, late) = bench();
    let next = Owner { claim: late.claim + 1, ..late };
    let address = artifacts.put(next, "scores.csv", b"right".to_vec()).await.unwrap();

    artifacts.put(late, "scores.csv", b"late".to_vec()).await.unwrap();

    assert_eq!(artifacts.get(&address).await.unwrap(), b"right");
}

#[tokio::test]
async fn a_file_is_moved_in_whole_and_made_private() {
    let (directory, artifacts, owner) = bench();
    let source = directory.path().join("report.tmp");
    fs::write(&source, b"report").unwrap();

    let address = artifacts.put_file(owner, "report.pdf", &source).await.unwrap();

    assert!(!source.exists());
    assert_eq!(artifacts.get(&address).await.unwrap(), b"report");
    let file = folder_of(&artifacts, owner).join("report.pdf");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_link_is_not_taken_for_a_file() {
    let (directory, artifacts, owner) = bench();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();

    let error = artifacts.put_file(owner, "report.pdf", &link).await.unwrap_err();

    assert_eq!(error.cause.to_string(), "it is not a regular file");
}

#[tokio::test]
async fn no_name_and_no_address_leads_out_of_the_directory() {
    let (directory, artifacts, owner) = bench();
    fs::write(directory.path().join("secret"), b"secret").unwrap();

    for name in ["", ".", "..", ".hidden", "a/b", "../secret", "a\\b", "a\0b", "a\nb", &"x".repeat(201)] {
        let error = artifacts.put(owner, name, Vec::new()).await.unwrap_err();
        assert!(error.cause.to_string().contains("use a plain file name"), "{name:?}: {}", error.cause);
    }
    for address in [
        "scores.csv",
        "file:",
        "file:x/y",
        "file:../secret",
        &format!("file:{}/7/../../secret", owner.job),
        &format!("file:{}/../secret", owner.job),
        "s3://b/k",
    ] {
        assert!(artifacts.get(address).await.is_err(), "{address}");
    }
}

#[tokio::test]
async fn the_probe_tells_a_directory_that_can_be_written_from_one_that_cannot() {
    let (directory, artifacts, _) = bench();
    fs::write(directory.path().join("file"), b"").unwrap();

    artifacts.probe().await.unwrap();

    assert_eq!(names_in(&artifacts.directory), Vec::<String>::new());
    assert!(DirArtifacts::new(directory.path().join("file")).probe().await.is_err());
}

#[tokio::test]
async fn what_the_runs_of_a_job_left_is_listed_and_read_piece_by_piece() {
    let (_directory, artifacts, owner) = bench();
    let later = Owner { claim: 12, ..owner };
    for (owner, name) in [(later, "a.csv"), (owner, "b.csv"), (owner, "a.csv")] {
        artifacts.put(owner, name, b"12345".to_vec()).await.unwrap();
    }
    let folder = folder_of(&artifacts, owner);
    fs::write(folder.join(".half.written"), "no").unwrap();
    std::os::unix::fs::symlink("b.csv", folder.join("link.csv")).unwrap();
    fs::create_dir(artifacts.directory.join(owner.job.to_string()).join("not a run")).unwrap();

    let listed = artifacts.list(owner.job).await.unwrap();

    let told: Vec<_> = listed.iter().map(|file| (file.owner.claim, file.name.as_str(), file.bytes)).collect();
    assert_eq!(told, [(7, "a.csv", 5), (7, "b.csv", 5), (12, "a.csv", 5)]);
    let reading = artifacts.read(&listed[1].address, 2).await.unwrap();
    assert_eq!(reading.bytes, 5);
    assert_eq!(reading.pieces.try_collect::<Vec<_>>().await.unwrap(), [&b"12"[..], b"34", b"5"]);
    let nothing = IdGenerator::new(Arc::new(ManualClock::default())).next();
    assert_eq!(artifacts.list(nothing).await.unwrap(), []);
}

/// Each piece was once of the file that stood there just then.
#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_read_is_read_to_its_end() {
    let (_directory, artifacts, owner) = bench();
    let address = artifacts.put(owner, "scores.csv", b"1234".to_vec()).await.unwrap();
    let mut reading = artifacts.read(&address, 2).await.unwrap();
    let first = reading.pieces.try_next().await.unwrap().unwrap();

    artifacts.put(owner, "scores.csv", b"abcdef".to_vec()).await.unwrap();

    let rest = reading.pieces.try_concat().await.unwrap();
    assert_eq!((first, rest, reading.bytes), (b"12".to_vec(), b"34".to_vec(), 4));
}

/// A document that is called missing ends its job for good.
#[tokio::test]
async fn only_what_is_not_in_the_folder_of_its_job_is_missing_for_good() {
    let (_directory, artifacts, owner) = bench();
    let gone = format!("file:{}/7/gone.csv", owner.job);
    let is_missing = async || artifacts.get(&gone).await.unwrap_err().is_missing;
    let told = async || artifacts.get(&gone).await.unwrap_err().cause.to_string();

    // No folder at all, then one that is empty, as a mount that is away leaves it, then one in which somebody began anew below the mount.
    assert!(!is_missing().await && told().await.contains("is not there: mount its disk"));
    fs::create_dir(&artifacts.directory).unwrap();
    assert!(!is_missing().await && told().await.contains("holds nothing of ours: mount its disk"));
    artifacts
        .put(
            Owner { job: IdGenerator::new(Arc::new(ManualClock::default())).next(), claim: 1 },
            "a",
            Vec::new(),
        )
        .await
        .unwrap();
    assert!(!is_missing().await);
    artifacts.put(owner, "scores.csv", Vec::new()).await.unwrap();
    assert!(is_missing().await);

    assert!(artifacts.get("nowhere").await.unwrap_err().is_missing);
}

/// A bucket says "not found" of a wrong prefix too, and knows nothing of a folder that is away.
#[tokio::test]
async fn what_was_moved_is_missing_only_where_the_bucket_and_the_folder_have_others_of_its_job() {
    let (_directory, before, owner) = bench();
    let bucket = BucketArtifacts::in_memory();
    let moved = MovedArtifacts { bucket: bucket.clone(), before: before.clone() };
    let is_missing = async |scheme: &str| {
        let address = format!("{scheme}:{}/7/gone.csv", owner.job);
        moved.get(&address).await.unwrap_err().is_missing
    };

    assert!(!is_missing("object").await && !is_missing("file").await);
    bucket.put(owner, "scores.csv", b"a".to_vec()).await.unwrap();
    assert!(is_missing("object").await && !is_missing("file").await);
    before.put(owner, "scores.csv", b"a".to_vec()).await.unwrap();
    assert!(is_missing("file").await);
}
