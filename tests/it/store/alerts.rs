use std::collections::BTreeSet;
use std::time::Duration;

use jobkit::{Clock, JobId};
use serde_json::json;
use store::{
    AlertFilter, AlertRow, AlertWork, Change, Delivery, DeliveryEnd, End, Message, Nature, News, Severity,
    Told,
};

use crate::support::store::{
    KIND, QUEUE, TestStore, ada, completed, discarded, promises, report, retry, seconds,
};

promises![
    a_job_that_is_discarded_is_news_in_the_same_transaction,
    a_job_that_a_person_discards_is_news,
    a_job_that_a_rescue_discards_is_news,
    what_ends_otherwise_is_no_news,
    a_report_that_is_refused_is_no_news,
    a_storm_is_one_alert_that_counts_and_names_the_first,
    what_more_happens_joins_the_alert_that_is_open,
    a_condition_closes_when_it_has_ended_and_opens_anew,
    who_was_told_of_a_beginning_is_told_of_the_end,
    two_processes_fold_each_news_once,
    a_decision_about_an_older_version_is_not_carried_out,
    a_message_is_taken_by_one_and_again_when_nobody_says_what_became_of_it,
    a_message_is_taken_for_its_own_route_alone,
    a_message_for_later_is_not_sent_when_somebody_has_seen_it_or_it_is_over,
    what_became_of_a_message_is_kept,
    an_acknowledged_event_is_closed_and_a_condition_is_told_no_more,
    an_event_that_nobody_was_told_of_closes_and_is_still_to_be_told,
    closed_alerts_are_pruned_with_what_was_sent_of_them,
    a_queue_waits_when_its_first_job_is_due_for_too_long_and_none_was_claimed,
];

async fn fold(t: &TestStore) -> Vec<AlertRow> {
    while t.store.fold(1_000, &t.ids).await.unwrap() > 0 {}
    all(t).await
}

async fn all(t: &TestStore) -> Vec<AlertRow> {
    t.store.alerts(&AlertFilter::default()).await.unwrap()
}

async fn only(t: &TestStore) -> AlertRow {
    let mut alerts = fold(t).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    alerts.remove(0)
}

fn stuck() -> News {
    News::began("queue.stuck", "mail", Severity::Critical, "mail is stuck").queue("mail")
}

fn moves() -> News {
    News::ended("queue.stuck", "mail", "mail moves again").queue("mail")
}

fn told(route: &str) -> Told {
    let message = Message { route: route.into(), text: json!({ "text": "it is so" }), after: Duration::ZERO };
    Told { messages: Some(vec![message]), look_again: Some(seconds(60)), close: false }
}

