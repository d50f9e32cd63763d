//! `POST /v1/webhooks/{name}`: what providers deliver to families. The family believes a delivery or not, by its signature; all that is authentic
//! is answered alike.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::HeaderMap;
use jobkit::JobId;
use jobkit::door::Headers;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::extract::{Raw, Text};
use crate::http::problem::{Code, Problem, Result};
use crate::queue::QueueError;
use crate::triggers::door::Receipt;
use store::StoreError;

/// What became of a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct Received {
    /// The job that it became, now or when it came first. Null when none can be made of it, which the sender cannot mend.
    #[schema(value_type = Option<Uuid>)]
    pub job: Option<JobId>,
    /// It had come before.
    pub duplicate: bool,
}

/// Deliver an event of a provider.
///
/// For the doors of families, such as that of a signature provider. The bytes must be as they were signed. Everything that is authentic is
/// answered with 200, also when it came before.
#[utoipa::path(post, path = "/v1/webhooks/{name}", tag = "hooks", security(()),
    params(("name" = String, Path, description = "The name of the door.")),
    request_body(content = serde_json::Value, description = "Whatever the provider sends."),
    responses(
        (status = 200, description = "It is from whom it should be, and was taken.", body = Received),
        (status = 401, description = "Nobody known has signed it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such door.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store is away, there is no room, or who signed it could not be told; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long; send it again.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn deliver(
    State(api): State<Shared>,
    Text(name): Text,
    request: Request,
) -> Result<Json<Received>> {
    let headers = readable(request.headers());
    if let Err(refusal) = api.doors.look(&name, &headers) {
        return told(refusal);
    }
    let body = Raw::from_request(request, &api).await?;
    told(api.doors.receive(&name, &headers, &body.bytes).await)
}

fn told(receipt: Receipt) -> Result<Json<Received>> {
    match receipt {
        Receipt::Taken { job, duplicate } => Ok(Json(Received { job: Some(job), duplicate })),
        Receipt::Unusable => Ok(Json(Received { job: None, duplicate: false })),
        Receipt::Unknown => {
            let remedy = "check the address; `compline triggers list` names the doors there are";
            Err(Problem::new(Code::NotFound, "there is no such door", remedy))
        }
        Receipt::Forged(why) => Err(Problem::new(
            Code::InvalidSignature,
            why,
            "sign the bytes of the body with a key that this door knows",
        )),
        Receipt::Unsure => Err(Problem::new(
            Code::Unverified,
            "it could not be told whether this is from whom it says",
            "send it again",
        )
        .retry_after(5)),
        // To a provider that is as good as away: not every one comes again after a conflict.
        Receipt::Away(problem @ QueueError::Store(StoreError::Busy { .. })) => {
            Err(Problem::new(Code::StoreAway, problem.to_string(), "send it again").retry_after(1))
        }
        Receipt::Away(problem) => Err(problem.into()),
    }
}

/// Names in small letters. What is no text cannot have been signed by anybody.
fn readable(headers: &HeaderMap) -> Headers {
    let mut readable = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            readable.entry(name.as_str().to_owned()).or_default().push(value.to_owned());
        }
    }
    readable
}
