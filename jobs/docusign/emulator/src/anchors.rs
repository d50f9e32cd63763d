//! Is the text of an anchor in a document? Pure.
//!
//! Only as far as a program of this size can read: the bytes as they are, and what is deflated in a PDF. A PDF whose
//! letters are numbers of its own font hides its text from us; then the switch `anchors` says what is believed.

use std::io::Read;

/// Streams of a PDF that are longer when inflated are read up to here.
const LONGEST_STREAM: u64 = 16 << 20;

pub fn contains(document: &[u8], anchor: &str, case_sensitive: bool) -> bool {
    let wanted = squeezed(anchor.as_bytes(), case_sensitive);
    let has = |text: &[u8]| {
        let text = squeezed(text, case_sensitive);
        !wanted.is_empty() && find(&text, &wanted).is_some()
    };
    has(document) || streams(document).iter().any(|stream| has(stream) || has(&shown(stream)))
}

/// Without the spaces, which a PDF need not write.
fn squeezed(text: &[u8], case_sensitive: bool) -> Vec<u8> {
    let text = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    text.map(|byte| if case_sensitive { *byte } else { byte.to_ascii_lowercase() }).collect()
}

/// What is deflated in a PDF.
fn streams(document: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), document);
    while let Some(at) = find(rest, b"stream") {
        rest = &rest[at + b"stream".len()..];
        let data = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
        let Some(data) = data else { continue };
        let mut text = Vec::new();
        // What comes before an error was read.
        let _ = flate2::read::ZlibDecoder::new(data).take(LONGEST_STREAM).read_to_end(&mut text);
        if !text.is_empty() {
            found.push(text);
        }
        rest = data;
    }
    found
}

/// The strings in parentheses, one after the other: `[(Sig) -20 (ned)] TJ` shows "Signed".
fn shown(stream: &[u8]) -> Vec<u8> {
    let (mut text, mut depth, mut escaped) = (Vec::new(), 0u32, false);
    for byte in stream {
        match byte {
            _ if escaped => {
                escaped = false;
                text.push(*byte);
            }
            b'\\' if depth > 0 => escaped = true,
            b'(' => {
                if depth > 0 {
                    text.push(*byte);
                }
                depth += 1;
            }
            b')' if depth > 0 => {
                depth -= 1;
                if depth > 0 {
                    text.push(*byte);
                }
            }
            _ if depth > 0 => text.push(*byte),
            _ => {}
        }
    }
    text
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn anchors_are_found_in_text_and_in_what_a_pdf_deflates() {
        let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        deflated.write_all(br"BT [(/si) -20 (g1/)] TJ (escaped \(here\)) Tj ET").unwrap();
        let stream = deflated.finish().unwrap();
        let pdf = [b"%PDF-1.7\n1 0 obj <<>> stream\r\n", &stream[..], b"\nendstream endobj\n%%EOF"].concat();
        for (document, anchor, strict, there) in [
            (&b"<p>Please sign: /sig1/</p>"[..], "/sig1/", true, true),
            (b"Please Sign Here", "please sign", false, true),
            (b"Please Sign Here", "please sign", true, false),
            (b"nothing", "/sig1/", false, false),
            (&pdf, "/sig1/", true, true),
            (&pdf, "escaped (here)", true, true),
            (&pdf, "/sig2/", true, false),
        ] {
            assert_eq!(contains(document, anchor, strict), there, "{anchor}");
        }
    }
}
