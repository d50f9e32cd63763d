//! Uploads: hand a file in, list, look at, delete. The body is the file and nothing else, so that any client streams it.

mod announced;
pub mod presigned;

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use jobkit::{Personal, UploadId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::seen::Sight;
use crate::http::extract::{Parameters, path, uuid};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::uploads::Upload;
use crate::http::{Api, Shared};
use crate::uploads::format::{Claim, Format};
use crate::uploads::scanner::ScanError;
use crate::uploads::{BrokenOff, UploadError, Wish};
use store::{DEFAULT_PAGE, UploadDeleted, chain};

static CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Hand in a file.
///
/// The body is the file's bytes. What the file is is settled by its content: text (CSV and its like), JSON, XML, XLSX,
/// Parquet, PDF or DOCX; a `Content-Type` or a name that says otherwise is refused. Name it in a job as `upload:ID`.
#[utoipa::path(post, path = "/v1/uploads", tag = "uploads", security(("token" = ["uploads:write"])),
    params(
        ("tenant" = Option<String>, Query, description = "Whose it is, for whoever has the whole installation.", min_length = 1, max_length = 128),
        ("Content-Disposition" = Option<String>, Header, description = "How the file is called: `attachment; filename*=UTF-8''GL.csv`. For people; no path is made of it."),
        ("Content-Digest" = Option<String>, Header, description = "`sha-256=:BASE64:` (RFC 9530). What arrives is compared with it."),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file. Its own media type, such as text/csv, may stand in `Content-Type` instead."),
    responses(
        (status = 201, description = "It is ready.", body = Upload),
        (status = 400, description = "A parameter or a header is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "It did not come, or came too slowly.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The quota is used up, or somebody is in the way just now.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is larger than `uploads.max_bytes`.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "It is of no format that is taken.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is something else than was said, has another digest, or holds malware.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be scanned, or there is no room for it.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn create(State(api): State<Shared>, given: Parameters, request: Request) -> Result<Response> {
    let wish = wish(&api, &given, request.headers())?;
    // Whoever asks first sends nothing when it is refused.
    let waits = request.headers().contains_key(EXPECT);
    let (scope, by) = (api.scope(), api.actor());
    let uploads = api.uploads.clone();
    // In a task of its own: a caller that hangs up must not leave half of it behind.
    let received = tokio::spawn(async move {
        let mut body = pieces(request.into_body());
        let received = uploads.receive(&scope, wish, &mut body, &by).await;
        if received.is_err() && !waits {
            drain(&mut body).await;
        }
        received
    });
    let row = received.await.map_err(|_| Problem::internal())?.map_err(Problem::from)?;
    let location = format!("/v1/uploads/{}", row.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(Upload::from(row))).into_response())
}

fn pieces(body: Body) -> impl Stream<Item = Result<bytes::Bytes, BrokenOff>> + Send + Unpin {
    body.into_data_stream().map(|piece| piece.map_err(|_| BrokenOff))
}

/// A connection that is closed on what was not read is reset, and the answer lost with it.
const MOST_DRAINED: usize = 8 << 20;
const LONGEST_DRAINING: Duration = Duration::from_secs(2);

async fn drain(body: &mut (impl Stream<Item = Result<bytes::Bytes, BrokenOff>> + Unpin)) {
    let read = async {
        let mut drained = 0;
        while let Some(Ok(piece)) = body.next().await {
            drained += piece.len();
            if drained > MOST_DRAINED {
                break;
            }
        }
    };
    // Whatever came of it is thrown away.
    let _ = tokio::time::timeout(LONGEST_DRAINING, read).await;
}

fn wish(api: &Api, given: &Parameters, headers: &HeaderMap) -> Result<Wish> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let remedy = "send it as it is, without the header Content-Encoding";
        let detail = "the file is packed on its way, and nobody here unpacks it";
        return Err(Problem::new(Code::UnsupportedFormat, detail, remedy).at("Content-Encoding"));
    }
    let tenant =
        given.one("tenant", |text| match (1..=128).contains(&text.len()) && !text.contains('\0') {
            true => Ok(text.to_owned()),
            false => Err("a text of 1 to 128 bytes".into()),
        })?;
    let wrong = |header: &str, problem: &str| {
        let remedy = "correct the header, or leave it out; nothing was kept";
        Problem::new(Code::InvalidHeader, format!("{header}: {problem}"), remedy).at(header)
    };
    let name =
        headers.get(CONTENT_DISPOSITION).map(|value| announced::file_name(value.as_bytes())).transpose();
    let name = name.map_err(|problem| wrong("Content-Disposition", problem))?.flatten();
    let sha256 = headers.get(&CONTENT_DIGEST).map(|value| announced::digest(value.as_bytes())).transpose();
    let sha256 = sha256.map_err(|problem| wrong("Content-Digest", problem))?;
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = Claim::by_media_type(media).map_err(|media| {
        let detail = format!("a file of the media type {media} is not taken");
        let remedy = format!(
            "send the bytes of the file alone as the body, as application/octet-stream or its own type; taken are {}",
            taken()
        );
        Problem::new(Code::UnsupportedFormat, detail, remedy).at("Content-Type")
    })?;
    let claims = media.into_iter().chain(name.as_deref().and_then(Claim::by_name)).collect();
    Ok(Wish {
        tenant,
        name: name.map(Personal::new),
        bytes: headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()),
        sha256,
        claims,
        patience: api.limits.body_timeout,
    })
}

