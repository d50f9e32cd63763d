use serde_json::{Value, json};

use super::*;

fn whole_args() -> Value {
    json!({
        "key": "report-2026-7",
        "subject": "Report of the audit 2026",
        "documents": [{ "name": "report.pdf", "artifact": "file:report" }],
        "signers": [{ "name": "Ada Lovelace", "email": "ada@example.org", "tabs": [{ "anchor": "/sign/" }] }],
        "copies": [{ "name": "Grace Hopper", "email": "grace@example.org" }],
        "reminders": { "after_days": 2, "every_days": 3 },
        "expires": { "after_days": 30, "warn_days": 5 },
        "custom_fields": { "engagement": "4711" },
    })
}

/// With one place changed, written as a JSON pointer.
fn with(place: &str, value: Value) -> Value {
    let mut args = whole_args();
    let (above, last) = place.rsplit_once('/').unwrap();
    let above = args.pointer_mut(above).unwrap_or_else(|| panic!("there is no {above}"));
    above.as_object_mut().unwrap().insert(last.into(), value);
    args
}

fn refusal(args: Value) -> String {
    let args: SendEnvelopeArgs = serde_json::from_value(args).unwrap();
    check(&args).unwrap_err()
}

#[test]
fn what_is_whole_passes() {
    let args: SendEnvelopeArgs = serde_json::from_value(whole_args()).unwrap();

    assert_eq!(check(&args), Ok(()));
    assert_eq!((args.signers[0].order, args.copies[0].order), (1, HIGHEST_ORDER));
}

#[test]
fn each_refusal_names_its_field() {
    for (place, value, field) in [
        ("/key", json!(""), "key: "),
        ("/key", json!("k".repeat(256)), "key: "),
        ("/subject", json!("s".repeat(101)), "subject: 1 to 100"),
        ("/subject", json!("a\nb"), "subject: one line"),
        ("/documents", json!([]), "documents: 1 to"),
        ("/documents/0/name", json!("report"), "documents[0].name: "),
        ("/documents/0/name", json!("../report.pdf"), "documents[0].name: "),
        ("/documents/0/path", json!("report.pdf"), "documents[0].artifact, path, upload, base64: "),
        ("/documents/0/artifact", Value::Null, "documents[0].artifact, path, upload, base64: "),
        ("/documents/0", json!({ "name": "a.pdf", "base64": "no base64" }), "documents[0].base64: it is not"),
        (
            "/documents/0",
            json!({ "name": "a.pdf", "base64": "aGVsbG8=" }),
            "documents[0].base64: it is no PDF",
        ),
        // What an upload may be, and no document to sign.
        ("/documents/0/name", json!("ledger.json"), "documents[0].name: it must end with one of .pdf"),
        ("/documents/0/name", json!("ledger.parquet"), "documents[0].name: "),
        ("/documents/0", json!({ "name": "a.pdf", "upload": "7" }), "documents[0].upload: "),
        ("/signers", json!([]), "signers: 1 to"),
        ("/signers/0/email", json!("ada"), "signers[0].email: "),
        ("/signers/0/email", json!("ada@example"), "signers[0].email: "),
        ("/signers/0/email", json!("ada@@example.org"), "signers[0].email: "),
        ("/signers/0/name", json!(" "), "signers[0].name: "),
        ("/signers/0/order", json!(0), "signers[0].order: "),
        ("/signers/0/tabs/0", json!({}), "signers[0].tabs[0].anchor, page: "),
        ("/signers/0/tabs/0", json!({ "anchor": "a", "page": 1 }), "signers[0].tabs[0].anchor, page: "),
        ("/signers/0/tabs/0", json!({ "page": 0 }), "signers[0].tabs[0].page: "),
        ("/signers/0/tabs/0", json!({ "page": 1, "x": -1 }), "signers[0].tabs[0].x, y: "),
        ("/signers/0/tabs/0", json!({ "anchor": "a", "document": 2 }), "signers[0].tabs[0].document: "),
        ("/copies/0/email", json!("grace hopper@example.org"), "copies[0].email: "),
        ("/reminders/after_days", json!(0), "reminders.after_days: "),
        ("/expires/warn_days", json!(30), "expires.warn_days: "),
        ("/custom_fields/engagement", json!("x".repeat(101)), "custom_fields: a value: "),
        ("/custom_fields/compline_reference", json!("x"), "custom_fields: names that begin"),
        ("/part11", json!(true), "signers[0].identity_verification: "),
    ] {
        let told = match place.rsplit_once('/') {
            Some((above, "0")) => {
                let mut args = whole_args();
                *args.pointer_mut(&format!("{above}/0")).unwrap() = value;
                refusal(args)
            }
            _ => refusal(with(place, value)),
        };
        assert!(told.starts_with(field), "{place}: {told}");
    }
}

