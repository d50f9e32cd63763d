//! The bytes of an entry: one line of JSON, which is the leaf of the tree.
//!
//! The line is what an auditor reads and hashes, so it has to be the same a decade from now, from either database and from
//! any version of this program. Its keys stand in this order, and those that have nothing are left out:
//!
//! ```text
//! v era tx seq at actor action object outcome tenant request source jobs details|details_text
//! ```
//!
//! `v` is the version of the form, 1. `era` and `tx` are both there or neither. `at` is UTC with six digits. In strings
//! only `"`, `\` and control characters are escaped, in the shortest way. `details` stands last and verbatim, because any
//! rewriting of JSON loses something: digits of a number, the order of keys, one of two equal keys. A text that is no
//! JSON, or would break the line, stands as a string under `details_text` instead.

mod read;
mod write;

use jiff::Timestamp;
use uuid::Uuid;

/// An entry of the audit log, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The era and the number of the transaction that wrote it; entries of one transaction have one.
    pub place: Option<(u32, u64)>,
    pub seq: i64,
    /// To the microsecond, as databases keep it; whatever is finer is not in the line.
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub outcome: String,
    pub tenant: Option<String>,
    pub request: Option<String>,
    pub source: Option<String>,
    pub jobs: Option<Vec<Uuid>>,
    /// The text of the JSON exactly as the database keeps it.
    pub details: Option<String>,
}

/// Never with what the line says, which may be about people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("`line` is not UTF-8; the file was changed, or is none of entries")]
    NotText,
    #[error("`v` is not 1 at the beginning of the line; use a newer program, if the file is one of entries")]
    Version,
    #[error("`{0}` is missing, or stands elsewhere than in its place; take the line as it was exported")]
    Missing(&'static str),
    #[error("`{0}` has no value that it can have; take the line as it was exported")]
    Value(&'static str),
    #[error("`line` goes on after its last key at byte {0}; take the line as it was exported")]
    Trailing(usize),
    #[error("`line` says the same in another form from byte {0} on; take the line as it was exported")]
    Form(usize),
}

impl Entry {
    /// Appends the line, without an end of line.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        write::line(self, out);
    }

    /// The exact inverse: whatever is not the line of the entry that it describes, byte by byte, is refused.
    pub fn parse(line: &[u8]) -> Result<Self, EntryError> {
        read::line(line)
    }
}

/// Whether details stand in the line as they are.
fn stands_verbatim(details: &str) -> bool {
    !details.contains(['\r', '\n']) && serde_json::from_str::<serde::de::IgnoredAny>(details).is_ok()
}

#[cfg(test)]
mod tests;
