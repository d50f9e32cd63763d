//! SQLite. A value says itself what it is; a column does not.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteStatement};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};

use super::{Asked, Chunk, Ended, Message, Sender, Sort, refused};

/// For a file that somebody else writes to.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of SQLite's machine, between two looks whether anybody listens: some milliseconds.
const STEPS: i32 = 100_000;

async fn open(url: &str) -> Result<SqliteConnection, Ended> {
    let options: SqliteConnectOptions =
        url.parse().map_err(|_| Ended::Failed(refused("its url is none of SQLite")))?;
    let options = options.read_only(true).create_if_missing(false).busy_timeout(PATIENCE);
    Ok(SqliteConnection::connect_with(&options).await?)
}

async fn prepare(session: &mut SqliteConnection, sql: &str) -> Result<SqliteStatement, Ended> {
    Ok(session.prepare(AssertSqlSafe(sql).into_sql_str()).await?)
}

/// Its columns, and how many parameters it wants.
pub async fn describe(url: &str, sql: &str) -> Result<(Vec<String>, usize), Ended> {
    let statement = prepare(&mut open(url).await?, sql).await?;
    Ok((names(&statement), wanted(&statement)))
}

fn names(statement: &SqliteStatement) -> Vec<String> {
    statement.columns().iter().map(|column| column.name().to_owned()).collect()
}

fn wanted(statement: &SqliteStatement) -> usize {
    statement.parameters().map_or(0, |of| of.either(|types| types.len(), |count| count))
}

pub async fn ask(url: &str, asked: Asked<'_>, told: Sender<'_>) -> Result<(), Ended> {
    let mut session = open(url).await?;
    // SQLite works on a thread of its own, and would go on when nobody is there any more.
    let listener = told.to.downgrade();
    let is_heard = move || listener.upgrade().is_some_and(|to| !to.is_closed());
    session.lock_handle().await?.set_progress_handler(STEPS, is_heard);
    let statement = prepare(&mut session, asked.sql).await?;
    asked.check_parameters(wanted(&statement))?;
    let columns = statement.columns().len();
    told.columns(names(&statement)).await?;

    let mut query = sqlx::query(AssertSqlSafe(asked.sql)).persistent(false);
    for parameter in asked.parameters {
        query = query.bind(parameter);
    }
    let mut chunk = Chunk::default();
    let mut rows = query.fetch(&mut session);
    while let Some(row) = rows.try_next().await? {
        for place in 0..columns {
            push(&mut chunk, &row, place)?;
        }
        chunk.end_row();
        if chunk.is_full() {
            told.send(Message::Rows(std::mem::take(&mut chunk))).await?;
        }
    }
    told.send(Message::Rows(chunk)).await?;
    told.send(Message::End).await
}

fn push(chunk: &mut Chunk, row: &SqliteRow, place: usize) -> Result<(), Ended> {
    let value = row.try_get_raw(place)?;
    let sort = value.type_info().name().to_owned();
    match (value.is_null(), sort.as_str()) {
        (true, _) => chunk.push(Sort::Null, ""),
        (_, "INTEGER" | "BOOLEAN") => {
            chunk.push(Sort::Number, &row.try_get_unchecked::<i64, _>(place)?.to_string());
        }
        // The shortest digits that mean this number, and never an exponent.
        (_, "REAL") => chunk.push(Sort::Number, &row.try_get_unchecked::<f64, _>(place)?.to_string()),
        (_, "BLOB") => {
            let problem = format!("column {} holds bytes; cast them to text in the query", place + 1);
            return Err(Ended::Failed(refused(problem)));
        }
        _ => chunk.push(Sort::Text, row.try_get_unchecked::<&str, _>(place)?),
    }
    Ok(())
}
