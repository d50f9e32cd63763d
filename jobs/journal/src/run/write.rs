//! Writes what a run found: files of all scores, the workpaper, the report, the results as one file, and a summary for people.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Accept, Read, Request, RunError, Scored, Surveyed, outcome};
use crate::amount::group;
use crate::drift::{Drift, Level, highest};
use crate::names::Sort;
use crate::output::{Pending, Rejections, SUMMARY_TEXT};
use crate::passes::judge::{Row, test_ids};
use crate::passes::rank;
use crate::result::{Band, Challenge, Results, RollForward, TopEntry, Verdict};
use crate::scores_file::{ScoreRow, ScoresFile};
use crate::settings::quoted;
use crate::{report, workpaper};

/// As many of the entries at the top stand in the job's row; the others are in the files.
const MOST_IN_SUMMARY: usize = 20;

/// What of a run everybody should know. Everything in it follows from the input's bytes and the settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub path: PathBuf,
    pub format: String,
    pub bytes: u64,
    pub sha256: String,
    pub lines: u64,
    pub entries: u64,
    pub rejected: u64,
    /// Lines that were not UTF-8 and were read as Windows-1252.
    pub not_utf8: u64,
    /// Whether the ledger rolls forward, in words.
    pub roll_forward: String,
    /// What of it is known in part only, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_part: Vec<String>,
    pub high: u64,
    pub medium: u64,
    /// Of the settings; a model was made with one of its own.
    pub seed: u64,
    pub settings_sha256: String,
    pub model_id: String,
    /// What scored the ledger; none where it taught itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ByModel>,
    pub scores_sha256: String,
    pub outputs: Vec<PathBuf>,
    pub top: Vec<TopEntry>,
}

/// What everybody should know of a model that scored a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByModel {
    /// What it is called.
    pub model: String,
    pub drift: Level,
    /// The verdict on each population, with whatever is not calm.
    pub drift_words: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

impl ByModel {
    fn of(results: &Results) -> Option<Self> {
        results.model.name.as_ref()?;
        Some(Self {
            model: results.model.called(),
            drift: highest(&results.drift),
            drift_words: results.drift.iter().flat_map(Drift::in_words).collect(),
            challenge: results.challenge.as_ref().map(|challenge| challenge.shortened(MOST_IN_SUMMARY)),
        })
    }
}

pub(super) fn write(
    request: &Request,
    read: &Read,
    surveyed: &Surveyed,
    scored: &Scored,
) -> Result<Summary, RunError> {
    let Request { out_dir, tag, settings, .. } = request;
    let failed = |cause| RunError::Write { folder: out_dir.clone(), cause };
    let results = outcome::results(request, read, surveyed, scored);
    let mut outputs = scores(request, read, scored, &results).map_err(failed)?;
    outputs.push(rejected(request, read).map_err(failed)?);
    outputs.push(request.write_completeness(&surveyed.completeness).map_err(failed)?);
    if settings.outputs.workpaper {
        outputs.push(workpaper::write(out_dir, tag, &results, request.created)?);
    }
    if settings.outputs.report {
        outputs.push(report::write_html(out_dir, tag, &results).map_err(failed)?);
        outputs.push(report::write_pdf(out_dir, tag, &results).map_err(failed)?);
    }
    outputs.push(results.write(out_dir, tag).map_err(failed)?);
    outputs.push(out_dir.join(SUMMARY_TEXT));
    let summary = summary(settings.seed, read, results, outputs);
    let mut text = Pending::create(out_dir, SUMMARY_TEXT, tag).map_err(failed)?;
    text.write_all(in_words(&summary).as_bytes()).and_then(|()| text.commit()).map_err(failed)?;
    Ok(summary)
}

/// All entries, the most unusual first, in each of the forms that are wanted.
fn scores(request: &Request, read: &Read, scored: &Scored, results: &Results) -> io::Result<Vec<PathBuf>> {
    let Request { out_dir, tag, settings, .. } = request;
    let spool = &read.reading.spool;
    let mut files = settings
        .outputs
        .scores
        .iter()
        .map(|format| ScoresFile::create(*format, out_dir, tag))
        .collect::<io::Result<Vec<_>>>()?;
    let each = |rank, row: &Row| {
        let tests = test_ids(row.tests);
        let row = ScoreRow {
            entry: &row.entry,
            population: scored.populations.title(row.population.into()),
            rank,
            score: row.score,
            risk: row.risk,
            band: row.band,
            detector: row.detector,
            detector_ranks: row.ranks,
            tests: &tests,
            amount: row.amount,
            date: row.date,
            user: spool.names().name(Sort::User, row.user),
            model_id: &results.model.id,
        };
        files.iter_mut().try_for_each(|file| file.write(&row))
    };
    if !settings.outputs.scores.is_empty() {
        rank::each(read.place.path(), spool.parts(), each)?;
    }
    files.into_iter().map(ScoresFile::commit).collect()
}

