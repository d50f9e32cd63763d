//! A ledger that lies in somebody's database, as the rows of a query that an operator wrote.
//!
//! The query runs on the runtime and its rows come through a channel that holds a few thousand of them: whoever reads them is on a thread of its own, and a database
//! that is quicker than the reader waits. Nothing is written there: the session may only read.

use std::fmt;

use jobkit::SecretString;
use jobkit::outcome::Cause;
use jobkit::redact::ExposeSecret;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ingest::{Cell, Query, Rows, RowsError};

mod postgres;
mod sqlite;

/// Rows that are handed over together.
const ROWS: usize = 512;
/// And so many of these may wait.
const WAITING: usize = 8;

/// A query, with where it is asked. Of all this its name alone is ever shown.
pub struct DatabaseQuery {
    name: String,
    url: SecretString,
    sql: String,
    parameters: Vec<String>,
    runtime: Handle,
    stop: CancellationToken,
}

impl DatabaseQuery {
    /// To be asked from outside of the runtime that calls this, until `stop`: a query may run for hours before its first row, and nobody must wait for it then.
    pub fn new(
        name: &str,
        url: SecretString,
        sql: &str,
        parameters: Vec<String>,
        stop: CancellationToken,
    ) -> Self {
        // In parentheses a statement has no end of its own.
        let sql = sql.trim().trim_end_matches(';').into();
        Self { name: name.into(), url, sql, parameters, runtime: Handle::current(), stop }
    }
}

impl fmt::Debug for DatabaseQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query:{}", self.name)
    }
}

impl Query for DatabaseQuery {
    fn rows(&self) -> Result<Box<dyn Rows>, RowsError> {
        let (send, receive) = mpsc::channel(WAITING);
        let Self { name, url, sql, parameters, .. } = self;
        let (name, url, sql, parameters) = (name.clone(), url.clone(), sql.clone(), parameters.clone());
        let stop = self.stop.clone();
        self.runtime.spawn(async move {
            let asked = Asked { name: &name, sql: &sql, parameters: &parameters };
            let told = Sender { to: &send };
            let asking = async {
                match Maker::of(&url) {
                    Ok(Maker::Postgres) => postgres::ask(url.expose_secret(), asked, told).await,
                    Ok(Maker::Sqlite) => sqlite::ask(url.expose_secret(), asked, told).await,
                    Err(error) => Err(Ended::Failed(error)),
                }
            };
            // The session ends with it, and PostgreSQL ends the query when it sees that.
            let ended =
                stop.run_until_cancelled(asking).await.unwrap_or(Err(Ended::Failed(RowsError::Stopped)));
            // Whoever is gone needs no reason.
            if let Err(Ended::Failed(error)) = ended {
                let _ = send.send(Message::Failed(error)).await;
            }
        });
        DatabaseRows::open(receive).map(|rows| Box::new(rows) as Box<dyn Rows>)
    }
}

/// The columns of a query, and how many parameters it wants.
pub async fn describe(url: &SecretString, sql: &str) -> Result<(Vec<String>, usize), RowsError> {
    let described = match Maker::of(url)? {
        Maker::Postgres => postgres::describe(url.expose_secret(), sql).await,
        Maker::Sqlite => sqlite::describe(url.expose_secret(), sql).await,
    };
    described.map_err(|ended| match ended {
        Ended::Failed(error) => error,
        Ended::Alone => cut_off(),
    })
}

/// Whose database it is.
#[derive(Debug, Clone, Copy)]
enum Maker {
    Postgres,
    Sqlite,
}

impl Maker {
    fn of(url: &SecretString) -> Result<Self, RowsError> {
        match url.expose_secret().split(':').next() {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("sqlite") => Ok(Self::Sqlite),
            _ => Err(refused("its url begins with neither postgres:// nor sqlite://")),
        }
    }
}

/// What is to be asked.
#[derive(Clone, Copy)]
struct Asked<'a> {
    name: &'a str,
    sql: &'a str,
    parameters: &'a [String],
}

impl Asked<'_> {
    /// The database's own message would speak of a bind message.
    fn check_parameters(&self, wanted: usize) -> Result<(), Ended> {
        let given = self.parameters.len();
        if given == wanted {
            return Ok(());
        }
        let name = self.name;
        Err(Ended::Failed(refused(format!(
            "parameters: the query `{name}` has {wanted}, and {given} came; give a text for each of $1 to ${wanted}"
        ))))
    }
}

