//! The audit log: written, read along, and who has read how far.

use async_trait::async_trait;
use futures::FutureExt;
use jobkit::{AuditEntry, JobId, Origin};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::read::unreadable;
use super::rows::{self, Micros, text};
use super::sessions::within;
use super::tenants::Asker;
use super::{LONG, PostgresStore, approvals, contention, failed, insert};
use store::audit_log::ANY_WEIGHT;
use store::{Actor, AuditLog, AuditPage, Beginning, Inserted, NewRow, OfJobs, Place, Position, Result};

const READING: &str = "reading the audit log";
const APPENDING: &str = "writing the audit entry";
const FOLLOWING: &str = "enqueueing what follows";
const LOOKING_FOR_THE_END: &str = "looking for the end of the audit log";

/// Asked at each step of a chain.
const PLACE: &str = "SELECT era, tx::text::bigint AS tx, seq, begun_next::text::bigint AS next, begun_open::text[]::bigint[] AS open
                     FROM compline.follower WHERE name = $1";

#[async_trait]
impl AuditLog for PostgresStore {
    async fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        self.answered(APPENDING, append(self, entry)).await
    }

    async fn append_of_jobs(&self, entries: &[OfJobs]) -> Result<()> {
        self.answered(APPENDING, append_of_jobs(self, entries)).await
    }

    async fn audit_after(&self, position: Position, limit: usize) -> Result<Vec<(Position, AuditEntry)>> {
        Ok(self.audit_page(position, limit, ANY_WEIGHT).await?.entries)
    }

    async fn audit_page(&self, position: Position, limit: usize, most_bytes: u64) -> Result<AuditPage> {
        within(LONG, READING, page(self, position, limit, most_bytes)).await
    }

    async fn audit_head(&self) -> Result<Place> {
        self.answered(LOOKING_FOR_THE_END, head(self)).await
    }

    async fn follower(&self, name: &str) -> Result<Place> {
        let doing = "looking how far a reader of the audit log is";
        let follower = async {
            let known = sqlx::query(PLACE).bind(name).fetch_optional(&self.cold).await;
            if let Some(row) = known.map_err(failed(doing))? {
                return place(&row).map_err(failed(doing));
            }
            let head = head(self).await?;
            let begun = sqlx::query(include_str!("follower.sql"))
                .bind(name)
                .bind(head.at.era.cast_signed())
                .bind(head.at.tx.cast_signed())
                .bind(head.at.seq)
                .bind(head.begun().map(|begun| begun.next.cast_signed()))
                .bind(
                    head.begun()
                        .map(|begun| begun.open.iter().map(|tx| tx.cast_signed()).collect::<Vec<_>>()),
                )
                .fetch_one(&self.cold)
                .await;
            begun.and_then(|row| place(&row)).map_err(failed(doing))
        };
        self.answered(doing, follower).await
    }

    async fn follow(
        &self,
        name: &str,
        from: Position,
        to: Position,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Option<Vec<Inserted>>> {
        let follow = contention::patiently(FOLLOWING, || follow(self, name, from, to, rows, by).boxed());
        let inserted = within(self.limit_for(rows.len()), FOLLOWING, follow).await?;
        if inserted.is_some() {
            self.tell_of(rows).await;
        }
        Ok(inserted)
    }
}

async fn append(store: &PostgresStore, entry: &AuditEntry) -> Result<()> {
    let mut session = store.cold.acquire().await.map_err(failed(APPENDING))?;
    append_on(&mut session, store.time(), entry).await?;
    session.keep();
    Ok(())
}

async fn append_of_jobs(store: &PostgresStore, entries: &[OfJobs]) -> Result<()> {
    let mut session = store.cold.acquire().await.map_err(failed(APPENDING))?;
    let mut tx = session.begin().await.map_err(failed(APPENDING))?;
    for OfJobs { entry, jobs } in entries {
        put(&mut tx, store.time(), entry, jobs).await?;
    }
    tx.commit().await.map_err(failed(APPENDING))?;
    session.keep();
    Ok(())
}

/// An entry with a tenant and no jobs; in the transaction of what it tells of, and of the approval that it was done by.
pub async fn append_on(
    connection: &mut PgConnection,
    time: Option<Micros>,
    entry: &AuditEntry,
) -> Result<()> {
    approvals::use_up(connection, time, &entry.actor, &entry.origin).await?;
    put(connection, time, entry, &[]).await
}

pub async fn put(
    connection: &mut PgConnection,
    time: Option<Micros>,
    entry: &AuditEntry,
    jobs: &[JobId],
) -> Result<()> {
    let jobs: Vec<_> = jobs.iter().map(|job| job.0).collect();
    sqlx::query(include_str!("audit.sql"))
        .bind(entry.at.map(Micros::from))
        .bind(time)
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.object)
        .bind(&entry.outcome)
        .bind(&entry.tenant)
        .bind((!jobs.is_empty()).then_some(jobs))
        .bind(sqlx::types::Json(&entry.details))
        .bind(&entry.origin.request)
        .bind(&entry.origin.source)
        .execute(connection)
        .await
        .map_err(failed(APPENDING))?;
    Ok(())
}

async fn head(store: &PostgresStore) -> Result<Place> {
    let row = sqlx::query(include_str!("audit_head.sql")).fetch_one(&store.cold).await;
    row.and_then(|row| place(&row)).map_err(failed(LOOKING_FOR_THE_END))
}

