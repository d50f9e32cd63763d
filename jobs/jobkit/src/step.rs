//! A step is an effect with a memory: its result is stored before the next step starts, so a job that is
//! run again after a crash goes on where it stood.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::JobId;

/// The idempotency key of one step of one job, the same at every attempt; hand it to the outside world.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(String);

/// Namespace of step keys; changing it would let every step of every living job act twice.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f4d_1c52_5a0f_4a38_9d6e_77c1_0c5b_2f91);

impl StepKey {
    pub fn derive(job: JobId, name: &str) -> Self {
        // A UUID, because that is what providers' idempotency headers accept.
        let mut input = job.0.as_bytes().to_vec();
        input.extend_from_slice(name.as_bytes());
        Self(Uuid::new_v5(&NAMESPACE, &input).to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is remembered of a step. Without a result it is an intent: begun, and not known to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    pub name: String,
    pub key: StepKey,
    pub result: Option<Value>,
    pub attempt: u16,
    pub at: Timestamp,
}
