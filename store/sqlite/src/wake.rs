//! Wakes whoever listens in this process. Other processes on the same file poll.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

use store::Woken;

/// A listener that is this far behind is awake and will look anyway.
const MOST_UNREAD: usize = 1_024;

#[derive(Default)]
pub(super) struct Bell {
    listeners: Mutex<Vec<Sender<Woken>>>,
}

impl Bell {
    pub(super) fn listen(&self) -> Receiver<Woken> {
        let (sender, receiver) = mpsc::channel(MOST_UNREAD);
        self.lock().push(sender);
        receiver
    }

    pub(super) fn ring(&self, woken: &Woken) {
        self.lock()
            .retain(|listener| !matches!(listener.try_send(woken.clone()), Err(TrySendError::Closed(_))));
    }

    pub(super) fn ring_for(&self, queues: impl IntoIterator<Item = String>) {
        for queue in queues {
            self.ring(&Woken::Queue(queue));
        }
    }

    /// Those who listen hear that nothing more will come.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sender<Woken>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
