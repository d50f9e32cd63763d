use super::*;

/// The example of the specification.
const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const LOG: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

fn key() -> SigningKey {
    LOG.parse().unwrap()
}

#[test]
fn the_example_of_the_specification_reads_back() {
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size, 20_852_163);
    assert_eq!(checkpoint.text(), TEXT);
}

#[test]
fn extension_lines_are_kept() {
    let text = format!("{TEXT}one\nand two\n");
    let checkpoint = Checkpoint::parse(&text).unwrap();
    assert_eq!(checkpoint.extensions, ["one", "and two"]);
    assert_eq!(checkpoint.text(), text);
}

#[test]
fn nothing_else_is_a_checkpoint() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for (text, why) in [
        ("", CheckpointError::Malformed),
        ("\n", CheckpointError::Malformed),
        ("origin\n", CheckpointError::Malformed),
        ("origin\n5\n", CheckpointError::Malformed),
        (&TEXT[..TEXT.len() - 1], CheckpointError::Malformed),
        (&format!("\n5\n{root}\n"), CheckpointError::Malformed),
        (&format!("o\n5\n{root}\n\n"), CheckpointError::Malformed),
        (&format!("o\n5\n{root}\n\next\n"), CheckpointError::Malformed),
        (&format!("o\n05\n{root}\n"), CheckpointError::Size),
        (&format!("o\n+5\n{root}\n"), CheckpointError::Size),
        (&format!("o\n-5\n{root}\n"), CheckpointError::Size),
        (&format!("o\n5 \n{root}\n"), CheckpointError::Size),
        (&format!("o\n18446744073709551616\n{root}\n"), CheckpointError::Size),
        ("o\n5\nAAAA\n", CheckpointError::Root),
        (&format!("o\n5\n{root}=\n"), CheckpointError::Root),
        (&format!("o\n0\n{root}\n"), CheckpointError::NotEmpty),
    ] {
        assert_eq!(Checkpoint::parse(text), Err(why), "{text:?}");
    }
    let empty = Checkpoint::new("o", 0, Hash::of_empty_tree());
    assert_eq!(Checkpoint::parse(&empty.text()), Ok(empty));
}

#[test]
fn what_a_log_signed_is_opened_with_its_key() {
    let checkpoint = Checkpoint::new("PeterNeumann", 7, Hash([5; 32]));
    let note = checkpoint.sign(&[&key()]).unwrap();
    let vkey = key().vkey().clone();

    let opened = Checkpoint::open(&note, "PeterNeumann", std::slice::from_ref(&vkey));

    assert_eq!(opened, Ok(Signed { checkpoint, by: vec![vkey] }));
}

#[test]
fn a_checkpoint_of_another_log_or_key_is_refused() {
    let sign = |origin: &str| Checkpoint::new(origin, 7, Hash([5; 32])).sign(&[&key()]).unwrap();
    let keys = [key().vkey().clone()];
    for (note, origin, why) in [
        (
            sign("PeterNeumann"),
            "other",
            CheckpointError::Origin { found: "PeterNeumann".into(), expected: "other".into() },
        ),
        (sign("other"), "other", CheckpointError::Signer("other".into())),
        (
            sign("PeterNeumann").replace("\n7\n", "\n8\n"),
            "PeterNeumann",
            CheckpointError::Note(NoteError::Forged(keys[0].to_string())),
        ),
    ] {
        assert_eq!(Checkpoint::open(&note, origin, &keys), Err(why), "{note}");
    }
    let unknown = Checkpoint::open(&sign("PeterNeumann"), "PeterNeumann", &[]);
    assert_eq!(unknown, Err(CheckpointError::Note(NoteError::Unknown)));
}

#[test]
fn what_could_not_be_read_again_is_not_signed() {
    for origin in ["", "two\nlines"] {
        assert!(Checkpoint::new(origin, 7, Hash([5; 32])).sign(&[&key()]).is_err(), "{origin:?}");
    }
    assert_eq!(
        Checkpoint::new("a\tb", 7, Hash([5; 32])).sign(&[&key()]),
        Err(CheckpointError::Note(NoteError::Text))
    );
}

#[test]
fn what_a_note_says_is_read_without_a_key_too() {
    let checkpoint = Checkpoint::new("log", 7, Hash([7; 32]));
    let key = SigningKey::generate("log", &ring::rand::SystemRandom::new()).unwrap();
    let note = checkpoint.sign(&[&key]).unwrap();
    assert_eq!(Checkpoint::unverified(&note), Ok(checkpoint));
    assert_eq!(Checkpoint::unverified("log\n7\n"), Err(CheckpointError::Malformed));
}
