//! Schedules: which there are, when they fire, and what people do with them. The use cases are here, for
//! the command line, HTTP and every later door; what fires by itself is in [`tick`].

mod ahead;
mod aside;
pub mod calendar;
pub mod cron;
pub mod declared;
pub mod definition;
mod once;
pub mod policy;
pub mod simulate;
pub mod template;
pub mod tick;
pub mod timing;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jobkit::{JobId, NewJob, Registry, When};
use serde_json::json;

use self::calendar::CalendarRules;
use self::declared::Declared;
use self::definition::{Definition, DefinitionError, MisfireRule, Plan, Stored, policy_of};
use self::policy::Overlap;
use self::simulate::{Event, Situation};
use self::template::Times;
use crate::queue::{Queue, QueueError, check_job, problem_of_name};
use crate::wake::Wake;
use store::schedules::{FireRange, Fired, Firing, Occasion, PutSchedule, ScheduleRow, Source};
use store::scope::Foreign;
use store::{Actor, Inserted, NewRow, Scope, Store, StoreError};

pub use self::view::{Drift, Preview, ScheduleView, State};

/// How long a fire time is remembered after its job was enqueued. Until then no backfill gives it another.
pub const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(100 * 86_400);

/// One call of a person's enqueues no more.
pub const MOST_BACKFILLED: usize = 1_000;

/// Others change the row too; each try reads it anew.
const TRIES: u32 = 20;

pub struct Scheduler {
    store: Arc<dyn Store>,
    queue: Arc<Queue>,
    declared: Declared,
    wake: Wake,
}

#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("schedule `{name}`")]
    Definition {
        name: String,
        #[source]
        cause: DefinitionError,
    },
    #[error("schedule `{name}`: its job would be refused")]
    Job {
        name: String,
        #[source]
        cause: Box<QueueError>,
    },
    #[error("schedule `{name}`: what is stored cannot be read; a newer version may have written it")]
    Unreadable {
        name: String,
        #[source]
        cause: serde_json::Error,
    },
    #[error("there is no schedule `{0}`")]
    Unknown(String),
    #[error("schedule `{0}` is owned by the configuration; change it there, or pause it")]
    Owned(String),
    /// All that a tenant hears of a schedule that is not its own.
    #[error("the name `{0}` cannot be had; choose another, such as one that begins with your tenant's")]
    Taken(String),
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error("schedule `{0}` is being changed by others at this moment; try again")]
    Contended(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Result<T, E = ScheduleError> = std::result::Result<T, E>;

/// One fire time of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Backfilled {
    pub fire_time: Timestamp,
    /// None in a preview, for a time that has no job yet.
    pub job_id: Option<JobId>,
    /// It had its job before.
    pub there_already: bool,
}

/// What is supposed when a schedule is tried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Supposed {
    /// Included.
    pub from: Timestamp,
    /// Not included.
    pub until: Timestamp,
    /// From when until when nobody is there.
    pub outages: Vec<(Timestamp, Timestamp)>,
    /// How long each job takes, to see what overlaps.
    pub takes: std::time::Duration,
    /// Other policies than the schedule's own.
    pub misfire: Option<MisfireRule>,
    pub overlap: Option<Overlap>,
}

impl Scheduler {
    pub fn new(store: Arc<dyn Store>, queue: Arc<Queue>, declared: Declared, wake: Wake) -> Self {
        Self { store, queue, declared, wake }
    }

    pub async fn list(&self, scope: &Scope) -> Result<Vec<ScheduleView>> {
        let rows = self.store.schedules(scope).await?;
        Ok(view::all(scope, &rows, &self.declared))
    }

    pub async fn show(&self, scope: &Scope, name: &str) -> Result<ScheduleView> {
        let rows: Vec<_> = self.store.schedule(scope, name).await?.into_iter().collect();
        let views = view::all(scope, &rows, &self.declared);
        views.into_iter().find(|view| view.name == name).ok_or_else(|| ScheduleError::Unknown(name.into()))
    }

