//! The list of models. One process writes at a time, so versions follow each other and a name has one champion.

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::models::{is_known, promotion};
use jobkit::{JobId, ModelRecord, NewModel, Standing, StandingChange};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::row::RowExt;
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, audit, requests};
use store::models::{check_model, model_added, model_promoted, unknown_model};
use store::{
    Actor, Attempting, DEFAULT_PAGE, Held, ModelFilter, Models, Once, Promoter, Request, Result, StoreError,
};

pub(super) const HOLDS: &str = include_str!("holds.sql");
pub(super) const MODELS: &str = include_str!("models.sql");

#[async_trait]
impl Models for SqliteStore {
    async fn model_add(&self, attempt: &Attempting, model: &NewModel) -> Result<ModelRecord> {
        check_model(model)?;
        let (attempt, model) = (attempt.clone(), model.clone());
        self.write("taking in a model", move |tx, now| {
            async move { add(tx, now, &attempt, &model).await }.boxed()
        })
        .await
    }

    async fn model_promote(&self, by: &Promoter, id: &str) -> Result<Vec<StandingChange>> {
        let (by, id) = (by.clone(), id.to_owned());
        self.write("promoting a model", move |tx, now| {
            async move { promote(tx, now, &by, &id).await }.boxed()
        })
        .await
    }

    async fn model_promote_once(
        &self,
        request: &Request,
        id: &str,
        by: &Actor,
    ) -> Result<Once<Vec<StandingChange>>> {
        let (request, id, by) = (*request, id.to_owned(), Promoter::Person(by.clone()));
        self.write("promoting a model", move |tx, now| {
            async move {
                if let Some(known) = requests::known(tx, &request).await? {
                    return Ok(known);
                }
                let changes = promote(tx, now, &by, &id).await?;
                requests::keep(tx, now, &request, &changes).await?;
                Ok(Once::Done(changes))
            }
            .boxed()
        })
        .await
    }

    async fn models(&self, filter: &ModelFilter) -> Result<Vec<ModelRecord>> {
        self.read("listing models", async |connection| list(connection, filter).await).await
    }
}

async fn add(tx: &mut Tx, now: i64, attempt: &Attempting, model: &NewModel) -> Done<ModelRecord> {
    hold(tx, attempt.held).await?;
    if let Some(known) = find(tx, &model.id).await? {
        return is_known(&known.model, model).map(|()| known).map_err(|why| StoreError::Refused(why).into());
    }
    insert(tx, now, attempt.held.job, model).await?;
    stand(tx, now, &attempt.by, &[(&model.id, Standing::Challenger)]).await?;
    let added = find(tx, &model.id).await?.ok_or_else(|| unknown_model(&model.id))?;
    audit::entry(tx, now, &model_added(&added, attempt)).await?;
    Ok(added)
}

async fn promote(tx: &mut Tx, now: i64, by: &Promoter, id: &str) -> Done<Vec<StandingChange>> {
    if let Promoter::Attempt(attempt) = by {
        hold(tx, attempt.held).await?;
    }
    let chosen = find(tx, id).await?.ok_or_else(|| unknown_model(id))?;
    let of_name = list(tx, &ModelFilter::named(&chosen.model.name)).await?;
    let changes = promotion(&of_name, id).ok_or_else(|| unknown_model(id))?;
    let stands: Vec<_> = changes.iter().map(|change| (change.id.as_str(), change.to)).collect();
    if let Some(promoted) = model_promoted(&chosen, &changes, by) {
        stand(tx, now, by.actor(), &stands).await?;
        audit::entry(tx, now, &promoted).await?;
    }
    Ok(changes)
}

async fn hold(tx: &mut Tx, held: Held) -> Done<()> {
    let held =
        sqlx::query(HOLDS).bind(held.job.0).bind(held.fence.0).bind(held.worker.0).fetch_optional(tx).await?;
    held.map(drop).ok_or_else(|| StoreError::LeaseLost.into())
}

async fn insert(tx: &mut Tx, now: i64, job: JobId, model: &NewModel) -> Done<()> {
    let model = model.clone();
    sqlx::query(include_str!("model_insert.sql"))
        .bind(now)
        .bind(model.id)
        .bind(model.sha256)
        .bind(model.name)
        .bind(model.schema_sha256)
        .bind(model.window.map(|(from, _)| from.to_string()))
        .bind(model.window.map(|(_, to)| to.to_string()))
        .bind(i64::try_from(model.entries).unwrap_or(i64::MAX))
        .bind(model.path)
        .bind(job.0)
        .execute(tx)
        .await?;
    Ok(())
}

async fn stand(tx: &mut Tx, now: i64, by: &Actor, stands: &[(&str, Standing)]) -> Done<()> {
    let stands: Vec<_> = stands.iter().map(|(model, standing)| json!([model, standing.name()])).collect();
    sqlx::query(include_str!("model_stand.sql"))
        .bind(now)
        .bind(by.name.clone())
        .bind(json!(stands).to_string())
        .execute(tx)
        .await?;
    Ok(())
}

async fn find(connection: &mut SqliteConnection, id: &str) -> Done<Option<ModelRecord>> {
    let only = ModelFilter { id: Some(id.into()), ..ModelFilter::default() };
    Ok(list(connection, &only).await?.pop())
}

async fn list(connection: &mut SqliteConnection, filter: &ModelFilter) -> Done<Vec<ModelRecord>> {
    let rows = sqlx::query(MODELS)
        .bind(filter.id.clone())
        .bind((!filter.names.is_empty()).then(|| json!(filter.names).to_string()))
        .bind(filter.before.clone())
        .bind(i64::try_from(filter.limit.unwrap_or(DEFAULT_PAGE)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter().map(record).collect()
}

fn record(row: &SqliteRow) -> Done<ModelRecord> {
    let bad = |problem: Box<dyn std::error::Error + Send + Sync>| Abort::Sql(sqlx::Error::Decode(problem));
    let day = |column: &str| -> Done<Option<jiff::civil::Date>> {
        let text: Option<&str> = row.try_get(column)?;
        text.map(str::parse).transpose().map_err(|error: jiff::Error| bad(error.into()))
    };
    Ok(ModelRecord {
        model: NewModel {
            id: row.text("id")?,
            sha256: row.text("sha256")?,
            name: row.text("name")?,
            schema_sha256: row.text("schema_sha256")?,
            window: day("window_from")?.zip(day("window_to")?),
            entries: row.small("entries")?,
            path: row.text("path")?,
        },
        version: row.small("version")?,
        standing: row.text("standing")?.parse().map_err(|problem: String| bad(problem.into()))?,
        made_by: row.id("made_by")?,
        made_at: row.time("made_at")?,
    })
}
