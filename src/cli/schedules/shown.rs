//! Schedules as people read them.

use engine::scheduler::definition::Plan;
use engine::scheduler::simulate::{Event, Outcome};
use engine::scheduler::{Backfilled, Preview, ScheduleView};

use super::super::print;
use crate::cli::print::row;

pub fn list(schedules: &[ScheduleView]) -> String {
    if schedules.is_empty() {
        return "there is no schedule; `compline schedules put` makes one".into();
    }
    let rows: Vec<_> = schedules
        .iter()
        .map(|schedule| {
            row![
                schedule.name.as_str(),
                schedule.state.name(),
                schedule.source.name(),
                print::optional_time(schedule.next_fire),
                print::optional_time(schedule.last_fire),
                schedule.words.clone().unwrap_or_else(|| "cannot be read".into()),
                amiss(schedule).unwrap_or_else(|| "-".into()),
            ]
        })
        .collect();
    print::table(&["SCHEDULE", "STATE", "SOURCE", "NEXT", "LAST", "WHEN", "AMISS"], &rows)
}

fn amiss(schedule: &ScheduleView) -> Option<String> {
    let drift = schedule.drift.map(|drift| drift.text().to_owned());
    let error = schedule.last_error.as_ref().map(|error| print::short(error, 60));
    drift.or(error)
}

pub fn one(schedule: &ScheduleView) -> String {
    let mut rows = vec![
        row!["schedule", schedule.name.as_str()],
        row!["state", schedule.state.name()],
        row!["source", schedule.source.name()],
        row!["fires", schedule.words.clone().unwrap_or_else(|| "cannot be read by this version".into())],
        row!["next", print::optional_time(schedule.next_fire)],
        row!["last", print::optional_time(schedule.last_fire)],
        row!["missed", schedule.missed.to_string()],
    ];
    if let Some(definition) = &schedule.definition {
        rows.push(row!["kind", definition.kind.as_str()]);
        rows.push(row!["args", definition.args.to_string()]);
    }
    if let Some(at) = schedule.paused_at {
        let by = schedule.paused_by.as_deref().unwrap_or("somebody");
        let reason = schedule.reason.as_deref().unwrap_or_default();
        rows.push(row!["paused", format!("{} by {by}: {reason}", print::time(at))]);
    }
    if let (Some(error), Some(at)) = (&schedule.last_error, schedule.error_at) {
        rows.push(row!["error", format!("{}: {error}", print::time(at))]);
    }
    if let Some(drift) = schedule.drift {
        rows.push(row!["drift", drift.text()]);
    }
    let table = print::table(&["", ""], &rows);
    // Without the empty line of headings.
    table.lines().skip(1).collect::<Vec<_>>().join("\n")
}

pub fn backfill(told: &[Backfilled], preview: bool) -> String {
    if told.is_empty() {
        return "no fire time lies there".into();
    }
    let rows: Vec<_> = told
        .iter()
        .map(|one| {
            let what = match (one.there_already, preview) {
                (true, _) => "has its job",
                (false, true) => "would be enqueued",
                (false, false) => "enqueued",
            };
            let job = one.job_id.map_or_else(|| "-".into(), |id| id.to_string());
            row![print::time(one.fire_time), what, job]
        })
        .collect();
    print::table(&["FIRE TIME", "", "JOB"], &rows)
}

pub fn preview(preview: &Preview) -> String {
    let mut lines = vec![preview.words.clone()];
    lines.extend(
        preview.times.iter().map(|time| format!("  {}  {}", print::time(time.fire_time), time.local)),
    );
    if preview.times.is_empty() {
        lines.push("  never again".into());
    }
    lines.join("\n")
}

pub fn events(plan: &Plan, events: &[Event]) -> String {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            let what = match event.outcome {
                Outcome::Fired { starts } if starts == event.fire_time => "fires".into(),
                Outcome::Fired { starts } => format!("fires, and waits until {}", print::time(starts)),
                Outcome::CaughtUp { starts } => format!("is caught up at {}", print::time(starts)),
                Outcome::Missed => "is missed".into(),
                Outcome::LeftOut => "is left out: an earlier job still runs".into(),
                Outcome::Undecided => "is decided when the outage ends".into(),
            };
            row![print::time(event.fire_time), what]
        })
        .collect();
    format!("{}\n{}", plan.words(), print::table(&["FIRE TIME", ""], &rows))
}
