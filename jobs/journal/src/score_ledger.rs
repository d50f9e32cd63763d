//! The job `journal.score_ledger`: a ledger file in, scores, workpaper and report out.
//!
//! Its steps are the stages of a [`Run`]: each remembers a digest, so that an attempt after a crash either goes on with exactly
//! the same work or says that the file changed. The result and the files name users of the ledger; who may see the
//! job may see them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jobkit::{AuditEntry, Ctx, Failure, Job, ObjectError, Objects, Outcome, Policy, roots};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::completeness::ControlTotals;
use crate::ingest::ReadError;
use crate::output::{self, Pending, RunTag};
use crate::passes::PassError;
use crate::run::{Accept, Beginning, Given, Request, Run, RunError, Summary, Watch};
use crate::settings::{Settings, SettingsError};
use crate::workpaper::WorkpaperError;
use crate::{Config, attempt};

mod partitions;

use partitions::Partitions;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreLedgerArgs {
    /// The ledger, below one of the configured roots: a path as the worker sees it, or `s3://BUCKET/KEY`.
    pub path: PathBuf,
    /// Where the results go, in a folder of the job's own: below a root or the configured folder; without it,
    /// the latter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_dir: Option<PathBuf>,
    /// Laid over the configured settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
    /// The trial balance before and after the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_balance: Option<PathBuf>,
    /// The totals that the source kept of each entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_log: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_totals: Option<ControlTotals>,
    /// Who takes a ledger that does not roll forward as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Accept>,
    /// For what is asked for most, as settings have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trees: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// How many entries are reported with reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// How many jobs share the work, as configured if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<usize>,
}

impl ScoreLedgerArgs {
    fn settings(&self, configured: &Settings) -> Result<Settings, SettingsError> {
        let mut short = json!({});
        if let Some(seed) = self.seed {
            short["seed"] = seed.into();
        }
        if let Some(trees) = self.trees {
            short["forest"]["trees"] = trees.into();
        }
        if let Some(sample) = self.sample {
            short["forest"]["sample"] = sample.into();
        }
        if let Some(top) = self.top {
            short["outputs"]["top"] = top.into();
        }
        let asked = configured.with(self.settings.as_ref().unwrap_or(&json!({})))?;
        asked.with(&short)
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

    /// Without the files, which may have to be fetched.
    fn request(&self, args: &ScoreLedgerArgs, ctx: &Ctx) -> Result<Request, Failure> {
        let job = ctx.job();
        let run = job.id.to_string();
        let Config { out_dir, roots, settings, partitions: _ } = &self.config;
        Ok(Request {
            path: args.path.clone(),
            file: args.path.clone(),
            // Never in the asked folder itself: another job's results may be there, or a ledger that is called
            // like one of ours.
            out_dir: match &args.out_dir {
                None => out_dir.join(&run),
                Some(asked) => within("out_dir", &asked.join(&run), roots.iter().chain([out_dir]))?,
            },
            tag: RunTag { run, claim: job.claim },
            settings: args.settings(settings).map_err(|error| Failure::permanent(Wrong(error)))?,
            given: Given { control_totals: args.control_totals, ..Given::default() },
            accept: args.accept.clone(),
            created: job.id.created_at().unwrap_or(Timestamp::UNIX_EPOCH),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            parts: None,
        })
    }

    /// With the files that live as long as the attempt: those from a bucket. Later stages may have to read them again.
    async fn open(
        &self,
        args: &ScoreLedgerArgs,
        read: Option<&Beginning>,
        ctx: &Ctx,
    ) -> Result<(Request, Vec<Pending>), Failure> {
        let mut request = self.request(args, ctx)?;
        let mut fetched = Vec::new();
        // A ledger that is put aside is not read again.
        if read.is_none_or(|read| read.put_aside.is_none()) {
            let ledger = self.find("path", &args.path, output::LEDGER, &request, ctx).await?;
            (request.path, request.file) = ledger.keep(&args.path, &mut fetched);
        }
        if let Some(path) = &args.trial_balance {
            let found = self.find("trial_balance", path, "trial-balance", &request, ctx).await?;
            request.given.trial_balance = Some(found.keep(path, &mut fetched).1);
        }
        if let Some(path) = &args.entry_log {
            let found = self.find("entry_log", path, "entry-log", &request, ctx).await?;
            request.given.entry_log = Some(found.keep(path, &mut fetched).1);
        }
        Ok((request, fetched))
    }

    /// What was checked is what is opened.
    async fn find(
        &self,
        field: &'static str,
        path: &Path,
        name: &str,
        request: &Request,
        ctx: &Ctx,
    ) -> Result<Found, RunError> {
        let roots = &self.config.roots;
        let address = match roots::address(path) {
            None => return within(field, path, roots).map(Found::There),
            Some(address) if roots::address_within(address, roots) => address,
            Some(address) => return Err(RunError::NoBucket { field, address: address.into() }),
        };
        ctx.progress(0, 100, "fetching the ledger").await;
        let failed = |cause| RunError::Write { folder: request.out_dir.clone(), cause };
        let fetched = Pending::create(&request.out_dir, name, &request.tag).map_err(failed)?;
        self.objects.fetch(address, fetched.path()).await?;
        Ok(Found::Fetched(fetched))
    }
}

enum Found {
    There(PathBuf),
    Fetched(Pending),
}

impl Found {
    /// How the file is called, and where it is.
    fn keep(self, asked: &Path, fetched: &mut Vec<Pending>) -> (PathBuf, PathBuf) {
        match self {
            Self::There(path) => (path.clone(), path),
            Self::Fetched(file) => {
                let path = file.path().to_path_buf();
                fetched.push(file);
                (asked.into(), path)
            }
        }
    }
}

/// Settings that were good at the door: the configuration changed since.
#[derive(Debug, thiserror::Error)]
#[error("settings.{0}")]
struct Wrong(SettingsError);

impl Job for ScoreLedger {
    type Args = ScoreLedgerArgs;
    const KIND: &'static str = "journal.score_ledger";

