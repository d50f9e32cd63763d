//! Where files come in that callers put into a bucket themselves: nobody reads them there but whoever completes the upload.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use jobkit::{PortError, UploadId};

pub trait Quarantine: Send + Sync + 'static {
    /// A place for this file alone, to which whoever has the URL may write for so long.
    fn invite<'a>(
        &'a self,
        id: UploadId,
        sha256: Option<&'a [u8; 32]>,
        life: Duration,
    ) -> BoxFuture<'a, Result<Invitation, PortError>>;

    /// What came. None when nothing did.
    fn open(&self, id: UploadId) -> BoxFuture<'_, Result<Option<Arrived>, PortError>>;

    fn remove(&self, id: UploadId) -> BoxFuture<'_, Result<(), PortError>>;

    /// Files that nobody has written to for so long.
    fn older_than(&self, now: Timestamp, age: Duration) -> BoxFuture<'_, Result<Vec<UploadId>, PortError>>;
}

/// How a file is sent: a PUT to the URL, with these headers. Whoever has the URL may do that, so it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    pub url: String,
    pub headers: Vec<(String, String)>,
}

pub struct Arrived {
    pub bytes: u64,
    /// As it was announced with the invitation.
    pub sha256: Option<[u8; 32]>,
    pub pieces: BoxStream<'static, Result<Bytes, PortError>>,
}
