//! What an envelope is here: documents, recipients, times, and whatever its maker said beside that.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The state of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Created,
    Processing,
    Sent,
    Delivered,
    Completed,
    Declined,
    Voided,
    Deleted,
}

impl Status {
    pub const fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Processing => "processing",
            Status::Sent => "sent",
            Status::Delivered => "delivered",
            Status::Completed => "completed",
            Status::Declined => "declined",
            Status::Voided => "voided",
            Status::Deleted => "deleted",
        }
    }

    /// Nothing comes after it.
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Completed | Status::Declined | Status::Voided | Status::Deleted)
    }

    /// It is with its recipients.
    pub const fn is_out(self) -> bool {
        matches!(self, Status::Sent | Status::Delivered)
    }
}

/// How far a recipient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Created,
    Sent,
    Delivered,
    Completed,
    Declined,
}

impl Stage {
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Created => "created",
            Stage::Sent => "sent",
            Stage::Delivered => "delivered",
            Stage::Completed => "completed",
            Stage::Declined => "declined",
        }
    }
}

/// What a recipient has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Signs,
    /// Opens it, and is done.
    Views,
    /// Gets a copy, and is done.
    Copied,
}

/// The lists in which recipients come, and what those of each have to do.
pub const LISTS: &[(&str, &str, Part)] = &[
    ("signers", "signer", Part::Signs),
    ("inPersonSigners", "inPersonSigner", Part::Signs),
    ("carbonCopies", "carboncopy", Part::Copied),
    ("certifiedDeliveries", "certifieddelivery", Part::Views),
    ("agents", "agent", Part::Views),
    ("editors", "editor", Part::Views),
    ("intermediaries", "intermediary", Part::Views),
];

#[derive(Debug, Clone)]
pub struct Recipient {
    /// The place of its list in [`LISTS`].
    pub list: usize,
    pub id: String,
    pub guid: String,
    pub order: u32,
    pub stage: Stage,
    pub sent: Option<Timestamp>,
    pub delivered: Option<Timestamp>,
    pub signed: Option<Timestamp>,
    pub declined: Option<Timestamp>,
    pub declined_reason: Option<String>,
    /// Everything its maker said, without the tabs.
    pub said: Map<String, Value>,
    pub tabs: Map<String, Value>,
}

impl Recipient {
    pub fn part(&self) -> Part {
        LISTS[self.list].2
    }

    pub fn name(&self) -> String {
        let name =
            crate::json::text(&self.said, "name").or_else(|| crate::json::text(&self.said, "hostName"));
        name.unwrap_or_default()
    }

    pub fn email(&self) -> String {
        let email =
            crate::json::text(&self.said, "email").or_else(|| crate::json::text(&self.said, "hostEmail"));
        email.unwrap_or_default()
    }

    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Completed | Stage::Declined)
    }
}

#[derive(Debug, Clone)]
pub struct Document {
    pub id: String,
    pub guid: String,
    pub name: String,
    pub order: u32,
    /// As it was handed in; what is given out is made of it.
    pub bytes: Bytes,
    pub said: Map<String, Value>,
}

/// One line of the history that `audit_events` shows.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    pub at: Timestamp,
    pub action: &'static str,
    pub message: String,
    pub user: String,
    pub status: Status,
}

#[derive(Debug, Clone)]
pub struct Envelope {
    pub id: String,
    pub status: Status,
    /// What it becomes when it is no longer `processing`.
    pub after_processing: Status,
    pub subject: String,
    pub transaction_id: Option<String>,
    pub sender: String,
    pub documents: Vec<Document>,
    pub recipients: Vec<Recipient>,
    pub text_fields: Vec<Map<String, Value>>,
    pub list_fields: Vec<Map<String, Value>>,
    pub reminders: Reminders,
    pub expirations: Expirations,
    /// What events are told about it, and where to.
    pub notifications: Vec<Map<String, Value>>,
    /// Scalars that its maker said and that are given back as they are.
    pub said: Map<String, Value>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub status_changed: Timestamp,
    /// The first time that it came to each state.
    pub reached: BTreeMap<Status, Timestamp>,
    pub voided_reason: Option<String>,
    pub purge: Option<(String, Timestamp)>,
    pub purged: bool,
    pub processed_at: Option<Timestamp>,
    pub reminded: u32,
    pub resent: u32,
    pub warned: bool,
    pub audit: Vec<AuditEvent>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reminders {
    pub enabled: bool,
    pub delay_days: u32,
    pub frequency_days: u32,
    pub most: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expirations {
    pub enabled: bool,
    pub after_days: u32,
    pub warn_days: u32,
}

impl Default for Expirations {
    /// What an account has by default.
    fn default() -> Self {
        Self { enabled: true, after_days: 120, warn_days: 0 }
    }
}

impl Envelope {
    pub fn recipient(&self, id: &str) -> Option<&Recipient> {
        self.recipients.iter().find(|recipient| recipient.id == id || recipient.guid == id)
    }

    pub fn recipient_mut(&mut self, id: &str) -> Option<&mut Recipient> {
        self.recipients.iter_mut().find(|recipient| recipient.id == id || recipient.guid == id)
    }

    pub fn document(&self, id: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.id == id || document.guid == id)
    }

    /// The value of a custom field.
    pub fn custom_field(&self, name: &str) -> Option<String> {
        let named = |field: &&Map<String, Value>| crate::json::text(field, "name").as_deref() == Some(name);
        let field = self.text_fields.iter().chain(&self.list_fields).find(named)?;
        crate::json::text(field, "value")
    }

    pub fn sent(&self) -> Option<Timestamp> {
        self.reached.get(&Status::Sent).copied()
    }

    pub fn expires(&self) -> Option<Timestamp> {
        let begins = self.sent().unwrap_or(self.created);
        self.expirations.enabled.then(|| after_days(begins, self.expirations.after_days))
    }
}

pub fn after_days(at: Timestamp, days: u32) -> Timestamp {
    let hours = jiff::SignedDuration::from_hours(24 * i64::from(days));
    at.checked_add(hours).unwrap_or(Timestamp::MAX)
}
