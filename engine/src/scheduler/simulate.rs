//! What a schedule would have done between two dates: over a change of the clock, through outages, under
//! another policy. It decides by the functions that the tick decides by. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::JobId;
use serde::Serialize;
use uuid::Uuid;

use super::policy::{Policy, admit, decide_tick};
use super::timing::Timing;

/// More fire times than this are no answer that anybody reads.
pub const MOST_SIMULATED: usize = 10_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// Included.
    pub from: Timestamp,
    /// Not included.
    pub until: Timestamp,
    /// From when until when nobody was there.
    pub outages: Vec<(Timestamp, Timestamp)>,
    pub policy: Policy,
    /// How long each job takes; what overlaps is only known with it.
    pub takes: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    pub fire_time: Timestamp,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// At its time.
    Fired { starts: Timestamp },
    /// After an outage.
    CaughtUp { starts: Timestamp },
    /// The misfire policy gives it no job.
    Missed,
    /// An earlier job still ran, and the overlap policy gives it none.
    LeftOut,
    /// The outage goes on beyond the end: nobody has decided yet.
    Undecided,
}

/// None when there are too many to tell.
pub fn simulate(timing: &Timing, situation: &Situation) -> Option<Vec<Event>> {
    let Situation { from, until, policy, .. } = situation;
    let before = from.checked_sub(SignedDuration::from_micros(1)).ok()?;
    let due: Vec<Timestamp> =
        timing.after(before).take_while(|at| at < until).take(MOST_SIMULATED + 1).collect();
    if due.len() > MOST_SIMULATED {
        return None;
    }
    let mut events = Vec::with_capacity(due.len());
    let mut running = Running::default();
    let mut rest = due.as_slice();
    while let Some(expected) = rest.first().copied() {
        let now = situation.present_from(expected);
        if now >= *until {
            let undecided = rest.iter().map(|at| Event { fire_time: *at, outcome: Outcome::Undecided });
            events.extend(undecided);
            break;
        }
        let tick = decide_tick(timing, expected, now, *policy);
        let admitted = admit(policy.overlap, &running.at(now), &tick.fire);
        running.0.retain(|(id, _)| !admitted.cancel.contains(id));
        let mut starts = Vec::new();
        for start in &admitted.start {
            let at = if start.waits { situation.present_from(running.free_from(now)) } else { now };
            running.begin(at.checked_add(situation.takes).ok()?);
            starts.push((start.fire_time, at));
        }
        let (looked_at, later) = rest.split_at(rest.partition_point(|at| *at <= now));
        events.extend(looked_at.iter().map(|at| {
            let outcome = match starts.iter().find(|(fire_time, _)| fire_time == at) {
                Some((_, starts)) if *at == now => Outcome::Fired { starts: *starts },
                Some((_, starts)) => Outcome::CaughtUp { starts: *starts },
                None if admitted.left_out.contains(at) => Outcome::LeftOut,
                None => Outcome::Missed,
            };
            Event { fire_time: *at, outcome }
        }));
        rest = later;
    }
    Some(events)
}

impl Situation {
    /// When somebody is there to look at this fire time, or to run what could begin then.
    fn present_from(&self, time: Timestamp) -> Timestamp {
        let mut present = time;
        // One outage may begin before another has ended.
        while let Some((_, end)) =
            self.outages.iter().find(|(begin, end)| *begin <= present && present < *end)
        {
            present = *end;
        }
        present
    }
}

/// Jobs and when they end.
#[derive(Default)]
struct Running(Vec<(JobId, Timestamp)>);

impl Running {
    fn at(&mut self, now: Timestamp) -> Vec<JobId> {
        self.0.retain(|(_, ends)| *ends > now);
        self.0.iter().map(|(id, _)| *id).collect()
    }

    fn free_from(&self, now: Timestamp) -> Timestamp {
        self.0.iter().map(|(_, ends)| *ends).max().unwrap_or(now)
    }

    fn begin(&mut self, ends: Timestamp) {
        let last = self.0.last().map_or(0, |(id, _)| id.0.as_u128());
        self.0.push((JobId(Uuid::from_u128(last + 1)), ends));
    }
}

#[cfg(test)]
mod tests;
