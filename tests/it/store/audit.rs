use std::collections::BTreeSet;

use engine::adapters::audit::StoreAudit;
use jobkit::{Audit, AuditEntry, Clock, JobId, OnConflict, Origin, When};
use serde_json::json;
use store::{Actor, Change, End, Held, JobFilter, NewRow, Position, Release, Scope, StoreError};

use super::limits::{at_once, rules};
use crate::support::store::{
    TestStore, ada, completed, discarded, named, promises, report, retry, seconds, set, step, unique,
};

promises![
    one_entry_names_all_jobs_of_a_batch,
    a_batch_of_reports_is_one_entry_per_kind_of_ending,
    what_is_given_back_or_cancelled_on_the_way_back_is_written_down,
    what_people_do_is_written_down_with_their_name,
    an_entry_tells_where_it_was_asked_from,
    callers_whose_jobs_are_inserted_together_are_told_apart,
    each_change_of_a_jobs_state_is_written_down_with_it,
    claims_of_tenants_and_of_limited_jobs_are_written_down_alike,
    beats_progress_and_claims_of_nothing_are_not_written_down,
    what_was_refused_is_not_written_down,
    entries_of_others_are_kept_as_they_are,
    the_port_appends_to_the_same_log,
    entries_come_in_pages_and_in_order,
    a_page_ends_before_it_is_too_heavy_and_has_one_entry_at_least,
    the_head_of_the_log_is_behind_all_that_is_written_and_before_all_that_will_be,
    a_new_reader_begins_where_the_log_ends_and_finds_its_place_again,
    of_two_processes_that_read_for_one_reader_one_moves_it_on_and_enqueues,
    what_follows_is_enqueued_with_the_move_or_not_at_all,
    an_attempt_writes_down_what_it_did_while_it_holds_its_job_and_not_after,
];

async fn one_entry_names_all_jobs_of_a_batch(t: TestStore) {
    let added = t.add_many(3).await;

    let entries = t.audited_behind(Position::START, 10).await;

    let [(_, entry)] = entries.as_slice() else { panic!("one entry: {entries:?}") };
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("job.enqueue", "user:ada"));
    assert_eq!((named(entry), entry.at), (set(added), Some(t.clock.now())));
}

async fn a_batch_of_reports_is_one_entry_per_kind_of_ending(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(6).await;
    let jobs = t.claim(worker, 6).await;
    let ends = [completed(), retry(1), completed(), End::GiveBack, discarded(), completed()];
    let reports: Vec<_> = jobs.iter().zip(ends).map(|(job, end)| report(job, end)).collect();

    t.store.finish(worker, &reports).await.unwrap();

    let mut told: Vec<_> = t
        .audit()
        .await
        .iter()
        .map(|entry| {
            assert_eq!(
                (entry.action.as_str(), entry.actor.clone()),
                ("job.finish", format!("worker:{}", worker.0))
            );
            (entry.outcome.clone(), named(entry))
        })
        .collect();
    told.sort();
    let wanted = [
        ("completed".to_string(), set([added[0], added[2], added[5]])),
        ("discarded".to_string(), set([added[4]])),
        ("failed".to_string(), set([added[1]])),
        ("given_back".to_string(), set([added[3]])),
    ];
    assert_eq!(told, wanted);
}

async fn what_is_given_back_or_cancelled_on_the_way_back_is_written_down(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(3).await;
    let jobs = t.claim(worker, 3).await;
    for id in &added[1..] {
        t.change(*id, Change::Cancel).await;
    }
    let before = t.audit().await.len();

    t.finish(worker, &jobs[2], retry(1)).await;
    t.store.give_back_unheld(worker, &[]).await.unwrap();

    let audit = t.audit().await;
    let told = |outcome: &str| {
        let entries = audit[before..].iter().filter(|entry| entry.outcome == outcome);
        entries.flat_map(named).collect::<BTreeSet<_>>()
    };
    assert_eq!((told("given_back"), told("cancelled")), (set([added[0]]), set([added[1], added[2]])));
}

