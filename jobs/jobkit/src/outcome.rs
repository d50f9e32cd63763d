//! How an attempt ends. There are as many failures as there are things that the engine can do next.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::JobId;

/// The attempt did what it could, and this follows.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done. The value is kept with the job and shown to people and callers.
    Completed(Option<Value>),
    /// Not yet: run again after this long. No attempt is used.
    Snooze(Duration),
    /// There is nothing to do any more; ends the job without calling it a failure.
    Cancelled(String),
    /// Wait, without holding a slot, until all of these have ended; then run again from the top. Steps
    /// already done are remembered, and [`crate::Ctx::children`] tells how each child ended.
    WaitFor(Vec<JobId>),
}

impl Outcome {
    pub fn done() -> Self {
        Outcome::Completed(None)
    }

    /// Completed with anything that serialises; a value that cannot is a bug in the job's result type.
    pub fn completed(result: impl serde::Serialize) -> Result<Self, Failure> {
        serde_json::to_value(result).map(|value| Outcome::Completed(Some(value))).map_err(Failure::permanent)
    }
}

pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The attempt failed, and this follows.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// May work next time; retried with the policy's backoff until the attempts are used up.
    #[error("{0}")]
    Transient(#[source] Cause),
    /// As transient, but the other side said when.
    #[error("{cause} (asked to wait {after:?})")]
    RetryAfter {
        after: Duration,
        #[source]
        cause: Cause,
    },
    /// Will never work; a person decides.
    #[error("{0}")]
    Permanent(#[source] Cause),
    /// The engine's own store did not take or give what the attempt asked. That is no fault of the job: it runs
    /// again soon, and no attempt is used.
    #[error("{0}")]
    StoreAway(#[source] Cause),
    /// The other side rests and is not asked ([`crate::Ctx::breaker`]): runs again after this long. No attempt is used.
    #[error("{why}")]
    NotNow { after: Duration, why: String },
    /// This attempt may no longer act: it was cancelled, or its lease was lost to another worker.
    #[error("attempt interrupted: {0}")]
    Interrupted(String),
}

impl Failure {
    pub fn transient(cause: impl Into<Cause>) -> Self {
        Failure::Transient(cause.into())
    }

    pub fn permanent(cause: impl Into<Cause>) -> Self {
        Failure::Permanent(cause.into())
    }

    pub fn retry_after(after: Duration, cause: impl Into<Cause>) -> Self {
        Failure::RetryAfter { after, cause: cause.into() }
    }

    /// The whole chain of causes on one line, for the attempt's record.
    pub fn chain(&self) -> String {
        struct Chain<'a>(&'a Cause);
        impl fmt::Display for Chain<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)?;
                let mut next = self.0.source();
                while let Some(cause) = next {
                    write!(f, ": {cause}")?;
                    next = cause.source();
                }
                Ok(())
            }
        }
        match self {
            Failure::Transient(cause) | Failure::Permanent(cause) | Failure::StoreAway(cause) => {
                Chain(cause).to_string()
            }
            Failure::RetryAfter { cause, .. } => Chain(cause).to_string(),
            Failure::NotNow { why, .. } | Failure::Interrupted(why) => why.clone(),
        }
    }
}

/// `?` with the decision spelled out: `file.read().or_transient()?`.
pub trait FailureExt<T> {
    fn or_transient(self) -> Result<T, Failure>;
    fn or_permanent(self) -> Result<T, Failure>;
}

impl<T, E: Into<Cause>> FailureExt<T> for Result<T, E> {
    fn or_transient(self) -> Result<T, Failure> {
        self.map_err(Failure::transient)
    }

    fn or_permanent(self) -> Result<T, Failure> {
        self.map_err(Failure::permanent)
    }
}
