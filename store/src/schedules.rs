//! Schedules as the store keeps them: the verbs, and the rows that cross the seam.
//!
//! There is no leader. Any process may look at what is due and decide; what it decided is written only if
//! the row is still the one it looked at (its *revision*), in one transaction with the jobs. Beside that,
//! each fire time that got a job is remembered, so that asking for it again, from whatever side, gives none.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{AuditEntry, JobId, OnParentFailure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Actor, Inserted, NewRow, News, Result, Scope, StoreError};

/// The rule of alerts for what a schedule asks for and cannot be enqueued; whatever touches the schedule ends it.
pub const SCHEDULE_BROKEN: &str = "schedule.broken";

#[async_trait]
pub trait Schedules: Send + Sync + 'static {
    /// By name.
    async fn schedules(&self, scope: &Scope) -> Result<Vec<ScheduleRow>>;

    async fn schedule(&self, scope: &Scope, name: &str) -> Result<Option<ScheduleRow>>;

    /// Makes it, or replaces what it says; what has happened to it stays, and a pause too. False when the row
    /// is not at the revision that the caller read: none, for one that was not there. It belongs to the tenant that its
    /// definition names, and fire times of another tenant's schedule of the same name are forgotten.
    async fn put_schedule(&self, scope: &Scope, put: &PutSchedule, by: &Actor) -> Result<bool>;

    /// False when there is none. One that is paused already keeps the time of its pause.
    async fn pause_schedule(&self, scope: &Scope, name: &str, by: &Actor, reason: &str) -> Result<bool>;

    /// Goes on with this fire time. False when the row is not at that revision.
    async fn resume_schedule(
        &self,
        scope: &Scope,
        name: &str,
        revision: i64,
        next: Option<Timestamp>,
        by: &Actor,
    ) -> Result<bool>;

    /// It does not stand in the configuration any more. Its memory stays. False when the row is not at that
    /// revision.
    async fn retire_schedule(&self, name: &str, revision: i64, by: &Actor) -> Result<bool>;

    /// Its jobs stay, and so does the memory of its fire times: one of its name gives none of them a second job. False
    /// when there is none.
    async fn delete_schedule(&self, scope: &Scope, name: &str, by: &Actor) -> Result<bool>;

    /// Those that are due, the longest due first, by the time that decides what is due. Left out are those of these
    /// names that are still at these revisions.
    async fn schedules_due(&self, limit: usize, without: &[(String, i64)]) -> Result<SchedulesDue>;

    /// Gives one that was carried away by a clock that was ahead its next fire time, with an entry in the audit log. The
    /// last one is the last before now again. False when it rests or is not at that revision.
    async fn set_schedule_back(
        &self,
        name: &str,
        revision: i64,
        next: Timestamp,
        details: Value,
    ) -> Result<bool>;

    /// The schedule's own jobs of the last few fire times that have not ended, the oldest fire time first. One
    /// that somebody else enqueued, and whose unique key a fire time met, is not its own.
    async fn live_fires(&self, name: &str) -> Result<Vec<JobId>>;

    /// Enqueues the jobs of fire times that have none yet, and advances the schedule where that is asked for:
    /// all or nothing, and nothing when the row is not at the revision. Jobs that make room give up their unique
    /// keys to those that come.
    async fn fire_schedule(&self, scope: &Scope, firing: &Firing, by: &Actor) -> Result<Fired>;

    /// Fire times that have their job, the newest first.
    async fn fires(&self, scope: &Scope, name: &str, range: FireRange) -> Result<Vec<FireRow>>;

    /// When the first of them got it.
    async fn first_fired(&self, scope: &Scope, name: &str) -> Result<Option<Timestamp>>;

    /// Forgets fire times whose job was enqueued so long ago, up to `limit`; the first of each schedule stays.
    async fn forget_fires(&self, fired_for: Duration, limit: usize) -> Result<u64>;
}

/// Whatever was amiss with a schedule that was put anew, paused or taken away: the next time will tell.
pub fn touched(name: &str) -> News {
    News::ended(SCHEDULE_BROKEN, name, format!("schedule {name} was changed, paused or taken away"))
}

/// What the audit log says of a schedule that somebody changed; it is its tenant's.
pub fn schedule_entry(
    what: &str,
    name: &str,
    tenant: Option<String>,
    by: &Actor,
    details: Value,
) -> AuditEntry {
    AuditEntry {
        at: None,
        actor: by.name.clone(),
        action: format!("schedule.{what}"),
        object: name.into(),
        outcome: "ok".into(),
        tenant,
        origin: by.origin.clone(),
        details,
    }
}

/// A definition that names another tenant than the caller's, or none.
pub fn foreign_schedule() -> StoreError {
    StoreError::Refused("tenant: must be your own; or leave it out".into())
}

