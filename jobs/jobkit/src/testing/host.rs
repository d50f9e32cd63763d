//! The engine as a job sees it, in memory, able to die at a chosen step.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::Notify;
use uuid::Uuid;

use super::ports::FakeModels;
use super::records::FakeRecords;
use crate::ports::{
    Admission, Artifact, Artifacts, Audit, AuditEntry, CallEnd, ChildResult, HoldOff, Host, HostError, Owner,
    PortError, PutNewError, Reading,
};
use crate::records::{Put, Record, RecordChange, RecordFilter, RecordId, Records};
use crate::{Ctx, IdGenerator, JobId, Models, NewJob, Progress, StepRecord, UploadId};

/// Where the attempt dies, counted in stores of step records from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    BeforeStored(usize),
    AfterStored(usize),
}

#[derive(Default)]
pub struct FakeHost {
    state: Mutex<State>,
    crashed: Notify,
    artifacts: FakeArtifacts,
    models: FakeModels,
    records: FakeRecords,
}

#[derive(Default)]
struct State {
    steps: BTreeMap<(JobId, String), StepRecord>,
    progress: Vec<Progress>,
    children: Vec<(JobId, NewJob)>,
    ended: BTreeMap<JobId, ChildResult>,
    audit: Vec<AuditEntry>,
    held_off: Vec<HeldOff>,
    open_breakers: BTreeMap<String, Duration>,
    calls: Vec<(String, CallEnd)>,
    used_up: BTreeMap<String, Duration>,
    taken: Vec<(String, String, u32)>,
    uploads: BTreeMap<UploadId, Vec<u8>>,
    installation: Uuid,
    stores: usize,
    crash: Option<Crash>,
}

impl FakeHost {
    pub fn crash_at(&self, crash: Crash) {
        self.lock().crash = Some(crash);
    }

    /// Resolves when the chosen step was reached; the attempt then hangs and is to be dropped.
    pub async fn crashed(&self) {
        self.crashed.notified().await;
    }

    pub fn progress(&self) -> Vec<Progress> {
        self.lock().progress.clone()
    }

    pub fn spawned(&self) -> Vec<(JobId, NewJob)> {
        self.lock().children.clone()
    }

    pub fn steps(&self) -> Vec<StepRecord> {
        self.lock().steps.values().cloned().collect()
    }

    pub fn audit(&self) -> Vec<AuditEntry> {
        self.lock().audit.clone()
    }

    pub fn held_off(&self) -> Vec<HeldOff> {
        self.lock().held_off.clone()
    }

    /// The next that takes from this limit on calls must wait.
    pub fn use_up(&self, limit: &str, wait: Duration) {
        self.lock().used_up.insert(limit.into(), wait);
    }

    /// What was taken from limits on calls: which, for which key, how many.
    pub fn taken(&self) -> Vec<(String, String, u32)> {
        self.lock().taken.clone()
    }

    /// A breaker that admits nobody for so long.
    pub fn open_breaker(&self, name: &str, wait: Duration) {
        self.lock().open_breakers.insert(name.into(), wait);
    }

    /// What breakers were told of calls.
    pub fn calls(&self) -> Vec<(String, CallEnd)> {
        self.lock().calls.clone()
    }

    /// Says how a child ended, for the attempt that comes after the wait.
    pub fn child_ended(&self, child: ChildResult) {
        self.lock().ended.insert(child.id, child);
    }

    /// A file that somebody handed in.
    pub fn upload(&self, id: UploadId, bytes: impl Into<Vec<u8>>) {
        self.lock().uploads.insert(id, bytes.into());
    }

    /// The host is of another installation from now on.
    pub fn is_of(&self, installation: Uuid) {
        self.lock().installation = installation;
    }

    /// What is kept of things; it outlives the job, and several hosts may share it.
    pub fn kept(&self) -> &FakeRecords {
        &self.records
    }

    pub fn stored_artifacts(&self) -> BTreeMap<String, Vec<u8>> {
        self.artifacts.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores with the crash around it; true means that the attempt is dead now.
    fn store(&self, store: impl FnOnce(&mut State)) -> bool {
        let mut state = self.lock();
        let point = state.stores;
        state.stores += 1;
        if state.crash != Some(Crash::BeforeStored(point)) {
            store(&mut state);
        }
        let dies = matches!(state.crash, Some(Crash::BeforeStored(p) | Crash::AfterStored(p)) if p == point);
        if dies {
            state.crash = None;
            self.crashed.notify_one();
        }
        dies
    }
}

impl Host for FakeHost {
    fn steps<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Vec<StepRecord>, HostError>> {
        let job = ctx.job().id;
        let steps = self
            .lock()
            .steps
            .iter()
            .filter(|((id, _), _)| *id == job)
            .map(|(_, step)| step.clone())
            .collect();
        async move { Ok(steps) }.boxed()
    }

