//! One run over a ledger, cut into stages that can be repeated: read, survey, score, write.
//!
//! What a stage makes is too large to store between attempts, and need not be: it follows from the file and the settings. So each stage returns a
//! small *digest* to remember. An attempt that finds the digest of a stage but no longer its work does the work again, and refuses to go on if the digest
//! differs: then the file is not the one the job began with, and results of two files must never be mixed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calendar::Calendars;
use crate::completeness::{Completeness, ControlTotals};
use crate::controls::{Keywords, Norms, Scene};
use crate::ingest::{self, Input, Origin, Query, RowsError};
use crate::output::RunTag;
use crate::passes::PassError;
use crate::passes::count::Terms;
use crate::passes::log::Log;
use crate::passes::parts::Crew;
use crate::passes::populations::Populations;
use crate::passes::read::{Reading, read};
use crate::passes::shuffle::{Facts, buckets_for};
use crate::passes::survey::{Asked, Survey, survey};
use crate::result::Results;
use crate::scoring::dims::{Dims, Has};
use crate::scoring::measures::Empty;
use crate::settings::Settings;
use crate::spool::parts_for;
use crate::workplace::Workplace;

mod apart;
mod by_model;
mod challenge;
mod drifted;
mod error;
mod given;
mod hands;
mod outcome;
mod score;
mod sealed;
mod step;
mod teach;
mod told;
mod train;
mod write;

use hands::{Hands, Passing};

pub use apart::{Beginning, PutAside};
pub use by_model::{By, Chosen, InList};
pub use drifted::{DRIFT, DRIFT_TEXT, Drifted};
pub use error::RunError;
pub use hands::{Pass, Stint};
pub use step::Step;
pub use train::{Taken, TrainDigest, Trained};
pub use write::{ByModel, Summary, in_words};

use by_model::Models;
use score::{Scored, score, tie};
use teach::Site;

/// Nobody knows how much a query will give: parts as for a gigabyte.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// What is to be done, and with what.
#[derive(Debug, Clone)]
pub struct Request {
    /// As the ledger is called in results and errors.
    pub path: PathBuf,
    /// Where it is opened: the same, unless it was fetched.
    pub file: PathBuf,
    /// Asked for the ledger instead of a file.
    pub query: Option<Arc<dyn Query>>,
    pub out_dir: PathBuf,
    pub tag: RunTag,
    pub settings: Settings,
    pub given: Given,
    pub accept: Option<Accept>,
    /// Which models score it, if any do.
    pub by: By,
    /// What a model is called that is made of it.
    pub model_name: String,
    /// What the workpaper says of its making: a retry says the same.
    pub created: Timestamp,
    pub threads: usize,
    /// Into how many parts the ledger goes; none for as many as its size asks for. No result depends on it.
    pub parts: Option<usize>,
}

/// What came with the ledger, to compare it with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    pub trial_balance: Option<PathBuf>,
    /// The totals that the source kept of each entry.
    pub entry_log: Option<PathBuf>,
    pub control_totals: Option<ControlTotals>,
}

/// Who takes a ledger that does not roll forward as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    pub by: String,
    pub why: String,
}

