//! Money, exact: a whole number of ten-thousandths. It becomes a float only as a feature, where nothing is added up.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Four decimals cover every currency and unit prices; `i128` holds the sum of any ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

const DECIMALS: usize = 4;
const UNIT: i128 = 10_i128.pow(DECIMALS as u32);
/// More digits than any amount of money has; what is longer is a mistake, such as an account number.
const WHOLE_DIGITS: usize = 18;
/// A sum may have more, up to what `i128` holds.
const WHOLE_DIGITS_OF_SUMS: usize = 33;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a plain decimal number with at most {WHOLE_DIGITS} digits and {DECIMALS} decimals")]
pub struct AmountError;

impl Amount {
    pub const ZERO: Self = Self(0);
    pub(crate) const TEN: Self = Self(10 * UNIT);

    pub fn from_cents(cents: i64) -> Self {
        Self(i128::from(cents) * (UNIT / 100))
    }

    /// In ten-thousandths, for storing.
    pub(crate) fn units(self) -> i128 {
        self.0
    }

    pub(crate) fn from_units(units: i128) -> Self {
        Self(units)
    }

    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    pub(crate) fn from_ten_thousandths(units: i128) -> Self {
        Self(units)
    }

    pub(crate) fn ten_thousandths(self) -> i128 {
        self.0
    }

    /// For features only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// How many zeros a round amount ends with: 2 for 1500.00, none for 0 and for anything with decimals.
    pub fn trailing_zeros(self) -> u32 {
        if self.0 == 0 || self.0 % UNIT != 0 {
            return 0;
        }
        let mut whole = self.0 / UNIT;
        let mut zeros = 0;
        while whole % 10 == 0 {
            whole /= 10;
            zeros += 1;
        }
        zeros
    }

    /// With thousands separators, for people.
    pub fn grouped(self) -> String {
        let plain = self.to_string();
        let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        format!("{sign}{}.{decimals}", group(whole))
    }

    fn parse(text: &str, whole_digits: usize) -> Result<Self, AmountError> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
        let (whole, decimals) = (&digits[..point], digits.get(point + 1..).unwrap_or(&[]));
        let all_digits = whole.iter().chain(decimals).all(u8::is_ascii_digit);
        let too_precise = decimals.iter().skip(DECIMALS).any(|&digit| digit != b'0');
        if !all_digits || whole.len() + decimals.len() == 0 || whole.len() > whole_digits || too_precise {
            return Err(AmountError);
        }
        let decimals = decimals.iter().copied().chain(std::iter::repeat(b'0')).take(DECIMALS);
        let value =
            whole.iter().copied().chain(decimals).fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0'));
        Ok(Self(if negative { -value } else { value }))
    }
}

/// Thousands separators for a number without sign and decimals.
pub(crate) fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text, WHOLE_DIGITS)
    }
}

/// As text, so that no reader of the JSON rounds it.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text, WHOLE_DIGITS_OF_SUMS).map_err(serde::de::Error::custom)
    }
}

/// Two decimals, or more where they are needed.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / UNIT as u128, self.0.unsigned_abs() % UNIT as u128);
        let rest = format!("{rest:0DECIMALS$}");
        let shown = rest.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{whole}.{}", &rest[..shown])
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Amount {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_plain_decimals_exactly() {
        for (text, shown) in [
            ("0.1", "0.10"),
            ("9770.52", "9770.52"),
            ("-12", "-12.00"),
            ("+7.", "7.00"),
            (".5", "0.50"),
            ("1.2345", "1.2345"),
            ("1.23450000", "1.2345"),
            ("000123.4", "123.40"),
            ("999999999999999999.99", "999999999999999999.99"),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_two_ways() {
        for text in
            ["", "-", ".", "1,5", "1.234,50", "1,234.50", "1e5", "NaN", "inf", "12 000", "1.23456", "1..2"]
        {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        assert!("1000000000000000000".parse::<Amount>().is_err());
    }

    #[test]
    fn counts_the_zeros_of_round_amounts() {
        for (text, zeros) in [("1500", 2), ("1500.50", 0), ("0", 0), ("-1000000", 6), ("7", 0)] {
            assert_eq!(text.parse::<Amount>().unwrap().trailing_zeros(), zeros, "{text}");
        }
    }

    #[test]
    fn groups_thousands_for_people() {
        for (text, shown) in [("1234567.5", "1,234,567.50"), ("-999", "-999.00"), ("-1000", "-1,000.00")] {
            assert_eq!(text.parse::<Amount>().unwrap().grouped(), shown);
        }
    }

    #[test]
    fn a_sum_of_any_ledger_passes_through_json_exactly() {
        let most = "999999999999999999.9999".parse::<Amount>().unwrap();
        let sum: Amount = std::iter::repeat_n(most, 1_000).sum();

        let json = serde_json::to_string(&[sum, -sum]).unwrap();

        assert_eq!(json, r#"["999999999999999999999.90","-999999999999999999999.90"]"#);
        assert_eq!(serde_json::from_str::<[Amount; 2]>(&json).unwrap(), [sum, -sum]);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(units in -(10_i128.pow(21))..10_i128.pow(21)) {
            let amount = Amount(units);

            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }
}
