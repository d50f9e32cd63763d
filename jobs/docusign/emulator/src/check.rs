//! From what a caller wrote to an envelope: what is read, and what is refused. Pure but for the ids it draws.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::anchors;
use crate::envelope::{Document, Envelope, Expirations, LISTS, Recipient, Reminders, Stage, Status};
use crate::json::{number, object, objects, text, truth};
use crate::refusal::Refusal;
use crate::switches::Anchors;

const LONGEST_SUBJECT: usize = 100;
const LONGEST_FIELD: usize = 100;

/// Files that came beside the JSON, by their `documentid`.
pub type Files = BTreeMap<String, File>;

#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub bytes: Bytes,
}

pub type Fields = Map<String, Value>;

/// A new envelope, which is a draft yet.
pub fn envelope(
    said: &Fields,
    files: &Files,
    sender: &str,
    how: Anchors,
    now: Timestamp,
) -> Result<Envelope, Refusal> {
    let subject = subject(said)?;
    let documents = documents(said, files)?;
    let mut recipients = match object(said, "recipients") {
        Some(lists) => recipients(lists, &[])?,
        None => Vec::new(),
    };
    for recipient in &mut recipients {
        tabs(recipient, &documents, how)?;
    }
    let (text_fields, list_fields) = match object(said, "customFields") {
        Some(fields) => {
            (custom_fields(fields, "textCustomFields")?, custom_fields(fields, "listCustomFields")?)
        }
        None => (Vec::new(), Vec::new()),
    };
    let (reminders, expirations) = notification(object(said, "notification"));
    let one = object(said, "eventNotification");
    let notifications: Vec<Fields> =
        one.into_iter().chain(objects(said, "eventNotifications")).cloned().collect();
    for notification in &notifications {
        event_notification(notification)?;
    }
    let kept = said.iter().filter(|(name, value)| KEPT.contains(&name.as_str()) && !value.is_null());
    Ok(Envelope {
        id: Uuid::new_v4().to_string(),
        status: Status::Created,
        after_processing: Status::Created,
        subject,
        transaction_id: text(said, "transactionId"),
        sender: sender.into(),
        documents,
        recipients,
        text_fields,
        list_fields,
        reminders,
        expirations,
        notifications,
        said: kept.map(|(name, value)| (name.clone(), value.clone())).collect(),
        created: now,
        modified: now,
        status_changed: now,
        reached: [(Status::Created, now)].into(),
        voided_reason: None,
        purge: None,
        purged: false,
        processed_at: None,
        reminded: 0,
        resent: 0,
        warned: false,
        audit: Vec::new(),
    })
}

/// What is given back as it was said.
pub const KEPT: &[&str] = &[
    "emailBlurb",
    "allowMarkup",
    "allowReassign",
    "allowViewHistory",
    "authoritativeCopy",
    "autoNavigation",
    "brandId",
    "enableWetSign",
    "enforceSignerVisibility",
    "envelopeIdStamping",
    "externalEnvelopeId",
    "is21CFRPart11",
    "signingLocation",
    "useDisclosure",
    "asynchronous",
    "emailSettings",
    "allowComments",
    "allowRecipientRecursion",
    "disableResponsiveDocument",
    "messageLock",
    "recipientsLock",
    "signerCanSignOnMobile",
];

/// The subject of the mail; too long is an error, and never cut.
pub fn subject(said: &Fields) -> Result<String, Refusal> {
    let subject = text(said, "emailSubject").unwrap_or_default();
    match subject.chars().count() {
        0..=LONGEST_SUBJECT => Ok(subject),
        length => Err(Refusal::parameter(&format!(
            "The email subject has {length} characters, and may have {LONGEST_SUBJECT} (emailSubject)."
        ))),
    }
}

