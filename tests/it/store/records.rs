//! Records: changed by whoever looked at them, called by nobody else's name, and each tenant's own.

mod held;

use std::sync::Arc;

use jobkit::{Clock, Gravity, Hold, JobId, News, Put, Record, RecordChange, RecordFilter, RecordId};
use serde_json::{Value, json};
use store::{
    Actor, AlertFilter, Attempting, Claimed, PruneRules, RecordPage, Scope, Store, StoreError, WorkerId,
};
use tokio::sync::Barrier;

use crate::support::store::{ALL, TestStore, completed, promises, refusal, seconds};

promises![
    a_record_is_made_changed_and_written_down,
    a_change_is_made_to_what_was_looked_at,
    of_changes_at_once_one_is_made,
    a_name_is_of_one_record_in_its_collection,
    of_two_that_take_a_name_at_once_one_gets_it,
    names_that_two_records_exchange_stay_with_one,
    a_key_is_each_tenants_own_and_one_of_nobodys,
    what_the_log_is_not_told_moves_the_time_to_look_again_and_no_more,
    a_tenants_job_deals_with_its_own_and_the_installations_with_all,
    news_is_told_with_its_change_or_neither,
    lists_come_by_key_in_pages,
    what_is_due_comes_by_when_it_was,
    a_record_outlives_its_jobs,
    who_lets_go_keeps_nobody_waiting,
    what_no_table_would_hold_is_refused_in_words,
];

const LETTER: &str = "post.letter";

fn id(tenant: Option<&str>, key: &str) -> RecordId {
    RecordId { collection: LETTER.into(), tenant: tenant.map(str::to_owned), key: key.into() }
}

fn change(key: &str) -> RecordChange {
    RecordChange {
        id: id(None, key),
        from: 0,
        names: Vec::new(),
        state: "written".into(),
        due_at: None,
        body: json!({ "pages": 2 }),
        action: "post.letter.written".into(),
        details: Value::Null,
        news: Vec::new(),
        hold: Hold::Kept,
    }
}

fn called(key: &str, names: &[&str]) -> RecordChange {
    RecordChange { names: names.iter().map(|name| (*name).to_owned()).collect(), ..change(key) }
}

/// A job of this tenant in a worker's hand.
struct Hand {
    worker: WorkerId,
    job: Claimed,
    attempt: Attempting,
}

async fn hand(t: &TestStore, tenant: Option<&str>) -> Hand {
    let worker = t.worker().await;
    t.add(|row| row.tenant = tenant.map(str::to_owned)).await;
    grip(t, worker).await
}

/// The one job that there is to claim.
async fn grip(t: &TestStore, worker: WorkerId) -> Hand {
    let job = t.claim_one(worker).await;
    let by = Actor::new(format!("job:{} (post.send)", job.id));
    let attempt = Attempting { held: job.held(), by, tenant: job.tenant.clone() };
    Hand { worker, job, attempt }
}

async fn put(store: &dyn Store, hand: &Hand, change: RecordChange) -> Put {
    store.record_put(&hand.attempt, &change).await.unwrap()
}

async fn done(t: &TestStore, hand: &Hand, change: RecordChange) -> Record {
    match put(&*t.store, hand, change).await {
        Put::Done(record) => record,
        other => panic!("{other:?}"),
    }
}

/// As a job made it that has ended.
async fn made(t: &TestStore, change: RecordChange) -> Record {
    let hand = hand(t, None).await;
    let made = done(t, &hand, change).await;
    t.finish(hand.worker, &hand.job, completed()).await;
    made
}

async fn holds(t: &TestStore, hand: &Hand, id: &RecordId) -> bool {
    t.store.record_hold(&hand.attempt, id).await.unwrap().is_some()
}

async fn record(t: &TestStore, id: &RecordId) -> Option<Record> {
    t.store.record(ALL, id).await.unwrap()
}

/// What the audit log says of records: the action, and of which.
async fn told(t: &TestStore) -> Vec<(String, String)> {
    let entries = t.audit().await.into_iter().filter(|entry| entry.action.starts_with("post."));
    entries.map(|entry| (entry.action, entry.object)).collect()
}

