//! The promises of artifacts, each kept by a folder, by S3 and by Azure: one text, run three times.

mod buckets;
mod keeper;
mod moved;
mod presigned;
mod served;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::adapters::artifacts::{BucketArtifacts, BucketQuarantine, DirArtifacts};
use engine::adapters::buckets::Bucket;
use engine::adapters::containers::Container;
use engine::artifacts::ArtifactStore;
use futures::{StreamExt, TryStreamExt};
use jobkit::testing::ManualClock;
use jobkit::{Artifacts, IdGenerator, JobId, Owner, PutNewError};

use crate::support::azurite::Azurite;
use crate::support::front::Front;
use crate::support::s3::S3;

/// A store of artifacts with all that it stands on.
struct Place {
    store: Arc<dyn ArtifactStore>,
    folder: tempfile::TempDir,
    bucket: Option<BucketPlace>,
}

/// A bucket behind a door that can be shut.
struct BucketPlace {
    artifacts: BucketArtifacts,
    quarantine: BucketQuarantine,
    front: Front,
    server: Server,
}

enum Server {
    S3(S3),
    Azure(Azurite),
}

impl Place {
    async fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(DirArtifacts::new(folder.path().join("artifacts")));
        Self { store, folder, bucket: None }
    }

    async fn s3() -> Self {
        Self::of(BucketPlace::s3().await)
    }

    async fn azure() -> Self {
        Self::of(BucketPlace::azure().await)
    }

    fn of(bucket: BucketPlace) -> Self {
        let store = Arc::new(bucket.artifacts.clone());
        Self { store, folder: tempfile::tempdir().unwrap(), bucket: Some(bucket) }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl BucketPlace {
    async fn s3() -> Self {
        let s3 = S3::start().await;
        s3.make_bucket("books").await;
        let front = Front::before(s3.address()).await;
        let bucket = Bucket { endpoint: format!("http://{}", front.address()), ..s3.bucket() };
        let url = "s3://books/jobs/2026";
        let opened =
            BucketArtifacts::with_quarantine(url, &[("books".into(), bucket)].into(), &BTreeMap::new());
        let (artifacts, quarantine) = opened.unwrap();
        Self { artifacts, quarantine, front, server: Server::S3(s3) }
    }

    async fn azure() -> Self {
        let azurite = Azurite::start().await;
        azurite.make_container("books").await;
        let front = Front::before(azurite.address()).await;
        let container = [("books".into(), azurite.container(&front.address()))].into();
        let url = "azure://books/jobs/2026";
        let (artifacts, quarantine) =
            BucketArtifacts::with_quarantine(url, &BTreeMap::new(), &container).unwrap();
        Self { artifacts, quarantine, front, server: Server::Azure(azurite) }
    }
}

type Opened = Result<BucketArtifacts, engine::adapters::object_client::OpenError>;

/// The bucket has the settings, whatever its name.
fn open_s3(url: &str, settings: Bucket) -> Opened {
    let name = url.strip_prefix("s3://").unwrap().split('/').next().unwrap().to_owned();
    BucketArtifacts::open(url, &[(name, settings)].into(), &BTreeMap::new())
}

fn open_azure(url: &str, settings: Container) -> Opened {
    let name = url.strip_prefix("azure://").unwrap().split('/').next().unwrap().to_owned();
    BucketArtifacts::open(url, &BTreeMap::new(), &[(name, settings)].into())
}

fn job() -> JobId {
    IdGenerator::new(Arc::new(ManualClock::default())).next()
}

fn run() -> Owner {
    Owner { job: job(), claim: 7 }
}

/// So that a piece in a wrong place is seen.
fn bytes(seed: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| seed ^ u8::try_from((at.wrapping_mul(2_654_435_761) >> 13) & 0xff).unwrap()).collect()
}

async fn listed(store: &dyn Artifacts, job: JobId) -> Vec<(u64, String, u64)> {
    let files = store.list(job).await.unwrap();
    files.into_iter().map(|file| (file.owner.claim, file.name, file.bytes)).collect()
}

macro_rules! kept_by {
    ($places:tt: $promises:tt) => { kept_by!(@places $places $promises); };
    (@places [$($place:ident),*] $promises:tt) => { $( kept_by!(@place $place $promises); )* };
    (@place $place:ident [$($promise:ident,)*]) => {
        mod $place {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    super::$promise(super::Place::$place().await).await;
                }
            )*
        }
    };
}
use kept_by;

