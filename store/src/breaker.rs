//! Circuit breakers: a provider that fails again and again is left alone for a while. Pure.
//!
//! Closed, a breaker counts failures in a row. At so many it opens, and nobody calls for as long as it takes to cool
//! down. Then one tries: if that works it closes, and if not it opens again. Times are microseconds since 1970.

use std::time::Duration;

use jobkit::CallEnd;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many failures in a row open it.
    pub failures: u32,
    pub cool_down: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, cool_down: Duration::from_secs(30) }
    }
}

/// A breaker that nobody knows anything of is closed, and has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreakerState {
    pub failures: u32,
    pub open_until: Option<i64>,
    /// Somebody tries, and is heard of until then or never.
    pub probe_until: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Go,
    /// Go, and note that this is the one who tries.
    Probe(BreakerState),
    WaitUntil(i64),
}

pub fn enter(state: BreakerState, now: i64, rules: BreakerRules) -> Entry {
    match (state.open_until, state.probe_until) {
        (None, _) => Entry::Go,
        (Some(until), _) if until > now => Entry::WaitUntil(until),
        (Some(_), Some(until)) if until > now => Entry::WaitUntil(until),
        (Some(_), _) => Entry::Probe(BreakerState { probe_until: Some(after(now, rules)), ..state }),
    }
}

/// What it is from here on, if that is another than before.
pub fn leave(state: BreakerState, end: CallEnd, now: i64, rules: BreakerRules) -> Option<BreakerState> {
    let failures = state.failures.saturating_add(1);
    let next = match (end, state.open_until) {
        (CallEnd::Answered, _) => BreakerState::default(),
        (CallEnd::Failed, None) if failures < rules.failures => BreakerState { failures, ..state },
        (CallEnd::Failed, _) => {
            BreakerState { failures, open_until: Some(after(now, rules)), probe_until: None }
        }
        // It may be of one who began before it opened, and then somebody else tries: the time of that one runs out.
        (CallEnd::Unknown, _) => state,
    };
    (next != state).then_some(next)
}

/// What the audit log says of such a change: a provider is left alone for everybody, or is not any more.
pub fn told(before: BreakerState, next: BreakerState) -> Option<&'static str> {
    match (before.open_until, next.open_until) {
        (None, Some(_)) => Some("breaker.open"),
        (Some(_), None) => Some("breaker.close"),
        _ => None,
    }
}

fn after(now: i64, rules: BreakerRules) -> i64 {
    now.saturating_add(i64::try_from(rules.cool_down.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BreakerRules = BreakerRules { failures: 3, cool_down: Duration::from_micros(100) };

    fn state(failures: u32, open_until: Option<i64>, probe_until: Option<i64>) -> BreakerState {
        BreakerState { failures, open_until, probe_until }
    }

    #[test]
    fn one_tries_when_it_has_cooled_down_and_the_others_wait_for_it() {
        for (before, entry) in [
            (state(0, None, None), Entry::Go),
            (state(2, None, None), Entry::Go),
            (state(3, Some(1_001), None), Entry::WaitUntil(1_001)),
            (state(3, Some(1_000), None), Entry::Probe(state(3, Some(1_000), Some(1_100)))),
            (state(3, Some(900), Some(1_050)), Entry::WaitUntil(1_050)),
            // Whoever tried was never heard of again.
            (state(3, Some(900), Some(1_000)), Entry::Probe(state(3, Some(900), Some(1_100)))),
        ] {
            assert_eq!(enter(before, 1_000, RULES), entry, "{before:?}");
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_closes_it() {
        use CallEnd::{Answered, Failed, Unknown};
        for (before, end, next) in [
            (state(0, None, None), Answered, None),
            (state(2, None, None), Answered, Some(state(0, None, None))),
            (state(1, None, None), Failed, Some(state(2, None, None))),
            (state(2, None, None), Failed, Some(state(3, Some(1_100), None))),
            (state(3, Some(900), Some(1_050)), Answered, Some(state(0, None, None))),
            (state(3, Some(900), Some(1_050)), Failed, Some(state(4, Some(1_100), None))),
            (state(3, Some(900), Some(1_050)), Unknown, None),
            (state(1, None, None), Unknown, None),
        ] {
            assert_eq!(leave(before, end, 1_000, RULES), next, "{before:?} {end:?}");
        }
    }
}