fn written(keys: &[&str]) -> Vec<(String, String)> {
    keys.iter().map(|key| ("post.letter.written".to_owned(), format!("{LETTER}/{key}"))).collect()
}

async fn a_record_is_made_changed_and_written_down(t: TestStore) {
    let hand = hand(&t, Some("north")).await;
    let due = t.clock.now() + seconds(60);
    let first = RecordChange {
        id: id(Some("north"), "a/b c"),
        due_at: Some(due),
        details: json!({ "pages": 2 }),
        ..called("", &["stamp-1", "stamp-0"])
    };

    let made = done(&t, &hand, first.clone()).await;
    t.clock.advance(seconds(5));
    let sent =
        RecordChange { names: vec!["stamp-2".into()], due_at: None, ..made.to("sent", "post.letter.sent") };
    let sent = done(&t, &hand, sent).await;

    let made_at = t.clock.now() - seconds(5);
    let expected = Record {
        id: first.id.clone(),
        names: first.names,
        state: "written".into(),
        due_at: Some(due),
        body: first.body,
        version: 1,
        made_at,
        changed_at: made_at,
        changed_by: hand.job.id,
    };
    assert_eq!(made, expected);
    let expected = Record {
        names: vec!["stamp-2".into()],
        state: "sent".into(),
        due_at: None,
        version: 2,
        changed_at: t.clock.now(),
        ..expected
    };
    assert_eq!(sent, expected);
    assert_eq!(record(&t, &first.id).await, Some(expected.clone()));
    assert_eq!(t.store.record_named(ALL, LETTER, "stamp-2").await.unwrap(), Some(expected));
    for (collection, name) in [(LETTER, "stamp-1"), ("post.parcel", "stamp-2"), (LETTER, "stamp\0")] {
        assert_eq!(t.store.record_named(ALL, collection, name).await.unwrap(), None, "{name}");
    }
    let audit = t.audit().await;
    let told: Vec<_> =
        audit.iter().map(|e| (e.action.as_str(), e.object.as_str(), &e.actor, e.tenant.as_deref())).collect();
    let object = "post.letter/a/b c";
    let actor = &hand.attempt.by.name;
    assert_eq!(
        told,
        [
            ("post.letter.written", object, actor, Some("north")),
            ("post.letter.sent", object, actor, Some("north"))
        ]
    );
    assert_eq!(audit[0].details, json!({ "pages": 2 }));
}

async fn a_change_is_made_to_what_was_looked_at(t: TestStore) {
    let hand = hand(&t, None).await;
    assert_eq!(put(&*t.store, &hand, RecordChange { from: 1, ..change("a") }).await, Put::Moved);
    let made = done(&t, &hand, change("a")).await;

    for from in [0, 2, u64::MAX] {
        assert_eq!(put(&*t.store, &hand, RecordChange { from, ..change("a") }).await, Put::Moved, "{from}");
    }

    assert_eq!(record(&t, &made.id).await, Some(made));
    assert_eq!(told(&t).await, written(&["a"]));
}

/// Of as many changes of one version, through two doors, which were made.
async fn race(t: &TestStore, hand: &Hand, changes: Vec<RecordChange>) -> Vec<Put> {
    let doors = [t.store.clone(), t.another().await];
    let barrier = Arc::new(Barrier::new(changes.len()));
    let racing: Vec<_> = changes
        .into_iter()
        .enumerate()
        .map(|(n, change)| {
            let (store, barrier, attempt) = (doors[n % 2].clone(), barrier.clone(), hand.attempt.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                store.record_put(&attempt, &change).await.unwrap()
            })
        })
        .collect();
    let mut puts = Vec::new();
    for put in racing {
        puts.push(put.await.unwrap());
    }
    puts
}

async fn of_changes_at_once_one_is_made(t: TestStore) {
    let hand = hand(&t, None).await;
    for version in 0..5_u64 {
        let changes = (0..4).map(|n| RecordChange { from: version, state: format!("s{n}"), ..change("a") });

        let puts = race(&t, &hand, changes.collect()).await;

        let (made, others): (Vec<_>, Vec<_>) = puts.into_iter().partition(|put| matches!(put, Put::Done(_)));
        let [Put::Done(made)] = made.as_slice() else { panic!("one is made: {made:?}") };
        assert_eq!((made.version, others), (version + 1, vec![Put::Moved; 3]));
        assert_eq!(record(&t, &made.id).await.as_ref(), Some(made));
    }
    assert_eq!(told(&t).await, written(&["a"; 5]));
}

