//! Scores as Parquet: typed columns, compressed, read by every tool for data.
//!
//! Rows are kept until a row group is full, and then written column by column; so much and no more is in memory.

use std::io;
use std::sync::Arc;

use jiff::civil::{Date, date};
use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::{Rows, ScoreRow};
use crate::amount::Amount;
use crate::output::Pending;

const ROWS_PER_GROUP: usize = 65_536;
const EPOCH: Date = date(1970, 1, 1);

/// An amount is exact: a number of ten-thousandths in sixteen bytes.
const SCHEMA: &str = "message scores {
    required binary entry (STRING);
    required binary population (STRING);
    required int64 rank;
    required double score;
    required double risk;
    required binary band (STRING);
    required binary detector (STRING);
    required double rank_value_forest;
    required double rank_combination_forest;
    required double rank_value_sum;
    required double rank_combination_sum;
    required group tests (LIST) { repeated group list { required binary element (STRING); } }
    required fixed_len_byte_array (16) amount (DECIMAL (38, 4));
    optional int32 date (DATE);
    required binary user (STRING);
    required binary model_id (STRING);
}";

/// Columns of few values, which a dictionary makes small.
const REPEATING: [&str; 7] =
    ["population", "band", "detector", "tests.list.element", "date", "user", "model_id"];

pub(super) struct ParquetRows {
    writer: SerializedFileWriter<Pending>,
    columns: Columns,
}

/// The columns of the row group that is being filled.
#[derive(Default)]
struct Columns {
    entry: Vec<ByteArray>,
    population: Vec<ByteArray>,
    rank: Vec<i64>,
    score: Vec<f64>,
    risk: Vec<f64>,
    band: Vec<ByteArray>,
    detector: Vec<ByteArray>,
    detector_ranks: [Vec<f64>; 4],
    tests: Tests,
    amount: Vec<FixedLenByteArray>,
    date: Vec<i32>,
    has_date: Vec<i16>,
    user: Vec<ByteArray>,
    model_id: Vec<ByteArray>,
}

/// Lists, as Parquet has them: all elements, and for each whether it is there and whether it goes on with a list.
#[derive(Default)]
struct Tests {
    elements: Vec<ByteArray>,
    is_there: Vec<i16>,
    goes_on: Vec<i16>,
}

impl Tests {
    fn push(&mut self, tests: &[&str]) {
        self.elements.extend(tests.iter().map(|test| ByteArray::from(*test)));
        // An empty list has one place, with nothing in it.
        self.is_there.extend(std::iter::repeat_n(i16::from(!tests.is_empty()), tests.len().max(1)));
        self.goes_on.extend((0..tests.len().max(1)).map(|place| i16::from(place > 0)));
    }
}

impl Columns {
    fn push(&mut self, row: &ScoreRow<'_>) -> io::Result<()> {
        self.entry.push(row.entry.into());
        self.population.push(row.population.into());
        self.rank.push(row.rank.try_into().map_err(io::Error::other)?);
        self.score.push(row.score);
        self.risk.push(row.risk);
        self.band.push(row.band.name().into());
        self.detector.push(row.detector.id().into());
        for (column, rank) in self.detector_ranks.iter_mut().zip(row.detector_ranks) {
            column.push(rank);
        }
        self.tests.push(row.tests);
        self.amount.push(sixteen_bytes(row.amount));
        self.date.extend(row.date.map(days));
        self.has_date.push(i16::from(row.date.is_some()));
        self.user.push(row.user.into());
        self.model_id.push(row.model_id.into());
        Ok(())
    }

    /// In the order of the schema.
    fn write(&self, group: &mut SerializedRowGroupWriter<'_, Pending>) -> Result<(), ParquetError> {
        column::<ByteArrayType>(group, &self.entry, None, None)?;
        column::<ByteArrayType>(group, &self.population, None, None)?;
        column::<Int64Type>(group, &self.rank, None, None)?;
        column::<DoubleType>(group, &self.score, None, None)?;
        column::<DoubleType>(group, &self.risk, None, None)?;
        column::<ByteArrayType>(group, &self.band, None, None)?;
        column::<ByteArrayType>(group, &self.detector, None, None)?;
        for ranks in &self.detector_ranks {
            column::<DoubleType>(group, ranks, None, None)?;
        }
        let Tests { elements, is_there, goes_on } = &self.tests;
        column::<ByteArrayType>(group, elements, Some(is_there), Some(goes_on))?;
        column::<FixedLenByteArrayType>(group, &self.amount, None, None)?;
        column::<Int32Type>(group, &self.date, Some(&self.has_date), None)?;
        column::<ByteArrayType>(group, &self.user, None, None)?;
        column::<ByteArrayType>(group, &self.model_id, None, None)
    }
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Pending>,
    values: &[T::T],
    is_there: Option<&[i16]>,
    goes_on: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::General("the schema has fewer columns".into()))?;
    column.typed::<T>().write_batch(values, is_there, goes_on)?;
    column.close()
}

fn sixteen_bytes(amount: Amount) -> FixedLenByteArray {
    ByteArray::from(amount.ten_thousandths().to_be_bytes().to_vec()).into()
}

fn days(date: Date) -> i32 {
    // Dates of four-digit years are never further apart than an i32 counts.
    i32::try_from(EPOCH.duration_until(date).as_hours() / 24).unwrap_or(i32::MAX)
}

impl ParquetRows {
    pub(super) fn new(file: Pending) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(io::Error::other)?);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Nearly every value is another, and a dictionary of them only costs.
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for column in REPEATING {
            let path = column.split('.').map(String::from).collect::<Vec<_>>();
            properties = properties.set_column_dictionary_enabled(ColumnPath::new(path), true);
        }
        let properties = properties.build();
        let writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(io::Error::other)?;
        Ok(Self { writer, columns: Columns::default() })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let columns = std::mem::take(&mut self.columns);
        let mut group = self.writer.next_row_group()?;
        columns.write(&mut group)?;
        group.close().map(|_| ())
    }
}

impl Rows for ParquetRows {
    fn write(&mut self, row: &ScoreRow<'_>) -> io::Result<()> {
        self.columns.push(row)?;
        if self.columns.entry.len() < ROWS_PER_GROUP {
            return Ok(());
        }
        self.write_group().map_err(io::Error::other)
    }

    fn finish(mut self: Box<Self>) -> io::Result<Pending> {
        if !self.columns.entry.is_empty() {
            self.write_group().map_err(io::Error::other)?;
        }
        self.writer.into_inner().map_err(io::Error::other)
    }
}
