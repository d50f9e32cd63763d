//! Counts what entries say, and keeps which ones said it. Pure.

use std::collections::HashSet;

use audit::Entry;
use jiff::Timestamp;
use jobkit::evidence::{Claim, Counts, Seen, Theme};
use serde::Serialize;

use super::files::{self, File};

/// Of each sentence so many entries are shown one by one; the rest are counted, and named by their leaves.
pub const MOST_ROWS: usize = 1_000;
const LONGEST_DETAIL: usize = 300;

/// What was found for each claim, in the order of the themes.
pub struct Facts {
    themes: Vec<&'static Theme>,
    found: Vec<Found>,
    /// Of claims that count things: which, by tenant and name.
    things: Vec<HashSet<(Option<String>, String)>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub claim: &'static str,
    pub count: u64,
    /// The leaves of the entries that it stands on, from the first to the last of each stretch.
    pub leaves: Vec<(u64, u64)>,
    pub rows: Vec<Row>,
    /// Of claims that count files: all of them.
    pub files: Vec<File>,
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

/// An entry as claims look at it.
pub fn seen(entry: &Entry) -> Seen<'_> {
    Seen {
        actor: &entry.actor,
        action: &entry.action,
        object: &entry.object,
        outcome: &entry.outcome,
        details: entry.details.as_deref(),
    }
}

impl Facts {
    pub fn of_themes(themes: Vec<&'static Theme>) -> Self {
        let found: Vec<_> =
            claims(&themes).map(|claim| Found { claim: claim.id, ..Found::default() }).collect();
        let things = vec![HashSet::new(); found.len()];
        Self { themes, found, things }
    }

    pub fn themes(&self) -> &[&'static Theme] {
        &self.themes
    }

    /// Leaves come in their order.
    pub fn take(&mut self, leaf: u64, entry: &Entry) {
        let seen = seen(entry);
        for ((claim, found), things) in claims(&self.themes).zip(&mut self.found).zip(&mut self.things) {
            if !(claim.is)(&seen) {
                continue;
            }
            match found.leaves.last_mut() {
                Some((_, last)) if *last + 1 == leaf => *last = leaf,
                _ => found.leaves.push((leaf, leaf)),
            }
            found.count += match claim.counts {
                Counts::Entries => 1,
                Counts::Jobs | Counts::JobsListed => entry.jobs.as_ref().map_or(0, |jobs| jobs.len() as u64),
                Counts::Things => u64::from(things.insert((entry.tenant.clone(), entry.object.clone()))),
                Counts::Files => {
                    let before = found.files.len();
                    found.files.extend(files::named(leaf, entry));
                    (found.files.len() - before) as u64
                }
            };
            if claim.counts != Counts::Jobs && found.rows.len() < MOST_ROWS {
                found.rows.push(row(leaf, entry));
            }
        }
    }

    pub fn of(&self, claim: &str) -> &Found {
        static NOTHING: Found =
            Found { claim: "", count: 0, leaves: Vec::new(), rows: Vec::new(), files: Vec::new() };
        self.found.iter().find(|found| found.claim == claim).unwrap_or(&NOTHING)
    }

    pub fn all(&self) -> &[Found] {
        &self.found
    }

    /// To say of each where it is.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut File> {
        self.found.iter_mut().flat_map(|found| &mut found.files)
    }
}

fn claims(themes: &[&'static Theme]) -> impl Iterator<Item = &'static Claim> {
    themes.iter().flat_map(|theme| theme.claims)
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
    use jobkit::evidence::Framework;
    use uuid::Uuid;

    use super::*;
    use crate::evidence::themes;

    /// What a family might say.
    pub const LETTERS: Theme = Theme {
        id: "letters",
        title: "Letters",
        says: "What was posted.",
        controls: &[
            (Framework::Soc2, "PI1.5"),
            (Framework::Hipaa, "164.312(c)(1)"),
            (Framework::Iso27001, "A.5.33"),
        ],
        only_if_used: true,
        claims: &[
            Claim {
                id: "letters.posted",
                one: "letter was posted",
                many: "letters were posted",
                counts: Counts::Things,
                is: |entry| entry.action == "letter.post" && entry.detail("again").is_null(),
            },
            Claim {
                id: "letters.kept",
                one: "file was kept",
                many: "files were kept",
                counts: Counts::Files,
                is: |entry| entry.action == "letter.keep",
            },
        ],
    };

    impl Default for Facts {
        fn default() -> Self {
            Self::of_themes(themes::with(&[&LETTERS]))
        }
    }

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
    fn a_thing_is_counted_once_for_each_tenant_and_each_file_by_its_name() {
        let of = |seq, action: &str, object: &str, tenant: Option<&str>, details: &str| Entry {
            object: object.into(),
            tenant: tenant.map(str::to_owned),
            details: Some(details.into()),
            ..entry(seq, "job:1", action, "ok")
        };
        let mut facts = Facts::default();
        for (leaf, object, tenant, details) in [
            (0, "letter/a", None, "{}"),
            (1, "letter/a", None, "{}"),
            (2, "letter/a", Some("north"), "{}"),
            (3, "letter/b", None, "{}"),
            (4, "letter/c", None, r#"{"again":true}"#),
        ] {
            facts.take(leaf, &of(1, "letter.post", object, tenant, details));
        }
        let kept = format!(
            r#"{{"files":[{{"name":"a.pdf","sha256":"{}","bytes":3,"address":"file:x"}},{{"name":"no hash"}}]}}"#,
            "0a".repeat(32)
        );
        facts.take(5, &of(9, "letter.keep", "letter/a", None, &kept));

        let posted = facts.of("letters.posted");
        assert_eq!((posted.count, &posted.leaves, posted.rows.len()), (3, &vec![(0, 3)], 4));
        let found = facts.of("letters.kept");
        let [file] = &found.files[..] else { panic!("{found:?}") };
        assert_eq!((found.count, found.rows.len()), (1, 1));
        assert_eq!(
            (file.leaf, file.seq, file.object.as_str(), file.name.as_str()),
            (5, 9, "letter/a", "a.pdf")
        );
        assert_eq!(
            (file.sha256.as_str(), file.bytes, file.address.as_deref()),
            (&*"0a".repeat(32), Some(3), Some("file:x"))
        );
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
