//! The tree over the audit log, on PostgreSQL.

use async_trait::async_trait;
use audit::Entry;
use jiff::Timestamp;
use jobkit::Personal;
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::rows::{self, Micros, text};
use super::sessions::within;
use super::{LONG, PostgresStore, audit_log, failed};
use store::{AnchorRow, EpochRow, FullTile, OpeningRow, Position, Result, SignedRow, Tree, Trunk};

const READING: &str = "reading the tree of the audit log";
const GROWING: &str = "growing the tree of the audit log";
const SIGNED: &str = "keeping what was signed of the audit log";
const ANCHORED: &str = "keeping how far an anchor has the audit log";
const OPENING: &str = "keeping what opens a commitment";

#[async_trait]
impl Tree for PostgresStore {
    async fn tree(&self) -> Result<Option<Trunk>> {
        let row = sqlx::query(include_str!("tree.sql")).fetch_optional(&self.cold);
        let row = self.answered(READING, async { row.await.map_err(failed(READING)) }).await?;
        row.as_ref().map(trunk).transpose().map_err(failed(READING))
    }

    async fn leaves_after(
        &self,
        position: Position,
        limit: usize,
        most_bytes: u64,
    ) -> Result<Vec<(Position, Entry)>> {
        let rows = within(LONG, READING, audit_log::rows_after(self, position, limit, most_bytes)).await?;
        rows.iter().map(leaf).collect::<sqlx::Result<_>>().map_err(failed(READING))
    }

    async fn grow(&self, from: u64, to: &Trunk, full: &[FullTile]) -> Result<bool> {
        self.answered(GROWING, grow(self, from, to, full)).await
    }

