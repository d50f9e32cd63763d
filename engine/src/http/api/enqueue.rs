//! `POST /v1/jobs` and `POST /v1/jobs/batch`: jobs come in, checked one by one, all or none of them.

mod wanted;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jobkit::JobId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

pub use self::wanted::Wanted;
use crate::http::extract::{Body, Object};
use crate::http::problem::{Code, Problem, Result};
use crate::http::{Api, Shared, guard};
use crate::json;
use crate::trace::{Context, TRACEPARENT, TRACESTATE};
use store::types::unknown_parent;
use store::{Inserted, NewRow, Once, Request};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// All of them are enqueued, or none.
    #[schema(value_type = Vec<Wanted>, min_items = 1)]
    pub jobs: Vec<Object<Wanted>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Enqueued {
    #[schema(value_type = Uuid)]
    pub id: JobId,
    /// A job with the same unique key was there; this is its id.
    pub duplicate: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EnqueuedBatch {
    /// In the order of the jobs.
    pub jobs: Vec<Enqueued>,
}

impl From<Inserted> for Enqueued {
    fn from(Inserted { id, duplicate }: Inserted) -> Self {
        Self { id, duplicate }
    }
}

/// Enqueue a job.
///
/// With the header `Idempotency-Key` it is enqueued once, however often the request is sent: for a day the same
/// request under the same key gets the same answer.
#[utoipa::path(post, path = "/v1/jobs", tag = "jobs", security(("token" = ["jobs:write"])), request_body = Wanted,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; kept with the job."),
    ),
    responses(
        (status = 202, description = "It is enqueued.", body = Enqueued),
        (status = 200, description = "A job with its unique key was there; this is that job.", body = Enqueued),
        (status = 409, description = "It cannot be, or not now.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or no key to encrypt with can be had.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn enqueue(State(api): State<Shared>, headers: HeaderMap, body: Body<Wanted>) -> Result<Response> {
    let door = At::new(&headers)?;
    let request = door.request("POST /v1/jobs", &body.bytes)?;
    api.queue.freshen().await?;
    let rows = door.rows(&api, body.value, &String::new)?;
    let inserted = insert(&api, request, &rows).await;
    let (replayed, mut inserted) =
        inserted.map_err(|problem| at_parent(problem, &rows, &|_| String::new()))?;
    let Some(inserted) = inserted.pop() else { return Err(Problem::internal()) };
    let status = if inserted.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/v1/jobs/{}", inserted.id);
    let mut response = (status, Json(Enqueued::from(inserted))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(marked(response, replayed))
}

/// Enqueue many jobs, all or none.
#[utoipa::path(post, path = "/v1/jobs/batch", tag = "jobs", security(("token" = ["jobs:write"])), request_body = Batch,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; kept with the jobs."),
    ),
    responses(
        (status = 202, description = "They are enqueued, or were there under their unique keys.", body = EnqueuedBatch),
        (status = 409, description = "One of them cannot be, or not now.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or no key to encrypt with can be had.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn enqueue_batch(
    State(api): State<Shared>,
    headers: HeaderMap,
    body: Body<Batch>,
) -> Result<Response> {
    let door = At::new(&headers)?;
    let request = door.request("POST /v1/jobs/batch", &body.bytes)?;
    let (jobs, most) = (body.value.jobs, api.limits.batch);
    if jobs.is_empty() || jobs.len() > most {
        let detail = format!("/jobs: {} jobs; from 1 to {most} may come at once", jobs.len());
        return Err(Problem::new(Code::InvalidBody, detail, "send them in smaller batches").at("/jobs"));
    }
    api.queue.freshen().await?;
    let mut rows = Vec::with_capacity(jobs.len());
    for (index, Object(job)) in jobs.into_iter().enumerate() {
        rows.extend(door.rows(&api, job, &|| format!("/jobs/{index}"))?);
        if rows.len() > most {
            let detail = format!("/jobs: more than {most}, with the jobs for their ends");
            return Err(Problem::new(Code::InvalidBody, detail, "send them in smaller batches").at("/jobs"));
        }
    }
    let inserted = insert(&api, request, &rows).await;
    let at_parent = |problem| at_parent(problem, &rows, &|index| format!("/jobs/{index}"));
    let (replayed, inserted) = inserted.map_err(at_parent)?;
    let jobs = inserted.into_iter().map(Enqueued::from).collect();
    Ok(marked((StatusCode::ACCEPTED, Json(EnqueuedBatch { jobs })).into_response(), replayed))
}

/// What the headers say of the jobs in the body.
pub struct At {
    trace: Option<Context>,
    key: Option<String>,
}

impl At {
    pub fn new(headers: &HeaderMap) -> Result<Self> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let trace = Context::read(text(TRACEPARENT), text(TRACESTATE));
        Ok(Self { trace, key: idempotency_key(headers)? })
    }

    pub fn request(&self, route: &str, body: &[u8]) -> Result<Option<Request>> {
        let Some(key) = &self.key else { return Ok(None) };
        // One client may write the same in another order when it sends it again.
        let asked = str::from_utf8(body).ok().and_then(json::canonical).ok_or_else(Problem::internal)?;
        let sum = |parts: [&[u8]; 2]| {
            let mut hash = Sha256::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize().into()
        };
        // Keys of two callers are two keys: nobody is answered what another was.
        let caller = format!("http\0{}\0", guard::principal().name);
        Ok(Some(Request {
            key: sum([caller.as_bytes(), key.as_bytes()]),
            fingerprint: sum([route.as_bytes(), asked.as_bytes()]),
        }))
    }

    fn rows(&self, api: &Api, wanted: Wanted, pointer: &dyn Fn() -> String) -> Result<Vec<NewRow>> {
        let job = wanted.job(api, self.trace.as_ref(), pointer)?;
        api.queue.rows(&api.scope(), vec![job]).map_err(|error| Problem::of_job(&pointer(), error))
    }
}

/// A string as structured headers write it, in quotes, or the bare characters that most clients send.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let name = "Idempotency-Key";
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(value) = given.next() else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let printable = key.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"');
    match (1..=255).contains(&key.len()) && printable && given.next().is_none() {
        true => Ok(Some(key.to_owned())),
        false => Err(Problem::new(
            Code::InvalidHeader,
            format!("{name}: must be one value of 1 to 255 printable ASCII characters"),
            "use a new UUID for each request that means something new",
        )
        .at(name)),
    }
}

