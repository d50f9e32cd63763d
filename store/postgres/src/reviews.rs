//! What people decided on the items of a job's result.

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::JobId;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres, Row};

use super::rows::{self, Micros};
use super::tenants::Asker;
use super::{LONG, PostgresStore, contention, failed, insert, requests, within};
use store::reviews::review_details;
use store::{NewReview, Once, Request, Result, ReviewFilter, ReviewRow, Reviewed, Reviewer, Reviews, Scope};

const REVIEWING: &str = "writing down what was decided";
const LISTING: &str = "listing what was decided";

#[async_trait]
impl Reviews for PostgresStore {
    async fn review(
        &self,
        scope: &Scope,
        job: JobId,
        reviews: &[NewReview],
        by: &Reviewer,
    ) -> Result<Reviewed> {
        let asker = self.asker(scope).await?;
        let review = contention::patiently(REVIEWING, || review(self, &asker, job, reviews, by).boxed());
        within(LONG, REVIEWING, review).await
    }

    async fn review_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        reviews: &[NewReview],
        by: &Reviewer,
    ) -> Result<Once<Reviewed>> {
        let (asker, request) = (self.asker(scope).await?, request.within(scope));
        let once = || review_once(self, &asker, &request, job, reviews, by).boxed();
        let once = contention::patiently(REVIEWING, once);
        within(LONG, REVIEWING, once).await
    }

    async fn reviews(&self, scope: &Scope, filter: &ReviewFilter) -> Result<Vec<ReviewRow>> {
        let reviews = sqlx::query(include_str!("reviews.sql"))
            .bind(filter.job.0)
            .bind((!filter.items.is_empty()).then_some(&filter.items))
            .bind(filter.before)
            .bind(rows::count(filter.limit))
            .bind(scope.bound());
        read(&within(LONG, LISTING, list(self, scope, reviews)).await?)
    }

    async fn decisions(
        &self,
        scope: &Scope,
        job: JobId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReviewRow>> {
        let decisions = sqlx::query(include_str!("review_decisions.sql"))
            .bind(job.0)
            .bind(after)
            .bind(rows::count(limit))
            .bind(scope.bound());
        read(&within(LONG, LISTING, list(self, scope, decisions)).await?)
    }
}

async fn list(
    store: &PostgresStore,
    scope: &Scope,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<PgRow>> {
    let mut reader = store.reader(scope).await?;
    let rows = reader.all(query).await.map_err(failed(LISTING))?;
    reader.done().await.map_err(failed(LISTING))?;
    Ok(rows)
}

async fn review(
    store: &PostgresStore,
    asker: &Asker<'_>,
    job: JobId,
    reviews: &[NewReview],
    by: &Reviewer,
) -> Result<Reviewed> {
    let mut session = store.cold.acquire().await.map_err(failed(REVIEWING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(REVIEWING))?;
    let reviewed = write(&mut tx, asker, store.time(), job, reviews, by).await?;
    tx.commit().await.map_err(failed(REVIEWING))?;
    session.keep();
    Ok(reviewed)
}

async fn review_once(
    store: &PostgresStore,
    asker: &Asker<'_>,
    request: &Request,
    job: JobId,
    reviews: &[NewReview],
    by: &Reviewer,
) -> Result<Once<Reviewed>> {
    let mut session = store.cold.acquire().await.map_err(failed(REVIEWING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(REVIEWING))?;
    let once = match requests::take(&mut tx, store.time(), request, &Vec::<Timestamp>::new()).await? {
        // Every answer is kept as a list; this one has one member.
        Some(known) => known.map(|at| at.first().map_or(Reviewed::NotCompleted, |at| Reviewed::At(*at))),
        None => {
            let reviewed = write(&mut tx, asker, store.time(), job, reviews, by).await?;
            let Reviewed::At(at) = reviewed else {
                tx.rollback().await.map_err(failed(REVIEWING))?;
                session.keep();
                return Ok(Once::Done(reviewed));
            };
            requests::answer(&mut tx, request, &[at]).await?;
            Once::Done(reviewed)
        }
    };
    tx.commit().await.map_err(failed(REVIEWING))?;
    session.keep();
    Ok(once)
}

async fn write(
    tx: &mut PgConnection,
    asker: &Asker<'_>,
    time: Option<Micros>,
    job: JobId,
    reviews: &[NewReview],
    by: &Reviewer,
) -> Result<Reviewed> {
    asker.hold(tx).await?;
    let completed = sqlx::query(include_str!("review_completed.sql"))
        .bind(job.0)
        .bind(asker.bound())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed(REVIEWING))?;
    asker.let_go(tx).await?;
    if completed.is_none() {
        return Ok(Reviewed::NotCompleted);
    }
    let items: Vec<&str> = reviews.iter().map(|review| review.item.as_str()).collect();
    let decisions: Vec<&str> = reviews.iter().map(|review| review.decision.name()).collect();
    let comment = |review: &'_ NewReview| review.comment.as_ref().map(|comment| comment.text.clone());
    let comments: Vec<Option<String>> = reviews.iter().map(comment).collect();
    let written = sqlx::query(include_str!("review_insert.sql"))
        .bind(time)
        .bind(job.0)
        .bind(&by.by)
        .bind(&by.actor.name)
        .bind(items)
        .bind(decisions)
        .bind(comments)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed(REVIEWING))?;
    let details = Some(review_details(reviews, by));
    insert::audit(tx, time, &by.actor, "job.reviewed", "job", "ok", &[job.0], details).await?;
    let at = written.first().map(|row| rows::time(row, "at")).transpose().map_err(failed(REVIEWING))?;
    Ok(at.flatten().map_or(Reviewed::NotCompleted, Reviewed::At))
}

fn read(rows: &[PgRow]) -> Result<Vec<ReviewRow>> {
    rows.iter().map(review_row).collect::<sqlx::Result<_>>().map_err(failed(LISTING))
}

fn review_row(row: &PgRow) -> sqlx::Result<ReviewRow> {
    let bad = |problem: String| sqlx::Error::Decode(problem.into());
    Ok(ReviewRow {
        seq: row.try_get("seq")?,
        item: row.try_get("item")?,
        decision: row.try_get::<&str, _>("decision")?.parse().map_err(bad)?,
        comment: row.try_get("comment")?,
        by: row.try_get("by_whom")?,
        actor: row.try_get("actor")?,
        at: rows::time(row, "at")?.unwrap_or_default(),
    })
}
