//! What people decide on the items of a job's result: written down, looked back on, and what holds now.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jobkit::JobId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::enqueue::{At, marked, once};
use super::jobs::unknown;
use crate::audit::seen::{Sight, Thing};
use crate::http::extract::{Body, Id, Object, Parameters};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::reviews::{Review, ReviewDecision};
use crate::http::{Api, Shared};
use crate::queue::reviews::{Given, ReviewError};
use store::{DEFAULT_PAGE, Decision, ReviewFilter, ReviewRow, Reviewer, chain};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReviews {
    /// The person who decided: the token does not say who that is.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
    /// All of them are written down, or none; of two on one item the later one holds.
    #[schema(value_type = Vec<NewReview>, min_items = 1, max_items = 1000)]
    pub items: Vec<Object<NewReview>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// As the job's result names it.
    #[schema(min_length = 1, max_length = 500)]
    pub item: String,
    #[schema(value_type = ReviewDecision)]
    pub decision: Decision,
    /// Why; a `comment` is nothing without it. It is not in the audit log.
    #[schema(min_length = 1, max_length = 4000)]
    pub comment: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Reviewed {
    #[schema(value_type = Uuid)]
    pub job: JobId,
    /// How many were written down.
    pub reviewed: usize,
    pub at: Timestamp,
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        let told = chain(&error);
        let invalid = |field: String| {
            let remedy = "correct it; nothing was written down";
            Self::new(Code::InvalidBody, told.clone(), remedy).at(field)
        };
        match error {
            ReviewError::Store(error) => error.into(),
            ReviewError::Invalid { field, .. } => invalid(format!("/{field}")),
            ReviewError::Item { index, field, .. } => invalid(format!("/items/{index}/{field}")),
            ReviewError::Unknown(job) => unknown(job),
            ReviewError::NotCompleted { .. } => {
                Self::new(Code::WrongState, told, "wait until it has completed; GET …/wait does").at("id")
            }
            ReviewError::Seal(_) => {
                tracing::error!("{told}");
                let remedy = "`compline config check` tells whether every key can be had";
                Self::new(Code::SealFailed, error.to_string(), remedy)
            }
        }
    }
}

/// Write down what somebody decided on items of a job's result.
///
/// Reviews are only added: a later decision on an item takes the place of the one before, and all of them can be looked back
/// on. They outlive the job.
#[utoipa::path(post, path = "/v1/jobs/{id}/reviews", tag = "reviews", security(("token" = ["reviews:write"])), request_body = NewReviews,
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
    ),
    responses(
        (status = 200, description = "They are written down.", body = Reviewed),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not completed.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or no key to encrypt with can be had.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn review(
    State(api): State<Shared>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body<NewReviews>,
) -> Result<Response> {
    let request = At::new(&headers)?.request(&format!("POST /v1/jobs/{id}/reviews"), &body.bytes)?;
    let NewReviews { by, items } = body.value;
    let given: Vec<_> = items
        .into_iter()
        .map(|Object(NewReview { item, decision, comment })| Given { item, decision, comment })
        .collect();
    let by = Reviewer { actor: api.actor(), by };
    let (replayed, at) = match request {
        None => (false, api.queue.review(&api.scope(), id, &given, &by).await?),
        Some(request) => once(api.queue.review_once(&api.scope(), &request, id, &given, &by).await?)?,
    };
    let reviewed = Reviewed { job: id, reviewed: given.len(), at };
    Ok(marked(Json(reviewed).into_response(), replayed))
}

async fn show(api: &Api, job: JobId, reviews: &[ReviewRow]) -> Result<()> {
    match reviews {
        [] => Ok(()),
        _ => api.shows(&[Sight::of(Thing::Reviews(job), "reviews")]).await,
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Reviews {
    /// Newest first.
    pub reviews: Vec<Review>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    pub next: Option<i64>,
}

/// Comments may be long, and a page of them is held in memory.
const LONGEST_LIST: usize = 250;

/// Look back on what was said of a job's items, the newest first.
///
/// All of it, what no longer holds included; also of a job that was deleted since.
#[utoipa::path(get, path = "/v1/jobs/{id}/reviews", tag = "reviews", security(("token" = ["jobs:read"])),
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("item" = Option<Vec<String>>, Query, description = "Of one of these items.", min_length = 1),
        ("before" = Option<i64>, Query, description = "Older than this review: `next` of the page before.", minimum = 1),
        ("limit" = Option<u16>, Query, description = "The newest so many; 100 when nothing is said.", minimum = 1, maximum = 250),
    ),
    responses(
        (status = 200, description = "The reviews.", body = Reviews),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn history(State(api): State<Shared>, Id(id): Id, given: Parameters) -> Result<Json<Reviews>> {
    let before = given.one("before", |text| {
        let number = text.parse().ok().filter(|number: &i64| *number > 0);
        number.ok_or_else(|| "what the page before said as `next`".to_owned())
    })?;
    let limit = given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE);
    let filter = ReviewFilter { job: id, items: given.texts("item")?, before, limit };
    let found = api.queue.reviews(&api.scope(), &filter).await?;
    show(&api, id, &found).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.seq);
    Ok(Json(Reviews { reviews: found.into_iter().map(Review::from).collect(), next }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Decisions {
    /// By item, one for each.
    pub reviews: Vec<Review>,
    /// Where the next page begins: give it as `after`. Absent on the last page.
    pub next: Option<String>,
}

/// What holds now: the last decision on each item of a job that has one.
///
/// A comment decides nothing, and changes none of them.
#[utoipa::path(get, path = "/v1/jobs/{id}/reviews/latest", tag = "reviews", security(("token" = ["jobs:read"])),
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("after" = Option<String>, Query, description = "Behind this item: `next` of the page before.", min_length = 1),
        ("limit" = Option<u16>, Query, description = "So many items at once; 100 when nothing is said.", minimum = 1, maximum = 250),
    ),
    responses(
        (status = 200, description = "The decisions.", body = Decisions),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn latest(State(api): State<Shared>, Id(id): Id, given: Parameters) -> Result<Json<Decisions>> {
    let after = given.one("after", |text| match text.is_empty() || text.contains('\0') {
        true => Err("what the page before said as `next`".into()),
        false => Ok(text.to_owned()),
    })?;
    let limit = given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE);
    let found = api.queue.decisions(&api.scope(), id, after.as_deref(), limit).await?;
    show(&api, id, &found).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.item.clone());
    Ok(Json(Decisions { reviews: found.into_iter().map(Review::from).collect(), next }))
}
