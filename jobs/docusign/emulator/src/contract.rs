//! The contract's words: does a body have fields that no definition knows, or scalars that are no strings? Pure.
//!
//! The classic is `requiresAcknowledgement` of an account's configuration, written where an envelope's
//! `requireAcknowledgment` belongs: the real service passes over it, and never retries.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Text,
    Truth,
    Scalars,
    One(&'static str),
    Many(&'static str),
}

type Definition = HashMap<&'static str, Form>;

static CONTRACT: LazyLock<HashMap<&'static str, Definition>> = LazyLock::new(|| {
    let lines = include_str!("contract.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, fields)| (name, fields.split(' ').map(field).collect()))
        .collect()
});

fn field(text: &'static str) -> (&'static str, Form) {
    let Some((name, form)) = text.split_once('=') else { return (text, Form::Text) };
    let inner = form.strip_prefix('[').and_then(|form| form.strip_suffix(']'));
    let form = match inner {
        Some("") => Form::Scalars,
        Some(of) => Form::Many(of),
        None if form == "?" => Form::Truth,
        None => Form::One(form),
    };
    (name, form)
}

/// What the contract leaves out of the trimmed file, and the SDKs send: the other kinds of recipients and tabs.
const OPEN: &[(&str, &str)] = &[("recipients", "s"), ("tabs", "Tabs")];

/// Refuses what the definition does not know, and says where it stands.
pub fn check(definition: &str, said: &Map<String, Value>) -> Result<(), String> {
    object(definition, said, "")
}

fn object(definition: &str, said: &Map<String, Value>, place: &str) -> Result<(), String> {
    let Some(known) = CONTRACT.get(definition) else { return Ok(()) };
    for (name, value) in said {
        let here = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let open = OPEN.iter().any(|(of, end)| *of == definition && name.ends_with(end));
        match known.get(name.as_str()) {
            Some(form) => fits(form, value, &here)?,
            None if open => {}
            None => {
                return Err(format!("The field '{here}' is not known: {definition} has none of that name."));
            }
        }
    }
    Ok(())
}

fn fits(form: &Form, value: &Value, place: &str) -> Result<(), String> {
    match (form, value) {
        (_, Value::Null) | (Form::Text, Value::String(_)) | (Form::Truth, Value::Bool(_)) => Ok(()),
        (Form::One(definition), Value::Object(inner)) => object(definition, inner, place),
        (Form::Scalars, Value::Array(list)) => list
            .iter()
            .enumerate()
            .try_for_each(|(at, one)| fits(&Form::Text, one, &format!("{place}[{at}]"))),
        (Form::Many(definition), Value::Array(list)) => list
            .iter()
            .enumerate()
            .try_for_each(|(at, one)| fits(&Form::One(definition), one, &format!("{place}[{at}]"))),
        (Form::Text, _) => Err(format!("The field '{place}' must be a string; all scalars are.")),
        _ => Err(format!("The field '{place}' has the wrong form.")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_contract_does_not_know_is_named_with_its_place() {
        let definition = |body: Value| check("envelopeDefinition", body.as_object().unwrap());
        assert_eq!(
            definition(json!({
                "status": "sent", "documents": [{"documentId": "1", "authoritativeCopy": true}],
                "recipients": {"signers": [{"recipientId": "1", "customFields": ["a"]}], "agents": [{}]},
                "eventNotification": {"requireAcknowledgment": "true"},
            })),
            Ok(())
        );
        for (body, named) in [
            (
                json!({"eventNotification": {"requiresAcknowledgement": "true"}}),
                "eventNotification.requiresAck",
            ),
            (json!({"emailSubjekt": "x"}), "'emailSubjekt'"),
            (
                json!({"recipients": {"signers": [{"recipientId": 1}]}}),
                "recipients.signers[0].recipientId' must",
            ),
            (json!({"documents": {"documentId": "1"}}), "'documents' has the wrong form"),
        ] {
            let refused = definition(body).unwrap_err();
            assert!(refused.contains(named), "{refused}");
        }
    }
}
