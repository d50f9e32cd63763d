//! What an attempt of any job over a ledger does: it finds its files within the bounds of [`jobkit::roots`], and goes from stage to stage of a [`Run`] as steps.
//!
//! Each step remembers a digest, so that an attempt after a crash either goes on with exactly the same work or says that the file changed.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jobkit::{
    AuditEntry, Ctx, DatabaseError, Failure, HostError, ObjectError, Origin, UploadId, roots, uploads,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapters::database::DatabaseQuery;
use crate::completeness::ControlTotals;
use crate::ingest::{self, Query, ReadError, RowsError};
use crate::model::ModelError;
use crate::output::{self, Pending, RunTag};
use crate::passes::PassError;
use crate::run::{Accept, Beginning, By, Given, Request, Run, RunError, SurveyDigest, Watch};
use crate::settings::{Settings, SettingsError};
use crate::workpaper::WorkpaperError;
use crate::{Config, Sources, queries};

/// Where ledgers may lie, and where results go.
pub(crate) struct Ledgers {
    pub(crate) config: Config,
    pub(crate) sources: Sources,
}

/// What a job is asked of a ledger, whichever it is.
pub(crate) struct Asked<'a> {
    pub(crate) path: &'a Path,
    /// For a path that is a query.
    pub(crate) parameters: &'a [String],
    pub(crate) out_dir: Option<&'a Path>,
    pub(crate) settings: Result<Settings, SettingsError>,
    pub(crate) trial_balance: Option<&'a Path>,
    pub(crate) entry_log: Option<&'a Path>,
    pub(crate) control_totals: Option<ControlTotals>,
    pub(crate) accept: Option<&'a Accept>,
    /// Whether several jobs work on it.
    pub(crate) is_shared: bool,
}

/// Settings that are asked for most, under names of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Short {
    pub(crate) seed: Option<u64>,
    pub(crate) trees: Option<usize>,
    pub(crate) sample: Option<usize>,
    pub(crate) top: Option<usize>,
}

impl Short {
    /// Laid over the settings of the job, which are laid over the configured ones.
    pub(crate) fn settings(
        self,
        configured: &Settings,
        more: Option<&Value>,
    ) -> Result<Settings, SettingsError> {
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
        configured.with(more.unwrap_or(&json!({})))?.with(&short)
    }
}

impl<'a> Asked<'a> {
    /// About the ledger alone, with nothing to compare it with.
    pub(crate) fn of(path: &'a Path, settings: Result<Settings, SettingsError>) -> Self {
        Self {
            path,
            parameters: &[],
            out_dir: None,
            settings,
            trial_balance: None,
            entry_log: None,
            control_totals: None,
            accept: None,
            is_shared: false,
        }
    }

    pub(crate) fn uploads(&self) -> Vec<UploadId> {
        uploads::among([Some(self.path), self.trial_balance, self.entry_log].into_iter().flatten())
    }

    /// Refuses at the door what cannot be meant, by its name.
    pub(crate) fn check(&self, config: &Config) -> Result<(), String> {
        match queries::name_of(self.path) {
            Some(name) => drop(queries::find(&config.queries, name)?),
            None if self.parameters.is_empty() => {}
            None => return Err("parameters: are for a query; name one as path, `query:NAME`".into()),
        }
        for (field, path) in
            [("path", Some(self.path)), ("trial_balance", self.trial_balance), ("entry_log", self.entry_log)]
        {
            if path.is_some_and(|path| path.as_os_str().is_empty()) {
                return Err(format!("{field}: is empty; name the file"));
            }
            if let Some(Err(problem)) = path.and_then(uploads::named) {
                return Err(format!("{field}: {problem}"));
            }
        }
        if let Some(Accept { by, why }) = self.accept
            && (by.trim().is_empty() || why.trim().is_empty())
        {
            return Err("accept: say who takes the ledger as it is, and why".into());
        }
        self.settings.as_ref().map(|_| ()).map_err(|error| format!("settings.{error}"))
    }
}

impl Ledgers {
    /// Without the files, which may have to be fetched.
    pub(crate) fn request(&self, asked: Asked<'_>, ctx: &Ctx) -> Result<Request, Failure> {
        let job = ctx.job();
        let run = job.id.to_string();
        let Config { out_dir, roots, .. } = &self.config;
        // Never in the asked folder itself: another job's results may be there, or a ledger that is called
        // like one of ours.
        let folder = match asked.out_dir {
            None => out_dir.join(&run),
            Some(asked) => within("out_dir", &asked.join(&run), roots.iter().chain([out_dir]))?,
        };
        // Others must not take it for one below another working directory.
        let folder = match asked.is_shared {
            true => std::path::absolute(&folder).map_err(|cause| RunError::Open { path: folder, cause })?,
            false => folder,
        };
        Ok(Request {
            path: asked.path.into(),
            file: asked.path.into(),
            query: None,
            out_dir: folder,
            tag: RunTag { run, claim: job.claim },
            settings: asked.settings.map_err(|error| Failure::permanent(Wrong(error)))?,
            given: Given { control_totals: asked.control_totals, ..Given::default() },
            accept: asked.accept.cloned(),
            by: By::default(),
            model_name: String::new(),
            created: job.id.created_at().unwrap_or(Timestamp::UNIX_EPOCH),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            parts: None,
        })
    }

