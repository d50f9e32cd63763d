//! apalis-postgres: 500 jobs a fetch, 512 handlers, woken by NOTIFY; a finished job stays a row with status `Done`.

use std::ops::Range;
use std::sync::Arc;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, TaskSink, WorkerBuilder};
use apalis_postgres::{Config, PgPool, PostgresStorage};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;

use crate::contract::{Outcome, Peer, Starts};

const QUEUE: &str = "bench";

#[derive(Serialize, Deserialize)]
struct Noop {
    i: usize,
}

pub struct Apalis {
    pool: PgPool,
    storage: PostgresStorage<Noop>,
}

impl Peer for Apalis {
    async fn connect(url: &str) -> Outcome<Self> {
        let pool = PgPoolOptions::new().min_connections(16).max_connections(20).connect(url).await?;
        let config = Config::default().queue(QUEUE).batch_size(500);
        let storage = PostgresStorage::new(&pool).with_config(config);
        Ok(Self { pool, storage })
    }

    async fn setup(url: &str) -> Outcome {
        Ok(PostgresStorage::<()>::setup(&Self::connect(url).await?.pool).await?)
    }

    async fn enqueue_batch(&self, numbers: Range<usize>) -> Outcome {
        Ok(self.storage.clone().push_bulk(numbers.map(|i| Noop { i }).collect()).await?)
    }

    async fn enqueue(&self, i: usize) -> Outcome {
        Ok(self.storage.clone().push(Noop { i }).await?)
    }

    async fn work(&self, starts: Arc<Starts>) -> Outcome {
        let backend = self.storage.clone().with_pubsub();
        let worker =
            WorkerBuilder::new("bench-1").backend(backend).concurrency(512).build(move |job: Noop| {
                starts.record(job.i);
                async { Ok::<_, BoxDynError>(()) }
            });
        tokio::spawn(worker.run());
        Ok(())
    }

    async fn finished(&self) -> Outcome<usize> {
        let finished: i64 = sqlx::query_scalar("SELECT count(*) FROM apalis.jobs WHERE status = 'Done'")
            .fetch_one(&self.pool)
            .await?;
        Ok(usize::try_from(finished)?)
    }
}
