//! Artifacts in a bucket of S3 or a container of Azure: `PREFIX/<job id>/<claim>/<name>`. An object comes into being
//! whole, by one request or by the one that joins its parts, so nobody sees half of a file.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use jobkit::{Artifact, Artifacts, JobId, Owner, PortError, PutNewError, Reading};
use object_store::aws::{Checksum, S3ConditionalPut};
use object_store::path::Path as Key;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult,
    WriteMultipart,
};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::Home;
use super::place::{NO_ADDRESS, Scheme, check_name, parse, placed};
use super::quarantine::{BucketQuarantine, Signs};
use crate::adapters::buckets::{self, Bucket};
use crate::adapters::containers::{self, Container};
use crate::adapters::object_client::OpenError;
use crate::artifacts::ArtifactStore;

#[derive(Debug, Clone)]
pub struct BucketArtifacts {
    pub(super) store: Arc<dyn ObjectStore>,
    prefix: String,
    /// For people.
    url: String,
}

/// What is larger goes over in parts, each of which has the patience of one request.
const PART: u64 = 8 << 20;
/// S3 takes ten thousand.
const MOST_PARTS: u64 = 9_000;
const PARTS_AT_ONCE: usize = 3;
/// One request for as many pieces as fit. A reader that is slow holds no connection open, and so much memory.
const STRETCH: u64 = 4 << 20;

type Buckets = BTreeMap<String, Bucket>;
type Containers = BTreeMap<String, Container>;

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Name(String),
    #[error("{NO_ADDRESS}")]
    Address,
    #[error("it is not a regular file")]
    NoFile,
    #[error("reading {path}")]
    Disk {
        path: String,
        #[source]
        cause: io::Error,
    },
    #[error("{came} bytes came of {expected}; the file was changed meanwhile")]
    Length { came: u64, expected: u64 },
    #[error("the store has {there}, and what was sent is {sent}")]
    Stored { there: String, sent: String },
    #[error("the store gives no ETag, without which nothing says whether a file is still the same")]
    NoTag,
    #[error("another took its place while it was read; read it anew")]
    Replaced,
    #[error("it holds other bytes than were written a moment ago")]
    Probe,
    /// Its words have its causes in them already.
    #[error("{0}")]
    Store(object_store::Error),
}

impl From<object_store::Error> for Problem {
    fn from(cause: object_store::Error) -> Self {
        Self::Store(cause)
    }
}

impl BucketArtifacts {
    /// `artifacts.url` as the configuration has it. Opens no connection yet.
    pub fn open(url: &str, buckets: &Buckets, containers: &Containers) -> Result<Self, OpenError> {
        Self::with_quarantine(url, buckets, containers).map(|(own, _)| own)
    }

    /// The same, with the place beside it where callers put files themselves.
    pub fn with_quarantine(
        url: &str,
        buckets: &Buckets,
        containers: &Containers,
    ) -> Result<(Self, BucketQuarantine), OpenError> {
        let setting = |problem| OpenError::Setting { key: "artifacts.url", problem };
        let (signs, prefix) = match Home::parse(url).map_err(setting)? {
            Home::S3 { bucket, prefix } => {
                let Some(settings) = buckets.get(&bucket) else {
                    return Err(setting(format!("there is no [buckets.{bucket}]; add it")));
                };
                let builder = buckets::builder(&bucket, settings)?
                    .with_checksum_algorithm(Checksum::SHA256)
                    .with_conditional_put(S3ConditionalPut::ETagMatch);
                let opened = builder.build();
                let section = format!("buckets.{bucket}");
                let s3 = opened.map_err(|cause| OpenError::store(&section, cause))?;
                (Signs::S3(Arc::new(s3)), prefix)
            }
            Home::Azure { container, prefix } => {
                let Some(settings) = containers.get(&container) else {
                    return Err(setting(format!("there is no [containers.{container}]; add it")));
                };
                (Signs::Azure(Arc::new(containers::open(&container, settings)?)), prefix)
            }
        };
        let store: Arc<dyn ObjectStore> = match &signs {
            Signs::S3(s3) => s3.clone(),
            Signs::Azure(azure) => azure.clone(),
        };
        let own = Self { store, prefix, url: url.into() };
        Ok((own.clone(), BucketQuarantine { bucket: own, signs }))
    }

