//! Sessions that no silent network can keep.
//!
//! A network that swallows packets is noticed by TCP after a quarter of an hour, or never where something
//! between us and the database still answers for it. So every call has a limit ([`within`]), and whoever
//! gives a call up leaves a connection in the middle of it. The driver takes such a connection back to its
//! pool by waiting for what is still to come, for ever; [`Session`] waits a moment and then closes it, which
//! makes room in the pool for a new one.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};

use crate::store::{Result, StoreError};

/// Between two machines of one site an answer that is not there by now will not come.
const LAST_WORD: Duration = Duration::from_secs(5);

/// A pool, and an executor as the driver's own is.
#[derive(Debug)]
pub struct Sessions(PgPool);

impl Sessions {
    /// Connects when somebody asks for a session.
    pub fn lazy(pool: PgPoolOptions, connect: PgConnectOptions) -> Self {
        Self(pool.connect_lazy_with(connect))
    }

    pub async fn acquire(&self) -> sqlx::Result<Session> {
        self.0.acquire().await.map(Session)
    }

    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// A connection until it is dropped.
pub struct Session(PoolConnection<Postgres>);

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What the driver does with a connection that is dropped, with a limit: when that is over, the future
        // is dropped, and the connection and its place in the pool with it.
        let back = self.0.return_to_pool();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LAST_WORD, back));
        }
    }
}

/// One statement in a session of its own.
impl<'c> Executor<'c> for &'c Sessions {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let all = async move {
            let mut session = self.acquire().await?;
            session.fetch_many(query).try_collect::<Vec<_>>().await
        };
        all.map_ok(|all| stream::iter(all.into_iter().map(Ok))).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move { self.acquire().await?.fetch_optional(query).await }.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        async move { self.acquire().await?.prepare_with(sql, parameters).await }.boxed()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {0:?}")]
pub struct NoAnswer(pub Duration);

/// Gives a call up after its limit. Whether it was done is then not known.
pub async fn within<T>(
    limit: Duration,
    doing: &'static str,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(StoreError::Database { doing, cause: Box::new(NoAnswer(limit)) }))
}