/// Told how far a step is, of how much if that is known; answers whether to go on.
pub type Watch<'a> = &'a (dyn Fn(Step, u64, Option<u64>) -> ControlFlow<()> + Sync);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadDigest {
    pub origin: Origin,
    pub lines: u64,
    pub rejected: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyDigest {
    pub entries: u64,
    pub completeness_sha256: String,
    /// How many accounts do not roll forward, which somebody took as they are.
    pub differing: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreDigest {
    pub model_sha256: String,
    pub scores_sha256: String,
}

/// The stages of one run, the work done so far, and the digests known from an earlier attempt.
pub struct Run {
    request: Request,
    hands: Hands,
    /// The claim that has read the ledger already, and put it aside for all.
    put_aside: Option<u64>,
    read: Stage<Read, ReadDigest>,
    survey: Stage<Surveyed, SurveyDigest>,
    score: Stage<Scored, ScoreDigest>,
    train: Stage<train::Made, TrainDigest>,
}

struct Stage<W, D> {
    name: &'static str,
    work: Option<W>,
    digest: Option<D>,
}

impl<W, D: Clone + PartialEq> Stage<W, D> {
    fn new(name: &'static str) -> Self {
        Self { name, work: None, digest: None }
    }

    fn keep(&mut self, work: W, digest: D) -> Result<D, RunError> {
        if self.digest.as_ref().is_some_and(|known| *known != digest) {
            return Err(RunError::Changed(self.name));
        }
        self.work = Some(work);
        self.digest = Some(digest.clone());
        Ok(digest)
    }

    fn work(&self) -> Result<&W, RunError> {
        self.work.as_ref().ok_or(RunError::Changed(self.name))
    }
}

/// A ledger that lies in parts.
struct Read {
    place: Workplace,
    reading: Reading,
    log: Option<Log>,
    /// Its names are joined with theirs.
    models: Option<Models>,
    /// What its columns are called that no field is for.
    extra: Vec<String>,
}

impl Read {
    fn digest(&self) -> ReadDigest {
        let Reading { origin, lines, rejected, .. } = &self.reading;
        ReadDigest { origin: origin.clone(), lines: *lines, rejected: rejected.count }
    }
}

/// What is known of the whole ledger.
struct Surveyed {
    survey: Whole,
    completeness: Completeness,
    norms: Norms,
    calendars: Calendars,
    keywords: Keywords,
    /// Who put aside the records that tie entries to each other.
    writers: Vec<String>,
    dims: Dims,
    populations: Populations,
}

/// The rest of a [`Survey`] whose sums went into norms and verdicts.
struct Whole {
    entries: u64,
    lines: u64,
    has: Has,
    totals: crate::passes::survey::Totals,
}

/// Runs all stages in one go.
pub fn run(request: Request, watch: Watch<'_>) -> Result<Summary, RunError> {
    Run::new(request).write(watch)
}

impl Run {
    pub fn new(request: Request) -> Self {
        Self {
            request,
            hands: Hands::Own,
            put_aside: None,
            read: Stage::new("lines"),
            survey: Stage::new("totals"),
            score: Stage::new("scores"),
            train: Stage::new("models"),
        }
    }

    pub fn expect_read(&mut self, digest: ReadDigest) {
        self.read.digest = Some(digest);
    }

    pub fn expect_survey(&mut self, digest: SurveyDigest) {
        self.survey.digest = Some(digest);
    }

    pub fn expect_score(&mut self, digest: ScoreDigest) {
        self.score.digest = Some(digest);
    }

    /// Puts the ledger's lines aside in parts.
    pub fn read(&mut self, watch: Watch<'_>) -> Result<ReadDigest, RunError> {
        if let Some(claim) = self.put_aside {
            return self.reopen(claim);
        }
        let Request { path, file, query, out_dir, tag, settings, given, threads, .. } = &self.request;
        let cannot_open = |cause| RunError::Open { path: path.clone(), cause };
        let cannot_read = |cause| RunError::Read { path: path.clone(), cause };
        let (input, bytes) = match query {
            Some(query) => (Input::Query(Arc::clone(query)), UNKNOWN_BYTES),
            None => {
                // Looked at before it is opened: opening a pipe would wait for a writer.
                let kind = std::fs::metadata(file).map_err(cannot_open)?;
                if !kind.is_file() {
                    return Err(RunError::NotAFile(path.clone()));
                }
                (Input::File(file.clone()), kind.len())
            }
        };
        if given.entry_log.is_some() && settings.window.in_words().is_some() {
            return Err(RunError::LogInWindow);
        }
        // A model that is refused costs no reading.
        let models = self.request.by.open()?;
        let opened = ingest::open(&input, &settings.mapping);
        let source = opened.map_err(|cause| match cause {
            ingest::ReadError::Io(cause) => cannot_open(cause),
            ingest::ReadError::Query(RowsError::Stopped) => RunError::Stopped,
            cause => cannot_read(cause),
        })?;
        let cannot_write = |cause| RunError::Write { folder: out_dir.clone(), cause };
        let place = Workplace::create(out_dir, tag).map_err(cannot_write)?;
        let told = |done, of| watch(Step::Read, done, of);
        let parts = self.request.parts.unwrap_or_else(|| self.hands.parts(parts_for(bytes)));
        let reading = read(source, settings.window, place.path(), parts, *threads, &told);
        let mut reading = reading.map_err(|error| match error {
            PassError::Read(ingest::ReadError::Query(RowsError::Stopped)) => RunError::Stopped,
            PassError::Read(cause) => cannot_read(cause),
            error => error.into(),
        })?;
        if reading.lines == 0 {
            let first = reading.rejected.first.first().map(|first| format!(", the first: {first}"));
            let (rejected, outside) = (reading.rejected.count, reading.outside);
            let path = path.clone();
            return Err(match settings.window.in_words() {
                Some(window) if outside > 0 => RunError::NoneInWindow { path, outside, window },
                _ => RunError::NoLines { path, rejected, first: first.unwrap_or_default() },
            });
        }
        let log = given::logged(given, settings, place.path(), parts)?;
        let extra = settings.mapping.extra_columns();
        let models = by_model::join(&mut reading.spool, models, &extra);
        let read = Read { place, reading, log, models, extra };
        let digest = read.digest();
        self.read.keep(read, digest)
    }

    /// Whether the ledger is all there, and what is usual in it.
    pub fn survey(&mut self, watch: Watch<'_>) -> Result<SurveyDigest, RunError> {
        if self.read.work.is_none() {
            self.read(watch)?;
        }
        let Read { place, reading, log, models, .. } = self.read.work()?;
        let Request { settings, given, .. } = &self.request;
        let (spool, folder) = (&reading.spool, place.path());
        let names = spool.names();
        // A calendar that cannot be meant costs no survey.
        let calendars = Calendars::new(&settings.calendars, names)?;
        let compared = given::compared(given, settings)?;

        let told = |done, of| watch(Step::Survey, done, of);
        let asked =
            Asked { completeness: &settings.completeness, controls: &settings.controls, log: log.as_ref() };
        let buckets = buckets_for(spool.parts());
        let work = |crew: Crew<'_>| survey(crew, spool, folder, buckets, asked);
        let surveyed = self.passing(folder).sum(Pass::Survey, (), &told, work)?;
        let Survey { completeness, summary, has, populations, totals, entries, lines, writers } = surveyed;
        let completeness = completeness.finish(names, &compared);
        models.as_ref().map_or(Ok(()), |models| models.check(has))?;
        let completeness_sha256 = told::sha256(&completeness);
        let differing = self.request.accepted(&completeness)?;

        let work = Surveyed {
            completeness,
            norms: Norms::new(summary, names),
            calendars,
            keywords: Keywords::new(&settings.controls.keyword),
            writers,
            dims: Dims::of(names, has),
            populations: Populations::of(&populations, &settings.populations, names),
            survey: Whole { entries, lines, has, totals },
        };
        self.survey.keep(work, SurveyDigest { entries, completeness_sha256, differing })
    }

    /// The score and the risk of every entry.
    pub fn score(&mut self, watch: Watch<'_>) -> Result<ScoreDigest, RunError> {
        if self.survey.work.is_none() {
            self.survey(watch)?;
        }
        let (read, surveyed) = (self.read.work()?, self.survey.work()?);
        let work = score(&self.request, self.passing(read.place.path()), read, surveyed, watch)?;
        let digest = ScoreDigest {
            model_sha256: work.model.sha256.clone(),
            scores_sha256: work.scores_sha256.clone(),
        };
        self.score.keep(work, digest)
    }

    fn passing<'a>(&'a self, folder: &'a Path) -> Passing<'a> {
        let Request { tag, threads, .. } = &self.request;
        Passing { hands: self.hands, folder, tag, threads: *threads }
    }

    /// What was found, without a file of it.
    pub fn results(&mut self, watch: Watch<'_>) -> Result<Results, RunError> {
        if self.score.work.is_none() {
            self.score(watch)?;
        }
        Ok(outcome::results(&self.request, self.read.work()?, self.survey.work()?, self.score.work()?))
    }

    /// All files, and what of it everybody should know.
    pub fn write(&mut self, watch: Watch<'_>) -> Result<Summary, RunError> {
        if self.score.work.is_none() {
            self.score(watch)?;
        }
        if watch(Step::Write, 0, None).is_break() {
            return Err(RunError::Stopped);
        }
        write::write(&self.request, self.read.work()?, self.survey.work()?, self.score.work()?)
    }
}

impl Surveyed {
    /// Where its entries are measured, and among whom.
    fn site<'a>(
        &'a self,
        request: &'a Request,
        read: &'a Read,
        (dims, populations): (&'a Dims, &'a Populations),
        (passing, facts): (Passing<'a>, &'a Facts),
        watch: Watch<'a>,
    ) -> Site<'a> {
        let settings = &request.settings;
        let spool = &read.reading.spool;
        let names = spool.names();
        let empty = Empty::of(names);
        let has_amounts = self.survey.has.amounts;
        let terms = Terms { spool, dims, populations, empty, has_amounts, extra: &read.extra };
        let scene = Scene {
            names,
            norms: &self.norms,
            calendars: &self.calendars,
            config: &settings.controls,
            keywords: &self.keywords,
        };
        Site { terms, scene, facts, passing, seed: settings.seed, watch }
    }
}
