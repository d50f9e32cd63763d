//! The buckets of limits: looked at, paused by people and by jobs, and used for what is no job.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::audit;
use super::lanes::{BUCKETS_LOCK, known_state, store_moved};
use super::row::RowExt;
use super::writer::{Done, Tx};
use store::limits::{by_bucket, in_nanos, reserve_of, take_of};
use store::rule::{Lane, Rate};
use store::{Actor, BucketRow, Held, HoldOff, Reserved, StoreError, Taken};

const LANE_COUNTS: &str = include_str!("lane_counts.sql");
const PAUSE_BUCKET: &str = include_str!("pause_bucket.sql");
const RESUME_BUCKET: &str = include_str!("resume_bucket.sql");
const HOLD_OFF_BUCKET: &str = include_str!("hold_off_bucket.sql");
const HOLD_OFF_QUEUE: &str = include_str!("hold_off_queue.sql");
const FORGET_BUCKETS: &str = include_str!("forget_buckets.sql");

pub(super) async fn buckets(connection: &mut SqliteConnection) -> Done<Vec<BucketRow>> {
    let counts = sqlx::query(LANE_COUNTS).fetch_all(&mut *connection).await?;
    let of = |running: bool| {
        let mut lanes = Vec::new();
        for row in &counts {
            if row.try_get::<bool, _>("running")? == running {
                lanes.push((Lane::stored(row.text("lane")?), row.small("jobs")?));
            }
        }
        Done::Ok(by_bucket(lanes.into_iter()))
    };
    let known = sqlx::query("SELECT name, next_start, paused_until, paused_by, reason FROM bucket")
        .fetch_all(connection)
        .await?;
    let known = known.iter().map(bucket_row).collect::<Done<Vec<_>>>()?;
    Ok(BucketRow::merged(known.into_iter(), &of(true)?, &of(false)?))
}

fn bucket_row(row: &SqliteRow) -> Done<BucketRow> {
    let next_start: Option<i64> = row.try_get("next_start")?;
    Ok(BucketRow {
        bucket: row.text("name")?,
        next_start: next_start.and_then(|nanos| Timestamp::from_nanosecond(i128::from(nanos)).ok()),
        paused_until: row.time_if_any("paused_until")?,
        paused_by: row.text_if_any("paused_by")?,
        reason: row.text_if_any("reason")?,
        running: 0,
        waiting: 0,
    })
}

pub(super) async fn pause(
    tx: &mut Tx,
    now: i64,
    bucket: &str,
    until: Timestamp,
    by: &Actor,
    reason: &str,
) -> Done<()> {
    sqlx::query(PAUSE_BUCKET)
        .bind(bucket.to_owned())
        .bind(until.as_microsecond())
        .bind(by.name.clone())
        .bind(reason.to_owned())
        .execute(&mut *tx)
        .await?;
    let details = json!({ "reason": reason, "until": until });
    audit::object(tx, now, by, "limit.pause", bucket, Some(details)).await
}

pub(super) async fn resume(tx: &mut Tx, now: i64, bucket: &str, by: &Actor) -> Done<()> {
    sqlx::query(RESUME_BUCKET).bind(bucket.to_owned()).execute(&mut *tx).await?;
    audit::object(tx, now, by, "limit.resume", bucket, None).await
}

pub(super) async fn hold_off(
    tx: &mut Tx,
    now: i64,
    held: Held,
    what: &HoldOff,
    until: i64,
    by: &Actor,
    reason: &str,
) -> Done<()> {
    let sql = "SELECT 1 FROM job WHERE id = ?1 AND fence = ?2 AND worker = ?3 AND state = 'running'";
    let held_row =
        sqlx::query(sql).bind(held.job.0).bind(held.fence.0).bind(held.worker.0).fetch_all(&mut *tx).await?;
    if held_row.is_empty() {
        return Err(StoreError::LeaseLost.into());
    }
    let (sql, name, action) = match what {
        HoldOff::Queue(queue) => (HOLD_OFF_QUEUE, queue, "queue.pause"),
        HoldOff::Bucket(bucket) => (HOLD_OFF_BUCKET, bucket, "limit.pause"),
    };
    let mut pause =
        sqlx::query(sql).bind(name.clone()).bind(until).bind(by.name.clone()).bind(reason.to_owned());
    if let HoldOff::Queue(_) = what {
        pause = pause.bind(now);
    }
    pause.execute(&mut *tx).await?;
    let until = Timestamp::from_microsecond(until).unwrap_or(Timestamp::MAX);
    let details = json!({ "reason": reason, "until": until, "job": held.job });
    audit::object(tx, now, by, action, name, Some(details)).await
}

pub(super) async fn take(tx: &mut Tx, now: i64, bucket: &str, rate: Rate, count: u32) -> Done<Taken> {
    on_the_line(tx, now, bucket, Taken::Wait, |next, now| take_of(rate, next, count, now)).await
}

pub(super) async fn reserve(tx: &mut Tx, now: i64, bucket: &str, rate: Rate, count: u32) -> Done<Reserved> {
    on_the_line(tx, now, bucket, Reserved::Paused, |next, now| reserve_of(rate, next, count, now)).await
}

/// Decides from the next start and the time, and moves the next start if need be.
async fn on_the_line<T>(
    tx: &mut Tx,
    now: i64,
    bucket: &str,
    paused: fn(Duration) -> T,
    decide: impl Fn(Option<i64>, i64) -> (T, Option<i64>),
) -> Done<T> {
    let names = serde_json::to_string(&[bucket])?;
    let known = sqlx::query(BUCKETS_LOCK).bind(names).fetch_all(&mut *tx).await?;
    let mut state = known.first().map(known_state).transpose()?.unwrap_or_default();
    let now = in_nanos(now);
    if let Some(until) = state.paused_until.filter(|until| *until > now) {
        return Ok(paused(Duration::from_nanos((until - now).unsigned_abs())));
    }
    let (answer, next) = decide(state.next_start, now);
    if next.is_some() {
        state.next_start = next;
        store_moved(tx, &[(bucket, &state)]).await?;
    }
    Ok(answer)
}

pub(super) async fn forget(tx: &mut Tx, now: i64, most: usize) -> Done<u64> {
    let forgotten = sqlx::query(FORGET_BUCKETS)
        .bind(in_nanos(now))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .execute(tx)
        .await?;
    Ok(forgotten.rows_affected())
}
