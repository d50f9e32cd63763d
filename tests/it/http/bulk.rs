//! Bulk operations: begun, carried out by a worker, looked at, cancelled.

use jobkit::JobId;
use serde_json::{Value, json};
use store::state::JobState;
use store::{JobFilter, Scope};

use crate::engine::until;
use crate::support::http::Server;
use crate::support::store::{TestStore, named, promises, set};

promises![
    a_bulk_operation_changes_what_it_said_it_would_and_nothing_else,
    a_bulk_operation_is_not_carried_out_when_it_is_cancelled_before,
    a_bulk_operation_does_not_end_itself,
    a_job_is_no_bulk_operation,
];

fn id(answer: &Value) -> JobId {
    answer["id"].as_str().unwrap().parse().unwrap()
}

async fn ended(server: &Server, operation: JobId) -> Value {
    let store = server.t.store.clone();
    until(&server.t.clock, "the bulk operation ended", || {
        let store = store.clone();
        async move {
            store
                .job(&Scope::Installation, operation)
                .await
                .unwrap()
                .is_some_and(|detail| detail.job.state.is_final())
        }
    })
    .await;
    server.get(&format!("/v1/bulk-operations/{operation}")).await.expect(200)
}

async fn a_bulk_operation_changes_what_it_said_it_would_and_nothing_else(t: TestStore) {
    let server = Server::over(t).await;
    let mut meant = Vec::new();
    for n in 0..7 {
        let job = server.t.add(|row| row.queue = if n % 2 == 0 { "old".into() } else { "new".into() }).await;
        if n % 2 == 0 {
            meant.push(job);
        }
    }
    // The worker that carries it out would begin to run them.
    for queue in ["old", "new"] {
        server
            .post(&format!("/v1/queues/{queue}/pause"), &json!({ "reason": "they wait" }))
            .await
            .expect(200);
    }
    // The time of the store stands still, and jobs of this very moment are not older than the operation.
    server.t.clock.advance(std::time::Duration::from_secs(1));
    let filter = json!({ "queues": ["old"] });
    let asked =
        |dry_run: bool| json!({ "action": "cancel", "filter": filter, "limit": 3, "dry_run": dry_run });
    let preview = server.post("/v1/bulk-operations", &asked(true)).await.expect(200);
    assert_eq!(preview, json!({ "matches": 3, "more": true, "sample": [meant[3], meant[2], meant[1]] }));

    let begun = server.post("/v1/bulk-operations", &asked(false)).await.expect(202);
    let worker = server.work();
    let told = ended(&server, id(&begun)).await;

    assert_eq!(
        (&told["state"], &told["by"], &told["action"]),
        (&json!("completed"), &json!("token:api"), &json!("cancel"))
    );
    assert_eq!(told["result"], json!({ "changed": 3, "asked": 0, "refused": 0, "refusals": [] }));
    assert_eq!(told["progress"], json!({ "done": 3, "total": 3, "message": "done" }));
    let cancelled = JobFilter { states: vec![JobState::Cancelled], ..JobFilter::default() };
    let cancelled = server.t.store.jobs(&Scope::Installation, &cancelled).await.unwrap();
    assert_eq!(set(cancelled.iter().map(|job| job.id)), set(meant[1..].iter().copied()));
    let audit = server.t.audit().await;
    let entry = audit.iter().find(|entry| entry.action == "job.cancel").unwrap();
    assert_eq!(entry.actor, format!("token:api by job:{}", id(&begun)));
    assert_eq!(named(entry), set(meant[1..].iter().copied()));
    server.stop.cancel();
    until(&server.t.clock, "the worker ended", || async { worker.is_finished() }).await;
}

async fn a_bulk_operation_is_not_carried_out_when_it_is_cancelled_before(t: TestStore) {
    let server = Server::over(t).await;
    let job = server.t.add(|_| {}).await;
    let asked = json!({ "action": "discard", "filter": { "ids": [job] } });
    let begun = server.post("/v1/bulk-operations", &asked).await.expect(202);
    let path = format!("/v1/bulk-operations/{}", id(&begun));

    server.post(&format!("{path}/cancel"), &json!({})).await.expect(200);

    assert_eq!(server.get(&path).await.expect(200)["state"], "cancelled");
    assert_eq!(server.t.state(job).await, JobState::Available);
    server.post(&format!("{path}/cancel"), &json!({})).await.expect(409);
}

async fn a_bulk_operation_does_not_end_itself(t: TestStore) {
    let server = Server::over(t).await;
    let far = "2199-01-01T00:00:00Z";
    let asked = json!({ "action": "cancel", "filter": { "kinds": ["system.bulk"], "created_until": far } });
    server.t.clock.advance(std::time::Duration::from_secs(1));
    let begun = server.post("/v1/bulk-operations", &asked).await.expect(202);
    let worker = server.work();

    let told = ended(&server, id(&begun)).await;

    assert_eq!((&told["state"], &told["result"]["changed"]), (&json!("completed"), &json!(0)));
    server.stop.cancel();
    until(&server.t.clock, "the worker ended", || async { worker.is_finished() }).await;
}

async fn a_job_is_no_bulk_operation(t: TestStore) {
    let server = Server::over(t).await;
    let job = server.t.add(|_| {}).await;
    let path = format!("/v1/bulk-operations/{job}");

    assert_eq!(server.get(&path).await.expect(404)["code"], "not_found");
    server.post(&format!("{path}/cancel"), &json!({})).await.expect(404);

    assert_eq!(server.t.state(job).await, JobState::Available);
}
