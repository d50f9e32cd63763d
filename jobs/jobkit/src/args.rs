//! Reads arguments, and says what is wrong with those that cannot be read: which field, and what is wanted there. What stood there is not repeated: it may be
//! somebody's name, or a document of his, and the error goes to logs and to whoever looks at the job.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// serde says what is wrong and not with which field; whoever wrote the arguments needs both. Keeping track costs time, so it is done only once they are known to be
/// wrong.
pub fn read<T: DeserializeOwned>(args: &str) -> Result<T, String> {
    serde_json::from_str(args).map_err(|error: serde_json::Error| {
        let again = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(args));
        let path = again.err().map(|error| error.path().clone());
        let problem = match error.is_data() {
            true => told(&error.to_string(), path.as_ref().and_then(|path| given(args, path)).as_deref()),
            // Of text that is no JSON: the parser has words of its own, and repeats nothing.
            false => error.to_string(),
        };
        match path.map(|path| name(&path)).filter(|name| !name.is_empty()) {
            Some(name) => format!("`{name}`: {problem}"),
            None => problem,
        }
    })
}

/// Where it is, in the names of fields. A variant is no field: it may be whatever somebody wrote.
fn name(path: &Path) -> String {
    path.iter().fold(String::new(), |name, segment| match segment {
        Segment::Seq { index } => format!("{name}[{index}]"),
        Segment::Map { key } if name.is_empty() => key.clone(),
        Segment::Map { key } => format!("{name}.{key}"),
        Segment::Enum { .. } | Segment::Unknown => name,
    })
}

/// The text that stands at the field.
fn given(args: &str, path: &Path) -> Option<String> {
    let whole: Value = serde_json::from_str(args).ok()?;
    let mut at = &whole;
    for segment in path.iter() {
        at = match segment {
            Segment::Seq { index } => at.get(index)?,
            Segment::Map { key } => at.get(key)?,
            Segment::Enum { .. } | Segment::Unknown => at,
        };
    }
    at.as_str().map(str::to_owned)
}

/// What serde says, without what was given.
fn told(problem: &str, given: Option<&str>) -> String {
    const WANTED: &str = ", expected ";
    let problem = problem.rsplit_once(" at line ").map_or(problem, |(problem, _)| problem);
    // Behind the last one stands what the program wants, and nothing that was given.
    let wanted = |rest: &str| rest.rsplit_once(WANTED).map(|(_, wanted)| wanted.to_owned());
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = problem.strip_prefix(kind) {
            let wanted = wanted(rest).map(|wanted| format!("{WANTED}{wanted}")).unwrap_or_default();
            return format!("{kind}{}{wanted}", sort(rest));
        }
    }
    if let Some(rest) = problem.strip_prefix("unknown variant ") {
        return wanted(rest)
            .map_or("unknown variant".into(), |wanted| format!("unknown variant{WANTED}{wanted}"));
    }
    // These name fields, and no values.
    let named = ["unknown field `", "missing field `", "duplicate field `", "invalid length "];
    match named.iter().any(|start| problem.starts_with(start)) {
        true => problem.into(),
        false => without_quotes(problem, given),
    }
}

fn sort(given: &str) -> &'static str {
    const SORTS: [(&str, &str); 7] = [
        ("string", "a string"),
        ("integer", "an integer"),
        ("floating point", "a number with a fraction"),
        ("boolean", "a boolean"),
        ("null", "null"),
        ("sequence", "a list"),
        ("map", "an object"),
    ];
    SORTS.iter().find(|(start, _)| given.starts_with(start)).map_or("something else", |(_, sort)| sort)
}

/// Types with words of their own quote what they do not like.
fn without_quotes(problem: &str, given: Option<&str>) -> String {
    let mut problem = problem.to_owned();
    for quote in ['`', '"', '\''] {
        if let (Some(first), Some(last)) = (problem.find(quote), problem.rfind(quote))
            && first < last
        {
            problem.replace_range(first + 1..last, "…");
        }
    }
    match given.is_some_and(|given| !given.is_empty() && problem.contains(given)) {
        true => "it is not what is wanted there".into(),
        false => problem,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde::Deserialize;

    use super::*;
    use crate::Personal;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Args {
        ms: u64,
        #[serde(default)]
        parts: Vec<u8>,
        #[serde(default)]
        person: Option<Personal<Person>>,
        #[serde(default)]
        at: Option<Timestamp>,
        #[serde(default)]
        sort: Sort,
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }

    #[derive(Debug, Clone, Deserialize)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Person {
        email: String,
        age: u8,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Sort {
        #[default]
        Plain,
        Fancy,
    }

    #[test]
    fn what_is_wrong_with_arguments_names_the_field() {
        for (args, expected) in [
            (r#"{"ms":"x"}"#, "`ms`: invalid type: a string, expected u64"),
            (r#"{"ms":1,"parts":[1,300]}"#, "`parts[1]`: invalid value: an integer, expected u8"),
            ("{}", "missing field `ms`"),
            (r#"{"ms":1,"mss":2}"#, "`mss`: unknown field `mss`, expected one of `ms`, `parts`"),
            (r#"{"ms":1,"sort":"odd"}"#, "`sort`: unknown variant, expected `plain` or `fancy`"),
            (r#"{"ms":1,"fields":{"a":7}}"#, "`fields.a`: invalid type: an integer, expected a string"),
            ("[1", "EOF"),
            (r#"{"ms":1} 2"#, "trailing characters"),
        ] {
            let problem = read::<Args>(args).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn what_stood_there_is_never_repeated() {
        const SECRET: &str = "ada, expected of `old` \\\"Rome\\\"";
        for args in [
            format!(r#""{SECRET}""#),
            format!(r#"["{SECRET}"]"#),
            format!(r#"{{"ms":"{SECRET}"}}"#),
            format!(r#"{{"ms":1,"parts":["{SECRET}"]}}"#),
            format!(r#"{{"ms":1,"parts":"{SECRET}"}}"#),
            format!(r#"{{"ms":1,"person":"{SECRET}"}}"#),
            format!(r#"{{"ms":1,"person":{{"email":"x","age":"{SECRET}"}}}}"#),
            format!(r#"{{"ms":1,"person":{{"email":["{SECRET}"],"age":1}}}}"#),
            format!(r#"{{"ms":1,"at":"{SECRET}"}}"#),
            format!(r#"{{"ms":1,"sort":"{SECRET}"}}"#),
            format!(r#"{{"ms":1,"sort":{{"{SECRET}":1}}}}"#),
        ] {
            let problem = read::<Args>(&args).unwrap_err();
            for word in ["ada", "old", "Rome"] {
                assert!(!problem.contains(word), "{args}: {problem}");
            }
        }
        let aged = read::<Args>(r#"{"ms":1,"person":{"email":"x","age":1815}}"#).unwrap_err();
        assert!(aged.starts_with("`person.age`: ") && !aged.contains("1815"), "{aged}");
    }

    #[test]
    fn words_of_a_type_of_its_own_stay_without_what_they_quote() {
        for (problem, given, expected) in [
            ("`a`b` is no amount at line 1 column 2", Some("a`b"), "`…` is no amount"),
            ("3 letters are wanted", Some("EURO"), "3 letters are wanted"),
            ("EURO has no 3 letters", Some("EURO"), "it is not what is wanted there"),
            (
                "data did not match any variant of untagged enum Rate",
                None,
                "data did not match any variant of untagged enum Rate",
            ),
        ] {
            assert_eq!(told(problem, given), expected);
        }
    }
}
