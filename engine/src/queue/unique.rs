//! The unique key of a job: what makes it, and when it is free again. Pure.

use std::borrow::Cow;

use jiff::Timestamp;
use jobkit::{NewJob, OnConflict, Period, Policy, Unique};
use sha2::{Digest, Sha256};

use super::{QueueError, invalid};
use crate::json;
use store::{Release, UniqueRow};

pub fn unique_row(
    job: &NewJob,
    args: &str,
    policy: &Policy,
    now: i64,
) -> Result<Option<UniqueRow>, QueueError> {
    let rule = match (&job.unique, &policy.unique, &job.unique_key) {
        (Some(rule), _, _) | (None, Some(rule), _) => rule.clone(),
        (None, None, Some(_)) => Unique::by_key(),
        (None, None, None) => return Ok(None),
    };
    if !rule.by_args && job.unique_key.is_none() && job.unique.is_some() {
        return invalid("unique", "needs a unique_key, or by_args = true");
    }
    if policy.encrypted && rule.on_conflict == OnConflict::Replace {
        // What is sealed for one job does not open for another.
        return invalid(
            "unique",
            "an encrypted job cannot replace another; use on_conflict = return_existing",
        );
    }
    let release = match rule.period {
        Some(period) => Release::At(period_end(period, now)?),
        None if rule.after_completion => Release::UnlessCompleted,
        None => Release::AtEnd,
    };
    let key = unique_key(job, args, &rule, now);
    Ok(Some(UniqueRow { key, release, on_conflict: rule.on_conflict }))
}

/// With nothing but a key, the same bytes that `compline.enqueue` hashes in SQL: kind, zero, key; and before them, of a
/// tenant's job, zero, tenant, zero, so that two tenants never meet in one key. No kind begins with zero.
pub fn unique_key(job: &NewJob, args: &str, rule: &Unique, now: i64) -> [u8; 32] {
    let mut hash = Sha256::new();
    if let Some(tenant) = &job.tenant {
        hash.update([0]);
        hash.update(tenant.as_bytes());
        hash.update([0]);
    }
    hash.update(job.kind.as_bytes());
    hash.update([0]);
    hash.update(job.unique_key.as_deref().unwrap_or_default().as_bytes());
    if rule.by_args {
        // The order in which a caller wrote fields does not matter, nor do blanks; every digit does.
        let args = json::canonical(args).map_or(Cow::Borrowed(args), Cow::Owned);
        hash.update([0, b'a']);
        hash.update(args.as_bytes());
    }
    if let Some(period) = rule.period {
        hash.update([0, b'p']);
        hash.update(now.div_euclid(period.seconds()).to_be_bytes());
    }
    hash.finalize().into()
}

pub fn period_end(period: Period, now: i64) -> Result<Timestamp, QueueError> {
    let end = (now.div_euclid(period.seconds()) + 1) * period.seconds();
    Timestamp::from_second(end)
        .map_err(|error| QueueError::Invalid { field: "unique", problem: error.to_string() })
}
