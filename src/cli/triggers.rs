//! `triggers`: what brings work from outside, when each took something last, and what was set aside.

use std::sync::Arc;

use clap::{Args, Subcommand};
use engine::triggers::chain::Chain;
use engine::triggers::door::Doors;
use engine::triggers::stream::WAIT;
use engine::triggers::stream::group::{Group, Rejected};
use jobkit::{AuditEntry, Origin};
use serde::Serialize;
use serde_json::json;
use store::chain;
use store::triggers::SourceRow;

use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print};
use crate::app::App;
use crate::cli::print::row;
use crate::config::Settings;
use crate::telemetry::Voice;

#[derive(Debug, Subcommand)]
pub enum Triggers {
    /// List the triggers that are configured, with when each took something last.
    List,
    /// Let a chain begin anew: of what has ended before now it makes nothing.
    Forget {
        #[arg(value_name = "CHAIN")]
        chain: String,
    },
    /// Entries of the Redis stream that could not be jobs.
    #[command(subcommand)]
    Rejected(RejectedCommand),
}

#[derive(Debug, Subcommand)]
pub enum RejectedCommand {
    /// List them, the oldest first, with the reason and the fields.
    List {
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// Give entries back to the stream as they were.
    Requeue(RequeueArgs),
}

#[derive(Debug, Args)]
pub struct RequeueArgs {
    /// Ids as `rejected list` shows them.
    #[arg(required_unless_present = "all", value_name = "ID")]
    ids: Vec<String>,
    /// All that are there now.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

pub async fn run(call: &Call, command: Triggers) -> Result {
    let loaded = call.load(Voice::Command)?;
    let app = super::open(&loaded.settings).await?;
    let ended = match command {
        Triggers::List => list(call, &loaded.settings, &app).await,
        Triggers::Forget { chain } => forget(call, &app, &chain).await,
        Triggers::Rejected(RejectedCommand::List { limit }) => rejected(call, &app, limit).await,
        Triggers::Rejected(RejectedCommand::Requeue(args)) => requeue(call, &app, args).await,
    };
    app.close().await;
    ended
}

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    what: String,
    kind: Option<String>,
    #[serde(flatten)]
    taken: Option<SourceRow>,
    /// What stands in its way, or waits.
    note: Option<String>,
}

async fn list(call: &Call, settings: &Settings, app: &App) -> Result {
    let triggers = &settings.triggers;
    let mut listed = Vec::new();
    if triggers.stream.enabled
        && let Some(group) = group(app)
    {
        let note = match group.standing().await {
            Ok(standing) => format!("{} waiting, {} rejected", standing.length, standing.rejected),
            Err(problem) => chain(&problem),
        };
        let name = format!("stream:{}", group.stream);
        listed.push(Listed { name, what: "Redis stream".into(), kind: None, taken: None, note: Some(note) });
    }
    for (name, hook) in &triggers.webhooks {
        let (name, what) = (format!("webhook:{name}"), format!("POST /v1/hooks/{name}"));
        listed.push(Listed { name, what, kind: Some(hook.kind.clone()), taken: None, note: None });
    }
    for door in app.registry.doors() {
        let (name, what) = (Doors::source(door.name()), format!("POST /v1/webhooks/{}", door.name()));
        listed.push(Listed { name, what, kind: None, taken: None, note: None });
    }
    for (name, folder) in &triggers.folders {
        let (name, what) = (format!("folder:{name}"), folder.path.display().to_string());
        // Buckets are for `compline doctor`, which asks them.
        let note = match jobkit::roots::address(&folder.path) {
            Some(_) => None,
            None => std::fs::read_dir(&folder.path).err().map(|problem| problem.to_string()),
        };
        listed.push(Listed { name, what, kind: Some(folder.kind.clone()), taken: None, note });
    }
    for (name, chain) in &triggers.chains {
        let (name, what) = (format!("chain:{name}"), format!("the end of {}", chain.after));
        listed.push(Listed { name, what, kind: Some(chain.kind.clone()), taken: None, note: None });
    }
    for source in app.store.mark_sources().await? {
        if let Some(trigger) = listed.iter_mut().find(|trigger| trigger.name == source.source) {
            trigger.taken = Some(source);
        }
    }
    call.print.answer(&listed, || as_table(&listed))?;
    Ok(Exit::Ok)
}

/// Also for one that the configuration does not have now: it begins anew when it comes back.
async fn forget(call: &Call, app: &App, chain: &str) -> Result {
    if !app.store.forget_follower(&Chain::source(chain), &actor()).await? {
        let remedy = "`compline triggers list` shows those that are configured; one begins when a worker first runs it";
        return Err(CliError::new(Exit::NotFound, format!("no chain `{chain}` has begun"), remedy));
    }
    call.print.answer(&json!({ "chain": chain }), || format!("the chain {chain} begins anew"))?;
    Ok(Exit::Ok)
}

fn as_table(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "no trigger is configured; see [triggers] in config/compline.toml".into();
    }
    let row = |trigger: &Listed| {
        row![
            trigger.name.as_str(),
            trigger.what.as_str(),
            trigger.kind.as_deref().unwrap_or("-"),
            print::optional_time(trigger.taken.as_ref().map(|taken| taken.last_at)),
            trigger.note.as_deref().unwrap_or("-")
        ]
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    print::table(&["TRIGGER", "WHAT", "KIND", "LAST TAKEN", "NOTE"], &rows)
}

fn group(app: &App) -> Option<Group> {
    Some(Group::new(app.redis.clone()?, "command".into(), WAIT))
}

fn needed(app: &App) -> Result<Group> {
    group(app).ok_or_else(|| {
        let remedy = "set redis.url, as the processes have it that read the stream";
        CliError::new(Exit::Usage, "no Redis is configured, so there is no stream", remedy)
    })
}

fn away(problem: impl std::error::Error) -> CliError {
    let remedy = "check redis.url and that Redis runs; `compline doctor` looks at it";
    CliError::new(Exit::Unreachable, chain(&problem), remedy)
}

async fn rejected(call: &Call, app: &App, limit: usize) -> Result {
    let rejected = needed(app)?.rejected(limit).await.map_err(away)?;
    let as_json: Vec<_> = rejected
        .iter()
        .map(|entry| json!({ "id": entry.id, "entry": entry.entry, "error": entry.error, "fields": fields(entry) }))
        .collect();
    call.print.answer(&as_json, || {
        if rejected.is_empty() {
            return "no entry was set aside".into();
        }
        let row = |entry: &Rejected| {
            let fields = fields(entry).into_iter().map(|(name, value)| format!("{name}={value}"));
            row![entry.id.as_str(), entry.error.as_str(), fields.collect::<Vec<_>>().join(" ")]
        };
        let rows: Vec<_> = rejected.iter().map(row).collect();
        print::table(&["ID", "REASON", "FIELDS"], &rows)
    })?;
    Ok(Exit::Ok)
}

/// As a list: a name may stand there twice, and that may be the reason.
fn fields(entry: &Rejected) -> Vec<(String, String)> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    entry.fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}

