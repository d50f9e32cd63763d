//! How often somebody may call, on PostgreSQL.

use async_trait::async_trait;
use sqlx::Row;

use super::{LONG, PostgresStore, failed, rows, within};
use store::{RateAsk, RateTold, Rates, Result};

const TAKING: &str = "counting a caller";

#[async_trait]
impl Rates for PostgresStore {
    async fn take_rate(&self, ask: &RateAsk) -> Result<RateTold> {
        let taking = async {
            // Not by the connections of claims: however many strangers call, the workers go on.
            let row = sqlx::query(include_str!("rate_take.sql"))
                .bind(self.time())
                .bind(&ask.bucket[..])
                .bind(ask.of.interval)
                .bind(i64::from(ask.of.most))
                .bind(i64::from(ask.want))
                .bind(i64::from(ask.back))
                .fetch_one(&self.cold)
                .await
                .map_err(failed(TAKING))?;
            let taken: i64 = row.try_get(0).map_err(failed(TAKING))?;
            let behind = row.try_get(1).map_err(failed(TAKING))?;
            Ok(RateTold { taken: u32::try_from(taken).unwrap_or(0), behind })
        };
        self.answered(TAKING, taking).await
    }

    async fn forget_rates(&self, limit: usize) -> Result<u64> {
        let doing = "forgetting callers";
        let forget = async {
            let forgotten = sqlx::query(include_str!("rates_forget.sql"))
                .bind(self.time())
                .bind(rows::count(limit))
                .execute(&self.cold)
                .await;
            forgotten.map(|done| done.rows_affected()).map_err(failed(doing))
        };
        within(LONG, doing, forget).await
    }
}
