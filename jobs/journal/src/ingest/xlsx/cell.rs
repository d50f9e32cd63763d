//! What a cell says, as text.

use super::Cell;
use crate::ingest::value::{serial_date, without_exponent};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    /// A number of the list of shared strings.
    Shared,
    Text,
    Bool,
    /// Such as `#DIV/0!`.
    Error,
}

impl Kind {
    pub(super) fn of(mark: &str) -> Self {
        match mark {
            "s" => Self::Shared,
            // Results of formulas, texts in place, and dates written as such.
            "str" | "inlineStr" | "d" => Self::Text,
            "b" => Self::Bool,
            "e" => Self::Error,
            _ => Self::Number,
        }
    }
}

/// Of a reference such as `BC12`, from zero.
pub(super) fn column_of(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_uppercase);
    let number = letters.take(4).fold(0, |number, letter| number * 26 + usize::from(letter - b'A') + 1);
    number.checked_sub(1)
}

/// A number with a style of dates is days since 1900, or since 1904 in workbooks of old Macs.
pub(super) fn number(raw: &str, is_date: bool, since_1904: bool) -> Cell {
    let raw = raw.trim();
    if is_date && let Some(text) = date_time(raw, since_1904) {
        return Cell { text, exact: false };
    }
    Cell { text: fifteen_digits(raw), exact: true }
}

/// Days between the two beginnings.
const SINCE_1904: i64 = 1_462;

fn date_time(raw: &str, since_1904: bool) -> Option<String> {
    let number: f64 =
        raw.parse().ok().filter(|number: &f64| number.is_finite() && (0.0..3e6).contains(number))?;
    // In whole seconds: the fractions of a day are not exact.
    let seconds = (number * 86_400.0).round() as i64;
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if days == 0 {
        return Some(time);
    }
    let date = serial_date(&(days + if since_1904 { SINCE_1904 } else { 0 }).to_string())?;
    Some(if seconds == 0 { date.to_string() } else { format!("{date}T{time}") })
}

/// A spreadsheet stores floats and promises fifteen digits: 582241.76000000001 is 582241.76.
fn fifteen_digits(raw: &str) -> String {
    let digits = raw.bytes().filter(u8::is_ascii_digit).count();
    if digits <= 15 && !raw.contains(['e', 'E']) {
        return raw.into();
    }
    let Ok(number) = raw.parse::<f64>() else { return raw.into() };
    if !number.is_finite() {
        return raw.into();
    }
    let plain = without_exponent(&format!("{number:.14e}")).unwrap_or_else(|| raw.into());
    if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.').into() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_columns() {
        for (reference, column) in
            [("A1", Some(0)), ("Z9", Some(25)), ("AA1", Some(26)), ("XFD1", Some(16_383)), ("1", None)]
        {
            assert_eq!(column_of(reference), column);
        }
    }

    #[test]
    fn numbers_have_the_fifteen_digits_that_spreadsheets_promise() {
        for (raw, text) in [
            ("582241.76000000001", "582241.76"),
            ("0.30000000000000004", "0.3"),
            ("1.2345E-2", "0.0123450000000000"),
            ("1E+05", "100000"),
            ("4711", "4711"),
            ("-0.1", "-0.1"),
            ("123456789012345678", "123456789012346000"),
            ("1e999", "1e999"),
        ] {
            assert_eq!(number(raw, false, false).text.parse::<f64>(), text.parse::<f64>(), "{raw}");
            assert!(number(raw, false, false).text.len() <= text.len(), "{raw}");
        }
    }

    #[test]
    fn days_since_1900_or_1904_become_dates_and_fractions_times() {
        for (raw, since_1904, text) in [
            ("45688", false, "2025-01-31"),
            ("44226", true, "2025-01-31"),
            ("45688.5", false, "2025-01-31T12:00:00"),
            ("0.380868055555556", false, "09:08:27"),
            ("45688.999999999", false, "2025-02-01"),
            ("-1", false, "-1"),
        ] {
            assert_eq!(number(raw, true, since_1904).text, text, "{raw}");
        }
    }
}
