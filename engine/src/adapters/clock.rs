//! The clock of the machine: the only place that reads it. Everything else is given a `Clock`, and a test
//! gives it one that it can set.

use std::future::Future;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::Clock;
use rustix::time::{ClockId, clock_gettime};

/// Goes on while the machine is suspended, or a laptop that wakes would think that its lease still holds.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock is the one that counts the time asleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

/// The runtime's timers stand still during a suspension, so a sleeper looks at the clock this often.
const LONGEST_NAP: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Default)]
pub struct SystemClock;

impl SystemClock {
    pub fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's own adapter")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn steady(&self) -> Duration {
        steady()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(sleep_by(steady, LONGEST_NAP, duration))
    }
}

fn steady() -> Duration {
    // Never before the machine was started, so neither number is negative.
    Duration::try_from(clock_gettime(STEADY)).unwrap_or_default()
}

fn sleep_by(
    steady: impl Fn() -> Duration + Send,
    longest_nap: Duration,
    duration: Duration,
) -> impl Future<Output = ()> + Send {
    // From when it was asked for, not from when it is first waited for.
    let end = steady().saturating_add(duration);
    async move {
        loop {
            let left = end.saturating_sub(steady());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(longest_nap)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_steady_clock_goes_forward_by_what_was_slept() {
        let clock = SystemClock::new();
        let before = clock.steady();

        clock.sleep(Duration::from_millis(5)).await;

        assert!(clock.steady() >= before + Duration::from_millis(5));
        assert!(clock.now() > Timestamp::UNIX_EPOCH);
    }

    /// The kernel's own figure for the time since the start, time asleep included.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_steady_clock_counts_the_time_asleep() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();

        let apart = SystemClock::new().steady().as_secs_f64() - uptime;

        assert!((0.0..60.0).contains(&(apart + 0.01)), "{apart} s apart");
    }

    /// The lease was once measured, and slept through, with a clock that stands still while the machine is
    /// suspended: whoever woke believed for a quarter of the lease that nothing had happened.
    #[tokio::test]
    async fn a_sleeper_notices_that_the_machine_was_suspended() {
        const HOUR: u64 = 3_600;
        let looks = AtomicU64::new(0);
        // At the first two looks no time has gone by; before the third the machine was suspended.
        let steady = || Duration::from_secs(if looks.fetch_add(1, Ordering::Relaxed) < 2 { 0 } else { HOUR });

        sleep_by(steady, Duration::from_millis(1), Duration::from_secs(HOUR)).await;

        assert_eq!(looks.load(Ordering::Relaxed), 3);
    }
}
