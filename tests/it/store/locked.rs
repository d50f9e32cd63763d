//! Somebody keeps a transaction open that has a row of ours, on PostgreSQL. Others must neither wait with it nor lose or
//! gain anything by it.

use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, JobId, OnConflict};
use sqlx::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use store::rule::{By, Lane, Rule, Rules};
use store::state::JobState::{Available, Discarded, Running};
use store::{Change, JobFilter, Release, Rescued, Scope, StoreError};

use super::limits::{at_once, rated, rules};
use crate::support::store::{QUEUE, TestStore, ada, completed, discarded, ids, retry, seconds, unique};

/// A transaction that has these rows until it is dropped.
struct Held(PgConnection);

impl Held {
    async fn rows(t: &TestStore, select: &str) -> Self {
        let mut sql = PgConnection::connect(t.url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {select} FOR UPDATE"))).execute(&mut sql).await.unwrap();
        Self(sql)
    }

    async fn of(t: &TestStore, id: JobId) -> Self {
        Self::rows(t, &format!("SELECT FROM compline.job WHERE id = '{id}'")).await
    }

    async fn release(mut self) {
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await.unwrap();
    }
}

/// Until a transaction waits for a lock: when it began, which tells it from others.
async fn waiting(t: &TestStore) -> String {
    another_waiting(t, "").await
}

async fn another_waiting(t: &TestStore, than: &str) -> String {
    let mut sql = PgConnection::connect(t.url()).await.unwrap();
    let look = "SELECT xact_start::text FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock' AND xact_start::text <> $1 LIMIT 1";
    let seen = async {
        loop {
            let began = sqlx::query_scalar(look).bind(than).fetch_optional(&mut sql).await.unwrap();
            match began {
                Some(began) => return began,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("a transaction that waits")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_completed_before_its_retry_came_to_it_does_not_get_its_key_again() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let dead = t.add(|_| {}).await;
    t.run(worker, discarded()).await;
    let key = || unique(1, Release::AtEnd, OnConflict::ReturnExisting);
    let late = t.add(|row| row.unique = key()).await;
    t.run(worker, retry(1)).await;
    let held = Held::rows(&t, &format!("SELECT FROM compline.job_history WHERE id = '{dead}'")).await;
    let (all, by) = (JobFilter::default(), ada());

    let (changed, ()) =
        tokio::join!(t.store.change(&Scope::Installation, &all, Change::Retry, &by, 10), async {
            let first = waiting(&t).await;
            t.clock.advance(seconds(1));
            t.store.stage(10).await.unwrap();
            let again = t.claim_one(worker).await;
            assert_eq!(again.id, late);
            t.finish(worker, &again, completed()).await;
            // The first try gives up, and the second finds the job among those that have ended.
            another_waiting(&t, &first).await;
            held.release().await;
        });

    assert_eq!(changed.unwrap().ids, [dead]);
    let mut row = t.row();
    row.unique = key();
    let answers = t.insert(std::slice::from_ref(&row)).await;
    assert_eq!((answers[0].id, answers[0].duplicate), (row.id, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_locked_is_rescued_later_and_the_rest_at_once() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let row = t.add(|_| {}).await;
    let plain = t.add(|_| {}).await;
    let last = t.add(|row| row.max_attempts = 1).await;
    let keyed = t
        .add(|row| {
            row.max_attempts = 1;
            row.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
        })
        .await;
    assert_eq!(t.claim(worker, 9).await.len(), 4);
    let its_row = Held::of(&t, row).await;
    let its_key = Held::rows(&t, &format!("SELECT FROM compline.unique_key WHERE job_id = '{keyed}'")).await;

    let rescued = t.store.rescue(worker, 0).await.unwrap();

    assert_eq!(rescued, [Rescued { id: plain, state: Available }, Rescued { id: last, state: Discarded }]);
    assert_eq!(t.states(&[row, keyed]).await, [Running, Running]);
    assert_eq!(t.store.unrescued().await.unwrap(), [worker]);
    its_row.release().await;
    its_key.release().await;
    let rescued = t.store.rescue(worker, 7).await.unwrap();
    assert_eq!(rescued, [Rescued { id: row, state: Available }, Rescued { id: keyed, state: Discarded }]);
    assert_eq!(t.store.unrescued().await.unwrap(), []);
}

/// Once the table of buckets was locked while a row was waited for, and all limited claims with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_wait_for_their_new_lane_keep_nobody_from_claiming() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let (kinds, queues) = (Vec::new(), Vec::new());
    let rule = Rule { name: "x".into(), kinds, queues, by: By::All, rate: None, concurrency: Some(5) };
    let rules = Arc::new(Rules::new([rule]));
    let other = t.add(|row| row.queue = "elsewhere".into()).await;
    let id = t.add(|row| row.lane = Some(Lane::stored("x".into()))).await;
    let held = Held::of(&t, other).await;
    let lanes = [(other, Some(Lane::stored("x".into())))];
    let clock: Arc<dyn Clock> = t.clock.clone();

    let (put, ()) = tokio::join!(t.store.put_lanes(&lanes), async {
        waiting(&t).await;
        let claim = t.store.claim_limited(worker, QUEUE, 5, &rules, &clock);
        // Far less than anybody waits for a lock.
        let claim = tokio::time::timeout(Duration::from_secs(3), claim).await.unwrap().unwrap();
        assert_eq!(claim.jobs[0].id, id);
        held.release().await;
    });

    put.unwrap();
}

/// Claims for one job once asked for the same one each time, which somebody had, and never for those of another lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_whose_job_is_locked_keeps_other_lanes_from_nothing_though_claims_are_for_one_job() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let rules = rules([at_once("x", 5)]);
    let locked = t.add_in("x/1", 1).await;
    let others = t.add_in("x/2", 2).await;
    let held = Held::of(&t, locked[0]).await;

    let mut claimed = Vec::new();
    for _ in 0..4 {
        claimed.extend(ids(&t.limited(worker, 1, &rules).await.jobs));
    }

    assert_eq!(claimed, others);
    held.release().await;
    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), locked);
}

/// Of ten in a minute the one whose job could not be had was once gone, and the next start six seconds off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_job_is_locked_is_not_used_up() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    let rules = rules([rated("x", "10/m", 1), at_once("y", 1)]);
    let locked = t.add_in("x/1\ny/1", 1).await;
    let held = Held::of(&t, locked[0]).await;

    for _ in 0..3 {
        assert_eq!(t.limited(worker, 1, &rules).await.jobs, []);
    }

    held.release().await;
    let claim = t.limited(worker, 1, &rules).await;
    assert_eq!(ids(&claim.jobs), locked);
    assert_eq!(claim.jobs[0].limited.as_ref().unwrap().start.unwrap().from, t.clock.steady());
}

/// The pause that a provider asked for is not lost to a lock, and says so when it cannot be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_cannot_be_had_for_a_lock_is_busy() {
    let t = TestStore::postgres().await;
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let job = t.claim_one(worker).await;
    t.store.pause(QUEUE, None, &ada(), "").await.unwrap();
    let held = Held::rows(&t, "SELECT FROM compline.queue").await;
    let what = store::HoldOff::Queue(QUEUE.into());

    let busy = t.store.hold_off(job.held(), &what, seconds(9), &ada(), "").await;

    assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    held.release().await;
    t.store.hold_off(job.held(), &what, seconds(9), &ada(), "").await.unwrap();
}
