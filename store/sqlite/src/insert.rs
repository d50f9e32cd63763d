//! Enqueueing: what each row becomes is decided here, row by row; then each table is written once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobkit::{JobId, OnConflict, When};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::row::{RowExt, bound, hex, hex_list, micros, rank};
use super::writer::{Done, Script, Tx, script};
use super::{approvals, audit, uploads};
use store::state::JobState;
use store::types::{doomed_by, dooms, rule_name, unknown_parent};
use store::{Actor, Inserted, JobDemand, NewRow, Release, Scope, StoreError, UniqueRow};

const INSERT: &str = include_str!("insert.sql");
pub(super) const INSERT_PLAIN: Script = script!("insert.sql", "insert_audit.sql");
const INSERT_ENDED: &str = include_str!("insert_ended.sql");
pub(super) const PARENTS: &str = include_str!("parents.sql");
pub(super) const DEPEND: &str = include_str!("depend.sql");
pub(super) const HAS_DEPENDENTS: &str = include_str!("has_dependents.sql");
pub(super) const KEYS_HELD: &str = include_str!("keys_held.sql");
pub(super) const KEYS_TAKE: &str = include_str!("keys_take.sql");
pub(super) const REPLACE: &str = include_str!("replace.sql");

/// What a parent is to those that wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    Alive,
    Ended(JobState),
}

/// One row as it will be written.
struct Born<'a> {
    row: &'a NewRow,
    /// The row itself, or a later one of the batch that replaced what it asks for.
    wish: &'a NewRow,
    state: &'static str,
    waits_for: usize,
    run_at: i64,
    error: Option<String>,
}

impl<'a> Born<'a> {
    fn new(row: &'a NewRow, waits_for: usize, run_at: i64, now: i64) -> Self {
        Self { row, wish: row, state: first_state(waits_for, run_at, now), waits_for, run_at, error: None }
    }
}

impl Serialize for Born<'_> {
    /// In the order of `insert.sql` and `insert_ended.sql`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { row, wish, .. } = self;
        // More than a tuple may have.
        let mut columns = to.serialize_seq(Some(17))?;
        columns.serialize_element(&hex(row.id))?;
        columns.serialize_element(&self.state)?;
        columns.serialize_element(&row.max_attempts)?;
        columns.serialize_element(&wish.priority)?;
        columns.serialize_element(&self.waits_for)?;
        columns.serialize_element(&rank(self.run_at, wish.priority))?;
        columns.serialize_element(&self.run_at)?;
        columns.serialize_element(&row.kind)?;
        columns.serialize_element(&row.queue)?;
        columns.serialize_element(&row.unique.as_ref().map(|unique| hex_bytes(&unique.key)))?;
        columns.serialize_element(&row.unique.as_ref().map(|unique| release(unique.release)))?;
        columns.serialize_element(&row.tenant)?;
        columns.serialize_element(&tags(wish))?;
        columns.serialize_element(&metadata(wish))?;
        columns.serialize_element(&wish.args)?;
        columns.serialize_element(&self.error)?;
        columns.serialize_element(&wish.lane)?;
        columns.end()
    }
}

fn first_state(waits_for: usize, run_at: i64, now: i64) -> &'static str {
    match (waits_for, run_at > now) {
        (0, false) => "available",
        (0, true) => "scheduled",
        _ => "waiting",
    }
}

/// Rows that ask nothing of the jobs that are there, written as they stand.
pub(super) struct Plain {
    pub rows: Arc<str>,
    pub object: String,
    pub ids: Vec<JobId>,
}

impl Plain {
    /// Made by the caller, so that the writer has nothing left to do but to write. None when a row has a
    /// unique key, parents or uploads.
    pub(super) fn of(rows: &[NewRow], now: i64) -> Done<Option<Self>> {
        let plain = |row: &NewRow| {
            row.unique.is_none() && row.after.is_empty() && row.uploads.is_empty() && row.approval.is_none()
        };
        if !rows.iter().all(plain) {
            return Ok(None);
        }
        let born: Vec<_> = rows.iter().map(|row| Born::new(row, 0, due(row.when, now), now)).collect();
        Ok(Some(Self {
            rows: serde_json::to_string(&born)?.into(),
            object: object(rows).to_owned(),
            ids: rows.iter().map(|row| row.id).collect(),
        }))
    }
}

/// Everything that is to be written, table by table.
#[derive(Default)]
struct Plan<'a> {
    live: Vec<Born<'a>>,
    ended: Vec<Born<'a>>,
    edges: Vec<Value>,
    parents: BTreeSet<JobId>,
    keys: Vec<Value>,
    /// By the job that is replaced; of several wishes the last one counts.
    replaced: BTreeMap<JobId, Value>,
    inserted: Vec<JobId>,
    cancelled: Vec<JobId>,
    asked: Vec<(JobId, &'a JobDemand)>,
}

