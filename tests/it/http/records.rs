//! Records over HTTP: lists in pages, one in full, and each tenant its own.

use jobkit::{Clock, Put, RecordChange, RecordId};
use serde_json::{Value, json};
use store::{Attempting, Role};

use super::access::{setup, signed_in};
use crate::support::http::Server;
use crate::support::store::{TestStore, attempting, promises, seconds};

promises![
    records_are_listed_in_pages_and_shown_in_full,
    what_is_due_is_listed_by_when_it_was,
    a_tenant_is_shown_its_own,
    what_is_asked_wrongly_is_named,
];

/// An attempt that goes on.
async fn attempt(t: &TestStore) -> Attempting {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    attempting(&t.claim_one(worker).await)
}

fn change(tenant: Option<&str>, key: &str) -> RecordChange {
    RecordChange {
        id: RecordId { collection: "post.letter".into(), tenant: tenant.map(str::to_owned), key: key.into() },
        from: 0,
        names: vec![format!("stamp {key} {}", tenant.unwrap_or_default())],
        state: "written".into(),
        due_at: None,
        body: json!({ "pages": 2 }),
        action: "post.letter.written".into(),
        details: Value::Null,
        news: Vec::new(),
        hold: jobkit::Hold::Kept,
    }
}

async fn put(t: &TestStore, attempt: &Attempting, change: RecordChange) {
    let put = t.store.record_put(attempt, &change).await.unwrap();
    assert!(matches!(put, Put::Done(_)), "{put:?}");
}

/// The keys of all pages, and the pages.
async fn all(server: &Server, query: &str) -> (Vec<String>, usize) {
    let (mut keys, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let page = server.get(&format!("/v1/records/post.letter?limit=2{query}{after}")).await.expect(200);
        let records = page["records"].as_array().unwrap();
        assert!(records.len() <= 2 && records.iter().all(|record| record.get("body").is_none()), "{page}");
        keys.extend(records.iter().map(|record| record["key"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { return (keys, pages) };
        after = format!("&after={next}");
    }
}

async fn records_are_listed_in_pages_and_shown_in_full(t: TestStore) {
    let server = Server::over(t).await;
    let nothing = json!({ "records": [], "next": null });
    assert_eq!(server.get("/v1/records/post.letter").await.expect(200), nothing);
    let attempt = attempt(&server.t).await;
    for (tenant, key) in
        [(None, "a/b ü%"), (None, "c"), (Some("north"), "c"), (Some("north"), "d"), (None, "e")]
    {
        let state = if key == "d" { "sent" } else { "written" };
        put(&server.t, &attempt, RecordChange { state: state.into(), ..change(tenant, key) }).await;
    }

    assert_eq!(all(&server, "").await, (["a/b ü%", "c", "c", "d", "e"].map(str::to_owned).into(), 3));
    assert_eq!(all(&server, "&state=sent&state=lost").await, (vec!["d".to_owned()], 1));
    assert_eq!(server.get("/v1/records/post.parcel").await.expect(200), nothing);
    let shown = server.get("/v1/records/post.letter/a%2Fb%20%C3%BC%25").await.expect(200);
    let at = server.t.clock.now();
    assert_eq!(
        shown,
        json!({
            "collection": "post.letter", "tenant": null, "key": "a/b ü%", "names": ["stamp a/b ü% "], "state": "written",
            "due_at": null, "version": 1, "made_at": at, "changed_at": at, "changed_by": attempt.held.job,
            "body": { "pages": 2 },
        })
    );
    let north = server.get("/v1/records/post.letter/c?tenant=north").await.expect(200);
    assert_eq!((&north["tenant"], &north["names"]), (&json!("north"), &json!(["stamp c north"])));
    assert_eq!(server.get("/v1/records/post.letter/c").await.expect(200)["tenant"], Value::Null);
    for unknown in ["post.letter/d", "post.letter/c?tenant=south", "post.parcel/c", "post.letter/%00"] {
        let told = server.get(&format!("/v1/records/{unknown}")).await.expect(404);
        assert_eq!(told["code"], "not_found", "{unknown}");
    }
}

async fn what_is_due_is_listed_by_when_it_was(t: TestStore) {
    let server = Server::over(t).await;
    let attempt = attempt(&server.t).await;
    let now = server.t.clock.now();
    for (key, due) in
        [("a", Some(30)), ("b", Some(10)), ("c", None), ("d", Some(10)), ("e", Some(20)), ("f", Some(40))]
    {
        let due_at = due.map(|due| now + seconds(due));
        put(&server.t, &attempt, RecordChange { due_at, ..change(None, key) }).await;
    }

    let due_by = now + seconds(30);
    assert_eq!(
        all(&server, &format!("&due_by={due_by}")).await,
        (["b", "d", "e", "a"].map(str::to_owned).into(), 3)
    );
}

async fn a_tenant_is_shown_its_own(t: TestStore) {
    let setup = setup(&t);
    let server = Server::with(t, setup).await;
    let attempt = attempt(&server.t).await;
    for tenant in [None, Some("north"), Some("south")] {
        put(&server.t, &attempt, change(tenant, "a")).await;
    }
    let north = signed_in(&server, Role::Viewer, Some("north")).await;

    let listed = north.get(&server, "/v1/records/post.letter").await.expect(200);
    let own = north.get(&server, "/v1/records/post.letter/a").await.expect(200);
    let named = north.get(&server, "/v1/records/post.letter/a?tenant=north").await.expect(200);
    let foreign = north.get(&server, "/v1/records/post.letter/a?tenant=south").await;
    let never = north.get(&server, "/v1/records/post.letter/a?tenant=west").await;

    assert_eq!(listed["records"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!((&listed["records"][0]["tenant"], &own["tenant"]), (&json!("north"), &json!("north")));
    assert_eq!(own, named);
    assert_eq!((foreign.status, never.status, &foreign.text), (404, 404, &never.text));
}

async fn what_is_asked_wrongly_is_named(t: TestStore) {
    let server = Server::over(t).await;
    for (query, field) in [
        ("?due_by=tomorrow", "due_by"),
        ("?after=x", "after"),
        // A place in the other order.
        ("?due_by=2026-01-01T00:00:00Z&after=eyJrZXkiOiJhIiwidGVuYW50IjpudWxsLCJkdWUiOm51bGx9", "after"),
        ("?limit=0", "limit"),
        ("?state=", "state"),
        ("?tenant=north", "tenant"),
    ] {
        let told = server.get(&format!("/v1/records/post.letter{query}")).await.expect(400);
        assert_eq!(told["errors"][0]["field"], field, "{told}");
    }
    let told = server.get("/v1/records/post.letter/a?tenant=").await.expect(400);
    assert_eq!(told["errors"][0]["field"], "tenant", "{told}");
}
