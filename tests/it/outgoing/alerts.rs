use std::sync::Arc;
use std::time::Duration;

use engine::adapters::mailer::{Encryption, SmtpMailer};
use engine::alerts::courier::Courier;
use engine::alerts::{Alerting, Pace, Route, To};
use engine::webhooks::target::Target;
use jobkit::{NewJob, Personal};
use serde_json::json;
use store::{AlertFilter, Message, News, Scope, Severity};

use super::{
    House, alerting, alerting_by, alerting_to, failing, mail_server, route, steady, webhooks_to,
    webhooks_within,
};
use crate::support::ports::free_port;
use crate::support::receiver::{Answer, Receiver};
use crate::support::smtp::Smtp;
use crate::support::store::{QUEUE, TestStore, ada, promises};

promises![
    a_discarded_job_is_told_by_a_signed_webhook,
    a_receiver_that_fails_gets_the_same_message_until_it_takes_it,
    a_message_that_was_sent_and_not_written_down_is_sent_again_under_its_id,
    a_receiver_that_wants_no_more_gets_no_more,
    what_reaches_nobody_is_dead_after_its_attempts,
    a_storm_is_told_once_and_then_as_a_count,
    two_processes_tell_once,
    a_process_without_routes_leaves_telling_to_others,
    where_nobody_has_routes_an_event_closes_and_is_told_when_somebody_has,
    a_receiver_that_is_silent_holds_up_no_other_route,
    what_nobody_acknowledges_goes_to_a_second_route,
    a_queue_that_nobody_works_is_stuck_until_somebody_does,
    what_lasts_is_told_again_until_somebody_has_seen_it,
    a_route_is_told_what_concerns_it_and_nothing_else,
    a_mail_server_that_is_away_is_waited_for,
];

async fn a_discarded_job_is_told_by_a_signed_webhook(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = House::over(&t, t.store.clone(), None).start(alerting_to(&receiver, &t.clock));

    let id = house.enqueue(failing()).await;

    house.until_messages(1, "sent").await;
    let [told] = &receiver.received()[..] else { panic!("one message") };
    assert_eq!(told.verify(), Ok(()));
    let message = told.json();
    assert_eq!(message["type"], "alert.opened");
    assert_eq!(message["data"]["jobs"], json!([id]));
    assert_eq!((&message["data"]["kind"], &message["data"]["count"]), (&json!("system.fail"), &json!(1)));
    assert!(!told.body.contains("ada@example.org"), "{}", told.body);
}

async fn a_receiver_that_fails_gets_the_same_message_until_it_takes_it(t: TestStore) {
    let receiver = Receiver::start().await;
    receiver.answers([Answer::Status(500), Answer::Cut, Answer::Status(302)]);
    let house = House::over(&t, t.store.clone(), None).start(alerting_to(&receiver, &t.clock));

    house.enqueue(failing()).await;

    house.until_messages(1, "sent").await;
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|one| one.id() == received[0].id() && one.body == received[0].body));
    assert_eq!(house.alerts().await[0].deliveries[0].attempts, 4);
}

/// As when the process is killed between the two.
async fn a_message_that_was_sent_and_not_written_down_is_sent_again_under_its_id(t: TestStore) {
    let receiver = Receiver::start().await;
    let alerting = alerting_to(&receiver, &t.clock);
    t.store
        .raise(&[News::happened("schedule.missed", "nightly", Severity::Warning, "missed")])
        .await
        .unwrap();
    t.store.fold(10, &t.ids).await.unwrap();
    let alert = t.store.alerts(&AlertFilter::default()).await.unwrap().remove(0);
    let told = store::Told {
        messages: Some(vec![Message {
            route: "hook".into(),
            text: json!({ "text": "missed" }),
            after: Duration::ZERO,
        }]),
        look_again: None,
        close: false,
    };
    t.store.tell(&alert, &told).await.unwrap();
    let taken = t.store.take_deliveries("hook", 1, Duration::from_secs(120)).await.unwrap().remove(0);
    let courier = alerting.courier.clone().unwrap();
    courier.carry(&taken.route, &taken.key(), &taken.message).await.unwrap();

    let house = House::over(&t, t.store.clone(), None).start(alerting);

    house.until_messages(1, "sent").await;
    assert_eq!(receiver.ids(), [taken.key(), taken.key()]);
}

