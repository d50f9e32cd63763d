//! The job `docusign.void`: an envelope that nobody shall sign any more.

use jobkit::{Ctx, Failure, Job, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::Accounts;
use crate::apply_event::archive_if_complete;
use crate::apply_event::go;
use crate::calls::{Calls, Stop};
use crate::envelope::{self, Change, Kept};
use crate::phase::{Next, Phase, Status, Word, next};
use crate::provider::Fault;
use crate::send_envelope::policy;

const LONGEST_REASON: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidArgs {
    pub key: String,
    /// What recipients are told.
    pub reason: String,
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
}

impl Job for Void {
    type Args = VoidArgs;
    const KIND: &'static str = "docusign.void";

    fn policy(&self) -> Policy {
        policy()
    }

    fn check(&self, args: &VoidArgs) -> Result<(), String> {
        crate::check_key(&args.key)?;
        match (1..=LONGEST_REASON).contains(&args.reason.trim().chars().count()) {
            true => Ok(()),
            false => Err(format!("reason: 1 to {LONGEST_REASON} characters, which recipients are told")),
        }
    }

    async fn run(&self, args: VoidArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let id = envelope::id(ctx.job().tenant.as_deref(), &args.key);
        let Some(held) = ctx.records().hold(ctx, &id).await? else {
            return crate::busy_or_missing(ctx, &id).await;
        };
        let mut kept = Kept::of(held)?;
        let too_late = kept.phase.is_over()
            && !(kept.phase == Phase::Voided && kept.envelope.void_reason.as_ref() == Some(&args.reason));
        if !kept.phase.is_over() {
            let account = self.accounts.of(Some(&kept.envelope.account), ctx)?;
            let calls = Calls::open(ctx, account).await?;
            let voided = void(&mut kept, &calls, &args.reason).await?;
            return end(&kept, !voided);
        }
        end(&kept, too_late)
    }
}

fn end(kept: &Kept, too_late: bool) -> Result<Outcome, Failure> {
    let state = kept.phase.name().to_owned();
    Outcome::completed(Voided { key: kept.record.id.key.clone(), state, too_late })
}

/// False when it had ended before.
async fn void(kept: &mut Kept, calls: &Calls<'_>, reason: &str) -> Result<bool, Failure> {
    let ctx = calls.ctx;
    if kept.phase == Phase::Drafting {
        // Nobody has got it, and from here on nobody will: the job that would send it finds it voided.
        kept.envelope.void_reason = Some(reason.into());
        let change = Change::to(Phase::Voided, "docusign.envelope.void").details(json!({ "reason": reason }));
        kept.write(ctx, change).await?;
        return Ok(true);
    }
    let Some(id) = kept.envelope.envelope.clone() else {
        return Err(Failure::permanent("its record names no envelope"));
    };
    let done = match kept.phase {
        Phase::Drafted => {
            let ids = [id.clone()];
            calls.repeated(|| calls.provider().delete_drafts(&ids)).await
        }
        _ => calls.repeated(|| calls.provider().void(&id, reason)).await,
    };
    match done {
        Ok(()) => {
            kept.envelope.void_reason = Some(reason.into());
            let phase = if kept.phase == Phase::Drafted { Phase::Deleted } else { Phase::Voided };
            kept.envelope.status =
                Some(if phase == Phase::Voided { Status::Voided } else { Status::Deleted });
            let change = Change::to(phase, "docusign.envelope.void").details(json!({ "reason": reason }));
            kept.write(ctx, change).await?;
            Ok(true)
        }
        Err(Stop::Call(error)) if matches!(error.fault, Fault::State | Fault::Refused) => {
            late(kept, calls, &id, reason, Stop::Call(error)).await
        }
        Err(stop) => Err(calls.fail(stop).await),
    }
}

/// It is in no state to be voided: which one, then?
async fn late(
    kept: &mut Kept,
    calls: &Calls<'_>,
    id: &str,
    reason: &str,
    stop: Stop,
) -> Result<bool, Failure> {
    let stand = match calls.repeated(|| calls.provider().stand(id)).await {
        Ok(stand) => stand,
        Err(stop) => return Err(calls.fail(stop).await),
    };
    kept.envelope.asked_at = Some(calls.ctx.clock().now());
    let ours = stand.status == Status::Voided;
    match next(kept.phase, stand.status, Word::Asked) {
        Next::Go(phase) if phase.is_over() => {
            kept.envelope.status = Some(stand.status);
            kept.envelope.recipients.extend(stand.recipients);
            // An earlier call of ours may be what voided it.
            kept.envelope.void_reason = ours.then(|| reason.into());
            go(kept, calls.ctx, phase, calls.account.config.poll_min_interval).await?;
            archive_if_complete(kept, calls.ctx).await?;
            Ok(ours)
        }
        _ => Err(calls.fail(stop).await),
    }
}

#[cfg(test)]
mod tests;
