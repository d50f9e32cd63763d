//! Finds where records of delimited text end, without looking into their fields.

use memchr::{memchr, memchr_iter, memchr2};

/// In bytes. No real line comes near it, but an unclosed quote in a large file is enough to make one.
pub(super) const LONGEST_RECORD: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Behind its line break.
    pub(super) at: usize,
    /// How many lines it spans.
    pub(super) lines: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without any quote.
    Plain,
    Quoted,
    TooLong,
    /// The file ended within quotes.
    Unclosed,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cutter {
    /// Without one, only line breaks end records: JSON has no others.
    pub(super) delimiter: Option<u8>,
}

impl Cutter {
    /// The end of the record at `start`, or `None` if more bytes are needed to see it.
    pub(super) fn end(self, bytes: &[u8], start: usize, is_last: bool) -> Option<End> {
        let found = match self.delimiter {
            None => plain_end(bytes, start),
            Some(delimiter) => quoted_end(bytes, start, delimiter, is_last),
        };
        let found = match found {
            Found::End(end) => Some(end),
            Found::More { .. } if !is_last => None,
            Found::More { within_quotes } => {
                let kind = if within_quotes { Kind::Unclosed } else { Kind::Quoted };
                Some(End { at: bytes.len(), lines: lines(&bytes[start..]).max(1), kind })
            }
        };
        match found {
            Some(end) if end.at - start <= LONGEST_RECORD => Some(end),
            None if bytes.len() - start <= LONGEST_RECORD => None,
            // Given up at the first line break behind the limit, whatever stands in quotes: the next line may be good.
            _ => {
                let limit = start + LONGEST_RECORD;
                let at = match memchr(b'\n', &bytes[limit..]) {
                    Some(at) => limit + at + 1,
                    None if is_last => bytes.len(),
                    None => return None,
                };
                Some(End { at, lines: lines(&bytes[start..at]), kind: Kind::TooLong })
            }
        }
    }
}

/// Lines that end in the bytes, and a last one that does not.
fn lines(bytes: &[u8]) -> u32 {
    breaks(bytes) as u32 + u32::from(bytes.last().is_some_and(|&byte| byte != b'\n'))
}

pub(super) fn breaks(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

enum Found {
    End(End),
    More { within_quotes: bool },
}

fn plain_end(bytes: &[u8], start: usize) -> Found {
    match memchr(b'\n', &bytes[start..]) {
        Some(at) => Found::End(End { at: start + at + 1, lines: 1, kind: Kind::Plain }),
        None => Found::More { within_quotes: false },
    }
}

/// A quote opens a field only at its start; elsewhere it is text, as in `5" pipe`.
fn quoted_end(bytes: &[u8], start: usize, delimiter: u8, is_last: bool) -> Found {
    let (mut at, mut lines, mut kind) = (start, 1, Kind::Plain);
    loop {
        let Some(found) = memchr2(b'\n', b'"', &bytes[at..]).map(|found| at + found) else {
            return Found::More { within_quotes: false };
        };
        if bytes[found] == b'\n' {
            return Found::End(End { at: found + 1, lines, kind });
        }
        kind = Kind::Quoted;
        at = found + 1;
        if found > start && bytes[found - 1] != delimiter {
            continue;
        }
        loop {
            let Some(quote) = memchr(b'"', &bytes[at..]).map(|quote| at + quote) else {
                return Found::More { within_quotes: true };
            };
            lines += memchr_iter(b'\n', &bytes[at..quote]).count() as u32;
            at = quote + 1;
            match bytes.get(at) {
                Some(b'"') => at += 1,
                // The other half of a doubled quote may be the next byte.
                None if !is_last => return Found::More { within_quotes: true },
                _ => break,
            }
        }
    }
}
