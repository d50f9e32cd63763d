//! The tree over the audit log, on SQLite.

use async_trait::async_trait;
use audit::Entry;
use futures::FutureExt;
use jiff::Timestamp;
use jobkit::Personal;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::row::RowExt;
use super::writer::Done;
use super::{SqliteStore, audit as log};
use store::{AnchorRow, EpochRow, FullTile, OpeningRow, Position, Result, SignedRow, Tree, Trunk};

const READING: &str = "reading the tree of the audit log";
const TILES: &str = include_str!("tiles.sql");
pub(super) const TILE_AT: &str = include_str!("tile_at.sql");

#[async_trait]
impl Tree for SqliteStore {
    async fn tree(&self) -> Result<Option<Trunk>> {
        self.read(READING, async |connection| {
            let row = sqlx::query(include_str!("tree.sql")).fetch_optional(connection).await?;
            row.as_ref().map(trunk).transpose()
        })
        .await
    }

    async fn leaves_after(
        &self,
        position: Position,
        limit: usize,
        most_bytes: u64,
    ) -> Result<Vec<(Position, Entry)>> {
        self.read(READING, async |connection| {
            let rows = log::rows_after(connection, position, limit, most_bytes).await?;
            rows.iter().map(leaf).collect()
        })
        .await
    }

