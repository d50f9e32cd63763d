use crate::ingest::testing::{read, rows};
use crate::ingest::{Format, Mapping};

fn mapping() -> Mapping {
    serde_json::from_str(
        r#"{"format": "json_lines", "decimal": "comma", "columns": {
            "entry": "id", "account": ["acct", "line.account"], "amount": "line.amount", "line_text": "text"}}"#,
    )
    .unwrap()
}

fn shown(lines: &str) -> Vec<Result<String, String>> {
    read(lines, &mapping(), |line| {
        format!("{} {} {} {}", line.entry, line.account, line.amount, line.line_text)
    })
}

#[test]
fn texts_numbers_and_nested_values_are_read_without_passing_through_floats() {
    let lines = r#"
{"id": 7, "line": {"account": "4711", "amount": 0.1}, "text": "a \"b\" é"}
{"id": "x", "acct": "1", "line": {"account": "2", "amount": "1,5"}, "other": [1, {"id": 3}]}
{"id": true, "line": {"amount": 123456789012345678.1234, "account": 1}, "text": null}
{"id": 1, "line": {"amount": 1.5E3, "account": 1}}
"#;

    assert_eq!(
        shown(lines),
        ["7 4711 0.10 a \"b\" é", "x 1 1.50 ", "true 1 123456789012345678.1234 ", "1 1 1500.00 ",]
            .map(|text| Ok(text.to_string()))
    );
}

#[test]
fn a_line_that_is_no_usable_object_is_rejected_alone() {
    for (line, part) in [
        ("[1]", "is no JSON object"),
        ("{\"id\": 1", "is no JSON object"),
        ("{\"id\": 1} {\"id\": 2}", "trailing characters"),
        ("{\"id\": 1, \"line\": {\"account\": 1, \"amount\": NaN}}", "is no JSON object"),
        ("{\"id\": 1, \"id\": 2}", "a key appears twice"),
        ("{\"id\": {\"a\": 1}}", "`id` is neither text nor number; ask for what is in it"),
        ("{\"id\": 1, \"line\": {\"account\": 1}}", "line.amount: is empty"),
        ("{\"id\": 1, \"line\": {\"account\": 1, \"amount\": 1e99}}", "line.amount: `1e99` cannot be read"),
    ] {
        let good = "{\"id\": 1, \"line\": {\"account\": 1, \"amount\": 2}}";
        let found = shown(&format!("{good}\n{line}\n{good}\n"));

        assert!(found[1].as_ref().is_err_and(|error| error.contains(part)), "{line}: {found:?}");
        assert_eq!((found.len(), found[0].is_ok(), found[2].is_ok()), (3, true, true), "{line}");
    }
}

#[test]
fn the_format_is_seen_from_the_first_character() {
    let mapping = Mapping { format: None, ..mapping() };

    let origin = rows(b"\xef\xbb\xbf{\"id\": 1}\n", &mapping, &mut |_| ()).unwrap();

    assert_eq!(origin.format, "json_lines");
    assert_eq!(serde_json::to_value(Format::JsonLines).unwrap(), "json_lines");
}
