//! Where the files of a folder trigger lie: in a folder of this machine, or below a prefix of a bucket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use jobkit::{ObjectError, roots};
use walkdir::{DirEntry, WalkDir};

use super::File;
use crate::adapters::buckets::{Buckets, parts};

pub(super) enum Place {
    Folder(PathBuf),
    Bucket { buckets: Buckets, address: String },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("the folder cannot be read")]
    Folder(#[from] io::Error),
    #[error("the bucket cannot be looked into")]
    Bucket(#[from] ObjectError),
    #[error("the bucket cannot be looked into")]
    Listing(#[from] object_store::Error),
}

/// What a look finds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub files: Vec<File>,
    /// The first thing that could not be looked at; the others are none the worse for it.
    pub passed_over: Option<String>,
}

impl Place {
    pub fn of(path: &Path, buckets: &Buckets) -> Self {
        match roots::address(path) {
            Some(address) => {
                Self::Bucket { buckets: buckets.clone(), address: address.trim_end_matches('/').into() }
            }
            None => Self::Folder(path.into()),
        }
    }

    pub fn is_bucket(&self) -> bool {
        matches!(self, Self::Bucket { .. })
    }

    /// Everything that lies there.
    pub async fn list(&self) -> Result<Listing, PlaceError> {
        match self {
            Self::Folder(path) => {
                let path = path.clone();
                let listed = tokio::task::spawn_blocking(move || look_below(&path)).await;
                match listed {
                    Ok(listing) => Ok(listing?),
                    Err(ended) => std::panic::resume_unwind(ended.into_panic()),
                }
            }
            Self::Bucket { buckets, address } => {
                let (bucket, prefix) = parts(address).unwrap_or_default();
                let mut found: BoxStream<'_, _> = buckets.list(address)?;
                let mut files = Vec::new();
                while let Some(meta) = found.next().await {
                    // Half a listing is none: what is missing in it would count as gone.
                    let meta = meta?;
                    let key = meta.location.to_string();
                    let name = key.strip_prefix(prefix).unwrap_or(&key).trim_start_matches('/').to_owned();
                    let etag = meta.e_tag.unwrap_or_default().trim_matches('"').to_owned();
                    files.push(File {
                        mark: format!("{etag} {name}"),
                        name,
                        path: format!("{}{bucket}/{key}", roots::BUCKET),
                        etag,
                        size: meta.size,
                        modified: meta.last_modified.to_rfc3339(),
                    });
                }
                Ok(Listing { files, passed_over: None })
            }
        }
    }
}

/// Not by `object_store`, whose listing ends at the first thing that it cannot read, without the rest.
fn look_below(folder: &Path) -> io::Result<Listing> {
    // A folder that is away or may not be read is not the same as one that is empty.
    std::fs::read_dir(folder)?;
    let root = folder.canonicalize()?;
    let mut listing = Listing::default();
    for entry in WalkDir::new(&root).min_depth(1).follow_links(true) {
        match entry.map_err(io::Error::from).and_then(|entry| found(&root, &entry)) {
            Ok(file) => listing.files.extend(file),
            // It went between two looks, or a link leads nowhere.
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => {
                listing.passed_over.get_or_insert_with(|| problem.to_string());
            }
        }
    }
    Ok(listing)
}

fn found(root: &Path, entry: &DirEntry) -> io::Result<Option<File>> {
    let data = entry.metadata()?;
    if !data.is_file() {
        return Ok(None);
    }
    let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
    let (Some(name), Some(path)) = (below.to_str(), entry.path().to_str()) else {
        return Err(io::Error::other(format!("the name of {} is no text", entry.path().display())));
    };
    Ok(Some(file(name, path, data.modified()?, data.len())))
}

/// A file is its name, its size and the second in which it was changed last: what a copy of the folder keeps, and what
/// comes back with it from an archive. See docs/decisions/0088.
fn file(name: &str, path: &str, modified: SystemTime, size: u64) -> File {
    let modified = Timestamp::try_from(modified).unwrap_or_default();
    File {
        mark: format!("{:x}-{size:x} {name}", modified.as_second()),
        name: name.into(),
        path: path.into(),
        etag: format!("{:x}-{size:x}", modified.as_microsecond()),
        size,
        modified: modified.to_string(),
    }
}
