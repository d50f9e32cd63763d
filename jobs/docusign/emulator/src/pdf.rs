//! PDFs that every reader opens: documents as they are given out, the certificate, and all of them in one. Pure, and
//! the same bytes for the same envelope in the same state, so that hashes can be compared.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 50.0;
const LEADING: f32 = 13.0;
const LINES: usize = 56;
const COLUMNS: usize = 92;

/// Pages of text, and files within it.
pub fn of_text(title: &str, lines: &[String], files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let lines: Vec<String> = lines.iter().flat_map(|line| wrapped(line)).collect();
    let pages: Vec<&[String]> = match lines.is_empty() {
        true => vec![&[]],
        false => lines.chunks(LINES).collect(),
    };
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, font, info) = (fresh(), fresh(), fresh(), fresh());
    let places: Vec<(Ref, Ref)> = pages.iter().map(|_| (fresh(), fresh())).collect();
    let holders: Vec<(Ref, Ref)> = files.iter().map(|_| (fresh(), fresh())).collect();
    let mut pdf = Pdf::new();
    let mut root = pdf.catalog(catalog);
    root.pages(tree);
    if !files.is_empty() {
        let mut names = root.names();
        let mut embedded = names.embedded_files();
        let mut entries = embedded.names();
        for ((name, _), (spec, _)) in files.iter().zip(&holders) {
            entries.insert(Str(name.as_bytes()), *spec);
        }
    }
    root.finish();
    pdf.document_info(info).title(TextStr(title)).producer(TextStr("docusign-emulator"));
    pdf.pages(tree).kids(places.iter().map(|(page, _)| *page)).count(places.len() as i32);
    pdf.type1_font(font).base_font(Name(b"Courier"));
    for (lines, (page, content)) in pages.iter().zip(&places) {
        let mut it = pdf.page(*page);
        it.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(*content);
        it.resources().fonts().pair(Name(b"F"), font);
        it.finish();
        pdf.stream(*content, &page_of(lines));
    }
    for ((name, bytes), (spec, stream)) in files.iter().zip(&holders) {
        pdf.file_spec(*spec).path(Str(name.as_bytes())).embedded_file(*stream);
        pdf.embedded_file(*stream, bytes).subtype(Name(b"application/pdf"));
    }
    pdf.finish()
}

fn page_of(lines: &[String]) -> Vec<u8> {
    let mut content = Content::new();
    content.begin_text().set_font(Name(b"F"), 9.0).set_leading(LEADING).next_line(MARGIN, HEIGHT - MARGIN);
    for line in lines {
        // The letters of this font are those of Latin-1.
        let latin: Vec<u8> = line.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
        content.show(Str(&latin)).next_line_using_leading();
    }
    content.end_text();
    content.finish().to_vec()
}

fn wrapped(line: &str) -> Vec<String> {
    let line: Vec<char> = line.chars().filter(|c| !c.is_control()).collect();
    match line.is_empty() {
        true => vec![String::new()],
        false => line.chunks(COLUMNS).map(|part| part.iter().collect()).collect(),
    }
}

/// A document as the envelope gives it out: what was handed in, and below it who signed.
///
/// A PDF stays what it was, byte for byte, and grows at its end, as a PDF does that is changed in place; text becomes
/// pages. What is neither is carried inside a PDF.
pub fn document(name: &str, bytes: &[u8], envelope: &str, signed: &[String]) -> Vec<u8> {
    if bytes.starts_with(b"%PDF") {
        if signed.is_empty() {
            return bytes.to_vec();
        }
        if let Some(grown) = grown(bytes, envelope, signed) {
            return grown;
        }
    }
    let head = format!("Docusign Envelope ID: {envelope}");
    let text = std::str::from_utf8(bytes).ok().filter(|_| !bytes.starts_with(b"%PDF"));
    let mut lines = vec![head, String::new()];
    let files = match text {
        Some(text) => {
            lines.extend(text.lines().map(str::to_owned));
            Vec::new()
        }
        None => {
            lines.push(format!("{name} is in this file."));
            vec![(name.to_owned(), bytes.to_vec())]
        }
    };
    lines.push(String::new());
    lines.extend(signed.iter().cloned());
    of_text(name, &lines, &files)
}

/// A PDF with one more object: its properties say who signed.
fn grown(bytes: &[u8], envelope: &str, signed: &[String]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let last = |key: &str| text.rfind(key).map(|at| text[at + key.len()..].trim_start());
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let before: usize = digits(last("startxref")?).parse().ok()?;
    let number: u32 = digits(last("/Size")?).parse().ok()?;
    let root = last("/Root")?;
    let (object, rest) = root.split_once(' ')?;
    let object: u32 = object.parse().ok()?;
    let generation = digits(rest);
    let escape = |text: &str| -> String {
        let text = text.chars().filter(|c| c.is_ascii() && !c.is_control());
        text.flat_map(|c| if "()\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
    };
    let mut grown = bytes.to_vec();
    if !grown.ends_with(b"\n") {
        grown.push(b'\n');
    }
    let at = grown.len();
    let (keywords, subject) =
        (escape(&signed.join("; ")), escape(&format!("Docusign Envelope ID: {envelope}")));
    let object_text = format!("{number} 0 obj\n<< /Subject ({subject}) /Keywords ({keywords}) >>\nendobj\n");
    let table = grown.len() + object_text.len();
    let size = number + 1;
    grown.extend_from_slice(object_text.as_bytes());
    grown.extend_from_slice(
        format!(
            "xref\n{number} 1\n{at:010} 00000 n \ntrailer\n<< /Size {size} /Root {object} {generation} R /Info {number} \
             0 R /Prev {before} >>\nstartxref\n{table}\n%%EOF\n"
        )
        .as_bytes(),
    );
    Some(grown)
}

#[cfg(test)]
mod tests;
