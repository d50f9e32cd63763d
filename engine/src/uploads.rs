//! Files that somebody hands in, so that a job can read them: taken in as they come, looked at, and kept for a while.
//!
//! Nothing that whoever sends it says is believed. Room is taken before a byte comes; the bytes go to a file that has no
//! name but an id, and are counted and hashed on the way; what the content is decides what it is; a scanner looks at all
//! of it where there is one, and without its word nothing is usable. Whatever goes wrong leaves neither file nor row.

pub mod format;
mod package;
pub mod presign;
pub mod quarantine;
pub mod scanner;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use jobkit::{Clock, IdGenerator, Personal, PortError, UploadId};
use sha2::{Digest, Sha256};
use tracing::{error, info, warn};

use self::format::{Claim, Format, Look};
use self::quarantine::Quarantine;
use self::scanner::{ScanError, Scanner, Verdict};
use self::shelf::{Arriving, Shelf};
use crate::alerts::UPLOAD_INFECTED;
use store::scope::Foreign;
use store::uploads::Taken;
use store::{
    Actor, Held, NewUpload, News, Quota, Received, Reservation, Scope, Severity, Store, StoreError,
    UploadDeleted, UploadRow, Why, chain,
};

/// What is taken, and for how long.
#[derive(Debug, Clone)]
pub struct Rules {
    pub max_bytes: u64,
    /// Of each tenant, and of what belongs to none.
    pub quota: Quota,
    pub keep: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_bytes: 100 << 20,
            quota: Quota { bytes: 1 << 30, count: 100 },
            keep: Duration::from_secs(7 * 86_400),
        }
    }
}

/// Where they lie, and who looks at them.
#[derive(Clone)]
pub struct Place {
    pub directory: PathBuf,
    pub rules: Rules,
    pub scanner: Option<Arc<dyn Scanner>>,
    /// Where callers put files themselves, in a bucket; without one they send them here.
    pub quarantine: Option<Arc<dyn Quarantine>>,
}

impl Place {
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), rules: Rules::default(), scanner: None, quarantine: None }
    }
}

pub struct Uploads {
    store: Arc<dyn Store>,
    ids: IdGenerator,
    shelf: Shelf,
    pub rules: Rules,
    pub scanner: Option<Arc<dyn Scanner>>,
    quarantine: Option<Arc<dyn Quarantine>>,
    clock: Arc<dyn Clock>,
}

/// What whoever sends it says of it. All of it may be untrue.
#[derive(Debug, Default)]
pub struct Wish {
    pub tenant: Option<String>,
    pub name: Option<Personal<String>>,
    pub bytes: Option<u64>,
    pub sha256: Option<[u8; 32]>,
    pub claims: Vec<Claim>,
    /// So long nothing may come.
    pub patience: Duration,
}

