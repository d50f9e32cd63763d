//! A schedule as it is described on the command line.

use std::time::Duration;

use clap::Args;
use engine::queue::NO_OBJECT;
use engine::scheduler::definition::{DayRule, Definition, MisfireRule};
use engine::scheduler::policy::Overlap;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use serde_json::Value;

use super::super::exit::{CliError, Result};
use super::super::{duration, enqueue, instant};

/// One that is there by its name, or one that is described.
#[derive(Debug, Args)]
pub struct Given {
    /// The schedule; else describe one by the options.
    pub name: Option<String>,
    #[command(flatten)]
    pub described: Described,
}

#[derive(Debug, Args)]
pub struct Described {
    /// The whole definition as JSON, with the keys of the configuration; the options below go before it.
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    definition: Option<String>,
    /// The kind of its jobs.
    #[arg(long)]
    kind: Option<String>,
    /// The arguments as JSON, with {{fire_time}} and {{previous_fire_time}}; @FILE and - as for `enqueue`.
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    args: Option<String>,
    /// When: five fields, or six with seconds first, or @daily and the like.
    #[arg(long, value_name = "LINE")]
    cron: Option<String>,
    /// Or an interval.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    every: Option<Duration>,
    /// The IANA zone.
    #[arg(long)]
    zone: Option<String>,
    /// A calendar of the configuration.
    #[arg(long)]
    calendar: Option<String>,
    /// What the calendar does: only_business_days, next_business_day or skip_holidays.
    #[arg(long, value_name = "RULE", value_parser = named::<DayRule>)]
    days: Option<DayRule>,
    /// Each job waits up to this long beyond its time.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    jitter: Option<Duration>,
    /// Not before this date or instant.
    #[arg(long, value_name = "DATE|TIME")]
    not_before: Option<String>,
    /// Not from this date or instant on.
    #[arg(long, value_name = "DATE|TIME")]
    not_after: Option<String>,
    /// What becomes of missed times: skip, once or all.
    #[arg(long, value_name = "POLICY", value_parser = misfire)]
    misfire: Option<MisfireRule>,
    /// With all, a job for each of the last so many.
    #[arg(long, value_name = "N")]
    misfire_limit: Option<usize>,
    /// Times older than this are missed in any case.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    misfire_within: Option<Duration>,
    /// While an earlier job lives: allow, skip, queue_one or cancel_old.
    #[arg(long, value_name = "POLICY", value_parser = overlap)]
    overlap: Option<Overlap>,
    /// Another queue than the kind's own.
    #[arg(long)]
    queue: Option<String>,
    /// From 1 (first) to 9 (last).
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    priority: Option<u8>,
    /// Whose jobs they are.
    #[arg(long)]
    tenant: Option<String>,
    /// For finding them again; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// It is known and does not fire.
    #[arg(long)]
    disabled: bool,
}

impl Described {
    pub fn is_empty(&self) -> bool {
        self.definition.is_none() && self.cron.is_none() && self.every.is_none()
    }

    pub fn definition(&self) -> Result<Definition> {
        let mut all = match &self.definition {
            None => Definition::default(),
            Some(text) => {
                let unreadable = |problem: String| {
                    CliError::usage(
                        format!("--definition cannot be read: {problem}"),
                        "write the keys of a section [schedules.NAME]; config/compline.toml explains each",
                    )
                };
                let value: Value = enqueue::json_of("--definition", text)?;
                // serde takes a list for any struct.
                if !value.is_object() {
                    return Err(unreadable(NO_OBJECT.into()));
                }
                serde_json::from_value(value).map_err(|problem| unreadable(problem.to_string()))?
            }
        };
        if let Some(args) = &self.args {
            all.args = enqueue::json_of("--args", args)?;
        }
        let given = self;
        for (field, value) in [
            (&mut all.cron, &given.cron),
            (&mut all.calendar, &given.calendar),
            (&mut all.from, &given.not_before),
            (&mut all.until, &given.not_after),
            (&mut all.queue, &given.queue),
            (&mut all.tenant, &given.tenant),
        ] {
            if value.is_some() {
                field.clone_from(value);
            }
        }
        all.kind = given.kind.clone().unwrap_or(all.kind);
        all.zone = given.zone.clone().unwrap_or(all.zone);
        all.every = given.every.or(all.every);
        all.days = given.days.or(all.days);
        all.jitter = given.jitter.unwrap_or(all.jitter);
        all.misfire = given.misfire.unwrap_or(all.misfire);
        all.misfire_limit = given.misfire_limit.unwrap_or(all.misfire_limit);
        all.misfire_within = given.misfire_within.or(all.misfire_within);
        all.overlap = given.overlap.unwrap_or(all.overlap);
        all.priority = given.priority.or(all.priority);
        all.tags.extend(given.tags.iter().cloned());
        all.enabled &= !given.disabled;
        Ok(all)
    }
}

/// As it is written in the configuration; what else there is stands in the error.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(StrDeserializer::<Error>::new(text)).map_err(|problem| problem.to_string())
}

pub fn misfire(text: &str) -> Result<MisfireRule, String> {
    named(text)
}

pub fn overlap(text: &str) -> Result<Overlap, String> {
    named(text)
}

pub fn outage(text: &str) -> Result<(Timestamp, Timestamp), String> {
    let (from, until) = text.split_once('/').ok_or_else(|| format!("`{text}` is not FROM/UNTIL"))?;
    let (from, until) = (instant(from)?, instant(until)?);
    match from < until {
        true => Ok((from, until)),
        false => Err("ends before it begins; write FROM/UNTIL".into()),
    }
}
