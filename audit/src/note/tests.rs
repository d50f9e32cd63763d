use super::*;

/// Key and note of the documentation of Go's sumdb/note.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETERS_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETERS_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn generated(name: &str) -> Secret {
    Secret::generate(name, &SystemRandom::new()).unwrap()
}

#[test]
fn what_go_signs_we_verify_and_sign_alike() {
    let key: Key = PETER.parse().unwrap();
    assert_eq!(key.to_string(), PETER);
    let keys = [key];
    let (text, signers) = verify(PETERS_NOTE, &keys).unwrap();
    assert!(text.ends_with("your problem is.\n") && signers == [&keys[0]]);

    let secret = Secret::parse(PETERS_SECRET).unwrap();
    assert_eq!(secret.expose().as_str(), PETERS_SECRET);
    assert_eq!((secret.key(), sign(text, &[&secret]).unwrap().as_str()), (keys[0].clone(), PETERS_NOTE));
}

#[test]
fn a_note_is_believed_when_a_known_key_has_signed_it_as_it_is() {
    let (one, two, other) = (generated("log"), generated("log"), generated("other"));
    let note = sign("size 7\n", &[&other, &one, &two]).unwrap();
    let keys = |secrets: &[&Secret]| secrets.iter().map(|secret| secret.key()).collect::<Vec<_>>();

    let both = keys(&[&one, &two]);
    assert_eq!(verify(&note, &both).unwrap(), ("size 7\n", vec![&both[0], &both[1]]));
    assert_eq!(verify(&note, &keys(&[&generated("log")])), Err(NoteError::Unknown));
    let altered = note.replace("size 7", "size 8");
    assert_eq!(verify(&altered, &both), Err(NoteError::Forged("log".into())));
    assert_eq!(verify(&altered, &[]), Err(NoteError::Unknown));
    assert_eq!(text_of(&altered).unwrap(), "size 8\n");
}

#[test]
fn what_is_no_note_is_refused_with_the_reason() {
    let secret = generated("log");
    let note = sign("a\n", &[&secret]).unwrap();
    for (bad, why) in [
        ("a\n".to_owned(), "empty line"),
        ("a\n\n".into(), "end with"),
        (note.trim_end().into(), "end with"),
        (format!("{note}x\n"), "is none"),
        (note.replace(" log ", " lo+g "), "is none"),
        (note.replace('a', "\u{1}"), "characters"),
        (format!("{}{note}", "x".repeat(LARGEST)), "larger"),
        (format!("a\n\n{}", "— log AAAAAAA=\n".repeat(101)), "more than a hundred"),
    ] {
        let problem = verify(&bad, &[secret.key()]).unwrap_err().to_string();
        assert!(problem.contains(why), "{problem}");
    }
    assert!(sign("a", &[&secret]).is_err());
}

#[test]
fn a_key_that_is_none_is_refused_and_a_secret_never_printed() {
    for bad in
        ["", "log", "log+c74f20a3", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
    {
        assert_eq!(bad.parse::<Key>(), Err(NoteError::NoKey), "{bad}");
    }
    for bad in [PETER, &PETERS_SECRET.replace("c74f", "c74e"), &PETERS_SECRET.replace("+AYEK", "+AIEK"), ""] {
        assert_eq!(Secret::parse(bad).unwrap_err(), NoteError::NoSecret, "{bad}");
    }
    for bad in ["", "a b", "a+b", "a\tb"] {
        assert_eq!(Secret::generate(bad, &SystemRandom::new()).unwrap_err(), NoteError::Name);
    }
    let secret = generated("log");
    let printed = format!("{secret:?}");
    assert!(printed.contains("[redacted]") && !secret.expose().contains(&printed), "{printed}");
}
