//! Files that were handed in over the network, as the store knows them: whose they are, what they hold, until when they
//! are kept. The bytes lie elsewhere, under the id and nothing else.
//!
//! Room is taken from the quota before a byte comes, so that two at once cannot both have the last of it, and given back
//! with the row. Whoever receives says again and again that it goes on; what nobody goes on with ends as what is over does.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jobkit::{AuditEntry, JobId, Personal, UploadId};
use serde_json::{Value, json};

use super::{Actor, Held, Result, Scope};

#[async_trait]
pub trait Uploads: Send + Sync + 'static {
    /// Takes room for a file that is about to come. It is there, and of no use, until [`Uploads::upload_received`].
    async fn reserve_upload(&self, new: &NewUpload, quota: &Quota) -> Result<Reservation>;

    /// Its bytes still come: it is not over for so long. False when it is gone.
    async fn upload_goes_on(&self, id: UploadId, patience: Duration) -> Result<bool>;

    /// All of it is there and was found good. From here on jobs may name it. None when it is gone: nobody went on with it
    /// for so long that it was over.
    async fn upload_received(
        &self,
        id: UploadId,
        received: &Received,
        by: &Actor,
    ) -> Result<Option<UploadRow>>;

    /// It was not found good, or did not come whole: its room is given back. `why` is for the audit log. False when there is
    /// nothing to refuse: it was over, or is ready.
    async fn refuse_upload(&self, id: UploadId, why: &Why, by: &Actor) -> Result<bool>;

    async fn upload(&self, scope: &Scope, id: UploadId) -> Result<Option<UploadRow>>;

    /// Newest first, from before this one on.
    async fn uploads(&self, scope: &Scope, before: Option<UploadId>, limit: usize) -> Result<Vec<UploadRow>>;

    /// Not while a job that has not ended names it.
    async fn delete_upload(&self, scope: &Scope, id: UploadId, by: &Actor) -> Result<UploadDeleted>;

    /// For an attempt that is about to read it, with an entry in the audit log. `Refused` when it is not there, is
    /// another tenant's than the job's, or is over and the job did not name it in time.
    async fn use_upload(&self, held: Held, id: UploadId, by: &Actor) -> Result<UploadRow>;

    /// Deletes up to `limit` that are over and that no unfinished job names, and says which.
    async fn expire_uploads(&self, limit: usize) -> Result<Vec<UploadId>>;

    /// Those of these that are there.
    async fn known_uploads(&self, ids: &[UploadId]) -> Result<Vec<UploadId>>;
}

#[derive(Debug, Clone)]
pub struct NewUpload {
    pub id: UploadId,
    /// None: of the installation, and of no tenant.
    pub tenant: Option<String>,
    pub created_by: String,
    /// As whoever sent it calls it.
    pub name: Option<Personal<String>>,
    /// What is taken from the quota until its size is known.
    pub bytes: u64,
    /// So long without a word, and nobody goes on with it.
    pub patience: Duration,
    /// For the audit log, in the same transaction. None of one that comes at once, which is written down when it is there.
    pub entry: Option<AuditEntry>,
}

/// What one tenant may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub bytes: u64,
    pub count: u64,
}

/// What a tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    pub bytes: u64,
    pub count: u64,
}

impl Quota {
    /// Whether there is room for one more of so many bytes.
    pub fn admits(&self, taken: Taken, bytes: u64) -> bool {
        taken.count < self.count && taken.bytes.saturating_add(bytes) <= self.bytes
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    Taken,
    Full(Taken),
}

#[derive(Debug, Clone)]
pub struct Received {
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// What its content is.
    pub format: String,
    /// Whether a scanner has looked at it.
    pub is_scanned: bool,
    pub keep: Duration,
}

/// Why an upload was not taken. No name of the file, and nothing that stood in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// For programs: a code of the API.
    pub reason: &'static str,
    pub details: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    Receiving,
    Ready,
}

impl UploadState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Ready => "ready",
        }
    }
}

