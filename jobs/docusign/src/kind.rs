//! What a document is by its bytes: DocuSign believes its name, and turns what is something else into pages of nonsense or refuses the envelope
//! when it is out. Pure.

use std::io::Cursor;

use zip::ZipArchive;

/// What DocuSign takes and shows as pages, by how its name ends.
pub const ENDINGS: [&str; 12] =
    ["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "rtf", "txt", "htm", "html", "png"];

/// How files begin that begin in one way only, what they are, and which names are no lie.
const HEADS: [(&[u8], &str, &[&str]); 7] = [
    (b"%PDF-", "a PDF", &["pdf"]),
    (b"\x89PNG", "a PNG", &["png"]),
    (b"{\\rtf", "RTF", &["rtf", "doc"]),
    // Programs call a new workbook by the old name.
    (b"PK\x03\x04", "a ZIP archive", &["docx", "xlsx", "pptx", "xls"]),
    // With a password the new ones are wrapped in the old form; DocuSign says so itself.
    (
        b"\xd0\xcf\x11\xe0",
        "a file of an office program of before 2007",
        &["doc", "xls", "ppt", "docx", "xlsx", "pptx"],
    ),
    (b"PAR1", "Parquet", &[]),
    (b"\x1f\x8b", "packed with gzip", &[]),
];
/// Everything else is text, or nothing that DocuSign takes. Programs write HTML and call it a workbook.
const TEXTS: [&str; 5] = ["txt", "htm", "html", "doc", "xls"];
/// Where the parts lie of those that are ZIP archives.
const PARTS: [(&str, &str); 3] = [("docx", "word/"), ("xlsx", "xl/"), ("pptx", "ppt/")];

/// Says what it is instead.
pub fn fits(ending: &str, bytes: &[u8]) -> Result<(), String> {
    let lie = |is: &str| Err(format!("it is no {}, as its name says, but {is}", ending.to_uppercase()));
    match HEADS.iter().find(|(head, ..)| bytes.starts_with(head)) {
        // Readers forgive what stands before the head, such as a blank line or what a mail program put there.
        None if ending == "pdf" && has_pdf_head(bytes) => Ok(()),
        Some((_, what, endings)) if !endings.contains(&ending) => lie(what),
        Some((b"PK\x03\x04", ..)) => match parts(bytes) {
            Some(own) if own == ending || (own, ending) == ("xlsx", "xls") => Ok(()),
            Some(other) => lie(&other.to_uppercase()),
            None => lie("another ZIP archive, or a broken one"),
        },
        Some(_) => Ok(()),
        None if !TEXTS.contains(&ending) => lie("something else"),
        None if is_text(bytes) => Ok(()),
        None => lie("neither text nor anything that DocuSign takes"),
    }
}

/// Where all readers look for it.
fn has_pdf_head(bytes: &[u8]) -> bool {
    const WITHIN: usize = 1_024;
    bytes[..bytes.len().min(WITHIN)].windows(5).any(|head| head == b"%PDF-")
}

/// Which of the three an archive is.
fn parts(bytes: &[u8]) -> Option<&'static str> {
    let archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    PARTS
        .iter()
        .find(|(_, folder)| archive.file_names().any(|name| name.is_ok_and(|name| name.starts_with(folder))))
        .map(|(ending, _)| *ending)
}

/// Text has no zeros, unless its letters have two bytes and it says so.
fn is_text(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || !bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(part: &str) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["[Content_Types].xml", part] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(b"<x/>").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_document_is_what_its_name_says_or_the_refusal_says_what_it_is() {
        let old = b"\xd0\xcf\x11\xe0\xa1\xb1".to_vec();
        for (ending, bytes, says) in [
            ("pdf", b"%PDF-1.7\n".to_vec(), ""),
            ("pdf", b"\r\n%PDF-1.7\n".to_vec(), ""),
            ("pdf", [&[b' '; 1_019][..], b"%PDF-"].concat(), ""),
            ("pdf", [&[b' '; 1_020][..], b"%PDF-"].concat(), "something else"),
            ("png", b"\x89PNG\r\n".to_vec(), ""),
            ("docx", archive("word/document.xml"), ""),
            // As some programs on the web call the part.
            ("docx", archive("word/document2.xml"), ""),
            ("xlsx", archive("xl/workbook.xml"), ""),
            ("pptx", archive("ppt/presentation.xml"), ""),
            ("xls", archive("xl/workbook.xml"), ""),
            ("xls", archive("word/document.xml"), "no XLS, as its name says, but DOCX"),
            ("docx", old.clone(), ""),
            ("doc", old.clone(), ""),
            ("doc", b"{\\rtf1 a}".to_vec(), ""),
            ("xls", b"<table></table>".to_vec(), ""),
            ("txt", b"caf\xe9".to_vec(), ""),
            ("txt", b"\xff\xfea\0".to_vec(), ""),
            ("html", b"<p>".to_vec(), ""),
            ("pdf", b"{\"entry\":1}".to_vec(), "no PDF, as its name says, but something else"),
            ("pdf", b"PAR1xxxxPAR1".to_vec(), "no PDF, as its name says, but Parquet"),
            ("txt", b"PAR1xxxxPAR1".to_vec(), "Parquet"),
            ("pdf", archive("word/document.xml"), "a ZIP archive"),
            ("docx", archive("xl/workbook.xml"), "no DOCX, as its name says, but XLSX"),
            ("docx", archive("a.txt"), "another ZIP archive"),
            ("docx", b"PK\x03\x04".to_vec(), "a broken one"),
            ("docx", b"%PDF-1.7\n".to_vec(), "a PDF"),
            ("pdf", old, "before 2007"),
            ("html", b"%PDF-1.7\n".to_vec(), "a PDF"),
            ("txt", b"MZ\x90\0".to_vec(), "neither text"),
            ("png", b"\xff\xd8\xff".to_vec(), "something else"),
        ] {
            match fits(ending, &bytes) {
                Ok(()) => assert_eq!(says, "", "{ending} {}", String::from_utf8_lossy(&bytes)),
                Err(told) => assert!(!says.is_empty() && told.contains(says), "{ending}: {told}"),
            }
        }
    }
}
