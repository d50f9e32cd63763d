//! Connect's own routes: the keys that sign deliveries, what failed, and what is to be tried again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Answered, Call};
use crate::clock::written;
use crate::connect::{Message, State as Stage};
use crate::refusal::Refusal;
use crate::state::{HmacKey, State};

/// A key is shown once, when it is made.
pub fn secrets(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    let keys: Vec<Value> = state.hmac_keys.iter().map(|key| json!({"keyId": key.id})).collect();
    Answer::ok(json!({"hmacSecrets": keys}))
}

const MOST_KEYS: usize = 100;

pub fn add_secret(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    if state.hmac_keys.len() >= MOST_KEYS {
        return Err(Refusal::parameter(&format!("An account has at most {MOST_KEYS} keys.")));
    }
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let secret = STANDARD.encode([one.as_bytes().as_slice(), other.as_bytes()].concat());
    let key = HmacKey { id: Uuid::new_v4().to_string(), secret };
    let shown = json!({"keyId": key.id, "secret": key.secret});
    state.hmac_keys.push(key);
    Ok(Answer::json(201, shown))
}

pub fn delete_secret(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let before = state.hmac_keys.len();
    state.hmac_keys.retain(|key| key.id != call.place("key"));
    match before == state.hmac_keys.len() {
        true => Err(Refusal::parameter(&format!("There is no key {}.", call.place("key")))),
        false => Answer::ok(json!({})),
    }
}

fn log(state: &State, message: &Message) -> Value {
    let delivered = message.state == Stage::Delivered;
    json!({
        "accountId": state.account_id,
        "configUrl": message.url,
        "connectId": message.configuration.to_string(),
        "created": written(message.made),
        "envelopeId": message.envelope,
        "failureId": message.number.to_string(),
        "logId": message.number.to_string(),
        "retryCount": message.tries.saturating_sub(1).to_string(),
        "status": if delivered { "Sent" } else { "Pending" },
        "error": message.last_error,
    })
}

/// The last hundred, as Connect keeps them.
const LOGGED: usize = 100;

fn logged(state: &State, which: impl Fn(&&Message) -> bool) -> Vec<Value> {
    state.messages.iter().rev().filter(which).take(LOGGED).map(|message| log(state, message)).collect()
}

pub fn failures(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    let failed = |message: &&Message| message.tries > 0 && message.state != Stage::Delivered;
    let shown = logged(state, failed);
    Answer::ok(json!({"totalRecords": shown.len().to_string(), "failures": shown}))
}

pub fn logs(state: &mut State, _: &Call, _: Timestamp) -> Answered {
    let shown = logged(state, |message| message.tries > 0);
    Answer::ok(json!({"totalRecords": shown.len().to_string(), "logs": shown}))
}

pub fn retry_one(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let id = call.place("envelope").to_owned();
    retry(state, &[id], now)
}

pub fn retry_many(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json()?;
    let ids =
        said.get("envelopeIds").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    retry(state, &ids, now)
}

/// What was not acknowledged goes out again, now.
fn retry(state: &mut State, ids: &[String], now: Timestamp) -> Answered {
    let mut requests = Vec::new();
    for id in ids {
        let envelope = state.envelope(id)?.id.clone();
        let mut from = state.open_from;
        for (at, message) in state.messages.iter_mut().enumerate() {
            if message.envelope == envelope && matches!(message.state, Stage::Failed | Stage::Waiting) {
                (message.state, message.next) = (Stage::Waiting, now);
                from = from.min(at);
            }
        }
        state.open_from = from;
        requests.push(json!({"envelopeId": envelope, "status": "queued"}));
    }
    Answer::ok(json!({"retryQueue": requests, "envelopeId": ids.first()}))
}
