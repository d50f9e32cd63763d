//! The rows of a query, through a port: who speaks to which customer's database is decided elsewhere.

use std::fmt;

use jobkit::outcome::Cause;
use sha2::{Digest, Sha256};

use super::table::{Columns, Records, Table, Written};
use super::{Origin, ReadError};
use crate::output::hex;

#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// It may work later.
    #[error("the database is away")]
    Away(#[source] Cause),
    #[error("the database refuses the query")]
    Refused(#[source] Cause),
    #[error("asked to stop")]
    Stopped,
}

/// A query that can be asked, and asked again after a crash.
pub trait Query: fmt::Debug + Send + Sync {
    fn rows(&self) -> Result<Box<dyn Rows>, RowsError>;
}

/// Its rows, one after the other.
pub trait Rows: Send {
    fn columns(&self) -> &[String];

    /// Hands over the next row's values in the order of the columns; `false` at the end.
    fn next(&mut self, put: &mut dyn FnMut(Cell<'_>)) -> Result<bool, RowsError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    Null,
    Text(&'a str),
    /// Exactly, as digits with a decimal point; never by way of a float.
    Number(&'a str),
}

const BLOCK: usize = 1 << 19;

pub(super) struct QueryTable {
    rows: Box<dyn Rows>,
    columns: Vec<String>,
    hash: Sha256,
    bytes: u64,
    row: u64,
    ended: bool,
}

impl QueryTable {
    pub(super) fn open(query: &dyn Query) -> Result<Self, ReadError> {
        let rows = query.rows().map_err(ReadError::Query)?;
        let columns = rows.columns().to_vec();
        let mut table = Self { rows, columns, hash: Sha256::new(), bytes: 0, row: 0, ended: false };
        for name in &table.columns {
            table.bytes += hashed(&mut table.hash, Cell::Text(name));
        }
        Ok(table)
    }
}

/// A database has no bytes to hash, so its values are hashed, each with what it is and how long.
fn hashed(hash: &mut Sha256, cell: Cell<'_>) -> u64 {
    let (mark, text) = match cell {
        Cell::Null => (0, ""),
        Cell::Text(text) => (1, text),
        Cell::Number(text) => (2, text),
    };
    hash.update([mark]);
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
    text.len() as u64
}

impl Table for QueryTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Named(&self.columns)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        let mut written = Written::default();
        while !self.ended && written.bytes() < BLOCK {
            let (hash, bytes) = (&mut self.hash, &mut self.bytes);
            let mut count = 0;
            let put = &mut |cell: Cell<'_>| {
                *bytes += hashed(hash, cell);
                count += 1;
                match cell {
                    Cell::Null => written.field("", false),
                    Cell::Text(text) => written.field(text, false),
                    Cell::Number(text) => written.field(text, true),
                }
            };
            if !self.rows.next(put).map_err(ReadError::Query)? {
                self.ended = true;
                break;
            }
            self.row += 1;
            if count == self.columns.len() {
                written.end(self.row);
            } else {
                let problem = format!("{count} values, but the query has {} columns", self.columns.len());
                written.broken(self.row, problem, "mend the adapter that reads the query");
            }
        }
        Ok((!written.is_empty()).then(|| Box::new(written) as Box<dyn Records>))
    }

    fn position(&self) -> (u64, Option<u64>) {
        (self.row, None)
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        Ok(Origin {
            format: "query".into(),
            bytes: self.bytes,
            sha256: hex(self.hash),
            not_utf8: 0,
            rounded: 0,
        })
    }
}

#[cfg(test)]
mod tests;
