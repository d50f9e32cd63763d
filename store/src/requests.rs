//! Requests that are carried out once, however often they are sent. A caller whose answer was lost on the way sends
//! its request again under the same key, and hears what it would have heard.

use std::time::Duration;

use async_trait::async_trait;
use jobkit::JobId;
use sha2::{Digest, Sha256};

use super::schedules::{Fired, Firing};
use super::{Actor, Change, Changed, Inserted, NewRow, Result, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// SHA-256 of the caller and the key it chose.
    pub key: [u8; 32],
    /// SHA-256 of what is asked.
    pub fingerprint: [u8; 32],
}

impl Request {
    /// As the store keeps it: two tenants that choose the same key have two.
    pub fn within(&self, scope: &Scope) -> Self {
        let Some(tenant) = scope.bound() else { return *self };
        let mut hash = Sha256::new();
        hash.update(b"tenant\0");
        hash.update(tenant.as_bytes());
        hash.update(self.key);
        Self { key: hash.finalize().into(), fingerprint: self.fingerprint }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<T = Vec<Inserted>> {
    Done(T),
    /// It had been carried out before; this is what was answered then.
    Again(T),
    /// The key belongs to a request that asked something else. Nothing was written.
    Other,
}

impl<T> Once<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Once<U> {
        match self {
            Once::Done(done) => Once::Done(f(done)),
            Once::Again(done) => Once::Again(f(done)),
            Once::Other => Once::Other,
        }
    }
}

#[async_trait]
pub trait Requests: Send + Sync + 'static {
    /// As [`super::Store::insert`], once for each key: the key, the answer and the jobs are in one transaction. Whoever comes
    /// with a key that another is using just now waits for it; `Busy` when that takes too long.
    async fn insert_once(
        &self,
        scope: &Scope,
        request: &Request,
        rows: &[NewRow],
        by: &Actor,
    ) -> Result<Once>;

    /// As [`super::Schedules::fire_schedule`], once for each key. What is `Lost` leaves its key free.
    async fn fire_once(
        &self,
        scope: &Scope,
        request: &Request,
        firing: &Firing,
        by: &Actor,
    ) -> Result<Once<Fired>>;

    /// As [`super::Store::change`] of one job, once for each key. A change that the job cannot take leaves its key free.
    async fn change_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        change: Change,
        by: &Actor,
    ) -> Result<Once<Changed>>;

    /// Deletes what was asked longer ago than this, up to `limit`.
    async fn forget_requests(&self, older_than: Duration, limit: usize) -> Result<u64>;
}
