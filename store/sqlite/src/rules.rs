//! The rules of limits, and the lanes that jobs have by them.

use jobkit::JobId;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::audit;
use super::row::{RowExt, hex};
use super::writer::{Abort, Done, Tx};
use store::rule::{Lane, Pace, Rate, Rule, Rules, Unit};
use store::{Actor, LanedJob, LimitSet};

const LIMIT_RULES: &str = include_str!("limit_rules.sql");
const PUT_LIMITS: &str = include_str!("put_limits.sql");
const LANED_JOBS: &str = include_str!("laned_jobs.sql");
const PUT_LANES: &str = include_str!("put_lanes.sql");
const PUT_LANES_ENDED: &str = include_str!("put_lanes_ended.sql");

pub(super) async fn put_limits(tx: &mut Tx, now: i64, rules: &Rules) -> Done<()> {
    if read(tx).await? == *rules {
        return Ok(());
    }
    let rows: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let pace = rule.rate.map(|rate| rate.pace);
            json!([
                rule.name,
                rule.kinds,
                rule.queues,
                rule.by,
                pace.map(|pace| pace.count),
                pace.map(|pace| pace.per.seconds()),
                rule.rate.map_or(1, |rate| rate.burst),
                rule.concurrency,
            ])
        })
        .collect();
    sqlx::query("DELETE FROM limit_rule").execute(&mut *tx).await?;
    sqlx::query(PUT_LIMITS).bind(serde_json::to_string(&rows)?).execute(&mut *tx).await?;
    sqlx::query("UPDATE limit_set SET version = version + 1").execute(&mut *tx).await?;
    let details = json!({ "limits": rules.iter().collect::<Vec<_>>() });
    audit::object(tx, now, &Actor::system(), "limits.change", "limits", Some(details)).await
}

pub(super) async fn limits(connection: &mut SqliteConnection) -> Done<LimitSet> {
    let set = sqlx::query("SELECT version, laned FROM limit_set").fetch_one(&mut *connection).await?;
    Ok(LimitSet {
        version: set.try_get("version")?,
        laned: set.try_get("laned")?,
        rules: read(connection).await?,
    })
}

async fn read(connection: &mut SqliteConnection) -> Done<Rules> {
    let rows = sqlx::query(LIMIT_RULES).fetch_all(connection).await?;
    Ok(Rules::new(rows.iter().map(rule).collect::<Done<Vec<_>>>()?))
}

fn rule(row: &SqliteRow) -> Done<Rule> {
    let bad = |problem: String| Abort::Sql(sqlx::Error::Decode(problem.into()));
    let burst = row.small("burst")?;
    let count: Option<u32> = row.try_get("starts")?;
    let per = row.try_get::<Option<i32>, _>("seconds")?.and_then(Unit::of_seconds);
    Ok(Rule {
        name: row.text("name")?,
        kinds: row.json_if_any("kinds")?.unwrap_or_default(),
        queues: row.json_if_any("queues")?.unwrap_or_default(),
        by: row.try_get::<&str, _>("keyed_by")?.parse().map_err(bad)?,
        rate: count.zip(per).map(|(count, per)| Rate { pace: Pace { count, per }, burst }),
        concurrency: row.try_get("concurrency")?,
    })
}

pub(super) async fn laned_jobs(
    connection: &mut SqliteConnection,
    after: Option<JobId>,
    most: usize,
    args: bool,
) -> Done<Vec<LanedJob>> {
    let rows = sqlx::query(LANED_JOBS)
        .bind(after.map_or(uuid::Uuid::nil(), |id| id.0))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(args)
        .fetch_all(connection)
        .await?;
    let job = |row: &SqliteRow| {
        Ok(LanedJob {
            id: row.id("id")?,
            kind: row.text("kind")?,
            queue: row.text("queue")?,
            tenant: row.text_if_any("tenant")?,
            args: row.text("args")?,
            lane: row.text_if_any("lane")?.map(Lane::stored),
        })
    };
    rows.iter().map(job).collect()
}

pub(super) async fn put_lanes(tx: &mut Tx, lanes: &[(JobId, Option<Lane>)]) -> Done<()> {
    let given: Vec<_> = lanes.iter().map(|(id, lane)| (hex(*id), lane)).collect();
    let given = serde_json::to_string(&given)?;
    // Jobs that run come into buckets without a claim.
    let forget = "UPDATE bucket SET most_running = NULL WHERE most_running IS NOT NULL";
    sqlx::query(forget).execute(&mut *tx).await?;
    for sql in [PUT_LANES, PUT_LANES_ENDED] {
        sqlx::query(sql).bind(given.clone()).execute(&mut *tx).await?;
    }
    Ok(())
}

pub(super) async fn lanes_are_put(tx: &mut Tx, version: i64) -> Done<()> {
    let sql = "UPDATE limit_set SET laned = max(laned, min(?1, version))";
    sqlx::query(sql).bind(version).execute(tx).await?;
    Ok(())
}
