//! The audit log searched, and what is personal in it erased.

use jobkit::{AuditEntry, Clock, Origin, Personal};
use serde_json::json;
use store::{Actor, AuditSearch, Change, Erasing, OpeningRow, Scope};

use crate::support::store::{TestStore, ada, named, promises, seconds, set};

promises![
    a_search_finds_what_meets_all_conditions_newest_first,
    a_time_is_found_among_many_entries,
    a_request_is_found_also_where_several_share_an_entry,
    what_is_erased_is_gone_and_told_with_its_basis,
];

async fn found(t: &TestStore, wanted: AuditSearch) -> Vec<String> {
    let found = t.store.search_audit(&wanted, 100).await.unwrap();
    assert!(found.is_sorted_by(|(a, _), (b, _)| a.seq > b.seq));
    found.into_iter().map(|(_, entry)| entry.action).collect()
}

async fn a_search_finds_what_meets_all_conditions_newest_first(t: TestStore) {
    let by = Actor::with_origin("user:eve", Origin { request: Some("r-7".into()), ..Origin::default() });
    let jobs = [t.add(|_| {}).await, t.add(|_| {}).await];
    t.change(jobs[0], Change::Cancel).await;
    t.change(jobs[1], Change::Discard).await;
    t.store.pause("mail", None, &by, "month end").await.unwrap();
    t.store.pause("default", None, &ada(), "month end").await.unwrap();
    let any = AuditSearch::default;
    let some = |text: &str| Some(text.to_owned());

    for (wanted, actions) in [
        (
            any(),
            &["queue.pause", "queue.pause", "job.discard", "job.cancel", "job.enqueue", "job.enqueue"][..],
        ),
        (AuditSearch { actor: some("user:eve"), ..any() }, &["queue.pause"]),
        (AuditSearch { actor: some("user:ev"), ..any() }, &[]),
        (AuditSearch { action: some("job.cancel"), ..any() }, &["job.cancel"]),
        (AuditSearch { action: some("queue."), ..any() }, &["queue.pause", "queue.pause"]),
        (AuditSearch { action: some("queue"), ..any() }, &[]),
        (AuditSearch { object: some("mail"), ..any() }, &["queue.pause"]),
        (AuditSearch { outcome: some("failed"), ..any() }, &[]),
        (AuditSearch { request: some("r-7"), ..any() }, &["queue.pause"]),
        (AuditSearch { tenant: some("north"), ..any() }, &[]),
        (AuditSearch { job: Some(jobs[1]), ..any() }, &["job.discard", "job.enqueue"]),
        (AuditSearch { job: Some(jobs[1]), action: some("job.discard"), ..any() }, &["job.discard"]),
    ] {
        assert_eq!(found(&t, wanted.clone()).await, actions, "{wanted:?}");
    }

    let page = t.store.search_audit(&any(), 2).await.unwrap();
    let behind = AuditSearch { before: Some(page[1].0.seq), ..any() };
    assert_eq!(found(&t, behind).await, ["job.discard", "job.cancel", "job.enqueue", "job.enqueue"]);
}

async fn a_time_is_found_among_many_entries(t: TestStore) {
    let begun = t.clock.now();
    for _ in 0..40 {
        t.add(|_| {}).await;
        t.clock.advance(seconds(3_600));
    }
    let at = |hours: u64| Some(begun + seconds(hours * 3_600));

    let wanted = AuditSearch { from: at(10), until: at(13), ..AuditSearch::default() };
    let found = t.store.search_audit(&wanted, 100).await.unwrap();

    let times: Vec<_> = found.iter().map(|(_, entry)| entry.at).collect();
    assert_eq!(times, [at(12), at(11), at(10)]);
    let never = AuditSearch { from: at(1_000), ..AuditSearch::default() };
    assert_eq!(t.store.search_audit(&never, 100).await.unwrap(), []);
}

async fn a_request_is_found_also_where_several_share_an_entry(t: TestStore) {
    let insert = |request: &str, count: usize| {
        let by =
            Actor::with_origin("user:ada", Origin { request: Some(request.into()), ..Origin::default() });
        let rows: Vec<_> = std::iter::repeat_with(|| t.row()).take(count).collect();
        let store = t.store.clone();
        async move {
            store
                .insert(&Scope::Installation, &rows, &by)
                .await
                .unwrap()
                .into_iter()
                .map(|row| row.id)
                .collect::<Vec<_>>()
        }
    };
    let inserted = futures::future::join_all([insert("r1", 1), insert("r2", 3), insert("r3", 1)]).await;

    for (request, jobs) in ["r1", "r2", "r3"].into_iter().zip(inserted) {
        let wanted = AuditSearch { request: Some(request.into()), ..AuditSearch::default() };
        let found = t.store.search_audit(&wanted, 100).await.unwrap();
        let [(_, entry)] = found.as_slice() else { panic!("one entry for {request}: {found:?}") };
        assert!(named(entry).is_superset(&set(jobs)), "{request}: {entry:?}");
    }
    let part = AuditSearch { request: Some("r".into()), ..AuditSearch::default() };
    assert_eq!(t.store.search_audit(&part, 100).await.unwrap(), []);
}

async fn what_is_erased_is_gone_and_told_with_its_basis(t: TestStore) {
    let put = async |commitment: &str, field: &str, subject: &str| {
        let row = OpeningRow {
            commitment: commitment.into(),
            field: field.into(),
            salt: [7; 32],
            value: Personal::new("192.0.2.7".into()),
            subject: subject.into(),
            at: t.clock.now(),
        };
        t.store.put_opening(&row).await.unwrap();
    };
    put("c:1", "address", "user:1").await;
    put("c:2", "email", "user:1").await;
    put("c:3", "address", "user:2").await;
    put("c:4", "email", "user:2").await;
    t.clock.advance(seconds(60));
    put("c:5", "address", "user:2").await;
    put("c:6", "address", "user:3").await;
    let erase = async |of: Erasing| t.store.erase_openings(&of, "GDPR 17", 100, &ada()).await.unwrap();

    assert_eq!(erase(Erasing::Subject("user:1".into())).await, ["c:1", "c:2"]);
    assert_eq!(erase(Erasing::Subject("user:1".into())).await, [""; 0]);
    let aged = |field: Option<&str>| Erasing::Before { at: t.clock.now(), field: field.map(str::to_owned) };
    assert_eq!(erase(aged(Some("address"))).await, ["c:3"]);
    assert_eq!(erase(aged(None)).await, ["c:4"]);
    assert_eq!(erase(Erasing::Commitments(vec!["c:5".into(), "c:9".into()])).await, ["c:5"]);

    let all: Vec<String> = (1..=6).map(|number| format!("c:{number}")).collect();
    let left: Vec<_> = t.store.openings(&all).await.unwrap().into_iter().map(|row| row.commitment).collect();
    assert_eq!(left, ["c:6"]);
    let told: Vec<AuditEntry> = t.audit().await;
    let told: Vec<_> = told.into_iter().map(|entry| (entry.actor, entry.action, entry.details)).collect();
    let entry = |erased: &[&str]| {
        let details = json!({ "basis": "GDPR 17", "commitments": erased });
        ("user:ada".to_owned(), "audit.redact".to_owned(), details)
    };
    assert_eq!(told, [entry(&["c:1", "c:2"]), entry(&["c:3"]), entry(&["c:4"]), entry(&["c:5"])]);
}
