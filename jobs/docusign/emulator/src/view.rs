//! An envelope as the API shows it. Pure.

use serde_json::{Map, Value, json};

use crate::clock::written;
use crate::envelope::{Envelope, Expirations, LISTS, Recipient, Reminders, Status};
use crate::json::put;
use crate::{evidence, routing};

/// The envelope itself; `include` names what else is wanted.
pub fn envelope(it: &Envelope, account: &str, include: &str) -> Map<String, Value> {
    let place = format!("/envelopes/{}", it.id);
    let mut shown = it.said.clone();
    let time = |status: Status| it.reached.get(&status).map(|at| written(*at));
    for (name, value) in [
        ("envelopeId", it.id.clone()),
        ("status", it.status.name().to_owned()),
        ("emailSubject", it.subject.clone()),
        ("envelopeUri", place.clone()),
        ("documentsUri", format!("{place}/documents")),
        ("documentsCombinedUri", format!("{place}/documents/combined")),
        ("certificateUri", format!("{place}/documents/certificate")),
        ("recipientsUri", format!("{place}/recipients")),
        ("customFieldsUri", format!("{place}/custom_fields")),
        ("notificationUri", format!("{place}/notification")),
        ("attachmentsUri", format!("{place}/attachments")),
        ("templatesUri", format!("{place}/templates")),
        ("createdDateTime", written(it.created)),
        ("lastModifiedDateTime", written(it.modified)),
        ("statusChangedDateTime", written(it.status_changed)),
        ("purgeState", it.purge.as_ref().map_or("unpurged".into(), |(state, _)| purge_state(it, state))),
    ] {
        shown.insert(name.into(), json!(value));
    }
    shown.entry("signingLocation").or_insert_with(|| json!("online"));
    put(&mut shown, "transactionId", it.transaction_id.clone());
    put(&mut shown, "sentDateTime", time(Status::Sent));
    put(&mut shown, "initialSentDateTime", time(Status::Sent));
    put(&mut shown, "deliveredDateTime", time(Status::Delivered));
    put(&mut shown, "completedDateTime", time(Status::Completed));
    put(&mut shown, "declinedDateTime", time(Status::Declined));
    put(&mut shown, "voidedDateTime", time(Status::Voided));
    put(&mut shown, "deletedDateTime", time(Status::Deleted));
    put(&mut shown, "voidedReason", it.voided_reason.clone());
    put(&mut shown, "expireDateTime", it.expires().map(written));
    shown.insert("expireEnabled".into(), json!(it.expirations.enabled.to_string()));
    shown.insert("expireAfter".into(), json!(it.expirations.after_days.to_string()));
    shown.insert("sender".into(), sender(it, account));
    let wants = |name: &str| include.split(',').any(|wanted| wanted.trim().eq_ignore_ascii_case(name));
    if wants("custom_fields") {
        shown.insert("customFields".into(), custom_fields(it));
    }
    if wants("recipients") || wants("tabs") {
        shown.insert("recipients".into(), recipients(it, wants("tabs")));
    }
    if wants("documents") {
        shown.insert("envelopeDocuments".into(), Value::Array(documents(it)));
    }
    if wants("folders") {
        shown.insert("folders".into(), json!([{"name": folder(it.status), "type": folder(it.status)}]));
    }
    shown
}

fn folder(status: Status) -> &'static str {
    match status {
        Status::Created | Status::Processing => "draft",
        Status::Deleted => "recyclebin",
        _ => "sentitems",
    }
}

fn purge_state(it: &Envelope, state: &str) -> String {
    if it.purged { state.replace("_queued", "_dequeued") } else { state.to_owned() }
}

pub fn sender(it: &Envelope, account: &str) -> Value {
    json!({
        "userName": "Emulated Sender", "userId": it.sender, "accountId": account, "email": "sender@example.com",
    })
}

pub fn custom_fields(it: &Envelope) -> Value {
    json!({"textCustomFields": it.text_fields, "listCustomFields": it.list_fields})
}

