//! Small questions to JSON that others wrote: DocuSign says that all scalars are strings, and takes others.

use serde_json::{Map, Value};

/// A field as a string, whatever scalar it is; nothing if it is missing, null or empty.
pub fn text(of: &Map<String, Value>, name: &str) -> Option<String> {
    match of.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

pub fn number(of: &Map<String, Value>, name: &str) -> Option<u32> {
    text(of, name)?.trim().parse().ok()
}

pub fn truth(of: &Map<String, Value>, name: &str) -> bool {
    text(of, name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// The objects of a list.
pub fn objects<'a>(of: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    of.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

pub fn object<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    of.get(name)?.as_object()
}

/// Writes the fields that are there.
pub fn put(into: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        into.insert(name.to_owned(), value.into());
    }
}
