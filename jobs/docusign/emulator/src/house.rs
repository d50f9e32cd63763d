//! The emulator as all its parts see it: the state behind its lock, the clock, and what wakes whom.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::state::State;

pub struct House {
    state: Mutex<State>,
    pub clock: Clock,
    pub latency: Duration,
    /// The control API answers only where strangers cannot ask.
    pub loopback: bool,
    /// There may be messages to deliver.
    pub news: Notify,
    /// A delivery was answered.
    pub settled: Notify,
    pub stop: CancellationToken,
}

impl House {
    pub fn new(state: State, clock: Clock, latency: Duration, loopback: bool) -> Self {
        Self {
            state: Mutex::new(state),
            clock,
            latency,
            loopback,
            news: Notify::new(),
            settled: Notify::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Everything that looks or changes does it here: what time brought has happened before, and what came of it is
    /// told afterwards.
    pub fn with<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let mut state = self.lock();
        let before = state.messages.len();
        let now = self.clock.now();
        state.pass(now);
        let done = work(&mut state, now);
        if state.messages.len() > before {
            self.news.notify_one();
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changes are made on a copy and put in whole, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
