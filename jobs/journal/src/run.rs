//! One run over a ledger, cut into stages that can be repeated: read, survey, score, write.
//!
//! What a stage makes is too large to store between attempts, and need not be: it follows from the file and the settings. So each stage returns a
//! small *digest* to remember. An attempt that finds the digest of a stage but no longer its work does the work again, and refuses to go on if the digest
//! differs: then the file is not the one the job began with, and results of two files must never be mixed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calendar::Calendars;
use crate::completeness::{Completeness, ControlTotals};
use crate::controls::{Keywords, Norms, Scene};
use crate::drift::Drift;
use crate::ingest::{self, Input, Origin, Query, RowsError};
use crate::names::Sort;
use crate::output::{RunTag, hex};
use crate::passes::count::Terms;
use crate::passes::detect::Scorers;
use crate::passes::judge::{Bench, Found, Row, judge};
use crate::passes::log::Log;
use crate::passes::measure::HitCounts;
use crate::passes::parts::{Crew, Share};
use crate::passes::populations::Populations;
use crate::passes::read::{Reading, read};
use crate::passes::rules::{Flagging, surrogate};
use crate::passes::shuffle::{self, Facts, Records, buckets_for};
use crate::passes::survey::{Asked, Survey, survey};
use crate::passes::tell::{Top, tell};
use crate::passes::{PassError, rank};
use crate::result::{Challenge, Model, Results, Surrogate};
use crate::scoring::dims::{Dims, Has};
use crate::scoring::measures::Empty;
use crate::selection::monetary_unit::Draw;
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
use teach::{Site, Taught};

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

