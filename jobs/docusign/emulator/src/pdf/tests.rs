use super::*;

const SMALL: &str = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 \
                     >>\nendobj\nxref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000058 00000 n \ntrailer\n<< /Size 3 \
                     /Root 1 0 R >>\nstartxref\n110\n%%EOF";

fn is_whole(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF")
}

#[test]
fn a_document_is_a_pdf_whatever_it_was_and_the_same_each_time() {
    let signed = ["Signed by Ann".to_owned()];
    for bytes in
        [SMALL.as_bytes(), b"plain text\nof two lines", b"\x00\xFF\x01 of no kind", b"%PDF-1.7 broken"]
    {
        let (before, after) = (document("a", bytes, "e", &[]), document("a", bytes, "e", &signed));
        assert!(is_whole(&after), "{}", String::from_utf8_lossy(&after));
        assert_ne!(before, after);
        assert_eq!(after, document("a", bytes, "e", &signed));
    }
}

#[test]
fn a_pdf_keeps_its_bytes_and_grows_at_its_end() {
    assert_eq!(document("a", SMALL.as_bytes(), "e", &[]), SMALL.as_bytes());
    let grown = document("a", SMALL.as_bytes(), "e", &["Signed by (Ann)".to_owned()]);
    assert!(grown.starts_with(SMALL.as_bytes()));
    let more = String::from_utf8(grown.clone()).unwrap().split_off(SMALL.len());
    assert!(more.contains("/Keywords (Signed by \\(Ann\\))"), "{more}");
    assert!(more.contains("/Size 4 /Root 1 0 R /Info 3 0 R /Prev 110"), "{more}");
    // The table is where it is said to be, and so is the object.
    let number = |text: &str| text.split_whitespace().next().unwrap().parse::<usize>().unwrap();
    let whole = String::from_utf8(grown).unwrap();
    let table = number(whole.rsplit_once("startxref").unwrap().1);
    assert!(whole[table..].starts_with("xref\n3 1\n"));
    let object = number(&whole[table + "xref\n3 1\n".len()..]);
    assert!(whole[object..].starts_with("3 0 obj\n"));
}

#[test]
fn long_texts_take_pages() {
    let lines: Vec<String> = (0..200).map(|line| format!("line {line}")).collect();
    let pdf = of_text("long", &lines, &[]);
    let text = String::from_utf8_lossy(&pdf);
    assert!(text.contains("/Count 4"), "200 lines of 56 to a page");
}
