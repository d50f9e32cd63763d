use serde_json::json;

use super::*;

const ENVELOPE: &str = "/restapi/v2.1/accounts/a/envelopes/0a1b2c3d-0000-4000-8000-000000000009";

fn call(method: &str, path: &str, began: u64, ended: u64, minute: i64) -> Recorded {
    Recorded {
        began,
        ended: Some(ended),
        at: Timestamp::from_second(1_772_359_200 + 60 * minute).unwrap(),
        method: method.into(),
        path: path.into(),
        query: String::new(),
        subject: None,
        body: Value::Null,
        status: Some(200),
        answer: json!({}),
        trace: String::new(),
        fault: None,
        answered: true,
    }
}

#[track_caller]
fn complains(calls: &[Recorded], of: &[&str]) {
    let found = violations(calls);
    assert_eq!(found.len(), of.len(), "{found:?}");
    for (found, of) in found.iter().zip(of) {
        assert!(found.contains(of), "{found} does not say {of}");
    }
}

#[test]
fn an_envelope_is_looked_at_once_in_a_quarter_of_an_hour() {
    complains(&[call("GET", ENVELOPE, 1, 2, 0), call("GET", ENVELOPE, 3, 4, 15)], &[]);
    complains(&[call("GET", ENVELOPE, 1, 2, 0), call("GET", ENVELOPE, 3, 4, 14)], &["call 3: GET"]);
    let documents = format!("{ENVELOPE}/documents");
    complains(&[call("GET", ENVELOPE, 1, 2, 0), call("GET", &documents, 3, 4, 1)], &[]);
    complains(&[call("PUT", ENVELOPE, 1, 2, 0), call("PUT", ENVELOPE, 3, 4, 1)], &[]);
}

/// It saw nothing, and a client comes again when the limit is over.
#[test]
fn a_look_that_a_limit_refused_is_told_as_that_and_is_none() {
    let mut refused = call("GET", ENVELOPE, 1, 2, 0);
    refused.answer = json!({"errorCode": "BURST_APIINVOCATION_LIMIT_EXCEEDED"});

    complains(&[refused, call("GET", ENVELOPE, 3, 4, 1)], &["call 1: BURST_APIINVOCATION_LIMIT_EXCEEDED"]);
}

#[test]
fn calls_on_one_envelope_do_not_overlap() {
    let other = ENVELOPE.replace('9', "8");
    complains(
        &[call("PUT", ENVELOPE, 1, 4, 0), call("PUT", ENVELOPE, 2, 3, 0)],
        &["call 2: overlaps call 1"],
    );
    complains(&[call("PUT", ENVELOPE, 1, 4, 0), call("PUT", &other, 2, 3, 0)], &[]);
}

#[test]
fn what_was_answered_is_not_posted_again() {
    let post = |began: u64, answered: bool| {
        let mut call = call("POST", "/restapi/v2.1/accounts/a/envelopes", began, began + 1, 0);
        call.body = json!({"transactionId": "t"});
        call.status = Some(201);
        call.answered = answered;
        call
    };
    complains(&[post(1, true), post(3, true)], &["call 3: posts transaction t again, answered in call 1"]);
    complains(&[post(1, false), post(3, true)], &[]);
}

#[test]
fn an_assertion_has_both_scopes_and_an_hour_at_most() {
    let token = |scope: &str, life: i64| {
        let claims = json!({"scope": scope, "iat": 1000, "exp": 1000 + life}).to_string();
        let assertion = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let mut call = call("POST", "/oauth/token", 1, 2, 0);
        call.body = json!({"grant_type": JWT_GRANT, "assertion": assertion});
        call
    };
    complains(&[token("signature impersonation", 3600)], &[]);
    complains(&[token("signature impersonation", 3601)], &["good for 3601 s"]);
    complains(&[token("signature", 3600)], &["lacks the scope impersonation"]);
}

#[test]
fn limits_that_were_hit_are_told() {
    let mut hit = call("GET", ENVELOPE, 1, 2, 0);
    hit.answer = json!({"errorCode": "Hourly_Envelope_Polling_Limit_Exceeded"});
    complains(&[hit], &["Hourly_Envelope_Polling_Limit_Exceeded"]);
}
