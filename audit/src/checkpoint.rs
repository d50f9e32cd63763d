//! Checkpoints (C2SP tlog-checkpoint): what a log commits to at a size, as a text that is signed as a note.
//!
//! Three lines: the origin, which is the name of the log, the number of leaves, and the root. Whoever holds a signed
//! checkpoint can later prove that anything before it was changed.

use crate::note::{self, NoteError, SigningKey, Vkey};
use crate::tree::Hash;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// Lines that others may have added; we write none, because nobody who reads the log can check them.
    pub extensions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("`checkpoint` is not the three lines of origin, size and root; take it as it was signed")]
    Malformed,
    #[error("`size` is no number of leaves without leading zeroes; take the checkpoint as it was signed")]
    Size,
    #[error("`root` is no hash in base64; take the checkpoint as it was signed")]
    Root,
    #[error("`root` of a tree without leaves is the hash of nothing; the log is broken, or not one of ours")]
    NotEmpty,
    #[error("`origin` is {found} instead of {expected}; this is a checkpoint of another log")]
    Origin { found: String, expected: String },
    #[error("the checkpoint of {0} is not signed by a key of that name; take it as its log signed it")]
    Signer(String),
    #[error("the checkpoint cannot be trusted")]
    Note(#[from] NoteError),
}

/// A checkpoint that was verified, and the keys of its log that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub checkpoint: Checkpoint,
    pub by: Vec<Vkey>,
}

impl Checkpoint {
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Self {
        Self { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// What is signed, with its last newline.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            text += line;
            text.push('\n');
        }
        text
    }

    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Malformed)?;
        let mut lines = body.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Malformed);
        let (origin, size, root) = (line()?, line()?, line()?);
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Malformed);
        }
        let number = size.parse().map_err(|_| CheckpointError::Size)?;
        let root = Hash::from_base64(root).ok_or(CheckpointError::Root)?;
        let checkpoint = Self { origin: origin.into(), size: number, root, extensions };
        if number.to_string() != size {
            return Err(CheckpointError::Size);
        }
        if number == 0 && root != Hash::of_empty_tree() {
            return Err(CheckpointError::NotEmpty);
        }
        Ok(checkpoint)
    }

    /// The signed note. The first key should have the name that is the origin.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, CheckpointError> {
        let text = self.text();
        // What could not be read again must not be signed.
        Self::parse(&text)?;
        Ok(note::sign(&text, keys)?)
    }

    /// What a note says, whoever has signed it: for whoever compares and does not trust.
    pub fn unverified(note: &str) -> Result<Self, CheckpointError> {
        let at = note.rfind("\n\n").ok_or(CheckpointError::Malformed)?;
        Self::parse(&note[..=at])
    }

    /// A checkpoint of the log of this name, signed by one of its keys. Signatures of witnesses are not enough: they
    /// say that they saw the log grow, not that it is this one.
    pub fn open(note: &str, origin: &str, keys: &[Vkey]) -> Result<Signed, CheckpointError> {
        let verified = note::verify(note, keys)?;
        let checkpoint = Self::parse(verified.text)?;
        if checkpoint.origin != origin {
            let expected = origin.into();
            return Err(CheckpointError::Origin { found: checkpoint.origin, expected });
        }
        let by: Vec<_> = verified.by.into_iter().filter(|key| key.name() == origin).collect();
        if by.is_empty() {
            return Err(CheckpointError::Signer(checkpoint.origin));
        }
        Ok(Signed { checkpoint, by })
    }
}

#[cfg(test)]
mod tests;
