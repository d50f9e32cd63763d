//! Looking at jobs, and changing one.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jobkit::JobId;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::approvals::given;
use super::enqueue::{At, marked, once};
use crate::approvals::rules::Action;
use crate::audit::seen::Sight;
use crate::http::extract::{Id, Parameters, job_id, moment_of};
use crate::http::problem::{Code, Problem, Result};
use crate::http::{Api, Shared, view};
use crate::queue::JobPage;
use store::state::JobState;
use store::{Actor, ApprovalId, Change, JobDetail, JobFilter};

#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    /// Newest first.
    pub jobs: Vec<view::Job>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    #[schema(value_type = Option<Uuid>)]
    pub next: Option<JobId>,
}

const LONGEST_PAGE: usize = 1_000;
/// Of arguments, results and what else callers wrote.
const MOST_PAGE_BYTES: u64 = 4 << 20;

/// List jobs, newest first.
///
/// All conditions must hold; a name that is given several times asks for any of its values, save `tag`, of which the
/// job has all. A page may be shorter than `limit`, where the jobs are large; it is the last one when it has no `next`.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", security(("token" = ["jobs:read"])),
    params(
        ("id" = Option<Vec<Uuid>>, Query, description = "These jobs."),
        ("state" = Option<Vec<view::State>>, Query, description = "In one of these states."),
        ("kind" = Option<Vec<String>>, Query, description = "Of one of these kinds."),
        ("queue" = Option<Vec<String>>, Query, description = "In one of these queues."),
        ("tenant" = Option<Vec<String>>, Query, description = "Of one of these tenants."),
        ("tag" = Option<Vec<String>>, Query, description = "With all of these tags."),
        ("created_from" = Option<Timestamp>, Query, description = "Enqueued then or later."),
        ("created_until" = Option<Timestamp>, Query, description = "Enqueued before."),
        ("error" = Option<String>, Query, description = "With this in the text of the last error, in capitals or not.", min_length = 1),
        ("before" = Option<Uuid>, Query, description = "Older than this job: `next` of the page before."),
        ("limit" = Option<u16>, Query, description = "How many at once; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "A page of jobs.", body = Page)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Page>> {
    let JobPage { jobs, next } = api.queue.page(&api.scope(), &filter(&given)?, MOST_PAGE_BYTES).await?;
    api.shows(&jobs.iter().map(Sight::job).collect::<Vec<_>>()).await?;
    Ok(Json(Page { jobs: jobs.into_iter().map(view::Job::from).collect(), next }))
}

fn filter(given: &Parameters) -> Result<JobFilter> {
    let id = |text: &str| job_id("id", text).map_err(|_| "a job id".to_owned());
    let state = |text: &str| {
        text.parse::<JobState>().map_err(|_| {
            "a state: scheduled, available, running, retryable, waiting, completed, cancelled or discarded".to_owned()
        })
    };
    Ok(JobFilter {
        ids: given.all("id", id)?,
        states: given.all("state", state)?,
        kinds: given.texts("kind")?,
        queues: given.texts("queue")?,
        tenants: given.texts("tenant")?,
        tags: given.texts("tag")?,
        created_from: given.one("created_from", moment_of)?,
        created_until: given.one("created_until", moment_of)?,
        error: one_text(given, "error")?,
        before: given.one("before", id)?,
        limit: given.limit(LONGEST_PAGE)?,
    })
}

fn one_text(given: &Parameters, name: &str) -> Result<Option<String>> {
    given.one(name, |text| match text.is_empty() || text.contains('\0') {
        true => Err("a text with a letter in it, and without NUL".into()),
        false => Ok(text.to_owned()),
    })
}

/// One job in full: its attempts with their logs, its steps, how far it is, its result.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs", security(("token" = ["jobs:read"])), params(("id" = Uuid, Path, description = "The job.")),
    responses(
        (status = 200, description = "The job.", body = view::JobInFull),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<view::JobInFull>> {
    let job = find(&api, id).await?;
    Ok(Json(shown(&api, job).await?))
}

/// Not to be shown before [`shown`] has written that down.
pub async fn find(api: &Api, id: JobId) -> Result<JobDetail> {
    api.queue.job(&api.scope(), id).await?.ok_or_else(|| unknown(id))
}

pub async fn shown(api: &Api, job: JobDetail) -> Result<view::JobInFull> {
    api.shows(&[Sight::job_in_full(&job)]).await?;
    let approval = api.store.approval_of(&api.scope(), job.job.id).await?;
    Ok(view::JobInFull::from(job).approved_by(approval.as_ref()))
}

pub fn unknown(id: JobId) -> Problem {
    Problem::not_found(format!("job {id} is not known")).at("id")
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    /// It runs and was asked to stop; it ends when its worker says so.
    pub asked: bool,
}

/// Run a job again, or now.
///
/// One that ended, or waits for its time or its next attempt.
#[utoipa::path(post, path = "/v1/jobs/{id}/retry", tag = "jobs", security(("token" = ["jobs:control"])),
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It is to run.", body = Changed),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its state does not allow that, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn retry(State(api): State<Shared>, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    change(&api, id, Change::Retry, &headers).await
}

/// Cancel a job.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", tag = "jobs", security(("token" = ["jobs:control"])),
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It is cancelled.", body = Changed),
        (status = 202, description = "It runs, and was asked to stop.", body = Changed),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its state does not allow that, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn cancel(State(api): State<Shared>, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    change(&api, id, Change::Cancel, &headers).await
}

/// Discard a job: no further attempt.
#[utoipa::path(post, path = "/v1/jobs/{id}/discard", tag = "jobs", security(("token" = ["jobs:control"])),
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It is discarded.", body = Changed),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its state does not allow that, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn discard(State(api): State<Shared>, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    change(&api, id, Change::Discard, &headers).await
}

