//! What crosses the seam: rows as the engine knows them, without a word of SQL.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jobkit::{JobId, LogLine, OnConflict, OnParentFailure, Origin, Progress, StepRecord, UploadId, When};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::approvals::{ApprovalId, Demand, JobDemand};
use super::limits::Limited;
use crate::rule::Lane;
use crate::state::JobState;

/// One minute of waiting is worth one step of priority: that is how a low priority ages past a high one.
pub const AGEING: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub i32);

/// Grows with every claim of a job, save one that a crash of the database undid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub i32);

/// A job in the hand of one attempt: what a step or a report must name to be taken.
///
/// The fence alone does not do. A claim need not wait for the disk, so a crash of the database may undo it,
/// and the next claim, of another worker perhaps, is given the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    pub job: JobId,
    pub worker: WorkerId,
    pub fence: Fence,
}

/// Who does it: `system`, `user:ada`, `worker:7`, `sql:app_role`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor {
    pub name: String,
    pub origin: Origin,
}

impl Actor {
    /// One who asks from nowhere else.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), origin: Origin::default() }
    }

    pub fn with_origin(name: impl Into<String>, origin: Origin) -> Self {
        Self { name: name.into(), origin }
    }

    /// The same, by leave of an approval: what it does next uses it, in the transaction that does it.
    #[must_use]
    pub fn by_leave_of(mut self, approval: ApprovalId) -> Self {
        self.origin.approval = Some(approval.0);
        self
    }

    /// What it did, as the audit log has it.
    pub fn entry(
        &self,
        action: &str,
        object: impl Into<String>,
        outcome: &str,
        details: Value,
    ) -> jobkit::AuditEntry {
        jobkit::AuditEntry {
            at: None,
            actor: self.name.clone(),
            action: action.into(),
            object: object.into(),
            outcome: outcome.into(),
            tenant: None,
            origin: self.origin.clone(),
            details,
        }
    }

    pub fn system() -> Self {
        Self::new("system")
    }

    pub fn worker(id: WorkerId) -> Self {
        Self::new(format!("worker:{}", id.0))
    }
}

/// The year 1. Before 4714 BC PostgreSQL has no times, and nobody means one of the years between.
pub const FIRST_MOMENT: Timestamp = Timestamp::constant(-62_135_596_800, 0);

#[derive(Debug, Clone, PartialEq)]
pub struct KindRow {
    pub kind: String,
    pub queue: String,
    pub priority: u8,
    pub max_attempts: u16,
    pub encrypted: bool,
    /// The kind has a uniqueness rule that only the registry can apply, so SQL callers are sent to the API.
    pub unique: bool,
    /// The engine makes such jobs, and nobody by their name.
    pub internal: bool,
    /// What must be given before one runs; for SQL callers, whose jobs wait for it too.
    pub approval: Option<Demand>,
}

/// A job to insert, everything decided but the time.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRow {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub priority: u8,
    pub max_attempts: u16,
    pub when: When,
    /// JSON text; sealed when the kind is encrypted.
    pub args: String,
    pub unique: Option<UniqueRow>,
    pub tenant: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Option<Value>,
    pub after: Vec<JobId>,
    pub on_parent_failure: OnParentFailure,
    /// An earlier row of the batch that this one comes with: it is left out when that one is a duplicate.
    pub comes_with: Option<JobId>,
    /// None when nothing limits it.
    pub lane: Option<Lane>,
    /// Those that its arguments name.
    pub uploads: Vec<UploadId>,
    /// It waits for this, beside its parents.
    pub approval: Option<JobDemand>,
}

impl NewRow {
    /// Workers need not be told of a job that is only due later. A time of somebody's own may have passed.
    pub fn may_be_due(&self) -> bool {
        if self.approval.is_some() {
            return false;
        }
        match self.when {
            When::Now | When::At(_) => true,
            When::After(delay) => delay.is_zero(),
        }
    }
}

/// Whether a parent that ended so keeps the child from running.
pub fn dooms(rule: OnParentFailure, parent: JobState) -> bool {
    match rule {
        OnParentFailure::Cancel => parent != JobState::Completed,
        OnParentFailure::Run => false,
        OnParentFailure::Only => parent == JobState::Completed,
    }
}

/// Why a job was cancelled without anybody asking for it.
pub fn doomed_by(parent: JobId, state: JobState) -> String {
    match state {
        JobState::Completed => format!("parent job {parent} completed, and this job was for its failure"),
        _ => format!("parent job {parent} did not complete"),
    }
}

