//! `POST /v1/hooks/{name}`: what others deliver to us. A delivery is believed by its signature and not by the token,
//! which its sender does not have.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};

use super::enqueue::Enqueued;
use crate::http::Shared;
use crate::http::extract::{Raw, Text};
use crate::http::problem::{Code, Problem, Result};
use crate::triggers::webhook::Receipt;
use crate::triggers::webhook::signature::Headers;
use store::Inserted;

/// Deliver an event.
///
/// For the hooks of `[triggers.webhooks]`. The bytes must be as they were signed. A delivery that comes again is
/// answered with the job that it became.
#[utoipa::path(post, path = "/v1/hooks/{name}", tag = "hooks", security(()),
    params(("name" = String, Path, description = "The name in the configuration.")),
    request_body(content = serde_json::Value, description = "Whatever the sender sends; JSON."),
    responses(
        (status = 202, description = "It became a job.", body = Enqueued),
        (status = 200, description = "It had become one before; this is that job.", body = Enqueued),
        (status = 401, description = "Nobody known has signed it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such hook.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, or there is no room just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long; send it again.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn deliver(
    State(api): State<Shared>,
    Text(name): Text,
    request: Request,
) -> Result<(StatusCode, Json<Enqueued>)> {
    let headers = readable(request.headers());
    if let Err(refusal) = api.hooks.look(&name, &headers) {
        told(refusal)?;
    }
    let body = Raw::from_request(request, &api).await?;
    let job = told(api.hooks.receive(&name, &headers, &body.bytes).await)?;
    let status = if job.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(job.into())))
}

fn told(receipt: Receipt) -> Result<Inserted> {
    match receipt {
        Receipt::Taken(job) => Ok(job),
        Receipt::Unknown => Err(Problem::new(
            Code::NotFound,
            "there is no such hook",
            "check the address; [triggers.webhooks] of the configuration names the hooks there are",
        )),
        Receipt::Forged(forged) => Err(Problem::new(
            Code::InvalidSignature,
            forged.to_string(),
            "sign the bytes of the body with a secret of this hook, by its scheme",
        )),
        Receipt::Unusable(problem) => Err(Problem::new(
            Code::UnusableDelivery,
            problem,
            "correct the hook in the configuration, or the sender; nothing was enqueued",
        )),
        Receipt::Away(problem) => Err(problem.into()),
    }
}

/// Names in small letters. What is no text cannot have been signed by anybody.
fn readable(headers: &HeaderMap) -> Headers {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}
