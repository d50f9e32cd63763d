//! The use cases: what the CLI, HTTP, a schedule and a running job may do with jobs. Every door leads
//! here, so what is refused is refused everywhere with the same words.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobkit::{
    ArgsError, Callback, Clock, IdGenerator, JobId, KindInfo, NewJob, OnConflict, OnParentFailure, Registry,
    When,
};
use serde_json::Value;

use crate::approvals::rules::Rules;
use crate::callback;
use crate::json;
use crate::limits::book::Book;
use crate::seal::{Keyring, Part, SealError};
use crate::wake::Wake;
use store::rule::{By, Rules as LimitRules, Subject};
use store::scope::Foreign;
use store::triggers::Intake;
use store::{
    Actor, ApprovalId, Change, Changed, Demand, Inserted, JobDemand, JobDetail, JobFilter, JobRow, NewRow,
    Once, QueueRow, Request, Scope, Store, StoreError, Transaction,
};

mod page;
pub mod reviews;
mod unique;

pub use self::page::JobPage;
use self::unique::unique_row;

pub struct Queue {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
    wake: Wake,
    limits: Arc<Book>,
    /// Which kinds wait for people. Nothing does where nobody said so.
    pub approvals: Arc<Rules>,
}

#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error(transparent)]
    Args(#[from] ArgsError),
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    /// Of a job for the end of another.
    #[error("{field}[{index}]")]
    Follower {
        field: &'static str,
        index: usize,
        #[source]
        cause: Box<QueueError>,
    },
    #[error("args: jobs of kind `{kind}` are encrypted, and these could not be")]
    Seal {
        kind: String,
        #[source]
        cause: SealError,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queue {
    pub fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        wake: Wake,
        limits: Arc<Book>,
    ) -> Self {
        let ids = IdGenerator::new(clock.clone());
        let approvals = Arc::default();
        Self { store, registry, keyring, clock, ids, wake, limits, approvals }
    }

    /// With the kinds whose jobs wait for people.
    #[must_use]
    pub fn approved_by(self, approvals: Arc<Rules>) -> Self {
        Self { approvals, ..self }
    }

    /// All or nothing; the answers are in the order of the jobs.
    pub async fn enqueue(
        &self,
        scope: &Scope,
        jobs: Vec<NewJob>,
        by: &Actor,
    ) -> Result<Vec<Inserted>, QueueError> {
        self.freshen().await?;
        self.insert(scope, &self.rows(scope, jobs)?, by).await
    }

    /// As `enqueue`, of rows that [`Queue::rows`] checked.
    pub async fn insert(
        &self,
        scope: &Scope,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Vec<Inserted>, QueueError> {
        let inserted = self.store.insert(scope, rows, by).await?;
        self.ring_for(rows);
        Ok(own(rows, inserted))
    }

    /// As `insert`, once for each key that callers choose.
    pub async fn insert_once(
        &self,
        scope: &Scope,
        request: &Request,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Once, QueueError> {
        Ok(match self.store.insert_once(scope, request, rows, by).await? {
            Once::Done(inserted) => {
                self.ring_for(rows);
                Once::Done(own(rows, inserted))
            }
            // The same request asks for the same jobs, in the same order.
            Once::Again(inserted) => Once::Again(own(rows, inserted)),
            Once::Other => Once::Other,
        })
    }

    /// As `enqueue`, in the caller's own transaction: the jobs exist if and when it commits. On SQLite call
    /// [`Queue::wake`] after the commit, or the jobs wait for the next poll.
    pub async fn enqueue_in(
        &self,
        tx: impl Into<Transaction<'_>>,
        scope: &Scope,
        jobs: Vec<NewJob>,
        by: &Actor,
    ) -> Result<Vec<Inserted>, QueueError> {
        self.limits.freshen().await?;
        let rows = self.rows(scope, jobs)?;
        let inserted = self.store.insert_in(tx.into(), scope, &rows, by).await?;
        Ok(own(&rows, inserted))
    }

    /// What a trigger brought: each thing's jobs once, however often it is brought. The rows are [`Queue::rows`]'s.
    pub async fn take(
        &self,
        source: &str,
        intakes: &[Intake],
        by: &Actor,
    ) -> Result<Vec<Inserted>, QueueError> {
        let taken = self.store.take(source, intakes, by).await?;
        for intake in intakes {
            self.ring_for(&intake.rows);
        }
        Ok(taken)
    }

    /// The job that a thing of a trigger's has become, if it was taken.
    pub async fn taken(&self, source: &str, mark: &str) -> Result<Option<JobId>, StoreError> {
        self.store.taken(source, mark).await
    }

    /// Before [`Queue::rows`]: jobs get the lanes of the limits as they are now.
    pub async fn freshen(&self) -> Result<(), StoreError> {
        self.limits.freshen().await
    }

    /// Tells workers that a queue may have work.
    pub fn wake(&self, queue: &str) {
        self.wake.wake(queue);
    }

    /// Checks jobs at the door and decides everything but the time. Behind each job stand those that come with it:
    /// for its success, for its failure, and the one that calls back. A job that names no tenant is the caller's own.
    pub fn rows(&self, scope: &Scope, jobs: Vec<NewJob>) -> Result<Vec<NewRow>, QueueError> {
        jobs.iter().try_for_each(|job| by_its_name(&self.registry, &job.kind))?;
        self.rows_within(scope, jobs)
    }

    /// As `rows`, of jobs that a running one makes, or the door of a family: they may be of kinds that nobody enqueues by their names. What comes with them is
    /// checked as ever.
    pub fn children(&self, jobs: Vec<NewJob>) -> Result<Vec<NewRow>, QueueError> {
        self.rows_within(&Scope::Installation, jobs)
    }

    fn rows_within(&self, scope: &Scope, jobs: Vec<NewJob>) -> Result<Vec<NewRow>, QueueError> {
        let limits = self.limits.rules();
        let mut rows = Vec::with_capacity(jobs.len());
        for job in jobs {
            let first = rows.len();
            self.rows_of(scope, job, &limits, &mut rows)?;
            if rows.len() - first - 1 > MOST_FOLLOWERS {
                return invalid(
                    "on_success",
                    format!("at most {MOST_FOLLOWERS} jobs for the end of one, with on_failure"),
                );
            }
        }
        Ok(rows)
    }

    /// As `rows`, of a job that nobody enqueues by its name; whoever makes it has checked what it is for.
    pub fn internal(&self, scope: &Scope, job: NewJob) -> Result<Vec<NewRow>, QueueError> {
        let job = NewJob { tenant: own_tenant(scope, job.tenant)?, ..job };
        Ok(vec![self.row(job, &self.limits.rules())?])
    }

    fn rows_of(
        &self,
        scope: &Scope,
        mut job: NewJob,
        limits: &LimitRules,
        rows: &mut Vec<NewRow>,
    ) -> Result<(), QueueError> {
        job.tenant = own_tenant(scope, job.tenant)?;
        let on_success = std::mem::take(&mut job.on_success);
        let on_failure = std::mem::take(&mut job.on_failure);
        let callback = job.callback.take();
        let parent = self.row(job, limits)?;
        let (id, tenant) = (parent.id, parent.tenant.clone());
        let callback = callback.map(|callback| self.callback(&parent, &callback, limits)).transpose()?;
        rows.push(parent);
        rows.extend(callback);
        for (field, followers, rule) in [
            ("on_success", on_success, OnParentFailure::Cancel),
            ("on_failure", on_failure, OnParentFailure::Only),
        ] {
            for (index, follower) in followers.into_iter().enumerate() {
                let place = rows.len();
                let follower = NewJob { tenant: follower.tenant.or_else(|| tenant.clone()), ..follower };
                self.follower(scope, follower, (id, rule), limits, rows).map_err(|cause| match cause {
                    QueueError::Store(cause) => cause.into(),
                    cause => QueueError::Follower { field, index, cause: Box::new(cause) },
                })?;
                rows[place].comes_with = Some(id);
            }
        }
        Ok(())
    }

    fn follower(
        &self,
        scope: &Scope,
        mut follower: NewJob,
        (of, rule): (JobId, OnParentFailure),
        limits: &LimitRules,
        rows: &mut Vec<NewRow>,
    ) -> Result<(), QueueError> {
        if !follower.after.is_empty() {
            return invalid("after", "such a job waits for one alone; leave it out");
        }
        by_its_name(&self.registry, &follower.kind)?;
        follower.after = vec![of];
        follower.on_parent_failure = rule;
        self.rows_of(scope, follower, limits, rows)
    }

    fn callback(&self, of: &NewRow, callback: &Callback, limits: &LimitRules) -> Result<NewRow, QueueError> {
        let encrypted = self.registry.get(&of.kind).is_some_and(|kind| kind.policy.encrypted);
        let call = callback::job(of.id, &of.kind, callback, encrypted);
        let mut call = call.or_else(|problem| invalid("callback", problem.to_string()))?;
        call.tenant.clone_from(&of.tenant);
        match self.row(call, limits) {
            Ok(row) => Ok(NewRow { comes_with: Some(of.id), ..row }),
            // The caller asked for a callback, and knows nothing of the job that it is.
            Err(QueueError::Args(ArgsError::Invalid { problem, .. })) => invalid("callback", problem),
            Err(other) => Err(other),
        }
    }

    fn row(&self, job: NewJob, limits: &LimitRules) -> Result<NewRow, QueueError> {
        let args = job.args.get().to_owned();
        let kind = checked(&self.registry, &job)?;
        let (policy, uploads) = (&kind.policy, kind.job.uploads(&args));
        let id = self.ids.next();
        let unique = unique_row(&job, &args, policy, self.clock.now().as_second())?;
        let approval = self.approvals.of_kind(&job.kind).map(|demand| self.asked(demand));
        if approval.is_some() && unique.as_ref().is_some_and(|key| key.on_conflict == OnConflict::Replace) {
            // What was approved would not be what runs.
            return invalid(
                "unique",
                "a job that people approve cannot replace another; use on_conflict = return_existing",
            );
        }
        let args = match policy.encrypted {
            true => self
                .keyring
                .seal(id, Part::Args, &args)
                .map_err(|cause| QueueError::Seal { kind: job.kind.clone(), cause })?,
            false => args,
        };
        let looked_into = looked_into(limits, job.args.get());
        let queue = job.queue.unwrap_or_else(|| policy.queue.clone());
        let subject = Subject {
            kind: &job.kind,
            queue: &queue,
            tenant: job.tenant.as_deref(),
            args: &looked_into,
            encrypted: policy.encrypted,
        };
        Ok(NewRow {
            id,
            lane: limits.lane_of(subject),
            queue,
            priority: job.priority.unwrap_or(policy.priority),
            max_attempts: job.max_attempts.unwrap_or(policy.max_attempts),
            kind: job.kind,
            when: job.when,
            args,
            unique,
            tenant: job.tenant,
            tags: job.tags,
            metadata: job.metadata,
            after: job.after,
            on_parent_failure: job.on_parent_failure,
            comes_with: None,
            uploads,
            approval,
        })
    }

    /// That a row is to wait for this.
    pub fn asked(&self, demand: Demand) -> JobDemand {
        JobDemand { id: ApprovalId(self.ids.next().0), demand }
    }

    /// After the commit; the store has told those that it can tell. Losing it costs one poll interval.
    pub fn ring_for(&self, rows: &[NewRow]) {
        let now: BTreeSet<_> = rows.iter().filter(|row| row.may_be_due()).map(|row| &row.queue).collect();
        for queue in now {
            self.wake.ring(queue);
        }
        if rows.iter().any(|row| row.when != When::Now) {
            self.wake.due();
        }
        self.wake.news();
    }

    pub async fn change(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        change: Change,
        by: &Actor,
        limit: usize,
    ) -> Result<Changed, QueueError> {
        let changed = self.store.change(scope, filter, change, by, limit).await?;
        self.tell_of(&changed);
        Ok(changed)
    }

    /// As `change` of one job, once for each key that callers choose.
    pub async fn change_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        change: Change,
        by: &Actor,
    ) -> Result<Once<Changed>, QueueError> {
        let once = self.store.change_once(scope, request, job, change, by).await?;
        if let Once::Done(changed) = &once {
            self.tell_of(changed);
        }
        Ok(once)
    }

    fn tell_of(&self, changed: &Changed) {
        for queue in &changed.woken {
            self.wake.wake(queue);
        }
        if !changed.asked.is_empty() {
            self.wake.cancel();
        }
        self.wake.news();
    }

    /// One job with all its attempts and steps. What is encrypted at rest is opened; where that cannot be, a
    /// note says why.
    pub async fn job(&self, scope: &Scope, id: JobId) -> Result<Option<JobDetail>, QueueError> {
        let Some(mut detail) = self.store.job(scope, id).await? else { return Ok(None) };
        let ring = &self.keyring;
        self.show(&mut detail.job);
        for attempt in &mut detail.attempts {
            attempt.error.iter_mut().for_each(|error| ring.show(id, Part::Error, error));
            attempt.log.iter_mut().for_each(|line| ring.show(id, Part::Log, &mut line.text));
        }
        for step in &mut detail.steps {
            let name = &step.name;
            step.result.iter_mut().for_each(|result| ring.show_value(id, Part::Step(name), result));
        }
        if let Some(progress) = &mut detail.progress {
            ring.show(id, Part::Progress, &mut progress.message);
        }
        Ok(Some(detail))
    }

    pub async fn jobs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRow>, QueueError> {
        let mut jobs = self.store.jobs(scope, filter).await?;
        jobs.iter_mut().for_each(|job| self.show(job));
        Ok(jobs)
    }

    fn show(&self, job: &mut JobRow) {
        self.keyring.show(job.id, Part::Args, &mut job.args);
        for (part, text) in [(Part::Result, &mut job.result), (Part::Error, &mut job.error)] {
            text.iter_mut().for_each(|text| self.keyring.show(job.id, part, text));
        }
    }

    pub async fn queues(&self, scope: &Scope) -> Result<Vec<QueueRow>, QueueError> {
        Ok(self.store.queues(scope).await?)
    }

    /// From here on nobody claims from the queue, on any machine; what runs goes on. Until that time, or until it is
    /// resumed.
    pub async fn pause(
        &self,
        queue: &str,
        until: Option<Timestamp>,
        by: &Actor,
        reason: &str,
    ) -> Result<(), QueueError> {
        check_name("queue", queue)?;
        if let Some(until) = until
            && until <= self.store.now().await?
        {
            return invalid("until", format!("{until} has passed; name a time to come"));
        }
        Ok(self.store.pause(queue, until, by, reason).await?)
    }

    pub async fn resume(&self, queue: &str, by: &Actor) -> Result<(), QueueError> {
        check_name("queue", queue)?;
        self.store.resume(queue, by).await?;
        self.wake.wake(queue);
        Ok(())
    }
}

/// The answers for the jobs that were asked for, without those that came with them.
fn own(rows: &[NewRow], inserted: Vec<Inserted>) -> Vec<Inserted> {
    let both = rows.iter().zip(inserted);
    both.filter(|(row, _)| row.comes_with.is_none()).map(|(_, inserted)| inserted).collect()
}

/// Jobs for the end of one, those for their own end included: more is a workflow, and belongs into a job.
const MOST_FOLLOWERS: usize = 32;

/// A job that failed so often needs a person.
pub const MOST_ATTEMPTS: u16 = 1_000;
const MOST_ARGS_BYTES: usize = 1 << 20;
pub const MOST_METADATA_BYTES: usize = 16 << 10;
const LONGEST_DELAY: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Whose a job is, that names this tenant or none.
fn own_tenant(scope: &Scope, named: Option<String>) -> Result<Option<String>, QueueError> {
    scope.own(named).or_else(|Foreign(problem)| invalid("tenant", problem))
}

fn invalid<T>(field: &'static str, problem: impl Into<String>) -> Result<T, QueueError> {
    Err(QueueError::Invalid { field, problem: problem.into() })
}

/// What the door says of a job before there is a store: all but whether it can be encrypted. The configuration asks too.
pub fn check_job(registry: &Registry, job: &NewJob) -> Result<(), QueueError> {
    by_its_name(registry, &job.kind)?;
    checked(registry, job).map(drop)
}

fn by_its_name(registry: &Registry, kind: &str) -> Result<(), QueueError> {
    match registry.get(kind).is_some_and(|info| info.policy.internal) {
        true => invalid("kind", problem_of_internal(kind)),
        false => Ok(()),
    }
}

/// What is wrong where a kind is named that nobody enqueues.
pub fn problem_of_internal(kind: &str) -> String {
    format!("`{kind}` is made by the engine alone, and not by its name")
}

fn checked<'r>(registry: &'r Registry, job: &NewJob) -> Result<&'r KindInfo, QueueError> {
    let args = job.args.get();
    // serde takes a list for any struct, and a limit by an argument would not find the name in it.
    if !args.trim_start().starts_with('{') {
        return invalid("args", NO_OBJECT);
    }
    let info = registry.check_args(&job.kind, args)?;
    check(job, args)?;
    Ok(info)
}

