//! Schedules as people look at them: in words, with what is amiss.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::declared::{Declared, is_applied};
use super::definition::{Definition, Plan, Stored};
use super::plan_of;
use store::Scope;
use store::schedules::{ScheduleRow, Source};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleView {
    pub name: String,
    pub source: Source,
    pub state: State,
    /// When it fires; none when what is stored cannot be read.
    pub words: Option<String>,
    pub definition: Option<Definition>,
    pub next_fire: Option<Timestamp>,
    pub last_fire: Option<Timestamp>,
    pub missed: u64,
    pub last_error: Option<String>,
    pub error_at: Option<Timestamp>,
    pub paused_at: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    pub drift: Option<Drift>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Active,
    Disabled,
    Paused,
    /// It does not stand in the configuration any more.
    Retired,
    /// Its end has come.
    Over,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Disabled => "disabled",
            State::Paused => "paused",
            State::Retired => "retired",
            State::Over => "over",
        }
    }
}

/// How the store differs from the configuration of whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The store does not have it yet.
    NotApplied,
    /// The store says something else.
    Differs,
    /// The configuration does not have it.
    NotDeclared,
}

impl Drift {
    pub fn text(self) -> &'static str {
        match self {
            Drift::NotApplied => "stands in the configuration and not yet in the store",
            Drift::Differs => "is another in the store than in the configuration",
            Drift::NotDeclared => "is owned by the configuration and does not stand in this one",
        }
    }
}

/// The next times, in words and as instants.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    pub words: String,
    pub zone: String,
    pub times: Vec<PreviewTime>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewTime {
    pub fire_time: Timestamp,
    /// In the schedule's zone, with the day of the week.
    pub local: String,
}

impl Preview {
    pub fn of(plan: &Plan, after: Timestamp, count: usize) -> Self {
        let times = plan.timing.after(after).take(count);
        let times =
            times.map(|at| PreviewTime { fire_time: at, local: local(at, &plan.timing.zone) }).collect();
        Self { words: plan.words(), zone: plan.definition.zone.clone(), times }
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The rows, and what the configuration has beside them within the scope, by name.
pub fn all(scope: &Scope, rows: &[ScheduleRow], declared: &Declared) -> Vec<ScheduleView> {
    let mut views: Vec<_> = rows.iter().map(|row| of(row, declared)).collect();
    for (name, definition) in &declared.schedules {
        let due = scope.covers(definition.tenant.as_deref());
        if due && !rows.iter().any(|row| row.name == *name) {
            views.push(not_applied(name, definition, declared));
        }
    }
    views.sort_by(|a, b| a.name.cmp(&b.name));
    views
}

fn of(row: &ScheduleRow, declared: &Declared) -> ScheduleView {
    let plan = plan_of(row).ok();
    ScheduleView {
        name: row.name.clone(),
        source: row.source,
        state: state(row),
        words: plan.as_ref().map(Plan::words),
        definition: plan.map(|plan| plan.definition),
        next_fire: row.next_fire,
        last_fire: row.last_fire,
        missed: row.missed,
        last_error: row.last_error.clone(),
        error_at: row.error_at,
        paused_at: row.paused_at,
        paused_by: row.paused_by.clone(),
        reason: row.reason.clone(),
        drift: drift(row, declared),
    }
}

fn not_applied(name: &str, definition: &Definition, declared: &Declared) -> ScheduleView {
    let stored = definition.clone().stored(&declared.calendars);
    let plan = stored.and_then(Stored::plan).ok();
    ScheduleView {
        name: name.into(),
        source: Source::Config,
        state: if definition.enabled { State::Active } else { State::Disabled },
        words: plan.as_ref().map(Plan::words),
        definition: Some(definition.clone()),
        next_fire: None,
        last_fire: None,
        missed: 0,
        last_error: None,
        error_at: None,
        paused_at: None,
        paused_by: None,
        reason: None,
        drift: Some(Drift::NotApplied),
    }
}

fn state(row: &ScheduleRow) -> State {
    match row {
        ScheduleRow { retired_at: Some(_), .. } => State::Retired,
        ScheduleRow { paused_at: Some(_), .. } => State::Paused,
        ScheduleRow { enabled: false, .. } => State::Disabled,
        ScheduleRow { next_fire: None, .. } => State::Over,
        _ => State::Active,
    }
}

fn drift(row: &ScheduleRow, declared: &Declared) -> Option<Drift> {
    match declared.schedules.get(&row.name) {
        Some(definition) => {
            let applied =
                definition.clone().stored(&declared.calendars).is_ok_and(|stored| is_applied(row, &stored));
            (!applied).then_some(Drift::Differs)
        }
        None => (row.source == Source::Config && row.retired_at.is_none()).then_some(Drift::NotDeclared),
    }
}
