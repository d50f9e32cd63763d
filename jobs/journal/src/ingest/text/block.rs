//! One block of delimited text, split and decoded record by record.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::blocks::{Cut, Whole, without_break};
use super::characters::windows_1252;
use super::cut::Kind;
use super::split;
use crate::ingest::mapping::Encoding;
use crate::ingest::table::{Broken, Item, Record, Records, Span};
use crate::ingest::{Counts, ReadError};

/// What is alike for all blocks of a file.
pub(super) struct Layout {
    pub(super) delimiter: u8,
    pub(super) encoding: Encoding,
    pub(super) width: usize,
    pub(super) counts: Arc<Counts>,
}

pub(super) struct TextBlock {
    pub(super) cut: Cut,
    pub(super) layout: Arc<Layout>,
}

impl Records for TextBlock {
    fn each(self: Box<Self>, take: &mut dyn FnMut(Item<'_>)) -> Result<(), ReadError> {
        let Self { cut, layout } = *self;
        let text = std::str::from_utf8(&cut.bytes).ok().filter(|_| layout.encoding != Encoding::Windows1252);
        let mut reader =
            Reader { layout: &layout, fields: Vec::new(), scratch: Scratch::default(), not_utf8: 0 };
        cut.each(&mut |Whole { first_line, last_line, start, bytes, kind, broken: problem }| {
            let broken =
                |problem: String, remedy| Item::Broken(Broken { first_line, last_line, problem, remedy });
            if let Some((problem, remedy)) = problem {
                take(broken(problem.into(), remedy));
                return;
            }
            let known = text.map(|text| &text[start..start + bytes.len()]);
            match reader.record(bytes, known, kind) {
                Ok((_, fields)) if fields.len() != layout.width => take(broken(
                    format!("{} fields, but the header names {}", fields.len(), layout.width),
                    "quote fields that contain the delimiter",
                )),
                Ok((text, fields)) => take(Item::Record(Record { first_line, last_line, text, fields })),
                Err((problem, remedy)) => take(broken(problem.into(), remedy)),
            }
        });
        layout.counts.not_utf8.fetch_add(reader.not_utf8, Relaxed);
        Ok(())
    }
}

/// The names in a header line.
pub(super) fn names(record: &[u8], delimiter: u8, encoding: Encoding) -> Vec<String> {
    let (mut text, mut fields) = (Vec::new(), Vec::new());
    split::rewritten(without_break(record), delimiter, &mut text, &mut fields);
    let field = |span: &Span| {
        let bytes = &text[span.start as usize..span.end as usize];
        let decoded = match std::str::from_utf8(bytes) {
            Ok(text) if encoding != Encoding::Windows1252 => text.into(),
            _ => bytes.iter().map(|&byte| windows_1252(byte)).collect::<String>(),
        };
        decoded.trim().into()
    };
    fields.iter().map(field).collect()
}

struct Reader<'a> {
    layout: &'a Layout,
    fields: Vec<Span>,
    scratch: Scratch,
    not_utf8: u64,
}

/// For the records that do not stay as they are.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    text: String,
}

type Refused = (&'static str, &'static str);

impl Reader<'_> {
    fn record<'r>(
        &'r mut self,
        bytes: &'r [u8],
        known: Option<&'r str>,
        kind: Kind,
    ) -> Result<(&'r str, &'r [Span]), Refused> {
        let Self { layout, fields, scratch, not_utf8 } = self;
        fields.clear();
        let in_place = match kind {
            Kind::Plain => {
                split::plain(bytes, layout.delimiter, fields);
                true
            }
            _ => split::quoted(bytes, layout.delimiter, fields),
        };
        let is_utf8 = layout.encoding != Encoding::Windows1252;
        // Looked at before fields are taken apart and put together: the end of one and the start of the next must not
        // pass for one character.
        let whole = known.or_else(|| std::str::from_utf8(bytes).ok().filter(|_| is_utf8));
        if whole.is_none() && layout.encoding == Encoding::Utf8 {
            return Err(("is not UTF-8", "set `encoding` of the mapping, or export the file again as UTF-8"));
        }
        if in_place && let Some(text) = whole {
            return Ok((text, fields));
        }
        scratch.bytes.clear();
        fields.clear();
        split::rewritten(bytes, layout.delimiter, &mut scratch.bytes, fields);
        if whole.is_some()
            && let Ok(text) = std::str::from_utf8(&scratch.bytes)
        {
            return Ok((text, fields));
        }
        *not_utf8 += u64::from(is_utf8);
        scratch.text.clear();
        for span in fields.iter_mut() {
            let start = scratch.text.len() as u32;
            let bytes = &scratch.bytes[span.start as usize..span.end as usize];
            scratch.text.extend(bytes.iter().map(|&byte| windows_1252(byte)));
            *span = Span { start, end: scratch.text.len() as u32, exact: false };
        }
        Ok((&scratch.text, fields))
    }
}
