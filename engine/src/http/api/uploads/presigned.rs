//! Uploads that go straight to the bucket: ask for a place, put the file there, say that it is there.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jobkit::Personal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Id, announced};
use crate::http::Shared;
use crate::http::extract::Body;
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::uploads::Upload;
use crate::uploads::Wish;
use crate::uploads::presign::LIFE;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlace {
    /// How large the file is, exactly.
    #[schema(minimum = 1)]
    bytes: u64,
    /// How the file is called, for people; an end such as `.csv` has to fit its content.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Its SHA-256 in hexadecimal. With it S3 itself takes no other bytes.
    #[serde(default)]
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    sha256: Option<String>,
    /// Whose it is, for whoever has the whole installation.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    tenant: Option<String>,
}

/// Where to put the file, and how.
#[derive(Serialize, ToSchema)]
pub struct UploadPlace {
    pub upload: Upload,
    /// `PUT`.
    #[schema(value_type = String)]
    pub method: &'static str,
    /// Whoever has it may write there: keep it as a secret.
    pub url: String,
    /// To be sent with the file, all of them and as they are.
    pub headers: Vec<PlaceHeader>,
    /// Until then the sending has to begin.
    pub url_expires_at: Timestamp,
    /// What to call when the file is there: a POST without a body.
    pub complete: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceHeader {
    pub name: String,
    pub value: String,
}

/// Ask for a place in the bucket to put a file to.
///
/// The file is sent with a PUT to the URL, and then `complete` is called. Until then it is of no use to anybody. It counts
/// against the quota from here on.
#[utoipa::path(post, path = "/v1/uploads/presign", tag = "uploads", security(("token" = ["uploads:write"])),
    request_body = NewPlace,
    responses(
        (status = 201, description = "The place.", body = UploadPlace),
        (status = 409, description = "Artifacts lie in a folder, to which no URL leads; the quota is used up; or somebody is in the way just now.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is larger than `uploads.max_bytes`.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The bucket cannot be had.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn presign(State(api): State<Shared>, body: Body<NewPlace>) -> Result<Response> {
    let wish = wish(body.value)?;
    let now = api.store.now().await?;
    let expected = api.uploads.invite(&api.scope(), wish, &api.actor()).await?;
    let complete = format!("/v1/uploads/{}/complete", expected.upload.id);
    let location = format!("/v1/uploads/{}", expected.upload.id);
    let header = |(name, value)| PlaceHeader { name, value };
    let place = UploadPlace {
        upload: expected.upload.into(),
        method: "PUT",
        url: expected.invitation.url,
        headers: expected.invitation.headers.into_iter().map(header).collect(),
        url_expires_at: now + LIFE,
        complete,
    };
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(place)).into_response())
}

fn wish(given: NewPlace) -> Result<Wish> {
    let wrong = |field: &str, problem: &str| {
        let remedy = format!("correct {field}; nothing was kept");
        Problem::new(Code::InvalidBody, format!("{field}: {problem}"), remedy).at(format!("/{field}"))
    };
    if given.bytes == 0 {
        return Err(wrong("bytes", "an empty file is of no format that is taken"));
    }
    let name = given.name.map(|name| announced::named(&name)).transpose();
    let name = name.map_err(|problem| wrong("name", problem))?.map(Personal::new);
    let sha256 = given.sha256.map(|text| sum(&text).ok_or(())).transpose();
    let sha256 = sha256.map_err(|()| wrong("sha256", "write 64 small hexadecimal digits"))?;
    if let Some(tenant) = &given.tenant
        && (!(1..=128).contains(&tenant.len()) || tenant.contains('\0'))
    {
        return Err(wrong("tenant", "write a text of 1 to 128 bytes"));
    }
    Ok(Wish { tenant: given.tenant, name, bytes: Some(given.bytes), sha256, ..Wish::default() })
}

fn sum(text: &str) -> Option<[u8; 32]> {
    let is_hex = |letter: &u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(letter);
    if text.len() != 64 || !text.as_bytes().iter().all(is_hex) {
        return None;
    }
    let mut sum = [0; 32];
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(sum)
}

/// Say that the file is in its place.
///
/// It is fetched, looked at and scanned as any upload. One that is ready already is answered as it is; after 503 or while
/// nothing came yet, call it again.
#[utoipa::path(post, path = "/v1/uploads/{id}/complete", tag = "uploads", security(("token" = ["uploads:write"])),
    params(("id" = Uuid, Path, description = "The upload.")),
    responses(
        (status = 200, description = "It is ready.", body = Upload),
        (status = 404, description = "There is no such upload, or it was refused or over.", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "It took so long that its place was given to others.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nothing came yet, or somebody else completes it just now.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "It is of no format that is taken.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It has another size or digest than was said, is something else, or holds malware.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be fetched or scanned, or there is no room for it.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn complete(State(api): State<Shared>, Id(id): Id) -> Result<Json<Upload>> {
    let (scope, by) = (api.scope(), api.actor());
    let (uploads, name) = (api.uploads.clone(), by.name.clone());
    // In a task of its own: a caller that hangs up must not leave half of it behind.
    let completed = tokio::spawn(async move { uploads.complete(&scope, id, &by).await });
    let mut row = completed.await.map_err(|_| Problem::internal())??;
    // What a file is called is shown to those who may read uploads, and to whoever said it.
    if row.created_by != name {
        row.name = None;
    }
    Ok(Json(row.into()))
}
