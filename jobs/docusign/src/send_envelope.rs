//! The job `docusign.send_envelope`: an envelope goes out once, whatever is lost on the way.
//!
//! First a draft is made, which nobody sees, and its id is stored. Then that draft is sent; sending it twice is sending it once. When the answer to making a draft is
//! lost, nobody can know whether there is one, nor whether one comes to be later: we look for it by our reference, and else make another. A draft too many is harmless,
//! and the sweep deletes it. So no time-out has to be guessed.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::records::RecordId;
use jobkit::{Backoff, Ctx, Failure, Job, Outcome, Policy, UploadId, roots};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::Accounts;
use crate::apply_event::{archive_if_complete, go};
use crate::args::{SendEnvelopeArgs, check};
use crate::calls::{Calls, Stop};
use crate::config::SendMode;
use crate::documents;
use crate::envelope::{self, Asked, Change, Envelope, Kept, Problem};
use crate::known::Known;
use crate::phase::{Phase, Status};
use crate::provider::{CallError, Draft, Fault, Found};

/// When somebody looks whether it got on, which it does long before.
const LOOK: SignedDuration = SignedDuration::from_hours(1);
/// Another job deals with the envelope.
pub const BUSY: Duration = Duration::from_secs(2);
/// So old is the oldest draft that is taken. The sweep deletes those that are older by as long as an attempt may last and clocks may differ.
const ADOPTED_FOR: SignedDuration = SignedDuration::from_hours(22);
/// An envelope is out, and no record told of it.
pub const RECALL: &str = "docusign.envelope.recall";
/// In one attempt.
const DRAFTS: u32 = 3;

pub struct SendEnvelope {
    pub accounts: Accounts,
    pub roots: Vec<PathBuf>,
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub key: String,
    pub envelope: String,
    pub state: String,
    /// It was sent before, for the same key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_there: bool,
}

/// The policy of whatever calls a provider: what fails there for a while is tried for about an hour.
pub fn policy() -> Policy {
    let backoff = Backoff {
        first: Duration::from_secs(2),
        factor: 3.0,
        longest: Duration::from_secs(900),
        jitter: 0.3,
    };
    Policy::default().queue("docusign").max_attempts(12).backoff(backoff).timeout(Duration::from_secs(600))
}

impl Job for SendEnvelope {
    type Args = SendEnvelopeArgs;
    const KIND: &'static str = "docusign.send_envelope";

    fn policy(&self) -> Policy {
        policy()
    }

    fn check(&self, args: &SendEnvelopeArgs) -> Result<(), String> {
        check(args)?;
        self.accounts.check(args.account.as_deref())?;
        for (index, document) in args.documents.iter().enumerate() {
            let Some(path) = &document.path else { continue };
            let is_within = roots::within(path.as_ref(), &self.roots);
            if !is_within.is_ok_and(|found| found.is_some()) {
                return Err(format!(
                    "documents[{index}].path: it lies below none of docusign.roots; add its folder there"
                ));
            }
        }
        Ok(())
    }

    fn uploads(&self, args: &SendEnvelopeArgs) -> Vec<UploadId> {
        args.uploads()
    }

    async fn run(&self, args: SendEnvelopeArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let account = self.accounts.of(args.account.as_deref(), ctx)?;
        let calls = Calls::open(ctx, account).await?;
        let id = envelope::id(ctx.job().tenant.as_deref(), &args.key);
        let work = Work { args: &args, roots: &self.roots };
        if ctx.records().get(ctx, &id).await?.is_none()
            && let Some((kept, documents)) = begun(&calls, work, &id).await?
        {
            return Sending { calls, work, kept, documents, may_exist: false }.go().await;
        }
        // Somebody was here before, and may have made a draft and not lived to store its id.
        let Some(held) = ctx.records().hold(ctx, &id).await? else { return Ok(Outcome::Snooze(BUSY)) };
        let mut kept = Kept::of(held)?;
        let is_unknown = kept.envelope.is_of_an_unknown_request();
        if is_unknown && kept.envelope.envelope.is_none() {
            return Err(Failure::permanent(format!(
                "key: `{}` was voided before it was begun, by the job {}; choose another key",
                args.key, kept.envelope.job
            )));
        }
        let is_other = kept.envelope.request_sha256 != args.sha256() && !is_unknown;
        // Nothing went out of one that failed as a draft, or before.
        let may_differ = kept.phase == Phase::Failed && kept.envelope.envelope.is_none();
        if is_other && !may_differ {
            return Err(Failure::permanent(format!(
                "key: `{}` was used for another envelope, by the job {}; choose another key",
                args.key, kept.envelope.job
            )));
        }
        kept.envelope.job = ctx.job().id;
        let mut sending = Sending { calls, work, kept, documents: None, may_exist: true };
        if is_other {
            sending.ask_anew().await?;
        }
        sending.go().await
    }
}

