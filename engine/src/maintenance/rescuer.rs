//! Takes jobs away from workers that are dead.
//!
//! A worker is dead when its beat stood still for its whole lease, measured here, on our own steady clock,
//! from when we first saw it stand. So neither a clock that a person sets nor the difference between two
//! machines' clocks can make a living worker look dead. Any number of rescuers may watch; the store lets
//! one of them declare the death, and only of the beat it watched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tracing::{info, warn};

use crate::service::Patience;
use crate::wake::Wake;
use store::state::JobState;
use store::{Store, WorkerId, WorkerRow};

pub struct Rescuer {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub wake: Wake,
    /// Of this process; others may have other leases, and theirs count for them.
    pub lease: Duration,
}

impl Rescuer {
    pub async fn run(self) {
        let mut patience = Patience::new("watching workers", self.clock.clone());
        let mut watch = Watch::default();
        let interval = (self.lease / 5).max(Duration::from_millis(50));
        loop {
            match self.store.workers().await {
                Ok(workers) => {
                    patience.succeeded();
                    for dead in watch.look(&workers, self.clock.steady(), interval) {
                        if let Some(worker) = workers.iter().find(|worker| worker.id == dead) {
                            let (name, beat) = (worker.name.as_str(), worker.beat);
                            if self.rescue(dead, beat, name).await == Some(0) {
                                info!(
                                    worker.id = dead.0,
                                    "nothing was taken from worker {} ({name})", dead.0
                                );
                            }
                        }
                    }
                    self.rescue_the_rest().await;
                    watch.looked_until(self.clock.steady());
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(interval).await;
        }
    }

    /// What an earlier rescue could not have, because it was locked.
    async fn rescue_the_rest(&self) {
        match self.store.unrescued().await {
            Ok(ended) => {
                for worker in ended {
                    // That nothing was taken would be said at each look, for as long as somebody holds the jobs locked.
                    self.rescue(worker, 0, "it has ended").await;
                }
            }
            // The next look asks again.
            Err(problem) => warn!("looking for jobs of workers that have ended failed: {problem}"),
        }
    }

    /// How many jobs were taken, if it could be tried.
    async fn rescue(&self, dead: WorkerId, beat: i64, name: &str) -> Option<usize> {
        match self.store.rescue(dead, beat).await {
            Ok(jobs) if jobs.is_empty() => Some(0),
            Ok(jobs) => {
                let discarded = jobs.iter().filter(|job| job.state == JobState::Discarded).count();
                warn!(
                    worker.id = dead.0,
                    jobs.rescued = jobs.len(),
                    jobs.discarded = discarded,
                    "worker {} ({name}) is lost; {} jobs were taken from it, {discarded} had no attempt left",
                    dead.0,
                    jobs.len()
                );
                self.wake_all().await;
                Some(jobs.len())
            }
            // The next look tries again.
            Err(problem) => {
                warn!("rescuing the jobs of worker {} failed: {problem}", dead.0);
                None
            }
        }
    }

    async fn wake_all(&self) {
        // The poll finds what this does not.
        for queue in self.store.ready_queues().await.unwrap_or_default() {
            self.wake.wake(&queue);
        }
    }
}

/// Since when each worker's beat stands where it stands. Pure.
#[derive(Default)]
struct Watch {
    seen: HashMap<WorkerId, (i64, Duration)>,
    last_look: Option<Duration>,
}

impl Watch {
    /// What was done in between took its time, and was no outage.
    fn looked_until(&mut self, now: Duration) {
        self.last_look = Some(now);
    }

    /// Workers whose beat stood still for their lease.
    fn look(&mut self, workers: &[WorkerRow], now: Duration, interval: Duration) -> Vec<WorkerId> {
        // While we could not look, the store was away for the workers too, and they could not beat.
        if self.last_look.is_some_and(|last| now.saturating_sub(last) > interval * 3) {
            self.seen.clear();
        }
        self.last_look = Some(now);
        self.seen.retain(|id, _| workers.iter().any(|worker| worker.id == *id));
        let mut dead = Vec::new();
        for worker in workers {
            let (beat, since) = self.seen.entry(worker.id).or_insert((worker.beat, now));
            if *beat != worker.beat {
                (*beat, *since) = (worker.beat, now);
            } else if now.saturating_sub(*since) >= worker.lease {
                dead.push(worker.id);
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const LEASE: Duration = Duration::from_secs(30);
    const INTERVAL: Duration = Duration::from_secs(6);

    fn worker(id: i32, beat: i64) -> WorkerRow {
        WorkerRow {
            id: WorkerId(id),
            name: "w".into(),
            version: "0".into(),
            started_at: Timestamp::UNIX_EPOCH,
            beat,
            beat_at: Timestamp::UNIX_EPOCH,
            lease: LEASE,
            queues: Vec::new(),
        }
    }

    fn look(watch: &mut Watch, seconds: u64, workers: &[(i32, i64)]) -> Vec<i32> {
        let workers: Vec<_> = workers.iter().map(|(id, beat)| worker(*id, *beat)).collect();
        watch.look(&workers, Duration::from_secs(seconds), INTERVAL).iter().map(|id| id.0).collect()
    }

    #[test]
    fn a_worker_is_dead_when_its_beat_stood_for_its_lease_and_not_before() {
        let mut watch = Watch::default();
        for seconds in [0, 6, 12, 18, 24, 29] {
            assert_eq!(look(&mut watch, seconds, &[(1, 7), (2, i64::try_from(seconds).unwrap())]), [0; 0]);
        }
        assert_eq!(look(&mut watch, 30, &[(1, 7), (2, 30)]), [1]);
    }

    #[test]
    fn nobody_is_declared_dead_for_the_time_in_which_we_could_not_look() {
        let mut watch = Watch::default();
        look(&mut watch, 0, &[(1, 7)]);
        assert_eq!(look(&mut watch, 90, &[(1, 7)]), [0; 0]);
        for seconds in [96, 102, 108, 114] {
            assert_eq!(look(&mut watch, seconds, &[(1, 7)]), [0; 0]);
        }
        assert_eq!(look(&mut watch, 120, &[(1, 7)]), [1]);
    }
}