    #[cfg(test)]
    pub(super) fn in_memory() -> Self {
        let store = Arc::new(object_store::memory::InMemory::new());
        Self { store, prefix: "artifacts".into(), url: "memory".into() }
    }

    pub(super) fn below(&self, path: &str) -> Result<Key, Problem> {
        let path = match self.prefix.as_str() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        };
        Key::parse(path).map_err(|cause| Problem::Store(cause.into()))
    }

    fn key(&self, Owner { job, claim }: Owner, name: &str) -> Result<Key, Problem> {
        check_name(name).map_err(Problem::Name)?;
        // Azure drops it, and two names would be one.
        if name.ends_with('.') {
            return Err(Problem::Name(
                "the name ends with a dot; use a plain file name such as `scores.csv`".into(),
            ));
        }
        self.below(&format!("{job}/{claim}/{name}"))
    }

    fn key_of(&self, address: &str) -> Result<Key, Problem> {
        let (_, owner, name) = parse(address).ok_or(Problem::Address)?;
        self.key(owner, name)
    }

    async fn write(&self, owner: Owner, name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
        let key = self.key(owner, name)?;
        let size = bytes.len() as u64;
        let stored = match size <= PART {
            true => self.store.put(&key, bytes.into()).await?,
            false => self.write_parts(&key, size, &mut bytes.as_slice()).await?,
        };
        self.compare(&key, size, &stored).await?;
        Ok(Scheme::Object.address(owner, name))
    }

    async fn take(&self, owner: Owner, name: &str, from: &Path) -> Result<String, Problem> {
        let key = self.key(owner, name)?;
        let disk = |cause| Problem::Disk { path: from.display().to_string(), cause };
        // What a link points at is somebody else's.
        if !tokio::fs::symlink_metadata(from).await.map_err(disk)?.is_file() {
            return Err(Problem::NoFile);
        }
        let mut file = tokio::fs::File::open(from).await.map_err(disk)?;
        let size = file.metadata().await.map_err(disk)?.len();
        let stored = match size <= PART {
            true => {
                let bytes = read_part(&mut file, PART + 1).await.map_err(disk)?;
                if bytes.len() as u64 != size {
                    return Err(Problem::Length { came: bytes.len() as u64, expected: size });
                }
                self.store.put(&key, bytes.into()).await?
            }
            false => self.write_parts(&key, size, &mut file).await?,
        };
        self.compare(&key, size, &stored).await?;
        tokio::fs::remove_file(from).await.map_err(disk)?;
        Ok(Scheme::Object.address(owner, name))
    }

    /// A few parts at once, so a file of any size passes through the same memory. What breaks off leaves parts, and no
    /// object.
    async fn write_parts(
        &self,
        key: &Key,
        size: u64,
        from: &mut (impl tokio::io::AsyncRead + Unpin + Send),
    ) -> Result<PutResult, Problem> {
        let part = part_of(size);
        let upload = self.store.put_multipart(key).await?;
        // Counted by us: each call brings one whole part or the last.
        let mut upload =
            WriteMultipart::new_with_chunk_size(upload, usize::try_from(part).unwrap_or(usize::MAX));
        match send(&mut upload, size, part, from).await {
            Ok(()) => Ok(upload.finish().await?),
            Err(problem) => {
                // The first error is the one to tell; parts that stay are for the bucket's own rules.
                drop(upload.abort().await);
                Err(problem)
            }
        }
    }

    /// A store that compares checksums has done so by now; here is what every store can say.
    async fn compare(&self, key: &Key, size: u64, stored: &PutResult) -> Result<(), Problem> {
        let there = self.store.head(key).await?;
        let is_same_tag = match (&there.e_tag, &stored.e_tag) {
            (Some(there), Some(stored)) => there == stored,
            _ => true,
        };
        if there.size == size && is_same_tag {
            return Ok(());
        }
        let told = |bytes: u64, tag: &Option<String>| {
            format!("{bytes} bytes with the ETag {}", tag.as_deref().unwrap_or("of none"))
        };
        Err(Problem::Stored { there: told(there.size, &there.e_tag), sent: told(size, &stored.e_tag) })
    }

    /// The address, and whether these bytes stand there now.
    async fn write_new(&self, owner: Owner, name: &str, bytes: Vec<u8>) -> Result<(String, bool), Problem> {
        let key = self.key(owner, name)?;
        let bytes = Bytes::from(bytes);
        let size = bytes.len() as u64;
        let address = Scheme::Object.address(owner, name);
        match self.store.put_opts(&key, bytes.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(stored) => self.compare(&key, size, &stored).await.map(|()| (address, true)),
            // It may be ours, when the answer to an earlier try was lost.
            Err(object_store::Error::AlreadyExists { .. }) => {
                Ok((address, self.is_same(&key, &bytes).await?))
            }
            Err(cause) => Err(cause.into()),
        }
    }

    async fn is_same(&self, key: &Key, bytes: &[u8]) -> Result<bool, Problem> {
        let found = self.store.get(key).await?;
        if found.meta.size != bytes.len() as u64 {
            return Ok(false);
        }
        let (mut there, mut rest) = (found.into_stream(), bytes);
        while let Some(piece) = there.try_next().await? {
            let Some(behind) = rest.strip_prefix(&piece[..]) else { return Ok(false) };
            rest = behind;
        }
        Ok(rest.is_empty())
    }

    async fn whole(&self, address: &str) -> Result<Vec<u8>, Problem> {
        let found = self.store.get(&self.key_of(address)?).await?;
        let expected = found.meta.size;
        let bytes = found.bytes().await?;
        match bytes.len() as u64 == expected {
            true => Ok(bytes.into()),
            false => Err(Problem::Length { came: bytes.len() as u64, expected }),
        }
    }

    pub(super) async fn hold(&self, key: Key) -> Result<Held, Problem> {
        let ObjectMeta { size, e_tag, .. } = self.store.head(&key).await?;
        Ok(Held { key, size, tag: e_tag.ok_or(Problem::NoTag)? })
    }

    /// In pieces of so many bytes each but the last.
    pub(super) fn stretches(self, held: Held, piece: usize) -> impl Stream<Item = Result<Bytes, Problem>> {
        let piece = piece.max(1);
        let stretch = STRETCH.max(piece as u64);
        // A stretch is a whole number of pieces, so only the last piece of all is shorter.
        let stretch = stretch - stretch % piece as u64;
        let stretches = stream::try_unfold((self, held, 0), move |(own, held, at)| async move {
            let end = held.size.min(at + stretch);
            if at == end {
                return Ok::<_, Problem>(None);
            }
            let bytes = own.stretch(&held, at..end).await?;
            Ok(Some((bytes, (own, held, end))))
        });
        let pieces = stretches.map_ok(move |bytes: Bytes| {
            let starts = (0..bytes.len()).step_by(piece);
            let pieces: Vec<_> = starts.map(|at| Ok(bytes.slice(at..bytes.len().min(at + piece)))).collect();
            stream::iter(pieces)
        });
        pieces.try_flatten()
    }

    async fn stretch(&self, held: &Held, range: Range<u64>) -> Result<Bytes, Problem> {
        let expected = range.end - range.start;
        let options = GetOptions {
            if_match: Some(held.tag.clone()),
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let read = async { self.store.get_opts(&held.key, options).await?.bytes().await };
        let bytes = read.await.map_err(|cause| match cause {
            object_store::Error::Precondition { .. } => Problem::Replaced,
            cause => Problem::Store(cause),
        })?;
        match bytes.len() as u64 == expected {
            true => Ok(bytes),
            false => Err(Problem::Length { came: bytes.len() as u64, expected }),
        }
    }

    async fn find(&self, job: JobId) -> Result<Vec<Artifact>, Problem> {
        let mut objects = self.store.list(Some(&self.below(&job.to_string())?));
        let mut found = Vec::new();
        while let Some(object) = objects.try_next().await? {
            let Some((owner, name)) = self.placed(&object.location) else { continue };
            if owner.job == job && check_name(name).is_ok() {
                let address = Scheme::Object.address(owner, name);
                found.push(Artifact { owner, name: name.into(), address, bytes: object.size });
            }
        }
        found.sort_by(|a, b| (a.owner.claim, &a.name).cmp(&(b.owner.claim, &b.name)));
        Ok(found)
    }

    fn placed<'a>(&self, key: &'a Key) -> Option<(Owner, &'a str)> {
        match self.prefix.as_str() {
            "" => placed(key.as_ref()),
            prefix => placed(key.as_ref().strip_prefix(prefix)?.strip_prefix('/')?),
        }
    }

    pub(super) async fn delete_below(&self, folder: &Key) -> Result<(), Problem> {
        let mut objects = self.store.list(Some(folder));
        while let Some(object) = objects.try_next().await? {
            self.store.delete(&object.location).await?;
        }
        Ok(())
    }

    async fn try_out(&self) -> Result<(), Problem> {
        let key = self.below(&format!(".probe-{}", Uuid::new_v4()))?;
        let told: &[u8] = b"probe";
        self.store.put_opts(&key, told.to_vec().into(), PutOptions::from(PutMode::Create)).await?;
        let read = async { self.store.get(&key).await?.bytes().await };
        let read = read.await;
        self.store.delete(&key).await?;
        match read? == told {
            true => Ok(()),
            false => Err(Problem::Probe),
        }
    }

    /// Whether it will not be there later either. A store also says "not found" of a bucket or a prefix that is not the
    /// right one, so only another file of the same job proves that its files would be here.
    async fn is_missing(&self, address: &str, problem: &Problem) -> bool {
        match (problem, parse(address)) {
            (Problem::Address, _) => true,
            (Problem::Store(object_store::Error::NotFound { .. }), Some((_, owner, _))) => {
                let Ok(folder) = self.below(&owner.job.to_string()) else { return false };
                self.store.list(Some(&folder)).next().await.is_some_and(|object| object.is_ok())
            }
            _ => false,
        }
    }

    pub(super) fn port(&self, doing: &str) -> impl Fn(Problem) -> PortError + Clone + use<> {
        let doing = format!("{doing} in {}", self.url);
        move |problem| PortError::new(doing.clone(), problem)
    }
}

