//! A table from a Parquet file: a few thousand rows of its columns at a time, beside the table itself.
//!
//! Integers, floats, decimals and booleans are numbers; what is missing in the file is missing in the table.

use std::fs::File;
use std::path::Path;

use ::parquet::basic::Type;
use ::parquet::schema::types::ColumnDescriptor;

use super::read::{failed, filled, kept};
use super::{ReadError, Table, TableError};
use crate::ingest::parquet::parts::{Kind, Part, Parts, Values, kind, unscaled};

/// Whole numbers below this, and powers of ten up to 10^22, are exact in 64 bits, so that dividing them rounds once.
const EXACT: u128 = 1 << 53;
const EXACT_POWER: i32 = 22;

pub(super) fn table(path: &Path, file: File, drop: &[String]) -> Result<Table, TableError> {
    let mut parts = Parts::open(file).map_err(|cause| failed(path, cause))?;
    let names: Vec<String> = parts.columns().iter().map(|column| column.path().string()).collect();
    let kept = kept(path, &names, drop)?;
    let mut columns = Vec::with_capacity(kept.len());
    for &index in &kept {
        let (name, column) = (names[index].clone(), &parts.columns()[index]);
        if let Some(what) = no_numbers(column) {
            return Err(failed(path, ReadError::NotNumbers { column: name, what }));
        }
        columns.push(Column { name, kind: kind(column), deepest: column.max_def_level() });
    }
    parts.want(kept);

    let width = columns.len();
    let mut values: Vec<f32> = Vec::new();
    while let Some((parts, rows)) = parts.next().map_err(|cause| failed(path, cause))? {
        let start = values.len();
        values.resize(start + rows * width, f32::NAN);
        for (place, (column, part)) in columns.iter().zip(&parts).enumerate() {
            let cells = values[start..].iter_mut().skip(place).step_by(width);
            column.fill(part, cells).map_err(|wrong| TableError::NotANumber {
                path: path.into(),
                place: format!("row {} (counted from 0)", start / width + wrong.row),
                column: column.name.clone(),
                value: wrong.value,
            })?;
        }
    }
    filled(path, columns.into_iter().map(|column| column.name).collect(), values)
}

struct Column {
    name: String,
    kind: Kind,
    /// The level at which there is a value.
    deepest: i16,
}

struct Wrong {
    row: usize,
    value: String,
}

impl Column {
    /// Leaves what is missing as it is.
    fn fill<'a>(&self, part: &Part, cells: impl Iterator<Item = &'a mut f32>) -> Result<(), Wrong> {
        let mut next = 0;
        for (row, cell) in cells.enumerate() {
            if part.levels.get(row).is_some_and(|level| *level != self.deepest) {
                continue;
            }
            let value = number(&part.values, next, self.kind);
            next += 1;
            // By way of 64 bits, as of a CSV file.
            *cell = match value.map(|value| (value, value as f32)) {
                Some((_, narrow)) if narrow.is_finite() => narrow,
                Some((value, _)) if value.is_nan() => f32::NAN,
                Some((value, _)) => return Err(Wrong { row, value: value.to_string() }),
                None => return Err(Wrong { row, value: "a decimal of more than 38 digits".into() }),
            };
        }
        Ok(())
    }
}

/// What a column holds instead of numbers.
fn no_numbers(column: &ColumnDescriptor) -> Option<&'static str> {
    if column.max_rep_level() > 0 {
        return Some("lists");
    }
    match (column.physical_type(), kind(column)) {
        (_, Kind::Date) => Some("dates"),
        (_, Kind::Timestamp { .. } | Kind::Time { .. }) | (Type::INT96, _) => Some("times"),
        (_, Kind::Decimal { .. } | Kind::Unsigned) => None,
        (Type::BOOLEAN | Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE, Kind::Plain) => None,
        (Type::BYTE_ARRAY, Kind::Plain) => Some("texts"),
        (Type::FIXED_LEN_BYTE_ARRAY, Kind::Plain) => Some("bytes"),
    }
}

/// `None` for what is none, and for decimals of more digits than the format has.
fn number(values: &Values, index: usize, kind: Kind) -> Option<f64> {
    Some(match values {
        Values::Bool(values) => f64::from(u8::from(*values.get(index)?)),
        Values::I32(values) => match (*values.get(index)?, kind) {
            (value, Kind::Unsigned) => f64::from(value.cast_unsigned()),
            (value, Kind::Decimal { scale }) => decimal(value.into(), scale),
            (value, _) => value.into(),
        },
        Values::I64(values) => match (*values.get(index)?, kind) {
            (value, Kind::Unsigned) => value.cast_unsigned() as f64,
            (value, Kind::Decimal { scale }) => decimal(value.into(), scale),
            (value, _) => value as f64,
        },
        Values::F32(values) => (*values.get(index)?).into(),
        Values::F64(values) => *values.get(index)?,
        Values::Bytes(values) => of_bytes(values.get(index)?.data(), kind)?,
        Values::Fixed(values) => of_bytes(values.get(index)?.data(), kind)?,
        Values::I96(_) => return None,
    })
}

fn of_bytes(bytes: &[u8], kind: Kind) -> Option<f64> {
    match kind {
        Kind::Decimal { scale } => Some(decimal(unscaled(bytes)?, scale)),
        _ => None,
    }
}

/// The float that is nearest, as of the same number in a text.
fn decimal(unscaled: i128, scale: i32) -> f64 {
    if unscaled.unsigned_abs() < EXACT && (0..=EXACT_POWER).contains(&scale) {
        return unscaled as f64 / (0..scale).fold(1.0, |power, _| power * 10.0);
    }
    // What is written like this always reads as a number.
    format!("{unscaled}e{}", -i64::from(scale)).parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
