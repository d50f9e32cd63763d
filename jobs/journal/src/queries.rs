//! Ledgers that are queries: an operator writes them into the configuration, and jobs name them. A job never brings SQL of its own.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How the path of a ledger begins that is the answer to a query.
const QUERY: &str = "query:";

/// `[journal.queries.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamedQuery {
    /// The name of a database below `[databases]`.
    pub database: String,
    pub sql: String,
}

/// The name of the query that a path is.
pub fn name_of(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(QUERY)
}

/// The query that a job asks for, or why it cannot be had.
pub fn find<'q>(queries: &'q BTreeMap<String, NamedQuery>, name: &str) -> Result<&'q NamedQuery, String> {
    queries.get(name).ok_or_else(|| {
        let known: Vec<&str> = queries.keys().map(String::as_str).collect();
        match known.is_empty() {
            true => format!("path: there is no query `{name}`; write one as [journal.queries.{name}]"),
            false => format!("path: there is no query `{name}`; there are {}", known.join(", ")),
        }
    })
}

impl NamedQuery {
    /// What is wrong, and in which key.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let outermost = outermost(&self.sql);
        let words =
            || outermost.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        let is = |word: &str, one: &str| word.eq_ignore_ascii_case(one);
        let begins = words().next().is_some_and(|first| is(first, "select") || is(first, "with"));
        let ordered = words().zip(words().skip(1)).any(|(one, next)| is(one, "order") && is(next, "by"));
        if self.database.is_empty() {
            Some(("database", "is empty; name one of [databases]"))
        } else if !begins {
            Some(("sql", "is no query; begin it with SELECT or WITH"))
        } else if outermost.trim_end().trim_end_matches(';').contains(';') {
            Some(("sql", "is more than one statement; write one SELECT"))
        } else if !ordered {
            // An attempt after a crash asks again, and must see the same rows in the same order to know them again.
            Some((
                "sql",
                "has no ORDER BY of its own; without an order the same ledger cannot be told from another after a crash, so order by what is unique, such as the entry and the number of the line",
            ))
        } else {
            None
        }
    }
}

/// A statement without what is quoted, commented or in parentheses.
fn outermost(sql: &str) -> String {
    let mut kept = String::with_capacity(sql.len());
    let mut depth = 0_usize;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            // A doubled quote ends one text and begins another.
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            _ => 0,
        };
        if skipped > 0 {
            kept.push(' ');
            rest = &rest[skipped..];
            continue;
        }
        match first {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(first),
            _ => {}
        }
        if matches!(first, '(' | ')') {
            kept.push(' ');
        }
        rest = &rest[first.len_utf8()..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_be_the_name_of_a_query() {
        assert_eq!(name_of(Path::new("query:general-ledger")), Some("general-ledger"));
        assert_eq!(name_of(Path::new("/ledgers/query:x")), None);
    }

    #[test]
    fn a_query_has_a_database_a_statement_and_an_order() {
        let query = |database: &str, sql: &str| NamedQuery { database: database.into(), sql: sql.into() };
        for (query, expected) in [
            (query("erp", "SELECT * FROM gl ORDER BY id"), None),
            (query("erp", "\n with x AS (SELECT 1) select * from x\norder\n by 1; "), None),
            (query("", "SELECT 1 ORDER BY 1"), Some("database")),
            (query("erp", ""), Some("sql")),
            (query("erp", "DELETE FROM gl"), Some("sql")),
            (query("erp", "SELECT * FROM gl"), Some("sql")),
            (query("erp", "SELECT * FROM reorder by_"), Some("sql")),
            (
                query("erp", "SELECT *, row_number() OVER (PARTITION BY entry ORDER BY line) FROM gl"),
                Some("sql"),
            ),
            (query("erp", "SELECT * FROM gl -- order by id"), Some("sql")),
            (query("erp", "SELECT * FROM gl /* order by id */ WHERE x = 'order by'"), Some("sql")),
            (
                query(
                    "erp",
                    "-- the ledger\nSELECT \";\" FROM gl WHERE x <> 'it''s; a' ORDER BY id; -- all of it",
                ),
                None,
            ),
            (query("erp", "SELECT 'unended ORDER BY 1"), Some("sql")),
            (query("erp", "SELECT 1 ORDER BY 1; DROP TABLE gl"), Some("sql")),
        ] {
            assert_eq!(query.problem().map(|(key, _)| key), expected, "{query:?}");
        }
    }

    #[test]
    fn a_query_that_is_not_there_is_told_with_those_that_are() {
        let queries = BTreeMap::from([("gl".to_owned(), NamedQuery::default())]);
        assert!(find(&queries, "gl").is_ok());
        assert_eq!(find(&queries, "x").unwrap_err(), "path: there is no query `x`; there are gl");
        assert_eq!(
            find(&BTreeMap::new(), "x").unwrap_err(),
            "path: there is no query `x`; write one as [journal.queries.x]"
        );
    }
}
