//! Who acts on a thing alone, and for how long: exactly as long as its attempt runs.

use std::sync::Arc;

use jobkit::Put;
use store::{Attempting, End, StoreError};
use tokio::sync::Barrier;

use super::{change, done, grip, hand, holds, id, made, put, record, told, written};
use crate::support::store::{TestStore, completed, discarded, promises, retry};

promises![
    of_attempts_at_once_one_holds,
    a_hold_ends_with_its_attempt_however_that_ends,
    what_another_holds_is_not_changed,
    an_attempt_that_lost_its_job_changes_and_holds_nothing,
    what_is_let_go_is_free_at_once_and_nobody_elses_is,
];

async fn of_attempts_at_once_one_holds(t: TestStore) {
    let doors = [t.store.clone(), t.another().await];
    for round in 0..10 {
        let record = made(&t, change(&format!("{round}"))).await;
        let mut attempts = Vec::new();
        for _ in 0..4 {
            attempts.push(hand(&t, None).await);
        }
        let barrier = Arc::new(Barrier::new(attempts.len()));
        let racing = attempts.iter().enumerate().map(|(n, hand)| {
            let (store, barrier) = (doors[n % 2].clone(), barrier.clone());
            let (attempt, id) = (hand.attempt.clone(), record.id.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                store.record_hold(&attempt, &id).await.unwrap()
            })
        });

        let mut holders = Vec::new();
        for (n, held) in racing.collect::<Vec<_>>().into_iter().enumerate() {
            holders.extend(held.await.unwrap().map(|held| (n, held)));
        }

        let [(holder, held)] = holders.as_slice() else { panic!("one holds: {holders:?}") };
        assert_eq!(*held, record);
        for (n, hand) in attempts.iter().enumerate() {
            assert_eq!(holds(&t, hand, &record.id).await, n == *holder);
        }
        for hand in &attempts {
            t.finish(hand.worker, &hand.job, completed()).await;
        }
    }
}

async fn a_hold_ends_with_its_attempt_however_that_ends(t: TestStore) {
    let other = hand(&t, None).await;
    for (n, end) in [completed(), retry(600), discarded(), End::GiveBack].into_iter().enumerate() {
        let made = made(&t, change(&format!("{n}"))).await;
        let holder = hand(&t, None).await;
        assert!(holds(&t, &holder, &made.id).await && holds(&t, &holder, &made.id).await);
        assert!(!holds(&t, &other, &made.id).await);
        t.finish(holder.worker, &holder.job, end.clone()).await;

        assert!(holds(&t, &other, &made.id).await, "{end:?}");
    }
    // What was given back.
    let holder = grip(&t, other.worker).await;
    let kept = done(&t, &holder, change("kept")).await;
    let killed = hand(&t, None).await;
    let left = done(&t, &killed, change("left")).await;
    assert!(!holds(&t, &other, &left.id).await, "whoever changes it holds it");

    // The worker is dead, and so is its attempt, which did not notice.
    t.store.rescue(killed.worker, 0).await.unwrap();
    let late = t.store.record_put(&killed.attempt, &left.to("sent", "post.letter.sent")).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    let again = grip(&t, other.worker).await;
    assert_eq!(again.job.id, killed.job.id);
    assert!(!holds(&t, &again, &kept.id).await, "somebody else's goes on");
    assert!(holds(&t, &again, &left.id).await, "a later attempt of the same job");
    assert!(!holds(&t, &other, &left.id).await);
    let late = t.store.record_hold(&killed.attempt, &left.id).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
}

async fn what_another_holds_is_not_changed(t: TestStore) {
    let (holder, other) = (hand(&t, None).await, hand(&t, None).await);
    let made = made(&t, change("a")).await;
    assert!(holds(&t, &holder, &made.id).await);

    assert_eq!(put(&*t.store, &other, made.to("sent", "post.letter.sent")).await, Put::Moved);
    let sent = done(&t, &holder, made.to("sent", "post.letter.sent")).await;
    assert_eq!(put(&*t.store, &other, sent.to("lost", "post.letter.lost")).await, Put::Moved);
    t.finish(holder.worker, &holder.job, completed()).await;
    let lost = done(&t, &other, sent.to("lost", "post.letter.lost")).await;

    let third = hand(&t, None).await;
    assert_eq!(put(&*t.store, &third, lost.to("found", "post.letter.found")).await, Put::Moved);
    assert!(!holds(&t, &third, &made.id).await);
    let actions: Vec<_> = told(&t).await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["post.letter.written", "post.letter.sent", "post.letter.lost"]);
}

async fn an_attempt_that_lost_its_job_changes_and_holds_nothing(t: TestStore) {
    let lost = hand(&t, None).await;
    let made = done(&t, &lost, change("a")).await;
    t.finish(lost.worker, &lost.job, End::GiveBack).await;
    let now = grip(&t, lost.worker).await;
    let stranger = Attempting {
        held: store::Held { worker: t.worker().await, ..now.attempt.held },
        ..now.attempt.clone()
    };

    for attempt in [&lost.attempt, &stranger] {
        for change in [made.to("sent", "post.letter.sent"), change("b")] {
            let put = t.store.record_put(attempt, &change).await;
            assert!(matches!(put, Err(StoreError::LeaseLost)), "{put:?}");
        }
        let held = t.store.record_hold(attempt, &made.id).await;
        assert!(matches!(held, Err(StoreError::LeaseLost)), "{held:?}");
    }

    assert_eq!((record(&t, &made.id).await, record(&t, &id(None, "b")).await), (Some(made), None));
    assert_eq!(told(&t).await, written(&["a"]));
}

async fn what_is_let_go_is_free_at_once_and_nobody_elses_is(t: TestStore) {
    let (holder, other) = (hand(&t, None).await, hand(&t, None).await);
    let [first, second] = [made(&t, change("a")).await, made(&t, change("b")).await];
    for record in [&first, &second] {
        assert!(holds(&t, &holder, &record.id).await);
    }

    // What is not one's own stays where it is.
    t.store.record_let_go(other.attempt.held, &first.id).await.unwrap();
    assert!(!holds(&t, &other, &first.id).await);
    t.store.record_let_go(holder.attempt.held, &first.id).await.unwrap();
    assert!(holds(&t, &other, &first.id).await);
    assert!(!holds(&t, &other, &second.id).await, "the other is still held");

    // A later attempt of the same job has it, and the earlier one wakes up.
    t.finish(holder.worker, &holder.job, End::GiveBack).await;
    let again = grip(&t, holder.worker).await;
    assert!(holds(&t, &again, &second.id).await);
    t.store.record_let_go(holder.attempt.held, &second.id).await.unwrap();
    assert!(!holds(&t, &other, &second.id).await);
    // Nothing is made, or told, of it.
    t.store.record_let_go(again.attempt.held, &id(Some("north"), "a")).await.unwrap();
    assert_eq!(record(&t, &first.id).await, Some(first));
    assert_eq!(told(&t).await, written(&["a", "b"]));
}