/// Makes the record, of an envelope that is to be made, or of one that went out though no record told of it, since the database was restored to before. Where
/// that one stands the sweep asks at once. None when somebody else was quicker.
async fn begun(
    calls: &Calls<'_>,
    work: Work<'_>,
    id: &RecordId,
) -> Result<Option<(Kept, Option<Vec<Vec<u8>>>)>, Failure> {
    let ctx = calls.ctx;
    calls.for_a_new_envelope().await?;
    let asked = Asked {
        account: calls.account,
        installation: calls.installation().await?,
        id,
        job: ctx.job().id,
        request_sha256: work.args.sha256(),
        documents: Vec::new(),
    };
    let mut fresh = Envelope::new(asked, ctx.clock().now());
    let before = match calls.went_out_before(&fresh).await {
        Ok(before) => before,
        Err(stop) => return Err(calls.fail(stop).await),
    };
    let (change, documents) = match before {
        Some(envelope) => {
            fresh.recall(envelope);
            (Change::to(Phase::Sent, RECALL).due(ctx.clock().now()), None)
        }
        None => {
            let documents = work.load(ctx).await?;
            fresh.documents = documents::hashes(&documents);
            let change = Change::to(Phase::Drafting, "docusign.envelope.begin");
            (change.due(after(ctx.clock().now(), LOOK)), Some(documents))
        }
    };
    let kept = envelope::begin(ctx, id, fresh, change).await?;
    Ok(kept.map(|kept| (kept, documents)))
}

/// What is asked for, and where it may lie.
#[derive(Clone, Copy)]
struct Work<'a> {
    args: &'a SendEnvelopeArgs,
    roots: &'a [PathBuf],
}

impl Work<'_> {
    async fn load(&self, ctx: &Ctx) -> Result<Vec<Vec<u8>>, Failure> {
        documents::load(&self.args.documents, self.roots, ctx).await
    }
}

struct Sending<'a> {
    calls: Calls<'a>,
    work: Work<'a>,
    kept: Kept,
    /// Once they were read.
    documents: Option<Vec<Vec<u8>>>,
    /// Somebody may have made a draft and not lived to store its id.
    may_exist: bool,
}

