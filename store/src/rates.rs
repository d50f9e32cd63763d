//! How often somebody may call, counted for all processes together: so many at once after a rest, and then one more
//! whenever its time has come (GCRA). One number is kept for each bucket: when all of it is there again.

use async_trait::async_trait;

use super::Result;
use super::rule::Pace;

/// SHA-256 of what is counted and for whom.
pub type RateBucket = [u8; 32];

/// How much there is: the count of the pace at once, and one more each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// In microseconds, rounded up: never more than was asked for.
    pub interval: i64,
    pub most: u32,
}

impl Allowance {
    pub fn of(pace: Pace) -> Self {
        Self { interval: (pace.interval() + 999) / 1_000, most: pace.count }
    }

    fn whole(self) -> i64 {
        self.interval.saturating_mul(i64::from(self.most))
    }

    /// What is left where all is there again in so many microseconds.
    pub fn left(self, behind: i64) -> u32 {
        u32::try_from((self.whole() - behind.max(0)) / self.interval.max(1)).unwrap_or(0)
    }

    /// The microseconds until one is left.
    pub fn wait(self, behind: i64) -> i64 {
        (behind + self.interval - self.whole()).max(0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateAsk {
    pub bucket: RateBucket,
    pub of: Allowance,
    pub want: u32,
    /// Taken before, and not used.
    pub back: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateTold {
    /// As many as were wanted, or as there were.
    pub taken: u32,
    /// The microseconds until all of it is there again.
    pub behind: i64,
}

/// What both stores, Redis and a process that reaches none of them do alike. `full_at` is kept; none is a bucket at rest.
/// A clock that was set back holds nobody up for longer than all takes to come again.
pub fn take(ask: &RateAsk, full_at: Option<i64>, now: i64) -> (RateTold, i64) {
    let RateAsk { of, want, back, .. } = *ask;
    let latest = now.saturating_add(of.whole());
    let given_back = of.interval.saturating_mul(i64::from(back));
    let base = full_at.map_or(now, |at| at.saturating_sub(given_back).min(latest).max(now));
    let taken = u32::try_from((latest - base) / of.interval.max(1)).unwrap_or(u32::MAX).min(want);
    let full_at = base + of.interval.saturating_mul(i64::from(taken));
    (RateTold { taken, behind: full_at - now }, full_at)
}

#[async_trait]
pub trait Rates: Send + Sync + 'static {
    /// One statement, which need not be on the disk when it is answered: what a crash of the database forgets of it are
    /// moments.
    async fn take_rate(&self, ask: &RateAsk) -> Result<RateTold>;

    /// Deletes what counts nothing any more, up to `limit`.
    async fn forget_rates(&self, limit: usize) -> Result<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn ask(pace: &str, want: u32, back: u32) -> RateAsk {
        RateAsk { bucket: [0; 32], of: Allowance::of(pace.parse().unwrap()), want, back }
    }

    #[test]
    fn so_many_are_there_at_once_and_then_one_at_a_time() {
        let hour = 3_600 * SECOND;
        // Five a minute: one more every twelve seconds.
        for (full_at, now, want, back, taken, behind) in [
            (None, 0, 1, 0, 1, 12),
            (None, 0, 9, 0, 5, 60),
            (Some(60), 0, 1, 0, 0, 60),
            (Some(60), 11, 1, 0, 0, 49),
            (Some(60), 12, 1, 0, 1, 60),
            (Some(60), 24, 9, 0, 2, 60),
            (Some(60), 60, 9, 0, 5, 60),
            (Some(60), 3_600, 9, 0, 5, 60),
            // What is given back can be had by the next, and adds nothing to a bucket at rest.
            (Some(60), 0, 1, 2, 1, 48),
            (Some(60), 0, 0, 5, 0, 0),
            (None, 0, 9, 9, 5, 60),
            (Some(12), 0, 9, 9, 5, 60),
            // The clock was set back by an hour.
            (Some(3_660), 0, 1, 0, 0, 60),
        ] {
            let told =
                take(&ask("5/m", want, back), full_at.map(|at: i64| hour + at * SECOND), hour + now * SECOND);
            let expected = RateTold { taken, behind: behind * SECOND };
            assert_eq!(told, (expected, hour + (now + behind) * SECOND), "{full_at:?} {now} {want} {back}");
        }
    }

    #[test]
    fn what_is_left_and_how_long_to_wait_follows_from_it() {
        let five = Allowance::of("5/m".parse().unwrap());
        for (behind, left, wait) in
            [(0, 5, 0), (1, 4, 0), (12, 4, 0), (48, 1, 0), (49, 0, 1), (60, 0, 12), (3_600, 0, 3_552)]
        {
            let behind = behind * SECOND;
            assert_eq!((five.left(behind), five.wait(behind)), (left, wait * SECOND), "{behind}");
        }
        assert_eq!(Allowance::of("7/m".parse().unwrap()).interval, 8_571_429);
        assert_eq!(Allowance::of("1000000/s".parse().unwrap()).interval, 1);
    }
}
