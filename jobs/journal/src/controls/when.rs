//! T: when it was entered, and for when.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Control, Hit, Id, Norms, Said, Value, View, Wrong, at_least_one, count, user, worst};
use crate::calendar::{accounting_date, day_number, days_between};
use crate::part::Posting;

const NO_DATES: &str = "the ledger has no dates";

/// T1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DayOff {}

impl Control for DayOff {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let off = worst(view.postings, |posting| {
            let day = entered_day(view, posting)?;
            let calendar = view.scene.calendars.of(posting.entity);
            let holiday = calendar.is_holiday(day);
            (holiday || calendar.is_weekend(day)).then_some((holiday, day))
        })?;
        let (holiday, day) = off.key;
        let weekday = weekday(day);
        let values = [("day", Value::Date(day)), ("weekday", Value::Text(weekday.into()))];
        let said = match holiday {
            true => Said::new("entered on {weekday}, {day}, a holiday", values),
            false => Said::new("entered on {weekday}, {day}", values),
        };
        Some(Hit::new(Id::DayOff, off.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_dates()).then_some(NO_DATES)
    }
}

/// The day of entry where the entity works or, where the ledger has none, the effective one.
fn entered_day(view: &View<'_>, posting: &Posting) -> Option<Date> {
    view.scene.calendars.entered(posting).map(|(day, _)| day).or(posting.effective)
}

fn weekday(date: Date) -> &'static str {
    use jiff::civil::Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    match date.weekday() {
        Monday => "Monday",
        Tuesday => "Tuesday",
        Wednesday => "Wednesday",
        Thursday => "Thursday",
        Friday => "Friday",
        Saturday => "Saturday",
        Sunday => "Sunday",
    }
}

/// T2. From 20:00 to 06:00 unless told otherwise, as the AICPA's procedures have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AfterHours {
    /// The hour from which it is after hours.
    pub from: u32,
    /// The hour from which it no longer is.
    pub until: u32,
}

impl Default for AfterHours {
    fn default() -> Self {
        Self { from: 20, until: 6 }
    }
}

impl Control for AfterHours {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let late = worst(view.postings, |posting| {
            let (_, time) = view.scene.calendars.entered(posting)?;
            time.filter(|&time| self.is_after_hours(time)).map(|time| self.hours_in(time))
        })?;
        let (_, time) = view.scene.calendars.entered(late.posting)?;
        let values = [user(late.posting), ("time", Value::Time(time?))];
        Some(Hit::new(Id::AfterHours, late.lines, Said::new("entered at {time} by {user}", values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        let (field, remedy) = ("until", "write two different hours from 0 to 23");
        if self.from > 23 || self.until > 23 || self.from == self.until {
            let problem = format!("there are no hours from {} until {}", self.from, self.until);
            return Err(Wrong { field, problem, remedy });
        }
        Ok(())
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_times()).then_some("the ledger has no times of entry")
    }
}

impl AfterHours {
    fn is_after_hours(&self, time: u32) -> bool {
        let (from, until) = (self.from * 3_600, self.until * 3_600);
        if from < until { (from..until).contains(&time) } else { time >= from || time < until }
    }

    /// Seconds since work ended: the later, the stranger.
    fn hours_in(&self, time: u32) -> u32 {
        (time + 86_400 - self.from * 3_600) % 86_400
    }
}

/// T3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtherDate {
    /// Entered more days than this after its effective date: backdated.
    pub late_days: i32,
    /// Effective more days than this after its entry: dated ahead.
    pub ahead_days: i32,
    /// Its document dated more days than this after its entry.
    pub document_days: i32,
}

impl Default for OtherDate {
    fn default() -> Self {
        Self { late_days: 30, ahead_days: 7, document_days: 30 }
    }
}

impl Control for OtherDate {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let dates = |posting: &Posting| {
            let entered = posting.entered?;
            let beyond = |days: i32, most: i32| (days > most).then_some(days);
            let effective = posting.effective.map(|date| (date, days_between(date, entered)));
            let document = posting.document.map(|date| (date, days_between(entered, date)));
            let late =
                effective.and_then(|(date, days)| Some((beyond(days, self.late_days)?, Way::Late, date)));
            let ahead =
                effective.and_then(|(date, days)| Some((beyond(-days, self.ahead_days)?, Way::Ahead, date)));
            let document = document
                .and_then(|(date, days)| Some((beyond(days, self.document_days)?, Way::Document, date)));
            [late, ahead, document].into_iter().flatten().max()
        };
        let other = worst(view.postings, dates)?;
        let (days, way, date) = other.key;
        let values = [
            ("entered", Value::Date(other.posting.entered?)),
            ("date", Value::Date(date)),
            ("days", Value::Days(days)),
        ];
        let sentence = match way {
            Way::Late => "entered on {entered} with effect from {date}, {days} before",
            Way::Ahead => "entered on {entered} with effect from {date}, {days} ahead",
            Way::Document => "entered on {entered} for a document of {date}, {days} ahead",
        };
        Some(Hit::new(Id::OtherDate, other.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        for (field, days) in [
            ("late_days", self.late_days),
            ("ahead_days", self.ahead_days),
            ("document_days", self.document_days),
        ] {
            if days < 0 {
                let problem = format!("{days} days are before the beginning");
                return Err(Wrong { field, problem, remedy: "write 0 or more" });
            }
        }
        Ok(())
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_dates()).then_some(NO_DATES)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Late,
    Ahead,
    Document,
}

/// T4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeriodEnd {
    /// Days before the last of a period: 0 is the last day alone.
    pub days_before: i32,
    /// Days behind it.
    pub days_after: i32,
}

