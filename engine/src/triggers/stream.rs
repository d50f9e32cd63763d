//! Jobs from a Redis stream: `XADD compline:enqueue * kind system.noop args '{}'`.
//!
//! An entry is inserted in one transaction with its mark and acknowledged after the commit. Whoever dies in between
//! leaves an entry that another consumer takes over, finds marked, and acknowledges. What cannot be a job is set
//! aside with its error. One batch is in hand at a time: a store that is slow or away holds the stream back, and
//! the entries wait in Redis.

pub mod entry;
pub mod group;

use std::sync::Arc;
use std::time::Duration;

use jobkit::Clock;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::entry::{Entry, mark};
use self::group::Group;
use super::{Verdict, refused};
use crate::adapters::redis::RedisFault;
use crate::queue::Queue;
use crate::service::Patience;
use store::triggers::Intake;
use store::{Actor, Scope, Store, chain};

/// Entries may be of a megabyte each, and are read whole; after a round that failed there are half as many.
const BATCH: usize = 100;

/// How long a read waits for the first entry; a stop waits for it.
pub const WAIT: Duration = Duration::from_secs(1);

/// A Redis that comes back from its last second may have forgotten what was acknowledged; marks outlive that.
const REMEMBERED: Duration = Duration::from_secs(86_400);
const TIDY_EVERY: Duration = Duration::from_secs(600);
const SILENT_CONSUMER: Duration = Duration::from_secs(3_600);
const FORGET_AT_ONCE: usize = 10_000;

pub struct StreamTrigger {
    pub group: Group,
    pub queue: Arc<Queue>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    /// Entries that a consumer has held for so long are taken over by another.
    pub claim_after: Duration,
}

impl StreamTrigger {
    /// Until told to stop; what is in hand then stays with this consumer, and another takes it over.
    pub async fn run(self, stop: CancellationToken) {
        let mut patience = Patience::new("reading the stream", self.clock.clone());
        // At once: what a process before us left behind waits for nobody else.
        let (mut next_claim, mut next_tidying) = (Duration::ZERO, Duration::ZERO);
        let mut made = false;
        let mut most = BATCH;
        while !stop.is_cancelled() {
            let now = self.clock.steady();
            let round = async {
                if !made {
                    self.group.make().await?;
                    made = true;
                }
                if now >= next_claim {
                    next_claim = now + self.claim_after / 2;
                    self.take_over(most, &stop).await?;
                }
                if now >= next_tidying {
                    next_tidying = now + TIDY_EVERY;
                    self.tidy().await?;
                }
                let entries = self.group.read(most, WAIT).await?;
                self.take(entries, &stop).await
            };
            match round.await {
                Ok(()) => {
                    patience.succeeded();
                    most = BATCH;
                }
                Err(problem) => {
                    most = (most / 2).max(1);
                    // Somebody may have deleted the stream, and the group with it.
                    made = false;
                    stop.run_until_cancelled(patience.failed(&problem)).await.unwrap_or_default();
                }
            }
        }
    }

    /// What others hold and have not done, or this consumer itself because something was in its way.
    async fn take_over(&self, most: usize, stop: &CancellationToken) -> Result<(), RedisFault> {
        let mut from = Some("0-0".to_owned());
        while let Some(place) = from.take() {
            let (entries, next) = self.group.claim(&place, self.claim_after, most).await?;
            self.take(entries, stop).await?;
            from = next.filter(|_| !stop.is_cancelled());
        }
        Ok(())
    }

    async fn take(&self, entries: Vec<Entry>, stop: &CancellationToken) -> Result<(), RedisFault> {
        if stop.run_until_cancelled(self.freshen()).await.is_none() {
            return Ok(());
        }
        let mut batch = Vec::with_capacity(entries.len());
        for entry in entries {
            let read = entry::job(&entry.fields).map_err(|problem| problem.to_string());
            let rows = read.and_then(|job| {
                self.queue.rows(&Scope::Installation, vec![job]).map_err(|problem| entry::told(&problem))
            });
            match rows {
                Ok(rows) => batch.push((entry.id.clone(), Intake { mark: mark(&entry.id), rows }, entry)),
                Err(error) => self.refuse(&entry, &error).await?,
            }
        }
        match stop.run_until_cancelled(self.insert(batch)).await {
            Some(inserted) => inserted,
            None => Ok(()),
        }
    }

