//! The columns that are wanted of a Parquet file, a few thousand rows at a time, so that no row group is ever in memory as a whole.

use std::fs::File;
use std::panic::AssertUnwindSafe;

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use crate::ingest::ReadError;

/// Rows decoded at once.
const ROWS: usize = 4_096;

/// What the values of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Unsigned,
    Decimal { scale: i32 },
    Date,
    Timestamp { in_second: i64 },
    Time { in_second: i64 },
}

pub(crate) enum Values {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    /// Only ever a timestamp, of old writers.
    I96(Vec<Int96>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// One column of a few thousand rows.
pub(crate) struct Part {
    /// Less than the column's own where there is no value, and empty where there always is one.
    pub(crate) levels: Vec<i16>,
    pub(crate) values: Values,
}

pub(crate) struct Parts {
    reader: SerializedFileReader<File>,
    /// By their place among all.
    wanted: Vec<usize>,
    group: usize,
    open: Vec<ColumnReader>,
    left_in_group: usize,
}

impl Parts {
    /// Of all columns none is wanted yet.
    pub(crate) fn open(file: File) -> Result<Self, ReadError> {
        let reader = guarded(|| Ok(SerializedFileReader::new(file)?))?;
        Ok(Self { reader, wanted: Vec::new(), group: 0, open: Vec::new(), left_in_group: 0 })
    }

    pub(crate) fn columns(&self) -> &[ColumnDescPtr] {
        self.reader.metadata().file_metadata().schema_descr().columns()
    }

    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// To be said before the first of them is read.
    pub(crate) fn want(&mut self, wanted: Vec<usize>) {
        self.wanted = wanted;
    }

    /// The wanted columns of the next rows, and how many rows those are.
    pub(crate) fn next(&mut self) -> Result<Option<(Vec<Part>, usize)>, ReadError> {
        if self.wanted.is_empty() || !guarded(|| self.next_group())? {
            return Ok(None);
        }
        let rows = ROWS.min(self.left_in_group);
        let parts = guarded(|| self.open.iter_mut().map(|column| part(column, rows)).collect())?;
        self.left_in_group -= rows;
        Ok(Some((parts, rows)))
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

pub(crate) fn kind(column: &ColumnDescriptor) -> Kind {
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

/// A whole number of sixteen bytes at most, the highest first.
pub(crate) fn unscaled(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1_i128 };
    Some(bytes.iter().fold(sign, |value, &byte| (value << 8) | i128::from(byte)))
}