struct Scored {
    found: Found,
    /// The riskiest first.
    top: Vec<Top>,
    /// In the order of their ids.
    asked: Vec<Top>,
    surrogate: Surrogate,
    hits: HitCounts,
    /// Among which the entries were scored.
    populations: Populations,
    /// What scored the ledger, in short.
    model: Model,
    drift: Vec<Drift>,
    challenge: Option<Challenge>,
    scores_sha256: String,
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

fn score(
    request: &Request,
    passing: Passing<'_>,
    read: &Read,
    surveyed: &Surveyed,
    watch: Watch<'_>,
) -> Result<Scored, RunError> {
    let settings = &request.settings;
    let (spool, folder) = (&read.reading.spool, read.place.path());
    let facts = tie(request, passing, read, surveyed, watch)?;
    let teacher = read.models.as_ref().map(|models| &models.model);
    let mut carried = teacher.map(|teacher| teacher.carried(spool.names())).transpose()?;
    let learned = carried.as_mut().map(|carried| std::mem::take(&mut carried.learned));
    let among = match &carried {
        Some(carried) => (&*carried.dims, &carried.populations),
        None => (&surveyed.dims, &surveyed.populations),
    };
    let site = surveyed.site(request, read, among, (passing, &facts), watch);
    let Site { terms, scene, .. } = site;
    let Taught { yardsticks, scorers, hits } = match learned {
        Some(learned) => site.ask(learned)?,
        None => site.teach(settings)?,
    };
    let judges = |done, of| watch(Step::Judge, done, of);
    let wanted = settings.wanted();
    let shares = settings.risk.shares(&settings.controls, |test| hits.share(test));
    let bench = Bench {
        terms,
        yardsticks: &yardsticks,
        scorers: &scorers,
        scene,
        facts: &facts,
        risk: &settings.risk,
        shares: &shares,
        currency: surveyed.survey.totals.main_currency(),
        wanted: &wanted,
    };
    let mut found = passing.sum(Pass::Judge, &wanted, &judges, |crew| judge(crew, bench, folder))?.finish();
    // From here on nobody has a share but the run itself.
    let drift = match teacher.zip(carried.as_ref()) {
        Some((teacher, carried)) => drifted::drift(site, teacher, &carried.known, &scorers, settings.drift)?,
        None => Vec::new(),
    };
    let crew = site.crew(&judges);
    let write_failed = |cause| RunError::Write { folder: folder.into(), cause };
    let mut picked = std::mem::take(&mut found.top);
    let asked_from = picked.len();
    picked.append(&mut found.asked);
    let mut tops = tell(crew, bench, folder, &picked)?;
    told::name_others(&mut found, &mut tops, folder).map_err(write_failed)?;
    let Ordered { scores_sha256, flagged_from } = in_order(request, read, &mut found, &mut tops)?;
    let flagging = Flagging { scorers: &scorers, from: flagged_from, seed: settings.seed };
    let surrogate = surrogate(crew, terms, folder, flagging)?;
    let challenge = challenge::challenge(request, read, surveyed, (site, &scorers), watch)?;
    let model = match teacher {
        Some(teacher) => teacher.about(),
        None => outcome::own_model(request, surveyed, model_sha256(&scorers)),
    };
    let asked = tops.split_off(asked_from);
    let populations = among.1.clone();
    Ok(Scored {
        found,
        top: tops,
        asked,
        surrogate,
        hits,
        populations,
        model,
        drift,
        challenge,
        scores_sha256,
    })
}

/// What entries have with others.
fn tie(
    request: &Request,
    passing: Passing<'_>,
    read: &Read,
    surveyed: &Surveyed,
    watch: Watch<'_>,
) -> Result<Facts, RunError> {
    let (spool, folder, writers) = (&read.reading.spool, read.place.path(), &surveyed.writers);
    let parts = spool.parts();
    let records = Records { writers, buckets: buckets_for(parts), stay: passing.is_shared() };
    let work =
        |crew: Crew<'_>| Facts::of(crew, folder, records, parts, &request.settings.controls, spool.names());
    let tied = passing.sum(Pass::Tie, folder, &|done, of| watch(Step::Tie, done, of), work);
    if let (Err(RunError::StintDone), Hands::Stint(Stint { index, of, .. })) = (&tied, passing.hands) {
        // They are as large as the ledger, and what they said is written down.
        let own = Share { index, of, ..Share::whole(folder) }.range(records.buckets);
        shuffle::forget(folder, writers, own)
            .map_err(|cause| RunError::Write { folder: folder.into(), cause })?;
    }
    tied
}

/// The first of so many entries are those that rules are to flag.
const FLAGGED: u64 = 100;

/// What only the order of all entries shows.
struct Ordered {
    scores_sha256: String,
    /// The score of the last of the first hundredth.
    flagged_from: f64,
}

/// Goes over all entries in the order of their ranks: the hash of all scores, the ranks of those at the top, and the monetary units.
fn in_order(
    request: &Request,
    read: &Read,
    found: &mut Found,
    tops: &mut [Top],
) -> Result<Ordered, RunError> {
    let (spool, folder) = (&read.reading.spool, read.place.path());
    let mut draw: Option<Draw> = match request.settings.selections.monetary_unit.basis() {
        // A ledger without amounts has nothing to draw from, and is no error.
        Some(basis) if found.cells.has_units() => Some(found.cells.plan(basis)?),
        _ => None,
    };
    let told: BTreeSet<&str> = tops.iter().map(|top| &*top.entry.entry).collect();
    let mut ranks = BTreeMap::new();
    let last_flagged = found.bands.iter().sum::<u64>().div_ceil(FLAGGED);
    let mut flagged_from = f64::INFINITY;
    let mut hash = Sha256::new();
    let mut ranked = 0;
    let each = |rank: u64, row: &Row| {
        ranked = rank;
        hash.update((row.entry.len() as u64).to_le_bytes());
        hash.update(&row.entry);
        hash.update(row.score.to_bits().to_le_bytes());
        if rank == last_flagged {
            flagged_from = row.score;
        }
        if told.contains(&*row.entry) {
            ranks.insert(row.entry.clone(), rank);
        }
        if let Some(draw) = &mut draw {
            draw.offer(&row.item(spool.names().name(Sort::User, row.user)));
        }
        Ok(())
    };
    rank::each(folder, spool.parts(), each)
        .map_err(|cause| RunError::Write { folder: folder.into(), cause })?;
    // A file that lost its end would lose entries without a word.
    if ranked != found.bands.iter().sum::<u64>() {
        return Err(RunError::Write { folder: folder.into(), cause: hands::broken() });
    }
    for top in tops {
        top.entry.rank = ranks.get(&top.entry.entry).copied().unwrap_or(0);
    }
    if let Some(draw) = draw {
        found.selections.insert(1, draw.finish()?);
    }
    Ok(Ordered { scores_sha256: hex(hash), flagged_from })
}

/// Over the forests of all populations, which is what was grown with the seed.
fn model_sha256(scorers: &Scorers) -> String {
    let mut hash = Sha256::new();
    for (detectors, _) in scorers.iter().flatten() {
        hash.update(detectors.values.to_bytes());
        hash.update(detectors.pairs.to_bytes());
    }
    hex(hash)
}
