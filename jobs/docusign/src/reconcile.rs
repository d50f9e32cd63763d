//! The job `docusign.reconcile`: the sweep. It asks for all envelopes whose time has come, many in one call, and repairs whatever messages did not tell; it ends what
//! nobody ends, deletes drafts that nobody will send, and says what it cannot resolve. It runs on a schedule.

mod strays;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use jobkit::records::{Hold, Record, RecordFilter, RecordId};
use jobkit::{Ctx, Failure, Gravity, Job, News, Outcome, Policy, Unique};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::{Account, Accounts};
use crate::apply_event::{archive_if_complete, contradict, go};
use crate::archive::look_again;
use crate::calls::{Calls, Stop};
use crate::envelope::{COLLECTION, Change, Kept, name};
use crate::known::Known;
use crate::phase::{Next, Phase, Word, next};
use crate::provider::{Fault, Stand};
use crate::send_envelope::{after, policy};

/// Less than an envelope may be asked for early.
const EARLY: SignedDuration = SignedDuration::from_mins(2);
/// The alert of an envelope that a person must look at.
pub const UNRESOLVED: &str = "docusign.unresolved";
/// What is asked for in one call.
const PAGE: usize = 500;
/// When a configured time is none.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// An envelope that was not found so often in a row is looked for by its reference.
const MISSED: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileArgs {
    /// Only this one; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

pub struct Reconcile {
    pub accounts: Accounts,
}

/// The job's result: how many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Swept {
    pub asked: u64,
    pub changed: u64,
    pub archiving: u64,
    /// Another job deals with them just now; the next sweep asks.
    pub busy: u64,
    pub missed: u64,
    pub unresolved: u64,
    pub drafts_deleted: u64,
}

impl Job for Reconcile {
    type Args = ReconcileArgs;
    const KIND: &'static str = "docusign.reconcile";

    fn policy(&self) -> Policy {
        // Two sweeps at once would ask twice.
        policy().unique(Unique::by_args()).timeout(std::time::Duration::from_secs(3_600))
    }

    fn check(&self, args: &ReconcileArgs) -> Result<(), String> {
        match &args.account {
            Some(account) => self.accounts.check(Some(account)),
            None => Ok(()),
        }
    }

    async fn run(&self, args: ReconcileArgs, ctx: &Ctx) -> Result<Outcome, Failure> {
        // It sees what all tenants have, or would take what it does not see for nobody's.
        if ctx.job().tenant.is_some() {
            return Err(Failure::permanent(
                "docusign.reconcile is for the installation, and not for a tenant",
            ));
        }
        let begun = ctx.clock().now();
        let mut sweep = Sweep { ctx, begun, swept: Swept::default(), seen: BTreeSet::new(), problem: None };
        let wanted = |account: &&Account| args.account.as_ref().is_none_or(|name| *name == account.name);
        sweep.envelopes(&self.accounts, |name| self.accounts.named(name).filter(wanted)).await?;
        for account in self.accounts.all().filter(wanted) {
            let swept = &mut sweep.swept;
            let done = async { strays::sweep(&Calls::open(ctx, account).await?, begun, swept).await }.await;
            sweep.goes_on(account, done)?;
        }
        match sweep.problem {
            Some(failure) => Err(failure),
            None => Outcome::completed(sweep.swept),
        }
    }
}

struct Sweep<'a> {
    ctx: &'a Ctx,
    begun: Timestamp,
    swept: Swept,
    /// Those that this sweep is done with, or cannot do anything with.
    seen: BTreeSet<RecordId>,
    problem: Option<Failure>,
}

impl<'a> Sweep<'a> {
    async fn envelopes(
        &mut self,
        accounts: &Accounts,
        wanted: impl Fn(&str) -> Option<&'a Account>,
    ) -> Result<(), Failure> {
        loop {
            self.ctx.stop_if_cancelled()?;
            let mut by_account: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
            for kept in self.due().await? {
                by_account.entry(kept.envelope.account.clone()).or_default().push(kept);
            }
            if by_account.is_empty() {
                return Ok(());
            }
            for (name, due) in by_account {
                let Some(account) = wanted(&name) else {
                    if accounts.named(&name).is_none() {
                        self.ctx.info(format!(
                            "envelopes are open in the account `{name}`, which is no longer configured"
                        ));
                    }
                    continue;
                };
                let (ctx, begun, swept) = (self.ctx, self.begun, &mut self.swept);
                let done = async { page(&Calls::open(ctx, account).await?, due, begun, swept).await }.await;
                self.goes_on(account, done)?;
            }
        }
    }

