//! The store on PostgreSQL.
//!
//! Four pools, because statements want different things of a session: claims may commit without waiting
//! for the disk (one that a crash undoes is a job that runs again, and what the first attempt still wants to
//! write names a worker that no longer has it); the other hot statements want the one plan that is
//! right at every batch size and under any statistics; what people ask wants a plan made for the question;
//! and a beat must wait for nobody.

mod alerts;
mod approvals;
mod at_once;
mod audit_log;
mod breakers;
mod briefs;
mod buckets;
mod change;
mod claim;
mod contention;
mod copy;
mod evidence;
mod finish;
mod gather;
mod identities;
mod insert;
mod lane_marks;
mod lanes;
mod lease;
mod limits;
mod migrate;
mod models;
mod prune;
mod rates;
mod read;
mod records;
mod requests;
mod rescue;
mod reviews;
mod rows;
mod rules;
mod schedules;
mod segments;
mod sessions;
mod stretches;
mod tenants;
mod tokens;
mod tree;
mod triggers;
mod uploads;
mod wake;

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, TryFutureExt};
use jiff::Timestamp;
use jobkit::{AuditEntry, Clock, JobId, Progress, StepRecord};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, Row};
use tokio::sync::mpsc;

use gather::Gather;
use rows::Micros;
use sessions::{Sessions, within};
use store::recent::Recent;
use store::turns::Turns;
use store::*;
use tenants::Asker;
pub use tenants::RowSecurity;
use uuid::Uuid;
pub use wake::CHANNEL;

#[derive(Clone)]
pub struct PgOptions {
    /// Connections for what people and running jobs ask; the engine's own come on top.
    pub connections: u32,
    pub acquire_timeout: Duration,
    /// A call of the engine's that has no answer by then is given up and its connection closed.
    pub answer_within: Duration,
    pub row_security: RowSecurity,
    /// In tests the time comes from here, in life from the database.
    pub manual_clock: Option<Arc<dyn Clock>>,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self {
            connections: 5,
            acquire_timeout: Duration::from_secs(10),
            answer_within: Duration::from_secs(30),
            row_security: RowSecurity::default(),
            manual_clock: None,
        }
    }
}

pub struct PostgresStore {
    claims: Sessions,
    hot: Sessions,
    cold: Sessions,
    /// A beat must not wait for a connection behind statements that wait for a lock.
    beats: Sessions,
    listening: PgConnectOptions,
    answer_within: Duration,
    manual_clock: Option<Arc<dyn Clock>>,
    row_security: RowSecurity,
    /// Whether they are, once it is known.
    tenants_held: tokio::sync::OnceCell<bool>,
    gather: Gather,
    this: Weak<PostgresStore>,
    /// Where the last full claim of each queue ended, and when it must be forgotten.
    cursors: Mutex<std::collections::HashMap<String, claim::Cursor>>,
    turns: Turns,
    lane_turns: Recent,
    lane_marks: lane_marks::Marked,
    /// Where in the history something comes due.
    history: tokio::sync::Mutex<prune::Known>,
}

impl PostgresStore {
    /// Does not connect: a database that is away is waited for, not a reason to end.
    pub fn connect(url: &str, options: &PgOptions) -> Result<Arc<Self>> {
        let base = options_of(url)?
            .application_name("compline")
            .statement_cache_capacity(256)
            .options(WHEN_WE_ARE_GONE);
        let pool = |most: u32, options_of_session: &[(&str, &str)]| {
            let port = base.get_port();
            let pool = PgPoolOptions::new()
                .acquire_timeout(options.acquire_timeout)
                .test_before_acquire(false)
                .after_connect(move |session, _| {
                    at_once::send_at_once(port);
                    Box::pin(ask_whether_we_are_there(session))
                });
            Sessions::lazy(most, pool, base.clone().options(options_of_session.iter().copied()))
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
            // Two: a beat that was given up keeps its place until its connection has had its last word.
            beats: pool(2, &hot),
            listening: base.clone(),
            answer_within: options.answer_within,
            manual_clock: options.manual_clock.clone(),
            row_security: options.row_security,
            tenants_held: tokio::sync::OnceCell::new(),
            gather: Gather::default(),
            this: this.clone(),
            cursors: Mutex::default(),
            turns: Turns::default(),
            lane_turns: Recent::default(),
            lane_marks: lane_marks::Marked::default(),
            history: tokio::sync::Mutex::default(),
        }))
    }

    /// First parameter of every statement that asks the time: none means the database's own.
    fn time(&self) -> Option<Micros> {
        self.manual_clock.as_ref().map(|clock| Micros::from(clock.now()))
    }
}

