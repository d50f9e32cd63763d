//! Everything between a file or a query and [`Line`] values: formats, encodings, and what the columns mean.
//!
//! A format ([`text`], [`json`], [`saft`], [`xlsx`], [`parquet`], [`query`]) makes records of text fields; a
//! [`Mapping`], bound to the source's columns by [`plan`], makes lines of them. A source is cut in order on one thread
//! and read on many, in bounded memory whatever it holds. What cannot be read for certain is rejected with its place,
//! the problem and the remedy, and never guessed, because a line silently dropped or changed would spoil every total
//! behind the scores.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::line::Line;
use crate::names::TooMany;
use bytes::Bytes;
use plan::{Joined, Plan};
use slot::Problem;
use table::{Broken, Item, Records, Table};

mod bytes;
pub mod control;
mod guess;
mod json;
pub mod mapping;
mod names;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
mod plan;
pub mod presets;
mod query;
mod saft;
mod slot;
mod table;
mod text;
mod value;
mod xlsx;
mod xml;

pub use guess::{Finding, Guess, guess};
pub use mapping::{Format, Mapping, MappingError};
pub use presets::Preset;
use query::QueryTable;
pub use query::{Cell, Query, Rows, RowsError};

/// From where a ledger comes.
#[derive(Debug, Clone)]
pub enum Input {
    File(PathBuf),
    Query(Arc<dyn Query>),
}

/// A line that was not taken over: where, why, and what its owner can do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Of a text; elsewhere its row.
    pub first_line: u64,
    /// Differs from the first where a quoted field spans lines.
    pub last_line: u64,
    pub field: String,
    pub problem: String,
    pub remedy: Cow<'static, str>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}; {}", self.first_line, self.field, self.problem, self.remedy)
    }
}

impl From<Broken> for Rejection {
    fn from(Broken { first_line, last_line, problem, remedy }: Broken) -> Self {
        Self { first_line, last_line, field: "(all)".into(), problem, remedy: remedy.into() }
    }
}

#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every row is a line, and none outlives a call")]
pub enum Row<'a> {
    Line(Line<'a>),
    Rejected(Rejection),
}

/// Cuts its input into blocks of whole records and hashes what passes: sequential and cheap.
pub trait Source: Send {
    /// The next part, or `None` at the end.
    fn next_block(&mut self) -> Result<Option<Box<dyn Block>>, ReadError>;

    /// How many bytes, or rows, of how many are behind us.
    fn position(&self) -> (u64, Option<u64>);

    /// How many columns its lines have that no field is for.
    fn extra(&self) -> usize;

    /// What was read. To be asked when every block is parsed: some of it is counted there.
    fn finish(self: Box<Self>) -> Result<Origin, ReadError>;
}

