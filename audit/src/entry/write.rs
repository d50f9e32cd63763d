//! Writes the line of an entry. A batch names ten thousand jobs, so nothing here allocates but the line.

use jiff::fmt::temporal::DateTimePrinter;

use super::{Entry, stands_verbatim};

const AT: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

pub(super) fn line(entry: &Entry, out: &mut Vec<u8>) {
    out.extend(br#"{"v":1"#);
    if let Some((era, tx)) = entry.place {
        number("era", u64::from(era), out);
        number("tx", tx, out);
    }
    key("seq", out);
    if entry.seq < 0 {
        out.push(b'-');
    }
    digits(entry.seq.unsigned_abs(), out);
    key("at", out);
    out.push(b'"');
    // Writing to memory does not fail.
    let _ = AT.print_timestamp(&entry.at, &mut *out);
    out.push(b'"');
    for (name, text) in [
        ("actor", Some(&entry.actor)),
        ("action", Some(&entry.action)),
        ("object", Some(&entry.object)),
        ("outcome", Some(&entry.outcome)),
        ("tenant", entry.tenant.as_ref()),
        ("request", entry.request.as_ref()),
        ("source", entry.source.as_ref()),
    ] {
        if let Some(text) = text {
            key(name, out);
            string(text, out);
        }
    }
    if let Some(jobs) = &entry.jobs {
        key("jobs", out);
        ids(jobs, out);
    }
    match &entry.details {
        Some(details) if stands_verbatim(details) => {
            key("details", out);
            out.extend(details.as_bytes());
        }
        Some(text) => {
            key("details_text", out);
            string(text, out);
        }
        None => {}
    }
    out.push(b'}');
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.extend(b",\"");
    out.extend(name.as_bytes());
    out.extend(b"\":");
}

fn number(name: &str, value: u64, out: &mut Vec<u8>) {
    key(name, out);
    digits(value, out);
}

fn digits(mut value: u64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut from = text.len();
    loop {
        from -= 1;
        text[from] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend(&text[from..]);
}

fn ids(jobs: &[uuid::Uuid], out: &mut Vec<u8>) {
    out.reserve(jobs.len() * 39 + 2);
    out.push(b'[');
    let mut one = *b"\"00000000-0000-0000-0000-000000000000\",";
    for job in jobs {
        job.hyphenated().encode_lower(&mut one[1..]);
        out.extend(&one);
    }
    if !jobs.is_empty() {
        out.pop();
    }
    out.push(b']');
}

/// Only what must be escaped is, in the shortest way that JSON has.
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| must_be_escaped(*byte)) {
        out.extend(&rest[..at]);
        escape(rest[at], out);
        rest = &rest[at + 1..];
    }
    out.extend(rest);
    out.push(b'"');
}

fn must_be_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend([b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend([b'\\', short]);
}
