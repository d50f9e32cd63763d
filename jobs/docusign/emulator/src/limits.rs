//! How often an account may call, and how often it may look at one envelope. Pure: the time comes in.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::switches::{Polling, Reset, Switches};

const HOUR: i64 = 3600;
const BURST: SignedDuration = SignedDuration::from_secs(30);
const POLLING: SignedDuration = SignedDuration::from_mins(15);

/// What was called so far.
#[derive(Debug, Default)]
pub struct Meter {
    hour: i64,
    used: u32,
    recent: VecDeque<Timestamp>,
}

/// What a call is told about the limits, in headers.
pub type Headers = Vec<(&'static str, String)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    Hourly,
    Burst,
    /// This envelope was looked at; within half a minute it is called a burst.
    Polling {
        burst: bool,
    },
}

impl Exceeded {
    pub fn code(self) -> &'static str {
        match self {
            Exceeded::Hourly => "HOURLY_APIINVOCATION_LIMIT_EXCEEDED",
            Exceeded::Burst => "BURST_APIINVOCATION_LIMIT_EXCEEDED",
            // The real ones are in mixed case too.
            Exceeded::Polling { burst: false } => "Hourly_Envelope_Polling_Limit_Exceeded",
            Exceeded::Polling { burst: true } => "Burst_Envelope_Polling_Limit_Exceeded",
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Exceeded::Hourly => "The maximum number of hourly API invocations has been exceeded.",
            Exceeded::Burst => "The maximum number of burst API invocations has been exceeded.",
            Exceeded::Polling { .. } => "The envelope polling limit has been exceeded.",
        }
    }

    pub fn status(self, switches: &Switches) -> u16 {
        match self {
            Exceeded::Polling { .. } => 400,
            _ => switches.limit_status,
        }
    }
}

impl Meter {
    /// Counts one call. One that is refused does not count.
    pub fn call(&mut self, switches: &Switches, now: Timestamp) -> (Headers, Option<Exceeded>) {
        let hour = now.as_second().div_euclid(HOUR);
        if hour != self.hour {
            (self.hour, self.used) = (hour, 0);
        }
        while self.recent.front().is_some_and(|at| now.duration_since(*at) >= BURST) {
            self.recent.pop_front();
        }
        let burst_used = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        let exceeded = match (switches.hourly_limit, switches.burst_limit) {
            (Some(most), _) if self.used >= most => Some(Exceeded::Hourly),
            (_, Some(most)) if burst_used >= most => Some(Exceeded::Burst),
            _ => None,
        };
        if exceeded.is_none() {
            self.used += 1;
            if switches.burst_limit.is_some() {
                self.recent.push_back(now);
            }
        }
        (self.headers(switches, now), exceeded)
    }

    fn headers(&self, switches: &Switches, now: Timestamp) -> Headers {
        let mut headers = Vec::new();
        if let Some(most) = switches.hourly_limit {
            let next = (self.hour + 1) * HOUR;
            let reset = match switches.limit_reset {
                Reset::Timestamp => next,
                Reset::Seconds => next - now.as_second(),
            };
            headers.push(("X-RateLimit-Limit", most.to_string()));
            headers.push(("X-RateLimit-Remaining", most.saturating_sub(self.used).to_string()));
            headers.push(("X-RateLimit-Reset", reset.to_string()));
        }
        if let Some(most) = switches.burst_limit {
            let used = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
            headers.push(("X-BurstLimit-Limit", most.to_string()));
            headers.push(("X-BurstLimit-Remaining", most.saturating_sub(used).to_string()));
        }
        headers
    }
}

/// When each envelope was looked at.
#[derive(Debug, Default)]
pub struct Looks(HashMap<String, Vec<Timestamp>>);

impl Looks {
    /// Counts one GET of an envelope or of something below it. One that is refused does not count.
    pub fn look(
        &mut self,
        switches: &Switches,
        envelope: &str,
        url: &str,
        now: Timestamp,
    ) -> Option<Exceeded> {
        let key = match switches.polling {
            Polling::Off => return None,
            Polling::PerUrl => url,
            Polling::PerEnvelope => envelope,
        };
        let looks = self.0.entry(key.to_owned()).or_default();
        looks.retain(|at| now.duration_since(*at) < POLLING);
        if u32::try_from(looks.len()).unwrap_or(u32::MAX) >= switches.polling_limit {
            let last = looks.last().map_or(POLLING, |at| now.duration_since(*at));
            return Some(Exceeded::Polling { burst: last < BURST });
        }
        looks.push(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    #[test]
    fn the_hour_begins_on_the_hour() {
        let switches = Switches { hourly_limit: Some(2), ..Switches::default() };
        let mut meter = Meter::default();
        for (time, wanted, left) in [
            ("10:58:00", None, "1"),
            ("10:59:59", None, "0"),
            ("10:59:59", Some(Exceeded::Hourly), "0"),
            ("11:00:00", None, "1"),
        ] {
            let (headers, exceeded) = meter.call(&switches, at(time));
            assert_eq!(exceeded, wanted, "{time}");
            assert_eq!(headers[1], ("X-RateLimit-Remaining", left.to_owned()));
        }
    }

    #[test]
    fn reset_is_a_time_or_what_is_left_until_then() {
        let mut switches = Switches { hourly_limit: Some(2), ..Switches::default() };
        let (headers, _) = Meter::default().call(&switches, at("10:58:00"));
        assert_eq!(headers[2], ("X-RateLimit-Reset", at("11:00:00").as_second().to_string()));
        switches.limit_reset = Reset::Seconds;
        let (headers, _) = Meter::default().call(&switches, at("10:58:00"));
        assert_eq!(headers[2], ("X-RateLimit-Reset", "120".to_owned()));
    }

    #[test]
    fn a_burst_is_what_came_in_the_last_thirty_seconds() {
        let switches = Switches { burst_limit: Some(2), ..Switches::default() };
        let mut meter = Meter::default();
        for (time, wanted) in [
            ("10:00:00", None),
            ("10:00:20", None),
            ("10:00:29", Some(Exceeded::Burst)),
            ("10:00:30", None),
            ("10:00:40", Some(Exceeded::Burst)),
            ("10:00:50", None),
        ] {
            assert_eq!(meter.call(&switches, at(time)).1, wanted, "{time}");
        }
    }

    #[test]
    fn an_envelope_is_looked_at_once_in_a_quarter_of_an_hour() {
        let per_url = Switches { polling: Polling::PerUrl, ..Switches::default() };
        let per_envelope =
            Switches { polling: Polling::PerEnvelope, polling_limit: 2, ..Switches::default() };
        let hourly = Some(Exceeded::Polling { burst: false });
        let burst = Some(Exceeded::Polling { burst: true });
        for (switches, looks) in [
            (&Switches::default(), vec![("e", "10:00:00", None), ("e", "10:00:00", None)]),
            (
                &per_url,
                vec![
                    ("e", "10:00:00", None),
                    ("e/documents", "10:00:00", None),
                    ("e", "10:00:29", burst),
                    ("e", "10:14:59", hourly),
                    ("e", "10:15:00", None),
                ],
            ),
            (
                &per_envelope,
                vec![
                    ("e", "10:00:00", None),
                    ("e/documents", "10:05:00", None),
                    ("e/recipients", "10:14:59", hourly),
                    ("e", "10:15:00", None),
                ],
            ),
        ] {
            let mut all = Looks::default();
            for (url, time, wanted) in looks {
                assert_eq!(all.look(switches, "e", url, at(time)), wanted, "{switches:?} {url} {time}");
            }
        }
    }
}
