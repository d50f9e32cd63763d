//! The list of models. Whoever writes to it takes one lock, so that versions follow each other and a name has one
//! champion: models come by the day, and a wait is short.

use async_trait::async_trait;
use futures::{FutureExt, TryFutureExt};
use jobkit::models::{is_known, promotion};
use jobkit::{JobId, ModelRecord, NewModel, Standing, StandingChange};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, PgExecutor, Row};

use super::rows::{self, Micros};
use super::{LONG, PostgresStore, audit_log, contention, failed, requests, within};
use store::models::{check_model, model_added, model_promoted, unknown_model};
use store::{
    Actor, Attempting, DEFAULT_PAGE, Held, ModelFilter, Models, Once, Promoter, Request, Result, StoreError,
};

const ADDING: &str = "taking in a model";
const PROMOTING: &str = "promoting a model";
const LISTING: &str = "listing models";

#[async_trait]
impl Models for PostgresStore {
    async fn model_add(&self, attempt: &Attempting, model: &NewModel) -> Result<ModelRecord> {
        check_model(model)?;
        let added = contention::patiently(ADDING, || add(self, attempt, model).boxed());
        self.answered(ADDING, added).await
    }

    async fn model_promote(&self, by: &Promoter, id: &str) -> Result<Vec<StandingChange>> {
        let promoted = contention::patiently(PROMOTING, || promote_alone(self, by, id).boxed());
        self.answered(PROMOTING, promoted).await
    }

    async fn model_promote_once(
        &self,
        request: &Request,
        id: &str,
        by: &Actor,
    ) -> Result<Once<Vec<StandingChange>>> {
        let by = Promoter::Person(by.clone());
        let promoted = contention::patiently(PROMOTING, || promote_once(self, request, id, &by).boxed());
        within(LONG, PROMOTING, promoted).await
    }

    async fn models(&self, filter: &ModelFilter) -> Result<Vec<ModelRecord>> {
        within(LONG, LISTING, list(&self.cold, filter, LISTING)).await
    }
}

