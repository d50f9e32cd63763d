//! The least that enqueueing one job durably, and picking it up in another process, can cost on this machine:
//! a table of one column, a notification with the commit, and a deletion that waits for no disk. No queue: it
//! loses jobs when a worker dies.

use std::ops::Range;
use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::contract::{Outcome, Peer, Starts};

pub struct Floor {
    pool: PgPool,
}

impl Peer for Floor {
    async fn connect(url: &str) -> Outcome<Self> {
        Ok(Self { pool: PgPoolOptions::new().min_connections(16).max_connections(20).connect(url).await? })
    }

    async fn setup(url: &str) -> Outcome {
        let peer = Self::connect(url).await?;
        sqlx::query("CREATE TABLE floor (number bigint)").execute(&peer.pool).await?;
        Ok(())
    }

    async fn enqueue_batch(&self, _: Range<usize>) -> Outcome {
        Err("the bare SQL loop is the limit for batches".into())
    }

    async fn enqueue(&self, number: usize) -> Outcome {
        sqlx::query("WITH job AS (INSERT INTO floor VALUES ($1)) SELECT pg_notify('floor', '')")
            .bind(i64::try_from(number)?)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn work(&self, starts: Arc<Starts>) -> Outcome {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen("floor").await?;
        let mut connection = self.pool.acquire().await?;
        sqlx::query("SET synchronous_commit = off").execute(&mut *connection).await?;
        tokio::spawn(async move {
            while listener.recv().await.is_ok() {
                let taken = sqlx::query_scalar::<_, i64>("DELETE FROM floor RETURNING number");
                for number in taken.fetch_all(&mut *connection).await.unwrap_or_default() {
                    starts.record(usize::try_from(number).unwrap_or(0));
                }
            }
        });
        Ok(())
    }

    async fn finished(&self) -> Outcome<usize> {
        Err("the bare SQL loop is the limit for drains".into())
    }
}
