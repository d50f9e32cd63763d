//! A Redis that does not answer is left alone for a moment, and the log says so once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jobkit::Clock;

const LEFT_ALONE: Duration = Duration::from_secs(1);

/// Milliseconds by the steady clock until which it is left alone; 0 while it answers.
#[derive(Debug, Default)]
pub struct Absence(AtomicU64);

impl Absence {
    pub fn is_left_alone(&self, clock: &dyn Clock) -> bool {
        self.0.load(Ordering::Relaxed) > millis(clock.steady())
    }

    /// Whether it is back by this answer.
    pub fn ended(&self) -> bool {
        // Most of the time it was never away, and then nobody needs the line for himself.
        self.0.load(Ordering::Relaxed) > 0 && self.0.swap(0, Ordering::Relaxed) > 0
    }

    /// Whether it went away just now.
    pub fn began(&self, clock: &dyn Clock) -> bool {
        self.0.swap(millis(clock.steady() + LEFT_ALONE), Ordering::Relaxed) == 0
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jobkit::testing::ManualClock;

    use super::*;

    #[test]
    fn it_is_left_alone_for_a_moment_and_news_is_told_once() {
        let (clock, absence) = (ManualClock::default(), Absence::default());
        assert!(!absence.is_left_alone(&clock) && !absence.ended());

        assert!(absence.began(&clock) && !absence.began(&clock));
        assert!(absence.is_left_alone(&clock));
        clock.advance(LEFT_ALONE);
        assert!(!absence.is_left_alone(&clock));
        assert!(absence.ended() && !absence.ended());
    }
}