async fn page(store: &PostgresStore, position: Position, limit: usize, most_bytes: u64) -> Result<AuditPage> {
    let rows = rows_after(store, position, limit, most_bytes).await?;
    let looked_at = rows.first().map_or(0, |row| row.get::<i64, _>("looked_at"));
    let more = looked_at > rows::count(rows.len()) || looked_at == rows::count(limit);
    Ok(AuditPage { entries: rows.iter().map(entry).collect::<Result<_>>()?, more })
}

pub fn entry(row: &PgRow) -> Result<(Position, AuditEntry)> {
    let details = text(row, "details").map_err(failed(READING))?;
    let mut details: serde_json::Value = details
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| unreadable(READING, error))?
        .unwrap_or_else(|| serde_json::json!({}));
    if let (Some(jobs), Some(map)) = (row.get::<Option<Vec<Uuid>>, _>("jobs"), details.as_object_mut()) {
        map.insert("jobs".into(), serde_json::json!(jobs));
    }
    let entry = AuditEntry {
        at: Some(row.get::<Micros, _>("at").into()),
        actor: row.get("actor"),
        action: row.get("action"),
        object: row.get("object"),
        outcome: row.get("outcome"),
        tenant: row.get("tenant"),
        origin: Origin { request: row.get("request"), source: row.get("source"), ..Origin::default() },
        details,
    };
    Ok((position(row).map_err(failed(READING))?, entry))
}

pub async fn rows_after(
    store: &PostgresStore,
    Position { era, tx, seq }: Position,
    limit: usize,
    most_bytes: u64,
) -> Result<Vec<PgRow>> {
    sqlx::query(include_str!("audit_after.sql"))
        .bind(era.cast_signed())
        .bind(tx.cast_signed())
        .bind(seq)
        .bind(rows::count(limit))
        .bind(i64::try_from(most_bytes).unwrap_or(i64::MAX))
        .fetch_all(&store.cold)
        .await
        .map_err(failed(READING))
}

pub fn position(row: &PgRow) -> sqlx::Result<Position> {
    let (era, tx): (i32, i64) = (row.try_get("era")?, row.try_get("tx")?);
    Ok(Position { era: era.cast_unsigned(), tx: tx.cast_unsigned(), seq: row.try_get("seq")? })
}

fn place(row: &PgRow) -> sqlx::Result<Place> {
    let at = position(row)?;
    let (next, open): (Option<i64>, Option<Vec<i64>>) = (row.try_get("next")?, row.try_get("open")?);
    Ok(match (next, open) {
        (Some(next), Some(open)) => {
            let open = open.into_iter().map(i64::cast_unsigned).collect();
            Place::since(at, Beginning { next: next.cast_unsigned(), open })
        }
        _ => at.into(),
    })
}

async fn follow(
    store: &PostgresStore,
    name: &str,
    from: Position,
    to: Position,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Option<Vec<Inserted>>> {
    let mut session = store.hot.acquire().await.map_err(failed(FOLLOWING))?;
    let mut tx = session.begin_with(contention::BEGIN).await.map_err(failed(FOLLOWING))?;
    let moved = sqlx::query(include_str!("follow.sql"))
        .bind(name)
        .bind(from.era.cast_signed())
        .bind(from.tx.cast_signed())
        .bind(from.seq)
        .bind(to.era.cast_signed())
        .bind(to.tx.cast_signed())
        .bind(to.seq)
        .bind(store.time())
        .bind(!rows.is_empty())
        .execute(&mut *tx)
        .await
        .map_err(failed(FOLLOWING))?;
    let inserted = match moved.rows_affected() {
        0 => None,
        _ if rows.is_empty() => Some(Vec::new()),
        _ => Some(insert::insert(&mut tx, &Asker::ENGINE, store.time(), rows, by).await?),
    };
    tx.commit().await.map_err(failed(FOLLOWING))?;
    session.keep();
    Ok(inserted)
}

/// A database that was loaded from a dump counts its transactions anew, and readers of the log would wait for
/// numbers that do not come for years.
pub async fn begin_era_if_transactions_began_anew(connection: &mut PgConnection) -> sqlx::Result<()> {
    let mut tx = connection.begin().await?;
    let era: Option<i32> = sqlx::query_scalar(
        "INSERT INTO compline.era (number)
         SELECT e.number + 1 FROM (SELECT max(number) AS number FROM compline.era) e
         WHERE pg_snapshot_xmax(pg_current_snapshot())
               < greatest((SELECT a.tx FROM compline.audit_entry a WHERE a.era = e.number ORDER BY a.tx DESC LIMIT 1),
                          (SELECT f.tx FROM compline.follower f WHERE f.era = e.number ORDER BY f.tx DESC LIMIT 1),
                          (SELECT f.begun_next FROM compline.follower f
                           WHERE f.era = e.number AND f.begun_next IS NOT NULL ORDER BY f.begun_next DESC LIMIT 1))
         ON CONFLICT (number) DO NOTHING RETURNING number",
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(era) = era {
        let sql = format!("ALTER TABLE compline.audit_entry ALTER COLUMN era SET DEFAULT {era}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await?;
        tracing::warn!(
            "the database counts its transactions anew, as after a dump was loaded: era {era} of the audit log begins"
        );
    }
    tx.commit().await
}