kept_by!([folder, s3, azure]: [
    what_was_put_is_got_by_its_address_and_listed_by_run_and_name,
    what_a_run_writes_again_replaces_it_and_no_run_touches_what_another_wrote,
    a_large_file_is_moved_in_and_read_piece_by_piece,
    a_file_that_shrinks_or_is_none_is_not_taken,
    what_is_written_once_is_not_replaced_and_the_same_bytes_have_the_same_address,
    of_many_that_write_the_same_name_at_once_one_wins,
    a_file_that_is_replaced_while_it_is_read_is_never_mixed,
    no_name_and_no_address_leads_elsewhere,
    the_files_of_a_job_are_deleted_and_those_of_others_stay,
    the_probe_leaves_nothing,
]);

async fn what_was_put_is_got_by_its_address_and_listed_by_run_and_name(place: Place) {
    let (store, owner) = (&*place.store, run());
    let later = Owner { claim: 12, ..owner };
    let odd = "Prüfung 100% #1?+a=b&c {x}~[y]'*.csv";

    for (owner, name, bytes) in
        [(later, "a.csv", &b"12"[..]), (owner, odd, b"odd"), (owner, "a.csv", b"1"), (owner, "empty", b"")]
    {
        let address = store.put(owner, name, bytes.to_vec()).await.unwrap();
        assert_eq!(store.get(&address).await.unwrap(), bytes, "{name}");
        let reading = store.read(&address, 2).await.unwrap();
        assert_eq!(
            (reading.bytes, reading.pieces.try_concat().await.unwrap()),
            (bytes.len() as u64, bytes.to_vec())
        );
    }

    let found = store.list(owner.job).await.unwrap();
    let told: Vec<_> = found.iter().map(|file| (file.owner.claim, file.name.as_str(), file.bytes)).collect();
    assert_eq!(told, [(7, odd, 3), (7, "a.csv", 1), (7, "empty", 0), (12, "a.csv", 2)]);
    for file in &found {
        assert_eq!(store.get(&file.address).await.unwrap().len() as u64, file.bytes, "{}", file.name);
    }
    assert_eq!(store.list(job()).await.unwrap(), []);
}

async fn what_a_run_writes_again_replaces_it_and_no_run_touches_what_another_wrote(place: Place) {
    let (store, late) = (&*place.store, run());
    let next = Owner { claim: late.claim + 1, ..late };
    let right = store.put(next, "scores.csv", b"first".to_vec()).await.unwrap();
    assert_eq!(store.put(next, "scores.csv", b"right".to_vec()).await.unwrap(), right);

    let other = store.put(late, "scores.csv", b"late".to_vec()).await.unwrap();

    assert_eq!(store.get(&right).await.unwrap(), b"right");
    assert_eq!(store.get(&other).await.unwrap(), b"late");
}

/// In a bucket it is three parts, the last one short.
const LARGE: usize = (20 << 20) + 7;

async fn a_large_file_is_moved_in_and_read_piece_by_piece(place: Place) {
    let (store, owner) = (&*place.store, run());
    let whole = bytes(1, LARGE);
    let source = place.file("report.tmp", &whole);

    let address = store.put_file(owner, "report.pdf", &source).await.unwrap();
    let again = store.put(owner, "again.pdf", whole.clone()).await.unwrap();

    assert!(!source.exists());
    assert_eq!(
        listed(store, owner.job).await,
        [(7, "again.pdf".into(), LARGE as u64), (7, "report.pdf".into(), LARGE as u64)]
    );
    for address in [address, again] {
        let piece = 300_000;
        let reading = store.read(&address, piece).await.unwrap();
        assert_eq!(reading.bytes, LARGE as u64);
        let pieces: Vec<_> = reading.pieces.try_collect().await.unwrap();
        assert!(pieces[..pieces.len() - 1].iter().all(|one| one.len() == piece), "{address}");
        assert!(pieces.concat() == whole, "{address}: other bytes came back");
    }
}

async fn a_file_that_shrinks_or_is_none_is_not_taken(place: Place) {
    let (store, owner) = (&*place.store, run());
    let link = place.folder.path().join("link");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();

    for file in
        [link.as_path(), place.folder.path(), Path::new("/dev/zero"), &place.folder.path().join("none")]
    {
        store.put_file(owner, "report.pdf", file).await.unwrap_err();
    }

    assert_eq!(listed(store, owner.job).await, []);
}

async fn what_is_written_once_is_not_replaced_and_the_same_bytes_have_the_same_address(place: Place) {
    let (store, owner) = (&*place.store, run());
    let address = store.put_new(owner, "archive.zip", b"archive".to_vec()).await.unwrap();

    assert_eq!(store.put_new(owner, "archive.zip", b"archive".to_vec()).await.unwrap(), address);
    for other in [&b"Archive"[..], b"archive and more", b"arc", b""] {
        let refused = store.put_new(owner, "archive.zip", other.to_vec()).await.unwrap_err();
        assert!(matches!(&refused, PutNewError::Taken(taken) if *taken == address), "{refused:?}");
    }

    assert_eq!(store.get(&address).await.unwrap(), b"archive");
    assert_eq!(listed(store, owner.job).await, [(7, "archive.zip".into(), 7)]);
}