async fn add(store: &PostgresStore, attempt: &Attempting, model: &NewModel) -> Result<ModelRecord> {
    let mut session = store.cold.acquire().await.map_err(failed(ADDING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(ADDING))?;
    lock(&mut tx, ADDING).await?;
    hold(&mut tx, attempt.held, ADDING).await?;
    let record = match find(&mut tx, &model.id, ADDING).await? {
        Some(known) => is_known(&known.model, model).map(|()| known).map_err(StoreError::Refused)?,
        None => {
            insert(&mut tx, store.time(), attempt.held.job, model).await?;
            stand(&mut tx, store.time(), &attempt.by, &[(&model.id, Standing::Challenger)]).await?;
            let added = find(&mut tx, &model.id, ADDING).await?.ok_or_else(|| unknown_model(&model.id))?;
            audit_log::append_on(&mut tx, store.time(), &model_added(&added, attempt)).await?;
            added
        }
    };
    tx.commit().await.map_err(failed(ADDING))?;
    session.keep();
    Ok(record)
}

async fn promote_alone(store: &PostgresStore, by: &Promoter, id: &str) -> Result<Vec<StandingChange>> {
    let mut session = store.cold.acquire().await.map_err(failed(PROMOTING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(PROMOTING))?;
    let changes = promote(&mut tx, store.time(), by, id).await?;
    tx.commit().await.map_err(failed(PROMOTING))?;
    session.keep();
    Ok(changes)
}

async fn promote_once(
    store: &PostgresStore,
    request: &Request,
    id: &str,
    by: &Promoter,
) -> Result<Once<Vec<StandingChange>>> {
    let mut session = store.cold.acquire().await.map_err(failed(PROMOTING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(PROMOTING))?;
    let once = match requests::take(&mut tx, store.time(), request, &Vec::new()).await? {
        Some(known) => known,
        None => {
            let changes = promote(&mut tx, store.time(), by, id).await?;
            requests::answer(&mut tx, request, &changes).await?;
            Once::Done(changes)
        }
    };
    tx.commit().await.map_err(failed(PROMOTING))?;
    session.keep();
    Ok(once)
}

async fn promote(
    tx: &mut PgConnection,
    time: Option<Micros>,
    by: &Promoter,
    id: &str,
) -> Result<Vec<StandingChange>> {
    lock(tx, PROMOTING).await?;
    if let Promoter::Attempt(attempt) = by {
        hold(tx, attempt.held, PROMOTING).await?;
    }
    let chosen = find(tx, id, PROMOTING).await?.ok_or_else(|| unknown_model(id))?;
    let of_name = list(&mut *tx, &ModelFilter::named(&chosen.model.name), PROMOTING).await?;
    let changes = promotion(&of_name, id).ok_or_else(|| unknown_model(id))?;
    let stands: Vec<_> = changes.iter().map(|change| (change.id.as_str(), change.to)).collect();
    if let Some(promoted) = model_promoted(&chosen, &changes, by) {
        stand(tx, time, by.actor(), &stands).await?;
        audit_log::append_on(tx, time, &promoted).await?;
    }
    Ok(changes)
}

async fn lock(tx: &mut PgConnection, doing: &'static str) -> Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('compline.model'))")
        .execute(tx)
        .await
        .map_err(failed(doing))?;
    Ok(())
}

async fn hold(tx: &mut PgConnection, held: Held, doing: &'static str) -> Result<()> {
    let held = sqlx::query(include_str!("holds.sql"))
        .bind(held.job.0)
        .bind(held.fence.0)
        .bind(held.worker.0)
        .fetch_optional(tx)
        .await
        .map_err(failed(doing))?;
    held.map(drop).ok_or(StoreError::LeaseLost)
}

async fn insert(tx: &mut PgConnection, time: Option<Micros>, job: JobId, model: &NewModel) -> Result<()> {
    sqlx::query(include_str!("model_insert.sql"))
        .bind(time)
        .bind(&model.id)
        .bind(&model.sha256)
        .bind(&model.name)
        .bind(&model.schema_sha256)
        .bind(model.window.map(|(from, _)| from.to_string()))
        .bind(model.window.map(|(_, to)| to.to_string()))
        .bind(i64::try_from(model.entries).unwrap_or(i64::MAX))
        .bind(&model.path)
        .bind(job.0)
        .execute(tx)
        .await
        .map_err(failed(ADDING))?;
    Ok(())
}

async fn stand(
    tx: &mut PgConnection,
    time: Option<Micros>,
    by: &Actor,
    stands: &[(&str, Standing)],
) -> Result<()> {
    let (models, standings): (Vec<&str>, Vec<&str>) =
        stands.iter().map(|(model, standing)| (*model, standing.name())).unzip();
    sqlx::query(include_str!("model_stand.sql"))
        .bind(time)
        .bind(&by.name)
        .bind(models)
        .bind(standings)
        .execute(tx)
        .await
        .map_err(failed("writing down where a model stands"))?;
    Ok(())
}

async fn find(tx: &mut PgConnection, id: &str, doing: &'static str) -> Result<Option<ModelRecord>> {
    let only = ModelFilter { id: Some(id.into()), ..ModelFilter::default() };
    Ok(list(tx, &only, doing).await?.pop())
}

async fn list(
    from: impl PgExecutor<'_>,
    filter: &ModelFilter,
    doing: &'static str,
) -> Result<Vec<ModelRecord>> {
    let rows = sqlx::query(include_str!("models.sql"))
        .bind(&filter.id)
        .bind((!filter.names.is_empty()).then_some(&filter.names))
        .bind(&filter.before)
        .bind(rows::count(filter.limit.unwrap_or(DEFAULT_PAGE)))
        .fetch_all(from)
        .map_err(failed(doing))
        .await?;
    rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(failed(doing))
}

fn record(row: &PgRow) -> sqlx::Result<ModelRecord> {
    let bad = |problem: String| sqlx::Error::Decode(problem.into());
    let day = |column: &str| -> sqlx::Result<Option<jiff::civil::Date>> {
        let text: Option<&str> = row.try_get(column)?;
        text.map(str::parse).transpose().map_err(|error: jiff::Error| sqlx::Error::Decode(error.into()))
    };
    Ok(ModelRecord {
        model: NewModel {
            id: row.try_get("id")?,
            sha256: row.try_get("sha256")?,
            name: row.try_get("name")?,
            schema_sha256: row.try_get("schema_sha256")?,
            window: day("window_from")?.zip(day("window_to")?),
            entries: row.try_get::<i64, _>("entries")?.unsigned_abs(),
            path: row.try_get("path")?,
        },
        version: row.try_get::<i32, _>("version")?.unsigned_abs(),
        standing: row.try_get::<&str, _>("standing")?.parse().map_err(bad)?,
        made_by: JobId(row.try_get("made_by")?),
        made_at: rows::time(row, "made_at")?.unwrap_or_default(),
    })
}
