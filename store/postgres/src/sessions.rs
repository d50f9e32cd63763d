//! Sessions that no silent network can keep.
//!
//! A network that swallows packets is noticed by TCP after a quarter of an hour, or never where something
//! between us and the database still answers for it. So every call has a limit ([`within`]), and whoever
//! gives a call up leaves a connection in the middle of it. The driver takes such a connection back to its
//! pool by waiting for what is still to come, for ever; and where that comes, it may be in the wrong place: in
//! a transaction that the driver has not heard of, or one answer behind. So a connection is used again only
//! when somebody says that all was answered ([`Session::keep`]), and closed otherwise.
//!
//! The driver also asks every connection that comes back whether it is well, a round trip on top of each
//! statement. One that was kept waits here, at the door of the pool, and is not asked.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use store::{Result, StoreError};

/// A server's session grows with what it has cached, so after so many uses there is a new one.
const MOST_USES: u32 = 10_000;

/// A pool, and an executor as the driver's own is.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Door>);

#[derive(Debug)]
struct Door {
    pool: PgPool,
    waiting: Mutex<Vec<Kept>>,
    /// One for each connection that there may be: whoever has one finds a connection or may open one.
    places: Arc<Semaphore>,
    acquire_timeout: Duration,
}

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    uses: u32,
}

impl Kept {
    /// At once and without a word, as is right for a connection in the middle of something. The pool may open
    /// another in its place.
    fn close(self) {
        drop(self.connection.detach());
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        for kept in self.waiting().drain(..) {
            kept.close();
        }
    }
}

impl Door {
    fn waiting(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// Connects when somebody asks for a session.
    pub fn lazy(most: u32, pool: PgPoolOptions, connect: PgConnectOptions) -> Self {
        let pool = pool.max_connections(most);
        let acquire_timeout = pool.get_acquire_timeout();
        Self(Arc::new(Door {
            pool: pool.connect_lazy_with(connect),
            waiting: Mutex::default(),
            places: Arc::new(Semaphore::new(most as usize)),
            acquire_timeout,
        }))
    }

    pub async fn acquire(&self) -> sqlx::Result<Session> {
        // One limit for both waits: whoever calls was told how long it takes to hear that the database is away.
        let found = tokio::time::timeout(self.0.acquire_timeout, async {
            let place = self.0.places.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
            let waiting = self.0.waiting().pop();
            let kept = match waiting {
                Some(kept) => kept,
                None => Kept { connection: self.0.pool.acquire().await?, uses: 0 },
            };
            Ok::<_, sqlx::Error>((place, kept))
        });
        let (place, kept) = found.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(Session { kept: Some(kept), door: self.clone(), _place: place })
    }

    pub async fn close(&self) {
        self.0.places.close();
        for kept in self.0.waiting().drain(..) {
            kept.close();
        }
        self.0.pool.close().await;
    }
}

/// A connection until it is kept or dropped.
pub struct Session {
    kept: Option<Kept>,
    door: Sessions,
    /// Given up after the connection.
    _place: OwnedSemaphorePermit,
}

impl Session {
    /// Everything that was asked has been answered, and no transaction is open: the connection is as good as it
    /// was.
    pub fn keep(mut self) {
        if let Some(mut kept) = self.kept.take_if(|kept| kept.uses < MOST_USES) {
            kept.uses += 1;
            // Under the lock, or a connection comes to wait at a door that has just been closed.
            let mut waiting = self.door.0.waiting();
            match self.door.0.places.is_closed() {
                true => kept.close(),
                false => waiting.push(kept),
            }
        }
    }
}

impl Deref for Session {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "it is there until the session is kept or dropped")]
    fn deref(&self) -> &PgConnection {
        &self.kept.as_ref().expect("a session has its connection").connection
    }
}

impl DerefMut for Session {
    #[expect(clippy::expect_used, reason = "it is there until the session is kept or dropped")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.kept.as_mut().expect("a session has its connection").connection
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.close();
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
            let all = session.fetch_many(query).try_collect::<Vec<_>>().await?;
            session.keep();
            Ok(all)
        };
        all.map_ok(|all| stream::iter(all.into_iter().map(Ok))).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move {
            let mut session = self.acquire().await?;
            let row = session.fetch_optional(query).await?;
            session.keep();
            Ok(row)
        }
        .boxed()
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
