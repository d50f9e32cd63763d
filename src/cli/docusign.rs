//! `docusign`: envelopes for signature, from the command line. What changes something is enqueued as a job, so that it happens once and is written down; what is
//! shown is what the store knows.

use std::sync::Arc;

use clap::Subcommand;
use docusign::doctor::{Finding, examine};
use docusign::envelope::{COLLECTION, Kept};
use docusign::phase::Phase;
use docusign::remind::RemindArgs;
use docusign::void::VoidArgs;
use docusign::{Account, Remind, SendEnvelope, Void};
use engine::adapters::clock::SystemClock;
use jobkit::records::{RecordFilter, RecordId};
use jobkit::{Clock, Job, NewJob, Personal, RawJson};
use serde_json::{Value, json};
use store::{RecordPage, Scope};

use super::enqueue::json_of;
use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print};
use crate::app::{App, outgoing};
use crate::cli::print::row;
use crate::config;

#[derive(Debug, Subcommand)]
pub enum DocuSign {
    /// Enqueue an envelope; print the id of the job that sends it.
    Send {
        /// What is to be sent, as JSON: key, subject, documents, signers and so on; @FILE reads a file, - standard input.
        #[arg(value_name = "JSON|@FILE|-")]
        envelope: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Show where envelopes stand: one by its key, or all at which somebody may have to do something.
    Status {
        /// The key that the envelope was sent with.
        key: Option<String>,
        /// Also those that are archived, declined, voided or deleted.
        #[arg(long, conflicts_with = "key")]
        all: bool,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = super::at_least_one)]
        limit: usize,
        #[command(flatten)]
        whose: Whose,
    },
    /// Enqueue that an envelope be voided: nobody signs it any more.
    Void {
        key: String,
        /// Also where it was not begun yet, since it waits for its time, an approval or a parent: then it never goes out.
        #[arg(long)]
        not_begun: bool,
        /// The account that it is to go out by, where it was not begun yet; else `default`.
        #[arg(long, value_name = "NAME", requires = "not_begun")]
        account: Option<String>,
        /// What recipients are told.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Enqueue that whoever has not signed is reminded, once a day at most.
    Remind {
        key: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Sign in to each account and say what is wrong with it; print the address for consent where that is missing.
    Doctor {
        /// Of this account only.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct Whose {
    /// The tenant whose envelope it is.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

pub async fn run(call: &Call, command: DocuSign) -> Result {
    match command {
        DocuSign::Send { envelope, whose } => {
            // Read at the door, which names the field that is wrong and repeats nothing of what stood there.
            let args: RawJson = json_of("the envelope", &envelope)?;
            // A second one for the key finds the first one's record, and sends nothing.
            enqueue(call, NewJob::new(SendEnvelope::KIND, args), whose).await
        }
        DocuSign::Void { key, not_begun, account, reason, whose } => {
            let id =
                RecordId { collection: COLLECTION.into(), tenant: whose.tenant.clone(), key: key.clone() };
            let reason = Personal::new(reason);
            let job = NewJob::of::<Void>(&VoidArgs { key, not_begun, account, reason });
            let job = job.map_err(CliError::from_chain)?;
            call.with_app(async |app| {
                if !not_begun {
                    must_be_known(app, &id).await?;
                }
                enqueue_on(call, app, job, whose).await
            })
            .await
        }
        DocuSign::Remind { key, whose } => job::<Remind>(call, &RemindArgs { key }, whose).await,
        DocuSign::Status { key: Some(key), whose, .. } => one(call, key, whose).await,
        DocuSign::Status { key: None, all, limit, whose } => many(call, all, limit, whose).await,
        DocuSign::Doctor { account } => doctor(call, account).await,
    }
}

/// A key that was mistyped must not look like one that was voided.
async fn must_be_known(app: &App, id: &RecordId) -> Result {
    match app.store.record(&Scope::Installation, id).await? {
        Some(_) => Ok(Exit::Ok),
        None => {
            let text = format!("there is no envelope `{}`", print::plain(&id.key));
            let remedy = "`compline docusign status --all` lists them, --tenant says whose it is; --not-begun keeps one that waits to be sent from going out";
            Err(CliError::new(Exit::NotFound, text, remedy))
        }
    }
}

async fn job<J: Job>(call: &Call, args: &J::Args, whose: Whose) -> Result {
    let job = NewJob::of::<J>(args).map_err(CliError::from_chain)?;
    enqueue(call, job, whose).await
}

async fn enqueue(call: &Call, job: NewJob, whose: Whose) -> Result {
    call.with_app(async |app| enqueue_on(call, app, job, whose).await).await
}

async fn enqueue_on(call: &Call, app: &App, job: NewJob, Whose { tenant }: Whose) -> Result {
    let job = NewJob { tenant, ..job };
    for inserted in app.queue.enqueue(&Scope::Installation, vec![job], &actor()).await? {
        let told = call.print.answer(&inserted, || inserted.id.to_string());
        told.map_err(|error| error.remedy(format!("the job is there all the same: {}", inserted.id)))?;
        if inserted.duplicate && !call.print.json {
            print::remark("a job for this key was there; nothing was enqueued, this is its id");
        }
    }
    Ok(Exit::Ok)
}

async fn one(call: &Call, key: String, Whose { tenant }: Whose) -> Result {
    call.with_app(async |app| {
        let id = RecordId { collection: COLLECTION.into(), tenant, key };
        let record = app.store.record(&Scope::Installation, &id).await?.ok_or_else(|| {
            let remedy = "`compline docusign status --all` lists them; --tenant says whose it is";
            CliError::new(Exit::NotFound, format!("there is no envelope `{}`", id.key), remedy)
        })?;
        let kept = Kept::of(record).map_err(CliError::from_chain)?;
        call.print.answer(&shown(&kept), || in_full(&kept))?;
        Ok(Exit::Ok)
    })
    .await
}

async fn many(call: &Call, all: bool, limit: usize, Whose { tenant }: Whose) -> Result {
    let states = if all { Vec::new() } else { OPEN.map(|phase| phase.name().to_owned()).into() };
    let filter = RecordFilter { collection: COLLECTION.into(), states, limit, ..RecordFilter::default() };
    let scope = tenant.map_or(Scope::Installation, Scope::Tenant);
    call.with_app(async |app| {
        let records = app.store.records(&scope, &RecordPage::of(&filter)).await?;
        let found: Vec<Kept> = records
            .into_iter()
            .map(Kept::of)
            .collect::<std::result::Result<_, _>>()
            .map_err(CliError::from_chain)?;
        let json: Vec<Value> = found.iter().map(shown).collect();
        call.print.answer(&json, || listing(&found))?;
        if found.len() == limit && !call.print.json {
            print::remark(&format!("the first {limit} are shown; --limit shows more"));
        }
        Ok(Exit::Ok)
    })
    .await
}

/// Somebody still has to do something about these.
const OPEN: [Phase; 6] =
    [Phase::Drafting, Phase::Drafted, Phase::Sent, Phase::Delivered, Phase::Completed, Phase::Failed];

fn shown(Kept { record, phase, envelope, .. }: &Kept) -> Value {
    json!({
        "key": record.id.key,
        "tenant": record.id.tenant,
        "account": envelope.account,
        "state": phase.name(),
        "envelope": envelope.envelope,
        "installation": envelope.installation,
        "job": envelope.job,
        "changed_at": record.changed_at,
        "recipients": envelope.recipients,
        "void_asked": envelope.void_asked,
        "problem": envelope.problem,
        "archive": envelope.archive,
    })
}

fn listing(found: &[Kept]) -> String {
    if found.is_empty() {
        return "no envelopes match; `compline docusign send` sends one".into();
    }
    let rows: Vec<_> = found
        .iter()
        .map(|Kept { record, phase, envelope, .. }| {
            row![
                print::plain(&record.id.key),
                record.id.tenant.as_deref().map_or_else(|| "-".to_owned(), print::plain),
                phase.name(),
                envelope.envelope.as_deref().unwrap_or("-"),
                print::time(record.changed_at),
            ]
        })
        .collect();
    print::table(&["KEY", "TENANT", "STATE", "ENVELOPE", "CHANGED"], &rows)
}

fn in_full(Kept { record, phase, envelope, .. }: &Kept) -> String {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let mut lines = vec![
        format!("key         {}", record.id.key),
        format!("tenant      {}", or_none(record.id.tenant.as_deref())),
        format!("account     {}", envelope.account),
        format!("state       {}", phase.name()),
        format!("envelope    {}", or_none(envelope.envelope.as_deref())),
        format!("known as    {} of {}", envelope.reference, envelope.installation),
        format!("job         {}", envelope.job),
        format!("changed     {} by job {}", print::time(record.changed_at), record.changed_by),
    ];
    lines
        .extend(envelope.recipients.iter().map(|(number, status)| format!("recipient   {number}: {status}")));
    lines.extend(envelope.problem.iter().map(|problem| {
        let code = or_none(problem.code.as_deref());
        format!("problem     {}: {code} (trace token {})", problem.doing, or_none(problem.trace.as_deref()))
    }));
    lines.extend(
        envelope
            .archive
            .iter()
            .map(|file| format!("archived    {} {} {}", file.name, file.sha256, file.address)),
    );
    print::plain(&lines.join("\n"))
}

async fn doctor(call: &Call, name: Option<String>) -> Result {
    let settings = config::load(call.file.as_deref())?.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let accounts = outgoing::docusign_accounts(&settings, &clock)?;
    let wanted: Vec<&Account> =
        accounts.all().filter(|account| name.as_ref().is_none_or(|name| *name == account.name)).collect();
    if wanted.is_empty() {
        return Err(CliError::usage(
            "no account of DocuSign is configured by that name",
            "add [docusign.accounts.default] to the configuration, or set DOCUSIGN_INTEGRATION_KEY and the others",
        ));
    }
    let (mut found, mut exit) = (Vec::new(), Exit::Ok);
    for account in wanted {
        for finding in examine(account).await {
            if finding.found.is_err() {
                exit = Exit::Failed;
            }
            found.push((account.name.clone(), finding));
        }
    }
    let json: Vec<Value> = found
        .iter()
        .map(|(account, finding)| {
            json!({ "account": account, "what": finding.what, "ok": finding.found.is_ok(), "text": text(&finding.found) })
        })
        .collect();
    let line = |(account, finding): &(String, Finding)| {
        let mark = if finding.found.is_ok() { "ok  " } else { "FAIL" };
        format!("{mark}  {account}  {}: {}", finding.what, text(&finding.found))
    };
    call.print.answer(&json, || print::plain(&found.iter().map(line).collect::<Vec<_>>().join("\n")))?;
    Ok(exit)
}

fn text(found: &std::result::Result<String, String>) -> &str {
    match found {
        Ok(text) | Err(text) => text,
    }
}
