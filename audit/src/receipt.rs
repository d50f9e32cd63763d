//! Receipts (C2SP tlog-proof): all that it takes to show, offline and years later, that one entry is in the log.
//!
//! A receipt holds the number of the leaf, its path to the root, and the signed checkpoint of that root. Whoever has the
//! entry's line and the log's key needs nothing else, and nothing of ours: the format is a published one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::checkpoint::{Checkpoint, CheckpointError, Signed};
use crate::note::Vkey;
use crate::proof::{ProofError, verify_inclusion};
use crate::tree::Hash;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What somebody else may have added; nobody has signed it. We write none.
    pub extra: Option<Vec<u8>>,
    pub index: u64,
    /// From the sibling of the leaf up to the child of the root.
    pub path: Vec<Hash>,
    /// The note as it was signed, byte by byte.
    pub checkpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("`receipt` does not begin with {FIRST_LINE}; take the file as it was written")]
    Version,
    #[error("`extra` of the receipt is not base64; take the file as it was written")]
    Extra,
    #[error("`index` of the receipt is no number without leading zeroes; take the file as it was written")]
    Index,
    #[error("`receipt` has a line {0} that is no hash in base64; take the file as it was written")]
    Hash(usize),
    #[error("`receipt` has no empty line and checkpoint behind its hashes; take the file as it was written")]
    NoCheckpoint,
    #[error("the receipt's checkpoint is refused")]
    Checkpoint(#[from] CheckpointError),
    #[error("the receipt does not prove that the entry is in the log")]
    Proof(#[from] ProofError),
}

impl Receipt {
    pub fn text(&self) -> String {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", BASE64.encode(extra)));
        let mut text = format!("{FIRST_LINE}\n{}index {}\n", extra.unwrap_or_default(), self.index);
        for hash in &self.path {
            text += &format!("{hash}\n");
        }
        text.push('\n');
        text + &self.checkpoint
    }

    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ReceiptError::NoCheckpoint)?;
        let mut lines = head.split('\n').enumerate().peekable();
        lines.next().filter(|(_, line)| *line == FIRST_LINE).ok_or(ReceiptError::Version)?;
        let extra = match lines.next_if(|(_, line)| line.starts_with("extra ")) {
            Some((_, line)) => Some(BASE64.decode(&line["extra ".len()..]).map_err(|_| ReceiptError::Extra)?),
            None => None,
        };
        let index =
            lines.next().and_then(|(_, line)| line.strip_prefix("index ")).ok_or(ReceiptError::Index)?;
        let number: u64 = index.parse().map_err(|_| ReceiptError::Index)?;
        if number.to_string() != index {
            return Err(ReceiptError::Index);
        }
        let hash = |(at, line)| Hash::from_base64(line).ok_or(ReceiptError::Hash(at + 1));
        let path = lines.map(hash).collect::<Result<_, _>>()?;
        Ok(Self { extra, index: number, path, checkpoint: checkpoint.into() })
    }

    /// That the leaf is in the log of this origin, as one of these keys signed it.
    pub fn verify(&self, leaf: Hash, origin: &str, keys: &[Vkey]) -> Result<Signed, ReceiptError> {
        let signed = Checkpoint::open(&self.checkpoint, origin, keys)?;
        let Checkpoint { size, root, .. } = signed.checkpoint;
        verify_inclusion(leaf, self.index, size, root, &self.path)?;
        Ok(signed)
    }
}

#[cfg(test)]
mod tests;
