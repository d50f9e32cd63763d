//! Who works, and when each was last heard of.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::Result;
use crate::http::{Shared, view};

#[derive(Debug, Serialize, ToSchema)]
pub struct Workers {
    pub workers: Vec<view::Worker>,
}

/// List the workers that are registered.
#[utoipa::path(get, path = "/v1/workers", tag = "workers", security(("token" = ["workers:read"])),
    responses((status = 200, description = "The workers.", body = Workers)))]
pub async fn list(State(api): State<Shared>) -> Result<Json<Workers>> {
    let workers = api.store.workers().await?;
    Ok(Json(Workers { workers: workers.into_iter().map(view::Worker::from).collect() }))
}
