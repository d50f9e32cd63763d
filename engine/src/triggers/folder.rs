//! Jobs from files: a new or changed file below a folder, or below a prefix of a bucket, makes a job with its path once it
//! is whole.
//!
//! The folder is looked at from time to time and nobody is told of changes by the system, because network file
//! systems tell nobody. A file is whole when it has not changed for a while by our own clock, or when its marker
//! stands beside it. Which file as it was made which job is written down with the job, so two processes may look at
//! one folder.

mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::place::{Place, PlaceError};
use super::template::TemplateError;
use super::webhook::Target;
use crate::adapters::buckets::Buckets;
use crate::queue::Queue;
use crate::service::{Patience, chain};
use crate::store::triggers::Intake;
use crate::store::{Actor, Store, StoreError};
use crate::triggers::settings;

const BATCH: usize = 100;

/// A mark is kept for as long as its file lies there, and for so long after.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
const SEEN_AGAIN_EVERY: Duration = Duration::from_secs(86_400);
const FORGET_AT_ONCE: usize = 10_000;

/// One file as a look at the folder finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    /// Below the folder.
    name: String,
    path: String,
    /// Another when the file changes.
    etag: String,
    size: u64,
    modified: String,
}

impl File {
    fn mark(&self) -> String {
        format!("{} {}", self.etag, self.name)
    }

    fn told(&self) -> Value {
        let Self { name, path, etag, size, modified } = self;
        json!({ "name": name, "path": path, "etag": etag, "size": size, "modified": modified })
    }
}

/// When a file is whole, and which ones are meant.
#[derive(Debug, Clone)]
struct Rule {
    suffix: String,
    marker: String,
    stable_for: Duration,
}

struct Sighting {
    etag: String,
    since: Duration,
    taken: bool,
}

/// What this process has seen of the folder; pure.
#[derive(Default)]
struct Sightings(BTreeMap<String, Sighting>);

impl Sightings {
    /// Files that are whole and were not taken as they are.
    fn look(&mut self, rule: &Rule, now: Duration, files: Vec<File>) -> Vec<File> {
        let names: BTreeSet<String> = files.iter().map(|file| file.name.clone()).collect();
        self.0.retain(|name, _| names.contains(name));
        let whole = |file: &File, since: Duration| match rule.marker.as_str() {
            "" => now.saturating_sub(since) >= rule.stable_for,
            marker => names.contains(&format!("{}{marker}", file.name)),
        };
        let meant = files.into_iter().filter(|file| rule.means(&file.name));
        let fresh = meant.filter(|file| {
            let new = || Sighting { etag: file.etag.clone(), since: now, taken: false };
            let sighting = self.0.entry(file.name.clone()).or_insert_with(new);
            if sighting.etag != file.etag {
                *sighting = new();
            }
            !sighting.taken && whole(file, sighting.since)
        });
        fresh.collect()
    }

    fn taken(&mut self, file: &File) {
        if let Some(sighting) = self.0.get_mut(&file.name)
            && sighting.etag == file.etag
        {
            sighting.taken = true;
        }
    }

    fn marks(&self) -> Vec<String> {
        let taken = self.0.iter().filter(|(_, sighting)| sighting.taken);
        taken.map(|(name, sighting)| format!("{} {name}", sighting.etag)).collect()
    }
}

impl Rule {
    /// Hidden files are somebody's work in progress, and markers are no work.
    fn means(&self, name: &str) -> bool {
        let hidden = name.split('/').any(|part| part.starts_with('.'));
        let marker = !self.marker.is_empty() && name.ends_with(&self.marker);
        name.ends_with(&self.suffix) && !hidden && !marker
    }
}

pub struct FolderTrigger {
    name: String,
    place: Place,
    every: Duration,
    rule: Rule,
    target: Target,
    queue: Arc<Queue>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] crate::queue::QueueError),
}

impl FolderTrigger {
    pub fn new(
        name: &str,
        settings: &settings::Folder,
        buckets: &Buckets,
        queue: Arc<Queue>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TemplateError> {
        let place = Place::of(&settings.path, buckets);
        Ok(Self {
            name: name.into(),
            every: settings.every,
            rule: Rule {
                suffix: settings.suffix.clone(),
                marker: settings.marker.clone(),
                // An object is there when it is whole.
                stable_for: if place.is_bucket() { Duration::ZERO } else { settings.stable_for },
            },
            place,
            target: Target::new(&settings.kind, &settings.args, &settings.queue, &settings.tenant)?,
            queue,
            store,
            clock,
        })
    }

    pub fn source(name: &str) -> String {
        format!("folder:{name}")
    }

    /// Until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.watch()).await.unwrap_or_default();
    }

