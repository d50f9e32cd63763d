//! What is done with the audit log beside reading it along: it is searched, and what is personal in it is erased.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{AuditEntry, JobId};

use super::{Actor, Position, Result};

#[async_trait]
pub trait Evidence: Send + Sync + 'static {
    /// Entries that meet all conditions, the newest first, behind none of which there are more than `limit`.
    async fn search_audit(&self, wanted: &AuditSearch, limit: usize) -> Result<Vec<(Position, AuditEntry)>>;

    /// Deletes what opens commitments, up to `limit`, and says in an entry which and on what basis, in one
    /// transaction. Nobody can tell afterwards what was committed to.
    async fn erase_openings(
        &self,
        of: &Erasing,
        basis: &str,
        limit: usize,
        by: &Actor,
    ) -> Result<Vec<String>>;
}

/// All conditions must hold; one that says nothing holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSearch {
    pub actor: Option<String>,
    /// The action itself, or with a `.` at its end all that begin so.
    pub action: Option<String>,
    pub object: Option<String>,
    pub outcome: Option<String>,
    pub tenant: Option<String>,
    pub request: Option<String>,
    pub job: Option<JobId>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// With a smaller number than this: where the page before ended.
    pub before: Option<i64>,
}

/// The action of the entry that says what was erased.
pub const REDACT: &str = "audit.redact";

/// Whose openings, or which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasing {
    Subject(String),
    Commitments(Vec<String>),
    /// What was committed to before that, of one field or of all.
    Before {
        at: Timestamp,
        field: Option<String>,
    },
}

/// How far an entry may stand from where its time belongs: it is numbered when it is written, and seen when its
/// transaction ends; and what a job says it did may have been a while before.
const ASTRAY: Duration = Duration::from_secs(3_600);

impl AuditSearch {
    /// Entries of the wanted time are not before the first one that is numbered then.
    pub fn begins(&self) -> Option<Timestamp> {
        self.from.map(|from| from.saturating_sub(ASTRAY).unwrap_or(Timestamp::MIN))
    }

    /// Nor from here on.
    pub fn ends(&self) -> Option<Timestamp> {
        self.until.map(|until| until.saturating_add(ASTRAY).unwrap_or(Timestamp::MAX))
    }
}

/// Looks for the first number of a time by halving: numbers grow with time, and there is no index on time, which each
/// entry would pay for.
#[derive(Debug)]
pub struct Halving {
    time: Timestamp,
    low: i64,
    high: i64,
}

impl Halving {
    /// In a log whose last entry has this number.
    pub fn new(time: Timestamp, last: i64) -> Self {
        Self { time, low: 0, high: last.saturating_add(1) }
    }

    /// The number to ask for; none when it is found.
    pub fn ask(&self) -> Option<i64> {
        (self.low < self.high).then(|| self.low.midpoint(self.high))
    }

    /// What the first entry of at least the asked number is, and when it was written.
    pub fn told(&mut self, entry: Option<(i64, Timestamp)>) {
        let middle = self.low.midpoint(self.high);
        match entry {
            Some((seq, at)) if at < self.time => self.low = seq.max(middle).saturating_add(1),
            _ => self.high = middle,
        }
    }

    pub fn found(&self) -> i64 {
        self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    /// In a log of one entry a minute, numbered 10, 20, 30 up to 10,000.
    fn first_of(time: Timestamp) -> (i64, usize) {
        let (mut halving, mut asked) = (Halving::new(time, 10_000), 0);
        while let Some(number) = halving.ask() {
            let entry = (number + 9).div_euclid(10).max(1);
            halving.told((entry <= 1_000).then(|| (entry * 10, minute(entry))));
            asked += 1;
        }
        (halving.found(), asked)
    }

    #[test]
    fn a_time_is_found_by_few_questions() {
        for (time, found) in [(-5, 0), (1, 0), (2, 11), (500, 4_991), (1_000, 9_991), (1_001, 10_001)] {
            let (first, asked) = first_of(minute(time));
            assert_eq!(first, found, "{time}");
            assert!(asked <= 14, "{time}: {asked}");
        }
        assert_eq!(Halving::new(minute(1), -1).ask(), None);
    }

    #[test]
    fn an_hour_to_spare_and_no_day_beyond_all_days() {
        let wanted =
            AuditSearch { from: Some(minute(100)), until: Some(Timestamp::MAX), ..AuditSearch::default() };
        assert_eq!((wanted.begins(), wanted.ends()), (Some(minute(40)), Some(Timestamp::MAX)));
        assert_eq!(AuditSearch::default().begins(), None);
    }
}
