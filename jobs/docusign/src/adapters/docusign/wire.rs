//! What goes over the wire, in DocuSign's words: all scalars are texts. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{KEY_FIELD, OURS_FIELD, TRANSACTION_FIELD};
use crate::args::{
    CopyArgs, ExpiresArgs, RemindersArgs, SendEnvelopeArgs, SignerArgs, TabArgs, TabKind, ending,
};
use crate::phase::Status;
use crate::provider::{Draft, Found, Stand};

/// What DocuSign is to tell of an envelope.
pub const EVENTS: [&str; 9] = [
    "envelope-sent",
    "envelope-delivered",
    "envelope-completed",
    "envelope-declined",
    "envelope-voided",
    "recipient-sent",
    "recipient-delivered",
    "recipient-completed",
    "recipient-declined",
];

/// The body that makes an envelope.
pub fn envelope(draft: &Draft<'_>, send: bool, webhook: &str) -> Value {
    let args = draft.args;
    let documents = args.documents.iter().zip(draft.documents).zip(1..);
    let documents: Vec<Value> =
        documents.map(|((named, bytes), number)| document(&named.name, bytes, number)).collect();
    let mut envelope = json!({
        "status": if send { "sent" } else { "created" },
        "emailSubject": args.subject,
        "transactionId": draft.reference.transaction,
        "documents": documents,
        "recipients": recipients(args),
        "customFields": custom_fields(draft),
        "notification": notification(args.reminders.as_ref(), args.expires.as_ref()),
    });
    if let (Some(message), Some(into)) = (&args.message, envelope.as_object_mut()) {
        into.insert("emailBlurb".into(), message.as_str().into());
    }
    if let (false, Some(into)) = (webhook.is_empty(), envelope.as_object_mut()) {
        into.insert("eventNotification".into(), event_notification(webhook));
    }
    envelope
}

fn document(name: &str, bytes: &[u8], number: u32) -> Value {
    json!({
        "documentId": number.to_string(),
        "order": number.to_string(),
        "name": name,
        "fileExtension": ending(name),
        "documentBase64": BASE64.encode(bytes),
    })
}

/// Signers are numbered first, then those who get a copy.
fn recipients(args: &SendEnvelopeArgs) -> Value {
    let only = args.documents.len() == 1;
    let signers: Vec<Value> =
        args.signers.iter().zip(1..).map(|(given, id)| signer(given, id, only)).collect();
    let first = args.signers.len() as u32 + 1;
    let copies: Vec<Value> = args.copies.iter().zip(first..).map(|(given, id)| copy(given, id)).collect();
    let mut recipients = json!({ "signers": signers });
    if let (false, Some(into)) = (copies.is_empty(), recipients.as_object_mut()) {
        into.insert("carbonCopies".into(), copies.into());
    }
    recipients
}

fn signer(given: &SignerArgs, id: u32, only_document: bool) -> Value {
    let mut signer = person(given.name.expose(), given.email.expose(), id, given.order);
    if let Some(workflow) = &given.identity_verification {
        signer.insert("identityVerification".into(), json!({ "workflowId": workflow }));
    }
    if let Some(client_user_id) = &given.client_user_id {
        signer.insert("clientUserId".into(), client_user_id.as_str().into());
    }
    if let Some(providers) = &given.signature_providers {
        signer.insert("recipientSignatureProviders".into(), providers.clone());
    }
    let mut tabs = Map::new();
    for given in &given.tabs {
        let of_kind = tabs.entry(tabs_of(given.kind)).or_insert_with(|| json!([]));
        if let Some(list) = of_kind.as_array_mut() {
            list.push(tab(given, only_document));
        }
    }
    if !tabs.is_empty() {
        signer.insert("tabs".into(), tabs.into());
    }
    signer.into()
}

fn copy(given: &CopyArgs, id: u32) -> Value {
    let mut copy = person(given.name.expose(), given.email.expose(), id, given.order);
    if let Some(workflow) = &given.identity_verification {
        copy.insert("identityVerification".into(), json!({ "workflowId": workflow }));
    }
    copy.into()
}

fn person(name: &str, email: &str, id: u32, order: u32) -> Map<String, Value> {
    let fields = [
        ("recipientId", id.to_string()),
        ("routingOrder", order.to_string()),
        ("name", name.to_owned()),
        ("email", email.to_owned()),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
}

fn tabs_of(kind: TabKind) -> &'static str {
    match kind {
        TabKind::SignHere => "signHereTabs",
        TabKind::InitialHere => "initialHereTabs",
        TabKind::DateSigned => "dateSignedTabs",
        TabKind::FullName => "fullNameTabs",
    }
}

