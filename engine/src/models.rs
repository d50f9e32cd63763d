//! The use cases of the list of models: what people may do with it. Running jobs add and promote through their context.

use std::sync::Arc;

use jobkit::{ModelRecord, StandingChange};
use serde_json::{Value, json};

use store::{Actor, ModelFilter, Once, Promoter, Request, Store, StoreError};

#[derive(Clone)]
pub struct ModelList {
    pub store: Arc<dyn Store>,
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("there is no model {0}")]
    Unknown(String),
    /// A page that begins nowhere would be empty, as if there were no more.
    #[error("before: there is no model {0}")]
    NoPlace(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ModelList {
    /// Newest first.
    pub async fn list(&self, filter: &ModelFilter) -> Result<Vec<ModelRecord>, ModelError> {
        if let Some(before) = &filter.before
            && self.store.model(before).await?.is_none()
        {
            return Err(ModelError::NoPlace(before.clone()));
        }
        Ok(self.store.models(filter).await?)
    }

    pub async fn show(&self, id: &str) -> Result<ModelRecord, ModelError> {
        self.store.model(id).await?.ok_or_else(|| ModelError::Unknown(id.into()))
    }

    /// Makes it the champion of its name, and says what that changed: nothing when it was already.
    pub async fn promote(&self, id: &str, by: &Actor) -> Result<Vec<StandingChange>, ModelError> {
        // No model is ever deleted, so this one is there below.
        self.show(id).await?;
        Ok(self.store.model_promote(&Promoter::Person(by.clone()), id).await?)
    }

    /// As `promote`, once for each key that callers choose.
    pub async fn promote_once(
        &self,
        request: &Request,
        id: &str,
        by: &Actor,
    ) -> Result<Once<Vec<StandingChange>>, ModelError> {
        self.show(id).await?;
        Ok(self.store.model_promote_once(request, id, by).await?)
    }
}

/// What a promotion will do, for whoever approves it.
pub fn promoting(record: &ModelRecord) -> Value {
    let model = &record.model;
    json!({ "model": model.id, "name": model.name, "sha256": model.sha256 })
}

/// Whether this can be the id of a model: the first digits of a hash.
pub fn is_model_id(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (8..=64).contains(&text.len()) && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_first_digits_of_a_hash() {
        for (text, is_one) in [
            ("01234567", true),
            ("0123456789abcdef", true),
            ("0123456", false),
            ("0123456789ABCDEF", false),
            ("ledger@2", false),
            ("", false),
        ] {
            assert_eq!(is_model_id(text), is_one, "{text}");
        }
        assert!(is_model_id(&"a".repeat(64)) && !is_model_id(&"a".repeat(65)));
    }
}
