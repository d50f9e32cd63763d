//! What one process has in hand of a bucket: some of it taken ahead, so that whoever calls a thousand times in a second
//! is not counted a thousand times elsewhere; or the knowledge that there is nothing for a while. Pure.

use std::time::Duration;

use store::{Allowance, RateTold};

/// So much of a rate is taken at once. Below twenty in a second that is one, and the limit is kept to the last call.
const AHEAD: Duration = Duration::from_millis(100);

/// What is in hand for longer goes back.
const HELD: Duration = Duration::from_secs(1);

/// Others may give something back, so nobody believes for longer that there is nothing.
const SHUT: Duration = Duration::from_secs(1);

/// Where so many are taken at once, more are fetched before the last is gone, so that nobody waits for them.
const WORTH_FETCHING: u32 = 16;

#[derive(Debug, Default)]
pub struct Hand {
    tokens: u32,
    /// Somebody is on the way for more.
    fetching: bool,
    /// When they were taken, and how far behind the bucket was then.
    asked_at: Duration,
    behind: i64,
    shut_until: Duration,
}

/// What a caller is told of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub limit: u32,
    pub left: u32,
    /// Until all of it is there again.
    pub reset: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    Granted(Standing),
    Refused(Standing, Duration),
    /// So many are to be taken, and so many given back.
    Ask {
        want: u32,
        back: u32,
    },
}

impl Hand {
    /// One for a caller, while so many wait for it, this one included.
    pub fn draw(&mut self, of: Allowance, waiting: u32, now: Duration) -> Drawn {
        let is_fresh = now < self.asked_at + HELD;
        if self.tokens > 0 && is_fresh {
            self.tokens -= 1;
            return Drawn::Granted(self.standing(of, now));
        }
        if now < self.shut_until {
            let wait = of.wait(self.behind_at(now)).max(1);
            return Drawn::Refused(self.standing(of, now), Duration::from_micros(wait.unsigned_abs()));
        }
        let back = std::mem::take(&mut self.tokens);
        Drawn::Ask { want: ahead(of).max(waiting).max(1), back }
    }

    pub fn filled(&mut self, of: Allowance, told: RateTold, now: Duration) {
        (self.tokens, self.behind, self.asked_at) = (told.taken, told.behind, now);
        let wait = Duration::from_micros(of.wait(told.behind).unsigned_abs());
        self.shut_until =
            if told.taken == 0 { now + wait.clamp(Duration::from_micros(1), SHUT) } else { now };
    }

    /// How many whoever has just been granted one is to fetch for others. One fetches.
    pub fn due_fetch(&mut self, of: Allowance) -> Option<u32> {
        let ahead = ahead(of);
        let is_due = !self.fetching && ahead >= WORTH_FETCHING && self.tokens < ahead / 2;
        self.fetching |= is_due;
        is_due.then_some(ahead)
    }

    /// What came of fetching. Where it was nothing, whoever finds none left asks, and is told why.
    pub fn fetched(&mut self, told: Option<RateTold>, now: Duration) {
        self.fetching = false;
        if let Some(told) = told.filter(|told| told.taken > 0) {
            (self.tokens, self.behind, self.asked_at) =
                (self.tokens.saturating_add(told.taken), told.behind, now);
        }
    }

    /// What is left over when the process ends.
    pub fn left_over(&mut self) -> u32 {
        std::mem::take(&mut self.tokens)
    }

    /// Whether nothing would be lost with it but what is too old.
    pub fn is_idle(&self, now: Duration) -> bool {
        now >= self.asked_at + HELD && now >= self.shut_until
    }

    fn behind_at(&self, now: Duration) -> i64 {
        let since = i64::try_from(now.saturating_sub(self.asked_at).as_micros()).unwrap_or(i64::MAX);
        self.behind.saturating_sub(since)
    }

    fn standing(&self, of: Allowance, now: Duration) -> Standing {
        let held = i64::from(self.tokens).saturating_mul(of.interval);
        let behind = self.behind_at(now).saturating_sub(held).max(0);
        Standing {
            limit: of.most,
            left: of.left(behind),
            reset: Duration::from_micros(behind.unsigned_abs()),
        }
    }
}