pub fn documents(said: &Fields, files: &Files) -> Result<Vec<Document>, Refusal> {
    let mut found: Vec<Document> = Vec::new();
    for (at, document) in objects(said, "documents").enumerate() {
        let id =
            text(document, "documentId").filter(|id| id.parse::<u32>().is_ok_and(|id| id > 0)).ok_or_else(
                || Refusal::parameter(&format!("documents[{at}].documentId must be a positive number.")),
            )?;
        if found.iter().any(|other| other.id == id) {
            return Err(Refusal::parameter(&format!("The documentId {id} is given more than once.")));
        }
        let unloaded = |why: &str| {
            Refusal::bad("UNABLE_TO_LOAD_DOCUMENT", &format!("Unable to load the document {id}. {why}"))
        };
        let bytes = match (text(document, "documentBase64"), files.get(&id)) {
            (Some(base64), _) => {
                let tight: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                STANDARD.decode(tight).map_err(|_| unloaded("documentBase64 is no base64."))?.into()
            }
            (None, Some(file)) => file.bytes.clone(),
            (None, None) => return Err(unloaded("It has no documentBase64 and no part of its own.")),
        };
        if bytes.is_empty() {
            return Err(unloaded("It is empty."));
        }
        let file_name = files.get(&id).map(|file| file.name.clone()).filter(|name| !name.is_empty());
        let name = text(document, "name").or(file_name).unwrap_or_else(|| format!("Document {id}"));
        let mut said = document.clone();
        said.remove("documentBase64");
        found.push(Document {
            guid: Uuid::new_v4().to_string(),
            order: number(document, "order").unwrap_or(at as u32 + 1),
            id,
            name,
            bytes,
            said,
        });
    }
    Ok(found)
}

/// Recipients in the lists that they come in, beside those that are there already.
pub fn recipients(lists: &Fields, there: &[Recipient]) -> Result<Vec<Recipient>, Refusal> {
    let mut ids: BTreeSet<String> = there.iter().map(|recipient| recipient.id.clone()).collect();
    let mut found = Vec::new();
    for (list, (name, ..)) in LISTS.iter().enumerate() {
        for (at, recipient) in objects(lists, name).enumerate() {
            let id = text(recipient, "recipientId")
                .ok_or_else(|| Refusal::parameter(&format!("{name}[{at}].recipientId must be given.")))?;
            if !ids.insert(id.clone()) {
                return Err(Refusal::parameter(&format!("The recipientId {id} is given more than once.")));
            }
            let found_here = new_recipient(list, id, recipient)?;
            found.push(found_here);
        }
    }
    Ok(found)
}

fn new_recipient(list: usize, id: String, recipient: &Fields) -> Result<Recipient, Refusal> {
    person(list, &id, recipient)?;
    let mut said = recipient.clone();
    let tabs = said.remove("tabs").and_then(|tabs| tabs.as_object().cloned()).unwrap_or_default();
    Ok(Recipient {
        list,
        guid: Uuid::new_v4().to_string(),
        order: number(recipient, "routingOrder").filter(|order| *order > 0).unwrap_or(1),
        id,
        stage: Stage::Created,
        sent: None,
        delivered: None,
        signed: None,
        declined: None,
        declined_reason: None,
        said,
        tabs,
    })
}

/// A recipient has a name and an address, the host's where one signs in person.
pub fn person(list: usize, id: &str, recipient: &Fields) -> Result<(), Refusal> {
    let (name, email) = match LISTS[list].0 {
        "inPersonSigners" => ("hostName", "hostEmail"),
        _ => ("name", "email"),
    };
    if text(recipient, name).is_none() && text(recipient, "signingGroupId").is_none() {
        return Err(Refusal::bad(
            "INVALID_USERNAME_FOR_RECIPIENT",
            &format!("The user name for the recipient is invalid. The recipient Id follows. {id}"),
        ));
    }
    let address = text(recipient, email).unwrap_or_default();
    let elsewhere = ["phoneNumber", "signingGroupId"].iter().any(|name| recipient.contains_key(*name));
    if !is_address(&address) && !(address.is_empty() && elsewhere) {
        return Err(Refusal::bad(
            "INVALID_EMAIL_ADDRESS_FOR_RECIPIENT",
            &format!("The email address for the recipient is invalid. The recipient Id follows. {id}"),
        ));
    }
    Ok(())
}

fn is_address(text: &str) -> bool {
    let Some((user, host)) = text.rsplit_once('@') else { return false };
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
    };
    !user.is_empty()
        && text.len() <= 100
        && !text.chars().any(|c| c.is_whitespace() || "<>(),;:\\\"".contains(c))
        && !user.contains('@')
        && host.contains('.')
        && host.split('.').all(label)
}

/// Gives the tabs of a recipient their ids, and refuses those that hang in the air.
pub fn tabs(recipient: &mut Recipient, documents: &[Document], how: Anchors) -> Result<(), Refusal> {
    let (id, mut kept) = (recipient.id.clone(), Fields::new());
    for (kind, tabs) in std::mem::take(&mut recipient.tabs) {
        let mut of_kind = Vec::new();
        for tab in tabs.as_array().into_iter().flatten().filter_map(Value::as_object) {
            of_kind.extend(placed(tab, &id, documents, how)?.map(Value::Object));
        }
        if !of_kind.is_empty() {
            kept.insert(kind, Value::Array(of_kind));
        }
    }
    recipient.tabs = kept;
    Ok(())
}

