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

/// So that PostgreSQL sees that nobody listens any more also while a query sorts. Servers before 14 do not know it.
const NOTICE: &str = "SET client_connection_check_interval = '10s'";

async fn open(url: &str) -> Result<PgConnection, Ended> {
    // The error of a URL may repeat some of it.
    let options: PgConnectOptions =
        url.parse().map_err(|_| Ended::Failed(refused("its url is none of PostgreSQL")))?;
    let options = options.application_name("compline").statement_cache_capacity(0);
    let opening = async {
        let mut session = PgConnection::connect_with(&options).await?;
        session.execute(SESSION).await?;
        let _ = session.execute(NOTICE).await;
        Ok::<_, sqlx::Error>(session)
    };
    let silent = |_| Ended::Failed(RowsError::Away("the database does not answer".into()));
    Ok(tokio::time::timeout(PATIENCE, opening).await.map_err(silent)??)
}

/// With its parameters as texts, which is what they come as.
async fn prepare(session: &mut PgConnection, sql: &str, parameters: usize) -> Result<PgStatement, Ended> {
    let texts = vec![PgTypeInfo::with_name("text"); parameters];
    Ok(session.prepare_with(AssertSqlSafe(sql).into_sql_str(), &texts).await?)
}

/// How many parameters it has. Of those that are declared PostgreSQL tells all, used or not; so none is declared, and where it then cannot tell what they are, what is
/// written counts.
async fn wanted(session: &mut PgConnection, sql: &str) -> Result<usize, Ended> {
    match session.prepare_with(AssertSqlSafe(sql).into_sql_str(), &[]).await {
        Ok(statement) => {
            Ok(statement.parameters().map_or(0, |of| of.either(<[PgTypeInfo]>::len, |count| count)))
        }
        Err(sqlx::Error::Database(told)) if is_of_types(told.code().as_deref()) => Ok(highest(sql)),
        Err(error) => Err(error.into()),
    }
}

/// Indeterminate, ambiguous, or no function or operator of such: text may do.
fn is_of_types(code: Option<&str>) -> bool {
    matches!(code, Some("42P18" | "42P08" | "42725" | "42883" | "42804"))
}

/// The highest `$n` that is written.
fn highest(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1).map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

/// Its columns, and how many parameters it wants: prepared as it will be asked.
pub async fn describe(url: &str, sql: &str) -> Result<(Vec<String>, usize), Ended> {
    let mut session = open(url).await?;
    let wanted = wanted(&mut session, sql).await?;
    let statement = prepare(&mut session, sql, wanted).await?;
    prepare(&mut session, &as_text(sql, statement.columns().len()), wanted).await?;
    Ok((names(&statement), wanted))
}

fn names(statement: &PgStatement) -> Vec<String> {
    statement.columns().iter().map(|column| column.name().to_owned()).collect()
}

pub async fn ask(url: &str, asked: Asked<'_>, told: Sender<'_>) -> Result<(), Ended> {
    let mut session = open(url).await?;
    asked.check_parameters(wanted(&mut session, asked.sql).await?)?;
    let statement = prepare(&mut session, asked.sql, asked.parameters.len()).await?;
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
    fn the_highest_number_of_a_parameter_counts() {
        for (sql, expected) in [("SELECT 1", 0), ("$1", 1), ("x = $2 AND $10::date > $1 AND '$'", 10)] {
            assert_eq!(highest(sql), expected, "{sql}");
        }
    }

    #[test]
    fn every_value_is_asked_for_as_text_by_its_place() {
        assert_eq!(
            as_text("SELECT a, a FROM x -- all of it", 2),
            "SELECT q.c1::text, q.c2::text FROM (\nSELECT a, a FROM x -- all of it\n) AS q (c1, c2)"
        );
    }
}
