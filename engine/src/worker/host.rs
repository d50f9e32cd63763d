//! The engine as one running attempt sees it: each write carries the attempt's fence, so that an attempt
//! that has lost its job can change nothing, and is sealed if the kind is encrypted.

mod models;
mod records;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jobkit::{
    Admission, Artifacts, AuditEntry, CallEnd, ChildResult, Ctx, HoldOff, Host, HostError, JobId, Models,
    NewJob, Progress, Records, StepRecord, UploadId,
};

use super::attempt::Attempts;
use super::sealing::Sealing;
use crate::limits::limiter::{Calls, CallsError};
use crate::seal::Part;
use crate::uploads::FetchError;
use store::rule::Lane;
use store::{self, Actor, Attempting, Held, JobFilter, Scope, Taken, chain};
use uuid::Uuid;

impl From<CallsError> for HostError {
    fn from(problem: CallsError) -> Self {
        HostError::Refused(problem.to_string())
    }
}

impl From<FetchError> for HostError {
    fn from(problem: FetchError) -> Self {
        match problem {
            FetchError::Store(problem) => problem.into(),
            FetchError::Changed(_) => HostError::Refused(problem.to_string()),
            // Another machine may have it, or this one may later.
            FetchError::Elsewhere(_) | FetchError::Disk { .. } => HostError::Store(problem.into()),
        }
    }
}

pub struct AttemptHost {
    engine: Arc<Attempts>,
    held: Held,
    kind: String,
    encrypted: bool,
    lane: Option<Lane>,
}

impl AttemptHost {
    pub fn new(engine: Arc<Attempts>, held: Held, kind: String, encrypted: bool, lane: Option<Lane>) -> Self {
        Self { engine, held, kind, encrypted, lane }
    }

    /// Who writes, and how the audit log names it.
    fn attempting(&self, ctx: &Ctx) -> Attempting {
        let by = Actor::new(format!("job:{} ({})", self.held.job, self.kind));
        Attempting { held: self.held, by, tenant: ctx.job().tenant.clone() }
    }

    fn sealing(&self) -> Sealing<'_> {
        Sealing { keyring: &self.engine.keyring, job: self.held.job, encrypted: self.encrypted }
    }
}

impl Host for AttemptHost {
    fn steps<'a>(&'a self, _: &'a Ctx) -> BoxFuture<'a, Result<Vec<StepRecord>, HostError>> {
        async {
            let mut steps = self.engine.store.steps(self.held).await?;
            for step in &mut steps {
                self.engine.keyring.open_step(self.held.job, step)?;
            }
            Ok(steps)
        }
        .boxed()
    }

