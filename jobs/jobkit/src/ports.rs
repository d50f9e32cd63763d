//! What a job may ask of the world through its engine. Families own the ports of their own providers;
//! only those that several share are here.

use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Ctx, JobId, Models, NewJob, Personal, Progress, Records, SecretString, StepRecord, UploadId};

#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct PortError {
    pub doing: String,
    /// What was to be read is not there, and will not be later.
    pub is_missing: bool,
    #[source]
    pub cause: crate::outcome::Cause,
}

impl PortError {
    pub fn new(doing: impl Into<String>, cause: impl Into<crate::outcome::Cause>) -> Self {
        Self { doing: doing.into(), is_missing: false, cause: cause.into() }
    }

    pub fn missing(doing: impl Into<String>, cause: impl Into<crate::outcome::Cause>) -> Self {
        Self { is_missing: true, ..Self::new(doing, cause) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Another worker has the job now; whatever this attempt does would be done twice.
    #[error("the lease was lost")]
    LeaseLost,
    /// The store is at fault, not what was asked of it: later it may work.
    #[error("the store did not answer")]
    Away(#[source] crate::outcome::Cause),
    /// The store cannot hold or read just this.
    #[error("the store could not do it")]
    Store(#[source] crate::outcome::Cause),
    #[error("{0}")]
    Refused(String),
}

/// How a child job ended, or that it has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildResult {
    pub id: JobId,
    pub state: String,
    pub result: Option<Value>,
    pub error: Option<String>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u16,
}

/// The engine, as one attempt sees it. Every write is refused once the attempt has lost its lease, save that
/// of artifacts.
pub trait Host: Send + Sync + 'static {
    fn steps<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Vec<StepRecord>, HostError>>;
    fn save_step<'a>(&'a self, ctx: &'a Ctx, step: &'a StepRecord) -> BoxFuture<'a, Result<(), HostError>>;
    fn progress<'a>(&'a self, ctx: &'a Ctx, progress: &'a Progress) -> BoxFuture<'a, Result<(), HostError>>;
    /// Inserts the children and records the step in one transaction.
    fn spawn<'a>(
        &'a self,
        ctx: &'a Ctx,
        step: &'a str,
        children: Vec<NewJob>,
    ) -> BoxFuture<'a, Result<Vec<JobId>, HostError>>;
    /// How each ended; `unknown` where there is none, or it is another tenant's.
    fn children<'a>(
        &'a self,
        ctx: &'a Ctx,
        ids: &'a [JobId],
    ) -> BoxFuture<'a, Result<Vec<ChildResult>, HostError>>;
    /// Which installation this is.
    fn installation(&self) -> BoxFuture<'_, Result<Uuid, HostError>>;
    fn artifacts(&self) -> &dyn Artifacts;
    fn models(&self) -> &dyn Models;
    fn records(&self) -> &dyn Records;
    /// Brings an upload of the job's own tenant into a file, whole and as it was received, and returns how many bytes it has.
    fn fetch_upload<'a>(
        &'a self,
        ctx: &'a Ctx,
        upload: UploadId,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<u64, HostError>>;
    fn audit<'a>(&'a self, ctx: &'a Ctx, entry: AuditEntry) -> BoxFuture<'a, Result<(), HostError>>;
    /// Lets nothing start there for so long, on any machine; the entry in the audit log is part of it.
    fn hold_off<'a>(
        &'a self,
        ctx: &'a Ctx,
        what: HoldOff<'a>,
        wait: Duration,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), HostError>>;
    /// Takes from a limit on calls, all or nothing.
    fn take<'a>(
        &'a self,
        limit: &'a str,
        key: &'a str,
        count: u32,
    ) -> BoxFuture<'a, Result<Admission, HostError>>;
    /// Whether the other side may be called.
    fn enter_breaker<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Admission, HostError>>;
    /// How a call that was admitted ended.
    fn leave_breaker<'a>(&'a self, name: &'a str, end: CallEnd) -> BoxFuture<'a, Result<(), HostError>>;
}

/// What is to rest when a provider asks for time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOff<'a> {
    /// The queue of this job.
    Queue,
    /// What shares this job's bucket under the limit of that name: the same account, say.
    Limit(&'a str),
    /// What takes from that limit on calls, for that key.
    Calls { limit: &'a str, key: &'a str },
}

/// What a circuit breaker, or a limit on calls, says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Go,
    /// The other side failed too often, or was called as often as it may be; ask again after so long.
    Wait(Duration),
}

/// How a call ended, as far as a circuit breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The other side is well, whatever it said.
    Answered,
    Failed,
    /// Nobody knows: the attempt was interrupted.
    Unknown,
}