fn tab(given: &TabArgs, only_document: bool) -> Value {
    let mut tab = Map::new();
    let mut put = |key: &str, value: String| tab.insert(key.into(), value.into());
    match given.document {
        Some(number) => drop(put("documentId", number.to_string())),
        None if only_document => drop(put("documentId", "1".into())),
        None => {}
    }
    match (&given.anchor, given.page) {
        (Some(anchor), _) => {
            put("anchorString", anchor.clone());
            put("anchorUnits", "pixels".into());
            put("anchorXOffset", given.x.to_string());
            put("anchorYOffset", given.y.to_string());
            put("anchorIgnoreIfNotPresent", given.may_be_missing.to_string());
        }
        (None, page) => {
            put("pageNumber", page.unwrap_or(1).to_string());
            put("xPosition", given.x.to_string());
            put("yPosition", given.y.to_string());
        }
    }
    tab.into()
}

fn custom_fields(draft: &Draft<'_>) -> Value {
    let field = |name: &str, value: &str, show: &str| json!({ "name": name, "value": value, "show": show, "required": "false" });
    let ours = [
        (KEY_FIELD, &draft.reference.key),
        (TRANSACTION_FIELD, &draft.reference.transaction),
        (OURS_FIELD, &draft.reference.installation),
    ];
    let ours = ours.map(|(name, value)| field(name, value, "false"));
    let theirs = draft.args.custom_fields.iter().map(|(name, value)| field(name, value, "true"));
    json!({ "textCustomFields": ours.into_iter().chain(theirs).collect::<Vec<_>>() })
}

fn notification(reminders: Option<&RemindersArgs>, expires: Option<&ExpiresArgs>) -> Value {
    let mut notification = Map::new();
    // What is not said is as the account has it.
    let defaults = reminders.is_none() && expires.is_none();
    notification.insert("useAccountDefaults".into(), defaults.to_string().into());
    if let Some(RemindersArgs { after_days, every_days }) = reminders {
        let told = json!({
            "reminderEnabled": "true",
            "reminderDelay": after_days.to_string(),
            "reminderFrequency": every_days.to_string(),
        });
        notification.insert("reminders".into(), told);
    }
    if let Some(ExpiresArgs { after_days, warn_days }) = expires {
        let told = json!({
            "expireEnabled": "true",
            "expireAfter": after_days.to_string(),
            "expireWarn": warn_days.to_string(),
        });
        notification.insert("expirations".into(), told);
    }
    notification.into()
}

/// Of what it could tell, no more than we need: what we do not get, we cannot lose.
fn event_notification(webhook: &str) -> Value {
    json!({
        "url": webhook,
        "events": EVENTS,
        "deliveryMode": "SIM",
        "eventData": { "version": "restv2.1", "format": "json", "includeData": ["custom_fields"] },
        "includeHMAC": "true",
        "loggingEnabled": "true",
        // So it is called here; the setting of an account is spelt otherwise.
        "requireAcknowledgment": "true",
    })
}

#[derive(Debug, Deserialize)]
pub struct Made {
    #[serde(rename = "envelopeId")]
    pub envelope_id: Option<String>,
}

/// Of a list, or an envelope.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub envelope_id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub created_date_time: Option<String>,
    #[serde(default)]
    pub status_changed_date_time: Option<String>,
    #[serde(default)]
    pub recipients: Option<Value>,
    #[serde(default)]
    pub custom_fields: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelopes {
    /// It is left out when there is none; then this says so.
    #[serde(default)]
    pub result_set_size: Option<String>,
    #[serde(default)]
    pub envelopes: Option<Vec<Envelope>>,
    #[serde(default)]
    pub envelope_transaction_statuses: Vec<OfTransaction>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfTransaction {
    #[serde(default)]
    pub envelope_id: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
}

impl Envelopes {
    /// Nothing at all is no answer, and not one that says that there is none.
    pub fn is_an_answer(&self) -> bool {
        let Self { result_set_size, envelopes, envelope_transaction_statuses } = self;
        envelopes.is_some()
            || !envelope_transaction_statuses.is_empty()
            || result_set_size.as_deref() == Some("0")
    }
}

/// What nobody has told us of is out: whoever took it for nothing would send another.
pub fn status_of(text: &str) -> Status {
    Status::parse(text).unwrap_or(Status::Sent)
}

impl Envelope {
    pub fn found(&self) -> Found {
        let made_at = self.created_date_time.as_deref().and_then(time);
        Found { id: self.envelope_id.clone(), status: status_of(&self.status), made_at, transaction: None }
    }

    /// None where fields are not shown, and within it none where it has not this one.
    pub fn custom_field(&self, name: &str) -> Option<Option<&str>> {
        let fields = self.custom_fields.as_ref()?.get("textCustomFields")?.as_array()?;
        let field = fields.iter().find(|field| field.get("name").and_then(Value::as_str) == Some(name));
        Some(field.and_then(|field| field.get("value")).and_then(Value::as_str))
    }

    pub fn stand(&self) -> Option<Stand> {
        let recipients = self.recipients.as_ref().and_then(Value::as_object);
        let each = recipients.into_iter().flatten().filter_map(|(_, list)| list.as_array()).flatten();
        let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Stand {
            status: Status::parse(&self.status)?,
            changed_at: self.status_changed_date_time.as_deref().and_then(time),
            recipients: each
                .filter_map(|one| Some((text(one, "recipientId")?, text(one, "status").unwrap_or_default())))
                .collect(),
        })
    }
}

