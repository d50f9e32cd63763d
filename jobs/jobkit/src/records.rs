//! What a family keeps of a thing beyond the jobs that deal with it: an envelope, a credential, a backup.
//!
//! A job ends and is pruned; the thing goes on. Its record says where it stands, and is changed by jobs alone, one version after the other, each change
//! with its entry in the audit log. An attempt that acts on the thing outside holds its record meanwhile, so that no two do.

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alerts::News;
use crate::ports::HostError;
use crate::{Ctx, JobId};

/// Which thing: there is one record of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordId {
    /// Things of one sort: `docusign.envelope`. The family's name comes first, all of it in small letters, digits or any of `_ . -`.
    pub collection: String,
    /// Whose it is; none for the installation's.
    pub tenant: Option<String>,
    /// What tells it from the others of the collection and tenant. It is shown to people, so it names nobody.
    pub key: String,
}

/// Where a thing stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub id: RecordId,
    /// What others call it; a name is of one record in its collection, whoever's that is.
    pub names: Vec<String>,
    pub state: String,
    /// When somebody is to look at it again.
    pub due_at: Option<Timestamp>,
    /// Neither secrets nor personal data: it is kept as it is, also by a job of an encrypted kind.
    pub body: Value,
    /// From 1; each change adds one.
    pub version: u64,
    pub made_at: Timestamp,
    pub changed_at: Timestamp,
    /// The job that changed it last.
    pub changed_by: JobId,
}

/// What a record is to become. Whatever is not said here is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordChange {
    pub id: RecordId,
    /// The version that was looked at; 0 when there is no record yet.
    pub from: u64,
    pub names: Vec<String>,
    pub state: String,
    pub due_at: Option<Timestamp>,
    pub body: Value,
    /// What the audit log says was done to `COLLECTION/KEY`: `docusign.envelope.send`, and what is worth knowing of it. Empty when nothing happened to the thing,
    /// only the time to look again say: then there is no entry, and state and names stay as they are.
    pub action: String,
    pub details: Value,
    /// What people are told of it, in the same transaction.
    pub news: Vec<News>,
    pub hold: Hold,
}

/// Whether an attempt still acts on a thing whose record it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hold {
    /// Until it ends, or lets go by a later change.
    #[default]
    Kept,
    /// Others may act on the thing at once: what this attempt still does is about others.
    LetGo,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub enum Put {
    Done(Record),
    /// Somebody was quicker, or another attempt holds it: look again.
    Moved,
    /// The name belongs to another record of the collection.
    Taken(String),
}

/// All conditions must hold; an empty list is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFilter {
    pub collection: String,
    pub states: Vec<String>,
    /// Only those that were due at this time, the longest due first; otherwise by key, whoever's they are.
    pub due_by: Option<Timestamp>,
    /// By key: only those after this one. It has no say in a list of those that were due, of which each is to be moved on anyway.
    pub after: Option<RecordId>,
    pub limit: usize,
}

impl Default for RecordFilter {
    /// A hundred of a collection that is still to be named.
    fn default() -> Self {
        Self { collection: String::new(), states: Vec::new(), due_by: None, after: None, limit: 100 }
    }
}

/// The records. A job of a tenant sees and changes those of its tenant, a job of the installation those of all.
pub trait Records: Send + Sync + 'static {
    /// Changes a record or makes it, if it still is as it was looked at and no other attempt that runs holds it, with its entry in the audit log and its
    /// news in one transaction. The attempt holds it from then on, unless the change lets go. Refused once the attempt has lost its lease.
    fn put<'a>(&'a self, ctx: &'a Ctx, change: RecordChange) -> BoxFuture<'a, Result<Put, HostError>>;
    fn get<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<Option<Record>, HostError>>;
    /// By what others call it.
    fn named<'a>(
        &'a self,
        ctx: &'a Ctx,
        collection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>>;
    fn list<'a>(
        &'a self,
        ctx: &'a Ctx,
        filter: &'a RecordFilter,
    ) -> BoxFuture<'a, Result<Vec<Record>, HostError>>;
    /// Lets this attempt alone act on the thing, until it ends or loses its lease, whatever becomes of its process. None when another attempt has it, or
    /// there is no record. What is returned was read after it was got.
    fn hold<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId)
    -> BoxFuture<'a, Result<Option<Record>, HostError>>;
    /// This attempt is done with the thing, and others may act on it before the attempt has ended: for jobs that deal with many. Of a thing that it does not hold
    /// nothing follows.
    fn let_go<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<(), HostError>>;
}

