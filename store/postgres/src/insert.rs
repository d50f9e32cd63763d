//! Enqueueing: one statement for plain rows, COPY for many, and with care for unique keys and parents.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jobkit::{JobId, OnConflict, OnParentFailure, Origin, StepRecord, When};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, Row};
use uuid::Uuid;

use super::rows::{self, Micros, micros};
use super::tenants::Asker;
use super::wake::{CHANNEL, news};
use super::{PostgresStore, approvals, contention, copy, failed, lease, uploads};
use store::rule::Lane;
use store::state::JobState;
use store::types::{doomed_by, dooms, rule_name, unknown_parent};
use store::{Actor, Held, Inserted, NewRow, Release, Result, StoreError, UniqueRow};

const DOING: &str = "enqueueing jobs";

pub fn all_plain(rows: &[NewRow]) -> bool {
    let plain = |row: &NewRow| {
        row.unique.is_none() && row.after.is_empty() && row.uploads.is_empty() && row.approval.is_none()
    };
    rows.iter().all(plain)
}

/// Within the caller's transaction.
pub async fn insert(
    tx: &mut PgConnection,
    asker: &Asker<'_>,
    time: Option<Micros>,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<Inserted>> {
    asker.scope.takes(rows)?;
    let inserted = match all_plain(rows) {
        true if rows.len() >= copy::WORTH_A_COPY => copy::insert(tx, time, rows, by).await?,
        true => insert_plain(tx, time, rows, by).await?,
        false => {
            know_parents(tx, asker, rows).await?;
            uploads::check(tx, time, rows).await?;
            let inserted = insert_with_care(tx, time, rows, by).await?;
            uploads::hold_for(tx, rows, &inserted).await?;
            inserted
        }
    };
    let fresh = inserted.iter().filter(|row| !row.duplicate).map(|row| row.id);
    asker.confirm(tx, &fresh.collect::<Vec<_>>()).await?;
    Ok(inserted)
}

/// A parent that is another tenant's is not known.
async fn know_parents(tx: &mut PgConnection, asker: &Asker<'_>, rows: &[NewRow]) -> Result<()> {
    if asker.bound().is_none() {
        return Ok(());
    }
    let own: BTreeSet<JobId> = rows.iter().map(|row| row.id).collect();
    let named = rows.iter().flat_map(|row| &row.after).filter(|id| !own.contains(id));
    let named: BTreeSet<Uuid> = named.map(|id| id.0).collect();
    let known = asker.own_jobs(tx, &named.iter().copied().collect::<Vec<_>>()).await?;
    match named.iter().find(|id| !known.contains(id)) {
        Some(unknown) => Err(StoreError::Refused(unknown_parent(JobId(*unknown)))),
        None => Ok(()),
    }
}

/// What the audit entry calls the jobs: their kind when they share one.
pub fn object(rows: &[NewRow]) -> &str {
    match rows.first() {
        Some(first) if rows.iter().all(|row| row.kind == first.kind) => &first.kind,
        _ => "job",
    }
}

pub fn fresh(rows: &[NewRow]) -> Vec<Inserted> {
    rows.iter().map(|row| Inserted { id: row.id, duplicate: false }).collect()
}

/// The time a row is due: absolute, or so many microseconds from the database's now.
fn due(when: When) -> (Option<Micros>, i64) {
    match when {
        When::Now => (None, 0),
        When::At(at) => (Some(at.into()), 0),
        When::After(delay) => (None, micros(delay)),
    }
}

fn json<T: serde::Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

async fn insert_plain(
    tx: &mut PgConnection,
    time: Option<Micros>,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<Inserted>> {
    let insert = "SELECT compline.insert_plain($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let in_lanes =
        "SELECT compline.insert_plain($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    match lanes(rows) {
        None => columns(insert, time, rows, by).execute(tx).await,
        Some(lanes) => columns(in_lanes, time, rows, by).bind(lanes).execute(tx).await,
    }
    .map_err(failed(DOING))?;
    Ok(fresh(rows))
}

/// In a transaction of its own, and then tells the workers: one message, and one wait for the disk.
pub async fn insert_and_wake(
    connection: &mut PgConnection,
    time: Option<Micros>,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<Inserted>> {
    let insert = "CALL compline.insert_and_wake($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let in_lanes = "CALL compline.insert_and_wake($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let insert = match lanes(rows) {
        None => columns(insert, time, rows, by),
        Some(lanes) => columns(in_lanes, time, rows, by).bind(lanes),
    };
    insert.bind(CHANNEL).bind(news(&ready_queues(rows))).execute(connection).await.map_err(failed(DOING))?;
    Ok(fresh(rows))
}

/// Where there may be a job to claim when these rows are there.
pub fn ready_queues(rows: &[NewRow]) -> Vec<String> {
    let queues: BTreeSet<_> = rows.iter().filter(|row| row.may_be_due()).map(|row| &row.queue).collect();
    queues.into_iter().cloned().collect()
}

fn columns<'q>(
    sql: &'static str,
    time: Option<Micros>,
    rows: &'q [NewRow],
    by: &'q Actor,
) -> Query<'q, Postgres, PgArguments> {
    let column = |f: fn(&NewRow) -> &str| rows.iter().map(f).collect::<Vec<&str>>();
    sqlx::query(sql)
        .bind(time)
        .bind(named(by))
        .bind(object(rows))
        .bind(rows.iter().map(|row| row.id.0).collect::<Vec<Uuid>>())
        .bind(column(|row| &row.kind))
        .bind(column(|row| &row.queue))
        .bind(rows.iter().map(|row| i16::from(row.priority)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| rows::small(row.max_attempts)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| due(row.when).0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| due(row.when).1).collect::<Vec<_>>())
        .bind(column(|row| &row.args))
        .bind(rows.iter().map(|row| row.tenant.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| tags(row).and_then(json)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.metadata.as_ref().and_then(json)).collect::<Vec<_>>())
}

/// As the functions of migration 17 take it apart.
fn named(by: &Actor) -> Cow<'_, str> {
    const PARTED: char = '\u{1f}';
    let Origin { request, source, .. } = &by.origin;
    if by.origin.is_unknown() && !by.name.contains(PARTED) {
        return Cow::Borrowed(&by.name);
    }
    let parts = [Some(&by.name), request.as_ref(), source.as_ref()];
    let parts = parts.map(|part| part.map_or_else(String::new, |part| part.replace(PARTED, " ")));
    Cow::Owned(parts.join("\u{1f}"))
}

