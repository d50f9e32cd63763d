//! `models`: what jobs made of data to use on other data, where each stands, and which of a name is to be used.

use clap::Subcommand;
use engine::approvals::rules::Action;
use engine::http::view::models::{Model, ModelChange};
use engine::models::{ModelList, is_model_id, promoting};
use jobkit::{ModelRecord, StandingChange};
use serde_json::json;
use store::ModelFilter;

use super::approvals::ApprovalArg;
use super::exit::{Exit, Result};
use super::{Call, print};
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Models {
    /// List models, the newest first.
    List {
        /// Of this name only; may be given several times.
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// The newest so many.
        #[arg(long, default_value_t = 100, value_parser = super::at_least_one)]
        limit: usize,
    },
    /// Show one model: what it was made from, by which job, and where its file is.
    Show {
        #[arg(value_parser = model_id)]
        id: String,
    },
    /// Make a model the champion of its name; the one before it and older challengers are retired.
    Promote {
        #[arg(value_parser = model_id)]
        id: String,
        #[command(flatten)]
        approval: ApprovalArg,
    },
}

fn model_id(text: &str) -> std::result::Result<String, String> {
    match is_model_id(text) {
        true => Ok(text.into()),
        false => Err(format!("`{text}` is no id of a model; `compline models list` shows them")),
    }
}

pub async fn run(call: &Call, command: Models) -> Result {
    call.with_app(async |app| {
        let models = ModelList { store: app.store.clone() };
        match command {
            Models::List { names, limit } => {
                let filter = ModelFilter { names, limit: Some(limit), ..ModelFilter::default() };
                let found = models.list(&filter).await?;
                let json: Vec<_> = found.iter().cloned().map(Model::from).collect();
                call.print.answer(&json, || listing(&found))?;
                if found.len() == limit && !call.print.json {
                    print::remark(&format!("the newest {limit} are shown; --limit shows more"));
                }
            }
            Models::Show { id } => {
                let record = models.show(&id).await?;
                call.print.answer(&Model::from(record.clone()), || shown(&record))?;
            }
            Models::Promote { id, approval } => {
                let what = promoting(&models.show(&id).await?);
                let by = approval.leave(app, Action::ModelsPromote, what).await?;
                let changes = models.promote(&id, &by).await?;
                let json: Vec<_> = changes.iter().cloned().map(ModelChange::from).collect();
                call.print.answer(&json!({ "id": id, "changes": json }), || told(&id, &changes))?;
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

fn listing(models: &[ModelRecord]) -> String {
    if models.is_empty() {
        return "no models match; a job that trains one takes it in here".into();
    }
    let rows: Vec<_> = models
        .iter()
        .map(|record| {
            row![
                record.model.id.as_str(),
                record.model.name.as_str(),
                record.version.to_string(),
                record.standing.name(),
                window(record),
                record.model.entries.to_string(),
                print::time(record.made_at),
            ]
        })
        .collect();
    print::table(&["ID", "NAME", "VERSION", "STANDING", "WINDOW", "ENTRIES", "MADE"], &rows)
}

fn window(record: &ModelRecord) -> String {
    record.model.window.map_or_else(|| "-".into(), |(from, to)| format!("{from} to {to}"))
}

fn shown(record: &ModelRecord) -> String {
    let model = &record.model;
    let lines = [
        format!("id        {}", model.id),
        format!("name      {}", model.name),
        format!("version   {}", record.version),
        format!("standing  {}", record.standing.name()),
        format!("window    {}", window(record)),
        format!("entries   {}", model.entries),
        format!("file      {}", model.path),
        format!("sha256    {}", model.sha256),
        format!("schema    {}", model.schema_sha256),
        format!("made      {} by job {}", print::time(record.made_at), record.made_by),
    ];
    print::plain(&lines.join("\n"))
}

fn told(id: &str, changes: &[StandingChange]) -> String {
    if changes.is_empty() {
        return format!("model {id} is the champion already");
    }
    let line = |change: &StandingChange| {
        format!("model {} is now {}, and was {}", change.id, change.to.name(), change.from.name())
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}
