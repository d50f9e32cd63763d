//! Circuit breakers: looked at without a lock, and locked when they are to change.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{Admission, CallEnd};
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::rows::Micros;
use super::{LONG, PostgresStore, failed, insert, within};
use store::breaker::{BreakerRules, BreakerState, Entry, enter, leave, told};
use store::{Actor, BreakerRow, Breakers, Result};

const DOING: &str = "asking a circuit breaker";

#[async_trait]
impl Breakers for PostgresStore {
    async fn enter_breaker(&self, name: &str, rules: BreakerRules) -> Result<Admission> {
        self.answered(DOING, admit(self, name, rules)).await
    }

    async fn leave_breaker(&self, name: &str, end: CallEnd, rules: BreakerRules) -> Result<()> {
        self.answered("telling a circuit breaker", note(self, name, end, rules)).await
    }

    async fn breakers(&self) -> Result<Vec<BreakerRow>> {
        let rows = async {
            sqlx::query("SELECT name, failures, open_until FROM compline.breaker ORDER BY name")
                .fetch_all(&self.cold)
                .await
                .map_err(failed("listing circuit breakers"))
        };
        let rows = within(LONG, "listing circuit breakers", rows).await?;
        let row = |row: &PgRow| BreakerRow {
            name: row.get(0),
            failures: row.get::<i32, _>(1).unsigned_abs(),
            open_until: row.get::<Option<Micros>, _>(2).map(Timestamp::from),
        };
        Ok(rows.iter().map(row).collect())
    }
}

async fn admit(store: &PostgresStore, name: &str, rules: BreakerRules) -> Result<Admission> {
    // Nearly always it is closed, and then nothing is written.
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM compline.breaker WHERE name = $1 AND open_until IS NOT NULL)",
    )
    .bind(name)
    .fetch_one(&store.hot)
    .await
    .map_err(failed(DOING))?;
    if !open {
        return Ok(Admission::Go);
    }
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin().await.map_err(failed(DOING))?;
    let (state, now) = locked(&mut tx, store, name).await?;
    let admission = match enter(state, now, rules) {
        Entry::Go => Admission::Go,
        Entry::WaitUntil(until) => {
            Admission::Wait(Duration::from_micros(u64::try_from(until - now).unwrap_or(0)))
        }
        Entry::Probe(next) => {
            put(&mut tx, name, next).await?;
            Admission::Go
        }
    };
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(admission)
}

async fn note(store: &PostgresStore, name: &str, end: CallEnd, rules: BreakerRules) -> Result<()> {
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM compline.breaker WHERE name = $1)")
        .bind(name)
        .fetch_one(&store.hot)
        .await
        .map_err(failed(DOING))?;
    if !known && end != CallEnd::Failed {
        return Ok(());
    }
    let mut session = store.hot.acquire().await.map_err(failed(DOING))?;
    let mut tx = session.begin().await.map_err(failed(DOING))?;
    sqlx::query("INSERT INTO compline.breaker (name, failures) VALUES ($1, 0) ON CONFLICT DO NOTHING")
        .bind(name)
        .execute(&mut *tx)
        .await
        .map_err(failed(DOING))?;
    let (state, now) = locked(&mut tx, store, name).await?;
    if let Some(next) = leave(state, end, now, rules) {
        put(&mut tx, name, next).await?;
        if let Some(action) = told(state, next) {
            let details = json!({ "failures": next.failures });
            insert::audit(&mut tx, store.time(), &Actor::system(), action, name, "ok", &[], Some(details))
                .await?;
        }
    }
    tx.commit().await.map_err(failed(DOING))?;
    session.keep();
    Ok(())
}

async fn locked(tx: &mut PgConnection, store: &PostgresStore, name: &str) -> Result<(BreakerState, i64)> {
    let row = sqlx::query(
        "SELECT failures, open_until, probe_until FROM compline.breaker WHERE name = $1 FOR UPDATE",
    )
    .bind(name)
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed(DOING))?;
    let now: Micros = sqlx::query_scalar("SELECT coalesce($1::timestamptz, clock_timestamp())")
        .bind(store.time())
        .fetch_one(tx)
        .await
        .map_err(failed(DOING))?;
    let time = |row: &PgRow, column: usize| row.get::<Option<Micros>, _>(column).map(|at| at.0);
    let state = row.map_or_else(BreakerState::default, |row| BreakerState {
        failures: row.get::<i32, _>(0).unsigned_abs(),
        open_until: time(&row, 1),
        probe_until: time(&row, 2),
    });
    Ok((state, now.0))
}

/// One that is as if nothing had ever failed is not kept.
async fn put(tx: &mut PgConnection, name: &str, next: BreakerState) -> Result<()> {
    let put = match next == BreakerState::default() {
        true => sqlx::query("DELETE FROM compline.breaker WHERE name = $1").bind(name),
        false => sqlx::query(
            "UPDATE compline.breaker SET failures = $2, open_until = $3, probe_until = $4 WHERE name = $1",
        )
        .bind(name)
        .bind(i32::try_from(next.failures).unwrap_or(i32::MAX))
        .bind(next.open_until.map(Micros))
        .bind(next.probe_until.map(Micros)),
    };
    put.execute(tx).await.map_err(failed(DOING))?;
    Ok(())
}
