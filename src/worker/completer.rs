//! Records how attempts ended, in batches: while one batch is being written the next gathers. Tries until
//! the store takes it; a result is not lost because the database is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jobkit::Clock;
use tokio::sync::{Notify, mpsc};
use tracing::warn;

use super::held::HeldJobs;
use crate::service::Patience;
use crate::store::{End, Report, Store, WorkerId};
use crate::wake::Wake;

/// Larger batches cost more latency than they save work.
const MOST_IN_A_BATCH: usize = 1_000;

#[derive(Debug, Default)]
pub struct Tally {
    pub completed: AtomicU64,
    pub failed: AtomicU64,
    pub discarded: AtomicU64,
    pub cancelled: AtomicU64,
    pub refused: AtomicU64,
}

pub struct Completer {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub held: Arc<HeldJobs>,
    pub wake: Wake,
    /// Rung when a queue with a limit of its own may have room again.
    pub capacity: Arc<Notify>,
    pub tally: Arc<Tally>,
}

impl Completer {
    /// Ends when every sender is gone and the last batch is recorded.
    pub async fn run(self, mut reports: mpsc::UnboundedReceiver<(WorkerId, Report)>) {
        let mut patience = Patience::new("recording results", self.clock.clone());
        let mut waiting = Vec::with_capacity(MOST_IN_A_BATCH);
        while reports.recv_many(&mut waiting, MOST_IN_A_BATCH).await > 0 {
            // A process that lost its lease and got another still owes reports under the first.
            waiting.sort_by_key(|(worker, _)| *worker);
            while let Some((worker, _)) = waiting.last() {
                let worker = *worker;
                let start = waiting.partition_point(|(other, _)| *other < worker);
                let batch: Vec<_> = waiting.drain(start..).map(|(_, report)| report).collect();
                self.record(worker, &batch, &mut patience).await;
            }
        }
    }

    async fn record(&self, worker: WorkerId, batch: &[Report], patience: &mut Patience) {
        let finished = loop {
            match self.store.finish(worker, batch).await {
                Ok(finished) => break finished,
                Err(problem) => patience.failed(&problem).await,
            }
        };
        patience.succeeded();
        self.held.release(worker, batch.iter().map(|report| report.held));
        self.capacity.notify_one();
        for id in &finished.refused {
            warn!(job.id = %id, "the report on job {id} was refused: another worker has it");
        }
        self.count(batch, finished.refused.len());
        for queue in &finished.woken {
            self.wake.wake(queue);
        }
        if batch.iter().any(|report| matches!(report.end, End::Retry { .. } | End::Snooze { .. })) {
            self.wake.due();
        }
    }

    fn count(&self, batch: &[Report], refused: usize) {
        let mut counts = [0_u64; 4];
        for report in batch {
            match report.end {
                End::Completed { .. } => counts[0] += 1,
                End::Retry { .. } => counts[1] += 1,
                End::Discarded { .. } => counts[2] += 1,
                End::Cancelled { .. } => counts[3] += 1,
                End::Snooze { .. } | End::GiveBack | End::WaitFor(_) => {}
            }
        }
        let tally = &self.tally;
        let fields = [&tally.completed, &tally.failed, &tally.discarded, &tally.cancelled];
        for (field, count) in fields.into_iter().zip(counts) {
            field.fetch_add(count, Ordering::Relaxed);
        }
        tally.refused.fetch_add(refused as u64, Ordering::Relaxed);
    }
}
