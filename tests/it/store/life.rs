//! The life of a job as the stores live it is the life that `store/src/state.rs` allows, no less and no more.

use std::collections::BTreeSet;

use jobkit::{JobId, OnConflict, OnParentFailure, When};
use store::state::JobState;
use store::{Change, Claimed, End, Release, WorkerId};

use crate::support::store::{TestStore, completed, discarded, promises, retry, seconds, unique};

promises![the_stores_do_every_step_that_is_legal_and_no_other];

/// A job whose states are written down as it goes through them.
struct Life<'t> {
    t: &'t TestStore,
    worker: WorkerId,
    steps: BTreeSet<(JobState, JobState)>,
}

impl Life<'_> {
    /// Does something to a job and remembers where that brought it.
    async fn step(&mut self, id: JobId, what: impl Future<Output = ()>) {
        let before = self.t.state(id).await;
        what.await;
        let after = self.t.state(id).await;
        if before != after {
            self.steps.insert((before, after));
        }
    }

    async fn change(&mut self, id: JobId, change: Change) {
        let t = self.t;
        self.step(id, async { drop(t.change(id, change).await) }).await;
    }

    async fn stage_later(&mut self, id: JobId) {
        let t = self.t;
        self.step(id, async {
            t.clock.advance(seconds(60));
            t.store.stage(10).await.unwrap();
        })
        .await;
    }

    async fn claim(&mut self, id: JobId) -> Claimed {
        let (t, worker) = (self.t, self.worker);
        let mut claimed = None;
        self.step(id, async { claimed = Some(t.claim_one(worker).await) }).await;
        claimed.filter(|job| job.id == id).expect("the job is the only one there is to claim")
    }

    async fn run(&mut self, id: JobId, end: End) {
        let job = self.claim(id).await;
        let (t, worker) = (self.t, self.worker);
        self.step(id, async { drop(t.finish(worker, &job, end).await) }).await;
    }

    /// A new job in each state that people can act on, its parent beside it where it has one.
    async fn in_every_live_state(&mut self) -> Vec<JobId> {
        let t = self.t;
        let scheduled = t.add(|row| row.when = When::After(seconds(30))).await;
        let retryable = t.add(|_| {}).await;
        self.run(retryable, retry(30)).await;
        let waiting = t.add(|row| row.after = vec![scheduled]).await;
        let running = t.add(|_| {}).await;
        self.claim(running).await;
        let available = t.add(|_| {}).await;
        vec![waiting, scheduled, retryable, running, available]
    }
}

async fn the_stores_do_every_step_that_is_legal_and_no_other(t: TestStore) {
    let worker = t.worker().await;
    let mut life = Life { t: &t, worker, steps: BTreeSet::new() };

    // What attempts report.
    let id = t.add(|_| {}).await;
    life.run(id, End::GiveBack).await;
    life.run(id, retry(5)).await;
    life.stage_later(id).await;
    life.run(id, End::Snooze { after: seconds(5) }).await;
    life.stage_later(id).await;
    let parent = t.add(|row| (row.queue, row.when) = ("p".into(), When::After(seconds(5)))).await;
    life.run(id, End::WaitFor(vec![parent])).await;
    life.step(id, async { drop(t.change(parent, Change::Cancel).await) }).await;
    life.run(id, discarded()).await;
    life.change(id, Change::Retry).await;
    life.run(id, End::Cancelled { reason: "no need".into() }).await;
    life.change(id, Change::Retry).await;
    life.run(id, completed()).await;

    // What becomes of children, and of what is replaced.
    let parent = t.add(|row| row.when = When::After(seconds(5))).await;
    let child = t
        .add(|row| {
            row.when = When::After(seconds(30));
            row.after = vec![parent];
            row.on_parent_failure = OnParentFailure::Run;
        })
        .await;
    life.step(child, async { drop(t.change(parent, Change::Cancel).await) }).await;
    life.change(child, Change::Cancel).await;
    let id = t.add(|row| row.unique = unique(1, Release::AtEnd, OnConflict::Replace)).await;
    life.step(id, async {
        t.add(|row| {
            row.unique = unique(1, Release::AtEnd, OnConflict::Replace);
            row.when = When::After(seconds(30));
        })
        .await;
    })
    .await;
    life.change(id, Change::Cancel).await;

    // What people do, to jobs in any state.
    for change in [Change::Cancel, Change::Discard, Change::Retry] {
        for id in life.in_every_live_state().await {
            life.change(id, change).await;
            for end in [Change::Discard, Change::Cancel] {
                life.change(id, end).await;
            }
        }
        // The running one was asked to stop.
        t.store.rescue(life.worker, 0).await.unwrap();
        life.worker = t.worker().await;
    }

    let legal: BTreeSet<_> = JobState::ALL
        .into_iter()
        .flat_map(|from| JobState::ALL.map(|to| (from, to)))
        .filter(|(from, to)| from.may_become(*to))
        .collect();
    assert_eq!(life.steps, legal);
}
