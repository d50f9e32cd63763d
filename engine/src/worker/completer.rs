//! Records how attempts ended, in batches: while one batch is being written the next gathers. Tries until
//! the store takes it; a result is not lost because the database is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jobkit::Clock;
use tokio::sync::{Notify, mpsc};
use tracing::{error, warn};

use super::held::HeldJobs;
use crate::service::Patience;
use crate::wake::Wake;
use store::{End, Finished, Held, Report, Store, StoreError, WorkerId, chain};

/// Larger batches cost more latency than they save work.
const MOST_IN_A_BATCH: usize = 1_000;

#[derive(Debug, Default)]
pub struct Tally {
    pub completed: AtomicU64,
    pub failed: AtomicU64,
    pub discarded: AtomicU64,
    pub cancelled: AtomicU64,
}

#[derive(Clone)]
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
    pub async fn run(self, mut reports: mpsc::UnboundedReceiver<Report>) {
        let mut patience = Patience::new("recording results", self.clock.clone());
        let mut waiting = Vec::with_capacity(MOST_IN_A_BATCH);
        while reports.recv_many(&mut waiting, MOST_IN_A_BATCH).await > 0 {
            // A process that lost its lease and got another still owes reports under the first.
            // Everybody who locks several jobs locks them in the order of their ids.
            waiting.sort_by_key(|report: &Report| (report.held.worker, report.held.job));
            while let Some(last) = waiting.last() {
                let worker = last.held.worker;
                let start = waiting.partition_point(|report| report.held.worker < worker);
                let batch = waiting.split_off(start);
                self.record(worker, batch, &mut patience).await;
            }
        }
    }

    /// Tries until the batch is recorded. What the database will never take, and what waits for somebody's
    /// lock, is found by halves, so that one report does not keep the others.
    async fn record(&self, worker: WorkerId, mut batch: Vec<Report>, patience: &mut Patience) {
        loop {
            let problem = match self.store.finish(worker, &batch).await {
                Ok(finished) => {
                    patience.succeeded();
                    return self.recorded(&batch, &finished);
                }
                Err(problem) => problem,
            };
            let lasting = problem.blames_the_data();
            if !lasting && !problem.blames_a_lock() {
                patience.failed(&problem).await;
            } else if batch.len() > 1 {
                let rest = batch.split_off(batch.len() / 2);
                Box::pin(self.record(worker, batch, patience)).await;
                batch = rest;
            } else if lasting {
                let Some(report) = batch.first_mut() else { return };
                let held = report.held;
                match unrecordable(report, &problem) {
                    Some(instead) => *report = instead,
                    // Given back, it would run again every minute and never be counted. Kept, it rests while we have
                    // our lease; then it is rescued, and a rescue counts the attempt.
                    None => return self.keep(held, &problem),
                }
            } else {
                return self.record_later(worker, batch);
            }
        }
    }

    fn keep(&self, held: Held, problem: &StoreError) {
        let id = held.job;
        error!(
            job.id = %id,
            "job {id} cannot be recorded as discarded either; it stays `running`, and does not run again \
             while this process has its lease: {}",
            chain(problem)
        );
        self.held.keep(held);
        self.capacity.notify_one();
    }

    /// Apart from the others: whoever holds the row may do so for long.
    fn record_later(&self, worker: WorkerId, batch: Vec<Report>) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut patience = Patience::new("recording a result whose job is locked", this.clock.clone());
            let finished = loop {
                match this.store.finish(worker, &batch).await {
                    Ok(finished) => break finished,
                    Err(problem) => patience.failed(&problem).await,
                }
            };
            patience.succeeded();
            this.recorded(&batch, &finished);
        });
    }

    fn recorded(&self, batch: &[Report], finished: &Finished) {
        if self.held.release(batch.iter().map(|report| report.held)) {
            self.wake.places();
        }
        self.capacity.notify_one();
        for id in &finished.refused {
            warn!(job.id = %id, "the report on job {id} was refused: another worker has it");
        }
        self.count(batch.iter().filter(|report| !finished.refused.contains(&report.held.job)));
        for queue in &finished.woken {
            self.wake.wake(queue);
        }
        if batch.iter().any(|report| matches!(report.end, End::Retry { .. } | End::Snooze { .. })) {
            self.wake.due();
        }
        self.wake.news();
    }

    fn count<'a>(&self, batch: impl Iterator<Item = &'a Report>) {
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
    }
}

/// What to record instead of an end that the database will not take; none when it refuses that too.
fn unrecordable(report: &Report, problem: &StoreError) -> Option<Report> {
    const MARK: &str = "how it ended could not be recorded";
    if matches!(&report.end, End::Discarded { error } if error.starts_with(MARK)) {
        return None;
    }
    let id = report.held.job;
    let cause = chain(problem);
    error!(job.id = %id, "{MARK} of job {id}: {cause}");
    let end = End::Discarded { error: format!("{MARK}: {}", cause.replace('\0', "")) };
    Some(Report { held: report.held, attempt: report.attempt, end, ran: report.ran, log: Vec::new() })
}