impl Sending<'_> {
    async fn go(&mut self) -> Result<Outcome, Failure> {
        match self.kept.phase {
            Phase::Drafting | Phase::Failed if self.kept.envelope.envelope.is_none() => self.draft().await?,
            // What was refused once is tried again when somebody asks for it again.
            Phase::Drafting | Phase::Drafted | Phase::Failed => {}
            _ => return self.done(true),
        }
        if !self.kept.phase.is_out() {
            self.send().await?;
        }
        self.done(false)
    }

    fn done(&self, was_there: bool) -> Result<Outcome, Failure> {
        let envelope = self.kept.envelope.envelope.clone().unwrap_or_default();
        let state = self.kept.phase.name().to_owned();
        Outcome::completed(Sent { key: self.work.args.key.clone(), envelope, state, was_there })
    }

    /// What was asked for under this key before was refused, and is not what is asked for now. A draft of that may still be there, or come to be:
    /// it is another transaction's, so that nobody takes it for what is asked for now.
    async fn ask_anew(&mut self) -> Result<(), Failure> {
        let before = match self.calls.known(&self.kept.envelope, |_| true).await {
            Ok(before) => before,
            Err(stop) => return Err(self.calls.fail(stop).await),
        };
        match before {
            Some(out @ Known::Out(_)) => {
                self.kept.found_out(self.calls.ctx, out).await?;
                return Err(Failure::permanent(
                    "key: it was used for another envelope, which went out after all; choose another key",
                ));
            }
            // Of which request nobody knows; it may be this one, and is not sent again.
            Some(before @ Known::Before(_)) => return self.kept.found_out(self.calls.ctx, before).await,
            Some(Known::Draft(_)) | None => {}
        }
        let documents = self.work.load(self.calls.ctx).await?;
        self.kept.envelope.ask_anew(self.work.args.sha256());
        self.kept.envelope.documents = documents::hashes(&documents);
        self.may_exist = false;
        self.documents = Some(documents);
        let due = after(self.now(), LOOK);
        let change = Change::to(Phase::Drafting, "docusign.envelope.begin").due(due);
        let told = json!({ "request_sha256": self.kept.envelope.request_sha256 });
        self.kept.write(self.calls.ctx, change.details(told)).await
    }

    async fn draft(&mut self) -> Result<(), Failure> {
        let documents = match self.documents.take() {
            Some(documents) => documents,
            None => self.work.load(self.calls.ctx).await?,
        };
        // A draft of an earlier attempt may be the one that is sent.
        if documents::hashes(&documents) != self.kept.envelope.documents {
            return Err(Failure::permanent(
                "documents: they are no longer those that were there when this began; choose another key",
            ));
        }
        let direct = self.calls.account.config.send_mode == SendMode::Direct;
        let made = self.make(&documents, direct).await;
        let (id, is_out) = match made {
            Ok(Known::Draft(id)) => (id, false),
            Ok(Known::Out(id)) => (id, true),
            Ok(before @ Known::Before(_)) => return self.kept.found_out(self.calls.ctx, before).await,
            Err(stop) => return Err(self.end(stop).await),
        };
        self.kept.envelope.envelope = Some(id);
        let (to, action) = match is_out {
            true => (Phase::Sent, "docusign.envelope.send"),
            false => (Phase::Drafted, "docusign.envelope.draft"),
        };
        let due = after(self.now(), self.poll(to));
        let told = json!({ "documents": self.kept.envelope.documents });
        self.kept.write(self.calls.ctx, Change::to(to, action).details(told).due(due)).await
    }

    async fn make(&self, documents: &[Vec<u8>], direct: bool) -> Result<Known, Stop> {
        let mut look = self.may_exist;
        let mut tried = 0;
        if look {
            // All that follows, or nothing: a look that is not followed by a draft is made in vain, and again and again.
            self.calls.for_a_known_envelope().await?;
        }
        loop {
            if look && let Some(known) = self.known().await? {
                return Ok(known);
            }
            let reference = self.kept.envelope.reference(self.now());
            let draft = Draft { reference: &reference, args: self.work.args, documents };
            tried += 1;
            self.calls.for_an_envelope().await?;
            match self.calls.once(self.calls.provider().create(draft, direct)).await {
                Ok(id) if direct => return Ok(Known::Out(id)),
                Ok(id) => return Ok(Known::Draft(id)),
                Err(Stop::Call(error))
                    if tried < DRAFTS
                        && matches!(error.fault, Fault::Away | Fault::Unknown | Fault::Duplicate) =>
                {
                    self.calls.pause(tried).await?;
                    look = look || error.fault != Fault::Away;
                }
                // One that came to be after the look may be why, whatever it is called.
                Err(Stop::Call(error)) if look && error.fault == Fault::Refused => {
                    return self.known().await?.ok_or(Stop::Call(error));
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    async fn known(&self) -> Result<Option<Known>, Stop> {
        let now = self.now();
        self.calls.known(&self.kept.envelope, |found| !is_swept_soon(found, now)).await
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let Some(id) = self.kept.envelope.envelope.clone() else {
            return Err(Failure::permanent("its record names no envelope"));
        };
        let sent = self.calls.repeated(|| self.calls.provider().send(&id)).await;
        let phase = match sent {
            Ok(()) => Phase::Sent,
            // It may have gone out before, and further since.
            Err(Stop::Call(error)) if error.fault.is_of_state() || error.fault == Fault::Refused => {
                match self.calls.stand(&id).await?.map(|stand| stand.status) {
                    Some(Status::Deleted) => return self.lost(error).await,
                    Some(status) if status.phase() != Phase::Drafted => status.phase(),
                    _ => return Err(self.end(Stop::Call(error)).await),
                }
            }
            // Whether it was deleted or went out and nobody finds it, another is not made of itself: the sweep looks for it.
            Err(Stop::Call(error)) if error.fault == Fault::Missing => return Err(Failure::transient(error)),
            Err(stop) => return Err(self.end(stop).await),
        };
        let poll = self.calls.account.config.poll_min_interval;
        go(&mut self.kept, self.calls.ctx, phase, poll).await?;
        archive_if_complete(&self.kept, self.calls.ctx).await
    }

    /// The draft was deleted, so that nobody has got it nor ever will: the next attempt makes another.
    async fn lost(&mut self, error: CallError) -> Result<(), Failure> {
        self.kept.envelope.envelope = None;
        let due = after(self.now(), LOOK);
        let change = Change::to(Phase::Drafting, "docusign.envelope.draft_lost").due(due);
        self.kept.write(self.calls.ctx, change).await?;
        Err(Failure::transient(error))
    }

    /// What can never be sent is written down as such; all else the table knows.
    async fn end(&mut self, stop: Stop) -> Failure {
        if let Stop::Call(error) = &stop
            && (error.fault.is_of_state() || error.fault == Fault::Refused)
        {
            self.kept.envelope.problem = Some(Problem::from(error));
            let told = json!({ "doing": error.doing, "code": error.code, "trace": error.trace });
            let change = Change::to(Phase::Failed, "docusign.envelope.fail").details(told);
            if let Err(failure) = self.kept.write(self.calls.ctx, change).await {
                return failure;
            }
        }
        self.calls.fail(stop).await
    }

    fn now(&self) -> Timestamp {
        self.calls.ctx.clock().now()
    }

    fn poll(&self, phase: Phase) -> SignedDuration {
        match phase {
            Phase::Drafting | Phase::Drafted => LOOK,
            _ => SignedDuration::try_from(self.calls.account.config.poll_min_interval).unwrap_or(LOOK),
        }
    }
}

/// A draft that the sweep may delete at any moment, and would after it was sent, which voids it. Another is made instead.
fn is_swept_soon(found: &Found, now: Timestamp) -> bool {
    let from = after(now, -ADOPTED_FOR);
    found.status.phase() == Phase::Drafted && found.made_at.is_some_and(|made_at| made_at < from)
}

pub fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
