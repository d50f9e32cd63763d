//! What goes wrong on purpose does what it says: above all, whether the work was done.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Caller, definition, start};

/// The ids of all envelopes of a transaction.
async fn made(caller: &Caller, transaction: &str) -> Vec<String> {
    let found = caller.get(&format!("/envelopes?transaction_ids={transaction}")).await.expect(200);
    let all = found["envelopes"].as_array().unwrap().iter();
    all.map(|envelope| envelope["envelopeId"].as_str().unwrap().to_owned()).collect()
}

async fn fault(caller: &Caller, rule: &str) {
    caller.control("PUT", "/faults", json!({"rules": [rule]})).await.expect(200);
}

#[tokio::test]
async fn each_fault_leaves_the_work_done_or_not_as_it_says() {
    let (emulator, caller) = start(|_| {}).await;
    for (rule, status, done) in [
        ("lost-answer@create=1x", None, true),
        ("lost-before@create=1x", None, false),
        ("error-after@create=1x:503", Some(503), true),
        ("error-before@create=1x", Some(503), false),
        ("html@create=1x", Some(502), false),
        ("latency@create=1x:1", Some(201), true),
        ("token-revoked@create=1x", Some(401), false),
    ] {
        fault(&caller, rule).await;
        let transaction = rule.split('@').next().unwrap();
        let answer = caller.try_call("POST", "/envelopes", definition(transaction, "created")).await;
        assert_eq!(answer.as_ref().map(|answer| answer.status), status, "{rule}");
        let mut caller = Caller { address: caller.address.clone(), token: caller.token.clone() };
        caller.sign_in(&emulator).await;
        assert_eq!(made(&caller, transaction).await.len(), usize::from(done), "{rule}");
        let recorded =
            emulator.recorded().into_iter().find(|call| call.fault.as_deref() == Some(transaction));
        assert_eq!(recorded.unwrap().answered, status.is_some(), "{rule}");
    }
}

#[tokio::test]
async fn a_late_commit_is_done_after_its_caller_was_cut_off() {
    let (emulator, caller) = start(|_| {}).await;
    fault(&caller, "late-commit@create=1x:50").await;
    assert!(caller.try_call("POST", "/envelopes", definition("late", "created")).await.is_none());
    assert_eq!(made(&caller, "late").await, Vec::<String>::new());
    // By the machine's clock: somebody who waits for an answer does so too.
    for _ in 0..100 {
        if emulator.recorded().iter().any(|call| call.fault.is_some() && call.status == Some(201)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(made(&caller, "late").await.len(), 1);
}

#[tokio::test]
async fn a_truncated_download_promises_more_than_comes() {
    let (_emulator, caller) = start(|_| {}).await;
    let id = caller.sent("t-1").await;
    fault(&caller, "truncated@download=1x").await;
    let path = format!("/envelopes/{id}/documents/archive");
    let (half, whole) = (caller.get(&path).await, caller.get(&path).await);
    assert!(!half.is_whole() && whole.is_whole());
    assert_eq!(half.headers["content-length"], whole.headers["content-length"]);
    assert_eq!(half.body, whole.body[..whole.body.len() / 2]);
}

#[tokio::test]
async fn faults_of_a_seed_come_again() {
    let run = async || {
        let rules = ["lost-answer@create=0.3", "lost-before@create=0.2"].map(|rule| rule.parse().unwrap());
        let (emulator, caller) = start(|options| {
            options.fault_seed = 7;
            options.faults = rules.to_vec();
        })
        .await;
        for number in 0..40 {
            let _ = caller.try_call("POST", "/envelopes", definition(&number.to_string(), "created")).await;
        }
        let calls = emulator.recorded();
        calls.into_iter().map(|call| call.fault).collect::<Vec<_>>()
    };
    let (one, other) = (run().await, run().await);
    assert_eq!(one, other);
    assert!(one.iter().any(|fault| fault.as_deref() == Some("lost-answer")));
    assert!(one.iter().any(|fault| fault.as_deref() == Some("lost-before")));
    assert!(one.iter().any(Option::is_none));
}

#[tokio::test]
async fn faults_that_make_no_sense_are_refused() {
    let (_emulator, caller) = start(|_| {}).await;
    for rules in [json!(["fire=1"]), json!(["html=0.7", "lost-answer=0.7"])] {
        let refused = caller.control("PUT", "/faults", json!({"rules": rules})).await;
        assert_eq!(refused.status, 400, "{:?}", refused.json());
    }
    assert_eq!(
        caller.control("GET", "/faults", Value::Null).await.expect(200),
        json!({"seed": 0, "rules": []})
    );
}
