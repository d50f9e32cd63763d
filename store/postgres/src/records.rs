//! What families keep of things beyond jobs. Whoever wants to change or hold a record locks its row first and asks whether its holder still
//! runs in a statement of its own, which sees every claim that came before the hold.

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::{JobId, Put, Record, RecordChange, RecordId};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::identities::transaction;
use super::rows::{self, Micros};
use super::{LONG, PostgresStore, alerts, audit_log, contention, failed, within};
use store::records::{
    Found, RecordPage, Records, RunningJob, can_be_asked, check_change, check_silence, holder,
    is_as_looked_at, of_another_tenant, record_changed, record_news,
};
use store::{Attempting, Held, Result, Scope, StoreError};

const CHANGING: &str = "changing a record";
const HOLDING: &str = "holding a record";
const LETTING_GO: &str = "letting go of a record";
const READING: &str = "reading records";

#[async_trait]
impl Records for PostgresStore {
    async fn record_put(&self, attempt: &Attempting, change: &RecordChange) -> Result<Put> {
        check_change(change)?;
        let put = contention::patiently(CHANGING, || put(self, attempt, change).boxed());
        self.answered(CHANGING, put).await
    }

    async fn record_hold(&self, attempt: &Attempting, id: &RecordId) -> Result<Option<Record>> {
        transaction!(self, HOLDING, |tx| hold(&mut tx, attempt, id))
    }

    async fn record_let_go(&self, held: Held, id: &RecordId) -> Result<()> {
        if !can_be_asked(id) {
            return Ok(());
        }
        let write = async {
            let query = sqlx::query(include_str!("record_let_go.sql"))
                .bind(&id.collection)
                .bind(&id.key)
                .bind(&id.tenant)
                .bind(held.job.0)
                .bind(held.fence.0);
            query.execute(&self.cold).await.map_err(failed(LETTING_GO))?;
            Ok(())
        };
        self.answered(LETTING_GO, write).await
    }

    async fn record(&self, scope: &Scope, id: &RecordId) -> Result<Option<Record>> {
        if !can_be_asked(id) {
            return Ok(None);
        }
        let read = async {
            let mut reader = self.reader(scope).await?;
            let query = sqlx::query(include_str!("record_find.sql"));
            let query = query.bind(&id.collection).bind(&id.key).bind(&id.tenant).bind(scope.bound());
            let row = reader.first(query).await.map_err(failed(READING))?;
            reader.done().await.map_err(failed(READING))?;
            row.as_ref().map(record).transpose().map_err(failed(READING))
        };
        self.answered(READING, read).await
    }

    async fn record_named(&self, scope: &Scope, collection: &str, name: &str) -> Result<Option<Record>> {
        if collection.contains('\0') || name.contains('\0') {
            return Ok(None);
        }
        let read = async {
            let mut reader = self.reader(scope).await?;
            let query = sqlx::query(include_str!("record_named.sql"));
            let row = reader.first(query.bind(collection).bind(name).bind(scope.bound())).await;
            let row = row.map_err(failed(READING))?;
            reader.done().await.map_err(failed(READING))?;
            row.as_ref().map(record).transpose().map_err(failed(READING))
        };
        self.answered(READING, read).await
    }

    async fn records(&self, scope: &Scope, page: &RecordPage) -> Result<Vec<Record>> {
        match page.can_be_asked() {
            true => within(LONG, READING, list(self, scope, page)).await,
            false => Ok(Vec::new()),
        }
    }
}

