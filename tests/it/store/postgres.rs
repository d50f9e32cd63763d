//! What only the store on PostgreSQL promises.

use compline::store::Store;

use crate::support::postgres;

/// PostgreSQL looks for tables first in the schema that is called like the user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_called_like_our_schema_can_migrate_twice() {
    let url = postgres::empty_database_of("compline").await;
    let clock = std::sync::Arc::new(jobkit::testing::ManualClock::default());
    let store = postgres::store(&url, clock);
    let first = store.migrate().await.unwrap();

    let second = store.migrate().await.unwrap();

    assert_eq!((second.from, second.to), (first.to, first.to));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_for_the_schema_of_an_empty_database_leaves_it_empty() {
    let url = postgres::empty_database().await;
    let store = postgres::store(&url, std::sync::Arc::new(jobkit::testing::ManualClock::default()));

    let schema = store.schema().await.unwrap();

    assert_eq!(schema.found, 0);
    assert!(!schema.suffices());
    assert_eq!(store.schema().await.unwrap(), schema);
}
