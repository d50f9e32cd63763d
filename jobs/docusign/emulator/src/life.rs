//! What can happen to an envelope, and what follows of it. Pure: an envelope and a time come in, and events go out.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::envelope::{AuditEvent, Envelope, Part, Recipient, Stage, Status, after_days};
use crate::refusal::Refusal;
use crate::routing;

/// Something that is told: an event of Connect, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: &'static str,
    pub recipient: Option<String>,
}

fn event(name: &'static str) -> Event {
    Event { name, recipient: None }
}

fn of(name: &'static str, recipient: &Recipient) -> Event {
    Event { name, recipient: Some(recipient.id.clone()) }
}

/// What a recipient does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    View,
    Sign,
    Decline(String),
}

pub fn note(envelope: &mut Envelope, now: Timestamp, action: &'static str, user: &str, message: &str) {
    let status = envelope.status;
    envelope.audit.push(AuditEvent { at: now, action, message: message.into(), user: user.into(), status });
}

fn becomes(envelope: &mut Envelope, status: Status, now: Timestamp) {
    envelope.status = status;
    envelope.modified = now;
    envelope.status_changed = now;
    envelope.reached.entry(status).or_insert(now);
}

/// A draft goes to its recipients.
pub fn send(envelope: &mut Envelope, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if envelope.documents.is_empty() || envelope.recipients.is_empty() || envelope.subject.is_empty() {
        return Err(Refusal::incomplete());
    }
    becomes(envelope, Status::Sent, now);
    let sender = envelope.sender.clone();
    note(envelope, now, "Sent Invitations", &sender, "The envelope was sent");
    let mut events = vec![event("envelope-sent")];
    go_on(envelope, now, &mut events);
    Ok(events)
}

/// Sends it to those whose turn it is, and settles what it is now.
fn go_on(envelope: &mut Envelope, now: Timestamp, events: &mut Vec<Event>) {
    loop {
        let turn = routing::turn(&envelope.recipients);
        let mut copied = false;
        for at in turn {
            let recipient = &mut envelope.recipients[at];
            recipient.stage = Stage::Sent;
            recipient.sent = Some(now);
            events.push(of("recipient-sent", recipient));
            if recipient.part() == Part::Copied {
                recipient.stage = Stage::Completed;
                events.push(of("recipient-completed", recipient));
                copied = true;
            }
        }
        // Whoever only gets a copy keeps nobody waiting.
        if !copied {
            break;
        }
    }
    let status = routing::status(&envelope.recipients);
    if status > envelope.status {
        becomes(envelope, status, now);
        match status {
            Status::Delivered => events.push(event("envelope-delivered")),
            Status::Completed => {
                events.push(event("envelope-completed"));
                note(envelope, now, "Completed", "", "The envelope was completed");
            }
            _ => {}
        }
    }
}

/// Recipients came or went: whoever's turn it is now gets it.
pub fn recipients_changed(envelope: &mut Envelope, now: Timestamp) -> Vec<Event> {
    envelope.modified = now;
    let mut events = Vec::new();
    if envelope.status.is_out() && !envelope.recipients.is_empty() {
        go_on(envelope, now, &mut events);
    }
    events
}

/// A recipient does something.
pub fn act(envelope: &mut Envelope, id: &str, act: &Act, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if !envelope.status.is_out() {
        return Err(Refusal::not_open(envelope.status));
    }
    let recipient = envelope.recipient_mut(id).ok_or_else(|| Refusal::unknown_recipient(id))?;
    if recipient.stage == Stage::Created {
        return Err(Refusal::out_of_sequence());
    }
    if recipient.is_done() {
        return Err(Refusal::bad(
            "RECIPIENT_HAS_COMPLETED",
            "The recipient has completed this envelope already.",
        ));
    }
    if recipient.part() == Part::Copied || (recipient.part() == Part::Views && *act == Act::Sign) {
        return Err(Refusal::bad("INVALID_RECIPIENT_TYPE", "A recipient of this type does not do that."));
    }
    let (name, mut events, mut notes) = (recipient.name(), Vec::new(), Vec::new());
    if recipient.stage == Stage::Sent {
        recipient.stage = Stage::Delivered;
        recipient.delivered = Some(now);
        events.push(of("recipient-delivered", recipient));
        notes.push(("Viewed", "The envelope was viewed"));
    }
    let completes = match act {
        Act::View => recipient.part() == Part::Views,
        Act::Sign => true,
        Act::Decline(_) => false,
    };
    if completes {
        recipient.stage = Stage::Completed;
        if *act == Act::Sign {
            recipient.signed = Some(now);
            sign_tabs(recipient, now);
            notes.push(("Signed", "The envelope was signed"));
        }
        events.push(of("recipient-completed", recipient));
    }
    if let Act::Decline(reason) = act {
        recipient.stage = Stage::Declined;
        recipient.declined = Some(now);
        recipient.declined_reason = Some(reason.clone());
        events.push(of("recipient-declined", recipient));
        notes.push(("Declined", "The envelope was declined"));
    }
    envelope.modified = now;
    for (action, message) in notes {
        note(envelope, now, action, &name, message);
    }
    if matches!(act, Act::Decline(_)) {
        becomes(envelope, Status::Declined, now);
        events.push(event("envelope-declined"));
    } else {
        go_on(envelope, now, &mut events);
    }
    Ok(events)
}

