//! Files by which jobs that work on one ledger tell each other what they found: whole, and of one version of the program.

use std::io::{self, ErrorKind};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::RunError;
use super::hands::broken;

/// Another number for every change of what is in them.
const FORMAT: &str = concat!("compline ", env!("CARGO_PKG_VERSION"), " parts 2\n");
const HASH: usize = size_of::<u64>();

pub(super) fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(FORMAT.len() + bytes.len() + HASH);
    sealed.extend(FORMAT.as_bytes());
    sealed.extend(bytes);
    sealed.extend(xxh3_64(bytes).to_le_bytes());
    sealed
}

/// What was sealed into this file.
pub(super) fn unseal(file: &Path) -> Result<Vec<u8>, RunError> {
    let folder = || file.parent().unwrap_or(file).to_path_buf();
    let sealed = std::fs::read(file).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => RunError::PartsAway { folder: folder() },
        _ => RunError::Write { folder: folder(), cause },
    })?;
    let rest = sealed.strip_prefix(FORMAT.as_bytes());
    let rest = rest.ok_or_else(|| RunError::OtherProgram { folder: folder() })?;
    let whole =
        rest.split_last_chunk::<HASH>().filter(|(bytes, hash)| xxh3_64(bytes).to_le_bytes() == **hash);
    let failed = |cause: io::Error| RunError::Write { folder: folder(), cause };
    whole.map(|(bytes, _)| bytes.to_vec()).ok_or_else(|| failed(broken()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_altered_missing_or_of_another_program_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sums");
        let found = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            unseal(&file)
        };
        let sealed = seal(b"sums");
        let mut altered = sealed.clone();
        altered[FORMAT.len()] ^= 1;

        assert_eq!(found(&sealed).unwrap(), b"sums");
        assert!(matches!(found(&altered), Err(RunError::Write { .. })));
        assert!(matches!(found(&sealed[..sealed.len() - 1]), Err(RunError::Write { .. })));
        assert!(matches!(found(&sealed[1..]), Err(RunError::OtherProgram { .. })));
        assert!(matches!(found(b""), Err(RunError::OtherProgram { .. })));
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(unseal(&file), Err(RunError::PartsAway { .. })));
    }
}