pub fn check_url(url: &str) -> Result<()> {
    options_of(url).map(drop)
}

fn options_of(url: &str) -> Result<PgConnectOptions> {
    PgConnectOptions::from_str(url)
        .map_err(|cause| StoreError::Refused(format!("this is no PostgreSQL URL: {cause}")))
}

/// A database that does not hear of us any more ends our sessions, and gives back what they locked.
const WHEN_WE_ARE_GONE: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "60s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// Who gave a question up has closed its connection, which the database would notice with the answer: up to then it reads,
/// or waits for a lock. Known since PostgreSQL 14, and not on every system; without it, it is as it was.
async fn ask_whether_we_are_there(session: &mut PgConnection) -> sqlx::Result<()> {
    let sql = "SELECT set_config('client_connection_check_interval', '5s', false)
               WHERE current_setting('client_connection_check_interval', true) IS NOT NULL";
    if let Err(problem) = sqlx::raw_sql(sql).execute(session).await {
        // A session that is cut already is told by its first statement.
        tracing::debug!("the database will not notice a question that was given up: {problem}");
    }
    Ok(())
}

/// For questions of people, and work on many rows: long beyond what any of it should take.
const LONG: Duration = Duration::from_secs(600);

/// For sessions to end in an orderly way.
const CLOSING: Duration = Duration::from_secs(2);

/// On top of the limit of a call, for each row it writes: no database is so slow and alive.
const FOR_EACH_ROW: Duration = Duration::from_millis(10);

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |cause| StoreError::Database { doing, cause: Box::new(cause) }
}

#[async_trait]
impl Store for PostgresStore {
    async fn migrate(&self) -> Result<Migrated> {
        let mut session = self.cold.acquire().await.map_err(failed(migrate::DOING))?;
        let migrated = migrate::migrate(&mut session).await?;
        session.keep();
        Ok(migrated)
    }

    async fn schema(&self) -> Result<Schema> {
        let doing = "reading the schema's version";
        let found = async {
            let mut session = self.cold.acquire().await.map_err(failed(doing))?;
            let schema = migrate::schema(&mut session).await.map_err(failed(doing))?;
            session.keep();
            Ok(schema)
        };
        self.answered(doing, found).await
    }

    async fn writable(&self) -> Result<()> {
        let doing = "asking whether the database takes writes";
        let read_only = sqlx::query_scalar("SELECT current_setting('transaction_read_only')::bool")
            .fetch_one(&self.cold)
            .map_err(failed(doing));
        match self.answered(doing, read_only).await? {
            true => Err(StoreError::Refused(
                "the server takes no writes: it is a standby, or default_transaction_read_only is on".into(),
            )),
            false => Ok(()),
        }
    }

    async fn isolation(&self) -> Result<Isolation> {
        self.answered("checking whether tenants are kept apart", self.isolation_now()).await
    }

    async fn now(&self) -> Result<Timestamp> {
        let doing = "asking the time";
        let now = sqlx::query_scalar("SELECT coalesce($1::timestamptz, clock_timestamp())")
            .bind(self.time())
            .fetch_one(&self.cold)
            .map_err(failed(doing));
        let now: Micros = self.answered(doing, now).await?;
        Ok(now.into())
    }

    async fn installation(&self) -> Result<Uuid> {
        let doing = "asking which installation this is";
        let id = sqlx::query_scalar("SELECT id FROM compline.installation")
            .fetch_one(&self.cold)
            .map_err(failed(doing));
        self.answered(doing, id).await
    }

    async fn put_kinds(&self, kinds: &[KindRow]) -> Result<()> {
        self.answered("storing the kinds", self.put_kinds_now(kinds)).await
    }

    async fn insert(&self, scope: &Scope, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        scope.takes(rows)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        // A group shares a commit, and a tenant's transaction is its own.
        let shared =
            *scope == Scope::Installation && insert::all_plain(rows) && rows.len() < copy::WORTH_A_COPY;
        match shared {
            true => self.gather.insert(self, rows, by).await,
            false => self.insert_now(scope, rows, by).await,
        }
    }

