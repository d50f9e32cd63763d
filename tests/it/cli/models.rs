//! `compline models` as a script meets it.

use serde_json::json;
use store::{Actor, Attempting, JobFilter, Models as _, Scope, Store, WorkerInfo};

use crate::support::binary::Place;
use crate::support::store::model;

/// Has two models taken in by a job that was enqueued before.
async fn take_in(url: &str) {
    let clock = std::sync::Arc::new(engine::adapters::clock::SystemClock::new());
    let store = store_sqlite::SqliteStore::open(url, clock).await.unwrap();
    let lease = std::time::Duration::from_secs(30);
    let info = WorkerInfo { name: "here".into(), version: "1".into(), lease, queues: Vec::new() };
    let worker = store.register(&info).await.unwrap();
    let queue = store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap().remove(0).queue;
    let job = store.claim(worker, &queue, 1).await.unwrap().remove(0);
    let attempt = Attempting { held: job.held(), by: Actor::new(format!("job:{}", job.id)), tenant: None };
    for digits in ["a1", "a2"] {
        store.model_add(&attempt, &model(digits, "ledger")).await.unwrap();
    }
    store.close().await;
}

#[test]
fn models_are_listed_shown_and_promoted() {
    let place = Place::new();
    let url = format!("sqlite://{}", place.path().join("jobs.db").display());
    let place = place.with("COMPLINE__STORE__URL", &url);
    place.run(&["models", "list"]).expect(0).says(&["no models match"]);
    place.enqueue(&["system.noop"]);
    tokio::runtime::Runtime::new().unwrap().block_on(take_in(&url));
    let (first, second) = (model("a1", "").id, model("a2", "").id);

    let listed = ["STANDING", "ledger", "challenger", "2025-01-01 to 2025-12-31", first.as_str()];
    place.run(&["models", "list"]).expect(0).says(&listed);
    place.run(&["models", "list", "--name", "other"]).expect(0).says(&["no models match"]);
    place.run(&["models", "list", "--limit", "1"]).expect(0).says(&["--limit shows more"]);
    let listed = place.run(&["models", "list", "--json"]).expect(0).json();
    assert_eq!((&listed[0]["id"], &listed[1]["version"]), (&json!(second), &json!(1)));
    place.run(&["models", "promote", &first]).expect(0).says(&["is now champion, and was challenger"]);
    let promoted = place.run(&["models", "promote", &second, "--json"]).expect(0).json();
    assert_eq!((&promoted["id"], promoted["changes"].as_array().unwrap().len()), (&json!(second), 2));
    place.run(&["models", "promote", &second]).expect(0).says(&["is the champion already"]);
    place.run(&["models", "show", &first]).expect(0).says(&["retired", "file:///models/a1", "by job"]);
    assert_eq!(place.run(&["models", "show", &second, "--json"]).expect(0).json()["standing"], "champion");

    place.run(&["models", "show", "ledger"]).expect(2).says(&["models list"]);
    place.run(&["models", "show", "0123456789abcdef"]).expect(3).says(&["there is no model", "models list"]);
    place.run(&["models", "promote", "0123456789abcdef"]).expect(3).says(&["there is no model"]);
}