fn ahead(of: Allowance) -> u32 {
    let ahead = i64::try_from(AHEAD.as_micros()).unwrap_or(i64::MAX) / of.interval.max(1);
    u32::try_from(ahead).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pace: &str) -> Allowance {
        Allowance::of(pace.parse().unwrap())
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(10_000 + ms)
    }

    #[test]
    fn more_is_taken_ahead_the_more_may_be_called() {
        for (pace, waiting, want) in [
            ("5/m", 1, 1),
            ("600/m", 1, 1),
            ("1200/m", 1, 2),
            ("600000/m", 1, 1_000),
            ("120/m", 30, 30),
            ("600000/m", 30, 1_000),
        ] {
            let drawn = Hand::default().draw(of(pace), waiting, at(0));
            assert_eq!(drawn, Drawn::Ask { want, back: 0 }, "{pace} {waiting}");
        }
    }

    #[test]
    fn what_is_in_hand_is_used_within_a_second_and_then_given_back() {
        let (of, mut hand) = (of("1200/m"), Hand::default());
        hand.filled(of, RateTold { taken: 2, behind: 100_000 }, at(0));

        let standing =
            |left, reset_ms| Standing { limit: 1_200, left, reset: Duration::from_millis(reset_ms) };
        assert_eq!(hand.draw(of, 1, at(0)), Drawn::Granted(standing(1_199, 50)));
        assert_eq!(hand.draw(of, 1, at(1_000)), Drawn::Ask { want: 2, back: 1 });
        hand.filled(of, RateTold { taken: 2, behind: 100_000 }, at(1_000));
        assert_eq!(hand.draw(of, 1, at(1_040)), Drawn::Granted(standing(1_199, 10)));
        assert!(!hand.is_idle(at(1_999)) && hand.is_idle(at(2_000)));
        assert_eq!(hand.left_over(), 1);
    }

    #[test]
    fn more_is_fetched_by_one_when_half_is_gone_and_only_of_a_high_rate() {
        let (high, low) = (of("600000/m"), of("1200/m"));
        let mut hand = Hand::default();
        hand.filled(high, RateTold { taken: 500, behind: 0 }, at(0));
        assert_eq!(hand.due_fetch(high), None);
        hand.draw(high, 1, at(0));

        assert_eq!([hand.due_fetch(high), hand.due_fetch(high)], [Some(1_000), None]);

        hand.fetched(Some(RateTold { taken: 900, behind: 0 }), at(900));
        assert_eq!(hand.due_fetch(high), None);
        assert_eq!(hand.left_over(), 1_399);
        assert_eq!(hand.due_fetch(high), Some(1_000));
        hand.fetched(None, at(900));
        assert_eq!(hand.due_fetch(high), Some(1_000));
        assert_eq!(Hand::default().due_fetch(low), None);
    }

    #[test]
    fn who_is_refused_is_told_for_how_long_and_nobody_asks_meanwhile() {
        let (of, mut hand) = (of("5/m"), Hand::default());
        hand.filled(of, RateTold { taken: 0, behind: 60_000_000 }, at(0));

        let standing = |reset| Standing { limit: 5, left: 0, reset: Duration::from_secs(reset) };
        assert_eq!(hand.draw(of, 1, at(0)), Drawn::Refused(standing(60), Duration::from_secs(12)));
        assert!(matches!(hand.draw(of, 1, at(999)), Drawn::Refused(..)));
        assert_eq!(hand.draw(of, 3, at(1_000)), Drawn::Ask { want: 3, back: 0 });

        hand.filled(of, RateTold { taken: 0, behind: 48_300_000 }, at(0));
        assert!(matches!(hand.draw(of, 1, at(299)), Drawn::Refused(..)));
        assert!(matches!(hand.draw(of, 1, at(300)), Drawn::Ask { .. }));
    }
}
