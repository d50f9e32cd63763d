use ring::rand::SystemRandom;
use secrecy::ExposeSecret;

use super::keys::GenerateError;
use super::*;

// As published with Go's sumdb/note.
const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const STRANGER: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn known() -> [Vkey; 1] {
    [VKEY.parse().unwrap()]
}

fn note(lines: &str) -> String {
    format!("{TEXT}\n{lines}")
}

#[test]
fn the_published_key_signs_the_published_note() {
    let key: SigningKey = SECRET.parse().unwrap();
    assert_eq!(key.vkey().to_string(), VKEY);
    assert_eq!(key.vkey().name(), "PeterNeumann");
    assert_eq!(key.vkey().id(), 0xc74f_20a3);
    assert_eq!(key.to_secret().expose_secret(), SECRET);
    assert_eq!(sign(TEXT, &[&key]), Ok(note(LINE)));
    assert_eq!(verify(&note(LINE), &known()), Ok(Verified { text: TEXT, by: known().into() }));
}

#[test]
fn lines_of_strangers_are_passed_over() {
    for lines in [
        [LINE, STRANGER].concat(),
        [STRANGER, LINE].concat(),
        [LINE, LINE].concat(),
        // The same name with another number, and the same number with another name.
        [&LINE.replace("x08go", "x08gp"), LINE].concat(),
        [&LINE.replace("PeterNeumann", "Petra"), LINE].concat(),
        // Signatures of other sorts are of other lengths.
        ["— other.example AAAAAAE=\n", LINE].concat(),
    ] {
        let note = note(&lines);
        let verified = verify(&note, &known()).unwrap();
        assert_eq!(verified.by, known(), "{lines}");
        assert_eq!(verified.text, TEXT);
    }
}

#[test]
fn a_text_may_have_empty_lines_and_looks_like_signatures() {
    let key: SigningKey = SECRET.parse().unwrap();
    for text in ["\n", "\n\n", "a\n\nb\n", "a\n\n— b AAAAAAE=\n", "é\u{2028}\n"] {
        let note = sign(text, &[&key]).unwrap();
        assert_eq!(verify(&note, &known()).unwrap().text, text);
    }
}

#[test]
fn a_note_that_was_changed_is_refused() {
    let forged = || NoteError::Forged(VKEY.into());
    for (note, why) in [
        (note(LINE).replace("answer", "Answer"), forged()),
        (note(&LINE.replace("wJnAM", "wJnAQ")), forged()),
        (note(&LINE.replace("BwJnAM=\n", "BwJ\n")), forged()),
        // A good signature does not help a bad one of the same key, wherever it stands.
        (note(&[LINE, &LINE.replace("wJnAM", "wJnAQ")].concat()), forged()),
        (note(STRANGER), NoteError::Unknown),
        (note(""), NoteError::Malformed),
        (TEXT.into(), NoteError::Malformed),
        (String::new(), NoteError::Malformed),
        (format!("{TEXT}{LINE}"), NoteError::Malformed),
        (note(LINE.trim_end()), NoteError::Malformed),
        (note(LINE).replace("answer", "ans\twer"), NoteError::Malformed),
        (note(&[LINE, "\n"].concat()), NoteError::Malformed),
        (note(&[LINE, "x\n"].concat()), NoteError::Line(2)),
        (note("- PeterNeumann x08go/ZJ\n"), NoteError::Line(1)),
        (note("— PeterNeumann\n"), NoteError::Line(1)),
        (note("— PeterNeumann \n"), NoteError::Line(1)),
        (note("— PeterNeumann x08g\n"), NoteError::Line(1)),
        (note("— PeterNeumann x08gow==\n"), NoteError::Line(1)),
        (note("— PeterNeumann x08go/ZJ \n"), NoteError::Line(1)),
        (note("—  x08go/ZJ\n"), NoteError::Line(1)),
        (note("— a+b x08go/ZJ\n"), NoteError::Line(1)),
        (note(&STRANGER.repeat(101)), NoteError::TooManySignatures),
        ("a".repeat(MAX_BYTES + 1), NoteError::TooLarge),
    ] {
        assert_eq!(verify(&note, &known()), Err(why), "{note:.300}");
    }
    assert_eq!(verify(&note(&[&STRANGER.repeat(99), LINE].concat()), &known()).unwrap().by, known());
}