/// Why a job cannot wait for this one. Within one batch, parents stand before their children.
pub fn unknown_parent(parent: JobId) -> String {
    format!("after: job {parent} is not known; it was never enqueued or has been pruned")
}

/// As the dependency is written down.
pub fn rule_name(rule: OnParentFailure) -> &'static str {
    match rule {
        OnParentFailure::Cancel => "cancel",
        OnParentFailure::Run => "run",
        OnParentFailure::Only => "only",
    }
}

/// None for a rule that only a later version knows.
pub fn rule_of(name: &str) -> Option<OnParentFailure> {
    [OnParentFailure::Cancel, OnParentFailure::Run, OnParentFailure::Only]
        .into_iter()
        .find(|rule| rule_name(*rule) == name)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueRow {
    /// SHA-256 of everything that makes the key.
    pub key: [u8; 32],
    pub release: Release,
    pub on_conflict: OnConflict,
}

/// When a unique key is free again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// When the job ends, however it ends.
    AtEnd,
    /// When it ends without completing; a completed job holds its key until it is pruned.
    UnlessCompleted,
    /// At this time, whatever became of the job.
    At(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inserted {
    pub id: JobId,
    /// A job with the same unique key was there; this is its id.
    pub duplicate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    pub name: String,
    pub version: String,
    pub lease: Duration,
    pub queues: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerRow {
    pub id: WorkerId,
    pub name: String,
    pub version: String,
    pub started_at: Timestamp,
    pub beat: i64,
    /// For people to look at; nothing is decided by it.
    pub beat_at: Timestamp,
    pub lease: Duration,
    pub queues: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// The lease holds. Jobs of this worker that somebody wants cancelled, with the reason.
    Holds { cancel: Vec<(JobId, String)> },
    /// Declared dead: everything in hand is lost.
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rescued {
    pub id: JobId,
    pub state: JobState,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub id: JobId,
    pub worker: WorkerId,
    pub fence: Fence,
    pub kind: String,
    pub queue: String,
    pub args: String,
    /// From 1, this one included.
    pub attempt: u16,
    pub max_attempts: u16,
    pub tenant: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Option<Value>,
    /// None when nothing limits it.
    pub limited: Option<Limited>,
}

impl Claimed {
    pub fn held(&self) -> Held {
        Held { job: self.id, worker: self.worker, fence: self.fence }
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub held: Held,
    pub attempt: u16,
    pub end: End,
    pub ran: Duration,
    pub log: Vec<LogLine>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// JSON text; sealed when the kind is encrypted.
    Completed {
        result: Option<String>,
    },
    /// Available at once when the delay is zero.
    Retry {
        after: Duration,
        error: String,
    },
    /// The attempt is not counted. Available at once when the delay is zero.
    Snooze {
        after: Duration,
    },
    /// Not begun or interrupted by us: available at once, the attempt is not counted.
    GiveBack,
    Cancelled {
        reason: String,
    },
    Discarded {
        error: String,
    },
    /// The attempt is not counted. Runs again when all of these have ended, however they ended.
    WaitFor(Vec<JobId>),
}

impl End {
    pub fn name(&self) -> &'static str {
        match self {
            End::Completed { .. } => "completed",
            End::Retry { .. } => "failed",
            End::Snooze { .. } => "snoozed",
            End::GiveBack => "given_back",
            End::Cancelled { .. } => "cancelled",
            End::Discarded { .. } => "discarded",
            End::WaitFor(_) => "waiting",
        }
    }

    pub fn error(&self) -> Option<&str> {
        match self {
            End::Retry { error, .. } | End::Discarded { error } => Some(error),
            End::Cancelled { reason } => Some(reason),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// Reports whose fence was old.
    pub refused: Vec<JobId>,
    /// Queues that got a job to claim by this: a child that waited, a job that comes again at once.
    pub woken: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staged {
    pub count: usize,
    pub queues: Vec<String>,
    /// How long until the next job is due; none when none is.
    pub next: Option<Duration>,
}

/// How long finished jobs are kept. A kind's own rule goes before the general one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PruneRules {
    pub completed: Option<Duration>,
    pub cancelled: Option<Duration>,
    pub discarded: Option<Duration>,
    /// `None` inside means for ever.
    pub by_kind: BTreeMap<(String, JobState), Option<Duration>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRow {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub state: JobState,
    pub priority: u8,
    pub attempt: u16,
    pub max_attempts: u16,
    pub run_at: Timestamp,
    pub created_at: Timestamp,
    pub claimed_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub worker: Option<WorkerId>,
    pub tenant: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Option<Value>,
    /// JSON as stored: sealed for an encrypted kind.
    pub args: String,
    pub result: Option<String>,
    pub error: Option<String>,
    /// How long the last attempt ran; known once finished.
    pub ran: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobDetail {
    pub job: JobRow,
    /// Every attempt that ended. The first success of a job without log lines is in `job` alone.
    pub attempts: Vec<AttemptRow>,
    pub steps: Vec<StepRecord>,
    pub progress: Option<Progress>,
    pub waits_for: Vec<JobId>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptRow {
    pub attempt: u16,
    /// [`End::name`], or `lost`.
    pub end: String,
    pub worker: Option<WorkerId>,
    pub claimed_at: Option<Timestamp>,
    pub finished_at: Timestamp,
    pub ran: Duration,
    pub error: Option<String>,
    pub log: Vec<LogLine>,
}

/// How many jobs are listed when nobody says.
pub const DEFAULT_PAGE: usize = 100;

/// All conditions must hold; an empty list is no condition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFilter {
    pub ids: Vec<JobId>,
    pub states: Vec<JobState>,
    pub kinds: Vec<String>,
    pub queues: Vec<String>,
    pub tenants: Vec<String>,
    /// The job has all of these.
    pub tags: Vec<String>,
    /// Included.
    pub created_from: Option<Timestamp>,
    /// Not included.
    pub created_until: Option<Timestamp>,
    /// Part of the last error's text, in capitals or not.
    pub error: Option<String>,
    /// Only jobs older than this one: the cursor of a listing.
    pub before: Option<JobId>,
    /// The newest so many; `None` means 100, and zero is none. `Store::change` has a limit of its own.
    pub limit: Option<usize>,
}

impl JobFilter {
    /// It matches every job there is. A limit and a cursor are no conditions.
    pub fn is_unconditional(&self) -> bool {
        let Self { limit, before, .. } = *self;
        *self == Self { limit, before, ..Self::default() }
    }

    /// The conditions as the audit log tells them: those that were given, without the jobs that were named, which an
    /// entry names in any case.
    pub fn told(&self) -> Option<Value> {
        let Value::Object(mut fields) = serde_json::to_value(self).ok()? else { return None };
        fields.retain(|name, value| {
            !matches!(name.as_str(), "ids" | "before" | "limit")
                && !value.is_null()
                && value.as_array().is_none_or(|values| !values.is_empty())
        });
        (!fields.is_empty()).then_some(Value::Object(fields))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Ended jobs and those that wait for a time run now; more attempts are allowed where they were used up.
    Retry,
    Cancel,
    Discard,
}

impl Change {
    /// States a job must be in to take the change.
    pub fn from_states(self) -> &'static [JobState] {
        use JobState::{Available, Cancelled, Discarded, Retryable, Running, Scheduled, Waiting};
        match self {
            Change::Retry => &[Scheduled, Retryable, Cancelled, Discarded],
            Change::Cancel => &[Scheduled, Available, Retryable, Waiting, Running],
            Change::Discard => &[Scheduled, Available, Retryable, Waiting],
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Change::Retry => "retry",
            Change::Cancel => "cancel",
            Change::Discard => "discard",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changed {
    pub ids: Vec<JobId>,
    /// Running jobs that were asked to stop; they end when their worker says so.
    pub asked: Vec<JobId>,
    /// Jobs that could not take it, each with the reason.
    pub refused: Vec<(JobId, String)>,
    /// Queues that got a job to claim.
    pub woken: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueRow {
    pub name: String,
    pub paused_at: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    /// When a pause ends by itself.
    pub resume_at: Option<Timestamp>,
    pub counts: BTreeMap<JobState, u64>,
    /// When the job that has been due for longest was due.
    pub oldest: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    Queue(String),
    /// A place in some bucket is free: whoever waited for one looks again.
    Places,
    /// Somebody wants a running job cancelled: beat now.
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Schema {
    pub found: i64,
    pub needed: i64,
}

impl Schema {
    /// A newer one is fine: migrations only expand what an older program knows.
    pub fn suffices(self) -> bool {
        self.found >= self.needed
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migrated {
    pub from: i64,
    pub to: i64,
}
