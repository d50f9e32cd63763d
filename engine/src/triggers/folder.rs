//! Jobs from files: a new or changed file below a folder, or below a prefix of a bucket, makes a job with its path once it
//! is whole.
//!
//! The folder is looked at from time to time and nobody is told of changes by the system, because network file
//! systems tell nobody. A file is whole when it has not changed for a while by our own clock, or when its marker
//! stands beside it. Which file as it was made which job is written down with the job, so two processes may look at
//! one folder.

mod place;
mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jobkit::{AuditEntry, Clock, Origin};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::place::{Place, PlaceError};
use self::sight::{Said, Sight};
use super::template::TemplateError;
use super::webhook::Target;
use super::{Verdict, refused};
use crate::adapters::buckets::Buckets;
use crate::adapters::host::host_name;
use crate::alerts::TRIGGER_BLIND;
use crate::queue::Queue;
use crate::service::Patience;
use crate::triggers::settings;
use store::triggers::Intake;
use store::{Actor, News, Scope, Severity, Store, StoreError, chain};

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
    /// What it is known by when it was taken.
    mark: String,
    size: u64,
    modified: String,
}

/// What arguments may be made of.
pub const PLACES: &[&str] = &["name", "path", "etag", "size", "modified"];

impl File {
    fn told(&self) -> Value {
        let Self { name, path, etag, size, modified, .. } = self;
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
    mark: String,
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
            let (etag, mark) = (&file.etag, &file.mark);
            let new = || Sighting { etag: etag.clone(), mark: mark.clone(), since: now, taken: false };
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
        self.0.values().filter(|sighting| sighting.taken).map(|sighting| sighting.mark.clone()).collect()
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
    #[error("the folder trigger {name}")]
    Blind {
        name: String,
        #[source]
        cause: PlaceError,
    },
    #[error("the folder trigger {name} passes over a part of its folder: {problem}")]
    HalfBlind { name: String, problem: String },
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
        let mut sight = Sight::default();
        let mut next_tidying = self.clock.steady() + SEEN_AGAIN_EVERY;
        loop {
            let looked = self.look(&mut sightings).await;
            if let Err(problem) = self.say(&mut sight, &looked).await {
                tracing::debug!("{}", chain(&problem));
            }
            match looked {
                Ok(()) => {
                    patience.succeeded();
                    if self.clock.steady() >= next_tidying {
                        next_tidying = self.clock.steady() + SEEN_AGAIN_EVERY;
                        if let Err(problem) = self.tidy(&sightings).await {
                            tracing::debug!("{}", chain(&problem));
                        }
                    }
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(self.every).await;
        }
    }

    async fn look(&self, sightings: &mut Sightings) -> Result<(), LookError> {
        let listed = self.place.list().await;
        let listing = listed.map_err(|cause| LookError::Blind { name: self.name.clone(), cause })?;
        let whole = sightings.look(&self.rule, self.clock.steady(), listing.files);
        for batch in whole.chunks(BATCH) {
            self.take(batch, sightings).await?;
        }
        match listing.passed_over {
            Some(problem) => Err(LookError::HalfBlind { name: self.name.clone(), problem }),
            None => Ok(()),
        }
    }

    /// Tells people that the folder cannot be read, or that it can again.
    async fn say(&self, sight: &mut Sight, looked: &Result<(), LookError>) -> Result<(), StoreError> {
        let sees = match looked {
            Ok(()) => true,
            Err(LookError::Blind { .. } | LookError::HalfBlind { .. }) => false,
            // What the store says is no matter of the folder's.
            Err(LookError::Store(_) | LookError::Queue(_)) => return Ok(()),
        };
        let now = self.clock.steady();
        let Some(say) = sight.look(sees, now) else { return Ok(()) };
        let (name, host, source) = (&self.name, host_name(), Self::source(&self.name));
        let news = match say {
            Said::Blind => {
                let text = format!("the folder trigger {name} cannot read what it looks at, on {host}");
                News::began(TRIGGER_BLIND, &source, Severity::Warning, text)
            }
            Said::Seeing => {
                let text = format!("the folder trigger {name} can read what it looks at, on {host}");
                News::ended(TRIGGER_BLIND, &source, text)
            }
        };
        self.store.raise(&[news]).await?;
        sight.said(say, now);
        Ok(())
    }

    async fn take(&self, files: &[File], sightings: &mut Sightings) -> Result<(), LookError> {
        let source = Self::source(&self.name);
        let marks: Vec<String> = files.iter().map(|file| file.mark.clone()).collect();
        let known = self.store.see_marks(&source, &marks).await?;
        self.queue.freshen().await?;
        let mut new = Vec::new();
        for (file, mark) in files.iter().zip(marks) {
            if known.contains(&mark) {
                sightings.taken(file);
                continue;
            }
            let job = self.target.job(&file.told()).map_err(|problem| problem.to_string());
            match job.and_then(|job| {
                self.queue.rows(&Scope::Installation, vec![job]).map_err(|problem| chain(&problem))
            }) {
                Ok(rows) => new.push((file, Intake { mark, rows })),
                Err(problem) => self.set_aside(file, &problem, sightings).await?,
            }
        }
        self.insert(new, sightings).await
    }

    /// What the store will never take, and what waits for somebody's lock, is found by halves, so that one file does not
    /// keep the others.
    async fn insert(&self, new: Vec<(&File, Intake)>, sightings: &mut Sightings) -> Result<(), LookError> {
        let source = Self::source(&self.name);
        let mut waiting = vec![new];
        while let Some(mut few) = waiting.pop() {
            let intakes: Vec<Intake> = few.iter().map(|(_, intake)| intake.clone()).collect();
            let Err(problem) = self.queue.take(&source, &intakes, &Actor::new(source.clone())).await else {
                few.iter().for_each(|(file, _)| sightings.taken(file));
                continue;
            };
            match (Verdict::of(&problem), few.as_slice()) {
                (Verdict::Later, _) => return Err(problem.into()),
                (Verdict::Never, [(file, _)]) => self.set_aside(file, &chain(&problem), sightings).await?,
                // The next look tries again.
                (Verdict::Locked, [_]) => {
                    warn!("a file of the folder trigger {} waits: {}", self.name, chain(&problem));
                }
                _ => {
                    let rest = few.split_off(few.len() / 2);
                    waiting.extend([rest, few]);
                }
            }
        }
        Ok(())
    }

    /// Until it changes, the configuration does, or the process is started anew.
    async fn set_aside(
        &self,
        file: &File,
        problem: &str,
        sightings: &mut Sightings,
    ) -> Result<(), StoreError> {
        let source = Self::source(&self.name);
        warn!("a file of the folder trigger {} makes no job; the audit log says why", self.name);
        let entry = AuditEntry {
            at: None,
            actor: source.clone(),
            action: "trigger.skip".into(),
            object: self.target.kind.clone(),
            outcome: "failed".into(),
            tenant: None,
            origin: Origin::default(),
            details: json!({ "file": file.name, "reason": problem }),
        };
        self.store.append_audit(&entry).await?;
        self.store.raise(&[refused(&source)]).await?;
        sightings.taken(file);
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
        File {
            path: format!("/in/{name}"),
            mark: format!("{etag} {name}"),
            name: name.into(),
            etag: etag.into(),
            size: 1,
            modified: "2026-01-31T09:00:00Z".into(),
        }
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
    fn the_places_of_a_template_are_what_is_told_of_a_file() {
        let told = file("a.csv", "1").told();
        let told: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(told, PLACES.iter().copied().collect());
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
