//! The buckets of limits: looked at, paused by people and by jobs, and used for what is no job.

use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Connection, Row};

use super::lanes::{ADD_BUCKETS, Buckets, TRIES, lock, store_moved};
use super::rows::{self, Micros};
use super::{PostgresStore, contention, failed, insert};
use store::limits::{by_bucket, reserve_of, take_of};
use store::rule::{Lane, Rate};
use store::{Actor, BucketRow, Held, HoldOff, Reserved, Result, StoreError, Taken};

const TAKING: &str = "taking from a limit";

pub async fn buckets(store: &PostgresStore) -> Result<Vec<BucketRow>> {
    let doing = "listing buckets";
    let counts =
        sqlx::query(include_str!("lane_counts.sql")).fetch_all(&store.cold).await.map_err(failed(doing))?;
    let of = |running: bool| {
        let counts = counts.iter().filter(move |row| row.get::<bool, _>(1) == running);
        by_bucket(counts.map(|row| (Lane::stored(row.get(0)), row.get::<i64, _>(2).unsigned_abs())))
    };
    let known = sqlx::query("SELECT name, next_start, paused_until, paused_by, reason FROM compline.bucket")
        .fetch_all(&store.cold)
        .await
        .map_err(failed(doing))?;
    let known = known.iter().map(|row| BucketRow {
        bucket: row.get(0),
        next_start: row
            .get::<Option<i64>, _>(1)
            .and_then(|nanos| Timestamp::from_nanosecond(i128::from(nanos)).ok()),
        paused_until: row.get::<Option<Micros>, _>(2).map(Timestamp::from),
        paused_by: row.get(3),
        reason: row.get(4),
        running: 0,
        waiting: 0,
    });
    Ok(BucketRow::merged(known, &of(true), &of(false)))
}

pub async fn pause_bucket(
    store: &PostgresStore,
    bucket: &str,
    until: Timestamp,
    by: &Actor,
    reason: &str,
) -> Result<()> {
    let doing = "pausing a limit";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query(
        "INSERT INTO compline.bucket (name, paused_until, paused_by, reason) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET paused_until = $2, paused_by = $3, reason = $4",
    )
    .bind(bucket)
    .bind(Micros::from(until))
    .bind(&by.name)
    .bind(reason)
    .execute(&mut *tx)
    .await
    .map_err(failed(doing))?;
    let details = Some(json!({ "reason": reason, "until": until }));
    insert::audit(&mut tx, store.time(), by, "limit.pause", bucket, "ok", &[], details).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(())
}

pub async fn resume_bucket(store: &PostgresStore, bucket: &str, by: &Actor) -> Result<()> {
    let doing = "resuming a limit";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    sqlx::query(
        "UPDATE compline.bucket SET paused_until = NULL, paused_by = NULL, reason = NULL WHERE name = $1",
    )
    .bind(bucket)
    .execute(&mut *tx)
    .await
    .map_err(failed(doing))?;
    insert::audit(&mut tx, store.time(), by, "limit.resume", bucket, "ok", &[], None).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(())
}

pub async fn hold_off(
    store: &PostgresStore,
    held: Held,
    what: &HoldOff,
    wait: Duration,
    by: &Actor,
    reason: &str,
) -> Result<()> {
    contention::patiently("holding off", || hold_off_once(store, held, what, wait, by, reason).boxed()).await
}

