//! Which days an entity works: its weekend, its holidays, and those that come every year. Pure.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

/// A calendar without a business day in so long is a mistake; the door refuses it.
const LONGEST_CLOSURE: usize = 366;

/// As it is written in the configuration, and kept with each schedule that uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalendarRules {
    /// Days of the week, as `sat`.
    pub weekend: Vec<String>,
    /// Dates, as `2026-05-14`.
    pub holidays: Vec<String>,
    /// Days of every year, as `12-25`.
    pub yearly: Vec<String>,
}

impl Default for CalendarRules {
    fn default() -> Self {
        Self { weekend: vec!["sat".into(), "sun".into()], holidays: Vec::new(), yearly: Vec::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct CalendarError {
    pub key: &'static str,
    pub problem: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    weekend: Vec<Weekday>,
    holidays: BTreeSet<Date>,
    yearly: BTreeSet<(i8, i8)>,
}

impl Calendar {
    pub fn new(rules: &CalendarRules) -> Result<Self, CalendarError> {
        let wrong = |key, value: &str, remedy: &str| CalendarError {
            key,
            problem: format!("`{value}` cannot be read; write {remedy}"),
        };
        let mut calendar = Self::default();
        for name in &rules.weekend {
            let day = weekday(name).ok_or_else(|| {
                wrong("weekend", name, "a day of the week: mon, tue, wed, thu, fri, sat or sun")
            })?;
            calendar.weekend.push(day);
        }
        for text in &rules.holidays {
            let date = text.parse().map_err(|_| wrong("holidays", text, "a date such as 2026-05-14"))?;
            calendar.holidays.insert(date);
        }
        for text in &rules.yearly {
            // A leap year, so that 29 February can be one.
            let date: Result<Date, _> = format!("2024-{text}").parse();
            let date = date.map_err(|_| wrong("yearly", text, "month and day, such as 12-25"))?;
            calendar.yearly.insert((date.month(), date.day()));
        }
        let any: Vec<_> = (0..7).filter_map(|day| Weekday::from_sunday_zero_offset(day).ok()).collect();
        if any.iter().all(|day| calendar.weekend.contains(day)) {
            let problem = "names all seven days, so there is no business day; leave some out".into();
            return Err(CalendarError { key: "weekend", problem });
        }
        Ok(calendar)
    }

    pub fn is_holiday(&self, date: Date) -> bool {
        self.holidays.contains(&date) || self.yearly.contains(&(date.month(), date.day()))
    }

    pub fn is_business_day(&self, date: Date) -> bool {
        !self.weekend.contains(&date.weekday()) && !self.is_holiday(date)
    }

    /// This day, or the first business day after it.
    pub fn business_day_from(&self, date: Date) -> Option<Date> {
        let mut days = std::iter::successors(Some(date), |day| day.tomorrow().ok());
        days.by_ref().take(LONGEST_CLOSURE).find(|day| self.is_business_day(*day))
    }

    /// The first of the closed days right before this one; this one when the day before was open.
    pub fn closure_before(&self, date: Date) -> Date {
        let earlier = std::iter::successors(date.yesterday().ok(), |day| day.yesterday().ok());
        earlier.take(LONGEST_CLOSURE).take_while(|day| !self.is_business_day(*day)).last().unwrap_or(date)
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let at = NAMES.iter().position(|known| *known == name.to_ascii_lowercase())?;
    Weekday::from_sunday_zero_offset(i8::try_from(at).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn germany() -> Calendar {
        let rules = CalendarRules {
            holidays: vec!["2026-04-03".into(), "2026-04-06".into()],
            yearly: vec!["01-01".into(), "12-25".into(), "12-26".into(), "02-29".into()],
            ..CalendarRules::default()
        };
        Calendar::new(&rules).unwrap()
    }

    #[test]
    fn business_days_are_neither_weekend_nor_holiday() {
        let calendar = germany();
        for (day, open) in [
            (date(2026, 4, 2), true),
            (date(2026, 4, 3), false),
            (date(2026, 4, 4), false),
            (date(2026, 4, 6), false),
            (date(2026, 4, 7), true),
            (date(2027, 1, 1), false),
            (date(2028, 2, 29), false),
        ] {
            assert_eq!(calendar.is_business_day(day), open, "{day}");
        }
    }

    #[test]
    fn a_closure_is_walked_over_in_both_directions() {
        let calendar = germany();
        assert_eq!(calendar.business_day_from(date(2026, 4, 3)), Some(date(2026, 4, 7)));
        assert_eq!(calendar.business_day_from(date(2026, 4, 2)), Some(date(2026, 4, 2)));
        assert_eq!(calendar.closure_before(date(2026, 4, 7)), date(2026, 4, 3));
        assert_eq!(calendar.closure_before(date(2026, 4, 2)), date(2026, 4, 2));
    }

    #[test]
    fn a_mistake_names_the_key_and_what_to_write() {
        let rules = |change: fn(&mut CalendarRules)| {
            let mut rules = CalendarRules::default();
            change(&mut rules);
            Calendar::new(&rules).unwrap_err().to_string()
        };
        assert_eq!(
            rules(|rules| rules.weekend = vec!["saturday".into()]),
            "weekend: `saturday` cannot be read; write a day of the week: mon, tue, wed, thu, fri, sat or sun"
        );
        assert_eq!(
            rules(|rules| rules.holidays = vec!["14.5.2026".into()]),
            "holidays: `14.5.2026` cannot be read; write a date such as 2026-05-14"
        );
        assert_eq!(
            rules(|rules| rules.yearly = vec!["25-12".into()]),
            "yearly: `25-12` cannot be read; write month and day, such as 12-25"
        );
        let all = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(String::from);
        let rules = CalendarRules { weekend: all.into(), ..CalendarRules::default() };
        assert!(Calendar::new(&rules).unwrap_err().to_string().contains("no business day"));
    }
}