async fn a_name_is_of_one_record_in_its_collection(t: TestStore) {
    let hand = hand(&t, None).await;
    let first = done(&t, &hand, called("a", &["one", "two", "two"])).await;
    let second = done(&t, &hand, called("b", &["three"])).await;
    let parcel = RecordChange {
        id: RecordId { collection: "post.parcel".into(), ..id(None, "a") },
        ..called("a", &["one"])
    };
    done(&t, &hand, parcel).await;

    let north = RecordChange { id: id(Some("north"), "c"), ..called("c", &["new", "two", "one"]) };
    assert_eq!(put(&*t.store, &hand, north.clone()).await, Put::Taken("two".into()));
    let renamed =
        RecordChange { names: vec!["four".into(), "one".into()], ..second.to("sent", "post.letter.sent") };
    assert_eq!(put(&*t.store, &hand, renamed).await, Put::Taken("one".into()));

    // Nothing of it is left: neither the record, nor the names that it could have had, nor those that it gave up.
    assert_eq!((record(&t, &north.id).await, record(&t, &second.id).await), (None, Some(second.clone())));
    for (name, owner) in [
        ("one", Some(&first)),
        ("two", Some(&first)),
        ("three", Some(&second)),
        ("new", None),
        ("four", None),
    ] {
        assert_eq!(t.store.record_named(ALL, LETTER, name).await.unwrap().as_ref(), owner, "{name}");
    }
    assert_eq!(
        told(&t).await,
        [written(&["a", "b"]), vec![("post.letter.written".into(), "post.parcel/a".into())]].concat()
    );
    // What is given up can be had.
    let less = RecordChange { names: vec!["one".into()], ..first.to("sent", "post.letter.sent") };
    done(&t, &hand, less).await;
    let got = done(&t, &hand, RecordChange { names: vec!["two".into()], ..north }).await;
    assert_eq!(t.store.record_named(ALL, LETTER, "two").await.unwrap(), Some(got));
}

async fn of_two_that_take_a_name_at_once_one_gets_it(t: TestStore) {
    let hand = hand(&t, None).await;
    for round in 0..5 {
        let name = format!("name-{round}");
        let changes = (0..4).map(|n| called(&format!("{round}-{n}"), &[&name, &format!("own-{round}-{n}")]));

        let puts = race(&t, &hand, changes.collect()).await;

        let (made, others): (Vec<_>, Vec<_>) = puts.into_iter().partition(|put| matches!(put, Put::Done(_)));
        let [Put::Done(made)] = made.as_slice() else { panic!("one gets it: {made:?}") };
        assert_eq!(others, vec![Put::Taken(name.clone()); 3]);
        assert_eq!(t.store.record_named(ALL, LETTER, &name).await.unwrap().as_ref(), Some(made));
    }
}

/// Each wants what the other has, and neither may end in a ring in which both wait.
async fn names_that_two_records_exchange_stay_with_one(t: TestStore) {
    let hand = hand(&t, None).await;
    let mut records =
        [done(&t, &hand, called("a", &["a"])).await, done(&t, &hand, called("b", &["b"])).await];
    for _ in 0..5 {
        let names = |record: &Record| vec![record.names[0].clone()];
        let wanted = [names(&records[1]), names(&records[0])];
        let changes = records.iter().zip(&wanted).map(|(record, names)| RecordChange {
            names: names.clone(),
            ..record.to("sent", "post.letter.sent")
        });

        race(&t, &hand, changes.collect()).await;

        for known in &mut records {
            *known = record(&t, &known.id).await.unwrap();
            let owner = t.store.record_named(ALL, LETTER, &known.names[0]).await.unwrap();
            assert_eq!(owner.as_ref(), Some(&*known));
        }
    }
}

