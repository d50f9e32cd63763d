//! Circuit breakers in the store, shared by all processes. What they do is decided in [`crate::breaker`].

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{Admission, CallEnd};
use serde::Serialize;

use super::Result;
use crate::breaker::BreakerRules;

#[async_trait]
pub trait Breakers {
    /// Whether the other side may be called; of those who ask an open one that has cooled down, one may.
    async fn enter_breaker(&self, name: &str, rules: BreakerRules) -> Result<Admission>;

    async fn leave_breaker(&self, name: &str, end: CallEnd, rules: BreakerRules) -> Result<()>;

    /// Those that have seen a failure since the last answer, by name.
    async fn breakers(&self) -> Result<Vec<BreakerRow>>;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreakerRow {
    pub name: String,
    pub failures: u32,
    /// One that has cooled down is open until somebody has tried.
    pub open_until: Option<Timestamp>,
}
