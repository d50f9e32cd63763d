//! What a running attempt writes. Worker and fence are checked in the statement that writes.

use jobkit::{AuditEntry, JobId, Progress, StepRecord};
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use super::row::step_record;
use super::writer::{Done, Tx};
use super::{audit, insert};
use store::{Actor, Held, NewRow, Scope, StoreError};

const STEPS: &str = include_str!("steps.sql");
pub(super) const HELD_STEPS: &str = include_str!("held_steps.sql");
pub(super) const SAVE_STEP: &str = include_str!("save_step.sql");
pub(super) const SAVE_PROGRESS: &str = include_str!("save_progress.sql");
pub(super) const SAVE_AUDIT: &str = include_str!("save_audit.sql");
const STEP_DONE: &str = include_str!("step_done.sql");

pub(super) async fn steps(connection: &mut SqliteConnection, job: JobId) -> Done<Vec<StepRecord>> {
    sqlx::query(STEPS).bind(job.0).fetch_all(connection).await?.iter().map(step_record).collect()
}

pub(super) async fn held_steps(connection: &mut SqliteConnection, held: Held) -> Done<Vec<StepRecord>> {
    let rows = sqlx::query(HELD_STEPS)
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .fetch_all(connection)
        .await?;
    held_or_lost(rows.len() as u64)?;
    let mut steps = Vec::new();
    for row in &rows {
        if row.try_get::<Option<&str>, _>("name")?.is_some() {
            steps.push(step_record(row)?);
        }
    }
    Ok(steps)
}

pub(super) async fn save_step(tx: &mut Tx, held: Held, step: &StepRecord) -> Done<()> {
    let saved = sqlx::query(SAVE_STEP)
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(step.name.clone())
        .bind(step.key.as_str().to_owned())
        .bind(step.result.as_ref().map(Value::to_string))
        .bind(i64::from(step.attempt))
        .bind(step.at.as_microsecond())
        .bind(held.worker.0)
        .execute(&mut *tx)
        .await?;
    held_or_lost(saved.rows_affected())?;
    let (by, outcome) = (Actor::worker(held.worker), if step.result.is_some() { "done" } else { "begun" });
    audit::transition(tx, step.at.as_microsecond(), &by, "job.step", &step.name, outcome, &[held.job]).await
}

pub(super) async fn save_progress(tx: &mut Tx, now: i64, held: Held, progress: &Progress) -> Done<()> {
    let saved = sqlx::query(SAVE_PROGRESS)
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(i64::try_from(progress.done).unwrap_or(i64::MAX))
        .bind(i64::try_from(progress.total).unwrap_or(i64::MAX))
        .bind(progress.message.clone())
        .bind(now)
        .bind(held.worker.0)
        .execute(tx)
        .await?;
    held_or_lost(saved.rows_affected())
}

pub(super) async fn save_audit(tx: &mut Tx, now: i64, held: Held, entry: &AuditEntry) -> Done<()> {
    let details = Some(&entry.details).filter(|details| !details.is_null());
    let saved = sqlx::query(SAVE_AUDIT)
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .bind(entry.at.map_or(now, |at| at.as_microsecond()))
        .bind(entry.actor.clone())
        .bind(entry.action.clone())
        .bind(entry.object.clone())
        .bind(entry.outcome.clone())
        .bind(entry.tenant.clone())
        .bind(details.map(Value::to_string))
        .bind(entry.origin.request.clone())
        .bind(entry.origin.source.clone())
        .execute(tx)
        .await?;
    held_or_lost(saved.rows_affected())
}

pub(super) async fn spawn(
    tx: &mut Tx,
    now: i64,
    held: Held,
    step: &StepRecord,
    rows: &[NewRow],
    by: &Actor,
) -> Done<Vec<JobId>> {
    let standing = sqlx::query(STEP_DONE)
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(step.name.clone())
        .bind(held.worker.0)
        .fetch_one(&mut *tx)
        .await?;
    if !standing.try_get::<bool, _>("held")? {
        return Err(StoreError::LeaseLost.into());
    }
    // The children are there too: the answer of an earlier try was lost on the way.
    if let Some(done) = standing.try_get::<Option<String>, _>("done")? {
        return Ok(serde_json::from_str(&done)?);
    }
    let inserted = insert::insert(tx, &Scope::Installation, now, rows, by).await?;
    let own = inserted.iter().zip(rows).filter(|(_, row)| row.comes_with.is_none());
    let ids: Vec<_> = own.map(|(child, _)| child.id).collect();
    let step = StepRecord { result: Some(serde_json::to_value(&ids)?), ..step.clone() };
    save_step(tx, held, &step).await?;
    Ok(ids)
}

fn held_or_lost(rows: u64) -> Done<()> {
    if rows == 0 { Err(StoreError::LeaseLost.into()) } else { Ok(()) }
}
