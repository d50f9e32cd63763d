//! The audit log as it is read along: what happened, from a position on, and readers that remember how far
//! they are.
//!
//! A position is safe to go on from: whatever is written later stands behind every entry that was read. On
//! PostgreSQL an entry's number alone would not do, because it is drawn before the commit, so one of a transaction
//! that commits late would turn up before others that were read. There a position names the transaction too, and
//! entries of transactions that began while an older one is still open are held back until it has ended.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use jobkit::AuditEntry;
use serde::{Serialize, Serializer};

use super::{Actor, Inserted, NewRow, Result};

/// A place in the log, behind an entry. Later places are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Grows when a database is loaded from a dump, which lets the numbers of transactions begin anew.
    pub era: u32,
    pub tx: u64,
    pub seq: i64,
}

impl Position {
    /// Before the first entry.
    pub const START: Self = Self { era: 0, tx: 0, seq: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.era, self.tx, self.seq)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no position in the log; give back one that was given, such as 1-7301-42")]
pub struct NoPosition(String);

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let mut parts = text.split('-');
        let mut read = || {
            let (era, tx, seq) = (parts.next()?, parts.next()?, parts.next()?);
            let position = Self { era: era.parse().ok()?, tx: tx.parse().ok()?, seq: seq.parse().ok()? };
            // Both are kept as signed numbers.
            let fits = i32::try_from(position.era).is_ok() && i64::try_from(position.tx).is_ok();
            (parts.next().is_none() && fits).then_some(position)
        };
        read().ok_or_else(|| NoPosition(text.into()))
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AuditPage {
    pub entries: Vec<(Position, AuditEntry)>,
    /// There may be others behind them already.
    pub more: bool,
}

/// No limit on the bytes: readers that take what there is.
pub const ANY_WEIGHT: u64 = i64::MAX.cast_unsigned();

#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    async fn append_audit(&self, entry: &AuditEntry) -> Result<()>;

    /// Entries behind the position, oldest first, each with its own. The jobs that an entry names are in its
    /// details, as `jobs`. An entry may come a look later than it was written, never out of its order.
    async fn audit_after(&self, position: Position, limit: usize) -> Result<Vec<(Position, AuditEntry)>>;

    /// As `audit_after`, of entries that are at most so heavy together, save that there is one if there are any.
    async fn audit_page(&self, position: Position, limit: usize, most_bytes: u64) -> Result<AuditPage>;

    /// Where the log ends now; what is written from here on stands behind it.
    async fn audit_head(&self) -> Result<Position>;

    /// How far this reader has come. A new one begins where the log ends now.
    async fn follower(&self, name: &str) -> Result<Position>;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_nothing_else_is_one() {
        let position = Position { era: 1, tx: 7_301, seq: 42 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for wrong in
            ["", "7", "1-2", "1-2-3-4", "1--3", "a-2-3", "1-2-3 ", "-1-2-3", "1-18446744073709551615-3"]
        {
            assert_eq!(wrong.parse::<Position>(), Err(NoPosition(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn positions_are_in_the_order_of_era_transaction_and_number() {
        let at = |era, tx, seq| Position { era, tx, seq };
        let mut places = [at(2, 1, 1), at(1, 9, 3), at(1, 8, 7), at(1, 9, 2), Position::START];
        places.sort();
        assert_eq!(places, [Position::START, at(1, 8, 7), at(1, 9, 2), at(1, 9, 3), at(2, 1, 1)]);
    }
}