/// None when no row has one, as is most common.
pub fn lanes(rows: &[NewRow]) -> Option<Vec<Option<&str>>> {
    let limited = rows.iter().any(|row| row.lane.is_some());
    limited.then(|| rows.iter().map(lane).collect())
}

fn lane(row: &NewRow) -> Option<&str> {
    row.lane.as_ref().map(Lane::as_str)
}

fn tags(row: &NewRow) -> Option<&Vec<String>> {
    (!row.tags.is_empty()).then_some(&row.tags)
}

async fn insert_with_care(
    tx: &mut PgConnection,
    time: Option<Micros>,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<Inserted>> {
    let mut inserted = Vec::with_capacity(rows.len());
    // A row may wait for an earlier one of the batch that turned out to be there under another id.
    let mut elsewhere = std::collections::HashMap::new();
    for row in rows {
        if let Some(holder) = row.comes_with.and_then(|with| elsewhere.get(&with).copied()) {
            elsewhere.insert(row.id, holder);
            inserted.push(Inserted { id: holder, duplicate: true });
            continue;
        }
        let mut row = Cow::Borrowed(row);
        if row.after.iter().any(|id| elsewhere.contains_key(id)) {
            for id in &mut row.to_mut().after {
                *id = elsewhere.get(id).copied().unwrap_or(*id);
            }
        }
        let answer = match &row.unique {
            Some(unique) => insert_unique(tx, time, &row, unique, by).await?,
            None => {
                insert_one(tx, time, &row, by).await?;
                Inserted { id: row.id, duplicate: false }
            }
        };
        if answer.duplicate {
            elsewhere.insert(row.id, answer.id);
        }
        inserted.push(answer);
    }
    let made: Vec<_> = inserted.iter().filter(|row| !row.duplicate).map(|row| row.id.0).collect();
    if !made.is_empty() {
        audit(tx, time, by, "job.enqueue", object(rows), "ok", &made, None).await?;
    }
    Ok(inserted)
}

async fn insert_unique(
    tx: &mut PgConnection,
    time: Option<Micros>,
    row: &NewRow,
    unique: &UniqueRow,
    by: &Actor,
) -> Result<Inserted> {
    // The holder may end and free the key between the two looks; then the next round takes it.
    for _ in 0..10 {
        if take_key(tx, time, row.id, &unique.key, unique.release).await? {
            insert_one(tx, time, row, by).await?;
            return Ok(Inserted { id: row.id, duplicate: false });
        }
        let holder: Option<Uuid> =
            sqlx::query_scalar("SELECT job_id FROM compline.unique_key WHERE key = $1")
                .bind(unique.key.as_slice())
                .fetch_optional(&mut *tx)
                .await
                .map_err(failed(DOING))?;
        let Some(holder) = holder else { continue };
        if unique.on_conflict == OnConflict::Replace {
            // A job that runs or has ended stays as it is.
            if replace(tx, time, holder, row).await? {
                audit(tx, time, by, "job.replace", &row.kind, "ok", &[holder], None).await?;
            }
        }
        return Ok(Inserted { id: JobId(holder), duplicate: true });
    }
    Err(StoreError::Refused("the unique key changes hands too quickly; try again".into()))
}

pub async fn take_key(
    tx: &mut PgConnection,
    time: Option<Micros>,
    job: JobId,
    key: &[u8],
    release: Release,
) -> Result<bool> {
    let until = match release {
        Release::At(at) => Some(Micros::from(at)),
        Release::AtEnd | Release::UnlessCompleted => None,
    };
    let taken = sqlx::query(include_str!("keys_take.sql"))
        .bind(time)
        .bind(key)
        .bind(job.0)
        .bind(release_name(release))
        .bind(until)
        .fetch_optional(tx)
        .await
        .map_err(failed(DOING))?;
    Ok(taken.is_some())
}

fn release_name(release: Release) -> &'static str {
    match release {
        Release::AtEnd => "at_end",
        Release::UnlessCompleted => "unless_completed",
        Release::At(_) => "at",
    }
}

