//! How far a rotation is, and what comes next. Pure.
//!
//! Each phase is written down before what follows it is begun, and each step asks first whether it is true already: whoever comes again after a crash does
//! nothing twice.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A version has a name, and perhaps a value.
    Planned,
    /// Its value is in the store, for good, and nobody else knows it.
    Created,
    /// The target lets it in.
    Set,
    /// That was seen.
    Tested,
    /// Readers get it.
    Published,
    /// The old one is let in beside it, until nobody uses it any more.
    Overlap,
    /// The old one was seen to be refused.
    Retired,
    /// And is in no store any more.
    Done,
    /// It was taken back, and the old one is what it was.
    RolledBack,
    /// A person has to decide.
    NeedsHuman,
}

impl Phase {
    const ALL: [(Phase, &'static str); 10] = [
        (Phase::Planned, "planned"),
        (Phase::Created, "created"),
        (Phase::Set, "set"),
        (Phase::Tested, "tested"),
        (Phase::Published, "published"),
        (Phase::Overlap, "overlap"),
        (Phase::Retired, "retired"),
        (Phase::Done, "done"),
        (Phase::RolledBack, "rolled_back"),
        (Phase::NeedsHuman, "needs_human"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(phase, _)| *phase == self).map_or("", |(_, name)| *name)
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(phase, _)| *phase)
    }

    /// Another rotation may begin.
    pub fn is_over(self) -> bool {
        matches!(self, Phase::Done | Phase::RolledBack)
    }

    /// Readers may have the new value.
    pub fn is_published(self) -> bool {
        matches!(self, Phase::Published | Phase::Overlap | Phase::Retired | Phase::Done)
    }
}

/// How long the old value stays, and what becomes of one that is still used then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adoption {
    /// It stays on, until `max_grace` is over; then a person is asked.
    Extend,
    /// Its sessions are ended.
    Cut,
}

/// What is known when the old value may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// None: nobody can tell.
    pub sessions: Option<u64>,
    pub grace_is_over: bool,
    pub max_grace_is_over: bool,
    pub is_compromised: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Its time has not come.
    Wait,
    /// Somebody uses it, and is waited for.
    Extend,
    /// Somebody uses it, and was waited for long enough.
    Ask,
    /// Nobody is to use it any more.
    Retire { cut: bool },
}

pub fn leave(adoption: Adoption, seen: Use) -> Leave {
    let is_used = seen.sessions.is_some_and(|sessions| sessions > 0);
    match seen {
        Use { is_compromised: true, .. } => Leave::Retire { cut: true },
        Use { grace_is_over: false, .. } => Leave::Wait,
        // Where nobody can tell, the grace is all there is.
        _ if !is_used => Leave::Retire { cut: false },
        _ if adoption == Adoption::Cut => Leave::Retire { cut: true },
        Use { max_grace_is_over: true, .. } => Leave::Ask,
        _ => Leave::Extend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_value_goes_when_its_time_is_over_and_nobody_uses_it() {
        let seen = |sessions, grace_is_over, max_grace_is_over, is_compromised| Use {
            sessions,
            grace_is_over,
            max_grace_is_over,
            is_compromised,
        };
        for (adoption, seen, expected) in [
            (Adoption::Extend, seen(Some(0), false, false, false), Leave::Wait),
            (Adoption::Cut, seen(Some(3), false, false, false), Leave::Wait),
            (Adoption::Extend, seen(Some(0), true, false, false), Leave::Retire { cut: false }),
            (Adoption::Extend, seen(None, true, false, false), Leave::Retire { cut: false }),
            (Adoption::Extend, seen(Some(1), true, false, false), Leave::Extend),
            (Adoption::Extend, seen(Some(1), true, true, false), Leave::Ask),
            (Adoption::Cut, seen(Some(1), true, false, false), Leave::Retire { cut: true }),
            (Adoption::Extend, seen(Some(0), false, false, true), Leave::Retire { cut: true }),
            (Adoption::Extend, seen(Some(9), false, false, true), Leave::Retire { cut: true }),
        ] {
            assert_eq!(leave(adoption, seen), expected, "{adoption:?} {seen:?}");
        }
    }

    #[test]
    fn names_read_back() {
        for (phase, name) in Phase::ALL {
            assert_eq!((Phase::parse(name), phase.name()), (Some(phase), name));
        }
        assert_eq!(Phase::parse("gone"), None);
    }
}
