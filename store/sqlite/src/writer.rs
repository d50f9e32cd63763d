//! The one hand that writes. Whatever waits when it looks up is done in one transaction, so that many
//! callers share one trip to the disk; nobody lingers for company, so a lone caller pays nothing for it.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::warn;

use store::StoreError;

pub(super) type Tx = SqliteConnection;

/// Why an operation inside a transaction gave up; either way nothing of it stays.
pub(super) enum Abort {
    Sql(sqlx::Error),
    Store(StoreError),
}

impl From<sqlx::Error> for Abort {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Abort {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<serde_json::Error> for Abort {
    fn from(error: serde_json::Error) -> Self {
        Self::Sql(sqlx::Error::Decode(Box::new(error)))
    }
}

impl Abort {
    pub(super) fn while_doing(self, doing: &'static str) -> StoreError {
        match self {
            Abort::Sql(cause) => StoreError::Database { doing, cause: Box::new(cause) },
            Abort::Store(error) => error,
        }
    }
}

pub(super) type Done<T> = Result<T, Abort>;

/// One transaction must not grow so long that the first caller in it waits for hundreds of others.
const MOST_IN_ONE_TRANSACTION: usize = 128;

/// How long SQLite itself waits for another process before it says that the file is busy.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[async_trait]
trait Op: Send {
    /// Nobody waits for it any more and nothing of it was done.
    fn abandoned(&self) -> bool;
    /// In a transaction of its own.
    async fn alone(&mut self, tx: &mut Tx) -> sqlx::Result<()>;
    /// In a transaction with others, so that its refusal does not undo theirs. The first begins it and the
    /// last commits it, which spares two messages. An error says that the transaction cannot go on.
    async fn among_others(&mut self, tx: &mut Tx, place: Place) -> sqlx::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

/// Where in a transaction with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Between,
    Last,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

fn send<T>(
    reply: Reply<T>,
    doing: &'static str,
    outcome: Option<Result<T, StoreError>>,
    committed: Result<(), String>,
) {
    let answer = match (committed, outcome) {
        // What was refused is refused whatever became of the others.
        (_, Some(Err(error))) => Err(error),
        (Ok(()), Some(outcome)) => outcome,
        (Err(cause), _) => Err(StoreError::Database { doing, cause: cause.into() }),
        (Ok(()), None) => Err(closed(doing)),
    };
    // Whoever asked may have gone; the record stands either way.
    let _ = reply.send(answer);
}

/// Work that looks and decides between its statements.
struct Work<T, F> {
    doing: &'static str,
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: Reply<T>,
}

impl<T, F> Work<T, F>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Done<T>> + Send,
{
    /// Says whether what was done may stay.
    async fn run(&mut self, tx: &mut Tx) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = work(tx).await.map_err(|abort| abort.while_doing(self.doing));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }
}

#[async_trait]
impl<T, F> Op for Work<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Done<T>> + Send + 'static,
{
    fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    async fn alone(&mut self, tx: &mut Tx) -> sqlx::Result<()> {
        begin(tx).await?;
        let end = if self.run(tx).await { "COMMIT" } else { "ROLLBACK" };
        sqlx::query(end).execute(tx).await?;
        Ok(())
    }