/// Who changes the job, by leave of an approval where one is needed. A job that is not there needs none.
async fn leave(api: &Api, only: &JobFilter, change: Change, given: Option<ApprovalId>) -> Result<Actor> {
    let (scope, by) = (api.scope(), api.actor());
    let kinds: Vec<_> = api.store.briefs(&scope, only).await?.into_iter().map(|job| job.kind).collect();
    if kinds.is_empty() {
        return Ok(by);
    }
    let what = json!({ "jobs": only.ids });
    Ok(api.approvals.leave_for(&scope, (Action::of(change), &kinds), what, &by, given).await?)
}

/// Under an idempotency key a request that is sent again is answered as it was, whatever became of the job since.
pub async fn change(api: &Api, id: JobId, change: Change, headers: &HeaderMap) -> Result<Response> {
    let only = JobFilter { ids: vec![id], limit: Some(1), ..JobFilter::default() };
    let route = format!("POST /v1/jobs/{id}/{}", change.name());
    let scope = api.scope();
    let by = leave(api, &only, change, given(headers)?).await?;
    let (replayed, changed) = match At::new(headers)?.request(&route, b"null")? {
        None => (false, api.queue.change(&scope, &only, change, &by, 1).await?),
        Some(request) => once(api.queue.change_once(&scope, &request, id, change, &by).await?)?,
    };
    let asked = changed.asked.contains(&id);
    if asked || changed.ids.contains(&id) {
        let status = if asked { StatusCode::ACCEPTED } else { StatusCode::OK };
        return Ok(marked((status, Json(Changed { id, asked })).into_response(), replayed));
    }
    if api.store.briefs(&scope, &only).await?.is_empty() {
        return Err(unknown(id));
    }
    let why = changed
        .refused
        .into_iter()
        .next()
        .map_or_else(|| "its state has just changed".into(), |(_, why)| why);
    let detail = format!("job {id} cannot take `{}`: {why}", change.name());
    Err(Problem::new(
        Code::WrongState,
        detail,
        "look at the job; docs/reference/job-states.md has what each state allows",
    )
    .at("id"))
}
