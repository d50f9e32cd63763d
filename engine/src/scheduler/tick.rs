//! Fires schedules when their time comes: in every process that runs jobs, without a leader. Whoever is first
//! writes, and the others find the row changed.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use jobkit::{Clock, OnParentFailure};
use serde_json::json;
use tracing::{debug, error, info, warn};

use super::ahead::Ahead;
use super::aside::Aside;
use super::definition::Plan;
use super::policy::{Overlap, Tick, admit, decide_tick};
use super::{REMEMBERED, ScheduleError, Scheduler, plan_of};
use crate::alerts::{SCHEDULE_BROKEN, SCHEDULE_MISSED};
use crate::service::Patience;
use crate::wake::Wake;
use store::chain;
use store::schedules::{Fired, Firing, Occasion, ScheduleRow};
use store::{Actor, NewRow, News, Scope, Severity, Store, StoreError};

/// Another process may put a schedule that is due before ours; it is found after this long at the latest.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Looked at in one go.
const BATCH: usize = 200;

/// At once: as many as the store has connections for it.
const AT_ONCE: usize = 4;

const FORGET_EVERY: Duration = Duration::from_secs(600);
const FORGOTTEN_AT_ONCE: usize = 5_000;

pub struct Ticker {
    pub scheduler: Arc<Scheduler>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub wake: Wake,
    /// Where in what is due this process begins: others begin elsewhere, so that they do not all race for the
    /// same row.
    pub place: usize,
}

/// What this process knows of schedules from one look to the next.
#[derive(Default)]
struct Seen {
    aside: Aside,
    ahead: Ahead,
}

impl Ticker {
    pub async fn run(self) {
        let mut patience = Patience::new("firing schedules", self.clock.clone());
        while let Err(problem) = self.scheduler.sync().await {
            patience.failed(&problem).await;
        }
        let bell = self.wake.bell();
        let mut forgot = None;
        let mut seen = Seen::default();
        loop {
            let wait = match self.look(&mut seen).await {
                Ok(wait) => {
                    patience.succeeded();
                    wait
                }
                Err(problem) => {
                    patience.failed(&problem).await;
                    Duration::ZERO
                }
            };
            self.forget(&mut forgot).await;
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = bell.schedules.notified() => {}
            }
        }
    }

    /// Fires what is due, and says how long there is nothing to do.
    async fn look(&self, seen: &mut Seen) -> Result<Duration, StoreError> {
        let due = self.store.schedules_due(BATCH, &seen.aside.known()).await?;
        let (now, steady) = (due.now, self.clock.steady());
        if seen.ahead.is_due(steady, now) {
            self.scheduler.set_back().await?;
            seen.ahead.looked(steady, now);
        }
        seen.ahead.saw(now);
        let full = due.rows.len() == BATCH;
        let mut plans = Vec::with_capacity(due.rows.len());
        for row in due.rows {
            match plan_of(&row) {
                Ok(plan) => {
                    seen.aside.readable(&row.name);
                    plans.push((row, plan));
                }
                Err(problem) => {
                    let (name, problem) = (row.name.clone(), chain(&problem));
                    if seen.aside.put(row, problem.clone(), steady) {
                        error!(schedule = name, "{problem}; it does not fire from here");
                    }
                }
            }
        }
        if !plans.is_empty() {
            let place = self.place % plans.len();
            plans.rotate_left(place);
        }
        self.scheduler.queue.freshen().await?;
        self.fire_all(plans, now).await?;
        for (row, problem) in seen.aside.to_tell(steady) {
            let tick = Tick { next: row.next_fire, ..Tick::default() };
            self.scheduler.say_refused(&row, &tick, &problem).await?;
            seen.aside.told(&row.name);
        }
        Ok(match full {
            true => Duration::ZERO,
            false => due.next.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
        })
    }

    /// A store that is away holds up all of them, and whoever waits for somebody's lock only itself.
    async fn fire_all(&self, plans: Vec<(ScheduleRow, Plan)>, now: Timestamp) -> Result<(), StoreError> {
        let mut fired = futures::stream::iter(plans)
            .map(|(row, plan)| async move { self.scheduler.fire_due(&row, &plan, now).await })
            .buffer_unordered(AT_ONCE);
        let mut held_up = Ok(());
        while let Some(answer) = fired.next().await {
            match answer {
                Err(problem) if problem.blames_the_store() => return Err(problem),
                Err(problem) => held_up = Err(problem),
                Ok(()) => {}
            }
        }
        held_up
    }

    async fn forget(&self, forgot: &mut Option<Duration>) {
        let now = self.clock.steady();
        if forgot.is_some_and(|last| now.saturating_sub(last) < FORGET_EVERY) {
            return;
        }
        match self.store.forget_fires(REMEMBERED, FORGOTTEN_AT_ONCE).await {
            // There are more, and looks come often.
            Ok(gone) if gone == FORGOTTEN_AT_ONCE as u64 => {}
            Ok(_) => *forgot = Some(now),
            // There is time; the next look tries again.
            Err(problem) => debug!("forgetting old fire times failed: {}", chain(&problem)),
        }
    }
}

