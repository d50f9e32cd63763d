//! The store on SQLite: one file, one connection that writes, a few that read.
//!
//! Every verb that changes something is a function of a transaction and the time, in a file of its own; here
//! is only how they are reached. The writer does whatever waits in one transaction, so the price of a
//! durable commit is shared ([`writer`]).

mod alerts;
mod approvals;
mod audit;
mod audit_log;
mod breakers;
mod briefs;
mod buckets;
mod change;
mod claim;
mod ending;
mod evidence;
mod finish;
mod identities;
mod insert;
mod lanes;
mod limits;
mod migrate;
mod models;
mod prune;
mod rates;
mod read;
mod records;
mod requests;
mod reviews;
mod row;
mod rules;
mod schedules;
mod segments;
mod step;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod triggers;
mod uploads;
mod wake;
mod worker;
mod writer;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::{AuditEntry, Clock, JobId, Progress, StepRecord};
use serde_json::json;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use self::finish::Plain;
use self::wake::Bell;
use self::writer::{BUSY_TIMEOUT, Done, Tx, Writer};
use store::recent::Recent;
use store::turns::Turns;
use store::{
    Actor, Beat, Change, Changed, Claimed, Finished, Held, Inserted, Isolation, JobDetail, JobFilter, JobRow,
    KindRow, Migrated, NewRow, PruneRules, QueueRow, Report, Rescued, Result, Schema, Scope, Staged, Store,
    StoreError, Transaction, Woken, WorkerId, WorkerInfo, WorkerRow,
};
use uuid::Uuid;

/// Enough for a console and a few programs at once; a reader costs memory.
const READERS: u32 = 4;

/// Whoever still reads when the process ends may take this long.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: SqlitePool,
    bell: Bell,
    turns: Turns,
    lane_turns: Arc<Recent>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
#[error("the file `{path}` cannot be opened")]
struct Unopened {
    path: PathBuf,
    #[source]
    cause: sqlx::Error,
}

/// The file that the URL names, when it is not there yet: opening makes it.
pub fn missing_file(url: &str) -> Option<PathBuf> {
    file(url).ok().filter(|path| !path.exists())
}

impl SqliteStore {
    /// Opens the file, or makes it: `sqlite://relative.db`, `sqlite:///absolute.db` or a plain path.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = file(url)?;
        let failed = |cause| StoreError::Database {
            doing: "opening the SQLite store",
            cause: Box::new(Unopened { path: path.clone(), cause }),
        };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit that was answered is on the disk.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            // Nothing refers by foreign key; saying so spares a look at every write.
            .foreign_keys(false)
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-16384")
            // A checkpoint writes a page once however often it changed, so it pays to wait for a few.
            .pragma("wal_autocheckpoint", "4000")
            .statement_cache_capacity(256)
            .row_buffer_size(1024)
            .disable_statement_logging();
        let writer = Writer::open(options.clone()).await.map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self {
            path,
            writer,
            readers,
            bell: Bell::default(),
            turns: Turns::default(),
            lane_turns: Arc::default(),
            clock,
        })
    }

    fn now_us(&self) -> i64 {
        self.clock.now().as_microsecond()
    }

    /// Runs `work` with the time at which its turn has come, not the time at which it was asked for.
    async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx, i64) -> BoxFuture<'t, Done<T>> + Send + 'static,
    {
        let clock = self.clock.clone();
        self.writer.write(doing, move |tx| work(tx, clock.now().as_microsecond())).await
    }

    async fn read<T>(
        &self,
        doing: &'static str,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Done<T>,
    ) -> Result<T> {
        let mut connection = self
            .readers
            .acquire()
            .await
            .map_err(|cause| StoreError::Database { doing, cause: Box::new(cause) })?;
        work(&mut connection).await.map_err(|abort| abort.while_doing(doing))
    }
}

/// What the write-ahead log takes before it is folded into the file.
const ROOM: usize = 16 << 20;

/// A full disk takes small writes for a while, and the database's own first go into memory.
fn probe(folder: &Path) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    })?;
    file.write_all(&vec![0; ROOM])?;
    file.as_file().sync_all()
}

pub fn check_url(url: &str) -> Result<()> {
    file(url).map(drop)
}

