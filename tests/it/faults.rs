//! What the real binary lives through: kills, stops, a database that goes away, other processes. Small
//! sisters of `scripts/campaigns`. Two witnesses must agree: the store, and the files that steps write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use jiff::Timestamp;
use jobkit::{Clock, IdGenerator, JobId, OnParentFailure, StepKey, When};
use rustix::process::{Pid, Signal, kill_process};
use store::state::JobState;
use store::{JobDetail, JobFilter, NewRow, Scope, Store};
use store_postgres::{PgOptions, PostgresStore};
use store_sqlite::SqliteStore;

use crate::support::binary::Place;
use crate::support::postgres::{OwnServer, database};
use crate::support::store::ada;

const LEASE: Duration = Duration::from_secs(2);
/// A machine that runs all tests at once is slow; whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each promise twice, as in `support::store`, but with the binary's own clock.
macro_rules! on_both {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::World::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::World::postgres().await).await;
            })+
        }
    };
}

mod envelopes;
mod ledger;
mod limits;

on_both![
    workers_killed_at_any_moment_lose_nothing_and_double_nothing,
    a_job_of_a_killed_worker_runs_again_soon_though_the_worker_returns_under_its_name,
    a_worker_that_works_until_idle_waits_for_what_a_dead_one_held,
    a_worker_told_to_stop_lets_its_job_end_and_gives_back_the_rest_uncounted,
    a_worker_told_twice_to_stop_gives_back_its_running_job_uncounted,
    a_worker_told_twice_to_stop_does_not_wait_for_a_thread_that_is_stuck,
    a_queue_paused_by_another_process_rests_and_goes_on_when_resumed,
    a_running_job_is_cancelled_by_another_process,
];

async fn workers_killed_at_any_moment_lose_nothing_and_double_nothing(world: World) {
    let jobs = world.enqueue_steps(300, 2, 15).await;
    let mut workers = [world.start("work", "left"), world.start("work", "right")];

    for (turn, enough) in [20, 70, 120, 170, 220].into_iter().enumerate() {
        world.until("more jobs ended", async || world.ended().await.len() >= enough).await;
        // In turns they come back under the same name and under a new one.
        let name = if turn % 2 == 0 { "left".to_owned() } else { format!("right-{turn}") };
        workers[turn % 2] = {
            workers[turn % 2].kill();
            world.start("work", &name)
        };
    }
    world.until("all jobs ended", async || world.ended().await.len() >= jobs.len()).await;

    world.assert_each_completed_once(&jobs).await;
    world.assert_each_step_done_once(&jobs, 2);
    for worker in workers {
        worker.stop().await;
    }
}

