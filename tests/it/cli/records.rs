//! `compline records` as a script meets it.

use jobkit::{RecordChange, RecordId};
use serde_json::{Value, json};
use store::{JobFilter, Records as _, Scope, Store, WorkerInfo};

use crate::support::binary::Place;
use crate::support::store::attempting;

/// Has letters kept by a job that was enqueued before.
async fn keep(url: &str) {
    let clock = std::sync::Arc::new(engine::adapters::clock::SystemClock::new());
    let store = store_sqlite::SqliteStore::open(url, clock).await.unwrap();
    let lease = std::time::Duration::from_secs(30);
    let info = WorkerInfo { name: "here".into(), version: "1".into(), lease, queues: Vec::new() };
    let worker = store.register(&info).await.unwrap();
    let queue = store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap().remove(0).queue;
    let attempt = attempting(&store.claim(worker, &queue, 1).await.unwrap().remove(0));
    for (tenant, key, state, due_at) in [
        (None, "L-1", "sent", Some("2020-01-01T00:00:00Z")),
        (Some("north"), "L-1", "written", None),
        (None, "L/2 \u{1b}[31m", "written", Some("2999-01-01T00:00:00Z")),
    ] {
        let change = RecordChange {
            id: RecordId {
                collection: "post.letter".into(),
                tenant: tenant.map(str::to_owned),
                key: key.into(),
            },
            from: 0,
            names: Vec::new(),
            state: state.into(),
            due_at: due_at.map(|at| at.parse().unwrap()),
            body: json!({ "pages": 2 }),
            action: "post.letter.written".into(),
            details: Value::Null,
            news: Vec::new(),
            hold: jobkit::Hold::Kept,
        };
        store.record_put(&attempt, &change).await.unwrap();
    }
    store.close().await;
}

#[test]
fn records_are_listed_and_shown() {
    let place = Place::new();
    let url = format!("sqlite://{}", place.path().join("jobs.db").display());
    let place = place.with("COMPLINE__STORE__URL", &url);
    place.run(&["records", "list", "post.letter"]).expect(0).says(&["no records match"]);
    place.enqueue(&["system.noop"]);
    tokio::runtime::Runtime::new().unwrap().block_on(keep(&url));

    let listed = place.run(&["records", "list", "post.letter"]).expect(0);
    assert!(!listed.out.contains('\u{1b}'), "{listed:?}");
    listed.says(&["TENANT", "L-1", "north", "sent", "L/2", "2999-01-01"]);
    let keys = |args: &[&str]| {
        let listed =
            place.run(&[&["records", "list", "post.letter", "--json"], args].concat()).expect(0).json();
        let keys = listed.as_array().unwrap().iter().map(|record| json!([record["key"], record["tenant"]]));
        json!(keys.collect::<Vec<_>>())
    };
    let second = json!(["L/2 \u{1b}[31m", null]);
    assert_eq!(keys(&[]), json!([["L-1", null], ["L-1", "north"], second]));
    assert_eq!(keys(&["--state", "written"]), json!([["L-1", "north"], second]));
    assert_eq!(keys(&["--due-by", "1h"]), json!([["L-1", null]]));
    assert_eq!(keys(&["--limit", "1"]), json!([["L-1", null]]));
    place.run(&["records", "list", "post.letter", "--limit", "1"]).expect(0).says(&["--limit shows more"]);

    let shown = ["state       sent", "names       -", "body        {\"pages\":2}", "by job"];
    place.run(&["records", "show", "post.letter", "L-1"]).expect(0).says(&shown);
    let shown =
        place.run(&["records", "show", "post.letter", "L-1", "--tenant", "north", "--json"]).expect(0).json();
    assert_eq!((&shown["tenant"], &shown["body"]["pages"]), (&json!("north"), &json!(2)));
    let unknown = ["there is no record `L-3` of the installation", "records list post.letter"];
    place.run(&["records", "show", "post.letter", "L-3"]).expect(3).says(&unknown);
    place.run(&["records", "show", "post.letter", "L/2", "--tenant", "x"]).expect(3).says(&["of tenant `x`"]);
}
