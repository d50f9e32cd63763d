//! Deliveries that nobody known has signed, told to the log now and then: strangers may come as often as they like.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobkit::Clock;
use tracing::warn;

/// How often the log says that deliveries are refused.
const SAY_AGAIN: Duration = Duration::from_secs(30);

pub struct Refusals {
    /// `webhook` or `door`.
    what: &'static str,
    clock: Arc<dyn Clock>,
    counted: Mutex<Counted>,
}

impl Refusals {
    pub fn of(what: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { what, clock, counted: Mutex::default() }
    }

    /// One more, to the one of this name.
    pub fn another(&self, name: &str, why: &dyn Display) {
        let counted = &mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let what = self.what;
        match counted.another(self.clock.steady()) {
            Some(1) => warn!("a delivery to the {what} {name} is refused: {why}"),
            Some(many) => warn!("{many} deliveries to {what}s are refused, at last one to {name}: {why}"),
            None => {}
        }
    }
}

#[derive(Default)]
struct Counted {
    said_at: Option<Duration>,
    unsaid: u64,
}

impl Counted {
    /// How many there were since it was said last, when it is to be said again.
    fn another(&mut self, now: Duration) -> Option<u64> {
        self.unsaid += 1;
        if self.said_at.is_some_and(|at| now.saturating_sub(at) < SAY_AGAIN) {
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_fill_the_log() {
        let mut counted = Counted::default();
        let said: Vec<_> = [0, 1, 29, 30, 31, 90].map(|at| counted.another(Duration::from_secs(at))).into();

        assert_eq!(said, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