    fn policy(&self) -> Policy {
        // Only reading and writing can fail for a while; a disk that is full for a day is a person's concern.
        Policy::default().max_attempts(5)
    }

    fn check(&self, args: &ScoreLedgerArgs) -> Result<(), String> {
        for (field, path) in [
            ("path", Some(&args.path)),
            ("trial_balance", args.trial_balance.as_ref()),
            ("entry_log", args.entry_log.as_ref()),
        ] {
            if path.is_some_and(|path| path.as_os_str().is_empty()) {
                return Err(format!("{field}: is empty; name the file"));
            }
        }
        if let Some(Accept { by, why }) = &args.accept
            && (by.trim().is_empty() || why.trim().is_empty())
        {
            return Err("accept: say who takes the ledger as it is, and why".into());
        }
        if let Some(partitions) = args.partitions {
            Config::check_partitions(partitions).map_err(|problem| format!("partitions: {problem}"))?;
        }
        args.settings(&self.config.settings).map(|_| ()).map_err(|error| format!("settings.{error}"))
    }

    async fn run(&self, args: ScoreLedgerArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let partitions = args.partitions.unwrap_or(self.config.partitions);
        if partitions > 1 {
            partitions::clear_at_the_end(ctx, &self.request(&args, ctx)?.out_dir).await?;
        }
        let mut opened = None;
        let begin = async |_| {
            let (request, files) = self.open(&args, None, ctx).await?;
            let run = Running::new(ctx, Run::new(request).in_partitions(partitions));
            let begun = run.work(Run::begin).await;
            opened = Some((run, files));
            begun
        };
        let read = ctx.step("read", begin).await?;
        let (run, _fetched) = match opened {
            Some(opened) => opened,
            // An earlier attempt has read it.
            None => {
                let (request, files) = self.open(&args, Some(&read), ctx).await?;
                (Running::new(ctx, Run::new(request)), files)
            }
        };
        run.lock().go_on(&read);
        // How it began is how it goes on, whatever was configured meanwhile.
        let jobs = read.put_aside.map(|put_aside| Partitions::new(ctx, run.lock().request(), put_aside));
        if let Some(jobs) = &jobs
            && let Some(wait) = jobs.survey().await?
        {
            return Ok(wait);
        }
        let survey = run.stage("survey", Run::survey).await?;
        let differing = survey.differing;
        run.lock().expect_survey(survey);
        if let Some(accept) = args.accept.as_ref().filter(|_| differing > 0) {
            audit(ctx, &args.path, accept, differing).await?;
        }
        if let Some(jobs) = &jobs
            && let Some(wait) = jobs.score().await?
        {
            return Ok(wait);
        }
        let score = run.stage("score", Run::score).await?;
        run.lock().expect_score(score);
        let summary: Summary = run.stage("write", Run::write).await?;

        let message = format!("scored {} entries of {} lines", summary.entries, summary.lines);
        ctx.progress(100, 100, message).await;
        Outcome::completed(summary)
    }
}

/// That somebody took a ledger that does not roll forward is nothing that a report alone should know.
async fn audit(ctx: &Ctx, ledger: &Path, accept: &Accept, differing: u64) -> Result<(), Failure> {
    let entry = AuditEntry {
        at: None,
        actor: accept.by.clone(),
        action: "journal.accepted".into(),
        object: ledger.display().to_string(),
        outcome: "accepted".into(),
        tenant: None,
        details: json!({ "accounts_differing": differing, "why": accept.why }),
    };
    ctx.step("accepted", async |_| ctx.audit(entry).await).await
}

struct Running<'a> {
    ctx: &'a Ctx,
    run: Arc<Mutex<Run>>,
}

