//! Files that were handed in. One hand writes, so whoever takes room of a quota sees what was taken before.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{JobId, Personal, UploadId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::row::{RowExt, bound, hex_list, micros};
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, audit};
use store::uploads::{
    NewUpload, Quota, Received, Reservation, Taken, UploadDeleted, UploadRow, UploadState, Uploads, Why,
    unknown_upload, upload_deleted, upload_expired, upload_received, upload_refused, upload_used,
};
use store::{Actor, Held, Inserted, NewRow, Result, Scope, StoreError};

const READING: &str = "reading uploads";
pub(super) const FIND: &str = include_str!("upload_find.sql");
pub(super) const LIST: &str = include_str!("uploads.sql");
pub(super) const TAKEN: &str = include_str!("upload_taken.sql");
pub(super) const USER: &str = include_str!("upload_user.sql");
pub(super) const HELD: &str = include_str!("upload_held.sql");
pub(super) const EXPIRE: &str = include_str!("uploads_expire.sql");
pub(super) const KNOWN: &str = include_str!("uploads_known.sql");

#[async_trait]
impl Uploads for SqliteStore {
    async fn reserve_upload(&self, new: &NewUpload, quota: &Quota) -> Result<Reservation> {
        let (new, quota) = (new.clone(), *quota);
        self.write("taking room for an upload", move |tx, now| {
            async move { reserve(tx, now, &new, quota).await }.boxed()
        })
        .await
    }

    async fn upload_goes_on(&self, id: UploadId, patience: Duration) -> Result<bool> {
        self.write("receiving an upload", move |tx, now| {
            async move {
                let query = sqlx::query(include_str!("upload_goes_on.sql")).bind(now).bind(id.0);
                Ok(query.bind(micros(patience)).execute(tx).await?.rows_affected() > 0)
            }
            .boxed()
        })
        .await
    }

    async fn upload_received(
        &self,
        id: UploadId,
        received: &Received,
        by: &Actor,
    ) -> Result<Option<UploadRow>> {
        let (received, by) = (received.clone(), by.clone());
        self.write("receiving an upload", move |tx, now| {
            async move { receive(tx, now, id, &received, &by).await }.boxed()
        })
        .await
    }

