//! Jobs that are claimed and wait for a slot, between the fetcher and the apalis worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::held::Switch;
use crate::store::Claimed;

/// A job in hand, not begun.
pub struct Ready {
    pub job: Claimed,
    pub switch: Arc<Switch>,
}

#[derive(Default)]
pub struct Buffer {
    ready: Mutex<VecDeque<Ready>>,
    len: AtomicUsize,
    consumer: AtomicWaker,
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

    /// Takes out all that has not begun, to be given back.
    pub fn drain(&self) -> Vec<Ready> {
        let mut ready = self.lock();
        self.len.store(0, Ordering::Release);
        ready.drain(..).collect()
    }
}
