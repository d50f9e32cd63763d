//! When an entity works: its time zone, its weekend, its holidays, the ends of its periods.
//!
//! A ledger has one clock and its entities have their own days: an entry that a system in Frankfurt stamps at 23:30 was made in the afternoon in Boston,
//! and Friday is the weekend in Riyadh. Without configuration, times are as the ledger has them, and the weekend is Saturday and Sunday.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::names::{Names, Sort, Symbol};
use crate::part::Posting;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The time zone of the ledger's clock. Where it is not known, no time is converted.
    pub ledger_zone: Option<String>,
    /// For entities that `entities` does not name.
    pub standard: Calendar,
    /// By their own names.
    pub calendars: BTreeMap<String, Calendar>,
    /// The name of its calendar for an entity.
    pub entities: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calendar {
    /// The time zone in which the entity works; where it is not known, the ledger's.
    pub zone: Option<String>,
    pub weekend: BTreeSet<Day>,
    pub holidays: BTreeSet<Date>,
    /// The last days of its periods, if they are not the last days of months.
    pub period_ends: BTreeSet<Date>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            zone: None,
            weekend: BTreeSet::from([Day::Saturday, Day::Sunday]),
            holidays: BTreeSet::new(),
            period_ends: BTreeSet::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<Weekday> for Day {
    fn from(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    #[error("{field}: there is no time zone `{zone}`; write one like `Europe/Berlin`")]
    Zone {
        field: String,
        zone: String,
        #[source]
        cause: jiff::Error,
    },
    #[error("entities.{entity}: there is no calendar `{calendar}`; name one of `calendars`")]
    Calendar { entity: String, calendar: String },
    #[error("{field}.weekend: all seven days are weekend; leave out the days of work")]
    NoWork { field: String },
}

impl Calendar {
    pub fn is_weekend(&self, date: Date) -> bool {
        self.weekend.contains(&date.weekday().into())
    }

    pub fn is_holiday(&self, date: Date) -> bool {
        self.holidays.contains(&date)
    }

    /// The last day of the period in which the date is.
    pub fn period_end(&self, date: Date) -> Date {
        self.period_ends.range(date..).next().copied().unwrap_or_else(|| date.last_of_month())
    }

    /// The last day of the period before the one in which the date is; `None` at the beginning of time.
    pub fn last_period_end(&self, date: Date) -> Option<Date> {
        match self.period_ends.range(..date).next_back() {
            // A list that ends years before the date says nothing of the date's month.
            Some(&end) if self.period_ends.range(date..).next().is_some() => Some(end),
            _ => date.first_of_month().yesterday().ok(),
        }
    }
}

/// The calendars of the entities of a ledger.
#[derive(Debug)]
pub struct Calendars {
    ledger: Option<TimeZone>,
    calendars: Vec<(Calendar, Option<TimeZone>)>,
    /// For each entity, which of them.
    of_entity: Vec<usize>,
}

impl Calendars {
    pub fn new(config: &Config, names: &Names) -> Result<Self, CalendarError> {
        let ledger = config.ledger_zone.as_ref().map(|zone| self::zone("ledger_zone", zone)).transpose()?;
        let mut calendars = vec![resolved("standard", &config.standard)?];
        let mut places = BTreeMap::new();
        for (name, calendar) in &config.calendars {
            places.insert(name, calendars.len());
            calendars.push(resolved(&format!("calendars.{name}"), calendar)?);
        }
        let mut of_entity = vec![0; names.count(Sort::Entity)];
        for (entity, calendar) in &config.entities {
            let Some(&place) = places.get(calendar) else {
                return Err(CalendarError::Calendar { entity: entity.clone(), calendar: calendar.clone() });
            };
            if let Some(symbol) = names.find(Sort::Entity, entity) {
                of_entity[symbol.index()] = place;
            }
        }
        Ok(Self { ledger, calendars, of_entity })
    }

    pub fn of(&self, entity: Symbol) -> &Calendar {
        &self.entry(entity).0
    }

    /// The day and the time of day of entry as the entity's own clocks had them.
    pub fn entered(&self, posting: &Posting) -> Option<(Date, Option<u32>)> {
        let date = posting.entered?;
        let Some(seconds) = posting.entered_time else { return Some((date, None)) };
        let (Some(ledger), Some(entity)) = (&self.ledger, &self.entry(posting.entity).1) else {
            return Some((date, Some(seconds)));
        };
        Some(convert(date, seconds, ledger, entity).unwrap_or((date, Some(seconds))))
    }

    fn entry(&self, entity: Symbol) -> &(Calendar, Option<TimeZone>) {
        &self.calendars[self.of_entity.get(entity.index()).copied().unwrap_or(0)]
    }
}

fn resolved(field: &str, calendar: &Calendar) -> Result<(Calendar, Option<TimeZone>), CalendarError> {
    if calendar.weekend.len() == 7 {
        return Err(CalendarError::NoWork { field: field.into() });
    }
    let zone = calendar.zone.as_ref().map(|zone| self::zone(&format!("{field}.zone"), zone)).transpose()?;
    Ok((calendar.clone(), zone))
}

fn zone(field: &str, zone: &str) -> Result<TimeZone, CalendarError> {
    TimeZone::get(zone).map_err(|cause| CalendarError::Zone { field: field.into(), zone: zone.into(), cause })
}

/// A time that clocks skipped or had twice is read as jiff's "compatible" rule reads it: it was printed by a system, and cannot be asked again.
fn convert(date: Date, seconds: u32, from: &TimeZone, to: &TimeZone) -> Option<(Date, Option<u32>)> {
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let time = date.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?, 0);
    let there = time.to_zoned(from.clone()).ok()?.with_time_zone(to.clone());
    let seconds = u32::try_from(there.hour()).ok()? * 3_600
        + u32::try_from(there.minute()).ok()? * 60
        + u32::try_from(there.second()).ok()?;
    Some((there.date(), Some(seconds)))
}

/// The day that decides the period: the effective one or, where the ledger has none, the day of entry, and then the document's.
pub fn accounting_date(posting: &Posting) -> Option<Date> {
    posting.effective.or(posting.entered).or(posting.document)
}

/// Periods in a row, twelve per year: the fiscal one where the ledger says it, else the month of the accounting date. Special periods behind the twelfth
/// are part of it.
pub fn period_number(posting: &Posting) -> Option<i32> {
    match (posting.fiscal_year, posting.period) {
        (Some(year), Some(period)) => Some(i32::from(year) * 12 + i32::from(period.clamp(1, 12)) - 1),
        _ => accounting_date(posting).map(month_number),
    }
}

/// Days since 1970.
pub fn day_number(date: Date) -> i32 {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    // Dates of four-digit years are never further apart than an i32 counts.
    EPOCH.duration_until(date).as_hours().try_into().map_or(i32::MAX, |hours: i32| hours / 24)
}

pub fn days_between(from: Date, to: Date) -> i32 {
    day_number(to) - day_number(from)
}

/// Months since year 0.
pub fn month_number(date: Date) -> i32 {
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

#[cfg(test)]
mod tests;