/// Alerts it and tells it by the route `ops`.
async fn delivery(t: &TestStore) -> Delivery {
    t.store.raise(&[stuck()]).await.unwrap();
    assert!(t.store.tell(&only(t).await, &told("ops")).await.unwrap());
    let mut taken = t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap();
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

async fn a_job_that_is_discarded_is_news_in_the_same_transaction(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;

    let id = t.run(worker, discarded()).await;

    assert!(t.store.alert_work().await.unwrap().news);
    let alert = only(&t).await;
    assert_eq!((alert.rule.as_str(), alert.nature), ("job.discarded", Nature::Event));
    assert_eq!((alert.kind.as_deref(), alert.queue.as_deref()), (Some(KIND), Some(QUEUE)));
    assert_eq!((alert.count, alert.jobs.as_slice()), (1, &[id][..]));
    assert_eq!((alert.opened_at, alert.severity), (t.clock.now(), Severity::Warning));
    // Its error may hold anything, and this leaves the house.
    assert!(!alert.text.contains("beyond help"), "{}", alert.text);
    let work = AlertWork { news: false, to_tell: true, to_send: false };
    assert_eq!(t.store.alert_work().await.unwrap(), work);
}

async fn a_job_that_a_person_discards_is_news(t: TestStore) {
    let id = t.add(|_| {}).await;

    t.change(id, Change::Discard).await;

    assert_eq!(only(&t).await.jobs, [id]);
}

async fn a_job_that_a_rescue_discards_is_news(t: TestStore) {
    let worker = t.worker().await;
    let last = t.add(|row| row.max_attempts = 1).await;
    t.add(|_| {}).await;
    t.claim(worker, 2).await;

    t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(only(&t).await.jobs, [last]);
}

async fn what_ends_otherwise_is_no_news(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let cancelled = t.add(|_| {}).await;
    t.change(cancelled, Change::Cancel).await;
    t.run(worker, retry(0)).await;
    t.run(worker, completed()).await;

    assert_eq!(t.store.alert_work().await.unwrap(), AlertWork::default());
    assert_eq!(fold(&t).await, []);
}

async fn a_report_that_is_refused_is_no_news(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.finish(worker, &job, End::GiveBack).await;

    let refused = t.finish(worker, &job, discarded()).await.refused;

    assert_eq!(refused, [job.id]);
    assert_eq!(fold(&t).await, []);
}

async fn a_storm_is_one_alert_that_counts_and_names_the_first(t: TestStore) {
    let worker = t.worker().await;
    t.add_many(25).await;
    let mut first: Vec<JobId> = Vec::new();
    for _ in 0..5 {
        let jobs = t.claim(worker, 5).await;
        first.extend(jobs.iter().map(|job| job.id));
        let reports: Vec<_> = jobs.iter().map(|job| report(job, discarded())).collect();
        t.store.finish(worker, &reports).await.unwrap();
    }

    let alert = only(&t).await;

    assert_eq!(alert.count, 25);
    assert_eq!(alert.jobs, first[..10]);
}

async fn what_more_happens_joins_the_alert_that_is_open(t: TestStore) {
    let one = |jobs: &[JobId]| {
        News::happened("schedule.missed", "nightly", Severity::Warning, "missed").jobs(jobs.iter().copied())
    };
    let (a, b) = (t.ids.next(), t.ids.next());
    t.store.raise(&[one(&[a])]).await.unwrap();
    let first = only(&t).await;
    t.clock.advance(seconds(5));

    t.store.raise(&[one(&[b]), News { key: "schedule.missed/other".into(), ..one(&[]) }]).await.unwrap();

    let alerts = fold(&t).await;
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    let joined = alerts.iter().find(|alert| alert.id == first.id).unwrap();
    assert_eq!((joined.count, joined.jobs.as_slice()), (2, &[a, b][..]));
    assert_eq!((joined.opened_at, joined.last_at), (first.opened_at, t.clock.now()));
}

async fn a_condition_closes_when_it_has_ended_and_opens_anew(t: TestStore) {
    t.store.raise(&[stuck()]).await.unwrap();
    t.store.raise(&[stuck()]).await.unwrap();
    let first = only(&t).await;
    assert_eq!((first.nature, first.closed_at), (Nature::Condition, None));
    t.clock.advance(seconds(5));

    t.store.raise(&[moves()]).await.unwrap();
    t.store.raise(&[moves()]).await.unwrap();

    let closed = only(&t).await;
    assert_eq!((closed.id, closed.closed_at), (first.id, Some(t.clock.now())));
    // Nobody was told that it began.
    assert_eq!(t.store.alert_work().await.unwrap(), AlertWork::default());
    t.store.raise(&[stuck()]).await.unwrap();
    let ids: BTreeSet<_> = fold(&t).await.into_iter().map(|alert| alert.id).collect();
    assert_eq!((ids.len(), ids.contains(&first.id)), (2, true));
    let open = AlertFilter { open: true, rules: vec!["queue.stuck".into()], ..AlertFilter::default() };
    assert_eq!(t.store.alerts(&open).await.unwrap().len(), 1);
    let other = AlertFilter { rules: vec!["job.discarded".into()], ..open };
    assert_eq!(t.store.alerts(&other).await.unwrap(), []);
}

async fn who_was_told_of_a_beginning_is_told_of_the_end(t: TestStore) {
    delivery(&t).await;

    t.store.raise(&[moves()]).await.unwrap();

    let closed = only(&t).await;
    assert_eq!((closed.tellings, closed.text.as_str()), (1, "mail moves again"));
    assert_eq!(t.store.alerts_to_tell(10).await.unwrap(), [closed]);
}

async fn two_processes_fold_each_news_once(t: TestStore) {
    let other = t.another().await;
    for n in 0..40 {
        let about = format!("{}", n % 4);
        t.store.raise(&[News::happened("schedule.missed", &about, Severity::Info, "missed")]).await.unwrap();
    }

    let fold = async |store: &dyn store::Store| {
        for _ in 0..20 {
            store.fold(7, &t.ids).await.unwrap();
        }
    };
    tokio::join!(fold(&*t.store), fold(&*other));
    while t.store.fold(7, &t.ids).await.unwrap() > 0 {}

    let counts: Vec<_> = all(&t).await.iter().map(|alert| alert.count).collect();
    assert_eq!(counts, [10; 4]);
}

async fn a_decision_about_an_older_version_is_not_carried_out(t: TestStore) {
    t.store.raise(&[stuck()]).await.unwrap();
    let seen = only(&t).await;
    assert!(t.store.tell(&seen, &told("ops")).await.unwrap());

    let again = t.store.tell(&seen, &told("ops")).await.unwrap();

    assert!(!again);
    let detail = t.store.alert(seen.id).await.unwrap().unwrap();
    assert_eq!((detail.alert.tellings, detail.deliveries.len()), (1, 1));
    assert_eq!(t.store.alerts_to_tell(10).await.unwrap(), []);
    t.clock.advance(seconds(60));
    assert_eq!(t.store.alerts_to_tell(10).await.unwrap(), [detail.alert]);
}

async fn a_message_is_taken_by_one_and_again_when_nobody_says_what_became_of_it(t: TestStore) {
    let taken = delivery(&t).await;
    assert_eq!((taken.route.as_str(), taken.attempts), ("ops", 1));
    assert_eq!(taken.message, json!({ "text": "it is so" }));
    assert_eq!(t.another().await.take_deliveries("ops", 10, seconds(30)).await.unwrap(), []);

    t.clock.advance(seconds(30));

    let again = t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap();
    assert_eq!(again, [Delivery { attempts: 2, ..taken.clone() }]);
    assert_eq!(again[0].key(), taken.key());
    // Whoever took it first comes back, too late.
    t.store.end_delivery(&taken, &DeliveryEnd::Sent).await.unwrap();
    assert_eq!(t.store.alert(taken.alert).await.unwrap().unwrap().deliveries[0].state, "pending");
}

async fn a_message_is_taken_for_its_own_route_alone(t: TestStore) {
    t.store.raise(&[stuck()]).await.unwrap();
    let mut both = told("ops");
    both.messages.as_mut().unwrap().extend(told("pager").messages.unwrap());
    assert!(t.store.tell(&only(&t).await, &both).await.unwrap());

    let taken = t.store.take_deliveries("pager", 10, seconds(30)).await.unwrap();

    assert_eq!(taken.iter().map(|one| one.route.as_str()).collect::<Vec<_>>(), ["pager"]);
    assert_eq!(t.store.take_deliveries("other", 10, seconds(30)).await.unwrap(), []);
    assert_eq!(t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap().len(), 1);
}

async fn a_message_for_later_is_not_sent_when_somebody_has_seen_it_or_it_is_over(t: TestStore) {
    let missed = News::happened("schedule.missed", "nightly", Severity::Warning, "missed");
    let (seen, unseen) = (News { key: "seen".into(), ..missed.clone() }, missed);
    t.store.raise(&[stuck(), seen, unseen]).await.unwrap();
    let alerts = fold(&t).await;
    for alert in &alerts {
        let mut told = told("ops");
        let later = Message { after: seconds(60), route: "second".into(), text: json!(alert.key) };
        told.messages.as_mut().unwrap().push(later);
        assert!(t.store.tell(alert, &told).await.unwrap());
        if alert.nature == Nature::Event {
            let closing = t.store.alert(alert.id).await.unwrap().unwrap().alert;
            let close = Told { messages: None, look_again: None, close: true };
            assert!(t.store.tell(&closing, &close).await.unwrap());
        }
    }
    assert_eq!(t.store.take_deliveries("second", 10, seconds(30)).await.unwrap(), []);

    // An event is over as it happens; whoever has seen it says so all the same.
    let seen = alerts.iter().find(|alert| alert.key == "seen").unwrap();
    assert!(t.store.ack(seen.id, &ada()).await.unwrap());
    t.store.raise(&[moves()]).await.unwrap();
    fold(&t).await;
    t.clock.advance(seconds(60));

    let sent = t.store.take_deliveries("second", 10, seconds(30)).await.unwrap();
    let told: Vec<_> = sent.iter().map(|one| one.message.as_str().unwrap()).collect();
    assert_eq!(told, ["schedule.missed/nightly"]);
    // What was to go out at once has gone out.
    assert_eq!(t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap().len(), 3);
}

async fn what_became_of_a_message_is_kept(t: TestStore) {
    let taken = delivery(&t).await;
    let error = "no".to_owned();
    t.store.end_delivery(&taken, &DeliveryEnd::Retry { after: seconds(5), error }).await.unwrap();
    assert_eq!(t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap(), []);
    t.clock.advance(seconds(5));
    let again = t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap();

    t.store.end_delivery(&again[0], &DeliveryEnd::Dead { error: "never".into() }).await.unwrap();

    let kept = t.store.alert(taken.alert).await.unwrap().unwrap().deliveries;
    assert_eq!((kept[0].state.as_str(), kept[0].attempts), ("dead", 2));
    assert_eq!((kept[0].ended_at, kept[0].error.as_deref()), (Some(t.clock.now()), Some("never")));
    t.clock.advance(seconds(3_600));
    assert_eq!(t.store.take_deliveries("ops", 10, seconds(30)).await.unwrap(), []);
}

async fn an_acknowledged_event_is_closed_and_a_condition_is_told_no_more(t: TestStore) {
    let missed = News::happened("schedule.missed", "nightly", Severity::Warning, "missed");
    t.store.raise(&[missed.clone(), stuck()]).await.unwrap();
    for alert in fold(&t).await {
        assert!(t.store.ack(alert.id, &ada()).await.unwrap());
        assert!(!t.store.ack(alert.id, &ada()).await.unwrap());
    }

    assert_eq!(t.store.alert_work().await.unwrap(), AlertWork::default());
    let open = AlertFilter { open: true, ..AlertFilter::default() };
    let left = t.store.alerts(&open).await.unwrap();
    assert_eq!(left.iter().map(|alert| alert.nature).collect::<Vec<_>>(), [Nature::Condition]);
    assert_eq!(left[0].acked_by.as_deref(), Some("user:ada"));
    let audit = t.audit().await;
    let acks: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    assert_eq!(acks, [("alert.ack", "user:ada"); 2]);
    // The next one is another.
    t.store.raise(&[missed]).await.unwrap();
    assert_eq!(fold(&t).await.len(), 3);
}

async fn an_event_that_nobody_was_told_of_closes_and_is_still_to_be_told(t: TestStore) {
    let missed = |about: &str| News::happened("schedule.missed", about, Severity::Warning, "missed");
    t.store.raise(&[missed("old"), stuck()]).await.unwrap();
    fold(&t).await;
    t.clock.advance(seconds(600));
    t.store.raise(&[missed("young")]).await.unwrap();
    fold(&t).await;

    assert_eq!(t.store.close_untold(seconds(600), 10).await.unwrap(), 0, "not yet");
    t.clock.advance(seconds(1));
    assert_eq!(t.store.close_untold(seconds(600), 10).await.unwrap(), 1);

    let keys = |alerts: Vec<AlertRow>| alerts.into_iter().map(|alert| alert.key).collect::<BTreeSet<_>>();
    let open = t.store.alerts(&AlertFilter { open: true, ..AlertFilter::default() }).await.unwrap();
    let (old, young) = ("schedule.missed/old".to_owned(), "schedule.missed/young".to_owned());
    let stuck = "queue.stuck/mail".to_owned();
    assert_eq!(keys(open), BTreeSet::from([young.clone(), stuck.clone()]));
    let to_tell = t.store.alerts_to_tell(10).await.unwrap();
    assert_eq!(keys(to_tell.clone()), BTreeSet::from([old.clone(), young, stuck]));
    let old = to_tell.into_iter().find(|alert| alert.key == old).unwrap();
    assert!(t.store.tell(&old, &told("ops")).await.unwrap());
    // The next is another.
    t.store.raise(&[missed("old")]).await.unwrap();
    assert_eq!(fold(&t).await.len(), 4);
}

async fn closed_alerts_are_pruned_with_what_was_sent_of_them(t: TestStore) {
    let sent = delivery(&t).await;
    t.store.raise(&[moves()]).await.unwrap();
    fold(&t).await;
    let open = News::happened("schedule.missed", "nightly", Severity::Warning, "missed");
    t.store.raise(&[open]).await.unwrap();
    fold(&t).await;
    let day = Duration::from_secs(86_400);
    assert_eq!(t.store.prune_alerts(day, 10).await.unwrap(), 0);
    t.clock.advance(day + seconds(1));

    assert_eq!(t.store.prune_alerts(day, 10).await.unwrap(), 1);

    assert_eq!(t.store.alert(sent.alert).await.unwrap(), None);
    t.clock.advance(day);
    assert_eq!(t.store.take_deliveries("ops", 10, seconds(1)).await.unwrap(), []);
    assert_eq!(all(&t).await.len(), 1);
}

async fn a_queue_waits_when_its_first_job_is_due_for_too_long_and_none_was_claimed(t: TestStore) {
    let worker = t.worker().await;
    let first = t.add(|_| {}).await;
    t.add(|row| row.tenant = Some("acme".into())).await;
    let other = t.add(|row| row.queue = "other".into()).await;
    t.add(|row| row.queue = "paused".into()).await;
    t.store.pause("paused", None, &ada(), "").await.unwrap();
    let waiting = async || {
        let found = t.store.waiting_queues(seconds(900)).await.unwrap();
        found.into_iter().map(|one| (one.queue, one.first)).collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, []);
    t.clock.advance(seconds(901));
    assert_eq!(waiting().await, [(QUEUE.into(), first), ("other".into(), other)]);

    t.claim(worker, 1).await;

    assert_eq!(waiting().await, [("other".into(), other)]);
    // What was claimed then runs on, and nothing else was claimed since.
    t.clock.advance(seconds(901));
    assert_eq!(waiting().await.len(), 2);
    assert_eq!(t.store.waiting_queues(seconds(900)).await.unwrap()[0].waits, seconds(1_802));
}