async fn put(store: &PostgresStore, attempt: &Attempting, change: &RecordChange) -> Result<Put> {
    let mut session = store.cold.acquire().await.map_err(failed(CHANGING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(CHANGING))?;
    let put = write(&mut tx, store.time(), attempt, change).await?;
    // What was written before it was known that a name is somebody's goes with it.
    match put {
        Put::Done(_) => tx.commit().await.map_err(failed(CHANGING))?,
        Put::Moved | Put::Taken(_) => tx.rollback().await.map_err(failed(CHANGING))?,
    }
    session.keep();
    Ok(put)
}

async fn write(
    tx: &mut PgConnection,
    time: Option<Micros>,
    attempt: &Attempting,
    change: &RecordChange,
) -> Result<Put> {
    let job = running(tx, attempt.held, CHANGING).await?;
    if !job.sees(&change.id) {
        return Err(of_another_tenant());
    }
    let found = look(tx, &change.id, CHANGING).await?;
    if !is_as_looked_at(found.as_ref(), change) || is_anothers(tx, found.as_ref(), attempt, CHANGING).await? {
        return Ok(Put::Moved);
    }
    if change.action.is_empty() {
        check_silence(find(tx, &change.id, CHANGING).await?.as_ref(), change)?;
    }
    let written = match &found {
        Some(found) => update(tx, time, found.row, attempt.held, change).await.map(|()| Some(found.row))?,
        None => insert(tx, time, attempt.held, change).await?,
    };
    let Some(row) = written else { return Ok(Put::Moved) };
    if let Some(taken) = name(tx, row, change).await? {
        return Ok(Put::Taken(taken));
    }
    if let Some(entry) = record_changed(attempt, change) {
        audit_log::append_on(tx, time, &entry).await?;
    }
    alerts::raise(tx, time, &record_news(change, attempt.held.job, &job)).await?;
    let written = find(tx, &change.id, CHANGING).await?;
    Ok(written.map_or(Put::Moved, Put::Done))
}

async fn hold(tx: &mut PgConnection, attempt: &Attempting, id: &RecordId) -> Result<Option<Record>> {
    let job = running(tx, attempt.held, HOLDING).await?;
    if !can_be_asked(id) || !job.sees(id) {
        return Ok(None);
    }
    let Some(found) = look(tx, id, HOLDING).await? else { return Ok(None) };
    if is_anothers(tx, Some(&found), attempt, HOLDING).await? {
        return Ok(None);
    }
    sqlx::query(include_str!("record_hold.sql"))
        .bind(found.row)
        .bind(attempt.held.job.0)
        .bind(attempt.held.fence.0)
        .execute(&mut *tx)
        .await
        .map_err(failed(HOLDING))?;
    find(tx, id, HOLDING).await
}

/// The job of the attempt, which stays its own until the transaction ends.
async fn running(tx: &mut PgConnection, held: Held, doing: &'static str) -> Result<RunningJob> {
    let row = sqlx::query(include_str!("record_attempt.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .fetch_optional(tx)
        .await
        .map_err(failed(doing))?
        .ok_or(StoreError::LeaseLost)?;
    Ok(RunningJob { kind: row.get("kind"), queue: row.get("queue"), tenant: row.get("tenant") })
}

async fn look(tx: &mut PgConnection, id: &RecordId, doing: &'static str) -> Result<Option<Found>> {
    let row = sqlx::query(include_str!("record_look.sql"))
        .bind(&id.collection)
        .bind(&id.key)
        .bind(&id.tenant)
        .fetch_optional(tx)
        .await
        .map_err(failed(doing))?;
    let found = |row: PgRow| {
        let (holder, fence): (Option<Uuid>, Option<i32>) = (row.get("held_by"), row.get("held_fence"));
        Found {
            row: row.get("id"),
            version: row.get::<i64, _>("version").unsigned_abs(),
            held: holder.map(JobId).zip(fence),
        }
    };
    Ok(row.map(found))
}

/// Whether another attempt that runs holds it.
async fn is_anothers(
    tx: &mut PgConnection,
    found: Option<&Found>,
    attempt: &Attempting,
    doing: &'static str,
) -> Result<bool> {
    let holder = found.and_then(|found| found.held_by_another(attempt.held.job));
    let Some((job, fence)) = holder else { return Ok(false) };
    let runs =
        sqlx::query(include_str!("record_holder.sql")).bind(job.0).bind(fence).fetch_optional(tx).await;
    Ok(runs.map_err(failed(doing))?.is_some())
}

/// None: somebody was quicker.
async fn insert(
    tx: &mut PgConnection,
    time: Option<Micros>,
    held: Held,
    change: &RecordChange,
) -> Result<Option<i64>> {
    let (holder, fence) = holder(held, change);
    sqlx::query_scalar(include_str!("record_insert.sql"))
        .bind(time)
        .bind(&change.id.collection)
        .bind(&change.id.tenant)
        .bind(&change.id.key)
        .bind(&change.names)
        .bind(&change.state)
        .bind(change.due_at.map(Micros::from))
        .bind(Json(&change.body))
        .bind(held.job.0)
        .bind(holder)
        .bind(fence)
        .fetch_optional(tx)
        .await
        .map_err(failed(CHANGING))
}

async fn update(
    tx: &mut PgConnection,
    time: Option<Micros>,
    row: i64,
    held: Held,
    change: &RecordChange,
) -> Result<()> {
    let (holder, fence) = holder(held, change);
    sqlx::query(include_str!("record_update.sql"))
        .bind(time)
        .bind(row)
        .bind(&change.names)
        .bind(&change.state)
        .bind(change.due_at.map(Micros::from))
        .bind(Json(&change.body))
        .bind(held.job.0)
        .bind(holder)
        .bind(fence)
        .execute(tx)
        .await
        .map_err(failed(CHANGING))?;
    Ok(())
}

/// Gives the record its names, and says which it could not get.
async fn name(tx: &mut PgConnection, row: i64, change: &RecordChange) -> Result<Option<String>> {
    sqlx::query(include_str!("record_names.sql"))
        .bind(row)
        .bind(&change.id.collection)
        .bind(&change.id.tenant)
        .bind(&change.names)
        .execute(&mut *tx)
        .await
        .map_err(failed(CHANGING))?;
    sqlx::query_scalar(include_str!("record_taken.sql"))
        .bind(row)
        .bind(&change.id.collection)
        .bind(&change.names)
        .fetch_optional(tx)
        .await
        .map_err(failed(CHANGING))
}

async fn find(tx: &mut PgConnection, id: &RecordId, doing: &'static str) -> Result<Option<Record>> {
    let row = sqlx::query(include_str!("record_find.sql"))
        .bind(&id.collection)
        .bind(&id.key)
        .bind(&id.tenant)
        .bind(None::<&str>)
        .fetch_optional(tx)
        .await
        .map_err(failed(doing))?;
    row.as_ref().map(record).transpose().map_err(failed(doing))
}

async fn list(store: &PostgresStore, scope: &Scope, page: &RecordPage) -> Result<Vec<Record>> {
    let filter = &page.filter;
    let states = (!filter.states.is_empty()).then_some(&filter.states);
    let (key, tenant) = page.behind();
    let limit = rows::count(filter.limit);
    let mut reader = store.reader(scope).await?;
    let query = match filter.due_by {
        Some(due_by) => sqlx::query(include_str!("records_due.sql"))
            .bind(&filter.collection)
            .bind(scope.bound())
            .bind(states)
            .bind(Micros::from(due_by))
            .bind(page.after_due.map_or(Micros::NEVER, Micros::from))
            .bind(key)
            .bind(tenant)
            .bind(limit)
            .bind(page.with_bodies),
        None => sqlx::query(include_str!("records.sql"))
            .bind(&filter.collection)
            .bind(scope.bound())
            .bind(states)
            .bind(key)
            .bind(tenant)
            .bind(limit)
            .bind(page.with_bodies),
    };
    let found = reader.all(query).await.map_err(failed(READING))?;
    reader.done().await.map_err(failed(READING))?;
    found.iter().map(record).collect::<sqlx::Result<_>>().map_err(failed(READING))
}

fn record(row: &PgRow) -> sqlx::Result<Record> {
    let body: Option<Json<serde_json::Value>> = row.try_get("body")?;
    Ok(Record {
        id: RecordId {
            collection: row.try_get("collection")?,
            tenant: row.try_get("tenant")?,
            key: row.try_get("key")?,
        },
        names: row.try_get("names")?,
        state: row.try_get("state")?,
        due_at: rows::time(row, "due_at")?,
        body: body.map(|Json(body)| body).unwrap_or_default(),
        version: row.try_get::<i64, _>("version")?.unsigned_abs(),
        made_at: rows::time(row, "made_at")?.unwrap_or_default(),
        changed_at: rows::time(row, "changed_at")?.unwrap_or_default(),
        changed_by: JobId(row.try_get("changed_by")?),
    })
}
