//! How jobs leave the live table, whoever ends them, and what follows for those that wait for them.

use std::collections::{BTreeMap, BTreeSet};

use jobkit::JobId;
use serde::{Serialize, Serializer};

use super::row::{RowExt, hex, hex_list};
use super::writer::{Done, Tx};
use super::{approvals, audit};
use store::state::JobState;
use store::types::{doomed_by, dooms, rule_of};
use store::{Actor, WorkerId};

pub(super) const END: &str = include_str!("end.sql");
pub(super) const END_NEWS: &str = include_str!("end_news.sql");
pub(super) const END_LIVE: &str = include_str!("end_live.sql");
pub(super) const KEYS_RELEASE: &str = include_str!("keys_release.sql");
const CANCEL_DONE: &str = include_str!("cancel_done.sql");
pub(super) const DEPENDENTS: &str = include_str!("dependents.sql");
pub(super) const FORGET_PARENTS: &str = include_str!("forget_parents.sql");
pub(super) const FORGET_CHILDREN: &str = include_str!("forget_children.sql");
pub(super) const LINKS: &str = include_str!("links.sql");
pub(super) const FREE: &str = include_str!("free.sql");

/// What hangs on a job and has to be seen to when it ends; most jobs have nothing, and then nothing is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Links {
    pub has_dependents: bool,
    pub has_key: bool,
    pub has_parents: bool,
    pub has_cancel_request: bool,
}

#[derive(Debug)]
pub(super) struct Ending {
    pub id: JobId,
    pub state: JobState,
    /// The attempt that ended does not count.
    pub uncounted: bool,
    pub ran: Option<i64>,
    pub error: Option<String>,
    pub result: Option<String>,
    pub links: Links,
}

impl Ending {
    pub(super) fn new(id: JobId, state: JobState, error: Option<String>, links: Links) -> Self {
        Self { id, state, uncounted: false, ran: None, error, result: None, links }
    }
}

impl Serialize for Ending {
    /// In the order of `end.sql`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { id, state, uncounted, ran, error, result, .. } = self;
        (hex(*id), state.name(), u8::from(*uncounted), ran, error, result).serialize(to)
    }
}

/// Ends jobs and everything that must end with them. `worker` is whose reports did it, if any. Returns the
/// queues that got a job to claim.
pub(super) async fn end(
    tx: &mut Tx,
    now: i64,
    worker: Option<WorkerId>,
    endings: Vec<Ending>,
) -> Done<BTreeSet<String>> {
    let mut woken = BTreeSet::new();
    let mut orphans = end_these(tx, now, worker, endings, &mut woken).await?;
    let mut cancelled = Vec::new();
    while !orphans.is_empty() {
        cancelled.extend(orphans.iter().map(|orphan| orphan.id));
        orphans = end_these(tx, now, None, orphans, &mut woken).await?;
    }
    audit::transition(tx, now, &Actor::system(), "job.cancel", "job", "ok", &cancelled).await?;
    Ok(woken)
}

