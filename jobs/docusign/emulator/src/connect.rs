//! Connect: events of envelopes on their way to whoever asked for them.
//!
//! Here is what is told and to whom, which is pure; `sender.rs` carries it over the wire and `post.rs` says when.

pub mod post;
pub mod sender;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::clock::written;
use crate::envelope::Envelope;
use crate::json::{object, objects, text, truth};
use crate::life::Event;
use crate::switches::Retry;
use crate::{evidence, view};

/// One event for one receiver.
#[derive(Debug, Clone)]
pub struct Message {
    pub number: u64,
    pub envelope: String,
    pub event: &'static str,
    pub recipient: Option<String>,
    pub url: String,
    /// The same for all that go to one place.
    pub configuration: u64,
    pub acknowledged_wanted: bool,
    pub signed: bool,
    pub body: Map<String, Value>,
    pub made: Timestamp,
    pub tries: u32,
    pub next: Timestamp,
    pub state: State,
    pub last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    /// It is on the wire.
    Sending,
    Delivered,
    /// It is not tried again.
    Failed,
    /// It was thrown away on purpose.
    Dropped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Sending => "sending",
            State::Delivered => "delivered",
            State::Failed => "failed",
            State::Dropped => "dropped",
        }
    }
}

/// Does this subscription ask for the event? The old form names states, the new one events.
pub fn wants(subscription: &Map<String, Value>, event: &str) -> bool {
    let new = subscription.get("events").and_then(Value::as_array);
    let named =
        new.into_iter().flatten().filter_map(Value::as_str).any(|name| name.eq_ignore_ascii_case(event));
    let of = |list: &str, field: &str, prefix: &str| {
        objects(subscription, list)
            .filter_map(|one| text(one, field))
            .any(|state| event.eq_ignore_ascii_case(&format!("{prefix}{state}")))
    };
    named
        || of("envelopeEvents", "envelopeEventStatusCode", "envelope-")
        || of("recipientEvents", "recipientEventStatusCode", "recipient-")
}

/// What an event says, as `connect.sample-v2.json` shows it.
pub fn body(
    envelope: &Envelope,
    event: &Event,
    subscription: &Map<String, Value>,
    (account, configuration): (&str, u64),
    now: Timestamp,
) -> Map<String, Value> {
    let wanted =
        object(subscription, "eventData").and_then(|data| data.get("includeData")).and_then(Value::as_array);
    let included: Vec<&str> = wanted.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut summary = view::envelope(envelope, account, &included.join(","));
    let documents = truth(subscription, "includeDocuments") || included.contains(&"documents");
    if documents {
        let mut listed = view::documents(envelope);
        for shown in &mut listed {
            let id = shown["documentId"].as_str().unwrap_or_default();
            let bytes = match envelope.document(id) {
                Some(document) => evidence::document(envelope, document),
                None => evidence::certificate(envelope),
            };
            shown["PDFBytes"] = json!(STANDARD.encode(bytes));
        }
        summary.insert("envelopeDocuments".into(), Value::Array(listed));
    }
    let mut data = json!({
        "accountId": account, "userId": envelope.sender, "envelopeId": envelope.id, "envelopeSummary": summary,
    });
    if let Some(recipient) = &event.recipient {
        data["recipientId"] = json!(recipient);
    }
    let said = json!({
        "event": event.name,
        "apiVersion": "v2.1",
        "uri": format!("/restapi/v2.1/accounts/{account}/envelopes/{}", envelope.id),
        "retryCount": 0,
        "configurationId": configuration,
        "generatedDateTime": written(now),
        "data": data,
    });
    said.as_object().cloned().unwrap_or_default()
}

/// The headers that prove a body: one signature for each key, in their order.
pub fn signatures(keys: &[String], body: &[u8]) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    if !keys.is_empty() {
        headers.push(("X-Authorization-Digest".to_owned(), "HMACSHA256".to_owned()));
    }
    for (at, key) in keys.iter().enumerate() {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), body);
        headers.push((format!("X-DocuSign-Signature-{}", at + 1), STANDARD.encode(tag)));
    }
    headers
}

/// When a delivery that failed so many times is tried again, or that it is not.
pub fn next_try(how: Retry, wanted: bool, tries: u32, made: Timestamp, now: Timestamp) -> Option<Timestamp> {
    const DAY: SignedDuration = SignedDuration::from_hours(24);
    if !wanted {
        return None;
    }
    match how {
        Retry::Never => None,
        Retry::Daily => (tries < 10).then(|| now.checked_add(DAY).ok())?,
        Retry::Backoff => {
            let wait = SignedDuration::from_secs(15 << (tries.saturating_sub(1)).min(12));
            let at = now.checked_add(wait.min(DAY)).ok()?;
            (tries < 45 && at.duration_since(made) <= DAY * 7).then_some(at)
        }
    }
}

#[cfg(test)]
mod tests;
