//! Reads the line of an entry. It takes whatever it can make sense of, and then refuses what does not come out again byte
//! by byte: so there is one description of the form, the one that writes.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Entry, EntryError, stands_verbatim};

pub(super) fn line(line: &[u8]) -> Result<Entry, EntryError> {
    let text = str::from_utf8(line).map_err(|_| EntryError::NotText)?;
    let rest = text.strip_prefix(r#"{"v":1"#).filter(|rest| rest.starts_with([',', '}']));
    let rest = rest.ok_or(EntryError::Version)?;
    let entry = entry(&mut Cursor { rest }, text.len())?;
    let mut again = Vec::with_capacity(line.len());
    entry.write_line(&mut again);
    if again != line {
        let same = again.iter().zip(line).take_while(|(one, other)| one == other).count();
        return Err(EntryError::Form(same));
    }
    Ok(entry)
}

fn entry(from: &mut Cursor<'_>, length: usize) -> Result<Entry, EntryError> {
    let place = match from.key("era") {
        true => Some((from.number("era")?, from.required("tx", Cursor::number)?)),
        false => None,
    };
    let entry = Entry {
        place,
        seq: from.required("seq", Cursor::number)?,
        at: from.required("at", Cursor::time)?,
        actor: from.required("actor", Cursor::string)?,
        action: from.required("action", Cursor::string)?,
        object: from.required("object", Cursor::string)?,
        outcome: from.required("outcome", Cursor::string)?,
        tenant: from.optional("tenant", Cursor::string)?,
        request: from.optional("request", Cursor::string)?,
        source: from.optional("source", Cursor::string)?,
        jobs: from.optional("jobs", Cursor::ids)?,
        details: match from.optional("details", Cursor::details)? {
            None => from.optional("details_text", Cursor::string)?,
            details => details,
        },
    };
    match from.rest {
        "}" => Ok(entry),
        rest => Err(EntryError::Trailing(length - rest.len())),
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn key(&mut self, name: &str) -> bool {
        let value = self.rest.strip_prefix(",\"").and_then(|rest| rest.strip_prefix(name));
        let value = value.and_then(|rest| rest.strip_prefix("\":"));
        self.rest = value.unwrap_or(self.rest);
        value.is_some()
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        read: fn(&mut Self, &'static str) -> Result<T, EntryError>,
    ) -> Result<T, EntryError> {
        self.optional(name, read)?.ok_or(EntryError::Missing(name))
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        read: fn(&mut Self, &'static str) -> Result<T, EntryError>,
    ) -> Result<Option<T>, EntryError> {
        if self.key(name) { read(self, name).map(Some) } else { Ok(None) }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn number<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, EntryError> {
        let end = self.rest.find([',', '}']).unwrap_or(self.rest.len());
        self.take(end).parse().map_err(|_| EntryError::Value(name))
    }

    fn time(&mut self, name: &'static str) -> Result<Timestamp, EntryError> {
        self.string(name)?.parse().map_err(|_| EntryError::Value(name))
    }

    fn string(&mut self, name: &'static str) -> Result<String, EntryError> {
        let end = end_of_string(self.rest).ok_or(EntryError::Value(name))?;
        serde_json::from_str(self.take(end)).map_err(|_| EntryError::Value(name))
    }

    fn ids(&mut self, name: &'static str) -> Result<Vec<Uuid>, EntryError> {
        let end = self.rest.find(']').ok_or(EntryError::Value(name))?;
        let list = self.take(end + 1).strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        let list = list.ok_or(EntryError::Value(name))?;
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let ids = list.split(',').map(|id| Uuid::try_parse(id.trim_matches('"')));
        ids.collect::<Result<_, _>>().map_err(|_| EntryError::Value(name))
    }

    /// They are the last, so they go on until the brace that ends the line.
    fn details(&mut self, name: &'static str) -> Result<String, EntryError> {
        let end = self.rest.strip_suffix('}').ok_or(EntryError::Value(name))?.len();
        let details = self.take(end);
        if stands_verbatim(details) { Ok(details.into()) } else { Err(EntryError::Value(name)) }
    }
}

/// Where a string ends that begins at the beginning, with its quotes.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    let inside = text.strip_prefix('"')?.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(inside + 2)
}
