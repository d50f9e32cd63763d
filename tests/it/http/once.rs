//! `Idempotency-Key`: a request is carried out once, however often it is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use store::state::JobState;
use store::{JobFilter, Scope};

use crate::support::http::{Answer, Server, TOKEN, answer};
use crate::support::store::{TestStore, discarded, promises};

promises![
    a_hundred_requests_at_once_under_one_key_make_one_job,
    a_request_that_is_sent_again_is_answered_as_it_was,
    a_key_that_belongs_to_another_request_is_refused,
    two_amounts_that_differ_in_a_late_digit_are_two_requests,
    a_request_that_was_refused_leaves_its_key_free,
    a_retry_that_is_sent_again_does_not_run_the_job_again,
    a_change_that_was_refused_leaves_its_key_free,
    a_key_is_forgotten_after_its_time_and_not_before,
];

async fn send(server: &Server, path: &str, key: &str, body: &Value) -> Answer {
    answer(server.request(path, body).header("idempotency-key", key)).await
}

async fn jobs(server: &Server) -> BTreeSet<String> {
    let all = JobFilter { limit: Some(1_000), ..JobFilter::default() };
    server
        .t
        .store
        .jobs(&Scope::Installation, &all)
        .await
        .unwrap()
        .iter()
        .map(|job| job.id.to_string())
        .collect()
}

async fn a_hundred_requests_at_once_under_one_key_make_one_job(t: TestStore) {
    let server = Server::over(t).await;
    let wanted = json!({ "kind": "system.noop" });
    let requests: Vec<_> = (0..100)
        .map(|_| tokio::spawn(answer(server.request("/v1/jobs", &wanted).header("idempotency-key", "one"))))
        .collect();

    let (mut told, mut fresh) = (BTreeSet::new(), 0);
    for request in requests {
        let got = request.await.unwrap();
        fresh += usize::from(got.header("idempotent-replayed").is_empty());
        told.insert(got.expect(202)["id"].as_str().unwrap().to_owned());
    }

    assert_eq!((told.len(), fresh), (1, 1));
    assert_eq!(jobs(&server).await, told);
}

async fn a_request_that_is_sent_again_is_answered_as_it_was(t: TestStore) {
    let server = Server::over(t).await;
    let holder =
        server.post("/v1/jobs", &json!({ "kind": "system.noop", "unique_key": "a" })).await.expect(202);
    let batch = json!({ "jobs": [{ "kind": "system.noop" }, { "kind": "system.noop", "unique_key": "a" }] });
    let first = send(&server, "/v1/jobs/batch", "\"b\"", &batch).await.expect(202);
    assert_eq!(first["jobs"][1], json!({ "id": holder["id"], "duplicate": true }));
    server.post(&format!("/v1/jobs/{}/cancel", holder["id"].as_str().unwrap()), &json!({})).await.expect(200);

    // In another order, and without the quotes: it means the same.
    let text = r#"{"jobs":[{"kind":"system.noop"},{"unique_key":"a","kind":"system.noop"}]}"#;
    let again = server.request("/v1/jobs/batch", &batch).header("idempotency-key", "b").body(text);
    let again = answer(again).await;

    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(202), first);
    assert_eq!(jobs(&server).await.len(), 2);
}

async fn a_key_that_belongs_to_another_request_is_refused(t: TestStore) {
    let server = Server::over(t).await;
    let (noop, sleep) =
        (json!({ "kind": "system.noop" }), json!({ "kind": "system.sleep", "args": { "ms": 1 } }));
    send(&server, "/v1/jobs", "k", &noop).await.expect(202);

    assert_eq!(send(&server, "/v1/jobs", "k", &sleep).await.expect(422)["code"], "idempotency_key_reused");
    let batch = send(&server, "/v1/jobs/batch", "k", &json!({ "jobs": [noop] })).await;
    assert_eq!(batch.expect(422)["code"], "idempotency_key_reused");

    assert_eq!(jobs(&server).await.len(), 1);
}

