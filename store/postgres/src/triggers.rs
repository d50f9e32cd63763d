//! What triggers have taken in: marks, in the transaction that inserts the jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, TryFutureExt};
use jobkit::JobId;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::rows::{self, Micros, micros};
use super::sessions::within;
use super::tenants::Asker;
use super::{LONG, PostgresStore, contention, failed, insert};
use store::triggers::{Intake, Plan, SourceRow, Triggers};
use store::{Actor, Inserted, NewRow, Result};

const TAKING: &str = "taking in what a trigger brought";

#[async_trait]
impl Triggers for PostgresStore {
    async fn take(&self, source: &str, intakes: &[Intake], by: &Actor) -> Result<Vec<Inserted>> {
        if intakes.is_empty() {
            return Ok(Vec::new());
        }
        let taking = contention::patiently(TAKING, || take_once(self, source, intakes, by).boxed());
        let limit = self.limit_for(intakes.iter().map(|intake| intake.rows.len()).sum());
        let (inserted, rows) = within(limit, TAKING, taking).await?;
        self.tell_of(&rows).await;
        Ok(inserted)
    }

    async fn taken(&self, source: &str, mark: &str) -> Result<Option<JobId>> {
        let doing = "looking whether a trigger has taken something";
        let found = async {
            let rows = sqlx::query(include_str!("marks.sql")).bind(source).bind(vec![mark]);
            rows.fetch_optional(&self.cold).await.map_err(failed(doing))
        };
        Ok(self.answered(doing, found).await?.map(|row| JobId(row.get(1))))
    }

    async fn see_marks(&self, source: &str, marks: &[String]) -> Result<Vec<String>> {
        let doing = "looking at what a trigger has taken";
        let seen = sqlx::query_scalar(include_str!("see_marks.sql"))
            .bind(self.time())
            .bind(source)
            .bind(marks)
            .fetch_all(&self.cold)
            .map_err(failed(doing));
        within(self.limit_for(marks.len()), doing, seen).await
    }

    async fn forget_marks_before(&self, source: &str, mark: &str, limit: usize) -> Result<u64> {
        let doing = "forgetting what a trigger has taken";
        let forgotten = sqlx::query(include_str!("forget_marks_before.sql"))
            .bind(source)
            .bind(mark)
            .bind(rows::count(limit))
            .execute(&self.cold)
            .map_err(failed(doing));
        Ok(within(LONG, doing, forgotten).await?.rows_affected())
    }

    async fn forget_marks_unseen(&self, source: &str, unseen_for: Duration, limit: usize) -> Result<u64> {
        let doing = "forgetting what a trigger has taken";
        let forgotten = sqlx::query(include_str!("forget_marks_unseen.sql"))
            .bind(self.time())
            .bind(source)
            .bind(micros(unseen_for))
            .bind(rows::count(limit))
            .execute(&self.cold)
            .map_err(failed(doing));
        Ok(within(LONG, doing, forgotten).await?.rows_affected())
    }

    async fn forget_follower(&self, name: &str, by: &Actor) -> Result<bool> {
        let doing = "forgetting the place of a chain";
        let forgotten = async {
            let mut session = self.cold.acquire().await.map_err(failed(doing))?;
            let mut tx = session.begin().await.map_err(failed(doing))?;
            let done = sqlx::query(include_str!("forget_follower.sql"))
                .bind(name)
                .execute(&mut *tx)
                .await
                .map_err(failed(doing))?
                .rows_affected()
                > 0;
            if done {
                insert::audit(&mut tx, self.time(), by, "trigger.forget", name, "ok", &[], None).await?;
            }
            tx.commit().await.map_err(failed(doing))?;
            session.keep();
            Ok(done)
        };
        within(LONG, doing, forgotten).await
    }

    async fn mark_sources(&self) -> Result<Vec<SourceRow>> {
        let doing = "listing what triggers have taken";
        let sources =
            sqlx::query(include_str!("mark_sources.sql")).fetch_all(&self.cold).map_err(failed(doing));
        let sources = within(LONG, doing, sources).await?;
        let row = |row: &sqlx::postgres::PgRow| SourceRow {
            source: row.get(0),
            marks: row.get::<i64, _>(1).unsigned_abs(),
            last_at: row.get::<Micros, _>(2).into(),
        };
        Ok(sources.iter().map(row).collect())
    }
}

/// In a transaction of its own; with the rows that were inserted.
async fn take_once(
    store: &PostgresStore,
    source: &str,
    intakes: &[Intake],
    by: &Actor,
) -> Result<(Vec<Inserted>, Vec<NewRow>)> {
    // Each time round somebody else has taken one of these, which the next look shows.
    loop {
        let mut session = store.hot.acquire().await.map_err(failed(TAKING))?;
        let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(TAKING))?;
        let mut plan = Plan::of(intakes, taken(&mut tx, source, intakes).await?);
        let inserted = match plan.rows.is_empty() {
            true => Vec::new(),
            false => insert::insert(&mut tx, &Asker::ENGINE, store.time(), &plan.rows, by).await?,
        };
        plan.inserted(&inserted);
        if mark(&mut tx, store.time(), source, &plan.marks).await? {
            tx.commit().await.map_err(failed(TAKING))?;
            session.keep();
            return Ok((plan.answers, plan.rows));
        }
        tx.rollback().await.map_err(failed(TAKING))?;
        session.keep();
    }
}

async fn taken(tx: &mut PgConnection, source: &str, intakes: &[Intake]) -> Result<BTreeMap<String, JobId>> {
    let marks: Vec<&str> = intakes.iter().map(|intake| intake.mark.as_str()).collect();
    let rows = sqlx::query(include_str!("marks.sql"))
        .bind(source)
        .bind(marks)
        .fetch_all(tx)
        .await
        .map_err(failed(TAKING))?;
    Ok(rows.iter().map(|row| (row.get(0), JobId(row.get(1)))).collect())
}

/// False when somebody else took one of them meanwhile.
async fn mark(
    tx: &mut PgConnection,
    time: Option<Micros>,
    source: &str,
    marks: &BTreeMap<String, JobId>,
) -> Result<bool> {
    let (names, jobs): (Vec<&str>, Vec<Uuid>) =
        marks.iter().map(|(mark, job)| (mark.as_str(), job.0)).unzip();
    let marked = sqlx::query(include_str!("mark.sql"))
        .bind(time)
        .bind(source)
        .bind(names)
        .bind(jobs)
        .execute(tx)
        .await
        .map_err(failed(TAKING))?;
    Ok(marked.rows_affected() == marks.len() as u64)
}
