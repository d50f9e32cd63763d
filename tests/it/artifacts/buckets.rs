//! What can happen on the way to a bucket and cannot to a folder.

use std::error::Error;

use engine::adapters::containers::Container;
use engine::reference::SecretRef;
use jobkit::{Artifacts, PutNewError};
use store::chain;

use super::{
    BucketPlace, BucketPlace as Place, Place as AnyPlace, Server, bytes, kept_by, listed, open_azure,
    open_s3, run,
};

kept_by!([s3, azure]: [
    what_breaks_off_is_seen_by_nobody_and_the_file_stays_where_it_was,
    a_store_that_is_away_says_so_and_what_is_tried_again_works,
    a_wrong_key_and_a_bucket_that_is_not_there_are_told_with_their_cause,
]);

/// S3 compares it with what comes, and takes nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn each_request_to_s3_says_the_sha_256_of_what_it_brings() {
    let place = BucketPlace::s3().await;

    place.artifacts.put(run(), "a.csv", b"abc".to_vec()).await.unwrap();

    let heard = place.front.heard();
    assert!(heard.contains("x-amz-checksum-sha256: ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="), "{heard}");
}

/// A SAS stands in the address of each request, and addresses stand in errors.
#[tokio::test(flavor = "multi_thread")]
async fn a_sas_that_is_not_taken_is_told_to_nobody() {
    let place = BucketPlace::azure().await;
    let Server::Azure(azurite) = &place.server else { panic!("another server") };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sas");
    std::fs::write(&file, "?sv=2023-11-03&sr=c&sp=rcwdl&se=2099-01-01T00:00:00Z&sig=c2VjcmV0c2VjcmV0")
        .unwrap();
    let sas = Some(SecretRef::File(file));
    let container = Container { access_key: None, sas, ..azurite.container(&place.front.address()) };
    let artifacts = open_azure("azure://books/jobs", container).unwrap();

    let mut told = vec![chain(&artifacts.put(run(), "a.csv", b"a".to_vec()).await.unwrap_err())];
    place.front.shut();
    told.push(chain(&artifacts.put(run(), "a.csv", b"a".to_vec()).await.unwrap_err()));
    told.push(chain(&artifacts.list(run().job).await.unwrap_err()));

    assert!(told[0].contains("403"), "{told:?}");
    assert!(!format!("{told:?}").contains("c2VjcmV0"), "{told:?}");
}

async fn what_breaks_off_is_seen_by_nobody_and_the_file_stays_where_it_was(bucket: BucketPlace) {
    let place = AnyPlace::of(bucket);
    let BucketPlace { artifacts, front, .. } = place.bucket.as_ref().unwrap();
    let owner = run();
    let whole = bytes(1, 30 << 20);
    let source = place.file("report.tmp", &whole);

    // In the second of four parts.
    front.shut_after(12 << 20);
    let broken = artifacts.put_file(owner, "report.pdf", &source).await.unwrap_err();
    assert!(front.is_shut(), "{}", chain(&broken));
    front.open();
    // And in the only request of a small one.
    front.shut_after(50_000);
    artifacts.put(owner, "small.csv", bytes(2, 100_000)).await.unwrap_err();
    front.open();

    assert_eq!(listed(artifacts, owner.job).await, []);
    assert!(artifacts.get(&format!("object:{}/7/report.pdf", owner.job)).await.is_err());
    assert!(std::fs::read(&source).unwrap() == whole);
    let address = artifacts.put_file(owner, "report.pdf", &source).await.unwrap();
    assert!(artifacts.get(&address).await.unwrap() == whole);
}

async fn a_store_that_is_away_says_so_and_what_is_tried_again_works(bucket: BucketPlace) {
    let place = AnyPlace::of(bucket);
    let BucketPlace { artifacts, front, .. } = place.bucket.as_ref().unwrap();
    let owner = run();
    let address = artifacts.put(owner, "a.csv", b"a".to_vec()).await.unwrap();
    let source = place.file("b.tmp", b"b");

    front.shut();
    for away in [
        artifacts.put(owner, "b.csv", b"b".to_vec()).await.map(drop),
        artifacts.put_file(owner, "b.csv", &source).await.map(drop),
        artifacts.get(&address).await.map(drop),
        artifacts.read(&address, 1).await.map(drop),
        artifacts.list(owner.job).await.map(drop),
    ] {
        let away = away.unwrap_err();
        assert!(away.doing.contains("://books/jobs/2026") && away.source().is_some(), "{}", chain(&away));
    }
    let away = artifacts.put_new(owner, "b.csv", b"b".to_vec()).await.unwrap_err();
    assert!(matches!(away, PutNewError::Away(_)), "{away:?}");

    front.open();
    artifacts.put_file(owner, "b.csv", &source).await.unwrap();
    artifacts.put_new(owner, "c.csv", b"c".to_vec()).await.unwrap();
    let names = ["a.csv", "b.csv", "c.csv"].map(|name| (7, name.to_owned(), 1));
    assert_eq!(listed(artifacts, owner.job).await, names);
}

async fn a_wrong_key_and_a_bucket_that_is_not_there_are_told_with_their_cause(bucket: BucketPlace) {
    let address = bucket.front.address();
    let (nowhere, stranger) = match &bucket.server {
        Server::S3(s3) => {
            let nowhere = open_s3("s3://nowhere/jobs", s3.bucket()).unwrap();
            let failed = nowhere.put(run(), "a.csv", b"a".to_vec()).await.unwrap_err();
            s3.believe_nobody().await;
            (chain(&failed), open_s3("s3://books/jobs", s3.bucket()).unwrap())
        }
        Server::Azure(azurite) => {
            let nowhere = open_azure("azure://nowhere/jobs", azurite.container(&address)).unwrap();
            let failed = nowhere.put(run(), "a.csv", b"a".to_vec()).await.unwrap_err();
            let stranger = azurite.container_of_a_stranger(&address);
            (chain(&failed), open_azure("azure://books/jobs", stranger).unwrap())
        }
    };
    assert!(nowhere.contains("://nowhere/jobs") && nowhere.contains("404"), "{nowhere}");

    let refused = chain(&stranger.put(run(), "a.csv", b"a".to_vec()).await.unwrap_err());

    assert!(refused.contains("403"), "{refused}");
    for secret in ["d3Jvbmcgd3Jvbmcgd3Jvbmc=", "Eby8vdM02xNOcqFlq", &std::env::var("PATH").unwrap()] {
        assert!(!refused.contains(secret), "{refused}");
    }
}
