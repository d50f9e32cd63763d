//! Envelopes from the command line.

use crate::support::binary::Place;

#[test]
fn an_envelope_that_cannot_be_read_is_refused_without_repeating_it() {
    let place = Place::new();
    let envelope = r#"{"key": "a", "subject": "b", "documents": [], "signers": "ada@example.org"}"#;

    let told = place.run(&["docusign", "send", envelope]).expect(2).all();

    assert!(told.contains("`signers`: invalid type: a string, expected a sequence"), "{told}");
    assert!(!told.contains("ada@"), "{told}");
}
