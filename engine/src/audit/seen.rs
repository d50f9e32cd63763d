//! Who was shown what: arguments, results, files, reviews, users, approvals. The entry is written before anything is shown, and where
//! it cannot be written nothing is shown ([0123](../../../docs/decisions/0123-reading-is-an-entry.md)).
//!
//! One entry stands for what somebody was shown of a thing in a minute, from one address, by one process: whoever polls
//! does not fill the log, and whoever shows the same token from elsewhere has an entry of his own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use audit::commitment::Opening;
use jobkit::{AuditEntry, Clock, JobId, Personal, SecretString, UploadId};
use ring::rand::SystemRandom;
use serde_json::{Map, Value, json};
use store::{
    Actor, ApprovalId, ApprovalRow, JobDetail, JobFilter, JobRow, OfJobs, OpeningRow, Scope, Store,
    UploadRow, UserId,
};

use super::sources::SourceError;
use crate::seal::is_sealed;

/// What begins all actions of this file.
pub const ACCESS: &str = "access.";

/// More than that in a minute is written down anew: more entries than needed, and never fewer.
const MOST_KNOWN: usize = 100_000;

/// Something that holds what is about people, or what jobs were given and found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    Job(JobId),
    /// What people decided on the items of a job's result.
    Reviews(JobId),
    /// The names of a job's files.
    Files(JobId),
    /// One of them. A name may be about somebody, so the entry has a commitment to it.
    File {
        job: JobId,
        claim: u64,
        name: String,
    },
    User(UserId),
    /// From where and by what a user is signed in.
    Sessions(UserId),
    /// What people are to approve, where it is not a job.
    Approval(ApprovalId),
    /// What somebody called a file.
    Upload(UploadId),
}

/// A thing and what is to be shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    thing: Thing,
    /// Whose it is. Of a job it is looked up where it is not known.
    tenant: Option<String>,
    parts: BTreeSet<&'static str>,
}

impl Sight {
    pub fn of(thing: Thing, part: &'static str) -> Self {
        Self { thing, tenant: None, parts: BTreeSet::from([part]) }
    }

    pub fn user(id: UserId, tenant: Option<&str>) -> Self {
        Self { tenant: tenant.map(str::to_owned), ..Self::of(Thing::User(id), "user") }
    }

    /// What is to be approved. Of a job it is what the job was given.
    pub fn approval(approval: &ApprovalRow) -> Self {
        let (thing, part) = match approval.job {
            Some(job) => (Thing::Job(job), "args"),
            None => (Thing::Approval(approval.id), "what"),
        };
        Self { tenant: approval.tenant.clone(), ..Self::of(thing, part) }
    }

    /// Of one without a name nothing is shown that is about anybody.
    pub fn upload(upload: &UploadRow) -> Self {
        let parts = upload.name.iter().map(|_| "name").collect();
        Self { thing: Thing::Upload(upload.id), tenant: upload.tenant.clone(), parts }
    }

    /// As a list shows a job. What is sealed is not shown by showing it.
    pub fn job(job: &JobRow) -> Self {
        let metadata = job.metadata.as_ref().map(|_| "");
        let texts = [
            ("args", Some(job.args.as_str())),
            ("result", job.result.as_deref()),
            ("error", job.error.as_deref()),
            ("metadata", metadata),
        ];
        let shown = |(part, text): (_, Option<&str>)| text.filter(|text| !is_sealed(text)).map(|_| part);
        let parts = texts.into_iter().filter_map(shown).collect();
        Self { thing: Thing::Job(job.id), tenant: job.tenant.clone(), parts }
    }

    /// As it is shown where one is asked for.
    pub fn job_in_full(detail: &JobDetail) -> Self {
        let mut sight = Self::job(&detail.job);
        let more = [
            ("error", detail.attempts.iter().any(|attempt| attempt.error.is_some())),
            ("log", detail.attempts.iter().any(|attempt| !attempt.log.is_empty())),
            ("steps", detail.steps.iter().any(|step| step.result.is_some())),
            ("progress", detail.progress.is_some()),
        ];
        sight.parts.extend(more.into_iter().filter_map(|(part, there)| there.then_some(part)));
        sight
    }

    /// As a line of a table, which has the error and nothing else of what a job wrote.
    pub fn line(job: &JobRow) -> Self {
        let mut sight = Self::job(job);
        sight.parts.retain(|part| *part == "error");
        sight
    }
}

/// Whoever looks: by name, and from where.
type Viewer = (String, Option<String>);

#[derive(Default)]
struct Minute {
    number: i64,
    known: HashMap<Viewer, HashMap<Thing, BTreeSet<&'static str>>>,
    count: usize,
}

impl Minute {
    /// Those of which something is shown that no entry of this minute says.
    fn fresh(&self, viewer: &Viewer, sights: &[Sight]) -> Vec<Sight> {
        let known = self.known.get(viewer);
        let said = |sight: &Sight| {
            let parts = known.and_then(|known| known.get(&sight.thing));
            parts.is_some_and(|parts| sight.parts.is_subset(parts))
        };
        sights.iter().filter(|sight| !sight.parts.is_empty() && !said(sight)).cloned().collect()
    }

    fn said(&mut self, viewer: Viewer, sights: Vec<Sight>) {
        let known = self.known.entry(viewer).or_default();
        for Sight { thing, parts, .. } in sights {
            self.count += usize::from(!known.contains_key(&thing));
            known.entry(thing).or_default().extend(parts);
        }
    }
}

