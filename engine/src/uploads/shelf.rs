//! The files: `directory/<id>`, and `directory/.<id>` while one arrives. Beside each that is kept lies an empty `.kept-<id>`, so that one that somebody
//! deleted is told from one whose disk is away. No name of anybody's is ever part of a path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jobkit::UploadId;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tracing::warn;

#[derive(Debug, Clone)]
pub(super) struct Shelf {
    directory: PathBuf,
}

/// Nobody else on the machine reads them.
const FILE: u32 = 0o600;
const DIRECTORY: u32 = 0o700;
/// Small writes are gathered: each is a trip to another thread.
const GATHERED: usize = 256 << 10;
/// How the name of a sign begins.
const SIGN: &str = ".kept-";

impl Shelf {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn place(&self, id: UploadId) -> PathBuf {
        self.directory.join(id.to_string())
    }

    fn arriving(&self, id: UploadId) -> PathBuf {
        self.directory.join(format!(".{id}"))
    }

    /// What was kept says so as long as its upload is known.
    fn sign(&self, id: UploadId) -> PathBuf {
        self.directory.join(format!("{SIGN}{id}"))
    }

    pub(super) async fn begin(&self, id: UploadId) -> io::Result<Arriving> {
        let (own, path) = (self.clone(), self.arriving(id));
        let file = off(move || {
            own.make()?;
            create(&own.arriving(id))
        })
        .await?;
        let file = tokio::io::BufWriter::with_capacity(GATHERED, tokio::fs::File::from_std(file));
        Ok(Arriving { file, path })
    }

    fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(DIRECTORY).create(&self.directory)
    }

    /// From here on it has its name, also after a power failure. What has it already is not replaced.
    pub(super) async fn keep(&self, id: UploadId) -> io::Result<()> {
        let own = self.clone();
        off(move || {
            // Only who has the arriving file comes here, so nobody makes one in between.
            if fs::symlink_metadata(own.place(id)).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            // First, or a crash in between would leave a file that nobody could miss.
            // One of an earlier try, whose file did not get its name, serves as well.
            match create(&own.sign(id)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            fs::rename(own.arriving(id), own.place(id))?;
            File::open(&own.directory)?.sync_all()
        })
        .await
    }

    /// While it arrives. One that is kept stays.
    pub(super) async fn discard(&self, id: UploadId) {
        delete(id, self.arriving(id)).await;
    }

    /// In either of its states. What cannot be deleted now is found later, as a file that no row is for.
    pub(super) async fn remove(&self, id: UploadId) {
        for path in [self.arriving(id), self.place(id), self.sign(id)] {
            delete(id, path).await;
        }
    }

    /// It was kept here, and somebody has deleted it. Where the directory is away, or another machine's, nothing says so.
    pub(super) async fn is_gone(&self, id: UploadId) -> bool {
        let (sign, place) = (self.sign(id), self.place(id));
        let gone = off(move || {
            let is_file = |path| fs::symlink_metadata(path).map(|about| about.is_file());
            let is_there = is_file(place).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(false),
                _ => Err(error),
            })?;
            Ok(!is_there && is_file(sign)?)
        });
        gone.await.unwrap_or_default()
    }

    /// How many bytes went over, and their SHA-256.
    pub(super) async fn copy(&self, id: UploadId, into: &Path) -> io::Result<(u64, [u8; 32])> {
        let (from, into) = (self.place(id), into.to_path_buf());
        off(move || {
            // Whoever may write here could have put something there that never ends.
            if !fs::symlink_metadata(&from)?.is_file() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "there is no file of this upload"));
            }
            let mut from = File::open(from)?;
            let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE).open(into)?;
            let (mut hash, mut passed, mut piece) = (Sha256::new(), 0, vec![0; GATHERED]);
            loop {
                let read = from.read(&mut piece)?;
                if read == 0 {
                    return Ok((passed, hash.finalize().into()));
                }
                hash.update(&piece[..read]);
                to.write_all(&piece[..read])?;
                passed += read as u64;
            }
        })
        .await
    }

    /// Files of ours that nobody has touched for so long. A directory that is not there has none.
    pub(super) async fn older_than(&self, now: Timestamp, age: Duration) -> Vec<UploadId> {
        let directory = self.directory.clone();
        let found = off(move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let name = entry.file_name();
                let Some(id) = name.to_str().and_then(id_of) else { continue };
                let about = entry.metadata()?;
                let modified = Timestamp::try_from(about.modified()?).unwrap_or(now);
                if about.is_file() && now.duration_since(modified).unsigned_abs() >= age && modified < now {
                    found.push(id);
                }
            }
            // By its file and by its sign.
            found.sort();
            found.dedup();
            Ok(found)
        });
        found.await.unwrap_or_default()
    }

    pub(super) fn probe(&self) -> io::Result<()> {
        self.make()?;
        let probe = self.directory.join(format!(".probe-{}", uuid::Uuid::new_v4()));
        let written = create(&probe).and_then(|mut file| file.write_all(b"probe"));
        let removed = fs::remove_file(&probe);
        written.and(removed)
    }
}

