//! The command contract, written once for all Rust peers: what is timed, counted and printed.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many jobs one batch call carries.
const PER_CALL: usize = 5_000;

/// What a peer has to be able to do; a job carries its number.
pub trait Peer: Sized + Send + Sync {
    fn connect(url: &str) -> impl Future<Output = Outcome<Self>> + Send;
    fn setup(url: &str) -> impl Future<Output = Outcome> + Send;
    fn enqueue_batch(&self, numbers: std::ops::Range<usize>) -> impl Future<Output = Outcome> + Send;
    fn enqueue(&self, number: usize) -> impl Future<Output = Outcome> + Send;
    /// Starts the worker and leaves it running; its handler calls `Starts::record`.
    fn work(&self, starts: Arc<Starts>) -> impl Future<Output = Outcome> + Send;
    /// How many jobs the store has recorded as finished.
    fn finished(&self) -> impl Future<Output = Outcome<usize>> + Send;
}

pub async fn run<P: Peer>(command: &[&str]) -> Outcome {
    match *command {
        ["setup", url] => {
            P::setup(url).await?;
            report(&json!({ "ok": true }));
        }
        ["enqueue-batch", url, count] => {
            let (peer, count) = (P::connect(url).await?, count.parse()?);
            let begin = now();
            for first in (0..count).step_by(PER_CALL) {
                peer.enqueue_batch(first..count.min(first + PER_CALL)).await?;
            }
            report(&json!({ "seconds": seconds_since(begin), "count": count }));
        }
        ["enqueue-single", url, count, inflight] => {
            let (peer, count, inflight) = (P::connect(url).await?, count.parse()?, inflight.parse()?);
            let next = AtomicUsize::new(0);
            let begin = now();
            try_join_all((0..inflight).map(|_: usize| lane(&peer, &next, count))).await?;
            report(&json!({ "seconds": seconds_since(begin), "count": count }));
        }
        ["drain", url, count] => {
            let (peer, count) = (P::connect(url).await?, count.parse()?);
            let starts = Starts::expecting(count);
            peer.work(starts.clone()).await?;
            starts.all().await;
            while peer.finished().await? < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            report(&json!({
                "first_start_ns": starts.first(),
                "finished_ns": now(),
                "handled": starts.handled.load(Ordering::Relaxed),
                "distinct": starts.distinct.load(Ordering::Relaxed),
            }));
        }
        ["pickup-worker", url, count] => {
            let starts = Starts::expecting(count.parse()?);
            P::connect(url).await?.work(starts.clone()).await?;
            report(&json!({ "ready": true }));
            starts.all().await;
            report(&json!({ "started_ns": starts.by_number() }));
        }
        ["pickup-client", url, count, seed] => {
            let peer = P::connect(url).await?;
            let mut stamps = Map::new();
            for (number, gap) in (0..count.parse()?).zip(gaps(seed.parse()?)) {
                tokio::time::sleep(gap).await;
                stamps.insert(number.to_string(), now().into());
                peer.enqueue(number).await?;
            }
            report(&json!({ "enqueued_ns": stamps }));
        }
        _ => return Err("unknown command; see benches/queue/README.md".into()),
    }
    // The worker is still running; nothing that it could do from here on is measured.
    std::process::exit(0);
}

async fn lane<P: Peer>(peer: &P, next: &AtomicUsize, count: usize) -> Outcome {
    loop {
        match next.fetch_add(1, Ordering::Relaxed) {
            number if number < count => peer.enqueue(number).await?,
            _ => return Ok(()),
        }
    }
}

/// Counts handler starts by job number, so that a lost or doubled job shows.
pub struct Starts {
    stamps: Vec<AtomicU64>,
    handled: AtomicUsize,
    distinct: AtomicUsize,
    complete: Notify,
}

impl Starts {
    fn expecting(count: usize) -> Arc<Self> {
        Arc::new(Self {
            stamps: (0..count).map(|_| AtomicU64::new(0)).collect(),
            handled: AtomicUsize::new(0),
            distinct: AtomicUsize::new(0),
            complete: Notify::new(),
        })
    }

    pub fn record(&self, number: usize) {
        let stamp = now();
        self.handled.fetch_add(1, Ordering::Relaxed);
        let first_time =
            self.stamps[number].compare_exchange(0, stamp, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first_time && self.distinct.fetch_add(1, Ordering::Relaxed) + 1 == self.stamps.len() {
            self.complete.notify_one();
        }
    }

    async fn all(&self) {
        self.complete.notified().await;
    }

    fn first(&self) -> u64 {
        self.stamps.iter().map(|stamp| stamp.load(Ordering::Relaxed)).min().unwrap_or_default()
    }

    fn by_number(&self) -> Map<String, Value> {
        let stamps = self.stamps.iter().map(|stamp| stamp.load(Ordering::Relaxed).into());
        stamps.enumerate().map(|(number, stamp)| (number.to_string(), stamp)).collect()
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds, the clock all peers share.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

fn seconds_since(begin: u64) -> f64 {
    Duration::from_nanos(now() - begin).as_secs_f64()
}

/// The pauses between pick-up jobs: 20 to 60 ms, the same for every peer of one seed.
fn gaps(seed: u32) -> impl Iterator<Item = Duration> {
    let step = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(step(&seed), step)
        .map(|state| Duration::from_millis(u64::from(20 + (state >> 16) % 41)))
}

fn report(numbers: &Value) {
    println!("{numbers}");
}
