//! The recipients of an envelope and their tabs.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::call::{Answer, Answered, Call};
use super::envelopes::open;
use crate::check;
use crate::envelope::{Envelope, LISTS, Recipient, Stage};
use crate::json::{number, objects, text};
use crate::life;
use crate::refusal::Refusal;
use crate::state::State;
use crate::switches::Anchors;
use crate::view;

pub fn list(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let tabs = call.asks("include_tabs");
    Answer::ok(view::recipients(state.envelope(call.place("envelope"))?, tabs))
}

pub fn add(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json_of("recipients", &state.switches)?;
    let (id, how) = (call.place("envelope").to_owned(), state.switches.anchors);
    state.change(&id, now, |envelope| {
        open(envelope)?;
        append(envelope, &said, how)?;
        Ok(life::recipients_changed(envelope, now))
    })?;
    Ok(Answer::json(201, view::recipients(state.envelope(&id)?, false)))
}

fn append(envelope: &mut Envelope, said: &Map<String, Value>, how: Anchors) -> Result<(), Refusal> {
    let mut more = check::recipients(said, &envelope.recipients)?;
    for recipient in &mut more {
        check::tabs(recipient, &envelope.documents, how)?;
    }
    envelope.recipients.extend(more);
    Ok(())
}

/// Changes those that are there and adds those that are not; with `resend_envelope` the mail goes out again.
pub fn put(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json_of("recipients", &state.switches)?;
    let (id, how) = (call.place("envelope").to_owned(), state.switches.anchors);
    let resend = call.asks("resend_envelope");
    let mut results = Vec::new();
    state.change(&id, now, |envelope| {
        open(envelope)?;
        for (list, (name, ..)) in LISTS.iter().enumerate() {
            for change in objects(&said, name) {
                let recipient = text(change, "recipientId").unwrap_or_default();
                match envelope.recipient_mut(&recipient) {
                    Some(there) => correct(there, list, change)?,
                    None => {
                        let one = Map::from_iter([((*name).to_owned(), json!([change]))]);
                        append(envelope, &one, how)?;
                    }
                }
                results.push(json!({
                    "recipientId": recipient, "errorDetails": {"errorCode": "SUCCESS", "message": ""},
                }));
            }
        }
        let mut events = life::recipients_changed(envelope, now);
        if resend {
            events.extend(life::resend(envelope, now)?);
        }
        Ok(events)
    })?;
    Answer::ok(json!({"recipientUpdateResults": results}))
}

fn correct(there: &mut Recipient, list: usize, change: &Map<String, Value>) -> Result<(), Refusal> {
    if there.is_done() {
        let message = format!("The recipient has completed this envelope already. Recipient: {}", there.id);
        return Err(Refusal::bad("RECIPIENT_HAS_COMPLETED", &message));
    }
    let mut said = there.said.clone();
    said.extend(
        change.iter().filter(|(name, _)| *name != "tabs").map(|(name, value)| (name.clone(), value.clone())),
    );
    check::person(list, &there.id, &said)?;
    if there.stage == Stage::Created
        && let Some(order) = number(change, "routingOrder").filter(|order| *order > 0)
    {
        there.order = order;
    }
    there.said = said;
    Ok(())
}

pub fn delete(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json_of("recipients", &state.switches)?;
    let ids: Vec<String> = LISTS
        .iter()
        .flat_map(|(name, ..)| objects(&said, name))
        .filter_map(|recipient| text(recipient, "recipientId"))
        .collect();
    without(state, call, &ids, now)
}

pub fn delete_one(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    without(state, call, &[call.place("recipient").to_owned()], now)
}

fn without(state: &mut State, call: &Call, ids: &[String], now: Timestamp) -> Answered {
    let id = call.place("envelope").to_owned();
    state.change(&id, now, |envelope| {
        open(envelope)?;
        for gone in ids {
            let there = envelope.recipient(gone).ok_or_else(|| Refusal::unknown_recipient(gone))?;
            if there.is_done() {
                return Err(Refusal::bad("RECIPIENT_HAS_COMPLETED", "A recipient who is done stays."));
            }
            let guid = there.guid.clone();
            envelope.recipients.retain(|recipient| recipient.guid != guid);
        }
        Ok(life::recipients_changed(envelope, now))
    })?;
    Answer::ok(view::recipients(state.envelope(&id)?, false))
}

fn recipient<'a>(state: &'a State, call: &Call) -> Result<&'a Recipient, Refusal> {
    let (envelope, id) = (state.envelope(call.place("envelope"))?, call.place("recipient"));
    envelope.recipient(id).ok_or_else(|| Refusal::unknown_recipient(id))
}

pub fn tabs(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    Answer::ok(Value::Object(recipient(state, call)?.tabs.clone()))
}

fn change_tabs(
    state: &mut State,
    call: &Call,
    now: Timestamp,
    change: fn(&mut Recipient, &Map<String, Value>) -> Result<(), Refusal>,
) -> Result<Value, Refusal> {
    let (said, how) = (call.json_of("tabs", &state.switches)?, state.switches.anchors);
    let id = call.place("recipient");
    state.change(call.place("envelope"), now, |envelope| {
        open(envelope)?;
        let documents = envelope.documents.clone();
        let there = envelope.recipient_mut(id).ok_or_else(|| Refusal::unknown_recipient(id))?;
        change(there, &said)?;
        check::tabs(there, &documents, how)?;
        envelope.modified = now;
        Ok(Vec::new())
    })?;
    Ok(Value::Object(recipient(state, call)?.tabs.clone()))
}

pub fn add_tabs(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let shown = change_tabs(state, call, now, |there, more| {
        for (kind, tabs) in more {
            let all = there.tabs.entry(kind.clone()).or_insert_with(|| json!([]));
            if let (Some(all), Some(tabs)) = (all.as_array_mut(), tabs.as_array()) {
                all.extend(tabs.iter().cloned());
            }
        }
        Ok(())
    })?;
    Ok(Answer::json(201, shown))
}

pub fn put_tabs(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let shown = change_tabs(state, call, now, |there, changes| {
        for (kind, _) in changes {
            for change in objects(changes, kind) {
                tab(there, kind, change)?.extend(change.clone());
            }
        }
        Ok(())
    })?;
    Answer::ok(shown)
}

pub fn delete_tabs(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let shown = change_tabs(state, call, now, |there, gone| {
        for (kind, _) in gone {
            for one in objects(gone, kind) {
                tab(there, kind, one)?;
                if let Some(tabs) = there.tabs.get_mut(kind).and_then(Value::as_array_mut) {
                    tabs.retain(|tab| tab["tabId"] != one["tabId"]);
                }
            }
        }
        Ok(())
    })?;
    Answer::ok(shown)
}

fn tab<'a>(
    there: &'a mut Recipient,
    kind: &str,
    wanted: &Map<String, Value>,
) -> Result<&'a mut Map<String, Value>, Refusal> {
    let id = text(wanted, "tabId").unwrap_or_default();
    let tabs = there.tabs.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten();
    tabs.filter_map(Value::as_object_mut)
        .find(|tab| text(tab, "tabId").as_deref() == Some(&id))
        .ok_or_else(|| Refusal::bad("INVALID_TAB_OPERATION", &format!("There is no tab {id} in {kind}.")))
}
