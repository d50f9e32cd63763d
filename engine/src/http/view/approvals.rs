//! Approvals as callers see them.

use jiff::Timestamp;
use jobkit::JobId;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use store::approvals::hex;
use store::{ApprovalId, ApprovalRow, Verdict, VoteRow};

#[derive(Debug, Serialize, ToSchema)]
pub struct Approval {
    #[schema(value_type = Uuid)]
    pub id: ApprovalId,
    /// Such as `jobs.run`; `docs/reference/approvals.md` lists them.
    pub action: String,
    /// The job that waits for it, where it is a job's.
    #[schema(value_type = Option<Uuid>)]
    pub job: Option<JobId>,
    pub tenant: Option<String>,
    /// Who asked, and so does not approve.
    pub author: String,
    /// How many must give it.
    pub people: u8,
    /// What each of them must have.
    pub permission: String,
    /// pending, granted, refused, withdrawn, used or expired.
    pub state: &'static str,
    /// Of exactly what will be done; whoever grants names it.
    pub sha256: String,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Why it was refused or withdrawn.
    pub reason: Option<String>,
    pub votes: Vec<Vote>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Vote {
    pub voter: String,
    /// grant or refuse.
    pub verdict: &'static str,
    pub reason: Option<String>,
    pub at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalInFull {
    #[serde(flatten)]
    pub approval: Approval,
    /// Exactly what will be done.
    #[schema(value_type = Object)]
    pub what: Box<RawValue>,
    /// The same, byte for byte: the hash is the SHA-256 of the salt and these.
    pub bytes: String,
    /// In hexadecimal digits.
    pub salt: String,
    /// The arguments of the job, opened where they are sealed; for whoever may read jobs.
    #[schema(value_type = Option<Object>)]
    pub args: Option<Box<RawValue>>,
}

impl From<&ApprovalRow> for Approval {
    fn from(row: &ApprovalRow) -> Self {
        Self {
            id: row.id,
            action: row.action.clone(),
            job: row.job,
            tenant: row.tenant.clone(),
            author: row.author.clone(),
            people: row.people,
            permission: row.permission.clone(),
            state: row.state.name(),
            sha256: row.hash(),
            asked_at: row.asked_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
            reason: row.reason.clone(),
            votes: row.votes.iter().map(Vote::from).collect(),
        }
    }
}

impl From<&VoteRow> for Vote {
    fn from(row: &VoteRow) -> Self {
        let VoteRow { voter, verdict, reason, at } = row;
        let verdict = match verdict {
            Verdict::Grant => "grant",
            Verdict::Refuse => "refuse",
        };
        Self { voter: voter.clone(), verdict, reason: reason.clone(), at: *at }
    }
}

impl ApprovalInFull {
    pub fn of(row: &ApprovalRow, args: Option<String>) -> Self {
        Self {
            approval: row.into(),
            what: raw(row.what.clone()),
            bytes: row.what.clone(),
            salt: hex(&row.salt),
            args: args.map(raw),
        }
    }
}

/// What the store has as JSON. What is none, because a key is missing, is told as a text.
fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text.clone()).unwrap_or_else(|_| {
        let quoted = serde_json::Value::String(text).to_string();
        RawValue::from_string(quoted).unwrap_or_else(|_| RawValue::NULL.to_owned())
    })
}
