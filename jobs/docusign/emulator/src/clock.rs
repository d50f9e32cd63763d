//! What time it is for the emulator: that of the machine, or one that stands until somebody moves it.
//!
//! The only file of this crate that asks the machine.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

/// Tokens, expiry, limits and retries go by it. How long an answer takes does not: whoever waits for one, waits on
/// the machine's.
#[derive(Debug)]
pub struct Clock(Mode);

#[derive(Debug)]
enum Mode {
    Real,
    Virtual(Mutex<Timestamp>),
}

/// A clock that cannot be moved, or cannot be moved that far.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Unmoved {
    #[error("the clock is the machine's; start with --virtual-clock to move it")]
    Real,
    #[error("the clock cannot go that far")]
    TooFar,
}

impl Clock {
    pub fn real() -> Self {
        Self(Mode::Real)
    }

    pub fn standing_at(at: Timestamp) -> Self {
        Self(Mode::Virtual(Mutex::new(at)))
    }

    /// It stands where the machine's is now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the emulator is a server of its own, this is where it looks"
    )]
    pub fn standing() -> Self {
        Self::standing_at(Timestamp::now())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the emulator is a server of its own, this is where it looks"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Mode::Real => Timestamp::now(),
            Mode::Virtual(at) => *at.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Mode::Virtual(_))
    }

    /// Moves a virtual clock on, and says what time it is then. Time goes forwards only.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, Unmoved> {
        let Mode::Virtual(at) = &self.0 else { return Err(Unmoved::Real) };
        let mut at = at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *at = at.checked_add(by).map_err(|_| Unmoved::TooFar)?;
        Ok(*at)
    }
}

/// A time as DocuSign writes it.
pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f0Z").to_string()
}

/// A time as callers write it in a query: with its zone, without one, or only the day; UTC where none is said.
pub fn read(text: &str) -> Option<Timestamp> {
    let utc = |at: jiff::civil::DateTime| at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp());
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(at) = text.parse::<jiff::civil::DateTime>() {
        return utc(at);
    }
    let american = jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", text)
        .or_else(|_| jiff::civil::Date::strptime("%m/%d/%Y", text).map(|day| day.at(0, 0, 0, 0)));
    american.ok().and_then(utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_docusign_does() {
        let at: Timestamp = "2026-03-01T10:20:30.123456Z".parse().unwrap();
        assert_eq!(written(at), "2026-03-01T10:20:30.1234560Z");
        for (text, wanted) in [
            ("2026-03-01T10:20:30.1234560Z", Some("2026-03-01T10:20:30.123456Z")),
            ("2026-03-01T11:20:30+01:00", Some("2026-03-01T10:20:30Z")),
            ("2026-03-01T10:20:30", Some("2026-03-01T10:20:30Z")),
            ("2026-03-01", Some("2026-03-01T00:00:00Z")),
            ("3/1/2026", Some("2026-03-01T00:00:00Z")),
            ("yesterday", None),
        ] {
            assert_eq!(read(text), wanted.map(|at| at.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn only_a_virtual_clock_is_moved() {
        let clock = Clock::standing_at("2026-03-01T10:00:00Z".parse().unwrap());
        assert_eq!(clock.advance(Duration::from_secs(90)), Ok("2026-03-01T10:01:30Z".parse().unwrap()));
        assert_eq!(clock.now(), "2026-03-01T10:01:30Z".parse().unwrap());
        assert_eq!(Clock::real().advance(Duration::ZERO), Err(Unmoved::Real));
    }
}
