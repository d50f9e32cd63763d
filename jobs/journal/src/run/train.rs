//! A model of what the ledger teaches: of each population that stands apart, and of the whole, by which entries are scored that have no population of their own.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hands::Passing;
use super::teach::{Site, Taught};
use super::{Read, Request, Run, RunError, Step, Surveyed, Watch, outcome, tie, write};
use crate::model::{About, Model, Population, Sealed, Whose};
use crate::names::Sort;
use crate::passes::count::Terms;
use crate::passes::look::{Eye, look};
use crate::passes::populations::Populations;
use crate::result::Window;
use crate::scoring::fitted::Fitted;
use crate::scoring::schema::Schema;

/// Of the whole ledger, beside that of its parts.
const WHOLE: &str = "whole";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainDigest {
    pub model_sha256: String,
}

/// A model that was made, in its file.
pub(super) struct Made {
    about: About,
    schema_sha256: String,
    populations: Vec<Taken>,
    sealed: Sealed,
}

/// What everybody should know of a model that was made. Everything in it follows from the input's bytes, the settings and the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trained {
    pub id: String,
    pub sha256: String,
    pub name: String,
    pub schema_sha256: String,
    pub window: Option<Window>,
    pub entries: u64,
    pub lines: u64,
    pub rejected: u64,
    /// Whether the ledger rolls forward, in words.
    pub roll_forward: String,
    /// What of it is known in part only, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_part: Vec<String>,
    pub populations: Vec<Taken>,
    pub seed: u64,
    /// Of the ledger.
    pub input_sha256: String,
    pub settings_sha256: String,
    pub bytes: u64,
    pub file: PathBuf,
}

/// A population that a model knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub title: String,
    pub entries: u64,
}

impl Run {
    pub fn expect_train(&mut self, digest: TrainDigest) {
        self.train.digest = Some(digest);
    }

    /// Makes a model of the ledger, which is not yet a file.
    pub fn train(&mut self, watch: Watch<'_>) -> Result<TrainDigest, RunError> {
        if self.survey.work.is_none() {
            self.survey(watch)?;
        }
        let (read, surveyed) = (self.read.work()?, self.survey.work()?);
        let made = make(&self.request, self.passing(read.place.path()), read, surveyed, watch)?;
        let digest = TrainDigest { model_sha256: made.sealed.sha256.clone() };
        self.train.keep(made, digest)
    }

    /// The model's file, with what of the ledger the model does not tell.
    pub fn write_model(&mut self, watch: Watch<'_>) -> Result<Trained, RunError> {
        if self.train.work.is_none() {
            self.train(watch)?;
        }
        if watch(Step::Write, 0, None).is_break() {
            return Err(RunError::Stopped);
        }
        let (read, surveyed, made) = (self.read.work()?, self.survey.work()?, self.train.work()?);
        let Request { out_dir, tag, .. } = &self.request;
        let failed = |cause| RunError::Write { folder: out_dir.clone(), cause };
        write::rejected(&self.request, read).map_err(failed)?;
        self.request.write_completeness(&surveyed.completeness).map_err(failed)?;
        let file = made.sealed.write(out_dir, tag).map_err(failed)?;
        let roll_forward = outcome::completeness::of(&self.request, read, surveyed).roll_forward;
        let About { name, seed, window, entries, lines, input_sha256, config_sha256, .. } =
            made.about.clone();
        Ok(Trained {
            id: made.sealed.id().into(),
            sha256: made.sealed.sha256.clone(),
            name,
            schema_sha256: made.schema_sha256.clone(),
            window,
            entries,
            lines,
            rejected: read.reading.rejected.count,
            roll_forward: write::roll_forward(&roll_forward),
            in_part: outcome::in_part(&self.request.settings.window, read, surveyed),
            populations: made.populations.clone(),
            seed,
            input_sha256,
            settings_sha256: config_sha256,
            bytes: made.sealed.bytes.len() as u64,
            file,
        })
    }
}

