//! What only the store on PostgreSQL promises of its schema: who may bring it up to date, and what is told of it.

use std::sync::Arc;

use jobkit::testing::ManualClock;
use sqlx::{Connection, PgConnection};
use store::Store;

use crate::support::postgres;
use crate::support::store::TestStore;

/// PostgreSQL looks for tables first in the schema that is called like the user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_called_like_our_schema_can_migrate_twice() {
    let url = postgres::empty_database_of("compline").await;
    let clock = Arc::new(ManualClock::default());
    let store = postgres::store(&url, clock);
    let first = store.migrate().await.unwrap();

    let second = store.migrate().await.unwrap();

    assert_eq!((second.from, second.to), (first.to, first.to));
}

/// Each says what it found, and not what it found before it waited for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_migrate_at_once_one_says_that_it_did() {
    let url = postgres::empty_database().await;
    let clock = Arc::new(ManualClock::default());
    let stores: Vec<_> = (0..6).map(|_| postgres::store(&url, clock.clone())).collect();

    let migrated = futures::future::join_all(stores.iter().map(|store| store.migrate())).await;

    let mut from: Vec<_> = migrated.into_iter().map(|migrated| migrated.unwrap()).collect();
    from.sort_by_key(|migrated| migrated.from);
    let to = from[0].to;
    assert_eq!(from.iter().map(|m| m.from).collect::<Vec<_>>(), [0, to, to, to, to, to]);
    assert!(from.iter().all(|migrated| migrated.to == to));
}

/// The role that a production installation works as.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_make_nothing_can_start_where_nothing_is_to_be_made() {
    let t = TestStore::postgres().await;
    let mut owner = PgConnection::connect(t.url()).await.unwrap();
    for statement in [
        "CREATE ROLE works LOGIN",
        "GRANT USAGE ON SCHEMA compline TO works",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA compline TO works",
    ] {
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    }
    let url = t.url().replace("//postgres@", "//works@");
    let clock = Arc::new(ManualClock::default());

    let migrated = postgres::store(&url, clock).migrate().await.unwrap();

    assert_eq!(migrated.from, migrated.to);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_told_as_that() {
    let t = TestStore::postgres().await;
    t.store.writable().await.unwrap();
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", t.url());
    let clock = Arc::new(ManualClock::default());

    let refused = postgres::store(&url, clock).writable().await.unwrap_err();

    assert!(refused.to_string().contains("takes no writes"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_for_the_schema_of_an_empty_database_leaves_it_empty() {
    let url = postgres::empty_database().await;
    let store = postgres::store(&url, Arc::new(ManualClock::default()));

    let schema = store.schema().await.unwrap();

    assert_eq!(schema.found, 0);
    assert!(!schema.suffices());
    assert_eq!(store.schema().await.unwrap(), schema);
}
