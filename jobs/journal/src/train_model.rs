//! The job `journal.train_model`: a ledger file in, a model of it out, in the list of models.
//!
//! A model is a challenger until somebody promotes it, or the job is told to. Its file is written once, named by its hash, before the list knows of it: a crash
//! between the two leaves a file that the next attempt writes again with the same bytes.

use std::path::PathBuf;

use jobkit::{Ctx, Failure, Job, ModelRecord, Outcome, Policy, Standing, UploadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempt::{Asked, Ledgers, Running, Short, audit};
use crate::completeness::ControlTotals;
use crate::registry::{Wanted, entry};
use crate::run::{Accept, Run, Trained};
use crate::settings::{Settings, SettingsError};
use crate::{Config, Sources};

/// Names are keys of a list that people read.
const LONGEST_NAME: usize = 200;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainModelArgs {
    /// The ledger, below one of the configured roots: a path as the worker sees it, or `s3://BUCKET/KEY`; or `query:NAME`, one of the
    /// configured queries; or `upload:ID`, a file that was handed in.
    pub path: PathBuf,
    /// For the query, as texts: the first is its `$1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// What the model is called. Models of one name are versions of each other.
    pub name: String,
    /// Whether it becomes the champion of its name at once.
    #[serde(default)]
    pub promote: bool,
    /// Where its file goes, in a folder of the job's own: below a root or the configured folder; without it,
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
}

impl TrainModelArgs {
    fn settings(&self, configured: &Settings) -> Result<Settings, SettingsError> {
        let Self { seed, trees, sample, .. } = *self;
        Short { seed, trees, sample, top: None }.settings(configured, self.settings.as_ref())
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

/// Whoever asks for a model of this name later must get it, and not a version or an id.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_name = matches!(Wanted::parse(name), Wanted::Champion(_));
    match name {
        _ if name.trim().is_empty() => Err("name: is empty; say what the model is called".into()),
        _ if name.trim() != name || name.chars().any(char::is_control) => {
            Err("name: begins or ends with blanks, or has characters that nobody sees; leave them out".into())
        }
        _ if name.chars().count() > LONGEST_NAME => {
            Err(format!("name: is longer than {LONGEST_NAME} characters; shorten it"))
        }
        _ if !is_name => Err(format!("name: `{name}` reads as a version or an id; choose another")),
        _ => Ok(()),
    }
}

pub struct TrainModel {
    ledgers: Ledgers,
}

impl TrainModel {
    pub fn new(config: Config, sources: Sources) -> Self {
        Self { ledgers: Ledgers { config, sources } }
    }

    fn asked<'a>(&self, args: &'a TrainModelArgs) -> Asked<'a> {
        args.asked(&self.ledgers.config.settings)
    }
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainedModel {
    #[serde(flatten)]
    pub model: Trained,
    pub version: u32,
    pub standing: Standing,
}

impl Job for TrainModel {
    type Args = TrainModelArgs;
    const KIND: &'static str = "journal.train_model";

    fn policy(&self) -> Policy {
        // As for scoring: only reading and writing can fail for a while.
        Policy::default().max_attempts(5)
    }

    fn check(&self, args: &TrainModelArgs) -> Result<(), String> {
        check_name(&args.name)?;
        self.asked(args).check(&self.ledgers.config)
    }

    fn uploads(&self, args: &TrainModelArgs) -> Vec<UploadId> {
        self.asked(args).uploads()
    }

    async fn run(&self, args: TrainModelArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let (mut request, _fetched) = self.ledgers.open(self.asked(&args), None, ctx).await?;
        request.model_name = args.name.clone();
        let run = Running::new(ctx, Run::new(request));

        let survey = run.survey().await?;
        audit(ctx, &args.path, args.accept.as_ref(), &survey).await?;
        let train = run.stage("train", Run::train).await?;
        run.lock().expect_train(train);
        let model: Trained = run.stage("write", Run::write_model).await?;
        let record: ModelRecord =
            ctx.step("register", async |_| ctx.models().add(ctx, &entry(&model)).await).await?;
        let standing = match args.promote {
            true => {
                ctx.step("promote", async |_| ctx.models().promote(ctx, &model.id).await.map(|_| ())).await?;
                Standing::Champion
            }
            false => record.standing,
        };

        let message = format!("made version {} of the model {}", record.version, model.name);
        ctx.progress(100, 100, message).await;
        Outcome::completed(TrainedModel { model, version: record.version, standing })
    }
}

#[cfg(test)]
mod tests;
