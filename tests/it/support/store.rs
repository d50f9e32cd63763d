//! A real store with a clock that the test holds, and the few lines that every test would write again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jobkit::testing::ManualClock;
use jobkit::{
    AuditEntry, IdGenerator, JobId, NewModel, OnConflict, OnParentFailure, StepKey, StepRecord, When,
};
use serde_json::Value;
use store::state::JobState;
use store::{
    Actor, Attempting, Change, Changed, Claimed, End, Finished, Inserted, JobDetail, JobFilter, NewRow,
    Position, Release, Report, Scope, Store, StoreError, Transaction, UniqueRow, WorkerId, WorkerInfo,
};
use store_sqlite::SqliteStore;
use tempfile::TempDir;

use super::postgres;

/// Writes each promise twice: once kept by SQLite, once by PostgreSQL.
macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise($crate::support::store::TestStore::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise($crate::support::store::TestStore::postgres().await).await;
            })+
        }
    };
}
pub(crate) use promises;

/// How to come to one set of jobs, for as many processes as a test plays.
#[derive(Clone)]
pub struct Door {
    place: Place,
    clock: Arc<ManualClock>,
}

#[derive(Clone)]
enum Place {
    File(Arc<TempDir>),
    Database(String),
}

impl Door {
    pub async fn open(&self) -> Arc<dyn Store> {
        match &self.place {
            Place::File(folder) => {
                let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
                Arc::new(SqliteStore::open(&url, self.clock.clone()).await.unwrap())
            }
            Place::Database(url) => postgres::store(url, self.clock.clone()),
        }
    }
}

pub enum Connection {
    Postgres(sqlx::PgConnection),
    Sqlite(sqlx::SqliteConnection),
}

impl Connection {
    pub async fn run(&mut self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql);
        match self {
            Self::Postgres(connection) => drop(sqlx::query(sql).execute(connection).await.unwrap()),
            Self::Sqlite(connection) => drop(sqlx::query(sql).execute(connection).await.unwrap()),
        }
    }

    /// Why the database refuses a statement, which has `{}` where the table is named.
    pub async fn refusal(&mut self, statement: &str, table: &str) -> String {
        let refused = match self {
            Self::Postgres(connection) => {
                let sql = statement.replace("{}", &format!("compline.{table}"));
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
            }
            Self::Sqlite(connection) => {
                let sql = statement.replace("{}", table);
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
            }
        };
        refused.expect_err(statement).to_string()
    }

    pub async fn count(&mut self, table: &str) -> usize {
        let count: i64 = match self {
            Self::Postgres(connection) => {
                let sql = format!("SELECT count(*) FROM compline.{table}");
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await.unwrap()
            }
            Self::Sqlite(connection) => {
                let sql = format!("SELECT count(*) FROM {table}");
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await.unwrap()
            }
        };
        usize::try_from(count).unwrap()
    }

    pub async fn count_audited_behind(&mut self, Position { era, tx, seq }: Position) -> usize {
        let behind = match self {
            Self::Postgres(_) => format!("(era, tx, seq) > ({era}, '{tx}'::xid8, {seq})"),
            Self::Sqlite(_) => format!("seq > {seq}"),
        };
        self.count(&format!("audit_entry WHERE {behind}")).await
    }

    /// What a crash of the database leaves of a claim, which does not wait for the disk.
    pub async fn undo_claims(&mut self) {
        let undo = "SET state = 'available', worker = NULL, claimed_at = NULL, attempt = attempt - 1, \
                    fence = fence - 1 WHERE state = 'running'";
        let table = match self {
            Self::Postgres(_) => "compline.job",
            Self::Sqlite(_) => "job",
        };
        self.run(&format!("UPDATE {table} {undo}")).await;
    }

    pub fn transaction(&mut self) -> Transaction<'_> {
        match self {
            Self::Postgres(connection) => connection.into(),
            Self::Sqlite(connection) => connection.into(),
        }
    }
}

#[derive(Clone)]
pub struct TestStore {
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<IdGenerator>,
    door: Door,
}

pub const QUEUE: &str = "default";
pub const KIND: &str = "test.kind";

/// Whoever has the database has everything.
pub const ALL: &Scope = &Scope::Installation;

pub fn ada() -> Actor {
    Actor::new("user:ada")
}

impl TestStore {
    pub async fn sqlite() -> Self {
        Self::new(folder()).await
    }

