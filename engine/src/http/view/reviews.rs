//! What people decided on the items of a job's result, as callers see it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use store::{Decision, ReviewRow};

#[derive(Debug, Serialize, ToSchema)]
pub struct Review {
    /// Grows with every review.
    pub id: i64,
    /// As the job's result names it.
    pub item: String,
    #[schema(value_type = ReviewDecision)]
    pub decision: Decision,
    pub comment: Option<String>,
    /// The person, as the caller named it.
    pub by: Option<String>,
    /// Who called.
    pub actor: String,
    pub at: Timestamp,
}

/// `cleared`: looked at, and nothing is to be done. `follow_up`: somebody is to look further into it. `comment`: something is
/// said, and what was decided holds on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    Cleared,
    FollowUp,
    Comment,
}

impl From<ReviewRow> for Review {
    fn from(ReviewRow { seq, item, decision, comment, by, actor, at }: ReviewRow) -> Self {
        Self { id: seq, item, decision, comment, by, actor, at }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Programs read these, so what stands here stays.
    #[test]
    fn shapes_are_promises() {
        let row = ReviewRow {
            seq: 7,
            item: "JE-4711".into(),
            decision: Decision::FollowUp,
            comment: Some("who posted it?".into()),
            by: Some("Ada".into()),
            actor: "token:api".into(),
            at: Timestamp::UNIX_EPOCH,
        };

        assert_eq!(
            json!(Review::from(row)),
            json!({
                "id": 7, "item": "JE-4711", "decision": "follow_up", "comment": "who posted it?", "by": "Ada",
                "actor": "token:api", "at": "1970-01-01T00:00:00Z",
            })
        );
    }
}
