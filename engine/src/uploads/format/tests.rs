use super::*;

fn found(bytes: &[u8]) -> Result<Format, String> {
    // In pieces of every kind, and as a whole.
    let mut results = Vec::new();
    for size in [1, 7, bytes.len().max(1)] {
        let mut look = Look::default();
        let fed = bytes.chunks(size).try_for_each(|piece| look.feed(piece));
        let file = Path::new("/nowhere");
        results.push(match fed {
            Ok(()) => look.settle(file, bytes.len() as u64).map_err(|error| error.to_string()),
            Err(problem) => Err(problem.to_string()),
        });
    }
    assert!(results.iter().all(|one| *one == results[0]), "{results:?}");
    results.remove(0)
}

fn wide(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn text_is_known_by_its_beginning_and_by_every_byte() {
    let long = "a;b\n".repeat(3_000);
    for (bytes, format) in [
        (b"Entry,Amount\n1,2\n".to_vec(), Format::Text),
        (b"\xef\xbb\xbfa;b\r\n".to_vec(), Format::Text),
        (b"a\tb\x0c\n\x1a".to_vec(), Format::Text),
        ("Buchung;Betrag\nMüller;1\n".as_bytes().to_vec(), Format::Text),
        (b"Buchung;M\xfcller\n".to_vec(), Format::Text),
        (wide("a;b\u{1f600}\n"), Format::Text),
        (long.clone().into_bytes(), Format::Text),
        (b" \n{\"a\":1}\n{\"a\":2}".to_vec(), Format::Json),
        (wide("{\"a\":1}"), Format::Json),
        (b"<?xml version=\"1.0\"?><AuditFile/>".to_vec(), Format::Xml),
        (b"\xef\xbb\xbf<AuditFile>".to_vec(), Format::Xml),
    ] {
        assert_eq!(found(&bytes), Ok(format), "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
    }
    for (bytes, says) in [
        (b"".to_vec(), "empty"),
        (b" \n ".to_vec(), "blanks"),
        (b"MZ\x90\x00\x03".to_vec(), "neither text"),
        (b"\x7fELF\x02".to_vec(), "neither text"),
        (b"\x89PNG\r\n\x1a\n\x00".to_vec(), "neither text"),
        (b"a,b\n\x00".to_vec(), "neither text"),
        ([long.as_bytes(), b"\x00"].concat(), "neither text"),
        (b"%PDF-0.9\n".to_vec(), "a PDF of no version"),
        (b"\n%PDF-1.7\n%%EOF\n".to_vec(), "something before its head"),
        (b"#!/bin/sh\nrm".to_vec(), "a script"),
        (b"<!DOCTYPE html><html>".to_vec(), "DOCTYPE"),
        (b"<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">]><a/>".to_vec(), "DOCTYPE"),
        (wide("<HTML>"), "HTML"),
        (b"\x1f\x8b\x08\x00".to_vec(), "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1".to_vec(), "XLS"),
        ([wide("a"), vec![0]].concat(), "in the middle"),
        ([wide("a"), vec![0x00, 0xdc]].concat(), "is not"),
        ([wide("a"), vec![0x00, 0xd8]].concat(), "in the middle"),
        (wide("a\0"), "is not"),
    ] {
        let problem = found(&bytes).unwrap_err();
        assert!(
            problem.contains(says),
            "{problem} {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
        );
    }
}

#[test]
fn a_claim_that_is_not_so_is_a_lie_and_one_that_says_nothing_is_none() {
    for (media, fits) in [
        ("text/csv; charset=utf-8", &[Format::Text][..]),
        ("TEXT/PLAIN", &[Format::Text, Format::Json, Format::Xml]),
        ("application/json", &[Format::Json]),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &[Format::Xlsx]),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &[Format::Docx]),
        ("application/pdf", &[Format::Pdf]),
    ] {
        let claim = Claim::by_media_type(media).unwrap().unwrap();
        assert_eq!(
            Format::ALL.into_iter().filter(|one| claim.fits(*one)).collect::<Vec<_>>(),
            fits,
            "{media}"
        );
    }
    for nothing in ["", "application/octet-stream", "application/vnd.ms-excel"] {
        assert_eq!(Claim::by_media_type(nothing), Ok(None), "{nothing}");
    }
    for refused in [
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "image/png",
        "application/msword",
    ] {
        assert!(Claim::by_media_type(refused).is_err(), "{refused}");
    }
    for (name, fits) in [
        ("GL.CSV", Some(&[Format::Text][..])),
        ("a.b.xlsx", Some(&[Format::Xlsx])),
        ("Report.PDF", Some(&[Format::Pdf])),
        ("report.docx", Some(&[Format::Docx])),
        ("ledger", None),
        ("ledger.2026", None),
    ] {
        assert_eq!(Claim::by_name(name).map(|claim| claim.fits), fits, "{name}");
    }
    assert!(!Claim::by_name("ada.csv").unwrap().to_string().contains("ada"));
}

#[test]
fn a_pdf_is_known_by_its_beginning_and_taken_when_its_end_is_there() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settled = |bytes: &[u8]| {
        std::fs::write(file.path(), bytes).unwrap();
        let mut look = Look::default();
        // Of what is in it nothing is text.
        bytes.chunks(5).try_for_each(|piece| look.feed(piece)).unwrap();
        look.settle(file.path(), bytes.len() as u64).map_err(|error| error.to_string())
    };
    for version in ["1.4", "1.7", "2.0"] {
        let whole = [b"%PDF-", version.as_bytes(), b"\n\x00\xff\n%%EOF\n"].concat();
        assert_eq!(settled(&whole), Ok(Format::Pdf), "{version}");
    }
    assert!(settled(b"%PDF-1.7\n\x00\xff\n").unwrap_err().contains("not whole"));
}
