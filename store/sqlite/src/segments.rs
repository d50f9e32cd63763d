//! Segments of the audit log, on SQLite.

use async_trait::async_trait;
use futures::FutureExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::row::{RowExt, micros};
use super::writer::Done;
use super::{SqliteStore, audit as log};
use store::segments::{CLOSE, DROP, OPENINGS_LAST};
use store::{Actor, NewSegment, Result, SegmentRow, Segments};

#[async_trait]
impl Segments for SqliteStore {
    async fn segments(&self) -> Result<Vec<SegmentRow>> {
        self.read("listing the segments of the audit log", async |connection| {
            let rows = sqlx::query(include_str!("segments.sql")).fetch_all(connection).await?;
            rows.iter().map(segment).collect()
        })
        .await
    }

    async fn close_segment(&self, segment: &NewSegment, by: &Actor) -> Result<bool> {
        let (segment, by) = (segment.clone(), by.clone());
        self.write("closing a segment of the audit log", move |tx, now| {
            async move {
                let closed = sqlx::query(include_str!("segment_close.sql"))
                    .bind(segment.number.cast_signed())
                    .bind(segment.first.cast_signed())
                    .bind(segment.until.cast_signed())
                    .bind(segment.root.clone())
                    .bind(segment.last.seq)
                    .bind(segment.ends_at.as_microsecond())
                    .bind(now)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
                    > 0;
                if closed {
                    log::object(tx, now, &by, CLOSE, "audit", Some(segment.told())).await?;
                }
                Ok(closed)
            }
            .boxed()
        })
        .await
    }

    async fn drop_segment(&self, row: &SegmentRow, by: &Actor) -> Result<bool> {
        let (segment, by) = (row.segment.clone(), by.clone());
        self.write("dropping a segment of the audit log", move |tx, now| {
            async move {
                let query = sqlx::query(include_str!("segment_drop.sql"));
                let query = query.bind(segment.number.cast_signed()).bind(now);
                let dropped = query.execute(&mut *tx).await?.rows_affected() > 0;
                if dropped {
                    log::object(tx, now, &by, DROP, "audit", Some(segment.told())).await?;
                }
                Ok(dropped)
            }
            .boxed()
        })
        .await
    }

    async fn forget_entries(&self, limit: usize) -> Result<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write("deleting entries of dropped segments of the audit log", move |tx, _| {
            async move {
                let entries = sqlx::query(include_str!("entries_forget.sql")).bind(limit);
                let gone = entries.execute(&mut *tx).await?.rows_affected();
                let openings = sqlx::query(include_str!("openings_forget.sql")).bind(limit);
                openings.bind(micros(OPENINGS_LAST)).execute(tx).await?;
                Ok(gone)
            }
            .boxed()
        })
        .await
    }
}

fn segment(row: &SqliteRow) -> Done<SegmentRow> {
    let number = |name| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    Ok(SegmentRow {
        segment: NewSegment {
            number: number("number")?,
            first: number("first")?,
            until: number("until")?,
            root: row.text("root")?,
            last: log::at(row.try_get("seq")?),
            ends_at: row.time("ends_at")?,
        },
        closed_at: row.time("closed_at")?,
        dropped_at: row.time_if_any("dropped_at")?,
    })
}
