//! Takes the sample that a guess is made from.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::Value;

use super::Sample;
use crate::ingest::bytes::Bytes;
use crate::ingest::mapping::{Format, Mapping};
use crate::ingest::table::{Columns, Item, Record, Table};
use crate::ingest::{Counts, Input, ReadError, format_of, open_file, open_table, text};

const MOST_ROWS: usize = 5_000;
/// Of the file, to see its format and the keys of its objects.
const HEAD: u64 = 1 << 20;

pub(super) fn take(input: &Input, known: &Mapping) -> Result<Sample, ReadError> {
    let counts = Arc::new(Counts::default());
    let Input::File(path) = input else {
        return rows(open_table(input, known, &counts)?, Sample::default());
    };
    let head = Bytes::head(path, HEAD)?;
    let format = known.format.unwrap_or_else(|| format_of(&head));
    let mut sample = Sample { format: Some(format), ..Sample::default() };
    let asked = match format {
        // Its paths are the preset's.
        Format::Saft => return Ok(sample),
        Format::JsonLines => keys(&head),
        Format::Csv => {
            let delimiter = known.delimiter.unwrap_or_else(|| char::from(text::delimiter_seen(&head)));
            sample.delimiter = Some(delimiter);
            Vec::new()
        }
        Format::Xlsx | Format::Parquet => Vec::new(),
    };
    let table = open_file(path, format, known, asked, &counts)?;
    let sample = rows(table, sample)?;
    Ok(Sample { not_utf8: counts.not_utf8.load(Relaxed), ..sample })
}

fn rows(mut table: Box<dyn Table>, mut sample: Sample) -> Result<Sample, ReadError> {
    let (Columns::Named(names) | Columns::Asked(names)) = table.columns();
    sample.columns = names.to_vec();
    let width = sample.columns.len();
    while sample.rows.len() < MOST_ROWS {
        let Some(records) = table.next_records()? else { break };
        records.each(&mut |item| {
            if let Item::Record(record) = item
                && sample.rows.len() < MOST_ROWS
            {
                sample.rows.push(texts(&record, width));
            }
        })?;
    }
    Ok(sample)
}

fn texts(record: &Record<'_>, width: usize) -> Vec<(String, bool)> {
    (0..width).map(|index| (record.get(index).to_string(), record.is_exact(index))).collect()
}

/// The paths of all values in the whole objects of the head.
fn keys(head: &[u8]) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for line in head.split(|&byte| byte == b'\n').take(MOST_ROWS) {
        if let Ok(Value::Object(object)) = serde_json::from_slice(line) {
            object.iter().for_each(|(key, value)| add(key, value, &mut keys));
        }
    }
    keys.into_iter().collect()
}

fn add(path: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                add(&format!("{path}.{key}"), value, keys);
            }
        }
        Value::Array(_) => {}
        _ => {
            keys.insert(path.into());
        }
    }
}
