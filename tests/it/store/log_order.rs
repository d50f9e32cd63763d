//! On PostgreSQL the numbers of the audit log are drawn before the commit, and all databases of a server draw from the
//! same: who may read how far is decided by the transactions that are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{Place, Position, Scope};

use crate::support::store::{TestStore, ada, named, set};

/// A number is drawn before the commit: whoever had read the second entry would have passed over the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_the_log_does_not_pass_over_an_entry_that_is_committed_late() {
    let t = TestStore::postgres().await;
    let mut slow = t.connection().await;
    slow.run("BEGIN").await;
    let late = t.row();
    t.store
        .insert_in(slow.transaction(), &Scope::Installation, std::slice::from_ref(&late), &ada())
        .await
        .unwrap();
    let quick = t.add(|_| {}).await;

    assert_eq!(t.store.audit_after(Position::START, 10).await.unwrap(), [], "held back for the open one");
    slow.run("COMMIT").await;

    let entries = t.audited_behind(Position::START, 10).await;
    let told: Vec<_> = entries.iter().flat_map(|(_, entry)| named(entry)).collect();
    assert_eq!(told, [late.id, quick]);
}

/// All databases of a server draw their transactions from the same numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_another_database_holds_no_reader_of_the_log_up() {
    let (t, other) = (TestStore::postgres().await, TestStore::postgres().await);
    let mut elsewhere = other.connection().await;
    elsewhere.run("BEGIN").await;
    other
        .store
        .insert_in(elsewhere.transaction(), &Scope::Installation, &[other.row()], &ada())
        .await
        .unwrap();

    let id = t.add(|_| {}).await;

    let entries = t.audited_behind(Position::START, 10).await;
    assert_eq!(entries.iter().flat_map(|(_, entry)| named(entry)).collect::<Vec<_>>(), [id]);
    elsewhere.run("ROLLBACK").await;
}

/// A dump brings positions with it that the new server's transactions will not reach for years.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_dump_was_loaded_readers_of_the_log_go_on() {
    let t = TestStore::postgres().await;
    t.store.follower("chains").await.unwrap();
    t.connection().await.run("UPDATE compline.follower SET tx = '900000000000'").await;
    let stands = t.store.follower("chains").await.unwrap();

    t.store.migrate().await.unwrap();
    let id = t.add(|_| {}).await;

    let entries = t.audited_behind(stands, 10).await;
    assert_eq!(entries.iter().flat_map(|(_, entry)| named(entry)).collect::<Vec<_>>(), [id]);
    t.store.migrate().await.unwrap();
    assert_eq!(
        entries[0].0.era,
        t.store.audit_head().await.unwrap().at.era,
        "a second start begins no further era"
    );
}

/// Whoever began while a transaction was open, an import of hours, was told all that others had written since it was opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_begins_beside_an_open_transaction_is_told_only_what_comes() {
    let t = TestStore::postgres().await;
    let mut slow = t.connection().await;
    slow.run("BEGIN").await;
    let late = t.row();
    t.store
        .insert_in(slow.transaction(), &Scope::Installation, std::slice::from_ref(&late), &ada())
        .await
        .unwrap();
    let before = t.add(|_| {}).await;

    let (begun, head) = (t.store.follower("chains").await.unwrap(), t.store.audit_head().await.unwrap());
    let after = t.add(|_| {}).await;
    slow.run("COMMIT").await;

    let found_again = t.another().await.follower("chains").await.unwrap();
    let resumed = head.to_string().parse::<Place>().unwrap();
    for place in [&begun, &found_again, &head, &resumed] {
        let entries = t.audited_behind(place.clone(), 10).await;
        let told: Vec<_> = entries.iter().flat_map(|(_, entry)| named(entry)).collect();
        assert_eq!(told, [late.id, after], "and not {before}");
    }

    // Past all that was there when it began it remembers nothing of that, and what comes is news.
    let entries = t.audited_behind(begun.at, 10).await;
    let [_, seen, last] = entries.as_slice() else { panic!("three entries: {entries:?}") };
    for (from, to, remembers) in [(begun.at, seen.0, true), (seen.0, last.0, false)] {
        assert!(t.store.follow("chains", from, to, &[], &ada()).await.unwrap().is_some());
        let stands = t.store.follower("chains").await.unwrap();
        assert_eq!((stands.at, stands.begun().is_some()), (to, remembers));
    }
}

/// Whoever begins to read now is told nothing of what was there before, whatever ends beside it at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_ends_elsewhere_puts_no_new_reader_back() {
    let (t, other) = (TestStore::postgres().await, TestStore::postgres().await);
    let over = Arc::new(AtomicBool::new(false));
    let mut elsewhere = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut session, over) = (other.connection().await, over.clone());
        elsewhere.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                session.run("SELECT pg_current_xact_id(), pg_sleep(random() / 200)").await;
            }
        });
    }

    for reader in 0..100 {
        let before = t.add(|_| {}).await;
        let begun = t.store.follower(&format!("reader {reader}")).await.unwrap();
        let head = t.store.audit_head().await.unwrap();
        let after = t.add(|_| {}).await;

        for place in [begun, head] {
            let entries = t.audited_behind(place, 10).await;
            let told: Vec<_> = entries.iter().map(|(_, entry)| named(entry)).collect();
            assert_eq!(told, [set([after])], "and not {before}");
        }
    }

    over.store(true, Ordering::Relaxed);
    elsewhere.join_all().await;
}
