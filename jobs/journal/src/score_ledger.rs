//! The job `journal.score_ledger`: a ledger file in, scores, workpaper and report out.
//!
//! Its steps are the stages of a [`Run`]: each remembers a digest, so that an attempt after a crash either goes on with exactly
//! the same work or says that the file changed. The result and the files name users of the ledger; who may see the
//! job may see them.

use std::path::PathBuf;

use jobkit::{Ctx, Failure, Job, ModelRecord, Outcome, Policy, UploadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asked_model::{self, Role};
use crate::attempt::{Asked, Ledgers, Running, Short, audit};
use crate::completeness::ControlTotals;
use crate::output::Pending;
use crate::run::{Accept, By, Request, Run, Summary};
use crate::settings::{Settings, SettingsError};
use crate::{Config, Sources};

mod partitions;

use partitions::Partitions;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreLedgerArgs {
    /// The ledger, below one of the configured roots: a path as the worker sees it, or `s3://BUCKET/KEY`; or `query:NAME`, one of the
    /// configured queries; or `upload:ID`, a file that was handed in.
    pub path: PathBuf,
    /// For the query, as texts: the first is its `$1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
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
    /// The model that scores it instead of what it teaches itself: a name, for its champion; `NAME@VERSION`; or an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Another one that scores it too, to say in what the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenger: Option<String>,
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
        let Self { seed, trees, sample, top, .. } = *self;
        Short { seed, trees, sample, top }.settings(configured, self.settings.as_ref())
    }

    /// Those that it names.
    fn models(&self) -> impl Iterator<Item = (Role, &str)> {
        let model = self.model.iter().map(|asked| (Role::Model, &**asked));
        model.chain(self.challenger.iter().map(|asked| (Role::Challenger, &**asked)))
    }

    fn asked(&self, configured: &Settings) -> Asked<'_> {
        Asked {
            parameters: &self.parameters,
            out_dir: self.out_dir.as_deref(),
            trial_balance: self.trial_balance.as_deref(),
            entry_log: self.entry_log.as_deref(),
            control_totals: self.control_totals,
            accept: self.accept.as_ref(),
            ..Asked::of(&self.path, self.settings(configured))
        }
    }
}

pub struct ScoreLedger {
    ledgers: Ledgers,
}

impl ScoreLedger {
    pub fn new(config: Config, sources: Sources) -> Self {
        Self { ledgers: Ledgers { config, sources } }
    }

    fn asked<'a>(&self, args: &'a ScoreLedgerArgs) -> Asked<'a> {
        Asked { is_shared: self.partitions(args) > 1, ..args.asked(&self.ledgers.config.settings) }
    }

    /// What was found in the list, as files.
    async fn by(
        &self,
        found: Vec<(Role, ModelRecord)>,
        request: &Request,
        ctx: &Ctx,
        fetched: &mut Vec<Pending>,
    ) -> Result<By, Failure> {
        let mut by = By::default();
        for (role, record) in found {
            let placed = asked_model::place(&self.ledgers, (role, record), request, ctx, fetched).await?;
            match role {
                Role::Model => by.model = Some(placed),
                Role::Challenger => by.challenger = Some(placed),
            }
        }
        Ok(by)
    }

    fn partitions(&self, args: &ScoreLedgerArgs) -> usize {
        args.partitions.unwrap_or(self.ledgers.config.partitions)
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
        for (role, asked) in args.models() {
            role.check(asked)?;
        }
        if args.challenger.is_some() && args.model.is_none() {
            return Err("challenger: is compared with a model; name that too, in `model`".into());
        }
        if let Some(partitions) = args.partitions {
            Config::check_partitions(partitions).map_err(|problem| format!("partitions: {problem}"))?;
        }
        self.asked(args).check(&self.ledgers.config)
    }

    fn uploads(&self, args: &ScoreLedgerArgs) -> Vec<UploadId> {
        self.asked(args).uploads()
    }

    async fn run(&self, args: ScoreLedgerArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let request = self.ledgers.request(self.asked(&args), ctx)?;
        let mut models = Vec::new();
        for (role, asked) in args.models() {
            models.push((role, asked_model::find(role, asked, ctx).await?));
        }
        let partitions = self.partitions(&args);
        let mut opened = None;
        let mut fetched = Vec::new();
        let begin = async |_| {
            if partitions > 1 {
                partitions::clear_at_the_end(ctx, &request.out_dir).await?;
            }
            let (request, files) = self.ledgers.open(self.asked(&args), None, ctx).await?;
            let by = self.by(models.clone(), &request, ctx, &mut fetched).await?;
            let run = Run::new(Request { by, ..request }).in_partitions(partitions);
            let run = Running::new(ctx, run);
            let begun = run.work(Run::begin).await;
            opened = Some((run, files));
            begun
        };
        let read = ctx.step("read", begin).await?;
        let (run, _fetched) = match opened {
            Some(opened) => opened,
            // An earlier attempt has read it.
            None => {
                let (request, files) = self.ledgers.open(self.asked(&args), Some(&read), ctx).await?;
                let by = match read.put_aside {
                    // The files lie beside the parts.
                    Some(_) => By::default(),
                    None => self.by(models, &request, ctx, &mut fetched).await?,
                };
                (Running::new(ctx, Run::new(Request { by, ..request })), files)
            }
        };
        run.lock().go_on(&read);
        // How it began is how it goes on, whatever was configured meanwhile.
        let passes = partitions::passes(args.model.is_some());
        let jobs =
            read.put_aside.map(|put_aside| Partitions::new(ctx, run.lock().request(), put_aside, passes));
        if let Some(jobs) = &jobs
            && let Some(wait) = jobs.survey().await?
        {
            return Ok(wait);
        }
        let survey = run.stage("survey", Run::survey).await?;
        run.lock().expect_survey(survey.clone());
        audit(ctx, &args.path, args.accept.as_ref(), &survey).await?;
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

#[cfg(test)]
mod tests;
