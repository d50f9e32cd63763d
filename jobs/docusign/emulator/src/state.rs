//! All that the emulator knows, behind one lock: verbs are given it whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock::written;
use crate::connect::{self, Message};
use crate::envelope::Envelope;
use crate::faults::Faults;
use crate::json::{text, truth};
use crate::life::{self, Event};
use crate::limits::{Looks, Meter};
use crate::oauth::House;
use crate::record::Recorded;
use crate::refusal::Refusal;
use crate::switches::{Duplicate, Switches};
use crate::view;

/// How long a transaction id can be looked up.
const TRANSACTION_DAYS: u32 = 7;

#[derive(Debug, Clone)]
pub struct Token {
    pub subject: String,
    pub scope: String,
    pub expires: Timestamp,
    pub revoked: bool,
}

#[derive(Debug, Clone)]
pub struct HmacKey {
    pub id: String,
    pub secret: String,
}

/// A URL that lets somebody sign, for a while and once.
#[derive(Debug, Clone)]
pub struct SigningView {
    pub envelope: String,
    pub recipient: String,
    pub return_url: String,
    pub expires: Timestamp,
}

pub struct State {
    pub account_id: String,
    pub house: House,
    /// Where this server is, as others see it.
    pub url: String,
    pub connect_to: Option<String>,
    pub switches: Switches,
    pub faults: Faults,
    pub meter: Meter,
    pub looks: Looks,
    pub tokens: HashMap<String, Token>,
    /// Codes of the consent page, and who agreed.
    pub codes: HashMap<String, String>,
    pub hmac_keys: Vec<HmacKey>,
    pub views: HashMap<String, SigningView>,
    pub envelopes: HashMap<String, Envelope>,
    /// By when they were made.
    pub order: Vec<String>,
    by_transaction: HashMap<String, Vec<String>>,
    due: BTreeSet<(Timestamp, String)>,
    due_of: HashMap<String, Timestamp>,
    pub messages: Vec<Message>,
    /// The first message that may be open.
    pub open_from: usize,
    configurations: BTreeMap<String, u64>,
    pub recorded: Vec<Recorded>,
    /// Records that were let go.
    pub forgotten: usize,
    sequence: u64,
}

impl State {
    pub fn new(account_id: String, house: House, switches: Switches, faults: Faults) -> Self {
        Self {
            account_id,
            house,
            url: String::new(),
            connect_to: None,
            switches,
            faults,
            meter: Meter::default(),
            looks: Looks::default(),
            tokens: HashMap::new(),
            codes: HashMap::new(),
            hmac_keys: Vec::new(),
            views: HashMap::new(),
            envelopes: HashMap::new(),
            order: Vec::new(),
            by_transaction: HashMap::new(),
            due: BTreeSet::new(),
            due_of: HashMap::new(),
            messages: Vec::new(),
            open_from: 0,
            configurations: BTreeMap::new(),
            recorded: Vec::new(),
            forgotten: 0,
            sequence: 0,
        }
    }

    pub fn next_number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Begins the record of a call, and says where it is.
    pub fn record(&mut self, call: Recorded) -> usize {
        self.recorded.push(call);
        self.forgotten + self.recorded.len() - 1
    }

    /// A record that was not let go since.
    pub fn call_at(&mut self, at: usize) -> Option<&mut Recorded> {
        self.recorded.get_mut(at.checked_sub(self.forgotten)?)
    }

    pub fn envelope(&self, id: &str) -> Result<&Envelope, Refusal> {
        self.envelopes.get(&id.to_ascii_lowercase()).ok_or_else(|| self.unknown())
    }

    fn unknown(&self) -> Refusal {
        Refusal::unknown_envelope(self.switches.unknown_envelope_status)
    }

    /// All tokens that are out are worth nothing any more; says how many that were.
    pub fn revoke_tokens(&mut self) -> usize {
        let valid = self.tokens.values_mut().filter(|token| !token.revoked);
        valid.map(|token| token.revoked = true).count()
    }

    /// Keeps a new one, and tells of it.
    pub fn add(&mut self, envelope: Envelope, events: &[Event], now: Timestamp) -> Result<(), Refusal> {
        let (id, transaction) = (envelope.id.clone(), envelope.transaction_id.clone());
        if let Some(transaction) = transaction {
            let same = self.with_transaction(&transaction, now);
            if self.switches.duplicate_transaction == Duplicate::Refused && !same.is_empty() {
                return Err(Refusal::parameter(&format!(
                    "An envelope with the transactionId '{transaction}' exists already."
                )));
            }
            self.by_transaction.entry(transaction).or_default().push(id.clone());
        }
        self.order.push(id.clone());
        self.envelopes.insert(id.clone(), envelope);
        self.settle(&id, events, now);
        Ok(())
    }

    /// Changes one, whole or not at all, and tells what came of it.
    pub fn change(
        &mut self,
        id: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Envelope) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(), Refusal> {
        let id = id.to_ascii_lowercase();
        let mut changed = self.envelopes.get(&id).cloned().ok_or_else(|| self.unknown())?;
        let events = change(&mut changed)?;
        self.envelopes.insert(id.clone(), changed);
        self.settle(&id, &events, now);
        Ok(())
    }

