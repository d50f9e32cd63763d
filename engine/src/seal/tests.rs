use jobkit::testing::ManualClock;

use super::*;
use crate::reference::SecretRef;

const PLAIN: &str = r#"{"iban":"DE02120300000000202051"}"#;

fn ring() -> Keyring {
    let mut ring = Keyring::default();
    ring.add("k1", &[1; 32]);
    ring.add("k2", &[2; 32]);
    ring.with_current("k1")
}

fn two_jobs() -> (JobId, JobId) {
    let ids = jobkit::IdGenerator::new(std::sync::Arc::new(ManualClock::default()));
    (ids.next(), ids.next())
}

#[test]
fn what_is_sealed_opens_again_and_shows_nothing_meanwhile() {
    let (job, _) = two_jobs();
    for plain in [PLAIN, "null", "\"\"", "{}"] {
        for part in [Part::Args, Part::Result, Part::Step("send"), Part::Progress, Part::Error, Part::Log] {
            let sealed = ring().seal(job, part, plain).unwrap();

            assert!(is_sealed(&sealed) && !sealed.contains("DE02"), "{sealed}");
            assert!(sealed.starts_with(r#"{"$sealed":{"key":"k1","box":""#), "{sealed}");
            assert_eq!(ring().open(job, part, &sealed).unwrap(), plain);
        }
    }
}

#[test]
fn the_result_of_a_step_opens_for_that_step_only() {
    let (job, _) = two_jobs();
    let result = serde_json::json!({ "iban": "DE02120300000000202051" });

    let sealed = ring().seal_value(job, Part::Step("send"), &result).unwrap();

    assert!(!sealed.to_string().contains("DE02"), "{sealed}");
    assert_eq!(ring().reveal_value(job, Part::Step("send"), sealed.clone()).unwrap(), result);
    let other = ring().reveal_value(job, Part::Step("pay"), sealed).unwrap_err();
    assert!(other.to_string().contains("step:pay"), "{other}");
    // What was stored before the kind was encrypted is as it is.
    assert_eq!(ring().reveal_value(job, Part::Step("send"), result.clone()).unwrap(), result);
}

#[test]
fn the_same_text_is_sealed_differently_each_time() {
    let (job, _) = two_jobs();

    assert_ne!(ring().seal(job, Part::Args, PLAIN).unwrap(), ring().seal(job, Part::Args, PLAIN).unwrap());
}

#[test]
fn a_database_may_write_the_json_back_in_its_own_way() {
    let (job, _) = two_jobs();
    let sealed = ring().seal(job, Part::Args, PLAIN).unwrap();
    let value: Value = serde_json::from_str(&sealed).unwrap();
    let boxed = value["$sealed"]["box"].as_str().unwrap();
    let rewritten = format!(" {{ \"$sealed\" : {{\"box\": \"{boxed}\", \"key\": \"k1\"}} }}");

    assert_eq!(ring().open(job, Part::Args, &rewritten).unwrap(), PLAIN);
}

#[test]
fn it_opens_for_its_own_job_and_part_only() {
    let (job, other) = two_jobs();
    let sealed = ring().seal(job, Part::Args, PLAIN).unwrap();

    for (job, part) in [(other, Part::Args), (job, Part::Result), (job, Part::Step("args"))] {
        let error = ring().open(job, part, &sealed).unwrap_err();
        assert!(matches!(&error, SealError::DoesNotOpen { key, .. } if key == "k1"), "{error}");
        assert!(error.to_string().contains("another job"), "{error}");
    }
}

#[test]
fn a_single_flipped_bit_anywhere_is_noticed() {
    let (job, _) = two_jobs();
    let sealed = ring().seal(job, Part::Args, PLAIN).unwrap();
    let value: Value = serde_json::from_str(&sealed).unwrap();
    let boxed = BASE64.decode(value["$sealed"]["box"].as_str().unwrap()).unwrap();

    for at in 0..boxed.len() {
        let mut altered = boxed.clone();
        altered[at] ^= 1;
        let text = format!(r#"{{"$sealed":{{"key":"k1","box":"{}"}}}}"#, BASE64.encode(altered));
        assert!(
            matches!(ring().open(job, Part::Args, &text), Err(SealError::DoesNotOpen { .. })),
            "byte {at}"
        );
    }
}

#[test]
fn every_other_way_to_fail_says_what_to_do() {
    let (job, _) = two_jobs();
    let sealed = ring().seal(job, Part::Args, PLAIN).unwrap();
    let mut other = Keyring::default();
    other.add("k9", &[1; 32]);

    let unknown = other.open(job, Part::Args, &sealed).unwrap_err().to_string();
    assert!(unknown.contains("`k1`") && unknown.contains("encryption.keys"), "{unknown}");
    // Another key under the same name is not the same key.
    let mut swapped = Keyring::default();
    swapped.add("k1", &[9; 32]);
    assert!(matches!(swapped.open(job, Part::Args, &sealed), Err(SealError::DoesNotOpen { .. })));
    // Too short to hold a nonce, and no base64 at all.
    for boxed in ["", "AAAA", "?"] {
        let text = format!(r#"{{"$sealed":{{"key":"k1","box":"{boxed}"}}}}"#);
        assert!(matches!(ring().open(job, Part::Args, &text), Err(SealError::DoesNotOpen { .. })));
    }
    assert!(matches!(ring().open(job, Part::Args, PLAIN), Err(SealError::NotSealed { .. })));
    for ring in [Keyring::default(), Keyring::default().with_current("k1")] {
        assert!(!ring.can_seal());
        assert!(matches!(ring.seal(job, Part::Args, PLAIN), Err(SealError::NoCurrentKey)));
    }
}

/// One text that did not open once hid the whole job from `jobs show`.
#[test]
fn what_does_not_open_is_shown_as_a_note_and_everything_else_as_it_is() {
    let (job, _) = two_jobs();
    let known = ring().seal(job, Part::Args, PLAIN).unwrap();
    let foreign = known.replace("k1", "k9");
    let looks_sealed = r#"{"$sealed":{"key":"k1","box":"what somebody enqueued"}}"#;

    for (text, shown) in [
        (PLAIN, PLAIN),
        (&known, PLAIN),
        (&foreign, "(sealed with key `k9`, which this process does not have in encryption.keys)"),
        (looks_sealed, "(sealed with key `k1`, and does not open)"),
    ] {
        let mut as_text = text.to_string();
        ring().show(job, Part::Args, &mut as_text);
        assert_eq!(as_text, shown);
        let mut as_value = serde_json::from_str(text).unwrap();
        ring().show_value(job, Part::Args, &mut as_value);
        assert_eq!(as_value, serde_json::from_str(shown).unwrap_or_else(|_| Value::String(shown.into())));
    }
}

#[test]
fn an_old_key_opens_what_it_sealed_after_the_current_one_changed() {
    let (job, _) = two_jobs();
    let sealed = ring().seal(job, Part::Result, PLAIN).unwrap();

    assert_eq!(ring().with_current("k2").open(job, Part::Result, &sealed).unwrap(), PLAIN);
}

#[test]
fn only_the_sealed_form_is_taken_for_sealed() {
    for text in
        ["null", "[]", "{}", r#"{"$sealed":1}"#, r#"{"a":{"$sealed":{"key":"k","box":"b"}}}"#, "\"$sealed\""]
    {
        assert!(!is_sealed(text), "{text}");
    }
}

#[test]
fn a_key_is_32_bytes_in_hex_or_base64_and_is_never_printed() {
    let directory = tempfile::tempdir().unwrap();
    let load = |text: &str| {
        let path = directory.path().join("key");
        std::fs::write(&path, text).unwrap();
        let keys = [("k1".to_string(), SecretRef::File(path))].into();
        Keyring::load(&Encryption { current: "k1".into(), keys })
    };
    let hex = "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0011223344";
    let base64 = BASE64.encode([7; 32]);

    for good in [hex, &base64, &format!("{hex}\n")] {
        let ring = load(good).unwrap();
        assert!(ring.can_seal());
        assert_eq!(format!("{ring:?}"), r#"Keyring { current: Some("k1"), keys: ["k1"] }"#);
    }
    for bad in ["short", &hex[2..], &"zz".repeat(32), &BASE64.encode([7; 31])] {
        let message = load(bad).unwrap_err().to_string();
        assert!(message.contains("`encryption.keys.k1`") && message.contains("openssl rand"), "{message}");
        assert!(!message.contains(bad), "{message}");
    }
    let missing = Encryption {
        current: "k1".into(),
        keys: [("k1".to_string(), SecretRef::File("/nowhere".into()))].into(),
    };
    assert!(Keyring::load(&missing).unwrap_err().to_string().contains("encryption.keys.k1"));
}