/// Without a word for so long, whoever receives it is gone.
const LEASE: Duration = Duration::from_secs(300);
const SAY_SO_EVERY: Duration = Duration::from_secs(60);
/// Who sends a few bytes now and then holds a place and a part of the quota.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Files that no row is for. A day is longer than any request, and than two clocks differ.
const ORPHANED_AFTER: Duration = Duration::from_secs(86_400);
const BITE: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the quota is used up")]
    Full { taken: Taken, quota: Quota },
    #[error("{0}")]
    Unknown(format::Unknown),
    #[error("the file is {found}, and {claim} says otherwise")]
    Differs { claim: Claim, found: Format },
    #[error("the bytes that came have another SHA-256 than was announced")]
    Digest,
    #[error("the file holds {signature}")]
    Infected { signature: String },
    #[error("the scanner did not say that the file is clean")]
    Scanner(#[source] ScanError),
    #[error("the file broke off")]
    Broken,
    #[error("nothing came for {0:?}")]
    Slow(Duration),
    #[error("the disk for uploads is full")]
    NoRoom(#[source] std::io::Error),
    #[error("writing the file")]
    Disk(#[source] std::io::Error),
    #[error("the file took so long that its place was given to others")]
    Gone,
    #[error("artifacts lie in a folder, to which nobody can be sent")]
    NoBucket,
    #[error("upload {0} is not known")]
    NotKnown(UploadId),
    #[error("nothing came yet")]
    NotArrived,
    #[error("it is being completed just now")]
    Busy,
    #[error("{announced} bytes were announced, and {came} came")]
    Size { announced: u64, came: u64 },
    #[error("the bucket broke off")]
    BucketSlow,
    #[error("the bucket for uploads cannot be reached")]
    Bucket(#[source] PortError),
    #[error("tenant: {}", .0.0)]
    Tenant(Foreign),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UploadError {
    /// As the API and the audit log call it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "body_too_large",
            Self::Full { .. } => "quota_full",
            Self::Unknown(_) => "unsupported_format",
            Self::Differs { .. } => "format_differs",
            Self::Digest => "digest_differs",
            Self::Infected { .. } => "infected",
            Self::Scanner(_) => "scanner_away",
            Self::Broken => "broken_off",
            Self::Slow(_) | Self::Gone => "body_timeout",
            Self::NoRoom(_) => "crowded",
            Self::Disk(_) => "internal",
            Self::NoBucket => "presign_off",
            Self::NotKnown(_) => "not_found",
            Self::NotArrived => "not_arrived",
            Self::Busy => "busy",
            Self::Size { .. } => "size_differs",
            Self::BucketSlow | Self::Bucket(_) => "artifacts_away",
            Self::Tenant(_) => "invalid_parameter",
            Self::Store(_) => "store_away",
        }
    }

    /// Nothing is wrong with the file, so far as anybody knows.
    fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Broken
                | Self::Slow(_)
                | Self::Gone
                | Self::Busy
                | Self::NotArrived
                | Self::NoRoom(_)
                | Self::Disk(_)
                | Self::Store(_)
                | Self::BucketSlow
                | Self::Bucket(_)
        )
    }

    fn why(&self) -> Why {
        let details = match self {
            Self::Infected { signature } => serde_json::json!({ "signature": signature }),
            _ => serde_json::Value::Null,
        };
        Why { reason: self.reason(), details }
    }
}

impl From<std::io::Error> for UploadError {
    fn from(cause: std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match cause.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::NoRoom(cause),
            _ => Self::Disk(cause),
        }
    }
}

/// A piece that did not come, because the connection is gone.
#[derive(Debug)]
pub struct BrokenOff;

