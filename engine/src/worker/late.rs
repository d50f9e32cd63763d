//! Whether a reserved start may still be used.
//!
//! A job that begins later than it was to may begin together with those that come after it, and more would start in
//! that second than the limit allows; so it is given back, and gets another start. A limit is a promise to somebody
//! else, and is kept on a machine that is too slow for it as well: there it is not used up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::warn;

use store::StartWindow;

/// Jobs are handed to their slot so long before they may start, and wait there: what lies between is not to make them late.
pub const EARLY: Duration = Duration::from_millis(20);

/// One that is late is nothing to tell of.
const SAY_AT: u64 = 20;
const SAY_AGAIN_EVERY: u64 = 1_000;

#[derive(Debug, Default)]
pub struct Lateness {
    in_a_row: AtomicU64,
}

impl Lateness {
    pub fn allows(&self, start: StartWindow, now: Duration) -> bool {
        if now <= start.until {
            self.in_a_row.store(0, Ordering::Relaxed);
            return true;
        }
        let in_a_row = 1 + self.in_a_row.fetch_add(1, Ordering::Relaxed);
        if in_a_row == SAY_AT || in_a_row.is_multiple_of(SAY_AGAIN_EVERY) {
            warn!(
                jobs.late = in_a_row,
                "{in_a_row} jobs in a row came too late for the starts that a limit had for them and were given back; \
                 this machine is too busy for them"
            );
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_over_when_its_window_is_and_each_time_anew() {
        let ms = Duration::from_millis;
        let start = StartWindow { from: ms(100), until: ms(120) };
        let lateness = Lateness::default();

        let allowed: Vec<_> = [100, 120, 121, 121, 900, 120].map(|at| lateness.allows(start, ms(at))).into();

        assert_eq!(allowed, [true, true, false, false, false, true]);
    }
}
