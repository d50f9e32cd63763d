//! Jobs for the end of other jobs, however those were enqueued: chains from the configuration. A chain reads the audit
//! log along, and moves on in the transaction that enqueues what follows.
//!
//! An end may be told twice: by the request of somebody to cancel a running job, and by the worker that obeys. The key
//! of what follows names the job and the time of its end, so there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jobkit::{AuditEntry, Clock, JobId, NewJob, OnConflict, Origin, Registry};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::template::TemplateError;
use super::webhook::Target;
use crate::queue::{Queue, QueueError};
use crate::service::Patience;
use crate::triggers::settings::{self, ChainOn};
use crate::units::format_duration;
use store::state::JobState;
use store::{
    Actor, JobFilter, JobRow, NewRow, Place, Position, Release, Scope, Store, StoreError, UniqueRow,
    chain as all_of,
};

const ENTRIES: usize = 200;

/// Ends in one step, unless a single entry tells of more: they are read whole, and what follows them is one transaction.
const ENDS: usize = 500;

/// What is read of the log at once: an entry may name ten thousand jobs.
const MOST_PAGE_BYTES: u64 = 1 << 20;

/// Jobs that are read at once with all that they were given and gave back.
const JOBS: usize = 100;

/// How long a chain rests when nobody told it of news.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Nobody is surprised by what follows the ends of an hour.
const FAR_BEHIND: Duration = Duration::from_secs(3_600);

/// For so long an end that is told a second time is known; both stand close together in the log.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 86_400);

/// What arguments may be made of; the last three not of what is encrypted.
pub const PLACES: &[&str] = &["id", "kind", "queue", "state", "tenant", "tags", "args", "result", "error"];

pub struct Chain {
    name: String,
    after: String,
    on: ChainOn,
    target: Target,
    queue: Arc<Queue>,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    hints: watch::Receiver<()>,
}

