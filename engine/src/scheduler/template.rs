//! Arguments with places for the fire time: `{{fire_time}}` and `{{previous_fire_time}}`, alone as an instant
//! in UTC, or with a format after a colon, in the schedule's zone. Pure.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// What the places are filled with.
#[derive(Debug, Clone)]
pub struct Times {
    pub fire_time: Timestamp,
    pub previous_fire_time: Timestamp,
    pub zone: TimeZone,
}

/// Fills the places in all strings of the arguments, however deep. The error names the place and the remedy.
pub fn fill(args: &Value, times: &Times) -> Result<Value, String> {
    Ok(match args {
        Value::String(text) => Value::String(fill_text(text, times)?),
        Value::Array(values) => {
            Value::Array(values.iter().map(|value| fill(value, times)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let filled = fields.iter().map(|(key, value)| Ok((key.clone(), fill(value, times)?)));
            Value::Object(filled.collect::<Result<_, String>>()?)
        }
        plain => plain.clone(),
    })
}

fn fill_text(text: &str, times: &Times) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (place, after) = after
            .split_once("}}")
            .ok_or_else(|| format!("`{text}` opens a place with {{{{ and does not close it; write }}}}"))?;
        filled.push_str(before);
        filled.push_str(&place_text(place, times)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn place_text(place: &str, times: &Times) -> Result<String, String> {
    let (name, format) = match place.split_once(':') {
        Some((name, format)) => (name.trim(), Some(format.trim())),
        None => (place.trim(), None),
    };
    let at = match name {
        "fire_time" => times.fire_time,
        "previous_fire_time" => times.previous_fire_time,
        _ => {
            return Err(format!(
                "`{{{{{place}}}}}` is not known; write {{{{fire_time}}}} or {{{{previous_fire_time}}}}, with a \
                 format if you like: {{{{fire_time:date}}}}, {{{{fire_time:%Y-%m}}}}"
            ));
        }
    };
    let local = at.to_zoned(times.zone.clone());
    match format {
        None => Ok(at.to_string()),
        Some("date") => Ok(local.date().to_string()),
        Some(format) if format.contains('%') => strtime::format(format, &local)
            .map_err(|problem| format!("`{{{{{place}}}}}` has a format that cannot be used: {problem}")),
        Some(_) => Err(format!(
            "`{{{{{place}}}}}` has an unknown format; write `date`, or letters after % as in %Y-%m-%d"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn times() -> Times {
        Times {
            // Already the first of April in Berlin.
            fire_time: "2026-03-31T22:30:00Z".parse().unwrap(),
            previous_fire_time: "2026-03-30T22:30:00Z".parse().unwrap(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        }
    }

    #[test]
    fn places_are_filled_wherever_they_stand() {
        for (args, filled) in [
            (json!("{{fire_time}}"), json!("2026-03-31T22:30:00Z")),
            (json!("{{ fire_time:date }}"), json!("2026-04-01")),
            (json!("{{previous_fire_time:date}}"), json!("2026-03-31")),
            (json!("ledger-{{fire_time:%Y-%m}}.csv"), json!("ledger-2026-04.csv")),
            (
                json!({ "from": "{{previous_fire_time}}", "n": 1, "deep": [{ "to": "{{fire_time}}" }] }),
                json!({ "from": "2026-03-30T22:30:00Z", "n": 1, "deep": [{ "to": "2026-03-31T22:30:00Z" }] }),
            ),
            (json!("no place"), json!("no place")),
            (json!(null), json!(null)),
        ] {
            assert_eq!(fill(&args, &times()), Ok(filled));
        }
    }

    #[test]
    fn a_place_that_cannot_be_filled_says_what_to_write() {
        for (text, says) in [
            ("{{fire_tme}}", "`{{fire_tme}}` is not known; write {{fire_time}}"),
            ("{{fire_time", "does not close it"),
            ("{{fire_time:day}}", "write `date`"),
            ("{{fire_time:%!}}", "cannot be used"),
        ] {
            let problem = fill(&json!({ "at": text }), &times()).unwrap_err();
            assert!(problem.contains(says), "{problem}");
        }
    }
}
