//! What becomes of fire times that were missed, and of those that come while an earlier job still lives.
//! Pure; the tick and the simulator decide by the same functions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::JobId;
use serde::{Deserialize, Serialize};

use super::timing::Timing;

/// A fire time is on time while it is not older than this: a process that restarts has missed nothing.
pub const ON_TIME: SignedDuration = SignedDuration::from_secs(60);

/// Missed fire times are counted up to here; nobody needs to know more exactly.
pub const MOST_COUNTED: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub misfire: Misfire,
    /// Fire times older than this are missed, whatever else holds.
    pub within: Option<Duration>,
    pub overlap: Overlap,
}

/// What to do about fire times that nobody was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfire {
    /// Nothing: go on with the next.
    Skip,
    /// One job for all of them, with the last fire time.
    Once,
    /// A job for each of the last so many.
    All { most: usize },
}

/// What to do when an earlier job of the schedule still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Enqueue all the same.
    #[default]
    Allow,
    /// Leave the fire time out.
    Skip,
    /// One job waits until those before it have ended; more are left out.
    QueueOne,
    /// The old ones are cancelled.
    CancelOld,
}

/// What a look at the clock means for a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tick {
    /// In order.
    pub fire: Vec<Timestamp>,
    /// Fire times that have gone by and get no job; no more than [`MOST_COUNTED`] are counted.
    pub missed: usize,
    pub next: Option<Timestamp>,
}

/// `expected` is the first fire time that nobody has looked at yet.
pub fn decide_tick(timing: &Timing, expected: Timestamp, now: Timestamp, policy: Policy) -> Tick {
    if expected > now {
        return Tick { next: Some(expected), ..Tick::default() };
    }
    let before = expected.checked_sub(SignedDuration::from_micros(1)).unwrap_or(expected);
    let since = |age: SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN).max(before);
    let on_time = since(ON_TIME.saturating_add(SignedDuration::from_micros(1)));
    let late = on_time > before && timing.next_after(before).is_some_and(|first| first <= on_time);
    let mut fire = match policy.misfire {
        Misfire::All { most } => timing.last_until(before, now, most),
        Misfire::Once if late => timing.last_until(before, now, 1),
        Misfire::Skip | Misfire::Once => timing.after(on_time).take_while(|at| *at <= now).collect(),
    };
    if let Some(oldest) = policy.within.and_then(|within| now.checked_sub(within).ok()) {
        fire.retain(|at| *at >= oldest);
    }
    let due = timing.after(before).take_while(|at| *at <= now).take(MOST_COUNTED + fire.len()).count();
    // A process with other rules of its zone has written it: for us it is no fire time, and it must not go by in silence.
    let foreign = usize::from(timing.next_after(before) != Some(expected));
    Tick { missed: due - fire.len() + foreign, fire, next: timing.next_after(now) }
}

/// What overlap leaves of fire times that are due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admitted {
    pub start: Vec<Start>,
    pub left_out: Vec<Timestamp>,
    /// Jobs that make room.
    pub cancel: Vec<JobId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub fire_time: Timestamp,
    /// It waits until the earlier jobs of the schedule have ended, those that start with it included.
    pub waits: bool,
}

/// `live` are the earlier jobs of the schedule that have not ended.
pub fn admit(overlap: Overlap, live: &[JobId], due: &[Timestamp]) -> Admitted {
    let room = match overlap {
        Overlap::Allow => due.len(),
        Overlap::Skip => 1usize.saturating_sub(live.len()),
        Overlap::QueueOne => 2usize.saturating_sub(live.len()),
        // All but the last would be cancelled as soon as they are there.
        Overlap::CancelOld => {
            let (left_out, last) = due.split_at(due.len().saturating_sub(1));
            return Admitted {
                start: last.iter().map(|at| Start { fire_time: *at, waits: false }).collect(),
                left_out: left_out.to_vec(),
                cancel: if last.is_empty() { Vec::new() } else { live.to_vec() },
            };
        }
    };
    let (start, left_out) = due.split_at(room.min(due.len()));
    let waits = |place: usize| overlap == Overlap::QueueOne && (place > 0 || !live.is_empty());
    let start = start.iter().enumerate().map(|(place, at)| Start { fire_time: *at, waits: waits(place) });
    Admitted { start: start.collect(), left_out: left_out.to_vec(), cancel: Vec::new() }
}

#[cfg(test)]
mod tests;
