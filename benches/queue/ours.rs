//! Compline behind the benchmark's command contract: `compline-bench <command> URL … [--tuned]`.
//!
//! As shipped it runs with the defaults of the product; `--tuned` changes numbers only, never what is kept.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compline::app::{App, Parts, Upkeep, audit};
use compline::config::settings::{Anchor, Audit};
use engine::adapters::artifacts::DirArtifacts;
use engine::alerts::Alerting;
use engine::reference::SecretRef;
use engine::scheduler::declared::Declared;
use engine::seal::Keyring;
use engine::uploads::Place;
use engine::worker::fetcher::FetchOptions;
use engine::worker::{Until, WorkerOptions};
use jobkit::redact::ExposeSecret;
use jobkit::{Clock, Ctx, Failure, Job, NewJob, Outcome, Policy, Registry};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::breaker::BreakerRules;
use store::rule::{By, Rate, Rule, Rules};
use store::{Actor, Scope, Store};
use store_postgres::{PgOptions, PostgresStore};
use store_sqlite::SqliteStore;
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CALL: usize = 5_000;

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let tuned = args.last().is_some_and(|last| last == "--tuned");
    args.truncate(args.len() - usize::from(tuned));
    let runtime = tokio::runtime::Runtime::new()?;
    // In a task, as the callers of a service are.
    runtime.block_on(async move { tokio::spawn(async move { run(&args, tuned).await }).await? })
}

async fn run(args: &[String], tuned: bool) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args {
        ["setup", url] => {
            let store = open(url, Seen::default()).await?.store;
            store.migrate().await?;
            store.put_limits(&limits()).await?;
            store.lanes_are_put(store.limits().await?.version).await?;
            say(&json!({ "ok": true }))
        }
        ["enqueue-batch", url, n] => enqueue_batch(url, n.parse()?).await,
        ["enqueue-blocked", url, n] => enqueue_blocked(url, n.parse()?).await,
        ["enqueue-single", url, n, inflight] => enqueue_single(url, n.parse()?, inflight.parse()?).await,
        ["drain", url, n] => drain(url, n.parse()?, tuned).await,
        ["pickup-worker", url, n] => pickup_worker(url, n.parse()?, tuned).await,
        ["pickup-client", url, n, seed] => {
            let app = open(url, Seen::default()).await?;
            let enqueued = pickup_client(&app, n.parse()?, seed.parse()?).await?;
            app.close().await;
            say(&json!({ "enqueued_ns": enqueued }))
        }
        ["pickup-in-process", url, n, seed] => pickup_in_process(url, n.parse()?, seed.parse()?, tuned).await,
        _ => Err("see benches/queue/README.md for the commands".into()),
    }
}

fn say(value: &serde_json::Value) -> Result<()> {
    println!("{value}");
    Ok(())
}

/// CLOCK_MONOTONIC, which all processes of a machine share.
fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[derive(Serialize, Deserialize)]
struct Number {
    n: u64,
}

/// What the handlers saw.
#[derive(Clone, Default)]
struct Seen {
    started: Arc<Mutex<BTreeMap<u64, u64>>>,
    handled: Arc<AtomicU64>,
    first: Arc<AtomicU64>,
    stamps: bool,
    bits: Arc<Vec<AtomicU64>>,
}

impl Seen {
    fn counting(n: u64) -> Self {
        let words = usize::try_from(n / 64 + 1).unwrap_or(0);
        Self { bits: Arc::new((0..words).map(|_| AtomicU64::new(0)).collect()), ..Self::default() }
    }

    fn distinct(&self) -> u32 {
        self.bits.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum()
    }
}

struct Noop(Seen);

impl Job for Noop {
    type Args = Number;
    const KIND: &'static str = "bench.noop";

    async fn run(&self, args: Number, _: &Ctx) -> std::result::Result<Outcome, Failure> {
        self.0.handle(&args)
    }
}

