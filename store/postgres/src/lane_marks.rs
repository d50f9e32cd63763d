//! Where the last full claim of limited jobs ended, lane by lane.
//!
//! The next claim begins there, for the reason that [`super::claim::Cursor`] gives: the index entries before are dead, and
//! neither the look for lanes nor the claim should walk over them again. A lane may come up that is not known yet, or a
//! job before a mark, so all of it is forgotten as soon as a claim is not full, after a few claims, and at each beat of the
//! worker.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::claim::{CURSOR_USES, WORTH_A_CURSOR};
use super::rows::Micros;
use store::rule::Lane;

/// Behind this job of its lane.
pub type Mark = (Micros, Uuid);

pub const START: Mark = (Micros::NEVER, Uuid::nil());

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    by_lane: BTreeMap<Lane, Mark>,
    uses_left: u32,
}

impl Marks {
    /// For the first claim after one that looked at all of these lanes.
    pub fn fresh(lanes: &[Lane]) -> Self {
        let by_lane = lanes.iter().map(|lane| (lane.clone(), START)).collect();
        Self { by_lane, uses_left: CURSOR_USES + 1 }
    }

    /// By name.
    pub fn all(&self) -> (Vec<Lane>, Vec<Mark>) {
        self.by_lane.iter().map(|(lane, mark)| (lane.clone(), *mark)).unzip()
    }

    /// After a claim of these jobs; nothing when it is time to look again.
    pub fn after<'a>(mut self, claimed: impl Iterator<Item = (&'a Lane, Mark)>) -> Option<Self> {
        self.uses_left = self.uses_left.checked_sub(1).filter(|left| *left > 0)?;
        for (lane, job) in claimed {
            if let Some(mark) = self.by_lane.get_mut(lane) {
                *mark = (*mark).max(job);
            }
        }
        Some(self)
    }
}

/// Of each queue.
#[derive(Default)]
pub struct Marked(Mutex<HashMap<String, Marks>>);

impl Marked {
    /// Whoever takes them puts back what holds afterwards; a second claim at once looks for itself. Small claims come from
    /// queues where order matters more than speed.
    pub fn take(&self, queue: &str, most: usize) -> Option<Marks> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
        marks.filter(|_| most >= WORTH_A_CURSOR)
    }

    pub fn put(&self, queue: &str, marks: Option<Marks>) {
        if let Some(marks) = marks {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.into(), marks);
        }
    }

    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(names: &str) -> Vec<Lane> {
        names.split_whitespace().map(|name| Lane::stored(name.into())).collect()
    }

    fn job(rank: i64) -> Mark {
        (Micros(rank), Uuid::nil())
    }

    #[test]
    fn a_lane_goes_on_behind_the_last_job_that_was_claimed_from_it() {
        let of = |name: &str, rank| (Lane::stored(name.into()), job(rank));
        let after = |marks: Marks, claimed: &[(Lane, Mark)]| {
            marks.after(claimed.iter().map(|(lane, job)| (lane, *job))).unwrap()
        };
        let claimed = [of("a", 7), of("a", 3), of("c", 9), of("unknown", 1)];
        let marks = after(Marks::fresh(&lanes("a b")), &claimed);
        assert_eq!(marks.all().1, [job(7), START]);
        assert_eq!(after(marks, &[of("a", 8)]).all().1, [job(8), START]);
    }

    #[test]
    fn marks_are_used_a_few_times() {
        let mut marks = Marks::fresh(&lanes("a")).after(std::iter::empty());
        for use_ in 0..CURSOR_USES {
            assert!(marks.is_some(), "{use_}");
            marks = marks.and_then(|marks| marks.after(std::iter::empty()));
        }
        assert_eq!(marks, None);
    }

    #[test]
    fn small_claims_and_the_second_of_two_at_once_have_no_marks() {
        let marked = Marked::default();
        let marks = Marks::fresh(&lanes("a"));
        marked.put("default", Some(marks.clone()));
        assert_eq!(marked.take("default", WORTH_A_CURSOR), Some(marks.clone()));
        assert_eq!(marked.take("default", WORTH_A_CURSOR), None);
        marked.put("default", Some(marks));
        assert_eq!(marked.take("default", WORTH_A_CURSOR - 1), None);
        assert_eq!(marked.take("default", WORTH_A_CURSOR), None, "a small claim moved on without them");
        marked.put("default", Some(Marks::fresh(&lanes("a"))));
        marked.clear();
        assert_eq!(marked.take("default", WORTH_A_CURSOR), None);
    }
}
