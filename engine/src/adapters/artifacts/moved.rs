//! A bucket, with the folder behind it in which artifacts were before: what is new goes to the bucket, and what lies in
//! the folder stays readable by the address that jobs wrote down. Files may be carried over at any time: an address
//! of the folder is looked for in the bucket when the file is not there any more.

use std::path::Path;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jobkit::{Artifact, Artifacts, JobId, Owner, PortError, PutNewError, Reading};

use super::place::{Scheme, parse};
use super::{BucketArtifacts, DirArtifacts};
use crate::artifacts::ArtifactStore;

#[derive(Debug, Clone)]
pub struct MovedArtifacts {
    pub bucket: BucketArtifacts,
    pub before: DirArtifacts,
}

impl MovedArtifacts {
    async fn holder(&self, address: &str) -> Result<&dyn Artifacts, PortError> {
        if !matches!(parse(address), Some((Scheme::File, ..))) {
            return Ok(&self.bucket);
        }
        let (doing, own) = (format!("looking for the artifact `{address}`"), address.to_owned());
        match self.before.off_runtime(doing, move |before| before.has(&own)).await? {
            true => Ok(&self.before),
            false => Ok(&self.bucket),
        }
    }

    /// Whether the bucket's word that it is missing is all there is to say. Of an address of the folder it is not, unless
    /// the folder has others of the job.
    async fn was_looked_for(&self, address: &str) -> Result<bool, PortError> {
        match parse(address) {
            Some((Scheme::File, ..)) => {
                let (doing, own) = (format!("looking for the artifact `{address}`"), address.to_owned());
                self.before.off_runtime(doing, move |before| Ok(before.has_job(&own))).await
            }
            _ => Ok(true),
        }
    }
}

impl Artifacts for MovedArtifacts {
    fn put<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        self.bucket.put(owner, name, bytes)
    }

    fn put_file<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        self.bucket.put_file(owner, name, file)
    }

    fn put_new<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PutNewError>> {
        self.bucket.put_new(owner, name, bytes)
    }

    fn get<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, PortError>> {
        Box::pin(async move {
            let got = self.holder(address).await?.get(address).await;
            match got {
                // It may lie in the folder, and that may come back.
                Err(problem) if problem.is_missing && !self.was_looked_for(address).await? => {
                    Err(PortError { is_missing: false, ..problem })
                }
                got => got,
            }
        })
    }

    fn read<'a>(&'a self, address: &'a str, piece_bytes: usize) -> BoxFuture<'a, Result<Reading, PortError>> {
        Box::pin(async move { self.holder(address).await?.read(address, piece_bytes).await })
    }

    fn list(&self, job: JobId) -> BoxFuture<'_, Result<Vec<Artifact>, PortError>> {
        Box::pin(async move {
            let mut found = self.bucket.list(job).await?;
            let before = self.before.list(job).await?;
            let is_known =
                |file: &Artifact| found.iter().any(|own| (own.owner, &own.name) == (file.owner, &file.name));
            // One that was copied and not yet deleted is told once.
            let old: Vec<_> = before.into_iter().filter(|file| !is_known(file)).collect();
            found.extend(old);
            found.sort_by(|a, b| (a.owner.claim, &a.name).cmp(&(b.owner.claim, &b.name)));
            Ok(found)
        })
    }
}

impl ArtifactStore for MovedArtifacts {
    fn jobs(&self) -> BoxStream<'_, Result<JobId, PortError>> {
        self.before.jobs().chain(self.bucket.jobs()).boxed()
    }

    fn reach<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<(), PortError>> {
        match parse(address) {
            Some((Scheme::File, ..)) => self.before.reach(address),
            _ => self.bucket.reach(address),
        }
    }

    fn remove(&self, job: JobId) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            self.before.remove(job).await?;
            self.bucket.remove(job).await
        })
    }

    /// The folder is only read from now on, and may be gone.
    fn probe(&self) -> BoxFuture<'_, Result<(), PortError>> {
        self.bucket.probe()
    }
}