pub const NO_OBJECT: &str = "must be a JSON object";

fn check(job: &NewJob, args: &str) -> Result<(), QueueError> {
    if args.len() > MOST_ARGS_BYTES {
        return invalid("args", format!("{} bytes; at most 1 MiB, put larger data in a file", args.len()));
    }
    if json::depth(args.as_bytes()) > json::DEEPEST {
        return invalid("args", format!("more than {} levels deep", json::DEEPEST));
    }
    if let Some(queue) = &job.queue {
        check_name("queue", queue)?;
    }
    if let Some(priority) = job.priority
        && !(1..=9).contains(&priority)
    {
        return invalid("priority", format!("{priority}; use 1 (first) to 9 (last)"));
    }
    if let Some(attempts) = job.max_attempts
        && !(1..=MOST_ATTEMPTS).contains(&attempts)
    {
        return invalid("max_attempts", format!("{attempts}; use 1 to {MOST_ATTEMPTS}"));
    }
    if matches!(job.when, When::After(delay) if delay > LONGEST_DELAY) {
        return invalid("when", "at most 100 years from now");
    }
    if job.unique_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 512) {
        return invalid("unique_key", "must be 1 to 512 bytes");
    }
    if job.tenant.as_ref().is_some_and(|tenant| tenant.is_empty() || tenant.len() > 128) {
        return invalid("tenant", "must be 1 to 128 bytes");
    }
    if job.tags.len() > 32 || job.tags.iter().any(|tag| tag.is_empty() || tag.len() > 64) {
        return invalid("tags", "at most 32 tags of 1 to 64 bytes");
    }
    // PostgreSQL keeps no text with NUL in it.
    if job.tenant.as_ref().is_some_and(|tenant| tenant.contains('\0')) {
        return invalid("tenant", "must not have NUL in it");
    }
    if job.tags.iter().any(|tag| tag.contains('\0')) {
        return invalid("tags", "must not have NUL in them");
    }
    match &job.metadata {
        Some(metadata) if !metadata.is_object() => invalid("metadata", NO_OBJECT),
        Some(metadata) if metadata.to_string().len() > MOST_METADATA_BYTES => {
            invalid("metadata", "at most 16 KiB; put larger data in the arguments or a file")
        }
        _ => Ok(()),
    }
}

/// Arguments are read only where a limit takes its key from them.
fn looked_into(limits: &LimitRules, args: &str) -> Value {
    match limits.iter().any(|rule| matches!(rule.by, By::Args(_))) {
        true => serde_json::from_str(args).unwrap_or_default(),
        false => Value::Null,
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), QueueError> {
    problem_of_name(name).map_or(Ok(()), |problem| invalid(field, problem))
}

/// Why this cannot be the name of a queue, if it cannot. The configuration asks too.
pub fn problem_of_name(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    let good = (1..=64).contains(&name.len()) && name.chars().all(allowed);
    (!good).then(|| format!("`{name}` must be 1 to 64 letters, digits or any of _ . : -"))
}

#[cfg(test)]
mod tests;
