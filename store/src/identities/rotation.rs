//! What becomes of a session when a refresh token is shown; pure. Both stores ask under a lock on the session's row.
//!
//! Refresh tokens are numbered, and a session knows the number that may be used next. The first use of it makes one
//! successor. The same token again a moment later is a second tab, or an answer that was lost: it gets the same
//! successor. Later it is somebody who should not have it, and nobody can tell which of the two that is: the session
//! ends for both.

use std::time::Duration;

use jiff::Timestamp;

use super::{Ending, SessionRow, UserRow};

/// For so long a token that was used gets its successor again.
pub const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The successor is made: the session's generation is this one now.
    Next(u64),
    /// It was made a moment ago.
    Same(u64),
    /// The session ends here.
    End(Ending),
    /// It had ended before.
    Over,
}

#[derive(Debug, Clone)]
pub enum Rotated {
    /// The session as it is now, and the number of the token to give out.
    To(Box<(SessionRow, UserRow)>, u64),
    /// It has ended, by this or before.
    Ended(Ending),
    Unknown,
}

/// What is done with the session, `generation` being that of the token.
pub fn decide(
    session: &SessionRow,
    user: &UserRow,
    generation: u64,
    idle: Duration,
    now: Timestamp,
) -> Verdict {
    if session.ended.is_some() {
        return Verdict::Over;
    }
    if user.disabled_at.is_some() {
        return Verdict::End(Ending::Disabled);
    }
    if let Some(why) = session.over(idle, now) {
        return Verdict::End(why);
    }
    let recent = |at: Option<Timestamp>| at.is_some_and(|at| since(now, at) <= GRACE);
    let behind = session.generation.checked_sub(generation);
    match behind {
        Some(0) => Verdict::Next(session.generation + 1),
        Some(1) if recent(session.rotated_at) => Verdict::Same(generation + 1),
        // Its successor was used within the same moment, and has a grace of its own.
        Some(2) if recent(session.rotated_before) => Verdict::Same(generation + 1),
        // One that was never made out is no less a sign that somebody makes tokens.
        _ => Verdict::End(Ending::Reused),
    }
}

impl SessionRow {
    /// Why it may not be used any more, by time alone.
    pub fn over(&self, idle: Duration, now: Timestamp) -> Option<Ending> {
        if now >= self.expires_at {
            Some(Ending::Expired)
        } else if since(now, self.used_at) > idle {
            Some(Ending::Idle)
        } else {
            None
        }
    }

    /// Whether it may be used.
    pub fn lives(&self, idle: Duration, now: Timestamp) -> bool {
        self.ended.is_none() && self.over(idle, now).is_none()
    }

    /// After a verdict.
    pub fn after(mut self, verdict: Verdict, now: Timestamp) -> Self {
        match verdict {
            Verdict::Next(generation) => {
                self.generation = generation;
                self.rotated_before = self.rotated_at;
                self.rotated_at = Some(now);
                self.used_at = now;
            }
            Verdict::End(why) => self.ended = Some(why),
            Verdict::Same(_) | Verdict::Over => {}
        }
        self
    }
}

fn since(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, session, user};
    use super::*;

    const IDLE: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_has_one_successor_for_a_moment_and_ends_the_family_afterwards() {
        let rotated = |first: i64, second: i64| SessionRow {
            generation: 7,
            rotated_at: Some(at(first)),
            rotated_before: Some(at(second)),
            ..session()
        };
        for (shown, first, second, now, verdict) in [
            (7, 0, 0, 1, Verdict::Next(8)),
            (6, 0, -100, 10, Verdict::Same(7)),
            (6, 0, -100, 11, Verdict::End(Ending::Reused)),
            // The clock of whoever rotated was a little ahead.
            (6, 2, -100, 1, Verdict::Same(7)),
            (5, 0, 0, 10, Verdict::Same(6)),
            (5, 0, -1, 10, Verdict::End(Ending::Reused)),
            (4, 0, 0, 1, Verdict::End(Ending::Reused)),
            (8, 0, 0, 1, Verdict::End(Ending::Reused)),
        ] {
            let told = decide(&rotated(first, second), &user(), shown, IDLE, at(now));
            assert_eq!(told, verdict, "{shown} at {now}");
        }
    }

    #[test]
    fn a_session_ends_when_it_is_old_idle_or_its_users_no_more() {
        let ended = SessionRow { ended: Some(Ending::Revoked), ..session() };
        let disabled = UserRow { disabled_at: Some(at(1)), ..user() };
        for (session, user, now, verdict) in [
            (session(), user(), 3600, Verdict::Next(1)),
            (session(), user(), 3601, Verdict::End(Ending::Idle)),
            (SessionRow { expires_at: at(50), ..session() }, user(), 50, Verdict::End(Ending::Expired)),
            (session(), disabled, 1, Verdict::End(Ending::Disabled)),
            (ended, user(), 1, Verdict::Over),
        ] {
            assert_eq!(decide(&session, &user, 0, IDLE, at(now)), verdict);
        }
    }

    #[test]
    fn what_was_decided_is_what_the_session_is_then() {
        let once = session().after(Verdict::Next(1), at(5));
        assert_eq!((once.generation, once.rotated_at, once.rotated_before), (1, Some(at(5)), None));
        assert_eq!(once.used_at, at(5));
        let twice = once.after(Verdict::Next(2), at(9));
        assert_eq!((twice.generation, twice.rotated_at, twice.rotated_before), (2, Some(at(9)), Some(at(5))));
        assert_eq!(twice.clone().after(Verdict::Same(2), at(10)), twice);
        assert_eq!(twice.after(Verdict::End(Ending::Reused), at(11)).ended, Some(Ending::Reused));
    }
}
