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
use store::limits::{PAGE, Picked, Places, Settled, Stretch, in_nanos, settle};
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
    /// Those that the last full claim knew, and each from where it ended.
    Behind(&'a Marks),
}

/// Lanes, and behind which job of each the claim begins.
type Ring = (Vec<Lane>, Vec<Mark>);

/// Lanes with their marks, and how many jobs of each are to be claimed.
#[derive(Clone, Copy)]
struct Shared<'a> {
    lanes: &'a [Lane],
    marks: &'a [Mark],
    shares: &'a [usize],
}

/// What a page of lanes came to.
#[derive(Default)]
struct Page {
    claim: LimitedClaim,
    /// In the order of the ring.
    lanes: Vec<Lane>,
    /// The jobs of a claim that is worth marks, by their lanes.
    claimed: Vec<(Lane, Mark)>,
    /// The lanes that had a share.
    asked: Vec<Lane>,
}

/// A bucket is pruned while somebody is about to lock it once in a blue moon, and not three times.
pub const TRIES: usize = 3;

impl Claiming<'_> {
    pub async fn claim(&self, most: usize) -> Result<LimitedClaim> {
        let claim = match self.store.lane_marks.take(self.queue, most) {
            Some(marks) => self.behind(most, marks).await?,
            None => LimitedClaim::default(),
        };
        let claim = match claim.jobs.is_empty() {
            true => self.around(most).await?,
            false => claim,
        };
        let lanes = claim.jobs.iter().filter_map(|job| job.limited.as_ref().map(|limited| &limited.lane));
        self.store.lane_turns.had(self.queue, lanes);
        Ok(claim)
    }

    /// Goes on where the last claim ended. What is left then is found by looking, and so are lanes that have come since.
    async fn behind(&self, most: usize, marks: Marks) -> Result<LimitedClaim> {
        let Page { mut claim, claimed, .. } = self.page(most, &Look::Behind(&marks)).await?;
        claim.more = true;
        if claimed.len() >= most {
            self.mark(marks, &claimed);
        }
        Ok(claim)
    }

    /// Goes round the ring of lanes, a page at a time, until there is something.
    async fn around(&self, most: usize) -> Result<LimitedClaim> {
        let mut stretch = Stretch::whole(&self.store.lane_turns.looked(self.queue));
        let mut claim = LimitedClaim::default();
        let mut first = true;
        loop {
            let page = self.page(most, &Look::For(&stretch)).await?;
            let last = page.lanes.last().filter(|_| page.lanes.len() >= PAGE);
            let last = last.map(|lane| lane.as_str().to_owned());
            self.store.lane_turns.look_on_behind(self.queue, last.as_deref());
            if page.claim.jobs.is_empty() && page.claim.more && !page.asked.is_empty() {
                // Somebody has all that these shares were for; next time they go to the other lanes.
                self.store.lane_turns.had(self.queue, page.asked.iter());
                claim.add(page.claim);
                break;
            }
            if first && last.is_none() && most >= WORTH_A_CURSOR && page.claimed.len() >= most {
                self.mark(Marks::fresh(&page.lanes), &page.claimed);
            }
            first = false;
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

    fn mark(&self, marks: Marks, claimed: &[(Lane, Mark)]) {
        let marks = marks.after(claimed.iter().map(|(lane, job)| (lane, *job)));
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
            Look::Behind(marks) => marks.all(),
        };
        let names = buckets_of(&lanes);
        let mut held = match look {
            _ if lanes.is_empty() => Buckets::default(),
            Look::For(_) => lock(&mut tx, self.store.time(), &names).await?,
            Look::Behind(_) => self.lock_open(&mut tx, &names).await?,
        };
        if held.states.len() < names.len() {
            tx.rollback().await.map_err(failed(CLAIMING))?;
            session.keep();
            let unknown = names.into_iter().filter(|name| !held.states.contains_key(name)).collect();
            return Ok(match look {
                Look::For(_) => Err(unknown),
                // The queue is closed, or a bucket was pruned: whoever looks sees which.
                Look::Behind(_) => Ok(Page::default()),
            });
        }
        let Some(now) = self.count(&mut tx, most, &mut held).await? else {
            tx.commit().await.map_err(failed(CLAIMING))?;
            session.keep();
            return Ok(Ok(Page::default()));
        };
        let steady = self.clock.steady();
        let order = self.store.lane_turns.order(self.queue, &lanes);
        let ring: Vec<Lane> = order.iter().map(|place| lanes[*place].clone()).collect();
        let marks: Vec<Mark> = order.iter().map(|place| marks[*place]).collect();
        let mut ledger = Ledger::new(now, self.rules, &ring, &held.states);
        let (shares, expected) = ledger.shares(most);
        let shared = Shared { lanes: &ring, marks: &marks, shares: &shares };
        let rows = self.claim_shares(&mut tx, shared, &expected).await?;
        let picked = picked(&rows, &ring).map_err(failed(CLAIMING))?;
        let claimed = match most >= WORTH_A_CURSOR {
            true => {
                let mark = |job: &Picked| (ring[job.lane].clone(), (Micros(job.rank), job.id.0));
                picked.iter().map(mark).collect()
            }
            false => Vec::new(),
        };
        let settled = settle(&mut ledger, &ring, &shares, picked, now, steady);
        // Less was to be had than the shares, and the rest of the starts are given back.
        let unlike: Vec<_> = ledger.unlike(&expected).collect();
        store_moved(&mut tx, &unlike).await.map_err(failed(CLAIMING))?;
        tx.commit().await.map_err(failed(CLAIMING))?;
        session.keep();
        let asked = ring.iter().zip(&shares).filter(|(_, share)| **share > 0).map(|(lane, _)| lane.clone());
        let asked = asked.collect();
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

    /// None are held when the queue is paused, or the worker dead.
    async fn lock_open(&self, tx: &mut PgConnection, names: &[String]) -> Result<Buckets> {
        let locking = sqlx::query(include_str!("buckets_lock_open.sql"))
            .bind(self.store.time())
            .bind(names)
            .bind(self.worker.0)
            .bind(self.queue);
        locking.fetch_all(tx).await.map(|rows| held(&rows)).map_err(failed(CLAIMING))
    }

    /// The time, and how many run where that matters. No time where nothing is held.
    async fn count(&self, tx: &mut PgConnection, most: usize, held: &mut Buckets) -> Result<Option<i64>> {
        let counted: Vec<String> =
            uncounted(self.rules, &held.states, most).into_iter().map(str::to_owned).collect();
        if counted.is_empty() {
            return Ok(held.now);
        }
        let rows = sqlx::query(include_str!("buckets_look.sql"))
            .bind(self.store.time())
            .bind(&counted)
            .fetch_all(tx)
            .await
            .map_err(failed(CLAIMING))?;
        let running: BTreeMap<&str, u32> = rows.iter().filter_map(running).collect();
        for bucket in counted {
            let count = running.get(bucket.as_str()).copied().unwrap_or(0);
            held.states.entry(bucket).and_modify(|state| state.most_running = Some(count));
        }
        Ok(rows.first().map(|row| in_nanos(Timestamp::from(row.get::<Micros, _>(0)).as_microsecond())))
    }

    /// Claims, and moves the buckets to where they stand if all of the shares are to be had.
    async fn claim_shares(
        &self,
        tx: &mut PgConnection,
        ring: Shared<'_>,
        expected: &Ledger,
    ) -> Result<Vec<PgRow>> {
        let Shared { lanes, marks, shares } = ring;
        let claimed = || (0..lanes.len()).filter(|lane| shares[*lane] > 0);
        if claimed().next().is_none() {
            return Ok(Vec::new());
        }
        let moved = Moved::of(expected.moved());
        sqlx::query(include_str!("claim_lanes.sql"))
            .bind(self.store.time())
            .bind(self.worker.0)
            .bind(self.queue)
            .bind(claimed().map(|lane| lanes[lane].as_str()).collect::<Vec<_>>())
            .bind(claimed().map(|lane| rows::count(shares[lane])).collect::<Vec<_>>())
            .bind(claimed().map(|lane| marks[lane].0).collect::<Vec<_>>())
            .bind(claimed().map(|lane| marks[lane].1).collect::<Vec<_>>())
            .bind(moved.names)
            .bind(moved.next_starts)
            .bind(moved.most_running)
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

fn picked(rows: &[PgRow], lanes: &[Lane]) -> sqlx::Result<Vec<Picked>> {
    let mut places = Places::new(lanes);
    let mut picked = Vec::with_capacity(rows.len());
    for row in rows {
        // Nothing else was asked for.
        let Some(lane) = places.find(row.try_get(10)?) else { continue };
        let rank: Micros = row.try_get(4)?;
        picked.push(Picked { id: JobId(row.try_get(0)?), lane, rank: rank.0 });
    }
    Ok(picked)
}

/// Buckets that are held still, and the time when they all were.
#[derive(Default)]
pub struct Buckets {
    pub states: BTreeMap<String, BucketState>,
    pub now: Option<i64>,
}

pub async fn lock(tx: &mut PgConnection, time: Option<Micros>, names: &[String]) -> Result<Buckets> {
    let locking = sqlx::query(include_str!("buckets_lock.sql")).bind(time).bind(names);
    locking.fetch_all(tx).await.map(|rows| held(&rows)).map_err(failed(CLAIMING))
}

fn held(rows: &[PgRow]) -> Buckets {
    let nanos = |time: Micros| in_nanos(Timestamp::from(time).as_microsecond());
    let state = |row: &PgRow| BucketState {
        next_start: row.get(1),
        paused_until: row.get::<Option<Micros>, _>(2).map(nanos),
        most_running: row.get::<Option<i32>, _>(3).map(i32::unsigned_abs),
    };
    Buckets {
        states: rows.iter().map(|row| (row.get(0), state(row))).collect(),
        now: rows.last().map(|row| nanos(row.get(4))),
    }
}

/// Buckets as they stand after starts were taken, column by column.
struct Moved<'a> {
    names: Vec<&'a str>,
    next_starts: Vec<Option<i64>>,
    most_running: Vec<Option<i32>>,
}

impl<'a> Moved<'a> {
    fn of(buckets: impl Iterator<Item = (&'a str, &'a BucketState)>) -> Self {
        let mut moved = Self { names: Vec::new(), next_starts: Vec::new(), most_running: Vec::new() };
        for (name, state) in buckets {
            moved.names.push(name);
            moved.next_starts.push(state.next_start);
            moved.most_running.push(state.most_running.map(|most| i32::try_from(most).unwrap_or(i32::MAX)));
        }
        moved
    }
}

/// Whoever calls has locked them.
pub async fn store_moved(tx: &mut PgConnection, moved: &[(&str, &BucketState)]) -> sqlx::Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let moved = Moved::of(moved.iter().copied());
    sqlx::query(include_str!("buckets_move.sql"))
        .bind(moved.names)
        .bind(moved.next_starts)
        .bind(moved.most_running)
        .execute(tx)
        .await
        .map(drop)
}