    /// Makes a schedule or replaces what it says. One whose times stay the same keeps its next.
    pub async fn put(
        &self,
        scope: &Scope,
        name: &str,
        definition: Definition,
        by: &Actor,
    ) -> Result<ScheduleView> {
        if let Some(problem) = problem_of_name(name) {
            return Err(ScheduleError::Invalid { field: "name", problem });
        }
        let tenant = scope.own(definition.tenant);
        let tenant =
            tenant.map_err(|Foreign(problem)| ScheduleError::Invalid { field: "tenant", problem })?;
        let (stored, plan) = self.checked(scope, name, Definition { tenant, ..definition })?;
        for _ in 0..TRIES {
            let row = self.store.schedule(scope, name).await?;
            if self.declared.schedules.contains_key(name) {
                return Err(match row.is_some() || *scope == Scope::Installation {
                    true => ScheduleError::Owned(name.into()),
                    // It is somebody else's, or is yet to come.
                    false => ScheduleError::Taken(name.into()),
                });
            }
            if row.as_ref().is_some_and(|row| row.source == Source::Config && row.retired_at.is_none()) {
                return Err(ScheduleError::Owned(name.into()));
            }
            if self.put_stored(scope, (name, Source::Api), &stored, &plan, row.as_ref(), by).await? {
                self.wake.schedules();
                return self.show(scope, name).await;
            }
            if row.is_none()
                && *scope != Scope::Installation
                && self.store.schedule(scope, name).await?.is_none()
            {
                return Err(ScheduleError::Taken(name.into()));
            }
        }
        Err(ScheduleError::Contended(name.into()))
    }

    pub async fn delete(&self, scope: &Scope, name: &str, by: &Actor) -> Result<()> {
        let row = self.row(scope, name).await?;
        if row.source == Source::Config && row.retired_at.is_none() {
            return Err(ScheduleError::Owned(name.into()));
        }
        match self.store.delete_schedule(scope, name, by).await? {
            true => Ok(()),
            false => Err(ScheduleError::Unknown(name.into())),
        }
    }

    /// From here on it does not fire, on any machine. What it would have fired meanwhile is not made up for.
    pub async fn pause(&self, scope: &Scope, name: &str, by: &Actor, reason: &str) -> Result<()> {
        match self.store.pause_schedule(scope, name, by, reason).await? {
            true => Ok(()),
            false => Err(ScheduleError::Unknown(name.into())),
        }
    }

    /// Goes on with the first fire time from now.
    pub async fn resume(&self, scope: &Scope, name: &str, by: &Actor) -> Result<()> {
        for _ in 0..TRIES {
            let row = self.row(scope, name).await?;
            if row.paused_at.is_none() {
                return Ok(());
            }
            let next = plan_of(&row)?.timing.next_after(self.store.now().await?);
            if self.store.resume_schedule(scope, name, row.revision, next, by).await? {
                self.wake.schedules();
                return Ok(());
            }
        }
        Err(ScheduleError::Contended(name.into()))
    }

    /// A job now, whatever the time, the pause or the overlap. Its fire time is this moment.
    pub async fn run_now(&self, scope: &Scope, name: &str, by: &Actor) -> Result<Inserted> {
        let fired = self.fire(scope, &self.run(scope, name).await?, by).await?;
        fired.first().map(|(_, job)| *job).ok_or_else(|| ScheduleError::Contended(name.into()))
    }

    async fn run(&self, scope: &Scope, name: &str) -> Result<Firing> {
        let row = self.row(scope, name).await?;
        let plan = plan_of(&row)?;
        let now = self.store.now().await?;
        let previous = row.last_fire.or_else(|| plan.timing.last_before(now)).unwrap_or(now);
        let job = self.job(name, &plan, now, previous)?;
        self.queue.freshen().await?;
        let rows = self.rows(scope, name, vec![NewJob { when: When::Now, ..job }])?;
        Ok(Firing {
            name: name.into(),
            jobs: rows.into_iter().map(|row| (now, row)).collect(),
            cancel: Vec::new(),
            occasion: Occasion::Run,
            details: json!({ "fire_time": now }),
            news: Vec::new(),
        })
    }