async fn a_key_is_each_tenants_own_and_one_of_nobodys(t: TestStore) {
    let hand = hand(&t, None).await;
    for tenant in [None, Some("north"), Some("south")] {
        let change = RecordChange { id: id(tenant, "a"), ..change("") };
        done(&t, &hand, change.clone()).await;
        assert_eq!(put(&*t.store, &hand, change).await, Put::Moved, "{tenant:?}");
    }

    for tenant in [None, Some("north"), Some("south")] {
        assert_eq!(record(&t, &id(tenant, "a")).await.unwrap().id.tenant.as_deref(), tenant);
    }
    for unknown in [id(Some(""), "a"), id(Some("north"), "A"), id(None, "a\0")] {
        assert_eq!(record(&t, &unknown).await, None, "{unknown:?}");
    }
}

async fn what_the_log_is_not_told_moves_the_time_to_look_again_and_no_more(t: TestStore) {
    let hand = hand(&t, None).await;
    let silent = RecordChange { action: String::new(), ..change("a") };
    assert!(refusal(t.store.record_put(&hand.attempt, &silent).await).contains("needs an entry"));
    let made = done(&t, &hand, called("a", &["one"])).await;
    let named = RecordChange { names: Vec::new(), ..made.to("written", "") };
    for change in [made.to("sent", ""), named] {
        assert!(refusal(t.store.record_put(&hand.attempt, &change).await).contains("needs an entry"));
    }
    assert_eq!(record(&t, &made.id).await, Some(made.clone()));

    let due_at = Some(t.clock.now());
    let later = done(&t, &hand, RecordChange { due_at, ..made.to("written", "") }).await;

    assert_eq!((later.version, later.due_at), (2, due_at));
    assert_eq!(put(&*t.store, &hand, made.to("sent", "")).await, Put::Moved);
    assert_eq!(told(&t).await, written(&["a"]));
}

async fn a_tenants_job_deals_with_its_own_and_the_installations_with_all(t: TestStore) {
    let tenants = [None, Some("north"), Some("south")];
    for tenant in tenants {
        let name = tenant.unwrap_or("nobody");
        made(&t, RecordChange { id: id(tenant, "a"), ..called("", &[name]) }).await;
    }
    let (north, all) = (hand(&t, Some("north")).await, hand(&t, None).await);

    for tenant in tenants {
        let own = tenant == Some("north");
        let (theirs, name) = (id(tenant, "a"), tenant.unwrap_or("nobody"));
        let known = record(&t, &theirs).await.unwrap();
        for (scope, sees) in [
            (Scope::Installation, true),
            (Scope::Tenant("north".into()), own),
            (Scope::Tenant("west".into()), false),
            (Scope::Nobody, false),
        ] {
            assert_eq!(
                t.store.record(&scope, &theirs).await.unwrap().is_some(),
                sees,
                "{scope:?} {tenant:?}"
            );
            let named = t.store.record_named(&scope, LETTER, name).await.unwrap();
            assert_eq!(named.is_some(), sees, "{scope:?} {tenant:?}");
            let page = |due_by| RecordFilter { collection: LETTER.into(), due_by, ..RecordFilter::default() };
            let listed = t.store.records(&scope, &RecordPage::of(&page(None))).await.unwrap();
            assert_eq!(listed.iter().any(|record| record.id == theirs), sees, "{scope:?} {tenant:?}");
        }
        assert_eq!(holds(&t, &north, &theirs).await, own);
        if own {
            assert_eq!(put(&*t.store, &all, known.to("sent", "post.letter.sent")).await, Put::Moved);
            done(&t, &north, known.to("sent", "post.letter.sent")).await;
            continue;
        }
        for change in
            [known.to("sent", "post.letter.sent"), RecordChange { id: id(tenant, "new"), ..change("") }]
        {
            let refused = refusal(t.store.record_put(&north.attempt, &change).await);
            assert_eq!(refused, "the record is of another tenant");
        }
        assert_eq!(record(&t, &theirs).await, Some(known.clone()));
        done(&t, &all, known.to("sent", "post.letter.sent")).await;
    }
    let entries = t.audit().await.into_iter().filter(|entry| entry.action == "post.letter.sent");
    let of: Vec<_> = entries.map(|entry| entry.tenant).collect();
    assert_eq!(of, tenants.map(|tenant| tenant.map(str::to_owned)));
}

