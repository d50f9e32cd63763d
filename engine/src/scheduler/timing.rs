//! When a schedule fires: a cron line or an interval, in its zone, on the days that its calendar leaves.
//! Pure: an instant goes in, the next one comes out.
//!
//! The rule for changes of the clock, argued in docs/decisions: a line that means times of the day (hour,
//! minute and second all written) fires once for each, at the first valid instant where the time is
//! skipped and at the first of the two where it is repeated. Any other line, and every interval, follows
//! real time: it fires in both passes of a repeated hour and not in a skipped one.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::calendar::Calendar;
use super::cron::{CronLine, LONGEST_WAIT_YEARS};

#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    pub rule: Rule,
    pub zone: TimeZone,
    pub days: Days,
    /// Included.
    pub from: Option<Timestamp>,
    /// Not included.
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    Cron(CronLine),
    /// Counted from an anchor, so that every process and every restart counts alike.
    Every {
        period: Duration,
        anchor: Timestamp,
    },
}

/// What becomes of a fire time on a day that the calendar closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// There is no calendar.
    Every,
    /// It does not fire on weekends and holidays.
    OnlyBusinessDays(Calendar),
    /// It does not fire on holidays; a weekend is a day like any other.
    SkipHolidays(Calendar),
    /// It fires on the next business day at the same time, once however many such days are in a row.
    NextBusinessDay(Calendar),
}

/// A day in which no zone has two rules that matter at once: offsets differ by at most 26 hours.
const MARGIN: SignedDuration = SignedDuration::from_hours(48);

const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl Timing {
    /// The first fire time after this instant. None when there is none within forty years, or before the
    /// schedule's end.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = match self.from {
            Some(from) if from > after => from.checked_sub(SignedDuration::from_micros(1)).ok()?,
            _ => after,
        };
        let next = match &self.rule {
            Rule::Cron(line) if line.is_fixed() => self.next_fixed(line, after),
            Rule::Cron(line) => self.next_in_real_time(line, after),
            Rule::Every { period, anchor } => self.next_interval(*period, *anchor, after),
        }?;
        self.until.is_none_or(|until| next < until).then_some(next)
    }

    /// All fire times after this instant, in order.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(after), |last| self.next_after(*last))
    }

    /// The last so many of those after the one instant and not after the other, in order. Looks no further
    /// back than it must.
    pub fn last_until(&self, after: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut window = SignedDuration::from_mins(1);
        loop {
            let start = until.checked_sub(window).unwrap_or(Timestamp::MIN).max(after);
            let mut found: Vec<_> = self.after(start).take_while(|at| *at <= until).collect();
            if found.len() >= most || start == after {
                return found.split_off(found.len().saturating_sub(most));
            }
            window = window.saturating_mul(4);
        }
    }

    /// The last fire time before this instant.
    pub fn last_before(&self, before: Timestamp) -> Option<Timestamp> {
        let longest = SignedDuration::from_hours(i64::from(LONGEST_WAIT_YEARS) * 366 * 24);
        let from = before.checked_sub(longest).unwrap_or(Timestamp::MIN);
        let until = before.checked_sub(SignedDuration::from_micros(1)).ok()?;
        self.last_until(from, until, 1).pop()
    }

    /// What is written is the time of the day: each stands for one instant.
    fn next_fixed(&self, line: &CronLine, after: Timestamp) -> Option<Timestamp> {
        // Later times of the day stand for later instants, so nothing up to this one can come after it.
        let mut from = self.zone.to_datetime(whole_second(after)?);
        loop {
            let civil = self.next_civil(line, from.checked_add(SECOND).ok()?)?;
            let at = first_valid(&self.zone, civil)?;
            if at > after {
                return Some(at);
            }
            // In the second pass of a repeated hour: its times were the first pass's.
            from = civil;
        }
    }

    /// Stretches between changes of the clock are searched one by one; within each, time of the day and
    /// real time are the same.
    fn next_in_real_time(&self, line: &CronLine, after: Timestamp) -> Option<Timestamp> {
        let mut at = whole_second(after)?.checked_add(SECOND).ok()?;
        loop {
            let offset = self.zone.to_offset(at);
            let end = self.zone.following(at).next().map(|change| change.timestamp());
            let civil = self.next_civil(line, offset.to_datetime(at))?;
            let found = offset.to_timestamp(civil).ok()?;
            let Some(end) = end.filter(|end| found >= *end) else { return Some(found) };
            // Nothing matches before `civil`, whatever the changes in between make of it; close to a change
            // a time may come again that was passed.
            let far = found.checked_sub(MARGIN).ok()?;
            at = if at.checked_add(MARGIN).ok()? < end && far > end { far } else { end };
        }
    }

    fn next_interval(&self, period: Duration, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let period = i128::try_from(period.as_nanos()).ok().filter(|period| *period > 0)?;
        let mut after = after;
        let limit = years_later(self.zone.to_datetime(after).date())?;
        loop {
            let passed = (after.as_nanosecond() - anchor.as_nanosecond()).div_euclid(period) + 1;
            let at = Timestamp::from_nanosecond(anchor.as_nanosecond() + passed.max(0) * period).ok()?;
            let day = self.zone.to_datetime(at).date();
            if self.days.allow(day) {
                return Some(at);
            }
            let open = std::iter::successors(day.tomorrow().ok(), |day| day.tomorrow().ok());
            let open = open.take_while(|day| *day <= limit).find(|day| self.days.allow(*day))?;
            let morning = first_valid(&self.zone, open.to_datetime(Time::midnight()))?;
            after = morning.checked_sub(SignedDuration::from_nanos(1)).ok()?.max(at);
        }
    }

    /// The first time of the day from this one on, which is included, as the calendar on the wall has it.
    fn next_civil(&self, line: &CronLine, from: DateTime) -> Option<DateTime> {
        let (mut day, mut time) = (from.date(), from.time());
        loop {
            let next = self.days.next(line, day)?;
            if next > day {
                time = Time::midnight();
            }
            if let Some(time) = line.next_time(time) {
                return Some(next.to_datetime(time));
            }
            (day, time) = (next.tomorrow().ok()?, Time::midnight());
        }
    }
}

