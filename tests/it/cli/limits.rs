//! `compline limits` as a script meets it.

use serde_json::json;

use crate::support::binary::Place;

#[test]
fn a_circuit_breaker_that_saw_failures_is_listed_and_shown() {
    let url = |place: &Place| format!("sqlite://{}", place.path().join("jobs.db").display());
    let place = Place::new();
    let store = url(&place);
    let place = place.with("COMPLINE__STORE__URL", &store);
    place.run(&["limits", "list"]).expect(0).says(&["nothing is limited"]);
    let fail = async {
        use store::{Breakers as _, Store as _};
        let clock = std::sync::Arc::new(engine::adapters::clock::SystemClock::new());
        let store = store_sqlite::SqliteStore::open(&store, clock).await.unwrap();
        let rules = store::breaker::BreakerRules { failures: 1, ..Default::default() };
        store.leave_breaker("docusign:acct-7", jobkit::CallEnd::Failed, rules).await.unwrap();
        store.close().await;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(fail);

    place.run(&["limits", "list"]).expect(0).says(&["nothing is limited", "BREAKER", "docusign:acct-7"]);
    let listed = place.run(&["limits", "list", "--json"]).expect(0).json();
    assert_eq!(listed["breakers"][0]["failures"], 1);
    let shown = place.run(&["limits", "show", "docusign:acct-7", "--json"]).expect(0).json();
    assert_eq!((&shown["name"], shown["open_until"].is_string()), (&json!("docusign:acct-7"), true));
    place.run(&["limits", "show", "docusign:acct-8"]).expect(3);
}

#[test]
fn limits_are_shown_paused_and_resumed() {
    let limit =
        "[limits.accounts]\nkinds = [\"system.*\"]\nby = \"args.ms\"\nrate = \"50/s\"\nconcurrency = 7\n";
    let place = Place::new().file("compline.toml", limit);
    place.run(&["limits", "list"]).expect(0).says(&["nothing is limited"]);
    place.work(0);
    place.enqueue(&["system.sleep", "--args", r#"{"ms":1}"#]);

    place.run(&["limits", "list"]).expect(0).says(&["accounts", "system.*", "args.ms", "50/s", "7"]);
    let shown = place.run(&["limits", "show", "accounts", "--json"]).expect(0).json();
    assert_eq!((&shown["rate"]["pace"], &shown["by"]), (&json!("50/s"), &json!("args.ms")));
    assert_eq!(
        (&shown["buckets"][0]["bucket"], &shown["buckets"][0]["waiting"]),
        (&json!("accounts/1"), &json!(1))
    );

    let pause = ["limits", "pause", "accounts", "--key", "1", "--until", "1h", "--reason", "429"];
    place.run(&pause).expect(0).says(&["accounts/1 is paused until"]);
    place.run(&["limits", "show", "accounts"]).expect(0).says(&["accounts/1", "until", "429"]);
    place.run(&["limits", "resume", "accounts", "--key", "1"]).expect(0).says(&["accounts/1 is resumed"]);
    place.work(0).says(&["1 completed"]);

    place.run(&["limits", "show", "account"]).expect(3).says(&["there are: accounts"]);
    place.run(&["limits", "pause", "accounts", "--until", "1h"]).expect(2).says(&["key:", "name one"]);
    place.run(&["limits", "pause", "accounts", "--key", "1", "--until", "soon"]).expect(2).says(&["30m"]);
    let past = ["queues", "pause", "mail", "--until", "2020-01-01T00:00:00Z"];
    place.run(&past).expect(2).says(&["until:", "has passed"]);
    place.run(&["queues", "pause", "mail", "--until", "1h"]).expect(0);
    place.run(&["queues", "list"]).expect(0).says(&["mail", "until"]);
}

#[test]
fn limits_on_calls_are_shown_paused_and_resumed() {
    let calls = "[calls.docusign]\nrate = \"50/s\"\nburst = 5\n";
    let place = Place::new().file("compline.toml", calls);
    place.run(&["limits", "list"]).expect(0).says(&["@docusign", "calls", "key", "50/s, burst 5"]);
    let listed = place.run(&["limits", "list", "--json"]).expect(0).json();
    assert_eq!(
        listed["limits"],
        json!([{ "of": "calls", "name": "@docusign", "rate": { "pace": "50/s", "burst": 5 }, "buckets": [] }])
    );

    let pause = ["limits", "pause", "@docusign", "--key", "acct-7", "--until", "1h", "--reason", "429"];
    place.run(&pause).expect(0).says(&["@docusign/acct-7 is paused until"]);
    place.run(&["limits", "show", "@docusign"]).expect(0).says(&["@docusign/acct-7", "until", "429"]);
    let resume = ["limits", "resume", "@docusign", "--key", "acct-7"];
    place.run(&resume).expect(0).says(&["@docusign/acct-7 is resumed"]);

    place.run(&["limits", "show", "docusign"]).expect(3).says(&["there are: @docusign"]);
    place.run(&["limits", "pause", "@docusign", "--until", "1h"]).expect(2).says(&["key:", "name one"]);
}