#[test]
fn what_is_no_text_is_not_signed() {
    let key: SigningKey = SECRET.parse().unwrap();
    for text in ["", "a", "a\r\n", "a\0\n"] {
        assert_eq!(sign(text, &[&key]), Err(NoteError::Text), "{text:?}");
    }
}

#[test]
fn several_keys_sign_one_note() {
    let random = SystemRandom::new();
    let keys = ["old.example", "new.example"].map(|name| SigningKey::generate(name, &random).unwrap());
    let vkeys = keys.each_ref().map(|key| key.vkey().clone());

    let note = sign(TEXT, &keys.each_ref()).unwrap();

    assert_eq!(verify(&note, &vkeys).unwrap().by, vkeys);
    assert_eq!(verify(&note, &vkeys[1..]).unwrap().by, vkeys[1..]);
    assert_ne!(vkeys[0].id(), vkeys[1].id());
}

#[test]
fn a_key_reads_back_and_signs_alike() {
    let key = SigningKey::generate("example.com/log", &SystemRandom::new()).unwrap();
    let again: SigningKey = key.to_secret().expose_secret().parse().unwrap();
    assert_eq!(again.vkey(), key.vkey());
    assert_eq!(key.vkey().to_string().parse(), Ok(key.vkey().clone()));
    assert_eq!(sign(TEXT, &[&again]), sign(TEXT, &[&key]));
    let shown = format!("{key:?} {:?}", key.to_secret());
    let secret = key.to_secret();
    // Base64 has plus signs of its own, so the seed is all that follows the fourth one.
    let seed = secret.expose_secret().splitn(5, '+').last().unwrap();
    assert_eq!(seed.len(), 44);
    assert!(!shown.contains(seed) && shown.contains("[redacted]"), "{shown}");
}

#[test]
fn what_was_mixed_up_is_no_key() {
    for (text, why) in [
        ("", KeyError::Public),
        ("PeterNeumann", KeyError::Public),
        ("PeterNeumann+c74f20a3", KeyError::Public),
        ("PeterNeumann+c74f20a3+#", KeyError::Public),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Public),
        ("PeterNeumann+74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Public),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Public),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Public),
        ("Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Number),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Number),
        ("PeterNeumann+c74f20a3+", KeyError::Algorithm),
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", KeyError::Public),
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADK", KeyError::Algorithm),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Algorithm),
    ] {
        assert_eq!(text.parse::<Vkey>(), Err(why), "{text}");
    }
    for (text, why) in [
        (VKEY, KeyError::Secret),
        ("PRIVATE+KEY+", KeyError::Secret),
        (&SECRET[..SECRET.len() - 1], KeyError::Secret),
        (&SECRET.replace("c74f", "c74e"), KeyError::Number),
        (&SECRET.replace("Peter", "Petra"), KeyError::Number),
        (&SECRET.replace("+AYE", "+BYE"), KeyError::Algorithm),
    ] {
        assert_eq!(text.parse::<SigningKey>().unwrap_err(), why, "{text}");
    }
}

#[test]
fn a_key_needs_a_name() {
    let random = SystemRandom::new();
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{1}b"] {
        let refused = SigningKey::generate(name, &random).unwrap_err();
        assert_eq!(refused, GenerateError::Key(KeyError::Name), "{name:?}");
    }
}

#[test]
fn of_two_keys_that_share_name_and_number_neither_is_taken() {
    let one: Vkey = VKEY.parse().unwrap();
    let other = one.imitated([9; 32]);
    let note = note(LINE);
    assert_eq!(verify(&note, &[one.clone(), other]), Err(NoteError::Ambiguous(VKEY.into())));
    assert!(verify(&note, &[one.clone(), one]).is_ok());
}
