//! What a trigger has taken is taken once.

use jobkit::{Clock, JobId, OnConflict};
use store::triggers::{Intake, SourceRow};
use store::{JobFilter, NewRow, Release, Scope};

use crate::support::store::{TestStore, ada, completed, named, promises, seconds, set, unique};

promises![
    what_was_taken_makes_no_second_job,
    of_two_that_bring_the_same_in_one_call_the_first_brings_it,
    one_mark_in_two_sources_is_two_things,
    what_is_taken_is_audited_in_the_same_transaction,
    what_cannot_be_inserted_is_not_remembered,
    what_a_unique_key_holds_back_is_remembered_with_the_holder,
    two_that_take_the_same_at_once_make_its_jobs_once,
    marks_are_forgotten_up_to_one_of_them,
    marks_are_forgotten_when_nobody_has_seen_them_for_long,
    a_source_is_listed_with_what_it_remembers,
];

const SOURCE: &str = "stream:test";

fn intake(t: &TestStore, mark: &str) -> Intake {
    Intake { mark: mark.into(), rows: vec![t.row()] }
}

async fn take(t: &TestStore, marks: &[&str]) -> Vec<(JobId, bool)> {
    let intakes: Vec<_> = marks.iter().map(|mark| intake(t, mark)).collect();
    let taken = t.store.take(SOURCE, &intakes, &ada()).await.unwrap();
    taken.into_iter().map(|taken| (taken.id, taken.duplicate)).collect()
}

async fn all(t: &TestStore) -> std::collections::BTreeSet<JobId> {
    set(t
        .store
        .jobs(&Scope::Installation, &JobFilter::default())
        .await
        .unwrap()
        .into_iter()
        .map(|job| job.id))
}

async fn what_was_taken_makes_no_second_job(t: TestStore) {
    let first = take(&t, &["a", "b"]).await;
    let worker = t.worker().await;
    t.run(worker, completed()).await;

    let second = take(&t, &["b", "c", "a"]).await;

    assert_eq!(first.iter().map(|(_, before)| *before).collect::<Vec<_>>(), [false, false]);
    assert_eq!((second[0], second[2]), ((first[1].0, true), (first[0].0, true)));
    assert!(!second[1].1);
    assert_eq!(all(&t).await, set([first[0].0, first[1].0, second[1].0]));
}

async fn of_two_that_bring_the_same_in_one_call_the_first_brings_it(t: TestStore) {
    let taken = take(&t, &["a", "a"]).await;

    assert_eq!(taken, [(taken[0].0, false), (taken[0].0, true)]);
    assert_eq!(all(&t).await, set([taken[0].0]));
}

async fn one_mark_in_two_sources_is_two_things(t: TestStore) {
    let here = take(&t, &["a"]).await;

    let there = t.store.take("stream:other", &[intake(&t, "a")], &ada()).await.unwrap();

    assert!(!there[0].duplicate);
    assert_eq!(all(&t).await, set([here[0].0, there[0].id]));
}

async fn what_is_taken_is_audited_in_the_same_transaction(t: TestStore) {
    let taken = take(&t, &["a", "b"]).await;
    take(&t, &["a"]).await;

    let entries = t.everything_audited().await;
    let [entry] = entries.as_slice() else { panic!("one entry: {entries:?}") };
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("job.enqueue", "user:ada"));
    assert_eq!(named(entry), set(taken.into_iter().map(|(id, _)| id)));
}

async fn what_cannot_be_inserted_is_not_remembered(t: TestStore) {
    let orphan = NewRow { after: vec![t.ids.next()], ..t.row() };
    let intakes = [intake(&t, "a"), Intake { mark: "b".into(), rows: vec![orphan] }];

    t.store.take(SOURCE, &intakes, &ada()).await.unwrap_err();

    assert_eq!(all(&t).await, set([]));
    assert!(!take(&t, &["a"]).await[0].1);
}

async fn what_a_unique_key_holds_back_is_remembered_with_the_holder(t: TestStore) {
    let holder = t.add(|row| row.unique = unique(7, Release::AtEnd, OnConflict::ReturnExisting)).await;
    let held = NewRow { unique: unique(7, Release::AtEnd, OnConflict::ReturnExisting), ..t.row() };
    let intakes = [Intake { mark: "a".into(), rows: vec![held] }];

    let taken = t.store.take(SOURCE, &intakes, &ada()).await.unwrap();

    assert_eq!((taken[0].id, taken[0].duplicate), (holder, true));
    assert_eq!(take(&t, &["a"]).await, [(holder, true)]);
}

async fn two_that_take_the_same_at_once_make_its_jobs_once(t: TestStore) {
    let other = t.another().await;
    let marks: Vec<String> = (0..40).map(|n| format!("m{n:02}")).collect();
    let brought = || marks.iter().map(|mark| intake(&t, mark)).collect::<Vec<_>>();
    let (forth, mut back) = (brought(), brought());
    back.reverse();

    let by = ada();
    let (first, second) = tokio::join!(
        async {
            for few in forth.chunks(7) {
                t.store.take(SOURCE, few, &by).await.unwrap();
            }
        },
        async {
            for few in back.chunks(7) {
                other.take(SOURCE, few, &by).await.unwrap();
            }
        }
    );
    let ((), ()) = (first, second);

    let taken = take(&t, &marks.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(taken.iter().all(|(_, before)| *before));
    assert_eq!(all(&t).await, set(taken.into_iter().map(|(id, _)| id)));
    other.close().await;
}

async fn marks_are_forgotten_up_to_one_of_them(t: TestStore) {
    take(&t, &["1", "2", "3"]).await;
    t.store.take("another", &[intake(&t, "1")], &ada()).await.unwrap();

    assert_eq!(t.store.forget_marks_before(SOURCE, "3", 1).await.unwrap(), 1);
    assert_eq!(t.store.forget_marks_before(SOURCE, "3", 10).await.unwrap(), 1);

    let marks = ["1", "2", "3"].map(String::from);
    assert_eq!(t.store.see_marks(SOURCE, &marks).await.unwrap(), ["3"]);
    assert_eq!(t.store.see_marks("another", &marks).await.unwrap(), ["1"]);
}

async fn marks_are_forgotten_when_nobody_has_seen_them_for_long(t: TestStore) {
    take(&t, &["a", "b"]).await;
    t.clock.advance(seconds(100));
    assert_eq!(t.store.see_marks(SOURCE, &["b".into(), "never".into()]).await.unwrap(), ["b"]);
    t.clock.advance(seconds(100));

    assert_eq!(t.store.forget_marks_unseen(SOURCE, seconds(150), 10).await.unwrap(), 1);

    assert_eq!(t.store.see_marks(SOURCE, &["a".into(), "b".into()]).await.unwrap(), ["b"]);
}

async fn a_source_is_listed_with_what_it_remembers(t: TestStore) {
    take(&t, &["a", "b"]).await;

    let listed = t.store.mark_sources().await.unwrap();

    assert_eq!(listed, [SourceRow { source: SOURCE.into(), marks: 2, last_at: t.clock.now() }]);
}