    async fn refuse_upload(&self, id: UploadId, why: &Why, by: &Actor) -> Result<bool> {
        let (why, by) = (why.clone(), by.clone());
        self.write("refusing an upload", move |tx, now| {
            async move {
                let gone = sqlx::query(include_str!("upload_refuse.sql")).bind(id.0);
                // What is not there was over, which is written down, or is ready.
                let Some(row) = gone.fetch_optional(&mut *tx).await? else { return Ok(false) };
                let tenant = row.text_if_any("tenant")?;
                audit::entry(tx, now, &upload_refused(&by, id, tenant.as_deref(), &why)).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn upload(&self, scope: &Scope, id: UploadId) -> Result<Option<UploadRow>> {
        let scope = scope.clone();
        self.read(READING, async |connection| find(connection, &scope, id).await).await
    }

    async fn uploads(&self, scope: &Scope, before: Option<UploadId>, limit: usize) -> Result<Vec<UploadRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(READING, async |connection| {
            let query = sqlx::query(LIST).bind(before.map(|id| id.0)).bind(limit).bind(bound(scope));
            query.fetch_all(connection).await?.iter().map(upload_row).collect()
        })
        .await
    }

    async fn delete_upload(&self, scope: &Scope, id: UploadId, by: &Actor) -> Result<UploadDeleted> {
        let (scope, by) = (scope.clone(), by.clone());
        self.write("deleting an upload", move |tx, now| {
            async move { delete(tx, now, &scope, id, &by).await }.boxed()
        })
        .await
    }

    async fn use_upload(&self, held: Held, id: UploadId, by: &Actor) -> Result<UploadRow> {
        let by = by.clone();
        self.write("using an upload", move |tx, now| {
            async move { take_up(tx, now, held, id, &by).await }.boxed()
        })
        .await
    }

    async fn expire_uploads(&self, limit: usize) -> Result<Vec<UploadId>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write("deleting uploads that are over", move |tx, now| {
            async move { expire(tx, now, limit).await }.boxed()
        })
        .await
    }

    async fn known_uploads(&self, ids: &[UploadId]) -> Result<Vec<UploadId>> {
        let ids = hex_list(ids.iter().map(|id| JobId(id.0)));
        self.read(READING, async |connection| {
            let rows = sqlx::query(KNOWN).bind(ids).fetch_all(connection).await?;
            rows.iter().map(|row| Ok(UploadId(row.try_get("id")?))).collect()
        })
        .await
    }
}

async fn reserve(tx: &mut Tx, now: i64, new: &NewUpload, quota: Quota) -> Done<Reservation> {
    let row = sqlx::query(TAKEN).bind(new.tenant.clone()).fetch_one(&mut *tx).await?;
    let taken = Taken {
        bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
        count: row.try_get::<i64, _>("count")?.unsigned_abs(),
    };
    if !quota.admits(taken, new.bytes) {
        return Ok(Reservation::Full(taken));
    }
    sqlx::query(include_str!("upload_insert.sql"))
        .bind(now)
        .bind(new.id.0)
        .bind(new.tenant.clone())
        .bind(new.name.as_ref().map(|name| name.expose().clone()))
        .bind(number(new.bytes))
        .bind(new.created_by.clone())
        .bind(micros(new.patience))
        .execute(&mut *tx)
        .await?;
    if let Some(entry) = &new.entry {
        audit::entry(tx, now, entry).await?;
    }
    Ok(Reservation::Taken)
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

async fn find(connection: &mut SqliteConnection, scope: &Scope, id: UploadId) -> Done<Option<UploadRow>> {
    let row = sqlx::query(FIND).bind(id.0).bind(bound(scope)).fetch_optional(connection).await?;
    row.as_ref().map(upload_row).transpose()
}

async fn receive(
    tx: &mut Tx,
    now: i64,
    id: UploadId,
    received: &Received,
    by: &Actor,
) -> Done<Option<UploadRow>> {
    let written = sqlx::query(include_str!("upload_ready.sql"))
        .bind(now)
        .bind(id.0)
        .bind(number(received.bytes))
        .bind(received.sha256.to_vec())
        .bind(received.format.clone())
        .bind(received.is_scanned)
        .bind(micros(received.keep))
        .execute(&mut *tx)
        .await?;
    if written.rows_affected() == 0 {
        return Ok(None);
    }
    let found = find(tx, &Scope::Installation, id).await?;
    if let Some(row) = &found {
        audit::entry(tx, now, &upload_received(by, row)).await?;
    }
    Ok(found)
}

async fn delete(tx: &mut Tx, now: i64, scope: &Scope, id: UploadId, by: &Actor) -> Done<UploadDeleted> {
    let Some(row) = find(tx, scope, id).await? else { return Ok(UploadDeleted::Unknown) };
    if let Some(user) = sqlx::query(USER).bind(id.0).fetch_optional(&mut *tx).await? {
        return Ok(UploadDeleted::Used(user.id("id")?));
    }
    sqlx::query(include_str!("upload_delete.sql")).bind(id.0).execute(&mut *tx).await?;
    audit::entry(tx, now, &upload_deleted(by, id, row.tenant.as_deref())).await?;
    Ok(UploadDeleted::Done)
}

async fn take_up(tx: &mut Tx, now: i64, held: Held, id: UploadId, by: &Actor) -> Done<UploadRow> {
    let job = sqlx::query(HELD)
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::LeaseLost)?;
    let (tenant, holds) = (job.text_if_any("tenant")?, job.try_get("holds")?);
    let found = find(tx, &Scope::Installation, id).await?;
    let row = found.ok_or_else(|| StoreError::Refused(unknown_upload(id)))?;
    row.usable(tenant.as_deref(), holds, moment(now)).map_err(StoreError::Refused)?;
    hold(tx, id.0, held.job).await?;
    audit::entry(tx, now, &upload_used(by, &row)).await?;
    Ok(row)
}

async fn expire(tx: &mut Tx, now: i64, limit: i64) -> Done<Vec<UploadId>> {
    let rows = sqlx::query(EXPIRE).bind(now).bind(limit).fetch_all(&mut *tx).await?;
    let mut gone = Vec::with_capacity(rows.len());
    for row in &rows {
        let (id, tenant) = (UploadId(row.try_get("id")?), row.text_if_any("tenant")?);
        audit::entry(tx, now, &upload_expired(id, tenant.as_deref(), state_of(row)?)).await?;
        gone.push(id);
    }
    Ok(gone)
}

async fn hold(tx: &mut Tx, upload: Uuid, job: JobId) -> Done<()> {
    sqlx::query(include_str!("upload_hold.sql")).bind(upload).bind(job.0).execute(tx).await?;
    Ok(())
}

/// Before jobs are written: what they name is there, and theirs.
pub(super) async fn check(tx: &mut Tx, now: i64, rows: &[NewRow]) -> Done<()> {
    for row in rows {
        for id in &row.uploads {
            let found = find(tx, &Scope::Installation, *id).await?;
            let upload = found.ok_or_else(|| StoreError::Refused(unknown_upload(*id)))?;
            upload.usable(row.tenant.as_deref(), false, moment(now)).map_err(StoreError::Refused)?;
        }
    }
    Ok(())
}

/// And behind them. A job that was there already gets what was asked of it now, or keeps what it has; either way it ends.
pub(super) async fn hold_for(tx: &mut Tx, rows: &[NewRow], inserted: &[Inserted]) -> Done<()> {
    for (row, job) in rows.iter().zip(inserted) {
        for id in &row.uploads {
            hold(tx, id.0, job.id).await?;
        }
    }
    Ok(())
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or_default()
}

fn bad(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Abort {
    Abort::Sql(sqlx::Error::Decode(problem.into()))
}

fn state_of(row: &SqliteRow) -> Done<UploadState> {
    row.text("state")?.parse().map_err(|problem: String| bad(problem))
}

fn upload_row(row: &SqliteRow) -> Done<UploadRow> {
    let sum: Option<Vec<u8>> = row.try_get("sha256")?;
    let sum = sum.map(|bytes| <[u8; 32]>::try_from(bytes).map_err(|_| bad("a hash has 32 bytes")));
    Ok(UploadRow {
        id: UploadId(row.try_get("id")?),
        tenant: row.text_if_any("tenant")?,
        state: state_of(row)?,
        name: row.text_if_any("name")?.map(Personal::new),
        bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
        sha256: sum.transpose()?,
        format: row.text_if_any("format")?,
        is_scanned: row.try_get("is_scanned")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        expires_at: row.time("expires_at")?,
    })
}
