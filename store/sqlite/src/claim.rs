//! From due to running: claims, fair between tenants, and what makes jobs due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jobkit::JobId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::audit;
use super::row::{RowExt, hex_list};
use super::writer::{Done, Script, Tx, script};
use store::{Actor, Claimed, Fence, Staged, WorkerId};

pub(super) const LOOK: &str = include_str!("claim_look.sql");
/// A claim need not wait for the disk: one that a crash undoes is a job that runs again, as its lease would
/// have it anyway. The next durable commit takes it to the disk with it.
pub(super) const CLAIM: Script = Script {
    alone: concat!(
        "PRAGMA synchronous = NORMAL;\nBEGIN IMMEDIATE;\n",
        include_str!("claim_audit.sql"),
        ";\n",
        include_str!("claim.sql"),
        ";\nCOMMIT;\nPRAGMA synchronous = FULL"
    ),
    ..script!("claim_audit.sql", "claim.sql")
};
pub(super) const CLAIM_THESE: &str = include_str!("claim_these.sql");
pub(super) const CLAIM_TENANTS: &str = include_str!("claim_tenants.sql");
pub(super) const CLAIM_FAIR: &str = include_str!("claim_fair.sql");
pub(super) const STAGE: &str = include_str!("stage.sql");
pub(super) const STAGE_NEXT: &str = include_str!("stage_next.sql");
pub(super) const READY_QUEUES: &str = include_str!("ready_queues.sql");

/// What `claim.sql` gave, first in rank first.
pub(super) fn claimed(rows: &[SqliteRow]) -> Done<Vec<Claimed>> {
    in_order(rows, |_, rank| rank)
}

/// May this worker claim from this queue, and has it jobs of tenants? Then `claim.sql` gives none.
pub(super) async fn wants_fairness(
    connection: &mut SqliteConnection,
    now: i64,
    worker: WorkerId,
    queue: &str,
) -> Done<bool> {
    let look =
        sqlx::query(LOOK).bind(worker.0).bind(queue.to_owned()).bind(now).fetch_one(connection).await?;
    Ok(look.try_get("alive")? && !look.try_get::<bool, _>("paused")? && look.try_get("tenants")?)
}

pub(super) async fn claim_fairly(
    tx: &mut Tx,
    now: i64,
    worker: WorkerId,
    queue: String,
    limit: usize,
    last_turn: String,
) -> Done<Vec<Claimed>> {
    // What was true when it was looked at need not be true any more.
    if !wants_fairness(tx, now, worker, &queue).await? {
        return Ok(Vec::new());
    }
    let chosen = choose_fairly(tx, &queue, limit, last_turn).await?;
    let place: BTreeMap<JobId, usize> = chosen.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let rows =
        sqlx::query(CLAIM_THESE).bind(worker.0).bind(now).bind(hex_list(chosen)).fetch_all(&mut *tx).await?;
    let claimed = in_order(&rows, |id, _| place.get(&id).copied())?;
    write_down(tx, now, worker, &claimed).await?;
    Ok(claimed)
}

/// Whose jobs these are from here on; claim_audit.sql says it of those that claim.sql gives.
pub(super) async fn write_down(tx: &mut Tx, now: i64, worker: WorkerId, claimed: &[Claimed]) -> Done<()> {
    let ids: Vec<_> = claimed.iter().map(|job| job.id).collect();
    audit::transition(tx, now, &Actor::worker(worker), "job.claim", "job", "running", &ids).await
}

/// `RETURNING` gives rows as it meets them, so their order is made here.
pub(super) fn in_order<K: Ord>(rows: &[SqliteRow], key: impl Fn(JobId, i64) -> K) -> Done<Vec<Claimed>> {
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let job = Claimed {
            id: row.id("id")?,
            worker: WorkerId(row.small("worker")?),
            fence: Fence(row.small("fence")?),
            kind: row.text("kind")?,
            queue: row.text("queue")?,
            args: row.text("args")?,
            attempt: row.small("attempt")?,
            max_attempts: row.small("max_attempts")?,
            tenant: row.text_if_any("tenant")?,
            tags: row.json_if_any("tags")?.unwrap_or_default(),
            metadata: row.json_if_any("metadata")?,
            limited: None,
        };
        claimed.push((key(job.id, row.try_get("rank")?), job));
    }
    claimed.sort_by(|(a, first), (b, second)| a.cmp(b).then(first.id.cmp(&second.id)));
    Ok(claimed.into_iter().map(|(_, job)| job).collect())
}

/// In turn over the tenants, from behind the one that had the last turn. How many jobs each of them has is not known beforehand, so as many are asked
/// for as would do if all had enough, and more when that was too few.
async fn choose_fairly(tx: &mut Tx, queue: &str, limit: usize, last_turn: String) -> Done<Vec<JobId>> {
    let tenants: Vec<Option<String>> = sqlx::query(CLAIM_TENANTS)
        .bind(queue.to_owned())
        .bind(last_turn)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?
        .iter()
        .map(|row| row.try_get("name"))
        .collect::<sqlx::Result<_>>()?;
    let mut each = limit.div_ceil(tenants.len().max(1));
    loop {
        let rows = sqlx::query(CLAIM_FAIR)
            .bind(queue.to_owned())
            .bind(serde_json::to_string(&tenants)?)
            .bind(i64::try_from(each).unwrap_or(i64::MAX))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx)
            .await?;
        // Somebody took the last turn that was asked for, so there may be more behind it.
        let mut turns = rows.iter().map(|row| row.small::<usize>("turn"));
        let more =
            turns.try_fold(false, |more, turn| Ok::<_, super::writer::Abort>(more || turn? == each))?;
        if rows.len() == limit || !more {
            return rows.iter().map(|row| row.id("id")).collect();
        }
        each = each.saturating_mul(2).min(limit);
    }
}

pub(super) async fn stage(tx: &mut Tx, now: i64, limit: usize) -> Done<Staged> {
    let rows = sqlx::query(STAGE)
        .bind(now)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
    let queues: BTreeSet<String> = rows.iter().map(|row| row.text("queue")).collect::<Done<_>>()?;
    let ids: Vec<_> = rows.iter().map(|row| row.id("id")).collect::<Done<_>>()?;
    audit::transition(tx, now, &Actor::system(), "job.stage", "job", "available", &ids).await?;
    Ok(Staged { count: rows.len(), queues: queues.into_iter().collect(), next: next_due(tx, now).await? })
}

/// How long until the next job is due; zero when one is due already.
pub(super) async fn next_due(connection: &mut SqliteConnection, now: i64) -> Done<Option<Duration>> {
    let next: Option<i64> = sqlx::query_scalar(STAGE_NEXT).fetch_one(connection).await?;
    Ok(next.map(|at| Duration::from_micros(u64::try_from(at.saturating_sub(now)).unwrap_or(0))))
}

pub(super) async fn ready_queues(connection: &mut SqliteConnection, now: i64) -> Done<Vec<String>> {
    Ok(sqlx::query_scalar(READY_QUEUES).bind(now).fetch_all(connection).await?)
}
