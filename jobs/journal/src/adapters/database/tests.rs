use std::error::Error;
use std::path::Path;

use sqlx::{Connection, Executor, SqliteConnection};

use super::*;

/// A file with these tables, and its address.
async fn database(folder: &Path, sql: &'static str) -> SecretString {
    let url = format!("sqlite://{}?mode=rwc", folder.join("erp.db").display());
    SqliteConnection::connect(&url).await.unwrap().execute(sql).await.unwrap();
    url.into()
}

/// All rows, each cell with what it is.
async fn ask(url: SecretString, sql: &str, parameters: &[&str]) -> Result<Vec<String>, RowsError> {
    let parameters = parameters.iter().map(|text| (*text).to_owned()).collect();
    let query = DatabaseQuery::new("gl", url, sql, parameters, CancellationToken::new());
    let read = tokio::task::spawn_blocking(move || {
        let mut rows = query.rows()?;
        let mut shown = vec![rows.columns().join(",")];
        loop {
            let mut row = Vec::new();
            if !rows.next(&mut |cell| row.push(format!("{cell:?}")))? {
                return Ok(shown);
            }
            shown.push(row.join(" "));
        }
    });
    read.await.unwrap()
}

fn causes(error: &RowsError) -> String {
    format!("{error}: {}", error.source().unwrap())
}

#[tokio::test]
async fn rows_come_in_order_and_say_what_their_values_are() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE gl (id, account, amount, text); INSERT INTO gl VALUES
               ('b', 4000, 12.5, 'x;y'), ('a', 9223372036854775807, -0.1, NULL), ('c', 1, 1e21, '')";
    let url = database(folder.path(), sql).await;

    let rows = ask(url, "SELECT id, account, amount, text FROM gl ORDER BY id; ", &[]).await.unwrap();

    assert_eq!(
        rows,
        [
            "id,account,amount,text",
            "Text(\"a\") Number(\"9223372036854775807\") Number(\"-0.1\") Null",
            "Text(\"b\") Number(\"4000\") Number(\"12.5\") Text(\"x;y\")",
            "Text(\"c\") Number(\"1\") Number(\"1000000000000000000000\") Text(\"\")",
        ]
    );
}

#[tokio::test]
async fn more_rows_than_wait_at_once_all_come() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path(), "CREATE TABLE none (x)").await;
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) SELECT n FROM n ORDER BY n";

    let rows = ask(url, sql, &[]).await.unwrap();

    let expected = (1..=20_000).map(|n| format!("Number(\"{n}\")"));
    assert!(rows.into_iter().skip(1).eq(expected));
}

#[tokio::test]
async fn a_query_without_rows_has_columns_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path(), "CREATE TABLE gl (id, amount)").await;

    assert_eq!(ask(url, "SELECT * FROM gl ORDER BY id", &[]).await.unwrap(), ["id,amount"]);
}

#[tokio::test]
async fn parameters_are_texts_and_as_many_as_the_query_has() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(
        folder.path(),
        "CREATE TABLE gl (day); INSERT INTO gl VALUES ('2025-01-01'), ('2025-02-01')",
    )
    .await;
    let sql = "SELECT day FROM gl WHERE day >= $1 ORDER BY day";

    let found = ask(url.clone(), sql, &["2025-01-15"]).await.unwrap();
    assert_eq!(found, ["day", "Text(\"2025-02-01\")"]);
    let error = ask(url, sql, &[]).await.unwrap_err();
    assert_eq!(
        causes(&error),
        "the database refuses the query: parameters: the query `gl` has 1, and 0 came; give a text for each of $1 to $1"
    );
}

#[tokio::test]
async fn nothing_is_written_and_no_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path(), "CREATE TABLE gl (id)").await;

    let error = ask(url, "INSERT INTO gl VALUES (1) RETURNING id", &[]).await.unwrap_err();
    assert!(causes(&error).contains("readonly"), "{}", causes(&error));
    let nowhere = format!("sqlite://{}", folder.path().join("none.db").display());
    assert!(ask(nowhere.into(), "SELECT 1", &[]).await.is_err());
    assert!(!folder.path().join("none.db").exists());
}

#[tokio::test]
async fn errors_say_what_is_wrong_and_never_the_url() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path(), "CREATE TABLE gl (bytes); INSERT INTO gl VALUES (x'00ff')").await;
    for (url, sql, problem) in [
        (url.clone(), "SELECT * FROM missing", "no such table: missing"),
        (url, "SELECT bytes FROM gl", "column 1 holds bytes; cast them to text in the query"),
        (
            "mysql://me:planted-secret@x".into(),
            "SELECT 1",
            "its url begins with neither postgres:// nor sqlite://",
        ),
        ("postgres://me:planted-secret@x:port/y".into(), "SELECT 1", "its url is none of PostgreSQL"),
    ] {
        let error = ask(url, sql, &[]).await.unwrap_err();
        assert!(matches!(error, RowsError::Refused(_)), "{error:?}");
        assert!(causes(&error).contains(problem), "{}", causes(&error));
        assert!(!format!("{error:?}{}", causes(&error)).contains("planted-secret"));
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_may_come_back() {
    let url = "postgres://me:planted-secret@127.0.0.1:1/x".into();

    let error = ask(url, "SELECT 1", &[]).await.unwrap_err();

    assert!(matches!(error, RowsError::Away(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("planted-secret"));
}

#[test]
fn codes_say_whether_to_come_again() {
    for (code, away) in [
        ("08006", true),
        ("40001", true),
        ("57P01", true),
        ("53300", true),
        ("42P01", false),
        ("28P01", true),
        ("22012", false),
        // SQLite: busy, and an error.
        ("5", true),
        ("1", false),
        ("", false),
    ] {
        assert_eq!(is_away(code), away, "{code}");
    }
}

#[tokio::test]
async fn rows_that_are_cut_off_are_no_end() {
    let (send, receive) = mpsc::channel(4);
    send.send(Message::Columns(vec!["x".into()])).await.unwrap();
    let mut chunk = Chunk::default();
    chunk.push(Sort::Text, "1");
    chunk.end_row();
    send.send(Message::Rows(chunk)).await.unwrap();
    drop(send);

    let read = tokio::task::spawn_blocking(move || {
        let mut rows = DatabaseRows::open(receive).unwrap();
        (rows.next(&mut |_| ()).is_ok_and(|there| there), rows.next(&mut |_| ()).is_err())
    });

    assert_eq!(read.await.unwrap(), (true, true));
}

#[tokio::test]
async fn whoever_stops_reading_stops_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path(), "CREATE TABLE none (x)").await;
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n";
    let (send, mut receive) = mpsc::channel(1);

    let asking = tokio::spawn(async move {
        let asked = Asked { name: "gl", sql, parameters: &[] };
        sqlite::ask(url.expose_secret(), asked, Sender { to: &send }).await
    });
    assert!(matches!(receive.recv().await, Some(Message::Columns(_))));
    drop(receive);

    assert!(matches!(asking.await.unwrap(), Err(Ended::Alone)));
}

#[tokio::test]
async fn a_query_that_runs_for_hours_ends_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path(), "CREATE TABLE none (x)").await;
    // It counts without end, and gives no row.
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n WHERE n < 0 ORDER BY n";
    let stop = CancellationToken::new();
    let query = DatabaseQuery::new("gl", url, sql, Vec::new(), stop.clone());

    let reading =
        tokio::task::spawn_blocking(move || query.rows().and_then(|mut rows| rows.next(&mut |_| ())));
    stop.cancel();

    assert!(matches!(reading.await.unwrap(), Err(RowsError::Stopped)));
}