pub struct Seen {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    minute: Mutex<Minute>,
}

impl Seen {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, minute: Mutex::default() }
    }

    /// Writes down that this is about to be shown. Whoever cannot have that shows nothing.
    pub async fn shows(&self, by: &Actor, sights: &[Sight]) -> Result<(), SourceError> {
        let viewer = (by.name.clone(), by.origin.source.clone());
        let mut fresh = self.minute().fresh(&viewer, sights);
        if fresh.is_empty() {
            return Ok(());
        }
        self.whose(&mut fresh).await?;
        let mut names = BTreeMap::new();
        for sight in &fresh {
            if let Thing::File { job, name, .. } = &sight.thing {
                names.insert(name.clone(), self.commit(*job, name).await?);
            }
        }
        self.store.append_of_jobs(&entries(by, &fresh, &names)).await?;
        // Two requests at once may each have written theirs, which says nothing wrong.
        self.minute().said(viewer, fresh);
        Ok(())
    }

    fn minute(&self) -> std::sync::MutexGuard<'_, Minute> {
        let number = self.clock.now().as_second().div_euclid(60);
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != number || minute.count >= MOST_KNOWN {
            *minute = Minute { number, ..Minute::default() };
        }
        minute
    }

    /// Files and reviews come without the job that they belong to. One that is deleted is nobody's.
    async fn whose(&self, sights: &mut [Sight]) -> Result<(), SourceError> {
        let of = |thing: &Thing| match thing {
            Thing::Reviews(job) | Thing::Files(job) | Thing::File { job, .. } => Some(*job),
            Thing::Job(_) | Thing::User(_) | Thing::Sessions(_) | Thing::Approval(_) | Thing::Upload(_) => {
                None
            }
        };
        let ids: BTreeSet<_> = sights.iter().filter_map(|sight| of(&sight.thing)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = ids.into_iter().collect();
        let only = JobFilter { limit: Some(ids.len()), ids, ..JobFilter::default() };
        let jobs = self.store.briefs(&Scope::Installation, &only).await?;
        for sight in sights {
            let job = of(&sight.thing).and_then(|id| jobs.iter().find(|job| job.id == id));
            if let Some(job) = job {
                sight.tenant.clone_from(&job.tenant);
            }
        }
        Ok(())
    }

    /// What opens it is kept before an entry can name it.
    async fn commit(&self, job: JobId, name: &str) -> Result<String, SourceError> {
        let opening = Opening::new(FILE, SecretString::from(name.to_owned()), &SystemRandom::new())?;
        let commitment = opening.commit().to_string();
        let row = OpeningRow {
            commitment: commitment.clone(),
            field: opening.field.clone(),
            salt: *opening.salt,
            value: Personal::new(name.to_owned()),
            subject: format!("job:{job}"),
            at: self.clock.now(),
        };
        self.store.put_opening(&row).await?;
        Ok(commitment)
    }
}

/// The name of what is committed to.
const FILE: &str = "file";

/// One entry for all things of a sort of which the same is shown, and which are of one tenant.
fn entries(by: &Actor, sights: &[Sight], names: &BTreeMap<String, String>) -> Vec<OfJobs> {
    let mut groups: BTreeMap<_, Vec<&Thing>> = BTreeMap::new();
    for Sight { thing, tenant, parts } in sights {
        // Each file has an entry of its own, since it says which.
        let own = matches!(thing, Thing::File { .. }).then_some(thing);
        groups.entry((action(thing), tenant, parts, own)).or_default().push(thing);
    }
    let entry = |((action, tenant, parts, _), things): ((_, &Option<String>, _, _), Vec<&Thing>)| {
        let mut details = Map::from_iter([("parts".to_owned(), json!(parts))]);
        // Of one action they are all of one sort.
        let (mut jobs, mut others, mut sort) = (Vec::new(), Vec::new(), "job");
        for thing in things {
            match thing {
                Thing::Job(job) | Thing::Reviews(job) | Thing::Files(job) => jobs.push(*job),
                Thing::File { job, claim, name } => {
                    jobs.push(*job);
                    details.insert("claim".into(), claim.to_string().into());
                    details.insert("personal".into(), json!({ FILE: names.get(name) }));
                }
                Thing::User(user) | Thing::Sessions(user) => {
                    sort = "user";
                    others.push(user.0);
                }
                Thing::Approval(approval) => {
                    sort = "approval";
                    others.push(approval.0);
                }
                Thing::Upload(upload) => {
                    sort = "upload";
                    others.push(upload.0);
                }
            }
        }
        let object = match (jobs.as_slice(), others.as_slice()) {
            ([job], _) => format!("job:{job}"),
            (_, [one]) => format!("{sort}:{one}"),
            (_, []) => "jobs".into(),
            (_, all) => {
                details.insert(format!("{sort}s"), json!(all));
                format!("{sort}s")
            }
        };
        let entry = by.entry(action, object, "ok", Value::Object(details));
        OfJobs { entry: AuditEntry { tenant: tenant.clone(), ..entry }, jobs }
    };
    groups.into_iter().map(entry).collect()
}

fn action(thing: &Thing) -> &'static str {
    match thing {
        Thing::Job(_) => "access.job",
        Thing::Reviews(_) => "access.review",
        Thing::Files(_) | Thing::File { .. } => "access.artifact",
        Thing::User(_) | Thing::Sessions(_) => "access.user",
        Thing::Approval(_) => "access.approval",
        Thing::Upload(_) => "access.upload",
    }
}

#[cfg(test)]
mod tests;