    async fn insert_in(
        &self,
        tx: Transaction<'_>,
        scope: &Scope,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Vec<Inserted>> {
        let Transaction::Postgres(tx) = tx else {
            return Err(StoreError::Refused("the transaction must be one on the store's PostgreSQL".into()));
        };
        // The role of the caller's own transaction is the caller's.
        let asker = Asker::unheld(scope);
        let inserted = insert::insert(tx, &asker, self.time(), rows, by).await;
        let inserted = inserted.map_err(contention::busy("enqueueing in the caller's transaction"))?;
        wake::at_commit(tx, insert::ready_queues(rows)).await?;
        Ok(inserted)
    }

    async fn register(&self, worker: &WorkerInfo) -> Result<WorkerId> {
        self.forget_where_claims_ended();
        self.answered("registering the worker", lease::register(self, worker)).await
    }

    async fn beat(&self, worker: WorkerId) -> Result<Beat> {
        // Slow jobs: the next full claim may come minutes after the last, and what came in meanwhile has waited.
        self.forget_where_claims_ended();
        self.answered("renewing the lease", lease::beat(self, worker)).await
    }

    async fn retire(&self, worker: WorkerId) -> Result<()> {
        self.answered("retiring the worker", lease::retire(self, worker)).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>> {
        self.answered("listing workers", lease::workers(self)).await
    }

    async fn rescue(&self, worker: WorkerId, beat: i64) -> Result<Vec<Rescued>> {
        self.answered("rescuing the jobs of a lost worker", rescue::rescue(self, worker, beat)).await
    }

    async fn unrescued(&self) -> Result<Vec<WorkerId>> {
        self.answered("looking for jobs of workers that have ended", rescue::unrescued(self)).await
    }

    async fn claim(&self, worker: WorkerId, queue: &str, limit: usize) -> Result<Vec<Claimed>> {
        self.answered("claiming jobs", claim::claim(self, worker, queue, limit)).await
    }

    async fn finish(&self, worker: WorkerId, reports: &[Report]) -> Result<Finished> {
        let limit = self.limit_for(reports.len());
        within(limit, "recording how attempts ended", finish::finish(self, worker, reports)).await
    }

    async fn give_back_unheld(&self, worker: WorkerId, held: &[JobId]) -> Result<u64> {
        self.answered("giving back jobs that are not in hand", lease::give_back_unheld(self, worker, held))
            .await
    }

    async fn stage(&self, limit: usize) -> Result<Staged> {
        self.answered("staging due jobs", self.stage_now(limit)).await
    }

    async fn ready_queues(&self) -> Result<Vec<String>> {
        let doing = "looking for queues with work";
        let sql = include_str!("ready_queues.sql");
        let ready = sqlx::query_scalar(sql).bind(self.time()).fetch_all(&self.hot).map_err(failed(doing));
        self.answered(doing, ready).await
    }

    async fn prune(&self, rules: &PruneRules, limit: usize) -> Result<u64> {
        within(LONG, "pruning finished jobs", prune::prune(self, rules, limit)).await
    }

    async fn forget_workers(&self, ended_for: Duration) -> Result<Vec<WorkerId>> {
        self.answered("forgetting ended workers", lease::forget_workers(self, ended_for)).await
    }

    async fn steps(&self, held: Held) -> Result<Vec<StepRecord>> {
        self.answered("reading a job's steps", read::held_steps(self, held)).await
    }

    async fn save_step(&self, held: Held, step: &StepRecord) -> Result<()> {
        self.answered("storing a step", lease::save_step(self, held, step)).await
    }

    async fn save_progress(&self, held: Held, progress: &Progress) -> Result<()> {
        self.answered("storing progress", lease::save_progress(self, held, progress)).await
    }

    async fn save_audit(&self, held: Held, entry: &AuditEntry) -> Result<()> {
        self.answered("writing the attempt's audit entry", lease::save_audit(self, held, entry)).await
    }

    async fn spawn(&self, held: Held, step: &StepRecord, rows: &[NewRow], by: &Actor) -> Result<Vec<JobId>> {
        const DOING: &str = "enqueueing children";
        let spawn = contention::patiently(DOING, || insert::spawn(self, held, step, rows, by).boxed());
        let ids = within(self.limit_for(rows.len()), DOING, spawn).await?;
        self.tell_of(rows).await;
        Ok(ids)
    }

    async fn job(&self, scope: &Scope, id: JobId) -> Result<Option<JobDetail>> {
        within(LONG, "reading a job", read::job(self, scope, id)).await
    }

    async fn jobs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRow>> {
        within(LONG, "listing jobs", read::jobs(self, scope, filter)).await
    }

    async fn queues(&self, scope: &Scope) -> Result<Vec<QueueRow>> {
        within(LONG, "listing queues", read::queues(self, scope)).await
    }

    async fn change(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        change: Change,
        by: &Actor,
        limit: usize,
    ) -> Result<Changed> {
        within(LONG, "changing jobs", change::change(self, scope, filter, change, by, limit)).await
    }

    async fn pause(&self, queue: &str, until: Option<Timestamp>, by: &Actor, reason: &str) -> Result<()> {
        within(LONG, "pausing the queue", change::pause(self, queue, until, by, reason)).await
    }

    async fn resume(&self, queue: &str, by: &Actor) -> Result<()> {
        within(LONG, "resuming the queue", change::resume(self, queue, by)).await
    }

    async fn wake(&self, queue: &str) -> Result<()> {
        self.tell(&wake::news(&[queue.to_owned()])).await
    }

    async fn listen(&self) -> Result<mpsc::Receiver<Woken>> {
        wake::listen(self.listening.clone(), self.answer_within).await
    }

    async fn close(&self) {
        let pools = [&self.claims, &self.hot, &self.cold, &self.beats];
        // Whoever keeps a session longer is told by its end that the store is closed; what was answered is committed.
        let closed = futures::future::join_all(pools.map(Sessions::close));
        let _ = tokio::time::timeout(self.answer_within.min(CLOSING), closed).await;
    }
}

impl PostgresStore {
    /// With the limit of calls that the engine waits for.
    async fn answered<T>(&self, doing: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        within(self.answer_within, doing, call).await
    }

    fn limit_for(&self, rows: usize) -> Duration {
        self.answer_within + FOR_EACH_ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
    }

    async fn insert_now(&self, scope: &Scope, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        within(self.limit_for(rows.len()), "enqueueing jobs", self.insert_here(scope, rows, by)).await
    }

    async fn insert_here(&self, scope: &Scope, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        let doing = "enqueueing jobs";
        // Plain rows are one statement or one COPY; a transaction around one statement would be two more
        // round trips.
        let alone = *scope == Scope::Installation;
        if alone && insert::all_plain(rows) && rows.len() < copy::WORTH_A_COPY {
            let mut connection = self.hot.acquire().await.map_err(failed(doing))?;
            let inserted = insert::insert_and_wake(&mut connection, self.time(), rows, by).await?;
            connection.keep();
            return Ok(inserted);
        }
        let asker = self.asker(scope).await?;
        let insert = || insert::insert_once(self, &asker, rows, by).boxed();
        let inserted = contention::patiently(doing, insert).await?;
        self.tell_of(rows).await;
        Ok(inserted)
    }

    async fn stage_now(&self, limit: usize) -> Result<Staged> {
        let doing = "staging due jobs";
        let row = sqlx::query(include_str!("stage.sql"))
            .bind(self.time())
            .bind(rows::count(limit))
            .fetch_one(&self.hot)
            .await
            .map_err(failed(doing))?;
        let next: Option<i64> = sqlx::query_scalar(include_str!("stage_next.sql"))
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

    async fn put_kinds_now(&self, kinds: &[KindRow]) -> Result<()> {
        let doing = "storing the kinds";
        let mut session = self.cold.acquire().await.map_err(failed(doing))?;
        let mut tx = session.begin().await.map_err(failed(doing))?;
        for kind in kinds {
            sqlx::query(include_str!("put_kinds.sql"))
                .bind(&kind.kind)
                .bind(&kind.queue)
                .bind(i16::from(kind.priority))
                .bind(rows::small(kind.max_attempts))
                .bind(kind.encrypted)
                .bind(kind.unique)
                .bind(kind.internal)
                .bind(kind.approval.as_ref().map(|demand| i16::from(demand.people)))
                .bind(kind.approval.as_ref().map(|demand| &demand.permission))
                .bind(kind.approval.as_ref().map(|demand| rows::micros(demand.expires)))
                .execute(&mut *tx)
                .await
                .map_err(failed(doing))?;
        }
        tx.commit().await.map_err(failed(doing))?;
        session.keep();
        Ok(())
    }

    /// A notification takes part in a commit, and nobody needs to wait for the disk for its sake.
    async fn tell(&self, news: &[String]) -> Result<()> {
        let doing = "waking workers";
        let told = async {
            let mut session = self.claims.acquire().await.map_err(failed(doing))?;
            wake::tell(&mut session, news).await?;
            session.keep();
            Ok(())
        };
        self.answered(doing, told).await
    }

    /// What was done is done whether anybody heard of it or not; the poll finds it.
    async fn tell_if_possible(&self, news: &[String]) {
        if let Err(problem) = self.tell(news).await {
            tracing::debug!("waking workers failed: {problem}");
        }
    }

    async fn tell_of(&self, rows: &[NewRow]) {
        self.tell_if_possible(&wake::news(&insert::ready_queues(rows))).await;
    }

    fn forget_where_claims_ended(&self) {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.lane_marks.clear();
    }

    fn with_cursor<T>(&self, queue: &str, f: impl FnOnce(&mut claim::Cursor) -> T) -> T {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        match cursors.get_mut(queue) {
            Some(cursor) => f(cursor),
            None => f(cursors.entry(queue.into()).or_default()),
        }
    }
}
