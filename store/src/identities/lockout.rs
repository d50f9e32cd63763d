//! How long somebody must wait who failed to sign in; pure.
//!
//! Failures are counted at three doors: this account from this network, this account from anywhere, and this address
//! for any account. A lock doubles with each failure and always ends. A stranger who fails on purpose locks the door
//! from his own network at once, and the one from anywhere late and for minutes; and whoever came in from a network within
//! the last month is not held up by what strangers do elsewhere.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Email;

/// What was tried, and from where. Accounts that nobody has are counted as others are: a lock tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doors {
    here: [u8; 32],
    account: [u8; 32],
    address: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// This account, from this network.
    Here,
    /// This account, from anywhere.
    Account,
    /// Any account, from this address.
    Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorState {
    pub failures: u32,
    pub last_at: Timestamp,
    pub locked_until: Option<Timestamp>,
    /// When somebody last came in here.
    pub entered_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// Nothing was counted.
    Locked {
        until: Timestamp,
    },
}

impl Doors {
    pub fn of(email: &Email, from: IpAddr) -> Self {
        let (network, address) = networks(from.to_canonical());
        let account = email.key();
        Self {
            here: door(&["here", &account, &network]),
            account: door(&["account", &account]),
            address: door(&["address", &address]),
        }
    }

    pub fn key(&self, door: Door) -> [u8; 32] {
        match door {
            Door::Here => self.here,
            Door::Account => self.account,
            Door::Address => self.address,
        }
    }

    /// In the order in which every process locks them.
    pub fn in_order(&self) -> [Door; 3] {
        let mut doors = [Door::Here, Door::Account, Door::Address];
        doors.sort_by_key(|door| self.key(*door));
        doors
    }
}

/// The network that a household or an office has, and what is one machine or as good as one.
fn networks(from: IpAddr) -> (String, String) {
    match from {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            (format!("{a}.{b}.{c}"), v4.to_string())
        }
        IpAddr::V6(v6) => {
            let parts = v6.segments();
            let [a, b, c, d, ..] = parts;
            (format!("{a:x}:{b:x}:{c:x}:{:x}", d & 0xff00), format!("{a:x}:{b:x}:{c:x}:{d:x}"))
        }
    }
}

fn door(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// How a door holds people up.
struct Rule {
    /// So many may fail before the first lock.
    free: u32,
    longest: Duration,
    /// Failures are forgotten when so much time passed without one.
    memory: Duration,
}

const FIRST_LOCK: Duration = Duration::from_secs(30);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Who came in from a network is known there for so long.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * HOUR);

impl Door {
    fn rule(self) -> Rule {
        let (free, longest, memory) = match self {
            Door::Here => (5, HOUR, 24 * HOUR),
            Door::Account => (50, 15 * MINUTE, HOUR),
            Door::Address => (30, HOUR, HOUR),
        };
        Rule { free, longest: Duration::from_secs(longest), memory: Duration::from_secs(memory) }
    }
}

impl DoorState {
    pub fn new(now: Timestamp) -> Self {
        Self { failures: 0, last_at: now, locked_until: None, entered_at: None }
    }

    pub fn locked(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| *until > now)
    }

    /// One more that is taken for a failure until it is known to be none.
    fn counted(self, door: Door, now: Timestamp) -> Self {
        let rule = door.rule();
        let forgotten = since(now, self.last_at) > rule.memory;
        let failures = if forgotten { 1 } else { self.failures.saturating_add(1) };
        let locked_until = failures.checked_sub(rule.free).map(|over| {
            let wait = FIRST_LOCK.saturating_mul(2u32.saturating_pow(over)).min(rule.longest);
            now.saturating_add(wait).unwrap_or(Timestamp::MAX)
        });
        Self { failures, last_at: now, locked_until, ..self }
    }

    /// It was none.
    pub fn given_back(self, door: Door) -> Self {
        let failures = self.failures.saturating_sub(1);
        let locked_until = self.locked_until.filter(|_| failures >= door.rule().free);
        Self { failures, locked_until, ..self }
    }

    /// Somebody came in. What others did from the same address, or to the same account elsewhere, stays counted.
    pub fn entered(self, door: Door, now: Timestamp) -> Self {
        match door {
            Door::Here => Self { entered_at: Some(now), ..Self::new(now) },
            Door::Account | Door::Address => self.given_back(door),
        }
    }
}

/// Whether somebody may try, and what is counted if so.
pub fn admit(doors: &[(Door, DoorState)], now: Timestamp) -> Result<Vec<(Door, DoorState)>, Timestamp> {
    let known = doors.iter().any(|(door, state)| {
        let entered = state.entered_at.filter(|_| *door == Door::Here);
        entered.is_some_and(|at| since(now, at) <= KNOWN_FOR)
    });
    let counts = |door: Door| !(known && door == Door::Account);
    let until =
        doors.iter().filter(|(door, _)| counts(*door)).filter_map(|(_, state)| state.locked(now)).max();
    match until {
        Some(until) => Err(until),
        None => Ok(doors.iter().map(|(door, state)| (*door, state.counted(*door, now))).collect()),
    }
}

