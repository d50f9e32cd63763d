//! Models over HTTP: looked at, and promoted by people.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::support::http::{Server, TOKEN, answer};
use crate::support::store::{TestStore, model, promises};

promises![models_are_listed_newest_first_and_shown, a_model_is_promoted_by_a_person_and_once_under_a_key,];

async fn models_are_listed_newest_first_and_shown(t: TestStore) {
    let server = Server::over(t).await;
    assert_eq!(server.get("/v1/models").await.expect(200), json!({ "models": [], "next": null }));
    let job = server.t.take_in(&[("a1", "ledger"), ("b1", "other"), ("a2", "ledger")]).await;

    let ids = async |query: &str| {
        let page = server.get(&format!("/v1/models{query}")).await.expect(200);
        let models = page["models"].as_array().unwrap();
        let ids = models.iter().map(|model| model["id"].as_str().unwrap()[..2].to_owned());
        (ids.collect::<Vec<_>>(), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(ids("").await, (vec!["a2".into(), "b1".into(), "a1".into()], None));
    assert_eq!(ids("?name=ledger").await.0, ["a2", "a1"]);
    assert_eq!(ids("?name=other&name=nobody").await.0, ["b1"]);
    let (mut told, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let (page, next) = ids(&query).await;
        told.extend(page);
        let Some(next) = next else { break };
        query = format!("?limit=1&before={next}");
    }
    assert_eq!(told, ["a2", "b1", "a1"]);

    let made = model("a2", "ledger");
    let shown = server.get(&format!("/v1/models/{}", made.id)).await.expect(200);
    assert_eq!(shown, server.get("/v1/models?limit=1").await.expect(200)["models"][0]);
    let made_at = &shown["made_at"];
    assert_eq!(
        shown,
        json!({
            "id": made.id, "sha256": made.sha256, "name": "ledger", "version": 2, "standing": "challenger",
            "schema_sha256": made.schema_sha256, "window": { "from": "2025-01-01", "to": "2025-12-31" },
            "entries": 100, "path": made.path, "made_by": job, "made_at": made_at,
        })
    );
}

async fn a_model_is_promoted_by_a_person_and_once_under_a_key(t: TestStore) {
    let server = Server::over(t).await;
    server.t.take_in(&[("a1", "ledger"), ("a2", "ledger")]).await;
    let path = |digits: &str| format!("/v1/models/{}/promote", model(digits, "").id);
    let nothing: Value = json!({});
    let keyed = async |digits: &str| {
        let request = server.bare(reqwest::Method::POST, &path(digits)).bearer_auth(TOKEN);
        answer(request.header("Idempotency-Key", HeaderValue::from_static("first"))).await
    };

    let first = keyed("a1").await;
    let again = server.post(&path("a1"), &nothing).await.expect(200);
    let second = server.post(&path("a2"), &nothing).await.expect(200);
    let replayed = keyed("a1").await;
    let other = keyed("a2").await;

    let (one, two) = (model("a1", "").id, model("a2", "").id);
    let promoted = json!({ "id": one, "from": "challenger", "to": "champion" });
    assert_eq!(first.json(), json!({ "id": one, "changes": [promoted] }));
    assert_eq!(again, json!({ "id": one, "changes": [] }));
    let changes = second["changes"].as_array().unwrap();
    assert!(changes.contains(&json!({ "id": one, "from": "champion", "to": "retired" })), "{changes:?}");
    assert_eq!((&second["id"], changes.len()), (&json!(two), 2));
    // What was lost on the way does not bring back what was replaced since.
    assert_eq!((replayed.json(), replayed.header("idempotent-replayed")), (first.json(), "true"));
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    let standing = server.get(&format!("/v1/models/{two}")).await.expect(200)["standing"].clone();
    assert_eq!(standing, "champion");
    let audit = server.t.audit().await;
    let told: Vec<_> = audit
        .iter()
        .filter(|entry| entry.action == "model.promoted")
        .map(|entry| (entry.actor.as_str(), entry.object.as_str()))
        .collect();
    assert_eq!(told, [("token:api", one.as_str()), ("token:api", two.as_str())]);
}
