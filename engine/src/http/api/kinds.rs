//! What this program can do, and by which rules.

use axum::Json;
use axum::extract::State;
use jobkit::{KindInfo, Unique};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Shared;
use crate::http::problem::Result;
use crate::http::view::millis;

#[derive(Debug, Serialize, ToSchema)]
pub struct Kind {
    pub kind: String,
    pub queue: String,
    pub priority: u8,
    pub max_attempts: u16,
    /// An attempt that runs longer is interrupted; none means that nothing is.
    pub timeout_ms: Option<f64>,
    pub backoff: Waits,
    pub unique: Option<Rule>,
    /// What its jobs are given and write is encrypted at rest.
    pub encrypted: bool,
}

/// The wait after a failed attempt: exponential, capped, with a share drawn at random.
#[derive(Debug, Serialize, ToSchema)]
pub struct Waits {
    pub first_ms: f64,
    pub factor: f64,
    pub longest_ms: f64,
    pub jitter: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Rule {
    pub by_args: bool,
    /// `minute`, `hour` or `day`.
    #[schema(value_type = Option<String>)]
    pub period: Option<jobkit::Period>,
    pub after_completion: bool,
    /// `return_existing` or `replace`.
    #[schema(value_type = String)]
    pub on_conflict: jobkit::OnConflict,
}

impl From<&Unique> for Rule {
    fn from(rule: &Unique) -> Self {
        let Unique { by_args, period, after_completion, on_conflict } = rule.clone();
        Self { by_args, period, after_completion, on_conflict }
    }
}

impl From<&KindInfo> for Kind {
    fn from(info: &KindInfo) -> Self {
        let policy = &info.policy;
        let waits = &policy.backoff;
        Self {
            kind: info.kind.into(),
            queue: policy.queue.clone(),
            priority: policy.priority,
            max_attempts: policy.max_attempts,
            timeout_ms: policy.timeout.map(millis),
            backoff: Waits {
                first_ms: millis(waits.first),
                factor: waits.factor,
                longest_ms: millis(waits.longest),
                jitter: waits.jitter,
            },
            unique: policy.unique.as_ref().map(Rule::from),
            encrypted: policy.encrypted,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Kinds {
    /// By name.
    pub kinds: Vec<Kind>,
}

/// List the kinds that this process knows, each with its policy.
#[utoipa::path(get, path = "/v1/kinds", tag = "kinds", security(("token" = ["kinds:read"])),
    responses((status = 200, description = "The kinds.", body = Kinds)))]
pub async fn list(State(api): State<Shared>) -> Result<Json<Kinds>> {
    Ok(Json(Kinds { kinds: api.registry.kinds().map(Kind::from).collect() }))
}