async fn of_many_that_write_the_same_name_at_once_one_wins(place: Place) {
    let (store, owner) = (&*place.store, run());
    let put =
        |seed: u8| async move { (seed, store.put_new(owner, "archive.zip", vec![seed; 100_000]).await) };

    let ended = futures::future::join_all((1..=8).map(put)).await;

    let won: Vec<_> = ended.iter().filter(|(_, put)| put.is_ok()).map(|(seed, _)| *seed).collect();
    let [winner] = won[..] else { panic!("{ended:?}") };
    for (_, put) in ended.iter().filter(|(seed, _)| *seed != winner) {
        assert!(matches!(put, Err(PutNewError::Taken(_))), "{put:?}");
    }
    let address = ended.iter().find_map(|(_, put)| put.as_ref().ok()).unwrap();
    assert_eq!(store.get(address).await.unwrap(), vec![winner; 100_000]);
}

async fn a_file_that_is_replaced_while_it_is_read_is_never_mixed(place: Place) {
    let (store, owner) = (&*place.store, run());
    // More than a bucket gives at once.
    let (old, new) = (bytes(1, 9 << 20), bytes(2, 9 << 20));
    let address = store.put(owner, "scores.csv", old.clone()).await.unwrap();
    let mut reading = store.read(&address, 1 << 20).await.unwrap();
    let first = reading.pieces.try_next().await.unwrap().unwrap();

    store.put(owner, "scores.csv", new.clone()).await.unwrap();

    match reading.pieces.try_concat().await {
        Ok(rest) => assert!([first, rest].concat() == old, "the old and the new are mixed"),
        Err(told) => {
            assert!(place.bucket.is_some(), "{told:?}");
            assert_eq!(told.cause.to_string(), "another took its place while it was read; read it anew");
        }
    }
    assert!(store.get(&address).await.unwrap() == new);
}

async fn no_name_and_no_address_leads_elsewhere(place: Place) {
    let (store, owner) = (&*place.store, run());
    store.put(owner, "a.csv", b"a".to_vec()).await.unwrap();

    for name in ["", ".", "..", ".hidden", "a/b", "../secret", "a\\b", "a\0b", "a\nb", &"x".repeat(201)] {
        let error = store.put(owner, name, Vec::new()).await.unwrap_err();
        assert!(error.cause.to_string().contains("use a plain file name"), "{name:?}: {}", error.cause);
        store.put_new(owner, name, Vec::new()).await.unwrap_err();
    }
    let job = owner.job;
    for address in [
        "scores.csv".into(),
        "file:".into(),
        "object:x/y".into(),
        "object:../secret".into(),
        format!("object:{job}/7/../7/a.csv"),
        format!("file:{job}/7/../7/a.csv"),
        format!("object:{job}/../a.csv"),
        format!("s3://books/jobs/2026/{job}/7/a.csv"),
        format!("azure://books/jobs/2026/{job}/7/a.csv"),
    ] {
        assert!(store.get(&address).await.is_err(), "{address}");
        assert!(store.read(&address, 1).await.is_err(), "{address}");
    }
    assert_eq!(listed(store, job).await, [(7, "a.csv".into(), 1)]);
}

async fn the_files_of_a_job_are_deleted_and_those_of_others_stay(place: Place) {
    let (store, gone, stays) = (&*place.store, run(), run());
    let later = Owner { claim: 8, ..gone };
    for owner in [gone, later, stays] {
        for name in ["a.csv", "b.csv"] {
            store.put(owner, name, b"x".to_vec()).await.unwrap();
        }
    }
    let jobs = async || {
        let mut jobs: Vec<_> = store.jobs().map(Result::unwrap).collect().await;
        jobs.sort_unstable();
        jobs.dedup();
        jobs
    };
    let mut both = [gone.job, stays.job];
    both.sort_unstable();
    assert_eq!(jobs().await, both);

    store.remove(gone.job).await.unwrap();
    store.remove(gone.job).await.unwrap();

    assert_eq!(jobs().await, [stays.job]);
    assert_eq!(listed(store, gone.job).await, []);
    assert_eq!(listed(store, stays.job).await, [(7, "a.csv".into(), 1), (7, "b.csv".into(), 1)]);
}

async fn the_probe_leaves_nothing(place: Place) {
    place.store.probe().await.unwrap();
    place.store.probe().await.unwrap();

    assert_eq!(place.store.jobs().count().await, 0);
    let files = walk(&place.folder.path().join("artifacts"));
    assert_eq!(files, Vec::<String>::new());
}

fn walk(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
