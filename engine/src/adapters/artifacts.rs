//! Artifacts as files: `directory/<job id>/<claim>/<name>`, each written beside its place, flushed and renamed, so
//! that a reader sees the whole file or none and a crash leaves at worst a temporary one. In a bucket: `bucket.rs`.

mod bucket;
mod marker;
mod moved;
mod place;
mod quarantine;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use jobkit::{Artifact, Artifacts, JobId, Owner, PortError, PutNewError, Reading};
use uuid::Uuid;

pub use self::bucket::BucketArtifacts;
use self::marker::Marker;
pub use self::marker::{MARKER, Root};
pub use self::moved::MovedArtifacts;
pub use self::place::Home;
use self::place::{NO_ADDRESS, Scheme, check_name, parse};
pub use self::quarantine::BucketQuarantine;
use crate::artifacts::ArtifactStore;

#[derive(Debug, Clone)]
pub struct DirArtifacts {
    directory: PathBuf,
    marker: Marker,
}

impl DirArtifacts {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), marker: Marker::default() }
    }

    /// For whoever looks after it. Fails where the folder is not there.
    pub fn root(&self) -> io::Result<Root> {
        self.marker.look(&self.directory)
    }

    /// Finds out whether files can be written here, by writing one: permissions, mounts and full disks all
    /// answer to that and to nothing less.
    fn write_probe(&self) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let probe = self.directory.join(format!(".probe-{}", Uuid::new_v4()));
        let written = create_private(&probe).and_then(|mut file| file.write_all(b"probe"));
        let removed = fs::remove_file(&probe);
        written.and(removed)
    }

    fn place(&self, Owner { job, claim }: Owner, name: &str) -> io::Result<Place> {
        check_name(name).map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem))?;
        let directory = self.directory.join(job.to_string()).join(claim.to_string());
        Ok(Place {
            file: directory.join(name),
            temporary: directory.join(format!(".{name}.{}", Uuid::new_v4().simple())),
            directory,
            address: Scheme::File.address(Owner { job, claim }, name),
        })
    }

    /// The place, with all folders above it.
    fn begin(&self, owner: Owner, name: &str) -> io::Result<Place> {
        let place = self.place(owner, name)?;
        self.marker.begin(&self.directory)?;
        fs::create_dir_all(&place.directory)?;
        Ok(place)
    }

    /// The address, and whether these bytes stand there now.
    fn write_new(&self, owner: Owner, name: &str, bytes: &[u8]) -> io::Result<(String, bool)> {
        let place = self.begin(owner, name)?;
        let is_there = place.fill_new(bytes)? || is_same(&place.file, bytes)?;
        Ok((place.address, is_there))
    }

    fn write(&self, owner: Owner, name: &str, bytes: &[u8]) -> io::Result<String> {
        let place = self.begin(owner, name)?;
        place.fill(|file| file.write_all(bytes))
    }

    fn take(&self, owner: Owner, name: &str, from: &Path) -> io::Result<String> {
        // A link would be moved as a link, and what it points at could change or vanish.
        if !fs::symlink_metadata(from)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let place = self.begin(owner, name)?;
        make_private(from)?;
        File::open(from)?.sync_all()?;
        match fs::rename(from, &place.file) {
            Ok(()) => {
                sync_directory(&place.directory)?;
                Ok(place.address)
            }
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let address = place.fill(|file| io::copy(&mut File::open(from)?, file).map(drop))?;
                fs::remove_file(from)?;
                Ok(address)
            }
            Err(error) => Err(error),
        }
    }

    fn place_of(&self, address: &str) -> io::Result<Place> {
        let Some((_, owner, name)) = parse(address) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, NO_ADDRESS));
        };
        self.place(owner, name)
    }

    fn has(&self, address: &str) -> io::Result<bool> {
        Ok(fs::symlink_metadata(self.place_of(address)?.file).is_ok_and(|about| about.is_file()))
    }

    /// Whether it will not be there later either. Where the disk is away another may have begun anew below its mount, marker and all, so only
    /// the job's own folder proves that its files would be here. An address that is none leads nowhere at any time.
    fn is_missing(&self, address: &str, cause: &io::Error) -> bool {
        match cause.kind() {
            io::ErrorKind::NotFound => self.has_job(address),
            io::ErrorKind::InvalidInput => true,
            _ => false,
        }
    }

    fn has_job(&self, address: &str) -> bool {
        parse(address).is_some_and(|(_, owner, _)| self.directory.join(owner.job.to_string()).is_dir())
            && self.root().is_ok_and(|root| root == Root::Kept)
    }

    fn whole(&self, address: &str) -> io::Result<Vec<u8>> {
        fs::read(self.place_of(address)?.file)
    }

    fn opened(&self, address: &str) -> io::Result<(File, u64)> {
        let file = File::open(self.place_of(address)?.file)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    }

    /// Only what was put here by the rules of [`check_name`]: what is half written has a name with a dot in front.
    fn find(&self, job: JobId) -> io::Result<Vec<Artifact>> {
        let mut found = Vec::new();
        for claim in entries(&self.directory.join(job.to_string()))? {
            let Some(number) = claim.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let owner = Owner { job, claim: number };
            for file in entries(&claim.path())? {
                let Ok(name) = file.file_name().into_string() else { continue };
                // A link is no file of ours, wherever it leads.
                if file.file_type()?.is_file() && check_name(&name).is_ok() {
                    let address = Scheme::File.address(owner, &name);
                    found.push(Artifact { owner, name, address, bytes: file.metadata()?.len() });
                }
            }
        }
        found.sort_by(|a, b| (a.owner.claim, &a.name).cmp(&(b.owner.claim, &b.name)));
        Ok(found)
    }

    /// File work waits for the disk, so it is done off the runtime's threads.
    async fn off_runtime<T: Send + 'static>(
        &self,
        doing: String,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let own = self.clone();
        match tokio::task::spawn_blocking(move || work(&own)).await {
            Ok(done) => done.map_err(|cause| PortError::new(doing, cause)),
            Err(cause) => Err(PortError::new(doing, cause)),
        }
    }
}

