//! Where the files of a folder trigger lie: in a folder of this machine, or below a prefix of a bucket.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use futures::stream::BoxStream;
use jobkit::{ObjectError, roots};
use object_store::local::LocalFileSystem;
use object_store::{ObjectMeta, ObjectStore};

use super::File;
use crate::adapters::buckets::{Buckets, parts};
use crate::service::chain;

pub(super) enum Place {
    Folder(PathBuf),
    Bucket { buckets: Buckets, address: String },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("looking at the folder")]
    Folder(#[from] object_store::Error),
    #[error("looking into the bucket")]
    Bucket(#[from] ObjectError),
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

    /// Everything that lies there, for the trigger of this name.
    pub async fn list(&self, trigger: &str) -> Result<Vec<File>, PlaceError> {
        match self {
            Self::Folder(path) => {
                // Anew each time: the folder may be mounted later, and its absence is not the same as its being empty.
                let folder = LocalFileSystem::new_with_prefix(path)?;
                let mut found = folder.list(None);
                let mut files = Vec::new();
                while let Some(meta) = found.next().await {
                    match meta {
                        Ok(meta) => {
                            let path = folder.path_to_filesystem(&meta.location)?;
                            files.push(file(meta.location.to_string(), path.display().to_string(), meta));
                        }
                        // A name that is no text, or a folder below that may not be read; the others are none the worse for it.
                        Err(problem) => tracing::debug!(
                            "something in the folder of {trigger} is passed over: {}",
                            chain(&problem)
                        ),
                    }
                }
                Ok(files)
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
                    files.push(file(name, format!("{}{bucket}/{key}", roots::BUCKET), meta));
                }
                Ok(files)
            }
        }
    }
}

fn file(name: String, path: String, meta: ObjectMeta) -> File {
    File {
        name,
        path,
        etag: meta.e_tag.unwrap_or_default().trim_matches('"').into(),
        size: meta.size,
        modified: meta.last_modified.to_rfc3339(),
    }
}
