//! The store on PostgreSQL.
//!
//! Four pools, because statements want different things of a session: claims may commit without waiting
//! for the disk (one that a crash undoes is a job that runs again; that its fence may then be given twice
//! is a known fault, at the end of `ARCHITECTURE.md`); the other hot statements want the one plan that is
//! right at every batch size and under any statistics; what people ask wants a plan made for the question;
//! and a beat must wait for nobody.

mod change;
mod contention;
mod copy;
mod finish;
mod gather;
mod insert;
mod lease;
mod prune;
mod read;
mod rows;
mod stretches;

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::{AuditEntry, Clock, JobId, Progress, StepRecord};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{PgConnection, Row, SqlSafeStr};
use tokio::sync::mpsc;

use super::turns::Turns;
use super::*;
use gather::Gather;
use rows::Micros;

/// The channel of both kinds of news; the payload is `q:` and a queue, or `cancel`.
pub const CHANNEL: &str = "compline_wake";

const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "jobs", include_str!("../../migrations/postgres/0001_jobs.sql")),
    (2, "audit", include_str!("../../migrations/postgres/0002_audit.sql")),
    (3, "enqueue", include_str!("../../migrations/postgres/0003_enqueue.sql")),
];

#[derive(Clone)]
pub struct PgOptions {
    /// Connections for what people and running jobs ask; the engine's own come on top.
    pub connections: u32,
    pub acquire_timeout: Duration,
    /// In tests the time comes from here, in life from the database.
    pub manual_clock: Option<Arc<dyn Clock>>,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self { connections: 5, acquire_timeout: Duration::from_secs(10), manual_clock: None }
    }
}

pub struct PostgresStore {
    claims: PgPool,
    hot: PgPool,
    cold: PgPool,
    /// A beat must not wait for a connection behind statements that wait for a lock.
    beats: PgPool,
    manual_clock: Option<Arc<dyn Clock>>,
    gather: Gather,
    this: Weak<PostgresStore>,
    /// Where the last full claim of each queue ended, and when it must be forgotten.
    cursors: Mutex<std::collections::HashMap<String, lease::Cursor>>,
    turns: Turns,
    /// Where in the history something comes due.
    history: tokio::sync::Mutex<prune::Known>,
}

impl PostgresStore {
    /// Does not connect: a database that is away is waited for, not a reason to end.
    pub fn connect(url: &str, options: &PgOptions) -> Result<Arc<Self>> {
        let base = PgConnectOptions::from_str(url)
            .map_err(|cause| StoreError::Refused(format!("store.url is no PostgreSQL URL: {cause}")))?
            .application_name("compline")
            .statement_cache_capacity(256);
        let pool = |most: u32, options_of_session: &[(&str, &str)]| {
            PgPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(options.acquire_timeout)
                .test_before_acquire(false)
                .connect_lazy_with(base.clone().options(options_of_session.iter().copied()))
        };
        // One plan, made once: index look-ups per row. Statistics that are stale by a million rows would
        // otherwise turn a claim into a scan, and planning costs as much as claiming one job.
        let hot = [
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_bitmapscan", "off"),
            ("jit", "off"),
            // A caller may keep a transaction open for as long as it likes; the engine goes on without its rows.
            ("lock_timeout", "5s"),
        ];
        let claims: Vec<_> = hot.iter().copied().chain([("synchronous_commit", "off")]).collect();
        let cold = [("plan_cache_mode", "force_custom_plan"), ("random_page_cost", "1.1"), ("jit", "off")];
        Ok(Arc::new_cyclic(|this| Self {
            claims: pool(2, &claims),
            hot: pool(4, &hot),
            cold: pool(options.connections.max(2), &cold),
            beats: pool(1, &hot),
            manual_clock: options.manual_clock.clone(),
            gather: Gather::default(),
            this: this.clone(),
            cursors: Mutex::default(),
            turns: Turns::default(),
            history: tokio::sync::Mutex::default(),
        }))
    }

    /// First parameter of every statement that asks the time: none means the database's own.
    fn time(&self) -> Option<Micros> {
        self.manual_clock.as_ref().map(|clock| Micros::from(clock.now()))
    }
}

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |cause| StoreError::Database { doing, cause: Box::new(cause) }
}

/// Delivered with the commit, and not at all when there is none.
async fn wake_at_commit(tx: &mut PgConnection, mut queues: Vec<String>) -> Result<()> {
    queues.sort_unstable();
    queues.dedup();
    if queues.is_empty() {
        return Ok(());
    }
    sqlx::query("SELECT pg_notify($1, 'q:' || queue) FROM unnest($2::text[]) AS queue")
        .bind(CHANNEL)
        .bind(queues)
        .execute(tx)
        .await
        .map_err(failed("waking workers"))?;
    Ok(())
}