    pub async fn postgres() -> Self {
        Self::new(Place::Database(postgres::database().await)).await
    }

    async fn new(place: Place) -> Self {
        let clock = Arc::new(ManualClock::default());
        let door = Door { place, clock: clock.clone() };
        let store = door.open().await;
        store.migrate().await.unwrap();
        let ids = Arc::new(IdGenerator::new(clock.clone()));
        Self { store, clock, ids, door }
    }

    /// The same jobs through another door, as a second process would come in.
    pub async fn another(&self) -> Arc<dyn Store> {
        self.door.open().await
    }

    /// The same for a process of its own: with another way to the same jobs.
    pub async fn second(&self) -> Self {
        Self { store: self.another().await, ..self.clone() }
    }

    /// Of the database; the PostgreSQL store alone has one.
    pub fn url(&self) -> &str {
        match &self.door.place {
            Place::Database(url) => url,
            Place::File(_) => panic!("a file has no URL"),
        }
    }

    /// A connection of the application's own to the same database.
    pub async fn connection(&self) -> Connection {
        use sqlx::Connection as _;
        match &self.door.place {
            Place::File(folder) => {
                let file = folder.path().join("jobs.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                Connection::Sqlite(sqlx::SqliteConnection::connect_with(&options).await.unwrap())
            }
            Place::Database(url) => Connection::Postgres(sqlx::PgConnection::connect(url).await.unwrap()),
        }
    }

    /// A place of the same make where nothing is yet, not even the schema.
    pub async fn empty(&self) -> Door {
        let place = match &self.door.place {
            Place::File(_) => folder(),
            Place::Database(_) => Place::Database(postgres::empty_database().await),
        };
        Door { place, clock: self.clock.clone() }
    }

    pub fn row(&self) -> NewRow {
        NewRow {
            id: self.ids.next(),
            kind: KIND.into(),
            queue: QUEUE.into(),
            priority: 5,
            max_attempts: 3,
            when: When::Now,
            args: r#"{"n":1}"#.into(),
            unique: None,
            tenant: None,
            tags: Vec::new(),
            metadata: None,
            after: Vec::new(),
            on_parent_failure: OnParentFailure::Cancel,
            comes_with: None,
            lane: None,
            uploads: Vec::new(),
            approval: None,
        }
    }

    pub async fn insert(&self, rows: &[NewRow]) -> Vec<Inserted> {
        self.store.insert(&Scope::Installation, rows, &ada()).await.unwrap()
    }

    /// A row made from the plain one.
    pub async fn add(&self, change: impl FnOnce(&mut NewRow)) -> JobId {
        let mut row = self.row();
        change(&mut row);
        self.insert(&[row]).await[0].id
    }

    pub async fn add_many(&self, count: usize) -> Vec<JobId> {
        let rows: Vec<_> = (0..count).map(|_| self.row()).collect();
        self.insert(&rows).await.into_iter().map(|row| row.id).collect()
    }

    pub async fn worker(&self) -> WorkerId {
        let lease = Duration::from_secs(30);
        let info = WorkerInfo { name: "here".into(), version: "1".into(), lease, queues: vec![QUEUE.into()] };
        self.store.register(&info).await.unwrap()
    }

    pub async fn claim(&self, worker: WorkerId, limit: usize) -> Vec<Claimed> {
        self.store.claim(worker, QUEUE, limit).await.unwrap()
    }

    /// The one job there is.
    pub async fn claim_one(&self, worker: WorkerId) -> Claimed {
        let mut claimed = self.claim(worker, 1).await;
        assert_eq!(claimed.len(), 1, "one job to claim");
        claimed.remove(0)
    }

    pub async fn finish(&self, worker: WorkerId, job: &Claimed, end: End) -> Finished {
        self.store.finish(worker, &[report(job, end)]).await.unwrap()
    }

    /// Claims the one job there is and ends it so.
    pub async fn run(&self, worker: WorkerId, end: End) -> JobId {
        let job = self.claim_one(worker).await;
        assert_eq!(self.finish(worker, &job, end).await.refused, []);
        job.id
    }

    /// Takes in models of these digits and names, by one job that goes on.
    pub async fn take_in(&self, models: &[(&str, &str)]) -> JobId {
        let worker = self.worker().await;
        self.add(|_| {}).await;
        let job = self.claim_one(worker).await;
        for (digits, name) in models {
            self.store.model_add(&attempting(&job), &model(digits, name)).await.unwrap();
        }
        job.id
    }

    pub async fn job(&self, id: JobId) -> JobDetail {
        self.store.job(&Scope::Installation, id).await.unwrap().expect("a job that is there")
    }

    pub async fn state(&self, id: JobId) -> JobState {
        self.job(id).await.job.state
    }

    pub async fn states(&self, ids: &[JobId]) -> Vec<JobState> {
        let mut states = Vec::new();
        for id in ids {
            states.push(self.state(*id).await);
        }
        states
    }

    pub async fn change(&self, id: JobId, change: Change) -> Changed {
        let filter = JobFilter { ids: vec![id], ..JobFilter::default() };
        self.store.change(&Scope::Installation, &filter, change, &ada(), 100).await.unwrap()
    }

    /// What stands in the audit log, without the way of each job to its end.
    pub async fn audit(&self) -> Vec<AuditEntry> {
        let entries = self.everything_audited().await;
        let on_the_way = ["job.enqueue", "job.stage", "job.free", "job.claim", "job.step"];
        entries.into_iter().filter(|entry| !on_the_way.contains(&entry.action.as_str())).collect()
    }

    pub async fn everything_audited(&self) -> Vec<AuditEntry> {
        self.audited_behind(Position::START, 1_000).await.into_iter().map(|(_, entry)| entry).collect()
    }

    /// What a reader of the log gets, once it gets all that was written: PostgreSQL holds entries back while a
    /// transaction is open, or has just ended, that may still stand before them. Other tests' may too.
    pub async fn audited_behind(
        &self,
        place: impl Into<store::Place>,
        limit: usize,
    ) -> Vec<(Position, AuditEntry)> {
        let place = place.into();
        let written = self.connection().await.count_audited_behind(place.at).await;
        let all = async {
            loop {
                let entries = self.store.audit_after(place.at, limit).await.unwrap();
                if entries.len() >= written.min(limit) {
                    break place.news(&entries).cloned().collect();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("what was written can be read")
    }
}

fn folder() -> Place {
    Place::File(Arc::new(tempfile::tempdir().unwrap()))
}

/// A model whose hash begins with these digits.
pub fn model(digits: &str, name: &str) -> NewModel {
    let sha256 = format!("{digits:0<64}");
    NewModel {
        id: sha256[..16].into(),
        sha256,
        name: name.into(),
        schema_sha256: "ab".repeat(32),
        window: Some((jiff::civil::date(2025, 1, 1), jiff::civil::date(2025, 12, 31))),
        entries: 100,
        path: format!("file:///models/{digits}"),
    }
}

/// The attempt that has this job in hand, as it writes into the list of models.
pub fn attempting(job: &Claimed) -> Attempting {
    let by = Actor::new(format!("job:{} (journal.train_model)", job.id));
    Attempting { held: job.held(), by, tenant: None }
}

pub fn report(job: &Claimed, end: End) -> Report {
    let ran = Duration::from_millis(1_500);
    Report { held: job.held(), attempt: job.attempt, end, ran, log: Vec::new() }
}

pub fn completed() -> End {
    End::Completed { result: None }
}

pub fn discarded() -> End {
    End::Discarded { error: "beyond help".into() }
}

pub fn retry(seconds: u64) -> End {
    End::Retry { after: Duration::from_secs(seconds), error: "try again".into() }
}

pub fn ids(jobs: &[Claimed]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

pub fn set(ids: impl IntoIterator<Item = JobId>) -> BTreeSet<JobId> {
    ids.into_iter().collect()
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn unique(key: u8, release: Release, on_conflict: OnConflict) -> Option<UniqueRow> {
    Some(UniqueRow { key: [key; 32], release, on_conflict })
}

/// The ids that an audit entry names.
pub fn named(entry: &AuditEntry) -> BTreeSet<JobId> {
    let ids = entry.details["jobs"].as_array().expect("an entry that names jobs");
    ids.iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect()
}

pub fn refusal<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Refused(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn step(job: JobId, name: &str, result: Option<Value>, clock: &ManualClock) -> StepRecord {
    use jobkit::Clock;
    let key = StepKey::derive(job, name);
    StepRecord { name: name.into(), key, result, attempt: 1, at: clock.now() }
}