/// Whose a file is: a run of a job. Each run has names of its own, so one that was dropped and still writes
/// cannot touch what its successor wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    pub job: JobId,
    /// [`crate::JobInfo::claim`].
    pub claim: u64,
}

/// Files that outlive the attempt: reports, archives, scores.
pub trait Artifacts: Send + Sync + 'static {
    /// Stores `bytes` under the run and name, replacing what the same run wrote there, and returns the address.
    fn put<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PortError>>;
    /// As `put`, moving a finished file in whole.
    fn put_file<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<String, PortError>>;
    /// As `put`, where nothing stands yet: for what is written once. The same bytes again give the same address again.
    fn put_new<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PutNewError>>;
    /// The error says when it is missing: then no later try finds it.
    fn get<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, PortError>>;
    /// For files that are too large to hold: piece by piece, of so many bytes each but the last.
    fn read<'a>(&'a self, address: &'a str, piece_bytes: usize) -> BoxFuture<'a, Result<Reading, PortError>>;
    /// What the runs of a job left, by run and then by name.
    fn list(&self, job: JobId) -> BoxFuture<'_, Result<Vec<Artifact>, PortError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum PutNewError {
    /// Trying again is of no use.
    #[error("`{0}` is there already, with other bytes; what is written once is not replaced")]
    Taken(String),
    /// It may work later.
    #[error(transparent)]
    Away(#[from] PortError),
}

/// A file that is being read. It stays the one that it was: when another takes its place meanwhile, what is read is the
/// first to its end, or an error.
pub struct Reading {
    pub bytes: u64,
    pub pieces: BoxStream<'static, Result<Vec<u8>, PortError>>,
}

/// A file that a run of a job left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub owner: Owner,
    pub name: String,
    pub address: String,
    pub bytes: u64,
}

/// Files that lie in buckets, each with an address such as `s3://ledgers/2026/GL_Detail.csv`.
pub trait Objects: Send + Sync + 'static {
    /// Brings the object into a file, whole, and returns how many bytes it has.
    fn fetch<'a>(&'a self, address: &'a str, into: &'a Path) -> BoxFuture<'a, Result<u64, ObjectError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error(
        "`{0}` lies in no bucket that is configured; write s3://BUCKET/KEY, and name the bucket in [buckets]"
    )]
    Unknown(String),
    #[error("there is no object `{0}`")]
    Missing(String),
    #[error("`{address}` may not be read; look at the rights of the keys in [buckets]")]
    Denied {
        address: String,
        #[source]
        cause: crate::outcome::Cause,
    },
    /// It may work later.
    #[error(transparent)]
    Away(#[from] PortError),
}

/// Databases of others, which jobs read or change, by the names that the configuration has for them.
pub trait Databases: Send + Sync + 'static {
    /// Where one is, with what opens it. Asked before each use: passwords change.
    fn url(&self, name: &str) -> Result<SecretString, DatabaseError>;
}

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("there is no database `{0}`; add [databases.{0}] to the configuration")]
    Unknown(String),
    #[error("databases.{name}.url cannot be had")]
    Url {
        name: String,
        #[source]
        cause: crate::outcome::Cause,
    },
}

/// Who did what to which thing. No entry, no action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Option<Timestamp>,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub outcome: String,
    pub tenant: Option<String>,
    /// Of a job that says what it did, there is none.
    #[serde(default, skip_serializing_if = "Origin::is_unknown")]
    pub origin: Origin,
    pub details: Value,
}

/// From where something was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The name under which the request can be found again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The address it came from, as a commitment: an address is somebody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The approval by which it is done. Whoever writes the entry of it uses the approval in the same transaction, or
    /// writes nothing; the entry itself does not keep it.
    #[serde(skip)]
    pub approval: Option<Uuid>,
}

impl Origin {
    pub fn is_unknown(&self) -> bool {
        self.request.is_none() && self.source.is_none()
    }
}

/// For what is done outside an attempt, an adapter's own clean-up say; a running job has [`Ctx::audit`], which
/// adds who it is.
pub trait Audit: Send + Sync + 'static {
    fn append(&self, entry: AuditEntry) -> BoxFuture<'_, Result<(), PortError>>;
}

/// Where the secret is that a reference names.
pub trait SecretStore: Send + Sync + 'static {
    fn get<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<SecretString, PortError>>;
}

#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: Vec<Personal<String>>,
    pub subject: String,
    pub text: String,
}

/// Sends at least once; the key lets the other side see a second one.
pub trait Mailer: Send + Sync + 'static {
    fn send<'a>(&'a self, key: &'a str, mail: &'a Mail) -> BoxFuture<'a, Result<(), PortError>>;
}