/// An object that is read: this one and no other of its name.
pub(super) struct Held {
    key: Key,
    pub(super) size: u64,
    tag: String,
}

fn part_of(size: u64) -> u64 {
    PART.max(size.div_ceil(MOST_PARTS))
}

async fn send(
    upload: &mut WriteMultipart,
    size: u64,
    part: u64,
    from: &mut (impl tokio::io::AsyncRead + Unpin + Send),
) -> Result<(), Problem> {
    let disk = |cause| Problem::Disk { path: "what is to be stored".into(), cause };
    let mut came = 0;
    loop {
        upload.wait_for_capacity(PARTS_AT_ONCE).await?;
        let bytes = read_part(from, part).await.map_err(disk)?;
        came += bytes.len() as u64;
        if bytes.is_empty() || came > size {
            break;
        }
        upload.put(bytes.into());
    }
    match came == size {
        true => Ok(()),
        false => Err(Problem::Length { came, expected: size }),
    }
}

/// As many bytes as there are, and no more than that.
async fn read_part(from: &mut (impl tokio::io::AsyncRead + Unpin), most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

impl Artifacts for BucketArtifacts {
    fn put<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        let port = self.port(&format!("storing the artifact `{name}`"));
        Box::pin(async move { self.write(owner, name, bytes).await.map_err(port) })
    }

    fn put_file<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        let port = self.port(&format!("storing the file `{}` as the artifact `{name}`", file.display()));
        Box::pin(async move { self.take(owner, name, file).await.map_err(port) })
    }

    fn put_new<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PutNewError>> {
        let port = self.port(&format!("storing the new artifact `{name}`"));
        Box::pin(async move {
            match self.write_new(owner, name, bytes).await.map_err(port)? {
                (address, true) => Ok(address),
                (address, false) => Err(PutNewError::Taken(address)),
            }
        })
    }

    fn get<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, PortError>> {
        let port = self.port(&format!("reading the artifact `{address}`"));
        Box::pin(async move {
            match self.whole(address).await {
                Ok(bytes) => Ok(bytes),
                Err(problem) => {
                    let is_missing = self.is_missing(address, &problem).await;
                    Err(PortError { is_missing, ..port(problem) })
                }
            }
        })
    }

    fn read<'a>(&'a self, address: &'a str, piece_bytes: usize) -> BoxFuture<'a, Result<Reading, PortError>> {
        let port = self.port(&format!("reading the artifact `{address}`"));
        Box::pin(async move {
            let held = async { self.hold(self.key_of(address)?).await };
            let held = held.await.map_err(&port)?;
            let bytes = held.size;
            let pieces = self.clone().stretches(held, piece_bytes).map_ok(Vec::from).map_err(port);
            Ok(Reading { bytes, pieces: pieces.boxed() })
        })
    }

    fn list(&self, job: JobId) -> BoxFuture<'_, Result<Vec<Artifact>, PortError>> {
        let port = self.port(&format!("listing the artifacts of job {job}"));
        Box::pin(async move { self.find(job).await.map_err(port) })
    }
}

