//! The states of a job and the transitions that are legal. Pure; the databases repeat it as `CHECK`s.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Due at a time still to come.
    Scheduled,
    /// Due; a worker may claim it.
    Available,
    /// A worker holds it.
    Running,
    /// An attempt failed; due again at a time still to come.
    Retryable,
    /// For other jobs to end.
    Waiting,
    Completed,
    /// Somebody, or the job itself, decided that it need not be done.
    Cancelled,
    /// Out of attempts or beyond help: the dead letters. A person decides.
    Discarded,
}

use JobState::{Available, Cancelled, Completed, Discarded, Retryable, Running, Scheduled, Waiting};

impl JobState {
    pub const ALL: [JobState; 8] =
        [Scheduled, Available, Running, Retryable, Waiting, Completed, Cancelled, Discarded];

    pub fn is_final(self) -> bool {
        matches!(self, Completed | Cancelled | Discarded)
    }

    /// May a job go from this state to `next`, another one, in one step? The stores are held to this table,
    /// and to all of it, by `tests/it/store/life.rs`.
    pub fn may_become(self, next: JobState) -> bool {
        match (self, next) {
            (Scheduled | Retryable, Available | Cancelled | Discarded) => true,
            (Available, Running | Scheduled | Cancelled | Discarded) => true,
            (Running, Available | Scheduled | Retryable | Waiting | Completed | Cancelled | Discarded) => {
                true
            }
            (Waiting, Available | Scheduled | Cancelled | Discarded) => true,
            // A person retries what has ended, unless it did what it was for.
            (Cancelled | Discarded, Available) => true,
            _ => false,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Scheduled => "scheduled",
            Available => "available",
            Running => "running",
            Retryable => "retryable",
            Waiting => "waiting",
            Completed => "completed",
            Cancelled => "cancelled",
            Discarded => "discarded",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for JobState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| {
            format!("`{text}` is no job state; use one of {}", Self::ALL.map(JobState::name).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_persons_retry_leaves_a_final_state_and_nothing_skips_the_claim() {
        for from in JobState::ALL {
            for to in JobState::ALL {
                if from.is_final() {
                    let retried = from != Completed && to == Available;
                    assert_eq!(from.may_become(to), retried, "{from} to {to}");
                }
                if to == Running {
                    assert_eq!(from.may_become(to), from == Available, "{from} to {to}");
                }
                if to == Completed {
                    assert_eq!(from.may_become(to), from == Running, "{from} to {to}");
                }
            }
        }
    }

    #[test]
    fn every_state_survives_being_written_and_read() {
        for state in JobState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert!("done".parse::<JobState>().unwrap_err().contains("completed"));
    }
}
