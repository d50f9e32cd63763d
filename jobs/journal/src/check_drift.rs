//! The job `journal.check_drift`: whether a ledger still looks like the one that a model was made from.
//!
//! That it does not is a result and no failure: somebody has to look, and the job did what it was asked. Who wants to be woken says `fail_at`.

use std::path::PathBuf;

use jobkit::{Ctx, Failure, Job, Outcome, Policy, UploadId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asked_model::{self, Role};
use crate::attempt::{Asked, Ledgers, Running, Short};
use crate::drift::Level;
use crate::run::{DRIFT_TEXT, Drifted, Run, RunError};
use crate::{Config, Sources};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckDriftArgs {
    /// The ledger, below one of the configured roots: a path as the worker sees it, or `s3://BUCKET/KEY`; or `query:NAME`, one of the
    /// configured queries; or `upload:ID`, a file that was handed in.
    pub path: PathBuf,
    /// For the query, as texts: the first is its `$1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// A name, for its champion; `NAME@VERSION`; or an id.
    pub model: String,
    /// Where the results go, in a folder of the job's own: below a root or the configured folder; without it,
    /// the latter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_dir: Option<PathBuf>,
    /// Laid over the configured settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
    /// From which level on the job fails; never, if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_at: Option<Level>,
}

pub struct CheckDrift {
    ledgers: Ledgers,
}

impl CheckDrift {
    pub fn new(config: Config, sources: Sources) -> Self {
        Self { ledgers: Ledgers { config, sources } }
    }

    fn asked<'a>(&self, args: &'a CheckDriftArgs) -> Asked<'a> {
        let settings = Short::default().settings(&self.ledgers.config.settings, args.settings.as_ref());
        Asked {
            parameters: &args.parameters,
            out_dir: args.out_dir.as_deref(),
            ..Asked::of(&args.path, settings)
        }
    }
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckedDrift {
    #[serde(flatten)]
    pub drifted: Drifted,
    pub outputs: Vec<PathBuf>,
}

/// What somebody wanted to be woken for.
#[derive(Debug, thiserror::Error)]
#[error("the ledger has moved from the model {model}: {}; {} says how", .level.word(), .text.display())]
struct Moved {
    model: String,
    level: Level,
    text: PathBuf,
}

impl Job for CheckDrift {
    type Args = CheckDriftArgs;
    const KIND: &'static str = "journal.check_drift";

    fn policy(&self) -> Policy {
        // As for scoring: only reading and writing can fail for a while.
        Policy::default().max_attempts(5)
    }

    fn check(&self, args: &CheckDriftArgs) -> Result<(), String> {
        Role::Model.check(&args.model)?;
        if args.fail_at == Some(Level::Calm) {
            return Err("fail_at: every ledger would fail; write watch or alarm".into());
        }
        self.asked(args).check(&self.ledgers.config)
    }

    fn uploads(&self, args: &CheckDriftArgs) -> Vec<UploadId> {
        self.asked(args).uploads()
    }

    async fn run(&self, args: CheckDriftArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let (mut request, mut fetched) = self.ledgers.open(self.asked(&args), None, ctx).await?;
        let found = asked_model::find(Role::Model, &args.model, ctx).await?;
        let model =
            asked_model::place(&self.ledgers, (Role::Model, found), &request, ctx, &mut fetched).await?;
        request.by.model = Some(model);
        let (folder, tag) = (request.out_dir.clone(), request.tag.clone());
        let run = Running::new(ctx, Run::new(request));

        run.survey().await?;
        let drifted: Drifted = run.stage("drift", Run::drift).await?;
        let write = async |_| {
            let written = drifted.write(&folder, &tag);
            written.map_err(|cause| RunError::Write { folder: folder.clone(), cause })
        };
        let outputs: Vec<PathBuf> = ctx.step("write", write).await?;

        let Drifted { level, model, .. } = &drifted;
        let message = format!("{} beside the model {}", level.word(), model.called());
        ctx.progress(100, 100, message).await;
        if args.fail_at.is_some_and(|fail_at| *level >= fail_at) {
            let text = folder.join(DRIFT_TEXT);
            return Err(Failure::permanent(Moved { model: model.called(), level: *level, text }));
        }
        Outcome::completed(CheckedDrift { drifted, outputs })
    }
}

#[cfg(test)]
mod tests;