pub(super) async fn insert(
    tx: &mut Tx,
    scope: &Scope,
    now: i64,
    rows: &[NewRow],
    by: &Actor,
) -> Done<Vec<Inserted>> {
    scope.takes(rows)?;
    uploads::check(tx, now, rows).await?;
    let mut holders = holders(tx, now, rows).await?;
    let mut parents = parents(tx, scope, rows, holders.values()).await?;
    // A row that is a duplicate stands for the job that was there: its children wait for that one.
    let mut stands_for: BTreeMap<JobId, JobId> = BTreeMap::new();
    let mut plan = Plan::default();
    // Where a row of this batch stands, in case a later one replaces it.
    let mut places: BTreeMap<JobId, usize> = BTreeMap::new();
    let mut answers = Vec::with_capacity(rows.len());

    for row in rows {
        if let Some(holder) = row.comes_with.and_then(|with| stands_for.get(&with).copied()) {
            stands_for.insert(row.id, holder);
            answers.push(Inserted { id: holder, duplicate: true });
            continue;
        }
        let run_at = due(row.when, now);
        if let Some(unique) = &row.unique
            && let Some(&holder) = holders.get(&unique.key)
        {
            if unique.on_conflict == OnConflict::Replace {
                match places.get(&holder) {
                    Some(&place) => {
                        let born = &mut plan.live[place];
                        born.wish = row;
                        born.run_at = run_at;
                        born.state = first_state(born.waits_for, run_at, now);
                    }
                    None => {
                        plan.replaced.insert(holder, replacement(holder, row, run_at));
                    }
                }
            }
            stands_for.insert(row.id, holder);
            answers.push(Inserted { id: holder, duplicate: true });
            continue;
        }

        match fate(row, &parents, &stands_for)? {
            Fate::Cancelled(error) => {
                plan.ended.push(Born { error: Some(error), ..Born::new(row, 0, run_at, now) });
                plan.cancelled.push(row.id);
                // Asked for all the same: what nobody approved is not to be retried.
                plan.asked.extend(row.approval.as_ref().map(|asked| (row.id, asked)));
                parents.insert(row.id, Parent::Ended(JobState::Cancelled));
            }
            Fate::WaitsFor(alive) => {
                let on_failure = rule_name(row.on_parent_failure);
                plan.edges.extend(alive.iter().map(|parent| json!([hex(*parent), hex(row.id), on_failure])));
                places.insert(row.id, plan.live.len());
                plan.asked.extend(row.approval.as_ref().map(|asked| (row.id, asked)));
                let waits_for = alive.len() + usize::from(row.approval.is_some());
                plan.live.push(Born::new(row, waits_for, run_at, now));
                plan.parents.extend(alive);
                parents.insert(row.id, Parent::Alive);
            }
        }
        if let Some(unique) = &row.unique
            && keeps_key(unique, places.contains_key(&row.id))
        {
            holders.insert(unique.key, row.id);
            plan.keys.push(key_row(unique, row.id));
        }
        plan.inserted.push(row.id);
        answers.push(Inserted { id: row.id, duplicate: false });
    }

    write(tx, now, plan, object(rows), by).await?;
    uploads::hold_for(tx, rows, &answers).await?;
    Ok(answers)
}

/// What the audit entry calls the jobs: their kind when they share one.
fn object(rows: &[NewRow]) -> &str {
    match rows {
        [first, rest @ ..] if rest.iter().all(|row| row.kind == first.kind) => &first.kind,
        _ => "job",
    }
}

/// A job that is born ended holds its key only when nothing but time releases it.
fn keeps_key(unique: &UniqueRow, alive: bool) -> bool {
    alive || matches!(unique.release, Release::At(_))
}

fn due(when: When, now: i64) -> i64 {
    match when {
        When::Now => now,
        // A time in the past is now: it must not be a way to the front of the queue.
        When::At(at) => at.as_microsecond().max(now),
        When::After(delay) => now.saturating_add(micros(delay)),
    }
}

enum Fate {
    /// For nobody, most of the time.
    WaitsFor(BTreeSet<JobId>),
    Cancelled(String),
}

fn fate(
    row: &NewRow,
    parents: &BTreeMap<JobId, Parent>,
    stands_for: &BTreeMap<JobId, JobId>,
) -> Result<Fate, StoreError> {
    let mut waits_for = BTreeSet::new();
    for named in &row.after {
        let parent = stands_for.get(named).unwrap_or(named);
        match parents.get(parent) {
            Some(Parent::Alive) => {
                waits_for.insert(*parent);
            }
            Some(Parent::Ended(state)) => {
                if dooms(row.on_parent_failure, *state) {
                    return Ok(Fate::Cancelled(doomed_by(*parent, *state)));
                }
            }
            None => {
                return Err(StoreError::Refused(unknown_parent(*named)));
            }
        }
    }
    Ok(Fate::WaitsFor(waits_for))
}

