//! Claims only what can start now: as many as there are free slots, and ahead of them only as far as the
//! jobs are quick. Sleeps on the bell, and looks at all queues once in a poll interval, asleep or busy: a
//! wake-up that was lost must not wait until the queues that were heard of are empty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::buffer::{Buffer, Ready};
use super::held::{HeldJobs, StopReason};
use super::lanes::{Ask, Lanes, Sort};
use super::pace::Pace;
use crate::limits::book::Book;
use crate::service::Patience;
use crate::wake::Bell;
use store::{Claimed, Report, Store, StoreError, WorkerId, chain};

pub struct Fetcher {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub bell: Arc<Bell>,
    pub held: Arc<HeldJobs>,
    pub slots: Arc<Semaphore>,
    pub pace: Arc<Pace>,
    pub buffer: Arc<Buffer>,
    /// Rung when a slot or room in the buffer became free.
    pub capacity: Arc<Notify>,
    /// The lease this process holds; none while it has none.
    pub lease: watch::Receiver<Option<WorkerId>>,
    pub limits: Arc<Book>,
    pub options: FetchOptions,
    pub reports: mpsc::UnboundedSender<Report>,
    /// Tells that a look at all queues found nothing.
    pub idle: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
pub struct FetchOptions {
    pub concurrency: usize,
    pub prefetch: usize,
    pub poll: Duration,
    /// Empty means every queue.
    pub queues: BTreeSet<String>,
    pub queue_concurrency: BTreeMap<String, usize>,
}

/// What the fetcher knows of its queues.
#[derive(Default)]
struct Known {
    /// Those that may have jobs that nothing limits.
    hot: BTreeSet<String>,
    lanes: Lanes,
    /// A claim may have happened although we never saw its answer.
    lost_answer: bool,
}

impl Known {
    fn round(&self) -> Vec<String> {
        self.lanes.round(&self.hot)
    }
}

/// Ended attempts whose record is under way; beyond this the store is behind, and claiming more would only
/// pile up results in memory.
const MOST_HELD_BEYOND_SLOTS: usize = 10_000;

/// What was claimed ahead should wait for a slot for milliseconds. When jobs have become slow it would wait for minutes,
/// while it is more than others are urgent, another worker is idle, or its queue is paused.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A network that comes back may deliver a claim long after we gave it up.
const LOOK_OVER: Duration = Duration::from_secs(60);

impl Fetcher {
    pub async fn run(mut self, stop: CancellationToken) {
        let mut patience = Patience::new("claiming jobs", self.clock.clone());
        let mut looking = Patience::new("looking for work", self.clock.clone());
        let mut known = Known::default();
        let mut looked_over = self.clock.steady();
        let mut next_look = looked_over + self.options.poll;
        loop {
            if stop.is_cancelled() {
                return;
            }
            let lease = *self.lease.borrow_and_update();
            let Some(worker) = lease else {
                tokio::select! {
                    _ = self.lease.changed() => {}
                    () = stop.cancelled() => return,
                }
                continue;
            };
            self.give_back_what_waits();
            if known.lost_answer || self.clock.steady().saturating_sub(looked_over) >= LOOK_OVER {
                match self.store.give_back_unheld(worker, &self.held.ids_of(worker)).await {
                    Ok(_) => {
                        (known.lost_answer, looked_over) = (false, self.clock.steady());
                        // Else the next claim tells whether it works again.
                        if known.round().is_empty() {
                            patience.succeeded();
                        }
                    }
                    Err(problem) => {
                        patience.failed(&problem).await;
                        continue;
                    }
                }
            }
            self.hear(&mut known);
            if self.bell.take_everywhere() || self.clock.steady() >= next_look {
                next_look = self.clock.steady() + self.options.poll;
                match self.look().await {
                    Ok(ready) => {
                        looking.succeeded();
                        known.lanes.heard_of(&ready);
                        known.hot.extend(ready);
                        known.lanes.forget_all_but(&known.hot);
                    }
                    // What was heard of can be claimed all the same.
                    Err(problem) => looking.failed(&problem).await,
                }
            }
            let let_go = self.buffer.oldest().map(|since| since + LONGEST_WAIT);
            let wake_at = [let_go, known.lanes.next()].into_iter().flatten().fold(next_look, Duration::min);
            let round = known.round();
            if round.is_empty() {
                self.sleep(&stop, wake_at).await;
                continue;
            }
            match self.claim_from(worker, &round, &mut known).await {
                Ok(true) => {
                    patience.succeeded();
                }
                Ok(false) => self.wait_for_room(&stop, wake_at).await,
                Err(problem) => {
                    known.lost_answer = true;
                    patience.failed(&problem).await;
                }
            }
        }
    }

