//! Whether the process lives, and whether it can serve. Open to everybody, so it says no more than that.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;

#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    pub status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// Whether all that follows is true.
    pub ready: bool,
    /// The store answers.
    pub store: bool,
    /// The store's schema is recent enough for this program.
    pub schema: bool,
    /// The process is not about to end.
    pub serving: bool,
}

/// Whether the process lives.
///
/// It asks nothing of anybody: a database that is away is no reason to start this process again.
#[utoipa::path(get, path = "/livez", tag = "health", security(()),
    responses((status = 200, description = "It lives.", body = Alive)))]
pub async fn livez() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Whether the process can serve.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "It can.", body = Ready),
    (status = 503, description = "It cannot just now; the body says what is missing.", body = Ready)))]
pub async fn readyz(State(api): State<Shared>) -> (StatusCode, Json<Ready>) {
    let schema = match tokio::time::timeout(api.limits.answer_timeout, api.store.schema()).await {
        Ok(Ok(schema)) => Some(schema.suffices()),
        _ => None,
    };
    let (store, schema, serving) = (schema.is_some(), schema.unwrap_or(false), !api.stop.is_cancelled());
    let ready = store && schema && serving;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, store, schema, serving }))
}
