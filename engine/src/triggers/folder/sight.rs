//! When people are told that a trigger cannot see what it looks at. Pure.
//!
//! The alert is one for all processes that look. So one that cannot see says it again now and then, in case another that can
//! has ended it; and one that can says so when it could not before, or when it has just started.

use std::time::Duration;

/// A network is away for a moment now and then.
const TOLD_AFTER: Duration = Duration::from_secs(60);
const SAID_AGAIN: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Blind,
    Seeing,
}

#[derive(Default)]
pub(super) struct Sight {
    blind_since: Option<Duration>,
    said: Option<(Said, Duration)>,
}

impl Sight {
    /// What is to be said now, if anything.
    pub fn look(&mut self, sees: bool, now: Duration) -> Option<Said> {
        if sees {
            self.blind_since = None;
            return (!matches!(self.said, Some((Said::Seeing, _)))).then_some(Said::Seeing);
        }
        let since = *self.blind_since.get_or_insert(now);
        let lately = matches!(self.said, Some((Said::Blind, at)) if now.saturating_sub(at) < SAID_AGAIN);
        (!lately && now.saturating_sub(since) >= TOLD_AFTER).then_some(Said::Blind)
    }

    pub fn said(&mut self, what: Said, now: Duration) {
        self.said = Some((what, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blindness_is_told_when_it_lasts_and_its_end_once() {
        let mut sight = Sight::default();
        for (second, sees, say) in [
            // Another process, or this one before, may have been blind.
            (0, true, Some(Said::Seeing)),
            (10, true, None),
            (20, false, None),
            (79, false, None),
            (80, false, Some(Said::Blind)),
            (90, false, None),
            (680, false, Some(Said::Blind)),
            (690, true, Some(Said::Seeing)),
            (700, false, None),
            (710, true, None),
            (720, false, None),
        ] {
            let now = Duration::from_secs(second);
            assert_eq!(sight.look(sees, now), say, "at {second}");
            if let Some(say) = say {
                sight.said(say, now);
            }
        }
    }
}
