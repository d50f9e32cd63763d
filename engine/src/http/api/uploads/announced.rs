//! What the headers of an upload say: how the file is called, and which SHA-256 it has. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Longer ones no file system has.
const LONGEST_NAME: usize = 255;

/// The name in a `Content-Disposition` (RFC 6266): `filename*` goes before `filename`. Of a path its last part. None when there
/// is none.
pub fn file_name(header: &[u8]) -> Result<Option<String>, &'static str> {
    let text = std::str::from_utf8(header).map_err(|_| "is not UTF-8; write filename*=UTF-8''NAME")?;
    let mut plain = None;
    for parameter in parameters(text) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = value.split_once("''").filter(|(set, _)| set.eq_ignore_ascii_case("utf-8"));
                let decoded = encoded.and_then(|(_, encoded)| decoded(encoded));
                return named(&decoded.ok_or("has a filename* that is not UTF-8''NAME, percent-encoded")?)
                    .map(Some);
            }
            "filename" => plain = Some(unquoted(value)),
            _ => {}
        }
    }
    plain.map(|name| named(&name)).transpose()
}

/// At the semicolons that stand in no quotes.
fn parameters(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unquoted(value: &str) -> String {
    let Some(inside) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut plain = String::new();
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    plain
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?].map(char::from).map(|digit| digit.to_digit(16));
                let [Some(high), Some(low)] = digits else { return None };
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

pub fn named(text: &str) -> Result<String, &'static str> {
    let name = text.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    match name {
        "" => Err("has a filename that is empty; name the file, or leave it out"),
        name if name.len() > LONGEST_NAME => Err("has a filename of more than 255 bytes"),
        name if name.chars().any(char::is_control) => Err("has a filename with a control character in it"),
        name => Ok(name.into()),
    }
}

/// The SHA-256 in a `Content-Digest` (RFC 9530), `sha-256=:BASE64:`. Others in the list are passed over; one that has none
/// that we know is refused, since whoever sends it counts on it.
pub fn digest(header: &[u8]) -> Result<[u8; 32], &'static str> {
    const EXPECTED: &str = "has no sha-256=:BASE64: in it, of 32 bytes";
    let text = std::str::from_utf8(header).map_err(|_| EXPECTED)?;
    let sum = text.split(',').find_map(|one| one.trim().strip_prefix("sha-256="));
    let inside = sum.and_then(|sum| sum.trim().strip_prefix(':')?.strip_suffix(':'));
    let bytes = inside.and_then(|inside| STANDARD.decode(inside).ok());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_what_was_said_and_never_a_path() {
        for (header, name) in [
            ("attachment; filename=GL.csv", Ok(Some("GL.csv"))),
            (r#"attachment; filename="a; b.csv""#, Ok(Some("a; b.csv"))),
            (r#"attachment; filename="a\"b.csv""#, Ok(Some(r#"a"b.csv"#))),
            ("attachment; filename=x.csv; filename*=UTF-8''B%C3%BCcher.csv", Ok(Some("Bücher.csv"))),
            ("attachment; filename*=utf-8''..%2F..%2Fetc%2Fpasswd", Ok(Some("passwd"))),
            ("attachment; filename=../../etc/passwd", Ok(Some("passwd"))),
            (r"attachment; filename=C:\fakepath\GL.csv", Ok(Some("GL.csv"))),
            ("attachment", Ok(None)),
            ("", Ok(None)),
            ("attachment; filename=\"\"", Err(())),
            ("attachment; filename=/", Err(())),
            ("attachment; filename*=UTF-8''a%00b", Err(())),
            ("attachment; filename*=UTF-8''%ff", Err(())),
            ("attachment; filename*=UTF-8''%4", Err(())),
            ("attachment; filename*=latin1''a", Err(())),
        ] {
            let found = file_name(header.as_bytes());
            assert_eq!(found.as_ref().map(Option::as_deref).map_err(|_| ()), name, "{header}");
        }
        assert!(file_name(format!("a; filename={}", "x".repeat(256)).as_bytes()).is_err());
        assert!(file_name(b"a; filename=\xff").is_err());
    }

    #[test]
    fn a_digest_is_of_32_bytes_and_one_that_is_not_understood_is_refused() {
        let sum = STANDARD.encode([7; 32]);
        for (header, good) in [
            (format!("sha-256=:{sum}:"), true),
            (format!("md5=:AAAA:, sha-256=:{sum}:"), true),
            (format!("sha-256={sum}"), false),
            ("sha-256=:AAAA:".into(), false),
            ("sha-512=:AAAA:".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(digest(header.as_bytes()).is_ok(), good, "{header}");
        }
    }
}
