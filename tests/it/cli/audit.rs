//! `compline audit` as a script meets it: a key, a log that is signed, and one that somebody changed.

use sqlx::Connection;

use crate::support::binary::Place;

#[test]
fn a_log_is_signed_verified_and_what_was_changed_is_named() {
    let place = Place::new();
    let file = place.path().join("jobs.db");
    let place = place.with("COMPLINE__STORE__URL", &format!("sqlite://{}", file.display()));
    place.run(&["audit", "verify"]).expect(0).says(&["0 entries", "all of it fits"]);
    place.run(&["audit", "key", "show"]).expect(2).says(&["audit.key is not set", "audit key create"]);
    place
        .run(&["audit", "key", "create", "--name", "a b", "--out", "audit.key"])
        .expect(2)
        .says(&["--name `a b`"]);

    let made =
        place.run(&["audit", "key", "create", "--name", "example.com/log", "--out", "audit.key", "--json"]);
    let key = made.expect(0).json()["key"].as_str().unwrap().to_owned();
    let again = place.run(&["audit", "key", "create", "--name", "example.com/log", "--out", "audit.key"]);
    again.expect(2).says(&["--out audit.key", "not there yet"]);
    let secret = std::fs::read_to_string(place.path().join("audit.key")).unwrap();
    let place = place.file(
        "compline.toml",
        "[audit]\nkey = \"file:audit.key\"\n[audit.anchors.one]\ndirectory = \"one\"\n",
    );
    assert_eq!(place.run(&["audit", "key", "show", "--json"]).expect(0).json()["key"], key.as_str());
    place.run(&["doctor"]).says(&["signed as example.com/log, kept in 1 anchor"]);

    place.enqueue(&["system.noop"]);
    place.enqueue(&["system.noop"]);
    tokio::runtime::Runtime::new().unwrap().block_on(grow_and_change(&file, secret.trim()));

    let status = place.run(&["audit", "status", "--json"]).expect(0).json();
    assert_eq!((&status["size"], &status["signed"]["size"]), (&2.into(), &2.into()));
    place.run(&["audit", "verify"]).expect(1).says(&["entry 2 was altered (leaf 1)"]);
    let found = place.run(&["audit", "verify", "--json"]).expect(1).json();
    assert_eq!(found["findings"][0], serde_json::json!({ "finding": "altered", "leaf": 1, "seq": 2 }));
    place.run(&["audit", "verify", "--key", &key.replace("example", "exampel")]).expect(2).says(&["--key"]);
}

async fn grow_and_change(file: &std::path::Path, secret: &str) {
    use engine::audit::{grower, signer};
    let clock = std::sync::Arc::new(engine::adapters::clock::SystemClock::new());
    let url = format!("sqlite://{}", file.display());
    let store: std::sync::Arc<dyn store::Store> =
        std::sync::Arc::new(store_sqlite::SqliteStore::open(&url, clock.clone()).await.unwrap());
    grower::catch_up(&store).await.unwrap();
    let signer = signer::Signer {
        store: store.clone(),
        clock,
        secret: std::sync::Arc::new(secret.parse().unwrap()),
        rhythm: signer::Rhythm { every: std::time::Duration::from_secs(60), entries: 1 },
        shelves: Vec::new(),
    };
    signer.look().await.unwrap();
    store.close().await;
    let mut owner = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let change = "DROP TRIGGER audit_is_not_changed; UPDATE audit_entry SET actor = 'user:eve' WHERE seq = 2";
    sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
}
