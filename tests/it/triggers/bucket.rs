//! Objects in a bucket of moto's S3: each makes a job, as it is, once, and what a job fetches is what lies there.

use std::time::Duration;

use engine::adapters::buckets::Buckets;
use engine::triggers::settings::{Folder, Triggers as Settings};
use jobkit::{ObjectError, Objects};

use super::{Door, stop};
use crate::support::s3::S3;
use crate::support::store::{TestStore, promises};

promises![
    an_object_makes_a_job_and_another_when_it_changes,
    objects_beside_the_prefix_and_with_other_names_are_left_alone,
    a_bucket_that_is_away_is_waited_for,
];

fn settings(path: &str) -> Settings {
    let folder = Folder {
        path: path.into(),
        suffix: ".csv".into(),
        every: Duration::from_millis(500),
        // It is for folders: an object is there when it is whole.
        stable_for: Duration::from_secs(3_600),
        // It takes any arguments that name a file, and nobody runs it.
        kind: "system.steps".into(),
        args: r#"{"n": 1, "file": "{/path}"}"#.into(),
        ..Folder::default()
    };
    Settings { folders: [("ledgers".to_owned(), folder)].into(), ..Settings::default() }
}

async fn files(door: &Door) -> Vec<String> {
    let args = door.args().await;
    let mut files: Vec<_> = args.iter().map(|args| args["file"].as_str().unwrap().to_owned()).collect();
    files.sort_unstable();
    files
}

async fn an_object_makes_a_job_and_another_when_it_changes(t: TestStore) {
    let s3 = S3::start().await;
    s3.put("books/2026/a b.csv", "one").await;
    let door = Door::new(&t, None);
    let settings = settings("s3://books/2026");

    let services = door.start_with(&settings, &s3.buckets(&["books"]));
    door.until("the object is taken", async || files(&door).await == ["s3://books/2026/a b.csv"]).await;
    door.pass(Duration::from_secs(3)).await;
    stop(services).await;

    // The next process knows what was taken.
    let services = door.start_with(&settings, &s3.buckets(&["books"]));
    s3.put("books/2026/b.csv", "two").await;
    door.until("the other is taken", async || files(&door).await.len() == 2).await;
    s3.put("books/2026/b.csv", "another two").await;
    door.until("it is taken again", async || files(&door).await.len() == 3).await;

    assert_eq!(
        files(&door).await,
        ["s3://books/2026/a b.csv", "s3://books/2026/b.csv", "s3://books/2026/b.csv"]
    );
    stop(services).await;
}

async fn objects_beside_the_prefix_and_with_other_names_are_left_alone(t: TestStore) {
    let s3 = S3::start().await;
    for key in ["in/a.csv", "in/deep/b.csv", "in/c.txt", "in/.d.csv", "inner/e.csv", "f.csv"] {
        s3.put(&format!("books/{key}"), "one").await;
    }
    let door = Door::new(&t, None);

    let services = door.start_with(&settings("s3://books/in/"), &s3.buckets(&["books"]));
    door.until("both are taken", async || files(&door).await.len() >= 2).await;
    door.pass(Duration::from_secs(3)).await;

    assert_eq!(files(&door).await, ["s3://books/in/a.csv", "s3://books/in/deep/b.csv"]);
    stop(services).await;
}

async fn a_bucket_that_is_away_is_waited_for(t: TestStore) {
    let s3 = S3::start().await;
    let door = Door::new(&t, None);
    let services = door.start_with(&settings("s3://later"), &s3.buckets(&["later"]));
    door.pass(Duration::from_secs(2)).await;

    s3.put("later/a.csv", "one").await;

    door.until("the object is taken", async || files(&door).await == ["s3://later/a.csv"]).await;
    stop(services).await;
}

#[tokio::test]
async fn what_is_fetched_is_what_lies_there_and_what_does_not_is_told_apart() {
    let s3 = S3::start().await;
    // More than one piece on the way.
    let large: String = (0..400_000).map(|n| format!("{n},")).collect();
    s3.put("books/2026/large.csv", &large).await;
    let buckets = s3.buckets(&["books"]);
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("ledger");

    assert_eq!(buckets.fetch("s3://books/2026/large.csv", &into).await.unwrap(), large.len() as u64);
    assert_eq!(std::fs::read_to_string(&into).unwrap(), large);

    let missing = buckets.fetch("s3://books/2026/none.csv", &into).await.unwrap_err();
    assert!(matches!(missing, ObjectError::Missing(_)), "{missing:?}");
    let unknown = buckets.fetch("s3://other/a.csv", &into).await.unwrap_err();
    assert!(matches!(unknown, ObjectError::Unknown(_)), "{unknown:?}");
    let climbing = buckets.fetch("s3://books/../a.csv", &into).await.unwrap_err();
    assert!(matches!(climbing, ObjectError::Unknown(_)), "{climbing:?}");
    s3.stop();
    let away = buckets.fetch("s3://books/2026/large.csv", &into).await.unwrap_err();
    assert!(matches!(away, ObjectError::Away(_)), "{away:?}");
    assert!(matches!(Buckets::default().probe("books").await, Err(ObjectError::Unknown(_))));
}
