//! What people decided on the items of a job's result.

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::JobId;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::row::{RowExt, bound};
use super::writer::{Abort, Done, Tx};
use super::{SqliteStore, audit, requests};
use store::reviews::review_details;
use store::{NewReview, Once, Request, Result, ReviewFilter, ReviewRow, Reviewed, Reviewer, Reviews, Scope};

const REVIEWING: &str = "writing down what was decided";
const LISTING: &str = "listing what was decided";
pub(super) const REVIEWS: &str = include_str!("reviews.sql");
pub(super) const DECISIONS: &str = include_str!("review_decisions.sql");

#[async_trait]
impl Reviews for SqliteStore {
    async fn review(
        &self,
        scope: &Scope,
        job: JobId,
        reviews: &[NewReview],
        by: &Reviewer,
    ) -> Result<Reviewed> {
        let (scope, reviews, by) = (scope.clone(), reviews.to_vec(), by.clone());
        self.write(REVIEWING, move |tx, now| {
            async move { write(tx, &scope, now, job, &reviews, &by).await }.boxed()
        })
        .await
    }

    async fn review_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        reviews: &[NewReview],
        by: &Reviewer,
    ) -> Result<Once<Reviewed>> {
        let (request, scope) = (request.within(scope), scope.clone());
        let (reviews, by) = (reviews.to_vec(), by.clone());
        self.write(REVIEWING, move |tx, now| {
            async move {
                // Every answer is kept as a list; this one has one member.
                if let Some(known) = requests::known::<Vec<Timestamp>>(tx, &request).await? {
                    let first = |at: Vec<Timestamp>| {
                        at.first().map_or(Reviewed::NotCompleted, |at| Reviewed::At(*at))
                    };
                    return Ok(known.map(first));
                }
                let reviewed = write(tx, &scope, now, job, &reviews, &by).await?;
                if let Reviewed::At(at) = reviewed {
                    requests::keep(tx, now, &request, &[at]).await?;
                }
                Ok(Once::Done(reviewed))
            }
            .boxed()
        })
        .await
    }

    async fn reviews(&self, scope: &Scope, filter: &ReviewFilter) -> Result<Vec<ReviewRow>> {
        let items = (!filter.items.is_empty()).then(|| json!(filter.items).to_string());
        let (job, before, limit) = (filter.job, filter.before, most(filter.limit));
        let scope = bound(scope);
        self.read(LISTING, async |connection| {
            let query = sqlx::query(REVIEWS).bind(job.0).bind(items).bind(before).bind(limit).bind(scope);
            query.fetch_all(connection).await?.iter().map(review_row).collect()
        })
        .await
    }

    async fn decisions(
        &self,
        scope: &Scope,
        job: JobId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReviewRow>> {
        let (after, scope) = (after.map(str::to_owned), bound(scope));
        self.read(LISTING, async |connection| {
            let query = sqlx::query(DECISIONS).bind(job.0).bind(after).bind(most(limit)).bind(scope);
            query.fetch_all(connection).await?.iter().map(review_row).collect()
        })
        .await
    }
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

async fn write(
    tx: &mut Tx,
    scope: &Scope,
    now: i64,
    job: JobId,
    reviews: &[NewReview],
    by: &Reviewer,
) -> Done<Reviewed> {
    let completed = sqlx::query(include_str!("review_completed.sql"))
        .bind(job.0)
        .bind(bound(scope))
        .fetch_optional(&mut *tx)
        .await?;
    if completed.is_none() {
        return Ok(Reviewed::NotCompleted);
    }
    let row = |review: &NewReview| {
        let comment = review.comment.as_ref().map(|comment| &comment.text);
        json!([review.item, review.decision, comment])
    };
    let rows = reviews.iter().map(row).collect::<Vec<_>>();
    sqlx::query(include_str!("review_insert.sql"))
        .bind(now)
        .bind(job.0)
        .bind(by.by.clone())
        .bind(by.actor.name.clone())
        .bind(json!(rows).to_string())
        .execute(&mut *tx)
        .await?;
    let details = Some(review_details(reviews, by));
    audit::with_jobs(tx, now, &by.actor, "job.reviewed", "job", &[job], details).await?;
    let at = Timestamp::from_microsecond(now).map_err(|cause| unreadable(cause.into()))?;
    Ok(Reviewed::At(at))
}

fn unreadable(problem: Box<dyn std::error::Error + Send + Sync>) -> Abort {
    Abort::Sql(sqlx::Error::Decode(problem))
}

fn review_row(row: &SqliteRow) -> Done<ReviewRow> {
    Ok(ReviewRow {
        seq: row.try_get("seq")?,
        item: row.text("item")?,
        decision: row.text("decision")?.parse().map_err(|problem: String| unreadable(problem.into()))?,
        comment: row.text_if_any("comment")?,
        by: row.text_if_any("by_whom")?,
        actor: row.text("actor")?,
        at: row.time("at")?,
    })
}
