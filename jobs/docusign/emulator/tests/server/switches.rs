//! Behaviours that nobody could check against the real service: each is there in both modes.

use serde_json::{Value, json};

use crate::client::{Caller, definition, start};

async fn switched(caller: &Caller, switch: Value) {
    caller.control("PUT", "/switches", switch).await.expect(200);
}

#[tokio::test]
async fn a_transaction_may_be_had_twice_or_once() {
    let (_emulator, caller) = start(|_| {}).await;
    caller.draft("t-1").await;
    caller.draft("t-1").await;
    switched(&caller, json!({"duplicate_transaction": "refused"})).await;
    let refused = caller.call("POST", "/envelopes", definition("t-1", "created")).await;
    assert_eq!(refused.refused(), (400, "INVALID_REQUEST_PARAMETER".into()));
    caller.draft("t-2").await;
}

#[tokio::test]
async fn a_transaction_finds_drafts_or_not() {
    let (_emulator, caller) = start(|_| {}).await;
    let (draft, sent) = (caller.draft("t-1").await, caller.sent("t-2").await);
    let found = async || {
        let found = caller.get("/envelopes?transaction_ids=t-1,t-2").await.expect(200);
        let all = found["envelopes"].as_array().unwrap().iter();
        all.map(|envelope| envelope["envelopeId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found().await, [draft, sent.clone()]);
    switched(&caller, json!({"transaction_finds_drafts": false})).await;
    assert_eq!(found().await, [sent]);
}

#[tokio::test]
async fn an_unknown_envelope_is_404_or_400_and_sending_again_is_taken_or_not() {
    let (_emulator, caller) = start(|_| {}).await;
    let (id, nobody) = (caller.sent("t-1").await, "/envelopes/00000000-0000-4000-8000-000000000000");
    switched(&caller, json!({"unknown_envelope_status": 400, "send_again": "refused"})).await;
    assert_eq!(caller.get(nobody).await.refused(), (400, "ENVELOPE_DOES_NOT_EXIST".into()));
    let again = caller.call("PUT", &format!("/envelopes/{id}"), json!({"status": "sent"})).await;
    assert_eq!(again.refused(), (400, "ENVELOPE_INVALID_STATUS".into()));
}

#[tokio::test]
async fn headers_are_spelled_in_two_ways() {
    let (_emulator, caller) = start(|_| {}).await;
    let spelled = async || caller.get("/envelopes?from_date=2026-01-01").await.spelled;
    assert!(spelled().await.contains("X-Docusign-Tracetoken: "));
    switched(&caller, json!({"header_case": "lower"})).await;
    assert!(spelled().await.contains("x-docusign-tracetoken: "));
}

#[tokio::test]
async fn the_strict_one_names_what_the_contract_does_not_know() {
    let (_emulator, caller) = start(|_| {}).await;
    let mut said = definition("t-1", "created");
    said["eventNotification"] = json!({"url": "http://127.0.0.1:9/x", "requiresAcknowledgement": "true"});
    caller.call("POST", "/envelopes", said.clone()).await.expect(201);
    switched(&caller, json!({"strict": true})).await;
    let refused = caller.call("POST", "/envelopes", said).await;
    assert_eq!(refused.refused(), (400, "INVALID_REQUEST_BODY".into()));
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("eventNotification.requiresAcknowledgement"), "{message}");
    caller.draft("t-2").await;
}

#[tokio::test]
async fn a_switch_that_does_not_exist_is_named() {
    let (_emulator, caller) = start(|_| {}).await;
    let refused = caller.control("PUT", "/switches", json!({"nonsense": 1})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["error"].as_str().unwrap().contains("`nonsense`"));
}