impl Record {
    /// A change that leaves all as it is but the state, for whoever goes on from there.
    pub fn to(&self, state: &str, action: &str) -> RecordChange {
        RecordChange {
            id: self.id.clone(),
            from: self.version,
            names: self.names.clone(),
            state: state.into(),
            due_at: self.due_at,
            body: self.body.clone(),
            action: action.into(),
            details: Value::Null,
            news: Vec::new(),
            hold: Hold::Kept,
        }
    }
}

pub const LONGEST_KEY: usize = 512;
const LONGEST_TENANT: usize = 128;
pub const LONGEST_COLLECTION: usize = 100;
pub const LONGEST_STATE: usize = 64;
pub const MOST_NAMES: usize = 16;
pub const LARGEST_BODY: usize = 256 * 1024;

/// Of what news is about, and of what it says.
const LONGEST_ABOUT: usize = 512;
const LONGEST_NEWS: usize = 4_096;

/// What is wrong with a change, whichever store is to keep it. The tables check the same, in words that nobody wants to read.
pub fn check(change: &RecordChange) -> Result<(), String> {
    let fits = |text: &str, most: usize| (1..=most).contains(&text.len()) && !text.contains('\0');
    let RecordId { collection, tenant, key } = &change.id;
    let body = change.body.to_string().len();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
    if !fits(collection, LONGEST_COLLECTION) || !collection.contains('.') || !collection.chars().all(plain) {
        return Err(format!(
            "collection: `{collection}`; FAMILY.THING, small letters, digits or any of _ . -, {LONGEST_COLLECTION} bytes at most"
        ));
    }
    if !tenant.as_ref().is_none_or(|tenant| fits(tenant, LONGEST_TENANT)) {
        return Err(format!("tenant: 1 to {LONGEST_TENANT} bytes without NUL, or none"));
    }
    if !fits(key, LONGEST_KEY) {
        return Err(format!("key: 1 to {LONGEST_KEY} bytes without NUL"));
    }
    if !fits(&change.state, LONGEST_STATE) {
        return Err(format!("state: 1 to {LONGEST_STATE} bytes without NUL"));
    }
    if change.names.len() > MOST_NAMES || !change.names.iter().all(|name| fits(name, LONGEST_KEY)) {
        return Err(format!("names: {MOST_NAMES} at most, each of 1 to {LONGEST_KEY} bytes without NUL"));
    }
    if body > LARGEST_BODY {
        return Err(format!(
            "body: {body} bytes; {LARGEST_BODY} at most, and what is larger belongs into an artifact"
        ));
    }
    // PostgreSQL keeps no text with NUL in it, in JSON neither.
    if [&change.body, &change.details].into_iter().any(has_nul) {
        return Err("body, details: a text in them has NUL in it".into());
    }
    if !change.action.is_empty() && !fits(&change.action, LONGEST_COLLECTION) {
        return Err("action: what the audit log calls it, 100 bytes at most without NUL".into());
    }
    let is_news = |news: &News| fits(&news.about, LONGEST_ABOUT) && fits(&news.text, LONGEST_NEWS);
    if let Some(news) = change.news.iter().find(|news| !is_news(news)) {
        let rule = &news.rule;
        return Err(format!(
            "news of {rule}: what it is about has 1 to {LONGEST_ABOUT} bytes, its text 1 to {LONGEST_NEWS}, without NUL"
        ));
    }
    Ok(())
}

fn has_nul(json: &Value) -> bool {
    match json {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
    }
}

/// Whether a change that says nothing to the audit log changes nothing that it should know.
pub fn check_silent(known: Option<&Record>, change: &RecordChange) -> Result<(), String> {
    let stays = known.is_some_and(|known| known.state == change.state && known.names == change.names);
    match change.action.is_empty() && !stays {
        true => Err("action: a record that is made, or whose state or names change, needs an entry".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
