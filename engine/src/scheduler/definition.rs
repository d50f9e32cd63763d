//! A schedule as people write it, in the configuration, a file or a request, and what it comes to once it
//! is checked. Every door checks here, so a mistake is told everywhere in the same words.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::calendar::{Calendar, CalendarRules};
use super::cron::CronLine;
use super::policy::{Misfire, Overlap, Policy};
use super::timing::{Days, Rule, Timing};
use crate::units::{duration, optional_duration};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Definition {
    pub kind: String,
    #[serde(with = "args")]
    pub args: Value,
    /// Exactly one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_duration")]
    pub every: Option<Duration>,
    pub zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Without a calendar there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<DayRule>,
    #[serde(with = "duration")]
    pub jitter: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    pub misfire: MisfireRule,
    pub misfire_limit: usize,
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_duration")]
    pub misfire_within: Option<Duration>,
    pub overlap: Overlap,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub tags: Vec<String>,
    pub enabled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayRule {
    #[default]
    OnlyBusinessDays,
    NextBusinessDay,
    SkipHolidays,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfireRule {
    Skip,
    #[default]
    Once,
    All,
}

impl Default for Definition {
    fn default() -> Self {
        Self {
            kind: String::new(),
            args: Value::Object(serde_json::Map::new()),
            cron: None,
            every: None,
            zone: "UTC".into(),
            calendar: None,
            days: None,
            jitter: Duration::ZERO,
            from: None,
            until: None,
            misfire: MisfireRule::default(),
            misfire_limit: USUALLY_CAUGHT_UP,
            misfire_within: None,
            overlap: Overlap::default(),
            queue: None,
            priority: None,
            tenant: None,
            tags: Vec::new(),
            enabled: true,
        }
    }
}

/// What the store keeps: the definition, and the rules of its calendar as they were when it was put, so that
/// every process decides alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub definition: Definition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarRules>,
}

/// A schedule that can fire.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub definition: Definition,
    pub timing: Timing,
    pub policy: Policy,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct DefinitionError {
    pub field: &'static str,
    pub problem: String,
}

pub const MOST_CAUGHT_UP: usize = 1_000;
const USUALLY_CAUGHT_UP: usize = 10;
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 86_400);
const LONGEST_JITTER: Duration = Duration::from_secs(86_400);
const SHORTEST_WITHIN: Duration = Duration::from_secs(60);

const NEEDS_CALENDAR: &str = "needs a calendar; name one with `calendar`";

fn wrong<T>(field: &'static str, problem: impl Into<String>) -> Result<T, DefinitionError> {
    Err(DefinitionError { field, problem: problem.into() })
}

impl Definition {
    /// Every key has a value: what there is to write.
    pub fn with_every_key() -> Self {
        let any = || Some(String::new());
        Self {
            cron: any(),
            every: Some(Duration::ZERO),
            calendar: any(),
            days: Some(DayRule::default()),
            from: any(),
            until: any(),
            misfire_within: Some(Duration::ZERO),
            queue: any(),
            priority: Some(1),
            tenant: any(),
            ..Self::default()
        }
    }

    /// With the calendar that it names, out of those that the configuration has.
    pub fn stored(self, calendars: &BTreeMap<String, CalendarRules>) -> Result<Stored, DefinitionError> {
        let calendar = match &self.calendar {
            None => None,
            Some(name) => match calendars.get(name) {
                Some(rules) => Some(rules.clone()),
                None => {
                    let known: Vec<_> = calendars.keys().map(String::as_str).collect();
                    let remedy = match known.is_empty() {
                        true => format!("the configuration has none; add a section [calendars.{name}]"),
                        false => format!("the configuration has: {}", known.join(", ")),
                    };
                    return wrong("calendar", format!("`{name}` is not known; {remedy}"));
                }
            },
        };
        // What has no meaning is refused at the door and not where it is read: older versions have stored some.
        if self.days.is_some() && calendar.is_none() {
            return wrong("days", NEEDS_CALENDAR);
        }
        if self.misfire_limit != USUALLY_CAUGHT_UP && self.misfire != MisfireRule::All {
            return wrong("misfire_limit", "is for misfire = \"all\"; write that too, or leave it out");
        }
        Ok(Stored { definition: self, calendar })
    }
}

