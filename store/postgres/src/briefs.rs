//! Jobs as far as it takes to choose among them.

use async_trait::async_trait;
use jobkit::JobId;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::rows::text;
use super::sessions::within;
use super::{LONG, PostgresStore, failed, read};
use store::{Briefs, JobBrief, JobFilter, Result, Scope};

const DOING: &str = "listing jobs";

#[async_trait]
impl Briefs for PostgresStore {
    async fn briefs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobBrief>> {
        within(LONG, DOING, briefs(self, scope, filter)).await
    }
}

pub async fn briefs(store: &PostgresStore, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobBrief>> {
    let mut reader = store.reader(scope).await?;
    let rows = reader.all(read::filtered(include_str!("briefs.sql"), scope, filter)).await;
    let rows = rows.map_err(failed(DOING))?;
    reader.done().await.map_err(failed(DOING))?;
    rows.iter().map(brief_row).collect::<sqlx::Result<_>>().map_err(failed(DOING))
}

fn brief_row(row: &PgRow) -> sqlx::Result<JobBrief> {
    let bad = |problem: String| sqlx::Error::Decode(problem.into());
    Ok(JobBrief {
        id: JobId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        state: text(row, "state")?.unwrap_or_default().parse().map_err(bad)?,
        tenant: row.try_get("tenant")?,
        bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
    })
}
