//! A schedule as callers write it and see it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::scheduler::definition::{self, DayRule, MisfireRule};
use crate::scheduler::policy::Overlap;
use crate::scheduler::{Drift, ScheduleView, State};
use crate::units::format_duration;
use store::schedules::Source;

/// What a schedule says; the keys are those of the configuration, which explains each in `config/compline.toml`.
/// Exactly one of `cron` and `every` says when.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The kind of its jobs.
    pub kind: String,
    /// The arguments of its jobs, with `{{fire_time}}` and `{{previous_fire_time}}` in texts.
    #[schema(value_type = Value, required = false)]
    pub args: Value,
    /// Five fields, or six with seconds first, or `@daily` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "30 6 * * MON-FRI")]
    pub cron: Option<String>,
    /// A duration such as `"15m"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// An IANA zone; `UTC` when nothing is said.
    #[schema(required = false)]
    pub zone: String,
    /// A calendar of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// What the calendar does; `only_business_days` when nothing is said. Not without a calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Days>)]
    pub days: Option<DayRule>,
    /// Each job waits up to this long beyond its time, at most `"1d"`.
    #[schema(required = false)]
    pub jitter: String,
    /// Not before this date or instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Not from this date or instant on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What becomes of missed times.
    #[schema(value_type = Missed, required = false)]
    pub misfire: MisfireRule,
    /// With `all`, a job for each of the last so many.
    #[schema(required = false, minimum = 1, maximum = 1000)]
    pub misfire_limit: usize,
    /// Times older than this are missed in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfire_within: Option<String>,
    /// What to do while an earlier job lives.
    #[schema(value_type = Overlapping, required = false)]
    pub overlap: Overlap,
    /// Another queue than the kind's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// From 1 (first) to 9 (last).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9)]
    pub priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[schema(required = false, max_items = 32)]
    pub tags: Vec<String>,
    /// One that is not is known and does not fire.
    #[schema(required = false)]
    pub enabled: bool,
}

/// What a calendar does to a schedule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Days {
    OnlyBusinessDays,
    NextBusinessDay,
    SkipHolidays,
}

/// What becomes of fire times that nobody was there for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    Skip,
    Once,
    All,
}

/// What to do when a job is due while an earlier one lives.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlapping {
    Allow,
    Skip,
    QueueOne,
    CancelOld,
}

impl From<definition::Definition> for Definition {
    fn from(given: definition::Definition) -> Self {
        Self {
            kind: given.kind,
            args: given.args,
            cron: given.cron,
            every: given.every.map(format_duration),
            zone: given.zone,
            calendar: given.calendar,
            days: given.days,
            jitter: format_duration(given.jitter),
            from: given.from,
            until: given.until,
            misfire: given.misfire,
            misfire_limit: given.misfire_limit,
            misfire_within: given.misfire_within.map(format_duration),
            overlap: given.overlap,
            queue: given.queue,
            priority: given.priority,
            tenant: given.tenant,
            tags: given.tags,
            enabled: given.enabled,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Schedule {
    pub name: String,
    /// Who may change it: `config`, the configuration alone; `api`, people and programs.
    #[schema(value_type = String)]
    pub source: Source,
    /// `active`, `disabled`, `paused`, `retired` (it does not stand in the configuration any more) or `over`.
    #[schema(value_type = String)]
    pub state: State,
    /// When it fires; absent when this program cannot read what is stored.
    pub words: Option<String>,
    pub definition: Option<Definition>,
    pub next_fire: Option<Timestamp>,
    pub last_fire: Option<Timestamp>,
    /// How many fire times got no job.
    pub missed: u64,
    /// Why it could not enqueue its job, if it could not.
    pub last_error: Option<String>,
    pub error_at: Option<Timestamp>,
    pub paused_at: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    /// How the store differs from the configuration of this process: `not_applied`, `differs` or `not_declared`.
    #[schema(value_type = Option<String>)]
    pub drift: Option<Drift>,
}

impl From<ScheduleView> for Schedule {
    fn from(view: ScheduleView) -> Self {
        Self {
            name: view.name,
            source: view.source,
            state: view.state,
            words: view.words,
            definition: view.definition.map(Definition::from),
            next_fire: view.next_fire,
            last_fire: view.last_fire,
            missed: view.missed,
            last_error: view.last_error,
            error_at: view.error_at,
            paused_at: view.paused_at,
            paused_by: view.paused_by,
            reason: view.reason,
            drift: view.drift,
        }
    }
}