#[async_trait]
impl Store for PostgresStore {
    async fn migrate(&self) -> Result<Migrated> {
        let doing = "migrating the database";
        let failed_to =
            |cause: Box<dyn std::error::Error + Send + Sync>| StoreError::Database { doing, cause };
        let migrations = MIGRATIONS
            .iter()
            .map(|(version, name, sql)| {
                Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
            })
            .collect();
        let mut migrator = Migrator::with_migrations(migrations);
        // A newer version may have been here, and a table of our own keeps clear of the application's.
        migrator.set_ignore_missing(true);
        migrator.create_schema("compline");
        migrator.dangerous_set_table_name("compline.migration");
        let mut connection = self.cold.acquire().await.map_err(failed(doing))?;
        let version = "SELECT coalesce(max(version), 0) FROM compline.migration";
        let from: i64 = sqlx::query_scalar(version).fetch_one(&mut *connection).await.unwrap_or(0);
        migrator.run_direct(None, &mut *connection, false).await.map_err(|e| failed_to(e.into()))?;
        let to = sqlx::query_scalar(version).fetch_one(&mut *connection).await.map_err(failed(doing))?;
        Ok(Migrated { from, to })
    }

    async fn schema(&self) -> Result<Schema> {
        let doing = "reading the schema's version";
        let table = "SELECT to_regclass('compline.migration') IS NOT NULL";
        let there: bool = sqlx::query_scalar(table).fetch_one(&self.cold).await.map_err(failed(doing))?;
        let found = match there {
            true => {
                let version = "SELECT coalesce(max(version), 0) FROM compline.migration";
                sqlx::query_scalar(version).fetch_one(&self.cold).await.map_err(failed(doing))?
            }
            false => 0,
        };
        Ok(Schema { found, needed: MIGRATIONS[MIGRATIONS.len() - 1].0 })
    }

    async fn now(&self) -> Result<Timestamp> {
        let now: Micros = sqlx::query_scalar("SELECT coalesce($1::timestamptz, clock_timestamp())")
            .bind(self.time())
            .fetch_one(&self.cold)
            .await
            .map_err(failed("asking the time"))?;
        Ok(now.into())
    }

    async fn put_kinds(&self, kinds: &[KindRow]) -> Result<()> {
        let doing = "storing the kinds";
        let mut tx = self.cold.begin().await.map_err(failed(doing))?;
        for kind in kinds {
            sqlx::query(
                "INSERT INTO compline.kind AS k VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind) DO UPDATE
                 SET queue = $2, priority = $3, max_attempts = $4, encrypted = $5, is_unique = $6
                 WHERE (k.queue, k.priority, k.max_attempts, k.encrypted, k.is_unique)
                       IS DISTINCT FROM ($2, $3, $4, $5, $6)",
            )
            .bind(&kind.kind)
            .bind(&kind.queue)
            .bind(i16::from(kind.priority))
            .bind(rows::small(kind.max_attempts))
            .bind(kind.encrypted)
            .bind(kind.unique)
            .execute(&mut *tx)
            .await
            .map_err(failed(doing))?;
        }
        tx.commit().await.map_err(failed(doing))
    }

    async fn insert(&self, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match insert::all_plain(rows) && rows.len() < copy::WORTH_A_COPY {
            true => self.gather.insert(self, rows, by).await,
            false => self.insert_now(rows, by).await,
        }
    }

