//! Envelopes from the command line.

use serde_json::json;

use crate::support::binary::Place;

#[test]
fn an_envelope_that_cannot_be_read_is_refused_without_repeating_it() {
    let place = Place::new();
    let envelope = r#"{"key": "a", "subject": "b", "documents": [], "signers": "ada@example.org"}"#;

    let told = place.run(&["docusign", "send", envelope]).expect(2).all();

    assert!(told.contains("`signers`: invalid type: a string, expected a sequence"), "{told}");
    assert!(!told.contains("ada@"), "{told}");
}

fn with_an_account() -> Place {
    let id = "7c2c3e5e-8f0b-4c4f-9b1b-000000000001";
    [
        ("INTEGRATION_KEY", id),
        ("ACCOUNT_ID", id),
        ("USER_ID", id),
        ("BASE_URL", "http://127.0.0.1:1"),
        ("PRIVATE_KEY_PATH", "key.pem"),
    ]
    .into_iter()
    .fold(Place::new(), |place, (name, value)| place.with(&format!("DOCUSIGN_{name}"), value))
}

/// A key that was mistyped must not look like one that was voided.
#[test]
fn what_nobody_has_begun_is_voided_when_that_is_said() {
    let place = with_an_account();
    let void = ["docusign", "void", "report-1", "--reason", "It is wrong."];

    place.run(&void).expect(3).says(&["there is no envelope `report-1`", "--not-begun"]);
    assert_eq!(place.run(&["jobs", "list", "--json"]).expect(0).json().as_array().map(Vec::len), Some(0));
    let job = place.run(&[&void[..], &["--not-begun"]].concat()).expect(0).out;

    let jobs = place.run(&["jobs", "show", job.trim(), "--json"]).expect(0).json();
    assert_eq!((&jobs["kind"], &jobs["state"]), (&json!("docusign.void"), &json!("available")));
}
