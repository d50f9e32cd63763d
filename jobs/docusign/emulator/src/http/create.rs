//! `POST …/envelopes`: an envelope, in JSON or with its documents beside it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::call::{Answer, Answered, Call};
use super::multipart;
use crate::check::{self, Files};
use crate::clock::written;
use crate::envelope::{Envelope, Status};
use crate::json::{text, truth};
use crate::life::{self, Event};
use crate::refusal::Refusal;
use crate::state::State;

pub fn envelope(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let (said, files) = parts(call)?;
    if state.switches.strict {
        crate::contract::check("envelopeDefinition", &said).map_err(|why| Refusal::body(&why))?;
    }
    let sender = call.subject.clone().unwrap_or_default();
    let mut envelope = check::envelope(&said, &files, &sender, state.switches.anchors, now)?;
    let wanted = text(&said, "status").unwrap_or_else(|| "created".into()).to_ascii_lowercase();
    let after = match wanted.as_str() {
        "created" => Status::Created,
        "sent" => Status::Sent,
        _ => return Err(Refusal::invalid_status()),
    };
    life::note(&mut envelope, now, "Registered", &sender, "The envelope was created");
    let events = match truth(&said, "asynchronous") {
        true => {
            // What cannot be sent is refused now.
            if after == Status::Sent {
                life::send(&mut envelope.clone(), now)?;
            }
            if envelope.transaction_id.is_none() {
                return Err(Refusal::parameter("An asynchronous envelope needs a transactionId."));
            }
            queue(&mut envelope, after, now, state.switches.processing_ms);
            Vec::new()
        }
        false => begin(&mut envelope, after, now)?,
    };
    let mut answer = json!({
        "status": envelope.status.name(), "statusDateTime": written(now),
    });
    // Whoever does not wait is not told which one it is.
    if envelope.status != Status::Processing {
        answer["envelopeId"] = json!(envelope.id);
        answer["uri"] = json!(format!("/envelopes/{}", envelope.id));
    }
    state.add(envelope, &events, now)?;
    Ok(Answer::json(201, answer))
}

fn begin(envelope: &mut Envelope, after: Status, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let mut events = vec![Event { name: "envelope-created", recipient: None }];
    if after == Status::Sent {
        events.extend(life::send(envelope, now)?);
    }
    Ok(events)
}

fn queue(envelope: &mut Envelope, after: Status, now: Timestamp, processing_ms: u64) {
    let wait = SignedDuration::from_millis(i64::try_from(processing_ms).unwrap_or(i64::MAX));
    envelope.status = Status::Processing;
    envelope.after_processing = after;
    envelope.processed_at = Some(now.checked_add(wait).unwrap_or(Timestamp::MAX));
}

/// The JSON, and the files that came beside it.
pub fn parts(call: &Call) -> Result<(Map<String, Value>, Files), Refusal> {
    let kind = call.header("content-type");
    if kind.starts_with("multipart/form-data") {
        return multipart::read(kind, &call.body).map_err(|why| Refusal::body(&why));
    }
    Ok((call.json()?, Files::new()))
}
