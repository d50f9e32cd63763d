//! The jobs this process holds: claimed, running, or ended and not yet recorded. And those whose end nothing
//! can record, which nobody else shall have.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jobkit::JobId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use store::{Claimed, Held, WorkerId};

/// Why an attempt must stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    Cancelled(String),
    TimedOut,
    LeaseLost,
    Shutdown,
}

/// How a running attempt is told to stop. The first reason counts.
#[derive(Debug, Default)]
pub struct Switch {
    pub token: CancellationToken,
    reason: OnceLock<StopReason>,
}

impl Switch {
    pub fn stop(&self, reason: StopReason) {
        // A job that is asked twice keeps its first reason.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    pub fn reason(&self) -> Option<&StopReason> {
        self.reason.get()
    }
}

struct Entry {
    queue: Arc<str>,
    switch: Arc<Switch>,
    /// Its end frees a place in a bucket.
    counted: bool,
}

#[derive(Default)]
pub struct HeldJobs {
    jobs: Mutex<State>,
    count: AtomicUsize,
    emptied: Notify,
}

/// A process may have a job in hand twice: it lost its lease and claimed the job again under its new number
/// while the lost attempt still ends, or it claimed anew what it has just recorded as given back. Letting go
/// of one must not let go of the other, so a hold is named by its claim.
#[derive(Default)]
struct State {
    by_id: HashMap<Held, Entry>,
    by_queue: HashMap<Arc<str>, usize>,
    /// Out of hand, and still ours.
    kept: HashSet<Held>,
}

impl HeldJobs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a claimed batch of one queue in hand and returns each job with its switch.
    pub fn hold(&self, queue: &str, batch: Vec<Claimed>) -> Vec<(Claimed, Arc<Switch>)> {
        let queue: Arc<str> = queue.into();
        let mut state = self.lock();
        let mut held = Vec::with_capacity(batch.len());
        for job in batch {
            // A claim that a crash of the database undid may be made again: the first attempt has it in hand.
            if let MapEntry::Vacant(free) = state.by_id.entry(job.held()) {
                let switch = Arc::new(Switch::default());
                let counted = job.limited.as_ref().is_some_and(|limited| limited.counted);
                free.insert(Entry { queue: queue.clone(), switch: switch.clone(), counted });
                held.push((job, switch));
            }
        }
        if !held.is_empty() {
            *state.by_queue.entry(queue).or_default() += held.len();
        }
        self.count.store(state.by_id.len(), Ordering::Release);
        held
    }

    /// Lets go of jobs whose end is recorded. Says whether that freed a place in a bucket.
    pub fn release(&self, jobs: impl IntoIterator<Item = Held>) -> bool {
        let mut freed = false;
        let mut state = self.lock();
        for held in jobs {
            if let Some(entry) = state.by_id.remove(&held)
                && let MapEntry::Occupied(mut count) = state.by_queue.entry(entry.queue)
            {
                freed |= entry.counted;
                *count.get_mut() -= 1;
                // Names of queues come and go, where there is one for each customer.
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        let left = state.by_id.len();
        // Under the lock, or a claim in between is overwritten and a shutdown leaves it behind.
        self.count.store(left, Ordering::Release);
        drop(state);
        if left == 0 {
            self.emptied.notify_waiters();
        }
        freed
    }

    /// Keeps a job that has ended from being given back, though it takes no place and nobody waits for it.
    pub fn keep(&self, job: Held) {
        self.lock().kept.insert(job);
        self.release([job]);
    }

    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn in_queue(&self, queue: &str) -> usize {
        self.lock().by_queue.get(queue).copied().unwrap_or(0)
    }

    /// What must not be taken from this worker.
    pub fn ids_of(&self, worker: WorkerId) -> Vec<JobId> {
        let state = self.lock();
        let ours = state.by_id.keys().chain(&state.kept).filter(|held| held.worker == worker);
        ours.map(|held| held.job).collect()
    }

    pub fn stop(&self, worker: WorkerId, id: JobId, reason: &StopReason) {
        // Rare enough to look at all of them.
        for (held, entry) in &self.lock().by_id {
            if held.worker == worker && held.job == id {
                entry.switch.stop(reason.clone());
            }
        }
    }

    /// Tells every attempt of this worker, or of all, to stop.
    pub fn stop_all(&self, worker: Option<WorkerId>, reason: &StopReason) {
        for (held, job) in &self.lock().by_id {
            if worker.is_none_or(|worker| worker == held.worker) {
                job.switch.stop(reason.clone());
            }
        }
    }

    pub async fn wait_until_empty(&self) {
        loop {
            // Register before looking, or the last release falls between the two.
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Fence;

    fn claim(fence: i32) -> Claimed {
        Claimed {
            id: JobId(uuid::Uuid::nil()),
            worker: WorkerId(1),
            fence: Fence(fence),
            kind: "k".into(),
            queue: "q".into(),
            args: "{}".into(),
            attempt: 1,
            max_attempts: 3,
            tenant: None,
            tags: Vec::new(),
            metadata: None,
            limited: None,
        }
    }

    #[test]
    fn letting_go_of_a_claim_leaves_the_next_claim_of_the_job_in_hand() {
        let held = HeldJobs::default();
        let worker = WorkerId(1);
        held.hold("q", vec![claim(1)]);
        let (_, switch) = held.hold("q", vec![claim(2)]).remove(0);

        held.release([claim(1).held()]);

        assert_eq!((held.len(), held.in_queue("q")), (1, 1));
        held.stop(worker, claim(2).id, &StopReason::TimedOut);
        assert_eq!(switch.reason(), Some(&StopReason::TimedOut));
        held.release([claim(2).held()]);
        assert!(held.is_empty());
    }

    #[test]
    fn nothing_is_left_of_a_queue_of_which_nothing_is_in_hand() {
        let held = HeldJobs::default();
        held.hold("q", vec![claim(1), claim(2)]);
        held.hold("none", Vec::new());

        held.release([claim(1).held()]);
        assert_eq!(held.in_queue("q"), 1);
        held.release([claim(2).held()]);

        assert!(held.lock().by_queue.is_empty());
    }

    #[test]
    fn a_job_that_is_kept_is_ours_and_takes_no_place() {
        let held = HeldJobs::default();
        held.hold("q", vec![claim(1)]);

        held.keep(claim(1).held());

        assert_eq!((held.len(), held.in_queue("q")), (0, 0));
        assert_eq!(held.ids_of(WorkerId(1)), [claim(1).id]);
        assert_eq!(held.ids_of(WorkerId(2)), []);
    }
}
