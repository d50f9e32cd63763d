//! `multipart/form-data` as DocuSign takes it: a part of JSON, and a part for each file, which says its `documentid`.
//! Pure.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::check::{File, Files};

struct Part<'a> {
    disposition: String,
    kind: String,
    body: &'a [u8],
}

/// The JSON, and the files by the id of their document.
pub fn read(content_type: &str, body: &[u8]) -> Result<(Map<String, Value>, Files), String> {
    let (mut said, mut files) = (None, Files::new());
    for part in parts(content_type, body)? {
        match parameter(&part.disposition, "documentid") {
            Some(id) => {
                let name = parameter(&part.disposition, "filename").unwrap_or_default();
                let bytes = Bytes::copy_from_slice(part.body);
                if files.insert(id.clone(), File { name, bytes }).is_some() {
                    return Err(format!("there are two parts with the documentid {id}"));
                }
            }
            None if said.is_none() && part.kind.starts_with("application/json") => {
                let json = serde_json::from_slice(part.body);
                said = Some(json.map_err(|error| format!("the part of JSON cannot be read: {error}"))?);
            }
            None => return Err("there is a part that is neither the JSON nor has a documentid".into()),
        }
    }
    Ok((said.ok_or("there is no part of application/json")?, files))
}

/// The JSON alone, for the record.
pub fn json_part(content_type: &str, body: &[u8]) -> Value {
    read(content_type, body).map_or(Value::Null, |(said, _)| Value::Object(said))
}

fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, String> {
    let boundary = parameter(content_type, "boundary").ok_or("the Content-Type has no boundary")?;
    let mark = format!("--{boundary}").into_bytes();
    let (mut found, mut rest) = (Vec::new(), body);
    let first = find(rest, &mark).ok_or("the boundary is not in the body")?;
    rest = &rest[first + mark.len()..];
    loop {
        if rest.starts_with(b"--") {
            return Ok(found);
        }
        let end = find(rest, &[b"\r\n", &mark[..]].concat()).ok_or("the last part does not end")?;
        found.push(part(&rest[..end])?);
        rest = &rest[end + 2 + mark.len()..];
    }
}

fn part(text: &[u8]) -> Result<Part<'_>, String> {
    let blank = find(text, b"\r\n\r\n").ok_or("a part has no empty line after its headers")?;
    let mut part = Part { disposition: String::new(), kind: String::new(), body: &text[blank + 4..] };
    for line in String::from_utf8_lossy(&text[..blank]).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => part.disposition = value.trim().into(),
            "content-type" => part.kind = value.trim().to_ascii_lowercase(),
            _ => {}
        }
    }
    Ok(part)
}

/// A parameter of a header, in quotes or without.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut quoted = false;
    // A file's name may have a semicolon in it.
    let parts = header.split(|c: char| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let mut parameters = parts.skip(1).filter_map(|one| one.trim().split_once('='));
    let (_, value) = parameters.find(|(found, _)| found.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=hereitis";

    fn body(parts: &[(&str, &str)]) -> String {
        let parts: String =
            parts.iter().map(|(head, body)| format!("--hereitis\r\n{head}\r\n\r\n{body}\r\n")).collect();
        format!("{parts}--hereitis--\r\n")
    }

    #[test]
    fn the_json_and_the_files_are_told_apart() {
        let json =
            ("Content-Type: application/json\r\nContent-Disposition: form-data", r#"{"status": "sent"}"#);
        let file = (
            "Content-Type: text/html\r\nContent-Disposition: file; filename=\"a; b.html\";documentid=2",
            "<p>--hereitis is not the end</p>\r\n",
        );
        let (said, files) = read(KIND, body(&[json, file]).as_bytes()).unwrap();
        assert_eq!(said["status"], "sent");
        assert_eq!(files["2"].name, "a; b.html");
        assert_eq!(&files["2"].bytes[..], b"<p>--hereitis is not the end</p>\r\n");
        for (kind, parts, named) in [
            ("multipart/form-data", vec![json], "boundary"),
            (KIND, vec![file], "application/json"),
            (KIND, vec![json, json], "neither"),
            (KIND, vec![json, file, file], "documentid 2"),
        ] {
            let refused = read(kind, body(&parts).as_bytes()).unwrap_err();
            assert!(refused.contains(named), "{refused}");
        }
        assert!(read(KIND, b"--hereitis\r\n").is_err());
    }
}
