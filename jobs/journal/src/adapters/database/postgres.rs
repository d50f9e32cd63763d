//! PostgreSQL. Every value is asked for as text, which PostgreSQL writes exactly; what is a number says its type.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgStatement, PgTypeInfo};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo};

use super::{Asked, Chunk, Ended, Message, Sender, Sort, refused};
use crate::ingest::RowsError;

/// For a database that does not answer; the query itself may take as long as it likes.
const PATIENCE: Duration = Duration::from_secs(20);

/// How values are written, whatever the database or the role says.
const SESSION: &str = "SET datestyle = 'ISO, YMD'; SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = 1;
                       SET default_transaction_read_only = on; SET statement_timeout = 0";

async fn open(url: &str) -> Result<PgConnection, Ended> {
    // The error of a URL may repeat some of it.
    let options: PgConnectOptions =
        url.parse().map_err(|_| Ended::Failed(refused("its url is none of PostgreSQL")))?;
    let options = options.application_name("compline").statement_cache_capacity(0);
    let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await;
    let silent = |_| Ended::Failed(RowsError::Away("the database does not answer".into()));
    let mut session = connecting.map_err(silent)??;
    session.execute(SESSION).await?;
    Ok(session)
}

async fn prepare(session: &mut PgConnection, sql: &str, parameters: usize) -> Result<PgStatement, Ended> {
    let texts = vec![PgTypeInfo::with_name("text"); parameters];
    Ok(session.prepare_with(AssertSqlSafe(sql).into_sql_str(), &texts).await?)
}

/// Its columns, and how many parameters it wants.
pub async fn describe(url: &str, sql: &str) -> Result<(Vec<String>, usize), Ended> {
    let statement = prepare(&mut open(url).await?, sql, 0).await?;
    Ok((names(&statement), wanted(&statement)))
}

fn names(statement: &PgStatement) -> Vec<String> {
    statement.columns().iter().map(|column| column.name().to_owned()).collect()
}

fn wanted(statement: &PgStatement) -> usize {
    statement.parameters().map_or(0, |of| of.either(<[PgTypeInfo]>::len, |count| count))
}

pub async fn ask(url: &str, asked: Asked<'_>, told: Sender<'_>) -> Result<(), Ended> {
    let mut session = open(url).await?;
    let statement = prepare(&mut session, asked.sql, asked.parameters.len()).await?;
    asked.check_parameters(wanted(&statement))?;
    let sorts: Vec<Sort> = statement.columns().iter().map(|column| sort(column.type_info().name())).collect();
    told.columns(names(&statement)).await?;

    let mut query = sqlx::query(AssertSqlSafe(as_text(asked.sql, sorts.len()))).persistent(false);
    for parameter in asked.parameters {
        query = query.bind(parameter);
    }
    let mut chunk = Chunk::default();
    let mut rows = query.fetch(&mut session);
    while let Some(row) = rows.try_next().await? {
        for (place, sort) in sorts.iter().enumerate() {
            match row.try_get::<Option<&str>, _>(place)? {
                None => chunk.push(Sort::Null, ""),
                Some(text) => chunk.push(*sort, text),
            }
        }
        chunk.end_row();
        if chunk.is_full() {
            told.send(Message::Rows(std::mem::take(&mut chunk))).await?;
        }
    }
    told.send(Message::Rows(chunk)).await?;
    told.send(Message::End).await
}

fn sort(name: &str) -> Sort {
    match name {
        "INT2" | "INT4" | "INT8" | "NUMERIC" | "FLOAT4" | "FLOAT8" | "OID" => Sort::Number,
        _ => Sort::Text,
    }
}

/// The columns go by their places: two may have one name, and some have none that could be written.
fn as_text(sql: &str, columns: usize) -> String {
    let list = |write: fn(usize) -> String| (1..=columns).map(write).collect::<Vec<_>>().join(", ");
    let (values, names) = (list(|place| format!("q.c{place}::text")), list(|place| format!("c{place}")));
    // A comment at the end of the query must not swallow the parenthesis.
    format!("SELECT {values} FROM (\n{sql}\n) AS q ({names})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_asked_for_as_text_by_its_place() {
        assert_eq!(
            as_text("SELECT a, a FROM x -- all of it", 2),
            "SELECT q.c1::text, q.c2::text FROM (\nSELECT a, a FROM x -- all of it\n) AS q (c1, c2)"
        );
    }
}