/// One generation; returns the next one to end.
async fn end_these(
    tx: &mut Tx,
    now: i64,
    worker: Option<WorkerId>,
    endings: Vec<Ending>,
    woken: &mut BTreeSet<String>,
) -> Done<Vec<Ending>> {
    if endings.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(END)
        .bind(serde_json::to_string(&endings)?)
        .bind(now)
        .bind(worker.map(|worker| worker.0))
        .execute(&mut *tx)
        .await?;
    let discarded = endings.iter().filter(|ending| ending.state == JobState::Discarded);
    let discarded: Vec<JobId> = discarded.map(|ending| ending.id).collect();
    if !discarded.is_empty() {
        sqlx::query(END_NEWS).bind(hex_list(discarded)).bind(now).execute(&mut *tx).await?;
    }
    let ids = ids_of(&endings, |_| true).unwrap_or_default();
    sqlx::query(END_LIVE).bind(ids).execute(&mut *tx).await?;
    for (sql, concerns) in [
        (KEYS_RELEASE, (|links| links.has_key) as fn(&Links) -> bool),
        (CANCEL_DONE, |links| links.has_cancel_request),
        (FORGET_CHILDREN, |links| links.has_parents),
    ] {
        if let Some(ids) = ids_of(&endings, concerns) {
            sqlx::query(sql).bind(ids).execute(&mut *tx).await?;
        }
    }
    // Those that waited, for others or for people.
    if let Some(ids) = ids_of(&endings, |links| links.has_parents) {
        approvals::withdraw_of(tx, now, ids).await?;
    }
    let parents: BTreeMap<JobId, JobState> = endings
        .iter()
        .filter(|ending| ending.links.has_dependents)
        .map(|ending| (ending.id, ending.state))
        .collect();
    if parents.is_empty() { Ok(Vec::new()) } else { settle_dependents(tx, now, &parents, woken).await }
}

/// The ids of those whose links are so, for `json_each`; none for nobody.
fn ids_of(endings: &[Ending], concerns: fn(&Links) -> bool) -> Option<String> {
    let mut concerned = endings.iter().filter(|ending| concerns(&ending.links)).peekable();
    concerned.peek()?;
    Some(hex_list(concerned.map(|ending| ending.id)))
}

/// Of what each of these waited for, so much is over.
pub(super) async fn free(
    tx: &mut Tx,
    now: i64,
    freed: impl IntoIterator<Item = (JobId, u32)>,
    woken: &mut BTreeSet<String>,
) -> Done<()> {
    let freed: Vec<_> = freed.into_iter().map(|(child, over)| (hex(child), over)).collect();
    if freed.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(FREE).bind(serde_json::to_string(&freed)?).bind(now).fetch_all(&mut *tx).await?;
    let mut free = Vec::new();
    for row in &rows {
        let state = row.state("state")?;
        if state != JobState::Waiting {
            free.push(row.id("id")?);
        }
        if state == JobState::Available {
            woken.insert(row.text("queue")?);
        }
    }
    audit::transition(tx, now, &Actor::system(), "job.free", "job", "ok", &free).await
}

async fn settle_dependents(
    tx: &mut Tx,
    now: i64,
    parents: &BTreeMap<JobId, JobState>,
    woken: &mut BTreeSet<String>,
) -> Done<Vec<Ending>> {
    let ended = hex_list(parents.keys().copied());
    let mut freed: BTreeMap<JobId, u32> = BTreeMap::new();
    let mut orphans: BTreeMap<JobId, String> = BTreeMap::new();
    for row in &sqlx::query(DEPENDENTS).bind(ended.clone()).fetch_all(&mut *tx).await? {
        let (parent, child) = (row.id("parent")?, row.id("child")?);
        match parents.get(&parent) {
            Some(state) if rule_of(&row.text("rule")?).is_some_and(|rule| dooms(rule, *state)) => {
                orphans.insert(child, doomed_by(parent, *state));
            }
            _ => *freed.entry(child).or_default() += 1,
        }
    }
    sqlx::query(FORGET_PARENTS).bind(ended).execute(&mut *tx).await?;

    freed.retain(|child, _| !orphans.contains_key(child));
    free(tx, now, freed, woken).await?;

    let mut next = Vec::new();
    if !orphans.is_empty() {
        for row in &sqlx::query(LINKS).bind(hex_list(orphans.keys().copied())).fetch_all(tx).await? {
            let id = row.id("id")?;
            let links = Links {
                has_dependents: sqlx::Row::try_get(row, "has_dependents")?,
                has_key: sqlx::Row::try_get(row, "has_key")?,
                has_parents: sqlx::Row::try_get(row, "has_parents")?,
                has_cancel_request: false,
            };
            next.push(Ending::new(id, JobState::Cancelled, orphans.remove(&id), links));
        }
    }
    Ok(next)
}
