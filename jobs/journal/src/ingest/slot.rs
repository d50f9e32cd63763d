//! One field of a record: where it stands, and how it is read or refused.

use jiff::civil::Date;

use super::mapping::{DateOrder, Mapping};
use super::table::Record;
use super::value::{self, NoAmount, NoDate, NumberStyle};
use crate::amount::Amount;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    /// As the source calls the column, for rejections.
    pub(super) name: Box<str>,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Unmapped,
    Constant(Box<str>),
    Column(usize),
    /// The first that says something.
    FirstOf(Box<[usize]>),
    Joined(Box<[usize]>),
}

/// How the numbers and dates of a source are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    numbers: NumberStyle,
    dates: Option<DateOrder>,
}

impl Style {
    pub(super) fn of(mapping: &Mapping) -> Self {
        Self { numbers: NumberStyle::of(mapping), dates: mapping.dates }
    }
}

/// Why a line cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) field: String,
    pub(super) problem: String,
    pub(super) remedy: &'static str,
}

impl Slot {
    pub(super) fn new(name: &str, place: Place) -> Self {
        Self { name: name.into(), place }
    }

    pub(super) fn unmapped(name: &str) -> Self {
        Self::new(name, Place::Unmapped)
    }

    pub(super) fn is_mapped(&self) -> bool {
        self.place != Place::Unmapped
    }

    pub(super) fn is_joined(&self) -> bool {
        matches!(self.place, Place::Joined(_))
    }

    /// Empty where the source says nothing. What is joined stands with who joined it: see [`Slot::join`].
    pub(super) fn text<'a>(&'a self, record: &Record<'a>) -> &'a str {
        match &self.place {
            Place::Unmapped | Place::Joined(_) => "",
            Place::Constant(text) => text,
            Place::Column(index) => record.get(*index),
            Place::FirstOf(_) => self.column(record).map_or("", |index| record.get(index)),
        }
    }

    /// Writes the columns behind each other, so that no two lists of texts come out the same.
    pub(super) fn join(&self, record: &Record<'_>, joined: &mut String) {
        let Place::Joined(columns) = &self.place else { return };
        if columns.iter().any(|&index| record.get(index).is_empty()) {
            return;
        }
        for (position, &index) in columns.iter().enumerate() {
            if position > 0 {
                joined.push('/');
            }
            for char in record.get(index).chars() {
                if matches!(char, '/' | '\\') {
                    joined.push('\\');
                }
                joined.push(char);
            }
        }
    }

    fn column(&self, record: &Record<'_>) -> Option<usize> {
        match &self.place {
            Place::Column(index) => Some(*index),
            Place::FirstOf(columns) => columns.iter().copied().find(|&index| !record.get(index).is_empty()),
            Place::Unmapped | Place::Constant(_) | Place::Joined(_) => None,
        }
    }

    pub(super) fn amount(
        &self,
        record: &Record<'_>,
        style: Style,
        rounded: &mut bool,
    ) -> Result<Option<Amount>, Problem> {
        let Some(index) = self.column(record) else { return Ok(None) };
        let text = record.get(index);
        if text.is_empty() {
            return Ok(None);
        }
        let numbers = if record.is_exact(index) { style.numbers.exact() } else { style.numbers };
        match numbers.amount(text) {
            Ok(read) => {
                *rounded |= read.rounded;
                Ok(Some(read.amount))
            }
            Err(why) => Err(self.unreadable(text, amount_remedy(why))),
        }
    }

    pub(super) fn date(&self, record: &Record<'_>, style: Style) -> Result<Option<Date>, Problem> {
        let text = self.text(record);
        value::date(text, style.dates).map_err(|why| match why {
            NoDate::NotADate => self.unreadable(text, "write YYYYMMDD or YYYY-MM-DD, or leave it empty"),
            NoDate::Ambiguous => Problem {
                field: self.name.to_string(),
                problem: format!("`{}` may begin with the day or the month", shortened(text)),
                remedy: "set `dates` of the mapping to day_first or month_first",
            },
        })
    }

    pub(super) fn time(&self, record: &Record<'_>) -> Result<Option<u32>, Problem> {
        match self.text(record) {
            "" => Ok(None),
            text => value::time_of_day(text)
                .map(Some)
                .ok_or_else(|| self.unreadable(text, "write HHMMSS or HH:MM:SS")),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self, record: &Record<'_>) -> Result<Option<T>, Problem> {
        let text = self.text(record);
        if text.is_empty() {
            return Ok(None);
        }
        // A sign is no part of a line's number, a year or a period.
        let digits = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
        text.parse()
            .ok()
            .filter(|_| digits)
            .map(Some)
            .ok_or_else(|| self.unreadable(text, "write a whole number"))
    }

    pub(super) fn empty(&self) -> Problem {
        Problem {
            field: self.name.to_string(),
            problem: "is empty".into(),
            remedy: "every line needs one; export it again",
        }
    }

    pub(super) fn unreadable(&self, text: &str, remedy: &'static str) -> Problem {
        Problem {
            field: self.name.to_string(),
            problem: format!("`{}` cannot be read", shortened(text)),
            remedy,
        }
    }
}

fn amount_remedy(why: NoAmount) -> &'static str {
    match why {
        NoAmount::NotANumber => {
            "write digits with a decimal point, no thousands separators, at most 4 decimals"
        }
        NoAmount::Separator => {
            "write digits with a decimal point, no thousands separators, at most 4 decimals, or set `decimal` and \
             `grouping` of the mapping"
        }
        NoAmount::TooPrecise => "write at most 4 decimals, or set `round_to` of the mapping",
        NoAmount::TooLong => "write at most 18 digits; this may be another column",
        NoAmount::NotFinite => "correct it where the ledger was computed; it is no amount",
    }
}

/// Enough to find the place; a hostile value does not fill the list.
pub(super) fn shortened(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown}{dots}")
}
