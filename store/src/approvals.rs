//! Approvals: what somebody asked for, waits for others to look at, and is done once and as it was shown or not at all.
//!
//! An approval holds the bytes of what will be done, and their SHA-256 behind a salt, so that the audit log can name
//! them without telling what is in them. Who votes names the hash; who acts makes the bytes again. Of a job the bytes are
//! made from its row, when it is asked for and again when it is let go.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{AuditEntry, JobId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::alerts::{News, Severity};
use super::{Actor, Result, Scope};

pub mod judge;

pub use judge::{After, Unfit, VoteRefusal};

#[async_trait]
pub trait Approvals: Send + Sync + 'static {
    /// Asks for what no job stands for. An open approval of the same author for the same bytes is the answer instead, so
    /// that a request that is sent again asks once.
    async fn ask(&self, asked: &NewApproval, by: &Actor) -> Result<ApprovalRow>;

    async fn approval(&self, scope: &Scope, id: ApprovalId) -> Result<Option<ApprovalRow>>;

    /// What a job waits for, or waited for.
    async fn approval_of(&self, scope: &Scope, job: JobId) -> Result<Option<ApprovalRow>>;

    /// Newest first.
    async fn approvals(&self, scope: &Scope, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>>;

    /// One person's word, once. The last grant of a job's approval uses it and lets the job go, in the same transaction,
    /// if the job's row is still what was shown; a refusal cancels the job.
    async fn vote(&self, scope: &Scope, vote: &NewVote, by: &Actor) -> Result<Voted>;

    /// Takes back what is not used yet; its job is cancelled.
    async fn withdraw(&self, scope: &Scope, id: ApprovalId, reason: &str, by: &Actor) -> Result<Voted>;

    /// Ends those whose time is over, up to `limit`, with their jobs.
    async fn expire_approvals(&self, limit: usize) -> Result<Ended>;

    /// How many wait for somebody, and since when the first does.
    async fn approvals_open(&self) -> Result<(u64, Option<Timestamp>)>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalId(pub Uuid);

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ApprovalId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// People are still to vote.
    Pending,
    /// All that were wanted gave it, and it waits to be used.
    Granted,
    Refused,
    Withdrawn,
    Used,
    Expired,
}

impl ApprovalState {
    pub const ALL: [ApprovalState; 6] =
        [Self::Pending, Self::Granted, Self::Refused, Self::Withdrawn, Self::Used, Self::Expired];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }

    /// Something may still come of it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Granted)
    }
}

impl FromStr for ApprovalState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| format!("`{text}` is no state of an approval: {}", known()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Grant,
    Refuse,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Refuse => "refuse",
        }
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Grant, Self::Refuse]
            .into_iter()
            .find(|one| one.name() == text)
            .ok_or_else(|| format!("`{text}` is no verdict: grant or refuse"))
    }
}

/// What must be given before something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// One or two.
    pub people: u8,
    /// What each of them must have.
    pub permission: String,
    /// How long there is to give and to use it.
    pub expires: Duration,
}

#[derive(Clone, PartialEq, Eq)]
pub struct NewApproval {
    pub id: ApprovalId,
    pub action: String,
    /// JSON text: exactly what will be done.
    pub what: String,
    pub salt: [u8; 16],
    pub tenant: Option<String>,
    pub demand: Demand,
}

/// What a job is for: everything else about it is made from its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDemand {
    pub id: ApprovalId,
    pub demand: Demand,
}

/// The action of a job that waits to run.
pub const RUN: &str = "jobs.run";

/// Of what will be done. The salt keeps a small secret in it from being guessed by whoever sees the hash alone.
pub fn digest(salt: &[u8], what: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(what.as_bytes()).finalize().into()
}

#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    pub id: ApprovalId,
    pub action: String,
    pub what: String,
    pub salt: Vec<u8>,
    pub sha256: Vec<u8>,
    pub tenant: Option<String>,
    pub author: String,
    pub people: u8,
    pub permission: String,
    pub job: Option<JobId>,
    pub state: ApprovalState,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Why it was refused or withdrawn.
    pub reason: Option<String>,
    /// In the order in which they were given.
    pub votes: Vec<VoteRow>,
}

