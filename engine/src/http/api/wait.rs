//! `GET /v1/jobs/{id}/wait`: hears when a job has ended. One watcher per process asks the store for all who wait, in
//! one look, so a thousand callers cost what one does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jobkit::{Clock, JobId};
use tokio::sync::{Notify, watch};

use super::jobs::{find, shown};
use crate::http::extract::{Id, Parameters};
use crate::http::problem::{Problem, Result};
use crate::http::{Shared, view};
use crate::lookout::Lookout;
use crate::service::{Alarm, Patience, Service};
use store::{JobFilter, Scope, Store};

/// In one look.
const MOST_AT_ONCE: usize = 1_000;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Proxies cut longer ones off.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Those who wait for jobs. A job that somebody waits for has a bell, which rings once.
#[derive(Clone, Default)]
pub struct Waiting {
    bells: Arc<Mutex<HashMap<JobId, watch::Sender<bool>>>>,
    somebody: Arc<Notify>,
}

impl Waiting {
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        hints: watch::Receiver<()>,
        alarm: &Alarm,
    ) -> (Self, Service) {
        let waiting = Self::default();
        let watching = waiting.clone().watch(store, clock, hints);
        let watcher = Service::start("watcher of jobs that are waited for", alarm, |stop| async move {
            stop.run_until_cancelled(watching).await.unwrap_or_default();
        });
        (waiting, watcher)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<bool>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the job has, or is gone. Whoever waits has seen the job, so the watcher need not know whose it is.
    async fn until_ended(&self, id: JobId) {
        let mut bell = self.lock().entry(id).or_default().subscribe();
        self.somebody.notify_one();
        // The watcher goes when the process does, and takes all bells with it.
        let _ = bell.wait_for(|rung| *rung).await;
    }

    async fn watch(self, store: Arc<dyn Store>, clock: Arc<dyn Clock>, hints: watch::Receiver<()>) {
        let mut patience = Patience::new("watching jobs that are waited for", clock.clone());
        let mut lookout = Lookout::new(hints, clock);
        loop {
            lookout.begin();
            let meant = self.still_meant();
            if meant.is_empty() {
                self.somebody.notified().await;
                lookout.hurry();
                continue;
            }
            for some in meant.chunks(MOST_AT_ONCE) {
                let filter =
                    JobFilter { ids: some.to_vec(), limit: Some(some.len()), ..JobFilter::default() };
                match store.briefs(&Scope::Installation, &filter).await {
                    Ok(found) => {
                        patience.succeeded();
                        let alive =
                            |id: &JobId| found.iter().any(|job| job.id == *id && !job.state.is_final());
                        let ended: Vec<_> = some.iter().filter(|id| !alive(id)).collect();
                        let mut bells = self.lock();
                        for bell in ended.into_iter().filter_map(|id| bells.remove(id)) {
                            bell.send_replace(true);
                        }
                    }
                    Err(problem) => patience.failed(&problem).await,
                }
            }
            lookout.next(self.somebody.notified()).await;
        }
    }

    /// The jobs that somebody still waits for; the other bells are taken down.
    fn still_meant(&self) -> Vec<JobId> {
        let mut bells = self.lock();
        bells.retain(|_, bell| bell.receiver_count() > 0);
        bells.keys().copied().collect()
    }
}

/// Wait until a job has ended.
///
/// Answers at once when it has. One that is still alive when the time is over is answered with 202: ask again.
#[utoipa::path(get, path = "/v1/jobs/{id}/wait", tag = "jobs", security(("token" = ["jobs:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The job."),
        ("timeout" = Option<String>, Query, description = "How long to wait at most, in seconds; `30s` when nothing is said.", pattern = "^([0-9]|[1-5][0-9]|60)s$", example = "5s"),
    ),
    responses(
        (status = 200, description = "It has ended; this is how.", body = view::JobInFull),
        (status = 202, description = "It has not ended yet.", body = view::JobInFull),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn wait(
    State(api): State<Shared>,
    Id(id): Id,
    given: Parameters,
) -> Result<(StatusCode, Json<view::JobInFull>)> {
    let timeout = given.one("timeout", |text| {
        let seconds =
            text.strip_suffix('s').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let timeout = seconds.and_then(|digits| digits.parse().ok()).map(Duration::from_secs);
        timeout
            .filter(|timeout| *timeout <= LONGEST_TIMEOUT)
            .ok_or_else(|| "whole seconds up to 60s, such as 30s".into())
    })?;
    // Looked at first: who asks for a job that is not there hears it at once.
    let job = find(&api, id).await?;
    if job.job.state.is_final() {
        return Ok((StatusCode::OK, Json(shown(&api, job).await?)));
    }
    tokio::select! {
        () = api.waiting.until_ended(id) => {}
        () = api.clock.sleep(timeout.unwrap_or(DEFAULT_TIMEOUT)) => {}
        // This process is about to end; another one can be asked.
        () = api.ending.cancelled() => {}
    }
    let job = find(&api, id).await?;
    let status = if job.job.state.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(shown(&api, job).await?)))
}
