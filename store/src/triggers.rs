//! What triggers have taken in: each thing from outside, an entry of a stream, a delivery, a file, makes its jobs
//! once, however often it is brought.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::JobId;
use serde::Serialize;

use super::{Actor, Inserted, NewRow, Result};

/// One thing from outside, and the jobs that it makes; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// Names the thing within its source.
    pub mark: String,
    pub rows: Vec<NewRow>,
}

/// What was taken from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceRow {
    pub source: String,
    /// As many as are remembered; a chain remembers none.
    pub marks: u64,
    /// When the last one was taken, or seen again; of a chain, when it last made a job.
    pub last_at: Timestamp,
}

#[async_trait]
pub trait Triggers {
    /// Inserts the jobs of what was not taken before, and remembers it, in one transaction; workers are told as
    /// by `insert`. The answers are in the order of the intakes: the first job that each one made, and whether it
    /// was there already, because the thing was taken before or by its unique key.
    async fn take(&self, source: &str, intakes: &[Intake], by: &Actor) -> Result<Vec<Inserted>>;

    /// The job that the thing has become, if it was taken.
    async fn taken(&self, source: &str, mark: &str) -> Result<Option<JobId>>;

    /// Which of these were taken, in no order. They count as seen now.
    async fn see_marks(&self, source: &str, marks: &[String]) -> Result<Vec<String>>;

    /// Forgets marks of the source that come before this one in the order of their bytes, up to `limit`.
    async fn forget_marks_before(&self, source: &str, mark: &str, limit: usize) -> Result<u64>;

    /// Forgets marks of the source that nobody has seen for so long, up to `limit`.
    async fn forget_marks_unseen(&self, source: &str, unseen_for: Duration, limit: usize) -> Result<u64>;

    /// A chain begins anew, at the end of the audit log as it is when it looks next. False when none of this name has a
    /// place.
    async fn forget_follower(&self, name: &str, by: &Actor) -> Result<bool>;

    /// By name. For people: it counts.
    async fn mark_sources(&self) -> Result<Vec<SourceRow>>;
}

/// What is to be written for some intakes, when it is known which of them were taken; the same on both databases.
pub struct Plan {
    /// Of the new ones, one after the other.
    pub rows: Vec<NewRow>,
    pub marks: BTreeMap<String, JobId>,
    pub answers: Vec<Inserted>,
}

impl Plan {
    pub fn of(intakes: &[Intake], mut taken: BTreeMap<String, JobId>) -> Self {
        let mut plan = Self { rows: Vec::new(), marks: BTreeMap::new(), answers: Vec::new() };
        for intake in intakes {
            let before = taken.get(&intake.mark).copied();
            if let (None, Some(first)) = (before, intake.rows.first()) {
                // Of two that bring the same in one call the first one brings it.
                taken.insert(intake.mark.clone(), first.id);
                plan.marks.insert(intake.mark.clone(), first.id);
                plan.rows.extend(intake.rows.iter().cloned());
                plan.answers.push(Inserted { id: first.id, duplicate: false });
            } else if let Some(id) = before {
                plan.answers.push(Inserted { id, duplicate: true });
            }
        }
        plan
    }

    /// What became of the rows: a unique key may have had a holder, who then stands for the job.
    pub fn inserted(&mut self, inserted: &[Inserted]) {
        let held = self.rows.iter().zip(inserted).filter(|(_, inserted)| inserted.duplicate);
        let holders: BTreeMap<JobId, JobId> = held.map(|(row, holder)| (row.id, holder.id)).collect();
        for id in self.marks.values_mut() {
            *id = holders.get(id).copied().unwrap_or(*id);
        }
        for answer in &mut self.answers {
            if let Some(holder) = holders.get(&answer.id) {
                *answer = Inserted { id: *holder, duplicate: true };
            }
        }
    }
}