async fn two_amounts_that_differ_in_a_late_digit_are_two_requests(t: TestStore) {
    let server = Server::over(t).await;
    let send = async |amount: &str| {
        let body = format!(r#"{{"kind":"test.as_written","args":{{"amount":{amount}}}}}"#);
        let request = server.bare(Method::POST, "/v1/jobs").bearer_auth(TOKEN).header("idempotency-key", "k");
        answer(request.header("content-type", "application/json").body(body)).await
    };

    let first = send("0.1").await.expect(202);

    assert_eq!(send("0.1000000000000000055").await.expect(422)["code"], "idempotency_key_reused");
    assert_eq!(send("0.1").await.expect(202), first);
}

async fn a_request_that_was_refused_leaves_its_key_free(t: TestStore) {
    let server = Server::over(t).await;
    let nobody = server.t.ids.next();
    let orphan = json!({ "kind": "system.noop", "after": [nobody] });
    assert_eq!(send(&server, "/v1/jobs", "k", &orphan).await.expect(409)["code"], "refused");
    send(&server, "/v1/jobs", "k", &json!({ "kind": "system.unknown" })).await.expect(422);

    send(&server, "/v1/jobs", "k", &json!({ "kind": "system.noop" })).await.expect(202);

    assert_eq!(jobs(&server).await.len(), 1);
}

async fn a_key_is_forgotten_after_its_time_and_not_before(t: TestStore) {
    let server = Server::over(t).await;
    let (noop, day) = (json!({ "kind": "system.noop" }), Duration::from_secs(86_400));
    send(&server, "/v1/jobs", "k", &noop).await.expect(202);
    server.t.clock.advance(day - Duration::from_secs(1));
    assert_eq!(server.t.store.forget_requests(day, 10).await.unwrap(), 0);
    assert_eq!(send(&server, "/v1/jobs", "k", &noop).await.header("idempotent-replayed"), "true");

    server.t.clock.advance(Duration::from_secs(2));

    assert_eq!(server.t.store.forget_requests(day, 10).await.unwrap(), 1);
    assert_eq!(send(&server, "/v1/jobs", "k", &noop).await.header("idempotent-replayed"), "");
    assert_eq!(jobs(&server).await.len(), 2);
}

/// The answer of the first was lost, and the job had failed again when the second came.
async fn a_retry_that_is_sent_again_does_not_run_the_job_again(t: TestStore) {
    let server = Server::over(t).await;
    let worker = server.t.worker().await;
    let job = server.t.add(|_| {}).await;
    server.t.run(worker, discarded()).await;
    let path = format!("/v1/jobs/{job}/retry");
    let first = send(&server, &path, "r", &json!({})).await.expect(200);
    server.t.run(worker, discarded()).await;

    let again = send(&server, &path, "r", &json!({})).await;

    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(200), first);
    assert_eq!(server.t.state(job).await, JobState::Discarded);
    let other = send(&server, &format!("/v1/jobs/{job}/cancel"), "r", &json!({})).await;
    assert_eq!(other.expect(422)["code"], "idempotency_key_reused");
    send(&server, &path, "another", &json!({})).await.expect(200);
    assert_eq!(server.t.state(job).await, JobState::Available);
}

async fn a_change_that_was_refused_leaves_its_key_free(t: TestStore) {
    let server = Server::over(t).await;
    let job = server.t.add(|_| {}).await;
    let path = format!("/v1/jobs/{job}/retry");
    assert_eq!(send(&server, &path, "r", &json!({})).await.expect(409)["code"], "wrong_state");
    server.post(&format!("/v1/jobs/{job}/discard"), &json!({})).await.expect(200);

    let got = send(&server, &path, "r", &json!({})).await;

    assert_eq!(got.header("idempotent-replayed"), "");
    got.expect(200);
}
