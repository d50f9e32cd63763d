//! Claims from lanes, each in one short transaction that holds the buckets of its lanes still.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobkit::{Clock, JobId};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::claim::WORTH_A_CURSOR;
use super::lane_marks::{Mark, Marks, START};
use super::rows::{self, Micros};
use super::{PostgresStore, claim, failed};
use store::ledger::{BucketState, Ledger, buckets_of, uncounted};
use store::limits::{PAGE, Picked, Settled, Stretch, in_nanos, settle};
use store::rule::{Lane, Rules};
use store::{LimitedClaim, Result, StoreError, WorkerId};

const CLAIMING: &str = "claiming limited jobs";

/// Buckets that are used for the first time; SQLite makes them where it moves them.
pub const ADD_BUCKETS: &str = "INSERT INTO compline.bucket (name) SELECT name FROM unnest($1::text[]) AS name ORDER BY name ON CONFLICT DO NOTHING";

pub struct Claiming<'a> {
    pub store: &'a PostgresStore,
    pub worker: WorkerId,
    pub queue: &'a str,
    pub rules: &'a Rules,
    pub clock: &'a dyn Clock,
}

/// Which lanes a claim looks at.
enum Look<'a> {
    /// Those that have something, in the order of the ring.
    For(&'a Stretch),
    /// Those that the last full claim knew, and each from where it ended, behind the lane that had the last turn.
    Behind(&'a Marks, &'a str),
}

/// Lanes, and behind which job of each the claim begins.
type Ring = (Vec<Lane>, Vec<Mark>);

/// What a page of lanes came to.
struct Page {
    claim: LimitedClaim,
    lanes: Vec<Lane>,
    /// The jobs of a claim that is worth marks, by their lanes.
    claimed: Vec<(String, Mark)>,
    /// The last lane that had a share.
    asked: Option<Lane>,
}

/// A bucket is pruned while somebody is about to lock it once in a blue moon, and not three times.
const TRIES: usize = 3;

