//! A time in the past, as somebody says it who looks back.

use std::time::Duration;

use engine::units::parse_duration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use store::FIRST_MOMENT;

#[derive(Debug, Clone, Copy)]
pub enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    pub fn parse(text: &str) -> Result<Self, String> {
        let day = || text.parse::<Date>().and_then(|day| day.to_zoned(TimeZone::UTC));
        match (text.parse(), parse_duration(text)) {
            (Ok(at), _) => Ok(Moment::At(at)),
            (_, Ok(ago)) => Ok(Moment::Ago(ago)),
            _ => day().map(|day| Moment::At(day.timestamp())).map_err(|_| {
                format!(
                    "`{text}` is no time such as 2026-01-31T09:00:00Z, no day such as 2026-01-31 and no duration such as 2h"
                )
            }),
        }
    }

    /// Before the first moment there is no job, and not every store has times there.
    pub fn before(self, now: Timestamp) -> Timestamp {
        let at = match self {
            Moment::At(at) => at,
            // Longer ago than time goes back is as long ago as can be.
            Moment::Ago(ago) => SignedDuration::try_from(ago)
                .ok()
                .and_then(|ago| now.checked_sub(ago).ok())
                .unwrap_or(Timestamp::MIN),
        };
        at.max(FIRST_MOMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        let now: Timestamp = "2026-01-31T09:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2h", "2026-01-31T07:00:00Z"),
            ("7d", "2026-01-24T09:00:00Z"),
        ] {
            assert_eq!(Moment::parse(text).unwrap().before(now).to_string(), expected);
        }
        assert_eq!(Moment::parse("99999999d").unwrap().before(now), FIRST_MOMENT);
        assert!(Moment::parse("yesterday").unwrap_err().contains("such as 2h"));
    }
}
