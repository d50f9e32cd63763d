//! A request and what it asks for, in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::JobId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Connection, PgConnection, Row};

use super::rows::{Micros, count, micros};
use super::tenants::Asker;
use super::{LONG, PostgresStore, change, contention, failed, insert, schedules, within};
use store::requests::{Once, Request, Requests};
use store::schedules::{Fired, Firing};
use store::{Actor, Change, Changed, Inserted, JobFilter, NewRow, Result, Scope, StoreError};

const DOING: &str = "carrying out a request once";

#[async_trait]
impl Requests for PostgresStore {
    async fn insert_once(
        &self,
        scope: &Scope,
        request: &Request,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Once> {
        let (asker, request) = (self.asker(scope).await?, request.within(scope));
        let once = || insert_once(self, &asker, &request, rows, by).boxed();
        let once = contention::patiently(DOING, once);
        let once = within(self.limit_for(rows.len()), DOING, once).await?;
        if matches!(once, Once::Done(_)) {
            self.tell_of(rows).await;
        }
        Ok(once)
    }

    async fn fire_once(
        &self,
        scope: &Scope,
        request: &Request,
        firing: &Firing,
        by: &Actor,
    ) -> Result<Once<Fired>> {
        let (asker, request) = (self.asker(scope).await?, request.within(scope));
        let once = || fire_once(self, &asker, &request, firing, by).boxed();
        let once = contention::patiently(DOING, once);
        let (once, changed) = within(self.limit_for(firing.jobs.len()), DOING, once).await?;
        if !changed.asked.is_empty() {
            self.tell_if_possible(&["cancel".into()]).await;
        }
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
        let (asker, request) = (self.asker(scope).await?, request.within(scope));
        let once = || change_once(self, &asker, &request, job, change, by).boxed();
        let once = contention::patiently(DOING, once);
        let once = within(LONG, DOING, once).await?;
        if matches!(&once, Once::Done(changed) if !changed.asked.is_empty()) {
            self.tell_if_possible(&["cancel".into()]).await;
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

async fn insert_once(
    store: &PostgresStore,
    asker: &Asker<'_>,
    request: &Request,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Once> {
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let foreseen = insert::fresh(rows);
    let once = match take(&mut tx, store.time(), request, &foreseen).await? {
        Some(known) => known,
        None => {
            let inserted = insert::insert(&mut tx, asker, store.time(), rows, by).await?;
            if inserted != foreseen {
                answer(&mut tx, request, &inserted).await?;
            }
            Once::Done(inserted)
        }
    };
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(once)
}

async fn fire_once(
    store: &PostgresStore,
    asker: &Asker<'_>,
    request: &Request,
    firing: &Firing,
    by: &Actor,
) -> Result<(Once<Fired>, Changed)> {
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let known = take(&mut tx, store.time(), request, &Vec::<(Timestamp, Inserted)>::new()).await?;
    let (once, changed) = match known {
        Some(Once::Again(fired) | Once::Done(fired)) => {
            (Once::Again(Fired::Enqueued(fired)), Changed::default())
        }
        Some(Once::Other) => (Once::Other, Changed::default()),
        None => {
            let (fired, changed) = schedules::fire_within(&mut tx, asker, store.time(), firing, by).await?;
            match &fired {
                Fired::Enqueued(made) => answer(&mut tx, request, made).await?,
                Fired::Lost => {
                    tx.rollback().await.map_err(failed(DOING))?;
                    session.keep();
                    return Ok((Once::Done(fired), changed));
                }
            }
            (Once::Done(fired), changed)
        }
    };
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok((once, changed))
}

async fn change_once(
    store: &PostgresStore,
    asker: &Asker<'_>,
    request: &Request,
    job: JobId,
    change: Change,
    by: &Actor,
) -> Result<Once<Changed>> {
    let filter = JobFilter { ids: vec![job], ..JobFilter::default() };
    let able = change::able(store, asker.scope, &filter, change, 1).await?;
    let mut session = store.cold.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(DOING))?;
    let once = match take(&mut tx, store.time(), request, &Vec::<Changed>::new()).await? {
        // Every answer is kept as a list; this one has one member.
        Some(known) => known.map(|changed| changed.into_iter().next().unwrap_or_default()),
        None => {
            let changed =
                change::change_within(&mut tx, asker, store.time(), &able, &filter, change, by).await?;
            if changed.ids.is_empty() && changed.asked.is_empty() {
                tx.rollback().await.map_err(failed(DOING))?;
                session.keep();
                return Ok(Once::Done(changed));
            }
            answer(&mut tx, request, &[&changed]).await?;
            Once::Done(changed)
        }
    };
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(once)
}

/// Takes the key with the answer that is foreseen, unless somebody has it: then this is what became of it.
pub async fn take<T: Serialize + DeserializeOwned>(
    tx: &mut PgConnection,
    time: Option<Micros>,
    request: &Request,
    foreseen: &T,
) -> Result<Option<Once<T>>> {
    let taken = sqlx::query(include_str!("request_take.sql"))
        .bind(time)
        .bind(request.key.as_slice())
        .bind(request.fingerprint.as_slice())
        .bind(text(foreseen)?)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    if taken.rows_affected() > 0 {
        return Ok(None);
    }
    let found = sqlx::query(include_str!("request_find.sql"))
        .bind(request.key.as_slice())
        .fetch_optional(tx)
        .await
        .map_err(failed(DOING))?;
    match found {
        Some(found) if found.get::<&[u8], _>(0) == request.fingerprint => {
            Ok(Some(Once::Again(serde_json::from_str(found.get(1)).map_err(unreadable)?)))
        }
        Some(_) => Ok(Some(Once::Other)),
        // Forgotten between the two looks.
        None => Err(StoreError::Refused("the request was forgotten just now; try again".into())),
    }
}

pub async fn answer<T: Serialize>(tx: &mut PgConnection, request: &Request, told: &T) -> Result<()> {
    sqlx::query(include_str!("request_answer.sql"))
        .bind(request.key.as_slice())
        .bind(text(told)?)
        .execute(tx)
        .await
        .map_err(failed(DOING))?;
    Ok(())
}

fn text<T: Serialize>(answer: &T) -> Result<String> {
    serde_json::to_string(answer).map_err(unreadable)
}

fn unreadable(cause: serde_json::Error) -> StoreError {
    StoreError::Database { doing: DOING, cause: cause.into() }
}
