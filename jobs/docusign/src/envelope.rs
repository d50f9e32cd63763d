//! What is kept of an envelope: one record for each business key, which is changed before and after every call, so that whoever comes next knows what may have
//! happened outside.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use jobkit::records::{Hold, Put, Record, RecordChange, RecordId};
use jobkit::{Ctx, Failure, JobId, News};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::account::Account;
use crate::known::Known;
use crate::phase::{Phase, Status};
use crate::provider::{CallError, Reference};
use crate::send_envelope::RECALL;

pub const COLLECTION: &str = "docusign.envelope";
/// So long DocuSign knows an envelope by its transaction id.
const TRANSACTIONS_LAST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The names of keys and transactions are made from this and what is sent.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2d_1f0a_7a4e_5d3b_9c61_0d0c_5a16_e001);

/// In the record's body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    pub account: String,
    /// By which the provider tells our envelopes from those of others in the account.
    #[serde(default = "before_it_was_drawn")]
    pub installation: String,
    /// What the provider is told instead of the business key, which may say something of somebody. Empty in records of before there was one.
    #[serde(default)]
    pub reference: String,
    pub transaction: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    /// The job that sends it, or did.
    pub job: JobId,
    /// Of what was asked for; empty where nobody knows: it went out before the database was restored, or was voided before it was begun.
    pub request_sha256: String,
    /// Of each document: what is signed is what was there when it began. As above.
    pub documents: Vec<String>,
    /// As the provider said it last, and since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    pub began_at: Timestamp,
    /// By number in the envelope; who they are is not kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recipients: BTreeMap<String, String>,
    /// When this envelope alone was asked for last: the provider bans who does it often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded_at: Option<Timestamp>,
    /// When we began to void it. Why is what recipients are told, and not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_asked: Option<Timestamp>,
    /// Voided before it was begun, and nobody has looked yet whether one went out that no record told of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlooked: bool,
    /// How many sweeps in a row did not find it.
    #[serde(default)]
    pub missed: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What was archived, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archive: Vec<Archived>,
}

/// Of a call that ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub doing: String,
    pub code: Option<String>,
    pub trace: Option<String>,
}

impl From<&CallError> for Problem {
    fn from(error: &CallError) -> Self {
        Self { doing: error.doing.into(), code: error.code.clone(), trace: error.trace.clone() }
    }
}

/// A row of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    pub name: String,
    pub kind: ArchivedKind,
    pub sha256: String,
    pub bytes: u64,
    pub address: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchivedKind {
    Document,
    Certificate,
    AuditEvents,
}

/// A record and what is in it, as it was read last.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub record: Record,
    pub phase: Phase,
    pub envelope: Envelope,
    /// Whether this attempt acts on the envelope after its next change.
    pub hold: Hold,
}

pub fn id(tenant: Option<&str>, key: &str) -> RecordId {
    RecordId { collection: COLLECTION.into(), tenant: tenant.map(str::to_owned), key: key.into() }
}

/// What others call it, in one spelling.
pub fn name(envelope: &str) -> String {
    format!("envelope:{}", envelope.to_lowercase())
}

/// Who asks for what, of whom.
pub struct Asked<'a> {
    pub account: &'a Account,
    pub installation: String,
    pub id: &'a RecordId,
    pub job: JobId,
    pub request_sha256: String,
    /// The hash of each document.
    pub documents: Vec<String>,
}

impl Envelope {
    pub fn new(asked: Asked<'_>, now: Timestamp) -> Self {
        let Asked { account, installation, id, job, request_sha256, documents } = asked;
        let tenant = id.tenant.as_deref().unwrap_or_default();
        let reference = named([&installation, tenant, &id.key]);
        // The record keeps it. A database that was restored makes another, so that no draft is taken for ours that was made before.
        let transaction = named([&reference, &job.to_string(), &now.to_string()]);
        Self {
            account: account.name.clone(),
            installation,
            reference,
            transaction,
            envelope: None,
            job,
            request_sha256,
            documents,
            status: None,
            changed_at: None,
            began_at: now,
            recipients: BTreeMap::new(),
            asked_at: None,
            reminded_at: None,
            void_asked: None,
            unlooked: false,
            missed: 0,
            problem: None,
            archive: Vec::new(),
        }
    }

    /// What is asked for under its key is another now: a transaction of its own, by which nothing of the old is found.
    pub fn ask_anew(&mut self, request_sha256: String) {
        self.transaction = named([&self.transaction, &request_sha256]);
        self.request_sha256 = request_sha256;
    }

    pub fn reference(&self, now: Timestamp) -> Reference {
        // Clocks differ, and the provider's began_at may be before ours.
        let since = self.began_at.checked_sub(SignedDuration::from_mins(15)).unwrap_or(self.began_at);
        let is_old = now.duration_since(self.began_at) >= TRANSACTIONS_LAST;
        let Self { installation, reference, transaction, .. } = self;
        let key = if reference.is_empty() { transaction } else { reference };
        Reference {
            installation: installation.clone(),
            key: key.clone(),
            transaction: transaction.clone(),
            is_old,
            since,
        }
    }