    async fn watch(self) {
        let mut patience = Patience::new("watching a folder", self.clock.clone());
        let mut sightings = Sightings::default();
        let mut next_tidying = self.clock.steady() + SEEN_AGAIN_EVERY;
        loop {
            match self.look(&mut sightings).await {
                Ok(()) => {
                    patience.succeeded();
                }
                Err(problem) => {
                    patience.failed(&problem).await;
                    continue;
                }
            }
            if self.clock.steady() >= next_tidying {
                next_tidying = self.clock.steady() + SEEN_AGAIN_EVERY;
                if let Err(problem) = self.tidy(&sightings).await {
                    tracing::debug!("{}", chain(&problem));
                }
            }
            self.clock.sleep(self.every).await;
        }
    }

    async fn look(&self, sightings: &mut Sightings) -> Result<(), LookError> {
        let files = self.place.list(&self.name).await?;
        let whole = sightings.look(&self.rule, self.clock.steady(), files);
        for batch in whole.chunks(BATCH) {
            self.take(batch, sightings).await?;
        }
        Ok(())
    }

    async fn take(&self, files: &[File], sightings: &mut Sightings) -> Result<(), LookError> {
        let source = Self::source(&self.name);
        let marks: Vec<String> = files.iter().map(File::mark).collect();
        let known = self.store.see_marks(&source, &marks).await?;
        self.queue.freshen().await?;
        let mut new = Vec::new();
        for (file, mark) in files.iter().zip(marks) {
            if known.contains(&mark) {
                sightings.taken(file);
                continue;
            }
            let job = self.target.job(&file.told()).map_err(|problem| problem.to_string());
            match job.and_then(|job| self.queue.rows(vec![job]).map_err(|problem| chain(&problem))) {
                Ok(rows) => new.push((file, Intake { mark, rows })),
                Err(problem) => {
                    warn!("a file of the folder trigger {} makes no job: {problem}", self.name);
                    // Until it changes, or the configuration does.
                    sightings.taken(file);
                }
            }
        }
        let (files, intakes): (Vec<&File>, Vec<Intake>) = new.into_iter().unzip();
        self.queue.take(&source, &intakes, &Actor(source.clone())).await?;
        files.into_iter().for_each(|file| sightings.taken(file));
        Ok(())
    }

    async fn tidy(&self, sightings: &Sightings) -> Result<(), StoreError> {
        let source = Self::source(&self.name);
        for marks in sightings.marks().chunks(BATCH) {
            self.store.see_marks(&source, marks).await?;
        }
        while self.store.forget_marks_unseen(&source, REMEMBERED, FORGET_AT_ONCE).await?
            == FORGET_AT_ONCE as u64
        {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, etag: &str) -> File {
        let (name, etag) = (name.to_owned(), etag.to_owned());
        File { path: format!("/in/{name}"), name, etag, size: 1, modified: "2026-01-31T09:00:00Z".into() }
    }

    fn rule(suffix: &str, marker: &str) -> Rule {
        Rule { suffix: suffix.into(), marker: marker.into(), stable_for: Duration::from_secs(30) }
    }

    fn names(files: &[File]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_file_is_whole_when_it_has_stopped_changing() {
        let rule = rule(".csv", "");
        let mut seen = Sightings::default();

        assert_eq!(names(&seen.look(&rule, at(0), vec![file("a.csv", "1")])), [""; 0]);
        assert_eq!(names(&seen.look(&rule, at(29), vec![file("a.csv", "2")])), [""; 0]);
        assert_eq!(names(&seen.look(&rule, at(58), vec![file("a.csv", "2")])), [""; 0]);
        let whole = seen.look(&rule, at(59), vec![file("a.csv", "2"), file("b.csv", "1")]);
        assert_eq!(names(&whole), ["a.csv"]);
        // Until somebody says that it is taken.
        assert_eq!(names(&seen.look(&rule, at(60), vec![file("a.csv", "2")])), ["a.csv"]);
        seen.taken(&whole[0]);
        assert_eq!(names(&seen.look(&rule, at(99), vec![file("a.csv", "2")])), [""; 0]);

        // It changed: another file, as it were.
        seen.look(&rule, at(100), vec![file("a.csv", "3")]);
        assert_eq!(names(&seen.look(&rule, at(130), vec![file("a.csv", "3")])), ["a.csv"]);
    }

    #[test]
    fn a_marker_says_that_a_file_is_whole() {
        let rule = rule("", ".done");
        let mut seen = Sightings::default();

        assert_eq!(names(&seen.look(&rule, at(0), vec![file("a.csv", "1"), file("b", "1")])), [""; 0]);
        let files = vec![file("a.csv", "1"), file("a.csv.done", "1"), file("b", "1")];
        assert_eq!(names(&seen.look(&rule, at(1), files)), ["a.csv"]);
    }

    #[test]
    fn only_what_is_meant_is_taken() {
        let rule = Rule { stable_for: Duration::ZERO, ..rule(".csv", "") };
        let files = ["a.csv", "sub/b.csv", "c.txt", ".d.csv", ".tmp/e.csv", "f.csv.part"];
        let files = files.map(|name| file(name, "1")).into();

        assert_eq!(names(&Sightings::default().look(&rule, at(0), files)), ["a.csv", "sub/b.csv"]);
    }
}
