//! A request and what it asks for, in one transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::JobId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;

use super::row::micros;
use super::writer::{Done, Tx};
use super::{SqliteStore, change, insert, schedules};
use store::requests::{Once, Request, Requests};
use store::schedules::{Fired, Firing};
use store::{Actor, Change, Changed, JobFilter, NewRow, Result, Scope, Woken};

#[async_trait]
impl Requests for SqliteStore {
    async fn insert_once(
        &self,
        scope: &Scope,
        request: &Request,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Once> {
        let (request, scope) = (request.within(scope), scope.clone());
        let (owned, by) = (rows.to_vec(), by.clone());
        self.write("enqueueing jobs once", move |tx, now| {
            async move { insert_once(tx, &scope, now, &request, &owned, &by).await }.boxed()
        })
        .await
    }

    async fn fire_once(
        &self,
        scope: &Scope,
        request: &Request,
        firing: &Firing,
        by: &Actor,
    ) -> Result<Once<Fired>> {
        let (request, scope) = (request.within(scope), scope.clone());
        let (firing, by) = (firing.clone(), by.clone());
        let (once, changed, queues) = self
            .write("firing a schedule once", move |tx, now| {
                async move {
                    let nothing = (Changed::default(), BTreeSet::new());
                    match known(tx, &request).await? {
                        Some(Once::Done(fired) | Once::Again(fired)) => {
                            return Ok((Once::Again(Fired::Enqueued(fired)), nothing.0, nothing.1));
                        }
                        Some(Once::Other) => return Ok((Once::Other, nothing.0, nothing.1)),
                        None => {}
                    }
                    let (fired, changed, queues) = schedules::fire(tx, &scope, now, &firing, &by).await?;
                    if let Fired::Enqueued(made) = &fired {
                        keep(tx, now, &request, made).await?;
                    }
                    Ok((Once::Done(fired), changed, queues))
                }
                .boxed()
            })
            .await?;
        if !changed.asked.is_empty() {
            self.bell.ring(&Woken::Cancel);
        }
        self.bell.ring_for(queues.into_iter().chain(changed.woken));
        Ok(once)
    }

    async fn change_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        change: Change,
        by: &Actor,
    ) -> Result<Once<Changed>> {
        let (request, scope, by) = (request.within(scope), scope.clone(), by.clone());
        let once = self
            .write("changing a job once", move |tx, now| {
                async move {
                    // Every answer is kept as a list; this one has one member.
                    if let Some(known) = known::<Vec<Changed>>(tx, &request).await? {
                        return Ok(known.map(|changed| changed.into_iter().next().unwrap_or_default()));
                    }
                    let filter = JobFilter { ids: vec![job], ..JobFilter::default() };
                    let changed = change::change(tx, &scope, now, &filter, change, &by, 1).await?;
                    if !changed.ids.is_empty() || !changed.asked.is_empty() {
                        keep(tx, now, &request, &[&changed]).await?;
                    }
                    Ok(Once::Done(changed))
                }
                .boxed()
            })
            .await?;
        if matches!(&once, Once::Done(changed) if !changed.asked.is_empty()) {
            self.bell.ring(&Woken::Cancel);
        }
        Ok(once)
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

async fn insert_once(
    tx: &mut Tx,
    scope: &Scope,
    now: i64,
    request: &Request,
    rows: &[NewRow],
    by: &Actor,
) -> Done<Once> {
    if let Some(known) = known(tx, request).await? {
        return Ok(known);
    }
    let inserted = insert::insert(tx, scope, now, rows, by).await?;
    keep(tx, now, request, &inserted).await?;
    Ok(Once::Done(inserted))
}

/// What became of the key, if somebody has it. Between this and [`keep`] nobody else writes.
pub(super) async fn known<T: DeserializeOwned>(tx: &mut Tx, request: &Request) -> Done<Option<Once<T>>> {
    let found =
        sqlx::query(include_str!("request_find.sql")).bind(request.key.to_vec()).fetch_optional(tx).await?;
    match found {
        Some(found) if found.try_get::<&[u8], _>(0)? == request.fingerprint => {
            Ok(Some(Once::Again(serde_json::from_str(found.try_get(1)?)?)))
        }
        Some(_) => Ok(Some(Once::Other)),
        None => Ok(None),
    }
}

pub(super) async fn keep<T: Serialize>(tx: &mut Tx, now: i64, request: &Request, told: &T) -> Done<()> {
    sqlx::query(include_str!("request_take.sql"))
        .bind(request.key.to_vec())
        .bind(request.fingerprint.to_vec())
        .bind(serde_json::to_string(told)?)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}