impl Stored {
    /// Two definitions with one digest are the same.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        Ok(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Everything but the kind and what it says of its arguments, which only the registry knows.
    pub fn plan(self) -> Result<Plan, DefinitionError> {
        let definition = self.definition;
        let zone = zone(&definition.zone)?;
        let from = definition.from.as_deref().map(|text| instant("from", text, &zone)).transpose()?;
        let until = definition.until.as_deref().map(|text| instant("until", text, &zone)).transpose()?;
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            return wrong("until", "does not lie after `from`; correct one of the two");
        }
        let rule = rule(&definition, from)?;
        let days = days(&definition, self.calendar.as_ref(), &rule)?;
        let policy = policy_of(&definition)?;
        if definition.jitter > LONGEST_JITTER {
            return wrong("jitter", "must be at most \"1d\"");
        }
        let timing = Timing { rule, zone, days, from, until };
        let endless = Timing { until: None, ..timing.clone() };
        // A line alone fires within forty years or never; a calendar may take away what is left of it.
        if endless.next_after(from.unwrap_or(Timestamp::UNIX_EPOCH)).is_none() {
            return wrong(
                "calendar",
                "leaves no day on which this fires; correct the calendar or the cron line",
            );
        }
        Ok(Plan { definition, timing, policy })
    }
}

fn zone(name: &str) -> Result<TimeZone, DefinitionError> {
    // The empty name, and that of the machine, would be another zone on another machine.
    match TimeZone::get(name) {
        Ok(zone) if zone.iana_name().is_some() => Ok(zone),
        _ => wrong(
            "zone",
            format!("`{name}` is no zone that is known; write an IANA name such as Europe/Berlin or UTC"),
        ),
    }
}

fn rule(definition: &Definition, from: Option<Timestamp>) -> Result<Rule, DefinitionError> {
    match (&definition.cron, definition.every) {
        (Some(line), None) => match CronLine::parse(line) {
            Ok(line) => Ok(Rule::Cron(line)),
            Err(problem) => wrong("cron", problem.to_string()),
        },
        (None, Some(period)) if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&period) => {
            wrong("every", "must be from \"1s\" to \"366d\"")
        }
        (None, Some(period)) => Ok(Rule::Every { period, anchor: from.unwrap_or(Timestamp::UNIX_EPOCH) }),
        (None, None) => {
            wrong("cron", "says when, and is missing; write cron = \"30 6 * * MON-FRI\" or every = \"15m\"")
        }
        (Some(_), Some(_)) => wrong("every", "cannot stand beside `cron`; keep one of the two"),
    }
}

fn days(
    definition: &Definition,
    calendar: Option<&CalendarRules>,
    rule: &Rule,
) -> Result<Days, DefinitionError> {
    let Some(rules) = calendar else {
        return match definition.days.unwrap_or_default() {
            DayRule::OnlyBusinessDays => Ok(Days::Every),
            _ => wrong("days", NEEDS_CALENDAR),
        };
    };
    let calendar = Calendar::new(rules)
        .map_err(|problem| DefinitionError { field: "calendar", problem: problem.to_string() })?;
    match (definition.days.unwrap_or_default(), rule) {
        (DayRule::OnlyBusinessDays, _) => Ok(Days::OnlyBusinessDays(calendar)),
        (DayRule::SkipHolidays, _) => Ok(Days::SkipHolidays(calendar)),
        (DayRule::NextBusinessDay, Rule::Cron(_)) => Ok(Days::NextBusinessDay(calendar)),
        (DayRule::NextBusinessDay, Rule::Every { .. }) => wrong(
            "days",
            "next_business_day moves a day, and an interval has none; use `cron`, or only_business_days",
        ),
    }
}

