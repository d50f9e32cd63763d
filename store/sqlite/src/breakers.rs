//! Circuit breakers: looked at by a reader, and written only when they are to change.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::{Admission, CallEnd};
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::row::RowExt;
use super::writer::{Done, Tx};
use super::{SqliteStore, audit};
use store::breaker::{BreakerRules, BreakerState, Entry, enter, leave, told};
use store::{Actor, BreakerRow, Breakers, Result};

const DOING: &str = "asking a circuit breaker";

#[async_trait]
impl Breakers for SqliteStore {
    async fn enter_breaker(&self, name: &str, rules: BreakerRules) -> Result<Admission> {
        // Nearly always it is closed, and then nothing is written.
        let known = self.read(DOING, async |connection| known(connection, name).await).await?;
        if known.is_none_or(|state| state.open_until.is_none()) {
            return Ok(Admission::Go);
        }
        let name = name.to_owned();
        self.write(DOING, move |tx, now| async move { admit(tx, now, &name, rules).await }.boxed()).await
    }

    async fn leave_breaker(&self, name: &str, end: CallEnd, rules: BreakerRules) -> Result<()> {
        let known = self.read(DOING, async |connection| known(connection, name).await).await?;
        if known.is_none() && end != CallEnd::Failed {
            return Ok(());
        }
        let name = name.to_owned();
        self.write("telling a circuit breaker", move |tx, now| {
            async move { note(tx, now, &name, end, rules).await }.boxed()
        })
        .await
    }

    async fn breakers(&self) -> Result<Vec<BreakerRow>> {
        self.read("listing circuit breakers", async |connection| {
            let sql = "SELECT name, failures, open_until FROM breaker ORDER BY name";
            let mut rows = Vec::new();
            for row in &sqlx::query(sql).fetch_all(connection).await? {
                rows.push(BreakerRow {
                    name: row.text("name")?,
                    failures: row.small("failures")?,
                    open_until: row.time_if_any("open_until")?,
                });
            }
            Ok(rows)
        })
        .await
    }
}

async fn admit(tx: &mut Tx, now: i64, name: &str, rules: BreakerRules) -> Done<Admission> {
    let state = known(tx, name).await?.unwrap_or_default();
    Ok(match enter(state, now, rules) {
        Entry::Go => Admission::Go,
        Entry::WaitUntil(until) => {
            Admission::Wait(Duration::from_micros(u64::try_from(until - now).unwrap_or(0)))
        }
        Entry::Probe(next) => {
            put(tx, name, next).await?;
            Admission::Go
        }
    })
}

async fn note(tx: &mut Tx, now: i64, name: &str, end: CallEnd, rules: BreakerRules) -> Done<()> {
    let state = known(tx, name).await?.unwrap_or_default();
    match leave(state, end, now, rules) {
        Some(next) => {
            put(tx, name, next).await?;
            match told(state, next) {
                Some(action) => {
                    let details = json!({ "failures": next.failures });
                    audit::object(tx, now, &Actor::system(), action, name, Some(details)).await
                }
                None => Ok(()),
            }
        }
        None => Ok(()),
    }
}

async fn known(connection: &mut SqliteConnection, name: &str) -> Done<Option<BreakerState>> {
    let sql = "SELECT failures, open_until, probe_until FROM breaker WHERE name = ?1";
    let rows = sqlx::query(sql).bind(name.to_owned()).fetch_all(connection).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(BreakerState {
        failures: row.small("failures")?,
        open_until: row.try_get("open_until")?,
        probe_until: row.try_get("probe_until")?,
    }))
}

/// One that is as if nothing had ever failed is not kept.
async fn put(tx: &mut Tx, name: &str, next: BreakerState) -> Done<()> {
    if next == BreakerState::default() {
        sqlx::query("DELETE FROM breaker WHERE name = ?1").bind(name.to_owned()).execute(tx).await?;
        return Ok(());
    }
    let sql = "INSERT INTO breaker (name, failures, open_until, probe_until) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (name) DO UPDATE SET failures = ?2, open_until = ?3, probe_until = ?4";
    sqlx::query(sql)
        .bind(name.to_owned())
        .bind(i64::from(next.failures))
        .bind(next.open_until)
        .bind(next.probe_until)
        .execute(tx)
        .await?;
    Ok(())
}
