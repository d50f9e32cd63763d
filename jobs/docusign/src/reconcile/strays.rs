//! The other half of the sweep: drafts of ours at the provider that nobody will send. A draft whose answer was lost was followed by another, and one of an envelope that
//! failed is of no use.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jobkit::Failure;
use jobkit::records::{Record, RecordId};

use super::Swept;
use crate::calls::{Calls, Stop};
use crate::envelope::{COLLECTION, Change, Kept, name};
use crate::phase::Phase;
use crate::provider::Fault;
use crate::send_envelope::after;

/// Younger drafts may still be sent.
const STRAY_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Older ones have been looked at.
const STRAY_UNTIL: SignedDuration = SignedDuration::from_hours(24 * 14);

/// Drafts of ours that no record calls its own, or one that has ended.
pub async fn sweep(calls: &Calls<'_>, begun: Timestamp, swept: &mut Swept) -> Result<(), Failure> {
    let (from, to) = (after(begun, -STRAY_UNTIL), after(begun, -STRAY_AFTER));
    let installation = calls.installation().await?;
    let drafts = match calls.repeated(|| calls.provider().drafts(&installation, from, to)).await {
        Ok(drafts) => drafts,
        Err(stop) => return Err(calls.fail(stop).await),
    };
    let mut stray = BTreeSet::new();
    for draft in drafts {
        if draft.status.phase() != Phase::Drafted || draft.made_at.is_none_or(|made_at| made_at > to) {
            continue;
        }
        match calls.ctx.records().named(calls.ctx, COLLECTION, &name(&draft.id)).await? {
            None => drop(stray.insert(draft.id)),
            Some(record) if record.state == Phase::Failed.name() => {
                swept.drafts_deleted += u64::from(forget(calls, &record.id, &draft.id).await?);
            }
            Some(_) => {}
        }
    }
    let stray: Vec<String> = stray.into_iter().collect();
    for some in stray.chunks(100) {
        match calls.repeated(|| calls.provider().delete_drafts(some)).await {
            Ok(()) => swept.drafts_deleted += some.len() as u64,
            // Somebody else did it.
            Err(Stop::Call(error)) if error.fault.is_of_state() || error.fault == Fault::Missing => {}
            Err(stop) => return Err(calls.fail(stop).await),
        }
    }
    Ok(())
}

/// The draft of an envelope that failed. Held meanwhile: somebody may be about to send it after all, and then from a new draft.
async fn forget(calls: &Calls<'_>, id: &RecordId, draft: &str) -> Result<bool, Failure> {
    let Some(held) = calls.ctx.records().hold(calls.ctx, id).await? else { return Ok(false) };
    let done = forget_held(calls, held, draft).await;
    let let_go = calls.ctx.records().let_go(calls.ctx, id).await;
    // What went wrong before is what matters.
    let is_deleted = done?;
    let_go?;
    Ok(is_deleted)
}

async fn forget_held(calls: &Calls<'_>, held: Record, draft: &str) -> Result<bool, Failure> {
    let mut kept = Kept::of(held)?;
    if kept.phase != Phase::Failed || kept.envelope.envelope.as_deref() != Some(draft) {
        return Ok(false);
    }
    let ids = [draft.to_owned()];
    match calls.repeated(|| calls.provider().delete_drafts(&ids)).await {
        Ok(()) => {}
        Err(Stop::Call(error)) if error.fault.is_of_state() || error.fault == Fault::Missing => {}
        Err(stop) => return Err(calls.fail(stop).await),
    }
    kept.envelope.envelope = None;
    kept.write(calls.ctx, Change::to(Phase::Failed, "docusign.envelope.delete_draft")).await?;
    Ok(true)
}
