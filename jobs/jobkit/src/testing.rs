//! Runs a job without an engine: fakes for the ports, a clock that a test holds, and the two questions
//! every job must answer, [`run_twice`] and [`crash_at_every_step`].

mod clock;
mod host;
mod ports;
mod records;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

pub use self::clock::ManualClock;
pub use self::host::{Crash, FakeHost};
pub use self::ports::{FakeDatabases, FakeMailer, FakeModels, FakeObjects, FakeSecrets};
pub use self::records::FakeRecords;
use crate::ctx::JobInfo;
use crate::{Ctx, Failure, IdGenerator, Job, JobId, Outcome};

/// One job on its bench: the same id and memory over all its attempts.
pub struct Bench {
    pub clock: Arc<ManualClock>,
    pub host: Arc<FakeHost>,
    pub id: JobId,
    claims: AtomicU64,
}

impl Default for Bench {
    fn default() -> Self {
        let clock = Arc::new(ManualClock::default());
        let id = IdGenerator::new(clock.clone()).next();
        Self { host: Arc::new(FakeHost::default()), clock, id, claims: AtomicU64::new(1) }
    }
}

impl Bench {
    /// Another job in the same world.
    pub fn beside(&self) -> Self {
        let id = IdGenerator::new(self.clock.clone()).next();
        Self { clock: self.clock.clone(), host: self.host.clone(), id, claims: AtomicU64::new(1) }
    }

    /// Each is another claim of the job, also with the number of an earlier attempt.
    pub fn ctx(&self, kind: &str, attempt: u16) -> Ctx {
        self.ctx_of(kind, attempt, None)
    }

    /// As `ctx`, of a job that is a tenant's.
    pub fn ctx_of(&self, kind: &str, attempt: u16, tenant: Option<&str>) -> Ctx {
        let job = JobInfo {
            id: self.id,
            kind: kind.into(),
            queue: "default".into(),
            attempt,
            claim: self.claims.fetch_add(1, Ordering::Relaxed),
            max_attempts: u16::MAX,
            tenant: tenant.map(str::to_owned),
            tags: Vec::new(),
            metadata: None,
        };
        Ctx::new(job, self.host.clone(), self.clock.clone(), CancellationToken::new())
    }

    pub async fn run<J: Job>(&self, job: &J, args: &J::Args, attempt: u16) -> Result<Outcome, Failure> {
        job.run(copy::<J>(args), &self.ctx(J::KIND, attempt)).await
    }
}

/// Runs the job once, alone.
pub async fn run<J: Job>(job: &J, args: &J::Args) -> Result<Outcome, Failure> {
    Bench::default().run(job, args, 1).await
}

/// Runs the same job a second time, as after a report that was lost. Both outcomes are returned; the
/// caller asks its fakes whether anything in the world happened twice.
pub async fn run_twice<J: Job>(
    job: &J,
    args: &J::Args,
) -> (Result<Outcome, Failure>, Result<Outcome, Failure>) {
    let bench = Bench::default();
    let first = bench.run(job, args, 1).await;
    let second = bench.run(job, args, 2).await;
    (first, second)
}

/// For every step the job stores, kills the attempt just before and just after the result is stored, then
/// runs the job to its end. `fresh` makes the job with a new world each time; `check` looks at that world.
/// Returns how many crashes were tried, so that a caller can see that there were any.
pub async fn crash_at_every_step<J: Job, World>(
    args: &J::Args,
    mut fresh: impl FnMut() -> (J, World),
    mut check: impl FnMut(&Outcome, &World),
) -> Result<usize, Failure> {
    let mut tried = 0;
    for point in 0.. {
        for crash in [Crash::BeforeStored(point), Crash::AfterStored(point)] {
            let (job, world) = fresh();
            let bench = Bench::default();
            bench.host.crash_at(crash);
            let ctx = bench.ctx(J::KIND, 1);
            let crashed = tokio::select! {
                biased;
                () = bench.host.crashed() => true,
                ended = job.run(copy::<J>(args), &ctx) => {
                    check(&ended?, &world);
                    false
                }
            };
            if !crashed {
                return Ok(tried);
            }
            tried += 1;
            let outcome = bench.run(&job, args, 2).await?;
            check(&outcome, &world);
        }
    }
    Ok(tried)
}

#[expect(clippy::expect_used, reason = "arguments that do not survive their own serialisation fail the test")]
fn copy<J: Job>(args: &J::Args) -> J::Args {
    let json = serde_json::to_string(args).expect("args serialise");
    serde_json::from_str(&json).expect("args deserialise from what they serialise to")
}

#[cfg(test)]
mod tests;
