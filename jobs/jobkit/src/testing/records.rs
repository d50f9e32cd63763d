//! Records in memory. They can be shared, so that several jobs deal with one thing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::alerts::News;
use crate::ports::HostError;
use crate::records::{Hold, Put, Record, RecordChange, RecordFilter, RecordId, Records, check, check_silent};
use crate::{Ctx, JobId};

#[derive(Clone, Default)]
pub struct FakeRecords(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    records: BTreeMap<RecordId, Record>,
    held: BTreeMap<RecordId, (JobId, u64)>,
    actions: Vec<(String, String)>,
    details: Vec<Value>,
    news: Vec<News>,
}

impl FakeRecords {
    pub fn all(&self) -> Vec<Record> {
        self.lock().records.values().cloned().collect()
    }

    pub fn one(&self, collection: &str, key: &str) -> Option<Record> {
        self.all().into_iter().find(|record| record.id.collection == collection && record.id.key == key)
    }

    /// What the audit log was told: the action, and the key of the record.
    pub fn actions(&self) -> Vec<(String, String)> {
        self.lock().actions.clone()
    }

    /// And the details of each.
    pub fn details(&self) -> Vec<Value> {
        self.lock().details.clone()
    }

    pub fn news(&self) -> Vec<News> {
        self.lock().news.clone()
    }

    /// A record as it was at another time, as out of a backup.
    pub fn bring(&self, record: Record) {
        self.lock().records.insert(record.id.clone(), record);
    }

    /// Another attempt acts on the thing.
    pub fn hold_by(&self, id: &RecordId, job: JobId) {
        self.lock().held.insert(id.clone(), (job, 1));
    }

    /// Those that an attempt of this job holds.
    pub fn held_by(&self, job: JobId) -> Vec<RecordId> {
        let kept = self.lock();
        let of_job = kept.held.iter().filter(|(_, (holder, _))| *holder == job);
        of_job.map(|(id, _)| id.clone()).collect()
    }

    /// The attempts of this job have ended.
    pub fn let_go(&self, job: JobId) {
        self.lock().held.retain(|_, (holder, _)| *holder != job);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Another attempt of the same job has ended, or this one would not run.
    fn is_free(&self, ctx: &Ctx, id: &RecordId) -> bool {
        self.held.get(id).is_none_or(|(holder, _)| *holder == ctx.job().id)
    }
}

/// Whether a job sees it.
fn sees(ctx: &Ctx, id: &RecordId) -> bool {
    ctx.job().tenant.is_none() || ctx.job().tenant == id.tenant
}

impl FakeRecords {
    pub(super) fn put_now(&self, ctx: &Ctx, change: RecordChange) -> Result<Put, HostError> {
        check(&change).map_err(HostError::Refused)?;
        if !sees(ctx, &change.id) {
            return Err(HostError::Refused("the record is of another tenant".into()));
        }
        let mut kept = self.lock();
        let known = kept.records.get(&change.id);
        if known.map_or(0, |record| record.version) != change.from || !kept.is_free(ctx, &change.id) {
            return Ok(Put::Moved);
        }
        check_silent(known, &change).map_err(HostError::Refused)?;
        let of_others = |name: &&String| {
            let mut others = kept.records.values().filter(|record| record.id != change.id);
            others.any(|other| other.id.collection == change.id.collection && other.names.contains(*name))
        };
        if let Some(taken) = change.names.iter().find(of_others) {
            return Ok(Put::Taken(taken.clone()));
        }
        let now = ctx.clock().now();
        let record = Record {
            id: change.id.clone(),
            names: change.names,
            state: change.state,
            due_at: change.due_at,
            body: change.body,
            version: change.from + 1,
            made_at: known.map_or(now, |record| record.made_at),
            changed_at: now,
            changed_by: ctx.job().id,
        };
        match change.hold {
            Hold::Kept => kept.held.insert(change.id.clone(), (ctx.job().id, ctx.job().claim)),
            Hold::LetGo => kept.held.remove(&change.id),
        };
        if !change.action.is_empty() {
            kept.actions.push((change.action, change.id.key.clone()));
            kept.details.push(change.details);
        }
        kept.news.extend(change.news);
        kept.records.insert(change.id, record.clone());
        Ok(Put::Done(record))
    }
}

impl Records for FakeRecords {
    fn put<'a>(&'a self, ctx: &'a Ctx, change: RecordChange) -> BoxFuture<'a, Result<Put, HostError>> {
        async move { self.put_now(ctx, change) }.boxed()
    }

    fn get<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        let found = self.lock().records.get(id).filter(|record| sees(ctx, &record.id)).cloned();
        async move { Ok(found) }.boxed()
    }

    fn named<'a>(
        &'a self,
        ctx: &'a Ctx,
        collection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        let kept = self.lock();
        let is_it = |record: &&Record| {
            record.id.collection == collection
                && record.names.iter().any(|own| own == name)
                && sees(ctx, &record.id)
        };
        let found = kept.records.values().find(is_it).cloned();
        async move { Ok(found) }.boxed()
    }

    fn list<'a>(
        &'a self,
        ctx: &'a Ctx,
        filter: &'a RecordFilter,
    ) -> BoxFuture<'a, Result<Vec<Record>, HostError>> {
        let wanted = |record: &&Record| {
            record.id.collection == filter.collection
                && sees(ctx, &record.id)
                && (filter.states.is_empty() || filter.states.contains(&record.state))
                && filter.due_by.is_none_or(|by| record.due_at.is_some_and(|at| at <= by))
                && (filter.due_by.is_some()
                    || filter.after.as_ref().is_none_or(|after| order(&record.id) > order(after)))
        };
        let mut found: Vec<Record> = self.lock().records.values().filter(wanted).cloned().collect();
        match filter.due_by {
            Some(_) => found.sort_by(|a, b| (a.due_at, order(&a.id)).cmp(&(b.due_at, order(&b.id)))),
            None => found.sort_by(|a, b| order(&a.id).cmp(&order(&b.id))),
        }
        found.truncate(filter.limit);
        async move { Ok(found) }.boxed()
    }

    fn hold<'a>(
        &'a self,
        ctx: &'a Ctx,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Record>, HostError>> {
        let mut kept = self.lock();
        let (job, claim) = (ctx.job().id, ctx.job().claim);
        let found = kept.records.get(id).filter(|record| sees(ctx, &record.id)).cloned();
        let is_free = kept.is_free(ctx, id);
        let found = found.filter(|_| is_free);
        if found.is_some() {
            kept.held.insert(id.clone(), (job, claim));
        }
        async move { Ok(found) }.boxed()
    }

    fn let_go<'a>(&'a self, ctx: &'a Ctx, id: &'a RecordId) -> BoxFuture<'a, Result<(), HostError>> {
        let own = (ctx.job().id, ctx.job().claim);
        self.lock().held.retain(|held, holder| held != id || *holder != own);
        async move { Ok(()) }.boxed()
    }
}

fn order(id: &RecordId) -> (&str, Option<&str>) {
    (&id.key, id.tenant.as_deref())
}
