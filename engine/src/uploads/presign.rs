//! Uploads that go to a bucket without passing through us: a place to write to, for a while, and then the same looks at what
//! came as at any other upload.

use std::time::Duration;

use futures::StreamExt;
use jobkit::{PortError, UploadId};
use tracing::warn;

use super::format::Claim;
use super::quarantine::{Invitation, Quarantine};
use super::{BrokenOff, UploadError, Uploads, Wish};
use store::uploads::upload_invited;
use store::{Actor, NewUpload, Reservation, Scope, UploadRow, UploadState, chain};

/// Long enough to send the largest file over a slow line, and short enough to be of little use to whoever finds the URL.
pub const LIFE: Duration = Duration::from_secs(900);
/// What began in time may end later, and has to be completed.
const GRACE: Duration = Duration::from_secs(900);
/// A file has its row before anybody can send it; this is for two clocks that differ.
const LEFT_AFTER: Duration = Duration::from_secs(3_600);
/// Nothing may come from the bucket for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// An upload that is expected.
pub struct Expected {
    pub upload: UploadRow,
    pub invitation: Invitation,
}

impl Uploads {
    /// Takes room for a file of so many bytes, and says where to put it.
    pub async fn invite(&self, scope: &Scope, wish: Wish, by: &Actor) -> Result<Expected, UploadError> {
        let quarantine = self.quarantine()?;
        let most = self.rules.max_bytes;
        let bytes = wish.bytes.unwrap_or(most);
        if bytes > most {
            return Err(UploadError::TooLarge(most));
        }
        let tenant = scope.own(wish.tenant.clone()).map_err(UploadError::Tenant)?;
        let id = UploadId(self.ids.next().0);
        // Signing it takes no room, and nobody is told the URL before its row and its entry are there.
        let invitation = quarantine.invite(id, wish.sha256.as_ref(), LIFE).await?;
        let new = NewUpload {
            id,
            entry: Some(upload_invited(by, id, tenant.as_deref(), bytes, LIFE)),
            tenant,
            created_by: by.name.clone(),
            name: wish.name,
            bytes,
            patience: LIFE + GRACE,
        };
        if let Reservation::Full(taken) = self.store.reserve_upload(&new, &self.rules.quota).await? {
            return Err(UploadError::Full { taken, quota: self.rules.quota });
        }
        match self
            .store
            .upload(scope, id)
            .await
            .map_err(UploadError::from)
            .and_then(|row| row.ok_or(UploadError::Gone))
        {
            Ok(upload) => Ok(Expected { upload, invitation }),
            // Nobody is told the URL, so the room is free again.
            Err(problem) => {
                self.give_up(id, &problem, by).await;
                Err(problem)
            }
        }
    }

    /// Fetches what came, and looks at it as at any upload. One that is ready already is answered as it is. To be run in a
    /// task of its own.
    pub async fn complete(&self, scope: &Scope, id: UploadId, by: &Actor) -> Result<UploadRow, UploadError> {
        let row = self.store.upload(scope, id).await?.ok_or(UploadError::NotKnown(id))?;
        if row.state == UploadState::Ready {
            return Ok(row);
        }
        let completed = self.fetch_arrived(row, by).await;
        match completed {
            // Nothing is wrong with the file. Perhaps somebody else was faster; else it can be completed again.
            Err(problem) if problem.is_ours() => {
                let row = self.store.upload(scope, id).await?;
                row.filter(|row| row.state == UploadState::Ready).ok_or(problem)
            }
            completed => completed,
        }
    }

    async fn fetch_arrived(&self, row: UploadRow, by: &Actor) -> Result<UploadRow, UploadError> {
        let id = row.id;
        let quarantine = self.quarantine()?;
        let arrived = quarantine.open(id).await?.ok_or(UploadError::NotArrived)?;
        self.still_there(id).await?;
        // Whoever else completes it has the file open, and nothing of his may be touched.
        let arriving = self.shelf.begin(id).await.map_err(busy)?;
        let completed = match arrived.bytes == row.bytes {
            false => Err(UploadError::Size { announced: row.bytes, came: arrived.bytes }),
            true => {
                let wish = Wish {
                    bytes: Some(row.bytes),
                    sha256: arrived.sha256,
                    claims: row.name.iter().filter_map(|name| Claim::by_name(name.expose())).collect(),
                    patience: PATIENCE,
                    ..Wish::default()
                };
                let pieces = arrived.pieces.map(move |piece| {
                    piece.map_err(|problem| {
                        warn!(upload.id = %id, "upload {id} broke off on its way here: {}", chain(&problem));
                        BrokenOff
                    })
                });
                self.take_in(id, &wish, arriving, pieces, by).await
            }
        };
        match completed {
            Err(problem) if problem.is_ours() => {
                self.shelf.discard(id).await;
                // As long as after any invitation; should it fail, there are some minutes left.
                drop(self.store.upload_goes_on(id, GRACE).await);
                return Err(match problem {
                    UploadError::Broken | UploadError::Slow(_) => UploadError::BucketSlow,
                    UploadError::Disk(cause) => busy(cause),
                    problem => problem,
                });
            }
            Err(ref problem) => self.give_up(id, problem, by).await,
            Ok(_) => {}
        }
        forget_arrived(quarantine, id).await;
        completed
    }

    fn quarantine(&self) -> Result<&dyn Quarantine, UploadError> {
        self.quarantine.as_deref().ok_or(UploadError::NoBucket)
    }

    /// Files in the bucket that no row is for: of uploads that were never completed, and what came when it was too late.
    pub async fn sweep_quarantine(&self) -> Result<(), UploadError> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let old = quarantine.older_than(self.clock.now(), LEFT_AFTER).await?;
        for some in old.chunks(super::BITE) {
            let known = self.store.known_uploads(some).await?;
            for id in some.iter().filter(|id| !known.contains(id)) {
                forget_arrived(&**quarantine, *id).await;
            }
        }
        Ok(())
    }
}

/// A file that is there is somebody else's who completes the same.
fn busy(cause: std::io::Error) -> UploadError {
    match cause.kind() {
        std::io::ErrorKind::AlreadyExists => UploadError::Busy,
        _ => cause.into(),
    }
}

/// What cannot be deleted now is found later, as a file that no row is for.
pub(super) async fn forget_arrived(quarantine: &dyn Quarantine, id: UploadId) {
    if let Err(problem) = quarantine.remove(id).await {
        warn!(upload.id = %id, "the file of upload {id} stays in the bucket for now: {}", chain(&problem));
    }
}

impl From<PortError> for UploadError {
    fn from(cause: PortError) -> Self {
        Self::Bucket(cause)
    }
}
