//! Files that were handed in. Whoever takes room of a tenant's quota waits for whoever does so at the same time; whoever
//! names an upload holds its row until the job is there.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{JobId, Personal, UploadId};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::identities::transaction;
use super::rows::{self, Micros};
use super::sessions::within;
use super::{LONG, PostgresStore, audit_log, contention, failed};
use store::uploads::{
    NewUpload, Quota, Received, Reservation, Taken, UploadDeleted, UploadRow, UploadState, Uploads, Why,
    unknown_upload, upload_deleted, upload_expired, upload_received, upload_refused, upload_used,
};
use store::{Actor, Held, Inserted, NewRow, Result, Scope, StoreError};

const RESERVING: &str = "taking room for an upload";
const RECEIVING: &str = "receiving an upload";
const REFUSING: &str = "refusing an upload";
const READING: &str = "reading uploads";
const DELETING: &str = "deleting an upload";
const USING: &str = "using an upload";
const EXPIRING: &str = "deleting uploads that are over";

#[async_trait]
impl Uploads for PostgresStore {
    async fn reserve_upload(&self, new: &NewUpload, quota: &Quota) -> Result<Reservation> {
        transaction!(self, RESERVING, |tx| reserve(&mut tx, self.time(), new, quota))
    }

    async fn upload_goes_on(&self, id: UploadId, patience: Duration) -> Result<bool> {
        let write = async {
            let gone_on = sqlx::query(include_str!("upload_goes_on.sql"))
                .bind(self.time())
                .bind(id.0)
                .bind(rows::micros(patience))
                .execute(&self.cold)
                .await
                .map_err(failed(RECEIVING))?;
            Ok(gone_on.rows_affected() > 0)
        };
        self.answered(RECEIVING, write).await
    }

    async fn upload_received(
        &self,
        id: UploadId,
        received: &Received,
        by: &Actor,
    ) -> Result<Option<UploadRow>> {
        transaction!(self, RECEIVING, |tx| receive(&mut tx, self.time(), id, received, by))
    }

    async fn refuse_upload(&self, id: UploadId, why: &Why, by: &Actor) -> Result<bool> {
        transaction!(self, REFUSING, |tx| refuse(&mut tx, self.time(), id, why, by))
    }

    async fn upload(&self, scope: &Scope, id: UploadId) -> Result<Option<UploadRow>> {
        let read = async {
            let mut reader = self.reader(scope).await?;
            let query = sqlx::query(include_str!("upload_find.sql"));
            let row = reader.first(query.bind(self.time()).bind(id.0).bind(scope.bound())).await;
            let row =
                row.and_then(|row| row.as_ref().map(upload_row).transpose()).map_err(failed(READING))?;
            reader.done().await.map_err(failed(READING))?;
            Ok(row)
        };
        self.answered(READING, read).await
    }

    async fn uploads(&self, scope: &Scope, before: Option<UploadId>, limit: usize) -> Result<Vec<UploadRow>> {
        let read = async {
            let mut reader = self.reader(scope).await?;
            let query = sqlx::query(include_str!("uploads.sql"));
            let query = query.bind(before.map(|id| id.0)).bind(rows::count(limit)).bind(scope.bound());
            let rows = reader.all(query).await;
            let rows =
                rows.and_then(|rows| rows.iter().map(upload_row).collect()).map_err(failed(READING))?;
            reader.done().await.map_err(failed(READING))?;
            Ok(rows)
        };
        within(LONG, READING, read).await
    }

    async fn delete_upload(&self, scope: &Scope, id: UploadId, by: &Actor) -> Result<UploadDeleted> {
        transaction!(self, DELETING, |tx| delete(&mut tx, self.time(), scope, id, by))
    }

    async fn use_upload(&self, held: Held, id: UploadId, by: &Actor) -> Result<UploadRow> {
        transaction!(self, USING, |tx| take_up(&mut tx, self.time(), held, id, by))
    }

    async fn expire_uploads(&self, limit: usize) -> Result<Vec<UploadId>> {
        transaction!(self, EXPIRING, |tx| expire(&mut tx, self.time(), limit))
    }

    async fn known_uploads(&self, ids: &[UploadId]) -> Result<Vec<UploadId>> {
        let read = async {
            let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
            let found = sqlx::query_scalar(include_str!("uploads_known.sql")).bind(ids);
            let found: Vec<Uuid> = found.fetch_all(&self.cold).await.map_err(failed(READING))?;
            Ok(found.into_iter().map(UploadId).collect())
        };
        self.answered(READING, read).await
    }
}

