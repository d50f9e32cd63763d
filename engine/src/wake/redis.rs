//! Wake-ups and hints through Redis, beside those of the store. On SQLite they are the only ones that reach
//! another process; on PostgreSQL they spare nothing and hurt nothing.
//!
//! A channel keeps nothing for those who are away, so whoever has subscribed anew looks everywhere once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use jobkit::Clock;
use redis::Pipeline;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Bell;
use crate::adapters::redis::{Redis, Subscription};
use crate::service::Patience;
use store::chain;

/// Its payloads: `q:` and a queue, `cancel`, `news`.
const CHANNEL: &str = "wake";

/// After so long without a word the listener asks whether anybody is there.
const QUIET: Duration = Duration::from_secs(10);

/// After a failure nothing is told for so long.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// What one process tells the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// A queue has work.
    Queue(String),
    /// Somebody wants a running job cancelled.
    Cancel,
    /// A place in some bucket is free.
    Places,
    /// Something stands in the audit log that did not before.
    News,
}

impl Told {
    fn written(&self) -> String {
        match self {
            Told::Queue(queue) => format!("q:{queue}"),
            Told::Cancel => "cancel".into(),
            Told::Places => "places".into(),
            Told::News => "news".into(),
        }
    }

    /// None for what a later version may say.
    fn read(text: &str) -> Option<Self> {
        match (text, text.strip_prefix("q:")) {
            (_, Some(queue)) => Some(Told::Queue(queue.into())),
            ("cancel", None) => Some(Told::Cancel),
            ("places", None) => Some(Told::Places),
            ("news", None) => Some(Told::News),
            _ => None,
        }
    }
}

pub struct Channel {
    redis: Arc<Redis>,
    name: String,
    /// What is still to be told; never more than there are queues, however long Redis is silent.
    waiting: Mutex<BTreeSet<Told>>,
    filled: Notify,
}

impl Channel {
    pub fn new(redis: Arc<Redis>) -> Self {
        let name = redis.key(CHANNEL);
        Self { redis, name, waiting: Mutex::default(), filled: Notify::default() }
    }

    pub fn put(&self, told: Told) {
        self.waiting().insert(told);
        self.filled.notify_one();
    }

    /// Until told to stop, and then what is still to be said. What Redis does not take is forgotten: the poll
    /// finds the jobs.
    pub async fn tell(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let told = std::mem::take(&mut *self.waiting());
            if told.is_empty() {
                tokio::select! {
                    () = self.filled.notified() => continue,
                    () = stop.cancelled() => return,
                }
            }
            let mut publish = Pipeline::new();
            for one in &told {
                publish.cmd("PUBLISH").arg(&self.name).arg(one.written()).ignore();
            }
            let published = self.redis.pipeline::<()>("waking workers through Redis", &publish).await;
            if let Err(problem) = published {
                tracing::debug!("{}", chain(&problem));
                // A server that refuses is not asked as often as there is something to tell.
                let _ = tokio::time::timeout(LEFT_ALONE, stop.cancelled()).await;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<Told>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For ever; a Redis that is away is waited for.
    pub async fn hear(self: Arc<Self>, clock: Arc<dyn Clock>, bell: Arc<Bell>) {
        let mut patience = Patience::new("wake listener on Redis", clock);
        loop {
            match self.redis.subscribe(&self.name).await {
                Ok(subscription) => {
                    patience.succeeded();
                    // What was told before, nobody here has heard.
                    bell.ring_everywhere();
                    bell.news();
                    pass_on(subscription, &bell).await;
                }
                Err(problem) => patience.failed(&problem).await,
            }
        }
    }
}

/// Until the connection is lost.
async fn pass_on(mut subscription: Subscription, bell: &Bell) {
    loop {
        let message = tokio::select! {
            message = subscription.messages.next() => message,
            () = tokio::time::sleep(QUIET) => match subscription.is_alive().await {
                true => continue,
                false => return,
            },
        };
        let Some(message) = message else { return };
        match message.get_payload::<String>().ok().as_deref().and_then(Told::read) {
            Some(Told::Queue(queue)) => bell.ring(&queue),
            Some(Told::Cancel) => bell.cancel.notify_one(),
            Some(Told::Places) => bell.ring_for_places(),
            Some(Told::News) => bell.news(),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_alike_and_what_is_not_known_is_passed_over() {
        let queue = |name: &str| Told::Queue(name.into());
        for told in [queue("mail"), queue("q:q"), queue("cancel"), Told::Cancel, Told::News] {
            assert_eq!(Told::read(&told.written()), Some(told));
        }
        assert_eq!(Told::read("tomorrow"), None);
    }
}