impl Uploads {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, place: Place) -> Self {
        let Place { directory, rules, scanner, quarantine } = place;
        let ids = IdGenerator::new(clock.clone());
        Self { store, ids, shelf: Shelf::new(directory), rules, scanner, quarantine, clock }
    }

    /// Takes a file in. To be run in a task of its own: what has begun is to be ended, also when nobody waits for the answer.
    pub async fn receive(
        &self,
        scope: &Scope,
        wish: Wish,
        body: impl Stream<Item = Result<Bytes, BrokenOff>> + Send + Unpin,
        by: &Actor,
    ) -> Result<UploadRow, UploadError> {
        let most = self.rules.max_bytes;
        if wish.bytes.is_some_and(|bytes| bytes > most) {
            return Err(UploadError::TooLarge(most));
        }
        let tenant = scope.own(wish.tenant.clone()).map_err(UploadError::Tenant)?;
        let id = UploadId(self.ids.next().0);
        let new = NewUpload {
            id,
            tenant,
            created_by: by.name.clone(),
            name: wish.name.clone(),
            // Who does not say how much comes may send as much as anybody.
            bytes: wish.bytes.unwrap_or(most),
            patience: LEASE,
            entry: None,
        };
        if let Reservation::Full(taken) = self.store.reserve_upload(&new, &self.rules.quota).await? {
            return Err(UploadError::Full { taken, quota: self.rules.quota });
        }
        let started = self.clock.steady();
        let taken = async {
            let arriving = self.shelf.begin(id).await?;
            self.take_in(id, &wish, arriving, body, by).await
        };
        match taken.await {
            Ok(row) => {
                let ms = self.clock.steady().saturating_sub(started).as_millis();
                info!(upload.id = %id, upload.bytes = row.bytes, ms, "upload {id} is ready");
                Ok(row)
            }
            Err(problem) => {
                self.give_up(id, &problem, by).await;
                Err(problem)
            }
        }
    }

    async fn take_in(
        &self,
        id: UploadId,
        wish: &Wish,
        mut arriving: Arriving,
        body: impl Stream<Item = Result<Bytes, BrokenOff>> + Send + Unpin,
        by: &Actor,
    ) -> Result<UploadRow, UploadError> {
        let limit = self.clock.sleep(LONGEST);
        let (bytes, sum, look) = tokio::select! {
            written = self.write(id, wish, body, &mut arriving) => written?,
            () = limit => return Err(UploadError::Slow(LONGEST)),
        };
        if wish.sha256.is_some_and(|announced| announced != sum) {
            return Err(UploadError::Digest);
        }
        let file = arriving.finish().await?;
        let format = self.settle(look, &file, bytes).await?;
        if let Some(claim) = wish.claims.iter().find(|claim| !claim.fits(format)) {
            return Err(UploadError::Differs { claim: claim.clone(), found: format });
        }
        self.scan(id, &file).await?;
        self.shelf.keep(id).await?;
        let received = Received {
            bytes,
            sha256: sum,
            format: format.name().into(),
            is_scanned: self.scanner.is_some(),
            keep: self.rules.keep,
        };
        self.store.upload_received(id, &received, by).await?.ok_or(UploadError::Gone)
    }

    async fn write(
        &self,
        id: UploadId,
        wish: &Wish,
        mut body: impl Stream<Item = Result<Bytes, BrokenOff>> + Send + Unpin,
        arriving: &mut Arriving,
    ) -> Result<(u64, [u8; 32], Look), UploadError> {
        let most = wish.bytes.unwrap_or(self.rules.max_bytes);
        let (mut bytes, mut hash, mut look) = (0u64, Sha256::new(), Look::default());
        let mut said = self.clock.steady();
        loop {
            let piece = match tokio::time::timeout(wish.patience, body.next()).await {
                Err(_) => return Err(UploadError::Slow(wish.patience)),
                Ok(None) => break,
                Ok(Some(piece)) => piece.map_err(|BrokenOff| UploadError::Broken)?,
            };
            bytes += piece.len() as u64;
            if bytes > most {
                return Err(UploadError::TooLarge(self.rules.max_bytes));
            }
            hash.update(&piece);
            // What cannot be anything is not waited for.
            look.feed(&piece).map_err(UploadError::Unknown)?;
            arriving.write(&piece).await?;
            let now = self.clock.steady();
            if now.saturating_sub(said) >= SAY_SO_EVERY {
                said = now;
                self.still_there(id).await?;
            }
        }
        if wish.bytes.is_some_and(|announced| announced != bytes) {
            return Err(UploadError::Broken);
        }
        Ok((bytes, hash.finalize().into(), look))
    }

    async fn still_there(&self, id: UploadId) -> Result<(), UploadError> {
        match self.store.upload_goes_on(id, LEASE).await? {
            true => Ok(()),
            false => Err(UploadError::Gone),
        }
    }

    async fn settle(&self, look: Look, file: &Path, bytes: u64) -> Result<Format, UploadError> {
        let file = file.to_path_buf();
        let settled = tokio::task::spawn_blocking(move || look.settle(&file, bytes)).await;
        settled.map_err(|cause| UploadError::Disk(std::io::Error::other(cause)))?
    }

    /// Fails closed: what a scanner did not call clean is not usable, whatever kept it from saying so.
    async fn scan(&self, id: UploadId, file: &Path) -> Result<(), UploadError> {
        let Some(scanner) = &self.scanner else { return Ok(()) };
        self.still_there(id).await?;
        let started = self.clock.steady();
        let verdict = scanner.scan(file).await.map_err(UploadError::Scanner)?;
        let ms = self.clock.steady().saturating_sub(started).as_millis();
        info!(upload.id = %id, ms, "upload {id} is scanned");
        match verdict {
            Verdict::Clean => Ok(()),
            Verdict::Infected(signature) => Err(UploadError::Infected { signature }),
        }
    }

    /// Neither file nor row is left. Where the store does not say that it took it, both end by themselves: it may have heard
    /// that the upload is ready, and only its answer was lost.
    async fn give_up(&self, id: UploadId, problem: &UploadError, by: &Actor) {
        info!(upload.id = %id, "upload {id} is refused: {}", problem.reason());
        if let UploadError::Scanner(cause) = problem {
            warn!(upload.id = %id, "upload {id} was not scanned: {}", chain(cause));
        }
        self.shelf.discard(id).await;
        match self.store.refuse_upload(id, &problem.why(), by).await {
            Ok(true) => self.shelf.remove(id).await,
            Ok(false) => {}
            Err(failed) => {
                warn!(upload.id = %id, "that upload {id} is refused could not be written down: {}", chain(&failed));
            }
        }
        if let UploadError::Infected { signature } = problem {
            let text = format!("upload {id} held {signature}; it was refused and deleted");
            let news = News::happened(UPLOAD_INFECTED, "clamav", Severity::Warning, text);
            if let Err(failed) = self.store.raise(&[news]).await {
                warn!(upload.id = %id, "nobody is told of upload {id}: {}", chain(&failed));
            }
        }
    }

    pub async fn list(
        &self,
        scope: &Scope,
        before: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<UploadRow>, StoreError> {
        self.store.uploads(scope, before, limit).await
    }

    pub async fn find(&self, scope: &Scope, id: UploadId) -> Result<Option<UploadRow>, StoreError> {
        self.store.upload(scope, id).await
    }

    pub async fn delete(&self, scope: &Scope, id: UploadId, by: &Actor) -> Result<UploadDeleted, StoreError> {
        let deleted = self.store.delete_upload(scope, id, by).await?;
        if deleted == UploadDeleted::Done {
            self.shelf.remove(id).await;
            // Whoever deletes does not wait for a bucket.
            if let Some(quarantine) = self.quarantine.clone() {
                tokio::spawn(async move { presign::forget_arrived(&*quarantine, id).await });
            }
        }
        Ok(deleted)
    }

    /// For a running attempt. What lands in the file is what was received, byte for byte, or there is an error.
    pub async fn fetch(&self, held: Held, id: UploadId, into: &Path, by: &Actor) -> Result<u64, FetchError> {
        let row = self.store.use_upload(held, id, by).await?;
        let (bytes, sum) = match self.shelf.copy(id, into).await {
            Ok(copied) => copied,
            Err(_) if self.shelf.is_gone(id).await => return Err(Changed::Gone(id).into()),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Err(FetchError::Elsewhere(id));
            }
            Err(cause) => return Err(FetchError::Disk { id, cause }),
        };
        if (bytes, Some(sum)) != (row.bytes, row.sha256) {
            error!(upload.id = %id, "the bytes of upload {id} are not those that were received");
            return Err(Changed::Bytes(id).into());
        }
        Ok(bytes)
    }

    /// Deletes what is over, and files that no row is for.
    pub async fn expire(&self) -> Result<(), StoreError> {
        loop {
            let gone = self.store.expire_uploads(BITE).await?;
            for id in &gone {
                self.shelf.remove(*id).await;
            }
            if gone.len() < BITE {
                break;
            }
        }
        let old = self.shelf.older_than(self.clock.now(), ORPHANED_AFTER).await;
        for some in old.chunks(BITE) {
            let known = self.store.known_uploads(some).await?;
            for id in some.iter().filter(|id| !known.contains(id)) {
                warn!(upload.id = %id, "the file of upload {id} belongs to nothing and is deleted");
                self.shelf.remove(*id).await;
            }
        }
        Ok(())
    }

    /// Whether files can be written here, by writing one.
    pub fn probe(directory: &Path) -> std::io::Result<()> {
        Shelf::new(directory.to_path_buf()).probe()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the file of upload {0} is not on this machine: mount the disk of uploads.directory, and give every process the same; if that disk is lost, hand the file in again and enqueue a new job"
    )]
    Elsewhere(UploadId),
    #[error("reading upload {id}")]
    Disk {
        id: UploadId,
        #[source]
        cause: std::io::Error,
    },
    #[error(transparent)]
    Changed(#[from] Changed),
}

/// What was received is here no more, and no later try finds it.
#[derive(Debug, thiserror::Error)]
pub enum Changed {
    #[error(
        "the file of upload {0} was deleted from uploads.directory; hand it in again and enqueue a new job that names the new upload"
    )]
    Gone(UploadId),
    #[error("the bytes of upload {0} are not those that were received; hand the file in again")]
    Bytes(UploadId),
}