fn make(
    request: &Request,
    passing: Passing<'_>,
    read: &Read,
    surveyed: &Surveyed,
    watch: Watch<'_>,
) -> Result<Made, RunError> {
    let Request { settings, .. } = request;
    let names = read.reading.spool.names();
    let folder = read.place.path();
    let facts = tie(request, passing, read, surveyed, watch)?;
    let among = (&surveyed.dims, &surveyed.populations);
    let site = surveyed.site(request, read, among, (passing, &facts), watch);
    let is_apart = surveyed.populations.count() > 1;
    let mut fitted = Vec::new();
    if is_apart {
        let one = Populations::one();
        let whole = folder.join(WHOLE);
        let failed = |cause| RunError::Write { folder: whole.clone(), cause };
        std::fs::create_dir(&whole).map_err(failed)?;
        let terms = Terms { populations: &one, ..site.terms };
        // What later ledgers leave over is held against what this one does, if anything.
        let eye = Eye::LeftOver(&surveyed.populations);
        fitted.extend(fit(Site { terms, ..site }.within(&whole), request, eye)?);
        // Nothing of it is read again, and a disk has an end.
        std::fs::remove_dir_all(&whole).map_err(failed)?;
    }
    // What is left over is scored by the whole, being too small to say what is usual.
    fitted.extend(
        fit(site, request, Eye::All)?.into_iter().filter(|(of, _)| !is_apart || of.whose != Whose::Whole),
    );
    let (populations, taken) = fitted.into_iter().unzip();
    let survey = &surveyed.survey;
    let about = About {
        name: request.model_name.clone(),
        program: concat!("compline ", env!("CARGO_PKG_VERSION")).into(),
        // These are our own types, which have names for their fields.
        parameters: serde_json::to_string(settings).unwrap_or_default(),
        seed: settings.seed,
        window: survey.totals.window.map(|(from, to)| Window { from, to }),
        entries: survey.entries,
        lines: survey.lines,
        input_sha256: read.reading.origin.sha256.clone(),
        config_sha256: settings.sha256(),
        job: request.tag.run.clone(),
    };
    let schema = Schema::of(names, survey.has).titled(&read.extra);
    let schema_sha256 = schema.sha256();
    let model = Model { about: about.clone(), schema, names: names.clone(), populations };
    Ok(Made { about, schema_sha256, populations: taken, sealed: model.seal() })
}

/// Each population with entries, with how these look.
fn fit(site: Site<'_>, request: &Request, eye: Eye<'_>) -> Result<Vec<(Population, Taken)>, RunError> {
    let Site { terms, passing, watch, .. } = site;
    let Taught { yardsticks, scorers, hits: _ } = site.teach(&request.settings)?;
    let judges = |done, of| watch(Step::Judge, done, of);
    let look = |eye| look(site.crew(&judges), terms, passing.folder, &scorers, eye);
    let all = look(Eye::All)?;
    let seen = if matches!(eye, Eye::All) { all.clone() } else { look(eye)? };
    let summaries = seen.into_iter().zip(all);
    let dims = Arc::new(terms.dims.clone());
    let mut fitted = Vec::new();
    for (place, ((yardstick, scorer), (seen, all))) in
        yardsticks.into_iter().zip(scorers).zip(summaries).enumerate()
    {
        let Some((detectors, combiner)) = scorer else { continue };
        let whose = match terms.populations.key_of(place) {
            None => Whose::Whole,
            Some((entity, manual)) => {
                Whose::Apart { entity: terms.spool.names().name(Sort::Entity, entity).into(), manual }
            }
        };
        let entries = all.entries();
        let reference = if seen.entries() == 0 { all } else { seen }.reference(&dims);
        let own = Fitted { dims: dims.clone(), empty: terms.empty, yardstick, detectors, combiner };
        fitted.push((
            Population { whose, entries, fitted: own, reference },
            Taken { title: terms.populations.title(place).into(), entries },
        ));
    }
    Ok(fitted)
}
