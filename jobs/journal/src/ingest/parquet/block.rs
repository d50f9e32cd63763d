//! A few thousand rows of decoded columns, written as texts row by row.

use std::fmt::Write;
use std::sync::Arc;

use super::parts::{Kind, Part, Values, unscaled};
use crate::ingest::ReadError;
use crate::ingest::table::{Broken, Item, Record, Records, Span};

pub(super) struct ColumnBlock {
    pub(super) parts: Vec<Part>,
    pub(super) kinds: Arc<Vec<(Kind, i16)>>,
    /// Of each part among all columns.
    pub(super) places: Vec<usize>,
    pub(super) names: Vec<String>,
    pub(super) first_row: u64,
    pub(super) rows: usize,
}

impl Records for ColumnBlock {
    fn each(self: Box<Self>, take: &mut dyn FnMut(Item<'_>)) -> Result<(), ReadError> {
        let mut text = String::new();
        let mut fields = vec![Span::default(); self.names.len()];
        let mut next = vec![0; self.parts.len()];
        for row in 0..self.rows {
            text.clear();
            let mut unreadable = None;
            for (index, part) in self.parts.iter().enumerate() {
                let start = text.len() as u32;
                let mut exact = false;
                let (kind, deepest) = self.kinds[index];
                let is_there = part.levels.get(row).is_none_or(|level| *level == deepest);
                if is_there {
                    match write(&part.values, next[index], kind, &mut text) {
                        Some(is_exact) => exact = is_exact,
                        None => unreadable = Some(&self.names[self.places[index]]),
                    }
                    next[index] += 1;
                }
                fields[self.places[index]] = Span { start, end: text.len() as u32, exact };
            }
            let line = self.first_row + row as u64;
            take(match unreadable {
                None => {
                    Item::Record(Record { first_line: line, last_line: line, text: &text, fields: &fields })
                }
                Some(name) => Item::Broken(Broken {
                    first_line: line,
                    last_line: line,
                    problem: format!("`{name}` is neither text nor a number of ours"),
                    remedy: "write it as text, decimal or date",
                }),
            });
        }
        Ok(())
    }
}

/// Whether the value is a number; `None` if it cannot be written.
fn write(values: &Values, index: usize, kind: Kind, text: &mut String) -> Option<bool> {
    match values {
        Values::Bool(values) => {
            text.push_str(if *values.get(index)? { "true" } else { "false" });
            Some(false)
        }
        Values::I32(values) => {
            let value = *values.get(index)?;
            let value = if kind == Kind::Unsigned { i64::from(value as u32) } else { i64::from(value) };
            integer(value, kind, text)
        }
        Values::I64(values) => {
            let value = *values.get(index)?;
            if kind == Kind::Unsigned {
                write!(text, "{}", value as u64).ok()?;
                return Some(true);
            }
            integer(value, kind, text)
        }
        Values::I96(values) => {
            let kind = Kind::Timestamp { in_second: 1_000_000 };
            integer(values.get(index)?.to_micros(), kind, text)
        }
        // The shortest text that means this float: what the writer read, unless it had more digits.
        Values::F32(values) => write!(text, "{}", values.get(index)?).ok().map(|()| true),
        Values::F64(values) => write!(text, "{}", values.get(index)?).ok().map(|()| true),
        Values::Bytes(values) => bytes(values.get(index)?.data(), kind, text),
        Values::Fixed(values) => bytes(values.get(index)?.data(), kind, text),
    }
}

fn integer(value: i64, kind: Kind, text: &mut String) -> Option<bool> {
    match kind {
        Kind::Plain | Kind::Unsigned => write!(text, "{value}").ok()?,
        Kind::Decimal { scale } => decimal(value.into(), scale, text)?,
        Kind::Date => day(value, text)?,
        Kind::Time { in_second } => {
            time(value.div_euclid(in_second), text)?;
        }
        Kind::Timestamp { in_second } => {
            let seconds = value.div_euclid(in_second);
            day(seconds.div_euclid(86_400), text)?;
            text.push('T');
            time(seconds.rem_euclid(86_400), text)?;
        }
    }
    Some(matches!(kind, Kind::Plain | Kind::Unsigned | Kind::Decimal { .. }))
}

fn bytes(bytes: &[u8], kind: Kind, text: &mut String) -> Option<bool> {
    let Kind::Decimal { scale } = kind else {
        text.push_str(std::str::from_utf8(bytes).ok()?);
        return Some(false);
    };
    decimal(unscaled(bytes)?, scale, text)?;
    Some(true)
}

fn decimal(unscaled: i128, scale: i32, text: &mut String) -> Option<()> {
    let scale = usize::try_from(scale).ok().filter(|scale| *scale <= 38)?;
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    write!(text, "{sign}{whole}{point}{decimals}").ok()
}

fn day(since_1970: i64, text: &mut String) -> Option<()> {
    let days = jiff::Span::new().try_days(since_1970).ok()?;
    write!(text, "{}", jiff::civil::date(1970, 1, 1).checked_add(days).ok()?).ok()
}

fn time(seconds: i64, text: &mut String) -> Option<()> {
    let seconds = u32::try_from(seconds).ok().filter(|seconds| *seconds < 86_400)?;
    write!(text, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60).ok()
}
