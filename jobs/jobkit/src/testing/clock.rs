//! A clock that moves only when the test moves it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::Clock;

pub struct ManualClock {
    state: Mutex<State>,
}

struct State {
    now: Timestamp,
    steady: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
    runs_freely: bool,
}

impl Default for ManualClock {
    fn default() -> Self {
        // A Friday, so that weekends come soon.
        Self::at(Timestamp::from_second(1_767_348_000).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self {
            state: Mutex::new(State {
                now,
                steady: Duration::ZERO,
                sleepers: Vec::new(),
                runs_freely: false,
            }),
        }
    }

    /// Both clocks go on together, as time does; sleepers that are due wake.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now += by;
        state.steady += by;
        let steady = state.steady;
        let (due, waiting): (Vec<_>, Vec<_>) = state.sleepers.drain(..).partition(|(at, _)| *at <= steady);
        state.sleepers = waiting;
        for (_, wake) in due {
            // A sleeper that gave up meanwhile is no concern of ours.
            let _ = wake.send(());
        }
    }

    /// From here on whoever sleeps moves the clock instead of waiting for the test, for a job that runs alone.
    pub fn run_freely(&self) {
        self.lock().runs_freely = true;
    }

    /// Only the wall clock jumps, as when a person sets it.
    pub fn set(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// How many are asleep: a test waits for this before it advances.
    pub fn sleepers(&self) -> usize {
        let mut state = self.lock();
        state.sleepers.retain(|(_, wake)| !wake.is_closed());
        state.sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn steady(&self) -> Duration {
        self.lock().steady
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() {
            return std::future::ready(()).boxed();
        }
        if self.lock().runs_freely {
            self.advance(duration);
            return std::future::ready(()).boxed();
        }
        let mut state = self.lock();
        let (wake, woken) = oneshot::channel();
        let at = state.steady + duration;
        state.sleepers.push((at, wake));
        woken.map(|_| ()).boxed()
    }
}
