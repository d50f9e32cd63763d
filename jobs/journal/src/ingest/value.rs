//! Text into values, by hand from bytes: a ledger of ten million lines has a hundred million of them.
//!
//! What could mean two things is no value here unless the mapping says which.

use jiff::civil::Date;

use super::mapping::{DateOrder, DecimalSign, Grouping, Mapping};
use crate::amount::Amount;

/// How the numbers of a source are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberStyle {
    decimal: DecimalSign,
    grouping: Option<Grouping>,
    round_to: Option<u8>,
}

/// More digits than any amount of money has; what is longer is a mistake, such as an account number.
const WHOLE_DIGITS: u32 = 18;
/// What [`Amount`] holds.
const DECIMALS: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAmount {
    NotANumber,
    /// A comma or point that the mapping does not explain.
    Separator,
    TooPrecise,
    TooLong,
    NotFinite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadAmount {
    pub(crate) amount: Amount,
    pub(crate) rounded: bool,
}

impl NumberStyle {
    pub(crate) fn of(mapping: &Mapping) -> Self {
        Self {
            decimal: mapping.decimal.unwrap_or(DecimalSign::Point),
            grouping: mapping.grouping,
            round_to: mapping.round_to,
        }
    }

    /// For numbers that were numbers in the source: JSON, spreadsheets and databases write no commas.
    pub(crate) fn exact(self) -> Self {
        Self { decimal: DecimalSign::Point, grouping: None, ..self }
    }

    pub(crate) fn amount(self, text: &str) -> Result<ReadAmount, NoAmount> {
        let (negative, digits) = sign(text.as_bytes());
        let point = match self.decimal {
            DecimalSign::Point => b'.',
            DecimalSign::Comma => b',',
        };
        let (mut whole, mut count, mut seen) = (0_u64, 0_u32, false);
        let mut rest = digits;
        while let [byte, tail @ ..] = rest {
            if byte.is_ascii_digit() {
                // Leading zeros are none of the digits.
                count += u32::from(count > 0 || *byte != b'0');
                if count > WHOLE_DIGITS {
                    return Err(NoAmount::TooLong);
                }
                whole = whole * 10 + u64::from(byte - b'0');
                seen = true;
                rest = tail;
            } else if *byte == point {
                break;
            } else {
                let skipped = self.group(rest).filter(|_| seen).ok_or_else(|| no_amount(text))?;
                rest = &rest[skipped..];
            }
        }
        let keep = self.round_to.map_or(DECIMALS, u32::from);
        let decimals = rest.get(1..).unwrap_or(&[]);
        if (!seen && decimals.is_empty()) || !decimals.iter().all(u8::is_ascii_digit) {
            return Err(no_amount(text));
        }
        let mut fraction = 0_u64;
        for place in 0..DECIMALS {
            let digit = decimals.get(place as usize).filter(|_| place < keep).map_or(0, |digit| digit - b'0');
            fraction = fraction * 10 + u64::from(digit);
        }
        let beyond = decimals.get(keep as usize..).unwrap_or(&[]);
        let rounded = beyond.iter().any(|&digit| digit != b'0');
        if rounded && self.round_to.is_none() {
            return Err(NoAmount::TooPrecise);
        }
        let up = match beyond.first() {
            Some(b'5'..=b'9') => 10_i128.pow(DECIMALS - keep),
            _ => 0,
        };
        let units = i128::from(whole) * const { 10_i128.pow(DECIMALS) } + i128::from(fraction) + up;
        Ok(ReadAmount { amount: Amount::from_units(if negative { -units } else { units }), rounded })
    }

    /// How many bytes separate the group of three digits that follows them, if they do and it does.
    fn group(self, rest: &[u8]) -> Option<usize> {
        let length = match (self.grouping?, rest) {
            (Grouping::Comma, [b',', ..])
            | (Grouping::Point, [b'.', ..])
            | (Grouping::Space, [b' ', ..])
            | (Grouping::Apostrophe, [b'\'', ..]) => 1,
            // The unbreakable blank, its narrow kin, and the typographer's apostrophe.
            (Grouping::Space, [0xc2, 0xa0, ..]) => 2,
            (Grouping::Space, [0xe2, 0x80, 0xaf, ..]) | (Grouping::Apostrophe, [0xe2, 0x80, 0x99, ..]) => 3,
            _ => return None,
        };
        let digits = rest[length..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits == 3).then_some(length)
    }
}

/// The sign stands before the number, behind it as SAP writes it, or is a pair of brackets as accountants do.
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] | [digits @ .., b'-'] | [b'(', digits @ .., b')'] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    }
}

fn no_amount(text: &str) -> NoAmount {
    let bare = text.trim_start_matches(['-', '+']);
    let not_finite = ["nan", "inf", "infinity", "#num!", "#div/0!", "#value!", "#n/a", "#ref!"];
    if not_finite.iter().any(|word| bare.eq_ignore_ascii_case(word)) {
        return NoAmount::NotFinite;
    }
    let separators = [',', '.', ' ', '\'', '\u{a0}', '\u{202f}', '\u{2019}'];
    let mut digits =
        text.chars().filter(|char| !separators.contains(char) && !"-+()".contains(*char)).peekable();
    if digits.peek().is_some() && digits.all(|char| char.is_ascii_digit()) {
        NoAmount::Separator
    } else {
        NoAmount::NotANumber
    }
}

