//! The plain audit log: who did what to which jobs, in the transaction that does it.

use jobkit::{AuditEntry, JobId, Origin};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::approvals;
use super::row::{RowExt, packed, unpacked};
use super::writer::{Done, Tx};
use store::{Actor, AuditPage, Position};

const APPEND: &str = include_str!("audit.sql");
const AFTER: &str = include_str!("audit_after.sql");

/// One entry for all `ids`; none for nobody.
pub(super) async fn transition(
    tx: &mut Tx,
    now: i64,
    by: &Actor,
    action: &str,
    object: &str,
    outcome: &str,
    ids: &[JobId],
) -> Done<()> {
    if ids.is_empty() {
        return Ok(());
    }
    approvals::use_up(tx, now, by).await?;
    append(tx, now, by, action, object, outcome, None, Some(packed(ids)), None).await
}

/// What was done to something that is no job.
pub(super) async fn object(
    tx: &mut Tx,
    now: i64,
    by: &Actor,
    action: &str,
    object: &str,
    details: Option<Value>,
) -> Done<()> {
    approvals::use_up(tx, now, by).await?;
    append(tx, now, by, action, object, "ok", None, None, details).await
}

/// One entry that names its jobs, or none of them, and says more.
pub(super) async fn with_jobs(
    tx: &mut Tx,
    now: i64,
    by: &Actor,
    action: &str,
    object: &str,
    ids: &[JobId],
    details: Option<Value>,
) -> Done<()> {
    approvals::use_up(tx, now, by).await?;
    append(tx, now, by, action, object, "ok", None, Some(packed(ids)), details).await
}

/// With the approval that it was done by.
pub(super) async fn entry(tx: &mut Tx, now: i64, entry: &AuditEntry) -> Done<()> {
    let by = Actor::with_origin(entry.actor.clone(), entry.origin.clone());
    approvals::use_up(tx, now, &by).await?;
    row(tx, now, entry, &[]).await
}

pub(super) async fn row(tx: &mut Tx, now: i64, entry: &AuditEntry, jobs: &[JobId]) -> Done<()> {
    let at = entry.at.map_or(now, |at| at.as_microsecond());
    let AuditEntry { actor, action, object, outcome, tenant, origin, details, .. } = entry;
    let by = Actor::with_origin(actor.clone(), origin.clone());
    let jobs = (!jobs.is_empty()).then(|| packed(jobs));
    append(tx, at, &by, action, object, outcome, tenant.as_deref(), jobs, Some(details.clone())).await
}

#[expect(clippy::too_many_arguments, reason = "the columns of the log, each a different thing")]
async fn append(
    tx: &mut Tx,
    at: i64,
    by: &Actor,
    action: &str,
    object: &str,
    outcome: &str,
    tenant: Option<&str>,
    jobs: Option<Vec<u8>>,
    details: Option<Value>,
) -> Done<()> {
    sqlx::query(APPEND)
        .bind(at)
        .bind(by.name.clone())
        .bind(action.to_owned())
        .bind(object.to_owned())
        .bind(outcome.to_owned())
        .bind(tenant.map(str::to_owned))
        .bind(jobs)
        .bind(details.filter(|details| !details.is_null()).map(|details| details.to_string()))
        .bind(by.origin.request.clone())
        .bind(by.origin.source.clone())
        .execute(tx)
        .await?;
    Ok(())
}

/// The jobs that an entry names stand in its details as `jobs`.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    position: Position,
    limit: usize,
    most_bytes: u64,
) -> Done<AuditPage> {
    let rows = rows_after(connection, position, limit, most_bytes).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let looked_at = rows.first().map_or(Ok(0), |row| sqlx::Row::try_get::<i64, _>(row, "looked_at"))?;
    let told = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let entries = rows.iter().map(entry_of).collect::<Done<_>>()?;
    Ok(AuditPage { entries, more: looked_at > told || looked_at == limit })
}

pub(super) fn entry_of(row: &SqliteRow) -> Done<(Position, AuditEntry)> {
    let mut details: Value = row.json_if_any("details")?.unwrap_or_else(|| json!({}));
    if let Some(jobs) = sqlx::Row::try_get::<Option<&[u8]>, _>(row, "jobs")?
        && let Some(details) = details.as_object_mut()
    {
        details.insert("jobs".into(), json!(unpacked(jobs)));
    }
    let entry = AuditEntry {
        at: Some(row.time("at")?),
        actor: row.text("actor")?,
        action: row.text("action")?,
        object: row.text("object")?,
        outcome: row.text("outcome")?,
        tenant: row.text_if_any("tenant")?,
        origin: Origin {
            request: row.text_if_any("request")?,
            source: row.text_if_any("source")?,
            ..Origin::default()
        },
        details,
    };
    Ok((at(sqlx::Row::try_get(row, "seq")?), entry))
}

pub(super) async fn rows_after(
    connection: &mut SqliteConnection,
    position: Position,
    limit: usize,
    most_bytes: u64,
) -> Done<Vec<SqliteRow>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let most = i64::try_from(most_bytes).unwrap_or(i64::MAX);
    Ok(sqlx::query(AFTER).bind(position.seq).bind(limit).bind(most).fetch_all(connection).await?)
}

/// One process writes at a time, so entries are numbered in the order in which they are committed.
pub(super) fn at(seq: i64) -> Position {
    Position { seq, ..Position::START }
}