/// DocuSign writes seven digits behind the dot.
pub fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provider::Reference;

    fn reference() -> Reference {
        Reference {
            installation: "us".into(),
            key: "k-1".into(),
            transaction: "t-1".into(),
            is_old: false,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    fn args() -> SendEnvelopeArgs {
        serde_json::from_value(json!({
            "key": "k", "subject": "Report", "message": "Please sign.",
            "documents": [{ "name": "report.pdf", "artifact": "file:a" }],
            "signers": [
                { "name": "Ada", "email": "ada@example.org", "tabs": [{ "anchor": "/sign/", "y": 4 }, { "kind": "date_signed", "page": 2, "x": 7 }] },
                { "name": "Alan", "email": "alan@example.org", "order": 2, "client_user_id": "u-1", "identity_verification": "w-1" },
            ],
            "copies": [{ "name": "Grace", "email": "grace@example.org", "order": 3 }],
            "expires": { "after_days": 30 },
            "custom_fields": { "engagement": "4711" },
        }))
        .unwrap()
    }

    #[test]
    fn an_envelope_is_written_as_docusign_reads_it() {
        let reference = reference();
        let args = args();
        let draft = Draft { reference: &reference, args: &args, documents: &[b"%PDF-1".to_vec()] };

        let made = envelope(&draft, false, "https://us.example/v1/webhooks/docusign");

        assert_eq!(made["status"], "created");
        assert_eq!(
            made["documents"],
            json!([{ "documentId": "1", "order": "1", "name": "report.pdf", "fileExtension": "pdf", "documentBase64": "JVBERi0x" }])
        );
        assert_eq!(
            made["recipients"]["signers"][0]["tabs"],
            json!({
                "signHereTabs": [{ "documentId": "1", "anchorString": "/sign/", "anchorUnits": "pixels", "anchorXOffset": "0", "anchorYOffset": "4", "anchorIgnoreIfNotPresent": "false" }],
                "dateSignedTabs": [{ "documentId": "1", "pageNumber": "2", "xPosition": "7", "yPosition": "0" }],
            })
        );
        assert_eq!(
            made["recipients"]["signers"][1],
            json!({ "recipientId": "2", "routingOrder": "2", "name": "Alan", "email": "alan@example.org", "clientUserId": "u-1", "identityVerification": { "workflowId": "w-1" } })
        );
        assert_eq!(made["recipients"]["carbonCopies"][0]["recipientId"], "3");
        let hidden = |name: &str, value: &str| json!({ "name": name, "value": value, "show": "false", "required": "false" });
        assert_eq!(
            made["customFields"]["textCustomFields"].as_array().unwrap()[..3],
            [hidden(KEY_FIELD, "k-1"), hidden(TRANSACTION_FIELD, "t-1"), hidden(OURS_FIELD, "us")]
        );
        assert_eq!(
            made["notification"],
            json!({ "useAccountDefaults": "false", "expirations": { "expireEnabled": "true", "expireAfter": "30", "expireWarn": "0" } })
        );
        assert_eq!(made["eventNotification"]["requireAcknowledgment"], "true");
    }

    #[test]
    fn without_a_webhook_nothing_is_told() {
        let reference = reference();
        let args = args();
        let draft = Draft { reference: &reference, args: &args, documents: &[b"%PDF-1".to_vec()] };

        assert_eq!(envelope(&draft, true, "").get("eventNotification"), None);
    }

    #[test]
    fn a_stand_has_the_recipients_by_number() {
        let envelope: Envelope = serde_json::from_value(json!({
            "envelopeId": "e-1", "status": "completed", "statusChangedDateTime": "2026-11-28T10:00:00.1234567Z",
            "recipients": { "recipientCount": "2", "signers": [{ "recipientId": "1", "status": "completed" }], "carbonCopies": [{ "recipientId": "2" }] },
        }))
        .unwrap();

        let stand = envelope.stand().unwrap();

        assert_eq!(stand.status, Status::Completed);
        assert_eq!(stand.recipients, [("2".into(), String::new()), ("1".into(), "completed".into())]);
        assert!(stand.changed_at.is_some());
    }
}