    async fn among_others(&mut self, tx: &mut Tx, place: Place) -> sqlx::Result<()> {
        if place == Place::First {
            begin(tx).await?;
        }
        sqlx::query("SAVEPOINT op").execute(&mut *tx).await?;
        if self.run(tx).await {
            keep(tx).await?;
        } else {
            undo(tx).await?;
        }
        if place == Place::Last { commit(tx).await } else { Ok(()) }
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        send(self.reply, self.doing, self.outcome, committed);
    }
}

/// A few statements with nothing to decide between them. They go to the connection in one message, which is
/// most of what a small transaction costs: the connection lives in a thread of its own.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub alone: &'static str,
    pub first: &'static str,
    pub between: &'static str,
    pub last: &'static str,
}

/// Reads the statements from their files.
macro_rules! script {
    ($($file:literal),+) => {
        $crate::writer::Script {
            alone: concat!("BEGIN IMMEDIATE;\n", $(include_str!($file), ";\n",)+ "COMMIT"),
            first: concat!("BEGIN IMMEDIATE;\nSAVEPOINT op;\n", $(include_str!($file), ";\n",)+ "RELEASE op"),
            between: concat!("SAVEPOINT op;\n", $(include_str!($file), ";\n",)+ "RELEASE op"),
            last: concat!("SAVEPOINT op;\n", $(include_str!($file), ";\n",)+ "RELEASE op;\nCOMMIT"),
        }
    };
}
pub(super) use script;

type Bind = Box<dyn Fn(&'static str) -> Query<'static, Sqlite, SqliteArguments> + Send + Sync>;

struct Scripted<T> {
    doing: &'static str,
    script: Script,
    bind: Bind,
    read: fn(&[SqliteRow]) -> Done<T>,
    outcome: Option<Result<T, StoreError>>,
    reply: Reply<T>,
}

impl<T> Scripted<T> {
    /// An error says that the statements did not come to their end. An answer that cannot be read does not: what they
    /// did stands, alone as with others, and only whoever asked is told.
    async fn run(&mut self, tx: &mut Tx, sql: &'static str) -> sqlx::Result<()> {
        let rows = (self.bind)(sql).fetch_all(tx).await?;
        self.outcome = Some((self.read)(&rows).map_err(|abort| abort.while_doing(self.doing)));
        Ok(())
    }

    fn refuse(&mut self, error: sqlx::Error) {
        self.outcome = Some(Err(Abort::Sql(error).while_doing(self.doing)));
    }
}

#[async_trait]
impl<T: Send + 'static> Op for Scripted<T> {
    fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    async fn alone(&mut self, tx: &mut Tx) -> sqlx::Result<()> {
        let done = loop {
            match self.run(tx, self.script.alone).await {
                Err(error) if is_busy(&error) => say_busy(),
                done => break done,
            }
        };
        if let Err(error) = done {
            self.refuse(error);
            // Fails when not even the beginning succeeded.
            let _ = sqlx::query("ROLLBACK").execute(&mut *tx).await;
            // A script that lowered it for itself did not come to where it raises it again. Within a transaction
            // this is refused.
            sqlx::query("PRAGMA synchronous = FULL").execute(tx).await?;
        }
        Ok(())
    }

    async fn among_others(&mut self, tx: &mut Tx, place: Place) -> sqlx::Result<()> {
        let sql = match place {
            Place::First => self.script.first,
            Place::Between => self.script.between,
            Place::Last => self.script.last,
        };
        let done = loop {
            match self.run(tx, sql).await {
                Err(error) if place == Place::First && is_busy(&error) => say_busy(),
                done => break done,
            }
        };
        let Err(error) = done else { return Ok(()) };
        self.refuse(error);
        // Nothing to go back to when it is the beginning or the commit that failed: then all fail.
        undo(tx).await?;
        if place == Place::Last { commit(tx).await } else { Ok(()) }
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        send(self.reply, self.doing, self.outcome, committed);
    }
}

async fn keep(tx: &mut Tx) -> sqlx::Result<()> {
    sqlx::query("RELEASE op").execute(tx).await?;
    Ok(())
}

/// Fails when the error was so bad that SQLite undid the whole transaction. Going on would then open a new
/// one behind the back of those who are told that nothing was written.
async fn undo(tx: &mut Tx) -> sqlx::Result<()> {
    sqlx::query("ROLLBACK TO op").execute(&mut *tx).await?;
    keep(tx).await
}

fn closed(doing: &'static str) -> StoreError {
    StoreError::Database { doing, cause: "the store is closed".into() }
}

pub(super) struct Writer {
    queue: Mutex<Option<mpsc::UnboundedSender<Box<dyn Op>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let connection = connect(&options).await?;
        let (queue, waiting) = mpsc::unbounded_channel();
        let hand = Hand { options, connection: Some(connection) };
        let task = tokio::spawn(serve(hand, waiting));
        Ok(Self { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) })
    }

    /// Runs `work` in a transaction, alone or with others, and answers when it is on the disk.
    pub(super) async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Done<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let op = Work { doing, work: Some(work), outcome: None, reply };
        self.submit(doing, Box::new(op))?;
        answer.await.map_err(|_| closed(doing))?
    }

    /// The same for statements with nothing to decide between them. `bind` may be called more than once. They
    /// stand in line when this returns; the future is for the answer.
    pub(super) fn script<T: Send + 'static, B>(
        &self,
        doing: &'static str,
        script: Script,
        bind: B,
        read: fn(&[SqliteRow]) -> Done<T>,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, B>
    where
        B: Fn(&'static str) -> Query<'static, Sqlite, SqliteArguments> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let op = Scripted { doing, script, bind: Box::new(bind), read, outcome: None, reply };
        let sent = self.submit(doing, Box::new(op));
        async move {
            sent?;
            answer.await.map_err(|_| closed(doing))?
        }
    }

    fn submit(&self, doing: &'static str, op: Box<dyn Op>) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or_else(|| closed(doing))?.send(op).map_err(|_| closed(doing))
    }

    /// Takes nothing more, does what waits, and closes the file.
    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            warn!("the writer of the SQLite store ended badly: {error}");
        }
    }
}

