//! A sheet of a workbook, read row by row from its XML.
//!
//! A workbook is an archive: what it unpacks to is bounded by [`package`], what is kept of it in memory by [`book`].
//! The first row that says something holds the column names.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::bytes::Unchanged;
use super::mapping::Mapping;
use super::table::{Columns, Records, Table, Written};
use super::xml::{Node, Xml};
use super::{Origin, ReadError};
use book::Book;
use cell::{Kind, column_of};
use package::{Package, Part};

mod book;
mod cell;
mod package;

const BLOCK: usize = 1 << 19;
/// As many as a sheet can have.
const MOST_COLUMNS: usize = 16_384;
/// A text may come in many pieces; a cell holds no more than 32,767 characters.
const LONGEST_CELL: usize = 1 << 18;

pub(super) struct XlsxTable {
    file: Unchanged,
    book: Book,
    rows: RowsOf,
    columns: Vec<String>,
    /// The row that was read for its width and not handed over.
    pending: Option<(u64, Vec<Cell>)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cell {
    text: String,
    exact: bool,
}

/// Of the same family, and without a sheet. What cannot be unpacked is told by whoever reads it.
pub(super) fn is_document(path: &Path) -> Result<bool, ReadError> {
    match Package::open(path) {
        Ok(package) => Ok(package.has("word/document.xml") && !package.has("xl/workbook.xml")),
        Err(ReadError::Workbook { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

impl XlsxTable {
    pub(super) fn open(path: &Path, mapping: &Mapping) -> Result<Self, ReadError> {
        let file = Unchanged::open(path)?;
        let package = Package::open(path)?;
        let book = Book::open(&package, mapping.sheet.as_deref())?;
        let sheet = package.part(&book.sheet)?;
        let mut rows = RowsOf { xml: Xml::new(BufReader::with_capacity(1 << 16, sheet)), row: 0 };
        let Some((row, first)) = rows.next(&book)? else { return Err(ReadError::Empty) };
        let (columns, pending) = if mapping.headless {
            ((1..=first.len()).map(|number| number.to_string()).collect(), Some((row, first)))
        } else {
            (first.into_iter().map(|cell| cell.text.trim().to_string()).collect(), None)
        };
        Ok(Self { file, book, rows, columns, pending })
    }
}

impl Table for XlsxTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Named(&self.columns)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        let mut written = Written::default();
        while written.bytes() < BLOCK {
            let next = match self.pending.take() {
                Some(row) => Some(row),
                None => self.rows.next(&self.book)?,
            };
            let Some((row, cells)) = next else { break };
            for index in 0..self.columns.len() {
                match cells.get(index) {
                    Some(cell) => written.field(&cell.text, cell.exact),
                    None => written.field("", false),
                }
            }
            if cells.iter().skip(self.columns.len()).any(|cell| !cell.text.is_empty()) {
                let problem =
                    format!("{} cells, but the first row names {}", cells.len(), self.columns.len());
                written.broken(row, problem, "name every column in the first row");
            } else {
                written.end(row);
            }
        }
        Ok((!written.is_empty()).then(|| Box::new(written) as Box<dyn Records>))
    }

    fn position(&self) -> (u64, Option<u64>) {
        let sheet = self.rows.xml.input().get_ref();
        (sheet.unpacked(), Some(sheet.size()))
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        self.file.finish("xlsx")
    }
}

struct RowsOf {
    xml: Xml<BufReader<Part<File>>>,
    row: u64,
}

impl RowsOf {
    /// The next row in which a cell says something, with its number.
    fn next(&mut self, book: &Book) -> Result<Option<(u64, Vec<Cell>)>, ReadError> {
        let mut cells: Vec<Cell> = Vec::new();
        loop {
            match self.xml.next()? {
                Node::End => return Ok(None),
                Node::Open if self.xml.name() == "row" => {
                    let mut number = None;
                    self.xml.attributes(&mut |name, value| {
                        if name == "r" {
                            number = value.parse().ok();
                        }
                    })?;
                    self.row = number.unwrap_or(self.row + 1);
                    cells.clear();
                    if self.cells(book, &mut cells)? {
                        return Ok(Some((self.row, cells)));
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads to the end of the row; whether a cell says something.
    fn cells(&mut self, book: &Book, cells: &mut Vec<Cell>) -> Result<bool, ReadError> {
        let mut speaks = false;
        let mut depth = 1;
        while depth > 0 {
            match self.xml.next()? {
                Node::Open if self.xml.name() == "c" => {
                    let (mut place, mut kind, mut style) = (None, Kind::Number, 0);
                    self.xml.attributes(&mut |name, value| match name {
                        "r" => place = column_of(value),
                        "t" => kind = Kind::of(value),
                        "s" => style = value.parse().unwrap_or(0),
                        _ => {}
                    })?;
                    let place = place.unwrap_or(cells.len());
                    if place >= MOST_COLUMNS {
                        let problem = format!("has a cell in column {} of row {}", place + 1, self.row);
                        return Err(ReadError::Workbook { problem });
                    }
                    let raw = self.value()?;
                    let cell = book.cell(kind, style, raw)?;
                    speaks |= !cell.text.trim().is_empty();
                    if place >= cells.len() {
                        cells.resize(place + 1, Cell::default());
                    }
                    cells[place] = cell;
                }
                Node::Open => depth += 1,
                Node::Close => depth -= 1,
                Node::Text => {}
                Node::End => return Ok(speaks),
            }
        }
        Ok(speaks)
    }

    /// The text of a cell's value, or of the pieces of its inline string, to the cell's end.
    fn value(&mut self) -> Result<String, ReadError> {
        let mut raw = String::new();
        // Elements within the cell; formulas and phonetic hints are no value.
        let mut open: Vec<bool> = Vec::new();
        loop {
            match self.xml.next()? {
                Node::Open => open.push(!matches!(self.xml.name(), "f" | "rPh" | "extLst")),
                Node::Close if open.pop().is_none() => return Ok(raw),
                Node::Close => {}
                Node::Text if !open.is_empty() && open.iter().all(|counts| *counts) => {
                    raw.push_str(self.xml.text());
                    if raw.len() > LONGEST_CELL {
                        let problem =
                            format!("has a cell in row {} that is longer than a cell can be", self.row);
                        return Err(ReadError::Workbook { problem });
                    }
                }
                Node::Text => {}
                Node::End => return Ok(raw),
            }
        }
    }
}

#[cfg(test)]
mod tests;
