//! Claims from lanes, each page of them in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobkit::{Clock, JobId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::claim::{in_order, write_down};
use super::row::RowExt;
use super::writer::{Done, Tx};
use store::ledger::{BucketState, Ledger, buckets_of, uncounted};
use store::limits::{PAGE, Picked, Places, Stretch, by_bucket, in_nanos, settle};
use store::recent::Recent;
use store::rule::{Lane, Rules};
use store::{LimitedClaim, WorkerId};

pub(super) const LANES: &str = include_str!("lanes.sql");
pub(super) const BUCKETS_LOCK: &str = include_str!("buckets_lock.sql");
pub(super) const BUCKETS_LOOK: &str = include_str!("buckets_look.sql");
pub(super) const BUCKETS_MOVE: &str = include_str!("buckets_move.sql");
pub(super) const CLAIM_LANES: &str = include_str!("claim_lanes.sql");

pub(super) struct Claiming {
    pub worker: WorkerId,
    pub queue: String,
    pub most: usize,
    pub rules: Arc<Rules>,
    pub clock: Arc<dyn Clock>,
    pub stretch: Stretch,
    pub turns: Arc<Recent>,
}

pub(super) async fn ring(
    connection: &mut SqliteConnection,
    now: i64,
    worker: WorkerId,
    queue: &str,
    stretch: &Stretch,
) -> Done<Vec<String>> {
    Ok(sqlx::query_scalar(LANES)
        .bind(now)
        .bind(worker.0)
        .bind(queue.to_owned())
        .bind(stretch.after.clone())
        .bind(stretch.upto.clone())
        .bind(stretch.around.clone())
        .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?)
}

impl Claiming {
    /// With the last lane of the page when there may be more behind it.
    pub(super) async fn page(self, tx: &mut Tx, now: i64) -> Done<(LimitedClaim, Option<String>)> {
        let steady = self.clock.steady();
        let lanes = ring(tx, now, self.worker, &self.queue, &self.stretch).await?;
        let last = (lanes.len() >= PAGE).then(|| lanes.last().cloned()).flatten();
        let lanes: Vec<Lane> = lanes.into_iter().map(Lane::stored).collect();
        let order = self.turns.order(&self.queue, &lanes);
        let lanes: Vec<Lane> = order.into_iter().map(|place| lanes[place].clone()).collect();
        let states = self.states(tx, &lanes).await?;
        let mut ledger = Ledger::new(in_nanos(now), &self.rules, &lanes, &states);
        let (shares, _) = ledger.shares(self.most);
        let rows = self.claim_shares(tx, now, &lanes, &shares).await?;
        let picked = picked(&rows, &lanes)?;
        let settled = settle(&mut ledger, &lanes, &shares, picked, in_nanos(now), steady);
        store_moved(tx, &ledger.moved().collect::<Vec<_>>()).await?;
        let claimed = in_order(&rows, |_, rank| rank)?;
        write_down(tx, now, self.worker, &claimed).await?;
        Ok((settled.apply(claimed), last))
    }

    async fn states(&self, tx: &mut Tx, lanes: &[Lane]) -> Done<BTreeMap<String, BucketState>> {
        let names = buckets_of(lanes);
        let mut states: BTreeMap<String, BucketState> =
            names.iter().map(|name| (name.clone(), BucketState::default())).collect();
        let known =
            sqlx::query(BUCKETS_LOCK).bind(serde_json::to_string(&names)?).fetch_all(&mut *tx).await?;
        for row in &known {
            if let Some(state) = states.get_mut(row.try_get::<&str, _>("name")?) {
                *state = known_state(row)?;
            }
        }
        let counted: Vec<String> =
            uncounted(&self.rules, &states, self.most).into_iter().map(str::to_owned).collect();
        if !counted.is_empty() {
            let rows = sqlx::query(BUCKETS_LOOK).fetch_all(tx).await?;
            let lanes = rows.iter().map(|row| Ok((Lane::stored(row.text("lane")?), row.small("jobs")?)));
            let running = by_bucket(lanes.collect::<Done<Vec<_>>>()?.into_iter());
            for bucket in counted {
                let count = running.get(&bucket).copied().unwrap_or(0);
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                states.entry(bucket).and_modify(|state| state.most_running = Some(count));
            }
        }
        Ok(states)
    }

    async fn claim_shares(
        &self,
        tx: &mut Tx,
        now: i64,
        lanes: &[Lane],
        shares: &[usize],
    ) -> Done<Vec<SqliteRow>> {
        // By turns all have the same, save those that may have less: a statement for each size of a share is few.
        let mut by_share = BTreeMap::<usize, Vec<&Lane>>::new();
        for (lane, share) in lanes.iter().zip(shares).filter(|(_, share)| **share > 0) {
            by_share.entry(*share).or_default().push(lane);
        }
        let mut claimed = Vec::new();
        for (share, lanes) in by_share {
            let rows = sqlx::query(CLAIM_LANES)
                .bind(self.worker.0)
                .bind(now)
                .bind(self.queue.clone())
                .bind(serde_json::to_string(&lanes)?)
                .bind(i64::try_from(share).unwrap_or(i64::MAX))
                .fetch_all(&mut *tx)
                .await?;
            claimed.extend(rows);
        }
        Ok(claimed)
    }
}

/// A row of `buckets_lock.sql`.
pub(super) fn known_state(row: &SqliteRow) -> Done<BucketState> {
    Ok(BucketState {
        next_start: row.try_get("next_start")?,
        paused_until: row.try_get::<Option<i64>, _>("paused_until")?.map(in_nanos),
        most_running: row.try_get("most_running")?,
    })
}

pub(super) async fn store_moved(tx: &mut Tx, moved: &[(&str, &BucketState)]) -> Done<()> {
    if !moved.is_empty() {
        let rows: Vec<_> =
            moved.iter().map(|(name, state)| (name, state.next_start, state.most_running)).collect();
        sqlx::query(BUCKETS_MOVE).bind(serde_json::to_string(&rows)?).execute(tx).await?;
    }
    Ok(())
}

fn picked(rows: &[SqliteRow], lanes: &[Lane]) -> Done<Vec<Picked>> {
    let mut places = Places::new(lanes);
    let mut picked = Vec::with_capacity(rows.len());
    for row in rows {
        // Nothing else was asked for.
        let Some(lane) = places.find(row.try_get("lane")?) else { continue };
        picked.push(Picked { id: JobId(row.id("id")?.0), lane, rank: row.try_get("rank")? });
    }
    Ok(picked)
}