const ALL: usize = 100_000;

async fn requeue(call: &Call, app: &App, args: RequeueArgs) -> Result {
    let group = Arc::new(needed(app)?);
    let ids = match args.all {
        true => group.rejected(ALL).await.map_err(away)?.into_iter().map(|entry| entry.id).collect(),
        false => args.ids,
    };
    // No entry, no action: Redis has no part in our transactions, so the entry comes first.
    app.store
        .append_audit(&AuditEntry {
            at: None,
            actor: actor().name,
            action: "trigger.requeue".into(),
            object: group.rejected.clone(),
            outcome: "ok".into(),
            tenant: None,
            origin: Origin::default(),
            details: json!({ "entries": ids }),
        })
        .await?;
    let (mut requeued, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match group.requeue(&id).await.map_err(away)? {
            Some(entry) => requeued.push(json!({ "id": id, "entry": entry })),
            None => unknown.push(id),
        }
    }
    call.print.answer(&json!({ "requeued": requeued, "unknown": unknown }), || {
        let mut lines = vec![format!("{} given back to the stream", requeued.len())];
        lines.extend(unknown.iter().map(|id| format!("{id} was not set aside")));
        lines.join("\n")
    })?;
    Ok(if unknown.is_empty() { Exit::Ok } else { Exit::NotFound })
}
