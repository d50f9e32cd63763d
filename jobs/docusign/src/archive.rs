//! The job `docusign.archive`: the signed documents, the certificate and what happened to the envelope are fetched, looked at and kept, each with its hash in the
//! record and in the audit log. What is not whole is never kept.

pub mod package;

use std::time::Duration;

use jiff::SignedDuration;
use jobkit::{Ctx, Failure, Job, Outcome, Policy, Unique};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::account::Accounts;
use crate::args::hex;
use crate::calls::{Calls, Stop};
use crate::envelope::{self, Archived, ArchivedKind, Change, Kept, Problem};
use crate::phase::Phase;
use crate::provider::{CallError, Fault};
use crate::reconcile::Unresolved;
use crate::send_envelope::{after, policy};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveArgs {
    pub key: String,
}

pub struct Archive {
    pub accounts: Accounts,
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelved {
    pub key: String,
    pub files: Vec<Archived>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_there: bool,
}

/// When the sweep looks, if this does not come to an end.
const LOOK: SignedDuration = SignedDuration::from_hours(1);
/// So many looks in a row must not find the envelope: one may be the provider's fault.
const MISSED: u32 = 2;
/// From one of them to the next.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

impl Job for Archive {
    type Args = ArchiveArgs;
    const KIND: &'static str = "docusign.archive";

    fn policy(&self) -> Policy {
        policy().unique(Unique::by_key())
    }

    fn check(&self, args: &ArchiveArgs) -> Result<(), String> {
        crate::check_key(&args.key)
    }

