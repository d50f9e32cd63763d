//! What the engine should do about a kind of job. Declared in code by the family, overridden per kind in
//! configuration and per job when it is enqueued. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Priorities run from 1 (first) to 9 (last).
pub const DEFAULT_PRIORITY: u8 = 5;

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub queue: String,
    pub priority: u8,
    pub max_attempts: u16,
    pub backoff: Backoff,
    /// An attempt that runs longer is interrupted and counts as a transient failure.
    pub timeout: Option<Duration>,
    pub unique: Option<Unique>,
    /// What a job is given and what it writes into the store is encrypted at rest.
    pub encrypted: bool,
    /// Made by the engine for something else that was asked for and checked. Nobody enqueues it by its name: it may do
    /// more than whoever may enqueue.
    pub internal: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            queue: "default".into(),
            priority: DEFAULT_PRIORITY,
            max_attempts: 10,
            backoff: Backoff::default(),
            timeout: Some(Duration::from_secs(60 * 60)),
            unique: None,
            encrypted: false,
            internal: false,
        }
    }
}

impl Policy {
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    pub fn max_attempts(mut self, attempts: u16) -> Self {
        self.max_attempts = attempts;
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub fn unique(mut self, unique: Unique) -> Self {
        self.unique = Some(unique);
        self
    }

    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }
}

/// Exponential, capped, with a share of the delay drawn at random so that a herd does not return as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    pub first: Duration,
    pub factor: f64,
    pub longest: Duration,
    /// 0.0 = none, 0.2 = the delay is 80 % to 120 % of what it would be.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            factor: 3.0,
            longest: Duration::from_secs(6 * 60 * 60),
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// The delay after failed attempt number `attempt` (from 1); `draw` is uniform in 0.0..1.0.
    pub fn delay(&self, attempt: u16, draw: f64) -> Duration {
        let exponent = i32::from(attempt.saturating_sub(1));
        let plain = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(self.longest.as_secs_f64());
        Duration::try_from_secs_f64(plain * (1.0 + self.jitter * (2.0 * draw - 1.0))).unwrap_or(self.longest)
    }
}

/// While a job with the same key is in scope, another is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unique {
    /// The arguments are part of the key.
    pub by_args: bool,
    /// The key holds for the rest of the current period even after the job ended.
    pub period: Option<Period>,
    /// Without a period: the key goes on holding after the job completed.
    pub after_completion: bool,
    pub on_conflict: OnConflict,
}

impl Unique {
    /// One live job of the kind per set of arguments; a second enqueue returns the first job's id.
    pub fn by_args() -> Self {
        Self { by_args: true, period: None, after_completion: false, on_conflict: OnConflict::ReturnExisting }
    }

    /// One live job of the kind per key that callers name.
    pub fn by_key() -> Self {
        Self { by_args: false, ..Self::by_args() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Minute,
    Hour,
    Day,
}

impl Period {
    pub fn seconds(self) -> i64 {
        match self {
            Period::Minute => 60,
            Period::Hour => 3_600,
            Period::Day => 86_400,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Nothing changes; the caller gets the id of the job that is there.
    #[default]
    ReturnExisting,
    /// The job that is there takes over the new arguments, time and priority, unless it already runs.
    Replace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_is_capped_and_jitters_within_its_share() {
        let backoff = Backoff {
            first: Duration::from_secs(10),
            factor: 2.0,
            longest: Duration::from_secs(60),
            jitter: 0.5,
        };
        for (attempt, draw, seconds) in [
            (1, 0.5, 10),
            (2, 0.5, 20),
            (3, 0.5, 40),
            (4, 0.5, 60),
            (400, 0.5, 60),
            (1, 0.0, 5),
            (1, 1.0, 15),
        ] {
            assert_eq!(
                backoff.delay(attempt, draw),
                Duration::from_secs(seconds),
                "attempt {attempt} draw {draw}"
            );
        }
    }
}
