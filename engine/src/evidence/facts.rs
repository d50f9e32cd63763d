//! Counts what entries say, and keeps which ones said it. Pure.

use audit::Entry;
use jiff::Timestamp;
use serde::Serialize;

use super::themes::{Counts, THEMES};

/// Of each sentence so many entries are shown one by one; the rest are counted, and named by their leaves.
pub const MOST_ROWS: usize = 1_000;
const LONGEST_DETAIL: usize = 300;

/// What was found for each claim, in the order of [`THEMES`].
pub struct Facts(Vec<Found>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    pub claim: &'static str,
    pub count: u64,
    /// The leaves of the entries that it stands on, from the first to the last of each stretch.
    pub leaves: Vec<(u64, u64)>,
    pub rows: Vec<Row>,
}

/// An entry as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub leaf: u64,
    pub seq: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub outcome: String,
    pub detail: String,
}

impl Default for Facts {
    fn default() -> Self {
        let claims = THEMES.iter().flat_map(|theme| theme.claims);
        Self(claims.map(|claim| Found { claim: claim.id, ..Found::default() }).collect())
    }
}

impl Facts {
    /// Leaves come in their order.
    pub fn take(&mut self, leaf: u64, entry: &Entry) {
        for (claim, found) in THEMES.iter().flat_map(|theme| theme.claims).zip(&mut self.0) {
            if !(claim.is)(entry) {
                continue;
            }
            let jobs = entry.jobs.as_ref().map_or(0, |jobs| jobs.len() as u64);
            found.count += if claim.counts == Counts::Entries { 1 } else { jobs };
            match found.leaves.last_mut() {
                Some((_, last)) if *last + 1 == leaf => *last = leaf,
                _ => found.leaves.push((leaf, leaf)),
            }
            if claim.counts != Counts::Jobs && found.rows.len() < MOST_ROWS {
                found.rows.push(row(leaf, entry));
            }
        }
    }

    pub fn of(&self, claim: &str) -> &Found {
        static NOTHING: Found = Found { claim: "", count: 0, leaves: Vec::new(), rows: Vec::new() };
        self.0.iter().find(|found| found.claim == claim).unwrap_or(&NOTHING)
    }

    pub fn all(&self) -> &[Found] {
        &self.0
    }
}

fn row(leaf: u64, entry: &Entry) -> Row {
    let jobs = entry.jobs.as_ref().map(|jobs| match jobs.as_slice() {
        [job] => format!("job {job}"),
        jobs => format!("{} jobs", jobs.len()),
    });
    let details = entry.details.as_deref().filter(|details| *details != "{}");
    let detail = [jobs.as_deref(), details].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Row {
        leaf,
        seq: entry.seq,
        at: entry.at,
        actor: entry.actor.clone(),
        action: entry.action.clone(),
        object: entry.object.clone(),
        outcome: entry.outcome.clone(),
        detail: match detail.char_indices().nth(LONGEST_DETAIL) {
            Some((end, _)) => format!("{}…", &detail[..end]),
            None => detail,
        },
    }
}

#[cfg(test)]
pub mod tests {
    use uuid::Uuid;

    use super::*;

    pub fn entry(seq: i64, actor: &str, action: &str, outcome: &str) -> Entry {
        Entry {
            place: None,
            seq,
            at: Timestamp::UNIX_EPOCH,
            actor: actor.into(),
            action: action.into(),
            object: "job".into(),
            outcome: outcome.into(),
            tenant: None,
            request: None,
            source: None,
            jobs: None,
            details: None,
        }
    }

    fn of_jobs(seq: i64, action: &str, outcome: &str, jobs: usize) -> Entry {
        let jobs = (0..jobs as u128).map(Uuid::from_u128).collect();
        Entry { jobs: Some(jobs), ..entry(seq, "worker:1", action, outcome) }
    }

    #[test]
    fn jobs_are_counted_and_the_leaves_kept_in_stretches() {
        let mut facts = Facts::default();
        for (leaf, jobs) in [(4, 2), (5, 3), (9, 1)] {
            facts.take(leaf, &of_jobs(1, "job.finish", "completed", jobs));
        }
        facts.take(10, &of_jobs(7, "job.finish", "discarded", 1));

        let completed = facts.of("jobs.completed");
        assert_eq!((completed.count, &completed.leaves, completed.rows.len()), (6, &vec![(4, 5), (9, 9)], 0));
        let discarded = facts.of("jobs.discarded");
        assert_eq!((discarded.count, discarded.rows.len()), (1, 1));
        assert_eq!((discarded.rows[0].leaf, discarded.rows[0].seq), (10, 7));
        assert_eq!(discarded.rows[0].detail, format!("job {}", Uuid::nil()));
        assert_eq!(facts.of("jobs.rescued").count, 0);
        assert_eq!(facts.of("no such claim").count, 0);
    }

    #[test]
    fn rows_end_and_the_count_goes_on() {
        let mut facts = Facts::default();
        for leaf in 0..(MOST_ROWS as u64 + 5) {
            facts.take(leaf, &entry(1, "cli:root", "queue.pause", "ok"));
        }
        let found = facts.of("changes.made");
        assert_eq!((found.count, found.rows.len()), (MOST_ROWS as u64 + 5, MOST_ROWS));
        assert_eq!(found.leaves, [(0, MOST_ROWS as u64 + 4)]);
    }

    #[test]
    fn a_detail_ends_between_letters() {
        let long = Entry { details: Some("é".repeat(400)), ..entry(1, "cli:root", "queue.pause", "ok") };
        let detail = row(0, &long).detail;
        assert_eq!(detail.chars().count(), LONGEST_DETAIL + 1);
        assert!(detail.ends_with("é…"));
    }
}
