//! What an envelope gives out as files: its documents, the certificate, all in one PDF, all in a ZIP. Pure.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::clock::written;
use crate::envelope::{Document, Envelope, Stage, Status};
use crate::pdf;

/// Who signed, one line each.
fn signed(envelope: &Envelope) -> Vec<String> {
    let signed = envelope.recipients.iter().filter_map(|recipient| Some((recipient, recipient.signed?)));
    signed
        .map(|(recipient, at)| {
            format!(
                "Signed by {} <{}> at {} ({})",
                recipient.name(),
                recipient.email(),
                written(at),
                recipient.guid
            )
        })
        .collect()
}

pub fn document(envelope: &Envelope, document: &Document) -> Vec<u8> {
    pdf::document(&document.name, &document.bytes, &envelope.id, &signed(envelope))
}

/// The certificate of completion, which tells of every recipient.
pub fn certificate(envelope: &Envelope) -> Vec<u8> {
    let mut lines = vec![
        "Certificate Of Completion".to_owned(),
        String::new(),
        format!("Envelope Id: {}", envelope.id),
        format!("Status: {}", envelope.status.name()),
        format!("Subject: {}", envelope.subject),
        format!("Envelope Originator: {}", envelope.sender),
    ];
    lines.extend(
        envelope.documents.iter().map(|document| format!("Document {}: {}", document.id, document.name)),
    );
    lines.push(String::new());
    for recipient in &envelope.recipients {
        lines.push(format!("{} <{}>, {}", recipient.name(), recipient.email(), recipient.stage.name()));
        for (what, at) in
            [("Sent", recipient.sent), ("Viewed", recipient.delivered), ("Signed", recipient.signed)]
        {
            lines.extend(at.map(|at| format!("    {what}: {}", written(at))));
        }
        if recipient.stage == Stage::Declined {
            lines.push(format!("    Declined: {}", recipient.declined_reason.as_deref().unwrap_or_default()));
        }
    }
    lines.push(String::new());
    for status in [Status::Sent, Status::Delivered, Status::Completed, Status::Voided] {
        lines.extend(envelope.reached.get(&status).map(|at| format!("{}: {}", status.name(), written(*at))));
    }
    pdf::of_text("Certificate Of Completion", &lines, &[])
}

/// All documents in one PDF: each is in it as a file, whole.
pub fn combined(envelope: &Envelope, with_certificate: bool) -> Vec<u8> {
    let mut files: Vec<(String, Vec<u8>)> =
        envelope.documents.iter().map(|it| (file_name(it), document(envelope, it))).collect();
    if with_certificate {
        files.push(("Summary.pdf".into(), certificate(envelope)));
    }
    let mut lines =
        vec![format!("Docusign Envelope ID: {}", envelope.id), envelope.subject.clone(), String::new()];
    lines.extend(files.iter().map(|(name, bytes)| format!("{name}, {} bytes", bytes.len())));
    lines.push(String::new());
    lines.extend(signed(envelope));
    pdf::of_text(&envelope.subject, &lines, &files)
}

/// The same as a ZIP, with the certificate as `Summary.pdf`.
pub fn archive(envelope: &Envelope, with_certificate: bool) -> Result<Vec<u8>, zip::result::ZipError> {
    // No time in it: what did not change has the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut names: Vec<String> = Vec::new();
    for it in &envelope.documents {
        let mut name = file_name(it);
        if names.contains(&name) {
            name = format!("{}-{name}", it.id);
        }
        zip.start_file(&name, options)?;
        zip.write_all(&document(envelope, it))?;
        names.push(name);
    }
    if with_certificate {
        zip.start_file("Summary.pdf", options)?;
        zip.write_all(&certificate(envelope))?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The name of a document as that of a PDF, without a path.
pub fn file_name(document: &Document) -> String {
    let name = document.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{}.pdf", if stem.is_empty() { "document" } else { stem })
}