/// The same, with arguments that are sealed.
struct Sealed(Seen);

impl Job for Sealed {
    type Args = Number;
    const KIND: &'static str = "bench.sealed";

    fn policy(&self) -> Policy {
        Policy::default().encrypted()
    }

    async fn run(&self, args: Number, _: &Ctx) -> std::result::Result<Outcome, Failure> {
        self.0.handle(&args)
    }
}

impl Seen {
    fn handle(&self, args: &Number) -> std::result::Result<Outcome, Failure> {
        let seen = self;
        if seen.stamps {
            let now = monotonic_ns();
            seen.started.lock().map_err(|_| Failure::permanent("poisoned"))?.entry(args.n).or_insert(now);
        } else if seen.handled.load(Ordering::Relaxed) == 0 {
            let _ = seen.first.compare_exchange(0, monotonic_ns(), Ordering::Relaxed, Ordering::Relaxed);
        }
        seen.handled.fetch_add(1, Ordering::Relaxed);
        if let Some(word) = usize::try_from(args.n / 64).ok().and_then(|index| seen.bits.get(index)) {
            word.fetch_or(1 << (args.n % 64), Ordering::Relaxed);
        }
        Ok(Outcome::done())
    }
}

struct Monotonic;

impl Clock for Monotonic {
    #[expect(clippy::disallowed_methods, reason = "this is the benchmark's clock adapter")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn steady(&self) -> Duration {
        Duration::from_nanos(monotonic_ns())
    }

    fn sleep(&self, duration: Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

async fn open(url: &str, seen: Seen) -> Result<App> {
    let clock: Arc<dyn Clock> = Arc::new(Monotonic);
    let store: Arc<dyn Store> = match url.starts_with("sqlite:") {
        true => Arc::new(SqliteStore::open(url, clock.clone()).await?),
        false => PostgresStore::connect(url, &PgOptions::default())?,
    };
    let mut registry = Registry::default();
    registry.add(Noop(seen.clone()));
    registry.add(Sealed(seen));
    let mut keyring = Keyring::default();
    keyring.add("bench", &[7; 32]);
    Ok(App::new(Parts {
        store,
        clock,
        registry: Arc::new(registry),
        keyring: Arc::new(keyring.with_current("bench")),
        artifacts: Arc::new(DirArtifacts::new(std::env::temp_dir())),
        uploads: Place::at(std::env::temp_dir().join("compline-uploads")),
        redis: None,
        declared: Declared::default(),
        calls: BTreeMap::new(),
        approvals: Arc::default(),
    }))
}

fn options(tuned: bool) -> WorkerOptions {
    let (concurrency, prefetch) = if tuned { (256, 4_000) } else { (64, 2_000) };
    WorkerOptions {
        name: "bench".into(),
        lease: Duration::from_secs(30),
        shutdown_grace: Duration::from_secs(20),
        breakers: BreakerRules::default(),
        fetch: FetchOptions {
            concurrency,
            prefetch,
            poll: Duration::from_secs(1),
            queues: std::collections::BTreeSet::new(),
            queue_concurrency: BTreeMap::new(),
        },
    }
}

/// What `benches/limits` asks: `COMPLINE_BENCH_LIMIT` is `one`, `hundred` (lanes), `rate` or `blocked`; none of them binds,
/// but for the lane that `enqueue-blocked` fills.
fn limits() -> Rules {
    let named = std::env::var("COMPLINE_BENCH_LIMIT").unwrap_or_default();
    let rate = "1000000/s".parse().map(|pace| Rate { pace, burst: 1 }).ok();
    let (by, rate, concurrency) = match named.as_str() {
        "one" => (By::All, None, Some(1_000_000)),
        "hundred" => (By::Args(vec!["lane".into()]), None, Some(1_000_000)),
        "rate" => (By::All, rate, None),
        "blocked" => (By::Args(vec!["blocked".into()]), None, Some(1_000_000)),
        _ => return Rules::default(),
    };
    let (kinds, queues) = (Vec::new(), Vec::new());
    Rules::new([Rule { name: "bench".into(), kinds, queues, by, rate, concurrency }])
}

/// What `benches/features` asks: `COMPLINE_BENCH_FEATURES` has `audit` (the tree is signed and kept in a directory) and
/// `sealed`.
fn has(feature: &str) -> bool {
    std::env::var("COMPLINE_BENCH_FEATURES").is_ok_and(|all| all.split(',').any(|one| one == feature))
}

fn signing(folder: &std::path::Path) -> Result<Option<audit::Signing>> {
    if !has("audit") {
        return Ok(None);
    }
    let key = folder.join("key");
    std::fs::write(&key, engine::audit::new_key("bench.example.com/log")?.to_secret().expose_secret())?;
    let anchor = Anchor { directory: folder.join("anchor"), ..Anchor::default() };
    let settings = Audit {
        key: Some(SecretRef::File(key)),
        anchors: [("one".into(), anchor)].into(),
        ..Audit::default()
    };
    Ok(audit::signing(&settings, &Arc::default())?)
}

fn is_blocked() -> bool {
    std::env::var_os("COMPLINE_BENCH_LIMIT").is_some_and(|limit| limit == "blocked")
}

fn job(n: u64) -> NewJob {
    if has("sealed") {
        return NewJob::new(Sealed::KIND, json!({ "n": n }));
    }
    match std::env::var_os("COMPLINE_BENCH_LIMIT") {
        Some(_) => NewJob::new(Noop::KIND, json!({ "n": n, "lane": n % 100 })),
        None => NewJob::new(Noop::KIND, json!({ "n": n })),
    }
}

fn by() -> Actor {
    Actor::new("bench")
}

/// Fills a lane of the queue that is drained, from which nothing may start.
async fn enqueue_blocked(url: &str, n: u64) -> Result<()> {
    let app = open(url, Seen::default()).await?;
    let until = app.store.now().await? + Duration::from_secs(86_400);
    app.store.pause_bucket("bench/true", until, &by(), "").await?;
    let job = || NewJob::new(Noop::KIND, json!({ "n": 0, "blocked": true }));
    for left in (0..n).step_by(CALL).map(|done| (n - done).min(CALL as u64)) {
        app.queue.enqueue(&Scope::Installation, (0..left).map(|_| job()).collect(), &by()).await?;
    }
    app.close().await;
    say(&json!({ "count": n }))
}

async fn enqueue_batch(url: &str, n: u64) -> Result<()> {
    let app = open(url, Seen::default()).await?;
    app.store.now().await?;
    let numbers: Vec<_> = (0..n).collect();
    let started = monotonic_ns();
    for call in numbers.chunks(CALL) {
        app.queue.enqueue(&Scope::Installation, call.iter().map(|n| job(*n)).collect(), &by()).await?;
    }
    let seconds = seconds_since(started);
    app.close().await;
    say(&json!({ "seconds": seconds, "count": n }))
}

#[expect(clippy::cast_precision_loss, reason = "a duration in seconds is a float")]
fn seconds_since(started: u64) -> f64 {
    (monotonic_ns() - started) as f64 / 1e9
}

async fn enqueue_single(url: &str, n: u64, inflight: u64) -> Result<()> {
    let app = open(url, Seen::default()).await?;
    // Connections are open before the clock starts.
    let warm = (0..inflight.min(16)).map(|_| app.store.now());
    futures::future::try_join_all(warm).await?;
    let next = AtomicU64::new(0);
    let started = monotonic_ns();
    let lane = || async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= n {
                return Ok::<_, engine::queue::QueueError>(());
            }
            app.queue.enqueue(&Scope::Installation, vec![job(number)], &by()).await?;
        }
    };
    futures::future::try_join_all((0..inflight).map(|_| lane())).await?;
    let seconds = seconds_since(started);
    app.close().await;
    say(&json!({ "seconds": seconds, "count": n }))
}

