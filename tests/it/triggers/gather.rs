//! Deliveries that come while others are being taken go together.

use std::collections::BTreeSet;

use engine::triggers::gather::Gather;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use jobkit::{JobId, NewJob};
use serde_json::json;
use store::triggers::Intake;

use super::Door;
use crate::support::store::{Connection, TestStore, named, promises};

promises![those_that_come_while_others_are_taken_are_taken_in_one_transaction];

/// Nobody writes into what triggers have taken until this ends its transaction.
async fn lock(t: &TestStore) -> Connection {
    let mut connection = t.connection().await;
    match &mut connection {
        Connection::Sqlite(_) => connection.run("BEGIN IMMEDIATE").await,
        Connection::Postgres(_) => {
            connection.run("BEGIN").await;
            connection.run("LOCK TABLE compline.trigger_mark IN ACCESS EXCLUSIVE MODE").await;
        }
    }
    connection
}

async fn those_that_come_while_others_are_taken_are_taken_in_one_transaction(t: TestStore) {
    let door = Door::new(&t, None);
    let gather = Gather::new(door.app.queue.clone());
    let intake = |mark: &str| Intake {
        mark: mark.into(),
        rows: door.app.queue.children(vec![NewJob::new("system.noop", json!({}))]).unwrap(),
    };
    // Two groups are under way at a time, and none has more than one source: these two are the two, whoever is quicker.
    let brought = [
        ("door:a", "1"),
        ("door:b", "1"),
        ("door:c", "1"),
        ("door:c", "2"),
        ("door:c", "3"),
        ("door:c", "4"),
    ];
    let mut locked = lock(&t).await;
    let mut coming: Vec<BoxFuture<'_, _>> =
        brought.iter().map(|(source, mark)| gather.take(source, intake(mark)).boxed()).collect();

    // Each is in the line once it was asked for the first time.
    for taking in &mut coming {
        assert!(futures::poll!(taking).is_pending());
    }
    locked.run("COMMIT").await;
    let taken = join_all(coming).await;

    let ids: Vec<JobId> = taken
        .into_iter()
        .map(|taken| {
            let taken = taken.unwrap();
            assert!(matches!(taken.as_slice(), [one] if !one.duplicate), "{taken:?}");
            taken[0].id
        })
        .collect();
    // A transaction has one entry for all that it brought.
    let together: BTreeSet<(String, BTreeSet<JobId>)> =
        t.everything_audited().await.iter().map(|entry| (entry.actor.clone(), named(entry))).collect();
    let of = |source: &str, ids: &[JobId]| (source.to_owned(), ids.iter().copied().collect());
    assert_eq!(
        together,
        BTreeSet::from([of("door:a", &ids[..1]), of("door:b", &ids[1..2]), of("door:c", &ids[2..])])
    );
}
