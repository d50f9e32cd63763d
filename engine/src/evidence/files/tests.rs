use jobkit::{Artifacts, IdGenerator, Owner};

use super::*;
use crate::adapters::artifacts::{DirArtifacts, MARKER};
use crate::adapters::clock::SystemClock;
use crate::evidence::facts::tests::entry;

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(name: &str, bytes: &[u8], address: Option<&str>) -> File {
    File {
        leaf: 7,
        seq: 8,
        object: "letter/a".into(),
        tenant: None,
        name: name.into(),
        sha256: hash(bytes),
        bytes: None,
        address: address.map(str::to_owned),
        there: There::NotAsked,
    }
}

#[test]
fn only_what_has_a_name_and_a_hash_is_a_file() {
    let good = format!(r#"{{"name":"a","sha256":"{}","kind":"document"}}"#, "AB".repeat(32));
    for (details, names) in [
        (Some(format!(r#"{{"files":[{good}]}}"#)), &["a"][..]),
        (Some(format!(r#"{{"files":[{good},{{"name":"b"}},7,{{"name":"c","sha256":"ab"}}]}}"#)), &["a"]),
        (Some(r#"{"files":7}"#.into()), &[]),
        (Some("{}".into()), &[]),
        (Some("no json".into()), &[]),
        (None, &[]),
    ] {
        let entry = Entry { details: details.clone(), ..entry(1, "job:1", "letter.keep", "ok") };
        let found = named(3, &entry);
        assert_eq!(found.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), names, "{details:?}");
        assert!(found.iter().all(|file| file.sha256 == "ab".repeat(32) && file.leaf == 3), "{found:?}");
    }
}

#[tokio::test]
async fn what_is_not_what_the_entry_says_is_told_and_not_taken_along() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = DirArtifacts::new(folder.path().join("artifacts"));
    let job = IdGenerator::new(std::sync::Arc::new(SystemClock::new())).next();
    let owner = Owner { job, claim: 1 };
    let whole = artifacts.put(owner, "a.pdf", b"whole".to_vec()).await.unwrap();
    let changed = artifacts.put(owner, "b.pdf", b"changed".to_vec()).await.unwrap();
    // Moved to a bucket since, say, and told by its other name.
    let moved = whole.replacen("file:", "object:", 1);
    let mut files = [
        file("a.pdf", b"whole", Some(&whole)),
        file("moved.pdf", b"whole", Some(&moved)),
        file("b.pdf", b"as it was", Some(&changed)),
        file("c.pdf", b"gone", Some(&format!("file:{job}/1/c.pdf"))),
        file("d.pdf", b"elsewhere", Some("https://example.org/d.pdf")),
        file("e.pdf", b"nowhere", None),
        file("../f.pdf", b"whole", Some(&whole)),
    ];
    let pack = folder.path().join("files");

    take_along(&artifacts, files.iter_mut(), &pack).await.unwrap();

    use There::{Differs, Gone, InThePack, NotTaken};
    let there: Vec<_> = files.iter().map(|file| file.there).collect();
    assert_eq!(there, [InThePack, InThePack, Differs, Gone, Gone, Gone, NotTaken]);
    let mut taken: Vec<_> =
        std::fs::read_dir(pack.join("7")).unwrap().map(|file| file.unwrap().file_name()).collect();
    taken.sort();
    assert_eq!(taken, ["a.pdf", "moved.pdf"]);
    assert_eq!(std::fs::read(pack.join("7/a.pdf")).unwrap(), b"whole");
    assert!(!folder.path().join("f.pdf").exists());
}

#[tokio::test]
async fn files_of_one_name_and_of_a_name_too_long_lie_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = DirArtifacts::new(folder.path().join("artifacts"));
    let owner = Owner { job: IdGenerator::new(std::sync::Arc::new(SystemClock::new())).next(), claim: 1 };
    let one = artifacts.put(owner, "one", b"one".to_vec()).await.unwrap();
    let two = artifacts.put(owner, "two", b"two".to_vec()).await.unwrap();
    let long = "n".repeat(256);
    let mut files = vec![
        file("a.pdf", b"one", Some(&one)),
        file("a.pdf", b"two", Some(&two)),
        // Counted by two sentences.
        file("a.pdf", b"one", Some(&one)),
        file(&long, b"two", Some(&two)),
    ];
    let pack = folder.path().join("files");

    take_along(&artifacts, files.iter_mut(), &pack).await.unwrap();

    assert!(files.iter().all(|file| file.there == There::InThePack), "{files:?}");
    for (path, bytes) in [("7/a.pdf", "one"), ("7-2/a.pdf", "two"), ("7-2/long name", "two")] {
        assert_eq!(std::fs::read(pack.join(path)).unwrap(), bytes.as_bytes(), "{path}");
    }
    assert!(!pack.join("7-3").exists());
}

/// "Gone" is said only of what is known to be gone.
#[tokio::test]
async fn a_folder_that_is_away_fails_the_pack() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = DirArtifacts::new(folder.path().join("artifacts"));
    let job = IdGenerator::new(std::sync::Arc::new(SystemClock::new())).next();
    let mut files = [file("a.pdf", b"whole", Some(&format!("file:{job}/1/a.pdf")))];
    let pack = folder.path().join("files");

    let problem = take_along(&artifacts, files.iter_mut(), &pack).await.unwrap_err();

    assert!(matches!(problem, PackError::Port(_)), "{problem:?}");
    // As a mount that is away leaves it.
    std::fs::create_dir(folder.path().join("artifacts")).unwrap();
    assert!(take_along(&artifacts, files.iter_mut(), &pack).await.is_err());
    std::fs::write(folder.path().join("artifacts").join(MARKER), "").unwrap();
    take_along(&artifacts, files.iter_mut(), &pack).await.unwrap();
    assert_eq!(files[0].there, There::Gone);
}