/// None at the end.
fn next_piece(file: File, most: usize) -> io::Result<Option<(Vec<u8>, File)>> {
    let mut piece = Vec::new();
    (&file).take(most as u64).read_to_end(&mut piece)?;
    Ok((!piece.is_empty()).then_some((piece, file)))
}

struct Place {
    directory: PathBuf,
    file: PathBuf,
    temporary: PathBuf,
    address: String,
}

impl Place {
    fn fill(self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<String> {
        let written = create_private(&self.temporary).and_then(|mut file| {
            fill(&mut file)?;
            file.sync_all()?;
            fs::rename(&self.temporary, &self.file)
        });
        if let Err(error) = written {
            // The first error is the one to tell; what is left behind has a dot-name and harms nobody.
            drop(fs::remove_file(&self.temporary));
            return Err(error);
        }
        sync_directory(&self.directory)?;
        Ok(self.address)
    }
}

impl Place {
    /// False when something stands there. A link takes no place of another's, and needs no moment between look and deed.
    fn fill_new(&self, bytes: &[u8]) -> io::Result<bool> {
        let linked = create_private(&self.temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::hard_link(&self.temporary, &self.file)
        });
        drop(fs::remove_file(&self.temporary));
        match linked {
            Ok(()) => sync_directory(&self.directory).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_same(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let about = fs::symlink_metadata(path)?;
    Ok(about.is_file() && about.len() == bytes.len() as u64 && fs::read(path)? == bytes)
}

impl Artifacts for DirArtifacts {
    fn put<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        let (doing, name) = (format!("storing the artifact `{name}`"), name.to_string());
        Box::pin(self.off_runtime(doing, move |own| own.write(owner, &name, &bytes)))
    }

    fn put_file<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        let doing = format!("storing the file `{}` as the artifact `{name}`", file.display());
        let (name, file) = (name.to_string(), file.to_path_buf());
        Box::pin(self.off_runtime(doing, move |own| own.take(owner, &name, &file)))
    }

