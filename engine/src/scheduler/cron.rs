//! A cron line: on which days it fires, and at which times of such a day. Where those times fall in the
//! real world, with its changes of the clock, is [`super::timing`]'s affair.
//!
//! The search jumps field by field and knows no minutes that do not fire, so a line that fires on one 29
//! February in seven years costs as little to ask as one that fires every second.

mod parse;
mod set;
mod words;

use std::fmt;

use jiff::civil::{Date, Time, Weekday};

pub use parse::CronError;
use set::Set;

/// The Gregorian calendar repeats itself after this long, days of the week included.
const CYCLE: std::ops::Range<i16> = 2000..2400;

/// A line that fires at all does so again within this time: the longest wait is for a 29 February on a
/// given day of the week across a year such as 2100, which is no leap year.
pub(super) const LONGEST_WAIT_YEARS: i16 = 40;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronLine {
    text: String,
    seconds: Set,
    minutes: Set,
    hours: Set,
    months: Set,
    days: DaysOfMonth,
    weekdays: DaysOfWeek,
    /// Vixie's rule: when both day fields are restricted, a day that matches either will do. A field that
    /// begins with `*`, or is `?`, is not restricted.
    either: bool,
    fixed: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DaysOfMonth {
    plain: Set,
    /// So many days before the last: `L` is 0, `L-3` is 3.
    before_last: Set,
    /// `15W`: the weekday nearest to that day, in the same month.
    nearest: Set,
    last_weekday: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DaysOfWeek {
    /// Sunday is 0.
    plain: Set,
    last: Set,
    nth: [Set; 5],
}

impl CronLine {
    pub fn parse(text: &str) -> Result<Self, CronError> {
        parse::line(text)
    }

    /// Hour, minute and second are all written as times, none as `*` or `*/n`. Such a line means times of
    /// the day, which a change of the clock must neither swallow nor double; any other follows real time.
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// The first day from this one on, which is included.
    pub fn next_day(&self, from: Date) -> Option<Date> {
        let last_year = from.year().saturating_add(LONGEST_WAIT_YEARS);
        let (mut year, mut month, mut day) = (from.year(), from.month(), from.day());
        while year <= last_year {
            if let Some(next) = self.months.next(month) {
                if next > month {
                    (month, day) = (next, 1);
                }
                let first = Date::new(year, month, 1).ok()?;
                if let Some(day) = self.days_of(first).next(day) {
                    return Date::new(year, month, day).ok();
                }
                (month, day) = (month + 1, 1);
            } else {
                month = 13;
            }
            if month > 12 {
                (year, month, day) = (year.checked_add(1)?, 1, 1);
            }
        }
        None
    }

    pub fn fires_on(&self, date: Date) -> bool {
        self.months.has(date.month()) && self.days_of(date.first_of_month()).has(date.day())
    }

    /// The first time of a day from this one on, which is included.
    pub fn next_time(&self, from: Time) -> Option<Time> {
        let (mut hour, mut minute, mut second) = (from.hour(), from.minute(), from.second());
        loop {
            let next = self.hours.next(hour)?;
            if next > hour {
                (hour, minute, second) = (next, 0, 0);
            }
            let Some(next) = self.minutes.next(minute) else {
                (hour, minute, second) = (hour + 1, 0, 0);
                continue;
            };
            if next > minute {
                (minute, second) = (next, 0);
            }
            match self.seconds.next(second) {
                Some(second) => return Time::new(hour, minute, second, 0).ok(),
                None => (minute, second) = (minute + 1, 0),
            }
        }
    }

    /// As `30 2 * * *`, in words: "at 02:30, every day".
    pub fn words(&self) -> String {
        words::of(self)
    }

    /// The days of a month that match, given its first.
    fn days_of(&self, first: Date) -> Set {
        let (days, weekdays) = (self.days.of(first), self.weekdays.of(first));
        if self.either { days.or(weekdays) } else { days.and(weekdays) }
    }

    /// Whether there is a day at all on which it fires.
    fn fires_ever(&self) -> bool {
        let months = CYCLE.flat_map(|year| (1..=12).map(move |month| (year, month)));
        let mut firsts = months
            .filter(|(_, month)| self.months.has(*month))
            .filter_map(|(year, month)| Date::new(year, month, 1).ok());
        firsts.any(|first| !self.days_of(first).is_empty())
    }
}

impl fmt::Display for CronLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DaysOfMonth {
    fn of(&self, first: Date) -> Set {
        let length = first.days_in_month();
        let mut days = self.plain.and(Set::range(1, length));
        for before in self.before_last.iter().filter(|before| *before < length) {
            days.insert(length - before);
        }
        if self.last_weekday {
            days.insert(nearest_weekday(first, length, length));
        }
        // A 31st that a month does not have has no neighbours either.
        for day in self.nearest.iter().filter(|day| *day <= length) {
            days.insert(nearest_weekday(first, day, length));
        }
        days
    }
}

impl DaysOfWeek {
    fn of(&self, first: Date) -> Set {
        let length = first.days_in_month();
        let mut days = Set::default();
        for day in 1..=length {
            let weekday = weekday_of(first, day);
            let nth = usize::try_from((day - 1) / 7).unwrap_or(0);
            if self.plain.has(weekday)
                || self.nth[nth].has(weekday)
                || (day + 7 > length && self.last.has(weekday))
            {
                days.insert(day);
            }
        }
        days
    }
}

/// Sunday is 0.
fn weekday_of(first: Date, day: i8) -> i8 {
    (first.weekday().to_sunday_zero_offset() + day - 1) % 7
}

/// Monday to Friday; never leaves the month.
fn nearest_weekday(first: Date, day: i8, length: i8) -> i8 {
    const SATURDAY: i8 = 6;
    const SUNDAY: i8 = 0;
    match weekday_of(first, day) {
        SATURDAY if day == 1 => 3,
        SATURDAY => day - 1,
        SUNDAY if day == length => day - 2,
        SUNDAY => day + 1,
        _ => day,
    }
}

/// The name people know it by, from its number with Sunday as 0.
fn weekday_name(number: i8) -> &'static str {
    match Weekday::from_sunday_zero_offset(number % 7) {
        Ok(Weekday::Monday) => "Monday",
        Ok(Weekday::Tuesday) => "Tuesday",
        Ok(Weekday::Wednesday) => "Wednesday",
        Ok(Weekday::Thursday) => "Thursday",
        Ok(Weekday::Friday) => "Friday",
        Ok(Weekday::Saturday) => "Saturday",
        Ok(Weekday::Sunday) | Err(_) => "Sunday",
    }
}

#[cfg(test)]
mod tests;
