//! Whether a ledger still looks like the one that a model was made from.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::by_model::{Carried, Teacher};
use super::teach::{Site, Taught};
use super::{Run, RunError, Step, Watch, outcome, tie};
use crate::amount::group;
use crate::drift::{Bounds, Drift, Known, Level, highest};
use crate::output::{Pending, RunTag};
use crate::passes::detect::Scorers;
use crate::passes::look::{Eye, look};
use crate::result::Model;

/// All figures.
pub const DRIFT: &str = "drift.json";
/// The same for a person.
pub const DRIFT_TEXT: &str = "drift.txt";

/// Everything in it follows from the input's bytes, the settings and the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drifted {
    /// Name and version of the program.
    pub program: String,
    pub path: PathBuf,
    pub sha256: String,
    pub entries: u64,
    pub lines: u64,
    pub rejected: u64,
    /// What of the ledger is known in part only, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_part: Vec<String>,
    pub settings_sha256: String,
    pub model: Model,
    /// The highest of all populations.
    pub level: Level,
    pub populations: Vec<Drift>,
}

impl Run {
    /// How the ledger stands to the model, without a score of any entry.
    pub fn drift(&mut self, watch: Watch<'_>) -> Result<Drifted, RunError> {
        if self.survey.work.is_none() {
            self.survey(watch)?;
        }
        let (request, read, surveyed) = (&self.request, self.read.work()?, self.survey.work()?);
        let teacher = &read.models.as_ref().ok_or(RunError::NoModel)?.model;
        let spool = &read.reading.spool;
        let Carried { dims, populations, known, learned } = teacher.carried(spool.names())?;
        let passing = self.passing(read.place.path());
        let facts = tie(request, passing, read, surveyed, watch)?;
        let site = surveyed.site(request, read, (&dims, &populations), (passing, &facts), watch);
        let Taught { scorers, .. } = site.ask(learned)?;
        let populations = drift(site, teacher, &known, &scorers, request.settings.drift)?;
        Ok(Drifted {
            program: concat!("compline ", env!("CARGO_PKG_VERSION")).into(),
            path: request.path.clone(),
            sha256: read.reading.origin.sha256.clone(),
            entries: surveyed.survey.entries,
            lines: surveyed.survey.lines,
            rejected: read.reading.rejected.count,
            in_part: outcome::in_part(&request.settings.window, read, surveyed),
            settings_sha256: request.settings.sha256(),
            model: teacher.about(),
            level: highest(&populations),
            populations,
        })
    }
}

/// Of entries that were measured and asked about.
pub(super) fn drift(
    site: Site<'_>,
    teacher: &Teacher,
    known: &Known,
    scorers: &Scorers,
    bounds: Bounds,
) -> Result<Vec<Drift>, RunError> {
    let judges = |done, of| (site.watch)(Step::Judge, done, of);
    let summaries = look(site.crew(&judges), site.terms, site.passing.folder, scorers, Eye::Foreign(known))?;
    Ok(teacher.drift(site.terms.populations, &summaries, bounds))
}

impl Drifted {
    /// Both files.
    pub fn write(&self, folder: &Path, tag: &RunTag) -> io::Result<Vec<PathBuf>> {
        let mut json = Pending::create(folder, DRIFT, tag)?;
        serde_json::to_writer_pretty(&mut json, self)?;
        json.write_all(b"\n")?;
        let mut text = Pending::create(folder, DRIFT_TEXT, tag)?;
        text.write_all(self.in_words().as_bytes())?;
        Ok(vec![json.commit()?, text.commit()?])
    }

    /// For a person at a terminal. Control characters of the ledger do not reach it.
    pub fn in_words(&self) -> String {
        let Self { path, sha256, entries, lines, model, level, populations, .. } = self;
        let number = |number: &u64| group(&number.to_string());
        let mut text = format!(
            "{}, {} entries with {} lines\n  SHA-256 {sha256}\nheld against the model {}, {}\n  made from {} entries{}\n\n{}\n",
            path.display(),
            number(entries),
            number(lines),
            model.called(),
            model.id,
            number(&model.trained_entries),
            model.window.map(|window| format!(", {} to {}", window.from, window.to)).unwrap_or_default(),
            level.verdict(),
        );
        self.in_part.iter().for_each(|in_part| _ = writeln!(text, "  known in part: {in_part}"));
        for drift in populations {
            let mut words = drift.in_words().into_iter();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {}", words.next().unwrap_or_default());
            words.for_each(|words| _ = writeln!(text, "    - {words}"));
        }
        text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
    }
}
