//! What people decided on the items of a job's result: only appended, and kept when the job goes.

use jobkit::{Clock, JobId};
use serde_json::json;
use store::{
    Comment, Decision, NewReview, Once, PruneRules, Request, ReviewFilter, ReviewRow, Reviewed, Reviewer,
    Scope,
};

use crate::support::store::{TestStore, ada, completed, discarded, named, promises, seconds, set};

promises![
    what_somebody_decided_is_kept_with_who_and_when_and_written_down_without_its_words,
    only_what_has_completed_is_reviewed,
    the_last_decision_on_an_item_holds_whatever_is_said_of_it_since,
    reviews_are_looked_back_on_newest_first_and_in_pages,
    reviews_under_a_key_are_written_once,
    reviews_outlive_their_job,
    no_review_is_changed_or_deleted,
];

async fn done(t: &TestStore) -> JobId {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    t.run(worker, completed()).await
}

fn by(name: Option<&str>) -> Reviewer {
    Reviewer { actor: ada(), by: name.map(Into::into) }
}

fn decided(item: &str, decision: Decision, comment: Option<&str>) -> NewReview {
    let comment = comment.map(|text| Comment { text: text.into(), characters: text.chars().count() });
    NewReview { item: item.into(), decision, comment }
}

async fn review(t: &TestStore, job: JobId, item: &str, decision: Decision) {
    let comment = (decision == Decision::Comment).then_some("hm");
    let reviewed = t
        .store
        .review(&Scope::Installation, job, &[decided(item, decision, comment)], &by(None))
        .await
        .unwrap();
    assert_eq!(reviewed, Reviewed::At(t.clock.now()));
}

async fn all(t: &TestStore, job: JobId) -> Vec<ReviewRow> {
    let filter = ReviewFilter { job, items: Vec::new(), before: None, limit: 1_000 };
    t.store.reviews(&Scope::Installation, &filter).await.unwrap()
}

/// Each with its decision.
fn items(rows: &[ReviewRow]) -> Vec<(&str, Decision)> {
    rows.iter().map(|row| (row.item.as_str(), row.decision)).collect()
}

async fn what_somebody_decided_is_kept_with_who_and_when_and_written_down_without_its_words(t: TestStore) {
    let (job, other) = (done(&t).await, done(&t).await);
    let given = [
        decided("JE-4711", Decision::FollowUp, Some("who is Ümit?")),
        decided("JE-4712", Decision::Cleared, None),
    ];

    let reviewed = t.store.review(&Scope::Installation, job, &given, &by(Some("Grace"))).await.unwrap();

    assert_eq!(reviewed, Reviewed::At(t.clock.now()));
    let rows = all(&t, job).await;
    let [second, first] = rows.as_slice() else { panic!("two rows: {rows:?}") };
    let wanted = ReviewRow {
        seq: first.seq,
        item: "JE-4711".into(),
        decision: Decision::FollowUp,
        comment: Some("who is Ümit?".into()),
        by: Some("Grace".into()),
        actor: "user:ada".into(),
        at: t.clock.now(),
    };
    assert_eq!(first, &wanted);
    let without = ReviewRow {
        seq: second.seq,
        item: "JE-4712".into(),
        decision: Decision::Cleared,
        comment: None,
        ..wanted
    };
    assert_eq!(second, &without);
    assert!(second.seq > first.seq);
    assert_eq!(all(&t, other).await, []);
    let audit = t.audit().await;
    let entry = audit.iter().rfind(|entry| entry.action == "job.reviewed").unwrap();
    assert_eq!((entry.actor.as_str(), entry.object.as_str(), named(entry)), ("user:ada", "job", set([job])));
    assert_eq!(
        (&entry.details["by"], &entry.details["items"]),
        (
            &json!("Grace"),
            &json!([
                { "item": "JE-4711", "decision": "follow_up", "comment_characters": 12 },
                { "item": "JE-4712", "decision": "cleared" },
            ])
        )
    );
}

async fn only_what_has_completed_is_reviewed(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let dead = t.run(worker, discarded()).await;
    let waiting = t.add(|_| {}).await;
    let running = t.claim_one(worker).await.id;
    assert_eq!(running, waiting);

    for job in [dead, running, t.ids.next()] {
        let given = [decided("JE-1", Decision::Cleared, None)];
        assert_eq!(
            t.store.review(&Scope::Installation, job, &given, &by(None)).await.unwrap(),
            Reviewed::NotCompleted
        );
        assert_eq!(all(&t, job).await, []);
    }
    assert!(t.audit().await.iter().all(|entry| entry.action != "job.reviewed"));
}

