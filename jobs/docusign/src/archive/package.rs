//! What comes as the archive of an envelope: a ZIP with each document and the certificate. A download that ended early, or a file in it that did, is not whole.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zip::ZipArchive;

use crate::envelope::ArchivedKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// One that no folder of ours, and no other part, has.
    pub name: String,
    pub kind: ArchivedKind,
    pub bytes: Vec<u8>,
}

/// An envelope has no more.
const MOST_PARTS: usize = 1_000;
/// And is no larger, unpacked: a small file can claim to hold a large one.
const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const LONGEST_NAME: usize = 150;

/// All parts, whole, or what is the matter, as a code: so many documents, and the certificate.
pub fn open(file: &Path, documents: Option<usize>) -> Result<Vec<Part>, &'static str> {
    let file = File::open(file).map_err(|_| "the_archive_cannot_be_read")?;
    let mut archive = ZipArchive::new(file).map_err(|_| "the_archive_is_not_whole")?;
    if archive.is_empty() || archive.len() > MOST_PARTS {
        return Err("the_archive_has_no_documents_or_too_many");
    }
    let (mut found, mut room) = (Vec::new(), MOST_BYTES);
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|_| "the_archive_is_not_whole")?;
        let given = part.name().map_err(|_| "the_archive_is_not_whole")?.into_owned();
        let size = part.size();
        if part.is_dir() {
            continue;
        }
        room = room.checked_sub(size).ok_or("the_archive_is_larger_than_2_gib")?;
        let mut bytes = Vec::new();
        // Reading to the end compares the checksum.
        part.take(size + 1).read_to_end(&mut bytes).map_err(|_| "a_document_is_not_whole")?;
        if bytes.len() as u64 != size || !is_whole(&given, &bytes) {
            return Err("a_document_is_not_whole");
        }
        found.push((given, bytes));
    }
    let certificate = certificate(&found).ok_or("the_archive_has_no_certificate")?;
    if documents.is_some_and(|documents| found.len() != documents + 1) || found.len() < 2 {
        return Err("the_archive_has_other_documents_than_were_sent");
    }
    let mut names = BTreeSet::new();
    let part = |(index, (given, bytes)): (usize, (String, Vec<u8>))| {
        let kind = if index == certificate { ArchivedKind::Certificate } else { ArchivedKind::Document };
        Part { name: own_name(&given, kind, index, &mut names), kind, bytes }
    };
    Ok(found.into_iter().enumerate().map(part).collect())
}

fn is_whole(name: &str, bytes: &[u8]) -> bool {
    if !name.to_lowercase().ends_with(".pdf") {
        return !bytes.is_empty();
    }
    // What stands behind the end mark is little: line ends, as a rule.
    let end = bytes.len().saturating_sub(1_024);
    bytes.starts_with(b"%PDF-") && bytes[end..].windows(5).any(|window| window == b"%%EOF")
}

/// DocuSign calls it Summary.pdf and puts it last; where languages differ, by its word. A document may be called alike.
fn certificate(found: &[(String, Vec<u8>)]) -> Option<usize> {
    let base = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
    let last = |is: &dyn Fn(&str) -> bool| found.iter().rposition(|(name, _)| is(&base(name)));
    last(&|name| name == "summary.pdf")
        .or_else(|| last(&|name| name.starts_with("certificate") || name.starts_with("summary")))
}

/// A name from outside never names a place: what could is replaced.
fn own_name(given: &str, kind: ArchivedKind, index: usize, taken: &mut BTreeSet<String>) -> String {
    let base = given.rsplit(['/', '\\']).next().unwrap_or(given);
    let plain = |letter: char| if letter.is_alphanumeric() || "-_. ".contains(letter) { letter } else { '_' };
    let mut base: String = base.chars().map(plain).collect();
    while base.len() > LONGEST_NAME {
        base.remove(0);
    }
    let base = base.trim_matches(['.', ' ']);
    let name = match kind {
        ArchivedKind::Certificate => "certificate.pdf".to_owned(),
        _ if base.is_empty() => format!("document-{index}"),
        _ => format!("{:03}-{base}", index + 1),
    };
    let name = if taken.contains(&name) { format!("{index}-{name}") } else { name };
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests;
