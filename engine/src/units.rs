//! How durations are written: "30s", "5m", "2h", "7d", or joined as "1h30m". A day is 24 hours. Pure.
//!
//! One notation for the file, the environment and the command line, because people copy from one to
//! another. A bare number is refused: nobody remembers whether it meant seconds.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Longest first, so that writing picks the largest unit that fits.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

pub const EXPECTED: &str = "a duration such as \"500ms\", \"30s\", \"5m\", \"2h\" or \"7d\"";

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("`{text}` is not {EXPECTED}");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(refused());
    }
    let mut millis = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        let number: u64 = number.parse().map_err(|_| refused())?;
        millis = number.checked_mul(*worth).and_then(|more| millis.checked_add(more)).ok_or_else(refused)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(millis))
}

pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, worth) in UNITS {
        if millis >= worth {
            text.push_str(&format!("{}{unit}", millis / worth));
            millis %= worth;
        }
    }
    text
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse_duration(text).map_err(E::custom)
    }
}

/// For `#[serde(with = "duration")]`.
pub mod duration {
    use super::*;

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format_duration(*duration))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_str(Written)
    }
}

/// For `#[serde(with = "optional_duration")]`; an absent key is `None`.
pub mod optional_duration {
    use super::*;

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        duration.map(format_duration).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(from).map(Some)
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    For(Duration),
    Forever,
}

impl Keep {
    pub fn days(days: u64) -> Self {
        Keep::For(Duration::from_secs(days * 86_400))
    }

    /// `None` for ever, as the store's rules have it.
    pub fn period(self) -> Option<Duration> {
        match self {
            Keep::For(duration) => Some(duration),
            Keep::Forever => None,
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Keep::For(duration) => to.serialize_str(&format_duration(*duration)),
            Keep::Forever => to.serialize_str("forever"),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct KeepWritten;
        impl Visitor<'_> for KeepWritten {
            type Value = Keep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{EXPECTED}, or \"forever\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Keep, E> {
                match text.trim() {
                    "forever" => Ok(Keep::Forever),
                    text => parse_duration(text)
                        .map(Keep::For)
                        .map_err(|problem| E::custom(format!("{problem}, nor \"forever\""))),
                }
            }
        }
        from.deserialize_str(KeepWritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_and_written_alike() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1d2h3m4s5ms", 93_784_005),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(text), Ok(duration), "{text}");
            assert_eq!(format_duration(duration), text);
        }
        assert_eq!(parse_duration("90s").map(format_duration), Ok("1m30s".into()));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "30", "s", "-5s", "1.5h", "5 minutes", "99999999999999999999s", "9999999999999999d"]
        {
            assert!(parse_duration(text).unwrap_err().contains("\"30s\""), "{text}");
        }
    }
}
