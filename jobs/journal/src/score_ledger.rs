//! The job `journal.score_ledger`: a ledger file in, scores and reasons out.
//!
//! Its steps are the [`Stages`]: each remembers a digest, so that an attempt after a crash either goes on with exactly
//! the same work or says that the file changed. The result and the files name users of the ledger; who may see the
//! job may see them.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jobkit::{Ctx, Failure, Job, ObjectError, Objects, Outcome, Policy, roots};
use linfa::ParamGuard;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::ingest::ReadError;
use crate::output::{self, Pending, RunTag, Summary};
use crate::score::Params;
use crate::stages::{Request, ScoreError, Stages, Watch};

/// More do not make a better forest, only a slower one.
const MOST_TREES: usize = 10_000;
/// The reported entries are part of the job's row; all others are in the files.
const MOST_REPORTED: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreLedgerArgs {
    /// An AICPA ADS `GL_Detail` file below one of the configured roots: a path as the worker sees it, or
    /// `s3://BUCKET/KEY`.
    pub path: PathBuf,
    /// Where the results go, in a folder of the job's own: below a root or the configured folder; without it,
    /// the latter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_dir: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trees: Option<usize>,
    /// Entries each tree is grown from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// How many entries are reported with reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
}

impl ScoreLedgerArgs {
    fn params(&self) -> Params {
        let default = Params::default();
        Params {
            seed: self.seed.unwrap_or(default.seed),
            trees: self.trees.unwrap_or(default.trees),
            sample: self.sample.unwrap_or(default.sample),
            top: self.top.unwrap_or(default.top),
        }
    }
}

pub struct ScoreLedger {
    config: Config,
    objects: Arc<dyn Objects>,
}

impl ScoreLedger {
    pub fn new(config: Config, objects: Arc<dyn Objects>) -> Self {
        Self { config, objects }
    }

    fn request(&self, args: &ScoreLedgerArgs, ctx: &Ctx) -> Result<Request, ScoreError> {
        let job = ctx.job();
        let run = job.id.to_string();
        let Config { out_dir, roots } = &self.config;
        // What was checked is what is opened.
        let path = match roots::address(&args.path) {
            Some(address) if roots::address_within(address, roots) => args.path.clone(),
            Some(address) => return Err(ScoreError::NoBucket { field: "path", address: address.into() }),
            None => within("path", &args.path, roots)?,
        };
        Ok(Request {
            params: args.params(),
            file: path.clone(),
            path,
            // Never in the asked folder itself: another job's results may be there, or a ledger that is called
            // like one of ours.
            out_dir: match &args.out_dir {
                None => out_dir.join(&run),
                Some(asked) => within("out_dir", &asked.join(&run), roots.iter().chain([out_dir]))?,
            },
            tag: RunTag { run, claim: job.claim },
        })
    }

    /// With the file that lives as long as the attempt: a ledger from a bucket. Later stages may have to read it again.
    async fn open(
        &self,
        args: &ScoreLedgerArgs,
        ctx: &Ctx,
    ) -> Result<(Request, Option<Pending>), ScoreError> {
        let mut request = self.request(args, ctx)?;
        let Some(address) = roots::address(&args.path) else { return Ok((request, None)) };
        ctx.progress(0, 100, "fetching the ledger").await;
        let failed = |cause| ScoreError::Write { folder: request.out_dir.clone(), cause };
        let fetched = Pending::create(&request.out_dir, output::LEDGER, &request.tag).map_err(failed)?;
        self.objects.fetch(address, fetched.path()).await?;
        request.file = fetched.path().into();
        Ok((request, Some(fetched)))
    }
}

impl Job for ScoreLedger {
    type Args = ScoreLedgerArgs;
    const KIND: &'static str = "journal.score_ledger";

    fn policy(&self) -> Policy {
        // Only reading and writing can fail for a while; a disk that is full for a day is a person's concern.
        Policy::default().max_attempts(5)
    }

    fn check(&self, args: &ScoreLedgerArgs) -> Result<(), String> {
        let params = args.params();
        if args.path.as_os_str().is_empty() {
            return Err("path: is empty; name the ledger file".into());
        }
        if params.trees > MOST_TREES {
            return Err(format!("trees: {} are too many; ask for at most {MOST_TREES}", params.trees));
        }
        if params.top > MOST_REPORTED {
            return Err(format!("top: {} are too many; ask for at most {MOST_REPORTED}", params.top));
        }
        match params.forest().check() {
            Err(error @ iforest::Error::NoTrees) => Err(format!("trees: {error}")),
            Err(error) => Err(format!("sample: {error}")),
            Ok(_) => Ok(()),
        }
    }