    /// What was claimed ahead and has waited too long. None of the slow jobs needs to have ended: that is why the pace
    /// does not know of them.
    fn give_back_what_waits(&self) {
        let waited = self.buffer.oldest().map(|since| self.clock.steady().saturating_sub(since));
        let Some(waited) = waited.filter(|waited| *waited >= LONGEST_WAIT) else { return };
        self.pace.ran(waited);
        for ready in self.buffer.drain_ready() {
            // Each under the lease that claimed it, which need not be ours any more. The completer outlives this.
            let _ = self.reports.send(ready.give_back());
        }
    }

    /// What was rung, and what has come with time.
    fn hear(&self, known: &mut Known) {
        let rung: BTreeSet<_> = self.bell.take().into_iter().filter(|queue| self.serves(queue)).collect();
        // Where nothing is limited nobody asks.
        if !self.limits.rules().is_empty() {
            known.lanes.heard_of(&rung);
        }
        known.hot.extend(rung);
        if self.bell.take_places() {
            known.lanes.freed();
        }
        known.lanes.pass(self.clock.steady());
    }

    fn serves(&self, queue: &str) -> bool {
        self.options.queues.is_empty() || self.options.queues.contains(queue)
    }

    /// One round over the queues. False when none had room.
    async fn claim_from(&self, worker: WorkerId, round: &[String], known: &mut Known) -> store::Result<bool> {
        let mut any_room = false;
        for (done, queue) in round.iter().enumerate() {
            // Whoever comes first in the round must not take it all.
            let share = self.room().div_ceil(round.len() - done);
            let limit = share.min(self.room_of(queue));
            if limit == 0 {
                continue;
            }
            any_room = true;
            let claimed = self.claim_in_turn(worker, queue, limit, known).await;
            // One that fails each time must not keep the others from being asked either.
            if claimed.as_ref().map_or(true, |claimed| *claimed > 0) {
                known.lanes.served(queue);
            }
            claimed?;
        }
        Ok(any_room)
    }

    /// Claims in the turn of one queue, and says how many. Fails when the store is away.
    async fn claim_in_turn(
        &self,
        worker: WorkerId,
        queue: &str,
        limit: usize,
        known: &mut Known,
    ) -> store::Result<usize> {
        let mut turn = known.lanes.turn(queue, known.hot.contains(queue));
        let mut claimed = 0;
        while claimed < limit
            && let Some(ask) = known.lanes.next_ask(&mut turn, |other| self.room_of(other) > 0)
        {
            let most = (limit - claimed).min(self.room_of(&ask.queue));
            let began = self.clock.steady();
            let answer = match ask.sort {
                Sort::Limited => self.claim_limited(worker, &ask.queue, most, known).await,
                Sort::Others => self.claim_others(worker, &ask.queue, most, known).await,
            };
            match answer {
                Ok(jobs) => {
                    claimed += jobs;
                    if known.lanes.worked(&ask) {
                        info!(queue = ask.queue, "claiming {ask} works again");
                    }
                }
                Err(problem) if problem.blames_the_store() => {
                    known.lanes.unanswered(&ask);
                    return Err(problem);
                }
                Err(problem) => self.put_off(&ask, began, &problem, known),
            }
        }
        Ok(claimed)
    }

