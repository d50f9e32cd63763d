//! Reads a `GL_Detail` file of the AICPA Audit Data Standards, line by line.
//!
//! Files that claim the standard differ in small ways: blanks in header names, German or English debit marks, dates
//! with and without dashes, old encodings, SAP's initial date for "none". All that is accepted. What is not accepted
//! is guessing: a line whose amount, side, date or id cannot be read for certain is rejected with its place, the
//! reason and the remedy, because a line silently dropped or changed would spoil every total behind the scores.

use std::fmt;
use std::io::{self, BufRead, Read};

use jiff::civil::Date;
use serde::Serialize;

use crate::amount::Amount;
use record::{Broken, LONGEST_RECORD, Next, RecordReader};

mod header;
mod record;

use header::{Column, Header};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Debit,
    Credit,
}

/// One line of the ledger. Empty text means that the file says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdsLine<'a> {
    pub entry: &'a str,
    /// The line's number within its entry.
    pub number: Option<u64>,
    pub account: &'a str,
    /// As written, and so negative for a reversed posting in some systems; see [`AdsLine::signed`].
    pub amount: Amount,
    pub side: Side,
    pub currency: &'a str,
    pub business_unit: &'a str,
    pub source: &'a str,
    pub user: &'a str,
    pub effective: Option<Date>,
    pub entered: Option<Date>,
    /// Seconds since midnight, as the ledger's own clock had it.
    pub entered_time: Option<u32>,
    pub header_text: &'a str,
    pub line_text: &'a str,
}

impl AdsLine<'_> {
    /// Debits count up, credits down.
    pub fn signed(&self) -> Amount {
        match self.side {
            Side::Debit => self.amount,
            Side::Credit => -self.amount,
        }
    }
}

/// A line that was not taken over: where, why, and what its owner can do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    pub first_line: u64,
    /// Differs from the first where a quoted field spans lines.
    pub last_line: u64,
    pub field: String,
    pub problem: String,
    pub remedy: &'static str,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}; {}", self.first_line, self.field, self.problem, self.remedy)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Row<'a> {
    Line(AdsLine<'a>),
    Rejected(Rejection),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file is empty; it should begin with a line of column names")]
    Empty,
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    #[error("the first line is longer than 1 MiB; it should hold the column names")]
    HeaderTooLong,
    #[error("column `{0}` is missing from the first line; name it as the Audit Data Standards do")]
    MissingColumn(&'static str),
    #[error("column `{0}` appears twice in the first line")]
    DoubledColumn(&'static str),
    #[error("reading the ledger")]
    Io(#[from] io::Error),
}

pub struct AdsReader<R> {
    records: RecordReader<R>,
    header: Header,
    decoded: String,
    ends: Vec<usize>,
    latin1_lines: u64,
}

impl<R: BufRead> AdsReader<R> {
    /// Reads the header line.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut first = Vec::new();
        // One byte more than allowed, to notice what is longer.
        input.by_ref().take(LONGEST_RECORD as u64 + 1).read_until(b'\n', &mut first)?;
        let (header, delimiter) = Header::parse(&first)?;
        Ok(Self {
            records: RecordReader::new(input, delimiter, 1),
            header,
            decoded: String::new(),
            ends: Vec::new(),
            latin1_lines: 0,
        })
    }

    pub fn input(&self) -> &R {
        self.records.input()
    }

    pub fn into_input(self) -> R {
        self.records.into_input()
    }

    /// Lines that were not UTF-8 and were read as Latin-1.
    pub fn latin1_lines(&self) -> u64 {
        self.latin1_lines
    }

    /// The next line, or `None` at the end of the file.
    pub fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        let line = match self.records.next()? {
            Next::End => return Ok(None),
            Next::Broken { first_line, last_line, why } => {
                return Ok(Some(Row::Rejected(broken(first_line, last_line, why))));
            }
            Next::Record { line } => line,
        };
        self.decode();
        let fields = Fields { header: &self.header, text: &self.decoded, ends: &self.ends };
        Ok(Some(match fields.line() {
            Ok(line) => Row::Line(line),
            Err(Problem { field, problem, remedy }) => {
                Row::Rejected(Rejection { first_line: line, last_line: line, field, problem, remedy })
            }
        }))
    }

    /// UTF-8 where it is UTF-8, else Latin-1, in which every byte is a character.
    fn decode(&mut self) {
        let (text, ends) = self.records.fields();
        self.decoded.clear();
        self.ends.clear();
        // The fields stand together without their delimiters: the end of one and the start of the next must not pass
        // for one character.
        if let Ok(text) = std::str::from_utf8(text)
            && ends.iter().all(|&end| text.is_char_boundary(end))
        {
            self.decoded.push_str(text);
            self.ends.extend_from_slice(ends);
            return;
        }
        self.latin1_lines += 1;
        let mut start = 0;
        for &end in ends {
            self.decoded.extend(text[start..end].iter().map(|&byte| char::from(byte)));
            self.ends.push(self.decoded.len());
            start = end;
        }
    }
}

struct Problem {
    field: String,
    problem: String,
    remedy: &'static str,
}

struct Fields<'a> {
    header: &'a Header,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    fn line(&self) -> Result<AdsLine<'a>, Problem> {
        if self.ends.len() != self.header.width() {
            return Err(Problem {
                field: "(all)".into(),
                problem: format!("{} fields, but the header names {}", self.ends.len(), self.header.width()),
                remedy: "quote fields that contain the delimiter",
            });
        }
        Ok(AdsLine {
            entry: self.required(Column::JournalId)?,
            number: self.optional(Column::LineNumber, |text| text.parse().ok(), "write a whole number")?,
            account: self.required(Column::Account)?,
            amount: self.amount()?,
            side: self.side()?,
            currency: self.get(Column::Currency),
            business_unit: self.get(Column::BusinessUnit),
            source: self.get(Column::Source),
            user: self.get(Column::EnteredBy),
            effective: self.date(Column::EffectiveDate)?,
            entered: self.date(Column::EnteredDate)?,
            entered_time: self.optional(Column::EnteredTime, time_of_day, "write HHMMSS or HH:MM:SS")?,
            header_text: self.get(Column::HeaderText),
            line_text: self.get(Column::LineText),
        })
    }

    /// Without surrounding blanks; empty if the file has no such column.
    fn get(&self, column: Column) -> &'a str {
        let Some(index) = self.header.index(column) else { return "" };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text[start..self.ends[index]].trim()
    }

    fn required(&self, column: Column) -> Result<&'a str, Problem> {
        match self.get(column) {
            "" => Err(Problem {
                field: column.name().into(),
                problem: "is empty".into(),
                remedy: "every line needs one; export it again",
            }),
            text => Ok(text),
        }
    }

    fn optional<T>(
        &self,
        column: Column,
        read: impl Fn(&str) -> Option<T>,
        remedy: &'static str,
    ) -> Result<Option<T>, Problem> {
        match self.get(column) {
            "" => Ok(None),
            text => read(text).map(Some).ok_or_else(|| unreadable(column, text, remedy)),
        }
    }

    fn amount(&self) -> Result<Amount, Problem> {
        let text = self.required(Column::Amount)?;
        text.parse().map_err(|_| {
            let remedy = "write digits with a decimal point, no thousands separators, at most 4 decimals";
            unreadable(Column::Amount, text, remedy)
        })
    }

    /// Without the column, every line is a debit and the amount's sign does the rest.
    fn side(&self) -> Result<Side, Problem> {
        if self.header.index(Column::Side).is_none() {
            return Ok(Side::Debit);
        }
        let text = self.required(Column::Side)?;
        // S(oll) and H(aben) are what SAP writes.
        match text.to_ascii_uppercase().as_str() {
            "S" | "D" | "DR" | "DEBIT" => Ok(Side::Debit),
            "H" | "C" | "CR" | "CREDIT" => Ok(Side::Credit),
            _ => Err(unreadable(Column::Side, text, "write D or S for debit, C or H for credit")),
        }
    }

    fn date(&self, column: Column) -> Result<Option<Date>, Problem> {
        match self.get(column) {
            // SAP's initial values: nobody entered a date.
            "" | "00000000" | "19000101" | "1900-01-01" => Ok(None),
            text => date(text)
                .map(Some)
                .ok_or_else(|| unreadable(column, text, "write YYYYMMDD or YYYY-MM-DD, or leave it empty")),
        }
    }
}

