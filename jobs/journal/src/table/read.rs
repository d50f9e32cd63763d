//! A table from a CSV file: the first line names the columns, every other cell is a number or empty.

use std::path::Path;

use csv::ByteRecord;
use ndarray::Array2;

use super::{Table, TableError, open};

/// What people write where nothing is known, besides nothing.
const UNKNOWN: [&str; 5] = ["nan", "na", "n/a", "null", "none"];

pub(super) fn csv(path: &Path, drop: &[String]) -> Result<Table, TableError> {
    let failed = |cause| TableError::Read { path: path.into(), cause };
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(open(path)?);
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
                line: record.position().map_or(0, csv::Position::line),
                column: header[column].clone(),
                value: String::from_utf8_lossy(cell).chars().take(40).collect(),
            })?);
        }
    }
    if values.is_empty() {
        return Err(TableError::NoRows { path: path.into() });
    }
    let rows = values.len() / kept.len();
    let values = Array2::from_shape_vec((rows, kept.len()), values);
    // The values are whole rows of as many columns.
    let values = values.map_err(|shape| iforest::Error::from(linfa::Error::from(shape)))?;
    Ok(Table { columns: kept.into_iter().map(|column| header[column].clone()).collect(), values })
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
