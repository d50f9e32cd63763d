//! Entries say from where it was asked: the request by its id, and the address as a commitment.

use reqwest::Method;
use serde_json::json;
use store::AuditSearch;

use crate::support::http::{Server, Setup, TOKEN, answer};
use crate::support::store::{TestStore, promises};

promises![
    what_changes_something_says_from_where_it_was_asked_and_what_reads_leaves_nothing,
    a_caller_has_one_commitment_a_day,
];

async fn what_changes_something_says_from_where_it_was_asked_and_what_reads_leaves_nothing(t: TestStore) {
    let server = Server::over(t).await;
    server.get("/v1/jobs").await.expect(200);
    let pause = server
        .bare(Method::POST, "/v1/queues/mail/pause")
        .bearer_auth(TOKEN)
        .header("x-request-id", "mine-1")
        .json(&json!({ "reason": "month end" }));
    answer(pause).await.expect(200);
    server.bare(Method::POST, "/v1/queues/mail/resume").send().await.unwrap();

    let found = server.t.store.search_audit(&AuditSearch::default(), 10).await.unwrap();

    let [(_, entry)] = found.as_slice() else { panic!("one entry: {found:?}") };
    assert_eq!((entry.action.as_str(), entry.origin.request.as_deref()), ("queue.pause", Some("mine-1")));
    let source = entry.origin.source.clone().expect("an address");
    let openings = server.t.store.openings(std::slice::from_ref(&source)).await.unwrap();
    let [row] = openings.as_slice() else { panic!("one opening: {openings:?}") };
    assert_eq!((row.field.as_str(), row.value.expose().as_str()), ("address", "127.0.0.1"));
    assert_eq!(row.subject, "token:api");
    let opening = audit::Opening {
        field: row.field.clone(),
        salt: row.salt.into(),
        value: row.value.expose().as_str().into(),
    };
    assert!(audit::commitment::opens(source.parse().unwrap(), &opening));
}

async fn a_caller_has_one_commitment_a_day(t: TestStore) {
    let clock = t.clock.clone();
    let server = Server::with(t, Setup { clock: clock.clone(), ..Setup::default() }).await;
    let pause = async || {
        server.post("/v1/queues/mail/pause", &json!({ "reason": "month end" })).await.expect(200);
        let mut found = server.t.store.search_audit(&AuditSearch::default(), 1).await.unwrap();
        found.remove(0).1.origin.source.expect("an address")
    };

    let (first, second) = (pause().await, pause().await);
    clock.advance(std::time::Duration::from_secs(86_400));
    let third = pause().await;

    assert_eq!(first, second);
    assert_ne!(first, third);
}