    async fn grow(&self, from: u64, to: &Trunk, full: &[FullTile]) -> Result<bool> {
        let (to, full) = (to.clone(), full.to_vec());
        self.write("growing the tree of the audit log", move |tx, _| {
            async move {
                let moved = sqlx::query(include_str!("tree_grow.sql"))
                    .bind(from.cast_signed())
                    .bind(to.size.cast_signed())
                    .bind(to.last.seq)
                    .bind(to.first.seq)
                    .bind(to.edge)
                    .execute(&mut *tx)
                    .await?;
                if moved.rows_affected() == 0 {
                    return Ok(false);
                }
                for tile in full {
                    sqlx::query(include_str!("tile_put.sql"))
                        .bind(i64::from(tile.level))
                        .bind(tile.number.cast_signed())
                        .bind(tile.hashes)
                        .bind(tile.first.map(|position| position.seq))
                        .execute(&mut *tx)
                        .await?;
                }
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn tiles(&self, wanted: &[(u8, u64)]) -> Result<Vec<FullTile>> {
        self.read(READING, async |connection| {
            let mut found = Vec::with_capacity(wanted.len());
            for (level, number) in wanted {
                let query = sqlx::query(TILES).bind(i64::from(*level)).bind(number.cast_signed());
                if let Some(row) = query.fetch_optional(&mut *connection).await? {
                    found.push(tile(&row)?);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn tile_at(&self, position: Position) -> Result<Option<FullTile>> {
        self.read(READING, async |connection| {
            let row = sqlx::query(TILE_AT).bind(position.seq).fetch_optional(connection).await?;
            row.as_ref().map(tile).transpose()
        })
        .await
    }

    async fn position_of(&self, seq: i64) -> Result<Option<Position>> {
        self.read(READING, async |connection| {
            let query = sqlx::query_scalar(include_str!("position_of.sql")).bind(seq);
            Ok(query.fetch_optional(connection).await?.map(log::at))
        })
        .await
    }

    async fn epochs(&self) -> Result<Vec<EpochRow>> {
        self.read(READING, async |connection| {
            let rows = sqlx::query(include_str!("epochs.sql")).fetch_all(connection).await?;
            rows.iter().map(epoch).collect()
        })
        .await
    }

    async fn put_epoch(&self, epoch: &EpochRow) -> Result<bool> {
        let EpochRow { number, common, at, note } = epoch.clone();
        self.write("keeping a new epoch of the audit log", move |tx, _| {
            async move {
                let query = sqlx::query(include_str!("epoch_put.sql")).bind(number.cast_signed());
                let query = query.bind(common.cast_signed()).bind(at.as_microsecond()).bind(note);
                Ok(query.execute(tx).await?.rows_affected() == 1)
            }
            .boxed()
        })
        .await
    }

    async fn handovers(&self) -> Result<Vec<SignedRow>> {
        self.read(READING, async |connection| {
            let rows = sqlx::query(include_str!("handovers.sql")).fetch_all(connection).await?;
            rows.iter().map(signed).collect()
        })
        .await
    }

    async fn put_checkpoint(&self, checkpoint: &SignedRow, behind: u64) -> Result<bool> {
        let SignedRow { size, at, note } = checkpoint.clone();
        self.write("keeping what was signed of the audit log", move |tx, _| {
            async move {
                let query = sqlx::query(include_str!("checkpoint_put.sql"));
                let query = query.bind(size.cast_signed()).bind(at.as_microsecond()).bind(note);
                Ok(query.bind(behind.cast_signed()).execute(tx).await?.rows_affected() == 1)
            }
            .boxed()
        })
        .await
    }

    async fn checkpoints(&self, above: u64, limit: usize) -> Result<Vec<SignedRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(READING, async |connection| {
            let query = sqlx::query(include_str!("checkpoints.sql")).bind(above.cast_signed()).bind(limit);
            query.fetch_all(connection).await?.iter().map(signed).collect()
        })
        .await
    }

    async fn last_checkpoint(&self) -> Result<Option<SignedRow>> {
        self.read(READING, async |connection| {
            let row = sqlx::query(include_str!("checkpoint_last.sql")).fetch_optional(connection).await?;
            row.as_ref().map(signed).transpose()
        })
        .await
    }

    async fn anchors(&self) -> Result<Vec<AnchorRow>> {
        self.read(READING, async |connection| {
            let rows = sqlx::query(include_str!("anchors.sql")).fetch_all(connection).await?;
            rows.iter().map(anchor).collect()
        })
        .await
    }

    async fn anchored(&self, name: &str, size: u64, at: Timestamp) -> Result<()> {
        let name = name.to_owned();
        self.write("keeping how far an anchor has the audit log", move |tx, _| {
            async move {
                let query = sqlx::query(include_str!("anchored.sql"));
                query.bind(name).bind(size.cast_signed()).bind(at.as_microsecond()).execute(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    async fn put_opening(&self, opening: &OpeningRow) -> Result<()> {
        let OpeningRow { commitment, field, salt, value, subject, at } = opening.clone();
        self.write("keeping what opens a commitment", move |tx, _| {
            async move {
                sqlx::query(include_str!("opening_put.sql"))
                    .bind(commitment)
                    .bind(field)
                    .bind(salt.to_vec())
                    .bind(value.expose().clone())
                    .bind(subject)
                    .bind(at.as_microsecond())
                    .execute(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    async fn openings(&self, commitments: &[String]) -> Result<Vec<OpeningRow>> {
        let wanted = json!(commitments).to_string();
        self.read(READING, async |connection| {
            let rows = sqlx::query(include_str!("openings.sql")).bind(wanted).fetch_all(connection).await?;
            rows.iter().map(opening).collect()
        })
        .await
    }
}

fn trunk(row: &SqliteRow) -> Done<Trunk> {
    Ok(Trunk {
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        last: log::at(row.try_get("seq")?),
        first: log::at(row.try_get("first_seq")?),
        edge: row.try_get("edge")?,
    })
}

fn tile(row: &SqliteRow) -> Done<FullTile> {
    Ok(FullTile {
        level: row.small("level")?,
        number: row.try_get::<i64, _>("number")?.cast_unsigned(),
        hashes: row.try_get("hashes")?,
        first: row.try_get::<Option<i64>, _>("seq")?.map(log::at),
    })
}

/// What nobody could have written through us comes as near as can be: its hash is another one.
fn leaf(row: &SqliteRow) -> Done<(Position, Entry)> {
    let text = |column: &str| -> Done<Option<String>> {
        let bytes: Option<&[u8]> = row.try_get_unchecked(column)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let at: i64 = row.try_get("at")?;
    let nearest = if at < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let jobs: Option<&[u8]> = row.try_get("jobs")?;
    let seq: i64 = row.try_get("seq")?;
    let entry = Entry {
        place: None,
        seq,
        at: Timestamp::from_microsecond(at).unwrap_or(nearest),
        actor: text("actor")?.unwrap_or_default(),
        action: text("action")?.unwrap_or_default(),
        object: text("object")?.unwrap_or_default(),
        outcome: text("outcome")?.unwrap_or_default(),
        tenant: text("tenant")?,
        request: text("request")?,
        source: text("source")?,
        jobs: jobs.map(|bytes| bytes.chunks(16).map(id).collect()),
        details: text("details")?,
    };
    Ok((log::at(seq), entry))
}

fn id(bytes: &[u8]) -> Uuid {
    let mut id = [0; 16];
    id[..bytes.len()].copy_from_slice(bytes);
    Uuid::from_bytes(id)
}

fn signed(row: &SqliteRow) -> Done<SignedRow> {
    Ok(SignedRow {
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        at: row.time("at")?,
        note: row.text("note")?,
    })
}

fn epoch(row: &SqliteRow) -> Done<EpochRow> {
    Ok(EpochRow {
        number: row.try_get::<i64, _>("number")?.cast_unsigned(),
        common: row.try_get::<i64, _>("common")?.cast_unsigned(),
        at: row.time("at")?,
        note: row.text("note")?,
    })
}

fn anchor(row: &SqliteRow) -> Done<AnchorRow> {
    Ok(AnchorRow {
        name: row.text("name")?,
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        at: row.time("at")?,
    })
}

fn opening(row: &SqliteRow) -> Done<OpeningRow> {
    let salt: Vec<u8> = row.try_get("salt")?;
    Ok(OpeningRow {
        commitment: row.text("commitment")?,
        field: row.text("field")?,
        salt: salt.try_into().unwrap_or_default(),
        value: Personal::new(row.text("value")?),
        subject: row.text("subject")?,
        at: row.time("at")?,
    })
}
