//! `secrets`: what is looked after, how old it is and how far its rotation. What changes something is enqueued as a job; no value is ever shown.

use clap::Subcommand;
use jobkit::NewJob;
use secret_rotation::rotate::RotateArgs;
use secret_rotation::run::{self, Kept};
use secret_rotation::secret::VersionId;
use secret_rotation::target::Verdict;
use secret_rotation::{Managed, Rotate};
use serde_json::{Value, json};
use store::Scope;

use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print};
use crate::app::{self, App};
use crate::cli::print::row;
use crate::config;

#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// List the secrets of the configuration, and where each stands.
    List,
    /// Show one: its versions by name, its last rotation, when the next one is due.
    Show { name: String },
    /// Enqueue a rotation, or have one that waits for a person go on; print the id of its job.
    Rotate {
        name: String,
        /// Somebody else may know it: the old value has no grace, and its sessions are ended.
        #[arg(long)]
        compromised: bool,
        /// Destroy this version first, which somebody left pending in the store: no rotation of yours may be about to use it.
        #[arg(long, value_name = "VERSION")]
        clear_pending: Option<String>,
    },
    /// Ask each store and each target, and say what is wrong.
    Doctor,
}

pub async fn run(call: &Call, command: Secrets) -> Result {
    match command {
        Secrets::List => list(call).await,
        Secrets::Show { name } => show(call, &name).await,
        Secrets::Rotate { name, compromised, clear_pending } => {
            let clear_pending = clear_pending.map(VersionId);
            rotate(call, RotateArgs { name, compromised, clear_pending }).await
        }
        Secrets::Doctor => doctor(call).await,
    }
}

async fn rotate(call: &Call, args: RotateArgs) -> Result {
    let job = NewJob::of::<Rotate>(&args).map_err(CliError::from_chain)?;
    call.with_app(async |app| {
        for inserted in app.queue.enqueue(&Scope::Installation, vec![job], &actor()).await? {
            call.print.answer(&inserted, || inserted.id.to_string())?;
            if inserted.duplicate && !call.print.json {
                print::remark("it is rotated already; this is the job");
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

async fn known(app: &App, managed: &Managed) -> std::result::Result<Option<Kept>, CliError> {
    let record = app.store.record(&Scope::Installation, &run::id(&managed.name)).await?;
    record.map(Kept::of).transpose().map_err(CliError::from_chain)
}

async fn list(call: &Call) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let secrets = app::secrets(settings);
        let mut found = Vec::new();
        for managed in secrets.all() {
            found.push((managed, known(app, managed).await?));
        }
        let json: Vec<Value> = found.iter().map(|(managed, kept)| shown(managed, kept.as_ref())).collect();
        call.print.answer(&json, || listing(&found))?;
        Ok(Exit::Ok)
    })
    .await
}

fn shown(managed: &Managed, kept: Option<&Kept>) -> Value {
    json!({
        "name": managed.name,
        "target": managed.target.name(),
        "path": managed.path,
        "state": kept.map(|kept| kept.phase.name()),
        "run": kept.map(|kept| &kept.run),
        "due_at": kept.and_then(|kept| kept.record.due_at),
    })
}

fn listing(found: &[(&Managed, Option<Kept>)]) -> String {
    if found.is_empty() {
        return "no secrets are looked after; name one in [secret_rotation.secrets] of the configuration"
            .into();
    }
    let rows: Vec<_> = found
        .iter()
        .map(|(managed, kept)| {
            let kept = kept.as_ref();
            let at = |at: Option<jiff::Timestamp>| at.map_or_else(|| "-".to_owned(), print::time);
            row![
                print::plain(&managed.name),
                print::plain(&managed.target.name()),
                kept.map_or("never rotated", |kept| kept.phase.name()),
                at(kept.and_then(|kept| kept.run.published_at)),
                at(kept.and_then(|kept| kept.record.due_at)),
            ]
        })
        .collect();
    print::table(&["NAME", "TARGET", "STATE", "PUBLISHED", "DUE"], &rows)
}

async fn show(call: &Call, name: &str) -> Result {
    call.with_app_and_settings(async |app, settings| {
        let secrets = app::secrets(settings);
        let managed = secrets.named(name).ok_or_else(|| {
            let text = format!("no secret is called `{name}`");
            CliError::new(Exit::NotFound, text, "`compline secrets list` has them")
        })?;
        let kept = known(app, managed).await?;
        let labels = managed.store.labels(&managed.path).await.map_err(CliError::from_chain)?;
        let versions =
            json!({ "current": labels.current, "pending": labels.pending, "previous": labels.previous });
        let mut json = shown(managed, kept.as_ref());
        json["versions"] = versions.clone();
        call.print.answer(&json, || {
            let mut lines = vec![
                format!("name       {}", managed.name),
                format!("target     {}", managed.target.name()),
                format!("state      {}", kept.as_ref().map_or("never rotated", |kept| kept.phase.name())),
            ];
            for label in ["current", "pending", "previous"] {
                lines.push(format!("{label:<10} {}", versions[label].as_str().unwrap_or("-")));
            }
            if let Some(Kept { run, record, .. }) = &kept {
                let at = |at: Option<jiff::Timestamp>| at.map_or_else(|| "-".to_owned(), print::time);
                lines.push(format!("published  {}", at(run.published_at)));
                lines.push(format!("old dead   {}", at(run.retired_at)));
                lines.push(format!("due        {}", at(record.due_at)));
                lines.extend(run.problem.iter().map(|problem| format!("problem    {problem}")));
            }
            print::plain(&lines.join("\n"))
        })?;
        Ok(Exit::Ok)
    })
    .await
}

async fn doctor(call: &Call) -> Result {
    let settings = config::load(call.file.as_deref())?.settings;
    let secrets = app::secrets(&settings);
    let (mut lines, mut json, mut exit) = (Vec::new(), Vec::new(), Exit::Ok);
    for managed in secrets.all() {
        let found = examine(managed).await;
        if found.is_err() {
            exit = Exit::Failed;
        }
        let (mark, text) = match &found {
            Ok(text) => ("ok  ", text),
            Err(text) => ("FAIL", text),
        };
        lines.push(format!("{mark}  {}: {text}", managed.name));
        json.push(json!({ "name": managed.name, "ok": found.is_ok(), "text": text }));
    }
    if lines.is_empty() {
        lines.push("no secrets are looked after".into());
    }
    call.print.answer(&json, || print::plain(&lines.join("\n")))?;
    Ok(exit)
}

/// Whether readers get a value, and whether that lets them in.
pub async fn examine(managed: &Managed) -> std::result::Result<String, String> {
    let chain = |problem: &(dyn std::error::Error + 'static)| store::chain(problem);
    let labels = managed.store.labels(&managed.path).await.map_err(|problem| chain(&problem))?;
    let Some(current) = labels.current else {
        let name = &managed.name;
        return Err(format!("it has no value yet; `compline secrets rotate {name}` makes one"));
    };
    let value = managed.store.read(&managed.path, &current).await.map_err(|problem| chain(&problem))?;
    let value = value.ok_or_else(|| format!("the version {current} is current, and has no value"))?;
    match managed.target.test(&value).await.map_err(|problem| chain(&problem))? {
        Verdict::Accepted => Ok(format!("{} lets the version {current} in", managed.target.name())),
        Verdict::Refused => Err(format!(
            "{} refuses the version {current}, which readers get; `compline secrets rotate {} --compromised` makes another at once",
            managed.target.name(),
            managed.name
        )),
    }
}