impl std::str::FromStr for UploadState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Receiving, Self::Ready];
        all.into_iter().find(|one| one.name() == text).ok_or_else(|| format!("unknown state `{text}`"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    pub id: UploadId,
    pub tenant: Option<String>,
    pub state: UploadState,
    pub name: Option<Personal<String>>,
    /// What was announced, until it is ready.
    pub bytes: u64,
    pub sha256: Option<[u8; 32]>,
    pub format: Option<String>,
    pub is_scanned: bool,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadDeleted {
    Done,
    /// This job has not ended.
    Used(JobId),
    Unknown,
}

impl UploadRow {
    /// Why a job of this tenant may not name it. `holds` says that it did so in time.
    pub fn usable(&self, tenant: Option<&str>, holds: bool, now: Timestamp) -> Result<(), String> {
        // Another tenant's is told from one that never was by nobody.
        let known = self.tenant.as_deref() == tenant && self.state == UploadState::Ready;
        match known && (holds || now < self.expires_at) {
            true => Ok(()),
            false => Err(unknown_upload(self.id)),
        }
    }
}

pub fn unknown_upload(id: UploadId) -> String {
    format!("there is no upload {id}, or it is over; hand the file in again with POST /v1/uploads")
}

fn entry(
    by: &Actor,
    action: &str,
    (id, tenant): (UploadId, Option<&str>),
    outcome: &str,
    details: Value,
) -> AuditEntry {
    let object = format!("upload:{id}");
    AuditEntry { tenant: tenant.map(str::to_owned), ..by.entry(action, object, outcome, details) }
}

/// A place in a bucket for a file of so many bytes, to which whoever knows its URL may write for so long.
pub fn upload_invited(
    by: &Actor,
    id: UploadId,
    tenant: Option<&str>,
    bytes: u64,
    life: Duration,
) -> AuditEntry {
    let details = json!({ "bytes": bytes, "seconds": life.as_secs() });
    entry(by, "upload.invite", (id, tenant), "ok", details)
}

/// Not what it is called: a name may be somebody's, and the log keeps it for years.
pub fn upload_received(by: &Actor, row: &UploadRow) -> AuditEntry {
    let details = json!({
        "bytes": row.bytes,
        "sha256": row.sha256.map(|sum| hex(&sum)),
        "format": row.format,
        "scanned": row.is_scanned,
        "expires_at": row.expires_at,
    });
    entry(by, "upload.receive", (row.id, row.tenant.as_deref()), "ok", details)
}

pub fn upload_refused(by: &Actor, id: UploadId, tenant: Option<&str>, why: &Why) -> AuditEntry {
    let mut details = json!({ "reason": why.reason });
    if let (Some(details), Some(more)) = (details.as_object_mut(), why.details.as_object()) {
        details.extend(more.clone());
    }
    entry(by, "upload.refuse", (id, tenant), "refused", details)
}

pub fn upload_deleted(by: &Actor, id: UploadId, tenant: Option<&str>) -> AuditEntry {
    entry(by, "upload.delete", (id, tenant), "ok", Value::Null)
}

/// One that was never whole was abandoned by whoever sent it, or by a process of ours that ended.
pub fn upload_expired(id: UploadId, tenant: Option<&str>, state: UploadState) -> AuditEntry {
    match state {
        UploadState::Ready => entry(&Actor::system(), "upload.expire", (id, tenant), "ok", Value::Null),
        UploadState::Receiving => {
            let why = Why { reason: "abandoned", details: Value::Null };
            upload_refused(&Actor::system(), id, tenant, &why)
        }
    }
}

pub fn upload_used(by: &Actor, row: &UploadRow) -> AuditEntry {
    let details = json!({ "sha256": row.sha256.map(|sum| hex(&sum)) });
    entry(by, "upload.use", (row.id, row.tenant.as_deref()), "ok", details)
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn row() -> UploadRow {
        UploadRow {
            id: UploadId(Uuid::from_u128(1)),
            tenant: Some("north".into()),
            state: UploadState::Ready,
            name: Some(Personal::new("ada.csv".into())),
            bytes: 3,
            sha256: Some([7; 32]),
            format: Some("csv".into()),
            is_scanned: true,
            created_at: at(0),
            created_by: "user:1".into(),
            expires_at: at(10),
        }
    }

    #[test]
    fn an_upload_is_for_jobs_of_its_tenant_until_it_is_over_and_for_those_that_named_it_in_time_until_they_end()
     {
        let receiving = UploadRow { state: UploadState::Receiving, ..row() };
        let nobodys = UploadRow { tenant: None, ..row() };
        for (row, tenant, holds, now, usable) in [
            (row(), Some("north"), false, 9, true),
            (row(), Some("north"), false, 10, false),
            (row(), Some("north"), true, 10, true),
            (row(), Some("south"), false, 9, false),
            (row(), Some("south"), true, 9, false),
            (row(), None, false, 9, false),
            (nobodys.clone(), None, false, 9, true),
            (nobodys, Some("north"), false, 9, false),
            (receiving, Some("north"), true, 9, false),
        ] {
            assert_eq!(row.usable(tenant, holds, at(now)).is_ok(), usable, "{tenant:?} {holds} {now}");
        }
    }

    #[test]
    fn the_last_of_the_quota_is_had_and_no_byte_more() {
        let quota = Quota { bytes: 100, count: 2 };
        for (bytes, count, more, admits) in [
            (0, 0, 100, true),
            (0, 0, 101, false),
            (60, 1, 40, true),
            (60, 1, 41, false),
            (0, 2, 0, false),
            (100, 1, 0, true),
            (1, 1, u64::MAX, false),
        ] {
            assert_eq!(quota.admits(Taken { bytes, count }, more), admits, "{bytes} {count} {more}");
        }
    }

    #[test]
    fn no_name_of_a_file_is_in_what_is_written_down() {
        let by = Actor::new("user:1");
        let told = format!("{:?} {:?} {:?}", row(), upload_received(&by, &row()), upload_used(&by, &row()));
        assert!(!told.contains("ada"), "{told}");
    }
}
