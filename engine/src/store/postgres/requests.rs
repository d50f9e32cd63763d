//! A request and what it asks for, in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use sqlx::{Connection, Row};

use super::rows::{count, micros};
use super::{PostgresStore, contention, failed, insert, within};
use crate::store::requests::{Once, Request, Requests};
use crate::store::{Actor, Inserted, NewRow, Result, StoreError};

const DOING: &str = "enqueueing jobs once";

#[async_trait]
impl Requests for PostgresStore {
    async fn insert_once(&self, request: &Request, rows: &[NewRow], by: &Actor) -> Result<Once> {
        let once = contention::patiently(DOING, || insert_once(self, request, rows, by).boxed());
        let once = within(self.limit_for(rows.len()), DOING, once).await?;
        if matches!(once, Once::Done(_)) {
            self.tell_of(rows).await;
        }
        Ok(once)
    }

    async fn forget_requests(&self, older_than: Duration, limit: usize) -> Result<u64> {
        let doing = "forgetting old requests";
        let forgotten = async {
            let done = sqlx::query(include_str!("request_forget.sql"))
                .bind(self.time())
                .bind(micros(older_than))
                .bind(count(limit))
                .execute(&self.cold)
                .await;
            done.map(|done| done.rows_affected()).map_err(failed(doing))
        };
        self.answered(doing, forgotten).await
    }
}

async fn insert_once(store: &PostgresStore, request: &Request, rows: &[NewRow], by: &Actor) -> Result<Once> {
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let foreseen = insert::fresh(rows);
    let taken = sqlx::query(include_str!("request_take.sql"))
        .bind(store.time())
        .bind(request.key.as_slice())
        .bind(request.fingerprint.as_slice())
        .bind(text(&foreseen)?)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    let once = match taken.rows_affected() {
        0 => {
            let found = sqlx::query(include_str!("request_find.sql"))
                .bind(request.key.as_slice())
                .fetch_optional(&mut *tx)
                .await
                .map_err(failed(DOING))?;
            match found {
                Some(found) if found.get::<&[u8], _>(0) == request.fingerprint => {
                    let answer = serde_json::from_str(found.get(1)).map_err(unreadable)?;
                    Once::Again(answer)
                }
                Some(_) => Once::Other,
                // Forgotten between the two looks.
                None => {
                    return Err(StoreError::Refused("the request was forgotten just now; try again".into()));
                }
            }
        }
        _ => {
            let inserted = insert::insert(&mut tx, store.time(), rows, by).await?;
            if inserted != foreseen {
                sqlx::query(include_str!("request_answer.sql"))
                    .bind(request.key.as_slice())
                    .bind(text(&inserted)?)
                    .execute(&mut *tx)
                    .await
                    .map_err(failed(DOING))?;
            }
            Once::Done(inserted)
        }
    };
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(once)
}

fn text(answer: &[Inserted]) -> Result<String> {
    serde_json::to_string(answer).map_err(unreadable)
}

fn unreadable(cause: serde_json::Error) -> StoreError {
    StoreError::Database { doing: DOING, cause: cause.into() }
}
