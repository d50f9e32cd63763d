//! The audit log as it is read along: what happened, from a position on, and readers that remember how far
//! they are.
//!
//! A position is safe to go on from: whatever is written later stands behind every entry that was read. On
//! PostgreSQL an entry's number alone would not do, because it is drawn before the commit, so one of a transaction
//! that commits late would turn up before others that were read. There a position names the transaction too, and
//! entries of transactions that began while an older one is still open are held back until it has ended.

use async_trait::async_trait;
use jobkit::{AuditEntry, JobId};

use super::{Actor, Inserted, NewRow, Place, Position, Result};

#[derive(Debug, Clone, PartialEq)]
pub struct AuditPage {
    pub entries: Vec<(Position, AuditEntry)>,
    /// There may be others behind them already.
    pub more: bool,
}

/// An entry, and the jobs that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct OfJobs {
    pub entry: AuditEntry,
    pub jobs: Vec<JobId>,
}

/// No limit on the bytes: readers that take what there is.
pub const ANY_WEIGHT: u64 = i64::MAX.cast_unsigned();

#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    async fn append_audit(&self, entry: &AuditEntry) -> Result<()>;

    /// Entries that name jobs, all of them or none.
    async fn append_of_jobs(&self, entries: &[OfJobs]) -> Result<()>;

    /// Entries behind the position, oldest first, each with its own. The jobs that an entry names are in its
    /// details, as `jobs`. An entry may come a look later than it was written, never out of its order.
    async fn audit_after(&self, position: Position, limit: usize) -> Result<Vec<(Position, AuditEntry)>>;

    /// As `audit_after`, of entries that are at most so heavy together, save that there is one if there are any.
    async fn audit_page(&self, position: Position, limit: usize, most_bytes: u64) -> Result<AuditPage>;

    /// Where the log ends now; what is written from here on stands behind it, and nothing else there is news.
    async fn audit_head(&self) -> Result<Place>;

    /// How far this reader has come. A new one begins where the log ends now.
    async fn follower(&self, name: &str) -> Result<Place>;

    /// Moves a reader on and inserts what follows from what it read, in one transaction and as [`super::Store::insert`]
    /// does. None, and nothing is done, when it does not stand at `from`: another process was quicker.
    async fn follow(
        &self,
        name: &str,
        from: Position,
        to: Position,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Option<Vec<Inserted>>>;
}
