//! Awa: 256 handlers, COPY for batches; a finished job is an entry in append-only partitions.

use std::ops::Range;
use std::sync::Arc;

use awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig,
};
use serde::{Deserialize, Serialize};
use sqlx_of_awa as sqlx;
use sqlx_of_awa::PgPool;
use sqlx_of_awa::postgres::PgPoolOptions;

use crate::contract::{Outcome, Peer, Starts};

const QUEUE: &str = "bench";

#[derive(Serialize, Deserialize, JobArgs)]
struct Noop {
    i: usize,
}

pub struct Awa {
    pool: PgPool,
    store: QueueStorage,
}

impl Peer for Awa {
    async fn connect(url: &str) -> Outcome<Self> {
        let pool = PgPoolOptions::new().min_connections(16).max_connections(20).connect(url).await?;
        Ok(Self { pool, store: QueueStorage::new(QueueStorageConfig::default())? })
    }

    async fn setup(url: &str) -> Outcome {
        let peer = Self::connect(url).await?;
        // Its migrations can only be waited for by the thread that began them.
        let (runtime, pool) = (tokio::runtime::Handle::current(), peer.pool.clone());
        let migrated = move || runtime.block_on(awa::migrations::run(&pool));
        tokio::task::spawn_blocking(migrated).await??;
        // What a first worker does by itself; here the jobs come before the worker.
        Ok(peer.store.install(&peer.pool).await?)
    }

    async fn enqueue_batch(&self, numbers: Range<usize>) -> Outcome {
        let jobs = numbers.map(|i| {
            let args = serde_json::to_value(Noop { i })?;
            Ok(InsertParams { kind: Noop::kind().to_string(), args, opts: options() })
        });
        let jobs = jobs.collect::<Result<Vec<_>, serde_json::Error>>()?;
        self.store.enqueue_params_copy(&self.pool, &jobs).await?;
        Ok(())
    }

    async fn enqueue(&self, i: usize) -> Outcome {
        awa::insert_with(&self.pool, &Noop { i }, options()).await?;
        Ok(())
    }

    async fn work(&self, starts: Arc<Starts>) -> Outcome {
        let client = Client::builder(self.pool.clone())
            .queue(QUEUE, QueueConfig { max_workers: 256, ..QueueConfig::default() })
            .register::<Noop, _, _>(move |args, _| {
                starts.record(args.i);
                async { Ok(JobResult::Completed) }
            })
            .build()?;
        client.start().await?;
        // Dropping a client would stop it.
        std::mem::forget(client);
        Ok(())
    }

    async fn finished(&self) -> Outcome<usize> {
        let finished: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM awa.done_entries) \
             + (SELECT COALESCE(sum(completed_count), 0) FROM awa.receipt_completion_batches)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(usize::try_from(finished)?)
    }
}

fn options() -> InsertOpts {
    InsertOpts { queue: QUEUE.into(), ..InsertOpts::default() }
}