fn file(url: &str) -> Result<PathBuf> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    if path.is_empty() || path.contains(":memory:") {
        return Err(StoreError::Refused(format!(
            "`{url}` names no file: jobs in memory would be lost with the process; use sqlite://compline.db"
        )));
    }
    let path = PathBuf::from(path);
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(StoreError::Refused(
            format!("the folder `{}` of the SQLite store does not exist; make it first", folder.display()),
        )),
        _ => Ok(path),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn migrate(&self) -> Result<Migrated> {
        self.write("migrating", |tx, now| migrate::migrate(tx, now).boxed()).await
    }

    async fn schema(&self) -> Result<Schema> {
        self.read("reading the schema's version", migrate::schema).await
    }

    async fn writable(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let written = tokio::task::spawn_blocking(move || probe(&folder)).await;
        written.unwrap_or_else(|panicked| Err(panicked.into())).map_err(|cause| {
            StoreError::Refused(format!(
                "nothing more can be written beside `{}`: {cause}; make room, or let this user write there",
                self.path.display()
            ))
        })
    }

    async fn isolation(&self) -> Result<Isolation> {
        Ok(Isolation::Statements)
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn installation(&self) -> Result<Uuid> {
        self.read("asking which installation this is", async |connection| {
            Ok(sqlx::query_scalar("SELECT id FROM installation").fetch_one(connection).await?)
        })
        .await
    }

    async fn put_kinds(&self, kinds: &[KindRow]) -> Result<()> {
        let kinds = kinds.to_vec();
        self.write("writing down the kinds", move |tx, _| {
            async move { worker::put_kinds(tx, &kinds).await }.boxed()
        })
        .await
    }

    async fn insert(&self, scope: &Scope, rows: &[NewRow], by: &Actor) -> Result<Vec<Inserted>> {
        const DOING: &str = "enqueueing jobs";
        scope.takes(rows)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (now, by) = (self.now_us(), by.clone());
        let ready_queues: BTreeSet<_> =
            rows.iter().filter(|row| row.may_be_due()).map(|row| row.queue.clone()).collect();
        let plain = insert::Plain::of(rows, now).map_err(|abort| abort.while_doing(DOING))?;
        if let Some(insert::Plain { rows, object, ids }) = plain {
            let packed = row::packed(&ids);
            let bind = move |sql| {
                let query = sqlx::query(sql).bind(rows.clone()).bind(now);
                let query = query.bind(by.name.clone()).bind(object.clone()).bind(packed.clone());
                query.bind(by.origin.request.clone()).bind(by.origin.source.clone())
            };
            let inserted = self.writer.script(DOING, insert::INSERT_PLAIN, bind, |_| Ok(()));
            // Rung when the rows stand in the writer's line: a claim that this brings stands behind them, and
            // has not to wait until word of the commit went round.
            self.bell.ring_for(ready_queues);
            inserted.await?;
            return Ok(ids.into_iter().map(|id| Inserted { id, duplicate: false }).collect());
        }
        let (scope, rows) = (scope.clone(), rows.to_vec());
        self.write(DOING, move |tx, now| {
            async move { insert::insert(tx, &scope, now, &rows, &by).await }.boxed()
        })
        .await
    }

    async fn insert_in(
        &self,
        tx: Transaction<'_>,
        scope: &Scope,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Vec<Inserted>> {
        const DOING: &str = "enqueueing jobs in the caller's transaction";
        let Transaction::Sqlite(tx) = tx else {
            return Err(StoreError::Refused("the transaction must be one on the store's SQLite file".into()));
        };
        insert::insert(tx, scope, self.now_us(), rows, by).await.map_err(|abort| abort.while_doing(DOING))
    }

    async fn register(&self, worker: &WorkerInfo) -> Result<WorkerId> {
        let info = worker.clone();
        self.write("registering a worker", move |tx, now| worker::register(tx, now, info).boxed()).await
    }

    async fn beat(&self, worker: WorkerId) -> Result<Beat> {
        self.write("beating", move |tx, now| worker::beat(tx, now, worker).boxed()).await
    }

    async fn retire(&self, worker: WorkerId) -> Result<()> {
        self.write("retiring a worker", move |tx, now| worker::retire(tx, now, worker).boxed()).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>> {
        self.read("listing workers", worker::workers).await
    }

    async fn rescue(&self, worker: WorkerId, beat: i64) -> Result<Vec<Rescued>> {
        let (rescued, woken) =
            self.write("rescuing jobs", move |tx, now| worker::rescue(tx, now, worker, beat).boxed()).await?;
        self.bell.ring_for(woken);
        Ok(rescued)
    }

    async fn unrescued(&self) -> Result<Vec<WorkerId>> {
        // A rescue is one transaction, and nobody else's is beside it.
        Ok(Vec::new())
    }

    async fn claim(&self, worker: WorkerId, queue: &str, limit: usize) -> Result<Vec<Claimed>> {
        const DOING: &str = "claiming jobs";
        let (now, name, by) = (self.now_us(), queue.to_owned(), Actor::worker(worker).name);
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let bind = move |sql| {
            sqlx::query(sql).bind(worker.0).bind(now).bind(name.clone()).bind(most).bind(by.clone())
        };
        let claimed = self.writer.script(DOING, claim::CLAIM, bind, claim::claimed).await?;
        // Without tenants that is all there is to it.
        if !claimed.is_empty()
            || !self.read(DOING, async |c| claim::wants_fairness(c, now, worker, queue).await).await?
        {
            return Ok(claimed);
        }
        let (name, before) = (queue.to_owned(), self.turns.last(queue));
        let last_turn = before.clone();
        let claimed = self
            .write(DOING, move |tx, now| claim::claim_fairly(tx, now, worker, name, limit, last_turn).boxed())
            .await?;
        self.turns.given(queue, &before, claimed.iter().map(|job| job.tenant.as_deref()));
        Ok(claimed)
    }

    async fn finish(&self, worker: WorkerId, reports: &[Report]) -> Result<Finished> {
        const DOING: &str = "finishing jobs";
        let (plain, mut rest): (Vec<&Report>, Vec<&Report>) = reports.iter().partition(|r| Plain::is(r));
        if !plain.is_empty() {
            let told = Plain::of(&plain).map_err(|abort| abort.while_doing(DOING))?.reports;
            let (now, by) = (self.now_us(), Actor::worker(worker).name);
            let bind =
                move |sql| sqlx::query(sql).bind(told.clone()).bind(now).bind(worker.0).bind(by.clone());
            let ended = self.writer.script(DOING, finish::FINISH_PLAIN, bind, Plain::ended).await?;
            rest.extend(plain.into_iter().filter(|report| !ended.contains(&report.held.job)));
        }
        if rest.is_empty() {
            return Ok(Finished::default());
        }
        let rest: Vec<Report> = rest.into_iter().cloned().collect();
        self.write(DOING, move |tx, now| async move { finish::finish(tx, now, worker, &rest).await }.boxed())
            .await
    }

    async fn give_back_unheld(&self, worker: WorkerId, held: &[JobId]) -> Result<u64> {
        let held = held.iter().copied().collect();
        let (count, woken) = self
            .write("giving jobs back", move |tx, now| {
                async move { worker::give_back_unheld(tx, now, worker, &held).await }.boxed()
            })
            .await?;
        self.bell.ring_for(woken);
        Ok(count)
    }

    async fn stage(&self, limit: usize) -> Result<Staged> {
        const DOING: &str = "staging jobs";
        // Most of the time nothing is due, and then there is no reason to ask for the write lock.
        let now = self.now_us();
        let next = self.read(DOING, async |connection| claim::next_due(connection, now).await).await?;
        if next.is_none_or(|next| !next.is_zero()) {
            return Ok(Staged { next, ..Staged::default() });
        }
        self.write(DOING, move |tx, now| claim::stage(tx, now, limit).boxed()).await
    }

    async fn ready_queues(&self) -> Result<Vec<String>> {
        let now = self.now_us();
        self.read("looking for work", async |connection| claim::ready_queues(connection, now).await).await
    }

    async fn prune(&self, rules: &PruneRules, limit: usize) -> Result<u64> {
        let rules = rules.clone();
        self.write("pruning the history", move |tx, now| {
            async move { prune::prune(tx, now, &rules, limit).await }.boxed()
        })
        .await
    }

    async fn forget_workers(&self, ended_for: Duration) -> Result<Vec<WorkerId>> {
        self.write("forgetting ended workers", move |tx, now| {
            async move { worker::forget(tx, now, ended_for).await }.boxed()
        })
        .await
    }

    async fn steps(&self, held: Held) -> Result<Vec<StepRecord>> {
        self.read("reading steps", async |connection| step::held_steps(connection, held).await).await
    }

    async fn save_step(&self, held: Held, step: &StepRecord) -> Result<()> {
        let step = step.clone();
        self.write("saving a step", move |tx, _| {
            async move { step::save_step(tx, held, &step).await }.boxed()
        })
        .await
    }

    async fn save_progress(&self, held: Held, progress: &Progress) -> Result<()> {
        let progress = progress.clone();
        self.write("saving progress", move |tx, now| {
            async move { step::save_progress(tx, now, held, &progress).await }.boxed()
        })
        .await
    }

    async fn save_audit(&self, held: Held, entry: &AuditEntry) -> Result<()> {
        let entry = entry.clone();
        self.write("writing to the audit log", move |tx, now| {
            async move { step::save_audit(tx, now, held, &entry).await }.boxed()
        })
        .await
    }

    async fn spawn(&self, held: Held, step: &StepRecord, rows: &[NewRow], by: &Actor) -> Result<Vec<JobId>> {
        let (step, rows, by) = (step.clone(), rows.to_vec(), by.clone());
        self.write("spawning children", move |tx, now| {
            async move { step::spawn(tx, now, held, &step, &rows, &by).await }.boxed()
        })
        .await
    }

    async fn job(&self, scope: &Scope, id: JobId) -> Result<Option<JobDetail>> {
        self.read("reading a job", async |connection| {
            // One snapshot, or a job that ends meanwhile would be in neither table or half told.
            let mut snapshot = connection.begin().await?;
            let job = read::job(&mut snapshot, scope, id).await?;
            snapshot.commit().await?;
            Ok(job)
        })
        .await
    }

    async fn jobs(&self, scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRow>> {
        self.read("listing jobs", async |connection| {
            let mut snapshot = connection.begin().await?;
            let jobs = read::jobs(&mut snapshot, scope, filter).await?;
            snapshot.commit().await?;
            Ok(jobs)
        })
        .await
    }

    async fn queues(&self, scope: &Scope) -> Result<Vec<QueueRow>> {
        let now = self.now_us();
        self.read("listing queues", async |connection| read::queues(connection, scope, now).await).await
    }

    async fn change(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        change: Change,
        by: &Actor,
        limit: usize,
    ) -> Result<Changed> {
        let (scope, filter, by) = (scope.clone(), filter.clone(), by.clone());
        let changed = self
            .write("changing jobs", move |tx, now| {
                async move { change::change(tx, &scope, now, &filter, change, &by, limit).await }.boxed()
            })
            .await?;
        if !changed.asked.is_empty() {
            self.bell.ring(&Woken::Cancel);
        }
        Ok(changed)
    }

    async fn pause(&self, queue: &str, until: Option<Timestamp>, by: &Actor, reason: &str) -> Result<()> {
        let (queue, by, reason) = (queue.to_owned(), by.clone(), reason.to_owned());
        self.write("pausing a queue", move |tx, now| {
            async move {
                sqlx::query(include_str!("pause.sql"))
                    .bind(queue.clone())
                    .bind(now)
                    .bind(by.name.clone())
                    .bind(reason.clone())
                    .bind(until.map(|until| until.as_microsecond()))
                    .execute(&mut *tx)
                    .await?;
                let details = json!({ "reason": reason, "until": until });
                audit::object(tx, now, &by, "queue.pause", &queue, Some(details)).await
            }
            .boxed()
        })
        .await
    }

    async fn resume(&self, queue: &str, by: &Actor) -> Result<()> {
        let (name, by) = (queue.to_owned(), by.clone());
        self.write("resuming a queue", move |tx, now| {
            async move {
                sqlx::query(include_str!("resume.sql")).bind(name.clone()).execute(&mut *tx).await?;
                audit::object(tx, now, &by, "queue.resume", &name, None).await
            }
            .boxed()
        })
        .await?;
        self.wake(queue).await
    }

    async fn wake(&self, queue: &str) -> Result<()> {
        self.bell.ring(&Woken::Queue(queue.to_owned()));
        Ok(())
    }

    async fn listen(&self) -> Result<tokio::sync::mpsc::Receiver<Woken>> {
        Ok(self.bell.listen())
    }

    async fn close(&self) {
        self.bell.close();
        let closed = async {
            self.writer.close().await;
            self.readers.close().await;
        };
        // Whoever reads for longer is left behind; what was answered is on the disk.
        let _ = tokio::time::timeout(CLOSE_WITHIN, closed).await;
    }
}
