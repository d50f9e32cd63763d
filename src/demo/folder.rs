//! The folder of the demo, and what stays of it: of a demo that came to its end what it shows, of one that did not nothing that was not there
//! before, and of none its secrets.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub struct Folder {
    path: PathBuf,
    /// Those that were not there before, the innermost first.
    made: Vec<PathBuf>,
    /// Files that are of no use once the demo is over, and folders that may be empty then.
    passing: Vec<PathBuf>,
    is_kept: bool,
}

impl Folder {
    /// Makes nothing yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf(), made: Vec::new(), passing: Vec::new(), is_kept: false }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there will be anything to look at.
    pub fn stays(&self) -> bool {
        self.is_kept || self.made.is_empty()
    }

    /// The demo came to its end.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    pub(super) fn make(&mut self) -> io::Result<()> {
        let path = std::path::absolute(&self.path)?;
        let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        // One by one: what was made when the next cannot be made is known.
        for folder in missing.into_iter().rev() {
            match std::fs::create_dir(folder) {
                Ok(()) => self.made.insert(0, folder.to_path_buf()),
                // Somebody else was quicker, and it is his.
                Err(_) if folder.is_dir() => {}
                Err(cause) => return Err(cause),
            }
        }
        std::fs::create_dir_all(&path)?;
        self.path = path.canonicalize()?;
        Ok(())
    }

    /// A file in a folder below, for the owner alone and for this run alone.
    pub(super) fn secret(&mut self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        let own = path.parent().unwrap_or(&self.path).to_path_buf();
        std::fs::create_dir_all(&own).map_err(|cause| at(&own, &cause))?;
        self.passing.push(path.clone());
        written(&path, text).map_err(|cause| at(&path, &cause))?;
        Ok(path)
    }

    fn remove(&self) -> io::Result<()> {
        if let (false, Some((own, around))) = (self.is_kept, self.made.split_first()) {
            remove_all(own)?;
            // Others may have put something there.
            around.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
            return Ok(());
        }
        let mut removed = Ok(());
        for file in &self.passing {
            match std::fs::remove_file(file) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => removed = Err(cause),
                _ => {}
            }
            match file.parent() {
                // Where something else is in it, it stays.
                Some(own) if own != self.path => drop(std::fs::remove_dir(own)),
                _ => {}
            }
        }
        removed
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(cause) = self.remove() {
            let folder = self.path.display();
            tracing::warn!("what the demo is to take away again in {folder} cannot be removed: {cause}");
        }
    }
}

/// A thread that has not heard yet that it is over may put something into it meanwhile.
const TRIES: u32 = 10;

fn remove_all(folder: &Path) -> io::Result<()> {
    for _ in 1..TRIES {
        match std::fs::remove_dir_all(folder) {
            Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => return removed,
        }
    }
    std::fs::remove_dir_all(folder)
}

/// Which file it was, and what helps.
fn at(path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("{}: {cause}; move it away", path.display()))
}

fn written(path: &Path, text: &str) -> io::Result<()> {
    // One of an earlier demo may be readable to others.
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(folder: &Path) -> Vec<PathBuf> {
        let mut there = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            there.extend(if path.is_dir() { self::there(&path) } else { Vec::new() });
            there.push(path);
        }
        there.sort();
        there
    }

    /// A folder with an earlier demo's ledger in it, and a file that somebody else put beside a secret.
    fn earlier(place: &Path) -> PathBuf {
        let folder = place.join("earlier");
        std::fs::create_dir_all(folder.join("docusign")).unwrap();
        std::fs::write(folder.join("ledger.csv"), "old").unwrap();
        std::fs::write(folder.join("docusign/own"), "ada's").unwrap();
        folder
    }

    #[test]
    fn what_it_made_goes_unless_it_came_to_its_end_and_its_secrets_go_in_any_case() {
        for (is_new, is_kept, left) in [
            (true, false, &[][..]),
            (true, true, &["a", "a/b", "a/b/results"]),
            (
                false,
                false,
                &[
                    "earlier",
                    "earlier/docusign",
                    "earlier/docusign/own",
                    "earlier/ledger.csv",
                    "earlier/results",
                ],
            ),
        ] {
            let place = tempfile::tempdir().unwrap();
            let place = place.path().canonicalize().unwrap();
            let path = if is_new { place.join("a/b") } else { earlier(&place) };
            let mut folder = Folder::at(&path);

            folder.make().unwrap();
            std::fs::write(folder.path().join("results"), "new").unwrap();
            folder.secret("docusign/key.pem", "key").unwrap();
            let secret = folder.secret("http.token", "token").unwrap();
            assert_eq!(std::fs::read_to_string(secret).unwrap(), "token");
            if is_kept {
                folder.keep();
            }
            assert_eq!(folder.stays(), is_kept || !is_new);
            drop(folder);

            let left: Vec<_> = left.iter().map(|name| place.join(name)).collect();
            assert_eq!(there(&place), left);
        }
    }

    #[test]
    fn what_cannot_be_made_leaves_nothing_and_says_where() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("docusign"), "no folder").unwrap();
        let mut folder = Folder::at(place.path());
        folder.make().unwrap();

        let told = folder.secret("docusign/hmac", "key").unwrap_err().to_string();
        drop(folder);

        assert!(told.contains("docusign: ") && told.ends_with("; move it away"), "{told}");
        assert_eq!(std::fs::read_to_string(place.path().join("docusign")).unwrap(), "no folder");
        assert!(Folder::at(&place.path().join("docusign/below")).make().is_err());
    }
}
