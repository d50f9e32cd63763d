//! The job `journal.clear_parts`: removes what a job `journal.score_ledger` put aside for others, once that job has ended, however it did.
//!
//! Nobody enqueues it by its name. It waits from the beginning, since a job that is cancelled while it waits for others does nothing any more.

use std::io::ErrorKind;
use std::path::PathBuf;

use jobkit::{Ctx, Failure, Job, JobId, Outcome, Policy};
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::attempt::within;
use crate::run::RunError;
use crate::score_part::is_over;
use crate::workplace::remove_all;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearPartsArgs {
    /// The job that has ended.
    pub job: JobId,
    /// Its folder of results.
    pub out_dir: PathBuf,
}

pub struct ClearParts {
    config: Config,
}

impl ClearParts {
    pub fn new(config: Config) -> Self {
        Self { config }
    }
}

impl Job for ClearParts {
    type Args = ClearPartsArgs;
    const KIND: &'static str = "journal.clear_parts";

    fn policy(&self) -> Policy {
        Policy::default().internal()
    }

    async fn run(&self, args: ClearPartsArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let found = ctx.children(&[args.job]).await?;
        if !found.iter().all(is_over) {
            // Somebody retried it before we came by.
            return Ok(Outcome::WaitFor(vec![args.job]));
        }
        let Config { out_dir, roots, .. } = &self.config;
        let out_dir = within("out_dir", &args.out_dir, roots.iter().chain([out_dir]))?;
        let run = args.job.to_string();
        let removed = ctx.cpu(move |_| {
            remove_all(&out_dir, &run).map_err(|cause| match cause.kind() {
                // It was made before this job was: whoever does not find it sees another disk.
                ErrorKind::NotFound | ErrorKind::NotADirectory => RunError::PartsAway { folder: out_dir },
                _ => RunError::Write { folder: out_dir, cause },
            })
        });
        removed.await??;
        Ok(Outcome::done())
    }
}
