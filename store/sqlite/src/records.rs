//! What families keep of things beyond jobs. One hand writes, so whatever is looked at stays so until it is written.

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{JobId, Put, Record, RecordChange, RecordId};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::row::{RowExt, bound};
use super::writer::{Done, Tx};
use super::{SqliteStore, alerts, audit};
use store::records::{
    Found, RecordPage, Records, RunningJob, can_be_asked, check_change, check_silence, holder,
    is_as_looked_at, of_another_tenant, record_changed, record_news,
};
use store::{Attempting, Held, Result, Scope, StoreError};

const READING: &str = "reading records";
pub(super) const FIND: &str = include_str!("record_find.sql");
pub(super) const NAMED: &str = include_str!("record_named.sql");
pub(super) const LIST: &str = include_str!("records.sql");
pub(super) const DUE: &str = include_str!("records_due.sql");
pub(super) const LOOK: &str = include_str!("record_look.sql");
pub(super) const LET_GO: &str = include_str!("record_let_go.sql");
pub(super) const TAKEN: &str = include_str!("record_taken.sql");
pub(super) const NAMES_GONE: &str = include_str!("record_names_gone.sql");

#[async_trait]
impl Records for SqliteStore {
    async fn record_put(&self, attempt: &Attempting, change: &RecordChange) -> Result<Put> {
        check_change(change)?;
        let (attempt, change) = (attempt.clone(), change.clone());
        self.write("changing a record", move |tx, now| {
            async move { put(tx, now, &attempt, &change).await }.boxed()
        })
        .await
    }

    async fn record_hold(&self, attempt: &Attempting, id: &RecordId) -> Result<Option<Record>> {
        let (attempt, id) = (attempt.clone(), id.clone());
        self.write("holding a record", move |tx, _| async move { hold(tx, &attempt, &id).await }.boxed())
            .await
    }

