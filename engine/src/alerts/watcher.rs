//! Sees conditions that nobody's transaction would tell of: a queue that is stuck.
//!
//! Any number of processes watch. What they see they say again and again, and the store keeps it as one alert.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, JobId};

use super::QUEUE_STUCK;
use crate::service::Patience;
use crate::units::format_duration;
use store::{AlertFilter, AlertRow, News, Result, Severity, Store, WaitingQueue};

pub struct Watcher {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub stuck_after: Duration,
}

impl Watcher {
    pub async fn run(self) {
        let mut patience = Patience::new("watching queues", self.clock.clone());
        let mut watch = Watch::default();
        let interval = (self.stuck_after / 10).clamp(Duration::from_secs(1), Duration::from_secs(60));
        loop {
            match self.look(&mut watch).await {
                Ok(()) => {
                    patience.succeeded();
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(interval).await;
        }
    }

    async fn look(&self, watch: &mut Watch) -> Result<()> {
        let waiting = self.store.waiting_queues(self.stuck_after).await?;
        let filter = AlertFilter {
            open: true,
            rules: vec![QUEUE_STUCK.into()],
            limit: Some(usize::MAX),
            ..AlertFilter::default()
        };
        let open = self.store.alerts(&filter).await?;
        let news = watch.look(&waiting, &open);
        if !news.is_empty() {
            self.store.raise(&news).await?;
        }
        Ok(())
    }
}

/// Which job stood first in each queue at the last look. Pure.
#[derive(Default)]
struct Watch(BTreeMap<String, JobId>);

impl Watch {
    /// A queue is stuck when the job that waits for too long stands first at two looks: between them nothing was
    /// claimed.
    fn look(&mut self, waiting: &[WaitingQueue], open: &[AlertRow]) -> Vec<News> {
        let is_open = |queue: &str| open.iter().any(|alert| alert.queue.as_deref() == Some(queue));
        let first = |queue: &str| waiting.iter().find(|one| one.queue == queue).map(|one| one.first);
        let stuck = waiting
            .iter()
            .filter(|one| self.0.get(&one.queue) == Some(&one.first) && !is_open(&one.queue))
            .map(|one| {
                let WaitingQueue { queue, first, waits } = one;
                let waits = format_duration(Duration::from_secs(waits.as_secs()));
                let text = format!("queue {queue} is stuck: a job is due for {waits} and nobody takes it");
                News::began(QUEUE_STUCK, queue, Severity::Critical, text).queue(queue).jobs([*first])
            });
        let moves = open.iter().filter_map(|alert| {
            let queue = alert.queue.as_deref()?;
            let same = first(queue).is_some_and(|first| alert.jobs.contains(&first));
            let news = || {
                News::ended(
                    QUEUE_STUCK,
                    queue,
                    format!("queue {queue} is no longer stuck: it moves, or is paused"),
                )
                .queue(queue)
            };
            (!same).then(news)
        });
        let news = stuck.chain(moves).collect();
        self.0 = waiting.iter().map(|one| (one.queue.clone(), one.first)).collect();
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::message::tests::alert;
    use store::NewsChange;

    fn waiting(queue: &str, first: u128) -> WaitingQueue {
        let first = JobId(uuid::Uuid::from_u128(first));
        WaitingQueue { queue: queue.into(), first, waits: Duration::from_secs(900) }
    }

    fn open(queue: &str, first: u128) -> AlertRow {
        let jobs = vec![JobId(uuid::Uuid::from_u128(first))];
        AlertRow { queue: Some(queue.into()), jobs, ..alert() }
    }

    fn told(news: &[News]) -> Vec<(&str, NewsChange)> {
        news.iter().map(|news| (news.key.as_str(), news.change)).collect()
    }

    #[test]
    fn a_queue_is_stuck_when_the_same_job_stands_first_at_two_looks() {
        let mut watch = Watch::default();
        assert_eq!(told(&watch.look(&[waiting("a", 1), waiting("b", 2)], &[])), []);

        let news = watch.look(&[waiting("a", 1), waiting("b", 3)], &[]);

        assert_eq!(told(&news), [("queue.stuck/a", NewsChange::Began)]);
        assert_eq!(news[0].text, "queue a is stuck: a job is due for 15m and nobody takes it");
    }

    #[test]
    fn what_is_told_is_not_told_again_and_ends_when_another_job_stands_first() {
        let mut watch = Watch::default();
        watch.look(&[waiting("a", 1)], &[]);

        assert_eq!(told(&watch.look(&[waiting("a", 1)], &[open("a", 1)])), []);
        let ended = [("queue.stuck/a", NewsChange::Ended)];
        assert_eq!(told(&watch.look(&[waiting("a", 2)], &[open("a", 1)])), ended);
        assert_eq!(told(&watch.look(&[], &[open("a", 1)])), ended);
    }
}