    async fn run(&self, args: ArchiveArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let id = envelope::id(ctx.job().tenant.as_deref(), &args.key);
        let Some(held) = crate::hold_soon(ctx, &id).await? else {
            return crate::busy_or_missing(ctx, &id).await;
        };
        let mut kept = Kept::of(held)?;
        let was_there = kept.phase == Phase::Archived;
        if !was_there && kept.phase != Phase::Completed {
            return Err(Failure::permanent(format!(
                "key: the envelope of `{}` is {}; only one that is completed is archived",
                args.key,
                kept.phase.name()
            )));
        }
        if !was_there {
            let account = self.accounts.of(Some(&kept.envelope.account), ctx)?;
            let calls = Calls::open(ctx, account).await?;
            match fetch(&mut kept, &calls).await {
                Ok(()) => {}
                Err(Stop::Call(error)) => return Err(unfetched(&mut kept, &calls, error).await),
                Err(Stop::Job(failure)) => return Err(failure),
            }
        }
        Outcome::completed(Shelved { key: args.key, files: kept.envelope.archive, was_there })
    }
}

async fn fetch(kept: &mut Kept, calls: &Calls<'_>) -> Result<(), Stop> {
    let ctx = calls.ctx;
    let Some(id) = kept.envelope.envelope.clone() else {
        return Err(Failure::permanent("its record names no envelope").into());
    };
    // Why a call failed does not go through a step.
    let mut why = None;
    // Remembered: whoever comes again because of the events does not fetch the documents once more.
    let fetched = ctx.step("documents", |_| async {
        documents(kept, calls, &id).await.map_err(|stop| match stop {
            Stop::Job(failure) => failure,
            Stop::Call(error) => {
                let failure = Failure::transient(error.clone());
                why = Some(error);
                failure
            }
        })
    });
    let fetched: Result<Vec<Archived>, Failure> = fetched.await;
    let mut files = match (fetched, why) {
        (Ok(files), _) => files,
        (Err(_), Some(error)) => return Err(Stop::Call(error)),
        (Err(failure), None) => return Err(Stop::Job(failure)),
    };
    kept.envelope.missed = 0;
    let events = calls.repeated(|| calls.provider().audit_events(&id)).await.map_err(|stop| match stop {
        // The documents are there, so the envelope is.
        Stop::Call(error) if matches!(error.fault, Fault::Missing | Fault::Gone) => {
            Stop::Job(Failure::transient(error))
        }
        stop => stop,
    })?;
    let events = package::Part {
        name: "audit_events.json".into(),
        kind: ArchivedKind::AuditEvents,
        bytes: serde_json::to_vec_pretty(&events).map_err(Failure::permanent)?,
    };
    files.push(shelve(ctx, events).await?);
    kept.envelope.archive = files;
    kept.envelope.problem = None;
    let details = json!({ "files": kept.envelope.archive });
    let change = Change::to(Phase::Archived, "docusign.envelope.archive").details(details);
    Ok(kept.write(ctx, change).await?)
}

/// What is there no more is never fetched: a person is told, and nobody asks for it again of himself.
async fn unfetched(kept: &mut Kept, calls: &Calls<'_>, error: CallError) -> Failure {
    const WHY: &str = "all have signed, and its documents are at the provider no more";
    match error.fault {
        Fault::Gone => {}
        Fault::Missing => {
            kept.envelope.missed += 1;
            if kept.envelope.missed < MISSED {
                return missed(kept, calls, &error).await;
            }
        }
        _ => return calls.fail(Stop::Call(error)).await,
    }
    kept.envelope.missed = 0;
    kept.envelope.problem = Some(Problem::from(&error));
    let told = json!({ "why": WHY, "code": error.code, "trace": error.trace });
    let news = Unresolved::DocumentsGone.news(kept, calls, WHY);
    let change = Change::to(Phase::Completed, "docusign.envelope.documents_gone").details(told).news(news);
    match kept.write(calls.ctx, change).await {
        Ok(()) => Failure::permanent(error),
        Err(failure) => failure,
    }
}

/// It is written down, so that whoever comes next knows of it.
async fn missed(kept: &mut Kept, calls: &Calls<'_>, error: &CallError) -> Failure {
    let change = Change { due_at: kept.record.due_at, ..Change::to(Phase::Completed, "") };
    match kept.write(calls.ctx, change).await {
        Ok(()) => Failure::NotNow { after: LOOK_AGAIN, why: error.to_string() },
        Err(failure) => failure,
    }
}

async fn documents(kept: &Kept, calls: &Calls<'_>, id: &str) -> Result<Vec<Archived>, Stop> {
    let folder = tempfile::tempdir().map_err(Failure::transient)?;
    let file = folder.path().join("documents.zip");
    calls.repeated(|| calls.provider().documents(id, &file)).await?;
    let (at, sent) = (file.clone(), kept.envelope.documents.len());
    // Of one that went out before the database was restored nobody knows how many there were.
    let sent = (!kept.envelope.is_of_an_unknown_request()).then_some(sent);
    // As when the connection is cut: the next attempt gets it whole.
    let parts = calls.ctx.cpu(move |_| package::open(&at, sent)).await?;
    let parts = parts.map_err(|problem| Stop::Call(torn(problem)))?;
    let mut files = Vec::new();
    for part in parts {
        files.push(shelve(calls.ctx, part).await?);
    }
    Ok(files)
}

async fn shelve(ctx: &Ctx, part: package::Part) -> Result<Archived, Failure> {
    let (sha256, bytes) = (hex(&Sha256::digest(&part.bytes)), part.bytes.len() as u64);
    let address = ctx.artifacts().put(ctx.job().owner(), &part.name, part.bytes).await;
    let address = address.map_err(Failure::transient)?;
    Ok(Archived { name: part.name, kind: part.kind, sha256, bytes, address })
}

fn torn(code: &'static str) -> CallError {
    CallError {
        doing: "reading the documents of an envelope",
        fault: Fault::Torn,
        code: Some(code.into()),
        trace: None,
        status: None,
        budget: crate::provider::Budget::default(),
    }
}

/// When somebody looks again at one that is complete.
pub fn look_again(now: jiff::Timestamp) -> jiff::Timestamp {
    after(now, LOOK)
}

#[cfg(test)]
mod tests;