    fn save_step<'a>(&'a self, _: &'a Ctx, step: &'a StepRecord) -> BoxFuture<'a, Result<(), HostError>> {
        async { Ok(self.engine.store.save_step(self.held, &self.sealing().step(step)?).await?) }.boxed()
    }

    fn progress<'a>(&'a self, _: &'a Ctx, progress: &'a Progress) -> BoxFuture<'a, Result<(), HostError>> {
        async {
            let progress = self.sealing().progress(progress);
            Ok(self.engine.store.save_progress(self.held, &progress).await?)
        }
        .boxed()
    }

    fn spawn<'a>(
        &'a self,
        ctx: &'a Ctx,
        step: &'a str,
        children: Vec<NewJob>,
    ) -> BoxFuture<'a, Result<Vec<JobId>, HostError>> {
        async move {
            // A child belongs to whom its parent belongs.
            let children = children.into_iter().map(|mut child| {
                child.tenant = child.tenant.or_else(|| ctx.job().tenant.clone());
                child
            });
            let children: Vec<NewJob> = children.collect();
            if children.iter().any(|child| child.callback.is_some()) {
                let why = "callback: the child of a running job has none; the job waits for it instead";
                return Err(HostError::Refused(why.into()));
            }
            let queue = &self.engine.queue;
            queue.freshen().await?;
            let rows = queue.children(children).map_err(|error| HostError::Refused(chain(&error)))?;
            let record = StepRecord {
                name: step.into(),
                key: ctx.step_key(step),
                // The store knows which of them were there already.
                result: None,
                attempt: ctx.job().attempt,
                at: ctx.clock().now(),
            };
            let by = Actor::new(format!("job:{}", self.held.job));
            let ids = self.engine.store.spawn(self.held, &record, &rows, &by).await?;
            queue.ring_for(&rows);
            Ok(ids)
        }
        .boxed()
    }

    fn children<'a>(
        &'a self,
        ctx: &'a Ctx,
        ids: &'a [JobId],
    ) -> BoxFuture<'a, Result<Vec<ChildResult>, HostError>> {
        async move {
            let filter = JobFilter { ids: ids.to_vec(), limit: Some(ids.len()), ..JobFilter::default() };
            // Other tenants' jobs are as those that never were.
            let scope = ctx.job().tenant.clone().map_or(Scope::Installation, Scope::Tenant);
            let found = self.engine.store.jobs(&scope, &filter).await?;
            let child = |id: &JobId| {
                let Some(job) = found.iter().find(|job| job.id == *id) else {
                    let state = "unknown".to_owned();
                    return Ok(ChildResult { id: *id, state, result: None, error: None, attempts: 0 });
                };
                let reveal = |part, text: &Option<String>| {
                    let text = text.clone().map(|text| self.engine.keyring.reveal(job.id, part, text));
                    text.transpose().map_err(HostError::from)
                };
                let result = reveal(Part::Result, &job.result)?;
                Ok(ChildResult {
                    id: *id,
                    state: job.state.name().into(),
                    result: result.and_then(|json| serde_json::from_str(&json).ok()),
                    error: reveal(Part::Error, &job.error)?,
                    attempts: job.attempt,
                })
            };
            ids.iter().map(child).collect()
        }
        .boxed()
    }

    fn installation(&self) -> BoxFuture<'_, Result<Uuid, HostError>> {
        async { Ok(self.engine.store.installation().await?) }.boxed()
    }

    fn artifacts(&self) -> &dyn Artifacts {
        &*self.engine.artifacts
    }

    fn records(&self) -> &dyn Records {
        self
    }

    fn models(&self) -> &dyn Models {
        self
    }

    fn hold_off<'a>(
        &'a self,
        ctx: &'a Ctx,
        what: HoldOff<'a>,
        wait: Duration,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            let what = match what {
                HoldOff::Queue => store::HoldOff::Queue(ctx.job().queue.clone()),
                HoldOff::Calls { limit, key } => {
                    self.engine.calls.rate(limit, 1)?;
                    store::HoldOff::Bucket(Calls::bucket(limit, key))
                }
                HoldOff::Limit(name) => {
                    let bucket = self.lane.as_ref().and_then(|lane| lane.bucket_of(name));
                    let unknown = || HostError::Refused(format!("limit `{name}` does not hold for this job"));
                    store::HoldOff::Bucket(bucket.ok_or_else(unknown)?.to_owned())
                }
            };
            let by = Actor::new(format!("job:{} ({})", self.held.job, self.kind));
            self.engine.store.hold_off(self.held, &what, wait, &by, reason).await?;
            if let store::HoldOff::Bucket(bucket) = &what {
                self.engine.calls.limiter.paused(bucket).await;
            }
            Ok(())
        }
        .boxed()
    }

    fn take<'a>(
        &'a self,
        limit: &'a str,
        key: &'a str,
        count: u32,
    ) -> BoxFuture<'a, Result<Admission, HostError>> {
        async move {
            let calls = &self.engine.calls;
            let rate = calls.rate(limit, count)?;
            Ok(match calls.limiter.take(&Calls::bucket(limit, key), rate, count).await? {
                Taken::Granted => Admission::Go,
                Taken::Wait(wait) => Admission::Wait(wait),
            })
        }
        .boxed()
    }

    fn enter_breaker<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Admission, HostError>> {
        async { Ok(self.engine.store.enter_breaker(name, self.engine.breakers).await?) }.boxed()
    }

    fn leave_breaker<'a>(&'a self, name: &'a str, end: CallEnd) -> BoxFuture<'a, Result<(), HostError>> {
        async move { Ok(self.engine.store.leave_breaker(name, end, self.engine.breakers).await?) }.boxed()
    }

    fn fetch_upload<'a>(
        &'a self,
        _: &'a Ctx,
        upload: UploadId,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<u64, HostError>> {
        async move {
            let by = Actor::new(format!("job:{} ({})", self.held.job, self.kind));
            Ok(self.engine.uploads.fetch(self.held, upload, into, &by).await?)
        }
        .boxed()
    }

    fn audit<'a>(&'a self, ctx: &'a Ctx, mut entry: AuditEntry) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            entry.actor = format!("job:{} ({})", self.held.job, self.kind);
            entry.tenant = ctx.job().tenant.clone();
            Ok(self.engine.store.save_audit(self.held, &entry).await?)
        }
        .boxed()
    }
}
