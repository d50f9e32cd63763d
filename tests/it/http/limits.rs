//! Limits over HTTP, as `compline limits` has them.

use engine::limits::limiter::Calls;
use jobkit::CallEnd;
use serde_json::{Value, json};
use store::Taken;
use store::breaker::BreakerRules;
use store::rule::{By, Rule, Rules};

use crate::support::http::Server;
use crate::support::store::{TestStore, promises};

promises![
    limits_are_listed_and_shown_with_their_keys,
    a_key_is_paused_until_a_time_and_resumed_by_name,
    calls_are_paused_and_resumed_as_jobs_are,
    a_breaker_that_saw_failures_is_listed,
];

async fn limited(t: TestStore) -> Server {
    let rule = Rule {
        name: "accounts".into(),
        kinds: Vec::new(),
        queues: Vec::new(),
        by: By::Args(vec!["id".into()]),
        rate: None,
        concurrency: Some(7),
    };
    t.store.put_limits(&Rules::new([rule])).await.unwrap();
    Server::over(t).await
}

async fn limits_are_listed_and_shown_with_their_keys(t: TestStore) {
    let server = limited(t).await;
    let jobs = ["a", "a", "b", "c"].map(|id| json!({ "kind": "test.as_written", "args": { "id": id } }));
    server.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await.expect(202);

    let listed = server.get("/v1/limits").await.expect(200);

    let limit = &listed["limits"][0];
    assert_eq!(
        (&limit["name"], &limit["by"], &limit["concurrency"], &limit["rate"]),
        (&json!("accounts"), &json!("args.id"), &json!(7), &Value::Null)
    );
    assert_eq!(
        (&limit["in_use"], &limit["running"], &limit["waiting"], &limit["paused"]),
        (&json!(3), &json!(0), &json!(4), &json!(0))
    );
    let (mut told, mut path) = (Vec::new(), "/v1/limits/accounts?limit=2".to_owned());
    loop {
        let shown = server.get(&path).await.expect(200);
        assert_eq!((&shown["name"], &shown["in_use"]), (&json!("accounts"), &json!(3)));
        let buckets = shown["buckets"].as_array().unwrap().iter();
        told.extend(buckets.map(|bucket| (bucket["bucket"].clone(), bucket["waiting"].clone())));
        match shown["next"].as_str() {
            Some(next) => path = format!("/v1/limits/accounts?limit=2&after={next}"),
            None => break,
        }
    }
    let waiting: Vec<_> = told.iter().map(|(_, waiting)| waiting.as_u64().unwrap()).collect();
    assert_eq!(waiting, [2, 1, 1], "{told:?}");
}

async fn a_key_is_paused_until_a_time_and_resumed_by_name(t: TestStore) {
    let server = limited(t).await;
    let until = "2999-01-01T00:00:00Z";

    let pause = json!({ "key": "a", "until": until, "reason": "they asked us to wait" });
    let paused = server.post("/v1/limits/accounts/pause", &pause).await.expect(200);

    assert_eq!(paused["paused_until"], until);
    let shown = server.get("/v1/limits/accounts").await.expect(200)["buckets"][0].clone();
    assert_eq!(
        (&shown["bucket"], &shown["paused_until"], &shown["paused_by"], &shown["reason"]),
        (&paused["bucket"], &json!(until), &json!("token:api"), &json!("they asked us to wait"))
    );
    let without = json!({ "until": until, "reason": "which one" });
    let refused = server.post("/v1/limits/accounts/pause", &without).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "/key");
    let resumed = server.post("/v1/limits/accounts/resume", &json!({ "key": "a" })).await.expect(200);
    assert_eq!(resumed, json!({ "bucket": paused["bucket"], "paused_until": null }));
    let audit = server.t.audit().await;
    let told = audit.iter().filter(|entry| entry.actor == "token:api");
    let told: Vec<_> = told.map(|entry| (entry.action.as_str(), json!(entry.object))).collect();
    assert_eq!(told, [("limit.pause", paused["bucket"].clone()), ("limit.resume", paused["bucket"].clone())]);
}

async fn calls_are_paused_and_resumed_as_jobs_are(t: TestStore) {
    let server = Server::over(t).await;
    let listed = server.get("/v1/limits").await.expect(200);
    let limit = &listed["limits"][0];
    assert_eq!(
        (&limit["name"], &limit["of"], &limit["by"], &limit["rate"]),
        (&json!("@provider"), &json!("calls"), &json!("key"), &json!({ "pace": "5/s", "burst": 1 }))
    );
    let calls = &server.app.limits.calls;
    let take = async || {
        let rate = calls.rate("provider", 1).unwrap();
        calls.limiter.take(&Calls::bucket("provider", "acct-7"), rate, 1).await.unwrap()
    };

    let pause =
        json!({ "key": "acct-7", "until": "2999-01-01T00:00:00Z", "reason": "they asked us to wait" });
    let paused = server.post("/v1/limits/@provider/pause", &pause).await.expect(200);

    assert_eq!(paused["bucket"], "@provider/acct-7");
    assert!(matches!(take().await, Taken::Wait(_)));
    let shown = server.get("/v1/limits/@provider").await.expect(200)["buckets"][0].clone();
    assert_eq!((&shown["bucket"], &shown["paused_by"]), (&paused["bucket"], &json!("token:api")));
    server.post("/v1/limits/@provider/resume", &json!({ "key": "acct-7" })).await.expect(200);
    assert_eq!(take().await, Taken::Granted);
    let refused = server.post("/v1/limits/@provider/resume", &json!({})).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "/key");
}

async fn a_breaker_that_saw_failures_is_listed(t: TestStore) {
    let server = limited(t).await;
    let rules = BreakerRules::default();
    server.t.store.enter_breaker("docusign", rules).await.unwrap();
    server.t.store.leave_breaker("docusign", CallEnd::Failed, rules).await.unwrap();

    let listed = server.get("/v1/limits").await.expect(200);

    assert_eq!(listed["breakers"], json!([{ "name": "docusign", "failures": 1, "open_until": null }]));
    let none = server.get("/v1/limits/docusign").await.expect(404);
    assert_eq!(none["errors"][0]["field"], "name");
}