/// A part of the input. Any number of them are parsed at once, in any order.
pub trait Block: Send {
    fn parse(self: Box<Self>, take: &mut dyn FnMut(Row<'_>)) -> Result<(), ReadError>;
}

/// Where the lines came from, so that anybody can check that it was this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub format: String,
    pub bytes: u64,
    pub sha256: String,
    /// Lines that were not UTF-8 and were read as Windows-1252.
    pub not_utf8: u64,
    /// Lines whose amount had more decimals than the mapping keeps.
    pub rounded: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the mapping")]
    Mapping(#[from] MappingError),
    #[error("the file is empty; it should begin with a line of column names")]
    Empty,
    #[error("the first line is longer than 1 MiB; it should hold the column names")]
    HeaderTooLong,
    #[error("column `{asked}` for {field} is missing; the source has {found}")]
    MissingColumn { field: &'static str, asked: String, found: String },
    #[error("no column is mapped to {field}; set columns.{field} of the mapping to one of {found}")]
    Unmapped { field: &'static str, found: String },
    #[error("column `{0}` appears twice in the first line; rename one")]
    DoubledColumn(String),
    #[error("the XML is broken near line {line}: {problem}")]
    Xml { line: u64, problem: String },
    #[cfg(feature = "parquet")]
    #[error("reading the Parquet file")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    #[cfg(not(feature = "parquet"))]
    #[error("this program was built without Parquet; export the ledger as CSV")]
    NoParquet,
    #[error(
        "the file is {0}; hand in the data that it was made of, as CSV, JSON lines, SAF-T, XLSX or Parquet"
    )]
    NoLedger(&'static str),
    #[error("the workbook {problem}")]
    Workbook { problem: String },
    #[error("asking the database")]
    Query(#[source] RowsError),
    #[error("the file was changed while it was read; copy it and try again")]
    Changed,
    #[error(transparent)]
    TooManyNames(#[from] TooMany),
    #[error("reading the ledger")]
    Io(#[from] io::Error),
}

/// Opens a ledger: reads its header and binds the mapping to it.
pub fn open(input: &Input, mapping: &Mapping) -> Result<Box<dyn Source>, ReadError> {
    mapping.check()?;
    let counts = Arc::new(Counts::default());
    let table = open_table(input, mapping, &counts)?;
    let plan = Plan::bind(mapping, &table.columns())?;
    Ok(Box::new(LedgerSource { table, plan: Arc::new(plan), counts }))
}

fn open_table(input: &Input, mapping: &Mapping, counts: &Arc<Counts>) -> Result<Box<dyn Table>, ReadError> {
    open_columns(input, mapping, plan::wanted_columns(mapping), counts)
}

/// `asked` are the columns to look for, where a format is not read as a whole.
fn open_columns(
    input: &Input,
    mapping: &Mapping,
    asked: Vec<String>,
    counts: &Arc<Counts>,
) -> Result<Box<dyn Table>, ReadError> {
    let mapping = presets::written_out(mapping).0;
    match input {
        Input::Query(query) => Ok(Box::new(QueryTable::open(&**query)?)),
        Input::File(path) => {
            let format = match mapping.format {
                Some(format) => format,
                None => format_of(&Bytes::head(path, 64)?),
            };
            open_file(path, format, &mapping, asked, counts)
        }
    }
}

fn open_file(
    path: &Path,
    format: Format,
    mapping: &Mapping,
    asked: Vec<String>,
    counts: &Arc<Counts>,
) -> Result<Box<dyn Table>, ReadError> {
    check_kind(path)?;
    let bytes = || Bytes::open(path);
    Ok(match format {
        Format::Csv => Box::new(text::TextTable::open(bytes()?, mapping, counts.clone())?),
        Format::JsonLines => Box::new(json::JsonTable::open(bytes()?, mapping, asked)?),
        Format::Saft => Box::new(saft::SaftTable::open(bytes()?, mapping, asked)?),
        Format::Xlsx => Box::new(xlsx::XlsxTable::open(path, mapping)?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::ParquetTable::open(path, &asked)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => return Err(ReadError::NoParquet),
    })
}

/// Refuses what is no ledger, however it is to be read.
pub(crate) fn check_kind(path: &Path) -> Result<(), ReadError> {
    match Bytes::head(path, 5)?.as_slice() {
        b"%PDF-" => Err(ReadError::NoLedger("a PDF")),
        [b'P', b'K', 3, 4, ..] if xlsx::is_document(path)? => {
            Err(ReadError::NoLedger("a text document (DOCX)"))
        }
        _ => Ok(()),
    }
}

/// What the first bytes of a file say that it is.
fn format_of(head: &[u8]) -> Format {
    match head {
        [b'P', b'A', b'R', b'1', ..] => Format::Parquet,
        [b'P', b'K', 3, 4, ..] => Format::Xlsx,
        // Behind a byte order mark, between the zeros of UTF-16, behind blanks.
        _ => match head.iter().find(|byte| !byte.is_ascii_whitespace() && !matches!(byte, 0 | 0x80..)) {
            Some(b'<') => Format::Saft,
            Some(b'{') => Format::JsonLines,
            _ => Format::Csv,
        },
    }
}

/// What is counted on many threads; sums, so that their order does not matter.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    not_utf8: AtomicU64,
    rounded: AtomicU64,
}

struct LedgerSource {
    table: Box<dyn Table>,
    plan: Arc<Plan>,
    counts: Arc<Counts>,
}

impl Source for LedgerSource {
    fn next_block(&mut self) -> Result<Option<Box<dyn Block>>, ReadError> {
        let records = self.table.next_records()?;
        Ok(records.map(|records| {
            let (plan, counts) = (self.plan.clone(), self.counts.clone());
            Box::new(LedgerBlock { records, plan, counts }) as Box<dyn Block>
        }))
    }

    fn position(&self) -> (u64, Option<u64>) {
        self.table.position()
    }

    fn extra(&self) -> usize {
        self.plan.extra()
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        let Counts { not_utf8, rounded } = &*self.counts;
        let origin = self.table.finish()?;
        Ok(Origin { not_utf8: not_utf8.load(Relaxed), rounded: rounded.load(Relaxed), ..origin })
    }
}

struct LedgerBlock {
    records: Box<dyn Records>,
    plan: Arc<Plan>,
    counts: Arc<Counts>,
}

impl Block for LedgerBlock {
    fn parse(self: Box<Self>, take: &mut dyn FnMut(Row<'_>)) -> Result<(), ReadError> {
        let Self { records, plan, counts } = *self;
        let mut joined = Joined::default();
        let mut rounded_lines = 0;
        records.each(&mut |item| match item {
            Item::Record(record) => match plan.line(&record, &mut joined, &mut Vec::new()) {
                Ok((line, rounded)) => {
                    rounded_lines += u64::from(rounded);
                    take(Row::Line(line));
                }
                Err(Problem { field, problem, remedy }) => take(Row::Rejected(Rejection {
                    first_line: record.first_line,
                    last_line: record.last_line,
                    field,
                    problem,
                    remedy: remedy.into(),
                })),
            },
            Item::Broken(broken) => take(Row::Rejected(broken.into())),
        })?;
        counts.rounded.fetch_add(rounded_lines, Relaxed);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