    /// Not for the sake of the others, which would all wait for what one of them cannot have.
    fn put_off(&self, ask: &Ask, began: Duration, problem: &StoreError, known: &mut Known) {
        let now = self.clock.steady();
        let times = known.lanes.failed(ask, now, now.saturating_sub(began));
        known.lost_answer = true;
        // Said the first time, and then ever more rarely.
        if times.is_power_of_two() {
            warn!(
                queue = ask.queue,
                times,
                "claiming {ask} fails and will be tried until it works, and all others go on: {}",
                chain(problem)
            );
        }
    }

    async fn claim_others(
        &self,
        worker: WorkerId,
        queue: &str,
        limit: usize,
        known: &mut Known,
    ) -> store::Result<usize> {
        let batch = self.store.claim(worker, queue, limit).await?;
        if batch.len() < limit {
            known.hot.remove(queue);
        }
        let claimed = batch.len();
        self.take_in_hand(worker, queue, batch);
        Ok(claimed)
    }

    async fn claim_limited(
        &self,
        worker: WorkerId,
        queue: &str,
        limit: usize,
        known: &mut Known,
    ) -> store::Result<usize> {
        let rules = self.limits.rules();
        let mut claim = self.store.claim_limited(worker, queue, limit, &rules, &self.clock).await?;
        known.lanes.answered(queue, &claim, self.clock.steady());
        let jobs = std::mem::take(&mut claim.jobs);
        let claimed = jobs.len();
        self.take_in_hand(worker, queue, jobs);
        Ok(claimed)
    }

    fn take_in_hand(&self, worker: WorkerId, queue: &str, batch: Vec<Claimed>) {
        let held = self.held.hold(queue, batch);
        // The keeper says that the lease is lost before it stops what is in hand: so either it stops these,
        // or we see that we must.
        if *self.lease.borrow() != Some(worker) {
            self.held.stop_all(Some(worker), &StopReason::LeaseLost);
        }
        let now = self.clock.steady();
        let ready = held.into_iter().map(|(job, switch)| Ready { job, switch, since: now });
        self.buffer.push_in_time(ready, now);
    }

    /// How many to claim now: for free slots at once, for the buffer only when half of it is gone.
    fn room(&self) -> usize {
        // Those that wait for their time will want a slot.
        let free = self.slots.available_permits().saturating_sub(self.buffer.later());
        let ahead = self.pace.allowance(self.options.concurrency, self.options.prefetch);
        let waiting = self.buffer.len();
        if self.held.len() > self.options.concurrency + ahead + MOST_HELD_BEYOND_SLOTS {
            return 0;
        }
        match waiting {
            0 => free.max(ahead),
            waiting if waiting <= ahead / 2 => ahead - waiting,
            _ => 0,
        }
    }

    fn room_of(&self, queue: &str) -> usize {
        match self.options.queue_concurrency.get(queue) {
            Some(most) => most.saturating_sub(self.held.in_queue(queue)),
            None => usize::MAX,
        }
    }

    /// All queues that have work for us, heard of or not.
    async fn look(&self) -> store::Result<BTreeSet<String>> {
        let ready = self.store.ready_queues().await?;
        let ready: BTreeSet<_> = ready.into_iter().filter(|queue| self.serves(queue)).collect();
        if ready.is_empty() {
            self.idle.send_modify(|looks| *looks += 1);
        }
        Ok(ready)
    }

    async fn wait_for_room(&self, stop: &CancellationToken, next_look: Duration) {
        tokio::select! {
            () = self.capacity.notified() => {}
            // A queue that is rung, or found at the next look, may have room.
            () = self.sleep(stop, next_look) => {}
        }
    }

    /// Until the bell rings or it is time to look.
    async fn sleep(&self, stop: &CancellationToken, next_look: Duration) {
        tokio::select! {
            () = self.bell.wait() => {}
            () = self.clock.sleep(next_look.saturating_sub(self.clock.steady())) => {}
            () = stop.cancelled() => {}
        }
    }
}
