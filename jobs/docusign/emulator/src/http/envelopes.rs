//! One envelope: looked at, sent, voided, resent, purged; its fields, notifications and history.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, Answered, Call};
use crate::check;
use crate::envelope::{Envelope, Status};
use crate::json::{object, objects, text};
use crate::life::{self, Event};
use crate::refusal::Refusal;
use crate::state::State;
use crate::switches::Again;
use crate::view;

pub fn get(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let include = call.query("include").unwrap_or_default();
    let envelope = state.envelope(call.place("envelope"))?;
    Answer::ok(Value::Object(view::envelope(envelope, &state.account_id, &include)))
}

/// `PUT …/envelopes/{id}`: what is to be done is in the body, or in the query for sending it again.
pub fn put(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let id = call.place("envelope").to_owned();
    let said = match call.body.is_empty() {
        true => serde_json::Map::new(),
        false => call.json_of("envelope", &state.switches)?,
    };
    let (resend, again) = (call.asks("resend_envelope"), state.switches.send_again);
    state.change(&id, now, |envelope| {
        let mut events = Vec::new();
        edit(envelope, &said, now)?;
        if let Some(wanted) = text(&said, "purgeState") {
            events.extend(life::purge(envelope, &wanted, now)?);
        }
        if let Some(wanted) = text(&said, "status") {
            events.extend(turn_into(envelope, &wanted.to_ascii_lowercase(), &said, again, now)?);
        }
        if resend {
            events.extend(life::resend(envelope, now)?);
        }
        Ok(events)
    })?;
    let envelope = state.envelope(&id)?;
    let mut answer = json!({"envelopeId": envelope.id});
    if let Some((purge, _)) = &envelope.purge {
        answer["purgeState"] = json!(purge);
    }
    Answer::ok(answer)
}

/// What may be changed of a draft, or of one that is out.
fn edit(envelope: &mut Envelope, said: &check::Fields, now: Timestamp) -> Result<(), Refusal> {
    let edits: Vec<&str> = ["emailSubject", "emailBlurb", "notification", "customFields"]
        .into_iter()
        .filter(|name| said.get(*name).is_some_and(|value| !value.is_null()))
        .collect();
    if edits.is_empty() {
        return Ok(());
    }
    open(envelope)?;
    for name in edits {
        match name {
            "emailSubject" => envelope.subject = check::subject(said)?,
            "notification" => {
                (envelope.reminders, envelope.expirations) =
                    check::notification(object(said, "notification"));
            }
            "customFields" => add_fields(envelope, said)?,
            other => {
                envelope.said.insert(other.into(), said[other].clone());
            }
        }
    }
    envelope.modified = now;
    Ok(())
}

fn add_fields(envelope: &mut Envelope, said: &check::Fields) -> Result<(), Refusal> {
    let Some(fields) = object(said, "customFields") else { return Ok(()) };
    envelope.text_fields.extend(check::custom_fields(fields, "textCustomFields")?);
    envelope.list_fields.extend(check::custom_fields(fields, "listCustomFields")?);
    Ok(())
}

/// Refuses to change what is over.
pub fn open(envelope: &Envelope) -> Result<(), Refusal> {
    if envelope.status.is_final() { Err(Refusal::invalid_status()) } else { Ok(()) }
}

fn turn_into(
    envelope: &mut Envelope,
    wanted: &str,
    said: &check::Fields,
    again: Again,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    match (wanted, envelope.status) {
        ("sent", Status::Created) => life::send(envelope, now),
        ("sent", status) if status.is_out() && again == Again::Accepted => Ok(Vec::new()),
        ("created", Status::Created) => Ok(Vec::new()),
        ("voided", _) => {
            let reason = text(said, "voidedReason").ok_or_else(|| {
                Refusal::parameter("Value for 'voidedReason' must be specified when voiding an envelope.")
            })?;
            life::void(envelope, &reason, now)
        }
        ("deleted", Status::Created) => Ok(life::delete(envelope, now)),
        _ => Err(Refusal::invalid_status()),
    }
}

