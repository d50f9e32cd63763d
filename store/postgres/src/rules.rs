//! The rules of limits, and the lanes that jobs have by them.

use jobkit::JobId;
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::{PostgresStore, failed, insert, rows};
use store::rule::{Lane, Pace, Rate, Rule, Rules, Unit};
use store::{Actor, LanedJob, LimitSet, Result};

pub async fn put_limits(store: &PostgresStore, rules: &Rules) -> Result<()> {
    let doing = "storing the limits";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query("SELECT FROM compline.limit_set FOR UPDATE")
        .execute(&mut *tx)
        .await
        .map_err(failed(doing))?;
    let before = read_rules(&mut tx, doing).await?;
    if before != *rules {
        sqlx::query("DELETE FROM compline.limit_rule").execute(&mut *tx).await.map_err(failed(doing))?;
        for rule in rules.iter() {
            put_rule(&mut tx, rule, doing).await?;
        }
        sqlx::query("UPDATE compline.limit_set SET version = version + 1")
            .execute(&mut *tx)
            .await
            .map_err(failed(doing))?;
        let details = json!({ "limits": rules.iter().collect::<Vec<_>>() });
        let by = Actor::system();
        insert::audit(&mut tx, store.time(), &by, "limits.change", "limits", "ok", &[], Some(details))
            .await?;
    }
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(())
}

async fn put_rule(tx: &mut PgConnection, rule: &Rule, doing: &'static str) -> Result<()> {
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query(
        "INSERT INTO compline.limit_rule (name, kinds, queues, keyed_by, starts, seconds, burst, concurrency)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&rule.name)
    .bind(&rule.kinds)
    .bind(&rule.queues)
    .bind(rule.by.to_string())
    .bind(rule.rate.map(|rate| number(rate.pace.count)))
    .bind(rule.rate.map(|rate| rate.pace.per.seconds()))
    .bind(rule.rate.map_or(1, |rate| number(rate.burst)))
    .bind(rule.concurrency.map(number))
    .execute(tx)
    .await
    .map_err(failed(doing))?;
    Ok(())
}

pub async fn limits(store: &PostgresStore) -> Result<LimitSet> {
    let doing = "reading the limits";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    // One snapshot: the version must be that of the rules.
    let mut tx = session.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.map_err(failed(doing))?;
    let set = sqlx::query("SELECT version, laned FROM compline.limit_set")
        .fetch_one(&mut *tx)
        .await
        .map_err(failed(doing))?;
    let rules = read_rules(&mut tx, doing).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(LimitSet { version: set.get(0), laned: set.get(1), rules })
}

async fn read_rules(tx: &mut PgConnection, doing: &'static str) -> Result<Rules> {
    let rows = sqlx::query(
        "SELECT name, kinds, queues, keyed_by, starts, seconds, burst, concurrency FROM compline.limit_rule",
    )
    .fetch_all(tx)
    .await
    .map_err(failed(doing))?;
    let rules = rows.iter().map(rule).collect::<sqlx::Result<Vec<_>>>().map_err(failed(doing))?;
    Ok(Rules::new(rules))
}

fn rule(row: &PgRow) -> sqlx::Result<Rule> {
    let number = |n: i32| n.unsigned_abs();
    let burst = number(row.try_get(6)?);
    let count: Option<i32> = row.try_get(4)?;
    let per = row.try_get::<Option<i32>, _>(5)?.and_then(Unit::of_seconds);
    Ok(Rule {
        name: row.try_get(0)?,
        kinds: row.try_get(1)?,
        queues: row.try_get(2)?,
        by: row.try_get::<&str, _>(3)?.parse().map_err(|e: String| sqlx::Error::Decode(e.into()))?,
        rate: count.zip(per).map(|(count, per)| Rate { pace: Pace { count: number(count), per }, burst }),
        concurrency: row.try_get::<Option<i32>, _>(7)?.map(number),
    })
}

pub async fn laned_jobs(
    store: &PostgresStore,
    after: Option<JobId>,
    most: usize,
    args: bool,
) -> Result<Vec<LanedJob>> {
    let doing = "reading the lanes of jobs";
    let rows = sqlx::query(include_str!("laned_jobs.sql"))
        .bind(after.map_or(Uuid::nil(), |id| id.0))
        .bind(rows::count(most))
        .bind(args)
        .fetch_all(&store.cold)
        .await
        .map_err(failed(doing))?;
    let job = |row: &PgRow| {
        Ok(LanedJob {
            id: JobId(row.try_get(0)?),
            kind: row.try_get(1)?,
            queue: row.try_get(2)?,
            tenant: row.try_get(3)?,
            args: rows::text(row, "args")?.unwrap_or("null").into(),
            lane: row.try_get::<Option<String>, _>(5)?.map(Lane::stored),
        })
    };
    rows.iter().map(job).collect::<sqlx::Result<_>>().map_err(failed(doing))
}

pub async fn put_lanes(store: &PostgresStore, lanes: &[(JobId, Option<Lane>)]) -> Result<()> {
    let doing = "giving jobs their lanes";
    let ids: Vec<Uuid> = lanes.iter().map(|(id, _)| id.0).collect();
    let names: Vec<Option<&str>> = lanes.iter().map(|(_, lane)| lane.as_ref().map(Lane::as_str)).collect();
    let mut session = store.hot.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    // Whoever has one of the rows may keep it for long: it is waited for before anybody has to wait for us. Claims skip
    // rows that are locked, and nobody else locks buckets first.
    sqlx::query("SELECT FROM compline.job WHERE id = ANY ($1) ORDER BY id FOR UPDATE")
        .bind(&ids)
        .execute(&mut *tx)
        .await
        .map_err(failed(doing))?;
    // Jobs that run come into buckets without a claim: nobody may count them meanwhile, nor rely on a count from before.
    let forget = "LOCK TABLE compline.bucket IN EXCLUSIVE MODE;
                  UPDATE compline.bucket SET most_running = NULL WHERE most_running IS NOT NULL";
    sqlx::raw_sql(forget).execute(&mut *tx).await.map_err(failed(doing))?;
    for sql in [include_str!("put_lanes.sql"), include_str!("put_lanes_ended.sql")] {
        sqlx::query(sql).bind(&ids).bind(&names).execute(&mut *tx).await.map_err(failed(doing))?;
    }
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(())
}
