//! DocuSign's rules for clients, over recorded traffic: what its own checks, or its support, would complain of. Pure.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::json::text;
use crate::oauth::{JWT_GRANT, LIFE_SECONDS};
use crate::record::Recorded;

const POLLING: SignedDuration = SignedDuration::from_mins(15);

/// Each with the number at which the call began.
pub fn violations(calls: &[Recorded]) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(polled(calls));
    found.extend(overlapped(calls));
    found.extend(posted_twice(calls));
    found.extend(calls.iter().filter_map(assertion));
    found.extend(calls.iter().filter_map(limited));
    found
}

fn was_done(call: &Recorded) -> bool {
    call.status.is_some_and(|status| (200..300).contains(&status))
}

/// The id of the envelope that a call is about.
fn envelope(call: &Recorded) -> Option<&str> {
    let (_, rest) = call.path.split_once("/envelopes/")?;
    let id = rest.split('/').next()?;
    (id.len() == 36).then_some(id)
}

/// One GET of one URL of an envelope in a quarter of an hour.
fn polled(calls: &[Recorded]) -> Vec<String> {
    let mut last: HashMap<String, Timestamp> = HashMap::new();
    let mut found = Vec::new();
    // One that is refused because of a limit is told of as such, and comes again when the limit is over.
    let looked =
        |call: &&Recorded| call.method == "GET" && envelope(call).is_some() && limited(call).is_none();
    for call in calls.iter().filter(looked) {
        let url = format!("{}?{}", call.path, call.query);
        if last.get(&url).is_some_and(|at| call.at.duration_since(*at) < POLLING) {
            found.push(format!("call {}: GET {} twice within 15 minutes", call.began, call.path));
        }
        last.insert(url, call.at);
    }
    found
}

/// Calls on one envelope come one after the other.
fn overlapped(calls: &[Recorded]) -> Vec<String> {
    let mut open: HashMap<&str, (u64, u64)> = HashMap::new();
    let mut found = Vec::new();
    for call in calls {
        let (Some(id), Some(ended)) = (envelope(call), call.ended) else { continue };
        // A call that came late was given up by its caller long before.
        if call.fault.as_deref() == Some("late-commit") {
            continue;
        }
        if let Some((began, until)) = open.get(id).filter(|(_, until)| *until > call.began) {
            found.push(format!("call {}: overlaps call {began} on envelope {id} until {until}", call.began));
        }
        let until = open.get(id).map_or(ended, |(_, until)| ended.max(*until));
        open.insert(id, (call.began, until));
    }
    found
}

/// Nobody posts again what was answered.
fn posted_twice(calls: &[Recorded]) -> Vec<String> {
    let mut answered: HashMap<String, u64> = HashMap::new();
    let mut found = Vec::new();
    for call in calls.iter().filter(|call| call.method == "POST" && call.path.ends_with("/envelopes")) {
        let Some(transaction) = call.body.as_object().and_then(|body| text(body, "transactionId")) else {
            continue;
        };
        if let Some(before) = answered.get(&transaction) {
            found.push(format!(
                "call {}: posts transaction {transaction} again, answered in call {before}",
                call.began
            ));
        }
        let told = call.answered && matches!(call.fault.as_deref(), None | Some("latency"));
        if was_done(call) && told {
            answered.insert(transaction, call.began);
        }
    }
    found
}

/// Both scopes, and no assertion that is good for more than an hour.
fn assertion(call: &Recorded) -> Option<String> {
    let form = call.body.as_object().filter(|_| call.path == "/oauth/token")?;
    if text(form, "grant_type").as_deref() != Some(JWT_GRANT) {
        return None;
    }
    let assertion = text(form, "assertion")?;
    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    let scope = text(&claims, "scope").unwrap_or_default();
    if let Some(missing) = ["signature", "impersonation"]
        .iter()
        .find(|wanted| !scope.split_whitespace().any(|it| it == **wanted))
    {
        return Some(format!("call {}: the assertion lacks the scope {missing}", call.began));
    }
    let second = |name: &str| claims.get(name).and_then(Value::as_i64);
    let life = second("exp")? - second("iat").unwrap_or_else(|| call.at.as_second());
    (life > LIFE_SECONDS).then(|| format!("call {}: the assertion is good for {life} s", call.began))
}

/// A limit was hit.
fn limited(call: &Recorded) -> Option<String> {
    let code = text(call.answer.as_object()?, "errorCode")?;
    code.to_ascii_uppercase().ends_with("LIMIT_EXCEEDED").then(|| format!("call {}: {code}", call.began))
}

#[cfg(test)]
mod tests;
