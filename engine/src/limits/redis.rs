//! Limits on calls in Redis: what the store has set aside is given out there.
//!
//! The store is where the rate is kept; Redis has a stretch of its time line, for half a second at most. So it does not
//! matter what Redis forgets, who of us can reach it, or when it comes back: whoever asks the store instead gets what
//! lies behind the stretch, and the two together are never more than the limit
//! (`docs/decisions/0033-redis-gives-out-what-the-store-sets-aside.md`).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use jobkit::Clock;
use redis::Script;
use tracing::{debug, info, warn};

use super::absence::Absence;
use super::limiter::Limiter;
use crate::adapters::redis::{Redis, RedisFault};
use store::rule::Rate;
use store::{Reserved, Result, SetAside, Store, Taken, chain};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/take.lua")));
static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/fill.lua")));

/// How much of a rate is set aside at once. Lost when Redis is; and a pause may be noticed so much later where it could
/// not be told.
const STRETCH: Duration = Duration::from_millis(500);

/// When so little is left, more is fetched: time enough for the store to answer.
const LITTLE: Duration = Duration::from_millis(150);

/// Below this it pays to ask the store each time.
const LEAST_IN_A_STRETCH: u32 = 4;

/// While somebody else brings the next stretch.
const SOON: Duration = Duration::from_millis(10);

pub struct RedisLimiter {
    redis: Arc<Redis>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    away: Absence,
}

enum Told {
    Taken,
    Wait(Duration),
    /// Taken, with little left; and the server's time in microseconds.
    TakenWithLittleLeft(i64),
    UsedUp(i64),
}

impl RedisLimiter {
    pub fn new(redis: Arc<Redis>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { redis, store, clock, away: Absence::default() }
    }

    fn key(&self, bucket: &str) -> String {
        self.redis.key(&format!("calls:{bucket}"))
    }

    async fn ask(&self, bucket: &str, pace: Pace, count: u32) -> Result<Told, RedisFault> {
        let mut take = TAKE.key(self.key(bucket));
        take.arg(pace.interval).arg(pace.lead).arg(count).arg(pace.furthest()).arg(signed(LITTLE));
        let (answer, number): (i64, i64) = self.redis.script("taking from a limit", &take).await?;
        Ok(match answer {
            1 => Told::Taken,
            2 => Told::TakenWithLittleLeft(number),
            0 => Told::Wait(Duration::from_micros(number.unsigned_abs())),
            _ => Told::UsedUp(number),
        })
    }

    async fn fill(&self, bucket: &str, stretch: SetAside, asked: i64) -> Result<(), RedisFault> {
        let mut fill = FILL.key(self.key(bucket));
        fill.arg(signed(stretch.from)).arg(signed(stretch.upto)).arg(asked);
        fill.arg(stretch.begins.to_string()).arg(stretch.ends.to_string());
        self.redis.script::<()>("setting a stretch of a limit aside", &fill).await
    }

    /// Before the last stretch is used up; whoever calls has what it wants already.
    async fn fetch(&self, bucket: &str, rate: Rate, pace: Pace, asked: i64) -> Result<(), RedisFault> {
        match self.store.reserve_starts(bucket, rate, pace.stretch).await {
            Ok(Reserved::SetAside(stretch)) => self.fill(bucket, stretch, asked).await,
            Ok(Reserved::Paused(_)) => self.forget(bucket).await,
            Ok(Reserved::Behind(_)) => Ok(()),
            // Whoever finds nothing left asks again, and says what is wrong.
            Err(problem) => {
                debug!("a stretch of a limit could not be set aside: {}", chain(&problem));
                Ok(())
            }
        }
    }

    async fn forget(&self, bucket: &str) -> Result<(), RedisFault> {
        let key = self.key(bucket);
        self.redis.query::<()>("forgetting a stretch of a limit", redis::cmd("DEL").arg(key)).await
    }