pub async fn insert(api: &Api, request: Option<Request>, rows: &[NewRow]) -> Result<(bool, Vec<Inserted>)> {
    let (scope, by) = (api.scope(), api.actor());
    let Some(request) = request else { return Ok((false, api.queue.insert(&scope, rows, &by).await?)) };
    once(api.queue.insert_once(&scope, &request, rows, &by).await?)
}

/// Names the job to wait for, where the store does not know it; `pointer` leads from the body to a job by its number.
fn at_parent(problem: Problem, rows: &[NewRow], pointer: &dyn Fn(usize) -> String) -> Problem {
    let asked = rows.iter().filter(|row| row.comes_with.is_none()).enumerate();
    let mut places =
        asked.flat_map(|(job, row)| row.after.iter().enumerate().map(move |(at, id)| (job, at, *id)));
    match places.find(|(.., parent)| unknown_parent(*parent) == problem.detail) {
        Some((job, at, _)) => problem.at(format!("{}/after/{at}", pointer(job))),
        None => problem,
    }
}

/// What was done, and whether it had been before.
pub fn once<T>(once: Once<T>) -> Result<(bool, T)> {
    match once {
        Once::Done(done) => Ok((false, done)),
        Once::Again(done) => Ok((true, done)),
        Once::Other => Err(Problem::new(
            Code::IdempotencyKeyReused,
            "Idempotency-Key: this key belongs to a request that asked something else",
            "use a new key for what is new, and the old key only to send the same request again",
        )
        .at("Idempotency-Key")),
    }
}

pub fn marked(mut response: Response, replayed: bool) -> Response {
    if replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}
