use std::sync::Arc;

use super::*;
use crate::ingest::{Input, Mapping, Row, open};

/// Rows from memory; a number is what looks like one.
#[derive(Debug)]
struct Fake(Vec<Vec<Option<&'static str>>>);

struct FakeRows {
    columns: Vec<String>,
    left: std::vec::IntoIter<Vec<Option<&'static str>>>,
}

impl Query for Fake {
    fn rows(&self) -> Result<Box<dyn Rows>, RowsError> {
        if self.0.is_empty() {
            return Err(RowsError::Away("nobody answers".into()));
        }
        let columns = ["id", "account", "amount", "day"].map(String::from).to_vec();
        Ok(Box::new(FakeRows { columns, left: self.0.clone().into_iter() }))
    }
}

impl Rows for FakeRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self, put: &mut dyn FnMut(Cell<'_>)) -> Result<bool, RowsError> {
        let Some(row) = self.left.next() else { return Ok(false) };
        for value in row {
            put(match value {
                None => Cell::Null,
                Some(text) if text.parse::<f64>().is_ok() => Cell::Number(text),
                Some(text) => Cell::Text(text),
            });
        }
        Ok(true)
    }
}

fn read(rows: Vec<Vec<Option<&'static str>>>) -> Result<(Vec<String>, Origin), ReadError> {
    let mapping: Mapping = serde_json::from_str(
        r#"{"decimal": "comma", "columns": {"entry": "id", "account": "account", "amount": "amount", "effective": "day"}}"#,
    )
    .unwrap();
    let mut source = open(&Input::Query(Arc::new(Fake(rows))), &mapping)?;
    let mut shown = Vec::new();
    while let Some(block) = source.next_block()? {
        block.parse(&mut |row| {
            shown.push(match row {
                Row::Line(line) => {
                    format!("{} {} {} {:?}", line.entry, line.account, line.amount, line.effective)
                }
                Row::Rejected(rejection) => rejection.to_string(),
            });
        })?;
    }
    Ok((shown, source.finish()?))
}

#[test]
fn rows_become_lines_and_numbers_keep_their_point_beside_texts_with_commas() {
    let (shown, origin) = read(vec![
        vec![Some("a"), Some("4711"), Some("1.25"), Some("2025-01-31")],
        vec![Some("a"), Some("1200"), Some("-1,25"), None],
        vec![Some("a"), Some("1200"), None, None],
        vec![Some("a")],
    ])
    .unwrap();

    assert_eq!(
        shown,
        [
            "a 4711 1.25 Some(2025-01-31)",
            "a 1200 -1.25 None",
            "line 3: amount: is empty; every line needs one; export it again",
            "line 4: (all): 1 values, but the query has 4 columns; mend the adapter that reads the query",
        ]
    );
    assert_eq!(origin.format, "query");
}

#[test]
fn the_hash_tells_rows_apart_whose_texts_are_the_same_behind_each_other() {
    let hash = |one, other| read(vec![vec![Some(one), Some(other), Some("1"), None]]).unwrap().1.sha256;

    assert_eq!(hash("ab", "c"), hash("ab", "c"));
    assert_ne!(hash("ab", "c"), hash("a", "bc"));
}

#[test]
fn a_database_that_is_away_is_told_as_that() {
    let error = read(Vec::new()).unwrap_err();

    assert_eq!(error.to_string(), "asking the database");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the database is away");
}
