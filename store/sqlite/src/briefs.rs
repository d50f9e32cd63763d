//! Jobs as far as it takes to choose among them.

use std::cmp::Reverse;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, SqliteConnection};

use super::SqliteStore;
use super::read::{self, Table};
use super::row::RowExt;
use super::writer::Done;
use store::{Briefs, DEFAULT_PAGE, JobBrief, JobFilter, Result, Scope};

const LIVE: &str = include_str!("briefs_live.sql");
const ENDED: &str = include_str!("briefs_ended.sql");

#[async_trait]
impl Briefs for SqliteStore {
    async fn briefs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobBrief>> {
        self.read("listing jobs", async |connection| {
            let mut snapshot = connection.begin().await?;
            let briefs = briefs(&mut snapshot, scope, filter, filter.limit.unwrap_or(DEFAULT_PAGE)).await?;
            snapshot.commit().await?;
            Ok(briefs)
        })
        .await
    }
}

/// Newest first, from both tables.
pub(super) async fn briefs(
    connection: &mut SqliteConnection,
    scope: &Scope,
    filter: &JobFilter,
    limit: usize,
) -> Done<Vec<JobBrief>> {
    let mut found = Vec::new();
    for (sql, table) in [(LIVE, Table::Live), (ENDED, Table::Ended)] {
        let Some(mut query) = read::filtered(sql, scope, filter, table, limit)? else { continue };
        let rows = query.build().fetch_all(&mut *connection).await?;
        found.extend(rows.iter().map(brief_row).collect::<Done<Vec<_>>>()?);
    }
    found.sort_by_key(|job| Reverse(job.id));
    found.truncate(limit);
    Ok(found)
}

fn brief_row(row: &SqliteRow) -> Done<JobBrief> {
    Ok(JobBrief {
        id: row.id("id")?,
        kind: row.text("kind")?,
        queue: row.text("queue")?,
        state: row.state("state")?,
        tenant: row.text_if_any("tenant")?,
        bytes: row.small("bytes")?,
    })
}