impl ArtifactStore for BucketArtifacts {
    fn jobs(&self) -> BoxStream<'_, Result<JobId, PortError>> {
        let port = self.port("listing the jobs that left artifacts");
        let below = match self.prefix.as_str() {
            "" => Ok(None),
            _ => Key::parse(&self.prefix).map(Some),
        };
        let below = match below {
            Ok(below) => below,
            Err(cause) => return stream::iter([Err(port(Problem::Store(cause.into())))]).boxed(),
        };
        let objects = self.store.list(below.as_ref()).map_err(move |cause| port(cause.into()));
        let jobs = objects.map_ok(|object| self.placed(&object.location).map(|(owner, _)| owner.job));
        jobs.try_filter_map(|job| async move { Ok(job) }).boxed()
    }

    /// To list a bucket that is not there is an error already.
    fn reach<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(async { Ok(()) })
    }

    fn remove(&self, job: JobId) -> BoxFuture<'_, Result<(), PortError>> {
        let port = self.port(&format!("deleting the artifacts of job {job}"));
        Box::pin(async move {
            let folder = self.below(&job.to_string()).map_err(&port)?;
            self.delete_below(&folder).await.map_err(port)
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), PortError>> {
        let port = self.port("writing, reading and deleting");
        Box::pin(async move { self.try_out().await.map_err(port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3 takes ten thousand parts of one object, which may have 5 TiB.
    #[test]
    fn a_file_of_any_size_has_few_enough_parts() {
        for size in [PART + 1, 1 << 30, 100 << 30, 5 << 40] {
            let part = part_of(size);
            assert!(part >= PART && size.div_ceil(part) <= MOST_PARTS, "{size}: {part}");
        }
    }
}
