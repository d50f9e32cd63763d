//! Parquet: only the columns that are asked for, a few thousand rows at a time, so that no row group is ever in memory
//! as a whole.

use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;

use super::bytes::Unchanged;
use super::names::canonical;
use super::table::{Columns, Records, Table};
use super::{Origin, ReadError};
use block::{ColumnBlock, Kind, Part, Values};

mod block;

/// Rows decoded at once.
const ROWS: usize = 4_096;

pub(super) struct ParquetTable {
    file: Unchanged,
    reader: SerializedFileReader<File>,
    names: Vec<String>,
    /// Columns that are asked for, by their place among all.
    wanted: Vec<usize>,
    /// What each of them means, and the level at which it has a value.
    kinds: Arc<Vec<(Kind, i16)>>,
    group: usize,
    open: Vec<ColumnReader>,
    left_in_group: usize,
    row: u64,
    rows: u64,
}

impl ParquetTable {
    /// Without names, every column is read.
    pub(super) fn open(path: &Path, asked: &[String]) -> Result<Self, ReadError> {
        let file = Unchanged::open(path)?;
        let opened = File::open(path)?;
        let reader = guarded(|| Ok(SerializedFileReader::new(opened)?))?;
        let metadata = reader.metadata().file_metadata();
        let columns = metadata.schema_descr().columns();
        let names: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
        let asked: Vec<String> = asked.iter().map(|name| canonical(name)).collect();
        let is_wanted = |index: &usize| asked.is_empty() || asked.contains(&canonical(&names[*index]));
        // A list has many values in a row, and no field of a line has.
        let wanted: Vec<usize> =
            (0..names.len()).filter(is_wanted).filter(|&index| columns[index].max_rep_level() == 0).collect();
        let kinds =
            wanted.iter().map(|&index| (kind(&columns[index]), columns[index].max_def_level())).collect();
        let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        Ok(Self {
            file,
            names,
            wanted,
            kinds: Arc::new(kinds),
            group: 0,
            open: Vec::new(),
            left_in_group: 0,
            row: 0,
            rows,
            reader,
        })
    }

    fn next_group(&mut self) -> Result<bool, ReadError> {
        while self.left_in_group == 0 {
            if self.group >= self.reader.num_row_groups() {
                return Ok(false);
            }
            let group = self.reader.get_row_group(self.group)?;
            self.left_in_group = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            self.open =
                self.wanted.iter().map(|&index| group.get_column_reader(index)).collect::<Result<_, _>>()?;
            self.group += 1;
        }
        Ok(true)
    }
}

impl Table for ParquetTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Named(&self.names)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        if self.wanted.is_empty() || !guarded(|| self.next_group())? {
            return Ok(None);
        }
        let rows = ROWS.min(self.left_in_group);
        let parts = guarded(|| self.open.iter_mut().map(|column| part(column, rows)).collect())?;
        let first_row = self.row + 1;
        self.left_in_group -= rows;
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
        (self.row, Some(self.rows))
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        self.file.finish("parquet")
    }
}

/// The library panics at some damaged files, as a test of ours found. Whatever it holds by then is not used again: the
/// error ends the run.
fn guarded<T>(work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ParquetError::General("the file is damaged".into()).into()))
}

fn part(column: &mut ColumnReader, rows: usize) -> Result<Part, ReadError> {
    match column {
        ColumnReader::BoolColumnReader(reader) => read(reader, rows, Values::Bool),
        ColumnReader::Int32ColumnReader(reader) => read(reader, rows, Values::I32),
        ColumnReader::Int64ColumnReader(reader) => read(reader, rows, Values::I64),
        ColumnReader::Int96ColumnReader(reader) => read(reader, rows, Values::I96),
        ColumnReader::FloatColumnReader(reader) => read(reader, rows, Values::F32),
        ColumnReader::DoubleColumnReader(reader) => read(reader, rows, Values::F64),
        ColumnReader::ByteArrayColumnReader(reader) => read(reader, rows, Values::Bytes),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => read(reader, rows, Values::Fixed),
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    values_of: fn(Vec<T::T>) -> Values,
) -> Result<Part, ReadError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (found, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if found != rows {
        return Err(ParquetError::EOF("a column is shorter than its row group".into()).into());
    }
    Ok(Part { levels, values: values_of(values) })
}

fn kind(column: &ColumnDescriptor) -> Kind {
    match column.logical_type_ref() {
        Some(LogicalType::Decimal(decimal)) => Kind::Decimal { scale: decimal.scale },
        Some(LogicalType::Date) => Kind::Date,
        Some(LogicalType::Timestamp(timestamp)) => Kind::Timestamp { in_second: in_second(timestamp.unit) },
        Some(LogicalType::Time(time)) => Kind::Time { in_second: in_second(time.unit) },
        Some(LogicalType::Integer(integer)) if !integer.is_signed => Kind::Unsigned,
        Some(_) => Kind::Plain,
        None => match column.converted_type() {
            ConvertedType::DECIMAL => Kind::Decimal { scale: column.type_scale() },
            ConvertedType::DATE => Kind::Date,
            ConvertedType::TIMESTAMP_MILLIS => Kind::Timestamp { in_second: 1_000 },
            ConvertedType::TIMESTAMP_MICROS => Kind::Timestamp { in_second: 1_000_000 },
            ConvertedType::TIME_MILLIS => Kind::Time { in_second: 1_000 },
            ConvertedType::TIME_MICROS => Kind::Time { in_second: 1_000_000 },
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Kind::Unsigned,
            _ => Kind::Plain,
        },
    }
}

fn in_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

#[cfg(test)]
mod tests;
