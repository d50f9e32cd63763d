//! The files that a job left: their list, and each of them.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use jobkit::{Artifact, JobId, Owner, Reading};
use serde::Serialize;
use utoipa::ToSchema;

use super::jobs::unknown;
use crate::audit::seen::{Sight, Thing};
use crate::http::extract::{Id, Parameters, job_id, path};
use crate::http::problem::{Code, Problem, Result};
use crate::http::{Api, Shared};
use store::{DEFAULT_PAGE, JobFilter};

/// A file of any size passes through this much memory.
const PIECE: usize = 256 << 10;

#[derive(Debug, Serialize, ToSchema)]
pub struct File {
    pub name: String,
    /// The run of the job that wrote it; that of a later one is larger.
    #[schema(value_type = String)]
    pub claim: String,
    pub bytes: u64,
    /// As jobs name it in their results.
    pub address: String,
    /// Where it can be fetched.
    pub href: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Files {
    /// By run, and within a run by name.
    pub artifacts: Vec<File>,
    /// Where the next page begins: give it as `after`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_PAGE: usize = 1_000;

/// List the files that a job left.
#[utoipa::path(get, path = "/v1/jobs/{id}/artifacts", tag = "artifacts", security(("token" = ["artifacts:read"])), 
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("after" = Option<String>, Query, description = "Behind this file: `next` of the page before.", min_length = 1),
        ("limit" = Option<u16>, Query, description = "How many at once; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "Its files.", body = Files),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The place of the files is away.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn list(State(api): State<Shared>, Id(id): Id, given: Parameters) -> Result<Json<Files>> {
    let limit = given.limit(LONGEST_PAGE)?.unwrap_or(DEFAULT_PAGE);
    let after = given.one("after", |text| {
        let place =
            text.split_once('/').and_then(|(claim, name)| Some((claim.parse().ok()?, name.to_owned())));
        place.ok_or_else(|| "what the page before said as `next`".into())
    })?;
    let mut artifacts = files(&api, id).await?;
    if !artifacts.is_empty() {
        api.shows(&[Sight::of(Thing::Files(id), "names")]).await?;
    }
    if let Some(after) = after {
        artifacts.retain(|file| (file.owner.claim, &file.name) > (after.0, &after.1));
    }
    let more = artifacts.len() > limit;
    artifacts.truncate(limit);
    let next = artifacts.last().filter(|_| more).map(|file| format!("{}/{}", file.owner.claim, file.name));
    let file = |file: Artifact| {
        let claim = file.owner.claim.to_string();
        let href = format!("/v1/jobs/{id}/artifacts/{claim}/{}", encoded(&file.name));
        File { name: file.name, claim, bytes: file.bytes, address: file.address, href }
    };
    Ok(Json(Files { artifacts: artifacts.into_iter().map(file).collect(), next }))
}

async fn files(api: &Api, id: JobId) -> Result<Vec<Artifact>> {
    // Files outlive the rows of their job, and are nobody's business then.
    let only = JobFilter { ids: vec![id], limit: Some(1), ..JobFilter::default() };
    match api.store.briefs(&api.scope(), &only).await?.is_empty() {
        true => Err(unknown(id)),
        false => Ok(api.artifacts.list(id).await?),
    }
}

/// The path of one file.
pub struct Place {
    owner: Owner,
    name: String,
}

impl FromRequestParts<Shared> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let (job, claim, name) = path::<(String, String, String)>(parts, api).await?.0;
        let job = job_id("id", &job)?;
        let claim = claim.parse().map_err(|_| {
            let remedy = "GET /v1/jobs/{id}/artifacts lists the files with their links";
            Problem::new(Code::InvalidParameter, "claim: this is no number of a run", remedy).at("claim")
        })?;
        Ok(Self { owner: Owner { job, claim }, name })
    }
}

/// Fetch a file that a job left.
#[utoipa::path(get, path = "/v1/jobs/{id}/artifacts/{claim}/{name}", tag = "artifacts", security(("token" = ["artifacts:read"])),
    params(
        ("id" = Uuid, Path, description = "The job."),
        ("claim" = u64, Path, description = "The run that wrote it."),
        ("name" = String, Path, description = "The file's name."),
    ),
    responses(
        (status = 200, description = "The file, to be saved and never shown by a browser.", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such job, or it left no such file.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The place of the files is away.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn download(State(api): State<Shared>, place: Place) -> Result<Response> {
    let Place { owner, name } = place;
    // Looked for in the list: no name that a caller makes up reaches the files.
    let files = files(&api, owner.job).await?;
    let Some(file) = files.into_iter().find(|file| file.owner == owner && file.name == name) else {
        let what = format!("job {} left no such file in that run", owner.job);
        return Err(Problem::not_found(what).at("name"));
    };
    let shown = Thing::File { job: owner.job, claim: owner.claim, name };
    api.shows(&[Sight::of(shown, "file")]).await?;
    // Its size is that of the file that is opened, which may have taken the place of the one in the list.
    let Reading { bytes, pieces } = api.artifacts.read(&file.address, PIECE).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    let disposition = format!("attachment; filename*=UTF-8''{}", encoded(&file.name));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'"),
    );
    Ok((headers, Body::from_stream(pieces.map_ok(Bytes::from))).into_response())
}

/// As RFC 8187 and paths both take it.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let letter = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(letter).collect()
}
