//! Reads arguments, and says what is wrong with those that cannot be read: which field, and what is wanted there. What stood there is not repeated: it may be
//! somebody's name, or a document of his, and the error goes to logs and to whoever looks at the job. That goes for keys too: only those that the program knows are named.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

const UNKNOWN_FIELD: &str = "unknown field";
const DUPLICATE_FIELD: &str = "duplicate field `";

/// serde says what is wrong and not with which field; whoever wrote the arguments needs both. Keeping track costs time, so it is done only once they are known to be
/// wrong.
pub fn read<T: DeserializeOwned>(args: &str) -> Result<T, String> {
    serde_json::from_str(args).map_err(|error: serde_json::Error| {
        if !error.is_data() {
            // Of text that is no JSON: the parser has words of its own, and repeats nothing. It says line and column.
            return error.to_string();
        }
        // As a value, in which a key can be changed. What is wrong with it may be something else: a field that is there twice is there once.
        let whole: Option<Value> = serde_json::from_str(args).ok();
        let found = whole.and_then(|whole| Some((problem::<T>(&whole)?, whole)));
        let Some((Problem { path, told }, mut whole)) = found else {
            return match error.to_string() {
                told if told.starts_with(DUPLICATE_FIELD) => without_place(&told).into(),
                _ => "a field is there twice".into(),
            };
        };
        match name::<T>(&path, &told, &mut whole) {
            name if name.is_empty() => told,
            name => format!("`{name}`: {told}"),
        }
    })
}

/// What is wrong, and where.
struct Problem {
    path: Path,
    told: String,
}

fn problem<T: DeserializeOwned>(whole: &Value) -> Option<Problem> {
    let text = whole.to_string();
    let error =
        serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(&text)).err()?;
    let path = error.path().clone();
    let told = told(&error.into_inner().to_string(), given(whole, &path).as_deref());
    Some(Problem { path, told })
}

