//! A shelf that is a directory: of another machine that is mounted here, say, or one whose files can only be added to
//! (`chattr +a`). Files are made once and completed where a crash left a beginning.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use jobkit::PortError;

use super::shelf::{self, Shelf};

pub struct Directory {
    name: String,
    root: PathBuf,
}

impl Directory {
    pub fn new(name: impl Into<String>, root: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), root: root.into() }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        path: &str,
        doing: &'static str,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let file = self.root.join(path);
        let shown = file.display().to_string();
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        let done = done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        done.map_err(|cause| PortError::new(format!("{doing} {shown}"), cause))
    }
}

impl Shelf for Directory {
    fn name(&self) -> &str {
        &self.name
    }

    fn newest(&self) -> BoxFuture<'_, Result<Option<String>, PortError>> {
        Box::pin(shelf::newest(self))
    }

    fn put<'a>(&'a self, path: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(self.on_disk(path, "writing", move |file| put(file, &bytes)))
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, PortError>> {
        Box::pin(self.on_disk(path, "reading", |file| match std::fs::read(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
        }))
    }

    fn within(&self, folder: &str) -> Box<dyn Shelf> {
        Box::new(Self::new(self.name.clone(), self.root.join(folder)))
    }

    fn names<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, PortError>> {
        Box::pin(self.on_disk(folder, "listing", |folder| {
            let entries = match std::fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(other) => return Err(other),
            };
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
            names.sort_unstable();
            Ok(names)
        }))
    }
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut there = Vec::new();
    match std::fs::File::open(path) {
        Ok(mut file) => file.read_to_end(&mut there).map(drop)?,
        Err(missing) if missing.kind() == ErrorKind::NotFound => {}
        Err(other) => return Err(other),
    }
    // Another process has put there what goes on from it.
    if there.starts_with(bytes) && !bytes.is_empty() {
        return Ok(());
    }
    let Some(rest) = bytes.strip_prefix(there.as_slice()) else {
        let problem = "it is there already and says something else; what lies in an anchor is never changed";
        return Err(std::io::Error::new(ErrorKind::AlreadyExists, problem));
    };
    // Adding alone, which a directory that can only be added to allows.
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(rest)?;
    file.sync_all()?;
    // The name is on the disk when its folder is.
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_lies_there_is_completed_and_never_changed() {
        let place = tempfile::tempdir().unwrap();
        let shelf = Directory::new("books", place.path());
        assert_eq!(shelf.get("tile/0/000").await.unwrap(), None);
        assert_eq!(shelf.names("tile").await.unwrap(), [""; 0]);

        shelf.put("tile/0/000", b"abc".to_vec()).await.unwrap();
        shelf.put("tile/0/000", b"abc".to_vec()).await.unwrap();
        let refused = shelf.put("tile/0/000", b"abd".to_vec()).await.unwrap_err();
        assert!(store::chain(&refused).contains("never changed"), "{}", store::chain(&refused));
        shelf.put("tile/0/000", b"ab".to_vec()).await.unwrap();
        // As a crash in the middle of writing leaves it.
        std::fs::write(place.path().join("half"), b"ab").unwrap();
        shelf.put("half", b"abc".to_vec()).await.unwrap();

        assert_eq!(shelf.get("tile/0/000").await.unwrap().unwrap(), b"abc");
        assert_eq!(shelf.get("half").await.unwrap().unwrap(), b"abc");
        assert_eq!(shelf.names("tile/0").await.unwrap(), ["000"]);
    }

    #[tokio::test]
    async fn the_newest_checkpoint_is_that_of_the_largest_tree() {
        let place = tempfile::tempdir().unwrap();
        let shelf = Directory::new("books", place.path());
        assert_eq!(shelf.newest().await.unwrap(), None);
        for (size, at) in
            [(999, "2026-11-27T23:59:59Z"), (10_000, "2026-11-28T00:00:01Z"), (9_000, "2026-11-28T00:00:00Z")]
        {
            let path = shelf::checkpoint_path(size, at.parse().unwrap());
            shelf.put(&path, format!("of {size}").into_bytes()).await.unwrap();
        }

        assert_eq!(shelf.newest().await.unwrap().as_deref(), Some("of 10000"));
        let all: Vec<_> =
            shelf::checkpoints(&shelf).await.unwrap().into_iter().map(|(_, note)| note).collect();
        assert_eq!(all, ["of 999", "of 9000", "of 10000"]);
    }
}
