//! Enqueueing in the application's own transaction.

use store::state::JobState;
use store::{Position, Scope};

use crate::support::store::{Connection, TestStore, ada, promises, refusal};

promises![
    a_job_exists_if_and_when_the_caller_commits,
    a_job_of_a_transaction_that_was_rolled_back_never_was,
    a_unique_job_of_a_transaction_is_one_too,
    a_transaction_on_another_kind_of_database_is_refused,
];

async fn a_job_exists_if_and_when_the_caller_commits(t: TestStore) {
    let row = t.row();
    let mut mine = t.connection().await;
    mine.run("BEGIN").await;
    t.store
        .insert_in(mine.transaction(), &Scope::Installation, std::slice::from_ref(&row), &ada())
        .await
        .unwrap();
    assert_eq!(t.store.job(&Scope::Installation, row.id).await.unwrap(), None);

    mine.run("COMMIT").await;

    assert_eq!(t.state(row.id).await, JobState::Available);
    let entries = t.audited_behind(Position::START, 10).await;
    assert_eq!(entries.last().unwrap().1.actor, ada().name);
}

async fn a_job_of_a_transaction_that_was_rolled_back_never_was(t: TestStore) {
    let row = t.row();
    let mut mine = t.connection().await;
    mine.run("BEGIN").await;
    t.store
        .insert_in(mine.transaction(), &Scope::Installation, std::slice::from_ref(&row), &ada())
        .await
        .unwrap();

    mine.run("ROLLBACK").await;

    assert_eq!(t.store.job(&Scope::Installation, row.id).await.unwrap(), None);
    assert_eq!(t.audited_behind(Position::START, 10).await, []);
}

async fn a_unique_job_of_a_transaction_is_one_too(t: TestStore) {
    use crate::support::store::unique;
    use jobkit::OnConflict;
    use store::Release;
    let first = t.add(|row| row.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting)).await;
    let mut row = t.row();
    row.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
    let mut mine = t.connection().await;
    mine.run("BEGIN").await;

    let inserted = t.store.insert_in(mine.transaction(), &Scope::Installation, &[row], &ada()).await.unwrap();

    mine.run("COMMIT").await;
    assert_eq!((inserted[0].id, inserted[0].duplicate), (first, true));
}

async fn a_transaction_on_another_kind_of_database_is_refused(t: TestStore) {
    let mine = t.connection().await;
    let other = match mine {
        Connection::Postgres(_) => TestStore::sqlite().await,
        Connection::Sqlite(_) => TestStore::postgres().await,
    };
    let mut foreign = other.connection().await;

    let problem =
        refusal(t.store.insert_in(foreign.transaction(), &Scope::Installation, &[t.row()], &ada()).await);

    assert!(problem.contains("transaction"), "{problem}");
}