async fn reserve(
    tx: &mut PgConnection,
    time: Option<Micros>,
    new: &NewUpload,
    quota: &Quota,
) -> Result<Reservation> {
    // One tenant's after each other: what is counted is what is there when this one is written.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('compline.upload/' || coalesce($1, ''), 24))")
        .bind(&new.tenant)
        .execute(&mut *tx)
        .await
        .map_err(failed(RESERVING))?;
    let row = sqlx::query(include_str!("upload_taken.sql"))
        .bind(&new.tenant)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed(RESERVING))?;
    let taken =
        Taken { bytes: row.get::<i64, _>(0).unsigned_abs(), count: row.get::<i64, _>(1).unsigned_abs() };
    if !quota.admits(taken, new.bytes) {
        return Ok(Reservation::Full(taken));
    }
    sqlx::query(include_str!("upload_insert.sql"))
        .bind(time)
        .bind(new.id.0)
        .bind(&new.tenant)
        .bind(new.name.as_ref().map(Personal::expose))
        .bind(number(new.bytes))
        .bind(&new.created_by)
        .bind(rows::micros(new.patience))
        .execute(&mut *tx)
        .await
        .map_err(failed(RESERVING))?;
    if let Some(entry) = &new.entry {
        audit_log::append_on(tx, time, entry).await?;
    }
    Ok(Reservation::Taken)
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// With the time at which it was read.
async fn find(
    tx: &mut PgConnection,
    time: Option<Micros>,
    scope: &Scope,
    id: UploadId,
) -> Result<Option<UploadRow>> {
    let query = sqlx::query(include_str!("upload_find.sql")).bind(time).bind(id.0).bind(scope.bound());
    let row = query.fetch_optional(tx).await;
    row.and_then(|row| row.as_ref().map(upload_row).transpose()).map_err(failed(READING))
}

async fn receive(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: UploadId,
    received: &Received,
    by: &Actor,
) -> Result<Option<UploadRow>> {
    let written = sqlx::query(include_str!("upload_ready.sql"))
        .bind(time)
        .bind(id.0)
        .bind(number(received.bytes))
        .bind(received.sha256)
        .bind(&received.format)
        .bind(received.is_scanned)
        .bind(rows::micros(received.keep))
        .execute(&mut *tx)
        .await
        .map_err(failed(RECEIVING))?;
    if written.rows_affected() == 0 {
        return Ok(None);
    }
    let found = find(tx, time, &Scope::Installation, id).await?;
    if let Some(row) = &found {
        audit_log::append_on(tx, time, &upload_received(by, row)).await?;
    }
    Ok(found)
}

async fn refuse(
    tx: &mut PgConnection,
    time: Option<Micros>,
    id: UploadId,
    why: &Why,
    by: &Actor,
) -> Result<bool> {
    let gone: Option<Option<String>> = sqlx::query_scalar(include_str!("upload_refuse.sql"))
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(REFUSING))?;
    // What is not there was over, which is written down, or is ready.
    let Some(tenant) = gone else { return Ok(false) };
    audit_log::append_on(tx, time, &upload_refused(by, id, tenant.as_deref(), why)).await?;
    Ok(true)
}

async fn delete(
    tx: &mut PgConnection,
    time: Option<Micros>,
    scope: &Scope,
    id: UploadId,
    by: &Actor,
) -> Result<UploadDeleted> {
    sqlx::query("SELECT FROM compline.upload WHERE id = $1 FOR UPDATE")
        .bind(id.0)
        .execute(&mut *tx)
        .await
        .map_err(failed(DELETING))?;
    let Some(row) = find(tx, time, scope, id).await? else { return Ok(UploadDeleted::Unknown) };
    let user: Option<Uuid> = sqlx::query_scalar(include_str!("upload_user.sql"))
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(DELETING))?;
    if let Some(user) = user {
        return Ok(UploadDeleted::Used(JobId(user)));
    }
    sqlx::query(include_str!("upload_delete.sql"))
        .bind(id.0)
        .execute(&mut *tx)
        .await
        .map_err(failed(DELETING))?;
    audit_log::append_on(tx, time, &upload_deleted(by, id, row.tenant.as_deref())).await?;
    Ok(UploadDeleted::Done)
}

