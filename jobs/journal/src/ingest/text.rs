//! Delimited text: cut into blocks at the ends of records, split into fields on any thread.
//!
//! The `csv` crate would collect a record of any size before we could refuse it, and copies every field. Here a record
//! beyond `LONGEST_RECORD` is given up without being held, and fields stay where they are unless they must be
//! rewritten.

use std::sync::Arc;

use super::bytes::Bytes;
use super::mapping::Mapping;
use super::table::{Columns, Records, Table};
use super::{Counts, Origin, ReadError};
use block::{Layout, TextBlock};
use cut::{Cutter, Kind};

mod block;
mod blocks;
mod characters;
mod cut;
mod split;

pub(super) use blocks::{Blocks, Cut, Whole};
pub(super) use characters::{Characters, windows_1252};

pub(super) struct TextTable {
    blocks: Blocks,
    columns: Vec<String>,
    layout: Arc<Layout>,
}

impl TextTable {
    pub(super) fn open(bytes: Bytes, mapping: &Mapping, counts: Arc<Counts>) -> Result<Self, ReadError> {
        let characters = Characters::new(bytes, mapping.encoding)?;
        let encoding = characters.encoding();
        // The delimiter is seen from the first line, and quotes cannot be told from text without it.
        let mut blocks = Blocks::new(characters, Cutter { delimiter: None });
        let head = blocks.head()?.ok_or(ReadError::Empty)?;
        let delimiter = match mapping.delimiter {
            Some(delimiter) => delimiter as u8,
            None => delimiter_of(head),
        };
        blocks.cutter = Cutter { delimiter: Some(delimiter) };
        let first = blocks.peek()?.ok_or(ReadError::Empty)?;
        if first.kind == Kind::TooLong {
            return Err(ReadError::HeaderTooLong);
        }
        let names = block::names(blocks.bytes(first), delimiter, encoding);
        if names.iter().all(String::is_empty) {
            return Err(ReadError::Empty);
        }
        let width = names.len();
        let columns = if mapping.headless {
            (1..=width).map(|number| number.to_string()).collect()
        } else {
            blocks.pass(first);
            names
        };
        Ok(Self { blocks, columns, layout: Arc::new(Layout { delimiter, encoding, width, counts }) })
    }
}

/// The delimiter of a text whose first bytes these are.
pub(super) fn delimiter_seen(head: &[u8]) -> u8 {
    delimiter_of(head.split(|&byte| byte == b'\n').next().unwrap_or_default())
}

impl Table for TextTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Named(&self.columns)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        let Some(cut) = self.blocks.next()? else { return Ok(None) };
        Ok(Some(Box::new(TextBlock { cut, layout: self.layout.clone() })))
    }

    fn position(&self) -> (u64, Option<u64>) {
        self.blocks.position()
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        Ok(self.blocks.finish("csv"))
    }
}

/// The one that occurs most in the first line. The Audit Data Standards' own flat files use `|`.
fn delimiter_of(line: &[u8]) -> u8 {
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests;
