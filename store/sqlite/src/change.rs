//! What people do to jobs: retry, cancel, discard.

use std::collections::{BTreeMap, BTreeSet};

use jobkit::JobId;
use serde_json::{Value, json};
use sqlx::Row;

use super::briefs::briefs;
use super::ending::{self, Ending, LINKS, Links};
use super::insert::{KEYS_TAKE, hex_bytes};
use super::row::{RowExt, hex, hex_list};
use super::writer::{Done, Tx};
use super::{approvals, audit};
use store::state::JobState;
use store::{Actor, Change, Changed, JobBrief, JobFilter, Scope};

const CANCEL_REQUEST: &str = include_str!("cancel_request.sql");
const CANCELS_ASKED: &str = include_str!("cancels_asked.sql");
const RETRY_LIVE: &str = include_str!("retry_live.sql");
const REVIVE: &str = include_str!("revive.sql");
const REVIVE_ENDED: &str = include_str!("revive_ended.sql");
const KEYS_WANTED: &str = include_str!("keys_wanted.sql");

pub(super) async fn change(
    tx: &mut Tx,
    scope: &Scope,
    now: i64,
    filter: &JobFilter,
    change: Change,
    by: &Actor,
    limit: usize,
) -> Done<Changed> {
    let (jobs, mut refused) = candidates(tx, scope, filter, change, limit).await?;
    let mut changed = match change {
        Change::Retry => retry(tx, now, &jobs).await?,
        Change::Cancel => end(tx, now, &jobs, JobState::Cancelled, by).await?,
        Change::Discard => end(tx, now, &jobs, JobState::Discarded, by).await?,
    };
    refused.append(&mut changed.refused);
    changed.refused = refused;
    let action = format!("job.{}", change.name());
    let touched: Vec<JobId> = changed.ids.iter().chain(&changed.asked).copied().collect();
    if !touched.is_empty() {
        audit::with_jobs(tx, now, by, &action, "job", &touched, filter.told()).await?;
    }
    Ok(changed)
}

/// The jobs that can take the change, newest first, and those that were named and cannot.
async fn candidates(
    tx: &mut Tx,
    scope: &Scope,
    filter: &JobFilter,
    change: Change,
    limit: usize,
) -> Done<(Vec<JobBrief>, Vec<(JobId, String)>)> {
    let can = |state: &JobState| change.from_states().contains(state);
    let named = !filter.ids.is_empty();
    // Named jobs are all looked at, because those that cannot take it are to be told of.
    let states: Vec<JobState> = match (named, filter.states.is_empty()) {
        (true, _) => filter.states.clone(),
        (false, true) => change.from_states().to_vec(),
        (false, false) => filter.states.iter().copied().filter(can).collect(),
    };
    if !named && states.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let asked = if change == Change::Cancel { cancels_asked(tx).await? } else { BTreeSet::new() };
    // Jobs that were asked to stop already are found and then left out.
    let most = if named { filter.ids.len() } else { limit.saturating_add(asked.len()) };
    let filter = JobFilter { states, ..filter.clone() };
    let mut found = briefs(tx, scope, &filter, most).await?;
    if !named {
        found.retain(|job| !asked.contains(&job.id));
        found.truncate(limit);
        return Ok((found, Vec::new()));
    }

    let there: BTreeSet<JobId> = existing(tx, scope, &filter.ids).await?;
    let ids: BTreeSet<JobId> = filter.ids.iter().copied().collect();
    let mut refused: Vec<(JobId, String)> =
        ids.difference(&there).map(|id| (*id, "no such job".to_string())).collect();
    let (mut able, unable): (Vec<_>, Vec<_>) = found.into_iter().partition(|job| can(&job.state));
    refused.extend(
        unable
            .into_iter()
            .map(|job| (job.id, format!("a job that is {} cannot take `{}`", job.state, change.name()))),
    );
    able.truncate(limit);
    Ok((able, refused))
}

async fn existing(tx: &mut Tx, scope: &Scope, ids: &[JobId]) -> Done<BTreeSet<JobId>> {
    let filter = JobFilter { ids: ids.to_vec(), ..JobFilter::default() };
    Ok(briefs(tx, scope, &filter, ids.len()).await?.into_iter().map(|job| job.id).collect())
}

async fn cancels_asked(tx: &mut Tx) -> Done<BTreeSet<JobId>> {
    sqlx::query(CANCELS_ASKED).fetch_all(tx).await?.iter().map(|row| row.id("job_id")).collect()
}

