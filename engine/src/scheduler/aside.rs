//! Schedules that this program cannot read: they hold up no others, and are told of when nobody else fires them. Pure.
//!
//! A newer version of the program may have written one, and processes of that version fire it. So it is set aside in
//! this process alone, for as long as it stays as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use store::schedules::ScheduleRow;

/// For so long a process of another version may take to come by.
const TOLD_AFTER: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Aside(BTreeMap<String, Unreadable>);

struct Unreadable {
    row: ScheduleRow,
    problem: String,
    /// By the clock that is never set.
    since: Duration,
    told: bool,
}

impl Aside {
    /// True when it was not known to be unreadable as it is.
    pub fn put(&mut self, row: ScheduleRow, problem: String, now: Duration) -> bool {
        // What is told does not change what the schedule says, and so is said once.
        let known = self.0.get(&row.name).is_some_and(|known| known.row.definition == row.definition);
        // Another process may have told, or this one before it was started anew.
        let told = row.last_error.as_ref() == Some(&problem);
        self.0.insert(row.name.clone(), Unreadable { row, problem, since: now, told });
        !known
    }

    /// It can be read: what comes by that name is looked at, whatever its revision.
    pub fn readable(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Not to be looked at again as long as they are at this revision.
    pub fn known(&self) -> Vec<(String, i64)> {
        self.0.values().map(|one| (one.row.name.clone(), one.row.revision)).collect()
    }

    /// Those that have been due for so long that nobody else will fire them, with what is wrong.
    pub fn to_tell(&self, now: Duration) -> Vec<(ScheduleRow, String)> {
        let waited = |one: &&Unreadable| !one.told && now.saturating_sub(one.since) >= TOLD_AFTER;
        self.0.values().filter(waited).map(|one| (one.row.clone(), one.problem.clone())).collect()
    }

    /// Told, or moved on: the next look finds it as it is now.
    pub fn told(&mut self, name: &str) {
        if let Some(one) = self.0.get_mut(name) {
            one.told = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::schedules::Source;

    fn row(name: &str, revision: i64, definition: &str) -> ScheduleRow {
        ScheduleRow {
            name: name.into(),
            tenant: None,
            source: Source::Api,
            definition: definition.into(),
            digest: String::new(),
            enabled: true,
            revision,
            next_fire: None,
            last_fire: None,
            missed: 0,
            last_error: None,
            error_at: None,
            paused_at: None,
            paused_by: None,
            reason: None,
            retired_at: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            changed_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_cannot_be_read_is_told_once_and_when_nobody_else_fired_it() {
        let mut aside = Aside::default();
        assert!(aside.put(row("a", 1, "x"), "no".into(), seconds(0)));
        assert!(aside.put(row("b", 1, "x"), "no".into(), seconds(30)));
        assert_eq!(aside.known(), [("a".into(), 1), ("b".into(), 1)]);
        let names = |aside: &Aside, at| -> Vec<String> {
            aside.to_tell(seconds(at)).into_iter().map(|(row, _)| row.name).collect()
        };

        assert_eq!(names(&aside, 59), [""; 0]);
        assert_eq!(names(&aside, 60), ["a"]);
        aside.told("a");

        // Telling moved the revision on.
        let told = ScheduleRow { last_error: Some("no".into()), ..row("a", 2, "x") };
        assert!(!aside.put(told, "no".into(), seconds(61)));
        assert_eq!(aside.known(), [("a".into(), 2), ("b".into(), 1)]);
        assert_eq!(names(&aside, 600), ["b"]);
        // Somebody put it anew, and it is wrong in another way.
        assert!(aside.put(row("a", 3, "y"), "no".into(), seconds(600)));
        assert_eq!(names(&aside, 660), ["a", "b"]);

        // It was deleted and made anew; once it is at that revision again, it must not be passed over.
        aside.readable("a");
        assert_eq!(aside.known(), [("b".into(), 1)]);
    }
}