/// What it says of missed times and of overlap.
pub fn policy_of(definition: &Definition) -> Result<Policy, DefinitionError> {
    let most = definition.misfire_limit;
    if !(1..=MOST_CAUGHT_UP).contains(&most) {
        return wrong("misfire_limit", format!("must be from 1 to {MOST_CAUGHT_UP}"));
    }
    if definition.misfire_within.is_some_and(|within| within < SHORTEST_WITHIN) {
        return wrong("misfire_within", "must be at least \"1m\"; a fire time that young is on time");
    }
    let misfire = match definition.misfire {
        MisfireRule::Skip => Misfire::Skip,
        MisfireRule::Once => Misfire::Once,
        MisfireRule::All => Misfire::All { most },
    };
    Ok(Policy { misfire, within: definition.misfire_within, overlap: definition.overlap })
}

/// An instant, or a date: its first moment in the schedule's zone. Whole seconds, as everything that is written.
fn instant(field: &'static str, text: &str, zone: &TimeZone) -> Result<Timestamp, DefinitionError> {
    let day = |text: &str| {
        let date: jiff::civil::Date = text.parse().ok()?;
        zone.to_zoned(date.to_datetime(jiff::civil::Time::midnight())).ok().map(|zoned| zoned.timestamp())
    };
    // A date alone is no instant, and an instant would be read as a date.
    let read = text.parse::<Timestamp>().ok().or_else(|| (text.len() == 10).then(|| day(text)).flatten());
    match read.and_then(|at| Timestamp::from_second(at.as_second()).ok()) {
        Some(at) => Ok(at),
        None => wrong(
            field,
            format!(
                "`{text}` is neither a date such as 2026-01-31 nor a time with its zone such as 2026-01-31T09:00:00Z"
            ),
        ),
    }
}

impl Plan {
    /// How long a job waits beyond its fire time: the same for everybody who asks, and less than the jitter.
    pub fn delay(&self, name: &str, fire_time: Timestamp) -> Duration {
        let most = u64::try_from(self.definition.jitter.as_micros()).unwrap_or(u64::MAX);
        if most == 0 {
            return Duration::ZERO;
        }
        let mut hash = Sha256::new();
        hash.update(name.as_bytes());
        hash.update(fire_time.as_microsecond().to_be_bytes());
        let digest = hash.finalize();
        let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        Duration::from_micros(number % most)
    }

    /// In words: "at 06:30 on Monday to Friday, on business days of `germany`, Europe/Berlin".
    pub fn words(&self) -> String {
        let Definition { zone, calendar, days, jitter, from, until, .. } = &self.definition;
        let mut words = match &self.timing.rule {
            Rule::Cron(line) => line.words(),
            Rule::Every { period, .. } => {
                format!("every {}", crate::units::format_duration(*period))
            }
        };
        if let Some(calendar) = calendar {
            words.push_str(&match days.unwrap_or_default() {
                DayRule::OnlyBusinessDays => format!(", only on business days of `{calendar}`"),
                DayRule::NextBusinessDay => format!(", or the next business day of `{calendar}`"),
                DayRule::SkipHolidays => format!(", but not on holidays of `{calendar}`"),
            });
        }
        words.push_str(&format!(", {zone}"));
        for (word, at) in [("from", from), ("until", until)] {
            words.extend(at.iter().map(|at| format!(", {word} {at}")));
        }
        if !jitter.is_zero() {
            words.push_str(&format!(", up to {} later", crate::units::format_duration(*jitter)));
        }
        words
    }
}

/// Written as JSON text or as a table of its own; kept as text, so that it is one key and not many.
mod args {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(args: &Value, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&args.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) => serde_json::from_str(&text).map_err(|problem| {
                D::Error::custom(format!(
                    "`{text}` is not JSON ({problem}); write '{{\"key\": \"value\"}}' or a table"
                ))
            }),
            args => Ok(args),
        }
    }
}

#[cfg(test)]
mod tests;
