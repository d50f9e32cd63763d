//! Reads texts as files, for the tests of this crate.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::bytes::Bytes;
use super::text::TextTable;
use super::{Input, Mapping, Origin, ReadError, Row, open};
use crate::line::Line;

/// Hands over every row of a file with this content, and returns where they came from.
pub(crate) fn rows(
    content: &[u8],
    mapping: &Mapping,
    take: &mut dyn FnMut(Row<'_>),
) -> Result<Origin, ReadError> {
    with_file(content, |path| rows_of(path, mapping, take))
}

pub(crate) fn with_file<T>(content: &[u8], look: impl FnOnce(&Path) -> T) -> T {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    look(file.path())
}

pub(crate) fn rows_of(
    path: &Path,
    mapping: &Mapping,
    take: &mut dyn FnMut(Row<'_>),
) -> Result<Origin, ReadError> {
    let mut source = open(&Input::File(path.into()), mapping)?;
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

pub(super) fn text_table(content: &[u8], mapping: &Mapping) -> TextTable {
    with_file(content, |path| TextTable::open(Bytes::open(path).unwrap(), mapping, Arc::default()).unwrap())
}
