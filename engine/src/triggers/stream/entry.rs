//! What an entry of the stream means: its fields, each a text, as a job. Pure.

use jiff::Timestamp;
use jobkit::{NewJob, When};
use serde_json::Value;

use crate::queue::QueueError;
use crate::units::parse_duration;
use store::chain;

pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One entry as it was read; without fields when it was deleted before it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub fields: Fields,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct EntryError {
    field: String,
    problem: String,
}

const KNOWN: &str = "kind, args, key, queue, tenant, priority, max_attempts, run_at, delay, tags, metadata";

/// Reads the fields of an entry. Whether the kind is known and takes the arguments is the queue's to say.
pub fn job(fields: &Fields) -> Result<NewJob, EntryError> {
    let mut job = NewJob::new("", Value::Object(serde_json::Map::new()));
    let mut seen = Vec::new();
    for (name, value) in fields {
        let name = text(name).map_err(|problem| EntryError { field: "a field's name".into(), problem })?;
        let wrong = |problem: String| EntryError { field: name.into(), problem };
        if seen.contains(&name) {
            return Err(wrong("stands there twice; write it once".into()));
        }
        seen.push(name);
        let value = text(value).map_err(wrong)?;
        match name {
            "kind" => job.kind = value.into(),
            "args" => job.args = json(value).map_err(wrong)?.into(),
            "key" => job.unique_key = Some(value.into()),
            "queue" => job.queue = Some(value.into()),
            "tenant" => job.tenant = Some(value.into()),
            "priority" => job.priority = Some(number(value).map_err(wrong)?),
            "max_attempts" => job.max_attempts = Some(number(value).map_err(wrong)?),
            "run_at" => job.when = When::At(instant(value).map_err(wrong)?),
            "delay" => job.when = When::After(parse_duration(value).map_err(wrong)?),
            "tags" => job.tags = tags(value).map_err(wrong)?,
            "metadata" => job.metadata = Some(json(value).map_err(wrong)?),
            _ => return Err(wrong(format!("is no field of an entry; known fields: {KNOWN}"))),
        }
    }
    let missing = |field: &str, problem: &str| EntryError { field: field.into(), problem: problem.into() };
    if !seen.contains(&"kind") {
        return Err(missing("kind", "is missing; write XADD … * kind system.noop args '{}'"));
    }
    if seen.contains(&"run_at") && seen.contains(&"delay") {
        return Err(missing("delay", "stands beside run_at; write one of them"));
    }
    Ok(job)
}

/// What the queue says of a job, by the names that the fields of an entry have.
pub fn told(problem: &QueueError) -> String {
    match problem {
        QueueError::Invalid { field: "unique_key", problem } => format!("key: {problem}"),
        QueueError::Invalid { field: "when", problem } => format!("delay: {problem}"),
        other => chain(other),
    }
}

/// The message does not repeat the value: it may be anything.
fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "is no text in UTF-8".into())
}

fn json(value: &str) -> Result<Value, String> {
    serde_json::from_str(value).map_err(|problem| format!("is not JSON: {problem}"))
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, String> {
    value.parse().map_err(|_| "is no whole number that fits, such as 5".into())
}

fn instant(value: &str) -> Result<Timestamp, String> {
    value.parse().map_err(|_| "is no time with its zone, such as 2026-01-31T09:00:00Z".into())
}

fn tags(value: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(value).map_err(|_| r#"is no JSON list of texts, such as ["a", "b"]"#.into())
}

/// Names of an entry in the order of their numbers, for the marks: `1700000000000-3` and `1700000000000-12`
/// stand the wrong way round as texts.
pub fn mark(id: &str) -> String {
    let (time, number) = id.split_once('-').unwrap_or((id, "0"));
    format!("{time:0>20}-{number:0>20}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<NewJob, String> {
        let bytes = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        job(&fields.iter().map(bytes).collect()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn every_field_says_what_it_says_elsewhere() {
        let job = read(&[
            ("kind", "mail.send"),
            ("args", r#"{"to":"x"}"#),
            ("key", "invoice-7"),
            ("queue", "mail"),
            ("tenant", "acme"),
            ("priority", "2"),
            ("max_attempts", "3"),
            ("delay", "5m"),
            ("tags", r#"["a","b"]"#),
            ("metadata", r#"{"from":"erp"}"#),
        ]);

        let expected = NewJob {
            queue: Some("mail".into()),
            priority: Some(2),
            max_attempts: Some(3),
            when: When::After(Duration::from_secs(300)),
            unique_key: Some("invoice-7".into()),
            tenant: Some("acme".into()),
            tags: vec!["a".into(), "b".into()],
            metadata: Some(json!({ "from": "erp" })),
            ..NewJob::new("mail.send", json!({ "to": "x" }))
        };
        assert_eq!(job, Ok(expected));
        assert_eq!(read(&[("kind", "k")]), Ok(NewJob::new("k", json!({}))));
        let at = read(&[("kind", "k"), ("run_at", "2026-01-31T09:00:00+01:00")]).unwrap().when;
        assert_eq!(at, When::At("2026-01-31T08:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field_and_its_value_is_not_repeated() {
        for (fields, expected) in [
            (&[][..], "kind: is missing"),
            (&[("args", "{}")], "kind: is missing"),
            (&[("kind", "k"), ("kind", "l")], "kind: stands there twice"),
            (
                &[("kind", "k"), ("Queue", "secret")],
                "Queue: is no field of an entry; known fields: kind, args",
            ),
            (&[("kind", "k"), ("args", "secret")], "args: is not JSON"),
            (&[("kind", "k"), ("priority", "secret")], "priority: is no whole number"),
            (&[("kind", "k"), ("priority", "300")], "priority: is no whole number that fits"),
            (&[("kind", "k"), ("run_at", "secret")], "run_at: is no time with its zone"),
            (&[("kind", "k"), ("delay", "300")], "delay: `300` is not a duration such as"),
            (&[("kind", "k"), ("tags", "secret")], "tags: is no JSON list"),
            (
                &[("kind", "k"), ("delay", "1s"), ("run_at", "2026-01-31T09:00:00Z")],
                "delay: stands beside run_at",
            ),
        ] {
            let problem = read(fields).unwrap_err();
            assert!(problem.contains(expected) && !problem.contains("secret"), "{fields:?}: {problem}");
        }
        let bytes = vec![(b"kind".to_vec(), vec![0xff])];
        assert_eq!(job(&bytes).unwrap_err().to_string(), "kind: is no text in UTF-8");
    }

    /// Who wrote the field `key` was told of a `unique_key`.
    #[test]
    fn what_the_queue_refuses_is_told_by_the_name_of_the_entrys_field() {
        let invalid = |field| QueueError::Invalid { field, problem: "cannot be".into() };
        for (field, expected) in [("unique_key", "key"), ("when", "delay"), ("tenant", "tenant")] {
            assert_eq!(told(&invalid(field)), format!("{expected}: cannot be"));
        }
    }

    #[test]
    fn marks_stand_in_the_order_of_the_entries() {
        let ids = ["5-1", "1700000000000-3", "1700000000000-12", "1700000000001-0"];
        let marks: Vec<_> = ids.map(mark).into();
        assert!(marks.is_sorted(), "{marks:?}");
    }
}