impl Chain {
    pub fn new(
        name: &str,
        settings: &settings::Chain,
        around: &super::Around,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            name: name.into(),
            after: settings.after.clone(),
            on: settings.on,
            target: Target::new(&settings.kind, &settings.args, &settings.queue, &settings.tenant)?,
            queue: around.queue.clone(),
            store: around.store.clone(),
            registry: around.registry.clone(),
            clock: around.clock.clone(),
            hints: around.hints.clone(),
        })
    }

    pub fn source(name: &str) -> String {
        format!("chain:{name}")
    }

    /// Until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow()).await.unwrap_or_default();
    }

    async fn follow(mut self) {
        if let Err(problem) = self.say_where_it_stands().await {
            tracing::debug!("{}", all_of(&problem));
        }
        let mut patience = Patience::new("following a chain", self.clock.clone());
        let mut most = ENTRIES;
        let mut place = None;
        loop {
            match self.step(most, &mut place).await {
                Ok(read) => {
                    patience.succeeded();
                    most = ENTRIES;
                    if read == 0 {
                        self.rest().await;
                    }
                }
                // One of the jobs that follow can never be; entry by entry it is found, and passed over.
                Err(problem) if problem.blames_the_data() || problem.is_refusal() => match most {
                    1 => {
                        if let Err(problem) = self.pass_over(&problem, place.as_ref()).await {
                            patience.failed(&problem).await;
                        }
                    }
                    _ => most = 1,
                },
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }

    /// It goes on where it stood, however long ago that was: it cannot tell an outage from a chain that was taken out of
    /// the configuration and is put back (docs/decisions/0089).
    async fn say_where_it_stands(&self) -> Result<(), StoreError> {
        let place = self.store.follower(&Self::source(&self.name)).await?;
        let next = self.store.audit_page(place.at, ENTRIES, MOST_PAGE_BYTES).await?.entries;
        let next = place.news(&next).next().and_then(|(_, entry)| entry.at);
        let behind = next.map(|at| self.clock.now().duration_since(at).unsigned_abs());
        if let (Some(at), Some(behind)) = (next, behind.filter(|behind| *behind > FAR_BEHIND)) {
            let (name, behind) = (&self.name, format_duration(Duration::from_secs(behind.as_secs())));
            warn!(
                "the chain {name} stands {behind} behind, at {at}, and makes jobs for all that ended since; \
                 `compline triggers forget {name}` lets it begin anew"
            );
        }
        Ok(())
    }

    async fn rest(&mut self) {
        tokio::select! {
            () = self.clock.sleep(LOOK_EVERY) => {}
            Ok(()) = self.hints.changed() => {}
        }
    }

    /// Reads on from where the chain stands, and says how many entries there were.
    async fn step(&self, most: usize, place: &mut Option<Place>) -> Result<usize, StoreError> {
        let name = Self::source(&self.name);
        let from = self.store.follower(&name).await?;
        *place = Some(from.clone());
        let mut entries = self.store.audit_page(from.at, most, MOST_PAGE_BYTES).await?.entries;
        entries.truncate(worth(&entries));
        let Some((to, _)) = entries.last() else { return Ok(0) };
        self.queue.freshen().await?;
        let mut rows = Vec::new();
        for ids in ends(from.news(&entries)).chunks(JOBS) {
            for job in self.ended(ids).await? {
                match self.row(&job) {
                    Ok(row) => rows.extend(row),
                    Err(problem) => self.say_passed_over(job.id, &problem).await?,
                }
            }
        }
        // None: another process was quicker, and the next look begins where that one ended.
        if self.store.follow(&name, from.at, *to, &rows, &Actor::new(name.clone())).await?.is_some() {
            self.queue.ring_for(&rows);
        }
        Ok(entries.len())
    }

    /// Of these, the jobs of the chain's kind that have ended as it wants. One that a person retried before we came by
    /// has not ended.
    async fn ended(&self, ids: &[JobId]) -> Result<Vec<JobRow>, StoreError> {
        let filter = JobFilter {
            limit: Some(ids.len()),
            ids: ids.to_vec(),
            kinds: vec![self.after.clone()],
            states: states(self.on).to_vec(),
            ..JobFilter::default()
        };
        let mut jobs = match self.queue.jobs(&Scope::Installation, &filter).await {
            Ok(jobs) => jobs,
            Err(QueueError::Store(problem)) => return Err(problem),
            Err(problem) => return Err(StoreError::Refused(problem.to_string())),
        };
        // As they ended, and not as they are listed: the newest first.
        let place: BTreeMap<JobId, usize> = ids.iter().copied().zip(0..).collect();
        jobs.sort_by_key(|job| place.get(&job.id).copied());
        Ok(jobs)
    }

    fn row(&self, job: &JobRow) -> Result<Vec<NewRow>, String> {
        let from = self.told(job);
        let next = self.target.job(&from).map_err(|problem| format!("args: {problem}"))?;
        let next = NewJob { tenant: next.tenant.or_else(|| job.tenant.clone()), ..next };
        let mut rows =
            self.queue.rows(&Scope::Installation, vec![next]).map_err(|problem| all_of(&problem))?;
        for row in &mut rows {
            row.unique = Some(UniqueRow {
                key: key(&self.name, job),
                release: Release::At(self.clock.now() + KNOWN_FOR),
                on_conflict: OnConflict::ReturnExisting,
            });
        }
        Ok(rows)
    }

    fn sealed(&self, kind: &str) -> bool {
        self.registry.get(kind).is_some_and(|known| known.policy.encrypted)
    }

    /// What the arguments may be made of. What is sealed with one job does not come to lie open with another.
    fn told(&self, job: &JobRow) -> Value {
        let open = !self.sealed(&job.kind) || self.sealed(&self.target.kind);
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let mut told = json!({
            "id": job.id, "kind": job.kind, "queue": job.queue, "state": job.state, "tenant": job.tenant,
            "tags": job.tags,
        });
        if let (true, Some(told)) = (open, told.as_object_mut()) {
            told.insert("args".into(), json(&job.args));
            told.insert("result".into(), job.result.as_deref().map_or(Value::Null, json));
            told.insert("error".into(), json!(job.error));
        }
        told
    }

    /// The entry behind the place at which it went wrong, unless another process has passed it over meanwhile.
    async fn pass_over(&self, problem: &StoreError, place: Option<&Place>) -> Result<(), StoreError> {
        let name = Self::source(&self.name);
        let from = self.store.follower(&name).await?;
        if place != Some(&from) {
            return Ok(());
        }
        let entries = self.store.audit_after(from.at, 1).await?;
        let Some((to, _)) = entries.last() else { return Ok(()) };
        for job in self.ended(&ends(from.news(&entries))).await? {
            self.say_passed_over(job.id, &all_of(problem)).await?;
        }
        self.store.follow(&name, from.at, *to, &[], &Actor::new(name.clone())).await?;
        Ok(())
    }

    /// The reason may repeat what the job was given, so it stands in the audit log and not among the log lines, and of
    /// kinds that are encrypted nowhere.
    async fn say_passed_over(&self, job: JobId, problem: &str) -> Result<(), StoreError> {
        let encrypted = self.sealed(&self.after) || self.sealed(&self.target.kind);
        let problem = if encrypted { "not told: it may repeat what is encrypted" } else { problem };
        warn!(job.id = %job, "the chain {} makes nothing of the end of job {job}; the audit log says why", self.name);
        let entry = AuditEntry {
            at: None,
            actor: Self::source(&self.name),
            action: "trigger.skip".into(),
            object: self.target.kind.clone(),
            outcome: "failed".into(),
            tenant: None,
            origin: Origin::default(),
            details: json!({ "after": job, "reason": problem }),
        };
        self.store.append_audit(&entry).await?;
        self.store.raise(&[super::refused(&Self::source(&self.name)).jobs([job])]).await
    }
}

/// How many of these entries make one step.
fn worth(entries: &[(Position, AuditEntry)]) -> usize {
    let mut ends = 0;
    let within = |(_, entry): &&(Position, AuditEntry)| {
        ends += may_have_ended(entry).len();
        ends <= ENDS
    };
    entries.iter().take_while(within).count().max(1)
}

fn states(on: ChainOn) -> &'static [JobState] {
    match on {
        ChainOn::Success => &[JobState::Completed],
        ChainOn::Failure => &[JobState::Cancelled, JobState::Discarded],
        ChainOn::End => &[JobState::Completed, JobState::Cancelled, JobState::Discarded],
    }
}

/// The jobs that these entries may have ended, each once.
fn ends<'a>(entries: impl Iterator<Item = &'a (Position, AuditEntry)>) -> Vec<JobId> {
    let mut seen = BTreeSet::new();
    let ids = entries.flat_map(|(_, entry)| may_have_ended(entry));
    ids.filter(|id| seen.insert(*id)).collect()
}

/// The jobs that an entry names, where it may tell of their end.
fn may_have_ended(entry: &AuditEntry) -> Vec<JobId> {
    let goes_on = ["failed", "snoozed", "given_back", "waiting"];
    let ends = match entry.action.as_str() {
        "job.finish" => !goes_on.contains(&entry.outcome.as_str()),
        "job.cancel" | "job.discard" | "job.rescue" => true,
        _ => false,
    };
    let named = entry.details.get("jobs").filter(|_| ends).and_then(Value::as_array);
    named.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

fn key(chain: &str, job: &JobRow) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"chain\0");
    hash.update(chain.as_bytes());
    hash.update([0]);
    hash.update(job.id.to_string().as_bytes());
    hash.update(job.finished_at.map_or(0, |at| at.as_microsecond()).to_be_bytes());
    hash.finalize().into()
}