async fn what_people_do_is_written_down_with_their_name(t: TestStore) {
    let id = t.add(|_| {}).await;

    t.change(id, Change::Discard).await;
    t.change(id, Change::Retry).await;
    t.change(id, Change::Cancel).await;
    t.store.pause("default", None, &ada(), "month end").await.unwrap();
    t.store.resume("default", &ada()).await.unwrap();

    let audit = t.audit().await;
    let actions: Vec<_> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["job.discard", "job.retry", "job.cancel", "queue.pause", "queue.resume"]);
    assert!(audit.iter().all(|entry| entry.actor == "user:ada"), "{audit:?}");
    assert!(audit[..3].iter().all(|entry| named(entry) == set([id])), "{audit:?}");
    assert!(audit[3..].iter().all(|entry| entry.object == "default"), "{audit:?}");
    assert_eq!(audit[3].details["reason"], "month end");
}

async fn an_entry_tells_where_it_was_asked_from(t: TestStore) {
    let origin = Origin { request: Some("r-1".into()), source: Some("c:0a".into()), ..Origin::default() };
    let by = Actor::with_origin("user:ada", origin.clone());
    let rows = |count: usize| std::iter::repeat_with(|| t.row()).take(count).collect::<Vec<_>>();
    let one = t.store.insert(&Scope::Installation, &rows(1), &by).await.unwrap()[0].id;
    t.store.insert(&Scope::Installation, &rows(200), &by).await.unwrap();
    t.store
        .insert(
            &Scope::Installation,
            &[NewRow { unique: unique(7, Release::AtEnd, OnConflict::ReturnExisting), ..t.row() }],
            &by,
        )
        .await
        .unwrap();
    let filter = JobFilter { ids: vec![one], ..JobFilter::default() };
    t.store.change(&Scope::Installation, &filter, Change::Cancel, &by, 1).await.unwrap();
    t.store.pause("default", None, &by, "month end").await.unwrap();

    let entries = t.everything_audited().await;

    let told: Vec<_> = entries.iter().map(|entry| (entry.actor.as_str(), &entry.origin)).collect();
    assert_eq!(told, [("user:ada", &origin); 5]);
    // Whoever is named with the sign that parts a name from its origin is still one name.
    t.store.insert(&Scope::Installation, &rows(1), &Actor::new("a\u{1f}b")).await.unwrap();
    let last = t.everything_audited().await.pop().unwrap();
    assert!(last.origin.is_unknown() && last.actor.starts_with('a'), "{last:?}");
}

async fn callers_whose_jobs_are_inserted_together_are_told_apart(t: TestStore) {
    let insert = |request: &str, count: usize| {
        let by =
            Actor::with_origin("user:ada", Origin { request: Some(request.into()), ..Origin::default() });
        let rows: Vec<_> = std::iter::repeat_with(|| t.row()).take(count).collect();
        let store = t.store.clone();
        async move { store.insert(&Scope::Installation, &rows, &by).await.unwrap() }
    };
    let inserted =
        futures::future::join_all([insert("r1", 1), insert("r2", 3), insert("r3", 1), insert("r4", 2)]).await;

    let mut told = Vec::new();
    for entry in t.everything_audited().await {
        let ids: Vec<JobId> = serde_json::from_value(entry.details["jobs"].clone()).unwrap();
        let mut ids = ids.into_iter();
        for part in entry.origin.request.unwrap().split(' ') {
            let (request, count) = match part.split_once('*') {
                Some((request, count)) => (request, count.parse().unwrap()),
                // Alone in its entry, it is told by itself.
                None => (
                    part,
                    if part == "r2" {
                        3
                    } else if part == "r4" {
                        2
                    } else {
                        1
                    },
                ),
            };
            told.push((request.to_owned(), ids.by_ref().take(count).collect::<Vec<_>>()));
        }
        assert_eq!(ids.next(), None);
    }
    told.sort();
    let expected = ["r1", "r2", "r3", "r4"].into_iter().zip(inserted);
    let expected: Vec<_> = expected
        .map(|(name, jobs)| (name.to_owned(), jobs.iter().map(|job| job.id).collect::<Vec<_>>()))
        .collect();
    assert_eq!(told, expected);
}

