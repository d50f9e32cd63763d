//! Queues: look, pause, resume.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::extract::{Body, Name, moment_if_any};
use crate::http::problem::{Code, Problem, Result};
use crate::http::{Shared, view};
use store::QueueRow;
use store::state::JobState;

#[derive(Debug, Serialize, ToSchema)]
pub struct Queue {
    pub name: String,
    pub paused_at: Option<Timestamp>,
    pub paused_by: Option<String>,
    pub reason: Option<String>,
    /// When the pause ends by itself; null where somebody must resume it.
    pub resume_at: Option<Timestamp>,
    /// How many live jobs are in each state.
    #[schema(value_type = BTreeMap<view::State, u64>)]
    pub counts: BTreeMap<JobState, u64>,
    /// When the job that has been due for longest was due.
    pub oldest: Option<Timestamp>,
}

impl From<QueueRow> for Queue {
    fn from(row: QueueRow) -> Self {
        let QueueRow { name, paused_at, paused_by, reason, resume_at, counts, oldest } = row;
        Self { name, paused_at, paused_by, reason, resume_at, counts, oldest }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Queues {
    /// By name.
    pub queues: Vec<Queue>,
}

/// List queues that have live jobs or were ever paused.
#[utoipa::path(get, path = "/v1/queues", tag = "queues", security(("token" = ["queues:read"])),
    responses((status = 200, description = "The queues.", body = Queues)))]
pub async fn list(State(api): State<Shared>) -> Result<Json<Queues>> {
    let queues = api.queue.queues(&api.scope()).await?;
    Ok(Json(Queues { queues: queues.into_iter().map(Queue::from).collect() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Why; shown in the listing and kept in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// Until then; left out, until somebody resumes it.
    #[serde(default, deserialize_with = "moment_if_any")]
    pub until: Option<Timestamp>,
}

pub fn checked(reason: String) -> Result<String> {
    if reason.is_empty() || reason.chars().count() > 1_000 || reason.contains('\0') {
        let detail = "/reason: must be 1 to 1,000 characters, without NUL";
        return Err(Problem::new(Code::InvalidBody, detail, "say in a sentence why").at("/reason"));
    }
    Ok(reason)
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Paused {
    pub queue: String,
    pub paused: bool,
}

/// Stop taking jobs from a queue, everywhere; running jobs go on.
#[utoipa::path(post, path = "/v1/queues/{name}/pause", tag = "queues", security(("token" = ["queues:control"])), request_body = Pause,
    params(("name" = String, Path, description = "The queue.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses((status = 200, description = "It is paused.", body = Paused)))]
pub async fn pause(State(api): State<Shared>, Name(queue): Name, body: Body<Pause>) -> Result<Json<Paused>> {
    let Pause { reason, until } = body.value;
    api.queue.pause(&queue, until, &api.actor(), &checked(reason)?).await?;
    Ok(Json(Paused { queue, paused: true }))
}

/// Take jobs from a queue again.
#[utoipa::path(post, path = "/v1/queues/{name}/resume", tag = "queues", security(("token" = ["queues:control"])),
    params(("name" = String, Path, description = "The queue.", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses((status = 200, description = "It is not paused.", body = Paused)))]
pub async fn resume(State(api): State<Shared>, Name(queue): Name) -> Result<Json<Paused>> {
    api.queue.resume(&queue, &api.actor()).await?;
    Ok(Json(Paused { queue, paused: false }))
}
