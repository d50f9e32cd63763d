//! Which installation a database is of: drawn once, the same for all who open it, and no other's.

use crate::support::store::{TestStore, promises};

promises![an_installation_has_a_name_of_its_own_that_stays];

async fn an_installation_has_a_name_of_its_own_that_stays(t: TestStore) {
    let first = t.store.installation().await.unwrap();

    t.store.migrate().await.unwrap();
    let again = t.store.installation().await.unwrap();
    let other = TestStore::sqlite().await.store.installation().await.unwrap();

    assert_eq!(again, first);
    assert_ne!(other, first);
    assert!(!first.is_nil());
}