    fn save_step<'a>(&'a self, ctx: &'a Ctx, step: &'a StepRecord) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            let dead = self.store(|state| {
                state.steps.insert((ctx.job().id, step.name.clone()), step.clone());
            });
            if dead {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
        .boxed()
    }

    fn progress<'a>(&'a self, _: &'a Ctx, progress: &'a Progress) -> BoxFuture<'a, Result<(), HostError>> {
        self.lock().progress.push(progress.clone());
        async { Ok(()) }.boxed()
    }

    fn spawn<'a>(
        &'a self,
        ctx: &'a Ctx,
        step: &'a str,
        children: Vec<NewJob>,
    ) -> BoxFuture<'a, Result<Vec<JobId>, HostError>> {
        async move {
            let clock = std::sync::Arc::new(super::ManualClock::at(ctx.clock().now()));
            let ids = IdGenerator::new(clock);
            let made: Vec<_> = children.into_iter().map(|child| (ids.next(), child)).collect();
            let result: Vec<_> = made.iter().map(|(id, _)| *id).collect();
            let record = StepRecord {
                name: step.into(),
                key: ctx.step_key(step),
                result: serde_json::to_value(&result).ok(),
                attempt: ctx.job().attempt,
                at: ctx.clock().now(),
            };
            let dead = self.store(|state| {
                state.children.extend(made);
                state.steps.insert((ctx.job().id, step.into()), record);
            });
            if dead {
                std::future::pending::<()>().await;
            }
            Ok(result)
        }
        .boxed()
    }

    fn children<'a>(
        &'a self,
        _: &'a Ctx,
        ids: &'a [JobId],
    ) -> BoxFuture<'a, Result<Vec<ChildResult>, HostError>> {
        let state = self.lock();
        let running =
            |id| ChildResult { id, state: "running".into(), result: None, error: None, attempts: 1 };
        let found =
            ids.iter().map(|id| state.ended.get(id).cloned().unwrap_or_else(|| running(*id))).collect();
        async move { Ok(found) }.boxed()
    }

    fn installation(&self) -> BoxFuture<'_, Result<Uuid, HostError>> {
        let installation = self.lock().installation;
        async move { Ok(installation) }.boxed()
    }

    fn artifacts(&self) -> &dyn Artifacts {
        &self.artifacts
    }

    fn models(&self) -> &dyn Models {
        &self.models
    }

    fn records(&self) -> &dyn Records {
        self
    }

    fn fetch_upload<'a>(
        &'a self,
        _: &'a Ctx,
        upload: UploadId,
        into: &'a Path,
    ) -> BoxFuture<'a, Result<u64, HostError>> {
        let found = self.lock().uploads.get(&upload).cloned();
        async move {
            let bytes = found.ok_or_else(|| HostError::Refused(format!("there is no upload {upload}")))?;
            std::fs::write(into, &bytes).map_err(|cause| HostError::Store(cause.into()))?;
            Ok(bytes.len() as u64)
        }
        .boxed()
    }

    fn audit<'a>(&'a self, _: &'a Ctx, entry: AuditEntry) -> BoxFuture<'a, Result<(), HostError>> {
        self.lock().audit.push(entry);
        async { Ok(()) }.boxed()
    }

    fn hold_off<'a>(
        &'a self,
        _: &'a Ctx,
        what: HoldOff<'a>,
        wait: Duration,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        let limit = match what {
            HoldOff::Queue => None,
            HoldOff::Limit(name) => Some(name.to_owned()),
            HoldOff::Calls { limit, key } => Some(format!("{limit}/{key}")),
        };
        self.lock().held_off.push(HeldOff { limit, wait, reason: reason.into() });
        async { Ok(()) }.boxed()
    }

    fn take<'a>(
        &'a self,
        limit: &'a str,
        key: &'a str,
        count: u32,
    ) -> BoxFuture<'a, Result<Admission, HostError>> {
        let mut state = self.lock();
        let used_up = state.used_up.remove(limit);
        if used_up.is_none() {
            state.taken.push((limit.into(), key.into(), count));
        }
        async move { Ok(used_up.map_or(Admission::Go, Admission::Wait)) }.boxed()
    }

    fn enter_breaker<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Admission, HostError>> {
        let open = self.lock().open_breakers.get(name).copied();
        async move { Ok(open.map_or(Admission::Go, Admission::Wait)) }.boxed()
    }

    fn leave_breaker<'a>(&'a self, name: &'a str, end: CallEnd) -> BoxFuture<'a, Result<(), HostError>> {
        self.lock().calls.push((name.into(), end));
        async { Ok(()) }.boxed()
    }
}