/// A tab where it belongs, or nothing where its anchor is missing and may be.
fn placed(
    tab: &Fields,
    recipient: &str,
    documents: &[Document],
    how: Anchors,
) -> Result<Option<Fields>, Refusal> {
    let mut tab = tab.clone();
    let document = text(&tab, "documentId");
    if let Some(id) = document.as_deref().filter(|id| !documents.iter().any(|document| document.id == **id)) {
        return Err(Refusal::bad(
            "TAB_REFERS_TO_MISSING_DOCUMENT",
            &format!("Tab refers to a document which is not in the envelope. Specified document id: {id}"),
        ));
    }
    if let Some(anchor) = text(&tab, "anchorString") {
        let strict = truth(&tab, "anchorCaseSensitive");
        let mut where_to = documents.iter().filter(|it| document.as_deref().is_none_or(|id| it.id == id));
        let there = match how {
            Anchors::Found => true,
            Anchors::Missing => false,
            Anchors::Look => where_to.any(|document| anchors::contains(&document.bytes, &anchor, strict)),
        };
        if !there && truth(&tab, "anchorIgnoreIfNotPresent") {
            return Ok(None);
        }
        if !there {
            return Err(Refusal::bad(
                "ANCHOR_TAG_PROCESSING_FAILURE",
                &format!(
                    "An Error occurred during anchor tag processing. Invalid document: anchor string '{anchor}' not found."
                ),
            ));
        }
    }
    tab.insert("recipientId".into(), json!(recipient));
    tab.entry("documentId").or_insert_with(|| json!(documents.first().map_or("1", |document| &document.id)));
    tab.entry("pageNumber").or_insert_with(|| json!("1"));
    tab.entry("tabId").or_insert_with(|| json!(Uuid::new_v4().to_string()));
    Ok(Some(tab))
}

/// The custom fields of one kind, each with its id.
pub fn custom_fields(fields: &Fields, kind: &str) -> Result<Vec<Fields>, Refusal> {
    let mut found = Vec::new();
    for (at, field) in objects(fields, kind).enumerate() {
        let name = text(field, "name")
            .ok_or_else(|| Refusal::parameter(&format!("{kind}[{at}].name must be given.")))?;
        field_value(&name, field)?;
        let mut field = field.clone();
        field.entry("fieldId").or_insert_with(|| json!(Uuid::new_v4().as_u64_pair().0.to_string()));
        for (usual, value) in [("show", "false"), ("required", "false"), ("value", "")] {
            field.entry(usual).or_insert_with(|| json!(value));
        }
        found.push(field);
    }
    Ok(found)
}

pub fn field_value(name: &str, field: &Fields) -> Result<(), Refusal> {
    match text(field, "value").map_or(0, |value| value.chars().count()) {
        0..=LONGEST_FIELD => Ok(()),
        length => Err(Refusal::parameter(&format!(
            "The value of the custom field '{name}' has {length} characters, and may have {LONGEST_FIELD}."
        ))),
    }
}

pub fn notification(said: Option<&Fields>) -> (Reminders, Expirations) {
    let reminders =
        said.and_then(|said| object(said, "reminders")).map_or_else(Reminders::default, |said| Reminders {
            enabled: truth(said, "reminderEnabled"),
            delay_days: number(said, "reminderDelay").unwrap_or(0),
            frequency_days: number(said, "reminderFrequency").unwrap_or(0),
            most: number(said, "maximumReminderCount").filter(|most| *most > 0),
        });
    let usual = Expirations::default();
    let expirations = said.and_then(|said| object(said, "expirations")).map_or(usual, |said| {
        // Without an explicit true the account's own default holds.
        let own = truth(said, "expireEnabled");
        Expirations {
            enabled: true,
            after_days: number(said, "expireAfter")
                .filter(|days| own && *days > 0)
                .unwrap_or(usual.after_days),
            warn_days: number(said, "expireWarn").unwrap_or(0),
        }
    });
    (reminders, expirations)
}

fn event_notification(said: &Fields) -> Result<(), Refusal> {
    let url = text(said, "url").unwrap_or_default();
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Refusal::parameter(&format!("The url '{url}' of the eventNotification is none.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