async fn news_is_told_with_its_change_or_neither(t: TestStore) {
    let (hand, lost) = (hand(&t, None).await, hand(&t, None).await);
    t.finish(lost.worker, &lost.job, completed()).await;
    let news =
        |about: &str| vec![News::began("post.lost", about, Gravity::Critical, format!("{about} is lost"))];
    done(&t, &hand, RecordChange { news: news("a"), ..called("a", &["one"]) }).await;

    assert_eq!(put(&*t.store, &hand, RecordChange { news: news("b"), ..change("a") }).await, Put::Moved);
    let taken = RecordChange { news: news("c"), ..called("c", &["one"]) };
    assert_eq!(put(&*t.store, &hand, taken).await, Put::Taken("one".into()));
    let refused = t.store.record_put(&lost.attempt, &RecordChange { news: news("d"), ..change("d") }).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");

    t.store.fold(10, &t.ids).await.unwrap();
    let alerts = t.store.alerts(&AlertFilter::default()).await.unwrap();
    let [alert] = alerts.as_slice() else { panic!("one alert: {alerts:?}") };
    assert_eq!(
        (alert.key.as_str(), alert.rule.as_str(), alert.severity.name(), alert.text.as_str()),
        ("post.lost/a", "post.lost", "critical", "a is lost")
    );
    assert_eq!((alert.kind.as_deref(), alert.queue.as_deref()), (Some("test.kind"), Some("default")));
    assert_eq!((&alert.jobs, told(&t).await), (&vec![hand.job.id], written(&["a"])));
}

fn keys(records: &[Record]) -> Vec<(&str, Option<&str>)> {
    records.iter().map(|record| (record.id.key.as_str(), record.id.tenant.as_deref())).collect()
}

async fn lists_come_by_key_in_pages(t: TestStore) {
    let hand = hand(&t, None).await;
    let all = [
        ("B", None),
        ("a", None),
        ("a", Some("north")),
        ("a", Some("south")),
        ("a/b", None),
        ("é", Some("north")),
    ];
    for (key, tenant) in all.iter().rev() {
        let state = if *key == "a" { "sent" } else { "written" };
        done(&t, &hand, RecordChange { id: id(*tenant, key), state: state.into(), ..change("") }).await;
    }
    done(
        &t,
        &hand,
        RecordChange { id: RecordId { collection: "post.parcel".into(), ..id(None, "a") }, ..change("") },
    )
    .await;
    let list = async |scope: &Scope, filter: RecordFilter| {
        let page = RecordPage { with_bodies: false, ..RecordPage::of(&filter) };
        t.store.records(scope, &page).await.unwrap()
    };
    let filter = RecordFilter { collection: LETTER.into(), limit: 2, ..RecordFilter::default() };

    let mut seen = Vec::new();
    let mut page = filter.clone();
    loop {
        let found = list(ALL, page.clone()).await;
        let Some(last) = found.last() else { break };
        assert!(found.len() <= 2 && found.iter().all(|record| record.body.is_null()), "{found:?}");
        page.after = Some(last.id.clone());
        seen.extend(found);
    }

    assert_eq!(keys(&seen), all);
    let whole = t.store.records(ALL, &RecordPage::of(&filter)).await.unwrap();
    assert_eq!(whole[0].body, json!({ "pages": 2 }));
    let sent = RecordFilter { states: vec!["sent".into(), "lost".into()], limit: 9, ..filter.clone() };
    assert_eq!(keys(&list(ALL, sent.clone()).await), all[1..4]);
    let north = Scope::Tenant("north".into());
    assert_eq!(keys(&list(&north, RecordFilter { limit: 9, ..filter.clone() }).await), [all[2], all[5]]);
    let odd = RecordFilter { states: vec!["sent\0".into()], ..sent };
    assert_eq!(list(ALL, odd).await, []);
}

