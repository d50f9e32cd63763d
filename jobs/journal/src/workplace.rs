//! The folder in which a run puts aside what it cannot hold: there while the run is, gone with it.
//!
//! A process that is killed leaves its folder. The next claim of the same run removes it, as it does with files that were begun. Where several jobs work on
//! one ledger the folder has to outlive the attempt that made it ([`Workplace::keep`]), and the job that comes behind the run removes it ([`remove_all`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::output::RunTag;

const NAME: &str = "parts";

pub struct Workplace {
    folder: PathBuf,
    stays: bool,
}

impl Workplace {
    /// A new, empty folder below `parent`, for this claim of the run alone.
    pub fn create(parent: &Path, tag: &RunTag) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        Self::within(parent, tag)
    }

    /// The same, below a folder that is there: one that was removed meanwhile does not come back.
    pub fn within(parent: &Path, tag: &RunTag) -> io::Result<Self> {
        remove_earlier(parent, tag)?;
        let folder = tag.partial(parent, NAME);
        fs::create_dir(&folder)?;
        Ok(Self { folder, stays: false })
    }

    /// The one that this claim of the run made and kept.
    pub fn kept(parent: &Path, tag: &RunTag) -> Self {
        Self { folder: tag.partial(parent, NAME), stays: true }
    }

    /// Lets it outlive this process.
    pub fn keep(&mut self) {
        self.stays = true;
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if !self.stays {
            // What cannot be removed now is removed by the next claim.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Removes those of all claims of a run, which has ended. Where `parent` is not there, nobody can say that they are gone.
pub fn remove_all(parent: &Path, run: &str) -> io::Result<()> {
    remove_earlier(parent, &RunTag { run: run.into(), claim: u64::MAX })
}

fn remove_earlier(parent: &Path, tag: &RunTag) -> io::Result<()> {
    for folder in fs::read_dir(parent)? {
        let folder = folder?;
        if !folder.file_name().to_str().is_some_and(|name| tag.is_earlier(NAME, name)) {
            continue;
        }
        match fs::remove_dir_all(folder.path()) {
            // The claim before may still be alive, and tidy up itself.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(claim: u64) -> RunTag {
        RunTag { run: "run".into(), claim }
    }

    #[test]
    fn a_workplace_is_gone_with_its_run() {
        let parent = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(&parent.path().join("results"), &tag(1)).unwrap();
        fs::write(workplace.path().join("lines-0-0"), "x").unwrap();
        let path = workplace.path().to_path_buf();

        drop(workplace);

        assert!(!path.exists() && parent.path().join("results").exists());
    }

    #[test]
    fn one_that_is_kept_is_found_again_and_goes_when_its_run_has_ended() {
        let parent = tempfile::tempdir().unwrap();
        let mut first = Workplace::create(parent.path(), &tag(1)).unwrap();
        first.keep();
        let path = first.path().to_path_buf();
        let other = Workplace::create(parent.path(), &RunTag { run: "other".into(), claim: 1 }).unwrap();

        drop(first);
        assert!(path.exists());
        drop(Workplace::kept(parent.path(), &tag(1)));
        assert!(path.exists());

        remove_all(parent.path(), "run").unwrap();
        assert!(!path.exists() && other.path().exists());
        remove_all(parent.path(), "run").unwrap();
        assert_eq!(remove_all(&path, "run").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(Workplace::within(&path, &tag(2)).is_err() && !path.exists());
    }

    #[test]
    fn what_a_killed_claim_left_is_removed_by_the_next_and_only_that() {
        let parent = tempfile::tempdir().unwrap();
        let killed = Workplace::create(parent.path(), &tag(1)).unwrap();
        let path = killed.path().to_path_buf();
        std::mem::forget(killed);
        let other = Workplace::create(parent.path(), &RunTag { run: "other".into(), claim: 1 }).unwrap();

        let next = Workplace::create(parent.path(), &tag(2)).unwrap();

        assert!(!path.exists() && other.path().exists() && next.path().exists());
    }
}