/// What a signer leaves in the tabs.
fn sign_tabs(recipient: &mut Recipient, now: Timestamp) {
    let (name, email) = (recipient.name(), recipient.email());
    for (kind, tabs) in &mut recipient.tabs {
        for tab in tabs.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            let value = match kind.as_str() {
                "signHereTabs" | "initialHereTabs" => None,
                "dateSignedTabs" => Some(now.strftime("%-m/%-d/%Y").to_string()),
                "fullNameTabs" => Some(name.clone()),
                "emailTabs" | "emailAddressTabs" => Some(email.clone()),
                _ => continue,
            };
            match value {
                Some(value) => tab.insert("value".into(), json!(value)),
                None => tab.insert("status".into(), json!("signed")),
            };
        }
    }
}

/// Only what is with its recipients can be taken back.
pub fn void(envelope: &mut Envelope, reason: &str, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if !envelope.status.is_out() {
        return Err(Refusal::bad(
            "ENVELOPE_CANNOT_VOID_INVALID_STATE",
            "Only envelopes in the 'Sent' or 'Delivered' states may be voided.",
        ));
    }
    becomes(envelope, Status::Voided, now);
    envelope.voided_reason = Some(reason.into());
    let sender = envelope.sender.clone();
    note(envelope, now, "Voided", &sender, &format!("The envelope was voided: {reason}"));
    Ok(vec![event("envelope-voided")])
}

/// A draft is thrown away; what is out is voided as well, as the recycle bin does.
pub fn delete(envelope: &mut Envelope, now: Timestamp) -> Vec<Event> {
    match envelope.status {
        Status::Created | Status::Processing => {
            becomes(envelope, Status::Deleted, now);
            vec![event("envelope-deleted")]
        }
        status if status.is_out() => {
            void(envelope, "Envelope moved to the recycle bin", now).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Everybody whose turn it is gets the mail again.
pub fn resend(envelope: &mut Envelope, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if !envelope.status.is_out() {
        return Err(Refusal::invalid_status());
    }
    envelope.resent += 1;
    envelope.modified = now;
    let sender = envelope.sender.clone();
    note(envelope, now, "Resent", &sender, "The envelope was resent");
    let waiting = |recipient: &&Recipient| matches!(recipient.stage, Stage::Sent | Stage::Delivered);
    let again: Vec<Event> = envelope
        .recipients
        .iter()
        .filter(waiting)
        .map(|recipient| of("recipient-resent", recipient))
        .collect();
    Ok(std::iter::once(event("envelope-resent")).chain(again).collect())
}

/// How long documents stay after somebody asked to purge them.
const PURGE_DAYS: u32 = 14;

pub fn purge(envelope: &mut Envelope, state: &str, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    const STATES: &[&str] =
        &["documents_queued", "documents_and_metadata_queued", "documents_and_metadata_and_redact_queued"];
    if !STATES.contains(&state) {
        return Err(Refusal::parameter(&format!("The value '{state}' is not valid for purgeState.")));
    }
    if !envelope.status.is_final() || envelope.status == Status::Deleted {
        return Err(Refusal::bad("ENVELOPE_NOT_COMPLETED", "Only a completed envelope can be purged."));
    }
    envelope.purge = Some((state.into(), after_days(now, PURGE_DAYS)));
    envelope.modified = now;
    Ok(Vec::new())
}

/// When the next thing happens to it by itself.
pub fn due(envelope: &Envelope) -> Option<Timestamp> {
    let purge = envelope.purge.as_ref().filter(|_| !envelope.purged).map(|(_, at)| *at);
    let processed = envelope.processed_at.filter(|_| envelope.status == Status::Processing);
    let out = envelope.status.is_out();
    let times = [
        purge,
        processed,
        envelope.expires().filter(|_| out),
        reminder_due(envelope).filter(|_| out),
        warning_due(envelope).filter(|_| out),
    ];
    times.into_iter().flatten().min()
}

fn reminder_due(envelope: &Envelope) -> Option<Timestamp> {
    let reminders = envelope.reminders;
    let begins = envelope.sent()?;
    let more = reminders.most.is_none_or(|most| envelope.reminded < most);
    if !reminders.enabled || !more {
        return None;
    }
    match (envelope.reminded, reminders.frequency_days) {
        (0, _) => Some(after_days(begins, reminders.delay_days)),
        (_, 0) => None,
        (sent, every) => Some(after_days(begins, reminders.delay_days + sent * every)),
    }
}

fn warning_due(envelope: &Envelope) -> Option<Timestamp> {
    let warn = envelope.expirations.warn_days;
    if envelope.warned || warn == 0 || warn >= envelope.expirations.after_days {
        return None;
    }
    envelope.expirations.enabled.then_some(())?;
    Some(after_days(envelope.sent()?, envelope.expirations.after_days - warn))
}

/// What happened by itself until now, the oldest first.
pub fn pass(envelope: &mut Envelope, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(at) = due(envelope).filter(|at| *at <= now) {
        if envelope.status == Status::Processing {
            becomes(envelope, Status::Created, at);
            events.push(event("envelope-created"));
            if envelope.after_processing == Status::Sent {
                // It was complete when it was taken.
                events.extend(send(envelope, at).unwrap_or_default());
            }
        } else if envelope.expires() == Some(at) && envelope.status.is_out() {
            events.extend(void(envelope, "The envelope has expired.", at).unwrap_or_default());
        } else if reminder_due(envelope) == Some(at) && envelope.status.is_out() {
            envelope.reminded += 1;
            note(envelope, at, "Reminder Sent", "", "A reminder was sent");
        } else if warning_due(envelope) == Some(at) && envelope.status.is_out() {
            envelope.warned = true;
            note(envelope, at, "Expiration Warning Sent", "", "A warning before the expiration was sent");
        } else {
            envelope.purged = true;
            for document in &mut envelope.documents {
                document.bytes = bytes::Bytes::new();
            }
            events.push(event("envelope-purge"));
        }
    }
    events
}

#[cfg(test)]
mod tests;