pub(super) fn rejected(request: &Request, read: &Read) -> io::Result<PathBuf> {
    let mut file = Rejections::create(&request.out_dir, &request.tag)?;
    let rejected = &read.reading.rejected;
    rejected.first.iter().try_for_each(|rejection| file.push(rejection))?;
    file.more(rejected.count - rejected.first.len() as u64)?;
    file.commit()
}

fn summary(seed: u64, read: &Read, results: Results, outputs: Vec<PathBuf>) -> Summary {
    let origin = &read.reading.origin;
    let in_band =
        |band: Band| results.bands.iter().find(|count| count.band == band).map_or(0, |count| count.entries);
    let model = ByModel::of(&results);
    Summary {
        format: origin.format.clone(),
        bytes: origin.bytes,
        sha256: origin.sha256.clone(),
        lines: read.reading.lines,
        entries: results.population.entries,
        rejected: read.reading.rejected.count,
        not_utf8: origin.not_utf8,
        roll_forward: roll_forward(&results.completeness.roll_forward),
        in_part: results.in_part,
        high: in_band(Band::High),
        medium: in_band(Band::Medium),
        seed,
        settings_sha256: results.parameters_sha256,
        model,
        model_id: results.model.id,
        scores_sha256: results.scores_sha256,
        outputs,
        top: results.top.listed().iter().take(MOST_IN_SUMMARY).cloned().collect(),
        path: results.inputs.into_iter().next().map(|input| input.path).unwrap_or_default(),
    }
}

pub(super) fn roll_forward(found: &RollForward) -> String {
    match found {
        RollForward::NotDone { why } => format!("not checked: {why}"),
        RollForward::Done { verdict: Verdict::Agrees, accounts, .. } => {
            format!("all {} accounts roll forward to the cent", group(&accounts.total().to_string()))
        }
        RollForward::Done { verdict: Verdict::Overridden { by, why }, differing, .. } => {
            format!("{differing} accounts differ, accepted by {by}: {why}")
        }
    }
}

/// For a person at a terminal. Control characters of the ledger do not reach it.
pub fn in_words(summary: &Summary) -> String {
    let number = |n: u64| group(&n.to_string());
    let mut text = format!(
        "{}, {}\n  {} entries with {} lines read, {} rejected\n  SHA-256 {}\n  {}\n\
         {} entries of high risk, {} of medium risk\n  model {}, seed {}, SHA-256 of the settings {}\n  \
         SHA-256 of all scores {}\n",
        summary.path.display(),
        summary.format,
        number(summary.entries),
        number(summary.lines),
        number(summary.rejected),
        summary.sha256,
        summary.roll_forward,
        number(summary.high),
        number(summary.medium),
        summary.model_id,
        summary.seed,
        summary.settings_sha256,
        summary.scores_sha256,
    );
    summary.in_part.iter().for_each(|in_part| _ = writeln!(text, "  known in part: {in_part}"));
    if let Some(by) = &summary.model {
        text.push_str(&by_model(by));
    }
    text.push_str("\nThe entries of the highest risk\n");
    for (place, entry) in summary.top.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>4}. {}  risk {:.3}, score {:.2} (rank {})  {} lines, {} {}",
            place + 1,
            entry.entry,
            entry.risk,
            entry.score,
            number(entry.rank),
            entry.lines.total(),
            entry.amount.grouped(),
            entry.currency
        );
        for reason in &entry.reasons {
            let _ = writeln!(text, "      - {}", reason.words);
        }
        for hit in &entry.hits {
            let _ = writeln!(text, "      * {}: {}", hit.test, hit.words);
        }
    }
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn by_model(by: &ByModel) -> String {
    let ByModel { model, drift, drift_words, challenge } = by;
    let mut text = format!("\nScored by the model {model}; drift: {}\n", drift.word());
    // Writing to a string cannot fail.
    drift_words.iter().for_each(|words| _ = writeln!(text, "  - {words}"));
    if let Some(challenge) = challenge {
        let _ = writeln!(text, "Challenged by {}\n  - {}", challenge.model.called(), challenge.in_words());
    }
    text
}

impl Request {
    /// What a doubter runs, where nothing else is configured.
    pub(super) fn command(&self) -> String {
        let Self { path, settings, given, accept, by, .. } = self;
        let mut words = vec!["compline journal score".to_string(), quoted(&path.to_string_lossy())];
        let mut say = |option: &str, value: &str| words.push(format!("{option} {}", quoted(value)));
        say("--seed", &settings.seed.to_string());
        for (option, file) in [("--trial-balance", &given.trial_balance), ("--entry-log", &given.entry_log)] {
            if let Some(file) = file {
                say(option, &file.to_string_lossy());
            }
        }
        for (option, chosen) in [("--model", &by.model), ("--challenger", &by.challenger)] {
            if let Some(chosen) = chosen {
                say(option, &chosen.path.to_string_lossy());
            }
        }
        if let Some(Accept { by, why }) = accept {
            say("--accepted-by", by);
            say("--because", why);
        }
        settings.said().iter().for_each(|said| say("--set", said));
        words.join(" ")
    }
}
