//! Jobs that share the work on one ledger: made once, waited for without a slot, and told apart when one of them fails.

use std::path::{Path, PathBuf};

use jobkit::{ChildResult, Ctx, Failure, JobId, NewJob, OnParentFailure, Outcome};

use crate::clear_parts::{ClearParts, ClearPartsArgs};
use crate::run::{Pass, PutAside, Request, RunError, Stint};
use crate::score_part::{ScorePart, ScorePartArgs, is_over};

/// More attempts no job may have.
const MOST_ATTEMPTS: u16 = 1_000;

pub(super) struct Partitions<'a> {
    ctx: &'a Ctx,
    out_dir: PathBuf,
    put_aside: PutAside,
    settings_sha256: String,
    passes: &'static [Pass],
}

/// A job that did not do its share.
#[derive(Debug, thiserror::Error)]
#[error("job {id}, which had a share of the work, was {state}{}; enqueue a new job once the cause is mended", because(.error))]
struct NotDone {
    id: JobId,
    state: String,
    error: Option<String>,
}

fn because(error: &Option<String>) -> String {
    error.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
}

/// Before anything is put aside there is a job that removes it, however this one ends: one that is cancelled while it waits is asked nothing any more.
///
/// One for each claim that reads the ledger: that of an earlier one may be over, where somebody retried a job that had ended.
pub(super) async fn clear_at_the_end(ctx: &Ctx, out_dir: &Path) -> Result<(), Failure> {
    // There from now on: that job takes a folder that it does not find for one that its worker does not see.
    std::fs::create_dir_all(out_dir).map_err(|cause| RunError::Write { folder: out_dir.into(), cause })?;
    let args = ClearPartsArgs { job: ctx.job().id, out_dir: out_dir.into() };
    let job = NewJob::of::<ClearParts>(&args).map_err(Failure::permanent)?;
    let job = NewJob { on_parent_failure: OnParentFailure::Run, ..job.after([ctx.job().id]) };
    ctx.spawn(&format!("clear {}", ctx.job().claim), vec![beside(ctx, job)]).await?;
    Ok(())
}

/// Where this one runs there are workers that see the files. It is tried as often, which only the engine's bound can be too much for.
fn beside(ctx: &Ctx, job: NewJob) -> NewJob {
    let own = ctx.job();
    let max_attempts = Some(own.max_attempts.clamp(1, MOST_ATTEMPTS));
    NewJob { queue: Some(own.queue.clone()), tags: own.tags.clone(), max_attempts, ..job }
}

/// Those behind the survey, in their order. A model knows what is counted where a ledger teaches itself.
pub(super) fn passes(by_model: bool) -> &'static [Pass] {
    match by_model {
        true => &[Pass::Tie, Pass::Measure, Pass::Detect, Pass::Judge],
        false => &[Pass::Tie, Pass::Count, Pass::Measure, Pass::Detect, Pass::Judge],
    }
}

impl<'a> Partitions<'a> {
    pub fn new(ctx: &'a Ctx, request: &Request, put_aside: PutAside, passes: &'static [Pass]) -> Self {
        let Request { out_dir, settings, .. } = request;
        Self { ctx, out_dir: out_dir.clone(), put_aside, settings_sha256: settings.sha256(), passes }
    }

    /// The wait for the first pass, or none once it is over: what it finds decides whether there are others.
    pub async fn survey(&self) -> Result<Option<Outcome>, Failure> {
        let jobs = self.spawn(Pass::Survey, &[]).await?;
        self.wait(jobs).await
    }

    /// The wait for all others, each of which begins when the one before it is over.
    pub async fn score(&self) -> Result<Option<Outcome>, Failure> {
        let (mut all, mut before) = (Vec::new(), Vec::new());
        for &pass in self.passes {
            before = self.spawn(pass, &before).await?;
            all.extend(&before);
        }
        self.wait(all).await
    }

    async fn spawn(&self, pass: Pass, before: &[JobId]) -> Result<Vec<JobId>, Failure> {
        let of = self.put_aside.partitions;
        let job = |index| {
            let args = ScorePartArgs {
                job: self.ctx.job().id,
                claim: self.put_aside.claim,
                out_dir: self.out_dir.clone(),
                settings_sha256: self.settings_sha256.clone(),
                stint: Stint { pass, index, of },
            };
            let job = NewJob::of::<ScorePart>(&args)?.after(before.iter().copied());
            Ok(beside(self.ctx, job))
        };
        let jobs: Result<Vec<NewJob>, serde_json::Error> = (0..of).map(job).collect();
        self.ctx.spawn(pass.name_of_jobs(), jobs.map_err(Failure::permanent)?).await
    }

    async fn wait(&self, jobs: Vec<JobId>) -> Result<Option<Outcome>, Failure> {
        match ended(&self.ctx.children(&jobs).await?)? {
            true => Ok(None),
            false => Ok(Some(Outcome::WaitFor(jobs))),
        }
    }
}

/// Whether all are done. When one has failed, those behind it are cancelled, and the failure is the one that says why.
fn ended(children: &[ChildResult]) -> Result<bool, NotDone> {
    if !children.iter().all(is_over) {
        return Ok(false);
    }
    let first = |state: &str| children.iter().find(|child| child.state == state);
    match first("discarded").or_else(|| first("cancelled")) {
        None => Ok(true),
        Some(ChildResult { id, state, error, .. }) => {
            Err(NotDone { id: *id, state: state.clone(), error: error.clone() })
        }
    }
}

impl From<NotDone> for Failure {
    fn from(error: NotDone) -> Self {
        // The job was tried as often as it may be.
        Failure::permanent(error)
    }
}

#[cfg(test)]
mod tests;