    /// Past Redis. What is set aside ahead would never leave anything to whoever comes when it is due, so this waits for
    /// its own.
    async fn directly(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken> {
        match self.store.reserve_starts(bucket, rate, count).await? {
            Reserved::SetAside(stretch) => {
                let lead = Duration::from_nanos(rate.lead().unsigned_abs());
                let last =
                    stretch.upto.saturating_sub(Duration::from_nanos(rate.pace.interval().unsigned_abs()));
                self.clock.sleep(last.saturating_sub(lead)).await;
                Ok(Taken::Granted)
            }
            Reserved::Paused(wait) | Reserved::Behind(wait) => Ok(Taken::Wait(wait)),
        }
    }

    async fn try_take(
        &self,
        bucket: &str,
        rate: Rate,
        count: u32,
        pace: Pace,
    ) -> Result<Result<Taken>, RedisFault> {
        let mut asked_again = false;
        loop {
            let asked = match self.ask(bucket, pace, count).await? {
                Told::Taken => return Ok(Ok(Taken::Granted)),
                Told::TakenWithLittleLeft(now) => {
                    self.fetch(bucket, rate, pace, now).await?;
                    return Ok(Ok(Taken::Granted));
                }
                Told::Wait(wait) => return Ok(Ok(Taken::Wait(wait))),
                Told::UsedUp(now) => now,
            };
            match self.store.reserve_starts(bucket, rate, pace.stretch.max(count)).await {
                Err(problem) => return Ok(Err(problem)),
                Ok(Reserved::Paused(wait)) => return Ok(Ok(Taken::Wait(wait))),
                Ok(Reserved::SetAside(stretch)) => self.fill(bucket, stretch, asked).await?,
                // Somebody set a stretch aside and is about to bring it here; or Redis has forgotten it.
                Ok(Reserved::Behind(wait)) if asked_again => return Ok(Ok(Taken::Wait(wait.min(SOON)))),
                Ok(Reserved::Behind(_)) => {}
            }
            asked_again = true;
        }
    }

    fn answered(&self) {
        if self.away.ended() {
            info!("limits on calls are given out by Redis again");
        }
    }

    fn failed(&self, fault: &RedisFault) {
        if self.away.began(&*self.clock) {
            warn!("limits on calls are taken from the store until Redis answers: {}", chain(fault));
        }
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn take(&self, bucket: &str, rate: Rate, count: u32) -> Result<Taken> {
        let pace = Pace::of(rate);
        if pace.stretch < LEAST_IN_A_STRETCH {
            return self.store.take_starts(bucket, rate, count).await;
        }
        if self.away.is_left_alone(&*self.clock) {
            return self.directly(bucket, rate, count).await;
        }
        match self.try_take(bucket, rate, count, pace).await {
            Ok(answer) => {
                self.answered();
                answer
            }
            Err(fault) => {
                self.failed(&fault);
                self.directly(bucket, rate, count).await
            }
        }
    }

    async fn paused(&self, bucket: &str) {
        if let Err(fault) = self.forget(bucket).await {
            self.failed(&fault);
        }
    }
}

/// A rate in the microseconds of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    /// Rounded up: never more than was asked for.
    interval: i64,
    lead: i64,
    /// How many are set aside at once.
    stretch: u32,
}

impl Pace {
    fn of(rate: Rate) -> Self {
        let interval = (rate.pace.interval() + 999) / 1_000;
        let stretch = signed(STRETCH) / interval.max(1);
        Self {
            interval,
            lead: interval.saturating_mul(i64::from(rate.burst.max(1)) - 1),
            stretch: u32::try_from(stretch).unwrap_or(u32::MAX),
        }
    }

    /// A stretch begins by the lead from now at the latest. One that is for a large burst at once is longer.
    fn furthest(self) -> i64 {
        self.lead.saturating_mul(2).saturating_add(signed(4 * STRETCH))
    }
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_rounded_so_that_it_is_never_more() {
        for (pace, burst, interval, lead, stretch) in [
            ("50/s", 1, 20_000, 0, 25),
            ("3/s", 4, 333_334, 1_000_002, 1),
            ("1000000/s", 1, 1, 0, 500_000),
            ("3000/h", 10, 1_200_000, 10_800_000, 0),
        ] {
            let rate = Rate { pace: pace.parse().expect("a rate"), burst };
            assert_eq!(Pace::of(rate), Pace { interval, lead, stretch }, "{pace}");
        }
    }
}