    async fn run(&self, args: ScoreLedgerArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let (request, _fetched) = self.open(&args, ctx).await?;
        let run = Run { ctx, stages: Arc::new(Mutex::new(Stages::new(request))) };

        let input = run.stage("read", 0, Stages::read).await?;
        run.stages().expect_input(input);
        let features = run.stage("features", 60, Stages::features).await?;
        run.stages().expect_features(features);
        let forest = run.stage("fit", 75, Stages::fit).await?;
        run.stages().expect_forest(forest);
        let scores = run.stage("score", 80, Stages::score).await?;
        run.stages().expect_scores(scores);
        let summary: Summary = run.stage("write", 90, Stages::write).await?;

        let message = format!("scored {} entries of {} lines", summary.input.entries, summary.input.lines);
        ctx.progress(100, 100, message).await;
        Outcome::completed(summary)
    }
}

/// What share of the whole, in per cent, reading the file takes.
const READING: u64 = 60;

struct Run<'a> {
    ctx: &'a Ctx,
    stages: Arc<Mutex<Stages>>,
}

impl Run<'_> {
    /// Does one stage as a step, off the runtime, and passes on how far it is.
    async fn stage<D>(
        &self,
        name: &'static str,
        percent: u64,
        work: fn(&mut Stages, Watch<'_>) -> Result<D, ScoreError>,
    ) -> Result<D, Failure>
    where
        D: Serialize + DeserializeOwned + Send + 'static,
    {
        let message = match name {
            "read" => "reading lines",
            "features" => "computing features",
            "fit" => "growing trees",
            "score" => "scoring entries",
            _ => "writing results",
        };
        self.ctx
            .step(name, async |_| {
                self.ctx.progress(percent, 100, message).await;
                let (tell, mut told) = tokio::sync::watch::channel(0);
                let stages = self.stages.clone();
                let done = self.ctx.cpu(move |token| {
                    work(&mut lock(&stages), &|bytes, total| {
                        tell.send_if_modified(|share| {
                            let now = bytes * READING / total.max(1);
                            std::mem::replace(share, now) != now
                        });
                        if token.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    })
                });
                tokio::pin!(done);
                loop {
                    tokio::select! {
                        ended = &mut done => return Ok::<_, Failure>(ended??),
                        Ok(()) = told.changed() => {
                            let share = *told.borrow_and_update();
                            // A later stage that has to read again does not go back.
                            self.ctx.progress(percent.max(share), 100, "reading lines").await;
                        }
                    }
                }
            })
            .await
    }

    fn stages(&self) -> MutexGuard<'_, Stages> {
        lock(&self.stages)
    }
}

fn within<'a>(
    field: &'static str,
    path: &Path,
    folders: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<PathBuf, ScoreError> {
    let found = roots::within(path, folders);
    found
        .map_err(|cause| ScoreError::Open { path: path.into(), cause })?
        .ok_or_else(|| ScoreError::Outside { field, path: path.into() })
}

/// A stage that panicked ended its attempt; nobody meets what it left.
fn lock(stages: &Mutex<Stages>) -> MutexGuard<'_, Stages> {
    stages.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The retry policy: what the file is will not change by waiting; what the disk does may.
impl From<ScoreError> for Failure {
    fn from(error: ScoreError) -> Self {
        match &error {
            ScoreError::Open { cause, .. } => match cause.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => Failure::permanent(error),
                _ => Failure::transient(error),
            },
            ScoreError::Read { cause: ReadError::Io(_), .. } | ScoreError::Write { .. } => {
                Failure::transient(error)
            }
            ScoreError::Fetch(ObjectError::Away(_)) => Failure::transient(error),
            ScoreError::Read { .. }
            | ScoreError::Fetch(_)
            | ScoreError::NoBucket { .. }
            | ScoreError::Outside { .. }
            | ScoreError::NotAFile(_)
            | ScoreError::NoLines { .. }
            | ScoreError::Forest(_)
            | ScoreError::Changed(_) => Failure::permanent(error),
            ScoreError::Stopped => Failure::Interrupted(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