/// The connection that writes, and how to come by another.
struct Hand {
    options: SqliteConnectOptions,
    /// None after a panic: nobody knows what it stands in the middle of.
    connection: Option<SqliteConnection>,
}

impl Hand {
    /// A panic costs those of this group their answer, and nobody else: the connection goes with it, and with that
    /// whatever was not committed.
    async fn write(&mut self, group: &mut [Box<dyn Op>]) -> Result<(), String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.options).await.map_err(|error| error.to_string())?,
        };
        let written = AssertUnwindSafe(async move {
            let mut connection = connection;
            let committed = together(&mut connection, group).await;
            (connection, committed)
        });
        match written.catch_unwind().await {
            Ok((connection, committed)) => {
                self.connection = Some(connection);
                committed
            }
            Err(_) => Err("the writer panicked, and nothing was written".into()),
        }
    }
}

async fn serve(mut hand: Hand, mut waiting: mpsc::UnboundedReceiver<Box<dyn Op>>) {
    while let Some(first) = waiting.recv().await {
        let mut group = vec![first];
        while group.len() < MOST_IN_ONE_TRANSACTION
            && let Ok(op) = waiting.try_recv()
        {
            group.push(op);
        }
        group.retain(|op| !op.abandoned());
        if group.is_empty() {
            continue;
        }
        let committed = hand.write(&mut group).await;
        for op in group {
            op.answer(committed.clone());
        }
    }
    if let Some(connection) = hand.connection
        && let Err(error) = connection.close().await
    {
        warn!("closing the SQLite store: {error}");
    }
}

async fn together(tx: &mut Tx, group: &mut [Box<dyn Op>]) -> Result<(), String> {
    let done = transaction(tx, group).await;
    if done.is_err() {
        // SQLite may have rolled back by itself, and then there is nothing left to do.
        let _ = sqlx::query("ROLLBACK").execute(&mut *tx).await;
    }
    done.map_err(|error| error.to_string())
}

async fn transaction(tx: &mut Tx, group: &mut [Box<dyn Op>]) -> sqlx::Result<()> {
    if let [op] = group {
        return op.alone(tx).await;
    }
    let last = group.len() - 1;
    for (at, op) in group.iter_mut().enumerate() {
        let place = match at {
            0 => Place::First,
            at if at == last => Place::Last,
            _ => Place::Between,
        };
        op.among_others(tx, place).await?;
    }
    Ok(())
}

async fn commit(tx: &mut Tx) -> sqlx::Result<()> {
    sqlx::query("COMMIT").execute(tx).await?;
    Ok(())
}

/// Another process may hold the file for longer than SQLite cares to wait. Nothing was begun, so nothing is
/// lost by asking again.
async fn begin(tx: &mut Tx) -> sqlx::Result<()> {
    loop {
        match sqlx::query("BEGIN IMMEDIATE").execute(&mut *tx).await {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) => say_busy(),
            Err(error) => return Err(error),
        }
    }
}

fn say_busy() {
    warn!("another process has held the SQLite store for {BUSY_TIMEOUT:?}; waiting on");
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// Opens a connection; the first ones of several processes may meet while the file becomes a WAL file.
pub(super) async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    const PATIENCE: u32 = 200;
    let mut tries = 0;
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && tries < PATIENCE => {
                tries += 1;
                // Changing the journal mode does not wait for the lock as other statements do. This is the
                // disk's time, not the business's, so it is not the port's to give.
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            opened => return opened,
        }
    }
}
