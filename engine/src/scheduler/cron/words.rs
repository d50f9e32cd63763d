//! A cron line in words, for whoever wants to know whether it says what was meant.

use super::set::Set;
use super::{CronLine, DaysOfMonth, DaysOfWeek, weekday_name};

/// More times than this are told as minutes of hours.
const MOST_TIMES: u32 = 4;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub fn of(line: &CronLine) -> String {
    let mut words = times(line);
    let days = days(line);
    if !days.is_empty() {
        words.push(' ');
        words.push_str(&days);
    } else if line.fixed {
        words.push_str(" every day");
    }
    if line.months != Set::range(1, 12) {
        let name = |month: i8| {
            MONTHS.get(usize::from(month.unsigned_abs()).saturating_sub(1)).copied().unwrap_or_default()
        };
        words.push_str(&format!(" in {}", list(&runs(line.months, |month| name(month).to_owned()))));
    }
    words
}

fn times(line: &CronLine) -> String {
    let CronLine { seconds, minutes, hours, .. } = *line;
    let on_the_minute = seconds == Set::range(0, 0);
    if line.fixed && seconds.len() == 1 && minutes.len() * hours.len() <= MOST_TIMES {
        let at = |hour: i8| {
            minutes.iter().map(move |minute| match seconds.next(0) {
                Some(second) if !on_the_minute => format!("{hour:02}:{minute:02}:{second:02}"),
                _ => format!("{hour:02}:{minute:02}"),
            })
        };
        return format!("at {}", list(&hours.iter().flat_map(at).collect::<Vec<_>>()));
    }
    let mut parts = Vec::new();
    if !on_the_minute {
        parts.push(unit(seconds, 59, "second"));
    }
    if on_the_minute || minutes != Set::range(0, 59) {
        parts.push(unit(minutes, 59, "minute"));
    }
    if hours != Set::range(0, 23) {
        parts.push(unit(hours, 23, "hour"));
    } else if parts.last().is_some_and(|last| last.starts_with("at minute")) {
        parts.push("every hour".into());
    }
    parts.join(" of ").replace(" of at hour", " of hour").replace(" of at minute", " of minute")
}

fn unit(set: Set, most: i8, name: &str) -> String {
    if set == Set::range(0, most) {
        return format!("every {name}");
    }
    match step(set, most) {
        Some(step) => format!("every {step} {name}s"),
        None if set.len() == 1 => format!("at {name} {}", list(&runs(set, |n| n.to_string()))),
        None => format!("at {name}s {}", list(&runs(set, |n| n.to_string()))),
    }
}

/// The `n` of `*/n`, where that divides the whole evenly.
fn step(set: Set, most: i8) -> Option<i8> {
    let step = set.next(1)?;
    let stepped = (0..=most).step_by(usize::from(step.unsigned_abs())).all(|number| set.has(number));
    let count = u32::from((most / step + 1).unsigned_abs());
    (stepped && set.len() == count && count > 2 && (most + 1) % step == 0).then_some(step)
}

fn days(line: &CronLine) -> String {
    let (of_month, of_week) = (of_month(&line.days), of_week(&line.weekdays));
    match (of_month.as_str(), of_week.as_str()) {
        ("", "") => String::new(),
        (days, "") | ("", days) => format!("on {days}"),
        (month, week) if line.either => format!("on {month} or on {week}"),
        (month, week) => format!("on {month} if it is also {week}"),
    }
}

fn of_month(days: &DaysOfMonth) -> String {
    if days.plain == Set::range(1, 31) {
        return String::new();
    }
    let mut parts = Vec::new();
    if !days.plain.is_empty() {
        let days_word = if days.plain.len() == 1 { "day" } else { "days" };
        parts.push(format!("{days_word} {} of the month", list(&runs(days.plain, |day| day.to_string()))));
    }
    parts.extend(days.nearest.iter().map(|day| format!("the weekday nearest to day {day} of the month")));
    if days.last_weekday {
        parts.push("the last weekday of the month".into());
    }
    parts.extend(days.before_last.iter().map(|before| match before {
        0 => "the last day of the month".into(),
        1 => "the day before the last of the month".into(),
        before => format!("the day {before} before the last of the month"),
    }));
    list(&parts)
}

fn of_week(days: &DaysOfWeek) -> String {
    if days.plain == Set::range(0, 6) {
        return String::new();
    }
    let mut parts = runs(days.plain, |day| weekday_name(day).to_owned());
    for (name, set) in ["first", "second", "third", "fourth", "fifth"].iter().zip(days.nth) {
        parts.extend(set.iter().map(|day| format!("the {name} {} of the month", weekday_name(day))));
    }
    parts.extend(days.last.iter().map(|day| format!("the last {} of the month", weekday_name(day))));
    list(&parts)
}

/// Three or more in a row are told by the first and the last.
fn runs(set: Set, name: impl Fn(i8) -> String) -> Vec<String> {
    let mut parts = Vec::new();
    let mut next = set.next(0);
    while let Some(from) = next {
        let mut to = from;
        while set.has(to + 1) {
            to += 1;
        }
        match to - from {
            0 => parts.push(name(from)),
            1 => parts.extend([name(from), name(to)]),
            _ => parts.push(format!("{} to {}", name(from), name(to))),
        }
        next = set.next(to + 1);
    }
    parts
}

fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
