//! `enqueue`: one job from the command line. The use case checks it at the door; this only reads it.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jobkit::{Callback, CallbackEvent, JobId, NewJob, OnConflict, RawJson, Unique, When};
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::Scope;

use super::exit::{CliError, Exit, Result};
use super::{Call, actor, duration, instant, job_id, print};

#[derive(Debug, Args)]
pub struct EnqueueArgs {
    /// What to do, such as system.noop or journal.score_ledger.
    kind: String,
    /// The arguments as JSON; @FILE reads a file, - reads standard input.
    #[arg(long, default_value = "{}", value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    args: String,
    /// Names what the job is about: while a job of this kind and key is alive, its id is returned instead.
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// What to do when that key is held: return the job that is there as it is, or replace its arguments, time,
    /// priority, tags and metadata by these, unless it already runs.
    #[arg(long, value_name = "WHAT", requires = "unique_key")]
    on_conflict: Option<Conflict>,
    /// Not before this time, such as 2026-01-31T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "delay")]
    run_at: Option<Timestamp>,
    /// Not before this much time has gone by, such as 5m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    delay: Option<Duration>,
    /// From 1 (first) to 9 (last).
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    priority: Option<u8>,
    /// Another queue than the kind's own.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// For finding it again; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Whose job it is; tenants share the workers fairly.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Anything worth keeping with the job, as JSON; @FILE and - as for --args.
    #[arg(long, value_name = "JSON|@FILE|-")]
    metadata: Option<String>,
    /// Wait until this job has ended; may be given several times.
    #[arg(long, value_name = "ID", value_parser = job_id)]
    after: Vec<JobId>,
    /// Enqueue this job too, to run when this one has completed: its kind and arguments, or a file with a whole job
    /// as JSON; may be given several times.
    #[arg(long, value_name = "KIND:JSON|@FILE")]
    on_success: Vec<String>,
    /// As --on-success, to run when this one was discarded or cancelled.
    #[arg(long, value_name = "KIND:JSON|@FILE")]
    on_failure: Vec<String>,
    /// Post the end of the job to this address, one that webhooks.allow covers, as a signed webhook.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Only when it ends so; may be given several times.
    #[arg(long = "callback-event", value_name = "EVENT", requires = "callback")]
    callback_events: Vec<Event>,
    /// How often it is tried before a person must decide.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_attempts: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Event {
    Completed,
    Cancelled,
    Discarded,
}

impl From<Event> for CallbackEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Completed => CallbackEvent::Completed,
            Event::Cancelled => CallbackEvent::Cancelled,
            Event::Discarded => CallbackEvent::Discarded,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Conflict {
    Return,
    Replace,
}

impl From<Conflict> for OnConflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Return => OnConflict::ReturnExisting,
            Conflict::Replace => OnConflict::Replace,
        }
    }
}

pub async fn run(call: &Call, args: EnqueueArgs) -> Result {
    let on_conflict = args.on_conflict;
    let mut job = new_job(args)?;
    call.with_app(async |app| {
        if let Some(on_conflict) = on_conflict {
            // The rest of a rule that the kind has of its own still holds.
            let own = app.registry.get(&job.kind).and_then(|kind| kind.policy.unique.clone());
            let rule = own.unwrap_or_else(Unique::by_key);
            job.unique = Some(Unique { on_conflict: on_conflict.into(), ..rule });
        }
        for inserted in app.queue.enqueue(&Scope::Installation, vec![job], &actor()).await? {
            // Who asked again would have two jobs.
            let told = call.print.answer(&inserted, || inserted.id.to_string());
            told.map_err(|error| error.remedy(format!("the job is there all the same: {}", inserted.id)))?;
            if inserted.duplicate && !call.print.json {
                print::remark(match on_conflict {
                    Some(Conflict::Replace) => {
                        "a job with this unique key was there; it takes this over unless it already runs, this is its id"
                    }
                    _ => "a job with this unique key was there; nothing was enqueued, this is its id",
                });
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

fn new_job(args: EnqueueArgs) -> Result<NewJob> {
    if args.args == "-" && args.metadata.as_deref() == Some("-") {
        return Err(CliError::usage(
            "--args and --metadata cannot both read standard input",
            "give one of them as JSON or @FILE",
        ));
    }
    let mut job = NewJob::new(args.kind, json_of::<RawJson>("--args", &args.args)?);
    job.metadata = args.metadata.map(|text| json_of("--metadata", &text)).transpose()?;
    job.when = match (args.run_at, args.delay) {
        (Some(at), _) => When::At(at),
        (None, Some(delay)) => When::After(delay),
        (None, None) => When::Now,
    };
    job.unique_key = args.unique_key;
    job.priority = args.priority;
    job.queue = args.queue;
    job.tags = args.tags;
    job.tenant = args.tenant;
    job.after = args.after;
    job.max_attempts = args.max_attempts;
    job.on_success = followers("--on-success", &args.on_success)?;
    job.on_failure = followers("--on-failure", &args.on_failure)?;
    let events = args.callback_events.into_iter().map(Into::into).collect();
    job.callback = args.callback.map(|url| Callback { url, events });
    Ok(job)
}

fn followers(option: &str, given: &[String]) -> Result<Vec<NewJob>> {
    let follower = |given: &String| match (given.starts_with('@'), given.split_once(':')) {
        (true, _) => serde_json::from_value(json_of::<Value>(option, given)?).map_err(|problem| {
            let remedy = format!("{option} @FILE reads one job, such as {{\"kind\": \"system.noop\"}}");
            CliError::usage(format!("{option}: {given} is no job: {problem}"), remedy)
        }),
        (false, Some((kind, args))) => Ok(NewJob::new(kind, json_of::<RawJson>(option, args)?)),
        (false, None) => Ok(NewJob::new(given, serde_json::json!({}))),
    };
    given.iter().map(follower).collect()
}

/// A job with all that comes with it is smaller; a device or a pipe may have no end.
const MOST_READ: u64 = 64 << 20;

fn read(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(MOST_READ + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MOST_READ {
        true => Err(std::io::Error::other("it has more than 64 MiB")),
        false => Ok(text),
    }
}

pub(super) fn json_of<T: DeserializeOwned>(option: &str, given: &str) -> Result<T> {
    let (text, place) = match (given, given.strip_prefix('@')) {
        ("-", _) => {
            let text = read(std::io::stdin()).map_err(|cause| {
                CliError::from_chain(cause).remedy(format!("{option} - reads JSON from standard input"))
            })?;
            (text, "standard input".to_string())
        }
        (_, Some(file)) => {
            let text = File::open(file).and_then(read).map_err(|cause| {
                CliError::usage(
                    format!("{option}: the file `{file}` cannot be read: {cause}"),
                    format!("check the path; {option} @FILE reads JSON from a file"),
                )
            })?;
            (text, format!("the file `{file}`"))
        }
        (given, None) => (given.to_string(), "what was given".to_string()),
    };
    serde_json::from_str(&text).map_err(|problem| {
        CliError::usage(
            format!("{option}: {place} is not JSON: {problem}"),
            format!(
                "write {option} '{{\"key\": \"value\"}}', {option} @FILE, or {option} - for standard input"
            ),
        )
    })
}
