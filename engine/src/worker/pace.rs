//! How far ahead of its free slots a worker may claim.
//!
//! A claim costs about a millisecond whatever its size, so with jobs of microseconds a worker that claims
//! only for free slots spends its time claiming. With jobs of seconds, claiming ahead only keeps work from
//! other workers. So the allowance follows what the jobs are seen to take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Claimed jobs should wait for a slot no longer than this.
const AHEAD: Duration = Duration::from_millis(40);

/// A moving mean of how long attempts run.
pub struct Pace {
    mean_nanos: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        // Until something has run, nothing is claimed ahead.
        Self { mean_nanos: AtomicU64::new(u64::MAX) }
    }
}

impl Pace {
    pub fn ran(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2);
        let mean = self.mean_nanos.load(Ordering::Relaxed);
        let next = match mean {
            u64::MAX => nanos,
            // A slow job counts at once, a quick one little by little: claiming ahead must be earned.
            mean if nanos > mean => mean / 2 + nanos / 2,
            mean => mean - (mean - nanos) / 16,
        };
        // Two updates at once may lose one of them; it is a mean.
        self.mean_nanos.store(next, Ordering::Relaxed);
    }

    pub fn allowance(&self, concurrency: usize, most: usize) -> usize {
        allowance(concurrency, most, self.mean_nanos.load(Ordering::Relaxed))
    }
}

fn allowance(concurrency: usize, most: usize, mean_nanos: u64) -> usize {
    let ahead = u64::try_from(AHEAD.as_nanos()).unwrap_or(u64::MAX);
    let per_slot = ahead / mean_nanos.max(1);
    let all = per_slot.saturating_mul(concurrency as u64);
    usize::try_from(all).unwrap_or(usize::MAX).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_jobs_earn_an_allowance_and_slow_ones_none() {
        for (mean, expected) in [
            (Duration::from_micros(1), 2_000),
            (Duration::from_millis(1), 2_000),
            (Duration::from_millis(10), 256),
            (Duration::from_millis(40), 64),
            (Duration::from_millis(41), 0),
            (Duration::from_secs(60), 0),
        ] {
            let nanos = u64::try_from(mean.as_nanos()).unwrap();
            assert_eq!(allowance(64, 2_000, nanos), expected, "{mean:?}");
        }
        assert_eq!(Pace::default().allowance(64, 2_000), 0);
    }

    #[test]
    fn one_slow_job_takes_the_allowance_away() {
        let pace = Pace::default();
        for _ in 0..100 {
            pace.ran(Duration::from_micros(5));
        }
        assert_eq!(pace.allowance(64, 2_000), 2_000);

        pace.ran(Duration::from_secs(2));

        assert_eq!(pace.allowance(64, 2_000), 0);
    }
}