fn taken() -> String {
    Format::ALL.map(|format| format.to_string()).join(", ")
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let told = error.to_string();
        match error {
            UploadError::TooLarge(_) => {
                Self::new(Code::BodyTooLarge, told, "send less in one file, or raise uploads.max_bytes")
            }
            UploadError::Full { taken: has, quota } => {
                let detail = format!(
                    "{} of {} bytes and {} of {} files are taken, and this one is too much",
                    has.bytes, quota.bytes, has.count, quota.count
                );
                let remedy = "delete uploads that are not needed, wait until some are over, or raise uploads.quota_bytes and uploads.quota_files";
                Self::new(Code::QuotaFull, detail, remedy)
            }
            UploadError::Unknown(_) => {
                Self::new(Code::UnsupportedFormat, told, format!("hand in one of: {}", taken()))
            }
            UploadError::Differs { .. } => {
                let remedy = "say what the file is, or application/octet-stream and a name without an end; nothing was kept";
                Self::new(Code::FormatDiffers, told, remedy)
            }
            UploadError::Digest => {
                let remedy = "send it again; nothing was kept";
                Self::new(Code::DigestDiffers, told, remedy).at("Content-Digest")
            }
            UploadError::Infected { .. } => {
                let remedy = "do not send it again; look at the machine that it came from";
                Self::new(Code::Infected, told, remedy)
            }
            UploadError::Scanner(ScanError::TooLarge { .. }) => {
                let remedy = "StreamMaxLength, MaxFileSize and MaxScanSize of clamd have to be at least uploads.max_bytes";
                let detail = "the scanner did not look at all of the file, so it was not taken";
                Self::new(Code::ScannerAway, detail, remedy)
            }
            UploadError::Scanner(_) => {
                let remedy = "send it again later; `compline doctor` says what is wrong with the scanner";
                Self::new(Code::ScannerAway, told, remedy).retry_after(10)
            }
            // Nobody reads the first of these.
            UploadError::Broken | UploadError::Slow(_) | UploadError::Gone => {
                Self::new(Code::BodyTimeout, told, "send it again, and faster; nothing was kept")
            }
            UploadError::NoRoom(cause) => {
                tracing::error!("{told}: {cause}");
                Self::new(Code::Crowded, told, "make room on the disk of uploads.directory").retry_after(60)
            }
            UploadError::Disk(cause) => {
                tracing::error!("{told}: {}", chain(&cause));
                Self::internal()
            }
            UploadError::NoBucket => {
                let remedy =
                    "send the file as the body of POST /v1/uploads, or set artifacts.url to a bucket";
                Self::new(Code::PresignOff, told, remedy)
            }
            UploadError::NotKnown(_) => Self::not_found(told).at("id"),
            UploadError::NotArrived => {
                let remedy = "put the file to the URL, with the headers that were told, and call this again";
                Self::new(Code::NotArrived, told, remedy)
            }
            UploadError::Busy => Self::new(Code::Busy, told, "wait for its answer").retry_after(5),
            UploadError::Size { .. } => {
                let remedy = "ask for a new place with the size that the file has; nothing was kept";
                Self::new(Code::SizeDiffers, told, remedy)
            }
            UploadError::BucketSlow => {
                Self::new(Code::ArtifactsAway, told, "call this again; the file is still there")
                    .retry_after(10)
            }
            UploadError::Bucket(cause) => {
                tracing::error!("{told}: {}", chain(&cause));
                let remedy = "call this again later; `compline doctor` says what is wrong with artifacts.url";
                Self::new(Code::ArtifactsAway, told, remedy).retry_after(10)
            }
            UploadError::Tenant(_) => Self::new(Code::InvalidParameter, told, "correct tenant").at("tenant"),
            UploadError::Store(error) => error.into(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Uploads {
    /// Newest first.
    pub uploads: Vec<Upload>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_LIST: usize = 1_000;

/// List uploads, the newest first.
#[utoipa::path(get, path = "/v1/uploads", tag = "uploads", security(("token" = ["uploads:read"])),
    params(
        ("before" = Option<Uuid>, Query, description = "Older than this one: `next` of the page before."),
        ("limit" = Option<u16>, Query, description = "So many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The uploads.", body = Uploads)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Uploads>> {
    let before = given.one("before", |text| {
        uuid(text).map(UploadId).ok_or_else(|| "what the page before said as `next`".to_owned())
    })?;
    let limit = given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE);
    let rows = api.uploads.list(&api.scope(), before, limit).await?;
    api.shows(&rows.iter().map(Sight::upload).collect::<Vec<_>>()).await?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|last| last.id.to_string());
    Ok(Json(Uploads { uploads: rows.into_iter().map(Upload::from).collect(), next }))
}

/// The id of an upload, from the path.
pub struct Id(UploadId);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        match uuid(&id) {
            Some(id) => Ok(Self(UploadId(id))),
            None => {
                let remedy = "GET /v1/uploads lists the ids there are";
                Err(Problem::new(Code::InvalidParameter, "id: this is no id of an upload", remedy).at("id"))
            }
        }
    }
}

fn unknown(id: UploadId) -> Problem {
    Problem::not_found(format!("upload {id} is not known")).at("id")
}

/// One upload.
#[utoipa::path(get, path = "/v1/uploads/{id}", tag = "uploads", security(("token" = ["uploads:read"])),
    params(("id" = Uuid, Path, description = "The upload.")),
    responses(
        (status = 200, description = "The upload.", body = Upload),
        (status = 404, description = "There is no such upload.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<Upload>> {
    let row = api.uploads.find(&api.scope(), id).await?.ok_or_else(|| unknown(id))?;
    api.shows(&[Sight::upload(&row)]).await?;
    Ok(Json(row.into()))
}

/// Delete an upload, with its bytes.
#[utoipa::path(delete, path = "/v1/uploads/{id}", tag = "uploads", security(("token" = ["uploads:write"])),
    params(("id" = Uuid, Path, description = "The upload.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such upload.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A job that has not ended names it, or somebody is in the way just now.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn delete(State(api): State<Shared>, Id(id): Id) -> Result<StatusCode> {
    match api.uploads.delete(&api.scope(), id, &api.actor()).await? {
        UploadDeleted::Done => Ok(StatusCode::NO_CONTENT),
        UploadDeleted::Unknown => Err(unknown(id)),
        UploadDeleted::Used(job) => {
            let detail = format!("job {job} names upload {id} and has not ended");
            Err(Problem::new(Code::Refused, detail, "wait for the job, or cancel it; nothing was deleted")
                .at("id"))
        }
    }
}
