//! Large enqueues by COPY in its binary form: half the cost of an INSERT of arrays.

use jobkit::When;
use sqlx::PgConnection;

use super::failed;
use super::insert::{audit, fresh, object};
use super::rows::{Micros, micros, small};
use crate::store::{AGEING, Actor, Inserted, NewRow, Result};

/// Below this, the extra round trips of a COPY cost more than it saves.
pub const WORTH_A_COPY: usize = 100;

const DOING: &str = "enqueueing jobs by COPY";
const COLUMNS: i16 = 14;

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
    let data = encode(rows, now);
    let mut copy = tx
        .copy_in_raw(
            "COPY compline.job (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args,
                                tenant, tags, metadata) FROM STDIN (FORMAT binary)",
        )
        .await
        .map_err(failed(DOING))?;
    copy.send(data).await.map_err(failed(DOING))?;
    copy.finish().await.map_err(failed(DOING))?;
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    audit(tx, time, by, "job.enqueue", object(rows), "ok", &ids, None).await?;
    Ok(fresh(rows))
}

fn encode(rows: &[NewRow], now: Micros) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 256 + 32);
    out.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
    out.extend_from_slice(&[0; 8]);
    for row in rows {
        let due = match row.when {
            When::Now => now.0,
            // A time in the past is now: it must not be a way to the front of the queue.
            When::At(at) => Micros::from(at).0.max(now.0),
            When::After(delay) => now.0.saturating_add(micros(delay)),
        };
        let rank = due.saturating_add((i64::from(row.priority) - 5) * micros(AGEING));
        let state = if due > now.0 { "scheduled" } else { "available" };
        out.extend_from_slice(&COLUMNS.to_be_bytes());
        field(&mut out, row.id.0.as_bytes());
        field(&mut out, state.as_bytes());
        // What it may use, and what a person's retry grants anew.
        field(&mut out, &small(row.max_attempts).to_be_bytes());
        field(&mut out, &small(row.max_attempts).to_be_bytes());
        field(&mut out, &i16::from(row.priority).to_be_bytes());
        field(&mut out, &rank.to_be_bytes());
        field(&mut out, &due.to_be_bytes());
        field(&mut out, &now.0.to_be_bytes());
        field(&mut out, row.kind.as_bytes());
        field(&mut out, row.queue.as_bytes());
        field(&mut out, row.args.as_bytes());
        match &row.tenant {
            Some(tenant) => field(&mut out, tenant.as_bytes()),
            None => null(&mut out),
        }
        match row.tags.as_slice() {
            [] => null(&mut out),
            tags => text_array(&mut out, tags),
        }
        match &row.metadata {
            Some(metadata) => field(&mut out, metadata.to_string().as_bytes()),
            None => null(&mut out),
        }
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
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
