//! Reviews over HTTP: an auditor clears an entry, follows up on another, and somebody looks back on it years later.

use jobkit::{Clock, JobId};
use serde_json::{Value, json};
use store::PruneRules;

use crate::support::http::{Server, answer};
use crate::support::store::{TestStore, completed, promises, seconds};

promises![
    an_auditor_decides_item_by_item_and_sees_what_holds,
    a_job_that_has_not_completed_has_nothing_to_decide_on,
    what_is_sent_again_under_a_key_is_written_once,
    reviews_of_a_job_that_was_pruned_can_be_looked_back_on,
];

async fn done(t: &TestStore) -> JobId {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    t.run(worker, completed()).await
}

fn items(page: &Value) -> Vec<(String, String)> {
    let text = |review: &Value, name: &str| review[name].as_str().unwrap().to_owned();
    let reviews = page["reviews"].as_array().unwrap().iter();
    reviews.map(|review| (text(review, "item"), text(review, "decision"))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(item, decision)| ((*item).to_owned(), (*decision).to_owned())).collect()
}

async fn an_auditor_decides_item_by_item_and_sees_what_holds(t: TestStore) {
    let server = Server::over(t).await;
    let job = done(&server.t).await;
    let path = format!("/v1/jobs/{job}/reviews");
    assert_eq!(server.get(&path).await.expect(200), json!({ "reviews": [], "next": null }));
    assert_eq!(
        server.get(&format!("{path}/latest")).await.expect(200),
        json!({ "reviews": [], "next": null })
    );

    let first = json!({ "by": "Ada Lovelace", "items": [
        { "item": "JE-4711", "decision": "follow_up", "comment": "posted on a Sunday, by whom?" },
        { "item": "JE-4712", "decision": "cleared" },
    ] });
    let reviewed = server.post(&path, &first).await.expect(200);
    let more = json!({ "items": [
        { "item": "JE-4711", "decision": "comment", "comment": "by the controller" },
        { "item": "JE-4712", "decision": "follow_up", "comment": null },
    ] });
    server.post(&path, &more).await.expect(200);

    assert_eq!(reviewed, json!({ "job": job, "reviewed": 2, "at": server.t.clock.now() }));
    let page = server.get(&path).await.expect(200);
    let history =
        [("JE-4712", "follow_up"), ("JE-4711", "comment"), ("JE-4712", "cleared"), ("JE-4711", "follow_up")];
    assert_eq!(items(&page), pairs(&history));
    let shown = &page["reviews"][3];
    assert_eq!(
        shown,
        &json!({
            "id": shown["id"], "item": "JE-4711", "decision": "follow_up",
            "comment": "posted on a Sunday, by whom?", "by": "Ada Lovelace", "actor": "token:api",
            "at": server.t.clock.now(),
        })
    );
    let of_one = server.get(&format!("{path}?item=JE-4711&limit=1")).await.expect(200);
    assert_eq!(items(&of_one), pairs(&[("JE-4711", "comment")]));
    let next = of_one["next"].as_i64().unwrap();
    let rest = server.get(&format!("{path}?item=JE-4711&before={next}")).await.expect(200);
    assert_eq!((items(&rest), &rest["next"]), (pairs(&[("JE-4711", "follow_up")]), &Value::Null));

    let latest = server.get(&format!("{path}/latest?limit=1")).await.expect(200);
    assert_eq!((items(&latest), &latest["next"]), (pairs(&[("JE-4711", "follow_up")]), &json!("JE-4711")));
    let behind = server.get(&format!("{path}/latest?after=JE-4711")).await.expect(200);
    assert_eq!((items(&behind), &behind["next"]), (pairs(&[("JE-4712", "follow_up")]), &Value::Null));

    let audit = server.t.audit().await;
    let told: Vec<_> = audit.iter().filter(|entry| entry.action == "job.reviewed").collect();
    assert_eq!((told.len(), told[0].actor.as_str()), (2, "token:api"));
    assert!(!format!("{told:?}").contains("Sunday"), "{told:?}");
    // A comment is not in the audit log, and so in no event.
    assert_eq!(told[0].details["items"][0]["comment_characters"], 28);
}

async fn a_job_that_has_not_completed_has_nothing_to_decide_on(t: TestStore) {
    let server = Server::over(t).await;
    let job = server.t.add(|_| {}).await;
    let path = format!("/v1/jobs/{job}/reviews");
    let one = json!({ "items": [{ "item": "JE-1", "decision": "cleared" }] });

    let refused = server.post(&path, &one).await.expect(409);

    assert_eq!((&refused["code"], &refused["errors"][0]["field"]), (&json!("wrong_state"), &json!("id")));
    assert!(refused["detail"].as_str().unwrap().contains("is available"), "{refused}");
    assert_eq!(server.get(&path).await.expect(200)["reviews"], json!([]));
}

async fn what_is_sent_again_under_a_key_is_written_once(t: TestStore) {
    let server = Server::over(t).await;
    let job = done(&server.t).await;
    let path = format!("/v1/jobs/{job}/reviews");
    let send = async |decision: &str| {
        let one = json!({ "items": [{ "item": "JE-1", "decision": decision }] });
        answer(server.request(&path, &one).header("Idempotency-Key", "monday")).await
    };

    let first = send("cleared").await;
    let again = send("cleared").await;
    let other = send("follow_up").await;

    assert_eq!((first.status, again.status, &first.text), (200, 200, &again.text));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    let page = server.get(&path).await.expect(200);
    assert_eq!(items(&page), pairs(&[("JE-1", "cleared")]));
}

async fn reviews_of_a_job_that_was_pruned_can_be_looked_back_on(t: TestStore) {
    let server = Server::over(t).await;
    let (job, unseen) = (done(&server.t).await, done(&server.t).await);
    let path = format!("/v1/jobs/{job}/reviews");
    let one = json!({ "items": [{ "item": "JE-1", "decision": "cleared" }] });
    server.post(&path, &one).await.expect(200);
    server.t.clock.advance(seconds(10));
    let rules = PruneRules { completed: Some(seconds(5)), ..PruneRules::default() };
    assert_eq!(server.t.store.prune(&rules, 10).await.unwrap(), 2);

    assert_eq!(items(&server.get(&path).await.expect(200)), pairs(&[("JE-1", "cleared")]));
    assert_eq!(
        items(&server.get(&format!("{path}/latest")).await.expect(200)),
        pairs(&[("JE-1", "cleared")])
    );
    // Nothing of this item, and yet it is known that there was such a job.
    assert_eq!(items(&server.get(&format!("{path}?item=JE-2")).await.expect(200)), []);
    server.get(&format!("/v1/jobs/{unseen}/reviews")).await.expect(404);
    server.post(&path, &one).await.expect(404);
}
