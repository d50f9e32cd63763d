//! Tokens of services: list, make, look at, rotate, revoke. A secret is told once, to whoever made it.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jobkit::redact::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::leave;
use crate::approvals::rules::Action;
use crate::http::extract::{Body, Parameters, path, uuid};
use crate::http::problem::{Code, Problem, Result};
use crate::http::view::tokens::Token;
use crate::http::{Api, Shared, guard};
use crate::identity::tokens::{DEFAULT_GRACE, DEFAULT_LIFE, Given, Issued, rotating};
use crate::identity::{Permission, Permissions};
use crate::units::parse_duration;
use store::tokens::{TokenRow, Which};
use store::{DEFAULT_PAGE, TokenId};

#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// In the order in which they came; those that have ended too.
    pub tokens: Vec<Token>,
    /// Where the next page begins: give it as `after`. Absent on the last page.
    pub next: Option<String>,
}

const LONGEST_LIST: usize = 1_000;

/// List tokens of services, the first that came first.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", security(("token" = ["tokens:manage"])),
    params(
        ("after" = Option<Uuid>, Query, description = "Behind this token: `next` of the page before."),
        ("limit" = Option<u16>, Query, description = "So many; 100 when nothing is said.", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The tokens.", body = Tokens)))]
pub async fn list(State(api): State<Shared>, given: Parameters) -> Result<Json<Tokens>> {
    let after = given.one("after", |text| {
        uuid(text).map(TokenId).ok_or_else(|| "what the page before said as `next`".to_owned())
    })?;
    let limit = given.limit(LONGEST_LIST)?.unwrap_or(DEFAULT_PAGE);
    let tokens = api.tokens.list(after, limit).await?;
    let next = tokens.last().filter(|_| tokens.len() == limit).map(|last| last.id.to_string());
    let now = api.store.now().await?;
    Ok(Json(Tokens { tokens: tokens.into_iter().map(|token| Token::of(token, now)).collect(), next }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What the audit log calls it: `service:NAME`. One token has it, for ever.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")]
    name: String,
    /// What it may do. Not more than you may.
    #[schema(min_items = 1, max_items = 100)]
    permissions: Vec<String>,
    /// Left out: the whole installation.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    tenant: Option<String>,
    /// Where it may be shown, such as "10.0.0.0/8"; left out, anywhere.
    #[serde(default)]
    #[schema(max_items = 100)]
    networks: Vec<String>,
    /// From "1m" to "366d"; "90d" when nothing is said.
    #[serde(default)]
    expires_in: Option<String>,
}

/// A token, with the secret that is told this once.
#[derive(Serialize, ToSchema)]
pub struct TokenWithSecret {
    pub token: Token,
    pub secret: String,
}

async fn told(api: &Api, status: StatusCode, issued: Issued) -> Result<Response> {
    let token = Token::of(issued.token, api.store.now().await?);
    let secret = issued.secret.expose_secret().to_owned();
    Ok((status, Json(TokenWithSecret { token, secret })).into_response())
}

/// Make a token for a service.
///
/// The answer has its secret, which nobody is told again. Nobody gives what he may not do himself.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", security(("token" = ["tokens:manage"])), request_body = NewToken,
    params(
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 201, description = "It is made.", body = TokenWithSecret),
        (status = 409, description = "There is or was a token of this name, somebody is in the way just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn create(State(api): State<Shared>, headers: HeaderMap, body: Body<NewToken>) -> Result<Response> {
    let NewToken { name, permissions, tenant, networks, expires_in } = body.value;
    let given = Given {
        name,
        permissions: permissions_of(&permissions)?,
        tenant,
        networks: each("networks", &networks, |text| text.parse())?,
        life: lasting("expires_in", expires_in.as_deref(), DEFAULT_LIFE)?,
    };
    let by = leave(&api, Action::TokensCreate, given.told(), &headers).await?;
    let issued = api.tokens.create(given, guard::principal().permissions, &by).await?;
    told(&api, StatusCode::CREATED, issued).await
}

fn permissions_of(names: &[String]) -> Result<Permissions> {
    each("permissions", names, |name| name.parse::<Permission>()).map(|all| all.into_iter().collect())
}

fn each<T>(field: &str, texts: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
    let read = |(at, text): (usize, &String)| {
        read(text).map_err(|problem| invalid(&format!("{field}/{at}"), &problem))
    };
    texts.iter().enumerate().map(read).collect()
}

fn lasting(field: &str, text: Option<&str>, default: Duration) -> Result<Duration> {
    text.map_or(Ok(default), parse_duration).map_err(|problem| invalid(field, &problem))
}

fn invalid(field: &str, problem: &str) -> Problem {
    let remedy = format!("correct {field}; nothing was changed");
    Problem::new(Code::InvalidBody, format!("{field}: {problem}"), remedy).at(format!("/{field}"))
}

/// The id of a token, from the path.
pub struct Id(TokenId);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self> {
        let Path(id) = path::<String>(parts, api).await?;
        match uuid(&id) {
            Some(id) => Ok(Self(TokenId(id))),
            None => {
                let remedy = "GET /v1/tokens lists the ids there are";
                Err(Problem::new(Code::InvalidParameter, "id: this is no id of a token", remedy).at("id"))
            }
        }
    }
}

async fn find(api: &Api, id: TokenId) -> Result<TokenRow> {
    api.tokens.find(&Which::Id(id)).await?.ok_or_else(|| {
        let remedy = "GET /v1/tokens lists those there are";
        Problem::new(Code::NotFound, format!("token {id} is not known"), remedy).at("id")
    })
}

/// One token.
#[utoipa::path(get, path = "/v1/tokens/{id}", tag = "tokens", security(("token" = ["tokens:manage"])),
    params(("id" = Uuid, Path, description = "The token.")),
    responses(
        (status = 200, description = "The token.", body = Token),
        (status = 404, description = "There is no such token.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn get(State(api): State<Shared>, Id(id): Id) -> Result<Json<Token>> {
    let token = find(&api, id).await?;
    Ok(Json(Token::of(token, api.store.now().await?)))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedToken {
    #[schema(value_type = Uuid)]
    pub id: TokenId,
    /// False when it was revoked already.
    pub changed: bool,
}

/// Revoke a token, at once and for good.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", security(("token" = ["tokens:manage"])),
    params(("id" = Uuid, Path, description = "The token.")),
    responses(
        (status = 200, description = "It lets nobody in.", body = RevokedToken),
        (status = 404, description = "There is no such token.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn revoke(State(api): State<Shared>, Id(id): Id) -> Result<Json<RevokedToken>> {
    let changed = api.tokens.revoke(id, &api.actor()).await?;
    Ok(Json(RevokedToken { id, changed }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// For how long the secret that there is goes on, from "0s" to "7d"; "1d" when nothing is said.
    #[serde(default)]
    grace: Option<String>,
    /// From "1m" to "366d"; "90d" when nothing is said.
    #[serde(default)]
    expires_in: Option<String>,
}

/// Give a token another secret.
///
/// The one there was is let in for a while more, so that it can be changed where it is used; one before that is let in no
/// more. It is the same token, with the same name. Nobody rotates one that may do what he may not.
#[utoipa::path(post, path = "/v1/tokens/{id}/rotate", tag = "tokens", security(("token" = ["tokens:manage"])), request_body = Rotation,
    params(
        ("id" = Uuid, Path, description = "The token."),
        ("Approval" = Option<Uuid>, Header, description = "The approval that was given for exactly this, where one is needed."),
    ),
    responses(
        (status = 200, description = "It has another secret.", body = TokenWithSecret),
        (status = 404, description = "There is no such token.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is revoked, somebody is in the way just now, or others must approve it first.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn rotate(
    State(api): State<Shared>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body<Rotation>,
) -> Result<Response> {
    let Rotation { grace, expires_in } = body.value;
    let grace = lasting("grace", grace.as_deref(), DEFAULT_GRACE)?;
    let life = lasting("expires_in", expires_in.as_deref(), DEFAULT_LIFE)?;
    let token = find(&api, id).await?;
    let own = guard::principal().permissions;
    let by = leave(&api, Action::TokensCreate, rotating(&token, grace, life), &headers).await?;
    let issued = api.tokens.rotate(&token, (grace, life), own, &by).await?;
    told(&api, StatusCode::OK, issued).await
}
