//! `compline audit` as a script meets it: a key, a log that is signed, and one that somebody changed.

use std::path::Path;

use audit::{Receipt, Vkey, leaf_hash};
use engine::alerts::AUDIT_REFUSED;
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
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        grow(&file, secret.trim(), &place.path().join("one")).await;
        change(&file).await;
    });

    let status = place.run(&["audit", "status", "--json"]).expect(0).json();
    assert_eq!((&status["size"], &status["signed"]["size"]), (&2.into(), &2.into()));
    place.run(&["audit", "prove", "2"]).expect(1).says(&["entry 2 is not what it was"]);
    place.run(&["audit", "prove", "99"]).expect(3).says(&["there is no entry 99"]);
    place.run(&["audit", "verify"]).expect(1).says(&["entry 2 was altered (leaf 1)"]);
    let found = place.run(&["audit", "verify", "--json"]).expect(1).json();
    assert_eq!(found["findings"][0], serde_json::json!({ "finding": "altered", "leaf": 1, "seq": 2 }));
    place.run(&["audit", "verify", "--key", &key.replace("example", "exampel")]).expect(2).says(&["--key"]);
}

#[test]
fn an_entry_is_proven_and_the_log_taken_along_for_whoever_trusts_neither() {
    let place = Place::new();
    let file = place.path().join("jobs.db");
    let place = place.with("COMPLINE__STORE__URL", &format!("sqlite://{}", file.display()));
    let made =
        place.run(&["audit", "key", "create", "--name", "example.com/log", "--out", "audit.key", "--json"]);
    let key: Vkey = made.expect(0).json()["key"].as_str().unwrap().parse().unwrap();
    let secret = std::fs::read_to_string(place.path().join("audit.key")).unwrap();
    let place = place.file(
        "compline.toml",
        "[audit]\nkey = \"file:audit.key\"\n[audit.anchors.one]\ndirectory = \"one\"\n",
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    place.run(&["audit", "export", "out"]).expect(1).says(&["nothing is signed yet"]);
    for _ in 0..3 {
        place.enqueue(&["system.noop"]);
    }
    place.run(&["audit", "prove", "2"]).expect(1).says(&["entry 2 is not in the tree yet"]);
    runtime.block_on(grow(&file, secret.trim(), &place.path().join("one")));

    let proven = place.run(&["audit", "prove", "3", "--json"]).expect(0).json();
    let read =
        |field: &str| std::fs::read_to_string(place.path().join(proven[field].as_str().unwrap())).unwrap();
    let receipt = Receipt::parse(&read("receipt")).unwrap();
    receipt
        .verify(leaf_hash(read("entry").as_bytes()), "example.com/log", std::slice::from_ref(&key))
        .unwrap();
    assert_eq!(proven["leaf"], receipt.index);
    let consistent = place.run(&["audit", "prove-consistency", "2", "4", "--json"]).expect(0).json();
    assert_eq!((&consistent["from"]["size"], consistent["proof"].as_array().unwrap().len()), (&2.into(), 1));
    place.run(&["audit", "prove-consistency", "2", "99"]).expect(2).says(&["`size` 99"]);

    place.run(&["audit", "export", "out"]).expect(0).says(&["leaves 0 to 3 are in out"]);
    place.run(&["audit", "export", "out"]).expect(2).says(&["out is there already"]);
    place
        .run(&["audit", "export", "other", "--from-leaf", "4"])
        .expect(2)
        .says(&["leaf 4 is not in what was signed"]);
    let key = key.to_string();
    let checked = |folder: &str, more: &[&str]| {
        let out = std::process::Command::new("python3")
            .args(["out/verify.py", folder, "--key", &key])
            .args(more)
            .current_dir(place.path())
            .output()
            .unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, told) = checked("out", &["--anchor", "one"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("all is well"), "{told}");
    assert_eq!(checked("one", &[]).0, Some(0));
    // Somebody changes what was taken along.
    let entries = place.path().join("out/entries/00000000000000000000.jsonl");
    let changed = std::fs::read_to_string(&entries).unwrap().replacen("system.noop", "system.poop", 1);
    std::fs::write(&entries, changed).unwrap();
    let (code, told) = checked("out", &["--anchor", "one"]);
    assert_eq!(code, Some(1), "{told}");
}

pub async fn grow(file: &Path, secret: &str, anchor: &Path) {
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
        shelves: vec![std::sync::Arc::new(engine::audit::directory::Directory::new("one", anchor))],
    };
    signer.look().await.unwrap();
    store.close().await;
}

/// As whoever signs tells of it.
async fn tell(file: &Path, text: &str) {
    let clock = std::sync::Arc::new(engine::adapters::clock::SystemClock::new());
    let url = format!("sqlite://{}", file.display());
    let store: Box<dyn store::Store> =
        Box::new(store_sqlite::SqliteStore::open(&url, clock.clone()).await.unwrap());
    let news = store::News::began(AUDIT_REFUSED, "log", store::Severity::Critical, text);
    store.raise(&[news]).await.unwrap();
    while store.fold(100, &jobkit::IdGenerator::new(clock.clone())).await.unwrap() > 0 {}
    store.close().await;
}

pub async fn change(file: &Path) {
    let url = format!("sqlite://{}", file.display());
    let mut owner = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let change = "DROP TRIGGER audit_is_not_changed; UPDATE audit_entry SET actor = 'user:eve' WHERE seq = 2";
    sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
}

#[test]
fn what_was_done_is_found_and_what_is_personal_in_it_erased() {
    let place = Place::new();
    let file = place.path().join("jobs.db");
    let place = place.with("COMPLINE__STORE__URL", &format!("sqlite://{}", file.display()));
    let job = place.enqueue(&["system.noop"]);
    place.run(&["queues", "pause", "mail", "--reason", "month end"]).expect(0);

    let found =
        place.run(&["audit", "search", "--action", "queue.", "--from", "1h", "--json"]).expect(0).json();
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["seq"], &found[0]["entry"]["object"]), (&2.into(), &"mail".into()));
    place.run(&["audit", "search", "--job", &job]).expect(0).says(&["job.enqueue"]);
    place.run(&["audit", "search", "--until", "1h"]).expect(0).says(&["no entry meets these conditions"]);
    place.run(&["audit", "search", "--from", "yesterday"]).expect(2).says(&["--from", "such as 2h"]);

    place.run(&["audit", "redact", "--basis", "GDPR 17"]).expect(2).says(&["--subject"]);
    place.run(&["audit", "redact", "--subject", "user:1"]).expect(2).says(&["--basis"]);
    place
        .run(&["audit", "redact", "--subject", "user:1", "--basis", " "])
        .expect(2)
        .says(&["--basis is empty"]);
    place
        .run(&["audit", "redact", "--subject", "user:1", "--field", "address", "--basis", "GDPR 17"])
        .expect(2)
        .says(&["--before"]);
    place
        .run(&["audit", "redact", "--subject", "user:1", "--basis", "GDPR 17"])
        .expect(3)
        .says(&["nothing was erased"]);
}

