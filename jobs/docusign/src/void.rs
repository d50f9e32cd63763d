//! The job `docusign.void`: an envelope that nobody shall sign any more.

use jobkit::records::RecordId;
use jobkit::{Ctx, Failure, Job, Outcome, Personal, Policy};
use serde::{Deserialize, Serialize};

use crate::account::Accounts;
use crate::apply_event::{archive_if_complete, go};
use crate::calls::{Calls, Stop};
use crate::envelope::{self, Asked, Change, Envelope, Kept, moved};
use crate::known::Known;
use crate::phase::{Next, Phase, Status, Word, next};
use crate::provider::{Fault, Stand};
use crate::send_envelope::{BUSY, policy};

const LONGEST_REASON: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidArgs {
    pub key: String,
    /// It may not have been begun: then it is never to be. Else a key that nobody knows is a mistake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_begun: bool,
    /// The account that it is to go out by, where no record tells; left out, `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What recipients are told; it is kept with the job and nowhere else.
    pub reason: Personal<String>,
}

pub struct Void {
    pub accounts: Accounts,
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voided {
    pub key: String,
    pub state: String,
    /// It had come to its end before; that is no error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub too_late: bool,
    /// There was no envelope under the key. From here on none goes out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_begun: bool,
}

impl Job for Void {
    type Args = VoidArgs;
    const KIND: &'static str = "docusign.void";

    fn policy(&self) -> Policy {
        policy()
    }

    fn check(&self, args: &VoidArgs) -> Result<(), String> {
        crate::check_key(&args.key)?;
        if args.not_begun && args.account.is_none() && self.accounts.all().count() > 1 {
            return Err("account: there are several; say by which it is to go out".into());
        }
        if args.not_begun || args.account.is_some() {
            self.accounts.check(args.account.as_deref())?;
        }
        match (1..=LONGEST_REASON).contains(&args.reason.expose().trim().chars().count()) {
            true => Ok(()),
            false => Err(format!("reason: 1 to {LONGEST_REASON} characters, which recipients are told")),
        }
    }