async fn delete(id: UploadId, path: PathBuf) {
    let removed = off(move || fs::remove_file(path)).await;
    if let Err(problem) = removed
        && problem.kind() != io::ErrorKind::NotFound
    {
        warn!(upload.id = %id, "the file of upload {id} could not be deleted: {problem}");
    }
}

/// What else lies there is not ours.
fn id_of(name: &str) -> Option<UploadId> {
    let name = name.strip_prefix(SIGN).or_else(|| name.strip_prefix('.')).unwrap_or(name);
    name.parse::<UploadId>().ok().filter(|id| id.to_string() == name)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A file that arrives.
pub(super) struct Arriving {
    file: tokio::io::BufWriter<tokio::fs::File>,
    path: PathBuf,
}

impl Arriving {
    pub(super) async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece).await
    }

    /// All of it is on the disk. Where it lies until it is kept.
    pub(super) async fn finish(mut self) -> io::Result<PathBuf> {
        self.file.flush().await?;
        self.file.get_ref().sync_all().await?;
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn id(number: u128) -> UploadId {
        UploadId(uuid::Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn a_file_is_the_processs_own_and_is_gone_without_a_trace_in_either_state() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("uploads"));
        for kept in [false, true] {
            let mut arriving = shelf.begin(id(1)).await.unwrap();
            arriving.write(b"abc").await.unwrap();
            let path = arriving.finish().await.unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE);
            assert_eq!(fs::metadata(&shelf.directory).unwrap().permissions().mode() & 0o777, DIRECTORY);
            if kept {
                shelf.keep(id(1)).await.unwrap();
                let (bytes, sum) = shelf.copy(id(1), &folder.path().join("copy")).await.unwrap();
                assert_eq!((bytes, sum), (3, Sha256::digest(b"abc").into()));
            }
            shelf.remove(id(1)).await;
            assert_eq!(fs::read_dir(&shelf.directory).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn only_files_of_ours_that_are_old_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().into());
        let signs = [1, 4].map(|of| format!(".kept-{}", id(of)));
        for name in
            [&id(1).to_string(), &format!(".{}", id(2)), &signs[0], &signs[1], "notes.txt", ".probe-x"]
        {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join(id(3).to_string())).unwrap();
        let modified = fs::metadata(folder.path().join("notes.txt")).unwrap().modified().unwrap();
        let now = Timestamp::try_from(modified).unwrap();
        let day = Duration::from_secs(86_400);

        assert_eq!(shelf.older_than(now + day + day, day).await, [id(1), id(2), id(4)]);
        assert_eq!(shelf.older_than(now + day / 2, day).await, []);
    }

    /// Gone ends a job for good, so it is said only of what is known to have lain here.
    #[tokio::test]
    async fn only_what_was_kept_here_and_deleted_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("uploads"));
        assert!(!shelf.is_gone(id(1)).await);
        for number in [1, 2] {
            let arriving = shelf.begin(id(number)).await.unwrap();
            arriving.finish().await.unwrap();
            assert!(!shelf.is_gone(id(number)).await);
            if number == 2 {
                // Somebody tried before, and the disk failed in the middle.
                create(&shelf.sign(id(number))).unwrap();
            }
            shelf.keep(id(number)).await.unwrap();
        }

        fs::remove_file(shelf.place(id(1))).unwrap();

        assert_eq!([shelf.is_gone(id(1)).await, shelf.is_gone(id(2)).await], [true, false]);
        // Of another machine, and of an upload that is over.
        assert!(!shelf.is_gone(id(3)).await);
        shelf.remove(id(1)).await;
        assert!(!shelf.is_gone(id(1)).await);
        // What a mount that is away leaves.
        fs::rename(&shelf.directory, folder.path().join("disk")).unwrap();
        fs::create_dir(&shelf.directory).unwrap();
        assert!(!shelf.is_gone(id(2)).await);
    }
}
