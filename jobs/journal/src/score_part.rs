//! The job `journal.score_part`: one share of one pass over a ledger, for a job `journal.score_ledger` that waits for it.
//!
//! Nobody enqueues it by its name: it works on what that job has put aside, in the folder that both see, and leaves what it found there. It may run twice: what
//! it makes is the same each time, and appears whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobkit::{ChildResult, Ctx, Failure, Job, JobId, Outcome, Policy};
use serde::{Deserialize, Serialize};

use crate::attempt::within;
use crate::output::RunTag;
use crate::run::{Run, RunError, Stint};
use crate::workplace::Workplace;
use crate::{Config, attempt};

/// So often it looks whether anybody still waits for it. A pass takes longer than that on a ledger that is worth dividing.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScorePartArgs {
    /// The one that waits.
    pub job: JobId,
    /// Its claim that read the ledger.
    pub claim: u64,
    /// Its folder of results, in which the parts are.
    pub out_dir: PathBuf,
    /// With those settings.
    pub settings_sha256: String,
    #[serde(flatten)]
    pub stint: Stint,
}

pub struct ScorePart {
    config: Config,
}

impl ScorePart {
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

impl Job for ScorePart {
    type Args = ScorePartArgs;
    const KIND: &'static str = "journal.score_part";

    fn policy(&self) -> Policy {
        // As often as the job that waits for it, which says so when it makes this one.
        Policy::default().max_attempts(5).internal()
    }

    async fn run(&self, args: ScorePartArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        if let Some(over) = over(ctx, args.job).await? {
            return Ok(over);
        }
        let Config { out_dir, roots, .. } = &self.config;
        let out_dir = within("out_dir", &args.out_dir, roots.iter().chain([out_dir]))?;
        let own = RunTag { run: ctx.job().id.to_string(), claim: ctx.job().claim };
        let of = RunTag { run: args.job.to_string(), claim: args.claim };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let ScorePartArgs { stint, settings_sha256, .. } = args;
        let stop = Arc::new(AtomicBool::new(false));
        let work = attempt::work(ctx, Arc::clone(&stop), move |watch| {
            let mut run = Run::of_stint(Workplace::kept(&out_dir, &of), stint, own, threads)?;
            if run.request().settings.sha256() != settings_sha256 {
                return Err(RunError::Changed("settings"));
            }
            run.work(watch)
        });
        tokio::pin!(work);
        loop {
            tokio::select! {
                ended = &mut work => {
                    return ended.map(|()| Outcome::done());
                }
                () = ctx.clock().sleep(LOOK) => {
                    // A store that does not answer is asked again in a while.
                    if let Ok(Some(over)) = over(ctx, args.job).await {
                        stop.store(true, Ordering::Relaxed);
                        // Until it has let go of the files; how it ended is no matter any more.
                        let _ = work.await;
                        return Ok(over);
                    }
                }
            }
        }
    }
}

/// There is nothing to do for a job that has ended.
async fn over(ctx: &Ctx, job: JobId) -> Result<Option<Outcome>, Failure> {
    let found = ctx.children(&[job]).await?;
    let over = found.into_iter().find(is_over);
    Ok(over.map(|found| Outcome::Cancelled(format!("job {job}, which it was for, is {}", found.state))))
}

/// Whether a job has ended. One that is unknown was pruned, long after it had.
pub(crate) fn is_over(job: &ChildResult) -> bool {
    matches!(&*job.state, "completed" | "discarded" | "cancelled" | "unknown")
}
