use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use jobkit::IdGenerator;
use jobkit::testing::ManualClock;

use super::*;

fn bench() -> (tempfile::TempDir, DirArtifacts, JobId) {
    let directory = tempfile::tempdir().unwrap();
    let artifacts = DirArtifacts::new(directory.path().join("artifacts"));
    (directory, artifacts, IdGenerator::new(Arc::new(ManualClock::default())).next())
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn what_was_put_is_got_by_its_address_and_is_private() {
    let (_directory, artifacts, job) = bench();

    let address = artifacts.put(job, "scores.csv", b"a,b".to_vec()).await.unwrap();

    assert_eq!(address, format!("file:{job}/scores.csv"));
    assert_eq!(artifacts.get(&address).await.unwrap(), b"a,b");
    let file = artifacts.directory.join(job.to_string()).join("scores.csv");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_second_attempt_replaces_what_the_first_left_and_leaves_nothing_else() {
    let (_directory, artifacts, job) = bench();
    artifacts.put(job, "scores.csv", b"first".to_vec()).await.unwrap();

    let address = artifacts.put(job, "scores.csv", b"second".to_vec()).await.unwrap();

    assert_eq!(artifacts.get(&address).await.unwrap(), b"second");
    assert_eq!(names_in(&artifacts.directory.join(job.to_string())), ["scores.csv"]);
}

#[tokio::test]
async fn a_file_is_moved_in_whole_and_made_private() {
    let (directory, artifacts, job) = bench();
    let source = directory.path().join("report.tmp");
    fs::write(&source, b"report").unwrap();

    let address = artifacts.put_file(job, "report.pdf", &source).await.unwrap();

    assert!(!source.exists());
    assert_eq!(artifacts.get(&address).await.unwrap(), b"report");
    let file = artifacts.directory.join(job.to_string()).join("report.pdf");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_link_is_not_taken_for_a_file() {
    let (directory, artifacts, job) = bench();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();

    let error = artifacts.put_file(job, "report.pdf", &link).await.unwrap_err();

    assert_eq!(error.cause.to_string(), "it is not a regular file");
}

#[tokio::test]
async fn no_name_and_no_address_leads_out_of_the_directory() {
    let (directory, artifacts, job) = bench();
    fs::write(directory.path().join("secret"), b"secret").unwrap();

    for name in ["", ".", "..", ".hidden", "a/b", "../secret", "a\\b", "a\0b", "a\nb", &"x".repeat(201)] {
        let error = artifacts.put(job, name, Vec::new()).await.unwrap_err();
        assert!(error.cause.to_string().contains("use a plain file name"), "{name:?}: {}", error.cause);
    }
    for address in
        ["scores.csv", "file:", "file:x/y", "file:../secret", &format!("file:{job}/../../secret"), "s3://b/k"]
    {
        assert!(artifacts.get(address).await.is_err(), "{address}");
    }
}

#[test]
fn the_probe_tells_a_directory_that_can_be_written_from_one_that_cannot() {
    let (directory, artifacts, _) = bench();
    fs::write(directory.path().join("file"), b"").unwrap();

    artifacts.probe().unwrap();

    assert_eq!(names_in(&artifacts.directory), Vec::<String>::new());
    assert!(DirArtifacts::new(directory.path().join("file")).probe().is_err());
}