    /// Those that somebody is to look at, the longest due first.
    async fn due(&mut self) -> Result<Vec<Kept>, Failure> {
        let filter = RecordFilter {
            collection: COLLECTION.into(),
            // Those of the next minutes too, or the sweep after this one would be the first to ask.
            due_by: Some(after(self.begun, EARLY)),
            // What this sweep could do nothing with is still due, and stands before the others.
            limit: PAGE + self.seen.len(),
            ..RecordFilter::default()
        };
        let records: Vec<Record> = self.ctx.records().list(self.ctx, &filter).await?;
        let mut due = Vec::new();
        for record in records {
            if !self.seen.insert(record.id.clone()) {
                continue;
            }
            match Kept::of(record) {
                Ok(kept) => due.push(kept),
                // A newer version wrote it, say; the others are not to suffer from that.
                Err(failure) => self.ctx.info(failure.chain()),
            }
        }
        Ok(due)
    }

    /// An account that is parked must not keep the others from being swept.
    fn goes_on(&mut self, account: &Account, done: Result<(), Failure>) -> Result<(), Failure> {
        match done {
            Ok(()) => Ok(()),
            Err(failure @ (Failure::Interrupted(_) | Failure::StoreAway(_))) => Err(failure),
            Err(failure) => {
                self.ctx.info(format!(
                    "the account `{}` was not swept to the end: {}",
                    account.name,
                    failure.chain()
                ));
                self.problem = Some(failure);
                Ok(())
            }
        }
    }
}