    fn put_new<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PutNewError>> {
        let (doing, name) = (format!("storing the new artifact `{name}`"), name.to_string());
        let written = self.off_runtime(doing, move |own| own.write_new(owner, &name, &bytes));
        Box::pin(written.map(|written| match written? {
            (address, true) => Ok(address),
            (address, false) => Err(PutNewError::Taken(address)),
        }))
    }

    fn get<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, PortError>> {
        let (doing, address) = (format!("reading the artifact `{address}`"), address.to_string());
        Box::pin(async move {
            let read = move |own: &Self| match own.whole(&address) {
                Err(cause) if own.is_missing(&address, &cause) => Ok(Err(cause)),
                // Whoever reads of it is to know what to do.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                    own.marker.stands(&own.directory).and(Err(cause))
                }
                read => read.map(Ok),
            };
            let read = self.off_runtime(doing.clone(), read).await?;
            read.map_err(|cause| PortError::missing(doing, cause))
        })
    }

    fn read<'a>(&'a self, address: &'a str, piece_bytes: usize) -> BoxFuture<'a, Result<Reading, PortError>> {
        Box::pin(async move {
            let (doing, own_address) = (format!("reading the artifact `{address}`"), address.to_owned());
            let opened = self.off_runtime(doing.clone(), move |own| own.opened(&own_address)).await;
            let (file, bytes) = opened?;
            // One open file, so what takes its place meanwhile is not mixed into it.
            let pieces = stream::try_unfold((self.clone(), file), move |(own, file)| {
                let doing = doing.clone();
                async move {
                    let piece = own.off_runtime(doing, move |_| next_piece(file, piece_bytes)).await?;
                    Ok(piece.map(|(piece, file)| (piece, (own, file))))
                }
            });
            Ok(Reading { bytes, pieces: pieces.boxed() })
        })
    }

    fn list(&self, job: JobId) -> BoxFuture<'_, Result<Vec<Artifact>, PortError>> {
        let doing = format!("listing the artifacts of job {job}");
        Box::pin(self.off_runtime(doing, move |own| own.find(job)))
    }
}

impl ArtifactStore for DirArtifacts {
    fn jobs(&self) -> BoxStream<'_, Result<JobId, PortError>> {
        let doing = "listing the jobs that left artifacts".to_owned();
        let jobs = self.off_runtime(doing, |own| {
            let entries = entries(&own.directory)?;
            let job = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<JobId>().ok();
            Ok(entries.iter().filter_map(job).collect::<Vec<_>>())
        });
        let jobs = jobs.map(|jobs| match jobs {
            Ok(jobs) => stream::iter(jobs).map(Ok).left_stream(),
            Err(problem) => stream::iter([Err(problem)]).right_stream(),
        });
        jobs.flatten_stream().boxed()
    }

    fn reach<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, Result<(), PortError>> {
        let doing = format!("looking into the folder of artifacts {}", self.directory.display());
        Box::pin(self.off_runtime(doing, |own| own.marker.stands(&own.directory)))
    }

    fn remove(&self, job: JobId) -> BoxFuture<'_, Result<(), PortError>> {
        let doing = format!("deleting the artifacts of job {job}");
        Box::pin(self.off_runtime(doing, move |own| {
            match fs::remove_dir_all(own.directory.join(job.to_string())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        }))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), PortError>> {
        let doing = format!("writing below {}", self.directory.display());
        Box::pin(self.off_runtime(doing, Self::write_probe))
    }
}

/// Of a directory that may not be there: a job that left nothing has none.
fn entries(directory: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// Without this the rename itself may be lost in a power failure.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
