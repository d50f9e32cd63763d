//! Schedules: look, put, delete, pause, run, fill in. Those of the configuration are changed there.

pub mod shape;
pub mod tryout;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jobkit::JobId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub use self::shape::Schedule;
use super::enqueue::{At, Enqueued, marked, once};
use super::queues::checked;
use crate::http::Shared;
use crate::http::extract::{Body, Name, moment};
use crate::http::problem::{Code, Problem, Result};
use crate::json;
use crate::scheduler::{Backfilled, definition};

#[derive(Debug, Serialize, ToSchema)]
pub struct Schedules {
    /// By name.
    pub schedules: Vec<Schedule>,
}

/// List schedules: when they fire, and what is amiss.
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", security(("token" = ["schedules:read"])),
    responses((status = 200, description = "The schedules.", body = Schedules)))]
pub async fn list(State(api): State<Shared>) -> Result<Json<Schedules>> {
    let schedules = api.scheduler.list(&api.scope()).await?;
    Ok(Json(Schedules { schedules: schedules.into_iter().map(Schedule::from).collect() }))
}

/// One schedule with all that is known of it.
#[utoipa::path(get, path = "/v1/schedules/{name}", tag = "schedules", security(("token" = ["schedules:read"])),
    params(("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses(
        (status = 200, description = "The schedule.", body = Schedule),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Name(name): Name) -> Result<Json<Schedule>> {
    Ok(Json(api.scheduler.show(&api.scope(), &name).await?.into()))
}

/// Make a schedule, or replace what it says.
///
/// One whose times stay the same keeps its next fire time. Those of the configuration are changed there.
#[utoipa::path(put, path = "/v1/schedules/{name}", tag = "schedules", security(("token" = ["schedules:write"])), request_body = shape::Definition,
    params(("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses(
        (status = 200, description = "It is as was asked.", body = Schedule),
        (status = 409, description = "The configuration owns it, or it cannot be just now.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or no key to encrypt with can be had.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn put(
    State(api): State<Shared>,
    Name(name): Name,
    body: Body<definition::Definition>,
) -> Result<Json<Schedule>> {
    exact(&body.bytes)?;
    let put = api.scheduler.put(&api.scope(), &name, body.value, &api.actor()).await;
    Ok(Json(put.map_err(|error| Problem::of_schedule("", error))?.into()))
}

/// A schedule keeps its arguments as values, and a job of it must not get another number than was asked for.
fn exact(body: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Given<'b> {
        #[serde(borrow)]
        args: Option<&'b RawValue>,
    }
    let Ok(Given { args: Some(args) }) = serde_json::from_slice(body) else { return Ok(()) };
    match json::inexact(args.get()) {
        None => Ok(()),
        Some(number) => {
            let detail = format!("/args: the number {number} would lose digits in a schedule");
            let remedy = "write it as a text, or with fewer digits";
            Err(Problem::new(Code::InvalidBody, detail, remedy).at("/args"))
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    pub schedule: String,
    pub deleted: bool,
}

/// Delete a schedule that no configuration owns; its jobs stay.
#[utoipa::path(delete, path = "/v1/schedules/{name}", tag = "schedules", security(("token" = ["schedules:write"])),
    params(("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses(
        (status = 200, description = "It is deleted.", body = Deleted),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The configuration owns it.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn delete(State(api): State<Shared>, Name(name): Name) -> Result<Json<Deleted>> {
    api.scheduler.delete(&api.scope(), &name, &api.actor()).await?;
    Ok(Json(Deleted { schedule: name, deleted: true }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PausedSchedule {
    pub schedule: String,
    pub paused: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseSchedule {
    /// Why; shown in the listing and kept in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Stop a schedule, in every process. What it would have fired meanwhile is not made up for.
#[utoipa::path(post, path = "/v1/schedules/{name}/pause", tag = "schedules", security(("token" = ["schedules:control"])), request_body = PauseSchedule,
    params(("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses(
        (status = 200, description = "It is paused.", body = PausedSchedule),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn pause(
    State(api): State<Shared>,
    Name(name): Name,
    body: Body<PauseSchedule>,
) -> Result<Json<PausedSchedule>> {
    let reason = checked(body.value.reason)?;
    api.scheduler.pause(&api.scope(), &name, &api.actor(), &reason).await?;
    Ok(Json(PausedSchedule { schedule: name, paused: true }))
}

/// Go on with the first fire time from now.
#[utoipa::path(post, path = "/v1/schedules/{name}/resume", tag = "schedules", security(("token" = ["schedules:control"])),
    params(("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses(
        (status = 200, description = "It is not paused.", body = PausedSchedule),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be just now, or this program cannot read what is stored.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn resume(State(api): State<Shared>, Name(name): Name) -> Result<Json<PausedSchedule>> {
    api.scheduler.resume(&api.scope(), &name, &api.actor()).await?;
    Ok(Json(PausedSchedule { schedule: name, paused: false }))
}

/// Enqueue a job of the schedule now, whatever the time, the pause or the overlap.
///
/// Its fire time is this moment, so a request that is sent again is another run, save with the header `Idempotency-Key`.
#[utoipa::path(post, path = "/v1/schedules/{name}/run", tag = "schedules", security(("token" = ["schedules:control"])),
    params(
        ("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
    ),
    responses(
        (status = 202, description = "Its job is enqueued.", body = Enqueued),
        (status = 200, description = "A job with its unique key was there; this is that job.", body = Enqueued),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its job would be refused, or it cannot be just now.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn run(State(api): State<Shared>, Name(name): Name, headers: HeaderMap) -> Result<Response> {
    let request = At::new(&headers)?.request(&format!("POST /v1/schedules/{name}/run"), b"null")?;
    let (scope, by) = (api.scope(), api.actor());
    let (replayed, inserted) = match request {
        None => (false, api.scheduler.run_now(&scope, &name, &by).await?),
        Some(request) => once(api.scheduler.run_once(&scope, &name, &request, &by).await?)?,
    };
    let status = if inserted.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/v1/jobs/{}", inserted.id);
    let mut response = (status, Json(Enqueued::from(inserted))).into_response();
    response
        .headers_mut()
        .extend(HeaderValue::from_str(&location).ok().map(|location| (header::LOCATION, location)));
    Ok(marked(response, replayed))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Backfill {
    /// The first time.
    #[serde(deserialize_with = "moment")]
    pub from: Timestamp,
    /// The end, not included; it does not lie in the future.
    #[serde(deserialize_with = "moment")]
    pub until: Timestamp,
    /// Only tell what would be enqueued.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FilledIn {
    /// In order.
    pub fire_times: Vec<FireTime>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FireTime {
    pub fire_time: Timestamp,
    /// Absent with `dry_run`, for a time that has no job yet.
    #[schema(value_type = Option<Uuid>)]
    pub job_id: Option<JobId>,
    /// It had its job before.
    pub there_already: bool,
}

impl From<Backfilled> for FireTime {
    fn from(Backfilled { fire_time, job_id, there_already }: Backfilled) -> Self {
        Self { fire_time, job_id, there_already }
    }
}

/// Enqueue jobs for fire times of the past that have none.
///
/// At most 1,000 fire times at once. Asked for again, it enqueues nothing again, with an idempotency key or without.
#[utoipa::path(post, path = "/v1/schedules/{name}/backfill", tag = "schedules", security(("token" = ["schedules:control"])), request_body = Backfill,
    params(
        ("name" = String, Path, description = "The schedule.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
    ),
    responses(
        (status = 200, description = "The fire times between the two, each with its job.", body = FilledIn),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its jobs would be refused, or it cannot be just now.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn backfill(
    State(api): State<Shared>,
    Name(name): Name,
    headers: HeaderMap,
    body: Body<Backfill>,
) -> Result<Json<FilledIn>> {
    // A fire time has one job however often it is asked for, so the key has nothing left to do but be one.
    At::new(&headers)?;
    let Backfill { from, until, dry_run } = body.value;
    let (scope, by) = (api.scope(), api.actor());
    let told = api.scheduler.backfill(&scope, &name, (from, until), dry_run, &by).await?;
    Ok(Json(FilledIn { fire_times: told.into_iter().map(FireTime::from).collect() }))
}