async fn page(calls: &Calls<'_>, due: Vec<Kept>, begun: Timestamp, swept: &mut Swept) -> Result<(), Failure> {
    let ids: Vec<String> = due
        .iter()
        .filter(|kept| is_asked_for(kept))
        .filter_map(|kept| kept.envelope.envelope.clone())
        .collect();
    let mut stands = BTreeMap::new();
    if !ids.is_empty() {
        let asked = calls.repeated(|| calls.provider().stands(&ids)).await;
        let asked = match asked {
            Ok(asked) => asked,
            Err(stop) => return Err(calls.fail(stop).await),
        };
        swept.asked += ids.len() as u64;
        stands.extend(asked.into_iter().map(|(id, stand)| (name(&id), stand)));
    }
    for kept in due {
        let stand = kept.envelope.envelope.as_deref().and_then(|id| stands.remove(&name(id)));
        match one(calls, &kept, stand, begun, swept).await {
            Ok(()) => {}
            // One that cannot be dealt with must not keep those behind it waiting.
            Err(failure @ (Failure::Permanent(_) | Failure::Transient(_))) => {
                calls.ctx.info(format!("the envelope `{}`: {}", kept.record.id.key, failure.chain()));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

fn is_asked_for(kept: &Kept) -> bool {
    kept.phase.is_out() || kept.phase == Phase::Drafted
}

async fn one(
    calls: &Calls<'_>,
    listed: &Kept,
    stand: Option<Stand>,
    begun: Timestamp,
    swept: &mut Swept,
) -> Result<(), Failure> {
    let Some(held) = calls.ctx.records().hold(calls.ctx, &listed.record.id).await? else {
        swept.busy += 1;
        return Ok(());
    };
    // Whoever wants to send or void it is not to wait for the sweep to end: it goes with the change, or without one.
    let done = held_one(calls, held, listed, stand, begun, swept).await;
    if !matches!(done, Ok(true)) {
        let let_go = calls.ctx.records().let_go(calls.ctx, &listed.record.id).await;
        // What went wrong before is what matters.
        done?;
        let_go?;
    }
    Ok(())
}

/// Whether it was changed, and with that let go.
async fn held_one(
    calls: &Calls<'_>,
    held: Record,
    listed: &Kept,
    stand: Option<Stand>,
    begun: Timestamp,
    swept: &mut Swept,
) -> Result<bool, Failure> {
    let mut kept = Kept::of(held)?;
    kept.hold = Hold::LetGo;
    // Somebody was quicker, and knows better than what we asked before.
    if kept.record.version != listed.record.version {
        return Ok(false);
    }
    match (kept.phase, stand) {
        (Phase::Drafting, _) => unsent(&mut kept, calls, begun, swept).await,
        (Phase::Drafted, Some(stand)) if matches!(stand.status.phase(), Phase::Drafted) => {
            unsent(&mut kept, calls, begun, swept).await
        }
        (Phase::Completed, _) => {
            swept.archiving += 1;
            later(&mut kept, calls, look_again(begun)).await?;
            archive_if_complete(&kept, calls.ctx).await
        }
        (_, Some(stand)) => seen(&mut kept, calls, stand, swept).await,
        (_, None) => missed(&mut kept, calls, begun, swept).await,
    }?;
    Ok(kept.record.version != listed.record.version)
}

/// The provider's answer, asked for by ourselves.
async fn seen(kept: &mut Kept, calls: &Calls<'_>, stand: Stand, swept: &mut Swept) -> Result<(), Failure> {
    kept.envelope.missed = 0;
    kept.envelope.recipients.extend(stand.recipients);
    let poll = calls.account.config.poll_min_interval;
    match next(kept.phase, stand.status, Word::Asked) {
        Next::Go(phase) => {
            kept.envelope.status = Some(stand.status);
            kept.envelope.changed_at = stand.changed_at.or(kept.envelope.changed_at);
            go(kept, calls.ctx, phase, poll).await?;
            swept.changed += 1;
            archive_if_complete(kept, calls.ctx).await
        }
        Next::Contradicted => {
            swept.unresolved += 1;
            contradict(kept, calls).await
        }
        Next::Stay | Next::Confirm => {
            let poll = SignedDuration::try_from(poll).unwrap_or(A_DAY);
            later(kept, calls, after(calls.ctx.clock().now(), poll)).await
        }
    }
}

/// Its job has not sent it. As long as that goes on, it is the job's affair.
async fn unsent(
    kept: &mut Kept,
    calls: &Calls<'_>,
    begun: Timestamp,
    swept: &mut Swept,
) -> Result<(), Failure> {
    let job = calls.ctx.children(&[kept.envelope.job]).await?.pop();
    let ended = |state: &str| matches!(state, "completed" | "cancelled" | "discarded" | "unknown");
    if !job.is_none_or(|job| ended(&job.state)) {
        return later(kept, calls, look_again(begun)).await;
    }
    // Sent in one call whose answers were all lost, it may be out; or the database was restored.
    if kept.envelope.envelope.is_none() {
        let known = match calls.known(&kept.envelope, |_| true).await {
            Ok(known) => known,
            Err(stop) => return Err(calls.fail(stop).await),
        };
        if let Some(known @ (Known::Out(_) | Known::Before(_))) = known {
            swept.changed += 1;
            return kept.found_out(calls.ctx, known).await;
        }
    }
    const WHY: &str = "its job ended before it was sent; enqueue it again with the same key";
    fail(kept, calls, (Unresolved::NotSent, WHY), swept).await
}

/// It should be there, and is not: once that may be the provider's, twice it is looked for in other ways.
async fn missed(
    kept: &mut Kept,
    calls: &Calls<'_>,
    begun: Timestamp,
    swept: &mut Swept,
) -> Result<(), Failure> {
    kept.envelope.missed += 1;
    swept.missed += 1;
    if kept.envelope.missed < MISSED {
        return later(kept, calls, look_again(begun)).await;
    }
    let id = kept.envelope.envelope.clone().unwrap_or_default();
    let found = match calls.has(&kept.envelope, &id).await {
        Ok(found) => found,
        Err(Stop::Call(error)) if error.fault == Fault::Missing => None,
        Err(stop) => return Err(calls.fail(stop).await),
    };
    match found {
        Some(found) => {
            let stand = Stand { status: found.status, changed_at: None, recipients: Vec::new() };
            seen(kept, calls, stand, swept).await
        }
        None => {
            const WHY: &str = "the provider has it no more, by its id nor by its reference";
            fail(kept, calls, (Unresolved::Missing, WHY), swept).await
        }
    }
}

/// It has come to an end that nobody meant; a person is told.
async fn fail(
    kept: &mut Kept,
    calls: &Calls<'_>,
    (reason, why): (Unresolved, &str),
    swept: &mut Swept,
) -> Result<(), Failure> {
    swept.unresolved += 1;
    let change = Change::to(Phase::Failed, "docusign.envelope.fail").details(json!({ "why": why }));
    let news = reason.news(kept, calls, why);
    kept.write(calls.ctx, change.news(news)).await
}

/// Why a person must look at an envelope. Those of one reason are one alert: many that are gone must not hide the one that was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved {
    NotSent,
    Missing,
    Contradicted,
    DocumentsGone,
}

impl Unresolved {
    fn reason(self) -> &'static str {
        match self {
            Unresolved::NotSent => "not_sent",
            Unresolved::Missing => "missing",
            Unresolved::Contradicted => "contradicted",
            Unresolved::DocumentsGone => "documents_gone",
        }
    }

    pub fn news(self, kept: &Kept, calls: &Calls<'_>, why: &str) -> News {
        let (key, account) = (&kept.record.id.key, &calls.account.name);
        let text = format!("the envelope `{key}` of the account `{account}`: {why}");
        News::happened(UNRESOLVED, &format!("{account}/{}", self.reason()), Gravity::Warning, text)
    }
}

async fn later(kept: &mut Kept, calls: &Calls<'_>, due_at: Timestamp) -> Result<(), Failure> {
    // Nothing happened to it: the audit log has nothing to say.
    let phase = kept.phase;
    kept.write(calls.ctx, Change::to(phase, "").due(due_at)).await
}

#[cfg(test)]
mod tests;