    async fn insert_in(&self, tx: Transaction<'_>, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        let Transaction::Postgres(tx) = tx else {
            return Err(StoreError::Refused("the transaction must be one on the store's PostgreSQL".into()));
        };
        let inserted = insert::insert(tx, self.time(), rows, by).await;
        let inserted = inserted.map_err(contention::busy("enqueueing in the caller's transaction"))?;
        wake_at_commit(tx, rows.iter().map(|row| row.queue.clone()).collect()).await?;
        Ok(inserted)
    }

    async fn register(&self, worker: &WorkerInfo) -> Result<WorkerId> {
        lease::register(self, worker).await
    }

    async fn beat(&self, worker: WorkerId) -> Result<Beat> {
        lease::beat(self, worker).await
    }

    async fn retire(&self, worker: WorkerId) -> Result<()> {
        lease::retire(self, worker).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>> {
        lease::workers(self).await
    }

    async fn rescue(&self, worker: WorkerId, beat: i64) -> Result<Vec<Rescued>> {
        lease::rescue(self, worker, beat).await
    }

    async fn claim(&self, worker: WorkerId, queue: &str, limit: usize) -> Result<Vec<Claimed>> {
        lease::claim(self, worker, queue, limit).await
    }

    async fn finish(&self, worker: WorkerId, reports: &[Report]) -> Result<Finished> {
        finish::finish(self, worker, reports).await
    }

    async fn give_back_unheld(&self, worker: WorkerId, held: &[JobId]) -> Result<u64> {
        lease::give_back_unheld(self, worker, held).await
    }

    async fn stage(&self, limit: usize) -> Result<Staged> {
        let doing = "staging due jobs";
        let row = sqlx::query(include_str!("postgres/stage.sql"))
            .bind(self.time())
            .bind(rows::count(limit))
            .fetch_one(&self.hot)
            .await
            .map_err(failed(doing))?;
        let next: Option<i64> = sqlx::query_scalar(include_str!("postgres/next_due.sql"))
            .bind(self.time())
            .fetch_optional(&self.hot)
            .await
            .map_err(failed(doing))?;
        Ok(Staged {
            count: usize::try_from(row.get::<i64, _>(0)).unwrap_or(0),
            queues: row.get::<Option<Vec<String>>, _>(1).unwrap_or_default(),
            next: next.map(|us| Duration::from_micros(us.unsigned_abs())),
        })
    }

    async fn ready_queues(&self) -> Result<Vec<String>> {
        sqlx::query_scalar(include_str!("postgres/ready_queues.sql"))
            .fetch_all(&self.hot)
            .await
            .map_err(failed("looking for queues with work"))
    }

    async fn prune(&self, rules: &PruneRules, limit: usize) -> Result<u64> {
        prune::prune(self, rules, limit).await
    }

    async fn steps(&self, job: JobId) -> Result<Vec<StepRecord>> {
        read::steps(&self.hot, job).await
    }

    async fn save_step(&self, held: Held, step: &StepRecord) -> Result<()> {
        lease::save_step(self, held, step).await
    }

    async fn save_progress(&self, held: Held, progress: &Progress) -> Result<()> {
        lease::save_progress(self, held, progress).await
    }

    async fn spawn(&self, held: Held, step: &StepRecord, rows: &[NewRow], by: &Actor) -> Result<Vec<JobId>> {
        contention::patiently("enqueueing children", || insert::spawn(self, held, step, rows, by).boxed())
            .await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobDetail>> {
        read::job(self, id).await
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<JobRow>> {
        read::jobs(&self.cold, filter).await
    }

    async fn queues(&self) -> Result<Vec<QueueRow>> {
        read::queues(self).await
    }

    async fn change(&self, filter: &JobFilter, change: Change, by: &Actor, limit: usize) -> Result<Changed> {
        change::change(self, filter, change, by, limit).await
    }

    async fn pause(&self, queue: &str, by: &Actor, reason: &str) -> Result<()> {
        change::pause(self, queue, by, reason).await
    }

    async fn resume(&self, queue: &str, by: &Actor) -> Result<()> {
        change::resume(self, queue, by).await
    }

    async fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        read::append_audit(self, entry).await
    }

    async fn audit_after(&self, seq: i64, limit: usize) -> Result<Vec<(i64, AuditEntry)>> {
        read::audit_after(self, seq, limit).await
    }

    async fn wake(&self, queue: &str) -> Result<()> {
        self.tell(&format!("q:{queue}")).await
    }

    async fn listen(&self) -> Result<mpsc::Receiver<Woken>> {
        let doing = "listening for wake-ups";
        let mut listener = PgListener::connect_with(&self.cold).await.map_err(failed(doing))?;
        listener.listen(CHANNEL).await.map_err(failed(doing))?;
        let (sender, receiver) = mpsc::channel(1_024);
        tokio::spawn(async move {
            // None: the connection was lost, and with it whatever was said meanwhile.
            while let Ok(Some(news)) = listener.try_recv().await {
                let woken = match news.payload().strip_prefix("q:") {
                    Some(queue) => Woken::Queue(queue.into()),
                    None => Woken::Cancel,
                };
                if sender.send(woken).await.is_err() {
                    break;
                }
            }
        });
        Ok(receiver)
    }

    async fn close(&self) {
        self.claims.close().await;
        self.hot.close().await;
        self.cold.close().await;
        self.beats.close().await;
    }
}

impl PostgresStore {
    async fn insert_now(&self, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        let doing = "enqueueing jobs";
        // Plain rows are one statement or one COPY; a transaction around one statement would be two more
        // round trips.
        if insert::all_plain(rows) && rows.len() < copy::WORTH_A_COPY {
            let mut connection = self.hot.acquire().await.map_err(failed(doing))?;
            return insert::insert_plain(&mut connection, self.time(), rows, by).await;
        }
        contention::patiently(doing, || insert::insert_once(self, rows, by).boxed()).await
    }

    async fn tell(&self, payload: &str) -> Result<()> {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(payload)
            // A notification takes part in a commit, and nobody needs to wait for the disk for its sake.
            .execute(&self.claims)
            .await
            .map_err(failed("waking workers"))?;
        Ok(())
    }

    fn with_cursor<T>(&self, queue: &str, f: impl FnOnce(&mut lease::Cursor) -> T) -> T {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        match cursors.get_mut(queue) {
            Some(cursor) => f(cursor),
            None => f(cursors.entry(queue.into()).or_default()),
        }
    }
}
