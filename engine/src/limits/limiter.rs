//! Limits of what is no job: how often jobs, on all machines together, may call a provider.
//!
//! There are two ways to keep such a limit, with the same answers. [`StoreLimiter`] asks the store each time.
//! [`super::redis::RedisLimiter`] has the store set a stretch of the rate aside and gives that out in Redis, so that
//! the store is asked a few times in a second instead of once for each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use store::rule::Rate;
use store::{Result, Store, Taken};

/// What cannot stand in the name of a limit on jobs: buckets of calls are never mistaken for theirs.
pub const MARK: char = '@';

#[async_trait]
pub trait Limiter: Send + Sync {
    /// Takes `count` of a rate at once, or nothing and says how long to wait.
    async fn take(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken>;

    /// The store has a pause for the bucket: from here on nothing is given out that was set aside before.
    async fn paused(&self, bucket: &str);
}

pub struct StoreLimiter {
    pub store: Arc<dyn Store>,
}

#[async_trait]
impl Limiter for StoreLimiter {
    async fn take(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken> {
        self.store.take_starts(bucket, rate, count).await
    }

    async fn paused(&self, _: &str) {}
}

/// The limits on calls that the configuration names, with the way to keep them.
#[derive(Clone)]
pub struct Calls {
    pub rates: Arc<BTreeMap<String, Rate>>,
    pub limiter: Arc<dyn Limiter>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallsError {
    #[error("limit `{0}` on calls is not configured; set calls.{0}.rate")]
    Unknown(String),
    #[error("count: {count}; limit `{limit}` gives from 1 to {burst} at once, its burst")]
    TooMany { limit: String, count: u32, burst: u32 },
}

impl Calls {
    /// Refuses what could never be granted.
    pub fn rate(&self, limit: &str, count: u32) -> std::result::Result<Rate, CallsError> {
        let rate = *self.rates.get(limit).ok_or_else(|| CallsError::Unknown(limit.into()))?;
        match (1..=rate.burst.max(1)).contains(&count) {
            true => Ok(rate),
            false => Err(CallsError::TooMany { limit: limit.into(), count, burst: rate.burst.max(1) }),
        }
    }

    pub fn bucket(limit: &str, key: &str) -> String {
        format!("{MARK}{}", store::rule::keyed(limit, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_be_granted_is_refused() {
        struct Never;
        #[async_trait]
        impl Limiter for Never {
            async fn take(&self, _: &str, _: Rate, _: u32) -> Result<Taken> {
                Ok(Taken::Granted)
            }
            async fn paused(&self, _: &str) {}
        }
        let rate = Rate { pace: "5/s".parse().expect("a rate"), burst: 3 };
        let calls = Calls { rates: Arc::new([("api".to_owned(), rate)].into()), limiter: Arc::new(Never) };

        assert_eq!(calls.rate("api", 3), Ok(rate));
        for (limit, count, says) in [
            ("apis", 1, "limit `apis` on calls is not configured; set calls.apis.rate"),
            ("api", 0, "count: 0; limit `api` gives from 1 to 3 at once, its burst"),
            ("api", 4, "count: 4; limit `api` gives from 1 to 3 at once, its burst"),
        ] {
            let refused = calls.rate(limit, count).map_err(|problem| problem.to_string());
            assert_eq!(refused, Err(says.to_owned()));
        }
        assert_eq!(Calls::bucket("api", "acct-7"), "@api/acct-7");
    }
}