/// Why a query told no more.
enum Ended {
    Failed(RowsError),
    /// Nobody listens any more.
    Alone,
}

impl From<sqlx::Error> for Ended {
    fn from(error: sqlx::Error) -> Self {
        let away = match &error {
            sqlx::Error::Database(told) => is_away(told.code().as_deref().unwrap_or_default()),
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
            _ => false,
        };
        Self::Failed(match away {
            true => RowsError::Away(error.into()),
            false => RowsError::Refused(error.into()),
        })
    }
}

/// By the class of PostgreSQL's code: the connection, a password that is being rotated, conflicts of transactions, resources, the operator's hand, the system.
/// SQLite has numbers: busy, locked.
fn is_away(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "28" | "40" | "53" | "57" | "58")) && code.len() == 5
        || matches!(code, "5" | "6" | "261" | "517")
}

fn refused(problem: impl Into<Cause>) -> RowsError {
    RowsError::Refused(problem.into())
}

enum Message {
    Columns(Vec<String>),
    Rows(Chunk),
    Failed(RowsError),
    /// Without this the rows are not all there.
    End,
}

#[derive(Clone, Copy)]
struct Sender<'a> {
    to: &'a mpsc::Sender<Message>,
}

impl Sender<'_> {
    async fn columns(self, names: Vec<String>) -> Result<(), Ended> {
        match names.is_empty() {
            true => Err(Ended::Failed(refused("the query gives no columns; write a SELECT"))),
            false => self.send(Message::Columns(names)).await,
        }
    }

    async fn send(self, message: Message) -> Result<(), Ended> {
        self.to.send(message).await.map_err(|_| Ended::Alone)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Null,
    Text,
    Number,
}

/// The values of some rows, one after the other.
#[derive(Default)]
struct Chunk {
    text: String,
    /// What each is, and where it ends in the text.
    cells: Vec<(Sort, usize)>,
    rows: usize,
}

impl Chunk {
    fn push(&mut self, sort: Sort, text: &str) {
        self.text.push_str(text);
        self.cells.push((sort, self.text.len()));
    }

    fn end_row(&mut self) {
        self.rows += 1;
    }

    /// A long text goes on its way alone.
    fn is_full(&self) -> bool {
        self.rows >= ROWS || self.text.len() >= 1 << 20
    }
}

struct DatabaseRows {
    columns: Vec<String>,
    messages: mpsc::Receiver<Message>,
    chunk: Chunk,
    /// How many cells of the chunk are behind us.
    read: usize,
    ended: bool,
}

impl DatabaseRows {
    fn open(mut messages: mpsc::Receiver<Message>) -> Result<Self, RowsError> {
        match messages.blocking_recv() {
            Some(Message::Columns(columns)) => {
                Ok(Self { columns, messages, chunk: Chunk::default(), read: 0, ended: false })
            }
            Some(Message::Failed(error)) => Err(error),
            _ => Err(cut_off()),
        }
    }
}

/// The runtime ended, or the task did: half a ledger must not look like a whole one.
fn cut_off() -> RowsError {
    RowsError::Away("the rows were cut off".into())
}

impl Rows for DatabaseRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, put: &mut dyn FnMut(Cell<'_>)) -> Result<bool, RowsError> {
        while self.read >= self.chunk.cells.len() {
            if self.ended {
                return Ok(false);
            }
            match self.messages.blocking_recv() {
                Some(Message::Rows(chunk)) => (self.chunk, self.read) = (chunk, 0),
                Some(Message::End) => self.ended = true,
                Some(Message::Failed(error)) => return Err(error),
                Some(Message::Columns(_)) | None => return Err(cut_off()),
            }
        }
        let from = self.read;
        self.read += self.columns.len();
        let mut begin = from.checked_sub(1).map_or(0, |last| self.chunk.cells[last].1);
        for (sort, end) in &self.chunk.cells[from..self.read.min(self.chunk.cells.len())] {
            let text = &self.chunk.text[begin..*end];
            begin = *end;
            put(match sort {
                Sort::Null => Cell::Null,
                Sort::Text => Cell::Text(text),
                Sort::Number => Cell::Number(text),
            });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