async fn each_change_of_a_jobs_state_is_written_down_with_it(t: TestStore) {
    let worker = t.worker().await;
    let late = t.add(|row| row.when = When::After(seconds(5))).await;
    let parent = t.add(|_| {}).await;
    let child = t.add(|row| row.after = vec![parent]).await;
    let job = t.claim_one(worker).await;
    t.store.save_step(job.held(), &step(parent, "fetch", None, &t.clock)).await.unwrap();
    t.store.save_step(job.held(), &step(parent, "fetch", Some(json!(7)), &t.clock)).await.unwrap();
    t.finish(worker, &job, completed()).await;
    t.clock.advance(seconds(5));
    t.store.stage(100).await.unwrap();

    let told: Vec<_> = t
        .everything_audited()
        .await
        .into_iter()
        .filter(|entry| entry.action != "job.enqueue")
        .map(|entry| (named(&entry), entry.actor, entry.action, entry.object, entry.outcome))
        .collect();

    let by = format!("worker:{}", worker.0);
    let entry = |id, by: &str, action: &str, object: &str, outcome: &str| {
        (set([id]), by.to_owned(), action.to_owned(), object.to_owned(), outcome.to_owned())
    };
    let mut wanted = vec![
        entry(parent, &by, "job.claim", "job", "running"),
        entry(parent, &by, "job.step", "fetch", "begun"),
        entry(parent, &by, "job.step", "fetch", "done"),
        entry(parent, &by, "job.finish", "job", "completed"),
        entry(child, "system", "job.free", "job", "ok"),
        entry(late, "system", "job.stage", "job", "available"),
    ];
    // The end and what it frees are one transaction; each database has its own order in it.
    let mut told = told;
    told[3..5].sort();
    wanted[3..5].sort();
    assert_eq!(told, wanted);
}

async fn claims_of_tenants_and_of_limited_jobs_are_written_down_alike(t: TestStore) {
    let worker = t.worker().await;
    let of_tenants = [t.add(|row| row.tenant = Some("north".into())).await, t.add(|_| {}).await];
    let claimed = t.claim(worker, 10).await;
    assert_eq!(claimed.iter().map(|job| job.id).collect::<BTreeSet<_>>(), set(of_tenants));

    let claims = async |t: &TestStore| {
        let entries = t.everything_audited().await;
        let claims = entries.into_iter().filter(|entry| entry.action == "job.claim");
        claims.map(|entry| (named(&entry), entry.actor, entry.outcome)).collect::<Vec<_>>()
    };
    let by = format!("worker:{}", worker.0);
    assert_eq!(claims(&t).await, [(set(of_tenants), by.clone(), "running".into())]);

    let limited = t.add_in("x/1", 1).await;
    let claimed = t.limited(worker, 1, &rules([at_once("x", 1)])).await.jobs;
    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), limited);
    assert_eq!(claims(&t).await[1..], [(set(limited), by, "running".into())]);
}

async fn beats_progress_and_claims_of_nothing_are_not_written_down(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    assert_eq!(t.claim(worker, 10).await, []);
    t.store.beat(worker).await.unwrap();
    let progress = jobkit::Progress { done: 0, total: 0, message: String::new() };
    t.store.save_progress(job.held(), &progress).await.unwrap();
    t.store.stage(100).await.unwrap();

    let actions: Vec<_> = t.everything_audited().await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["job.enqueue", "job.claim"]);
}

