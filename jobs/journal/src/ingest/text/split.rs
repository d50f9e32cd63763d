//! Splits a record of delimited text into fields, without copying where nothing is doubled or decoded.

use memchr::memchr;

use super::super::table::Span;

/// Of a record without quotes.
pub(super) fn plain(record: &[u8], delimiter: u8, fields: &mut Vec<Span>) {
    let mut start = 0;
    let mut end_at = |end| {
        fields.push(span(start, end));
        start = end + 1;
    };
    // Fields are so short that a search for one delimiter after the other begins more than it searches: all of a word are found at once.
    let (words, rest) = record.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let mut found = matches(u64::from_le_bytes(*word), delimiter);
        while found != 0 {
            end_at(place * 8 + found.trailing_zeros() as usize / 8);
            found &= found - 1;
        }
    }
    for (place, byte) in rest.iter().enumerate() {
        if *byte == delimiter {
            end_at(words.len() * 8 + place);
        }
    }
    end_at(record.len());
}

/// The highest bit of each byte that is this one.
fn matches(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    let differences = word ^ u64::from_le_bytes([byte; 8]);
    // A carry out of a byte's lower bits says that they are not all zero; none leaves its byte.
    !(((differences & LOW) + LOW) | differences | LOW)
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
