//! Where artifacts are, for whoever looks after them: jobs only put and read (`jobkit::Artifacts`).

pub mod keeper;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jobkit::{Artifacts, JobId, PortError};

pub trait ArtifactStore: Artifacts {
    /// The jobs that have files here, whether anybody knows them or not; one may come twice.
    fn jobs(&self) -> BoxStream<'_, Result<JobId, PortError>>;
    /// Fails where the place in which the file of this address would lie is away, and a list without it proves nothing.
    fn reach<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<(), PortError>>;
    /// Deletes all files of a job.
    fn remove(&self, job: JobId) -> BoxFuture<'_, Result<(), PortError>>;
    /// Finds out whether files can be kept here, by writing one, reading it and deleting it: permissions, mounts and
    /// full disks all answer to that and to nothing less.
    fn probe(&self) -> BoxFuture<'_, Result<(), PortError>>;
}
