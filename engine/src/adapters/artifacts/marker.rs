//! Whether a folder is the one in which artifacts are kept, or the empty place where its disk is not mounted: the first file brings a marker with it, at the root.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobkit::JobId;
use tracing::warn;

use super::{create_private, sync_directory};

/// Begins with a dot, so that it is the name of no artifact; and no job is called so.
pub const MARKER: &str = ".compline-artifacts";
const SAYS: &str = "Compline keeps artifacts in this folder. Where this file is not there, it takes the folder for a disk that is not mounted.\n";

/// What the root of a folder of artifacts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Artifacts are kept here: what is not here is gone.
    Kept,
    /// There is nothing of ours: it is new, or the disk is away. A first file may go here; what is looked for proves that it is the other.
    Unused,
    /// It was another a moment ago: a file that went here would be hidden when the disk comes back.
    Away,
}

/// Of one process, and all who share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Marker {
    was_kept: Arc<AtomicBool>,
}

impl Marker {
    /// Fails where the folder is not there. A folder from before there was a marker gets one when something of a job lies in it.
    pub(super) fn look(&self, root: &Path) -> io::Result<Root> {
        // In this order, or a marker that another thread makes in between would be one that was lost.
        let was_kept = self.was_kept.load(Ordering::Acquire);
        let is_marked = is_marked(root);
        // Such a folder may have a million jobs, and one with a marker is not read at all.
        let has_jobs = !is_marked && has_jobs(root)?;
        let found = judge(is_marked, has_jobs, was_kept);
        if found == Root::Kept {
            self.was_kept.store(true, Ordering::Release);
            // What lies there is the proof for now, and the next who look may be let to write.
            if !is_marked && let Err(cause) = mark(root) {
                warn!("{} cannot be marked as the folder of artifacts: {cause}", root.display());
            }
        }
        Ok(found)
    }

    /// Before a file goes there.
    pub(super) fn begin(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        match self.look(root)? {
            Root::Kept => Ok(()),
            Root::Unused => {
                mark(root)?;
                self.was_kept.store(true, Ordering::Release);
                Ok(())
            }
            Root::Away => Err(away(root, "has lost its marker")),
        }
    }

    /// Fails where nothing can be said to be gone.
    pub(super) fn stands(&self, root: &Path) -> io::Result<()> {
        match self.look(root) {
            Ok(Root::Kept) => Ok(()),
            Ok(Root::Unused) => Err(away(root, "holds nothing of ours")),
            Ok(Root::Away) => Err(away(root, "has lost its marker")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(away(root, "is not there")),
            Err(error) => Err(error),
        }
    }
}

fn judge(is_marked: bool, has_jobs: bool, was_kept: bool) -> Root {
    match (is_marked, has_jobs, was_kept) {
        (true, _, _) | (false, true, false) => Root::Kept,
        (false, false, false) => Root::Unused,
        (false, _, true) => Root::Away,
    }
}

fn is_marked(root: &Path) -> bool {
    fs::symlink_metadata(root.join(MARKER)).is_ok_and(|about| about.is_file())
}

fn has_jobs(root: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(root)? {
        if entry?.file_name().to_str().is_some_and(|name| name.parse::<JobId>().is_ok()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whoever was faster has done the same.
fn mark(root: &Path) -> io::Result<()> {
    match create_private(&root.join(MARKER)) {
        Ok(mut file) => {
            file.write_all(SAYS.as_bytes())?;
            file.sync_all()?;
            sync_directory(root)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn away(root: &Path, how: &str) -> io::Error {
    let (root, marker) = (root.display(), root.join(MARKER));
    let told = format!(
        "{root} {how}: mount its disk; if it is there, and files of old are to count as gone, `touch {}`",
        marker.display()
    );
    io::Error::other(told)
}

#[cfg(test)]
mod tests;