    /// Jobs for the fire times between two instants (the second not included) that have none yet. Asked for
    /// again, it enqueues nothing again.
    pub async fn backfill(
        &self,
        scope: &Scope,
        name: &str,
        (from, until): (Timestamp, Timestamp),
        preview: bool,
        by: &Actor,
    ) -> Result<Vec<Backfilled>> {
        let row = self.row(scope, name).await?;
        let plan = plan_of(&row)?;
        let now = self.store.now().await?;
        // One of that name may have been deleted.
        let first = self.store.first_fired(scope, name).await?;
        let since = first.map_or(row.created_at, |first| first.min(row.created_at));
        let times = self.backfilled_times(since, &plan, (from, until), now)?;
        let range = FireRange { from, until, limit: usize::MAX };
        let known = self.store.fires(scope, name, range).await?;
        let known: BTreeMap<_, _> = known.into_iter().map(|fire| (fire.fire_time, fire.job_id)).collect();
        let mut told: Vec<Backfilled> = times
            .iter()
            .map(|at| Backfilled {
                fire_time: *at,
                job_id: known.get(at).copied(),
                there_already: known.contains_key(at),
            })
            .collect();
        let missing: Vec<_> = times.into_iter().filter(|at| !known.contains_key(at)).collect();
        if preview || missing.is_empty() {
            return Ok(told);
        }
        let mut jobs = Vec::with_capacity(missing.len());
        for at in &missing {
            let previous = plan.timing.last_before(*at).unwrap_or(*at);
            let job = self.job(name, &plan, *at, previous)?;
            jobs.push(NewJob { when: When::Now, ..job });
        }
        self.queue.freshen().await?;
        let rows = self.rows(scope, name, jobs)?;
        let firing = Firing {
            name: name.into(),
            jobs: missing.into_iter().zip(rows).collect(),
            cancel: Vec::new(),
            occasion: Occasion::Backfill,
            details: json!({ "from": from, "until": until }),
            news: Vec::new(),
        };
        let fired = self.fire(scope, &firing, by).await?;
        for one in &mut told {
            if let Some((_, job)) = fired.iter().find(|(at, _)| *at == one.fire_time) {
                one.job_id = Some(job.id);
                // By its unique key.
                one.there_already = job.duplicate;
            } else if one.job_id.is_none() {
                // Somebody else filled it in meanwhile.
                one.there_already = true;
            }
        }
        Ok(told)
    }