impl<'a> Running<'a> {
    fn new(ctx: &'a Ctx, run: Run) -> Self {
        Self { ctx, run: Arc::new(Mutex::new(run)) }
    }

    /// Does one stage as a step.
    async fn stage<D>(
        &self,
        name: &'static str,
        work: fn(&mut Run, Watch<'_>) -> Result<D, RunError>,
    ) -> Result<D, Failure>
    where
        D: Serialize + DeserializeOwned + Send + 'static,
    {
        self.ctx.step(name, async |_| self.work(work).await).await
    }

    /// Does it off the runtime, and passes on how far it is.
    async fn work<D: Send + 'static>(
        &self,
        work: fn(&mut Run, Watch<'_>) -> Result<D, RunError>,
    ) -> Result<D, Failure> {
        let run = self.run.clone();
        attempt::work(self.ctx, Arc::default(), move |watch| work(&mut lock(&run), watch)).await
    }

    fn lock(&self) -> MutexGuard<'_, Run> {
        lock(&self.run)
    }
}

pub(crate) fn within<'a>(
    field: &'static str,
    path: &Path,
    folders: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<PathBuf, RunError> {
    let found = roots::within(path, folders);
    found
        .map_err(|cause| RunError::Open { path: path.into(), cause })?
        .ok_or_else(|| RunError::Outside { field, path: path.into() })
}

/// A stage that panicked ended its attempt; nobody meets what it left.
fn lock(run: &Mutex<Run>) -> MutexGuard<'_, Run> {
    run.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The retry policy: what the file is will not change by waiting; what the disk does may.
impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match &error {
            RunError::Open { cause, .. } => match cause.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => Failure::permanent(error),
                _ => Failure::transient(error),
            },
            RunError::Read { cause: ReadError::Io(_), .. }
            | RunError::Write { .. }
            | RunError::Workpaper(WorkpaperError::Write { .. })
            | RunError::Pass(PassError::Read(ReadError::Io(_)) | PassError::PutAside { .. }) => {
                Failure::transient(error)
            }
            // Another worker may see the folder, or be of the version.
            RunError::PartsAway { .. } | RunError::OtherProgram { .. } => Failure::transient(error),
            RunError::Fetch(ObjectError::Away(_)) => Failure::transient(error),
            RunError::Read { .. }
            | RunError::Fetch(_)
            | RunError::NoBucket { .. }
            | RunError::Outside { .. }
            | RunError::NotAFile(_)
            | RunError::Given { .. }
            | RunError::NoLines { .. }
            | RunError::NotRolledForward { .. }
            | RunError::Calendars(_)
            | RunError::Selection(_)
            | RunError::Pass(_)
            | RunError::Workpaper(_)
            | RunError::Changed(_)
            | RunError::StintDone => Failure::permanent(error),
            RunError::Stopped => Failure::Interrupted(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
