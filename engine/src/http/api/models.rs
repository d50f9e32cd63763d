//! Models that jobs made: which there are, where each stands, and which of a name is to be used.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::approvals::leave;
use super::enqueue::{At, marked, once};
use crate::approvals::rules::Action;
use crate::http::Shared;
use crate::http::extract::{Parameters, path};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::models::{Model, ModelChange};
use crate::models::{ModelError, is_model_id, promoting};
use store::{DEFAULT_PAGE, ModelFilter};

#[derive(Debug, Serialize, ToSchema)]
pub struct Models {
    /// Newest first.
    pub models: Vec<Model>,
    /// Where the next page begins: give it as `before`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_LIST: usize = 1_000;

/// List models, newest first.
#[utoipa::path(get, path = "/v1/models", tag = "models", security(("token" = ["models:read"])),
    params(
        ("name" = Option<Vec<String>>, Query, description = "Of one of these names.", min_length = 1),
        ("before" = Option<String>, Query, description = "Older than this model: `next` of the page before.", pattern = "^[0-9a-f]{8,64}$"),
        ("limit" = Option<u16>, Query, description = "The newest so many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The models.", body = Models)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Models>> {
    let before = given.one("before", |text| match is_model_id(text) {
        true => Ok(text.to_owned()),
        false => Err("what the page before said as `next`".to_owned()),
    })?;
    let filter =
        ModelFilter { names: given.texts("name")?, before, limit: given.limit(LONGEST_LIST)?, id: None };
    let models = api.models.list(&filter).await?;
    let more = models.len() == filter.limit.unwrap_or(DEFAULT_PAGE);
    let next = models.last().filter(|_| more).map(|last| last.model.id.clone());
    Ok(Json(Models { models: models.into_iter().map(Model::from).collect(), next }))
}

/// The id of a model, from the path.
pub struct Id(String);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        match is_model_id(&id) {
            true => Ok(Self(id)),
            false => {
                let remedy = "GET /v1/models lists the ids there are";
                Err(Problem::new(Code::InvalidParameter, "id: this is no id of a model", remedy).at("id"))
            }
        }
    }
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        let remedy = "GET /v1/models lists those there are";
        match error {
            ModelError::Store(error) => error.into(),
            ModelError::Unknown(_) => Self::new(Code::NotFound, error.to_string(), remedy).at("id"),
            ModelError::NoPlace(_) => Self::new(
                Code::InvalidParameter,
                error.to_string(),
                "give what the page before said as `next`",
            )
            .at("before"),
        }
    }
}

/// One model.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "models", security(("token" = ["models:read"])),
    params(("id" = String, Path, description = "The model.", pattern = "^[0-9a-f]{8,64}$")),
    responses(
        (status = 200, description = "The model.", body = Model),
        (status = 404, description = "There is no such model.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<Model>> {
    Ok(Json(api.models.show(&id).await?.into()))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Promoted {
    pub id: String,
    /// Empty when it was the champion already.
    pub changes: Vec<ModelChange>,
}

/// Make a model the champion of its name.
///
/// The champion before it is retired, and so is every challenger that is older; newer ones go on. One that was retired may
/// come back by this. With the header `Idempotency-Key` a request that is sent again is answered as it was, whatever was
/// promoted since.
#[utoipa::path(post, path = "/v1/models/{id}/promote", tag = "models", security(("token" = ["models:promote"])),
    params(
        ("id" = String, Path, description = "The model.", pattern = "^[0-9a-f]{8,64}$"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters that name this request, such as a UUID.", min_length = 1, max_length = 255),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It is the champion.", body = Promoted),
        (status = 404, description = "There is no such model.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn promote(State(api): State<Shared>, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let request = At::new(&headers)?.request(&format!("POST /v1/models/{id}/promote"), b"null")?;
    let what = promoting(&api.models.show(&id).await?);
    let by = leave(&api, Action::ModelsPromote, what, &headers).await?;
    let (replayed, changes) = match request {
        None => (false, api.models.promote(&id, &by).await?),
        Some(request) => once(api.models.promote_once(&request, &id, &by).await?)?,
    };
    let changes = changes.into_iter().map(ModelChange::from).collect();
    Ok(marked(Json(Promoted { id, changes }).into_response(), replayed))
}