/// So many fire times are looked at for jobs that have not ended.
pub const LATEST_FIRES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Config,
    Api,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Source::Config => "config",
            Source::Api => "api",
        }
    }

    pub fn of(name: &str) -> Self {
        match name {
            "config" => Source::Config,
            _ => Source::Api,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleRow {
    pub name: String,
    /// Whose it is: as the definition says.
    pub tenant: Option<String>,
    pub source: Source,
    /// JSON text, as the scheduler wrote it.
    pub definition: String,
    pub digest: String,
    pub enabled: bool,
    pub revision: i64,
    pub next_fire: Option<Timestamp>,
    pub last_fire: Option<Timestamp>,
    pub missed: u64,
    pub last_error: Option<String>,
    pub error_at: Option<Timestamp>,
    pub paused_at: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    pub retired_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

impl ScheduleRow {
    /// Whether it is to fire at all.
    pub fn rests(&self) -> bool {
        !self.enabled || self.paused_at.is_some() || self.retired_at.is_some()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PutSchedule {
    pub name: String,
    pub source: Source,
    pub definition: String,
    pub digest: String,
    pub enabled: bool,
    /// Taken only where the schedule does not rest.
    pub next_fire: Option<Timestamp>,
    /// What the caller read; none when there was no row.
    pub revision: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SchedulesDue {
    pub now: Timestamp,
    pub rows: Vec<ScheduleRow>,
    /// How long until the next of the others is due.
    pub next: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    pub name: String,
    /// In the order of their fire times.
    pub jobs: Vec<(Timestamp, NewRow)>,
    /// Jobs that make room for one that comes; those that have ended by then are left as they are.
    pub cancel: Vec<JobId>,
    pub occasion: Occasion,
    /// For the audit log.
    pub details: Value,
    /// What people are to be told.
    pub news: Vec<News>,
}

impl Firing {
    /// Who makes room does so for a job that comes. A time that somebody has filled in before brings none, and
    /// neither does one whose job is there under its unique key.
    pub fn makes_room(&self, fired: &[(Timestamp, Inserted)]) -> bool {
        !self.cancel.is_empty() && fired.iter().any(|(_, job)| !job.duplicate)
    }

    /// For the audit log: what was decided, and which fire times met the unique key of a job that was there.
    pub fn told(&self, fired: &[(Timestamp, Inserted)]) -> Value {
        let met = fired.iter().filter(|(_, job)| job.duplicate);
        let met: Vec<Value> = met.map(|(at, holder)| json!({ "fire_time": at, "job": holder.id })).collect();
        let mut told = self.details.clone();
        if let (false, Some(told)) = (met.is_empty(), told.as_object_mut()) {
            told.insert("met_key".into(), Value::Array(met));
        }
        told
    }
}

/// The unique keys that these jobs want.
pub fn keys(jobs: &[(Timestamp, NewRow)]) -> Vec<&[u8]> {
    jobs.iter().filter_map(|(_, row)| Some(row.unique.as_ref()?.key.as_slice())).collect()
}

/// A job whose key was another's until now waits for the end of that one: no two with one key run at a time.
pub fn wait_for_holders(jobs: &mut [(Timestamp, NewRow)], given: &[(Vec<u8>, JobId)]) {
    for (_, row) in jobs {
        let key = row.unique.as_ref().map(|unique| unique.key.as_slice());
        if let Some((_, holder)) = given.iter().find(|(given, _)| Some(given.as_slice()) == key) {
            row.after.push(*holder);
            row.on_parent_failure = OnParentFailure::Run;
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Occasion {
    /// It was due: goes on to the next fire time.
    Tick { revision: i64, next: Option<Timestamp>, missed: u64, error: Option<String> },
    /// A person wants it now.
    Run,
    /// A person wants fire times of the past.
    Backfill,
}

impl Occasion {
    /// As the audit log has it.
    pub fn action(&self) -> &'static str {
        match self {
            Occasion::Tick { .. } => "schedule.fire",
            Occasion::Run => "schedule.run",
            Occasion::Backfill => "schedule.backfill",
        }
    }

    pub fn revision(&self) -> Option<i64> {
        match self {
            Occasion::Tick { revision, .. } => Some(*revision),
            Occasion::Run | Occasion::Backfill => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fired {
    /// What became of the fire times that had no job yet.
    Enqueued(Vec<(Timestamp, Inserted)>),
    /// Somebody else was quicker, or the schedule is gone. Nothing was done.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FireRange {
    /// Included.
    pub from: Timestamp,
    /// Not included.
    pub until: Timestamp,
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FireRow {
    pub fire_time: Timestamp,
    pub job_id: JobId,
    pub fired_at: Timestamp,
}