async fn a_receiver_that_wants_no_more_gets_no_more(t: TestStore) {
    let receiver = Receiver::start().await;
    receiver.answers([Answer::Status(410)]);
    let house = House::over(&t, t.store.clone(), None).start(alerting_to(&receiver, &t.clock));

    house.enqueue(failing()).await;

    house.until_messages(1, "dead").await;
    assert_eq!(receiver.received().len(), 1);
}

async fn what_reaches_nobody_is_dead_after_its_attempts(t: TestStore) {
    let receiver = Receiver::start().await;
    receiver.answers([Answer::Status(500); 3]);
    let plan = alerting_to(&receiver, &t.clock);
    let plan = Alerting { pace: Pace { attempts: 3, ..plan.pace }, ..plan };
    let house = House::over(&t, t.store.clone(), None).start(plan);

    house.enqueue(failing()).await;

    house.until_messages(1, "dead").await;
    let delivery = &house.alerts().await[0].deliveries[0];
    assert_eq!((delivery.attempts, receiver.received().len()), (3, 3));
    assert!(delivery.error.as_ref().unwrap().contains("status 500"), "{delivery:?}");
}

async fn a_storm_is_told_once_and_then_as_a_count(t: TestStore) {
    let receiver = Receiver::start().await;
    let plan = alerting_to(&receiver, &t.clock);
    let plan = Alerting { pace: Pace { window: Duration::from_secs(30), ..plan.pace }, ..plan };
    let house = House::over(&t, t.store.clone(), None).start(plan);
    house.enqueue(failing()).await;
    house.until("the first was told", || receiver.received().len() == 1).await;

    house.app.queue.enqueue(&Scope::Installation, vec![failing(); 300], &ada()).await.unwrap();

    house.until("the rest was told", || receiver.received().len() == 2).await;
    let digest = receiver.received()[1].json();
    assert_eq!((&digest["type"], &digest["data"]["count"]), (&json!("alert.more"), &json!(301)));
    assert_eq!(digest["data"]["new"], 300);
    assert_eq!(digest["data"]["jobs"].as_array().unwrap().len(), 10);
    // Nothing follows, and it closes without a word.
    let store = t.store.clone();
    crate::engine::until(&t.clock, "it closes", || async {
        store.alerts(&AlertFilter { open: true, ..AlertFilter::default() }).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(receiver.received().len(), 2);
}

async fn two_processes_tell_once(t: TestStore) {
    let receiver = Receiver::start().await;
    let _one = House::over(&t, t.store.clone(), None).start(alerting_to(&receiver, &t.clock));
    let two = House::over(&t, t.another().await, None).start(alerting_to(&receiver, &t.clock));

    for n in 0..20 {
        let about = format!("{n}");
        t.store.raise(&[News::happened("schedule.missed", &about, Severity::Info, "missed")]).await.unwrap();
    }

    two.until_messages(20, "sent").await;
    let ids: std::collections::BTreeSet<_> = receiver.ids().into_iter().collect();
    assert_eq!((ids.len(), receiver.received().len()), (20, 20));
}

async fn a_process_without_routes_leaves_telling_to_others(t: TestStore) {
    let receiver = Receiver::start().await;
    let deaf = House::over(&t, t.store.clone(), None).start(Alerting::default());
    deaf.enqueue(failing()).await;
    let store = t.store.clone();
    crate::engine::until(&t.clock, "the alert is there", || async {
        store.alerts_to_tell(10).await.unwrap().len() == 1
    })
    .await;

    let house = House::over(&t, t.another().await, None).start(alerting_to(&receiver, &t.clock));

    house.until_messages(1, "sent").await;
    assert_eq!(receiver.received().len(), 1);
}

async fn where_nobody_has_routes_an_event_closes_and_is_told_when_somebody_has(t: TestStore) {
    let pace = Pace { window: Duration::from_secs(30), ..Pace::default() };
    let deaf = House::over(&t, t.store.clone(), None).start(Alerting { pace, courier: None });
    deaf.enqueue(failing()).await;
    let store = t.store.clone();
    crate::engine::until(&t.clock, "it is there and closed", || async {
        let alerts = store.alerts(&AlertFilter::default()).await.unwrap();
        !alerts.is_empty() && alerts.iter().all(|alert| alert.closed_at.is_some())
    })
    .await;

    let receiver = Receiver::start().await;
    let house = House::over(&t, t.another().await, None).start(alerting_to(&receiver, &t.clock));

    house.until_messages(1, "sent").await;
    let told = receiver.received()[0].json();
    assert_eq!(told["type"], "alert.opened");
    assert!(told["data"]["closed_at"].is_string(), "{told}");
}

async fn a_receiver_that_is_silent_holds_up_no_other_route(t: TestStore) {
    let (silent, receiver) = (Receiver::start().await, Receiver::start().await);
    silent.answers([Answer::Silence; 100]);
    let to = |receiver: &Receiver| route(To::Webhook(Target::parse(&receiver.url("/")).unwrap()));
    let routes = [("a-silent".to_owned(), to(&silent)), ("hook".to_owned(), to(&receiver))].into();
    // Longer than the test takes.
    let patient = webhooks_within(&[], &t.clock, Duration::from_secs(600));
    let plan = alerting_by(Courier { routes, mailer: None, webhooks: patient });
    let house = House::over(&t, t.store.clone(), None).start(plan);

    let about: Vec<_> = (0..40).map(|n| format!("{n}")).collect();
    let news = about.iter().map(|about| News::happened("schedule.missed", about, Severity::Info, "missed"));
    t.store.raise(&news.collect::<Vec<_>>()).await.unwrap();

    house.until_messages(40, "sent").await;
    let alerts = house.alerts().await;
    let by = |route: &str| {
        let all = alerts.iter().flat_map(|detail| &detail.deliveries).filter(move |one| one.route == route);
        all.map(|one| one.state.clone()).collect::<Vec<_>>()
    };
    assert_eq!(by("hook"), vec!["sent"; 40]);
    assert_eq!(by("a-silent"), vec!["pending"; 40]);
}

async fn what_nobody_acknowledges_goes_to_a_second_route(t: TestStore) {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let to = |receiver: &Receiver| route(To::Webhook(Target::parse(&receiver.url("/")).unwrap()));
    let late = Route { after: Some(Duration::from_secs(3_600)), ..to(&second) };
    let routes = [("first".to_owned(), to(&first)), ("second".to_owned(), late)].into();
    let webhooks = webhooks_to(&[], &t.clock);
    let house =
        House::over(&t, t.store.clone(), None).start(alerting_by(Courier { routes, mailer: None, webhooks }));
    let news = [
        News::began("schedule.broken", "seen", Severity::Warning, "broken"),
        News::began("schedule.broken", "lasting", Severity::Warning, "broken"),
        News::happened("schedule.missed", "nightly", Severity::Warning, "missed"),
    ];
    t.store.raise(&news).await.unwrap();
    house.until("the first route was told", || first.received().len() == 3).await;
    let alerts = t.store.alerts(&AlertFilter::default()).await.unwrap();
    let seen = alerts.iter().find(|alert| alert.key == "schedule.broken/seen").unwrap();
    assert!(t.store.ack(seen.id, &ada()).await.unwrap());
    assert_eq!(second.received(), []);

    // Less than the repeat; and the event has closed by then.
    t.clock.advance(Duration::from_secs(3_600));
    house.until("the second route was told", || second.received().len() == 2).await;
    t.store.raise(&[News::ended("schedule.broken", "lasting", "it fires again")]).await.unwrap();
    t.store.raise(&[News::ended("schedule.broken", "seen", "it fires again")]).await.unwrap();
    house.until("the ends were told", || first.received().len() >= 5 && second.received().len() >= 3).await;

    let said = |receiver: &Receiver| {
        let mut said: Vec<_> = receiver
            .received()
            .iter()
            .map(|one| (one.json()["data"]["key"].to_string(), one.json()["type"].to_string()))
            .map(|(key, kind)| format!("{key} {kind}").replace('"', ""))
            .collect();
        said.sort_unstable();
        said
    };
    assert_eq!(
        said(&second),
        [
            "schedule.broken/lasting alert.closed",
            "schedule.broken/lasting alert.escalated",
            "schedule.missed/nightly alert.escalated"
        ]
    );
    assert_eq!(
        said(&first),
        [
            "schedule.broken/lasting alert.closed",
            "schedule.broken/lasting alert.opened",
            "schedule.broken/seen alert.closed",
            "schedule.broken/seen alert.opened",
            "schedule.missed/nightly alert.opened"
        ]
    );
}

async fn a_queue_that_nobody_works_is_stuck_until_somebody_does(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = House::over(&t, t.store.clone(), None).start(alerting_to(&receiver, &t.clock));
    let id = house.enqueue(NewJob::new("system.noop", json!({})).queue("mail")).await;

    house.until("it is told", || receiver.received().len() == 1).await;

    let told = receiver.received()[0].json();
    assert_eq!((&told["type"], &told["data"]["rule"]), (&json!("alert.opened"), &json!("queue.stuck")));
    assert_eq!((&told["data"]["queue"], &told["data"]["jobs"]), (&json!("mail"), &json!([id])));
    let worker = t.worker().await;
    t.store.claim(worker, "mail", 1).await.unwrap();
    house.until("its end is told", || receiver.received().len() == 2).await;
    let over = receiver.received()[1].json();
    assert_eq!((&over["type"], &over["data"]["id"]), (&json!("alert.closed"), &told["data"]["id"]));
}

async fn what_lasts_is_told_again_until_somebody_has_seen_it(t: TestStore) {
    let receiver = Receiver::start().await;
    let plan = alerting_to(&receiver, &t.clock);
    let plan = Alerting { pace: Pace { repeat: Duration::from_secs(30), ..plan.pace }, ..plan };
    let house = House::over(&t, t.store.clone(), None).start(plan);
    t.store.raise(&[News::began("schedule.broken", "nightly", Severity::Warning, "broken")]).await.unwrap();
    house.until("it is told twice", || receiver.received().len() == 2).await;
    assert_eq!(receiver.received()[1].json()["type"], "alert.repeated");

    let alert = t.store.alerts(&AlertFilter::default()).await.unwrap().remove(0);
    assert!(t.store.ack(alert.id, &ada()).await.unwrap());

    assert!(!t.store.alert_work().await.unwrap().to_tell);
    let told = receiver.received().len();
    t.store.raise(&[News::ended("schedule.broken", "nightly", "it fires again")]).await.unwrap();
    house.until("the end is told", || receiver.received().len() > told).await;
    assert_eq!(receiver.received()[told].json()["type"], "alert.closed");
}

async fn a_route_is_told_what_concerns_it_and_nothing_else(t: TestStore) {
    let receiver = Receiver::start().await;
    let plan = alerting_to(&receiver, &t.clock);
    let narrow = Route {
        severity: Severity::Warning,
        rules: vec!["job.discarded".into(), "schedule.missed".into()],
        queues: vec![QUEUE.into()],
        ..plan.courier.as_ref().unwrap().routes["hook"].clone()
    };
    let house = House::over(&t, t.store.clone(), None).start(alerting(narrow, None, &t.clock));
    let news = |rule: &str, severity| News::happened(rule, "x", severity, "news").queue(QUEUE);
    let wanted = news("job.discarded", Severity::Critical);
    t.store
        .raise(&[
            News { queue: Some("other".into()), key: "other".into(), ..wanted.clone() },
            News { queue: None, key: "none".into(), ..wanted.clone() },
            news("queue.stuck", Severity::Critical),
            news("schedule.missed", Severity::Info),
            wanted,
        ])
        .await
        .unwrap();

    house.until_messages(1, "sent").await;

    let alerts = house.alerts().await;
    assert!(alerts.iter().all(|detail| detail.alert.tellings == 1), "{alerts:?}");
    assert_eq!(receiver.received()[0].json()["data"]["key"], "job.discarded/x");
}

async fn a_mail_server_that_is_away_is_waited_for(t: TestStore) {
    let port = free_port();
    let mailer = SmtpMailer::new(&mail_server(port, Encryption::None), steady(&t.clock)).unwrap();
    let to = To::Mail(vec![Personal::new("ops@example.org".into()), Personal::new("dba@example.org".into())]);
    let plan = alerting(route(to), Some(mailer), &Arc::clone(&t.clock));
    let house = House::over(&t, t.store.clone(), None).start(plan);
    let id = house.enqueue(failing()).await;
    let tried = || async {
        let alerts = house.alerts().await;
        alerts.iter().flat_map(|detail| &detail.deliveries).any(|delivery| delivery.attempts >= 2)
    };
    crate::engine::until(&t.clock, "it was tried", tried).await;

    let smtp = Smtp::plain(port);

    house.until_messages(1, "sent").await;
    let [mail] = &smtp.arrived(1)[..] else { panic!("one mail") };
    assert_eq!(mail["to"], json!(["ops@example.org", "dba@example.org"]));
    assert!(mail["headers"]["subject"].as_str().unwrap().starts_with("[Compline] warning: jobs of kind"));
    assert!(mail["text"].as_str().unwrap().contains(&format!("compline jobs show {id}")), "{mail}");
}
