use super::*;
use crate::tests::{PDF, zip};

fn opened(files: &[(&str, &[u8])]) -> Result<Vec<Part>, &'static str> {
    opened_bytes(&zip(files), files.len().saturating_sub(1))
}

fn opened_bytes(bytes: &[u8], documents: usize) -> Result<Vec<Part>, &'static str> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    open(file.path(), Some(documents))
}

#[test]
fn each_part_has_a_name_of_our_own() {
    let parts = opened(&[
        ("report.pdf", PDF),
        ("../../etc/passwd.pdf", PDF),
        ("a\\b:c.pdf", PDF),
        ("notes.txt", b"x"),
        ("Summary.pdf", PDF),
    ])
    .unwrap();

    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(
        names,
        ["001-report.pdf", "002-passwd.pdf", "003-b_c.pdf", "004-notes.txt", "certificate.pdf"]
    );
    assert_eq!(parts[4].kind, ArchivedKind::Certificate);
}

#[test]
fn what_is_not_whole_or_lacks_something_says_what() {
    for (files, code) in [
        (&[][..], "the_archive_has_no_documents_or_too_many"),
        (&[("report.pdf", PDF)], "the_archive_has_no_certificate"),
        (&[("report.pdf", &b"%PDF-1.7\nsig"[..]), ("Summary.pdf", PDF)], "a_document_is_not_whole"),
        (&[("report.pdf", &b"<html>"[..]), ("Summary.pdf", PDF)], "a_document_is_not_whole"),
        (&[("report.txt", &b""[..]), ("Summary.pdf", PDF)], "a_document_is_not_whole"),
    ] {
        assert_eq!(opened(files), Err(code), "{files:?}");
    }
    assert_eq!(opened_bytes(b"<html>Bad Gateway</html>", 1), Err("the_archive_is_not_whole"));
}

#[test]
fn a_document_may_be_called_as_a_certificate_is() {
    let parts =
        opened(&[("Summary of findings.pdf", PDF), ("Certificate.pdf", PDF), ("Summary.pdf", PDF)]).unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["001-Summary of findings.pdf", "002-Certificate.pdf", "certificate.pdf"]);

    // The certificate is not there, and a document would be taken for it.
    let bytes = zip(&[("Summary of findings.pdf", PDF), ("b.pdf", PDF)]);
    assert_eq!(opened_bytes(&bytes, 2), Err("the_archive_has_other_documents_than_were_sent"));
}

#[test]
fn a_bit_that_turned_on_the_way_is_found() {
    let whole = zip(&[("report.pdf", PDF), ("Summary.pdf", PDF)]);
    let good = opened_bytes(&whole, 1).unwrap();
    for at in 0..whole.len() {
        let mut turned = whole.clone();
        turned[at] ^= 1;
        // What is told of the files may change, and what is in them may not.
        if let Ok(parts) = opened_bytes(&turned, 1) {
            let bytes = |parts: &[Part]| parts.iter().map(|part| part.bytes.clone()).collect::<Vec<_>>();
            assert_eq!(bytes(&parts), bytes(&good), "byte {at}");
        }
    }
}
