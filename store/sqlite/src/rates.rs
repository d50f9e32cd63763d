//! How often somebody may call, on SQLite.

use async_trait::async_trait;
use futures::FutureExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::row::RowExt;
use super::writer::{Done, Script, script};
use store::{RateAsk, RateTold, Rates, Result};

/// Nobody waits for the disk: a crash forgets the last moments of this, and no more.
const TAKE: Script = Script {
    alone: concat!(
        "PRAGMA synchronous = NORMAL;\n",
        include_str!("rate_take.sql"),
        ";\nPRAGMA synchronous = FULL"
    ),
    ..script!("rate_take.sql")
};

#[async_trait]
impl Rates for SqliteStore {
    async fn take_rate(&self, ask: &RateAsk) -> Result<RateTold> {
        let (ask, now) = (*ask, self.now_us());
        let bind = move |sql: &'static str| {
            sqlx::query(sql)
                .bind(now)
                .bind(ask.bucket.to_vec())
                .bind(ask.of.interval)
                .bind(i64::from(ask.of.most))
                .bind(i64::from(ask.want))
                .bind(i64::from(ask.back))
        };
        self.writer.script("counting a caller", TAKE, bind, told).await
    }

    async fn forget_rates(&self, limit: usize) -> Result<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write("forgetting callers", move |tx, now| {
            async move {
                let forget = sqlx::query(include_str!("rates_forget.sql")).bind(now).bind(limit);
                Ok(forget.execute(tx).await?.rows_affected())
            }
            .boxed()
        })
        .await
    }
}

fn told(rows: &[SqliteRow]) -> Done<RateTold> {
    let Some(row) = rows.first() else { return Err(sqlx::Error::RowNotFound.into()) };
    Ok(RateTold { taken: row.small("taken")?, behind: row.try_get("behind")? })
}
