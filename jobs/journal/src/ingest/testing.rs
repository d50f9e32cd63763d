//! Reads texts as files, for the tests of this crate.

use std::io::Write;
use std::sync::Arc;

use super::bytes::Bytes;
use super::text::TextTable;
use super::{Input, Mapping, Origin, Preset, ReadError, Row, open};
use crate::line::Line;

/// Hands over every row of a file with this content, and returns where they came from.
pub(crate) fn rows(
    content: &[u8],
    mapping: &Mapping,
    take: &mut dyn FnMut(Row<'_>),
) -> Result<Origin, ReadError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let mut source = open(&Input::File(file.path().into()), mapping)?;
    while let Some(block) = source.next_block()? {
        block.parse(take)?;
    }
    source.finish()
}

/// What becomes of each line: the line as the function shows it, or the rejection.
pub(crate) fn read<T>(
    content: impl AsRef<[u8]>,
    mapping: &Mapping,
    show: impl Fn(&Line<'_>) -> T,
) -> Vec<Result<T, String>> {
    let mut read = Vec::new();
    let take = &mut |row: Row<'_>| {
        read.push(match row {
            Row::Line(line) => Ok(show(&line)),
            Row::Rejected(rejection) => Err(rejection.to_string()),
        });
    };
    rows(content.as_ref(), mapping, take).unwrap();
    read
}

/// Of a `GL_Detail` file without mistakes.
pub(crate) fn ads_lines(file: &str, take: &mut dyn FnMut(&Line<'_>)) {
    let each = &mut |row: Row<'_>| match row {
        Row::Line(line) => take(&line),
        Row::Rejected(rejection) => panic!("{rejection}"),
    };
    rows(file.as_bytes(), &Mapping::of(Preset::Ads), each).unwrap();
}

pub(super) fn text_table(content: &[u8], mapping: &Mapping) -> TextTable {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    TextTable::open(Bytes::open(file.path()).unwrap(), mapping, Arc::default()).unwrap()
}