impl Claiming<'_> {
    pub async fn claim(&self, most: usize) -> Result<LimitedClaim> {
        let turn = self.store.lane_turns.last(self.queue);
        let claim = match self.store.lane_marks.take(self.queue, most) {
            Some(marks) => self.behind(most, marks, &turn).await?,
            None => LimitedClaim::default(),
        };
        let claim = match claim.jobs.is_empty() {
            true => self.around(most, &turn).await?,
            false => claim,
        };
        let lanes = claim.jobs.iter().map(|job| job.limited.as_ref().map(|limited| limited.lane.as_str()));
        self.store.lane_turns.given(self.queue, &turn, lanes);
        Ok(claim)
    }

    /// Goes on where the last claim ended. What is left then is found by looking, and so are lanes that have come since.
    async fn behind(&self, most: usize, marks: Marks, turn: &str) -> Result<LimitedClaim> {
        let Page { mut claim, claimed, .. } = self.page(most, &Look::Behind(&marks, turn)).await?;
        claim.more = true;
        if claimed.len() >= most {
            self.mark(marks, &claimed);
        }
        Ok(claim)
    }

    /// Goes round the ring of lanes, a page at a time, until there is something.
    async fn around(&self, most: usize, turn: &str) -> Result<LimitedClaim> {
        let mut stretch = Stretch::whole(turn);
        let mut claim = LimitedClaim::default();
        let mut first = true;
        loop {
            let page = self.page(most, &Look::For(&stretch)).await?;
            if page.claim.jobs.is_empty()
                && page.claim.more
                && let Some(asked) = page.asked
            {
                // Somebody has all that these shares were for; next time they go to the lanes behind.
                self.store.lane_turns.given(self.queue, turn, std::iter::once(Some(asked.as_str())));
                claim.add(page.claim);
                break;
            }
            let last = page.lanes.last().filter(|_| page.lanes.len() >= PAGE);
            if first && last.is_none() && most >= WORTH_A_CURSOR && page.claimed.len() >= most {
                self.mark(Marks::fresh(&page.lanes), &page.claimed);
            }
            first = false;
            let last = last.map(|lane| lane.as_str().to_owned());
            claim.add(page.claim);
            let Some(last) = last else { break };
            if !claim.jobs.is_empty() {
                claim.more = true;
                break;
            }
            stretch = stretch.behind(&last);
        }
        Ok(claim)
    }

    fn mark(&self, marks: Marks, claimed: &[(String, Mark)]) {
        let marks = marks.after(claimed.iter().map(|(lane, job)| (lane.as_str(), *job)));
        self.store.lane_marks.put(self.queue, marks);
    }

    async fn page(&self, most: usize, look: &Look<'_>) -> Result<Page> {
        for _ in 0..TRIES {
            match self.try_page(most, look).await? {
                Ok(page) => return Ok(page),
                Err(unknown) => {
                    sqlx::query(ADD_BUCKETS)
                        .bind(unknown)
                        .execute(&self.store.claims)
                        .await
                        .map_err(failed(CLAIMING))?;
                }
            }
        }
        Err(StoreError::Refused("the buckets of a limit come and go too quickly; try again".into()))
    }

    /// Or the buckets that must be made first: outside of this transaction, or two that make each other's would wait
    /// for each other.
    async fn try_page(&self, most: usize, look: &Look<'_>) -> Result<std::result::Result<Page, Vec<String>>> {
        let mut session = self.store.claims.acquire().await.map_err(failed(CLAIMING))?;
        let mut tx = session.begin().await.map_err(failed(CLAIMING))?;
        let (lanes, marks) = match look {
            Look::For(stretch) => self.look(&mut tx, stretch).await?,
            Look::Behind(marks, turn) => match self.may_claim(&mut tx).await? {
                true => marks.ring(turn),
                false => Ring::default(),
            },
        };
        if lanes.is_empty() {
            tx.commit().await.map_err(failed(CLAIMING))?;
            session.keep();
            return Ok(Ok(Page { claim: LimitedClaim::default(), lanes, claimed: Vec::new(), asked: None }));
        }
        let names = buckets_of(&lanes);
        let mut states = lock(&mut tx, &names).await?;
        if states.len() < names.len() {
            let unknown = names.into_iter().filter(|name| !states.contains_key(name)).collect();
            tx.rollback().await.map_err(failed(CLAIMING))?;
            session.keep();
            return Ok(Err(unknown));
        }
        let now = self.count(&mut tx, most, &mut states).await?;
        let steady = self.clock.steady();
        let mut ledger = Ledger::new(now, self.rules, &lanes, &states);
        let shares = ledger.shares(most);
        let rows = self.claim_shares(&mut tx, &lanes, &marks, &shares).await?;
        let picked: Vec<_> =
            rows.iter().map(picked).collect::<sqlx::Result<_>>().map_err(failed(CLAIMING))?;
        let claimed = match most >= WORTH_A_CURSOR {
            true => picked.iter().map(|job| (job.lane.clone(), (Micros(job.rank), job.id.0))).collect(),
            false => Vec::new(),
        };
        let settled = settle(&mut ledger, &lanes, &shares, picked, now, steady);
        moved(&mut tx, &ledger).await?;
        tx.commit().await.map_err(failed(CLAIMING))?;
        session.keep();
        let asked = lanes.iter().zip(&shares).rfind(|(_, share)| **share > 0).map(|(lane, _)| lane.clone());
        Ok(Ok(Page { claim: self.read(settled, &rows).await?, lanes, claimed, asked }))
    }

    async fn look(&self, tx: &mut PgConnection, stretch: &Stretch) -> Result<Ring> {
        let lanes: Vec<String> = sqlx::query_scalar(include_str!("lanes.sql"))
            .bind(self.store.time())
            .bind(self.worker.0)
            .bind(self.queue)
            .bind(&stretch.after)
            .bind(&stretch.upto)
            .bind(&stretch.around)
            .bind(rows::count(PAGE))
            .fetch_all(tx)
            .await
            .map_err(failed(CLAIMING))?;
        Ok(lanes.into_iter().map(|lane| (Lane::stored(lane), START)).unzip())
    }

    async fn may_claim(&self, tx: &mut PgConnection) -> Result<bool> {
        sqlx::query_scalar(include_str!("lanes_open.sql"))
            .bind(self.store.time())
            .bind(self.worker.0)
            .bind(self.queue)
            .fetch_one(tx)
            .await
            .map_err(failed(CLAIMING))
    }

    /// The time, and how many run where that matters.
    async fn count(
        &self,
        tx: &mut PgConnection,
        most: usize,
        states: &mut BTreeMap<String, BucketState>,
    ) -> Result<i64> {
        let counted: Vec<String> =
            uncounted(self.rules, states, most).into_iter().map(str::to_owned).collect();
        let rows = sqlx::query(include_str!("buckets_look.sql"))
            .bind(self.store.time())
            .bind(&counted)
            .fetch_all(tx)
            .await
            .map_err(failed(CLAIMING))?;
        let running: BTreeMap<&str, u32> = rows.iter().filter_map(running).collect();
        for bucket in counted {
            let count = running.get(bucket.as_str()).copied().unwrap_or(0);
            states.entry(bucket).and_modify(|state| state.most_running = Some(count));
        }
        let now = rows.first().map_or(Micros::NEVER, |row| row.get(0));
        Ok(in_nanos(Timestamp::from(now).as_microsecond()))
    }

    async fn claim_shares(
        &self,
        tx: &mut PgConnection,
        lanes: &[Lane],
        marks: &[Mark],
        shares: &[usize],
    ) -> Result<Vec<PgRow>> {
        let claimed = || (0..lanes.len()).filter(|lane| shares[*lane] > 0);
        if claimed().next().is_none() {
            return Ok(Vec::new());
        }
        sqlx::query(include_str!("claim_lanes.sql"))
            .bind(self.store.time())
            .bind(self.worker.0)
            .bind(self.queue)
            .bind(claimed().map(|lane| lanes[lane].as_str()).collect::<Vec<_>>())
            .bind(claimed().map(|lane| rows::count(shares[lane])).collect::<Vec<_>>())
            .bind(claimed().map(|lane| marks[lane].0).collect::<Vec<_>>())
            .bind(claimed().map(|lane| marks[lane].1).collect::<Vec<_>>())
            .fetch_all(tx)
            .await
            .map_err(failed(CLAIMING))
    }

    /// After the commit: what cannot be read is discarded, by somebody else's hand.
    async fn read(&self, settled: Settled, rows: &[PgRow]) -> Result<LimitedClaim> {
        let jobs = claim::read(self.store, self.worker, self.queue, rows).await?;
        Ok(settled.apply(jobs.into_iter().map(|(_, job)| job).collect()))
    }
}