async fn work_until<F: Future<Output = Result<()>>>(app: &App, tuned: bool, until: F) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stop = CancellationToken::new();
    let end = Until { stop: stop.clone(), hard: CancellationToken::new(), idle: false };
    let upkeep = Upkeep {
        limits: limits(),
        prune: store::PruneRules::default(),
        prune_every: Duration::from_secs(60),
        keep_artifacts: None,
        triggers: engine::triggers::Triggers::default(),
        alerting: Alerting::default(),
        audit: signing(folder.path())?,
    };
    let work = app.run(options(tuned), upkeep, end);
    let watch = async {
        let watched = until.await;
        stop.cancel();
        watched
    };
    let (worked, watched) = tokio::join!(work, watch);
    worked?;
    watched
}

async fn drain(url: &str, n: u64, tuned: bool) -> Result<()> {
    let seen = Seen::counting(n);
    let app = open(url, seen.clone()).await?;
    let finished = AtomicU64::new(0);
    work_until(&app, tuned, async {
        while seen.handled.load(Ordering::Relaxed) < n {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Those of a blocked lane never go, and to count a million of them again and again is work of its own.
        let all_go = !is_blocked();
        while all_go
            && app.store.queues(&Scope::Installation).await?.iter().any(|queue| !queue.counts.is_empty())
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        finished.store(monotonic_ns(), Ordering::Relaxed);
        Ok(())
    })
    .await?;
    app.close().await;
    say(&json!({
        "first_start_ns": seen.first.load(Ordering::Relaxed),
        "finished_ns": finished.load(Ordering::Relaxed),
        "handled": seen.handled.load(Ordering::Relaxed),
        "distinct": seen.distinct(),
    }))
}

async fn stamped(seen: &Seen, n: u64) -> Result<()> {
    while seen.handled.load(Ordering::Relaxed) < n {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn pickup_worker(url: &str, n: u64, tuned: bool) -> Result<()> {
    let seen = Seen { stamps: true, ..Seen::default() };
    let app = open(url, seen.clone()).await?;
    work_until(&app, tuned, async {
        // The listener and the fetcher are up when the worker is in the database.
        while app.store.workers().await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        say(&json!({ "ready": true }))?;
        stamped(&seen, n).await
    })
    .await?;
    app.close().await;
    let started = seen.started.lock().map_err(|_| "poisoned")?.clone();
    say(&json!({ "started_ns": started }))
}

async fn pickup_client(app: &App, n: u64, seed: u32) -> Result<BTreeMap<u64, u64>> {
    let mut state = seed;
    let mut enqueued = BTreeMap::new();
    app.store.now().await?;
    for number in 0..n {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        tokio::time::sleep(Duration::from_millis(u64::from(20 + (state >> 16) % 41))).await;
        enqueued.insert(number, monotonic_ns());
        app.queue.enqueue(&Scope::Installation, vec![job(number)], &by()).await?;
    }
    Ok(enqueued)
}

async fn pickup_in_process(url: &str, n: u64, seed: u32, tuned: bool) -> Result<()> {
    let seen = Seen { stamps: true, ..Seen::default() };
    let app = open(url, seen.clone()).await?;
    let enqueued = Mutex::new(BTreeMap::new());
    work_until(&app, tuned, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let stamps = pickup_client(&app, n, seed).await?;
        enqueued.lock().map_err(|_| "poisoned")?.extend(stamps);
        stamped(&seen, n).await
    })
    .await?;
    app.close().await;
    let started = seen.started.lock().map_err(|_| "poisoned")?.clone();
    let enqueued = enqueued.into_inner().map_err(|_| "poisoned")?;
    say(&json!({ "enqueued_ns": enqueued, "started_ns": started }))
}