async fn a_job_of_a_killed_worker_runs_again_soon_though_the_worker_returns_under_its_name(world: World) {
    let id = world.enqueue("system.sleep", r#"{"ms":600000}"#).await;
    let mut first = world.start("work", "same");
    world.until_state(id, JobState::Running).await;

    let killed = world.clock.now();
    first.kill();
    let second = world.start("work", "same");
    world.until("the job ran again", async || world.job(id).await.job.attempt == 2).await;

    let detail = world.job(id).await;
    assert_eq!(ends(&detail), ["lost"]);
    let after = detail.job.claimed_at.unwrap().duration_since(killed).unsigned_abs();
    assert!(after <= 2 * LEASE, "{after:?} after the kill");
    second.stop_now().await;
}

/// Nobody else may be there to run it, now or later.
async fn a_worker_that_works_until_idle_waits_for_what_a_dead_one_held(world: World) {
    let file = world.place.path().join("keys");
    let id = world.insert_one(world.steps(2, 300, &file)).await;
    let mut first = world.start("work", "first");
    world.until("a step is done", async || file.exists()).await;
    first.kill();

    let mut second = world.start("work --until-idle", "second");

    assert!(second.ended().await.success(), "{}", second.log());
    let detail = world.job(id).await;
    // A machine that is busy may make the second lose it too, for a while.
    assert_eq!((ends(&detail).first(), ends(&detail).last()), (Some(&"lost"), Some(&"completed")));
}

async fn a_worker_told_to_stop_lets_its_job_end_and_gives_back_the_rest_uncounted(mut world: World) {
    world.place = world.place.with("COMPLINE__WORKER__CONCURRENCY", "1");
    let quick: BTreeSet<_> = world.insert(&vec![world.row("system.noop", "{}"); 50]).await;
    let worker = world.start("work", "only");
    world.until("quick jobs earned it claims ahead", async || world.ended().await == quick).await;
    let file = world.place.path().join("keys");
    let mut rows = vec![world.steps(3, 400, &file)];
    rows.extend(vec![world.row("system.noop", "{}"); 20]);
    let ids: Vec<_> = world.insert(&rows).await.into_iter().collect();
    let (running, rest) = (ids[0], &ids[1..]);
    world.until("a step is done", async || file.exists()).await;
    assert_eq!(world.states(rest).await, BTreeSet::from([JobState::Running]), "claimed ahead of the slot");

    worker.stop().await;

    let done = world.job(running).await;
    assert_eq!((done.job.state, done.job.attempt), (JobState::Completed, 1));
    for id in rest {
        let detail = world.job(*id).await;
        assert_eq!((detail.job.state, detail.job.attempt), (JobState::Available, 0), "{id}");
        assert_eq!(ends(&detail), [""; 0], "{id}");
    }
    assert_eq!(world.store.workers().await.unwrap(), [], "it signed off");
}

async fn a_worker_told_twice_to_stop_gives_back_its_running_job_uncounted(world: World) {
    let id = world.enqueue("system.sleep", r#"{"ms":600000}"#).await;
    let worker = world.start("work", "only");
    world.until_state(id, JobState::Running).await;

    worker.stop_now().await;

    let detail = world.job(id).await;
    assert_eq!((detail.job.state, detail.job.attempt), (JobState::Available, 0));
    assert_eq!(ends(&detail), [""; 0]);
}

/// The runtime waited for every thread before the process could end, whatever the signals said.
async fn a_worker_told_twice_to_stop_does_not_wait_for_a_thread_that_is_stuck(world: World) {
    let path = world.place.path().join("keys");
    let file = std::fs::File::create(&path).unwrap();
    file.lock().unwrap();
    let worker = world.start("work", "only");
    let id = world.insert_one(world.steps(1, 0, &path)).await;
    world.until_state(id, JobState::Running).await;
    world.until("a thread waits for the lock", async || worker.waits_for_a_lock()).await;

    worker.stop_now().await;

    let detail = world.job(id).await;
    assert_eq!((detail.job.state, detail.job.attempt), (JobState::Available, 0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    drop(file);
}

async fn a_queue_paused_by_another_process_rests_and_goes_on_when_resumed(world: World) {
    let file = world.place.path().join("keys");
    let running = world.insert_one(world.steps(2, 300, &file)).await;
    let worker = world.start("work", "only");
    world.until_state(running, JobState::Running).await;

    world.place.run(&["queues", "pause", "default", "--reason", "month end"]).expect(0);
    let held = world.enqueue("system.noop", "{}").await;
    // Jobs of another queue, one after the other, show that it looked and looked again.
    for _ in 0..3 {
        let other = NewRow { queue: "other".into(), ..world.row("system.noop", "{}") };
        let other = world.insert_one(other).await;
        world.until_state(other, JobState::Completed).await;
    }
    world.until_state(running, JobState::Completed).await;
    let paused = world.job(held).await;
    assert_eq!((paused.job.state, paused.job.attempt), (JobState::Available, 0));

    world.place.run(&["queues", "resume", "default"]).expect(0);
    world.until_state(held, JobState::Completed).await;
    worker.stop().await;
}

async fn a_running_job_is_cancelled_by_another_process(world: World) {
    let id = world.enqueue("system.sleep", r#"{"ms":600000}"#).await;
    let mut worker = world.start("work", "only");
    world.until_state(id, JobState::Running).await;

    world.place.run(&["jobs", "cancel", &id.to_string()]).expect(0).says(&["asked to stop"]);

    world.until_state(id, JobState::Cancelled).await;
    assert!(worker.is_alive(), "only the job was to stop");
    let next = world.enqueue("system.noop", "{}").await;
    world.until_state(next, JobState::Completed).await;
    worker.stop().await;
}

/// It was ended by the signal itself, as one that crashes, until its store had answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_told_to_stop_before_its_store_answers_ends_well() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ada@{}/jobs", silent.local_addr().unwrap());
    let mut world = World::sqlite().await;
    world.place = world.place.with("COMPLINE__STORE__URL", &url);
    let mut worker = world.start("work", "only");
    // Held, and never answered.
    let _asked = silent.accept().await.unwrap();

    worker.terminate();

    let status = worker.ended().await;
    assert!(status.success(), "{status}: {}", worker.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_one_file() {
    let world = World::sqlite().await;
    let jobs = world.enqueue_steps(200, 2, 15).await;

    let servers = [world.start("serve", "left"), world.start("serve", "right")];
    world.until("all jobs ended", async || world.ended().await.len() >= jobs.len()).await;

    world.assert_each_completed_once(&jobs).await;
    world.assert_each_step_done_once(&jobs, 2);
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_may_go_away_in_the_middle_of_work_and_come_back() {
    let server = OwnServer::start();
    let world = World::at(Place::new(), server.url()).await;
    let jobs = world.enqueue_steps(200, 2, 15).await;
    let mut worker = world.start("work", "only");
    world.until("some jobs ended", async || world.ended().await.len() >= 40).await;

    server.stop();
    world.until("the worker said so", async || worker.log().contains("fails and will be tried")).await;
    server.start_again();
    world.until("all jobs ended", async || world.ended().await.len() >= jobs.len()).await;

    assert!(worker.is_alive());
    assert!(worker.log().contains("works again after"), "{}", worker.log());
    // It filled pages once: a line for every connection that the driver lost.
    assert!(!worker.log().contains("sqlx"), "{}", worker.log());
    world.assert_each_completed_once(&jobs).await;
    world.assert_each_step_done_once(&jobs, 2);
    worker.stop().await;
}

/// A store, a directory, and processes in it.
struct World {
    place: Place,
    url: String,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
    /// How many it is good for side by side: one writes at a time in SQLite.
    processes: usize,
}

/// Every job with the file that its steps write to.
type Jobs = BTreeMap<JobId, PathBuf>;

impl World {
    async fn sqlite() -> Self {
        let place = Place::new();
        let url = format!("sqlite://{}", place.path().join("jobs.db").display());
        Self::at(place, url).await
    }

    async fn postgres() -> Self {
        Self::at(Place::new(), database().await).await
    }

    async fn at(place: Place, url: String) -> Self {
        let folder = format!("[{:?}]", place.path());
        let place = place
            .with("COMPLINE__STORE__URL", &url)
            .with("COMPLINE__SYSTEM__ROOTS", &folder)
            .with("COMPLINE__WORKER__LEASE", "2s")
            .with("COMPLINE__WORKER__POLL", "200ms")
            .with("COMPLINE__WORKER__CONCURRENCY", "8");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store: Arc<dyn Store> = match url.starts_with("sqlite") {
            true => Arc::new(SqliteStore::open(&url, clock.clone()).await.unwrap()),
            false => PostgresStore::connect(&url, &PgOptions::default()).unwrap(),
        };
        store.migrate().await.unwrap();
        let processes = if url.starts_with("sqlite") { 2 } else { 4 };
        Self { place, url, store, ids: IdGenerator::new(clock.clone()), clock, processes }
    }

    fn start(&self, command: &str, name: &str) -> Process {
        let log = self.place.path().join(format!("{}.log", self.ids.next()));
        let output = std::fs::File::create(&log).unwrap();
        let child = self
            .place
            .command(&command.split(' ').collect::<Vec<_>>())
            .env("COMPLINE__WORKER__NAME", name)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Process { child, log, clock: self.clock.clone() }
    }

    fn row(&self, kind: &str, args: &str) -> NewRow {
        NewRow {
            id: self.ids.next(),
            kind: kind.into(),
            queue: "default".into(),
            priority: 5,
            max_attempts: 100,
            when: When::Now,
            args: args.into(),
            unique: None,
            tenant: None,
            tags: Vec::new(),
            metadata: None,
            after: Vec::new(),
            on_parent_failure: OnParentFailure::Cancel,
            comes_with: None,
            lane: None,
            uploads: Vec::new(),
            approval: None,
        }
    }

    fn steps(&self, n: u32, ms: u32, file: &std::path::Path) -> NewRow {
        self.row("system.steps", &serde_json::json!({ "n": n, "ms": ms, "file": file }).to_string())
    }

    async fn enqueue_steps(&self, jobs: usize, n: u32, ms: u32) -> Jobs {
        let files: Vec<_> = (0..4).map(|file| self.place.path().join(format!("keys-{file}"))).collect();
        let rows: Vec<_> = files.iter().cycle().take(jobs).map(|file| self.steps(n, ms, file)).collect();
        self.insert(&rows).await.into_iter().zip(files.iter().cycle().cloned()).collect()
    }

    /// The ids in the order of the rows, which is theirs.
    async fn insert(&self, rows: &[NewRow]) -> BTreeSet<JobId> {
        // Copies of a row are jobs of their own.
        let rows: Vec<_> = rows.iter().cloned().map(|row| NewRow { id: self.ids.next(), ..row }).collect();
        self.store
            .insert(&Scope::Installation, &rows, &ada())
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.id)
            .collect()
    }

    async fn insert_one(&self, row: NewRow) -> JobId {
        self.insert(&[row]).await.pop_first().unwrap()
    }

    async fn enqueue(&self, kind: &str, args: &str) -> JobId {
        self.insert_one(self.row(kind, args)).await
    }

    async fn job(&self, id: JobId) -> JobDetail {
        self.store.job(&Scope::Installation, id).await.unwrap().expect("a job that is there")
    }

    async fn states(&self, ids: &[JobId]) -> BTreeSet<JobState> {
        let filter = JobFilter { ids: ids.to_vec(), limit: Some(ids.len()), ..JobFilter::default() };
        self.store
            .jobs(&Scope::Installation, &filter)
            .await
            .unwrap()
            .into_iter()
            .map(|job| job.state)
            .collect()
    }

    /// Nobody while the store does not answer.
    async fn ended(&self) -> BTreeSet<JobId> {
        let states = vec![JobState::Completed, JobState::Cancelled, JobState::Discarded];
        let filter = JobFilter { states, limit: Some(10_000), ..JobFilter::default() };
        self.store
            .jobs(&Scope::Installation, &filter)
            .await
            .unwrap_or_default()
            .into_iter()
            .map(|job| job.id)
            .collect()
    }

    async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let deadline = self.clock.steady() + PATIENCE;
        while !condition().await {
            assert!(self.clock.steady() < deadline, "never came true: {what}");
            self.clock.sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until_state(&self, id: JobId, state: JobState) {
        self.until(&format!("job {id} is {state}"), async || self.job(id).await.job.state == state).await;
    }

    async fn assert_each_completed_once(&self, jobs: &Jobs) {
        let all = JobFilter { limit: Some(10_000), ..JobFilter::default() };
        let rows = self.store.jobs(&Scope::Installation, &all).await.unwrap();
        let ended: Vec<_> = rows.iter().map(|row| (row.id, row.state)).collect();
        let expected: Vec<_> = jobs.keys().rev().map(|id| (*id, JobState::Completed)).collect();
        assert_eq!(ended, expected);
        for row in rows.iter().filter(|row| row.attempt > 1) {
            let detail = self.job(row.id).await;
            let mut ends = ends(&detail);
            assert_eq!(ends.len(), usize::from(row.attempt), "{}: {ends:?}", row.id);
            assert_eq!(ends.pop(), Some("completed"), "{}", row.id);
            assert!(ends.iter().all(|end| ["lost", "failed"].contains(end)), "{}: {ends:?}", row.id);
        }
    }

    fn assert_each_step_done_once(&self, jobs: &Jobs, n: u32) {
        let mut expected: BTreeMap<&PathBuf, Vec<String>> = BTreeMap::new();
        for (id, file) in jobs {
            let keys = (1..=n).map(|step| StepKey::derive(*id, &format!("step {step}")).as_str().to_owned());
            expected.entry(file).or_default().extend(keys);
        }
        for (file, mut keys) in expected {
            let text = std::fs::read_to_string(file).unwrap();
            let mut lines: Vec<_> = text.lines().collect();
            keys.sort_unstable();
            lines.sort_unstable();
            // A kill in the middle of a write may leave the beginning of a key on a line of its own.
            lines.retain(|line| line.len() == keys[0].len());
            assert_eq!(lines, keys, "{}", file.display());
        }
    }
}

/// How each attempt ended.
fn ends(detail: &JobDetail) -> Vec<&str> {
    detail.attempts.iter().map(|attempt| attempt.end.as_str()).collect()
}

/// A process that does not outlive its test.
struct Process {
    child: Child,
    log: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Process {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Linux lists who waits behind which lock.
    fn waits_for_a_lock(&self) -> bool {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let id = self.child.id().to_string();
        locks.lines().any(|line| line.contains("->") && line.split_whitespace().any(|word| word == id))
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL; it is gone when this returns.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        let deadline = self.clock.steady() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(self.clock.steady() < deadline, "it does not end: {}", self.log());
            self.clock.sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGTERM, and all is well in the end. Not before it hears signals, which is before it first says something.
    async fn stop(mut self) {
        let deadline = self.clock.steady() + PATIENCE;
        while self.log().is_empty() {
            assert!(self.is_alive() && self.clock.steady() < deadline, "it says nothing");
            self.clock.sleep(Duration::from_millis(10)).await;
        }
        assert!(self.is_alive(), "{}", self.log());
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// SIGTERM again and again, as an impatient person does, since two at once are one to a process.
    async fn stop_now(mut self) {
        let told: Timestamp = self.clock.now();
        while self.is_alive() {
            self.terminate();
            self.clock.sleep(Duration::from_millis(20)).await;
            let since = self.clock.now().duration_since(told).unsigned_abs();
            assert!(since < Duration::from_secs(10), "it waits for its job: {}", self.log());
        }
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