    /// Tries until the limits are known: without them a job would get no lane.
    async fn freshen(&self) {
        let mut patience = Patience::new("reading the limits", self.clock.clone());
        while let Err(problem) = self.queue.freshen().await {
            patience.failed(&problem).await;
        }
    }

    /// Tries until the store has taken them. What it will never take, and what waits for somebody's lock, is found
    /// by halves, so that one entry does not keep the others.
    async fn insert(&self, batch: Vec<(String, Intake, Entry)>) -> Result<(), RedisFault> {
        let mut patience = Patience::new("inserting what the stream brought", self.clock.clone());
        let source = self.source();
        let by = Actor::new(format!("redis:{}", self.group.stream));
        let mut waiting = vec![batch];
        while let Some(mut batch) = waiting.pop() {
            let intakes: Vec<Intake> = batch.iter().map(|(_, intake, _)| intake.clone()).collect();
            let Err(problem) = self.queue.take(&source, &intakes, &by).await else {
                patience.succeeded();
                let ids: Vec<&str> = batch.iter().map(|(id, ..)| id.as_str()).collect();
                self.group.acknowledge(&ids).await?;
                continue;
            };
            match (Verdict::of(&problem), batch.as_slice()) {
                (Verdict::Later, _) => {
                    waiting.push(batch);
                    patience.failed(&problem).await;
                }
                (Verdict::Never, [(_, _, entry)]) => self.reject(entry, &chain(&problem)).await?,
                // It stays with this consumer, unacknowledged, and is taken up again when its time has come.
                (Verdict::Locked, [_]) => {
                    warn!("an entry of {} waits: {}", self.group.stream, chain(&problem));
                }
                _ => {
                    let rest = batch.split_off(batch.len() / 2);
                    waiting.extend([rest, batch]);
                }
            }
        }
        Ok(())
    }

    /// Sets an entry aside, unless another process has made its job and could not say so any more: one of another
    /// version may know kinds that this one does not.
    async fn refuse(&self, entry: &Entry, error: &str) -> Result<(), RedisFault> {
        let source = self.source();
        match self.store.see_marks(&source, &[mark(&entry.id)]).await {
            Ok(taken) if taken.is_empty() => self.reject(entry, error).await,
            Ok(_) => self.group.acknowledge(&[&entry.id]).await,
            Err(problem) => {
                // It stays with this consumer, unacknowledged, and is taken up again when its time has come.
                warn!("an entry of {} waits: {}", self.group.stream, chain(&problem));
                Ok(())
            }
        }
    }

    fn source(&self) -> String {
        format!("stream:{}", self.group.stream)
    }

    async fn reject(&self, entry: &Entry, error: &str) -> Result<(), RedisFault> {
        self.group.reject(entry, error).await?;
        // The error may repeat what the entry says, and that may be anybody's data.
        warn!(
            entry = entry.id,
            "entry {} of {} cannot be a job and is set aside, with the reason, in {}",
            entry.id,
            self.group.stream,
            self.group.rejected
        );
        // It is set aside all the same, and `triggers rejected list` shows it.
        if let Err(problem) = self.store.raise(&[refused(&self.source())]).await {
            tracing::debug!("{}", chain(&problem));
        }
        Ok(())
    }

    async fn tidy(&self) -> Result<(), RedisFault> {
        self.group.forget_consumers(SILENT_CONSUMER).await?;
        let before = self.group.done_before(REMEMBERED).await?;
        let source = self.source();
        loop {
            match self.store.forget_marks_before(&source, &before, FORGET_AT_ONCE).await {
                Ok(forgotten) if forgotten == FORGET_AT_ONCE as u64 => {}
                Ok(_) => return Ok(()),
                // The next round forgets them.
                Err(problem) => {
                    tracing::debug!("{}", chain(&problem));
                    return Ok(());
                }
            }
        }
    }
}
