use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn entry() -> Entry {
    Entry {
        place: None,
        seq: 42,
        at: "2026-11-28T04:01:59Z".parse().unwrap(),
        actor: "ada".into(),
        action: "job.retry".into(),
        object: "job".into(),
        outcome: "ok".into(),
        tenant: None,
        request: None,
        source: None,
        jobs: None,
        details: None,
    }
}

fn full() -> Entry {
    Entry {
        place: Some((1, 7_301)),
        tenant: Some("acme".into()),
        request: Some("r-1".into()),
        source: Some("192.0.2.7".into()),
        jobs: Some(vec![Uuid::nil(), Uuid::max()]),
        details: Some(r#"{"a": 1.0, "a":2}"#.into()),
        ..entry()
    }
}

fn line(entry: &Entry) -> String {
    let mut out = Vec::new();
    entry.write_line(&mut out);
    String::from_utf8(out).unwrap()
}

const SHORT: &str = r#"{"v":1,"seq":42,"at":"2026-11-28T04:01:59.000000Z","actor":"ada","action":"job.retry","object":"job","outcome":"ok"}"#;

#[test]
fn the_form_is_what_it_was() {
    assert_eq!(line(&entry()), SHORT);
    assert_eq!(
        line(&full()),
        r#"{"v":1,"era":1,"tx":7301,"seq":42,"at":"2026-11-28T04:01:59.000000Z","actor":"ada","action":"job.retry","object":"job","outcome":"ok","tenant":"acme","request":"r-1","source":"192.0.2.7","jobs":["00000000-0000-0000-0000-000000000000","ffffffff-ffff-ffff-ffff-ffffffffffff"],"details":{"a": 1.0, "a":2}}"#
    );
    let appended = [b"x".to_vec(), line(&entry()).into_bytes()].concat();
    let mut out = b"x".to_vec();
    entry().write_line(&mut out);
    assert_eq!(out, appended);
}

#[test]
fn strings_are_escaped_as_little_as_can_be() {
    let actor = "\"\\/\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}é\u{2028}😀";
    let text = line(&Entry { actor: actor.into(), ..entry() });
    let escaped = "\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}é\u{2028}😀";
    assert!(text.contains(&format!(r#""actor":"{escaped}""#)), "{text}");
    assert_eq!(serde_json::to_string(actor).unwrap(), format!("\"{escaped}\""));
}

#[test]
fn details_that_would_break_the_line_are_a_string() {
    for (details, end) in [
        ("1", r#","details":1}"#),
        (" [ ] ", r#","details": [ ] }"#),
        ("\t{}", ",\"details\":\t{}}"),
        (r#"{"a":"}"}"#, r#","details":{"a":"}"}}"#),
        ("1e999999", r#","details":1e999999}"#),
        ("{}\n", r#","details_text":"{}\n"}"#),
        ("\r{}", r#","details_text":"\r{}"}"#),
        ("", r#","details_text":""}"#),
        (" ", r#","details_text":" "}"#),
        ("{", r#","details_text":"{"}"#),
        ("{} {}", r#","details_text":"{} {}"}"#),
        (r#"1,"x":2"#, r#","details_text":"1,\"x\":2"}"#),
        ("NaN", r#","details_text":"NaN"}"#),
        ("{\"a\":\"\u{1}\"}", r#","details_text":"{\"a\":\"\u0001\"}"}"#),
    ] {
        let entry = Entry { details: Some(details.into()), ..entry() };
        let text = line(&entry);
        assert!(text.ends_with(end), "{text}");
        assert_eq!(Entry::parse(text.as_bytes()), Ok(entry), "{text}");
        serde_json::from_str::<&serde_json::value::RawValue>(&text).unwrap();
    }
}

#[test]
fn nesting_of_any_depth_is_kept() {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let entry = Entry { details: Some(deep), ..entry() };
    assert_eq!(Entry::parse(line(&entry).as_bytes()), Ok(entry));
}

#[test]
fn whatever_is_not_the_line_of_its_entry_is_refused() {
    let change = |from: &str, to: &str| {
        assert!(SHORT.contains(from), "{from}");
        SHORT.replace(from, to)
    };
    for (line, why) in [
        (String::new(), EntryError::Version),
        ("{}".into(), EntryError::Version),
        (change(r#""v":1"#, r#""v":2"#), EntryError::Version),
        (change(r#""v":1"#, r#""v":12"#), EntryError::Version),
        (change(r#""v":1,"#, ""), EntryError::Version),
        (r#"{"v":1}"#.into(), EntryError::Missing("seq")),
        (change(r#","seq":42"#, ""), EntryError::Missing("seq")),
        (change(r#""seq""#, r#""era":1,"seq""#), EntryError::Missing("tx")),
        (change(r#""seq""#, r#""era":-1,"seq""#), EntryError::Value("era")),
        (change(r#""seq":42"#, r#""seq":"42""#), EntryError::Value("seq")),
        (change(r#""seq":42"#, r#""seq":042"#), EntryError::Form(13)),
        (change(r#""seq":42"#, r#""seq":9223372036854775808"#), EntryError::Value("seq")),
        (change(r#""seq":42"#, r#""seq": 42"#), EntryError::Value("seq")),
        (change(".000000Z", "Z"), EntryError::Form(41)),
        (change(".000000Z", ".000000+00:00"), EntryError::Form(48)),
        (change("2026-11", "2026-13"), EntryError::Value("at")),
        (change(r#""ada""#, "1"), EntryError::Value("actor")),
        (change("ada", "\\u0061da"), EntryError::Form(60)),
        (change("ada", "a\tda"), EntryError::Value("actor")),
        (change("ada", "\\ud800"), EntryError::Value("actor")),
        (change(r#","actor":"ada""#, ""), EntryError::Missing("actor")),
        (
            change(r#","actor":"ada","action":"job.retry""#, r#","action":"job.retry","actor":"ada""#),
            EntryError::Missing("actor"),
        ),
        (change(r#""ok"}"#, r#""ok"#), EntryError::Value("outcome")),
        (change(r#""ok"}"#, r#""ok\"#), EntryError::Value("outcome")),
        (change(r#""ok"}"#, r#""ok""#), EntryError::Trailing(SHORT.len() - 1)),
        (change(r#""ok"}"#, r#""ok"} "#), EntryError::Trailing(SHORT.len() - 1)),
        (change(r#""ok"}"#, "\"ok\"}\n"), EntryError::Trailing(SHORT.len() - 1)),
        (change(r#""ok"}"#, r#""ok","x":1}"#), EntryError::Trailing(SHORT.len() - 1)),
        (change(r#""ok"}"#, r#""ok","source":"s","tenant":"t"}"#), EntryError::Trailing(SHORT.len() + 12)),
        (change(r#""ok"}"#, r#""ok","tenant":null}"#), EntryError::Value("tenant")),
        (change(r#""ok"}"#, r#""ok","jobs":null}"#), EntryError::Value("jobs")),
        (change(r#""ok"}"#, r#""ok","jobs":1]}"#), EntryError::Value("jobs")),
        (change(r#""ok"}"#, r#""ok","jobs":["x"]}"#), EntryError::Value("jobs")),
        (
            change(r#""ok"}"#, r#""ok","jobs":["00000000-0000-0000-0000-00000000000A"]}"#),
            EntryError::Form(160),
        ),
        (
            change(r#""ok"}"#, r#""ok","jobs":["00000000-0000-0000-0000-000000000000",]}"#),
            EntryError::Value("jobs"),
        ),
        (change(r#""ok"}"#, r#""ok","details":1"#), EntryError::Value("details")),
        (change(r#""ok"}"#, r#""ok","details":}"#), EntryError::Value("details")),
        (change(r#""ok"}"#, r#""ok","details":{},"jobs":[]}"#), EntryError::Value("details")),
        (change(r#""ok"}"#, "\"ok\",\"details\":{\n}}"), EntryError::Value("details")),
        (change(r#""ok"}"#, r#""ok","details_text":"{}"}"#), EntryError::Form(124)),
        (change(r#""ok"}"#, r#""ok","details_text":1}"#), EntryError::Value("details_text")),
    ] {
        assert_eq!(Entry::parse(line.as_bytes()), Err(why), "{line}");
    }
    assert_eq!(Entry::parse(b"{\"v\":1,\"seq\":\xff"), Err(EntryError::NotText));
}

#[test]
fn errors_say_nothing_of_what_the_line_says() {
    let told =
        Entry::parse(SHORT.replace("\"ok\"}", "\"ok\",\"mail\":\"a@b.example\"}").as_bytes()).unwrap_err();
    assert!(!told.to_string().contains("example"), "{told}");
}

fn entries() -> impl Strategy<Value = Entry> {
    let text = || prop_oneof![any::<String>(), "[\"\\\\\u{0}-\u{20},:}\\]]{0,9}"].prop_map(String::from);
    let json = prop_oneof![
        any::<Vec<i64>>().prop_map(|numbers| json!(numbers)),
        any::<String>().prop_map(Value::from),
        (any::<String>(), any::<f64>()).prop_map(|(key, number)| json!({ key: number })),
    ];
    let details = prop_oneof![json.prop_map(|json| json.to_string()), text()];
    let at = (-62_135_596_800_000_000_i64..253_402_207_200_000_000)
        .prop_map(|at| Timestamp::from_microsecond(at).unwrap());
    let jobs = prop::collection::vec(any::<u128>().prop_map(Uuid::from_u128), 0..4);
    (
        (any::<Option<(u32, u64)>>(), any::<i64>(), at),
        (text(), text(), text(), text()),
        (prop::option::of(text()), prop::option::of(text()), prop::option::of(text())),
        (prop::option::of(jobs), prop::option::of(details)),
    )
        .prop_map(
            |(
                (place, seq, at),
                (actor, action, object, outcome),
                (tenant, request, source),
                (jobs, details),
            )| {
                Entry {
                    place,
                    seq,
                    at,
                    actor,
                    action,
                    object,
                    outcome,
                    tenant,
                    request,
                    source,
                    jobs,
                    details,
                }
            },
        )
}

proptest! {
    #[test]
    fn an_entry_reads_back_from_one_line_of_valid_json(entry in entries()) {
        let text = line(&entry);
        prop_assert!(!text.contains(['\n', '\r']));
        let json: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&json["actor"], &entry.actor);
        prop_assert_eq!(Entry::parse(text.as_bytes()), Ok(entry));
    }

    #[test]
    fn a_line_that_is_taken_is_the_line_of_its_entry(entry in entries(), at: prop::sample::Index, byte in 0_u8..128) {
        let mut text = line(&entry).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(other) = Entry::parse(&text) {
            prop_assert_eq!(line(&other).into_bytes(), text);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Entry::parse(&[&br#"{"v":1,"seq":1,"at":"#[..], &bytes].concat());
    }
}
