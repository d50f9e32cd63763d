use std::sync::Barrier;

use jobkit::testing::ManualClock;
use jobkit::{Artifacts, IdGenerator, Owner};

use super::*;
use crate::adapters::artifacts::DirArtifacts;
use crate::artifacts::ArtifactStore;

fn owner() -> Owner {
    Owner { job: IdGenerator::new(Arc::new(ManualClock::default())).next(), claim: 7 }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_kept_by_its_marker_or_by_what_lies_there_until_a_process_has_seen_otherwise() {
    use Root::{Away, Kept, Unused};
    for (is_marked, has_jobs, was_kept, expected) in [
        (true, false, false, Kept),
        (true, true, true, Kept),
        (true, false, true, Kept),
        (false, false, false, Unused),
        // From before there was a marker.
        (false, true, false, Kept),
        (false, false, true, Away),
        // Somebody began anew below a mount.
        (false, true, true, Away),
    ] {
        assert_eq!(judge(is_marked, has_jobs, was_kept), expected, "{is_marked} {has_jobs} {was_kept}");
    }
}

#[tokio::test]
async fn a_new_folder_takes_its_first_file_and_is_known_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (root, owner) = (folder.path().join("artifacts"), owner());
    let artifacts = DirArtifacts::new(&root);
    let address = format!("file:{}/7/a.csv", owner.job);
    assert_eq!(artifacts.root().unwrap_err().kind(), io::ErrorKind::NotFound);

    // Looking leaves nothing by which a mount that is away would be taken for a folder of ours.
    artifacts.probe().await.unwrap();
    assert_eq!(artifacts.list(owner.job).await.unwrap(), []);
    assert_eq!((artifacts.root().unwrap(), names_in(&root)), (Root::Unused, vec![]));
    let told = artifacts.reach(&address).await.unwrap_err();
    let remedy = format!("touch {}/{MARKER}", root.display());
    assert!(told.cause.to_string().contains(&remedy), "{}", told.cause);

    artifacts.put(owner, "a.csv", b"a".to_vec()).await.unwrap();

    assert_eq!(artifacts.root().unwrap(), Root::Kept);
    artifacts.reach(&address).await.unwrap();
    artifacts.remove(owner.job).await.unwrap();
    // Empty again, and no disk that is away.
    assert_eq!(names_in(&root), [MARKER]);
    DirArtifacts::new(&root).reach(&address).await.unwrap();
}

/// Of a version that wrote no marker.
#[tokio::test]
async fn a_folder_with_files_of_jobs_gets_its_marker_when_it_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let owner = owner();
    let address = DirArtifacts::new(folder.path()).put(owner, "a.csv", b"a".to_vec()).await.unwrap();
    fs::remove_file(folder.path().join(MARKER)).unwrap();

    let artifacts = DirArtifacts::new(folder.path());
    assert_eq!(artifacts.get(&address).await.unwrap(), b"a");
    artifacts.reach(&address).await.unwrap();

    assert_eq!(names_in(folder.path()), [MARKER.to_owned(), owner.job.to_string()]);
    // What else lies there says nothing.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("lost+found"), "").unwrap();
    assert!(DirArtifacts::new(other.path()).reach(&address).await.is_err());
}

/// What went below the mount would be hidden when the disk comes back, and what is looked for there would be called gone.
#[tokio::test]
async fn a_process_that_knew_the_folder_writes_nothing_below_a_mount_that_went_away() {
    let folder = tempfile::tempdir().unwrap();
    let (root, disk) = (folder.path().join("artifacts"), folder.path().join("disk"));
    let (artifacts, owner) = (DirArtifacts::new(&root), owner());
    let address = artifacts.put(owner, "a.csv", b"a".to_vec()).await.unwrap();
    fs::rename(&root, &disk).unwrap();
    fs::create_dir(&root).unwrap();

    let refused = artifacts.put(owner, "b.csv", b"b".to_vec()).await.unwrap_err();

    assert!(refused.cause.to_string().contains("mount its disk"), "{}", refused.cause);
    assert_eq!(names_in(&root), Vec::<String>::new());
    assert!(artifacts.reach(&address).await.is_err());
    // Another process, which never knew it, has begun anew there for the same job.
    fs::create_dir(root.join(owner.job.to_string())).unwrap();
    assert!(!artifacts.get(&address).await.unwrap_err().is_missing);
    assert_eq!(names_in(&root), [owner.job.to_string()]);

    fs::remove_dir_all(&root).unwrap();
    fs::rename(&disk, &root).unwrap();
    assert_eq!(artifacts.get(&address).await.unwrap(), b"a");
    artifacts.put(owner, "b.csv", b"b".to_vec()).await.unwrap();
}

/// Of one process, and of two.
#[test]
fn whoever_begins_at_once_makes_one_marker() {
    for round in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("artifacts");
        let both = Barrier::new(2);
        let first = Marker::default();
        let second = if round % 2 == 0 { first.clone() } else { Marker::default() };
        std::thread::scope(|scope| {
            for marker in [&first, &second] {
                scope.spawn(|| {
                    both.wait();
                    marker.begin(&root).unwrap();
                });
            }
        });
        assert_eq!(names_in(&root), [MARKER]);
    }
}
