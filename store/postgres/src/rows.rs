//! Between rows and values: times, ids and the columns of a job.

use std::time::Duration;

use jiff::Timestamp;
use jobkit::JobId;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Row, Type};
use uuid::Uuid;

use store::{JobRow, WorkerId};

/// 2000-01-01, from which PostgreSQL counts, in microseconds of Unix time.
const EPOCH: i64 = 946_684_800_000_000;

/// A `timestamptz` as the microseconds it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub i64);

impl Micros {
    /// Before every other time.
    pub const NEVER: Micros = Micros(i64::MIN);

    /// When an id was given out, by the clock of whoever did: the first 48 bits of a UUIDv7 are milliseconds.
    pub fn of_id(id: Uuid) -> Micros {
        let ms = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX);
        Micros(ms.saturating_mul(1_000).saturating_sub(EPOCH))
    }
}

impl From<Timestamp> for Micros {
    fn from(at: Timestamp) -> Self {
        Self(at.as_microsecond() - EPOCH)
    }
}

impl From<Micros> for Timestamp {
    fn from(at: Micros) -> Self {
        // Infinity is the only value PostgreSQL has and we do not; nothing of ours writes it.
        Timestamp::from_microsecond(at.0.saturating_add(EPOCH)).unwrap_or(Timestamp::MAX)
    }
}

impl Type<Postgres> for Micros {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Micros {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Micros {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl Decode<'_, Postgres> for Micros {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(<i64 as Decode<Postgres>>::decode(value)?))
    }
}

/// A `json` or enum column as the text it is on the wire.
pub fn text<'r>(row: &'r PgRow, column: &str) -> sqlx::Result<Option<&'r str>> {
    row.try_get_unchecked(column)
}

/// Programs that speak SQL may have put nothing in the place of a tag.
pub fn tags(row: &PgRow, column: &str) -> sqlx::Result<Vec<String>> {
    let tags: Option<Vec<Option<String>>> = row.try_get(column)?;
    Ok(tags.into_iter().flatten().flatten().collect())
}

pub fn small(n: u16) -> i16 {
    i16::try_from(n).unwrap_or(i16::MAX)
}

pub fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub fn uuids(ids: &[JobId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}

pub fn time(row: &PgRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<Micros>, _>(column)?.map(Timestamp::from))
}

fn number<T: TryFrom<i16>>(row: &PgRow, column: &str) -> sqlx::Result<T> {
    T::try_from(row.try_get::<i16, _>(column)?)
        .map_err(|_| sqlx::Error::Decode(format!("column {column} is out of range").into()))
}

pub fn job_row(row: &PgRow) -> sqlx::Result<JobRow> {
    let bad = |problem: String| sqlx::Error::Decode(problem.into());
    Ok(JobRow {
        id: JobId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        state: text(row, "state")?.unwrap_or_default().parse().map_err(bad)?,
        priority: number(row, "priority")?,
        attempt: number(row, "attempt")?,
        max_attempts: number(row, "max_attempts")?,
        run_at: time(row, "run_at")?.unwrap_or_default(),
        created_at: time(row, "created_at")?.unwrap_or_default(),
        claimed_at: time(row, "claimed_at")?,
        finished_at: time(row, "finished_at")?,
        worker: row.try_get::<Option<i32>, _>("worker")?.map(WorkerId),
        tenant: row.try_get("tenant")?,
        tags: tags(row, "tags")?,
        // What SQL could write and we cannot read is shown as it stands: people must see such a job.
        metadata: text(row, "metadata")?
            .map(|json| serde_json::from_str(json).unwrap_or_else(|_| serde_json::Value::from(json))),
        args: text(row, "args")?.unwrap_or("null").into(),
        result: text(row, "result")?.map(Into::into),
        error: row.try_get("error")?,
        ran: row.try_get::<Option<i64>, _>("ran_us")?.map(|us| Duration::from_micros(us.unsigned_abs())),
    })
}
