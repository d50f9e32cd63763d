//! The clock of the machine: the only place that reads it. Everything else is given a `Clock`, and a test
//! gives it one that it can set.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::Clock;

#[derive(Debug, Clone)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's own adapter")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's own adapter")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn steady(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_steady_clock_goes_forward_by_what_was_slept() {
        let clock = SystemClock::new();
        let before = clock.steady();

        clock.sleep(Duration::from_millis(5)).await;

        assert!(clock.steady() >= before + Duration::from_millis(5));
        assert!(clock.now() > Timestamp::UNIX_EPOCH);
    }
}
