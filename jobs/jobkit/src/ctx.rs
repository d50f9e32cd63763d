//! What one attempt holds in its hand while it runs: the durable steps, progress, log, cancellation,
//! children, artifacts and the clock. What it writes into the store goes through the engine's [`Host`] port and
//! is refused once the attempt has lost its lease; artifacts are files, and each run has names of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ports::{Admission, Artifacts, AuditEntry, CallEnd, ChildResult, HoldOff, Host, HostError, Owner};
use crate::{Clock, Failure, JobId, Models, NewJob, Outcome, Records, StepKey, StepRecord, UploadId};

/// An attempt sleeps so long for its turn to call; to come again costs more.
const A_MOMENT: Duration = Duration::from_secs(2);

/// The job this attempt belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInfo {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    /// From 1. One that is given back leaves its number to the next.
    pub attempt: u16,
    /// Tells this run from every other run of the job; that of a later one is larger.
    pub claim: u64,
    pub max_attempts: u16,
    pub tenant: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Option<Value>,
}

impl JobInfo {
    /// Whose the files are that this run writes.
    pub fn owner(&self) -> Owner {
        Owner { job: self.id, claim: self.claim }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Info,
    Warn,
    Error,
}

/// Kept with the attempt and shown with it; never put a secret or personal data in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Timestamp,
    pub level: LogLevel,
    pub text: String,
}

/// How far the attempt is. `total` 0 means that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    pub message: String,
}

/// A job that talks without end must not fill the store.
const MOST_LOG_LINES: usize = 1_000;

pub struct Ctx {
    job: JobInfo,
    host: Arc<dyn Host>,
    clock: Arc<dyn Clock>,
    cancelled: CancellationToken,
    log: Mutex<Vec<LogLine>>,
    /// What earlier attempts left; read once, when the first step asks.
    steps: tokio::sync::Mutex<Option<BTreeMap<String, StepRecord>>>,
}

impl Ctx {
    pub fn new(
        job: JobInfo,
        host: Arc<dyn Host>,
        clock: Arc<dyn Clock>,
        cancelled: CancellationToken,
    ) -> Self {
        Self { job, host, clock, cancelled, log: Mutex::default(), steps: tokio::sync::Mutex::new(None) }
    }

    pub fn job(&self) -> &JobInfo {
        &self.job
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Runs `effect` once in the life of the job and remembers what it returned.
    ///
    /// A crash after the effect and before its result is stored lets it run again: give the key to the
    /// other side, which then answers with what it did the first time.
    pub async fn step<T, E, Fut>(&self, name: &str, effect: impl FnOnce(StepKey) -> Fut) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Failure>,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(StepRecord { result: Some(result), .. }) = self.recall(name).await? {
            return remembered(name, result);
        }
        self.stop_if_cancelled()?;
        let result = effect(self.step_key(name)).await.map_err(Into::into)?;
        self.remember(name, Some(&result)).await?;
        Ok(result)
    }

    /// For a world without idempotency keys: the intent is stored first, and an attempt that finds an
    /// intent without a result asks `look` whether the effect is there before it acts again.
    pub async fn step_looking_first<T, E, Look, Act>(
        &self,
        name: &str,
        look: impl FnOnce(StepKey) -> Look,
        act: impl FnOnce(StepKey) -> Act,
    ) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Failure>,
        Look: Future<Output = Result<Option<T>, E>>,
        Act: Future<Output = Result<T, E>>,
    {
        let found = match self.recall(name).await? {
            Some(StepRecord { result: Some(result), .. }) => return remembered(name, result),
            Some(_) => {
                self.stop_if_cancelled()?;
                look(self.step_key(name)).await.map_err(Into::into)?
            }
            None => {
                self.stop_if_cancelled()?;
                self.remember::<T>(name, None).await?;
                None
            }
        };
        let result = match found {
            Some(result) => result,
            None => act(self.step_key(name)).await.map_err(Into::into)?,
        };
        self.remember(name, Some(&result)).await?;
        Ok(result)
    }

