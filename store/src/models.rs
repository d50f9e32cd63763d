//! The list of models: each is written once, and where it stands is appended to. What is refused and what the audit log
//! says is decided here, the same on both databases.

use async_trait::async_trait;
use jobkit::{AuditEntry, ModelRecord, NewModel, StandingChange};
use serde_json::json;

use super::{Actor, Held, Once, Request, Result, StoreError};

#[async_trait]
pub trait Models: Send + Sync + 'static {
    /// Takes a model in as a challenger, with the next version of its name; two that come at once get different ones. A
    /// model that is there under its id, hash and name is answered as it is. `LeaseLost` when the attempt does not hold
    /// its job any more, and then nothing is written.
    async fn model_add(&self, attempt: &Attempting, model: &NewModel) -> Result<ModelRecord>;

    /// Makes it the champion of its name, as [`jobkit::models::promotion`] says; no changes and no entry in the audit log
    /// when it is. `LeaseLost` as above.
    async fn model_promote(&self, by: &Promoter, id: &str) -> Result<Vec<StandingChange>>;

    /// As `model_promote` by a person, once for each key.
    async fn model_promote_once(
        &self,
        request: &Request,
        id: &str,
        by: &Actor,
    ) -> Result<Once<Vec<StandingChange>>>;

    /// Newest first.
    async fn models(&self, filter: &ModelFilter) -> Result<Vec<ModelRecord>>;

    async fn model(&self, id: &str) -> Result<Option<ModelRecord>> {
        let only = ModelFilter { id: Some(id.into()), ..ModelFilter::default() };
        Ok(self.models(&only).await?.pop())
    }
}

/// An attempt that writes, and how the audit log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempting {
    pub held: Held,
    pub by: Actor,
    pub tenant: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promoter {
    Attempt(Attempting),
    Person(Actor),
}

impl Promoter {
    pub fn actor(&self) -> &Actor {
        match self {
            Promoter::Attempt(attempt) => &attempt.by,
            Promoter::Person(actor) => actor,
        }
    }

    fn tenant(&self) -> Option<String> {
        match self {
            Promoter::Attempt(attempt) => attempt.tenant.clone(),
            Promoter::Person(_) => None,
        }
    }
}

/// All conditions must hold; an empty list is no condition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelFilter {
    pub id: Option<String>,
    pub names: Vec<String>,
    /// Only those that came before this one; nothing comes before one that is not there.
    pub before: Option<String>,
    pub limit: Option<usize>,
}

impl ModelFilter {
    /// All of a name.
    pub fn named(name: &str) -> Self {
        Self { names: vec![name.into()], limit: Some(usize::MAX), ..Self::default() }
    }
}

pub const LONGEST_MODEL_NAME: usize = 200;
const LONGEST_PATH: usize = 4_096;

/// The tables check the same, in words that nobody wants to read.
pub fn check_model(model: &NewModel) -> Result<()> {
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
    let fits = |text: &str, most| (1..=most).contains(&text.chars().count()) && !text.contains('\0');
    let problem = if !is_hash(&model.sha256) || !is_hash(&model.schema_sha256) {
        "a hash is 64 digits, 0 to 9 and a to f".into()
    } else if model.id.len() < 8 || !model.sha256.starts_with(&model.id) {
        "its id is the first digits of its hash, eight at least".into()
    } else if !fits(&model.name, LONGEST_MODEL_NAME) {
        format!("its name has 1 to {LONGEST_MODEL_NAME} characters")
    } else if !fits(&model.path, LONGEST_PATH) {
        format!("its path has 1 to {LONGEST_PATH} characters")
    } else if i64::try_from(model.entries).is_err() {
        "so many entries there are not".into()
    } else {
        return Ok(());
    };
    Err(StoreError::Refused(format!("the model {} cannot be taken in: {problem}", model.id)))
}

pub fn unknown_model(id: &str) -> StoreError {
    StoreError::Refused(format!("there is no model {id}"))
}

/// What the audit log says of a model that was taken in.
pub fn model_added(record: &ModelRecord, attempt: &Attempting) -> AuditEntry {
    let ModelRecord { model, version, .. } = record;
    let details = json!({ "name": model.name, "version": version, "sha256": model.sha256 });
    entry("model.added", &model.id, &attempt.by, attempt.tenant.clone(), details)
}

/// What the audit log says of a promotion. One that changes nothing is not written down.
pub fn model_promoted(record: &ModelRecord, changes: &[StandingChange], by: &Promoter) -> Option<AuditEntry> {
    let ModelRecord { model, version, .. } = record;
    let details = json!({ "name": model.name, "version": version, "changes": changes });
    let promoted = entry("model.promoted", &model.id, by.actor(), by.tenant(), details);
    (!changes.is_empty()).then_some(promoted)
}

fn entry(
    action: &str,
    object: &str,
    by: &Actor,
    tenant: Option<String>,
    details: serde_json::Value,
) -> AuditEntry {
    AuditEntry {
        at: None,
        actor: by.name.clone(),
        action: action.into(),
        object: object.into(),
        outcome: "ok".into(),
        tenant,
        origin: by.origin.clone(),
        details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> NewModel {
        let sha256 = "0123456789abcdef".repeat(4);
        NewModel {
            id: sha256[..16].into(),
            schema_sha256: sha256.clone(),
            sha256,
            name: "ledger".into(),
            window: None,
            entries: 7,
            path: "file:model".into(),
        }
    }

    #[test]
    fn what_no_table_would_hold_is_refused_in_words() {
        assert!(check_model(&model()).is_ok());
        for (model, why) in [
            (NewModel { sha256: "0123".into(), ..model() }, "64 digits"),
            (NewModel { schema_sha256: "AB".repeat(32), ..model() }, "64 digits"),
            (NewModel { id: "0123456".into(), ..model() }, "first digits"),
            (NewModel { id: "123456789".into(), ..model() }, "first digits"),
            (NewModel { name: String::new(), ..model() }, "its name"),
            (NewModel { name: "é".repeat(201), ..model() }, "its name"),
            (NewModel { name: "a\0b".into(), ..model() }, "its name"),
            (NewModel { path: String::new(), ..model() }, "its path"),
            (NewModel { entries: u64::MAX, ..model() }, "so many"),
        ] {
            let refused = check_model(&model);
            assert!(matches!(&refused, Err(StoreError::Refused(told)) if told.contains(why)), "{refused:?}");
        }
    }
}