async fn replace(tx: &mut PgConnection, time: Option<Micros>, holder: Uuid, row: &NewRow) -> Result<bool> {
    let (at, after) = due(row.when);
    let replaced = sqlx::query(include_str!("replace.sql"))
        .bind(time)
        .bind(holder)
        .bind(&row.args)
        .bind(i16::from(row.priority))
        .bind(after)
        .bind(tags(row))
        .bind(row.metadata.as_ref().and_then(json))
        .bind(at)
        .bind(&row.queue)
        .bind(&row.tenant)
        .bind(lane(row))
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    Ok(replaced.rows_affected() > 0)
}

async fn insert_one(tx: &mut PgConnection, time: Option<Micros>, row: &NewRow, by: &Actor) -> Result<()> {
    let parents = look_at_parents(tx, row).await?;
    let waits_for = i16::try_from(parents.live.len() + usize::from(row.approval.is_some()))
        .map_err(|_| StoreError::Refused("a job can wait for at most 32,767 others".into()))?;
    let (at, after) = due(row.when);
    sqlx::query(include_str!("insert_one.sql"))
        .bind(time)
        .bind(row.id.0)
        .bind(rows::small(row.max_attempts))
        .bind(i16::from(row.priority))
        .bind(after)
        .bind(waits_for)
        .bind(&row.kind)
        .bind(&row.queue)
        .bind(&row.args)
        .bind(row.unique.as_ref().map(|unique| unique.key.as_slice()))
        .bind(&row.tenant)
        .bind(tags(row))
        .bind(row.metadata.as_ref().and_then(json))
        .bind(at)
        .bind(row.unique.as_ref().map(|unique| release_name(unique.release)))
        .bind(lane(row))
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    depend(tx, row.id, &parents.live, row.on_parent_failure).await?;
    if let Some(asked) = &row.approval {
        approvals::ask_for_job(tx, time, row.id, asked, by).await?;
    }
    if let Some((parent, state)) = parents.dooming {
        let states = [JobState::Scheduled, JobState::Available, JobState::Waiting];
        let reason = doomed_by(parent, state);
        super::change::end_live(tx, time, &[row.id], &states, JobState::Cancelled, &reason).await?;
        audit(tx, time, &Actor::system(), "job.cancel", "job", "ok", &[row.id.0], None).await?;
    }
    Ok(())
}

struct Parents {
    live: Vec<Uuid>,
    /// One that has ended as the child's rule does not allow.
    dooming: Option<(JobId, JobState)>,
}