async fn what_was_refused_is_not_written_down(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.change(id, Change::Retry).await;
    t.finish(worker, &job, End::GiveBack).await;
    t.finish(worker, &job, completed()).await;

    let outcomes: Vec<_> = t.audit().await.into_iter().map(|entry| entry.outcome).collect();

    assert_eq!(outcomes, ["given_back"]);
}

async fn entries_of_others_are_kept_as_they_are(t: TestStore) {
    let entry = AuditEntry {
        at: Some(t.clock.now() - std::time::Duration::from_secs(5)),
        actor: "system".into(),
        action: "backup.take".into(),
        object: "ledger".into(),
        outcome: "done".into(),
        tenant: Some("acme".into()),
        origin: Origin::default(),
        details: json!({ "bytes": 12, "deep": { "list": [1, "two", null] } }),
    };

    t.store.append_audit(&entry).await.unwrap();
    t.store.append_audit(&AuditEntry { at: None, ..entry.clone() }).await.unwrap();

    let entries: Vec<_> = t.audit().await;
    assert_eq!(entries, [entry.clone(), AuditEntry { at: Some(t.clock.now()), ..entry }]);
}

async fn the_port_appends_to_the_same_log(t: TestStore) {
    let audit: std::sync::Arc<dyn Audit> = std::sync::Arc::new(StoreAudit::new(t.store.clone()));
    let entry = AuditEntry {
        at: None,
        actor: "billing".into(),
        action: "invoice.send".into(),
        object: "invoice 7".into(),
        outcome: "ok".into(),
        tenant: None,
        origin: Origin::default(),
        details: json!({ "pages": 2 }),
    };

    audit.append(entry.clone()).await.unwrap();

    assert_eq!(t.audit().await, [AuditEntry { at: Some(t.clock.now()), ..entry }]);
}

async fn entries_come_in_pages_and_in_order(t: TestStore) {
    let mut added = Vec::new();
    for _ in 0..5 {
        added.push(t.add(|_| {}).await);
    }

    let first = t.audited_behind(Position::START, 3).await;
    let second = t.audited_behind(first[2].0, 3).await;

    assert_eq!((first.len(), second.len()), (3, 2));
    let told: Vec<_> = first.iter().chain(&second).flat_map(|(_, entry)| named(entry)).collect();
    assert_eq!(told, added);
}

async fn a_page_ends_before_it_is_too_heavy_and_has_one_entry_at_least(t: TestStore) {
    let mut added = Vec::new();
    for _ in 0..5 {
        added.push(t.add(|_| {}).await);
    }
    // A page may end early while another test's transaction is open: see `audited_behind`.
    t.everything_audited().await;
    let page = async |place, limit, most_bytes| t.store.audit_page(place, limit, most_bytes).await.unwrap();

    let (mut told, mut place) = (Vec::new(), Position::START);
    for _ in 0..5 {
        let light = page(place, 10, 1).await;
        let [(position, entry)] = light.entries.as_slice() else { panic!("one entry: {light:?}") };
        told.extend(named(entry));
        place = *position;
        assert_eq!(light.more, told.len() < 5);
    }
    assert_eq!(told, added);

    for (limit, most_bytes, entries, more) in
        [(10, 100_000, 5, false), (3, 100_000, 3, true), (10, 600, 2, true)]
    {
        let page = page(Position::START, limit, most_bytes).await;
        assert_eq!((page.entries.len(), page.more), (entries, more), "{limit} {most_bytes}");
    }
    let end = page(place, 10, 1).await;
    assert_eq!((end.entries.len(), end.more), (0, false));
}

