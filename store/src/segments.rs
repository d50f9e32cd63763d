//! Segments of the audit log: how long it is kept, and how it goes. A segment is closed when everything in it is signed
//! and anchored, and goes as a whole when its time is over; its hashes stay, so that proofs of later entries stand.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Actor, Position, Result};

#[async_trait]
pub trait Segments: Send + Sync + 'static {
    /// All there ever were, in order.
    async fn segments(&self) -> Result<Vec<SegmentRow>>;

    /// Closes the next one, with an entry [`CLOSE`]. False, and nothing is done, when another process was quicker.
    async fn close_segment(&self, segment: &NewSegment, by: &Actor) -> Result<bool>;

    /// Says in an entry [`DROP`] that the entries of this one go; they do with [`Segments::forget_entries`]. False when
    /// that is said already.
    async fn drop_segment(&self, segment: &SegmentRow, by: &Actor) -> Result<bool>;

    /// Deletes entries of dropped segments, up to `limit`, and what opens commitments that were made for those alone.
    async fn forget_entries(&self, limit: usize) -> Result<u64>;
}

pub const CLOSE: &str = "audit.segment_close";
pub const DROP: &str = "audit.segment_drop";

/// A commitment is made for entries of the day on which it was made, and not of the next but one.
pub const OPENINGS_LAST: std::time::Duration = std::time::Duration::from_secs(2 * 86_400);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSegment {
    pub number: u64,
    /// Its leaves are those from here on,
    pub first: u64,
    /// and before here.
    pub until: u64,
    /// Of the tree of `until` leaves.
    pub root: String,
    /// Where the last of its entries stands.
    pub last: Position,
    /// When the checkpoint was signed that it ends with.
    pub ends_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    pub segment: NewSegment,
    pub closed_at: Timestamp,
    pub dropped_at: Option<Timestamp>,
}

impl NewSegment {
    /// What the entries say of it.
    pub fn told(&self) -> serde_json::Value {
        let Self { number, first, until, root, ends_at, .. } = self;
        serde_json::json!({
            "number": number, "first": first, "until": until, "root": root, "ends_at": ends_at,
        })
    }
}
