//! A table from a file: of CSV the first line names the columns, every other cell is a number or empty; of Parquet see [`super::parquet`].

use std::io::{Cursor, Read};
use std::path::Path;

use csv::ByteRecord;
use ndarray::Array2;

use super::{ReadError, Table, TableError, open};

/// What people write where nothing is known, besides nothing.
const UNKNOWN: [&str; 5] = ["nan", "na", "n/a", "null", "none"];

pub(super) fn table(path: &Path, drop: &[String]) -> Result<Table, TableError> {
    let mut file = open(path)?;
    let mut head = Vec::new();
    let read = file.by_ref().take(5).read_to_end(&mut head);
    read.map_err(|cause| failed(path, cause))?;
    if is_parquet(&head) {
        #[cfg(feature = "parquet")]
        return super::parquet::table(path, file, drop);
        #[cfg(not(feature = "parquet"))]
        return Err(failed(path, ReadError::NoParquet));
    }
    // A pipe is not read from its beginning again.
    csv(path, Cursor::new(head).chain(file), drop)
}

pub(super) fn failed(path: &Path, cause: impl Into<ReadError>) -> TableError {
    TableError::Read { path: path.into(), cause: cause.into() }
}

/// Behind its first four bytes a Parquet file has a byte that no text has; a column of a CSV file may be called PAR1.
fn is_parquet(head: &[u8]) -> bool {
    matches!(head, [b'P', b'A', b'R', b'1', next] if next.is_ascii_control() && !next.is_ascii_whitespace())
}

fn csv(path: &Path, file: impl Read, drop: &[String]) -> Result<Table, TableError> {
    let failed = |cause: csv::Error| failed(path, cause);
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(file);
    let header: Vec<String> =
        reader.headers().map_err(failed)?.iter().map(|name| name.trim().into()).collect();
    if header.is_empty() {
        return Err(TableError::NoRows { path: path.into() });
    }
    let kept = kept(path, &header, drop)?;

    let mut values = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        for &column in &kept {
            let cell = record.get(column).unwrap_or_default();
            values.push(number(cell).ok_or_else(|| TableError::NotANumber {
                path: path.into(),
                place: format!("line {}", record.position().map_or(0, csv::Position::line)),
                column: header[column].clone(),
                value: String::from_utf8_lossy(cell).chars().take(40).collect(),
            })?);
        }
    }
    let columns = kept.into_iter().map(|column| header[column].clone()).collect();
    filled(path, columns, values)
}

/// The values are whole rows of as many columns.
pub(super) fn filled(path: &Path, columns: Vec<String>, values: Vec<f32>) -> Result<Table, TableError> {
    if values.is_empty() {
        return Err(TableError::NoRows { path: path.into() });
    }
    let rows = values.len() / columns.len();
    let values = Array2::from_shape_vec((rows, columns.len()), values);
    let values = values.map_err(|shape| iforest::Error::from(linfa::Error::from(shape)))?;
    Ok(Table { columns, values })
}

/// Which columns are looked at.
pub(super) fn kept(path: &Path, header: &[String], drop: &[String]) -> Result<Vec<usize>, TableError> {
    if let Some(name) = drop.iter().find(|name| !header.contains(name)) {
        let columns = header.join(", ").chars().take(400).collect();
        return Err(TableError::NoSuchColumn { path: path.into(), name: name.clone(), columns });
    }
    let kept: Vec<usize> = (0..header.len()).filter(|&column| !drop.contains(&header[column])).collect();
    if kept.is_empty() { Err(TableError::NoColumns { path: path.into() }) } else { Ok(kept) }
}

/// NaN where nothing is known; `None` for what is neither that nor a number of 32 bits.
fn number(cell: &[u8]) -> Option<f32> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    if text.is_empty() || UNKNOWN.iter().any(|unknown| text.eq_ignore_ascii_case(unknown)) {
        return Some(f32::NAN);
    }
    // By way of 64 bits, as everything that reads numbers and narrows them does.
    let value = text.parse::<f64>().ok()? as f32;
    value.is_finite().then_some(value)
}