/// What will be done may be about people, and the salt is what hides it: neither is printed.
impl fmt::Debug for ApprovalRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, action, author, people, state, votes, .. } = self;
        write!(f, "{action} {id} of {author}: {} with {} of {people} votes", state.name(), votes.len())
    }
}

impl ApprovalRow {
    /// In hexadecimal digits, as people compare it.
    pub fn hash(&self) -> String {
        hex(&self.sha256)
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRow {
    pub voter: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// As the stores put votes into one column of an answer: who, what, why, and when in microseconds.
pub type KeptVote = (String, String, Option<String>, i64);

impl VoteRow {
    pub fn kept((voter, verdict, reason, at): KeptVote) -> Result<Self, String> {
        let at = Timestamp::from_microsecond(at).map_err(|cause| cause.to_string())?;
        Ok(Self { voter, verdict: verdict.parse()?, reason, at })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVote {
    pub approval: ApprovalId,
    pub verdict: Verdict,
    /// The hash of what was shown, in hexadecimal digits; a refusal needs none.
    pub sha256: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voted {
    /// The approval as it is now, and queues that got a job to claim.
    Done(Box<ApprovalRow>, Vec<String>),
    Refused(VoteRefusal),
    Unknown,
}

/// Those that expired, and queues that got a job to claim by it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    pub ids: Vec<ApprovalId>,
    pub woken: Vec<String>,
}

/// All conditions must hold; an empty list is no condition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovalFilter {
    pub states: Vec<ApprovalState>,
    pub actions: Vec<String>,
    /// Asked for before this one.
    pub before: Option<ApprovalId>,
    pub limit: usize,
}

pub fn object(id: ApprovalId) -> String {
    format!("approval:{id}")
}

/// What the audit log says of an approval. What is to be done is named by its hash: it may be about people.
pub fn told(by: &Actor, what: &str, approval: &ApprovalRow, more: Value) -> AuditEntry {
    let mut details = json!({ "of": approval.action, "sha256": approval.hash(), "author": approval.author });
    if let Some(job) = approval.job {
        details["job"] = json!(job);
    }
    if let (Some(details), Value::Object(more)) = (details.as_object_mut(), more) {
        details.extend(more);
    }
    let outcome = if details.get("why").is_some() { "refused" } else { "ok" };
    let entry = by.entry(&format!("approval.{what}"), object(approval.id), outcome, details);
    AuditEntry { tenant: approval.tenant.clone(), ..entry }
}

/// When it is asked for, what is wanted is told too.
pub fn told_asked(by: &Actor, approval: &ApprovalRow) -> AuditEntry {
    let wanted = json!({
        "people": approval.people, "permission": approval.permission, "expires_at": approval.expires_at,
    });
    told(by, "ask", approval, wanted)
}

/// Raised when nobody decided in time.
pub const EXPIRED: &str = "approval.expired";

pub fn expired_news(approval: &ApprovalRow) -> News {
    let text = format!("nobody decided in time on {}; ask again", approval.action);
    News::happened(EXPIRED, &approval.action, Severity::Warning, text).jobs(approval.job)
}

/// Why a job was cancelled that waited for an approval, in a word that its state has.
pub fn job_ended_by(id: ApprovalId, state: ApprovalState, by: &str) -> String {
    match state {
        ApprovalState::Expired => format!("approval {id} expired"),
        state => format!("approval {id} was {} by {by}", state.name()),
    }
}

/// Why a job is not run again that was never approved, or not as it is now. None: nobody was asked.
pub fn never_approved(found: Option<(ApprovalId, ApprovalState)>) -> String {
    match found {
        None => "people approve jobs of its kind, and were not asked for this one; enqueue it anew".into(),
        Some((id, ApprovalState::Used)) => {
            format!("its approval {id} is of other bytes: somebody changed its row; enqueue it anew")
        }
        Some((id, state)) => format!("its approval {id} is {}; enqueue it anew", state.name()),
    }
}

/// The person, if one acts: services and the installation's own token may ask and never vote.
pub fn is_person(name: &str) -> bool {
    ["user:", "platform:", "cli:"].iter().any(|kind| name.starts_with(kind))
}