async fn end(tx: &mut Tx, now: i64, jobs: &[JobBrief], state: JobState, by: &Actor) -> Done<Changed> {
    let reason = format!("{state} by {}", by.name);
    let ids = |running: bool| -> Vec<JobId> {
        jobs.iter().filter(|job| (job.state == JobState::Running) == running).map(|job| job.id).collect()
    };
    let (running, idle) = (ids(true), ids(false));
    if !running.is_empty() {
        let asked = hex_list(running.iter().copied());
        sqlx::query(CANCEL_REQUEST)
            .bind(asked)
            .bind(now)
            .bind(by.name.clone())
            .bind(reason.clone())
            .execute(&mut *tx)
            .await?;
    }
    let mut endings = Vec::new();
    if !idle.is_empty() {
        let ids = hex_list(idle.iter().copied());
        for row in &sqlx::query(LINKS).bind(ids).fetch_all(&mut *tx).await? {
            let links = Links {
                has_dependents: row.try_get("has_dependents")?,
                has_key: row.try_get("has_key")?,
                has_parents: row.try_get("has_parents")?,
                has_cancel_request: false,
            };
            endings.push(Ending::new(row.id("id")?, state, Some(reason.clone()), links));
        }
    }
    let woken = ending::end(tx, now, None, endings).await?;
    Ok(Changed { ids: idle, asked: running, refused: Vec::new(), woken: woken.into_iter().collect() })
}

async fn retry(tx: &mut Tx, now: i64, jobs: &[JobBrief]) -> Done<Changed> {
    let (ended, live): (Vec<&JobBrief>, Vec<&JobBrief>) = jobs.iter().partition(|job| job.state.is_final());
    let mut changed = Changed::default();
    let mut woken = BTreeSet::new();
    if !live.is_empty() {
        let ids = hex_list(live.iter().map(|job| job.id));
        for row in &sqlx::query(RETRY_LIVE).bind(ids).bind(now).fetch_all(&mut *tx).await? {
            woken.insert(row.text("queue")?);
        }
        changed.ids.extend(live.iter().map(|job| job.id));
    }
    let ids = hex_list(ended.iter().map(|job| job.id));
    let unapproved: BTreeMap<JobId, String> = approvals::never_approved(tx, ids).await?.into_iter().collect();
    let ended: Vec<&JobBrief> = ended.into_iter().filter(|job| !unapproved.contains_key(&job.id)).collect();
    changed.refused.extend(unapproved);
    let blocked = take_keys_again(tx, now, &ended).await?;
    let able: Vec<JobId> = ended.iter().map(|job| job.id).filter(|id| !blocked.contains_key(id)).collect();
    changed.refused.extend(blocked);
    if !able.is_empty() {
        let ids = hex_list(able.iter().copied());
        for row in &sqlx::query(REVIVE).bind(ids.clone()).bind(now).fetch_all(&mut *tx).await? {
            woken.insert(row.text("queue")?);
        }
        sqlx::query(REVIVE_ENDED).bind(ids).execute(tx).await?;
        changed.ids.extend(able);
    }
    changed.ids.sort_unstable();
    changed.woken = woken.into_iter().collect();
    Ok(changed)
}

/// Two jobs with one key are never alive at once, however they came to live. Returns those that cannot have
/// theirs, with the reason.
async fn take_keys_again(tx: &mut Tx, now: i64, ended: &[&JobBrief]) -> Done<BTreeMap<JobId, String>> {
    let mut blocked = BTreeMap::new();
    if ended.is_empty() {
        return Ok(blocked);
    }
    let ids = hex_list(ended.iter().map(|job| job.id));
    let rows = sqlx::query(KEYS_WANTED).bind(ids).bind(now).fetch_all(&mut *tx).await?;
    // Two of the jobs to retry may want one key; the older one gets it.
    let mut taken: BTreeMap<Vec<u8>, JobId> = BTreeMap::new();
    let mut keys: Vec<Value> = Vec::new();
    for row in &rows {
        let id = row.id("id")?;
        let key: Vec<u8> = row.try_get("key")?;
        let holder: Option<uuid::Uuid> = row.try_get("holder")?;
        match holder.map(JobId).or(taken.get(&key).copied()) {
            Some(holder) if holder != id => {
                blocked.insert(id, format!("job {holder} is alive with the same unique key"));
            }
            Some(_) => {}
            None => {
                let release = row.text("release")?;
                // The time of a key that was to be released at a time has passed.
                if release != "at" {
                    keys.push(json!([hex_bytes(&key), hex(id), release, null]));
                    taken.insert(key, id);
                }
            }
        }
    }
    if !keys.is_empty() {
        sqlx::query(KEYS_TAKE).bind(serde_json::to_string(&keys)?).execute(tx).await?;
    }
    Ok(blocked)
}
