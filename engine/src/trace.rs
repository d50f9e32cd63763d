//! W3C trace context: from the request that made a job to the lines that are written while it runs. Pure.
//!
//! It is kept in the job's metadata, under the names of the headers, where the job and whoever looks at it find it.

use serde_json::{Map, Value};

pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";

/// A context that is not valid is left out, as the standard asks: the request is served all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    parent: String,
    state: Option<String>,
}

impl Context {
    pub fn read(parent: Option<&str>, state: Option<&str>) -> Option<Self> {
        let parent = parent.filter(|parent| id_of(parent).is_some())?;
        // The standard lets a longer one be dropped.
        let state = state.filter(|state| !state.is_empty() && state.len() <= 512);
        Some(Self { parent: parent.to_owned(), state: state.map(str::to_owned) })
    }

    /// What the caller wrote itself goes before what its tracer did, and where both do not fit into so many bytes, the
    /// trace is left out, its state first: it is not what the caller asked for.
    pub fn put(&self, metadata: &mut Option<Value>, most_bytes: usize) {
        let own = metadata.get_or_insert_with(|| Value::Object(Map::new()));
        let used = own.to_string().len();
        let Value::Object(fields) = own else { return };
        if fields.contains_key(TRACEPARENT) {
            return;
        }
        let mut room = most_bytes.saturating_sub(used);
        let given = [(TRACEPARENT, Some(&self.parent)), (TRACESTATE, self.state.as_ref())];
        for (name, value) in given {
            let Some(value) = value else { continue };
            let value = Value::from(value.as_str());
            // Two quotes, a colon and a comma.
            let bytes = name.len() + value.to_string().len() + 4;
            if bytes > room {
                return;
            }
            room -= bytes;
            fields.insert(name.into(), value);
        }
    }
}

/// The trace that a job belongs to.
pub fn of_metadata(metadata: Option<&Value>) -> Option<&str> {
    id_of(metadata?.get(TRACEPARENT)?.as_str()?)
}

/// `00-` trace id `-` parent id `-` flags, in small hexadecimal digits; a later version may append more.
pub fn id_of(parent: &str) -> Option<&str> {
    let mut parts = parent.split('-');
    let mut part = |digits: usize| {
        let part = parts.next()?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (part.len() == digits && part.bytes().all(hex)).then_some(part)
    };
    let (version, trace, span, _) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let more = parts.next().is_some();
    let good = version != "ff" && !zero(trace) && !zero(span) && (version != "00" || !more);
    good.then_some(trace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_as_the_standard_says() {
        for (parent, found) in [
            (PARENT, Some(TRACE)),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", Some(TRACE)),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", None),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736", None),
            ("", None),
        ] {
            assert_eq!(id_of(parent), found, "{parent}");
        }
    }

    #[test]
    fn a_context_is_kept_beside_the_callers_metadata_and_never_instead_of_it() {
        let context = Context::read(Some(PARENT), Some("a=1")).unwrap();
        for (metadata, kept) in [
            (None, json!({ "traceparent": PARENT, "tracestate": "a=1" })),
            (Some(json!({ "a": 1 })), json!({ "a": 1, "traceparent": PARENT, "tracestate": "a=1" })),
            (Some(json!({ "traceparent": "mine" })), json!({ "traceparent": "mine" })),
            (Some(json!([1])), json!([1])),
        ] {
            let mut metadata = metadata;
            context.put(&mut metadata, 1_000);
            assert_eq!(metadata, Some(kept));
        }
        // `{}` and a name, two quotes, the value with its own, a colon and a comma.
        let whole = 2 + TRACEPARENT.len() + PARENT.len() + 6 + TRACESTATE.len() + 3 + 6;
        for (most, kept) in [
            (whole, json!({ "traceparent": PARENT, "tracestate": "a=1" })),
            (whole - 1, json!({ "traceparent": PARENT })),
            (70, json!({})),
        ] {
            let mut metadata = None;
            context.put(&mut metadata, most);
            assert!(metadata.as_ref().is_some_and(|kept| kept.to_string().len() <= most));
            assert_eq!(metadata, Some(kept), "{most}");
        }
        assert_eq!(of_metadata(Some(&json!({ "traceparent": PARENT }))), Some(TRACE));
        assert_eq!(of_metadata(Some(&json!({ "traceparent": 7 }))), None);
        assert_eq!(Context::read(Some("nonsense"), None), None);
    }
}
