//! Parquet: only the columns that are asked for, as records of texts.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::bytes::Unchanged;
use super::names::canonical;
use super::table::{Columns, Records, Table};
use super::{Origin, ReadError};
use block::ColumnBlock;
use parts::{Kind, Parts, kind};

mod block;
pub(crate) mod parts;

pub(super) struct ParquetTable {
    file: Unchanged,
    parts: Parts,
    names: Vec<String>,
    /// Columns that are asked for, by their place among all.
    wanted: Vec<usize>,
    /// What each of them means, and the level at which it has a value.
    kinds: Arc<Vec<(Kind, i16)>>,
    row: u64,
}

impl ParquetTable {
    /// Without names, every column is read.
    pub(super) fn open(path: &Path, asked: &[String]) -> Result<Self, ReadError> {
        let file = Unchanged::open(path)?;
        let mut parts = Parts::open(File::open(path)?)?;
        let columns = parts.columns();
        let names: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
        let asked: Vec<String> = asked.iter().map(|name| canonical(name)).collect();
        let is_wanted = |index: &usize| asked.is_empty() || asked.contains(&canonical(&names[*index]));
        // A list has many values in a row, and no field of a line has.
        let wanted: Vec<usize> =
            (0..names.len()).filter(is_wanted).filter(|&index| columns[index].max_rep_level() == 0).collect();
        let kinds =
            wanted.iter().map(|&index| (kind(&columns[index]), columns[index].max_def_level())).collect();
        parts.want(wanted.clone());
        Ok(Self { file, parts, names, wanted, kinds: Arc::new(kinds), row: 0 })
    }
}

impl Table for ParquetTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Named(&self.names)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        let Some((parts, rows)) = self.parts.next()? else { return Ok(None) };
        let first_row = self.row + 1;
        self.row += rows as u64;
        Ok(Some(Box::new(ColumnBlock {
            parts,
            kinds: self.kinds.clone(),
            places: self.wanted.clone(),
            names: self.names.clone(),
            first_row,
            rows,
        })))
    }

    fn position(&self) -> (u64, Option<u64>) {
        (self.row, Some(self.parts.rows()))
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        self.file.finish("parquet")
    }
}

#[cfg(test)]
mod tests;
