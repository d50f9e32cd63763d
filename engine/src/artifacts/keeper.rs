//! Deletes the files of jobs whose rows are gone, when the configuration says how long files are kept; else they stay.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use jobkit::{Clock, JobId, ModelRecord, PortError};
use serde_json::json;
use tracing::{info, warn};

use super::ArtifactStore;
use store::{Actor, JobFilter, ModelFilter, Scope, Store, StoreError, chain};

pub struct Keeper {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub artifacts: Arc<dyn ArtifactStore>,
    /// So long at least, counted from when their job was made. None is for ever.
    pub keep: Option<Duration>,
}

/// Looking through a bucket costs a request for a thousand files.
pub const EVERY: Duration = Duration::from_secs(86_400);
const BITE: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Keeper {
    /// Once through all of them.
    pub async fn look(&self) -> Result<u64, KeeperError> {
        let Some(keep) = self.keep else { return Ok(0) };
        let mut jobs = self.artifacts.jobs();
        let (mut some, mut gone) = (Vec::new(), 0);
        while let Some(job) = jobs.try_next().await? {
            if some.last() == Some(&job) || !is_old(job, self.clock.now(), keep) {
                continue;
            }
            some.push(job);
            if some.len() == BITE {
                gone += self.bite(std::mem::take(&mut some)).await?;
            }
        }
        gone += self.bite(some).await?;
        if gone > 0 {
            info!("deleted the files of {gone} jobs whose rows are gone");
        }
        Ok(gone)
    }

    async fn bite(&self, mut jobs: Vec<JobId>) -> Result<u64, KeeperError> {
        jobs.sort_unstable();
        jobs.dedup();
        let only = JobFilter { ids: jobs.clone(), limit: Some(jobs.len()), ..JobFilter::default() };
        if !jobs.is_empty() {
            let known = self.store.briefs(&Scope::Installation, &only).await?;
            jobs.retain(|job| known.iter().all(|brief| brief.id != *job));
            // A model outlives the job that made it.
            let models =
                self.store.models(&ModelFilter { limit: Some(usize::MAX), ..ModelFilter::default() }).await?;
            jobs.retain(|job| {
                let holds = |known: &ModelRecord| {
                    known.made_by == *job || known.model.path.contains(&job.to_string())
                };
                !models.iter().any(holds)
            });
        }
        let mut gone = 0;
        for job in jobs {
            let files = self.artifacts.list(job).await?;
            // Another process was faster, or nothing of it is ours.
            if files.is_empty() {
                continue;
            }
            let bytes: u64 = files.iter().map(|file| file.bytes).sum();
            let details = json!({ "files": files.len(), "bytes": bytes });
            // First the entry: what was deleted without a word cannot be told any more.
            let entry = Actor::system().entry("artifact.expire", format!("job:{job}"), "ok", details);
            self.store.append_audit(&entry).await?;
            match self.artifacts.remove(job).await {
                Ok(()) => gone += 1,
                // A bucket may forbid it, and others of its files may go.
                Err(problem) => warn!(job.id = %job, "the files of job {job} stay: {}", chain(&problem)),
            }
        }
        Ok(gone)
    }
}

/// Of an id that does not say when it was made, nothing is ever old.
fn is_old(job: JobId, now: Timestamp, keep: Duration) -> bool {
    job.created_at()
        .is_some_and(|made| now.duration_since(made).try_into().is_ok_and(|age: Duration| age >= keep))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_old_when_its_id_says_so() {
        // Of 2024-06-01T00:00:00Z.
        let job: JobId = "018fd0f8-e400-7000-8000-000000000000".parse().unwrap();
        let made = job.created_at().unwrap();
        let day = Duration::from_secs(86_400);
        let nameless: JobId = "00000000-0000-4000-8000-000000000000".parse().unwrap();
        for (job, now, expected) in [
            (job, made + day, true),
            (job, made + day - Duration::from_secs(1), false),
            (job, made - day, false),
            (nameless, made + day * 10_000, false),
        ] {
            assert_eq!(is_old(job, now, day), expected, "{now}");
        }
    }
}
