//! What people and programs may ask of limits, on jobs and on calls, and do to them: how much is used, pause and resume;
//! and which circuit breakers have seen failures.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::book::Book;
use super::limiter::{Calls, MARK};
use crate::wake::Wake;
use store::rule::{By, Rate, Rule, bucket, limit_of};
use store::{Actor, BreakerRow, BucketRow, Store, StoreError};

/// The use cases of limits. Every door leads here.
#[derive(Clone)]
pub struct Usage {
    pub store: Arc<dyn Store>,
    pub book: Arc<Book>,
    pub calls: Calls,
    pub wake: Wake,
}

/// What is limited, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Limit {
    Jobs(Rule),
    /// How often jobs may call a provider. Its name begins with `@`: a limit on jobs may have the rest of it.
    Calls {
        name: String,
        rate: Rate,
    },
}

impl Limit {
    pub fn name(&self) -> &str {
        match self {
            Self::Jobs(rule) => &rule.name,
            Self::Calls { name, .. } => name,
        }
    }

    /// The name of one of its buckets.
    fn bucket(&self, key: Option<&str>) -> Result<String, LimitError> {
        let name = self.name();
        match (self, key) {
            (Self::Jobs(Rule { by: By::All, .. }), Some(_)) => {
                invalid("key", format!("limit `{name}` has one bucket for all; leave the key out"))
            }
            (Self::Jobs(Rule { by: By::All, .. }), None) => Ok(bucket(name, &By::All, "")),
            (Self::Jobs(Rule { by, .. }), Some(key)) => Ok(bucket(name, by, key)),
            (Self::Jobs(Rule { by, .. }), None) => {
                invalid("key", format!("limit `{name}` has a bucket for each {by}; name one"))
            }
            (Self::Calls { .. }, Some(key)) => Ok(store::rule::keyed(name, key)),
            (Self::Calls { .. }, None) => invalid(
                "key",
                format!("limit `{name}` has a bucket for each key that jobs call by; name one"),
            ),
        }
    }
}

/// A limit with its buckets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitUsage {
    #[serde(flatten)]
    pub limit: Limit,
    /// Those in use.
    pub buckets: Vec<BucketRow>,
}

/// All that may keep a job from starting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    pub limits: Vec<LimitUsage>,
    /// Those that have seen a failure since the last answer.
    pub breakers: Vec<BreakerRow>,
}

/// What there is under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    Limit(LimitUsage),
    Breaker(BreakerRow),
}

#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error("there is no limit `{name}`; {}", known_names(.known))]
    Unknown { name: String, known: Vec<String> },
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn known_names(names: &[String]) -> String {
    match names.is_empty() {
        true => "none is configured here, and no process that works has started with one".into(),
        false => format!("there are: {}", names.join(", ")),
    }
}

impl Usage {
    pub async fn overview(&self) -> Result<Overview, LimitError> {
        Ok(Overview { limits: self.limits().await?, breakers: self.store.breakers().await? })
    }

    /// By name, each with its buckets in use.
    async fn limits(&self) -> Result<Vec<LimitUsage>, LimitError> {
        self.book.read().await?;
        let now = self.store.now().await?;
        let mut buckets: Vec<_> =
            self.store.buckets().await?.into_iter().map(|row| shown(row, now)).collect();
        let usage = |limit: Limit| {
            let buckets = buckets.extract_if(.., |row| limit_of(&row.bucket) == limit.name()).collect();
            LimitUsage { limit, buckets }
        };
        Ok(self.known().into_iter().map(usage).collect())
    }

    /// Those on jobs, then those on calls, as far as this process was told of them.
    fn known(&self) -> Vec<Limit> {
        let calls =
            |(name, rate): (&String, &Rate)| Limit::Calls { name: format!("{MARK}{name}"), rate: *rate };
        let jobs = self.book.rules().iter().cloned().map(Limit::Jobs).collect::<Vec<_>>();
        jobs.into_iter().chain(self.calls.rates.iter().map(calls)).collect()
    }

    /// The limit of that name, else the breaker.
    pub async fn show(&self, name: &str) -> Result<Named, LimitError> {
        let Overview { limits, breakers } = self.overview().await?;
        let known = limits.iter().map(|usage| usage.limit.name().to_owned()).collect();
        let limit = limits.into_iter().find(|usage| usage.limit.name() == name).map(Named::Limit);
        let breaker = || breakers.into_iter().find(|breaker| breaker.name == name).map(Named::Breaker);
        limit.or_else(breaker).ok_or_else(|| LimitError::Unknown { name: name.into(), known })
    }

    /// Nothing starts in the bucket, or calls, until then, on any machine. Returns the bucket's name.
    pub async fn pause(
        &self,
        name: &str,
        key: Option<&str>,
        until: Timestamp,
        by: &Actor,
        reason: &str,
    ) -> Result<String, LimitError> {
        if until <= self.store.now().await? {
            return invalid("until", format!("{until} has passed; name a time to come"));
        }
        let bucket = self.bucket(name, key).await?;
        self.store.pause_bucket(&bucket, until, by, reason).await?;
        if bucket.starts_with(MARK) {
            self.calls.limiter.paused(&bucket).await;
        }
        Ok(bucket)
    }

    pub async fn resume(&self, name: &str, key: Option<&str>, by: &Actor) -> Result<String, LimitError> {
        let bucket = self.bucket(name, key).await?;
        self.store.resume_bucket(&bucket, by).await?;
        if bucket.starts_with(MARK) {
            // Calls: no queue was put off.
            return Ok(bucket);
        }
        // Workers have put its queues off to the end of the pause. The poll finds what this does not.
        for queue in self.store.ready_queues().await.unwrap_or_default() {
            self.wake.wake(&queue);
        }
        Ok(bucket)
    }

    async fn bucket(&self, name: &str, key: Option<&str>) -> Result<String, LimitError> {
        self.book.read().await?;
        let limits = self.known();
        match limits.iter().find(|limit| limit.name() == name) {
            Some(limit) => limit.bucket(key),
            None => {
                let known = limits.iter().map(|limit| limit.name().to_owned()).collect();
                Err(LimitError::Unknown { name: name.into(), known })
            }
        }
    }
}

/// What a pause will do, for whoever approves it.
pub fn pausing(name: &str, key: Option<&str>, until: Timestamp, reason: &str) -> Value {
    json!({ "limit": name, "key": key, "until": until, "reason": reason })
}

pub fn resuming(name: &str, key: Option<&str>) -> Value {
    json!({ "limit": name, "key": key })
}

fn invalid<T>(field: &'static str, problem: String) -> Result<T, LimitError> {
    Err(LimitError::Invalid { field, problem })
}

/// A pause that is over is none.
fn shown(row: BucketRow, now: Timestamp) -> BucketRow {
    match row.paused_until {
        Some(until) if until <= now => BucketRow { paused_until: None, paused_by: None, reason: None, ..row },
        _ => row,
    }
}
