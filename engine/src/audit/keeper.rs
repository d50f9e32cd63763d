//! How long the log is kept. A segment is closed at the end of a month, when all anchors have what was signed of it, and
//! goes when its time is over. What stays of it are its hashes, its checkpoints and the entries that say so.
//!
//! A segment ends with a checkpoint, so its root is one that was signed, and whoever has an old proof can still show it.

use std::sync::Arc;
use std::time::Duration;

use audit::checkpoint::{Checkpoint, CheckpointError};
use audit::tile::WIDTH;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jobkit::Clock;
use tracing::info;

use super::prove::{behind, kept};
use super::trunk::{Standing, TreeError};
use crate::service::Patience;
use store::{Actor, AnchorRow, NewSegment, Position, SegmentRow, SignedRow, Store, StoreError};

const LOOK: Duration = Duration::from_secs(600);
const BITE: usize = 2_000;

pub struct Keeper {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    /// None keeps everything.
    pub keep: Option<Duration>,
    /// The names of the anchors that must have a segment before it is closed.
    pub anchors: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("the checkpoint that a segment of the audit log would end with cannot be read")]
    Checkpoint(#[from] CheckpointError),
    #[error("the last entry of a segment of the audit log is not there; `compline audit verify` says more")]
    NoLast,
}

impl Keeper {
    pub async fn run(self) {
        let mut patience = Patience::new("keeping the audit log by segments", self.clock.clone());
        loop {
            match self.look().await {
                Ok(()) => {
                    patience.succeeded();
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Closes what can be closed, drops what is over, and deletes what was dropped.
    pub async fn look(&self) -> Result<(), KeepError> {
        let now = self.clock.now();
        let segments = self.store.segments().await?;
        let anchors = self.store.anchors().await?;
        if let Some((first, end)) = self.due(&segments, &anchors, now).await? {
            let segment = self.closing(&segments, first, end).await?;
            if self.store.close_segment(&segment, &Actor::system()).await? {
                info!(audit.until = segment.until, "segment {} of the audit log is closed", segment.number);
            }
        }
        if let Some(keep) = self.keep {
            for row in over(&segments, &anchors, &self.anchors, keep, now) {
                if self.store.drop_segment(row, &Actor::system()).await? {
                    info!("segment {} of the audit log is over, and goes", row.segment.number);
                }
            }
        }
        while self.store.forget_entries(BITE).await? == BITE as u64 {
            // Others get their turn between two bites.
            self.clock.sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The first leaf of the next segment and the checkpoint with which it ends, if it can be closed.
    async fn due(
        &self,
        segments: &[SegmentRow],
        anchors: &[AnchorRow],
        now: Timestamp,
    ) -> Result<Option<(u64, SignedRow)>, KeepError> {
        let first = segments.last().map_or(0, |row| row.segment.until);
        let anchored = anchored(anchors, &self.anchors);
        let month = month_of(now);
        let (mut end, mut above) = (None, first);
        loop {
            let page = self.store.checkpoints(above, 1_000).await?;
            let Some(last) = page.last() else { break };
            above = last.size;
            let more = last.at < month && last.size <= anchored;
            end = page.into_iter().rfind(|row| row.at < month && row.size <= anchored).or(end);
            if !more {
                break;
            }
        }
        Ok(end.map(|end| (first, end)))
    }

    async fn closing(
        &self,
        segments: &[SegmentRow],
        first: u64,
        end: SignedRow,
    ) -> Result<NewSegment, KeepError> {
        let checkpoint = Checkpoint::unverified(&end.note)?;
        let last = self.place_of(end.size - 1).await?;
        Ok(NewSegment {
            number: segments.last().map_or(0, |row| row.segment.number + 1),
            first,
            until: end.size,
            root: checkpoint.root.to_string(),
            last,
            ends_at: end.at,
        })
    }

    /// Where a leaf stands in the log.
    async fn place_of(&self, leaf: u64) -> Result<Position, KeepError> {
        let standing = Standing::load(self.store.as_ref()).await?;
        let number = leaf / WIDTH as u64;
        let first = match number == standing.edge.size() / WIDTH as u64 {
            true => standing.first,
            false => {
                let tile = self.store.tiles(&[(0, number)]).await?.pop();
                tile.and_then(|tile| tile.first).ok_or(KeepError::NoLast)?
            }
        };
        let (begun, first) = kept(self.store.as_ref(), (number * WIDTH as u64, first)).await?;
        let inside = usize::try_from(leaf - begun).unwrap_or(usize::MAX);
        let leaves = self.store.leaves_after(behind(first), WIDTH, u64::MAX).await?;
        leaves.get(inside).map(|(place, _)| *place).ok_or(KeepError::NoLast)
    }
}

/// What all of the named anchors have. Without one, nothing.
fn anchored(rows: &[AnchorRow], names: &[String]) -> u64 {
    let size = |name: &String| rows.iter().find(|row| row.name == *name).map_or(0, |row| row.size);
    names.iter().map(size).min().unwrap_or(0)
}

/// The beginning of the month that it is, in UTC: what was signed before belongs to months that are over.
fn month_of(now: Timestamp) -> Timestamp {
    let date = now.to_zoned(TimeZone::UTC).date();
    let first = Date::new(date.year(), date.month(), 1).unwrap_or(date);
    first.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |zoned| zoned.timestamp())
}

/// Segments whose time is over, the oldest first, up to the first whose is not: the log goes from its beginning. The
/// entry that closed one must be in what anchors have, so that nobody can say of any entries that they were over.
fn over<'a>(
    segments: &'a [SegmentRow],
    rows: &[AnchorRow],
    names: &[String],
    keep: Duration,
    now: Timestamp,
) -> Vec<&'a SegmentRow> {
    let anchored = anchored(rows, names);
    let since =
        names.iter().filter_map(|name| rows.iter().find(|row| row.name == *name)).map(|row| row.at).min();
    let going = |row: &&SegmentRow| {
        let ends = row.segment.ends_at.checked_add(keep).unwrap_or(Timestamp::MAX);
        let told = anchored > row.segment.until && since.is_some_and(|since| since > row.closed_at);
        ends <= now && told
    };
    segments.iter().filter(|row| row.dropped_at.is_none()).take_while(going).collect()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    const SEVEN_YEARS: Duration = Duration::from_secs((7 * 365 + 2) * 86_400);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn row(number: u64, until: u64, ends: &str, dropped: bool) -> SegmentRow {
        let segment = NewSegment {
            number,
            first: until - 10,
            until,
            root: String::new(),
            last: Position::START,
            ends_at: at(ends),
        };
        let closed_at = at(ends) + 1.hour();
        SegmentRow { segment, closed_at, dropped_at: dropped.then_some(closed_at) }
    }

    fn anchor(name: &str, size: u64, since: &str) -> AnchorRow {
        AnchorRow { name: name.into(), size, at: at(since) }
    }

    #[test]
    fn the_month_begins_on_its_first_day_in_utc() {
        for (now, month) in [
            ("2026-11-28T07:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-10-31T23:59:59.999Z", "2026-10-01T00:00:00Z"),
        ] {
            assert_eq!(month_of(at(now)), at(month));
        }
    }

    #[test]
    fn an_anchor_that_is_missing_has_nothing() {
        let rows = [anchor("a", 30, "2026-01-01T00:00:00Z"), anchor("b", 20, "2026-01-01T00:00:00Z")];
        for (names, has) in [(&["a"][..], 30), (&["a", "b"], 20), (&["a", "c"], 0), (&[], 0)] {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(anchored(&rows, &names), has, "{names:?}");
        }
    }

    #[test]
    fn segments_go_in_order_when_their_time_is_over_and_anchors_know_that_they_were_closed() {
        let segments = [
            row(0, 10, "2019-01-31T00:00:00Z", true),
            row(1, 20, "2019-02-28T00:00:00Z", false),
            row(2, 30, "2019-03-31T00:00:00Z", false),
            row(3, 40, "2019-04-30T00:00:00Z", false),
        ];
        let numbers = |now: &str, size: u64, since: &str| {
            let rows = [anchor("a", size, since)];
            let going = over(&segments, &rows, &["a".into()], SEVEN_YEARS, at(now));
            going.iter().map(|row| row.segment.number).collect::<Vec<_>>()
        };
        let lately = "2026-01-01T00:00:00Z";
        assert_eq!(numbers("2026-02-27T00:00:00Z", 100, lately), [0_u64; 0]);
        assert_eq!(numbers("2026-02-28T00:00:00Z", 100, lately), [1]);
        assert_eq!(numbers("2026-04-15T00:00:00Z", 100, lately), [1, 2]);
        assert_eq!(numbers("2030-01-01T00:00:00Z", 100, lately), [1, 2, 3]);
        assert_eq!(numbers("2030-01-01T00:00:00Z", 30, lately), [1]);
        // The anchor has been away since before it was closed.
        assert_eq!(numbers("2030-01-01T00:00:00Z", 100, "2019-02-28T00:30:00Z"), [0_u64; 0]);
        assert!(over(&segments, &[], &[], SEVEN_YEARS, at("2030-01-01T00:00:00Z")).is_empty());
    }
}