impl Default for PeriodEnd {
    fn default() -> Self {
        Self { days_before: 1, days_after: 0 }
    }
}

impl Control for PeriodEnd {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let near = worst(view.postings, |posting| {
            let date = accounting_date(posting)?;
            let calendar = view.scene.calendars.of(posting.entity);
            let end = calendar.period_end(date);
            let before =
                (days_between(date, end) <= self.days_before).then_some((-days_between(date, end), end));
            let after = calendar.last_period_end(date).map(|end| (-days_between(end, date), end));
            before.or(after.filter(|(days, _)| -days <= self.days_after))
        })?;
        let (days, end) = near.key;
        let date = accounting_date(near.posting)?;
        let values = [("date", Value::Date(date)), ("end", Value::Date(end)), ("days", Value::Days(-days))];
        let sentence = match days {
            0 => "dated {date}, the last day of a period",
            _ if date < end => "dated {date}, {days} before the end of a period",
            _ => "dated {date}, {days} after the end of a period",
        };
        Some(Hit::new(Id::PeriodEnd, near.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        for (field, days) in [("days_before", self.days_before), ("days_after", self.days_after)] {
            if !(0..=15).contains(&days) {
                let problem = format!("{days} days are no end of a period");
                return Err(Wrong { field, problem, remedy: "write 0 to 15" });
            }
        }
        Ok(())
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_dates()).then_some(NO_DATES)
    }
}

/// T5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AfterClose {
    /// The books of a period are closed so many days behind its end.
    pub close_days: i32,
}

impl Default for AfterClose {
    fn default() -> Self {
        Self { close_days: 10 }
    }
}

impl Control for AfterClose {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let late = worst(view.postings, |posting| {
            let (entered, _) = view.scene.calendars.entered(posting)?;
            let end = view.scene.calendars.of(posting.entity).period_end(posting.effective?);
            let days = days_between(end, entered);
            (days > self.close_days).then_some((days, end, entered))
        });
        if let Some(late) = late {
            let (days, end, entered) = late.key;
            let values =
                [("entered", Value::Date(entered)), ("end", Value::Date(end)), ("days", Value::Days(days))];
            let said = Said::new("entered on {entered}, {days} after the period ended on {end}", values);
            return Some(Hit::new(Id::AfterClose, late.lines, said));
        }
        // Periods behind the twelfth are there for entries after the close, and for nothing else.
        let special = worst(view.postings, |posting| posting.period.filter(|&period| period > 12))?;
        let said = Said::new("posted in special period {period}", [count("period", special.key.into())]);
        Some(Hit::new(Id::AfterClose, special.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        let (field, remedy) = ("close_days", "write 0 or more");
        match self.close_days {
            0.. => Ok(()),
            days => Err(Wrong { field, problem: format!("{days} days are before the end"), remedy }),
        }
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_dates()).then_some(NO_DATES)
    }
}

/// T6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flurry {
    /// So many times as many entries in a day as the user's other days have on average.
    pub times: u64,
    /// Fewer entries in a day are no flurry.
    pub least_entries: u64,
    /// Fewer other days make no average.
    pub least_days: u64,
}

impl Default for Flurry {
    fn default() -> Self {
        Self { times: 5, least_entries: 50, least_days: 10 }
    }
}

impl Control for Flurry {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let busy = worst(view.postings, |posting| {
            let day = posting.entered.or(posting.effective)?;
            let (entries, (days, others)) = view.norms().user_day(posting.user, day_number(day))?;
            let flurry = entries >= self.least_entries
                && days >= self.least_days
                && entries * days >= self.times.saturating_mul(others);
            flurry.then_some((entries, days, others, day))
        })?;
        let (entries, days, others, day) = busy.key;
        let average = i64::try_from(others * 100 / days).unwrap_or(i64::MAX);
        let values = [
            user(busy.posting),
            count("entries", entries),
            ("day", Value::Date(day)),
            ("average", Value::Hundredths(average)),
            count("days", days),
        ];
        let sentence =
            "{user} made {entries} entries on {day}, and {average} on average of {days} other days";
        Some(Hit::new(Id::Flurry, busy.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("times", self.times)?;
        at_least_one("least_days", self.least_days)
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_dates()).then_some(NO_DATES)
    }
}

#[cfg(test)]
mod tests;