fn running(row: &PgRow) -> Option<(&str, u32)> {
    let (bucket, running) = (row.get::<Option<&str>, _>(1)?, row.get::<Option<i64>, _>(2)?);
    Some((bucket, u32::try_from(running).unwrap_or(u32::MAX)))
}

fn picked(row: &PgRow) -> sqlx::Result<Picked> {
    let rank: Micros = row.try_get(4)?;
    Ok(Picked { id: JobId(row.try_get(0)?), lane: row.try_get(10)?, rank: rank.0 })
}

pub async fn lock(tx: &mut PgConnection, names: &[String]) -> Result<BTreeMap<String, BucketState>> {
    let rows = sqlx::query(include_str!("buckets_lock.sql"))
        .bind(names)
        .fetch_all(tx)
        .await
        .map_err(failed(CLAIMING))?;
    let state = |row: &PgRow| BucketState {
        next_start: row.get(1),
        paused_until: row
            .get::<Option<Micros>, _>(2)
            .map(|until| in_nanos(Timestamp::from(until).as_microsecond())),
        most_running: row.get::<Option<i32>, _>(3).map(i32::unsigned_abs),
    };
    Ok(rows.iter().map(|row| (row.get(0), state(row))).collect())
}

async fn moved(tx: &mut PgConnection, ledger: &Ledger) -> Result<()> {
    let moved: Vec<_> = ledger.moved().collect();
    store_moved(tx, &moved).await.map_err(failed(CLAIMING))
}

/// Whoever calls has locked them.
pub async fn store_moved(tx: &mut PgConnection, moved: &[(&str, &BucketState)]) -> sqlx::Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let small = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query(include_str!("buckets_move.sql"))
        .bind(moved.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        .bind(moved.iter().map(|(_, state)| state.next_start).collect::<Vec<_>>())
        .bind(moved.iter().map(|(_, state)| state.most_running.map(small)).collect::<Vec<_>>())
        .execute(tx)
        .await
        .map(drop)
}