    async fn record_let_go(&self, held: Held, id: &RecordId) -> Result<()> {
        if !can_be_asked(id) {
            return Ok(());
        }
        let id = id.clone();
        self.write("letting go of a record", move |tx, _| {
            async move {
                let query = sqlx::query(LET_GO).bind(id.collection).bind(id.key).bind(id.tenant);
                query.bind(held.job.0).bind(held.fence.0).execute(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    async fn record(&self, scope: &Scope, id: &RecordId) -> Result<Option<Record>> {
        match can_be_asked(id) {
            true => self.read(READING, async |connection| find(connection, scope, id).await).await,
            false => Ok(None),
        }
    }

    async fn record_named(&self, scope: &Scope, collection: &str, name: &str) -> Result<Option<Record>> {
        self.read(READING, async |connection| {
            let query = sqlx::query(NAMED).bind(collection.to_owned()).bind(name.to_owned());
            let row = query.bind(bound(scope)).fetch_optional(connection).await?;
            row.as_ref().map(record).transpose()
        })
        .await
    }

    async fn records(&self, scope: &Scope, page: &RecordPage) -> Result<Vec<Record>> {
        match page.can_be_asked() {
            true => self.read(READING, async |connection| list(connection, scope, page).await).await,
            false => Ok(Vec::new()),
        }
    }
}

async fn put(tx: &mut Tx, now: i64, attempt: &Attempting, change: &RecordChange) -> Done<Put> {
    let job = running(tx, attempt.held).await?;
    if !job.sees(&change.id) {
        return Err(of_another_tenant().into());
    }
    let found = look(tx, &change.id).await?;
    if !is_as_looked_at(found.as_ref(), change) || is_anothers(tx, found.as_ref(), attempt).await? {
        return Ok(Put::Moved);
    }
    if change.action.is_empty() {
        check_silence(find(tx, &Scope::Installation, &change.id).await?.as_ref(), change)?;
    }
    if let Some(taken) = taken(tx, found.map(|found| found.row), change).await? {
        return Ok(Put::Taken(taken));
    }
    let row = match found {
        Some(found) => update(tx, now, found.row, attempt.held, change).await.map(|()| found.row)?,
        None => insert(tx, now, attempt.held, change).await?,
    };
    name(tx, row, change).await?;
    if let Some(entry) = record_changed(attempt, change) {
        audit::entry(tx, now, &entry).await?;
    }
    alerts::raise(tx, now, &record_news(change, attempt.held.job, &job)).await?;
    let written = find(tx, &Scope::Installation, &change.id).await?;
    Ok(written.map_or(Put::Moved, Put::Done))
}

async fn hold(tx: &mut Tx, attempt: &Attempting, id: &RecordId) -> Done<Option<Record>> {
    let job = running(tx, attempt.held).await?;
    if !can_be_asked(id) || !job.sees(id) {
        return Ok(None);
    }
    let Some(found) = look(tx, id).await? else { return Ok(None) };
    if is_anothers(tx, Some(&found), attempt).await? {
        return Ok(None);
    }
    sqlx::query(include_str!("record_hold.sql"))
        .bind(found.row)
        .bind(attempt.held.job.0)
        .bind(attempt.held.fence.0)
        .execute(&mut *tx)
        .await?;
    find(tx, &Scope::Installation, id).await
}

async fn running(tx: &mut Tx, held: Held) -> Done<RunningJob> {
    let row = sqlx::query(include_str!("record_attempt.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .fetch_optional(tx)
        .await?
        .ok_or(StoreError::LeaseLost)?;
    Ok(RunningJob { kind: row.text("kind")?, queue: row.text("queue")?, tenant: row.text_if_any("tenant")? })
}

async fn look(tx: &mut Tx, id: &RecordId) -> Done<Option<Found>> {
    let query = sqlx::query(LOOK).bind(id.collection.clone()).bind(id.key.clone()).bind(id.tenant.clone());
    let Some(row) = query.fetch_optional(tx).await? else { return Ok(None) };
    let (holder, fence): (Option<Uuid>, Option<i32>) = (row.try_get("held_by")?, row.try_get("held_fence")?);
    let held = holder.map(JobId).zip(fence);
    Ok(Some(Found { row: row.try_get("id")?, version: row.small("version")?, held }))
}

/// Whether another attempt that runs holds it.
async fn is_anothers(tx: &mut Tx, found: Option<&Found>, attempt: &Attempting) -> Done<bool> {
    let holder = found.and_then(|found| found.held_by_another(attempt.held.job));
    let Some((job, fence)) = holder else { return Ok(false) };
    let runs = sqlx::query(include_str!("record_holder.sql")).bind(job.0).bind(fence);
    Ok(runs.fetch_optional(tx).await?.is_some())
}

async fn taken(tx: &mut Tx, row: Option<i64>, change: &RecordChange) -> Done<Option<String>> {
    let query = sqlx::query(TAKEN).bind(row).bind(change.id.collection.clone());
    let taken = query.bind(json!(change.names).to_string()).fetch_optional(tx).await?;
    taken.map(|row| row.text("name")).transpose()
}

async fn insert(tx: &mut Tx, now: i64, held: Held, change: &RecordChange) -> Done<i64> {
    let (holder, fence) = holder(held, change);
    let row = sqlx::query(include_str!("record_insert.sql"))
        .bind(now)
        .bind(change.id.collection.clone())
        .bind(change.id.tenant.clone())
        .bind(change.id.key.clone())
        .bind(json!(change.names).to_string())
        .bind(change.state.clone())
        .bind(change.due_at.map(Timestamp::as_microsecond))
        .bind(change.body.to_string())
        .bind(held.job.0)
        .bind(holder)
        .bind(fence)
        .fetch_one(tx)
        .await?;
    Ok(row.try_get("id")?)
}

async fn update(tx: &mut Tx, now: i64, row: i64, held: Held, change: &RecordChange) -> Done<()> {
    let (holder, fence) = holder(held, change);
    sqlx::query(include_str!("record_update.sql"))
        .bind(now)
        .bind(row)
        .bind(json!(change.names).to_string())
        .bind(change.state.clone())
        .bind(change.due_at.map(Timestamp::as_microsecond))
        .bind(change.body.to_string())
        .bind(held.job.0)
        .bind(holder)
        .bind(fence)
        .execute(tx)
        .await?;
    Ok(())
}

async fn name(tx: &mut Tx, row: i64, change: &RecordChange) -> Done<()> {
    let names = json!(change.names).to_string();
    sqlx::query(NAMES_GONE).bind(row).bind(names.clone()).execute(&mut *tx).await?;
    sqlx::query(include_str!("record_names_put.sql"))
        .bind(row)
        .bind(change.id.collection.clone())
        .bind(change.id.tenant.clone())
        .bind(names)
        .execute(tx)
        .await?;
    Ok(())
}

async fn find(connection: &mut SqliteConnection, scope: &Scope, id: &RecordId) -> Done<Option<Record>> {
    let query = sqlx::query(FIND).bind(id.collection.clone()).bind(id.key.clone());
    let row = query.bind(id.tenant.clone()).bind(bound(scope)).fetch_optional(connection).await?;
    row.as_ref().map(record).transpose()
}

async fn list(connection: &mut SqliteConnection, scope: &Scope, page: &RecordPage) -> Done<Vec<Record>> {
    let filter = &page.filter;
    let states = (!filter.states.is_empty()).then(|| json!(filter.states).to_string());
    let (key, tenant) = page.behind();
    let (key, tenant) = (key.to_owned(), tenant.to_owned());
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let query = match filter.due_by {
        Some(due_by) => sqlx::query(DUE)
            .bind(filter.collection.clone())
            .bind(bound(scope))
            .bind(states)
            .bind(due_by.as_microsecond())
            .bind(page.after_due.map_or(i64::MIN, Timestamp::as_microsecond))
            .bind(key)
            .bind(tenant)
            .bind(limit)
            .bind(page.with_bodies),
        None => sqlx::query(LIST)
            .bind(filter.collection.clone())
            .bind(bound(scope))
            .bind(states)
            .bind(key)
            .bind(tenant)
            .bind(limit)
            .bind(page.with_bodies),
    };
    query.fetch_all(connection).await?.iter().map(record).collect()
}

fn record(row: &SqliteRow) -> Done<Record> {
    Ok(Record {
        id: RecordId {
            collection: row.text("collection")?,
            tenant: row.text_if_any("tenant")?,
            key: row.text("key")?,
        },
        names: row.json_if_any("names")?.unwrap_or_default(),
        state: row.text("state")?,
        due_at: row.time_if_any("due_at")?,
        body: row.json_if_any("body")?.unwrap_or_default(),
        version: row.small("version")?,
        made_at: row.time("made_at")?,
        changed_at: row.time("changed_at")?,
        changed_by: row.id("changed_by")?,
    })
}
