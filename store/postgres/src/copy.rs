//! Large enqueues by COPY in its binary form: half the cost of an INSERT of arrays.

use jobkit::When;
use sqlx::PgConnection;

use super::failed;
use super::insert::{audit, fresh, lanes, object};
use super::rows::{Micros, micros, small};
use store::{AGEING, Actor, Inserted, NewRow, Result};

/// Below this, the extra round trips of a COPY cost more than it saves.
pub const WORTH_A_COPY: usize = 100;

const DOING: &str = "enqueueing jobs by COPY";
const COLUMNS: i16 = 14;

/// A message of PostgreSQL's holds less than a gibibyte, and a batch may be larger. This much is some
/// thousands of rows, so most batches are one message all the same.
const CHUNK: usize = 1 << 20;

/// Within the caller's transaction: the time of all rows is the transaction's.
pub async fn insert(
    tx: &mut PgConnection,
    time: Option<Micros>,
    rows: &[NewRow],
    by: &Actor,
) -> Result<Vec<Inserted>> {
    let now: Micros = match time {
        Some(now) => now,
        None => sqlx::query_scalar("SELECT now()").fetch_one(&mut *tx).await.map_err(failed(DOING))?,
    };
    let in_lanes = lanes(rows).is_some();
    let sql = match in_lanes {
        false => {
            "COPY compline.job (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args,
                                tenant, tags, metadata) FROM STDIN (FORMAT binary)"
        }
        true => {
            "COPY compline.job (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args,
                                tenant, tags, metadata, lane) FROM STDIN (FORMAT binary)"
        }
    };
    let mut copy = tx.copy_in_raw(sql).await.map_err(failed(DOING))?;
    for chunk in Chunks::new(rows, now, CHUNK, in_lanes) {
        copy.send(chunk).await.map_err(failed(DOING))?;
    }
    copy.finish().await.map_err(failed(DOING))?;
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    audit(tx, time, by, "job.enqueue", object(rows), "ok", &ids, None).await?;
    Ok(fresh(rows))
}

/// The rows in COPY's binary form, piece by piece: a piece ends with the row that fills it.
struct Chunks<'a> {
    rows: std::slice::Iter<'a, NewRow>,
    now: Micros,
    size: usize,
    /// A row has its lane as one more column.
    in_lanes: bool,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
    End,
}

impl<'a> Chunks<'a> {
    fn new(rows: &'a [NewRow], now: Micros, size: usize, in_lanes: bool) -> Self {
        Self { rows: rows.iter(), now, size, in_lanes, place: Place::Start }
    }
}

impl Iterator for Chunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(self.size.min(self.rows.len() * 256 + 32));
        match self.place {
            Place::Start => {
                out.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
                out.extend_from_slice(&[0; 8]);
            }
            Place::Within => {}
            Place::End => return None,
        }
        self.place = Place::Within;
        while out.len() < self.size {
            let Some(row) = self.rows.next() else {
                out.extend_from_slice(&(-1_i16).to_be_bytes());
                self.place = Place::End;
                break;
            };
            encode(&mut out, row, self.now, self.in_lanes);
        }
        Some(out)
    }
}

fn encode(out: &mut Vec<u8>, row: &NewRow, now: Micros, in_lanes: bool) {
    let due = match row.when {
        When::Now => now.0,
        // A time in the past is now: it must not be a way to the front of the queue.
        When::At(at) => Micros::from(at).0.max(now.0),
        When::After(delay) => now.0.saturating_add(micros(delay)),
    };
    let rank = due.saturating_add((i64::from(row.priority) - 5) * micros(AGEING));
    let state = if due > now.0 { "scheduled" } else { "available" };
    out.extend_from_slice(&(COLUMNS + i16::from(in_lanes)).to_be_bytes());
    field(out, row.id.0.as_bytes());
    field(out, state.as_bytes());
    // What it may use, and what a person's retry grants anew.
    field(out, &small(row.max_attempts).to_be_bytes());
    field(out, &small(row.max_attempts).to_be_bytes());
    field(out, &i16::from(row.priority).to_be_bytes());
    field(out, &rank.to_be_bytes());
    field(out, &due.to_be_bytes());
    field(out, &now.0.to_be_bytes());
    field(out, row.kind.as_bytes());
    field(out, row.queue.as_bytes());
    field(out, row.args.as_bytes());
    match &row.tenant {
        Some(tenant) => field(out, tenant.as_bytes()),
        None => null(out),
    }
    match row.tags.as_slice() {
        [] => null(out),
        tags => text_array(out, tags),
    }
    match &row.metadata {
        Some(metadata) => field(out, metadata.to_string().as_bytes()),
        None => null(out),
    }
    match &row.lane {
        Some(lane) => field(out, lane.as_str().as_bytes()),
        None if in_lanes => null(out),
        None => {}
    }
}

fn length(n: usize) -> [u8; 4] {
    // One field is at most what the door lets in, far below 2 GB.
    i32::try_from(n).unwrap_or(i32::MAX).to_be_bytes()
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

fn text_array(out: &mut Vec<u8>, items: &[String]) {
    const TEXT: u32 = 25;
    let mut array = Vec::new();
    // One dimension, no nulls, of text, counted from 1.
    for word in [1_u32, 0, TEXT] {
        array.extend_from_slice(&word.to_be_bytes());
    }
    array.extend_from_slice(&length(items.len()));
    array.extend_from_slice(&1_u32.to_be_bytes());
    for item in items {
        field(&mut array, item.as_bytes());
    }
    field(out, &array);
}

#[cfg(test)]
mod tests {
    use jobkit::{JobId, OnParentFailure};

    use super::*;

    fn row(args: &str) -> NewRow {
        NewRow {
            id: JobId(uuid::Uuid::nil()),
            kind: "test.kind".into(),
            queue: "default".into(),
            priority: 5,
            max_attempts: 3,
            when: When::Now,
            args: args.into(),
            unique: None,
            tenant: None,
            tags: vec!["a".into()],
            metadata: None,
            after: Vec::new(),
            on_parent_failure: OnParentFailure::Cancel,
            comes_with: None,
            lane: None,
            uploads: Vec::new(),
            approval: None,
        }
    }

    #[test]
    fn a_batch_is_the_same_bytes_in_pieces_that_no_row_but_the_last_outgrows() {
        let rows: Vec<_> = (0..50).map(|n| row(&format!("\"{}\"", "x".repeat(n * 7)))).collect();
        let whole: Vec<_> = Chunks::new(&rows, Micros(0), usize::MAX, false).collect();
        assert_eq!(whole.len(), 1);
        for size in [1, 20, 300, 4_000] {
            let pieces: Vec<_> = Chunks::new(&rows, Micros(0), size, false).collect();
            let mut longest = Vec::new();
            encode(&mut longest, &rows[49], Micros(0), false);

            assert_eq!(pieces.concat(), whole[0], "{size}");
            assert!(pieces.iter().all(|piece| piece.len() < size + longest.len()), "{size}");
            assert!(pieces.len() >= whole[0].len() / (size + longest.len()), "{size}");
        }
    }
}