    /// Remembers when it is due next, and puts what happened into the post.
    fn settle(&mut self, id: &str, events: &[Event], now: Timestamp) {
        if let Some(at) = self.due_of.remove(id) {
            self.due.remove(&(at, id.to_owned()));
        }
        let Some(envelope) = self.envelopes.get(id) else { return };
        if let Some(at) = life::due(envelope) {
            self.due.insert((at, id.to_owned()));
            self.due_of.insert(id.to_owned(), at);
        }
        for subscription in &envelope.notifications {
            let url = text(subscription, "url").unwrap_or_default();
            for event in events.iter().filter(|event| connect::wants(subscription, event.name)) {
                let next = 10_000 + self.configurations.len() as u64;
                let configuration = *self.configurations.entry(url.clone()).or_insert(next);
                let body =
                    connect::body(envelope, event, subscription, (&self.account_id, configuration), now);
                self.messages.push(Message {
                    number: self.messages.len() as u64 + 1,
                    envelope: id.into(),
                    event: event.name,
                    recipient: event.recipient.clone(),
                    url: url.clone(),
                    configuration,
                    acknowledged_wanted: truth(subscription, "requireAcknowledgment"),
                    signed: text(subscription, "includeHMAC")
                        .is_none_or(|_| truth(subscription, "includeHMAC")),
                    body,
                    made: now,
                    tries: 0,
                    next: now,
                    state: connect::State::Waiting,
                    last_error: None,
                });
            }
        }
    }

    /// What happened by itself until now.
    pub fn pass(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.due.first().cloned().filter(|(at, _)| *at <= now) {
            let passed = self.change(&id, at, |envelope| Ok(life::pass(envelope, now)));
            if passed.is_err() {
                self.due.remove(&(at, id));
            }
        }
    }

    /// The envelopes of a transaction, as long as it is known.
    pub fn with_transaction(&self, transaction: &str, now: Timestamp) -> Vec<&Envelope> {
        let ids = self.by_transaction.get(transaction).into_iter().flatten();
        let known =
            |envelope: &&Envelope| crate::envelope::after_days(envelope.created, TRANSACTION_DAYS) > now;
        ids.filter_map(|id| self.envelopes.get(id)).filter(known).collect()
    }

    /// All envelopes with this value of a custom field, the oldest first.
    pub fn with_custom_field(&self, name: &str, value: &str) -> Vec<&Envelope> {
        let all = self.order.iter().filter_map(|id| self.envelopes.get(id));
        all.filter(|envelope| envelope.custom_field(name).as_deref() == Some(value)).collect()
    }

    /// How many envelopes were sent for each value of a custom field, or those of one value.
    pub fn by_field(&self, name: &str, value: Option<&str>) -> Value {
        if let Some(value) = value {
            let found = self.with_custom_field(name, value);
            let shown: Vec<Value> = found
                .iter()
                .map(|envelope| Value::Object(view::envelope(envelope, &self.account_id, "custom_fields")))
                .collect();
            return json!({"envelopes": shown});
        }
        let mut values: BTreeMap<String, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for envelope in self.order.iter().filter_map(|id| self.envelopes.get(id)) {
            if let Some(value) = envelope.custom_field(name) {
                // Drafts that nobody sent and those that went out are told apart.
                let kind = if envelope.sent().is_some() { "sent" } else { "unsent" };
                values.entry(value).or_default().entry(kind).or_default().push(&envelope.id);
            }
        }
        json!({"values": values})
    }

    /// Everything, for people and checkers. Files and secrets are not in it.
    pub fn dump(&self, now: Timestamp) -> Value {
        let envelopes = self.order.iter().filter_map(|id| self.envelopes.get(id)).map(|envelope| {
            let mut shown =
                view::envelope(envelope, &self.account_id, "custom_fields,recipients,tabs,documents");
            shown.insert("reminded".into(), json!(envelope.reminded));
            shown.insert("resent".into(), json!(envelope.resent));
            Value::Object(shown)
        });
        let tokens = self.tokens.values().map(|token| {
            json!({
                "subject": token.subject, "scope": token.scope, "expires": written(token.expires),
                "revoked": token.revoked,
            })
        });
        json!({
            "now": written(now),
            "account_id": self.account_id,
            "switches": self.switches,
            "faults": self.faults.rules().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "hmac_keys": self.hmac_keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>(),
            "tokens": tokens.collect::<Vec<_>>(),
            "envelopes": envelopes.collect::<Vec<_>>(),
            "messages": self.messages.iter().map(message).collect::<Vec<_>>(),
            "calls": self.recorded.len(),
        })
    }
}

/// A message without what it says.
pub fn message(message: &Message) -> Value {
    let mut shown = Map::new();
    for (name, value) in [
        ("number", json!(message.number)),
        ("envelopeId", json!(message.envelope)),
        ("event", json!(message.event)),
        ("recipientId", json!(message.recipient)),
        ("url", json!(message.url)),
        ("configurationId", json!(message.configuration)),
        ("state", json!(message.state.name())),
        ("tries", json!(message.tries)),
        ("made", json!(written(message.made))),
        ("next", json!(written(message.next))),
        ("error", json!(message.last_error)),
    ] {
        shown.insert(name.into(), value);
    }
    Value::Object(shown)
}