    /// With the files that live as long as the attempt: those from a bucket. Later stages may have to read them again.
    pub(crate) async fn open(
        &self,
        asked: Asked<'_>,
        read: Option<&Beginning>,
        ctx: &Ctx,
    ) -> Result<(Request, Vec<Pending>), Failure> {
        let Asked { path, parameters, trial_balance, entry_log, .. } = asked;
        let is_put_aside = read.is_some_and(|read| read.put_aside.is_some());
        // How it began is how it goes on, whatever was configured meanwhile.
        let asked = Asked { is_shared: asked.is_shared || is_put_aside, ..asked };
        let mut request = self.request(asked, ctx)?;
        let mut fetched = Vec::new();
        match queries::name_of(path) {
            // A ledger that is put aside is not read again.
            _ if is_put_aside => {}
            Some(name) => request.query = Some(self.query(name, parameters, ctx)?),
            None => {
                let ledger = self.data(("path", output::LEDGER), path, &request, ctx).await?;
                (request.path, request.file) = ledger.keep(path, &mut fetched);
            }
        }
        if let Some(path) = trial_balance {
            let found = self.data(("trial_balance", "trial-balance"), path, &request, ctx).await?;
            request.given.trial_balance = Some(found.keep(path, &mut fetched).1);
        }
        if let Some(path) = entry_log {
            let found = self.data(("entry_log", "entry-log"), path, &request, ctx).await?;
            request.given.entry_log = Some(found.keep(path, &mut fetched).1);
        }
        Ok((request, fetched))
    }

    fn query(&self, name: &str, parameters: &[String], ctx: &Ctx) -> Result<Arc<dyn Query>, RunError> {
        let query = queries::find(&self.config.queries, name).map_err(RunError::NoQuery)?;
        let url = self.sources.databases.url(&query.database)?;
        Ok(Arc::new(DatabaseQuery::new(name, url, &query.sql, parameters.to_vec(), ctx.cancelled().clone())))
    }

