use proptest::prelude::*;

use super::*;

fn line(entry: &Entry) -> String {
    let mut out = Vec::new();
    entry.write_line(&mut out);
    String::from_utf8(out).unwrap()
}

fn entry() -> Entry {
    Entry {
        place: None,
        seq: 7,
        at: "2026-11-28T03:46:48.000001Z".parse().unwrap(),
        actor: "user:ada".into(),
        action: "queue.pause".into(),
        object: "default".into(),
        outcome: "ok".into(),
        tenant: None,
        request: None,
        source: None,
        jobs: None,
        details: None,
    }
}

#[test]
fn a_line_says_what_is_there_in_one_order() {
    let full = Entry {
        place: Some((1, 730)),
        tenant: Some("acme".into()),
        request: Some("r-1".into()),
        source: Some("c:0a".into()),
        jobs: Some(vec![Uuid::from_u128(1), Uuid::from_u128(0xfe)]),
        details: Some(r#"{"b": 1, "a":"é"}"#.into()),
        ..entry()
    };
    assert_eq!(
        line(&entry()),
        r#"{"v":1,"seq":7,"at":"2026-11-28T03:46:48.000001Z","actor":"user:ada","action":"queue.pause","object":"default","outcome":"ok"}"#
    );
    assert_eq!(
        line(&full),
        concat!(
            r#"{"v":1,"era":1,"tx":730,"seq":7,"at":"2026-11-28T03:46:48.000001Z","actor":"user:ada","#,
            r#""action":"queue.pause","object":"default","outcome":"ok","tenant":"acme","request":"r-1","#,
            r#""source":"c:0a","jobs":["00000000-0000-0000-0000-000000000001","#,
            r#""00000000-0000-0000-0000-0000000000fe"],"details":{"b": 1, "a":"é"}}"#
        )
    );
}

#[test]
fn details_that_are_no_line_of_json_are_kept_as_text() {
    for details in ["{\n}", "{\"a\":1}\r", " {}", "{} ", "", "}", "nul", "{\"a\":1}, \"x\":2"] {
        let entry = Entry { details: Some(details.into()), ..entry() };
        let line = line(&entry);
        assert!(line.contains("details_text") && !line.contains('\n'), "{line}");
        assert_eq!(Entry::parse(line.as_bytes()).unwrap(), entry);
    }
}

#[test]
fn a_line_that_is_not_ours_is_refused_with_the_reason() {
    let good = line(&entry());
    for (bad, why) in [
        (good.replace("\"seq\":7,", ""), EntryError::Field("seq")),
        (good.replace("\"seq\":7", "\"seq\":\"7\""), EntryError::Field("seq")),
        (good.replace("2026-11-28T", "28/11"), EntryError::Field("at")),
        (good.replace(".000001Z", ".000001000Z"), EntryError::NotCanonical),
        (good.replace("\"v\":1,", "\"v\":2,"), EntryError::NotCanonical),
        (good.replace("\"v\":1,", ""), EntryError::NotCanonical),
        (good.replace("}", ",\"more\":1}"), EntryError::NotCanonical),
        (good.replace(",\"seq\"", ", \"seq\""), EntryError::NotCanonical),
        (good.replace("\"seq\":7", "\"era\":1,\"seq\":7"), EntryError::Field("tx")),
    ] {
        assert_eq!(Entry::parse(bad.as_bytes()).unwrap_err(), why, "{bad}");
    }
    assert!(matches!(Entry::parse(b"[]").unwrap_err(), EntryError::NoObject(_)));
    assert!(matches!(Entry::parse(b"\xff").unwrap_err(), EntryError::NoObject(_)));
}

fn entries() -> impl Strategy<Value = Entry> {
    let text = || proptest::option::of("\\PC{0,12}");
    let details = prop_oneof![
        Just(None),
        "\\PC{0,20}".prop_map(Some),
        "[a-z\"\\\\\\n]{0,9}".prop_map(|text| Some(serde_json::json!({ "a": text }).to_string())),
    ];
    let place = proptest::option::of((any::<u32>(), any::<u64>()));
    let jobs = proptest::option::of(proptest::collection::vec(any::<u128>().prop_map(Uuid::from_u128), 0..4));
    let at = (-62_135_596_800_000_000_i64..253_402_207_200_000_000)
        .prop_map(|us| Timestamp::from_microsecond(us).unwrap());
    let four = ("\\PC{0,12}", "\\PC{0,12}", "\\PC{0,12}", "\\PC{0,12}");
    let parts = (place, any::<i64>(), at, four, (text(), text(), text()), jobs, details);
    parts.prop_map(
        |(place, seq, at, (actor, action, object, outcome), (tenant, request, source), jobs, details)| {
            Entry { place, seq, at, actor, action, object, outcome, tenant, request, source, jobs, details }
        },
    )
}

proptest! {
    #[test]
    fn what_is_read_back_is_what_was_written(entry in entries()) {
        let line = line(&entry);
        prop_assert!(!line.contains('\n') && !line.contains('\r'));
        prop_assert_eq!(Entry::parse(line.as_bytes()).unwrap(), entry);
    }
}
