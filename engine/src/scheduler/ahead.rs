//! Schedules that a wrong clock made wait too long. A clock that is ahead makes them move on to times that are far away;
//! when it is set right, they would sleep until then.
//!
//! While the clock only goes forward, no schedule waits for a time later than its next one from now. That is how one
//! that was carried away is known, whoever looks and however long ago it happened.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tracing::warn;

use super::policy::ON_TIME;
use super::timing::Timing;
use super::{Scheduler, off_to_the_side, plan_of};
use store::schedules::ScheduleRow;
use store::{Scope, StoreError};

/// The clock may have been set right while nobody looked.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// When to look at all schedules for those that wait too long. Pure.
#[derive(Default)]
pub(super) struct Ahead {
    looked: Option<Duration>,
    latest: Option<Timestamp>,
}

impl Ahead {
    /// `steady` is the clock that is never set, `now` the one that decides what is due.
    pub fn is_due(&self, steady: Duration, now: Timestamp) -> bool {
        let set_back = self.latest.is_some_and(|latest| latest.duration_since(now) > ON_TIME);
        set_back || self.looked.is_none_or(|looked| steady.saturating_sub(looked) >= LOOK_EVERY)
    }

    pub fn saw(&mut self, now: Timestamp) {
        self.latest = self.latest.max(Some(now));
    }

    pub fn looked(&mut self, steady: Duration, now: Timestamp) {
        (self.looked, self.latest) = (Some(steady), Some(now));
    }
}

/// The next fire time of a schedule that waits for a later one, or for none any more, because the clock was ahead.
///
/// A clock that was ahead by less than a time is on time for does no harm that is worth an entry: the schedule sleeps
/// no longer than that, and what it skipped was decided upon.
pub(super) fn set_back(timing: &Timing, next_fire: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let soon = now.checked_add(ON_TIME).ok()?;
    let latest = timing.next_after(soon)?;
    match next_fire {
        Some(next) if next <= latest => None,
        _ => timing.next_after(now),
    }
}

impl Scheduler {
    /// Sets back what a clock that was ahead has carried away. What fired meanwhile is remembered and does not fire
    /// again.
    pub(super) async fn set_back(&self) -> Result<(), StoreError> {
        let rows = self.store.schedules(&Scope::Installation).await?;
        let now = self.store.now().await?;
        for (row, next) in off_to_the_side(move || carried_away(rows, now)).await {
            let details = json!({ "next": next, "was": row.next_fire });
            if self.store.set_schedule_back(&row.name, row.revision, next, details).await? {
                let name = &row.name;
                warn!(
                    schedule = name,
                    "schedule {name} waited for {}, because the clock was ahead, and fires next at {next}",
                    row.next_fire.map_or_else(|| "nothing more".into(), |at| at.to_string())
                );
            }
        }
        Ok(())
    }
}

fn carried_away(rows: Vec<ScheduleRow>, now: Timestamp) -> Vec<(ScheduleRow, Timestamp)> {
    let active = rows.into_iter().filter(|row| !row.rests());
    let next = |row: ScheduleRow| {
        let plan = plan_of(&row).ok()?;
        Some((set_back(&plan.timing, row.next_fire, now)?, row))
    };
    active.filter_map(next).map(|(next, row)| (row, next)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::scheduler::definition::{Definition, Stored};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_waits_for_a_time_later_than_its_next_is_set_back() {
        let hourly = |until: Option<&str>| {
            let definition = Definition {
                cron: Some("@hourly".into()),
                until: until.map(Into::into),
                kind: "k".into(),
                ..Definition::default()
            };
            Stored { definition, calendar: None }.plan().unwrap().timing
        };
        let now = at("2026-01-02T10:00:30Z");
        let next = Some(at("2026-01-02T11:00:00Z"));
        for (until, waits_for, set) in [
            (None, next, None),
            // Due, and not looked at yet.
            (None, Some(at("2026-01-02T10:00:00Z")), None),
            (None, Some(at("2026-01-02T12:00:00Z")), next),
            (None, Some(at("2027-01-01T00:00:00Z")), next),
            // Its end had come by the wrong clock.
            (Some("2026-01-03"), None, next),
            (Some("2026-01-02"), None, None),
        ] {
            assert_eq!(set_back(&hourly(until), waits_for, now), set, "{until:?} {waits_for:?}");
        }
        // A second ahead is no such matter: ten o'clock has fired already.
        let before = at("2026-01-02T09:59:59Z");
        assert_eq!(set_back(&hourly(None), next, before), None);
    }

    #[test]
    fn all_are_looked_at_when_the_clock_went_back_and_now_and_then() {
        let mut ahead = Ahead::default();
        let (seconds, noon) = (Duration::from_secs, at("2026-01-02T12:00:00Z"));
        assert!(ahead.is_due(seconds(0), noon));
        ahead.looked(seconds(0), noon);
        ahead.saw(noon);

        assert!(!ahead.is_due(seconds(599), noon - SignedDuration::from_secs(60)));
        assert!(ahead.is_due(seconds(1), noon - SignedDuration::from_secs(61)));
        assert!(ahead.is_due(seconds(600), noon));
    }
}
