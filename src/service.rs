//! Start and stop: how every long-lived part behaves, and how it waits for a world that is away.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// A part that runs until it is told to stop, and is waited for.
pub struct Service {
    name: &'static str,
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Service {
    /// The future is given the token that tells it to stop; it finishes what it holds, then ends.
    pub fn start<F>(name: &'static str, body: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let handle = tokio::spawn(body(stop.clone()));
        Self { name, stop, handle }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(problem) = self.handle.await {
            error!(service = self.name, "{} ended badly: {problem}", self.name);
        }
    }
}

/// Back-off for a database or provider that is away: it is waited for, said so once, and said when it is
/// back. Neither exits nor spins.
pub struct Patience {
    what: &'static str,
    clock: Arc<dyn Clock>,
    failures: u32,
    since: Duration,
    last_said: Duration,
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
const SAY_AGAIN: Duration = Duration::from_secs(30);

impl Patience {
    pub fn new(what: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { what, clock, failures: 0, since: Duration::ZERO, last_said: Duration::ZERO }
    }

    pub fn is_waiting(&self) -> bool {
        self.failures > 0
    }

    /// Call after a success. True when there was trouble before.
    pub fn succeeded(&mut self) -> bool {
        if self.failures == 0 {
            return false;
        }
        let away = self.clock.steady().saturating_sub(self.since);
        info!(service = self.what, away_ms = away.as_millis(), "{} works again after {away:.1?}", self.what);
        self.failures = 0;
        true
    }

    /// Call after a failure; says so and waits.
    pub async fn failed(&mut self, problem: &(dyn std::error::Error + Sync)) {
        let now = self.clock.steady();
        if self.failures == 0 {
            self.since = now;
        }
        if self.failures == 0 || now.saturating_sub(self.last_said) >= SAY_AGAIN {
            warn!(
                service = self.what,
                "{} fails and will be tried until it works: {}",
                self.what,
                chain(problem)
            );
            self.last_said = now;
        }
        let wait = delay(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.clock.sleep(wait).await;
    }
}

fn delay(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(10)).min(LONGEST)
}

/// An error with all its causes on one line.
pub fn chain(problem: &dyn std::error::Error) -> String {
    let mut text = problem.to_string();
    let mut next = problem.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit() {
        let waits: Vec<_> = [0, 1, 2, 5, 60].map(delay).into();
        assert_eq!(waits, [100, 200, 400, 2_000, 2_000].map(Duration::from_millis));
    }
}
