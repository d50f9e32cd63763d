//! What people decided on the items of a job's result: cleared, to be followed up, or said something of. Rows are only
//! appended, and outlive the job.

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::JobId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Actor, Once, Request, Result, Scope};

#[async_trait]
pub trait Reviews: Send + Sync + 'static {
    /// Writes down what somebody decided, all of it or nothing, with one entry in the audit log that names the items and
    /// the decisions and holds no comment. A job that has not completed, or is not there, has nothing to decide on.
    async fn review(
        &self,
        scope: &Scope,
        job: JobId,
        reviews: &[NewReview],
        by: &Reviewer,
    ) -> Result<Reviewed>;

    /// As `review`, once for each key. What was not written leaves its key free.
    async fn review_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        reviews: &[NewReview],
        by: &Reviewer,
    ) -> Result<Once<Reviewed>>;

    /// All that was said of a job's items, the newest first; also of a job that was pruned since.
    async fn reviews(&self, scope: &Scope, filter: &ReviewFilter) -> Result<Vec<ReviewRow>>;

    /// What holds for each item that something was decided on: the last decision, which a comment does not change. In the
    /// order of the items' bytes, from behind this one on.
    async fn decisions(
        &self,
        scope: &Scope,
        job: JobId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReviewRow>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Looked at, and nothing is to be done.
    Cleared,
    /// Somebody is to look further into it.
    FollowUp,
    /// Something is said, and what was decided holds on.
    Comment,
}

impl Decision {
    pub const ALL: [Decision; 3] = [Decision::Cleared, Decision::FollowUp, Decision::Comment];

    pub fn name(self) -> &'static str {
        match self {
            Decision::Cleared => "cleared",
            Decision::FollowUp => "follow_up",
            Decision::Comment => "comment",
        }
    }
}

impl std::str::FromStr for Decision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| format!("`{text}` is no decision: cleared, follow_up or comment"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// As the result names it.
    pub item: String,
    pub decision: Decision,
    pub comment: Option<Comment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// As it is kept: sealed, where the kind is encrypted.
    pub text: String,
    /// How long it is as it was written.
    pub characters: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    /// Who calls, as with everything that is done.
    pub actor: Actor,
    /// The person, as the caller names it: one token may serve many.
    pub by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviewed {
    At(Timestamp),
    /// Nothing was written: no job of this id has completed.
    NotCompleted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRow {
    /// Grows with every row.
    pub seq: i64,
    pub item: String,
    pub decision: Decision,
    pub comment: Option<String>,
    pub by: Option<String>,
    pub actor: String,
    pub at: Timestamp,
}

/// All conditions must hold; an empty list is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewFilter {
    pub job: JobId,
    pub items: Vec<String>,
    /// Only those that were written before this one.
    pub before: Option<i64>,
    pub limit: usize,
}

/// What the audit log says. Comments may be about people, so only their lengths are told.
pub fn review_details(reviews: &[NewReview], by: &Reviewer) -> Value {
    let item = |review: &NewReview| {
        let mut told = json!({ "item": review.item, "decision": review.decision });
        if let Some(comment) = &review.comment {
            told["comment_characters"] = comment.characters.into();
        }
        told
    };
    json!({ "by": by.by, "items": reviews.iter().map(item).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_read_as_it_is_written() {
        for decision in Decision::ALL {
            assert_eq!(decision.name().parse(), Ok(decision));
            assert_eq!(json!(decision), decision.name());
        }
        assert!("waived".parse::<Decision>().unwrap_err().contains("follow_up"));
    }

    #[test]
    fn the_audit_log_is_told_how_long_a_comment_is_and_nothing_of_it() {
        let comment = Comment { text: "Ada says so".into(), characters: 11 };
        let reviews = [
            NewReview { item: "JE-1".into(), decision: Decision::FollowUp, comment: Some(comment) },
            NewReview { item: "JE-2".into(), decision: Decision::Cleared, comment: None },
        ];
        let by = Reviewer { actor: Actor::system(), by: Some("Grace".into()) };

        assert_eq!(
            review_details(&reviews, &by),
            json!({ "by": "Grace", "items": [
                { "item": "JE-1", "decision": "follow_up", "comment_characters": 11 },
                { "item": "JE-2", "decision": "cleared" },
            ] })
        );
    }
}
