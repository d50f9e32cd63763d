//! One JSON object on each line. Numbers are taken as they are written, never as floats; what lies in an object within
//! the object is asked for as `outer.inner`.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::bytes::Bytes;
use super::mapping::Mapping;
use super::table::{Broken, Columns, Item, Record, Records, Span, Table};
use super::text::{Blocks, Cut, Whole};
use super::{Origin, ReadError, value};

pub(super) struct JsonTable {
    blocks: Blocks,
    asked: Arc<Asked>,
}

struct Asked {
    names: Vec<String>,
    tree: Branch,
}

/// The names below one object.
#[derive(Debug, Default)]
struct Branch(Vec<(String, Leaf)>);

#[derive(Debug, Default)]
struct Leaf {
    /// Place among the asked names.
    index: Option<usize>,
    below: Branch,
}

impl JsonTable {
    pub(super) fn open(bytes: Bytes, mapping: &Mapping, names: Vec<String>) -> Result<Self, ReadError> {
        let blocks = Blocks::of_lines(bytes, mapping.encoding)?;
        let mut tree = Branch::default();
        for (index, name) in names.iter().enumerate() {
            tree.add(name, index);
        }
        Ok(Self { blocks, asked: Arc::new(Asked { names, tree }) })
    }
}

impl Branch {
    fn add(&mut self, path: &str, index: usize) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let place = self.0.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
            self.0.push((first.into(), Leaf::default()));
            self.0.len() - 1
        });
        let leaf = &mut self.0[place].1;
        match rest {
            None => leaf.index = Some(index),
            Some(rest) => leaf.below.add(rest, index),
        }
    }
}

impl Table for JsonTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Asked(&self.asked.names)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        let Some(cut) = self.blocks.next()? else { return Ok(None) };
        Ok(Some(Box::new(JsonBlock { cut, asked: self.asked.clone() })))
    }

    fn position(&self) -> (u64, Option<u64>) {
        self.blocks.position()
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        Ok(self.blocks.finish("json_lines"))
    }
}

struct JsonBlock {
    cut: Cut,
    asked: Arc<Asked>,
}

impl Records for JsonBlock {
    fn each(self: Box<Self>, take: &mut dyn FnMut(Item<'_>)) -> Result<(), ReadError> {
        let (mut text, mut fields) = (String::new(), Vec::new());
        self.cut.each(&mut |Whole { first_line, last_line, bytes, broken, .. }| {
            let read = match broken {
                Some((problem, remedy)) => Err((problem.into(), remedy)),
                None => self.asked.record(bytes, &mut text, &mut fields),
            };
            take(match read {
                Ok(()) => Item::Record(Record { first_line, last_line, text: &text, fields: &fields }),
                Err((problem, remedy)) => Item::Broken(Broken { first_line, last_line, problem, remedy }),
            });
        });
        Ok(())
    }
}

type Refused = (String, &'static str);

impl Asked {
    fn record(&self, bytes: &[u8], text: &mut String, fields: &mut Vec<Span>) -> Result<(), Refused> {
        let json = std::str::from_utf8(bytes)
            .map_err(|_| ("is not UTF-8".to_string(), "export the file again; JSON is UTF-8"))?;
        let mut found = vec![None; self.names.len()];
        self.tree
            .read(json, &mut found)
            .map_err(|error| (format!("is no JSON object: {error}"), "write one object on each line"))?;
        text.clear();
        fields.clear();
        for (raw, name) in found.iter().zip(&self.names) {
            let start = text.len() as u32;
            let exact = match raw {
                Some(raw) => write(raw, text).ok_or_else(|| {
                    (
                        format!("`{name}` is neither text nor number"),
                        "ask for what is in it, as in `outer.inner`",
                    )
                })?,
                None => false,
            };
            fields.push(Span { start, end: text.len() as u32, exact });
        }
        Ok(())
    }
}

/// Whether it was a number; `None` if it was no single value.
fn write(raw: &str, text: &mut String) -> Option<bool> {
    match raw.as_bytes() {
        b"null" => {}
        b"true" | b"false" => text.push_str(raw),
        [b'"', ..] if !raw.contains('\\') => text.push_str(&raw[1..raw.len() - 1]),
        [b'"', ..] => text.push_str(&serde_json::from_str::<String>(raw).ok()?),
        [b'-' | b'0'..=b'9', ..] => {
            match value::without_exponent(raw) {
                Some(plain) => text.push_str(&plain),
                None => text.push_str(raw),
            }
            return Some(true);
        }
        _ => return None,
    }
    Some(false)
}

impl Branch {
    fn read<'j>(&self, json: &'j str, found: &mut [Option<&'j str>]) -> serde_json::Result<()> {
        let mut input = serde_json::Deserializer::from_str(json);
        input.deserialize_map(Object { branch: self, found })?;
        input.end()
    }

    fn place(&self, name: &str) -> Option<&Leaf> {
        self.0.iter().find(|(asked, _)| asked == name).map(|(_, leaf)| leaf)
    }
}

struct Object<'a, 'j> {
    branch: &'a Branch,
    found: &'a mut [Option<&'j str>],
}

impl<'j> Visitor<'j> for Object<'_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'j>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(leaf) = map.next_key_seed(Key(self.branch))? {
            let Some(leaf) = leaf else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw = map.next_value::<&'j RawValue>()?.get();
            if let Some(index) = leaf.index {
                if self.found[index].is_some() {
                    return Err(M::Error::custom("a key appears twice"));
                }
                self.found[index] = Some(raw);
            }
            if !leaf.below.0.is_empty() && raw.starts_with('{') {
                leaf.below.read(raw, self.found).map_err(M::Error::custom)?;
            }
        }
        Ok(())
    }
}

struct Key<'a>(&'a Branch);

impl<'j, 'a> DeserializeSeed<'j> for Key<'a> {
    type Value = Option<&'a Leaf>;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<&'a Leaf>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.place(name))
    }
}

#[cfg(test)]
mod tests;