    /// Enqueues child jobs, once, as a step; the ids are the same at every attempt.
    pub async fn spawn(&self, name: &str, children: Vec<NewJob>) -> Result<Vec<JobId>, Failure> {
        if let Some(StepRecord { result: Some(result), .. }) = self.recall(name).await? {
            return remembered(name, result);
        }
        self.stop_if_cancelled()?;
        let ids = self.host.spawn(self, name, children).await?;
        let result = serde_json::to_value(&ids).map_err(Failure::permanent)?;
        self.note(self.record(name, Some(result))).await;
        Ok(ids)
    }

    /// How each of these ended, in the order asked.
    pub async fn children(&self, ids: &[JobId]) -> Result<Vec<ChildResult>, Failure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.host.children(self, ids).await?)
    }

    pub fn step_key(&self, name: &str) -> StepKey {
        StepKey::derive(self.job.id, name)
    }

    /// Tells people how far this is. Losing one does no harm, so failing to tell is no failure.
    pub async fn progress(&self, done: u64, total: u64, message: impl Into<String>) {
        let progress = Progress { done, total, message: message.into() };
        if let Err(error) = self.host.progress(self, &progress).await {
            self.log(LogLevel::Warn, format!("progress was not stored: {error}"));
        }
    }

    pub fn log(&self, level: LogLevel, text: impl Into<String>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |text| LogLine { at: self.clock.now(), level, text };
        match log.len() {
            n if n < MOST_LOG_LINES => log.push(line(text.into())),
            MOST_LOG_LINES => {
                log.push(line(format!("further lines were dropped: {MOST_LOG_LINES} are kept")));
            }
            _ => {}
        }
    }

    pub fn info(&self, text: impl Into<String>) {
        self.log(LogLevel::Info, text);
    }

    /// What was logged so far; the engine takes it when the attempt ends.
    pub fn take_log(&self) -> Vec<LogLine> {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fires when the job is cancelled, times out, loses its lease or must make way for a shutdown.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    pub fn stop_if_cancelled(&self) -> Result<(), Failure> {
        match self.cancelled.is_cancelled() {
            true => Err(Failure::Interrupted("asked to stop".into())),
            false => Ok(()),
        }
    }

    pub async fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = self.clock.sleep(duration) => Ok(()),
            () = self.cancelled.cancelled() => self.stop_if_cancelled(),
        }
    }

    /// CPU-bound work, off the runtime; it is given the token so that it can stop between its pieces.
    pub async fn cpu<T: Send + 'static>(
        &self,
        work: impl FnOnce(CancellationToken) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let token = self.cancelled.clone();
        tokio::task::spawn_blocking(move || work(token)).await.map_err(Failure::transient)
    }

    /// Which installation this is: a name that was drawn with the database, by which others can know again what is ours. A restored database has
    /// the one that it had, and so has a copy.
    pub async fn installation(&self) -> Result<Uuid, HostError> {
        self.host.installation().await
    }

    pub fn artifacts(&self) -> &dyn Artifacts {
        self.host.artifacts()
    }

    /// The list of models that jobs made.
    pub fn models(&self) -> &dyn Models {
        self.host.models()
    }

    /// What the family keeps of things beyond this job.
    pub fn records(&self) -> &dyn Records {
        self.host.records()
    }

    /// Brings an upload into a file, whole and as it was received. What is not this job's, or not there any more, is refused.
    pub async fn fetch_upload(&self, upload: UploadId, into: &Path) -> Result<u64, HostError> {
        self.host.fetch_upload(self, upload, into).await
    }

    /// Writes down who did what to which thing; the engine adds that it was this job.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), Failure> {
        Ok(self.host.audit(self, entry).await?)
    }

    /// A provider asked for time, or is known to be down: nothing of this queue, or of this job's bucket under a
    /// limit, starts for so long, on any machine. Return what this returns; the job runs again then, and no
    /// attempt is used.
    pub async fn hold_off(
        &self,
        what: HoldOff<'_>,
        wait: Duration,
        reason: &str,
    ) -> Result<Outcome, Failure> {
        self.host.hold_off(self, what, wait, reason).await?;
        Ok(Outcome::Snooze(wait))
    }

    /// Before calls to a provider: takes `count` of a limit on calls (`[calls.NAME]`), which all jobs and processes share,
    /// with a bucket for each key. Waits for a moment; where it would be longer the job comes again, and no
    /// attempt is used: `Failure::NotNow`.
    pub async fn take(&self, limit: &str, key: &str, count: u32) -> Result<(), Failure> {
        loop {
            match self.host.take(limit, key, count).await? {
                Admission::Go => return Ok(()),
                Admission::Wait(wait) if wait <= A_MOMENT => self.sleep(wait).await?,
                Admission::Wait(after) => {
                    let why = format!("limit `{limit}` is used up for a while");
                    return Err(Failure::NotNow { after, why });
                }
            }
        }
    }

    /// The circuit breaker of this name, which all jobs and processes share: one for each thing that fails as a
    /// whole, such as a provider or an account.
    pub fn breaker<'a>(&'a self, name: &'a str) -> Breaker<'a> {
        Breaker { ctx: self, name }
    }

    async fn recall(&self, name: &str) -> Result<Option<StepRecord>, Failure> {
        let mut steps = self.steps.lock().await;
        if steps.is_none() {
            let records = self.host.steps(self).await?;
            *steps = Some(records.into_iter().map(|record| (record.name.clone(), record)).collect());
        }
        Ok(steps.as_ref().and_then(|steps| steps.get(name).cloned()))
    }

    async fn remember<T: Serialize>(&self, name: &str, result: Option<&T>) -> Result<(), Failure> {
        let result = result.map(serde_json::to_value).transpose().map_err(Failure::permanent)?;
        let record = self.record(name, result);
        self.host.save_step(self, &record).await?;
        self.note(record).await;
        Ok(())
    }

    async fn note(&self, record: StepRecord) {
        if let Some(steps) = self.steps.lock().await.as_mut() {
            steps.insert(record.name.clone(), record);
        }
    }

    fn record(&self, name: &str, result: Option<Value>) -> StepRecord {
        StepRecord {
            name: name.into(),
            key: self.step_key(name),
            result,
            attempt: self.job.attempt,
            at: self.clock.now(),
        }
    }
}