fn unreadable(column: Column, text: &str, remedy: &'static str) -> Problem {
    // Enough to find the place; a hostile value does not fill the list.
    let shown: String = text.chars().take(40).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    Problem { field: column.name().into(), problem: format!("`{shown}{dots}` cannot be read"), remedy }
}

fn broken(first_line: u64, last_line: u64, why: Broken) -> Rejection {
    let (problem, remedy) = match why {
        Broken::TooLong => ("longer than 1 MiB", "close an open quote, or split the line"),
        Broken::UnclosedQuote => {
            ("a quote is opened and never closed", "close it, or double it if it is text")
        }
        Broken::Nul => ("contains a NUL byte", "export the file again as UTF-8 text"),
    };
    Rejection { first_line, last_line, field: "(all)".into(), problem: problem.into(), remedy }
}

/// `YYYYMMDD` or `YYYY-MM-DD`; a time of day behind the latter is ignored.
fn date(text: &str) -> Option<Date> {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i16>().ok())?
    };
    let (year, month, day) = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] | [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b' ', ..] => {
            (digits(0..4)?, digits(5..7)?, digits(8..10)?)
        }
        [_, _, _, _, _, _, _, _] => (digits(0..4)?, digits(4..6)?, digits(6..8)?),
        _ => return None,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// `HHMMSS`, also where a spreadsheet ate leading zeros, or `HH:MM[:SS]`.
fn time_of_day(text: &str) -> Option<u32> {
    let (hour, minute, second) = if text.contains(':') {
        let mut parts = text.split(':').map(|part| part.parse::<u32>().ok().filter(|_| part.len() <= 2));
        let time = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
        parts.next().is_none().then_some(time)?
    } else {
        let all_digits = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u32>().ok().filter(|_| all_digits)?;
        (number / 10_000, number / 100 % 100, number % 100)
    };
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
