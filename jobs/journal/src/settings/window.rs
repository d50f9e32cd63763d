//! Of which days a ledger is looked at: an auditor asks for a year, and whoever trains a model for the time before it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::line::Line;

/// Days outside are not of the ledger, as if the file did not have their lines; only how many they were is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// Its first day, and its last.
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl Window {
    /// By the day that decides the period of a line. One without any day is nobody's to leave out.
    pub fn has(&self, line: &Line<'_>) -> bool {
        let day = line.effective.or(line.entered).or(line.document);
        day.is_none_or(|day| self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to))
    }

    pub fn check(&self) -> Result<(), String> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => {
                Err(format!("to: {to} is before {from}; write the last day that is looked at"))
            }
            _ => Ok(()),
        }
    }

    /// `None` where all days are in it.
    pub fn in_words(&self) -> Option<String> {
        match (self.from, self.to) {
            (Some(from), Some(to)) => Some(format!("{from} to {to}")),
            (Some(from), None) => Some(format!("{from} and later")),
            (None, Some(to)) => Some(format!("{to} and earlier")),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_line_is_in_it_by_the_day_that_decides_its_period() {
        let day = |day| Some(date(2025, 6, day));
        let window = Window { from: day(10), to: day(20) };
        let effective = |day| Line {
            effective: Some(date(2025, 6, day)),
            entered: Some(date(2025, 6, 15)),
            ..Line::default()
        };

        assert_eq!([9, 10, 20, 21].map(|day| window.has(&effective(day))), [false, true, true, false]);
        assert!(!window.has(&Line { entered: day(9), document: day(15), ..Line::default() }));
        assert!(!window.has(&Line { document: day(21), ..Line::default() }));
        assert!(window.has(&Line::default()));
        assert!(
            Window { to: None, ..window }.has(&effective(30))
                && Window { from: None, ..window }.has(&effective(1))
        );
    }

    #[test]
    fn one_that_ends_before_it_begins_is_refused() {
        let window = |from, to| Window { from: Some(date(2025, 1, from)), to: Some(date(2025, 1, to)) };

        assert_eq!(window(2, 2).check(), Ok(()));
        assert_eq!(
            window(2, 1).check().unwrap_err(),
            "to: 2025-01-01 is before 2025-01-02; write the last day that is looked at"
        );
    }
}
