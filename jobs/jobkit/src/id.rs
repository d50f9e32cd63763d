//! Job ids are UUIDv7: unique without asking the database, and sorted by the moment they were made.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid};

use crate::Clock;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// When it was made, by the clock of whoever made it; none of an id that does not say.
    pub fn created_at(self) -> Option<Timestamp> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(JobId)
    }
}

/// Makes ids in order within a process, even when the clock stands still or is set back.
pub struct IdGenerator {
    clock: Arc<dyn Clock>,
    context: std::sync::Mutex<ContextV7>,
}

impl IdGenerator {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        // The context remembers the last millisecond, so that a clock set back does not reorder ids.
        Self { clock, context: std::sync::Mutex::new(ContextV7::new().with_adjust_by_millis(0)) }
    }

    pub fn next(&self) -> JobId {
        let now = self.clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        let context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        JobId(Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos)))
    }
}
