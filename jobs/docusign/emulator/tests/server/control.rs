//! The control API: what it moves, what it shows, and to whom.

use serde_json::{Value, json};

use crate::client::{Caller, start};

#[tokio::test]
async fn the_clock_is_moved_and_what_is_due_happens() {
    let (_emulator, caller) = start(|_| {}).await;
    let mut said = crate::client::definition("t-1", "sent");
    said["notification"] = json!({"expirations": {"expireEnabled": "true", "expireAfter": "1"}});
    let sent = caller.call("POST", "/envelopes", said).await.expect(201);
    let moved = caller.control("POST", "/clock/advance", json!({"seconds": 86_400})).await.expect(200);
    assert_eq!(moved, json!({"now": "2026-03-02T10:00:00.0000000Z", "virtual": true}));
    let state = caller.control("GET", "/state", Value::Null).await.expect(200);
    let envelope = &state["envelopes"][0];
    assert_eq!((&envelope["envelopeId"], &envelope["status"]), (&sent["envelopeId"], &json!("voided")));
    assert_eq!(envelope["voidedReason"], "The envelope has expired.");
}

#[tokio::test]
async fn recipients_act_and_a_reason_is_kept() {
    let (_emulator, caller) = start(|_| {}).await;
    let id = caller.sent("t-1").await;
    let act = async |act: &str| {
        caller.control("POST", &format!("/envelopes/{id}/recipients/1/{act}"), Value::Null).await
    };
    assert_eq!(act("view").await.expect(200)["status"], "delivered");
    assert_eq!(act("dance").await.status, 400);
    assert_eq!(act("decline?reason=too%20long").await.expect(200)["status"], "declined");
    assert_eq!(act("sign").await.refused(), (400, "ENVELOPE_INVALID_STATUS".into()));
    let shown = caller.get(&format!("/envelopes/{id}/recipients")).await.expect(200);
    assert_eq!(shown["signers"][0]["declinedReason"], "too long");
}

#[tokio::test]
async fn envelopes_are_counted_by_a_custom_field() {
    let (emulator, caller) = start(|_| {}).await;
    let (one, stray) = (caller.sent("k-1").await, caller.draft("k-1").await);
    let other = caller.sent("k-2").await;
    let counted = caller.control("GET", "/envelopes?name=key", Value::Null).await.expect(200);
    let wanted = json!({"k-1": {"sent": [one], "unsent": [stray]}, "k-2": {"sent": [other]}});
    assert_eq!(counted["values"], wanted);
    assert_eq!(emulator.by_field("key"), wanted);
    assert_eq!(emulator.envelopes_with("key", "k-2")[0]["envelopeId"], json!(other));
}

#[tokio::test]
async fn calls_are_recorded_without_files_and_with_who_called() {
    let (emulator, caller) = start(|_| {}).await;
    let mut said = crate::client::definition("t-1", "sent");
    let large = "QUJD".repeat(2000);
    said["documents"][0]["documentBase64"] = json!(large);
    said["recipients"]["signers"][0]["tabs"] = json!({});
    caller.call("POST", "/envelopes", said).await.expect(201);
    let recorded = caller.control("GET", "/recorded", Value::Null).await.expect(200);
    let create = &recorded["recorded"][1];
    assert_eq!((&create["method"], &create["status"]), (&json!("POST"), &json!(201)));
    assert_eq!(create["subject"], docusign_emulator::USER_ID);
    assert_eq!(create["body"]["transactionId"], "t-1");
    assert!(create["body"]["documents"][0]["documentBase64"].as_str().unwrap().starts_with("[8000 bytes"));
    assert!(create["answer"]["envelopeId"].is_string());
    // The control API is not the service.
    assert_eq!(emulator.recorded().len(), 2);
    assert_eq!(caller.control("DELETE", "/recorded", Value::Null).await.status, 204);
    assert_eq!(emulator.recorded().len(), 0);
    caller.get("/envelopes?from_date=2026-01-01").await.expect(200);
    assert_eq!(emulator.recorded().len(), 1);
}

#[tokio::test]
async fn the_control_api_answers_nobody_beyond_this_machine() {
    let (emulator, caller) = start(|options| options.listen = ([0, 0, 0, 0], 0).into()).await;
    let caller = Caller { address: format!("127.0.0.1:{}", emulator.address().port()), token: caller.token };
    for (method, path) in [("GET", "/state"), ("POST", "/tokens/revoke"), ("GET", "/nowhere")] {
        assert_eq!(caller.control(method, path, Value::Null).await.status, 403, "{method} {path}");
    }
    caller.get("/envelopes?from_date=2026-01-01").await.expect(200);
}

#[tokio::test]
async fn the_control_api_answers_no_page_in_a_browser() {
    let (emulator, caller) = start(|_| {}).await;
    let port = emulator.address().port();
    for (header, value, status) in [
        ("Origin", "https://evil.example".to_owned(), 403),
        ("Origin", "null".to_owned(), 403),
        ("Host", format!("evil.example:{port}"), 403),
        ("Host", format!("localhost:{port}"), 200),
        ("Host", format!("[::1]:{port}"), 200),
        ("Host", "127.0.0.1".to_owned(), 200),
    ] {
        let answer = caller.send("GET", "/_emulator/clock", &[(header, &value)], b"").await.unwrap();
        assert_eq!(answer.status, status, "{header}: {value}");
    }
}
