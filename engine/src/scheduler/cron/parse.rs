//! Reads a cron line. What is wrong is told with the field, the value and what to write instead.

use super::set::Set;
use super::{CronLine, DaysOfMonth, DaysOfWeek};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error("the {field} field: `{value}` {problem}; {remedy}")]
    Field { field: &'static str, value: String, problem: String, remedy: String },
    #[error("`{line}` {problem}; {remedy}")]
    Line { line: String, problem: String, remedy: &'static str },
}

struct Field {
    name: &'static str,
    least: i8,
    most: i8,
    names: &'static [&'static str],
    example: &'static str,
}

const SECOND: Field = Field { name: "second", least: 0, most: 59, names: &[], example: "0, */10 or 0-30/5" };
const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[], example: "0, */15 or 0-30/5" };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[], example: "6, */2 or 8-17" };
const DAY: Field =
    Field { name: "day of month", least: 1, most: 31, names: &[], example: "1, 15W, L, L-2 or LW" };
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    example: "1, JAN, */3 or JAN-JUN",
};
const WEEKDAY: Field = Field {
    name: "day of week",
    least: 0,
    most: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    example: "1, MON, MON-FRI, 5L or MON#2",
};

const MACROS: [(&str, &str); 7] = [
    ("@YEARLY", "0 0 1 1 *"),
    ("@ANNUALLY", "0 0 1 1 *"),
    ("@MONTHLY", "0 0 1 * *"),
    ("@WEEKLY", "0 0 * * 0"),
    ("@DAILY", "0 0 * * *"),
    ("@MIDNIGHT", "0 0 * * *"),
    ("@HOURLY", "0 * * * *"),
];

/// No line that a person writes is as long; each look at the times walks through what it says.
const LONGEST_BYTES: usize = 1_024;

pub fn line(text: &str) -> Result<CronLine, CronError> {
    if text.len() > LONGEST_BYTES {
        return Err(CronError::Line {
            line: format!("{}…", text.chars().take(60).collect::<String>()),
            problem: format!("has {} bytes, more than {LONGEST_BYTES}", text.len()),
            remedy: "write ranges and steps, or several schedules",
        });
    }
    let written = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let upper = written.to_ascii_uppercase();
    let whole =
        |problem: &str, remedy| CronError::Line { line: written.clone(), problem: problem.into(), remedy };
    let meant = match upper.starts_with('@') {
        false => upper.as_str(),
        true => MACROS.iter().find(|(name, _)| *name == upper).map(|(_, line)| *line).ok_or_else(|| {
            whole(
                "is no name for a schedule that is known",
                "write @yearly, @monthly, @weekly, @daily, @midnight or @hourly, or `every` for an interval",
            )
        })?,
    };
    let fields: Vec<&str> = meant.split(' ').collect();
    let (second, rest) = match fields.as_slice() {
        [_, _, _, _, _] => ("0", fields.as_slice()),
        [second, rest @ ..] if rest.len() == 5 => (*second, rest),
        _ => {
            return Err(whole(
                &format!("has {} fields", if meant.is_empty() { 0 } else { fields.len() }),
                "write five (minute, hour, day of month, month, day of week), or six with the second first",
            ));
        }
    };
    let [minute, hour, day, month, weekday] = rest else {
        return Err(whole("cannot be read", "write five fields, or six"));
    };
    let line = CronLine {
        seconds: SECOND.set(second)?,
        minutes: MINUTE.set(minute)?,
        hours: HOUR.set(hour)?,
        months: MONTH.set(month)?,
        days: days(day)?,
        weekdays: weekdays(weekday)?,
        either: is_restricted(day) && is_restricted(weekday),
        fixed: [second, minute, hour].iter().all(|field| !field.starts_with('*')),
        text: written.clone(),
    };
    match line.fires_ever() {
        true => Ok(line),
        false => Err(whole(
            "names a day that no month has, so it would never fire",
            "check day of month against month; `L` is the last day of any month",
        )),
    }
}

fn is_restricted(field: &str) -> bool {
    !field.starts_with('*') && field != "?"
}

impl Field {
    fn wrong(&self, value: &str, problem: impl Into<String>) -> CronError {
        let remedy = format!("write for example {}", self.example);
        CronError::Field { field: self.name, value: value.into(), problem: problem.into(), remedy }
    }

    fn set(&self, text: &str) -> Result<Set, CronError> {
        let mut set = Set::default();
        for part in text.split(',') {
            set = set.or(self.part(part)?);
        }
        Ok(set)
    }

