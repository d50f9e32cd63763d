//! Alerts over HTTP: what is the matter is listed, shown and acknowledged, and a route is tried.

use serde_json::{Value, json};
use store::{News, Severity};

use crate::support::http::{Server, Setup};
use crate::support::receiver::{Answer, Receiver};
use crate::support::store::{TestStore, promises};

promises![
    what_is_the_matter_is_listed_newest_first,
    an_alert_that_somebody_has_seen_is_acknowledged_once_and_by_name,
    a_sample_goes_by_the_route_that_is_named,
];

async fn raise(t: &TestStore, news: News) {
    t.store.raise(&[news]).await.unwrap();
    while t.store.fold(100, &t.ids).await.unwrap() > 0 {}
    t.clock.advance(std::time::Duration::from_secs(1));
}

fn missed(schedule: &str) -> News {
    News::happened("schedule.missed", schedule, Severity::Warning, format!("{schedule} missed fire times"))
}

fn stuck() -> News {
    News::began("queue.stuck", "mail", Severity::Critical, "mail is stuck").queue("mail")
}

async fn listed(server: &Server, query: &str) -> Vec<Value> {
    let listed = server.get(&format!("/v1/alerts{query}")).await.expect(200);
    listed["alerts"].as_array().unwrap().clone()
}

async fn what_is_the_matter_is_listed_newest_first(t: TestStore) {
    let server = Server::over(t).await;
    assert_eq!(listed(&server, "").await, [] as [Value; 0]);
    for news in [missed("close"), stuck(), missed("open")] {
        raise(&server.t, news).await;
    }

    let keys = async |query: &str| {
        let alerts = listed(&server, query).await;
        alerts.iter().map(|alert| alert["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys("").await, ["schedule.missed/open", "queue.stuck/mail", "schedule.missed/close"]);
    assert_eq!(keys("?rule=schedule.missed&limit=1").await, ["schedule.missed/open"]);
    assert_eq!(keys("?rule=queue.stuck&rule=trigger.blind").await, ["queue.stuck/mail"]);
    // It would be an empty list, as if nothing were the matter.
    let unknown = server.get("/v1/alerts?rule=queue.stuk").await.expect(400);
    assert_eq!(
        (&unknown["code"], &unknown["errors"][0]["field"]),
        (&json!("invalid_parameter"), &json!("rule"))
    );

    // Two of one moment have an order too.
    let (mut told, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let page = server.get(&format!("/v1/alerts{query}")).await.expect(200);
        told.extend(page["alerts"].as_array().unwrap().iter().map(|alert| alert["key"].clone()));
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=1&before={next}"),
            None => break,
        }
    }
    assert_eq!(json!(told), json!(keys("").await));
    let wrong = server.get("/v1/alerts?before=yesterday").await.expect(400);
    assert_eq!(wrong["errors"][0]["field"], "before");

    let mail = listed(&server, "?rule=queue.stuck").await.remove(0);
    let shown = server.get(&format!("/v1/alerts/{}", mail["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&shown["alert"], &shown["deliveries"]), (&mail, &json!([])));
    assert_eq!(
        (&mail["severity"], &mail["nature"], &mail["queue"]),
        (&json!("critical"), &json!("condition"), &json!("mail"))
    );
}

async fn an_alert_that_somebody_has_seen_is_acknowledged_once_and_by_name(t: TestStore) {
    let server = Server::over(t).await;
    raise(&server.t, missed("close")).await;
    let id = listed(&server, "").await[0]["id"].clone();
    let path = format!("/v1/alerts/{}/acknowledge", id.as_str().unwrap());

    let first = server.post(&path, &json!({})).await.expect(200);
    let again = server.post(&path, &json!({})).await.expect(200);

    assert_eq!(first, json!({ "alert": id, "acknowledged": true }));
    assert_eq!(again, json!({ "alert": id, "acknowledged": false }));
    // An event is closed by that.
    assert_eq!(listed(&server, "").await, [] as [Value; 0]);
    let closed = listed(&server, "?closed=true").await;
    assert_eq!((&closed[0]["id"], &closed[0]["acked_by"]), (&id, &json!("token:api")));
    let audit = server.t.audit().await;
    let told: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    assert_eq!(told, [("alert.ack", "token:api")]);
}

async fn a_sample_goes_by_the_route_that_is_named(t: TestStore) {
    let receiver = Receiver::start().await;
    let server = Server::with(t, Setup { receiver: Some(receiver.url("")), ..Setup::default() }).await;

    let sent = server.post("/v1/alert-routes/ops/test", &json!({})).await.expect(200);

    let [told] = &receiver.received()[..] else { panic!("one message") };
    assert_eq!(
        (told.path.as_str(), told.verify(), json!(told.id())),
        ("/alerts", Ok(()), sent["id"].clone())
    );
    let audit = server.t.audit().await;
    let told: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    assert_eq!(told, [("alert.test", "ops")]);

    receiver.answers([Answer::Status(500)]);
    let refused = server.post("/v1/alert-routes/ops/test", &json!({})).await.expect(502);
    assert_eq!(refused["code"], "not_carried");
    assert!(refused["detail"].as_str().unwrap().contains("500"), "{refused}");
    let unknown = server.post("/v1/alert-routes/nobody/test", &json!({})).await.expect(404);
    assert!(unknown["remedy"].as_str().unwrap().contains("ops"), "{unknown}");
}