/// As steps are, a change of a record is something to die at.
impl Records for FakeHost {
    fn put<'a>(&'a self, ctx: &'a Ctx, change: RecordChange) -> BoxFuture<'a, Result<Put, HostError>> {
        async move {
            let mut put = Ok(Put::Moved);
            let dead = self.store(|_| put = self.records.put_now(ctx, change));
            if dead {
                std::future::pending::<()>().await;
            }
            put
        }
        .boxed()
    }

    fn get<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        self.records.get(ctx, id)
    }

    fn named<'a>(
        &'a self,
        ctx: &'a Ctx,
        collection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        self.records.named(ctx, collection, name)
    }

    fn list<'a>(
        &'a self,
        ctx: &'a Ctx,
        filter: &'a RecordFilter,
    ) -> BoxFuture<'a, Result<Vec<Record>, HostError>> {
        self.records.list(ctx, filter)
    }

    fn hold<'a>(
        &'a self,
        ctx: &'a Ctx,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        self.records.hold(ctx, id)
    }

    fn let_go<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<(), HostError>> {
        Records::let_go(&self.records, ctx, id)
    }
}

/// Who waits for what, as a job told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOff {
    /// None for the queue.
    pub limit: Option<String>,
    pub wait: Duration,
    pub reason: String,
}

/// Beside what jobs write through their `Ctx`.
impl Audit for FakeHost {
    fn append(&self, entry: AuditEntry) -> BoxFuture<'_, Result<(), PortError>> {
        self.lock().audit.push(entry);
        async { Ok(()) }.boxed()
    }
}

#[derive(Default)]
struct FakeArtifacts(Mutex<BTreeMap<String, Vec<u8>>>);

impl Artifacts for FakeArtifacts {
    fn put<'a>(
        &'a self,
        _: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), bytes);
        async move { Ok(format!("memory:{name}")) }.boxed()
    }

    fn put_file<'a>(
        &'a self,
        owner: Owner,
        name: &'a str,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<String, PortError>> {
        async move {
            let bytes = std::fs::read(file)
                .map_err(|cause| PortError::new(format!("reading {}", file.display()), cause))?;
            self.put(owner, name, bytes).await
        }
        .boxed()
    }

    fn put_new<'a>(
        &'a self,
        _: Owner,
        name: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, PutNewError>> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = format!("memory:{name}");
        let put = match files.get(name) {
            Some(there) if *there != bytes => Err(PutNewError::Taken(address)),
            _ => {
                files.insert(name.into(), bytes);
                Ok(address)
            }
        };
        async move { put }.boxed()
    }

    fn get<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, PortError>> {
        let name = address.strip_prefix("memory:").unwrap_or(address);
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        async move { found.ok_or_else(|| PortError::missing(format!("reading {address}"), "no such artifact")) }
            .boxed()
    }

    fn read<'a>(&'a self, address: &'a str, piece_bytes: usize) -> BoxFuture<'a, Result<Reading, PortError>> {
        async move {
            let whole = self.get(address).await?;
            let pieces: Vec<_> = whole.chunks(piece_bytes.max(1)).map(|piece| Ok(piece.to_vec())).collect();
            Ok(Reading { bytes: whole.len() as u64, pieces: stream::iter(pieces).boxed() })
        }
        .boxed()
    }

    /// One job at a time is played here.
    fn list(&self, job: JobId) -> BoxFuture<'_, Result<Vec<Artifact>, PortError>> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = |(name, bytes): (&String, &Vec<u8>)| Artifact {
            owner: Owner { job, claim: 1 },
            name: name.clone(),
            address: format!("memory:{name}"),
            bytes: bytes.len() as u64,
        };
        let files = files.iter().map(file).collect();
        async move { Ok(files) }.boxed()
    }
}