    fn backfilled_times(
        &self,
        since: Timestamp,
        plan: &Plan,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<Vec<Timestamp>> {
        let invalid = |field, problem: String| Err(ScheduleError::Invalid { field, problem });
        if until <= from {
            return invalid("until", "does not lie after `from`; correct one of the two".into());
        }
        if until > now {
            return invalid("until", format!("lies in the future; a backfill ends at {now} at the latest"));
        }
        let forgotten = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        // A younger one may have times of any age filled in: whatever got its job is remembered.
        if from < forgotten && since < forgotten {
            let remedy = format!("write {forgotten} or later, or give the schedule another name");
            return invalid(
                "from",
                format!("which of these times had their job is no longer remembered; {remedy}"),
            );
        }
        let before = from.checked_sub(SignedDuration::from_micros(1)).unwrap_or(from);
        let times = plan.timing.after(before).take_while(|at| *at < until);
        let times: Vec<_> = times.take(MOST_BACKFILLED + 1).collect();
        match times.len() > MOST_BACKFILLED {
            true => invalid(
                "until",
                format!("there are more than {MOST_BACKFILLED} fire times; ask for fewer at a time"),
            ),
            false => Ok(times),
        }
    }

    /// Of one that is only described, without storing it. Who names no kind asks for the times alone.
    pub fn described(&self, scope: &Scope, definition: Definition) -> Result<Plan> {
        let kind = match definition.kind.is_empty() {
            true => "system.noop".into(),
            false => definition.kind,
        };
        Ok(self.checked(scope, "described", Definition { kind, ..definition })?.1)
    }

    pub async fn plan(&self, scope: &Scope, name: &str) -> Result<Plan> {
        plan_of(&self.row(scope, name).await?)
    }

    /// The next fire times from an instant on, or from now.
    pub async fn preview(&self, plan: Plan, after: Option<Timestamp>, count: usize) -> Result<Preview> {
        let after = match after {
            Some(after) => after,
            None => self.store.now().await?,
        };
        Ok(off_to_the_side(move || Preview::of(&plan, after, count)).await)
    }

    /// What would fire, be missed and be caught up. None when there are too many fire times to tell.
    pub async fn simulate(&self, plan: Plan, supposed: Supposed) -> Result<Option<Vec<Event>>> {
        let Supposed { from, until, outages, takes, misfire, overlap } = supposed;
        let definition = Definition {
            misfire: misfire.unwrap_or(plan.definition.misfire),
            overlap: overlap.unwrap_or(plan.definition.overlap),
            ..plan.definition
        };
        let policy = policy_of(&definition)
            .map_err(|cause| ScheduleError::Definition { name: "described".into(), cause })?;
        let situation = Situation { from, until, outages, policy, takes };
        Ok(off_to_the_side(move || simulate::simulate(&plan.timing, &situation)).await)
    }

    /// Checks at the door all that can be known now, with the job of some fire time to try it on.
    fn checked(&self, scope: &Scope, name: &str, definition: Definition) -> Result<(Stored, Plan)> {
        let (stored, plan, job) = tried(name, definition, &self.declared.calendars)?;
        self.rows(scope, name, vec![job])?;
        Ok((stored, plan))
    }

    async fn put_stored(
        &self,
        scope: &Scope,
        (name, source): (&str, Source),
        stored: &Stored,
        plan: &Plan,
        row: Option<&ScheduleRow>,
        by: &Actor,
    ) -> Result<bool> {
        let unreadable = |cause| ScheduleError::Unreadable { name: name.into(), cause };
        let same_times = row.and_then(|row| plan_of(row).ok()).is_some_and(|old| old.timing == plan.timing);
        let next_fire = match row.and_then(|row| row.next_fire).filter(|_| same_times) {
            // What an outage made it miss is still to be looked at.
            Some(next) => Some(next),
            None => plan.timing.next_after(self.store.now().await?),
        };
        let put = PutSchedule {
            name: name.into(),
            source,
            definition: serde_json::to_string(stored).map_err(unreadable)?,
            digest: stored.digest().map_err(unreadable)?,
            enabled: plan.definition.enabled,
            next_fire,
            revision: row.map(|row| row.revision),
        };
        Ok(self.store.put_schedule(scope, &put, by).await?)
    }

    async fn row(&self, scope: &Scope, name: &str) -> Result<ScheduleRow> {
        self.store.schedule(scope, name).await?.ok_or_else(|| ScheduleError::Unknown(name.into()))
    }

    fn job(&self, name: &str, plan: &Plan, fire_time: Timestamp, previous: Timestamp) -> Result<NewJob> {
        job_of(name, plan, fire_time, previous)
    }

    fn rows(&self, scope: &Scope, name: &str, jobs: Vec<NewJob>) -> Result<Vec<NewRow>> {
        self.queue.rows(scope, jobs).map_err(|cause| match cause {
            QueueError::Store(cause) => cause.into(),
            cause => ScheduleError::Job { name: name.into(), cause: Box::new(cause) },
        })
    }

    async fn fire(&self, scope: &Scope, firing: &Firing, by: &Actor) -> Result<Vec<(Timestamp, Inserted)>> {
        match self.store.fire_schedule(scope, firing, by).await? {
            Fired::Lost => Err(ScheduleError::Unknown(firing.name.clone())),
            Fired::Enqueued(fired) => {
                let rows: Vec<_> = firing.jobs.iter().map(|(_, row)| row.clone()).collect();
                self.queue.ring_for(&rows);
                Ok(fired)
            }
        }
    }
}

/// What the configuration says of one, checked as at every door, before there is a store: all but whether its job can
/// be encrypted.
pub fn check(
    name: &str,
    definition: Definition,
    calendars: &BTreeMap<String, CalendarRules>,
    registry: &Registry,
) -> Result<()> {
    let (_, _, job) = tried(name, definition, calendars)?;
    check_job(registry, &job)
        .map_err(|cause| ScheduleError::Job { name: name.into(), cause: Box::new(cause) })
}

/// With the job of some fire time.
fn tried(
    name: &str,
    definition: Definition,
    calendars: &BTreeMap<String, CalendarRules>,
) -> Result<(Stored, Plan, NewJob)> {
    let wrong = |cause| ScheduleError::Definition { name: name.into(), cause };
    let stored = definition.stored(calendars).map_err(wrong)?;
    let plan = stored.clone().plan().map_err(wrong)?;
    let job = job_of(name, &plan, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)?;
    Ok((stored, plan, job))
}

fn job_of(name: &str, plan: &Plan, fire_time: Timestamp, previous: Timestamp) -> Result<NewJob> {
    let Definition { kind, args, queue, priority, tenant, tags, .. } = &plan.definition;
    let times = Times { fire_time, previous_fire_time: previous, zone: plan.timing.zone.clone() };
    let args = template::fill(args, &times).map_err(|problem| ScheduleError::Definition {
        name: name.into(),
        cause: DefinitionError { field: "args", problem },
    })?;
    let delay = plan.delay(name, fire_time);
    let mut job = NewJob::new(kind.clone(), args);
    job.when = match delay.is_zero() {
        true => When::Now,
        false => When::At(fire_time.checked_add(delay).unwrap_or(fire_time)),
    };
    job.queue.clone_from(queue);
    job.priority = *priority;
    job.tenant.clone_from(tenant);
    job.tags.clone_from(tags);
    job.metadata = Some(json!({ "schedule": name, "fire_time": fire_time }));
    Ok(job)
}

/// A line that fires seldom looks through years of days; the threads that serve everybody are not for that.
async fn off_to_the_side<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

fn plan_of(row: &ScheduleRow) -> Result<Plan> {
    let stored: Stored = serde_json::from_str(&row.definition)
        .map_err(|cause| ScheduleError::Unreadable { name: row.name.clone(), cause })?;
    stored.plan().map_err(|cause| ScheduleError::Definition { name: row.name.clone(), cause })
}
