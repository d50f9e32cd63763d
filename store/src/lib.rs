//! The seam to the database: one verb per transition, the same promises on SQLite and PostgreSQL.
//!
//! Live jobs and finished ones are apart: a finished job moves to the history in the statement that
//! finishes it, so the live tables stay as small as the work in hand however long the history grows.
//!
//! Who may report on a job is decided by its *fence*, a number that grows with every claim. A worker that
//! lost its lease still has the old number and is refused. Whether a worker is alive is decided by its
//! *beat*, a counter: whoever watches it measures on its own steady clock how long the counter stood
//! still, so no clock that a person can set takes part.
//!
//! What is read or changed for somebody who calls is within a [`Scope`], which every such verb asks for; the other verbs
//! are the engine's own.
//!
//! Every transition of a job, each step, and what people do writes its audit entry in the same transaction; beats and
//! progress write none.

pub mod alerts;
pub mod approvals;
pub mod audit_log;
pub mod breaker;
pub mod breakers;
pub mod briefs;
pub mod evidence;
mod fault;
pub mod identities;
pub mod ledger;
pub mod limits;
pub mod models;
pub mod place;
pub mod rates;
pub mod recent;
pub mod records;
pub mod requests;
pub mod reviews;
pub mod rule;
pub mod schedules;
pub mod scope;
pub mod segments;
pub mod state;
pub mod tokens;
pub mod transaction;
pub mod tree;
pub mod triggers;
pub mod turns;
pub mod types;
pub mod uploads;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{AuditEntry, JobId, Progress, StepRecord};
use uuid::Uuid;