#[test]
fn a_refusal_repeats_nothing_of_a_person() {
    for (place, value) in [
        ("/signers/0/email", json!("ada.lovelace at example.org")),
        ("/documents/0/name", json!("of lovelace.parquet")),
        ("/documents/0/name", json!("of/lovelace.pdf")),
        ("/documents/0/upload", json!("lovelace")),
        ("/custom_fields/lovelace", json!("x".repeat(101))),
        ("/custom_fields/compline_lovelace", json!("x")),
        ("/custom_fields/\nlovelace", json!("x")),
    ] {
        let told = refusal(with(place, value));
        assert!(!told.contains("lovelace"), "{place}: {told}");
    }
}

/// What is of the wrong type is refused before it is checked, and by other words.
#[test]
fn what_cannot_be_read_names_its_field_and_repeats_nothing_of_a_person() {
    use crate::tests::account;
    use jobkit::Registry;
    let mut registry = Registry::default();
    crate::register(&mut registry, &crate::Config::default(), account(crate::AccountConfig::default()).0);
    for (place, value, field, wanted) in [
        ("/signers", json!("ada.lovelace@example.org"), "`signers`", "a string, expected a sequence"),
        ("/signers/0/email", json!(["ada.lovelace"]), "`signers[0].email`", "a list, expected a string"),
        ("/documents/0", json!("JVBERi0xLjcK lovelace"), "`documents[0]`", "a string, expected struct"),
        ("/signers/0/order", json!("lovelace"), "`signers[0].order`", "a string, expected u32"),
        (
            "/signers/0/tabs/0/kind",
            json!("lovelace"),
            "`signers[0].tabs[0].kind`",
            "expected one of `sign_here`",
        ),
        ("/reminders", json!("lovelace"), "`reminders`", "a string, expected struct"),
        ("/lovelace", json!(1), "", "unknown field, expected one of `key`"),
        ("/signers/0/ada@lovelace.org", json!(1), "`signers[0]`", "unknown field, expected one of `name`"),
        ("/custom_fields/Ada Lovelace", json!(1), "`custom_fields.…`", "an integer, expected a string"),
    ] {
        let mut args = whole_args();
        match place.ends_with("/0") {
            true => *args.pointer_mut(place).unwrap() = value,
            false => args = with(place, value),
        }
        let refused = registry.check_args("docusign.send_envelope", &args.to_string());
        let told = refused.err().unwrap().to_string();
        assert!(told.contains(field) && told.contains(wanted), "{place}: {told}");
        let told = told.to_lowercase();
        assert!(!told.contains("lovelace") && !told.contains("jvberi0"), "{place}: {told}");
    }
    for (kind, args) in [
        ("docusign.void", json!({ "key": "a", "reason": { "why": "lovelace" } })),
        ("docusign.remind", json!({ "key": ["lovelace"] })),
        ("docusign.archive", json!("lovelace")),
    ] {
        let told = registry.check_args(kind, &args.to_string()).err().unwrap().to_string();
        assert!(!told.contains("lovelace"), "{kind}: {told}");
    }
}

#[test]
fn who_gets_a_copy_must_prove_who_he_is_under_part_11() {
    let mut args = with("/part11", json!(true));
    args["signers"][0]["identity_verification"] = json!("workflow-1");
    assert!(refusal(args.clone()).starts_with("copies[0].identity_verification: "));

    args["copies"][0]["identity_verification"] = json!("workflow-1");
    let args: SendEnvelopeArgs = serde_json::from_value(args).unwrap();
    assert_eq!(check(&args), Ok(()));
}

#[test]
fn the_hash_is_of_what_was_asked_for() {
    let hash = |args: Value| serde_json::from_value::<SendEnvelopeArgs>(args).unwrap().sha256();

    assert_eq!(hash(whole_args()), hash(with("/signers/0/order", json!(1))));
    assert_ne!(hash(whole_args()), hash(with("/subject", json!("Another report"))));
}