pub fn audit_events(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    Answer::ok(view::audit_events(state.envelope(call.place("envelope"))?))
}

pub fn custom_fields(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    Answer::ok(view::custom_fields(state.envelope(call.place("envelope"))?))
}

fn fields(
    state: &mut State,
    call: &Call,
    now: Timestamp,
    change: fn(&mut Vec<check::Fields>, Vec<check::Fields>) -> Result<(), Refusal>,
) -> Result<Value, Refusal> {
    let said = call.json_of("customFields", &state.switches)?;
    let id = call.place("envelope");
    state.change(id, now, |envelope| {
        open(envelope)?;
        change(&mut envelope.text_fields, objects(&said, "textCustomFields").cloned().collect())?;
        change(&mut envelope.list_fields, objects(&said, "listCustomFields").cloned().collect())?;
        envelope.modified = now;
        Ok(Vec::new())
    })?;
    Ok(view::custom_fields(state.envelope(id)?))
}

pub fn add_custom_fields(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let shown = fields(state, call, now, |there, more| {
        let more = serde_json::Map::from_iter([("fields".to_owned(), json!(more))]);
        there.extend(check::custom_fields(&more, "fields")?);
        Ok(())
    })?;
    Ok(Answer::json(201, shown))
}

pub fn put_custom_fields(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let shown = fields(state, call, now, |there, changes| {
        for change in changes {
            let field = same(there, &change)?;
            check::field_value(&text(field, "name").unwrap_or_default(), &change)?;
            field.extend(change);
        }
        Ok(())
    })?;
    Answer::ok(shown)
}

pub fn delete_custom_fields(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let shown = fields(state, call, now, |there, gone| {
        for field in &gone {
            same(there, field)?;
        }
        let id = |field: &check::Fields| text(field, "fieldId");
        there.retain(|field| !gone.iter().any(|gone| id(gone) == id(field)));
        Ok(())
    })?;
    Answer::ok(shown)
}

fn same<'a>(
    there: &'a mut [check::Fields],
    wanted: &check::Fields,
) -> Result<&'a mut check::Fields, Refusal> {
    let id = text(wanted, "fieldId");
    let found = there.iter_mut().find(|field| id.is_some() && text(field, "fieldId") == id);
    found.ok_or_else(|| {
        Refusal::parameter(&format!("There is no custom field with the fieldId {}.", id.unwrap_or_default()))
    })
}

pub fn notification(state: &mut State, call: &Call, _: Timestamp) -> Answered {
    let envelope = state.envelope(call.place("envelope"))?;
    Answer::ok(view::notification(&envelope.reminders, &envelope.expirations))
}

pub fn put_notification(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    let said = call.json_of("envelopeNotificationRequest", &state.switches)?;
    state.change(call.place("envelope"), now, |envelope| {
        open(envelope)?;
        let (reminders, expirations) = check::notification(Some(&said));
        if object(&said, "reminders").is_some() {
            envelope.reminders = reminders;
        }
        if object(&said, "expirations").is_some() {
            envelope.expirations = expirations;
        }
        envelope.modified = now;
        Ok(Vec::new())
    })?;
    notification(state, call, now)
}

/// `PUT …/folders/recyclebin`: the only way to be rid of a draft.
pub fn move_to_folder(state: &mut State, call: &Call, now: Timestamp) -> Answered {
    if !call.place("folder").eq_ignore_ascii_case("recyclebin") {
        return Err(Refusal::bad("FOLDER_DOES_NOT_EXIST", "The emulator has no folder but recyclebin."));
    }
    let said = call.json()?;
    let ids: Vec<&str> = said
        .get("envelopeIds")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for id in &ids {
        state.envelope(id)?;
    }
    for id in ids {
        state.change(id, now, |envelope| Ok(life::delete(envelope, now)))?;
    }
    Answer::ok(json!({"folders": [], "envelopes": []}))
}