    /// `*`, `5`, `1-5`, and each of them with `/n`.
    fn part(&self, part: &str) -> Result<Set, CronError> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(self.step(part, step)?)),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.all()),
            Some((from, to)) => self.range(part, from, to)?,
            None => {
                let from = self.number(part, range)?;
                // `5/15` goes on to the end, as everywhere.
                (from, if step.is_some() { self.all() } else { from })
            }
        };
        let mut set = Set::default();
        for number in (from..=to).step_by(step.unwrap_or(1)) {
            set.insert(self.folded(number));
        }
        Ok(set)
    }

    /// The last number of `*`: Sunday is named twice and meant once.
    fn all(&self) -> i8 {
        if self.name == WEEKDAY.name { 6 } else { self.most }
    }

    fn folded(&self, number: i8) -> i8 {
        if self.name == WEEKDAY.name { number % 7 } else { number }
    }

    fn range(&self, part: &str, from: &str, to: &str) -> Result<(i8, i8), CronError> {
        let (low, mut high) = (self.number(part, from)?, self.number(part, to)?);
        // FRI-SUN ends at the end of the week.
        if self.name == WEEKDAY.name && to == "SUN" && low > 0 {
            high = 7;
        }
        match low <= high {
            true => Ok((low, high)),
            false => {
                let problem =
                    format!("ends before it begins; write `{from}-{},{}-{to}`", self.all(), self.least);
                let remedy = "a range does not go around the end".into();
                Err(CronError::Field { field: self.name, value: part.into(), problem, remedy })
            }
        }
    }

    fn step(&self, part: &str, step: &str) -> Result<usize, CronError> {
        match number(step) {
            Some(step) if (1..=self.most).contains(&step) => Ok(usize::from(step.unsigned_abs())),
            _ => Err(self.wrong(part, format!("has a step that is not from 1 to {}", self.most))),
        }
    }

    fn number(&self, part: &str, text: &str) -> Result<i8, CronError> {
        if let Some(at) = self.names.iter().position(|name| *name == text) {
            return Ok(i8::try_from(at).unwrap_or(0) + if self.name == MONTH.name { 1 } else { 0 });
        }
        match number(text) {
            Some(number) if (self.least..=self.most).contains(&number) => Ok(number),
            Some(_) => Err(self.wrong(part, format!("is not from {} to {}", self.least, self.most))),
            None => Err(self.wrong(part, "cannot be read")),
        }
    }
}

/// Digits and nothing else; what is too large for any field stays too large.
fn number(text: &str) -> Option<i8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i8::MAX))
}

fn days(text: &str) -> Result<DaysOfMonth, CronError> {
    let mut days = DaysOfMonth::default();
    if text == "?" {
        days.plain = DAY.set("*")?;
        return Ok(days);
    }
    for part in text.split(',') {
        if part == "L" {
            days.before_last.insert(0);
        } else if part == "LW" {
            days.last_weekday = true;
        } else if let Some(before) = part.strip_prefix("L-") {
            match number(before) {
                Some(before @ 1..=30) => days.before_last.insert(before),
                _ => return Err(DAY.wrong(part, "counts back by what is not from 1 to 30")),
            }
        } else if let Some(day) = part.strip_suffix('W') {
            days.nearest.insert(DAY.number(part, day)?);
        } else {
            days.plain = days.plain.or(DAY.part(part)?);
        }
    }
    Ok(days)
}

fn weekdays(text: &str) -> Result<DaysOfWeek, CronError> {
    let mut weekdays = DaysOfWeek::default();
    if text == "?" {
        weekdays.plain = WEEKDAY.set("*")?;
        return Ok(weekdays);
    }
    for part in text.split(',') {
        if part == "L" {
            return Err(WEEKDAY.wrong(part, "does not say the last of which day"));
        } else if let Some(day) = part.strip_suffix('L') {
            weekdays.last.insert(WEEKDAY.number(part, day)? % 7);
        } else if let Some((day, nth)) = part.split_once('#') {
            let named = WEEKDAY.number(part, day)? % 7;
            match number(nth).and_then(|nth| usize::try_from(nth - 1).ok()) {
                Some(nth @ 0..5) => weekdays.nth[nth].insert(named),
                _ => return Err(WEEKDAY.wrong(part, "is not the first to fifth of a month")),
            }
        } else {
            weekdays.plain = weekdays.plain.or(WEEKDAY.part(part)?);
        }
    }
    Ok(weekdays)
}
