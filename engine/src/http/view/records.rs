//! What families keep of things, as callers see it.

use jiff::Timestamp;
use jobkit::JobId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Where a thing stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Record {
    pub collection: String,
    /// Null: of the installation.
    pub tenant: Option<String>,
    pub key: String,
    /// What others call it.
    pub names: Vec<String>,
    pub state: String,
    /// When a job is to look at it again.
    pub due_at: Option<Timestamp>,
    /// From 1; each change adds one.
    pub version: u64,
    pub made_at: Timestamp,
    pub changed_at: Timestamp,
    /// The job that changed it last, which may have been pruned since.
    #[schema(value_type = Uuid)]
    pub changed_by: JobId,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RecordInFull {
    #[serde(flatten)]
    pub record: Record,
    /// What the family knows of it.
    #[schema(value_type = Value)]
    pub body: Value,
}

impl From<jobkit::Record> for Record {
    fn from(record: jobkit::Record) -> Self {
        Self {
            collection: record.id.collection,
            tenant: record.id.tenant,
            key: record.id.key,
            names: record.names,
            state: record.state,
            due_at: record.due_at,
            version: record.version,
            made_at: record.made_at,
            changed_at: record.changed_at,
            changed_by: record.changed_by,
        }
    }
}

impl From<jobkit::Record> for RecordInFull {
    fn from(mut record: jobkit::Record) -> Self {
        let body = record.body.take();
        Self { body, record: record.into() }
    }
}

#[cfg(test)]
mod tests {
    use jobkit::RecordId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_shape_is_a_promise() {
        let at = Timestamp::UNIX_EPOCH;
        let record = jobkit::Record {
            id: RecordId { collection: "post.letter".into(), tenant: None, key: "a".into() },
            names: vec!["stamp".into()],
            state: "sent".into(),
            due_at: Some(at),
            body: json!({ "pages": 2 }),
            version: 2,
            made_at: at,
            changed_at: at,
            changed_by: JobId(Uuid::nil()),
        };
        let told = json!({
            "collection": "post.letter", "tenant": null, "key": "a", "names": ["stamp"], "state": "sent",
            "due_at": "1970-01-01T00:00:00Z", "version": 2, "made_at": "1970-01-01T00:00:00Z",
            "changed_at": "1970-01-01T00:00:00Z", "changed_by": "00000000-0000-0000-0000-000000000000",
        });
        assert_eq!(json!(Record::from(record.clone())), told);
        let mut in_full = told;
        in_full["body"] = json!({ "pages": 2 });
        assert_eq!(json!(RecordInFull::from(record)), in_full);
    }
}
