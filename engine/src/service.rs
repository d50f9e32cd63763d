//! Start and stop: how every long-lived part behaves, and how it waits for a world that is away.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use jobkit::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use store::chain;

/// A part that runs until it is told to stop, and is waited for. Dropped, it ends where it stands.
pub struct Service {
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Service {
    /// The future is given the token that tells it to stop; it finishes what it holds, then ends. A panic
    /// raises the alarm.
    pub fn start<F>(name: &'static str, alarm: &Alarm, body: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, alarm) = (CancellationToken::new(), alarm.clone());
        let body = AssertUnwindSafe(body(stop.clone())).catch_unwind();
        let handle = tokio::spawn(async move {
            if let Err(panic) = body.await {
                alarm.raise(Panicked { service: name, text: panic_text(&*panic) });
            }
        });
        Self { stop, handle }
    }

    /// Something that goes on by itself and may be left at any moment: the store does each of its calls whole or
    /// not at all.
    pub fn passing(
        name: &'static str,
        alarm: &Alarm,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self::start(name, alarm, |stop| async move {
            stop.run_until_cancelled(work).await.unwrap_or_default();
        })
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        // A panic has raised the alarm, and nobody else ends a service that is waited for.
        let _ = (&mut self.handle).await;
    }
}

impl Service {
    /// As `stop`, and where the limit comes first it ends where it stands.
    pub async fn stop_within(mut self, limit: impl Future<Output = ()>) {
        self.stop.cancel();
        tokio::select! {
            _ = &mut self.handle => return,
            () = limit => self.handle.abort(),
        }
        // Until it is at rest: another thread may be in the middle of it.
        let _ = (&mut self.handle).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// A service ended that nobody had told to: a bug of ours, or a limit of the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {service} panicked: {text}")]
pub struct Panicked {
    pub service: &'static str,
    pub text: String,
}

/// Raised when a service has panicked. A process that goes on without its rescuer or its lease looks well and
/// is not, so it ends, and whoever supervises it starts it anew.
#[derive(Debug, Clone, Default)]
pub struct Alarm {
    first: Arc<OnceLock<Panicked>>,
    raised: CancellationToken,
}

impl Alarm {
    fn raise(&self, panicked: Panicked) {
        error!(service = panicked.service, "{panicked}; this process ends, and must be started again");
        // The first is the cause.
        let _ = self.first.set(panicked);
        self.raised.cancel();
    }

    pub async fn raised(&self) {
        self.raised.cancelled().await;
    }

    pub fn check(&self) -> Result<(), Panicked> {
        self.first.get().cloned().map_or(Ok(()), Err)
    }
}

/// What somebody said who panicked.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into())
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

/// How long to wait after that many failures before this one.
pub fn delay(failures: u32) -> Duration {
    SHORTEST.saturating_mul(1 << failures.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_panics_raises_the_alarm_at_once() {
        let alarm = Alarm::default();
        let steady = Service::start("steady", &alarm, |stop| async move { stop.cancelled().await });
        assert_eq!(alarm.check(), Ok(()));

        let _broken = Service::start("rescuer", &alarm, |_| async { panic!("out of luck") });

        alarm.raised().await;
        let panicked = Panicked { service: "rescuer", text: "out of luck".into() };
        assert_eq!(alarm.check(), Err(panicked));
        steady.stop().await;
    }

    #[test]
    fn the_wait_doubles_up_to_a_limit() {
        let waits: Vec<_> = [0, 1, 2, 5, 60].map(delay).into();
        assert_eq!(waits, [100, 200, 400, 2_000, 2_000].map(Duration::from_millis));
    }
}