#[test]
fn a_key_hands_over_and_the_first_one_is_enough_to_verify() {
    let place = Place::new();
    let configured =
        |key: &str| format!("[audit]\nkey = \"file:{key}\"\n[audit.anchors.one]\ndirectory = \"one\"\n");
    place.run(&["audit", "key", "rotate", "--out", "new.key"]).expect(2).says(&["audit.key is not set"]);
    let create = ["audit", "key", "create", "--name", "example.com/log", "--out", "old.key", "--json"];
    let old = place.run(&create).expect(0).json()["key"].as_str().unwrap().to_owned();
    let place = place.file("compline.toml", &configured("old.key"));
    place.enqueue(&["system.noop"]);
    place
        .run(&["audit", "key", "rotate", "--out", "old.key"])
        .expect(2)
        .says(&["--out old.key", "not there yet"]);

    let done = place.run(&["audit", "key", "rotate", "--out", "new.key", "--json"]).expect(0).json();

    let new = done["key"].as_str().unwrap();
    assert_eq!((done["from"].as_str(), &done["file"]), (Some(old.as_str()), &"new.key".into()));
    // The old one hands over once, and leaves no file behind.
    place.run(&["audit", "key", "rotate", "--out", "third.key"]).expect(1).says(&["has handed over to", new]);
    assert!(!place.path().join("third.key").exists());
    place.run(&["audit", "verify"]).expect(0).says(&["all of it fits"]);
    let place = place.file("compline.toml", &configured("new.key"));
    assert_eq!(place.run(&["audit", "key", "show", "--json"]).expect(0).json()["key"], new);
    for key in [&old, new] {
        place.run(&["audit", "verify", "--key", key]).expect(0).says(&["all of it fits"]);
    }
    place.run(&["audit", "key", "rotate", "--out", "third.key"]).expect(0).says(&["signs the log from"]);
    place.run(&["audit", "verify", "--key", &old]).expect(0).says(&["all of it fits"]);
    place.run(&["audit", "export", "out"]).expect(0);
    let ran = std::process::Command::new("python3")
        .current_dir(place.path())
        .args(["out/verify.py", "out", "--key", &old, "--anchor", "one"])
        .output()
        .unwrap();
    let told = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    assert!(told.contains("all is well") && told.contains("2 other keys are trusted"), "{told}");
}

