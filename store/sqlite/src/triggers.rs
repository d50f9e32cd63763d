//! What triggers have taken in: marks, in the transaction that inserts the jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::JobId;
use serde_json::json;
use sqlx::Row;

use super::row::{RowExt, hex, micros};
use super::writer::{Done, Tx};
use super::{SqliteStore, audit, insert};
use store::triggers::{Intake, Plan, SourceRow, Triggers};
use store::{Actor, Inserted, Result, Scope};

const MARKS: &str = include_str!("marks.sql");
const MARK: &str = include_str!("mark.sql");
const SEE: &str = include_str!("see_marks.sql");
const FORGET_BEFORE: &str = include_str!("forget_marks_before.sql");
const FORGET_UNSEEN: &str = include_str!("forget_marks_unseen.sql");
const FORGET_FOLLOWER: &str = include_str!("forget_follower.sql");
const SOURCES: &str = include_str!("mark_sources.sql");

#[async_trait]
impl Triggers for SqliteStore {
    async fn take(&self, source: &str, intakes: &[Intake], by: &Actor) -> Result<Vec<Inserted>> {
        let (source, intakes, by) = (source.to_owned(), intakes.to_vec(), by.clone());
        let rows = intakes.iter().flat_map(|intake| &intake.rows);
        let ready: BTreeSet<String> =
            rows.filter(|row| row.may_be_due()).map(|row| row.queue.clone()).collect();
        let taken = self
            .write("taking in what a trigger brought", move |tx, now| {
                async move { take(tx, now, &source, &intakes, &by).await }.boxed()
            })
            .await?;
        self.bell.ring_for(ready);
        Ok(taken)
    }

    async fn taken(&self, source: &str, mark: &str) -> Result<Option<JobId>> {
        let (source, marks) = (source.to_owned(), json!([mark]).to_string());
        self.read("looking whether a trigger has taken something", async |connection| {
            let row = sqlx::query(MARKS).bind(source).bind(marks).fetch_optional(connection).await?;
            row.map(|row| row.id("job_id")).transpose()
        })
        .await
    }

    async fn see_marks(&self, source: &str, marks: &[String]) -> Result<Vec<String>> {
        let (source, marks) = (source.to_owned(), json!(marks).to_string());
        self.write("looking at what a trigger has taken", move |tx, now| {
            async move {
                let seen = sqlx::query(SEE).bind(source).bind(marks).bind(now).fetch_all(tx).await?;
                seen.iter().map(|row| row.text("mark")).collect()
            }
            .boxed()
        })
        .await
    }

    async fn forget_marks_before(&self, source: &str, mark: &str, limit: usize) -> Result<u64> {
        let (source, mark) = (source.to_owned(), mark.to_owned());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write("forgetting what a trigger has taken", move |tx, _| {
            async move {
                let forgotten =
                    sqlx::query(FORGET_BEFORE).bind(source).bind(mark).bind(limit).execute(tx).await?;
                Ok(forgotten.rows_affected())
            }
            .boxed()
        })
        .await
    }

    async fn forget_marks_unseen(&self, source: &str, unseen_for: Duration, limit: usize) -> Result<u64> {
        let source = source.to_owned();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write("forgetting what a trigger has taken", move |tx, now| {
            async move {
                let before = now.saturating_sub(micros(unseen_for));
                let forgotten =
                    sqlx::query(FORGET_UNSEEN).bind(source).bind(before).bind(limit).execute(tx).await?;
                Ok(forgotten.rows_affected())
            }
            .boxed()
        })
        .await
    }

    async fn forget_follower(&self, name: &str, by: &Actor) -> Result<bool> {
        let (name, by) = (name.to_owned(), by.clone());
        self.write("forgetting the place of a chain", move |tx, now| {
            async move {
                let query = sqlx::query(FORGET_FOLLOWER).bind(name.clone());
                let done = query.execute(&mut *tx).await?.rows_affected() > 0;
                if done {
                    audit::object(tx, now, &by, "trigger.forget", &name, None).await?;
                }
                Ok(done)
            }
            .boxed()
        })
        .await
    }

    async fn mark_sources(&self) -> Result<Vec<SourceRow>> {
        self.read("listing what triggers have taken", async |connection| {
            let sources = sqlx::query(SOURCES).fetch_all(connection).await?;
            let row = |row: &sqlx::sqlite::SqliteRow| {
                let (source, marks) = (row.text("source")?, row.small("marks")?);
                Ok(SourceRow { source, marks, last_at: row.time("last_at")? })
            };
            sources.iter().map(row).collect()
        })
        .await
    }
}

async fn take(tx: &mut Tx, now: i64, source: &str, intakes: &[Intake], by: &Actor) -> Done<Vec<Inserted>> {
    let marks: Vec<&str> = intakes.iter().map(|intake| intake.mark.as_str()).collect();
    let marks = json!(marks).to_string();
    let rows = sqlx::query(MARKS).bind(source.to_owned()).bind(marks).fetch_all(&mut *tx).await?;
    let taken = rows.iter().map(|row| Ok((row.try_get("mark")?, row.id("job_id")?)));
    let mut plan = Plan::of(intakes, taken.collect::<Done<BTreeMap<String, JobId>>>()?);
    if plan.rows.is_empty() {
        return Ok(plan.answers);
    }
    let inserted = insert::insert(tx, &Scope::Installation, now, &plan.rows, by).await?;
    plan.inserted(&inserted);
    let marks: Vec<_> = plan.marks.iter().map(|(mark, job)| json!([mark, hex(*job)])).collect();
    sqlx::query(MARK).bind(source.to_owned()).bind(json!(marks).to_string()).bind(now).execute(tx).await?;
    Ok(plan.answers)
}
