//! What every format is turned into: records of text fields under column names.
//!
//! The formats know nothing of ledgers, and [`Plan`](super::plan::Plan) knows nothing of formats.

use super::{Origin, ReadError};

/// A field's place in its record's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// It was a number in the source and is written with a decimal point, whatever the mapping says of texts.
    pub(crate) exact: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Lines of a text, rows of a sheet or query. The last differs from the first where a quoted field spans lines.
    pub(crate) first_line: u64,
    pub(crate) last_line: u64,
    pub(crate) text: &'a str,
    pub(crate) fields: &'a [Span],
}

impl<'a> Record<'a> {
    /// Without surrounding blanks; empty where the record is shorter.
    pub(crate) fn get(&self, index: usize) -> &'a str {
        let Some(span) = self.fields.get(index) else { return "" };
        let field = &self.text[span.start as usize..span.end as usize];
        match field.as_bytes() {
            // Most have none, and looking for those of Unicode takes longer than all else.
            [] => field,
            [first, .., last] | [first @ last] if first.is_ascii_graphic() && last.is_ascii_graphic() => {
                field
            }
            _ => field.trim(),
        }
    }

    pub(crate) fn is_exact(&self, index: usize) -> bool {
        self.fields.get(index).is_some_and(|span| span.exact)
    }
}

/// A record that cannot be used as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) first_line: u64,
    pub(crate) last_line: u64,
    pub(crate) problem: String,
    pub(crate) remedy: &'static str,
}

pub(crate) enum Item<'a> {
    Record(Record<'a>),
    Broken(Broken),
}

/// A part of the records, to be looked at on any thread.
pub(crate) trait Records: Send {
    fn each(self: Box<Self>, take: &mut dyn FnMut(Item<'_>)) -> Result<(), ReadError>;
}

/// The records of one source, in its order.
pub(crate) trait Table: Send {
    fn columns(&self) -> Columns<'_>;
    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError>;
    fn position(&self) -> (u64, Option<u64>);
    fn finish(self: Box<Self>) -> Result<Origin, ReadError>;
}

pub(crate) enum Columns<'a> {
    /// The source names its columns.
    Named(&'a [String]),
    /// It has what is asked for, or not, from record to record: these were.
    Asked(&'a [String]),
}

/// Records that a format had to write anew, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Written {
    text: String,
    fields: Vec<Span>,
    records: Vec<Ended>,
}

#[derive(Debug)]
struct Ended {
    line: u64,
    /// Of its last field in `fields`.
    fields: usize,
}

impl Written {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(self.fields.as_slice())
    }

    pub(crate) fn field(&mut self, text: &str, exact: bool) {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        self.fields.push(Span { start, end: self.text.len() as u32, exact });
    }

    /// Ends the record that the last fields belong to.
    pub(crate) fn end(&mut self, line: u64) {
        self.records.push(Ended { line, fields: self.fields.len() });
    }
}

impl Records for Written {
    fn each(self: Box<Self>, take: &mut dyn FnMut(Item<'_>)) -> Result<(), ReadError> {
        let mut start = 0;
        for Ended { line, fields } in self.records {
            take(Item::Record(Record {
                first_line: line,
                last_line: line,
                text: &self.text,
                fields: &self.fields[start..fields],
            }));
            start = fields;
        }
        Ok(())
    }
}