fn since(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn fresh() -> Vec<(Door, DoorState)> {
        [Door::Here, Door::Account, Door::Address].map(|door| (door, DoorState::new(at(0)))).into()
    }

    /// Tries again as soon as it may, and says how long each wait was.
    fn waits(door: Door, times: usize) -> Vec<i64> {
        let (mut now, mut doors) = (at(0), vec![(door, DoorState::new(at(0)))]);
        let mut waits = Vec::new();
        while waits.len() < times {
            match admit(&doors, now) {
                Ok(counted) => {
                    let wait =
                        counted[0].1.locked(now).map_or(0, |until| until.as_second() - now.as_second());
                    waits.push(wait);
                    doors = counted;
                }
                Err(until) => now = until,
            }
        }
        waits
    }

    #[test]
    fn a_lock_doubles_and_has_a_longest() {
        assert_eq!(waits(Door::Here, 13), [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(waits(Door::Address, 33)[28..], [0, 30, 60, 120, 240]);
        assert_eq!(waits(Door::Account, 56)[48..], [0, 30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn who_is_locked_out_is_not_counted_so_every_lock_ends() {
        let mut doors = fresh();
        for _ in 0..5 {
            doors = admit(&doors, at(0)).unwrap();
        }
        assert_eq!(admit(&doors, at(29)), Err(at(30)));
        assert_eq!(admit(&doors, at(29)), Err(at(30)));
        assert!(admit(&doors, at(30)).is_ok());
    }

    #[test]
    fn failures_are_forgotten_after_a_while_without_one() {
        let state = DoorState { failures: 4, ..DoorState::new(at(0)) };
        assert_eq!(admit(&[(Door::Here, state)], at(24 * 3600)).unwrap()[0].1.failures, 5);
        assert_eq!(admit(&[(Door::Here, state)], at(24 * 3600 + 1)).unwrap()[0].1.failures, 1);
    }

    #[test]
    fn what_strangers_do_elsewhere_does_not_hold_up_who_is_known_here() {
        let locked = DoorState { failures: 60, locked_until: Some(at(900)), ..DoorState::new(at(0)) };
        let mut doors = fresh();
        doors[1].1 = locked;
        assert_eq!(admit(&doors, at(1)), Err(at(900)));

        doors[0].1.entered_at = Some(at(-1000));
        assert!(admit(&doors, at(1)).is_ok());
        // That is no pass for ever, nor for what was done from here.
        doors[0].1.entered_at = Some(at(-31 * 24 * 3600));
        assert_eq!(admit(&doors, at(1)), Err(at(900)));
        doors[0].1.entered_at = Some(at(-1000));
        doors[2].1.locked_until = Some(at(50));
        assert_eq!(admit(&doors, at(1)), Err(at(50)));
    }

    #[test]
    fn coming_in_takes_back_what_was_counted_for_it_and_nothing_of_others() {
        let state = DoorState { failures: 31, locked_until: Some(at(60)), ..DoorState::new(at(0)) };
        let entered = state.entered(Door::Address, at(1));
        assert_eq!((entered.failures, entered.locked_until), (30, Some(at(60))));
        let one = DoorState { failures: 30, ..state }.entered(Door::Address, at(1));
        assert_eq!((one.failures, one.locked_until), (29, None));
        let here = state.entered(Door::Here, at(1));
        assert_eq!((here.failures, here.locked_until, here.entered_at), (0, None, Some(at(1))));
    }

    #[test]
    fn doors_are_told_apart_by_account_and_network() {
        let of = |email: &str, from: &str| Doors::of(&email.parse().unwrap(), from.parse().unwrap());
        let one = of("ada@example.org", "192.0.2.7");
        for (other, here, account, address) in [
            (of("ADA@example.org", "192.0.2.7"), true, true, true),
            (of("ada@example.org", "::ffff:192.0.2.7"), true, true, true),
            (of("ada@example.org", "192.0.2.8"), true, true, false),
            (of("ada@example.org", "192.0.3.7"), false, true, false),
            (of("bob@example.org", "192.0.2.7"), false, false, true),
        ] {
            let same =
                [Door::Here, Door::Account, Door::Address].map(|door| one.key(door) == other.key(door));
            assert_eq!(same, [here, account, address], "{other:?}");
        }
        let six = of("ada@example.org", "2001:db8:1:aa01::1");
        let beside = of("ada@example.org", "2001:db8:1:aa02::1");
        assert_eq!(six.key(Door::Here), beside.key(Door::Here));
        assert_ne!(six.key(Door::Address), beside.key(Door::Address));
        assert_eq!(six.key(Door::Address), of("x@y", "2001:db8:1:aa01:ffff::").key(Door::Address));
    }
}