#[test]
fn an_epoch_is_declared_where_something_was_lost_and_nowhere_else() {
    let place = Place::new();
    place.run(&["audit", "epoch", "--reason", "x"]).expect(2).says(&["audit.key is not set"]);
    place.run(&["audit", "key", "create", "--name", "example.com/log", "--out", "audit.key"]).expect(0);
    let file = place.path().join("jobs.db");
    let place = place.with("COMPLINE__STORE__URL", &format!("sqlite://{}", file.display())).file(
        "compline.toml",
        "[audit]\nkey = \"file:audit.key\"\n[audit.anchors.one]\ndirectory = \"one\"\n",
    );
    place.run(&["audit", "epoch", "--reason", " "]).expect(2).says(&["--reason is empty"]);
    place.enqueue(&["system.noop"]);
    let secret = std::fs::read_to_string(place.path().join("audit.key")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sign = || runtime.block_on(grow(&file, secret.trim(), &place.path().join("one")));
    sign();
    place
        .run(&["audit", "epoch", "--reason", "none"])
        .expect(1)
        .says(&["nothing that was signed is missing"]);
    let backup = std::fs::read(&file).unwrap();
    place.enqueue(&["system.noop"]);
    place.enqueue(&["system.noop"]);
    sign();
    // The backup is restored.
    for other in ["jobs.db-wal", "jobs.db-shm"] {
        let _ = std::fs::remove_file(place.path().join(other));
    }
    std::fs::write(&file, backup).unwrap();
    place.run(&["audit", "verify"]).expect(1).says(&["an old state restored"]);
    place.run(&["doctor"]).expect(0).says(&["ok    audit"]);
    runtime.block_on(tell(&file, "nothing is signed any more"));
    place.run(&["doctor"]).expect(0).says(&["warn  audit", "nothing is signed any more", "audit verify"]);

    let done = place.run(&["audit", "epoch", "--reason", "the disk broke", "--json"]).expect(0).json();

    assert_eq!((&done["epoch"], &done["lost"]), (&2.into(), &2.into()));
    place.run(&["audit", "verify"]).expect(0).says(&[
        "2 entries of epoch 1 after",
        "were lost",
        "all of it fits",
    ]);
    place.run(&["audit", "search", "--action", "audit.epoch", "--json"]).expect(0).says(&["the disk broke"]);
    place
        .run(&["audit", "epoch", "--reason", "again"])
        .expect(1)
        .says(&["nothing that was signed is missing"]);
}
