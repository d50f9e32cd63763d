//! Callers counted in Redis, by its own clock: one script, one round trip.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;
use store::{RateAsk, RateTold};

use crate::adapters::redis::{Redis, RedisFault};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/take.lua")));

/// A caller waits for it, so it has no more time than this.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

#[derive(Debug, thiserror::Error)]
pub enum NotCounted {
    #[error(transparent)]
    Fault(#[from] RedisFault),
    #[error("Redis has not counted a caller within {ANSWER_WITHIN:?}")]
    Late,
}

pub async fn take(redis: &Arc<Redis>, ask: &RateAsk) -> Result<RateTold, NotCounted> {
    let mut take = TAKE.key(key(redis, ask));
    take.arg(ask.of.interval).arg(ask.of.most).arg(ask.want).arg(ask.back);
    let told = redis.script::<(u32, i64)>("counting a caller", &take);
    let (taken, behind) = tokio::time::timeout(ANSWER_WITHIN, told).await.map_err(|_| NotCounted::Late)??;
    Ok(RateTold { taken, behind })
}

/// Half of the hash tells as many apart as will ever call.
fn key(redis: &Redis, ask: &RateAsk) -> String {
    let hex: String = ask.bucket[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    redis.key(&format!("callers:{hex}"))
}
