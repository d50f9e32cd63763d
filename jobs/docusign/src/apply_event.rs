//! The job `docusign.apply_event`: what a delivery of DocuSign means for an envelope. The delivery was believed and taken once; it may still be late, early or about
//! an envelope that we do not know.

use jiff::{SignedDuration, Timestamp};
use jobkit::records::Hold;
use jobkit::{Ctx, Failure, Job, NewJob, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::Accounts;
use crate::archive::{Archive, ArchiveArgs};
use crate::calls::{Calls, Stop};
use crate::envelope::{self, COLLECTION, Change, Kept};
use crate::evidence::SENT;
use crate::phase::{Next, Phase, Status, Word, next};
use crate::reconcile::Unresolved;
use crate::send_envelope::{BUSY, after, policy};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyEventArgs {
    pub account: String,
    /// Without one it could not be understood, and is kept for whoever looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<Timestamp>,
    #[serde(default)]
    pub retry_count: u32,
    /// Of the delivery as it came.
    pub body_sha256: String,
}

pub struct ApplyEvent {
    pub accounts: Accounts,
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    pub outcome: Applying,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applying {
    Changed,
    /// It says nothing that we did not know.
    KnownAlready,
    /// Of an envelope that is none of ours.
    UnknownEnvelope,
    /// Of something that nobody here acts on.
    NotUsed,
}

impl Job for ApplyEvent {
    type Args = ApplyEventArgs;
    const KIND: &'static str = "docusign.apply_event";

    fn policy(&self) -> Policy {
        policy().internal()
    }

    async fn run(&self, args: ApplyEventArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let said = args.event.as_deref().and_then(meaning);
        let (Some(envelope), Some(said)) = (&args.envelope, said) else {
            return end(Applying::NotUsed, None);
        };
        let name = envelope::name(envelope);
        let Some(found) = ctx.records().named(ctx, COLLECTION, &name).await? else {
            return end(Applying::UnknownEnvelope, None);
        };
        let Some(held) = crate::hold_soon(ctx, &found.id).await? else { return Ok(Outcome::Snooze(BUSY)) };
        let mut kept = Kept::of(held)?;
        // Whoever has the key of one account has no say about another's.
        if kept.envelope.account != args.account {
            return end(Applying::UnknownEnvelope, None);
        }
        let account = self.accounts.of(Some(&kept.envelope.account), ctx)?;
        let changed = match said {
            Said::Envelope(status) => match next(kept.phase, status, Word::Told) {
                Next::Stay | Next::Contradicted => false,
                Next::Go(phase) => {
                    told(&mut kept, status, args.generated_at);
                    go(&mut kept, ctx, phase, account.config.poll_min_interval).await?;
                    true
                }
                Next::Confirm => confirm(&mut kept, &Calls::open(ctx, account).await?).await?,
            },
            Said::Recipient(status) => recipient(&mut kept, ctx, &args, status).await?,
        };
        // Also when it is known already: an earlier attempt may have got no further.
        archive_if_complete(&kept, ctx).await?;
        end(if changed { Applying::Changed } else { Applying::KnownAlready }, Some(&kept))
    }
}

fn end(outcome: Applying, kept: Option<&Kept>) -> Result<Outcome, Failure> {
    Outcome::completed(Applied {
        outcome,
        key: kept.map(|kept| kept.record.id.key.clone()),
        state: kept.map(|kept| kept.phase.name().into()),
    })
}

enum Said {
    Envelope(Status),
    Recipient(&'static str),
}

/// The event decides, and not the status beside it, which may be of another moment.
fn meaning(event: &str) -> Option<Said> {
    Some(match event {
        "envelope-sent" | "envelope-resent" | "envelope-corrected" => Said::Envelope(Status::Sent),
        "envelope-delivered" => Said::Envelope(Status::Delivered),
        "envelope-completed" => Said::Envelope(Status::Completed),
        "envelope-declined" => Said::Envelope(Status::Declined),
        "envelope-voided" => Said::Envelope(Status::Voided),
        "envelope-deleted" | "envelope-discard" => Said::Envelope(Status::Deleted),
        "recipient-sent" | "recipient-resent" => Said::Recipient("sent"),
        "recipient-delivered" => Said::Recipient("delivered"),
        "recipient-completed" => Said::Recipient("completed"),
        "recipient-declined" => Said::Recipient("declined"),
        "recipient-autoresponded" => Said::Recipient("autoresponded"),
        _ => return None,
    })
}

fn told(kept: &mut Kept, status: Status, at: Option<Timestamp>) {
    kept.envelope.status = Some(status);
    kept.envelope.changed_at = at.or(kept.envelope.changed_at);
}

/// Writes down the next phase, and when to ask again if nobody tells.
pub async fn go(kept: &mut Kept, ctx: &Ctx, phase: Phase, poll: std::time::Duration) -> Result<(), Failure> {
    let action = match phase {
        Phase::Completed => "docusign.envelope.complete",
        Phase::Declined => "docusign.envelope.decline",
        Phase::Voided => "docusign.envelope.void",
        Phase::Deleted => "docusign.envelope.delete",
        Phase::Delivered => "docusign.envelope.deliver",
        _ => "docusign.envelope.send",
    };
    let poll = SignedDuration::try_from(poll).unwrap_or(SignedDuration::from_hours(1));
    // It goes on, whatever ended it before.
    kept.envelope.problem = None;
    kept.envelope.missed = 0;
    let mut details = json!({ "recipients": kept.envelope.recipients });
    // Somebody sent it and did not live to say so: this is the entry by which the log knows.
    // One that was given up may have been given up before anybody knew that it was sent.
    let was_unsent = matches!(kept.phase, Phase::Drafting | Phase::Drafted | Phase::Failed);
    if was_unsent && !matches!(phase, Phase::Sent | Phase::Deleted) {
        details[SENT] = true.into();
    }
    let change = Change::to(phase, action).details(details);
    let change = match phase.is_out() || phase == Phase::Completed {
        // The sweep sees to what is complete and not archived.
        true => change.due(after(ctx.clock().now(), poll)),
        false => change,
    };
    if phase.is_over() {
        // Whoever fetches the documents need not wait until this attempt has ended.
        kept.hold = Hold::LetGo;
    }
    kept.write(ctx, change).await
}

/// Asks the provider whether it is over, and believes that. An envelope is asked for itself so seldom that the provider cannot mind.
async fn confirm(kept: &mut Kept, calls: &Calls<'_>) -> Result<bool, Failure> {
    let Some(id) = kept.envelope.envelope.clone() else { return Ok(false) };
    let now = calls.ctx.clock().now();
    if let Some(wait) = rest(kept.envelope.asked_at, now) {
        return Err(Failure::NotNow { after: wait, why: "the envelope was asked for a moment ago".into() });
    }
    // Written down before, so that whatever becomes of the answer it is not asked for again too soon.
    kept.envelope.asked_at = Some(now);
    let change = Change { due_at: kept.record.due_at, ..Change::to(kept.phase, "") };
    kept.write(calls.ctx, change).await?;
    let asked = calls.once(calls.provider().stand(&id)).await;
    let stand = match asked {
        Ok(stand) => stand,
        Err(Stop::Call(error)) if error.fault == crate::provider::Fault::Missing => return Ok(false),
        Err(stop) => return Err(calls.fail(stop).await),
    };
    kept.envelope.recipients.extend(stand.recipients);
    told(kept, stand.status, stand.changed_at);
    match next(kept.phase, stand.status, Word::Asked) {
        Next::Go(phase) => {
            go(kept, calls.ctx, phase, calls.account.config.poll_min_interval).await?;
            Ok(true)
        }
        Next::Contradicted => {
            contradict(kept, calls).await?;
            Ok(true)
        }
        // The message was ahead of the truth, or behind it.
        Next::Stay | Next::Confirm => Ok(false),
    }
}

/// The provider says another end than we have; a person must look.
pub async fn contradict(kept: &mut Kept, calls: &Calls<'_>) -> Result<(), Failure> {
    const WHY: &str = "the provider says another end than we have";
    let (phase, news) = (kept.phase, Unresolved::Contradicted.news(kept, calls, WHY));
    let change = Change::to(phase, "docusign.envelope.contradict").details(json!({ "why": WHY }));
    kept.write(calls.ctx, change.news(news)).await
}

/// How long one envelope is not to be asked for.
pub fn rest(asked_at: Option<Timestamp>, now: Timestamp) -> Option<std::time::Duration> {
    const LEAST: SignedDuration = SignedDuration::from_secs(15 * 60 + 5);
    // A clock that was ahead says nothing.
    let left = LEAST - now.duration_since(asked_at.filter(|at| *at <= now)?);
    std::time::Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

async fn recipient(
    kept: &mut Kept,
    ctx: &Ctx,
    args: &ApplyEventArgs,
    status: &'static str,
) -> Result<bool, Failure> {
    const RANKS: [&str; 3] = ["sent", "delivered", "completed"];
    let rank = |status: &str| RANKS.iter().position(|known| *known == status);
    let Some(recipient) = args.recipient.clone().filter(|_| kept.phase.is_out()) else { return Ok(false) };
    let known = kept.envelope.recipients.get(&recipient).map(String::as_str);
    // As the envelope, nobody goes back; and whoever signed or declined is done.
    let is_done = |known: &str| !matches!(known, "" | "sent" | "delivered");
    let is_further = |known: &str| rank(status).is_some() && rank(known) >= rank(status);
    if known.is_some_and(|known| known == status || is_done(known) || is_further(known)) {
        return Ok(false);
    }
    kept.envelope.recipients.insert(recipient.clone(), status.into());
    let details = json!({ "recipient": recipient, "status": status });
    let change =
        Change { due_at: kept.record.due_at, ..Change::to(kept.phase, "docusign.envelope.recipient") };
    kept.write(ctx, change.details(details)).await?;
    Ok(true)
}

/// The documents are fetched by a job of their own: one for each envelope.
pub async fn archive_if_complete(kept: &Kept, ctx: &Ctx) -> Result<(), Failure> {
    // With a problem, the provider has nothing to fetch any more.
    if kept.phase != Phase::Completed || kept.envelope.problem.is_some() {
        return Ok(());
    }
    let args = ArchiveArgs { key: kept.record.id.key.clone() };
    let mut job =
        NewJob::of::<Archive>(&args).map_err(Failure::permanent)?.unique_key(&kept.envelope.transaction);
    job.tenant = kept.record.id.tenant.clone();
    ctx.spawn(&format!("archive {}", kept.envelope.transaction), vec![job]).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