/// Marks the live parents, which also holds off their end until this transaction is through.
async fn look_at_parents(tx: &mut PgConnection, row: &NewRow) -> Result<Parents> {
    let mut parents = Parents { live: Vec::new(), dooming: None };
    if row.after.is_empty() {
        return Ok(parents);
    }
    let mut wanted = rows::uuids(&row.after);
    wanted.sort_unstable();
    wanted.dedup();
    parents.live = mark_parents(tx, &wanted).await?;
    wanted.retain(|id| !parents.live.contains(id));
    let ended = sqlx::query("SELECT id, state::text FROM compline.job_history WHERE id = ANY ($1)")
        .bind(&wanted)
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))?;
    for parent in &ended {
        let id: Uuid = parent.get(0);
        wanted.retain(|other| *other != id);
        let state = parent.get::<&str, _>(1).parse().unwrap_or(JobState::Discarded);
        if dooms(row.on_parent_failure, state) {
            parents.dooming = Some((JobId(id), state));
        }
    }
    match wanted.first() {
        Some(unknown) => Err(StoreError::Refused(unknown_parent(JobId(*unknown)))),
        None => Ok(parents),
    }
}

pub async fn mark_parents(tx: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    sqlx::query_scalar("UPDATE compline.job SET has_dependents = true WHERE id = ANY ($1) RETURNING id")
        .bind(ids)
        .fetch_all(tx)
        .await
        .map_err(failed(DOING))
}

pub async fn depend(
    tx: &mut PgConnection,
    child: JobId,
    parents: &[Uuid],
    on_failure: OnParentFailure,
) -> Result<()> {
    if parents.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO compline.job_dependency (parent, child, on_failure)
         SELECT p, $2, $3 FROM unnest($1::uuid[]) AS p",
    )
    .bind(parents)
    .bind(child.0)
    .bind(rule_name(on_failure))
    .execute(tx)
    .await
    .map_err(failed(DOING))?;
    Ok(())
}

/// In a transaction of its own.
pub async fn insert_once(
    store: &PostgresStore,
    asker: &Asker<'_>,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<Inserted>> {
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let inserted = insert(&mut tx, asker, store.time(), rows, by).await?;
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(inserted)
}

/// Children and the step that made them, in one transaction.
pub async fn spawn(
    store: &PostgresStore,
    held: Held,
    step: &StepRecord,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<JobId>> {
    const DOING: &str = "enqueueing children";
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    // After an answer that was lost the children are there, and so is the step that made them.
    let made: Option<String> = sqlx::query_scalar(
        "SELECT result::text FROM compline.job_step WHERE job_id = $1 AND name = $2 AND result IS NOT NULL",
    )
    .bind(held.job.0)
    .bind(&step.name)
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed(DOING))?;
    let ids: Vec<JobId> = match made {
        Some(made) => serde_json::from_str(&made)
            .map_err(|cause| StoreError::Database { doing: DOING, cause: cause.into() })?,
        None => {
            let inserted = insert(&mut tx, &Asker::ENGINE, store.time(), rows, by).await?;
            let own = inserted.iter().zip(rows).filter(|(_, row)| row.comes_with.is_none());
            own.map(|(child, _)| child.id).collect()
        }
    };
    let step = StepRecord { result: Some(serde_json::json!(ids)), ..step.clone() };
    lease::save_step_on(&mut tx, held, &step).await?;
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(ids)
}

#[expect(clippy::too_many_arguments, reason = "an audit entry has that many facts, each of its own kind")]
pub async fn audit(
    tx: &mut PgConnection,
    time: Option<Micros>,
    by: &Actor,
    action: &str,
    object: &str,
    outcome: &str,
    jobs: &[Uuid],
    details: Option<serde_json::Value>,
) -> Result<()> {
    approvals::use_up(tx, time, &by.name, &by.origin).await?;
    sqlx::query(
        "INSERT INTO compline.audit_entry (at, actor, action, object, outcome, jobs, details, request, source)
         VALUES (coalesce($1::timestamptz, now()), $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(time)
    .bind(&by.name)
    .bind(action)
    .bind(object)
    .bind(outcome)
    .bind(jobs)
    .bind(details.map(sqlx::types::Json))
    .bind(&by.origin.request)
    .bind(&by.origin.source)
    .execute(tx)
    .await
    .map_err(failed("writing the audit entry"))?;
    Ok(())
}