async fn the_last_decision_on_an_item_holds_whatever_is_said_of_it_since(t: TestStore) {
    use Decision::{Cleared, Comment, FollowUp};
    let (job, other) = (done(&t).await, done(&t).await);
    for (item, decision) in [
        ("b", Cleared),
        ("a", FollowUp),
        ("é", FollowUp),
        ("B", FollowUp),
        ("a", Cleared),
        ("a", Comment),
        ("c", Comment),
        ("b", FollowUp),
    ] {
        review(&t, job, item, decision).await;
    }
    // Of two on one item in one call the later one holds.
    let twice = [decided("z", Cleared, None), decided("z", FollowUp, None)];
    t.store.review(&Scope::Installation, job, &twice, &by(None)).await.unwrap();
    review(&t, other, "a", FollowUp).await;
    let decisions =
        async |after, limit| t.store.decisions(&Scope::Installation, job, after, limit).await.unwrap();

    let held = decisions(None, 100).await;

    // In the order of their bytes, on both databases.
    let wanted = [("B", FollowUp), ("a", Cleared), ("b", FollowUp), ("z", FollowUp), ("é", FollowUp)];
    assert_eq!(items(&held), wanted);
    assert_eq!(items(&decisions(None, 2).await), wanted[..2]);
    assert_eq!(items(&decisions(Some("a"), 2).await), wanted[2..4]);
    assert_eq!(items(&decisions(Some("é"), 2).await), []);
    assert_eq!(
        items(&t.store.decisions(&Scope::Installation, other, None, 9).await.unwrap()),
        [("a", FollowUp)]
    );
}

async fn reviews_are_looked_back_on_newest_first_and_in_pages(t: TestStore) {
    use Decision::{Cleared, Comment, FollowUp};
    let job = done(&t).await;
    for (item, decision) in [("a", FollowUp), ("b", Cleared), ("a", Comment), ("c", Cleared)] {
        review(&t, job, item, decision).await;
    }
    let page = async |items: &[&str], before, limit| {
        let items = items.iter().map(|item| (*item).to_owned()).collect();
        t.store.reviews(&Scope::Installation, &ReviewFilter { job, items, before, limit }).await.unwrap()
    };

    let first = page(&[], None, 3).await;
    let second = page(&[], Some(first[2].seq), 3).await;

    assert_eq!(items(&first), [("c", Cleared), ("a", Comment), ("b", Cleared)]);
    assert_eq!(items(&second), [("a", FollowUp)]);
    assert_eq!(items(&page(&["a"], None, 9).await), [("a", Comment), ("a", FollowUp)]);
    assert_eq!(items(&page(&["c", "b"], Some(first[0].seq), 9).await), [("b", Cleared)]);
    assert_eq!(items(&page(&["d"], None, 9).await), []);
}

async fn reviews_under_a_key_are_written_once(t: TestStore) {
    let job = done(&t).await;
    let worker = t.worker().await;
    let waiting = t.add(|_| {}).await;
    let request = |key, asked| Request { key: [key; 32], fingerprint: [asked; 32] };
    let given = [decided("a", Decision::Cleared, None)];
    let ask = async |request, job| {
        t.store.review_once(&Scope::Installation, &request, job, &given, &by(None)).await.unwrap()
    };

    let first = ask(request(1, 1), job).await;
    let at = t.clock.now();
    t.clock.advance(seconds(5));
    let again = ask(request(1, 1), job).await;
    let other = ask(request(1, 2), job).await;
    let early = ask(request(2, 1), waiting).await;
    t.run(worker, completed()).await;
    let later = ask(request(2, 1), waiting).await;

    assert_eq!((first, again), (Once::Done(Reviewed::At(at)), Once::Again(Reviewed::At(at))));
    assert_eq!(other, Once::Other);
    // What was not written leaves its key free.
    assert_eq!(early, Once::Done(Reviewed::NotCompleted));
    assert_eq!(later, Once::Done(Reviewed::At(t.clock.now())));
    assert_eq!((all(&t, job).await.len(), all(&t, waiting).await.len()), (1, 1));
    let audit = t.audit().await;
    assert_eq!(audit.iter().filter(|entry| entry.action == "job.reviewed").count(), 2);
}

async fn reviews_outlive_their_job(t: TestStore) {
    let job = done(&t).await;
    review(&t, job, "a", Decision::FollowUp).await;
    t.clock.advance(seconds(10));

    let rules = PruneRules { completed: Some(seconds(5)), ..PruneRules::default() };
    assert_eq!(t.store.prune(&rules, 10).await.unwrap(), 1);

    assert_eq!(t.store.job(&Scope::Installation, job).await.unwrap(), None);
    assert_eq!(items(&all(&t, job).await), [("a", Decision::FollowUp)]);
    assert_eq!(
        items(&t.store.decisions(&Scope::Installation, job, None, 9).await.unwrap()),
        [("a", Decision::FollowUp)]
    );
    let given = [decided("a", Decision::Cleared, None)];
    assert_eq!(
        t.store.review(&Scope::Installation, job, &given, &by(None)).await.unwrap(),
        Reviewed::NotCompleted
    );
}

async fn no_review_is_changed_or_deleted(t: TestStore) {
    let job = done(&t).await;
    review(&t, job, "a", Decision::FollowUp).await;

    let mut connection = t.connection().await;
    for statement in ["UPDATE {} SET decision = 'cleared'", "DELETE FROM {}"] {
        let refused = connection.refusal(statement, "review").await;
        assert!(refused.contains("review is append-only"), "{statement}: {refused}");
    }

    assert_eq!(items(&all(&t, job).await), [("a", Decision::FollowUp)]);
}