/// Where it is, in the names of fields. A variant is no field, and a key of a map is none: they may be whatever somebody wrote.
fn name<T: DeserializeOwned>(path: &Path, told: &str, whole: &mut Value) -> String {
    let mut segments: Vec<&Segment> = path.iter().collect();
    // The last is the one that is not known.
    if told.starts_with(UNKNOWN_FIELD) {
        segments.pop();
    }
    let mut name = String::new();
    for (depth, segment) in segments.into_iter().enumerate() {
        match segment {
            Segment::Seq { index } => name.push_str(&format!("[{index}]")),
            Segment::Map { key } => {
                let key = if is_free::<T>(whole, path, depth, told) { "…" } else { key };
                name.push_str(if name.is_empty() { "" } else { "." });
                name.push_str(key);
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    name
}

/// Whether the key at this depth is one that whoever wrote the arguments made up. serde does not say so: but then another does as well, and the same is wrong below it.
fn is_free<T: DeserializeOwned>(whole: &mut Value, path: &Path, depth: usize, told: &str) -> bool {
    let above: Vec<&Segment> = path.iter().take(depth).collect();
    let Some(Segment::Map { key }) = path.iter().nth(depth) else { return true };
    // It sorts where the key did, so that nothing else is found before it.
    let other = format!("{key}\0");
    if !renamed(whole, &above, key, &other) {
        return true;
    }
    let found = problem::<T>(whole);
    renamed(whole, &above, &other, key);
    let at =
        |found: &Problem| matches!(found.path.iter().nth(depth), Some(Segment::Map { key }) if *key == other);
    found.is_some_and(|found| found.told == told && at(&found))
}

fn renamed(whole: &mut Value, above: &[&Segment], from: &str, to: &str) -> bool {
    let mut at = Some(whole);
    for segment in above {
        at = at.and_then(|at| match segment {
            Segment::Seq { index } => at.get_mut(index),
            Segment::Map { key } => at.get_mut(key),
            Segment::Enum { variant } => at.get_mut(variant),
            Segment::Unknown => None,
        });
    }
    let Some(at) = at.and_then(Value::as_object_mut) else { return false };
    at.remove(from).map(|value| at.insert(to.into(), value)).is_some()
}

/// The text that stands at the field.
fn given(whole: &Value, path: &Path) -> Option<String> {
    let mut at = whole;
    for segment in path.iter() {
        at = match segment {
            Segment::Seq { index } => at.get(index)?,
            Segment::Map { key } => at.get(key)?,
            Segment::Enum { variant } => at.get(variant).unwrap_or(at),
            Segment::Unknown => at,
        };
    }
    at.as_str().map(str::to_owned)
}

/// What serde says, without what was given.
fn told(problem: &str, given: Option<&str>) -> String {
    const WANTED: &str = ", expected ";
    let problem = without_place(problem);
    // Behind the last one stands what the program wants, and nothing that was given.
    let wanted = |rest: &str| rest.rsplit_once(WANTED).map(|(_, wanted)| wanted.to_owned());
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = problem.strip_prefix(kind) {
            let wanted = wanted(rest).map(|wanted| format!("{WANTED}{wanted}")).unwrap_or_default();
            return format!("{kind}{}{wanted}", sort(rest));
        }
    }
    for kind in ["unknown variant", UNKNOWN_FIELD] {
        if let Some(rest) = problem.strip_prefix(kind) {
            let has_none =
                rest.ends_with(", there are no fields") || rest.ends_with(", there are no variants");
            let wanted = wanted(rest).filter(|_| !has_none);
            return wanted.map_or(kind.into(), |wanted| format!("{kind}{WANTED}{wanted}"));
        }
    }
    // These name fields that the program knows, and no values.
    let named = ["missing field `", DUPLICATE_FIELD, "invalid length "];
    match named.iter().any(|start| problem.starts_with(start)) {
        true => problem.into(),
        false => without_quotes(problem, given),
    }
}

fn without_place(problem: &str) -> &str {
    problem.rsplit_once(" at line ").map_or(problem, |(problem, _)| problem)
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
        #[serde(default)]
        numbers: BTreeMap<u64, u8>,
        #[serde(default)]
        by_name: BTreeMap<String, Person>,
        #[serde(default)]
        people: Vec<Person>,
        #[serde(default)]
        one: One,
        #[serde(default)]
        none: Nothing,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct One {
        parts: u8,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

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
            (r#"{"ms":1,"ms":2}"#, "duplicate field `ms`"),
            (r#"{"ms":1,"mss":2}"#, "unknown field, expected one of `ms`, `parts`"),
            (r#"{"ms":1,"one":{"part":2}}"#, "`one`: unknown field, expected `parts`"),
            (r#"{"ms":1,"one":{"parts":"x"}}"#, "`one.parts`: invalid type: a string, expected u8"),
            (r#"{"ms":1,"none":{"parts":2}}"#, "`none`: unknown field"),
            (r#"{"ms":1,"people":[{"email":"x"}]}"#, "`people[0]`: missing field `age`"),
            (r#"{"ms":1,"sort":"odd"}"#, "`sort`: unknown variant, expected `plain` or `fancy`"),
            (r#"{"ms":1,"fields":{"a":7}}"#, "`fields.…`: invalid type: an integer, expected a string"),
            (
                r#"{"ms":1,"by_name":{"a":{"email":"x","age":"y"},"b":7}}"#,
                "`by_name.….age`: invalid type: a string, expected u8",
            ),
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
            format!(r#"{{"ms":1,"{SECRET}":1}}"#),
            format!(r#"{{"ms":1,"{SECRET}":tru}}"#),
            format!(r#"{{"ms":1,"one":{{"{SECRET}":1}}}}"#),
            format!(r#"{{"ms":1,"none":{{"{SECRET}":1}}}}"#),
            format!(r#"{{"ms":1,"fields":{{"{SECRET}":1}}}}"#),
            format!(r#"{{"ms":1,"fields":{{"{SECRET}":tru}}}}"#),
            format!(r#"{{"ms":1,"fields":{{"a":"b","{SECRET}":["{SECRET}"]}}}}"#),
            format!(r#"{{"ms":1,"numbers":{{"{SECRET}":1}}}}"#),
            format!(r#"{{"ms":1,"by_name":{{"{SECRET}":1}}}}"#),
            format!(r#"{{"ms":1,"by_name":{{"{SECRET}":{{"email":"{SECRET}"}}}}}}"#),
            format!(r#"{{"ms":1,"by_name":{{"{SECRET}":{{"email":"x","email":"x"}}}}}}"#),
            format!(r#"{{"ms":1,"at":"{SECRET}","at":"2026-01-01T00:00:00Z"}}"#),
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
