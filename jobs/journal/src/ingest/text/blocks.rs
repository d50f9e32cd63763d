//! Blocks of whole records, about a mebibyte each.

use std::io;

use memchr::memchr;

use super::characters::Characters;
use super::cut::{self, Cutter, End, Kind, LONGEST_RECORD};
use crate::ingest::Origin;
use crate::ingest::bytes::Bytes;
use crate::ingest::mapping::Encoding;

/// Large enough that handing blocks to threads costs nothing, small enough that a few of them are no memory.
const BLOCK: usize = 1 << 20;

pub(in crate::ingest) struct Blocks {
    characters: Characters,
    pub(super) cutter: Cutter,
    /// Begins with the record that comes next.
    rest: Vec<u8>,
    is_last: bool,
    /// Lines before `rest`.
    line: u64,
}

/// Bytes with the ends of the records in them.
pub(in crate::ingest) struct Cut {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<End>,
    /// Lines before it.
    pub(super) line: u64,
}

/// A record as it stands in its block, without its line break; what is wrong with it as a whole, if anything is.
pub(in crate::ingest) struct Whole<'a> {
    pub(in crate::ingest) first_line: u64,
    pub(in crate::ingest) last_line: u64,
    /// Where it begins in the block.
    pub(super) start: usize,
    pub(in crate::ingest) bytes: &'a [u8],
    pub(super) kind: Kind,
    pub(in crate::ingest) broken: Option<(&'static str, &'static str)>,
}

impl Cut {
    /// Hands over every record that is not an empty line.
    pub(in crate::ingest) fn each(&self, take: &mut dyn FnMut(Whole<'_>)) {
        let has_nul = memchr(0, &self.bytes).is_some();
        let (mut start, mut line) = (0, self.line);
        for &End { at, lines, kind } in &self.ends {
            let (first_line, last_line) = (line + 1, line + u64::from(lines));
            line = last_line;
            let bytes = without_break(&self.bytes[start..at.max(start)]);
            let broken = match kind {
                Kind::TooLong => Some(("longer than 1 MiB", "close an open quote, or split the line")),
                Kind::Unclosed => {
                    Some(("a quote is opened and never closed", "close it, or double it if it is text"))
                }
                Kind::Plain | Kind::Quoted => (has_nul && memchr(0, bytes).is_some())
                    .then_some(("contains a NUL byte", "export the file again as UTF-8 text")),
            };
            if !bytes.is_empty() || broken.is_some() {
                take(Whole { first_line, last_line, start, bytes, kind, broken });
            }
            start = at.max(start);
        }
    }
}

pub(super) fn without_break(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

impl Blocks {
    pub(super) fn new(characters: Characters, cutter: Cutter) -> Self {
        Self { characters, cutter, rest: Vec::new(), is_last: false, line: 0 }
    }

    /// For formats that only line breaks separate.
    pub(in crate::ingest) fn of_lines(bytes: Bytes, encoding: Encoding) -> io::Result<Self> {
        Ok(Self::new(Characters::new(bytes, encoding)?, Cutter { delimiter: None }))
    }

    fn fill(&mut self) -> io::Result<()> {
        if !self.is_last {
            self.is_last = !self.characters.append(&mut self.rest, BLOCK)?;
        }
        Ok(())
    }

    /// What comes next, up to the first line break; `None` at the end.
    pub(super) fn head(&mut self) -> io::Result<Option<&[u8]>> {
        let Some(end) = self.peek()? else { return Ok(None) };
        Ok(Some(&self.rest[..end.at]))
    }

    /// The record that comes next, if there is one.
    pub(super) fn peek(&mut self) -> io::Result<Option<End>> {
        loop {
            if self.rest.is_empty() && self.is_last {
                return Ok(None);
            }
            if let Some(end) = self.cutter.end(&self.rest, 0, self.is_last)
                && !self.rest.is_empty()
            {
                return Ok(Some(end));
            }
            if self.rest.len() > 2 * LONGEST_RECORD {
                return Ok(Some(End { at: self.rest.len(), lines: 1, kind: Kind::TooLong }));
            }
            self.fill()?;
        }
    }

    pub(super) fn bytes(&self, end: End) -> &[u8] {
        &self.rest[..end.at]
    }

    pub(super) fn pass(&mut self, end: End) {
        self.rest.drain(..end.at);
        self.line += u64::from(end.lines);
    }

    /// The next block; never an empty one.
    pub(in crate::ingest) fn next(&mut self) -> io::Result<Option<Cut>> {
        loop {
            if self.rest.len() < BLOCK {
                self.fill()?;
            }
            if self.rest.is_empty() && self.is_last {
                return Ok(None);
            }
            let mut ends = Vec::new();
            let mut start = 0;
            while start < self.rest.len()
                && let Some(end) = self.cutter.end(&self.rest, start, self.is_last)
            {
                ends.push(end);
                start = end.at;
            }
            if ends.is_empty() {
                if self.rest.len() - LONGEST_RECORD.min(self.rest.len()) > 0 {
                    return self.give_up().map(Some);
                }
                self.fill()?;
                continue;
            }
            let rest = self.rest.split_off(start);
            let bytes = std::mem::replace(&mut self.rest, rest);
            let line = self.line;
            self.line += ends.iter().map(|end| u64::from(end.lines)).sum::<u64>();
            return Ok(Some(Cut { bytes, ends, line }));
        }
    }

    /// Passes over a record that is too long to hold, to the next line break.
    fn give_up(&mut self) -> io::Result<Cut> {
        let line = self.line;
        let mut lines = 0;
        // Line breaks within the limit were in quotes.
        lines += cut::breaks(&self.rest);
        self.rest.clear();
        while !self.is_last {
            self.fill()?;
            if let Some(at) = memchr(b'\n', &self.rest) {
                self.rest.drain(..=at);
                lines += 1;
                self.line += lines;
                let end = End { at: 0, lines: lines as u32, kind: Kind::TooLong };
                return Ok(Cut { bytes: Vec::new(), ends: vec![end], line });
            }
            self.rest.clear();
        }
        self.line += lines + 1;
        let end = End { at: 0, lines: lines as u32 + 1, kind: Kind::TooLong };
        Ok(Cut { bytes: Vec::new(), ends: vec![end], line })
    }

    pub(in crate::ingest) fn position(&self) -> (u64, Option<u64>) {
        self.characters.position()
    }

    pub(in crate::ingest) fn finish(self, format: &str) -> Origin {
        self.characters.finish(format)
    }
}
