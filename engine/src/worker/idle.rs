//! When a worker that was asked to stop when there is nothing left to do may stop: when there is nothing to claim, nothing
//! in hand, and nothing in the hands of a worker that may be dead. Its jobs come back when its lease has run out, and it
//! may be that nobody else is there to run them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::held::HeldJobs;
use store::state::JobState;
use store::{QueueRow, Result, Scope, Store, WorkerId, WorkerRow};

pub struct Idle {
    pub store: Arc<dyn Store>,
    pub held: Arc<HeldJobs>,
    /// Counts looks at all queues that found nothing.
    pub looks: watch::Receiver<u64>,
    /// Ours.
    pub lease: watch::Receiver<Option<WorkerId>>,
    /// Empty means every queue.
    pub queues: BTreeSet<String>,
}

/// Resolves when told to stop or, if asked to watch for it, when two looks in a row found nothing to claim
/// while nothing was in hand: a job that ended between them may have made another.
pub async fn stop_or_idle(stop: CancellationToken, idle: Option<Idle>) {
    let Some(mut idle) = idle else { return stop.cancelled().await };
    tokio::select! {
        () = idle.wait() => {}
        () = stop.cancelled() => {}
    }
}

impl Idle {
    async fn wait(&mut self) {
        let (mut clear, mut beats, mut said) = (false, Beats::default(), false);
        while self.looks.changed().await.is_ok() {
            if !self.held.is_empty() {
                clear = false;
                continue;
            }
            // The fetcher looks when it claims nothing, so this one came after whatever it claimed since.
            if clear {
                return;
            }
            match self.is_left(&mut beats).await {
                Ok(left) => {
                    if left && !said {
                        info!("waiting for the lease of another worker, which may be dead and holds jobs");
                        said = true;
                    }
                    clear = !left;
                }
                Err(problem) => warn!("looking for what other workers hold failed: {problem}"),
            }
        }
    }

    async fn is_left(&self, beats: &mut Beats) -> Result<bool> {
        let ours = *self.lease.borrow();
        let workers = self.store.workers().await?;
        let others: Vec<_> = workers.into_iter().filter(|worker| Some(worker.id) != ours).collect();
        if beats.may_be_dead(&others) || !self.store.unrescued().await?.is_empty() {
            let runs =
                |queue: &QueueRow| queue.counts.get(&JobState::Running).is_some_and(|running| *running > 0);
            let queues = self.store.queues(&Scope::Installation).await?;
            if queues.iter().any(|queue| self.serves(&queue.name) && runs(queue)) {
                return Ok(true);
            }
        }
        // In this order: what was rescued meanwhile is there to be claimed.
        Ok(self.store.ready_queues().await?.iter().any(|queue| self.serves(queue)))
    }

    fn serves(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.contains(queue)
    }
}

/// Where each worker's beat stood when it was first seen.
#[derive(Default)]
struct Beats(BTreeMap<WorkerId, i64>);

impl Beats {
    /// Whether there is one that nobody has seen alive.
    fn may_be_dead(&mut self, workers: &[WorkerRow]) -> bool {
        let stands = |worker: &WorkerRow| *self.0.entry(worker.id).or_insert(worker.beat) == worker.beat;
        workers.iter().map(stands).fold(false, |any, stands| any | stands)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    fn worker(id: i32, beat: i64) -> WorkerRow {
        WorkerRow {
            id: WorkerId(id),
            name: "w".into(),
            version: "0".into(),
            started_at: Timestamp::UNIX_EPOCH,
            beat,
            beat_at: Timestamp::UNIX_EPOCH,
            lease: Duration::from_secs(30),
            queues: Vec::new(),
        }
    }

    #[test]
    fn a_worker_may_be_dead_until_its_beat_is_seen_to_move() {
        let mut beats = Beats::default();
        for (workers, may_be_dead) in [
            (vec![], false),
            (vec![worker(1, 7), worker(2, 3)], true),
            (vec![worker(1, 8), worker(2, 3)], true),
            (vec![worker(1, 8), worker(2, 4)], false),
            (vec![worker(1, 8), worker(2, 4), worker(3, 0)], true),
            // It was rescued from, or retired.
            (vec![worker(1, 8)], false),
        ] {
            assert_eq!(beats.may_be_dead(&workers), may_be_dead, "{workers:?}");
        }
    }
}
