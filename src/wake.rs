//! Tells workers that a queue has work: this process through a bell, others through the store. Losing a
//! wake-up costs one poll interval, never a job.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jobkit::Clock;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::service::{Alarm, Patience, Service};
use crate::store::{Store, Woken};

/// What this process knows of queues that may have work. The fetcher listens to it.
#[derive(Default)]
pub struct Bell {
    hot: Mutex<BTreeSet<String>>,
    /// Nobody knows which queue: all are to be looked at.
    everywhere: AtomicBool,
    rung: Notify,
    /// Somebody wants a running job cancelled: the lease keeper beats at once.
    pub cancel: Notify,
    /// A job may be due earlier than the stager thinks.
    pub due: Notify,
}

impl Bell {
    pub fn ring(&self, queue: &str) {
        let mut hot = self.hot.lock().unwrap_or_else(PoisonError::into_inner);
        if !hot.contains(queue) {
            hot.insert(queue.into());
        }
        drop(hot);
        self.rung.notify_one();
    }

    /// After a time in which nobody listened.
    pub fn ring_everywhere(&self) {
        self.everywhere.store(true, Ordering::Release);
        self.rung.notify_one();
    }

    /// Whether all queues are to be looked at. What is rung from here on is not lost.
    pub fn take_everywhere(&self) -> bool {
        self.everywhere.swap(false, Ordering::AcqRel)
    }

    /// Takes the queues that were rung. What is rung from here on is not lost.
    pub fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.hot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub async fn wait(&self) {
        self.rung.notified().await;
    }
}

#[derive(Clone)]
pub struct Wake {
    bell: Arc<Bell>,
    remote: mpsc::UnboundedSender<String>,
}

impl Wake {
    /// With the service that tells other processes. Stopped, it first says what is still to be said.
    pub fn start(store: Arc<dyn Store>, alarm: &Alarm) -> (Self, Service) {
        let (remote, news) = mpsc::unbounded_channel();
        let sender = Service::start("wake sender", alarm, |stop| tell(store, news, stop));
        (Self { bell: Arc::default(), remote }, sender)
    }

    /// The service that hears what other processes tell.
    pub fn listen(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>, alarm: &Alarm) -> Service {
        let bell = self.bell.clone();
        Service::start("wake listener", alarm, |stop| async move {
            stop.run_until_cancelled(hear(store, clock, bell)).await.unwrap_or_default();
        })
    }

    pub fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }

    /// In this process only.
    pub fn ring(&self, queue: &str) {
        self.bell.ring(queue);
    }

    pub fn wake(&self, queue: &str) {
        self.bell.ring(queue);
        // The sender ends only with the process.
        let _ = self.remote.send(queue.into());
    }

    pub fn due(&self) {
        self.bell.due.notify_one();
    }
}

/// One message at a time; what comes meanwhile is said once per queue.
async fn tell(store: Arc<dyn Store>, mut news: mpsc::UnboundedReceiver<String>, stop: CancellationToken) {
    let mut waiting = Vec::new();
    loop {
        let heard = tokio::select! {
            biased;
            heard = news.recv_many(&mut waiting, 10_000) => heard,
            () = stop.cancelled() => 0,
        };
        if heard == 0 {
            return;
        }
        waiting.sort_unstable();
        waiting.dedup();
        for queue in waiting.drain(..) {
            // The poll finds the job if this does not.
            if let Err(problem) = store.wake(&queue).await {
                tracing::debug!("waking {queue} failed: {problem}");
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }
}

async fn hear(store: Arc<dyn Store>, clock: Arc<dyn Clock>, bell: Arc<Bell>) {
    let mut patience = Patience::new("wake listener", clock);
    loop {
        match store.listen().await {
            Ok(mut woken) => {
                patience.succeeded();
                // What was told before, nobody here has heard.
                bell.ring_everywhere();
                while let Some(news) = woken.recv().await {
                    match news {
                        Woken::Queue(queue) => bell.ring(&queue),
                        Woken::Cancel => bell.cancel.notify_one(),
                    }
                }
            }
            Err(problem) => patience.failed(&problem).await,
        }
    }
}