async fn take_up(
    tx: &mut PgConnection,
    time: Option<Micros>,
    held: Held,
    id: UploadId,
    by: &Actor,
) -> Result<UploadRow> {
    let job = sqlx::query(include_str!("upload_held.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(USING))?
        .ok_or(StoreError::LeaseLost)?;
    let (tenant, holds): (Option<String>, bool) = (job.get(0), job.get(1));
    let found = lock(tx, time, &[id.0]).await?.pop();
    let (row, now) = found.ok_or_else(|| StoreError::Refused(unknown_upload(id)))?;
    row.usable(tenant.as_deref(), holds, now).map_err(StoreError::Refused)?;
    hold(tx, &[(id.0, held.job.0)]).await?;
    audit_log::append_on(tx, time, &upload_used(by, &row)).await?;
    Ok(row)
}

async fn expire(tx: &mut PgConnection, time: Option<Micros>, limit: usize) -> Result<Vec<UploadId>> {
    let rows = sqlx::query(include_str!("uploads_expire.sql"))
        .bind(time)
        .bind(rows::count(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(EXPIRING))?;
    let mut gone = Vec::with_capacity(rows.len());
    for row in &rows {
        let (id, tenant): (Uuid, Option<String>) = (row.get(0), row.get(1));
        let state = state_of(row).map_err(failed(EXPIRING))?;
        audit_log::append_on(tx, time, &upload_expired(UploadId(id), tenant.as_deref(), state)).await?;
        gone.push(UploadId(id));
    }
    Ok(gone)
}

/// In the order of their ids, with the time.
async fn lock(
    tx: &mut PgConnection,
    time: Option<Micros>,
    ids: &[Uuid],
) -> Result<Vec<(UploadRow, Timestamp)>> {
    let rows = sqlx::query(include_str!("upload_lock.sql")).bind(time).bind(ids).fetch_all(tx).await;
    let read = |row: &PgRow| Ok((upload_row(row)?, rows::time(row, "now")?.unwrap_or_default()));
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(failed(USING))
}

async fn hold(tx: &mut PgConnection, pairs: &[(Uuid, Uuid)]) -> Result<()> {
    let (uploads, jobs): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().copied().unzip();
    sqlx::query(include_str!("upload_hold.sql"))
        .bind(uploads)
        .bind(jobs)
        .execute(tx)
        .await
        .map_err(failed(USING))?;
    Ok(())
}

/// Before jobs are written: what they name is there, and theirs.
pub async fn check(tx: &mut PgConnection, time: Option<Micros>, rows: &[NewRow]) -> Result<()> {
    let ids: Vec<Uuid> = rows.iter().flat_map(|row| &row.uploads).map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let found = lock(tx, time, &ids).await?;
    let found: BTreeMap<_, _> = found.iter().map(|(upload, now)| (upload.id, (upload, *now))).collect();
    for row in rows {
        for id in &row.uploads {
            let (upload, now) = found.get(id).ok_or_else(|| StoreError::Refused(unknown_upload(*id)))?;
            upload.usable(row.tenant.as_deref(), false, *now).map_err(StoreError::Refused)?;
        }
    }
    Ok(())
}

/// And behind them. A job that was there already gets what was asked of it now, or keeps what it has; either way it ends.
pub async fn hold_for(tx: &mut PgConnection, rows: &[NewRow], inserted: &[Inserted]) -> Result<()> {
    let pairs = rows.iter().zip(inserted);
    let pairs: Vec<_> = pairs.flat_map(|(row, job)| row.uploads.iter().map(|id| (id.0, job.id.0))).collect();
    match pairs.is_empty() {
        true => Ok(()),
        false => hold(tx, &pairs).await,
    }
}

fn state_of(row: &PgRow) -> sqlx::Result<UploadState> {
    row.try_get::<&str, _>("state")?.parse().map_err(|problem: String| sqlx::Error::Decode(problem.into()))
}

fn upload_row(row: &PgRow) -> sqlx::Result<UploadRow> {
    let sum: Option<Vec<u8>> = row.try_get("sha256")?;
    let sum = sum.map(|bytes| {
        <[u8; 32]>::try_from(bytes).map_err(|_| sqlx::Error::Decode("a hash has 32 bytes".into()))
    });
    Ok(UploadRow {
        id: UploadId(row.try_get("id")?),
        tenant: row.try_get("tenant")?,
        state: state_of(row)?,
        name: row.try_get::<Option<String>, _>("name")?.map(Personal::new),
        bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
        sha256: sum.transpose()?,
        format: row.try_get("format")?,
        is_scanned: row.try_get("is_scanned")?,
        created_at: rows::time(row, "created_at")?.unwrap_or_default(),
        created_by: row.try_get("created_by")?,
        expires_at: rows::time(row, "expires_at")?.unwrap_or_default(),
    })
}
