//! Tells workers that a queue has work: this process through a bell, others through the store, and through
//! Redis where there is one. Losing a wake-up costs one poll interval, never a job.

mod redis;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jobkit::Clock;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::redis::{Channel, Told};
use crate::adapters::redis::Redis;
use crate::service::{Alarm, Patience, Service};
use store::{Store, Woken};

/// What this process knows of queues that may have work. The fetcher listens to it.
#[derive(Default)]
pub struct Bell {
    hot: Mutex<BTreeSet<String>>,
    /// Nobody knows which queue: all are to be looked at.
    everywhere: AtomicBool,
    /// A place in some bucket is free.
    places: AtomicBool,
    rung: Notify,
    /// Somebody wants a running job cancelled: the lease keeper beats at once.
    pub cancel: Notify,
    /// A job may be due earlier than the stager thinks.
    pub due: Notify,
    news: watch::Sender<()>,
    /// A schedule may fire earlier than the ticker thinks.
    pub schedules: Notify,
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

    /// Whoever waits for a place in a bucket looks again.
    pub fn ring_for_places(&self) {
        self.places.store(true, Ordering::Release);
        self.rung.notify_one();
    }

    /// Whether a place became free. What is rung from here on is not lost.
    pub fn take_places(&self) -> bool {
        self.places.swap(false, Ordering::AcqRel)
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

    /// Something stands in the audit log that did not before: a hint for those who read along.
    pub fn news(&self) {
        self.news.send_replace(());
    }

    /// Changes whenever there are news. A hint may be lost, so whoever waits for one looks by itself too.
    pub fn hints(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}

#[derive(Clone)]
pub struct Wake {
    bell: Arc<Bell>,
    /// To be told through the store.
    remote: mpsc::UnboundedSender<News>,
    redis: Option<Arc<Channel>>,
}

/// What other processes are told through the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Queue(String),
    Places,
}

impl Wake {
    /// With the services that tell other processes. Stopped, they first say what is still to be said.
    pub fn start(store: Arc<dyn Store>, redis: Option<Arc<Redis>>, alarm: &Alarm) -> (Self, Vec<Service>) {
        let (remote, news) = mpsc::unbounded_channel();
        let mut senders = vec![Service::start("wake sender", alarm, |stop| tell(store, news, stop))];
        let redis = redis.map(|redis| Arc::new(Channel::new(redis)));
        if let Some(channel) = redis.clone() {
            senders.push(Service::start("wake sender on Redis", alarm, |stop| channel.tell(stop)));
        }
        (Self { bell: Arc::default(), remote, redis }, senders)
    }

    /// The services that hear what other processes tell.
    pub fn listen(&self, store: Arc<dyn Store>, clock: Arc<dyn Clock>, alarm: &Alarm) -> Vec<Service> {
        let bell = self.bell.clone();
        let on_redis = self.redis.clone().map(|channel| {
            let (bell, clock) = (bell.clone(), clock.clone());
            Service::start("wake listener on Redis", alarm, |stop| async move {
                stop.run_until_cancelled(channel.hear(clock, bell)).await.unwrap_or_default();
            })
        });
        let on_store = Service::start("wake listener", alarm, |stop| async move {
            stop.run_until_cancelled(hear(store, clock, bell)).await.unwrap_or_default();
        });
        std::iter::once(on_store).chain(on_redis).collect()
    }

    pub fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }

    /// When the store itself has told those that it can tell.
    pub fn ring(&self, queue: &str) {
        self.bell.ring(queue);
        self.tell_redis(|| Told::Queue(queue.into()));
    }

    pub fn wake(&self, queue: &str) {
        self.ring(queue);
        // The sender ends only with the process.
        let _ = self.remote.send(News::Queue(queue.into()));
    }

    /// A place in some bucket is free, here and elsewhere.
    pub fn places(&self) {
        self.bell.ring_for_places();
        let _ = self.remote.send(News::Places);
        self.tell_redis(|| Told::Places);
    }

    /// Any queue of this process may have something.
    pub fn everywhere(&self) {
        self.bell.ring_everywhere();
    }

    /// Somebody wants running jobs cancelled, and the store has told those that it can tell.
    pub fn cancel(&self) {
        self.bell.cancel.notify_one();
        self.tell_redis(|| Told::Cancel);
    }

    /// Something stands in the audit log that did not before.
    pub fn news(&self) {
        self.bell.news();
        self.tell_redis(|| Told::News);
    }

    pub fn due(&self) {
        self.bell.due.notify_one();
    }

    fn tell_redis(&self, told: impl FnOnce() -> Told) {
        if let Some(channel) = &self.redis {
            channel.put(told());
        }
    }

    pub fn schedules(&self) {
        self.bell.schedules.notify_one();
    }
}

/// One message at a time; what comes meanwhile is said once per queue.
async fn tell(store: Arc<dyn Store>, mut news: mpsc::UnboundedReceiver<News>, stop: CancellationToken) {
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
        for news in waiting.drain(..) {
            let told = match &news {
                News::Queue(queue) => store.wake(queue).await,
                News::Places => store.wake_for_places().await,
            };
            // The poll finds the job if this does not.
            if let Err(problem) = told {
                tracing::debug!("telling of {news:?} failed: {problem}");
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
                        Woken::Places => bell.ring_for_places(),
                        Woken::Cancel => bell.cancel.notify_one(),
                    }
                }
            }
            Err(problem) => patience.failed(&problem).await,
        }
    }
}
