//! The sessions that somebody has open, and ending them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use store::SessionId;
use store::identities::SessionRow;
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::extract::{Text, uuid};
use crate::http::problem::{Code, Problem, Result};
use crate::http::session::Session;

#[derive(Debug, Serialize, ToSchema)]
pub struct OpenSession {
    #[schema(value_type = Uuid)]
    pub id: SessionId,
    /// It is the one that asks.
    pub current: bool,
    pub created_at: Timestamp,
    /// When it last had a new access token.
    pub used_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: String,
    /// Where it was opened from.
    pub source: String,
}

impl OpenSession {
    fn of(session: SessionRow, current: SessionId) -> Self {
        let SessionRow { id, created_at, used_at, expires_at, user_agent, source, .. } = session;
        Self { id, current: id == current, created_at, used_at, expires_at, user_agent, source }
    }
}

/// List the sessions that are open, the newest first.
#[utoipa::path(get, path = "/auth/sessions", tag = "sessions", security(("session" = [])),
    responses(
        (status = 200, description = "Of the user who asks.", body = Vec<OpenSession>),
        (status = 401, description = "There is no session, or it is over.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn list(State(api): State<Shared>, Session(who): Session) -> Result<Json<Vec<OpenSession>>> {
    let sessions = api.identity()?.sessions(who.user.id).await?;
    Ok(Json(sessions.into_iter().map(|session| OpenSession::of(session, who.session.id)).collect()))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EndedSessions {
    pub ended: u64,
}

/// End all sessions but the one that asks.
#[utoipa::path(delete, path = "/auth/sessions", tag = "sessions", security(("session" = [])),
    params(("X-CSRF-Token" = Option<String>, Header, description = "With the cookie: the value of `__Host-compline-csrf`.")),
    responses(
        (status = 200, description = "They have ended.", body = EndedSessions),
        (status = 401, description = "There is no session, or it is over.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It comes from a foreign page.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn end_others(State(api): State<Shared>, Session(who): Session) -> Result<Json<EndedSessions>> {
    Ok(Json(EndedSessions { ended: api.identity()?.revoke_others(&who).await? }))
}

/// End one session.
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "sessions", security(("session" = [])),
    params(
        ("id" = Uuid, Path, description = "The session."),
        ("X-CSRF-Token" = Option<String>, Header, description = "With the cookie: the value of `__Host-compline-csrf`."),
    ),
    responses(
        (status = 204, description = "It has ended."),
        (status = 401, description = "There is no session to ask from, or it is over.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "It comes from a foreign page.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The user has no such session, or it has ended.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Somebody else is in the way just now; send it again.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Nobody is signed in here, or the store is away.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The answer took too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn end(State(api): State<Shared>, Session(who): Session, Text(id): Text) -> Result<StatusCode> {
    let Some(id) = uuid(&id) else {
        let remedy = "GET /auth/sessions lists those that are open";
        return Err(Problem::new(Code::InvalidParameter, "id: this is no session's", remedy).at("id"));
    };
    match api.identity()?.revoke(&who, SessionId(id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            let remedy = "GET /auth/sessions lists those that are open";
            Err(Problem::new(Code::NotFound, "there is no such session of this user's", remedy).at("id"))
        }
    }
}
