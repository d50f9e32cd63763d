//! What cannot be said before the end of a file: whether an archive is a workbook or a text document and no
//! bomb, and whether Parquet and a PDF are whole.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::UploadError;
use super::format::{Format, Unknown, unknown};

/// The same bounds as those within which `jobs/journal` unpacks a workbook, so that nothing is taken that it refuses. Of one
/// part: a full sheet of a million long rows stays below it.
const LARGEST: u64 = 8 << 30;
/// Unpacked to packed: real sheets are at 10 to 60, a bomb at 1,000.
const HIGHEST_RATIO: u64 = 300;
/// Small parts may be all alike.
const SMALL: u64 = 16 << 20;
/// All of them together, where they are small.
const SMALL_TOGETHER: u64 = 256 << 20;
/// A workbook has a few for each sheet.
const MOST_PARTS: u64 = 10_000;

/// A workbook or a text document, by the part that every one of them has.
pub(super) fn office(file: &Path) -> Result<Format, UploadError> {
    let broken = |error: ZipError| match error {
        ZipError::Io(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => UploadError::from(cause),
        error => UploadError::Unknown(Unknown(format!("the file is a ZIP archive that is broken: {error}"))),
    };
    let refused = |what: &str| Err(UploadError::Unknown(unknown(what)));
    // Before the library reads them all into memory.
    if !has_few_parts(&mut File::open(file)?)? {
        return refused("the file is a ZIP archive that does not end as one of an office program does");
    }
    let mut archive = ZipArchive::new(BufReader::new(File::open(file)?)).map_err(broken)?;
    let (mut types, mut book, mut text) = (0, false, false);
    let (mut packed, mut unpacked) = (0_u64, 0_u64);
    for index in 0..archive.len() {
        let part = archive.by_index_raw(index).map_err(broken)?;
        let name = part.name().map_err(broken)?;
        book |= name == "xl/workbook.xml";
        text |= is_text(&name);
        // Spreadsheets look parts up in capitals or not.
        let plain = name.to_ascii_lowercase();
        types += u32::from(plain == TYPES.to_ascii_lowercase());
        if plain.ends_with("vbaproject.bin") || plain.contains("macrosheets/") {
            return refused(MACROS);
        }
        if plain.split(['/', '\\']).any(|step| step == "..") {
            return refused("the file is a ZIP archive with a part that lies outside of it");
        }
        if !matches!(part.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return refused(
                "the file is a ZIP archive that is packed in a way that no workbook and no DOCX is",
            );
        }
        let most = LARGEST.min(SMALL.max(part.compressed_size().saturating_mul(HIGHEST_RATIO)));
        packed = packed.saturating_add(part.compressed_size());
        unpacked = unpacked.saturating_add(part.size());
        if part.size() > most || unpacked > SMALL_TOGETHER.max(packed.saturating_mul(HIGHEST_RATIO)) {
            return refused(
                "the file is a ZIP archive that unpacks to far more than a workbook or a DOCX does",
            );
        }
    }
    // Of two, whoever scans it and whoever opens it might read another.
    if types > 1 {
        return refused("the file is a ZIP archive that says twice what is in it; save it anew");
    }
    let format = match (types == 1, book, text) {
        (true, true, false) => Format::Xlsx,
        (true, false, true) => Format::Docx,
        // Whoever scans it and whoever opens it might take it for different things.
        (true, true, true) => return refused("the file is a workbook and a DOCX at once; save it anew"),
        _ => return refused("the file is a ZIP archive and no workbook and no DOCX; hand in what is in it"),
    };
    // A part may be called anything; what it is stands there.
    match types_of(&mut archive).map_err(broken)? {
        Types::Plain => Ok(format),
        Types::Macros => refused(MACROS),
        Types::Hidden => {
            refused("the file says what is in it in a way that no office program does; save it anew")
        }
    }
}

/// The part with the text; some programs on the web number it.
fn is_text(name: &str) -> bool {
    let number = name.strip_prefix("word/document").and_then(|rest| rest.strip_suffix(".xml"));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

const MACROS: &str = "the file has macros; save it as XLSX or DOCX";
const TYPES: &str = "[Content_Types].xml";
/// A line for each part.
const LONGEST_TYPES: u64 = 4 << 20;

enum Types {
    Plain,
    Macros,
    /// Longer than is looked at, or with letters written as numbers, behind which anything may stand.
    Hidden,
}

fn types_of(archive: &mut ZipArchive<BufReader<File>>) -> Result<Types, ZipError> {
    let mut types = Vec::new();
    archive.by_name(TYPES)?.take(LONGEST_TYPES + 1).read_to_end(&mut types)?;
    let is_long = types.len() as u64 > LONGEST_TYPES;
    // In UTF-16 a letter is followed or led by a zero.
    types.retain(|byte| *byte != 0);
    let types = String::from_utf8_lossy(&types).to_ascii_lowercase();
    let has_macros = ["macroenabled", "vbaproject", "macrosheet"].iter().any(|word| types.contains(word));
    Ok(match (has_macros, is_long || types.contains("&#") || types.contains("<!doctype")) {
        (true, _) => Types::Macros,
        (false, true) => Types::Hidden,
        (false, false) => Types::Plain,
    })
}

/// The end of an archive without a comment: of how many parts, how long their list is and where it begins.
const END: usize = 22;
/// Where the end of a large one is, for which those numbers are too small; some programs always write it.
const LOCATOR: usize = 20;
const LARGE_END: usize = 56;

fn has_few_parts(file: &mut File) -> io::Result<bool> {
    let bytes = file.seek(SeekFrom::End(0))?;
    let mut tail = [0; LARGE_END + LOCATOR + END];
    let begin = bytes.saturating_sub(tail.len() as u64);
    file.seek(SeekFrom::Start(begin))?;
    let short = tail.len() - usize::try_from(bytes - begin).unwrap_or(0);
    file.read_exact(&mut tail[short..])?;
    let (before, end) = tail.split_at(LARGE_END + LOCATOR);
    let (large, locator) = before.split_at(LARGE_END);
    if !end.starts_with(b"PK\x05\x06") || number(end, 20, 2) != 0 {
        return Ok(false);
    }
    // The list ends where the end begins, or the library would look for another end.
    let (parts, list_ends, end_begins) = match locator.starts_with(b"PK\x06\x07") {
        true if large.starts_with(b"PK\x06\x06") => {
            let list_ends = number(large, 40, 8).saturating_add(number(large, 48, 8));
            (number(large, 32, 8), list_ends, number(locator, 8, 8))
        }
        true => return Ok(false),
        false => (number(end, 10, 2), number(end, 12, 4) + number(end, 16, 4), bytes - END as u64),
    };
    Ok(parts <= MOST_PARTS && list_ends == end_begins)
}

/// The lowest byte first.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

const MARK: &[u8] = b"PAR1";

/// `PAR1` at both ends, and before the last of them how long what it says of itself is.
pub(super) fn parquet(file: &Path, bytes: u64) -> Result<(), UploadError> {
    let refused = Err(UploadError::Unknown(unknown("the file begins like Parquet and is not whole")));
    if bytes < 12 {
        return refused;
    }
    let mut file = File::open(file)?;
    file.seek(SeekFrom::End(-8))?;
    let mut end = [0; 8];
    file.read_exact(&mut end)?;
    let [a, b, c, d, mark @ ..] = end;
    match mark == MARK && u64::from(u32::from_le_bytes([a, b, c, d])) <= bytes - 12 {
        true => Ok(()),
        false => refused,
    }
}

/// So far from the end readers look for the mark.
const PDF_TAIL: u64 = 1_024;
const PDF_END: &[u8] = b"%%EOF";

/// How it begins was seen. Whether it has a password is for whoever opens it to say.
pub(super) fn pdf(file: &Path, bytes: u64) -> Result<(), UploadError> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(bytes.saturating_sub(PDF_TAIL)))?;
    let mut tail = Vec::new();
    file.take(PDF_TAIL).read_to_end(&mut tail)?;
    match tail.windows(PDF_END.len()).any(|some| some == PDF_END) {
        true => Ok(()),
        false => Err(UploadError::Unknown(unknown("the file begins like a PDF and is not whole"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(parts: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(file.reopen().unwrap());
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in parts {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    fn told(result: Result<(), UploadError>) -> String {
        result.map_or_else(|error| error.to_string(), |()| "taken".into())
    }

    fn office(file: &Path) -> String {
        super::office(file)
            .map_or_else(|error| error.to_string(), |format| format!("taken as {}", format.name()))
    }

    #[test]
    fn an_archive_is_taken_when_it_is_of_an_office_program_without_macros_and_no_bomb() {
        let types = ("[Content_Types].xml", &b"<Types/>"[..]);
        let book = ("xl/workbook.xml", &b"<workbook/>"[..]);
        let text = ("word/document.xml", &b"<w:document/>"[..]);
        let bomb = vec![0; 64 << 20];
        let many: Vec<_> = (0..10_001).map(|part| format!("xl/{part}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
        // Each of them is small.
        let bombs: Vec<_> = (0..40).map(|part| format!("word/{part}")).collect();
        let each = |name| (name, &bomb[..15 << 20]);
        let bombs: Vec<_> =
            [types, text].into_iter().chain(bombs.iter().map(|name| each(name.as_str()))).collect();
        let long = [&b"<Types"[..], &vec![b' '; 5 << 20], b" macroEnabled/>"].concat();
        for (parts, says) in [
            (&[types, book][..], "taken as xlsx"),
            (&[types, book, ("xl/sheet1.xml", &bomb[..1 << 20])], "taken as xlsx"),
            (&[types, text], "taken as docx"),
            (&[types, text, ("word/embeddings/book.xlsx", b"PK")], "taken as docx"),
            (&[types, ("word/document2.xml", b"<w:document/>")], "taken as docx"),
            (&[types, ("word/documents.xml", b"<w:document/>")], "no workbook and no DOCX"),
            (
                &[("[Content_Types].xml", b"<Types macro&#69;nabled/>"), text],
                "in a way that no office program",
            ),
            (&[("[Content_Types].xml", &long), text], "in a way that no office program"),
            (&[types, ("[content_types].xml", b"<Types macroEnabled.main+xml/>"), text], "says twice"),
            (&bombs, "far more"),
            (&[types, text, book], "at once"),
            (&[text], "no workbook and no DOCX"),
            (&[types, text, ("word/vbaProject.bin", b"x")], "macros"),
            (&[("[Content_Types].xml", b"<Types macroEnabledTemplate.main+xml/>"), text], "macros"),
            (&[types, text, ("word/document.xml.rels", &bomb)], "far more"),
            (&[types], "no workbook"),
            (&[book, ("a.exe", b"MZ")], "no workbook"),
            (&[types, book, ("xl/vbaProject.bin", b"x")], "macros"),
            (&[types, book, ("xl/VBAPROJECT.bin", b"x")], "macros"),
            (&[types, book, ("xl/macrosheets/sheet1.xml", b"x")], "macros"),
            (&[("[Content_Types].xml", b"<Types macroEnabled.main+xml/>"), book], "macros"),
            (&[("[Content_Types].xml", b"<\0v\0b\0a\0P\0r\0o\0j\0e\0c\0t\0"), book], "macros"),
            (&[types, book, ("../../etc/passwd", b"x")], "outside"),
            (&[types, book, ("xl/sheet1.xml", &bomb)], "far more"),
            (&many, "does not end as"),
        ] {
            let told = office(archive(parts).path());
            assert!(told.contains(says), "{told}");
        }
        let whole = std::fs::read(archive(&[types, book]).path()).unwrap();
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(cut.path(), &whole[..whole.len() - 10]).unwrap();
        assert!(office(cut.path()).contains("does not end as"));
        // As programs write it that always take the form for large ones.
        let at = whole.len() - END;
        let (begin, end) = whole.split_at(at);
        let large = |parts: u64| {
            let (size, offset) = (number(end, 12, 4), number(end, 16, 4));
            let record =
                [44, u64::from(45u16) << 16 | 45, 0, parts, parts, size, offset].map(u64::to_le_bytes);
            // Versions and numbers of disks are 12 bytes in two of these.
            let mut record: Vec<u8> = record.concat();
            record.truncate(56);
            let record =
                [&b"PK\x06\x06"[..], &record[..8], &[45, 0, 45, 0], &[0; 8], &record[24..56]].concat();
            assert_eq!(record.len(), LARGE_END);
            let locator =
                [&b"PK\x06\x07"[..], &[0; 4], &(at as u64).to_le_bytes(), &1u32.to_le_bytes()].concat();
            [begin, &record, &locator, end].concat()
        };
        std::fs::write(cut.path(), large(2)).unwrap();
        assert_eq!(office(cut.path()), "taken as xlsx");
        std::fs::write(cut.path(), large(10_001)).unwrap();
        assert!(office(cut.path()).contains("does not end as"));
        // The list is torn, and its end is whole.
        let mut torn = whole;
        let list = torn.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        torn[list] = 0;
        std::fs::write(cut.path(), torn).unwrap();
        assert!(office(cut.path()).contains("broken"));
    }

    #[test]
    fn parquet_is_whole_when_both_ends_say_so() {
        for (bytes, says) in [
            (&b"PAR1xxxx\x04\0\0\0PAR1"[..], "taken"),
            (b"PAR1xxxx\x05\0\0\0PAR1", "not whole"),
            (b"PAR1xxxx\x04\0\0\0PAR", "not whole"),
            (b"PAR1", "not whole"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            let told = told(parquet(file.path(), bytes.len() as u64));
            assert!(told.contains(says), "{told} {bytes:?}");
        }
    }

    #[test]
    fn a_pdf_is_whole_when_its_end_is_near_its_end() {
        let after = |blanks: usize| [b"%PDF-1.7\n%%EOF".to_vec(), vec![b' '; blanks]].concat();
        for (bytes, says) in [
            (b"%PDF-1.7\n1 0 obj\n%%EOF\n".to_vec(), "taken"),
            (after(1_019), "taken"),
            (after(1_020), "not whole"),
            (b"%PDF-1.7\n1 0 obj\n".to_vec(), "not whole"),
            (b"%PDF-1.7\n%%EO".to_vec(), "not whole"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let told = told(pdf(file.path(), bytes.len() as u64));
            assert!(told.contains(says), "{told} {} bytes", bytes.len());
        }
    }
}
