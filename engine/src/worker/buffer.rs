//! Jobs that are claimed and wait for a slot, between the fetcher and the apalis worker; before that, those of
//! a limited rate wait for their time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use jobkit::Clock;
use tokio::sync::Notify;

use super::held::Switch;
use super::late::EARLY;
use store::{Claimed, End, Report};

/// A job in hand, not begun.
pub struct Ready {
    pub job: Claimed,
    pub switch: Arc<Switch>,
    /// Since when it could have begun, had there been a slot; on the steady clock.
    pub since: Duration,
}

impl Ready {
    /// The report of a job that has not begun, and of no attempt.
    pub fn give_back(&self) -> Report {
        Report {
            held: self.job.held(),
            attempt: self.job.attempt,
            end: End::GiveBack,
            ran: Duration::ZERO,
            log: Vec::new(),
        }
    }
}

#[derive(Default)]
pub struct Buffer {
    ready: Mutex<VecDeque<Ready>>,
    len: AtomicUsize,
    consumer: AtomicWaker,
    /// By the time at which they may start, and in the order in which they came.
    later: Mutex<BTreeMap<(Duration, u64), Ready>>,
    later_len: AtomicUsize,
    came: AtomicU64,
    later_changed: Notify,
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, batch: impl IntoIterator<Item = Ready>) {
        let mut ready = self.lock();
        ready.extend(batch);
        self.len.store(ready.len(), Ordering::Release);
        drop(ready);
        self.consumer.wake();
    }

    /// Takes in jobs of which some have a time to wait for; it is `now`.
    pub fn push_in_time(&self, batch: impl IntoIterator<Item = Ready>, now: Duration) {
        let (mut at_once, mut later) = (Vec::new(), Vec::new());
        for ready in batch {
            let start = ready.job.limited.as_ref().and_then(|limited| limited.start);
            match start.map(|start| start.from.saturating_sub(EARLY)).filter(|from| *from > now) {
                Some(from) => later.push(((from, self.came.fetch_add(1, Ordering::Relaxed)), ready)),
                None => at_once.push(ready),
            }
        }
        if !later.is_empty() {
            let mut waiting = self.lock_later();
            waiting.extend(later);
            self.later_len.store(waiting.len(), Ordering::Release);
            drop(waiting);
            self.later_changed.notify_one();
        }
        if !at_once.is_empty() {
            self.push(at_once);
        }
    }

    /// How many wait for their time.
    pub fn later(&self) -> usize {
        self.later_len.load(Ordering::Acquire)
    }

    /// Hands jobs over when their time has come. For ever; a service is told to stop.
    pub async fn keep_time(&self, clock: &dyn Clock) {
        loop {
            let next = self.hand_over_due(clock.steady());
            let due = async {
                match next {
                    Some(at) => clock.sleep(at.saturating_sub(clock.steady())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.later_changed.notified() => {}
                () = due => {}
            }
        }
    }

    /// When the next is due.
    fn hand_over_due(&self, now: Duration) -> Option<Duration> {
        let mut waiting = self.lock_later();
        let mut due = Vec::new();
        while let Some(first) = waiting.first_entry()
            && first.key().0 <= now
        {
            due.push(Ready { since: now, ..first.remove() });
        }
        self.later_len.store(waiting.len(), Ordering::Release);
        // Before the other lock is let go, or who empties both finds them in neither.
        if !due.is_empty() {
            self.push(due);
        }
        waiting.keys().next().map(|(at, _)| *at)
    }

    fn lock_later(&self) -> MutexGuard<'_, BTreeMap<(Duration, u64), Ready>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn poll_any(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_empty() {
            return Poll::Ready(());
        }
        // Register before looking again, or a push in between is missed.
        self.consumer.register(cx.waker());
        match self.len() {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    pub fn pop(&self) -> Option<Ready> {
        let mut ready = self.lock();
        let first = ready.pop_front();
        self.len.store(ready.len(), Ordering::Release);
        first
    }

    /// Since when the first has waited for a slot.
    pub fn oldest(&self) -> Option<Duration> {
        self.lock().front().map(|ready| ready.since)
    }

    /// Takes out all that wait for a slot, to be given back.
    pub fn drain_ready(&self) -> Vec<Ready> {
        let mut ready = self.lock();
        self.len.store(0, Ordering::Release);
        ready.drain(..).collect()
    }

    /// Takes out all that has not begun, to be given back.
    pub fn drain(&self) -> Vec<Ready> {
        let waiting = std::mem::take(&mut *self.lock_later());
        self.later_len.store(0, Ordering::Release);
        let mut ready = self.lock();
        self.len.store(0, Ordering::Release);
        ready.drain(..).chain(waiting.into_values()).collect()
    }
}