    /// A file with data: what came from elsewhere may be a report, which is found here and not at its thousandth line.
    async fn data(
        &self,
        (field, name): (&'static str, &str),
        path: &Path,
        request: &Request,
        ctx: &Ctx,
    ) -> Result<Found, Failure> {
        let found = self.find((field, name), path, request, ctx).await?;
        if let Found::Fetched(file) = &found {
            let file = file.path().to_path_buf();
            let kind = ctx.cpu(move |_| ingest::check_kind(&file)).await?;
            kind.map_err(|cause| RunError::NoLedger { field, path: path.into(), cause })?;
        }
        Ok(found)
    }

    /// What was checked is what is opened. Named by the field, and where it has to be fetched by the second name meanwhile.
    pub(crate) async fn find(
        &self,
        (field, name): (&'static str, &str),
        path: &Path,
        request: &Request,
        ctx: &Ctx,
    ) -> Result<Found, RunError> {
        let pending = || {
            Pending::create(&request.out_dir, name, &request.tag)
                .map_err(|cause| RunError::Write { folder: request.out_dir.clone(), cause })
        };
        if let Some(upload) = uploads::named(path) {
            let upload = upload.map_err(|problem| RunError::NoUpload { field, problem })?;
            let fetched = pending()?;
            ctx.fetch_upload(upload, fetched.path())
                .await
                .map_err(|cause| RunError::Upload { field, cause })?;
            return Ok(Found::Fetched(fetched));
        }
        let roots = &self.config.roots;
        let address = match roots::address(path) {
            None => return within(field, path, roots).map(Found::There),
            Some(address) if roots::address_within(address, roots) => address,
            Some(address) => return Err(RunError::NoBucket { field, address: address.into() }),
        };
        ctx.progress(0, 100, "fetching the ledger").await;
        let fetched = pending()?;
        self.sources.objects.fetch(address, fetched.path()).await?;
        Ok(Found::Fetched(fetched))
    }
}

pub(crate) enum Found {
    There(PathBuf),
    Fetched(Pending),
}

impl Found {
    /// How the file is called, and where it is.
    pub(crate) fn keep(self, asked: &Path, fetched: &mut Vec<Pending>) -> (PathBuf, PathBuf) {
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

/// The stages of a run as steps of a job.
pub(crate) struct Running<'a> {
    ctx: &'a Ctx,
    run: Arc<Mutex<Run>>,
}

impl<'a> Running<'a> {
    pub(crate) fn new(ctx: &'a Ctx, run: Run) -> Self {
        Self { ctx, run: Arc::new(Mutex::new(run)) }
    }

    /// The two stages with which every job over a ledger begins.
    pub(crate) async fn survey(&self) -> Result<SurveyDigest, Failure> {
        let read = self.stage("read", Run::read).await?;
        self.lock().expect_read(read);
        let survey = self.stage("survey", Run::survey).await?;
        self.lock().expect_survey(survey.clone());
        Ok(survey)
    }

    /// Does one stage as a step.
    pub(crate) async fn stage<D>(
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
    pub(crate) async fn work<D: Send + 'static>(
        &self,
        work: fn(&mut Run, Watch<'_>) -> Result<D, RunError>,
    ) -> Result<D, Failure> {
        let run = self.run.clone();
        self::work(self.ctx, Arc::default(), move |watch| work(&mut lock(&run), watch)).await
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Run> {
        lock(&self.run)
    }
}

/// Work of minutes, off the runtime: passes on how far it is, in per cent. It ends early when the attempt must, or when `stop` says so.
pub(crate) async fn work<T: Send + 'static>(
    ctx: &Ctx,
    stop: Arc<AtomicBool>,
    work: impl FnOnce(Watch<'_>) -> Result<T, RunError> + Send + 'static,
) -> Result<T, Failure> {
    let (tell, mut told) = tokio::sync::watch::channel((0, ""));
    let done = ctx.cpu(move |token| {
        work(&|step, done, of| {
            let now = (step.percent(done, of), step.in_words());
            tell.send_if_modified(|last| {
                // A later stage that has to do an earlier one again does not go back.
                let on = now.0 > last.0;
                if on {
                    *last = now;
                }
                on
            });
            let go_on = !token.is_cancelled() && !stop.load(Ordering::Relaxed);
            if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    });
    tokio::pin!(done);
    loop {
        tokio::select! {
            ended = &mut done => return Ok(ended??),
            Ok(()) = told.changed() => {
                let (percent, message) = *told.borrow_and_update();
                ctx.progress(percent, 100, message).await;
            }
        }
    }
}

/// That somebody took a ledger that does not roll forward is nothing that a report alone should know.
pub(crate) async fn audit(
    ctx: &Ctx,
    ledger: &Path,
    accept: Option<&Accept>,
    SurveyDigest { differing, .. }: &SurveyDigest,
) -> Result<(), Failure> {
    let Some(accept) = accept.filter(|_| *differing > 0) else { return Ok(()) };
    let entry = AuditEntry {
        at: None,
        actor: accept.by.clone(),
        action: "journal.accepted".into(),
        object: ledger.display().to_string(),
        outcome: "accepted".into(),
        tenant: None,
        origin: Origin::default(),
        details: json!({ "accounts_differing": differing, "why": accept.why }),
    };
    ctx.step("accepted", async |_| ctx.audit(entry).await).await
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
            | RunError::NoLedger { cause: ReadError::Io(_), .. }
            | RunError::Write { .. }
            | RunError::Workpaper(WorkpaperError::Write { .. })
            | RunError::Pass(PassError::Read(ReadError::Io(_)) | PassError::PutAside { .. }) => {
                Failure::transient(error)
            }
            // Another worker may see the folder, or be of the version.
            RunError::PartsAway { .. } | RunError::OtherProgram { .. } => Failure::transient(error),
            // A secret that is being rotated.
            RunError::Database(DatabaseError::Url { .. })
            | RunError::Fetch(ObjectError::Away(_))
            | RunError::Read { cause: ReadError::Query(RowsError::Away(_)), .. }
            | RunError::Pass(PassError::Read(ReadError::Query(RowsError::Away(_)))) => {
                Failure::transient(error)
            }
            RunError::Upload { cause, .. } => match cause {
                HostError::Refused(_) => Failure::permanent(error),
                HostError::LeaseLost => Failure::Interrupted(error.to_string()),
                HostError::Away(_) => Failure::StoreAway(error.into()),
                HostError::Store(_) => Failure::transient(error),
            },
            RunError::Model(ModelError::Read { cause, .. }) => match cause.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => Failure::permanent(error),
                _ => Failure::transient(error),
            },
            RunError::Read { .. }
            | RunError::Fetch(_)
            | RunError::NoBucket { .. }
            | RunError::NoUpload { .. }
            | RunError::NoLedger { .. }
            | RunError::Database(DatabaseError::Unknown(_))
            | RunError::NoQuery(_)
            | RunError::Outside { .. }
            | RunError::ModelOutside { .. }
            | RunError::NotAFile(_)
            | RunError::Given { .. }
            | RunError::NoLines { .. }
            | RunError::NoneInWindow { .. }
            | RunError::LogInWindow
            | RunError::OtherGroups { .. }
            | RunError::NotRolledForward { .. }
            | RunError::Calendars(_)
            | RunError::Model(ModelError::Refused { .. })
            | RunError::Schema { .. }
            | RunError::NoModel
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
pub(crate) mod tests;