impl Days {
    fn allow(&self, day: Date) -> bool {
        match self {
            Days::Every => true,
            Days::OnlyBusinessDays(calendar) | Days::NextBusinessDay(calendar) => {
                calendar.is_business_day(day)
            }
            Days::SkipHolidays(calendar) => !calendar.is_holiday(day),
        }
    }

    /// The first day from this one on, which is included. A line has the same times on each of its days, so
    /// moving a fire time to another day moves the day and nothing else.
    fn next(&self, line: &CronLine, from: Date) -> Option<Date> {
        let limit = years_later(from)?;
        let mut day = match self {
            Days::NextBusinessDay(calendar) => calendar.closure_before(from),
            _ => from,
        };
        loop {
            day = line.next_day(day).filter(|day| *day <= limit)?;
            let moved = match self {
                Days::NextBusinessDay(calendar) => calendar.business_day_from(day)?,
                _ => day,
            };
            if moved >= from && self.allow(moved) {
                return Some(moved);
            }
            day = day.tomorrow().ok()?;
        }
    }
}

fn years_later(day: Date) -> Option<Date> {
    let years = jiff::Span::new().years(LONGEST_WAIT_YEARS);
    Some(day.checked_add(years).unwrap_or(Date::MAX))
}

fn whole_second(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_microsecond().div_euclid(1_000_000)).ok()
}

/// The instant that a time of the day stands for: the first where there are two, and the first after the gap
/// where there is none.
fn first_valid(zone: &TimeZone, civil: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(civil).ok()
        }
        AmbiguousOffset::Gap { after, .. } => {
            // By the later offset it is an instant shortly before the change.
            let before = after.to_timestamp(civil).ok()?;
            zone.following(before).next().map(|change| change.timestamp())
        }
    }
}

#[cfg(test)]
mod tests;