async fn hold_off_once(
    store: &PostgresStore,
    held: Held,
    what: &HoldOff,
    wait: Duration,
    by: &Actor,
    reason: &str,
) -> Result<()> {
    let doing = "holding off";
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(doing))?;
    let held_row = sqlx::query(
        "SELECT coalesce($4::timestamptz, now()) + $5 * interval '1 microsecond' FROM compline.job
         WHERE id = $1 AND fence = $2 AND worker = $3 AND state = 'running' FOR SHARE",
    )
    .bind(held.job.0)
    .bind(held.fence.0)
    .bind(held.worker.0)
    .bind(store.time())
    .bind(rows::micros(wait))
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed(doing))?;
    let Some(row) = held_row else { return Err(StoreError::LeaseLost) };
    let until: Micros = row.get(0);
    // A pause without an end, or with a later one, stays as it is.
    let (name, action, pause) = match what {
        HoldOff::Queue(queue) => {
            let pause = sqlx::query(
                "INSERT INTO compline.queue AS q (name, paused_at, paused_by, reason, resume_at)
                 VALUES ($1, coalesce($5::timestamptz, now()), $3, $4, $2)
                 ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = $3, reason = $4,
                     resume_at = $2
                 WHERE q.paused_at IS NULL OR q.resume_at < $2",
            );
            let pause = pause.bind(queue).bind(until).bind(&by.name).bind(reason).bind(store.time());
            (queue, "queue.pause", pause)
        }
        HoldOff::Bucket(bucket) => {
            let pause = sqlx::query(
                "INSERT INTO compline.bucket AS b (name, paused_until, paused_by, reason) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (name) DO UPDATE SET paused_until = $2, paused_by = $3, reason = $4
                 WHERE b.paused_until IS NULL OR b.paused_until < $2",
            );
            (bucket, "limit.pause", pause.bind(bucket).bind(until).bind(&by.name).bind(reason))
        }
    };
    pause.execute(&mut *tx).await.map_err(failed(doing))?;
    let details = Some(json!({ "reason": reason, "until": Timestamp::from(until) }));
    insert::audit(&mut tx, store.time(), by, action, name, "ok", &[held.job.0], details).await?;
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(())
}

pub async fn take(store: &PostgresStore, bucket: &str, rate: Rate, count: u32) -> Result<Taken> {
    on_the_line(store, bucket, Taken::Wait, |next, now| take_of(rate, next, count, now)).await
}

pub async fn reserve(store: &PostgresStore, bucket: &str, rate: Rate, count: u32) -> Result<Reserved> {
    on_the_line(store, bucket, Reserved::Paused, |next, now| reserve_of(rate, next, count, now)).await
}

/// Decides from the next start and the time, with the bucket held still, and moves the next start if need be.
async fn on_the_line<T>(
    store: &PostgresStore,
    bucket: &str,
    paused: fn(Duration) -> T,
    decide: impl Fn(Option<i64>, i64) -> (T, Option<i64>),
) -> Result<T> {
    for _ in 0..TRIES {
        let names = [bucket.to_owned()];
        sqlx::query(ADD_BUCKETS).bind(&names[..]).execute(&store.claims).await.map_err(failed(TAKING))?;
        if let Some(answer) = decide_once(store, bucket, paused, &decide).await? {
            return Ok(answer);
        }
    }
    Err(StoreError::Refused("the bucket of a limit comes and goes too quickly; try again".into()))
}

/// Nothing where the bucket was pruned since it was made.
async fn decide_once<T>(
    store: &PostgresStore,
    bucket: &str,
    paused: fn(Duration) -> T,
    decide: impl Fn(Option<i64>, i64) -> (T, Option<i64>),
) -> Result<Option<T>> {
    let mut session = store.claims.acquire().await.map_err(failed(TAKING))?;
    let mut tx = session.begin().await.map_err(failed(TAKING))?;
    let Buckets { mut states, now } = lock(&mut tx, store.time(), &[bucket.to_owned()]).await?;
    let answer = match states.remove(bucket).zip(now) {
        None => None,
        Some((mut state, now)) => Some(match state.paused_until.filter(|until| *until > now) {
            Some(until) => paused(Duration::from_nanos((until - now).unsigned_abs())),
            None => {
                let (answer, next) = decide(state.next_start, now);
                if next.is_some() {
                    state.next_start = next;
                    store_moved(&mut tx, &[(bucket, &state)]).await.map_err(failed(TAKING))?;
                }
                answer
            }
        }),
    };
    tx.commit().await.map_err(failed(TAKING))?;
    session.keep();
    Ok(answer)
}