/// An attempt that had lost its job could still say in the log that it had done something.
async fn an_attempt_writes_down_what_it_did_while_it_holds_its_job_and_not_after(t: TestStore) {
    let (worker, other) = (t.worker().await, t.worker().await);
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    let entry = AuditEntry {
        at: None,
        actor: "job".into(),
        action: "envelope.send".into(),
        object: "contract".into(),
        outcome: "done".into(),
        tenant: Some("acme".into()),
        origin: Origin::default(),
        details: json!({ "pages": 3 }),
    };
    let earlier = AuditEntry { at: Some(t.clock.now() - seconds(5)), ..entry.clone() };

    t.store.save_audit(job.held(), &entry).await.unwrap();
    t.store.save_audit(job.held(), &earlier).await.unwrap();
    let stolen = Held { worker: other, ..job.held() };
    t.store.save_audit(stolen, &entry).await.unwrap_err();
    t.finish(worker, &job, End::GiveBack).await;
    let lost = t.store.save_audit(job.held(), &entry).await.unwrap_err();
    t.claim_one(other).await;
    t.store.save_audit(job.held(), &entry).await.unwrap_err();

    assert!(matches!(lost, StoreError::LeaseLost), "{lost:?}");
    let written: Vec<_> =
        t.audit().await.into_iter().filter(|written| written.action == entry.action).collect();
    assert_eq!(written, [AuditEntry { at: Some(t.clock.now()), ..entry }, earlier]);
}

async fn the_head_of_the_log_is_behind_all_that_is_written_and_before_all_that_will_be(t: TestStore) {
    t.add(|_| {}).await;
    let head = t.store.audit_head().await.unwrap();
    assert_eq!(t.audited_behind(head.clone(), 10).await, []);

    let later = t.add(|_| {}).await;

    let entries = t.audited_behind(head.clone(), 10).await;
    let [(position, entry)] = entries.as_slice() else { panic!("one entry: {entries:?}") };
    assert_eq!(named(entry), set([later]));
    assert!(*position > head.at);
    assert_eq!(head.to_string().parse(), Ok(head));
}

async fn a_new_reader_begins_where_the_log_ends_and_finds_its_place_again(t: TestStore) {
    t.add(|_| {}).await;

    let begun = t.store.follower("chains").await.unwrap();

    let seen = t.add(|_| {}).await;
    let entries = t.audited_behind(begun.clone(), 10).await;
    assert_eq!(entries.iter().map(|(_, entry)| named(entry)).collect::<Vec<_>>(), [set([seen])]);
    assert_eq!(t.another().await.follower("chains").await.unwrap(), begun, "nobody moved it");
    assert!(t.store.follow("chains", begun.at, entries[0].0, &[], &ada()).await.unwrap().is_some());
    assert_eq!(t.another().await.follower("chains").await.unwrap().at, entries[0].0);
}

async fn of_two_processes_that_read_for_one_reader_one_moves_it_on_and_enqueues(t: TestStore) {
    let other = t.another().await;
    let begun = t.store.follower("chains").await.unwrap();
    t.add(|_| {}).await;
    let next = t.audited_behind(begun.clone(), 1).await[0].0;
    let (ours, theirs) = ([t.row()], [t.row()]);
    let by = Actor::new("trigger:chains");

    let (one, two) = tokio::join!(
        t.store.follow("chains", begun.at, next, &ours, &by),
        other.follow("chains", begun.at, next, &theirs, &by),
    );

    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.is_some(), two.is_none(), "exactly one: {one:?}, {two:?}");
    let (made, not_made) =
        if one.is_some() { (ours[0].id, theirs[0].id) } else { (theirs[0].id, ours[0].id) };
    assert!(t.store.job(&Scope::Installation, made).await.unwrap().is_some());
    assert_eq!(t.store.job(&Scope::Installation, not_made).await.unwrap(), None);
}

async fn what_follows_is_enqueued_with_the_move_or_not_at_all(t: TestStore) {
    let begun = t.store.follower("chains").await.unwrap();
    t.add(|_| {}).await;
    let next = t.audited_behind(begun.clone(), 1).await[0].0;
    let mut orphan = t.row();
    orphan.after = vec![t.ids.next()];

    let refused = t.store.follow("chains", begun.at, next, &[t.row(), orphan], &ada()).await;

    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(t.store.follower("chains").await.unwrap(), begun);
    assert_eq!(t.audited_behind(next, 10).await, []);
}