/// Writes a number with an exponent, as JSON and spreadsheets have them, without one. `None` if it is none, or has more
/// digits than any amount.
pub(crate) fn without_exponent(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= 40)?;
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{decimals}");
    if all.is_empty() || !all_digits(all.as_bytes()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + exponent;
    Some(match usize::try_from(point) {
        Ok(point) if point >= all.len() => format!("{sign}{all}{}", "0".repeat(point - all.len())),
        Ok(point) => format!("{sign}{}.{}", &all[..point], &all[point..]),
        Err(_) => format!("{sign}0.{}{all}", "0".repeat(point.unsigned_abs() as usize)),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoDate {
    NotADate,
    /// The day or the month may come first.
    Ambiguous,
}

/// `None`: the source says that there is no date. A time of day behind the date is passed over.
///
/// `YYYYMMDD`, `YYYY-MM-DD` (also with `/` or `.`) and `DD.MM.YYYY` mean one day everywhere.
pub(crate) fn date(text: &str, order: Option<DateOrder>) -> Result<Option<Date>, NoDate> {
    let (year, month, day) = match text.as_bytes() {
        // SAP's initial values: nobody entered a date.
        b"" | b"00000000" | b"19000101" | b"1900-01-01" | b"00.00.0000" | b"0000-00-00" => return Ok(None),
        [y @ .., a, b, c, d] if y.len() == 4 && all_digits(text.as_bytes()) => {
            (number(y), number(&[*a, *b]), number(&[*c, *d]))
        }
        [y1, y2, y3, y4, one @ (b'-' | b'/' | b'.'), m1, m2, two, d1, d2, rest @ ..]
            if one == two && is_time(rest) =>
        {
            (number(&[*y1, *y2, *y3, *y4]), number(&[*m1, *m2]), number(&[*d1, *d2]))
        }
        bytes => return date_in_order(bytes, order).map(Some),
    };
    civil(year, month, day).map(Some).ok_or(NoDate::NotADate)
}

fn date_in_order(bytes: &[u8], order: Option<DateOrder>) -> Result<Date, NoDate> {
    if order == Some(DateOrder::Serial) {
        return std::str::from_utf8(bytes).ok().and_then(serial_date).ok_or(NoDate::NotADate);
    }
    // One digit or two, the sign between them, and a year of four digits; then perhaps a time.
    let first = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let separator = *bytes.get(first).filter(|byte| b"./-".contains(byte)).ok_or(NoDate::NotADate)?;
    let behind = &bytes[first + 1..];
    let second = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let year = behind.get(second + 1..).and_then(|rest| rest.get(..4));
    let (Some(year), true, true) = (year, (1..=2).contains(&first), (1..=2).contains(&second)) else {
        return Err(NoDate::NotADate);
    };
    if behind[second] != separator || !is_time(&behind[second + 5..]) {
        return Err(NoDate::NotADate);
    }
    let (one, other) = (number(&bytes[..first]), number(&behind[..second]));
    let (day, month) = match (separator, order) {
        (b'.', _) | (_, Some(DateOrder::DayFirst)) => (one, other),
        (_, Some(DateOrder::MonthFirst)) => (other, one),
        _ => return Err(NoDate::Ambiguous),
    };
    civil(number(year), month, day).ok_or(NoDate::NotADate)
}

fn is_time(rest: &[u8]) -> bool {
    matches!(rest, [] | [b'T' | b' ', _, ..])
}

/// Days since the end of 1899, as spreadsheets count: their calendar has a 29 February 1900, so that only numbers
/// behind it are dates for certain.
pub(crate) fn serial_date(text: &str) -> Option<Date> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let days: i32 = whole.parse().ok().filter(|days| (61..=2_958_465).contains(days))?;
    jiff::civil::date(1899, 12, 30).checked_add(jiff::Span::new().days(days)).ok()
}

/// `HHMMSS`, also where a spreadsheet ate leading zeros, or `HH:MM[:SS]`; behind a date too. Parts of a second are
/// passed over.
pub(crate) fn time_of_day(text: &str) -> Option<u32> {
    let text = match text.as_bytes() {
        [_, _, _, _, _, _, _, _, _, _, b'T' | b' ', ..] => text.get(11..)?,
        _ => text,
    };
    let (hour, minute, second) = if text.contains(':') {
        let whole = text.split(['.', ',', 'Z', '+']).next()?;
        let mut parts = whole.split(':').map(|part| {
            let short = (1..=2).contains(&part.len()) && all_digits(part.as_bytes());
            short.then(|| part.parse::<u32>().ok())?
        });
        let time = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
        parts.next().is_none().then_some(time)?
    } else {
        let number = text.parse::<u32>().ok().filter(|_| text.len() <= 6 && all_digits(text.as_bytes()))?;
        (number / 10_000, number / 100 % 100, number % 100)
    };
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

fn all_digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

/// Of digits; anything else makes no date.
fn number(digits: &[u8]) -> i16 {
    digits
        .iter()
        .try_fold(0_i16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
        .unwrap_or(-1)
}

fn civil(year: i16, month: i16, day: i16) -> Option<Date> {
    if year < 1 {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests;