pub fn notification(reminders: &Reminders, expirations: &Expirations) -> Value {
    let mut reminding = json!({
        "reminderEnabled": reminders.enabled.to_string(),
        "reminderDelay": reminders.delay_days.to_string(),
        "reminderFrequency": reminders.frequency_days.to_string(),
    });
    if let Some(most) = reminders.most {
        reminding["maximumReminderCount"] = json!(most.to_string());
    }
    json!({
        "useAccountDefaults": "false",
        "reminders": reminding,
        "expirations": {
            "expireEnabled": expirations.enabled.to_string(),
            "expireAfter": expirations.after_days.to_string(),
            "expireWarn": expirations.warn_days.to_string(),
        },
    })
}

pub fn recipients(it: &Envelope, tabs: bool) -> Value {
    let mut shown = Map::new();
    for (list, (name, ..)) in LISTS.iter().enumerate() {
        let of_list = it.recipients.iter().filter(|recipient| recipient.list == list);
        shown.insert((*name).into(), of_list.map(|one| recipient(one, tabs)).collect());
    }
    shown.insert("recipientCount".into(), json!(it.recipients.len().to_string()));
    if it.status > Status::Processing {
        shown.insert("currentRoutingOrder".into(), json!(routing::current(&it.recipients).to_string()));
    }
    Value::Object(shown)
}

pub fn recipient(it: &Recipient, tabs: bool) -> Value {
    let mut shown = it.said.clone();
    for (name, value) in [
        ("recipientId", it.id.clone()),
        ("recipientIdGuid", it.guid.clone()),
        ("routingOrder", it.order.to_string()),
        ("status", it.stage.name().to_owned()),
        ("recipientType", LISTS[it.list].1.to_owned()),
    ] {
        shown.insert(name.into(), json!(value));
    }
    let count: usize = it.tabs.values().filter_map(Value::as_array).map(Vec::len).sum();
    shown.insert("totalTabCount".into(), json!(count.to_string()));
    put(&mut shown, "sentDateTime", it.sent.map(written));
    put(&mut shown, "deliveredDateTime", it.delivered.map(written));
    put(&mut shown, "signedDateTime", it.signed.map(written));
    put(&mut shown, "declinedDateTime", it.declined.map(written));
    put(&mut shown, "declinedReason", it.declined_reason.clone());
    if tabs {
        shown.insert("tabs".into(), Value::Object(it.tabs.clone()));
    }
    Value::Object(shown)
}

/// The documents in their order, and the certificate once there is something to certify.
pub fn documents(it: &Envelope) -> Vec<Value> {
    let mut ordered: Vec<_> = it.documents.iter().collect();
    ordered.sort_by_key(|document| document.order);
    let place = format!("/envelopes/{}/documents", it.id);
    let mut shown: Vec<Value> = ordered
        .iter()
        .map(|document| {
            let mut shown = document.said.clone();
            for (name, value) in [
                ("documentId", document.id.clone()),
                ("documentIdGuid", document.guid.clone()),
                ("name", document.name.clone()),
                ("type", "content".to_owned()),
                ("uri", format!("{place}/{}", document.id)),
                ("order", document.order.to_string()),
                ("sizeBytes", evidence::document(it, document).len().to_string()),
            ] {
                shown.insert(name.into(), json!(value));
            }
            // Of a document to be signed it is how many there are; of one that is, a list.
            shown.remove("pages");
            Value::Object(shown)
        })
        .collect();
    if it.status > Status::Processing && it.status != Status::Deleted {
        shown.push(json!({
            "documentId": "certificate", "name": "Summary", "type": "summary", "order": "999",
            "uri": format!("{place}/certificate"),
        }));
    }
    shown
}

pub fn audit_events(it: &Envelope) -> Value {
    let mut events: Vec<_> = it.audit.iter().collect();
    events.sort_by_key(|event| event.at);
    let fields = |pairs: &[(&str, &str)]| -> Vec<Value> {
        pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    let shown: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({"eventFields": fields(&[
                ("logTime", &written(event.at)),
                ("Source", "API"),
                ("UserName", &event.user),
                ("UserId", &it.sender),
                ("Action", event.action),
                ("Message", &event.message),
                ("EnvelopeStatus", event.status.name()),
                ("ClientIPAddress", "127.0.0.1"),
                ("Information", &event.message),
                ("InformationLocalized", &event.message),
                ("GeoLocation", ""),
                ("Language", "en"),
            ])})
        })
        .collect();
    json!({"auditEvents": shown})
}