/// Keeps jobs from calling a provider that fails, so that each does not find out for itself.
pub struct Breaker<'a> {
    ctx: &'a Ctx,
    name: &'a str,
}

impl Breaker<'_> {
    /// Calls, and counts a transient failure against the other side; a permanent one is an answer. While the
    /// breaker is open nothing is called, and the job comes again: `Failure::NotNow`.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let host = &self.ctx.host;
        if let Admission::Wait(after) = host.enter_breaker(self.name).await? {
            let why = format!("`{}` failed too often and is not called for a while", self.name);
            return Err(Failure::NotNow { after, why });
        }
        let called = tokio::select! {
            called = call => called,
            () = self.ctx.cancelled.cancelled() => Err(Failure::Interrupted("asked to stop".into())),
        };
        let end = match &called {
            Ok(_) | Err(Failure::Permanent(_)) => CallEnd::Answered,
            Err(Failure::Transient(_) | Failure::RetryAfter { .. }) => CallEnd::Failed,
            Err(Failure::StoreAway(_) | Failure::NotNow { .. } | Failure::Interrupted(_)) => CallEnd::Unknown,
        };
        // What the call gave is worth more than what the breaker learns from it.
        if let Err(error) = host.leave_breaker(self.name, end).await {
            self.ctx
                .log(LogLevel::Warn, format!("how a call to `{}` ended was not noted: {error}", self.name));
        }
        called
    }
}

fn remembered<T: DeserializeOwned>(name: &str, result: Value) -> Result<T, Failure> {
    serde_json::from_value(result).map_err(|cause| {
        Failure::permanent(format!(
            "step `{name}` was done by an older version whose result cannot be read: {cause}"
        ))
    })
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        match error {
            HostError::LeaseLost => Failure::Interrupted("the lease was lost".into()),
            HostError::Away(_) => Failure::StoreAway(error.into()),
            HostError::Store(_) => Failure::transient(error),
            HostError::Refused(_) => Failure::permanent(error),
        }
    }
}