    async fn run(&self, args: VoidArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let id = envelope::id(ctx.job().tenant.as_deref(), &args.key);
        let mut kept = match ctx.records().hold(ctx, &id).await? {
            Some(held) => Kept::of(held)?,
            None if ctx.records().get(ctx, &id).await?.is_some() => return Ok(Outcome::Snooze(BUSY)),
            None if args.not_begun => self.forbid(&args, ctx, &id).await?,
            None => {
                let told = format!("{}; where it was not begun yet, say `not_begun`", crate::missing(&id));
                return Err(Failure::transient(told));
            }
        };
        let nothing_is_out = !kept.phase.is_over() || kept.phase == Phase::Failed;
        if !nothing_is_out && !kept.envelope.unlooked {
            let ours = kept.phase == Phase::Voided && kept.envelope.void_asked.is_some();
            return end(&kept, !ours && kept.phase != Phase::Deleted);
        }
        let account = self.accounts.of(Some(&kept.envelope.account), ctx)?;
        let calls = Calls::open(ctx, account).await?;
        if kept.envelope.unlooked && !look(&mut kept, &calls).await? {
            return end(&kept, false);
        }
        let voided = void(&mut kept, &calls, args.reason.expose()).await?;
        end(&kept, !voided)
    }
}

impl Void {
    /// From here on whoever comes to send it finds it ended. Nobody is asked before that: an account that is parked must not let it out.
    async fn forbid(&self, args: &VoidArgs, ctx: &Ctx, id: &RecordId) -> Result<Kept, Failure> {
        let account = self.accounts.of(args.account.as_deref(), ctx)?;
        let asked = Asked {
            account,
            installation: account.installation(ctx).await?,
            id,
            job: ctx.job().id,
            request_sha256: String::new(),
            documents: Vec::new(),
        };
        let mut fresh = Envelope::new(asked, ctx.clock().now());
        fresh.void_asked = Some(fresh.began_at);
        fresh.unlooked = true;
        let change = Change::to(Phase::Voided, "docusign.envelope.forbid");
        // Somebody who was quicker has something to be voided.
        envelope::begin(ctx, id, fresh, change).await?.ok_or_else(moved)
    }
}

/// Whether one went out all the same, before the database was restored.
async fn look(kept: &mut Kept, calls: &Calls<'_>) -> Result<bool, Failure> {
    let before = match calls.went_out_before(&kept.envelope).await {
        Ok(before) => before,
        Err(stop) => return Err(calls.fail(stop).await),
    };
    match before {
        Some(id) => {
            // Nobody has asked the provider yet.
            kept.envelope.void_asked = None;
            kept.found_out(calls.ctx, Known::Before(id)).await.map(|()| true)
        }
        None => {
            kept.envelope.unlooked = false;
            kept.write(calls.ctx, Change::to(Phase::Voided, "")).await.map(|()| false)
        }
    }
}

fn end(kept: &Kept, too_late: bool) -> Result<Outcome, Failure> {
    let state = kept.phase.name().to_owned();
    let never_begun = kept.envelope.is_of_an_unknown_request() && kept.envelope.envelope.is_none();
    Outcome::completed(Voided { key: kept.record.id.key.clone(), state, too_late, never_begun })
}

/// False when it had ended before.
async fn void(kept: &mut Kept, calls: &Calls<'_>, reason: &str) -> Result<bool, Failure> {
    if !kept.phase.is_out() {
        match out(kept, calls).await? {
            None => return unmake(kept, calls).await,
            // It went out, and whoever sent it did not live to say so.
            Some(phase) => {
                go(kept, calls.ctx, phase, calls.account.config.poll_min_interval).await?;
                archive_if_complete(kept, calls.ctx).await?;
                if phase.is_over() {
                    return Ok(false);
                }
            }
        }
    }
    let Some(id) = kept.envelope.envelope.clone() else {
        return Err(Failure::permanent("its record names no envelope"));
    };
    let asked_before = kept.envelope.void_asked.is_some();
    if !asked_before {
        kept.envelope.void_asked = Some(calls.ctx.clock().now());
        let change = Change { due_at: kept.record.due_at, ..Change::to(kept.phase, "") };
        kept.write(calls.ctx, change).await?;
    }
    match calls.once(calls.provider().void(&id, reason)).await {
        Ok(()) => {
            kept.envelope.status = Some(Status::Voided);
            kept.write(calls.ctx, Change::to(Phase::Voided, "docusign.envelope.void")).await?;
            Ok(true)
        }
        Err(Stop::Call(error)) if error.fault.is_of_state() || error.fault == Fault::Refused => {
            late(kept, calls, asked_before, Stop::Call(error)).await
        }
        Err(stop) => Err(calls.fail(stop).await),
    }
}

/// Where it stands at the provider, if it is out there.
async fn out(kept: &mut Kept, calls: &Calls<'_>) -> Result<Option<Phase>, Failure> {
    if kept.envelope.envelope.is_none() {
        let known = match calls.known(&kept.envelope, |_| true).await {
            Ok(known) => known,
            Err(stop) => return Err(calls.fail(stop).await),
        };
        match known {
            None => return Ok(None),
            Some(Known::Draft(id) | Known::Out(id)) => kept.envelope.envelope = Some(id),
            Some(Known::Before(id)) => kept.envelope.recall(id),
        }
    }
    let status = stand(kept, calls).await?.map(|stand| stand.status.phase());
    Ok(status.filter(|phase| !matches!(phase, Phase::Drafting | Phase::Drafted | Phase::Deleted)))
}

async fn stand(kept: &Kept, calls: &Calls<'_>) -> Result<Option<Stand>, Failure> {
    match &kept.envelope.envelope {
        Some(id) => calls.stand(id).await,
        None => Ok(None),
    }
}

/// Nobody has got it, and from here on nobody will: the job that would send it finds it ended.
async fn unmake(kept: &mut Kept, calls: &Calls<'_>) -> Result<bool, Failure> {
    let Some(id) = kept.envelope.envelope.clone() else {
        kept.envelope.void_asked = Some(calls.ctx.clock().now());
        kept.write(calls.ctx, Change::to(Phase::Voided, "docusign.envelope.void")).await?;
        return Ok(true);
    };
    let ids = [id];
    match calls.repeated(|| calls.provider().delete_drafts(&ids)).await {
        Ok(()) => {}
        Err(Stop::Call(error)) if error.fault.is_of_state() || error.fault == Fault::Missing => {}
        Err(stop) => return Err(calls.fail(stop).await),
    }
    kept.envelope.status = Some(Status::Deleted);
    kept.write(calls.ctx, Change::to(Phase::Deleted, "docusign.envelope.void")).await?;
    Ok(true)
}

/// It is in no state to be voided: which one, then?
async fn late(kept: &mut Kept, calls: &Calls<'_>, asked_before: bool, stop: Stop) -> Result<bool, Failure> {
    let Some(stand) = stand(kept, calls).await? else { return Err(calls.fail(stop).await) };
    match next(kept.phase, stand.status, Word::Asked) {
        Next::Go(phase) if phase.is_over() => {
            kept.envelope.status = Some(stand.status);
            kept.envelope.recipients.extend(stand.recipients);
            go(kept, calls.ctx, phase, calls.account.config.poll_min_interval).await?;
            archive_if_complete(kept, calls.ctx).await?;
            // An earlier call of ours, whose answer was lost, may be what voided it.
            Ok(asked_before && phase == Phase::Voided)
        }
        _ => Err(calls.fail(stop).await),
    }
}

#[cfg(test)]
mod tests;