pub use alerts::*;
pub use approvals::{
    ApprovalFilter, ApprovalId, ApprovalRow, ApprovalState, Approvals, Demand, JobDemand, NewApproval,
    NewVote, Verdict, VoteRow, Voted,
};
pub use audit_log::{AuditLog, AuditPage, OfJobs};
pub use breakers::{BreakerRow, Breakers};
pub use briefs::{Briefs, JobBrief};
pub use evidence::{AuditSearch, Erasing, Evidence};
pub use fault::chain;
pub use identities::{Identities, Role, SessionId, TokenId, UserId};
pub use limits::{
    BucketRow, HoldOff, LanedJob, LimitSet, Limited, LimitedClaim, Limits, Reserved, SetAside, StartWindow,
    Taken,
};
pub use models::{Attempting, ModelFilter, Models, Promoter};
pub use place::{Beginning, NoPlace, Place, Position};
pub use rates::{Allowance, RateAsk, RateBucket, RateTold, Rates};
pub use records::{RecordPage, Records};
pub use requests::{Once, Request, Requests};
pub use reviews::{Comment, Decision, NewReview, ReviewFilter, ReviewRow, Reviewed, Reviewer, Reviews};
pub use schedules::Schedules;
pub use scope::{Isolation, Scope};
pub use segments::{NewSegment, SegmentRow, Segments};
pub use tokens::{TokenRow, Tokens};
pub use transaction::Transaction;
pub use tree::{AnchorRow, EpochRow, FullTile, OpeningRow, SignedRow, Tree, Trunk};
pub use triggers::Triggers;
pub use types::*;
pub use uploads::{
    NewUpload, Quota, Received, Reservation, UploadDeleted, UploadRow, UploadState, Uploads, Why,
};

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[async_trait]
pub trait Store:
    Alerts
    + Approvals
    + AuditLog
    + Breakers
    + Briefs
    + Evidence
    + Identities
    + Limits
    + Models
    + Rates
    + Records
    + Requests
    + Reviews
    + Schedules
    + Segments
    + Tokens
    + Tree
    + Triggers
    + Uploads
{
    /// Brings the schema to this version; safe when several start at once.
    async fn migrate(&self) -> Result<Migrated>;

    /// The version the schema is at, 0 before the first, and the one this program needs. Changes nothing.
    async fn schema(&self) -> Result<Schema>;

    /// An error where nothing could be written, as on a standby or a full disk. Leaves nothing behind.
    async fn writable(&self) -> Result<()>;

    /// How tenants are kept apart. Changes nothing.
    async fn isolation(&self) -> Result<Isolation>;

    /// The time that decides what is due.
    async fn now(&self) -> Result<Timestamp>;

    /// Which installation this is: drawn when the schema was made, and the same ever since, also in a database that was restored.
    async fn installation(&self) -> Result<Uuid>;

    /// Writes down what the registry knows, for the SQL function and for people.
    async fn put_kinds(&self, kinds: &[KindRow]) -> Result<()>;

    // Enqueueing.

    /// All or nothing. The answers are in the order of the rows. A row that is due in the past is due now.
    ///
    /// Workers of other processes are told where the store can tell them.
    ///
    /// A row whose unique key is held answers with the holder, which may be an earlier row of the same
    /// batch. `Replace` gives the holder the newer args, time, priority, tags and metadata unless it runs
    /// or has ended. A key whose time has passed is held by nobody.
    ///
    /// Parents are jobs that are known, or rows that stand earlier in the batch; a row that is a duplicate
    /// stands for its holder there too. An unknown parent is `Refused` by name. A child of a parent that
    /// has ended as the child's rule does not allow goes straight to the history as cancelled, with an error
    /// that names the parent. A row that comes with a duplicate is left out, and answers as that one did.
    ///
    /// An upload that a row names, and that is not of its tenant, not ready or over, is `Refused` by name. It is kept until
    /// the job has ended.
    ///
    /// A row of another tenant than the scope's, or of none, is `Refused`, and a parent outside of the scope is unknown.
    ///
    /// `Busy` when a transaction that somebody keeps open has the same key, or a parent; on SQLite it is
    /// waited for.
    async fn insert(&self, scope: &Scope, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>>;

    /// As `insert`, in a transaction that the caller commits or rolls back. On PostgreSQL workers are woken
    /// by the commit; on SQLite they find the jobs at their next poll, or when the caller wakes them.
    async fn insert_in(
        &self,
        tx: Transaction<'_>,
        scope: &Scope,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Vec<Inserted>>;

    // Workers and their leases.

    async fn register(&self, worker: &WorkerInfo) -> Result<WorkerId>;

    /// Moves the counter on. Unknown means that somebody declared this worker dead.
    async fn beat(&self, worker: WorkerId) -> Result<Beat>;

    /// Ends a worker that holds nothing any more; `Refused` while it does, because nobody would ever take
    /// its jobs from it.
    async fn retire(&self, worker: WorkerId) -> Result<()>;

    /// Those that are neither retired nor declared dead.
    async fn workers(&self) -> Result<Vec<WorkerRow>>;

    /// Declares a worker dead if its counter still stands at `beat`, and takes its jobs away: each is
    /// available again at the place it had, or discarded when that was its last attempt, or cancelled when
    /// somebody asked for that. The attempt counts, and has a row that ends in `lost`. A late report of the
    /// dead worker is refused in each of these cases.
    ///
    /// A job that somebody else's transaction has is left; its worker is then among [`Store::unrescued`], and the same
    /// call takes it later, whatever `beat` says.
    async fn rescue(&self, worker: WorkerId, beat: i64) -> Result<Vec<Rescued>>;

    /// Workers that were declared dead and still hold jobs.
    async fn unrescued(&self) -> Result<Vec<WorkerId>>;

    // The life of a claim.

    /// Claims up to `limit` due jobs of one queue that nothing limits, first in rank first. A paused queue gives none, and so
    /// does any queue to a worker that has ended.
    ///
    /// When jobs of tenants are there, tenants take turns, the first in rank of each first; jobs without a
    /// tenant take theirs as one tenant. The next claim of this process goes on behind the tenant that had the
    /// last turn, so that all are served, however many wait and however small the claims. Fewer than `limit` means that there are no more.
    async fn claim(&self, worker: WorkerId, queue: &str, limit: usize) -> Result<Vec<Claimed>>;

    /// Records how attempts ended, each guarded by its fence and worker. Refused reports are named in the
    /// answer; one that ended its job when an earlier try of the same call was recorded is none.
    ///
    /// A job whose cancellation was asked for is cancelled by whatever is reported but `Completed`. When a
    /// job ends, those that wait for it are freed, or cancelled with all that wait for them.
    async fn finish(&self, worker: WorkerId, reports: &[Report]) -> Result<Finished>;

    /// Gives back every job this worker holds in the database but not in its hand, as after a claim whose
    /// answer was lost on the way. The attempt is not counted. A job whose cancellation was asked for is
    /// cancelled instead. Queues that got a job to claim by this are woken.
    async fn give_back_unheld(&self, worker: WorkerId, held: &[JobId]) -> Result<u64>;

    // What happens by itself.

    /// Makes due jobs available, up to `limit`.
    async fn stage(&self, limit: usize) -> Result<Staged>;

    /// Queues that have a job to claim, limited or not, paused ones left out.
    async fn ready_queues(&self) -> Result<Vec<String>>;

    /// Deletes finished jobs older than the rules allow with all that belongs to them, up to `limit`, of
    /// each kind and state the oldest first. One that ended long after it was enqueued may stay longer, by as
    /// long as it took and by a day at most. A key that such a job holds because it completed is free.
    async fn prune(&self, rules: &PruneRules, limit: usize) -> Result<u64>;

    /// Deletes workers that ended so long ago, and names them. What they did keeps their number.
    async fn forget_workers(&self, ended_for: Duration) -> Result<Vec<WorkerId>>;

    // What a running attempt reads and writes; refused with `LeaseLost` when it does not hold the job any more.

    /// In the order in which they were taken.
    async fn steps(&self, held: Held) -> Result<Vec<StepRecord>>;
    /// Replaces what stands under the same name: an intent by its result.
    async fn save_step(&self, held: Held, step: &StepRecord) -> Result<()>;
    async fn save_progress(&self, held: Held, progress: &Progress) -> Result<()>;
    /// What the attempt says it did, for the audit log.
    async fn save_audit(&self, held: Held, entry: &AuditEntry) -> Result<()>;
    /// Inserts the children and the step that made them in one transaction, and tells workers as `insert` does. A
    /// step that has its result already has its children too, and nothing is inserted again. The answer leaves out
    /// what comes with another.
    async fn spawn(&self, held: Held, step: &StepRecord, rows: &[NewRow], by: &Actor) -> Result<Vec<JobId>>;

    // What people and programs ask.

    async fn job(&self, scope: &Scope, id: JobId) -> Result<Option<JobDetail>>;
    /// Newest first.
    async fn jobs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRow>>;
    /// Queues that have live jobs or were ever paused, by name; only live jobs are counted. A tenant is told of those that
    /// have jobs of its own, and not who paused them and why.
    async fn queues(&self, scope: &Scope) -> Result<Vec<QueueRow>>;

    // What people do.

    /// Up to `limit` jobs that match and can take the change, the newest first; the rest are left as they
    /// are. The filter's own limit has no say. A running job that is cancelled is asked to stop and ends when
    /// its worker says so; listeners hear of it.
    ///
    /// A filter without conditions matches every job that can take the change. Jobs that the filter names
    /// by id and that cannot take it are refused with the reason. A retried job keeps its id, its fence,
    /// its attempts and its steps; it may be attempted as often as when it was enqueued if its attempts
    /// were used up, and takes its unique key again, to be released as before, or is refused with the id of
    /// the job that holds it.
    async fn change(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        change: Change,
        by: &Actor,
        limit: usize,
    ) -> Result<Changed>;
    /// Until that time, or until it is resumed.
    async fn pause(&self, queue: &str, until: Option<Timestamp>, by: &Actor, reason: &str) -> Result<()>;
    async fn resume(&self, queue: &str, by: &Actor) -> Result<()>;

    /// Tells workers that a queue has work, wherever they are. Losing this costs one poll, never a job.
    async fn wake(&self, queue: &str) -> Result<()>;

    /// Names of queues that were woken. Ends when the connection is lost; whoever listens comes again.
    async fn listen(&self) -> Result<tokio::sync::mpsc::Receiver<Woken>>;

    /// Waits for what is under way and closes.
    async fn close(&self);
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{doing}")]
    Database {
        doing: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A transaction of somebody else's, still open, holds a unique key or a job that this needs. Nothing was
    /// written; when that transaction has ended, the same call may do.
    #[error("{doing} has to wait for a transaction that is still open; try again when it has ended")]
    Busy {
        doing: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The fence moved on: another worker has the job, or nobody may have it.
    #[error("the lease was lost")]
    LeaseLost,
    /// What was asked cannot be; says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// What was to be done needs an approval, and the one that was given cannot be used any more. Nothing was changed.
    #[error("approval {0} cannot be used any more: it was used, taken back, or is over")]
    Unapproved(ApprovalId),
}

/// How long a worker may go without a beat before its jobs are taken from it.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);
