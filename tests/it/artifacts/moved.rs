//! From a folder to a bucket: what jobs wrote down stays right.

use engine::adapters::artifacts::{DirArtifacts, MovedArtifacts};
use engine::artifacts::ArtifactStore;
use futures::TryStreamExt;
use jobkit::{Artifacts, Owner};

use super::{BucketPlace, listed, run};

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_folder_stays_readable_and_what_is_new_goes_to_the_bucket() {
    let place = BucketPlace::s3().await;
    let folder = tempfile::tempdir().unwrap();
    let before = DirArtifacts::new(folder.path());
    let owner = run();
    let old = before.put(owner, "old.csv", b"old".to_vec()).await.unwrap();
    let carried = before.put(owner, "carried.csv", b"carried".to_vec()).await.unwrap();
    let moved = MovedArtifacts { bucket: place.artifacts.clone(), before: before.clone() };

    let new = moved.put(owner, "new.csv", b"new".to_vec()).await.unwrap();

    // Somebody copies a file over: while both are there it is told once, and then it is had from the bucket.
    place.artifacts.put(owner, "carried.csv", b"carried".to_vec()).await.unwrap();
    let all = [(7, "carried.csv".to_owned(), 7), (7, "new.csv".into(), 3), (7, "old.csv".into(), 3)];
    assert_eq!(listed(&moved, owner.job).await, all);
    std::fs::remove_file(folder.path().join(owner.job.to_string()).join("7/carried.csv")).unwrap();
    assert_eq!(listed(&moved, owner.job).await, all);
    assert_eq!(new, format!("object:{}/7/new.csv", owner.job));
    for (address, bytes) in [(&old, "old"), (&carried, "carried"), (&new, "new")] {
        assert_eq!(moved.get(address).await.unwrap(), bytes.as_bytes());
        let pieces = moved.read(address, 2).await.unwrap().pieces;
        assert_eq!(pieces.try_concat().await.unwrap(), bytes.as_bytes());
    }
    assert_eq!(listed(&before, owner.job).await, [(7, "old.csv".into(), 3)]);
    // And back: a folder reads what a bucket wrote down, once the file is there.
    before.put(Owner { claim: 7, ..owner }, "new.csv", b"new".to_vec()).await.unwrap();
    assert_eq!(before.get(&new).await.unwrap(), b"new");

    moved.remove(owner.job).await.unwrap();
    assert_eq!(listed(&moved, owner.job).await, []);
    assert_eq!(listed(&before, owner.job).await, []);
}

/// The disk of the folder may be gone for good once everything is carried over.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_holds_up_nothing() {
    let place = BucketPlace::s3().await;
    let before = DirArtifacts::new("/nonexistent/artifacts");
    let moved = MovedArtifacts { bucket: place.artifacts.clone(), before };
    let owner = run();

    let address = moved.put(owner, "a.csv", b"a".to_vec()).await.unwrap();

    moved.probe().await.unwrap();
    assert_eq!(listed(&moved, owner.job).await, [(7, "a.csv".into(), 1)]);
    assert_eq!(moved.get(&address.replace("object:", "file:")).await.unwrap(), b"a");
    assert_eq!(moved.jobs().try_collect::<Vec<_>>().await.unwrap(), [owner.job]);
    moved.remove(owner.job).await.unwrap();
}