async fn holders(tx: &mut Tx, now: i64, rows: &[NewRow]) -> Done<BTreeMap<[u8; 32], JobId>> {
    let keys: Vec<String> =
        rows.iter().filter_map(|row| Some(hex_bytes(&row.unique.as_ref()?.key))).collect();
    let mut holders = BTreeMap::new();
    if !keys.is_empty() {
        let found =
            sqlx::query(KEYS_HELD).bind(serde_json::to_string(&keys)?).bind(now).fetch_all(tx).await?;
        for row in &found {
            let key: &[u8] = sqlx::Row::try_get(row, "key")?;
            if let Ok(key) = key.try_into() {
                holders.insert(key, row.id("id")?);
            }
        }
    }
    Ok(holders)
}

/// What became of the parents that the rows name, and of the jobs that duplicates among them stand for.
async fn parents(
    tx: &mut Tx,
    scope: &Scope,
    rows: &[NewRow],
    holders: impl Iterator<Item = &JobId>,
) -> Done<BTreeMap<JobId, Parent>> {
    let mut named: BTreeSet<JobId> = rows.iter().flat_map(|row| row.after.iter().copied()).collect();
    if !named.is_empty() {
        named.extend(holders);
    }
    let mut parents = BTreeMap::new();
    if !named.is_empty() {
        for row in &sqlx::query(PARENTS).bind(hex_list(named)).bind(bound(scope)).fetch_all(tx).await? {
            let parent = match row.text_if_any("state")? {
                None => Parent::Alive,
                Some(_) => Parent::Ended(row.state("state")?),
            };
            parents.insert(row.id("id")?, parent);
        }
    }
    Ok(parents)
}

pub(super) fn hex_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn release(release: Release) -> &'static str {
    match release {
        Release::AtEnd => "at_end",
        Release::UnlessCompleted => "unless_completed",
        Release::At(_) => "at",
    }
}

fn key_row(unique: &UniqueRow, id: JobId) -> Value {
    let until = match unique.release {
        Release::At(at) => Some(at.as_microsecond()),
        Release::AtEnd | Release::UnlessCompleted => None,
    };
    json!([hex_bytes(&unique.key), hex(id), release(unique.release), until])
}

fn tags(row: &NewRow) -> Option<String> {
    (!row.tags.is_empty()).then(|| json!(row.tags).to_string())
}

fn metadata(row: &NewRow) -> Option<String> {
    row.metadata.as_ref().map(Value::to_string)
}

/// In the order of `replace.sql`.
fn replacement(holder: JobId, row: &NewRow, run_at: i64) -> Value {
    json!([
        hex(holder),
        row.priority,
        rank(run_at, row.priority),
        run_at,
        tags(row),
        metadata(row),
        row.args,
        row.queue,
        row.tenant,
        row.lane,
    ])
}

async fn write(tx: &mut Tx, now: i64, plan: Plan<'_>, object: &str, by: &Actor) -> Done<()> {
    if !plan.live.is_empty() {
        sqlx::query(INSERT).bind(serde_json::to_string(&plan.live)?).bind(now).execute(&mut *tx).await?;
    }
    if !plan.ended.is_empty() {
        sqlx::query(INSERT_ENDED)
            .bind(serde_json::to_string(&plan.ended)?)
            .bind(now)
            .execute(&mut *tx)
            .await?;
    }
    if !plan.edges.is_empty() {
        sqlx::query(DEPEND).bind(serde_json::to_string(&plan.edges)?).execute(&mut *tx).await?;
        sqlx::query(HAS_DEPENDENTS).bind(hex_list(plan.parents)).execute(&mut *tx).await?;
    }
    if !plan.keys.is_empty() {
        sqlx::query(KEYS_TAKE).bind(serde_json::to_string(&plan.keys)?).execute(&mut *tx).await?;
    }
    audit::transition(tx, now, by, "job.enqueue", object, "ok", &plan.inserted).await?;
    for (job, asked) in plan.asked {
        approvals::ask_for_job(tx, now, job, asked, by).await?;
    }
    audit::transition(tx, now, &Actor::system(), "job.cancel", "job", "ok", &plan.cancelled).await?;
    if !plan.cancelled.is_empty() {
        approvals::withdraw_of(tx, now, hex_list(plan.cancelled)).await?;
    }
    if !plan.replaced.is_empty() {
        let wishes: Vec<Value> = plan.replaced.into_values().collect();
        let replaced = sqlx::query(REPLACE)
            .bind(serde_json::to_string(&wishes)?)
            .bind(now)
            .fetch_all(&mut *tx)
            .await?
            .iter()
            .map(|row| row.id("id"))
            .collect::<Done<Vec<JobId>>>()?;
        audit::transition(tx, now, by, "job.replace", object, "ok", &replaced).await?;
    }
    Ok(())
}