    async fn tiles(&self, wanted: &[(u8, u64)]) -> Result<Vec<FullTile>> {
        let (levels, numbers): (Vec<_>, Vec<_>) =
            wanted.iter().map(|(level, number)| (i16::from(*level), number.cast_signed())).unzip();
        let read = async {
            let query = sqlx::query(include_str!("tiles.sql")).bind(levels).bind(numbers);
            let rows = query.fetch_all(&self.cold).await?;
            rows.iter().map(tile).collect::<sqlx::Result<Vec<_>>>()
        };
        within(LONG, READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn tile_at(&self, Position { era, tx, seq }: Position) -> Result<Option<FullTile>> {
        let read = async {
            let query = sqlx::query(include_str!("tile_at.sql"));
            let query = query.bind(era.cast_signed()).bind(tx.cast_signed()).bind(seq);
            query.fetch_optional(&self.cold).await?.as_ref().map(tile).transpose()
        };
        self.answered(READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn position_of(&self, seq: i64) -> Result<Option<Position>> {
        let read = async {
            let row =
                sqlx::query(include_str!("position_of.sql")).bind(seq).fetch_optional(&self.cold).await?;
            row.as_ref().map(audit_log::position).transpose()
        };
        self.answered(READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn put_checkpoint(&self, checkpoint: &SignedRow, behind: u64) -> Result<bool> {
        self.answered(SIGNED, put_checkpoint(self, checkpoint, behind)).await
    }

    async fn epochs(&self) -> Result<Vec<EpochRow>> {
        let read = async {
            let rows = sqlx::query(include_str!("epochs.sql")).fetch_all(&self.cold).await?;
            rows.iter().map(epoch).collect::<sqlx::Result<Vec<_>>>()
        };
        self.answered(READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn put_epoch(&self, EpochRow { number, common, at, note }: &EpochRow) -> Result<bool> {
        let query = sqlx::query(include_str!("epoch_put.sql")).bind(number.cast_signed());
        let query = query.bind(common.cast_signed()).bind(Micros::from(*at)).bind(note);
        let put = async { query.execute(&self.cold).await.map_err(failed(SIGNED)) };
        Ok(self.answered(SIGNED, put).await?.rows_affected() == 1)
    }

    async fn handovers(&self) -> Result<Vec<SignedRow>> {
        let read = async {
            let rows = sqlx::query(include_str!("handovers.sql")).fetch_all(&self.cold).await?;
            rows.iter().map(signed).collect::<sqlx::Result<Vec<_>>>()
        };
        self.answered(READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn checkpoints(&self, above: u64, limit: usize) -> Result<Vec<SignedRow>> {
        let read = async {
            let query = sqlx::query(include_str!("checkpoints.sql"));
            let query = query.bind(above.cast_signed()).bind(rows::count(limit));
            query.fetch_all(&self.cold).await?.iter().map(signed).collect::<sqlx::Result<Vec<_>>>()
        };
        within(LONG, READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn last_checkpoint(&self) -> Result<Option<SignedRow>> {
        let read = async {
            let row = sqlx::query(include_str!("checkpoint_last.sql")).fetch_optional(&self.cold).await?;
            row.as_ref().map(signed).transpose()
        };
        self.answered(READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn anchors(&self) -> Result<Vec<AnchorRow>> {
        let read = async {
            let rows = sqlx::query(include_str!("anchors.sql")).fetch_all(&self.cold).await?;
            rows.iter().map(anchor).collect::<sqlx::Result<Vec<_>>>()
        };
        self.answered(READING, async { read.await.map_err(failed(READING)) }).await
    }

    async fn anchored(&self, name: &str, size: u64, at: Timestamp) -> Result<()> {
        let query = sqlx::query(include_str!("anchored.sql"));
        self.done(ANCHORED, query.bind(name).bind(size.cast_signed()).bind(Micros::from(at))).await
    }

    async fn put_opening(&self, opening: &OpeningRow) -> Result<()> {
        let OpeningRow { commitment, field, salt, value, subject, at } = opening;
        let query = sqlx::query(include_str!("opening_put.sql")).bind(commitment).bind(field);
        let query = query.bind(salt.as_slice()).bind(value.expose()).bind(subject).bind(Micros::from(*at));
        self.done(OPENING, query).await
    }

    async fn openings(&self, commitments: &[String]) -> Result<Vec<OpeningRow>> {
        let read = async {
            let rows =
                sqlx::query(include_str!("openings.sql")).bind(commitments).fetch_all(&self.cold).await?;
            rows.iter().map(opening).collect::<sqlx::Result<Vec<_>>>()
        };
        within(LONG, READING, async { read.await.map_err(failed(READING)) }).await
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl PostgresStore {
    async fn done(&self, doing: &'static str, query: Query<'_>) -> Result<()> {
        let done = async { query.execute(&self.cold).await.map(|_| ()).map_err(failed(doing)) };
        self.answered(doing, done).await
    }
}

async fn put_checkpoint(store: &PostgresStore, checkpoint: &SignedRow, behind: u64) -> Result<bool> {
    let SignedRow { size, at, note } = checkpoint;
    let mut session = store.cold.acquire().await.map_err(failed(SIGNED))?;
    let mut tx = session.begin().await.map_err(failed(SIGNED))?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('compline.audit_checkpoint'))");
    lock.execute(&mut *tx).await.map_err(failed(SIGNED))?;
    let put = sqlx::query(include_str!("checkpoint_put.sql"))
        .bind(size.cast_signed())
        .bind(Micros::from(*at))
        .bind(note)
        .bind(behind.cast_signed());
    let put = put.execute(&mut *tx).await.map_err(failed(SIGNED))?;
    tx.commit().await.map_err(failed(SIGNED))?;
    session.keep();
    Ok(put.rows_affected() == 1)
}

async fn grow(store: &PostgresStore, from: u64, to: &Trunk, full: &[FullTile]) -> Result<bool> {
    let mut session = store.cold.acquire().await.map_err(failed(GROWING))?;
    let mut tx = session.begin().await.map_err(failed(GROWING))?;
    let moved = sqlx::query(include_str!("tree_grow.sql"))
        .bind(from.cast_signed())
        .bind(to.size.cast_signed())
        .bind(to.last.era.cast_signed())
        .bind(to.last.tx.cast_signed())
        .bind(to.last.seq)
        .bind(to.first.era.cast_signed())
        .bind(to.first.tx.cast_signed())
        .bind(to.first.seq)
        .bind(&to.edge)
        .execute(&mut *tx)
        .await
        .map_err(failed(GROWING))?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    if !full.is_empty() {
        let first = |f: fn(Position) -> i64| full.iter().map(|t| t.first.map(f)).collect::<Vec<_>>();
        sqlx::query(include_str!("tile_put.sql"))
            .bind(full.iter().map(|tile| i16::from(tile.level)).collect::<Vec<_>>())
            .bind(full.iter().map(|tile| tile.number.cast_signed()).collect::<Vec<_>>())
            .bind(full.iter().map(|tile| tile.hashes.as_slice()).collect::<Vec<_>>())
            .bind(full.iter().map(|tile| tile.first.map(|p| p.era.cast_signed())).collect::<Vec<_>>())
            .bind(first(|position| position.tx.cast_signed()))
            .bind(first(|position| position.seq))
            .execute(&mut *tx)
            .await
            .map_err(failed(GROWING))?;
    }
    tx.commit().await.map_err(failed(GROWING))?;
    session.keep();
    Ok(true)
}

fn trunk(row: &PgRow) -> sqlx::Result<Trunk> {
    let (era, tx): (i32, i64) = (row.try_get("first_era")?, row.try_get("first_tx")?);
    Ok(Trunk {
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        last: audit_log::position(row)?,
        first: Position { era: era.cast_unsigned(), tx: tx.cast_unsigned(), seq: row.try_get("first_seq")? },
        edge: row.try_get("edge")?,
    })
}

fn tile(row: &PgRow) -> sqlx::Result<FullTile> {
    let level: i16 = row.try_get("level")?;
    let first = match row.try_get::<Option<i64>, _>("seq")? {
        Some(_) => Some(audit_log::position(row)?),
        None => None,
    };
    Ok(FullTile {
        level: u8::try_from(level).unwrap_or(u8::MAX),
        number: row.try_get::<i64, _>("number")?.cast_unsigned(),
        hashes: row.try_get("hashes")?,
        first,
    })
}

/// Times and texts that nobody could have written through us come as near as can be: their hash is another one.
fn leaf(row: &PgRow) -> sqlx::Result<(Position, Entry)> {
    let position = audit_log::position(row)?;
    let entry = Entry {
        place: Some((position.era, position.tx)),
        seq: position.seq,
        at: row.try_get::<Micros, _>("at")?.into(),
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        object: row.try_get("object")?,
        outcome: row.try_get("outcome")?,
        tenant: row.try_get("tenant")?,
        request: row.try_get("request")?,
        source: row.try_get("source")?,
        jobs: row.try_get::<Option<Vec<Uuid>>, _>("jobs")?,
        details: text(row, "details")?.map(str::to_owned),
    };
    Ok((position, entry))
}

fn signed(row: &PgRow) -> sqlx::Result<SignedRow> {
    Ok(SignedRow {
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        at: row.try_get::<Micros, _>("at")?.into(),
        note: row.try_get("note")?,
    })
}

fn epoch(row: &PgRow) -> sqlx::Result<EpochRow> {
    Ok(EpochRow {
        number: row.try_get::<i64, _>("number")?.cast_unsigned(),
        common: row.try_get::<i64, _>("common")?.cast_unsigned(),
        at: row.try_get::<Micros, _>("at")?.into(),
        note: row.try_get("note")?,
    })
}

fn anchor(row: &PgRow) -> sqlx::Result<AnchorRow> {
    Ok(AnchorRow {
        name: row.try_get("name")?,
        size: row.try_get::<i64, _>("size")?.cast_unsigned(),
        at: row.try_get::<Micros, _>("at")?.into(),
    })
}

fn opening(row: &PgRow) -> sqlx::Result<OpeningRow> {
    let salt: Vec<u8> = row.try_get("salt")?;
    Ok(OpeningRow {
        commitment: row.try_get("commitment")?,
        field: row.try_get("field")?,
        salt: salt.try_into().unwrap_or_default(),
        value: Personal::new(row.try_get("value")?),
        subject: row.try_get("subject")?,
        at: row.try_get::<Micros, _>("at")?.into(),
    })
}
