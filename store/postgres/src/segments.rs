//! Segments of the audit log, on PostgreSQL.

use async_trait::async_trait;
use jobkit::AuditEntry;
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};

use super::rows::{self, Micros};
use super::sessions::within;
use super::{LONG, PostgresStore, audit_log, failed};
use store::segments::{CLOSE, DROP, OPENINGS_LAST};
use store::{Actor, NewSegment, Result, SegmentRow, Segments};

const LISTING: &str = "listing the segments of the audit log";
const CLOSING: &str = "closing a segment of the audit log";
const DROPPING: &str = "dropping a segment of the audit log";
const FORGETTING: &str = "deleting entries of dropped segments of the audit log";

#[async_trait]
impl Segments for PostgresStore {
    async fn segments(&self) -> Result<Vec<SegmentRow>> {
        let read = async {
            let rows = sqlx::query(include_str!("segments.sql")).fetch_all(&self.cold).await?;
            rows.iter().map(segment).collect::<sqlx::Result<Vec<_>>>()
        };
        self.answered(LISTING, async { read.await.map_err(failed(LISTING)) }).await
    }

    async fn close_segment(&self, segment: &NewSegment, by: &Actor) -> Result<bool> {
        let NewSegment { number, first, until, root, last, ends_at } = segment;
        let query = sqlx::query(include_str!("segment_close.sql"))
            .bind(number.cast_signed())
            .bind(first.cast_signed())
            .bind(until.cast_signed())
            .bind(root)
            .bind(last.era.cast_signed())
            .bind(last.tx.cast_signed())
            .bind(last.seq)
            .bind(Micros::from(*ends_at))
            .bind(self.time());
        self.answered(CLOSING, told(self, CLOSING, query, entry(segment, CLOSE, by))).await
    }

    async fn drop_segment(&self, row: &SegmentRow, by: &Actor) -> Result<bool> {
        let query = sqlx::query(include_str!("segment_drop.sql"));
        let query = query.bind(row.segment.number.cast_signed()).bind(self.time());
        self.answered(DROPPING, told(self, DROPPING, query, entry(&row.segment, DROP, by))).await
    }

    async fn forget_entries(&self, limit: usize) -> Result<u64> {
        let forget = async {
            let entries = sqlx::query(include_str!("entries_forget.sql")).bind(rows::count(limit));
            let gone = entries.execute(&self.cold).await?.rows_affected();
            sqlx::query(include_str!("openings_forget.sql"))
                .bind(rows::count(limit))
                .bind(rows::micros(OPENINGS_LAST))
                .execute(&self.cold)
                .await?;
            Ok(gone)
        };
        within(LONG, FORGETTING, async { forget.await.map_err(failed(FORGETTING)) }).await
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Does it, if it is not done yet, and says so.
async fn told(
    store: &PostgresStore,
    doing: &'static str,
    query: Query<'_>,
    entry: AuditEntry,
) -> Result<bool> {
    let mut session = store.cold.acquire().await.map_err(failed(doing))?;
    let mut tx = session.begin().await.map_err(failed(doing))?;
    let done = query.execute(&mut *tx).await.map_err(failed(doing))?.rows_affected() > 0;
    if done {
        audit_log::append_on(&mut tx, store.time(), &entry).await?;
    }
    tx.commit().await.map_err(failed(doing))?;
    session.keep();
    Ok(done)
}

fn entry(segment: &NewSegment, action: &str, by: &Actor) -> AuditEntry {
    by.entry(action, "audit", "ok", segment.told())
}

fn segment(row: &PgRow) -> sqlx::Result<SegmentRow> {
    let number = |name| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    Ok(SegmentRow {
        segment: NewSegment {
            number: number("number")?,
            first: number("first")?,
            until: number("until")?,
            root: row.try_get("root")?,
            last: audit_log::position(row)?,
            ends_at: row.try_get::<Micros, _>("ends_at")?.into(),
        },
        closed_at: row.try_get::<Micros, _>("closed_at")?.into(),
        dropped_at: row.try_get::<Option<Micros>, _>("dropped_at")?.map(Into::into),
    })
}
