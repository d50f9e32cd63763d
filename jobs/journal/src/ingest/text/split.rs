//! Splits a record of delimited text into fields, without copying where nothing is doubled or decoded.

use memchr::{memchr, memchr_iter};

use super::super::table::Span;

/// Of a record without quotes.
pub(super) fn plain(record: &[u8], delimiter: u8, fields: &mut Vec<Span>) {
    let mut start = 0;
    for end in memchr_iter(delimiter, record) {
        fields.push(span(start, end));
        start = end + 1;
    }
    fields.push(span(start, record.len()));
}

/// Of a record with quotes: in place if quotes only surround fields. `false` if there is more to them.
pub(super) fn quoted(record: &[u8], delimiter: u8, fields: &mut Vec<Span>) -> bool {
    let mut start = 0;
    loop {
        let (from, to, end) = if record.get(start) == Some(&b'"') {
            let Some(length) = memchr(b'"', &record[start + 1..]) else { return false };
            let to = start + 1 + length;
            match record.get(to + 1) {
                None => (start + 1, to, record.len()),
                Some(byte) if *byte == delimiter => (start + 1, to, to + 1),
                Some(_) => return false,
            }
        } else {
            let end = memchr(delimiter, &record[start..]).map_or(record.len(), |length| start + length);
            (start, end, end)
        };
        fields.push(span(from, to));
        if end >= record.len() {
            return true;
        }
        start = end + 1;
    }
}

/// Of any record, into a text of its own: doubled quotes become one.
pub(super) fn rewritten(record: &[u8], delimiter: u8, text: &mut Vec<u8>, fields: &mut Vec<Span>) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        FieldStart,
        Plain,
        Quoted,
        /// After a quote inside a quoted field: its end, or the first half of a doubled quote.
        QuoteInQuoted,
    }
    let mut state = State::FieldStart;
    let mut start = text.len();
    for &byte in record {
        state = match (state, byte) {
            (State::FieldStart, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) | (State::QuoteInQuoted, b'"') => {
                text.push(byte);
                State::Quoted
            }
            (_, _) if byte == delimiter => {
                fields.push(span(start, text.len()));
                start = text.len();
                State::FieldStart
            }
            (_, _) => {
                text.push(byte);
                State::Plain
            }
        };
    }
    fields.push(span(start, text.len()));
}

fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32, exact: false }
}