    /// It went out at another time of the database, for a request that nobody here knows.
    pub fn recall(&mut self, envelope: String) {
        self.envelope = Some(envelope);
        self.request_sha256.clear();
        self.documents.clear();
        self.unlooked = false;
    }

    /// What it was made of nobody knows.
    pub fn is_of_an_unknown_request(&self) -> bool {
        self.request_sha256.is_empty()
    }

    fn body(&self) -> Result<Value, Failure> {
        serde_json::to_value(self).map_err(Failure::permanent)
    }

    fn names(&self) -> Vec<String> {
        let own = format!("transaction:{}", self.transaction);
        std::iter::once(own).chain(self.envelope.as_deref().map(name)).collect()
    }
}

/// One change: where it goes, what the log says, when to look again.
pub struct Change {
    pub to: Phase,
    pub action: &'static str,
    pub details: Value,
    pub due_at: Option<Timestamp>,
    pub news: Vec<News>,
}

impl Change {
    /// Nobody has to look again.
    pub fn to(to: Phase, action: &'static str) -> Self {
        Self { to, action, details: Value::Null, due_at: None, news: Vec::new() }
    }

    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub fn due(mut self, at: Timestamp) -> Self {
        self.due_at = Some(at);
        self
    }

    pub fn news(mut self, news: News) -> Self {
        self.news.push(news);
        self
    }
}

impl Kept {
    pub fn of(record: Record) -> Result<Self, Failure> {
        let envelope = serde_json::from_value(record.body.clone());
        let envelope = envelope.map_err(|cause| {
            Failure::permanent(format!("the record of {} cannot be read: {cause}", record.id.key))
        })?;
        let phase = Phase::parse(&record.state).ok_or_else(|| {
            Failure::permanent(format!(
                "the record of {} is in the state `{}`, which this version does not know",
                record.id.key, record.state
            ))
        })?;
        Ok(Self { record, phase, envelope, hold: Hold::Kept })
    }

    /// It is out, and nobody had written that down. Where it stands the sweep asks at once.
    pub async fn found_out(&mut self, ctx: &Ctx, known: Known) -> Result<(), Failure> {
        let action = match known {
            Known::Before(id) => {
                self.envelope.recall(id);
                RECALL
            }
            Known::Out(id) | Known::Draft(id) => {
                self.envelope.envelope = Some(id);
                "docusign.envelope.send"
            }
        };
        self.write(ctx, Change::to(Phase::Sent, action).due(ctx.clock().now())).await
    }

    /// Writes down the envelope as it is now. Somebody else who was quicker makes the job begin anew.
    pub async fn write(&mut self, ctx: &Ctx, change: Change) -> Result<(), Failure> {
        let Change { to, action, details, due_at, news } = change;
        let id = self.record.id.clone();
        let change = RecordChange {
            id,
            from: self.record.version,
            names: self.envelope.names(),
            state: to.name().into(),
            due_at,
            body: self.envelope.body()?,
            action: action.into(),
            details: told(&self.envelope, &details),
            news,
            hold: self.hold,
        };
        match ctx.records().put(ctx, change).await? {
            Put::Done(record) => {
                (self.record, self.phase) = (record, to);
                Ok(())
            }
            Put::Moved => Err(moved()),
            Put::Taken(name) => Err(taken(&name)),
        }
    }
}

/// Makes the record, which this attempt then holds; none when there is one.
pub async fn begin(
    ctx: &Ctx,
    id: &RecordId,
    envelope: Envelope,
    change: Change,
) -> Result<Option<Kept>, Failure> {
    if ctx.records().get(ctx, id).await?.is_some() {
        return Ok(None);
    }
    let told = told(&envelope, &json!({ "request_sha256": envelope.request_sha256 }));
    let change = RecordChange {
        id: id.clone(),
        names: envelope.names(),
        from: 0,
        state: change.to.name().into(),
        due_at: change.due_at,
        body: envelope.body()?,
        action: change.action.into(),
        details: told,
        news: change.news,
        hold: Hold::Kept,
    };
    match ctx.records().put(ctx, change).await? {
        Put::Done(record) => Kept::of(record).map(Some),
        Put::Moved => Ok(None),
        Put::Taken(name) => Err(taken(&name)),
    }
}

/// In every entry: which envelope, under which hash.
fn told(envelope: &Envelope, details: &Value) -> Value {
    let mut told = json!({ "account": envelope.account, "transaction": envelope.transaction });
    if let (Some(into), Some(envelope)) = (told.as_object_mut(), &envelope.envelope) {
        into.insert("envelope".into(), envelope.as_str().into());
    }
    if let (Some(into), Some(more)) = (told.as_object_mut(), details.as_object()) {
        into.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    told
}

/// What all were called that had no name of their own.
fn before_it_was_drawn() -> String {
    "compline".into()
}

fn named<const N: usize>(of: [&str; N]) -> String {
    Uuid::new_v5(&NAMESPACE, of.join("\n").as_bytes()).to_string()
}

fn taken(name: &str) -> Failure {
    Failure::permanent(format!("`{name}` belongs to another record of {COLLECTION}; an envelope has one"))
}

/// It goes on soon, from what is there then.
pub fn moved() -> Failure {
    Failure::NotNow {
        after: std::time::Duration::from_secs(1),
        why: "its record was changed meanwhile".into(),
    }
}
