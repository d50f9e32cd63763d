//! Models as callers see them.

use jiff::Timestamp;
use jiff::civil::Date;
use jobkit::{JobId, ModelRecord, NewModel, Standing, StandingChange};
use serde::Serialize;
use utoipa::ToSchema;

/// A file that a job made of data, to be used on other data. All but its standing is for ever.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model {
    /// The first digits of its hash.
    pub id: String,
    pub sha256: String,
    /// Models of one name replace each other.
    pub name: String,
    /// From 1, for each name.
    pub version: u32,
    #[schema(value_type = ModelStanding)]
    pub standing: Standing,
    /// Models and data that fit have one.
    pub schema_sha256: String,
    /// Of what it was made from, where that has days.
    pub window: Option<Window>,
    pub entries: u64,
    /// Where its file is.
    pub path: String,
    /// The job, which may have been pruned since.
    #[schema(value_type = Uuid)]
    pub made_by: JobId,
    pub made_at: Timestamp,
}

/// `champion`: used, and the only one of its name. `challenger`: not used, and may come to be. `retired`: no longer used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelStanding {
    Champion,
    Challenger,
    Retired,
}

/// The first and the last day.
#[derive(Debug, Serialize, ToSchema)]
pub struct Window {
    pub from: Date,
    pub to: Date,
}

impl From<ModelRecord> for Model {
    fn from(ModelRecord { model, version, standing, made_by, made_at }: ModelRecord) -> Self {
        let NewModel { id, sha256, name, schema_sha256, window, entries, path } = model;
        let window = window.map(|(from, to)| Window { from, to });
        Self { id, sha256, name, version, standing, schema_sha256, window, entries, path, made_by, made_at }
    }
}

/// What a promotion did to one model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelChange {
    pub id: String,
    #[schema(value_type = ModelStanding)]
    pub from: Standing,
    #[schema(value_type = ModelStanding)]
    pub to: Standing,
}

impl From<StandingChange> for ModelChange {
    fn from(StandingChange { id, from, to }: StandingChange) -> Self {
        Self { id, from, to }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    /// Programs read these, so what stands here stays.
    #[test]
    fn shapes_are_promises() {
        let model = NewModel {
            id: "a1b2c3d4".into(),
            sha256: "a1b2".into(),
            name: "ledger".into(),
            schema_sha256: "ab".into(),
            window: Some((jiff::civil::date(2025, 1, 1), jiff::civil::date(2025, 12, 31))),
            entries: 7,
            path: "file:///models/a1".into(),
        };
        let record = ModelRecord {
            model,
            version: 2,
            standing: Standing::Challenger,
            made_by: JobId(Uuid::nil()),
            made_at: Timestamp::UNIX_EPOCH,
        };
        let change = StandingChange { id: "a1".into(), from: Standing::Challenger, to: Standing::Champion };

        assert_eq!(
            json!([Model::from(record), ModelChange::from(change)]),
            json!([
                {
                    "id": "a1b2c3d4", "sha256": "a1b2", "name": "ledger", "version": 2, "standing": "challenger",
                    "schema_sha256": "ab", "window": { "from": "2025-01-01", "to": "2025-12-31" }, "entries": 7,
                    "path": "file:///models/a1", "made_by": "00000000-0000-0000-0000-000000000000",
                    "made_at": "1970-01-01T00:00:00Z",
                },
                { "id": "a1", "from": "challenger", "to": "champion" },
            ])
        );
    }
}