impl Scheduler {
    /// Decides, and writes what was decided unless somebody else was quicker.
    async fn fire_due(&self, row: &ScheduleRow, plan: &Plan, now: Timestamp) -> Result<(), StoreError> {
        let Some(expected) = row.next_fire else { return Ok(()) };
        let tick = decide_tick(&plan.timing, expected, now, plan.policy);
        let live = match plan.policy.overlap {
            Overlap::Allow => Vec::new(),
            _ if tick.fire.is_empty() => Vec::new(),
            _ => self.store.live_fires(&row.name).await?,
        };
        let admitted = admit(plan.policy.overlap, &live, &tick.fire);
        let mut jobs: Vec<(Timestamp, NewRow)> = Vec::with_capacity(admitted.start.len());
        let mut previous = row.last_fire;
        for start in &admitted.start {
            let at = start.fire_time;
            // A job that a person asked for may be later than what is made up for.
            let earlier = previous.filter(|previous| *previous < at);
            let before = earlier.or_else(|| plan.timing.last_before(at)).unwrap_or(at);
            let rows = self
                .job(&row.name, plan, at, before)
                .and_then(|job| self.rows(&Scope::Installation, &row.name, vec![job]));
            match rows {
                Ok(rows) => jobs.extend(rows.into_iter().map(|mut new| {
                    if start.waits {
                        new.after = live.clone();
                        new.on_parent_failure = OnParentFailure::Run;
                    }
                    (at, new)
                })),
                Err(ScheduleError::Store(problem)) => return Err(problem),
                Err(problem) => return self.say_refused(row, &tick, &chain(&problem)).await,
            }
            previous = Some(at);
        }
        // Those of one tick wait for each other too.
        for place in 1..jobs.len() {
            let earlier: Vec<_> = jobs[..place].iter().map(|(_, row)| row.id).collect();
            if admitted.start[place].waits {
                jobs[place].1.after.extend(earlier);
            }
        }
        let firing = Firing {
            name: row.name.clone(),
            jobs,
            cancel: admitted.cancel,
            occasion: Occasion::Tick {
                revision: row.revision,
                next: tick.next,
                missed: tick.missed as u64,
                error: None,
            },
            details: json!({ "missed": tick.missed, "left_out": admitted.left_out, "late_by_ms": late(&tick, now) }),
            news: news_of(row, tick.missed),
        };
        match self.fire(&Scope::Installation, &firing, &actor(&row.name)).await {
            Ok(fired) => {
                let name = &row.name;
                debug!(schedule = name, jobs = fired.len(), "schedule {name} fired {} jobs", fired.len());
                for (at, job) in fired.iter().filter(|(_, job)| job.duplicate) {
                    let id = job.id;
                    info!(schedule = name, job.id = %id, "schedule {name} met the unique key of job {id} at {at}, and enqueued no other");
                }
                if tick.missed > 0 {
                    warn!(
                        schedule = name,
                        missed = tick.missed,
                        "schedule {name} missed {} fire times",
                        tick.missed
                    );
                }
                Ok(())
            }
            // Somebody else was quicker, or it is gone.
            Err(ScheduleError::Unknown(_)) => Ok(()),
            Err(ScheduleError::Store(problem)) if problem.blames_the_store() || problem.blames_a_lock() => {
                Err(problem)
            }
            Err(problem) => self.say_refused(row, &tick, &chain(&problem)).await,
        }
    }

    /// The schedule says what is wrong and goes on with its next time: others must not wait for it.
    async fn say_refused(&self, row: &ScheduleRow, tick: &Tick, problem: &str) -> Result<(), StoreError> {
        let missed = tick.missed + tick.fire.len();
        let firing = Firing {
            name: row.name.clone(),
            jobs: Vec::new(),
            cancel: Vec::new(),
            occasion: Occasion::Tick {
                revision: row.revision,
                next: tick.next,
                missed: missed as u64,
                error: Some(problem.into()),
            },
            details: json!({ "missed": missed, "error": true }),
            news: vec![News::began(SCHEDULE_BROKEN, &row.name, Severity::Warning, broken(&row.name))],
        };
        if let Fired::Enqueued(_) =
            self.store.fire_schedule(&Scope::Installation, &firing, &actor(&row.name)).await?
        {
            let name = &row.name;
            // What is wrong may name a value of the arguments, so it is not said here.
            error!(schedule = name, missed, "{}", broken(name));
        }
        Ok(())
    }
}

/// For those who are told: of times that were missed, and that what was wrong before no longer is.
fn news_of(row: &ScheduleRow, missed: usize) -> Vec<News> {
    let name = &row.name;
    let mut news = Vec::new();
    if missed > 0 {
        let text = format!(
            "schedule {name} missed fire times; `compline schedules backfill {name}` makes up for them"
        );
        let happened = News::happened(SCHEDULE_MISSED, name, Severity::Warning, text);
        news.push(News { count: missed as u64, ..happened });
    }
    if row.last_error.is_some() {
        news.push(News::ended(SCHEDULE_BROKEN, name, format!("schedule {name} fires again")));
    }
    news
}

/// What is wrong may name a value of the arguments, so it is not said here.
fn broken(name: &str) -> String {
    format!("schedule {name} could not enqueue its job; `compline schedules show {name}` says why")
}

fn late(tick: &Tick, now: Timestamp) -> i64 {
    tick.fire.last().map_or(0, |last| now.as_millisecond() - last.as_millisecond())
}

fn actor(name: &str) -> Actor {
    Actor::new(format!("schedule:{name}"))
}
