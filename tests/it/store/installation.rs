//! Which installation a database is of: drawn once, the same for all who open it, and no other's.

use std::sync::Arc;

use store::Store;
use store_sqlite::SqliteStore;

use crate::support::postgres as server;
use crate::support::store::{TestStore, promises};

promises![an_installation_has_a_name_of_its_own_that_stays];

async fn an_installation_has_a_name_of_its_own_that_stays(t: TestStore) {
    let first = t.store.installation().await.unwrap();

    t.store.migrate().await.unwrap();
    let again = t.store.installation().await.unwrap();

    assert_eq!(again, first);
    assert!(!first.is_nil());
}

/// Test databases are copies of one, so these are made by their migrations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_have_one_name() {
    let t = TestStore::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for number in 0..2 {
        let url = format!("sqlite://{}", folder.path().join(format!("{number}.db")).display());
        let file: Arc<dyn Store> = Arc::new(SqliteStore::open(&url, t.clock.clone()).await.unwrap());
        let database: Arc<dyn Store> = server::store(&server::empty_database().await, t.clock.clone());
        for store in [file, database] {
            store.migrate().await.unwrap();
            names.push(store.installation().await.unwrap());
        }
    }

    let mut others = names.clone();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), names.len(), "{names:?}");
}
