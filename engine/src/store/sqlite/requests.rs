//! A request and what it asks for, in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use sqlx::Row;

use super::row::micros;
use super::writer::{Done, Tx};
use super::{SqliteStore, insert};
use crate::store::requests::{Once, Request, Requests};
use crate::store::{Actor, Inserted, NewRow, Result, StoreError};

#[async_trait]
impl Requests for SqliteStore {
    async fn insert_once(&self, request: &Request, rows: &[NewRow], by: &Actor) -> Result<Once> {
        let (request, owned, by) = (*request, rows.to_vec(), by.clone());
        self.write("enqueueing jobs once", move |tx, now| {
            async move { insert_once(tx, now, &request, &owned, &by).await }.boxed()
        })
        .await
    }

    async fn forget_requests(&self, older_than: Duration, limit: usize) -> Result<u64> {
        self.write("forgetting old requests", move |tx, now| {
            async move {
                let forgotten = sqlx::query(include_str!("request_forget.sql"))
                    .bind(now.saturating_sub(micros(older_than)))
                    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                    .execute(tx)
                    .await?;
                Ok(forgotten.rows_affected())
            }
            .boxed()
        })
        .await
    }
}

async fn insert_once(tx: &mut Tx, now: i64, request: &Request, rows: &[NewRow], by: &Actor) -> Done<Once> {
    let foreseen: Vec<_> = rows.iter().map(|row| Inserted { id: row.id, duplicate: false }).collect();
    let taken = sqlx::query(include_str!("request_take.sql"))
        .bind(request.key.to_vec())
        .bind(request.fingerprint.to_vec())
        .bind(serde_json::to_string(&foreseen)?)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    if taken.rows_affected() == 0 {
        let found = sqlx::query(include_str!("request_find.sql"))
            .bind(request.key.to_vec())
            .fetch_optional(&mut *tx)
            .await?;
        return match found {
            Some(found) if found.try_get::<&[u8], _>(0)? == request.fingerprint => {
                Ok(Once::Again(serde_json::from_str(found.try_get(1)?)?))
            }
            Some(_) => Ok(Once::Other),
            // It cannot be: between the two looks nobody else writes.
            None => Err(StoreError::Refused("the request was forgotten just now; try again".into()).into()),
        };
    }
    let inserted = insert::insert(tx, now, rows, by).await?;
    if inserted != foreseen {
        sqlx::query(include_str!("request_answer.sql"))
            .bind(serde_json::to_string(&inserted)?)
            .bind(request.key.to_vec())
            .execute(tx)
            .await?;
    }
    Ok(Once::Done(inserted))
}
