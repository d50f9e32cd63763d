//! Signed notes (C2SP signed-note): a text, an empty line, and signatures of named Ed25519 keys.
//!
//! Keys are written as Go writes them, so that its tools can take ours and the other way round. Who may sign is not
//! in a note: whoever verifies brings the keys, and lines of keys that he does not know are passed over. That lets a log
//! change its key, and witnesses add their lines.

mod keys;

pub use keys::{GenerateError, KeyError, NoRandomness, SigningKey, Vkey};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A note is read before anybody is trusted, so what it may cost is bounded; the specification asks for at least 16 lines.
pub const MAX_BYTES: usize = 1 << 20;
pub const MAX_SIGNATURES: usize = 100;

const DASH: &str = "— ";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("`text` of a note must end with a newline and hold no other control character")]
    Text,
    #[error("`note` is larger than {MAX_BYTES} bytes; it is not one of ours")]
    TooLarge,
    #[error("`note` has more than {MAX_SIGNATURES} signatures; remove those of keys that nobody checks")]
    TooManySignatures,
    #[error("`note` is not a text, an empty line and signatures; take it as it was signed")]
    Malformed,
    #[error("`note` has a line {0} that is no signature; take it as it was signed")]
    Line(usize),
    #[error("`keys` has two different ones with the name and number of {0}; remove the wrong one")]
    Ambiguous(String),
    #[error("`note` has a wrong signature of {0}; its text or the signature was changed")]
    Forged(String),
    #[error("`note` has no signature of a known key; add the key of its log, if you trust that one")]
    Unknown,
}

/// A note that at least one known key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'a> {
    /// With its last newline.
    pub text: &'a str,
    /// The known keys that signed, in the order of their lines.
    pub by: Vec<Vkey>,
}

/// A note of this text, with a line for each key.
pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<String, NoteError> {
    if !text.ends_with('\n') || has_control(text) {
        return Err(NoteError::Text);
    }
    let lines = keys.iter().map(|key| {
        let vkey = key.vkey();
        let mut signature = vkey.id().to_be_bytes().to_vec();
        signature.extend(key.sign(text.as_bytes()));
        format!("{DASH}{} {}\n", vkey.name(), BASE64.encode(signature))
    });
    Ok([text, "\n"].into_iter().map(str::to_owned).chain(lines).collect())
}

/// What stands in a note, once one of the keys has signed it and none of them was imitated.
pub fn verify<'a>(note: &'a str, known: &[Vkey]) -> Result<Verified<'a>, NoteError> {
    if note.len() > MAX_BYTES {
        return Err(NoteError::TooLarge);
    }
    // The text may have empty lines, so it ends at the last one.
    let (text, lines) =
        note.rfind("\n\n").map(|at| (&note[..=at], &note[at + 2..])).ok_or(NoteError::Malformed)?;
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    if has_control(note) {
        return Err(NoteError::Malformed);
    }
    if lines.split('\n').count() > MAX_SIGNATURES {
        return Err(NoteError::TooManySignatures);
    }
    let mut by: Vec<Vkey> = Vec::new();
    for (number, line) in lines.split('\n').enumerate() {
        let (name, id, signature) = parsed(line).ok_or(NoteError::Line(number + 1))?;
        let Some(key) = find(known, name, id)? else { continue };
        if !key.verifies(text.as_bytes(), &signature) {
            return Err(NoteError::Forged(key.to_string()));
        }
        if !by.contains(key) {
            by.push(key.clone());
        }
    }
    if by.is_empty() { Err(NoteError::Unknown) } else { Ok(Verified { text, by }) }
}

fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

fn parsed(line: &str) -> Option<(&str, u32, Vec<u8>)> {
    let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = BASE64.decode(signature).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    let fits = keys::is_name(name) && !signature.is_empty();
    fits.then(|| (name, u32::from_be_bytes(*id), signature.to_vec()))
}

/// An attacker can make a key with the number of another one, so that a number that fits says nothing yet.
fn find<'a>(known: &'a [Vkey], name: &str, id: u32) -> Result<Option<&'a Vkey>, NoteError> {
    let mut named = known.iter().filter(|key| key.name() == name && key.id() == id);
    let Some(first) = named.next() else { return Ok(None) };
    match named.all(|other| other == first) {
        true => Ok(Some(first)),
        false => Err(NoteError::Ambiguous(first.to_string())),
    }
}

#[cfg(test)]
mod tests;
