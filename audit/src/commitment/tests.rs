use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;

use super::*;

fn opening(field: &str, salt: u8, value: &str) -> Opening {
    Opening { field: field.into(), salt: Zeroizing::new([salt; 32]), value: value.into() }
}

#[test]
fn a_commitment_is_the_hash_that_is_written_down() {
    let text =
        [&b"compline/personal/v1"[..], &[7; 32], &[0, 0, 0, 0, 0, 0, 0, 5], b"emaila@b.example"].concat();
    let expected = digest(&SHA256, &text);
    assert_eq!(opening("email", 7, "a@b.example").commit().0, expected.as_ref());
}

#[test]
fn it_opens_with_nothing_but_what_it_was_made_of() {
    let commitment = opening("email", 7, "a@b.example").commit();
    assert!(opens(commitment, &opening("email", 7, "a@b.example")));
    for other in [
        opening("email", 7, "a@b.exampl"),
        opening("email", 8, "a@b.example"),
        opening("mail", 7, "a@b.example"),
        opening("emaila", 7, "@b.example"),
        opening("", 7, "emaila@b.example"),
    ] {
        assert!(!opens(commitment, &other), "{}", other.field);
    }
}

#[test]
fn the_same_value_is_committed_to_differently_each_time() {
    let random = SystemRandom::new();
    let new = || Opening::new("email", "a@b.example".into(), &random).unwrap();
    let (one, other) = (new(), new());
    assert_ne!(one.commit(), other.commit());
    assert!(opens(one.commit(), &one));
}

#[test]
fn neither_value_nor_salt_is_shown() {
    let shown = format!("{:?}", opening("email", 7, "a@b.example"));
    assert_eq!(shown, "Opening { field: \"email\", salt: [redacted], value: [redacted] }");
}

#[test]
fn a_commitment_reads_back_in_its_only_form() {
    let commitment = opening("email", 7, "a@b.example").commit();
    let text = commitment.to_string();
    assert_eq!(text.parse(), Ok(commitment));
    assert_eq!(text.len(), 66);
    for wrong in ["", "c:", &text[2..], &text[..65], &text.to_uppercase(), &text.replace(':', ";")] {
        assert_eq!(wrong.parse::<Commitment>(), Err(NotACommitment), "{wrong}");
    }
}

#[test]
fn the_commitments_of_an_entry_are_found() {
    let c = |digit: char| format!("c:{}", digit.to_string().repeat(64));
    let details =
        format!(r#"{{"personal":{{"email":"{}","n":7,"x":"c:short"}},"email":"{}"}}"#, c('a'), c('b'));
    let found =
        commitments_in(Some(&c('1')), Some(&details)).iter().map(Commitment::to_string).collect::<Vec<_>>();
    assert_eq!(found, [c('1'), c('a')]);
    assert_eq!(commitments_in(Some("cli:host"), Some("nonsense")), []);
    assert_eq!(commitments_in(None, None), []);
}
