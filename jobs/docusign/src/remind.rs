//! The job `docusign.remind`: whoever has not signed is written to once more, though not every hour.

use jiff::SignedDuration;
use jobkit::{Ctx, Failure, Job, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::Accounts;
use crate::calls::{Calls, Stop};
use crate::envelope::{self, Change, Kept};
use crate::provider::Fault;
use crate::send_envelope::policy;

/// People who are reminded more often stop reading.
const AT_MOST: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemindArgs {
    pub key: String,
}

pub struct Remind {
    pub accounts: Accounts,
}

/// The job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminded {
    pub key: String,
    pub outcome: Reminding,
    pub state: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reminding {
    Reminded,
    /// Nobody is waited for.
    NotOut,
    /// Within the last day.
    RemindedAlready,
}

impl Job for Remind {
    type Args = RemindArgs;
    const KIND: &'static str = "docusign.remind";

    fn policy(&self) -> Policy {
        policy()
    }

    fn check(&self, args: &RemindArgs) -> Result<(), String> {
        crate::check_key(&args.key)
    }

    async fn run(&self, args: RemindArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        let id = envelope::id(ctx.job().tenant.as_deref(), &args.key);
        let Some(held) = ctx.records().hold(ctx, &id).await? else {
            return crate::busy_or_missing(ctx, &id).await;
        };
        let mut kept = Kept::of(held)?;
        let now = ctx.clock().now();
        let outcome = match (&kept.envelope.envelope, kept.envelope.reminded_at) {
            _ if !kept.phase.is_out() => Reminding::NotOut,
            // A clock that was ahead says nothing.
            (_, Some(at)) if at <= now && now.duration_since(at) < AT_MOST => Reminding::RemindedAlready,
            (None, _) => Reminding::NotOut,
            (Some(envelope), _) => {
                let envelope = envelope.clone();
                let account = self.accounts.of(Some(&kept.envelope.account), ctx)?;
                let calls = Calls::open(ctx, account).await?;
                // Written down before: a reminder that is lost is better than one every minute.
                let before = kept.envelope.reminded_at.replace(now);
                let due_at = kept.record.due_at;
                let change = |kept: &Kept, action| Change { due_at, ..Change::to(kept.phase, action) };
                let remind = change(&kept, "docusign.envelope.remind");
                kept.write(ctx, remind.details(json!({ "at": now }))).await?;
                if let Err(stop) = calls.once(calls.provider().remind(&envelope)).await {
                    if surely_not_done(&stop) {
                        kept.envelope.reminded_at = before;
                        let taken_back = change(&kept, "docusign.envelope.not_reminded");
                        kept.write(ctx, taken_back).await?;
                    }
                    return Err(calls.fail(stop).await);
                }
                Reminding::Reminded
            }
        };
        Outcome::completed(Reminded { key: args.key, outcome, state: kept.phase.name().into() })
    }
}

fn surely_not_done(stop: &Stop) -> bool {
    match stop {
        // It was not called.
        Stop::Job(_) => true,
        Stop::Call(error) => !matches!(error.fault, Fault::Unknown | Fault::Torn),
    }
}

#[cfg(test)]
mod tests;
