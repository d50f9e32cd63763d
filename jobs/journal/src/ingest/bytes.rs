//! The bytes of a file, hashed as they pass, so that the hash is of what was read and not of a later look at the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::{Origin, ReadError};
use crate::output::hex;

pub(super) struct Bytes {
    file: Box<dyn Read + Send>,
    hash: Sha256,
    passed: u64,
    total: Option<u64>,
}

impl Bytes {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let total = Some(file.metadata()?.len());
        Ok(Self { file: Box::new(file), hash: Sha256::new(), passed: 0, total })
    }

    /// The first bytes of a file, not hashed.
    pub(super) fn head(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut head)?;
        Ok(head)
    }

    pub(super) fn position(&self) -> (u64, Option<u64>) {
        (self.passed, self.total)
    }

    /// Appends the next bytes, up to so many; fewer only at the end of the file.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let start = buffer.len();
        let read = self.file.by_ref().take(most as u64).read_to_end(buffer)?;
        self.hash.update(&buffer[start..]);
        self.passed += read as u64;
        Ok(read)
    }

    pub(super) fn finish(self, format: &str) -> Origin {
        Origin { format: format.into(), bytes: self.passed, sha256: hex(self.hash), not_utf8: 0, rounded: 0 }
    }
}

/// A file that is read out of order: hashed as a whole before, and looked at once more when all is read.
pub(super) struct Unchanged {
    path: PathBuf,
    bytes: u64,
    sha256: String,
    modified: SystemTime,
}

impl Unchanged {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut bytes = Bytes::open(path)?;
        let modified = std::fs::metadata(path)?.modified()?;
        let mut buffer = Vec::new();
        while bytes.append(&mut buffer, 1 << 16)? > 0 {
            buffer.clear();
        }
        let Origin { bytes, sha256, .. } = bytes.finish("");
        Ok(Self { path: path.into(), bytes, sha256, modified })
    }

    pub(super) fn finish(self, format: &str) -> Result<Origin, ReadError> {
        let now = std::fs::metadata(&self.path)?;
        if (now.len(), now.modified()?) != (self.bytes, self.modified) {
            return Err(ReadError::Changed);
        }
        Ok(Origin { format: format.into(), bytes: self.bytes, sha256: self.sha256, not_utf8: 0, rounded: 0 })
    }
}