async fn what_is_due_comes_by_when_it_was(t: TestStore) {
    let hand = hand(&t, None).await;
    let now = t.clock.now();
    for (key, due) in
        [("a", Some(30)), ("b", Some(10)), ("c", None), ("d", Some(20)), ("e", Some(10)), ("f", Some(40))]
    {
        let state = if key == "d" { "sent" } else { "written" };
        let due_at = due.map(|due| now + seconds(due));
        done(&t, &hand, RecordChange { due_at, state: state.into(), ..change(key) }).await;
    }
    let due = RecordFilter {
        collection: LETTER.into(),
        due_by: Some(now + seconds(30)),
        ..RecordFilter::default()
    };
    let list = async |page: RecordPage| t.store.records(ALL, &page).await.unwrap();

    let all = list(RecordPage::of(&due)).await;
    assert_eq!(keys(&all), ["b", "e", "d", "a"].map(|key| (key, None)));
    let few = RecordFilter { limit: 1, states: vec!["sent".into()], ..due.clone() };
    assert_eq!(keys(&list(RecordPage::of(&few)).await), [("d", None)]);
    // A job deals with the first of them and asks anew; a person goes on behind the last.
    let behind = RecordFilter { after: Some(id(None, "b")), limit: 2, ..due };
    assert_eq!(keys(&list(RecordPage::of(&behind)).await), [("b", None), ("e", None)]);
    let page = RecordPage { after_due: Some(now + seconds(10)), ..RecordPage::of(&behind) };
    assert_eq!(keys(&list(page).await), [("e", None), ("d", None)]);
}

async fn a_record_outlives_its_jobs(t: TestStore) {
    let hand = hand(&t, None).await;
    let made = done(&t, &hand, change("a")).await;
    assert!(holds(&t, &hand, &made.id).await);
    t.finish(hand.worker, &hand.job, completed()).await;
    t.clock.advance(seconds(10));

    let rules = PruneRules { completed: Some(seconds(5)), ..PruneRules::default() };
    assert_eq!(t.store.prune(&rules, 10).await.unwrap(), 1);

    assert_eq!(record(&t, &made.id).await.map(|record| record.changed_by), Some(hand.job.id));
    let next = self::hand(&t, None).await;
    assert!(holds(&t, &next, &made.id).await);
}

/// A sweep that deals with thousands would else keep each from others until it ends.
async fn who_lets_go_keeps_nobody_waiting(t: TestStore) {
    let (sweep, other) = (hand(&t, None).await, hand(&t, None).await);
    let kept = done(&t, &sweep, change("a")).await;
    let made = done(&t, &sweep, RecordChange { hold: Hold::LetGo, ..change("b") }).await;

    let free = (holds(&t, &other, &kept.id).await, holds(&t, &other, &made.id).await);
    let changed = RecordChange { hold: Hold::LetGo, ..kept.to("sent", "post.letter.sent") };
    done(&t, &sweep, changed).await;

    assert_eq!(free, (false, true));
    assert!(holds(&t, &other, &kept.id).await);
    // What another has meanwhile is that one's.
    let late = made.to("lost", "post.letter.lost");
    assert_eq!(put(&*t.store, &sweep, late).await, Put::Moved);
    assert!(!holds(&t, &sweep, &made.id).await);
}

async fn what_no_table_would_hold_is_refused_in_words(t: TestStore) {
    let hand = hand(&t, None).await;
    for (change, why) in [
        (RecordChange { id: id(Some(""), "a"), ..change("") }, "tenant: "),
        (change(""), "key: "),
        (RecordChange { state: "s".repeat(65), ..change("a") }, "state: "),
        (called("a", &["n\0"]), "names: "),
        (RecordChange { due_at: Some(jiff::Timestamp::MIN), ..change("a") }, "due_at: "),
    ] {
        let refused = refusal(t.store.record_put(&hand.attempt, &change).await);
        assert!(refused.contains(why), "{refused}");
    }
    // As long as it may be.
    let widest = RecordChange {
        id: RecordId {
            collection: format!("{:.<100}", "post"),
            ..id(Some(&"é".repeat(64)), &"k".repeat(512))
        },
        names: (0..16).map(|n| format!("{n:0512}")).collect(),
        state: "s".repeat(64),
        body: json!({ "text": "\u{1}é\\u0000".repeat(1_000) }),
        ..change("")
    };
    let made = done(&t, &hand, widest.clone()).await;
    assert_eq!((made.names, made.body), (widest.names, widest.body));
    assert_eq!(made.changed_by, JobId(hand.job.id.0));
}
