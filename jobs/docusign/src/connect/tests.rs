use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::config::AccountConfig;
use crate::tests::{account, signature};

const ACCOUNT: &str = "7c2c3e5e-8f0b-4c4f-9b1b-000000000001";

fn write(path: &Path, keys: &str) {
    std::fs::write(path, keys).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn connect(keys: &str) -> (Connect, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    write(&path, keys);
    let config = AccountConfig {
        account_id: ACCOUNT.into(),
        connect_hmac_keys_path: path.clone(),
        ..AccountConfig::default()
    };
    (Connect { accounts: account(config).0 }, path, folder)
}

fn body() -> Value {
    json!({
        "event": "envelope-completed", "retryCount": 0, "configurationId": 12345, "apiVersion": "v2.1",
        "generatedDateTime": "2026-11-28T10:00:00.1234567Z",
        "data": { "accountId": ACCOUNT, "envelopeId": "E-1", "envelopeSummary": { "sender": { "email": "ada@example.org" } } },
    })
}

fn signed(keys: &[&str], body: &[u8]) -> Headers {
    let each = keys.iter().zip(1..);
    each.map(|(key, number)| (format!("x-docusign-signature-{number}"), vec![signature(key, body)])).collect()
}

async fn open(connect: &Connect, keys: &[&str], body: &[u8]) -> Result<Delivered, Unopened> {
    connect.open(&signed(keys, body), body).await
}

#[test]
fn the_path_of_the_door_ends_with_its_name() {
    let (connect, _, _folder) = connect("key");

    assert_eq!(DOOR_PATH, format!("/v1/webhooks/{}", connect.name()));
}

#[tokio::test]
async fn a_delivery_is_believed_by_any_key_and_says_no_more_than_is_used() {
    let (connect, _, _folder) = connect("key-2\n# the old one\nkey-1\n");
    let bytes = body().to_string();

    for keys in [&["key-1"][..], &["key-2"], &["other", "key-1"]] {
        let delivered = open(&connect, keys, bytes.as_bytes()).await.unwrap();
        assert_eq!(delivered.job.kind, "docusign.apply_event");
        let args: ApplyEventArgs = serde_json::from_str(delivered.job.args.get()).unwrap();
        assert_eq!(
            (args.envelope.as_deref(), args.event.as_deref()),
            (Some("E-1"), Some("envelope-completed"))
        );
        assert!(!delivered.job.args.get().contains("ada@"));
    }
}

#[tokio::test]
async fn a_forgery_is_refused() {
    let (connect, _, _folder) = connect("key-1\n");
    let bytes = body().to_string();

    for (headers, sent) in [
        (Headers::new(), bytes.clone()),
        (signed(&["key-2"], bytes.as_bytes()), bytes.clone()),
        // The same JSON in other bytes.
        (signed(&["key-1"], bytes.as_bytes()), format!("{bytes} ")),
        (Headers::from([("x-docusign-signature-1".into(), vec!["not base64".into()])]), bytes.clone()),
        (Headers::from([("x-docusign-signature-1".into(), vec![String::new()])]), bytes.clone()),
    ] {
        let refused = connect.open(&headers, sent.as_bytes()).await;
        assert!(matches!(refused, Err(Unopened::Forged(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_hundred_signatures_are_looked_at_and_one_more_is_refused_in_words() {
    let (connect, _, _folder) = connect("key-1\n");
    let bytes = body().to_string();
    let mut keys = vec!["other"; 99];
    keys.push("key-1");

    let taken = open(&connect, &keys, bytes.as_bytes()).await;
    keys.insert(0, "another");
    let headers = signed(&keys, bytes.as_bytes());
    let refused = [connect.look(&headers).map(drop), open(&connect, &keys, bytes.as_bytes()).await.map(drop)];

    assert!(taken.is_ok(), "{taken:?}");
    for refused in refused {
        let Err(Unopened::Forged(why)) = refused else { panic!("{refused:?}") };
        assert_eq!(why, "there are 101 X-DocuSign-Signature headers; an account has 100 keys at most");
    }
}

/// It moves nothing of the other account: the job knows by whose key it was believed.
#[tokio::test]
async fn what_is_authentic_and_names_another_account_is_taken_as_of_its_own() {
    let (connect, _, _folder) = connect("key-1\n");
    let of_another = json!({ "event": "envelope-sent", "data": { "accountId": "other" } }).to_string();

    let delivered = open(&connect, &["key-1"], of_another.as_bytes()).await.unwrap();

    let args: ApplyEventArgs = serde_json::from_str(delivered.job.args.get()).unwrap();
    assert_eq!(args.account, "default");
}

#[tokio::test]
async fn keys_are_rotated_while_deliveries_come() {
    let (connect, path, _folder) = connect("key-1\n");
    let bytes = body().to_string();

    assert!(open(&connect, &["key-1"], bytes.as_bytes()).await.is_ok());
    write(&path, "key-2\nkey-1\n");
    assert!(open(&connect, &["key-2", "key-1"], bytes.as_bytes()).await.is_ok());
    write(&path, "key-2\n");
    assert!(matches!(open(&connect, &["key-1"], bytes.as_bytes()).await, Err(Unopened::Forged(_))));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(open(&connect, &["key-2"], bytes.as_bytes()).await, Err(Unopened::Unsure(_))));
}

#[tokio::test]
async fn what_is_authentic_is_taken_also_when_it_cannot_be_understood() {
    let (connect, _, _folder) = connect("key-1\n");
    for bytes in ["", "not json", "[]", r#"{"event":7}"#, "{}"] {
        let delivered = open(&connect, &["key-1"], bytes.as_bytes()).await.unwrap();
        let args: ApplyEventArgs = serde_json::from_str(delivered.job.args.get()).unwrap();
        assert_eq!((args.envelope, args.event), (None, None), "{bytes}");
        assert_eq!(delivered.mark, args.body_sha256);
    }
}

#[tokio::test]
async fn a_retry_is_the_same_delivery_and_another_moment_is_another() {
    let (connect, _, _folder) = connect("key-1\n");
    let mark = async |change: &dyn Fn(&mut Value)| {
        let mut body = body();
        change(&mut body);
        open(&connect, &["key-1"], body.to_string().as_bytes()).await.unwrap().mark
    };

    let first = mark(&|_| {}).await;
    assert_eq!(first, mark(&|body| body["retryCount"] = json!(3)).await);
    for (place, value) in [
        ("/generatedDateTime", json!("2026-11-28T10:00:01Z")),
        ("/event", json!("envelope-sent")),
        ("/data/envelopeId", json!("E-2")),
    ] {
        assert_ne!(first, mark(&|body| *body.pointer_mut(place).unwrap() = value.clone()).await, "{place}");
    }
    assert_ne!(first, mark(&|body| body["data"]["recipientId"] = json!("1")).await);
}

#[test]
fn what_two_accounts_say_alike_is_not_one_delivery() {
    let delivery: Delivery = serde_json::from_value(body()).unwrap();

    assert_eq!(mark("a", &delivery, "00"), mark("a", &delivery, "01"));
    assert_ne!(mark("a", &delivery, "00"), mark("b", &delivery, "00"));
}
